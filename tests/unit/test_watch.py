"""A partition's time and its watches: what moves them, what does not, and what a snapshot keeps."""

import zlib

import msgspec
import pytest

from alerting.detectors import Now
from alerting.partition import Partition, Time
from alerting.watch import RAW, VERSION, Unreadable, Watch
from pingan.messages import Tick, derived_alarm_id
from tests.alerting_support import event, reading, status
from tests.timeline import HUB, START_MS, Timeline, kinds, restarted, settings


def test_only_ticks_move_time() -> None:
    partition = Partition()
    for seq in range(100):
        partition.feed(reading(seq, at_ms=START_MS + seq * 10**9, received_ms=START_MS + seq * 10**9))
    assert partition.time == Time()


def test_heard_time_adds_up_and_time_never_goes_backward() -> None:
    partition = Partition()
    partition.feed(Tick(at_ms=START_MS, heard_ms=0, epoch=1))
    partition.feed(Tick(at_ms=START_MS + 1000, heard_ms=900, epoch=1))
    assert partition.time == Time(START_MS + 1000, 900, 1, START_MS + 1000)
    # A new source whose clock is behind: it is heard, but the time that anyone sees stands still until it catches up.
    partition.feed(Tick(at_ms=START_MS - 7_200_000, heard_ms=0, epoch=2))
    partition.feed(Tick(at_ms=START_MS - 7_199_000, heard_ms=1000, epoch=2))
    assert partition.time == Time(START_MS + 1000, 1900, 2, START_MS - 7_199_000)


@pytest.mark.parametrize(
    "void",
    [
        Tick(at_ms=START_MS + 9_000_000, heard_ms=9_000_000, epoch=1),  # of a source that is no longer the one
        Tick(at_ms=START_MS, heard_ms=1000, epoch=2),  # repeated
        Tick(at_ms=START_MS - 1, heard_ms=1000, epoch=2),
    ],
)
def test_void_ticks(void: Tick) -> None:
    partition = Partition()
    partition.feed(Tick(at_ms=START_MS, heard_ms=0, epoch=2))
    before = partition.time
    assert partition.feed(void) == []
    assert partition.time == before


def test_no_tick_has_heard_more_than_the_time_since_the_one_before() -> None:
    partition = Partition()
    partition.feed(Tick(at_ms=START_MS, heard_ms=0, epoch=1))
    partition.feed(Tick(at_ms=START_MS + 1000, heard_ms=10**9, epoch=1))
    partition.feed(Tick(at_ms=START_MS + 2000, heard_ms=-5, epoch=1))
    assert partition.time.heard_ms == 1000


def test_a_device_of_no_home_has_no_watch_yet() -> None:
    partition = Partition()
    assert partition.feed(reading(1, home=None)) == []
    assert partition.feed(event(1, home=None)) == []
    assert partition.watches == {}


def test_an_event_in_the_log_is_context_and_rings_no_second_time() -> None:
    line = Timeline()
    line.hear(settings(HUB), event(1, device="H1-hub"), event(1, device="H1-hub", attempt=2))
    assert line.ticks(200) == []


def test_a_tick_touches_only_homes_whose_deadline_it_reached() -> None:
    line = Timeline()
    for number in range(50):
        line.hear(settings(hours=1 + number, home=f"H{number}"), reading(1, device=f"H{number}-hub", home=f"H{number}"))
    line.tick(1)
    line.partition.changed.clear()
    line.ticks(3000, every=60)
    assert line.partition.changed == set()
    line.ticks(1200, every=60)
    assert line.partition.changed == {"H0"}


def test_the_alarm_names_its_home_rule_and_episode() -> None:
    line = Timeline()
    line.hear(settings(hours=1), reading(1))
    line.tick(1)
    [alarm] = line.ticks(3600, every=60)
    assert alarm.id == derived_alarm_id("H1", "inactivity_fixed_hours", "H1-hub/b1/1")


def test_mutant_a_timer_in_memory_would_forget_this_silence() -> None:
    """Restarted every minute, the watch must still know for how long it has heard nothing."""
    line = Timeline()
    line.hear(settings(HUB, hours=1), status(1), reading(2))
    line.tick(1)
    for _ in range(61):
        line.partition = restarted(line.partition)
        line.tick(60)
    assert kinds(line.alarms) == ["heartbeat_lost", "cannot_hear"]


def test_our_own_restart_is_nobodys_silence() -> None:
    line = Timeline()
    line.hear(settings(HUB, hours=1), status(1), reading(2))
    line.tick(1)
    line.partition = restarted(line.partition)
    line.epoch = 2
    assert line.tick(58 * 3600, heard=0) == []
    assert line.tick(1) == []


def test_a_snapshot_of_another_version_or_of_noise_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="version 99"):
        Watch.restore("H1", 99, b"", Now(0, 0))
    for noise in (b"", b"\xff\xff", msgspec.msgpack.encode({"a": 1}), msgspec.msgpack.encode([1, 2])):
        with pytest.raises(Unreadable):
            Watch.restore("H1", VERSION, noise, Now(0, 0))


def test_a_detector_whose_state_cannot_be_read_begins_anew_alone() -> None:
    line = Timeline()
    line.hear(settings(HUB, hours=1), status(1), reading(2))
    line.tick(1)
    line.ticks(1800, every=60)
    packed = line.partition.watches["H1"].snapshot()
    known, sequence, runs, day, _ = msgspec.msgpack.decode(zlib.decompress(packed, wbits=RAW))
    for run in runs:
        if run[0] == "supervision":
            run[2] = 99
    # A frame without what is not concluded, as it was written before that was kept, is read too.
    state = zlib.compress(msgspec.msgpack.encode((known, sequence, runs, day)), wbits=RAW)
    watch = Watch.restore("H1", VERSION, state, line.partition.now)
    assert watch.fresh == ("supervision/1",)
    line.partition = Partition(line.partition.time, {"H1": watch})
    line.alarms.clear()
    line.hear(status(3))
    line.ticks(3720, every=60)
    assert sorted(kinds(line.alarms)) == ["cannot_hear", "heartbeat_lost"], "the one relearns, the other has counted on"


def test_state_is_small() -> None:
    line = Timeline()
    line.hear(settings(*(msgspec.structs.replace(HUB, id=f"H1-{n}") for n in range(3)), hours=8))
    for seq in range(1, 50):
        for device in range(3):
            line.hear(status(seq, device=f"H1-{device}", battery_percent=50.0, mains=True))
        line.tick(60)
    assert len(line.partition.watches["H1"].snapshot()) <= 1024
