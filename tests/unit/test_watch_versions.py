"""Versions of a detector beside each other: who rings, who only watches, and what is left when one takes over."""

from uuid import UUID

import msgspec
import pytest

from alerting.detectors import DAY_MS, Now
from alerting.detectors.table import DETECTORS
from alerting.partition import Partition
from alerting.watch import BEFORE_LABELS, HANDOVER_MS, VERSION, Watch
from pingan.messages import HomeSettings, derived_alarm_id
from tests.alerting_support import reading
from tests.detector_versions import TABLE, Counting
from tests.timeline import Timeline, kinds


def versions(live: str | None = None, *shadow: str, revision: int = 1) -> HomeSettings:
    return HomeSettings(
        home="H1",
        revision=revision,
        live={} if live is None else {"still": live},
        shadow={"still": shadow} if shadow else {},
    )


def line() -> Timeline:
    return Timeline(Partition(table=TABLE))


def reloaded(partition: Partition) -> Partition:
    """What a checkpoint makes of it; what was learned is stored when it is given, as a checkpoint does."""
    now = partition.now
    watches = {}
    for home, watch in partition.watches.items():
        routines = dict(watch.learned(now))
        watches[home] = Watch.restore(home, VERSION, watch.snapshot(), now, routines, TABLE)
    return Partition(partition.time, watches, TABLE)


def shadows(one: Timeline) -> list[tuple[str, str]]:
    return [(found.label, found.kind) for found in one.partition.shadows]


def test_what_a_shadow_finds_rings_nobody_and_stands_apart() -> None:
    one = line()
    one.hear(versions(None, "five-1"), reading(2))
    one.tick(1)
    assert one.ticks(6 * 60, every=60) == []
    assert shadows(one) == [("five-1", "inactivity")]
    [alarm] = one.ticks(5 * 60, every=60)
    assert (alarm.kind, alarm.evidence["detector"], alarm.evidence["rule"]) == ("inactivity", "still/ten-1", "still")
    assert alarm.id == derived_alarm_id("H1", "still", "H1-hub/b1/2"), "as it would be without any shadow"
    [found] = one.partition.shadows
    assert found.id != alarm.id
    assert found.evidence["detector"] == "still/five-1"


def test_two_shadows_never_share_an_id_and_a_withdrawal_names_its_own() -> None:
    one = line()
    one.hear(versions("counting-1", "five-1", "ten-1"), reading(1))
    one.ticks(12 * 60, every=60)
    one.hear(reading(2))
    ids: dict[str, list[UUID | None]] = {}
    for found in one.partition.shadows:
        ids.setdefault(found.label, []).append(found.id if found.kind == "inactivity" else found.restores)
    assert set(ids) == {"five-1", "ten-1"}
    assert all(raised == restored for raised, restored in ids.values())
    assert len({raised for raised, _ in ids.values()}) == 2
    assert kinds(one.alarms) == ["inactivity", "withdrawn"]
    assert one.alarms[1].evidence["restores"] == str(one.alarms[0].id)


def test_a_promoted_version_rings_from_what_it_knew_in_shadow() -> None:
    one = line()
    one.hear(versions(None, "five-1"), reading(1))
    one.ticks(4 * 60, every=60)
    one.hear(versions("five-1", revision=2))
    watch = one.partition.watches["H1"]
    assert watch.fresh == ()
    [alarm] = one.ticks(2 * 60, every=60)
    assert alarm.evidence["detector"] == "still/five-1"


def test_a_version_that_never_ran_begins_anew_and_says_so() -> None:
    one = line()
    one.hear(versions(), reading(1))
    one.tick(60)
    one.hear(versions("five-1", revision=2))
    assert one.partition.watches["H1"].fresh == ("still/five-1",)


def test_mutant_a_promotion_would_forget_the_silence_under_way() -> None:
    """The shadow has said it already, to nobody; whoever is replaced has counted, and must still ring."""
    one = line()
    one.hear(versions(None, "five-1"), reading(1))
    one.ticks(8 * 60, every=60)
    assert one.alarms == []
    one.hear(versions("five-1", revision=2))
    [alarm] = one.ticks(3 * 60, every=60)
    assert alarm.evidence["detector"] == "still/ten-1"


def test_a_replaced_version_rings_for_a_day_and_then_is_gone() -> None:
    one = line()
    one.hear(versions(), reading(1))
    one.tick(60)
    one.hear(versions("five-1", revision=2))
    one.ticks(HANDOVER_MS / 1000 - 3600, every=1800)
    one.alarms.clear()
    one.hear(reading(2))
    one.partition = reloaded(one.partition)
    assert sorted(alarm.evidence["detector"] for alarm in one.ticks(1800, every=60) if alarm.kind == "inactivity") == [
        "still/five-1", "still/ten-1",
    ]  # fmt: skip
    one.ticks(3600, every=60)
    one.alarms.clear()
    one.hear(reading(3))
    assert [alarm.evidence["detector"] for alarm in one.ticks(1800, every=60) if alarm.kind == "inactivity"] == [
        "still/five-1"
    ]


def test_a_version_put_into_shadow_is_quiet_at_once() -> None:
    one = line()
    one.hear(versions("five-1"), reading(1))
    one.ticks(4 * 60, every=60)
    one.hear(versions("ten-1", "five-1", revision=2))
    assert one.ticks(3 * 60, every=60) == []
    assert shadows(one) == [("five-1", "inactivity")]


def test_the_first_version_is_quiet_in_shadow_though_nobody_has_let_another_ring() -> None:
    """Shadow first, for a detector of which there is one version only: falls."""
    one = line()
    one.hear(versions(None, "ten-1"), reading(1))
    assert one.ticks(20 * 60, every=60) == []
    assert shadows(one) == [("ten-1", "inactivity")]


@pytest.mark.parametrize("restart", [False, True])
def test_what_a_version_has_asked_a_resident_it_concludes_also_in_shadow(restart: bool) -> None:
    """The resident did not answer: that is a danger, whoever decides about versions at that moment."""
    one = line()
    one.hear(versions("asking-1"), reading(1))
    one.tick(60)
    one.ticks(5 * 60, every=60)
    assert kinds(one.alarms) == ["inactivity_suspected"]
    one.hear(versions("five-1", "asking-1", revision=2))
    if restart:
        one.partition = reloaded(one.partition)
    alarms = [alarm for alarm in one.ticks(5 * 60, every=60) if alarm.evidence["detector"] == "still/asking-1"]
    assert kinds(alarms) == ["inactivity"]
    assert alarms[0].evidence["follows"] == str(one.alarms[0].id)
    over = [alarm for alarm in one.hear(reading(2)) if alarm.evidence["detector"] == "still/asking-1"]
    assert [alarm.evidence["restores"] for alarm in over] == [str(alarms[0].id)]
    one.alarms.clear()
    one.ticks(20 * 60, every=60)
    assert {alarm.evidence["detector"] for alarm in one.alarms} == {"still/five-1"}, "it begins nothing anew"


def test_a_version_that_is_turned_off_concludes_what_it_has_asked() -> None:
    one = line()
    one.hear(versions("asking-1"), reading(1))
    one.tick(60)
    one.ticks(5 * 60, every=60)
    one.hear(versions("ten-1", "asking-1", revision=2), versions("ten-1", revision=3))
    alarms = one.ticks(5 * 60, every=60)
    assert [(alarm.kind, alarm.evidence["detector"]) for alarm in alarms] == [("inactivity", "still/asking-1")]


def test_a_question_at_the_end_of_the_handover_is_concluded() -> None:
    one = line()
    one.hear(versions("asking-1"), reading(1))
    one.tick(60)
    one.hear(versions("five-1", revision=2))
    one.ticks(HANDOVER_MS / 1000 - 420, every=60)
    one.hear(reading(2))
    one.alarms.clear()
    one.ticks(1800, every=60)
    mine = [alarm.kind for alarm in one.alarms if alarm.evidence["detector"] == "still/asking-1"]
    assert mine == ["inactivity_suspected", "inactivity"]


@pytest.mark.parametrize("restart", [False, True])
def test_a_promoted_version_takes_back_only_what_rang(restart: bool) -> None:
    """The same silence has rung by the version before it, under the id that its own finding would have had."""
    one = line()
    one.hear(versions(None, "five-1"), reading(1))
    one.ticks(12 * 60, every=60)
    assert [alarm.evidence["detector"] for alarm in one.alarms] == ["still/ten-1"]
    one.hear(versions("five-1", "ten-1", revision=2))
    if restart:
        shadows_before = one.partition.shadows
        one.partition = reloaded(one.partition)
        one.partition.shadows = shadows_before
    assert one.hear(reading(2)) == []
    assert [(found.label, found.kind) for found in one.partition.shadows] == [
        ("five-1", "inactivity"), ("ten-1", "withdrawn"), ("five-1", "withdrawn"),
    ]  # fmt: skip
    one.tick(60)
    assert kinds(one.ticks(10 * 60, every=60)) == ["inactivity"], "the next silence rings"


def test_a_suspicion_in_shadow_is_confirmed_aloud_by_whoever_rings_by_then() -> None:
    one = line()
    one.hear(versions(None, "asking-1"), reading(1))
    one.ticks(7 * 60, every=60)
    one.hear(versions("asking-1", revision=2))
    alarms = [alarm for alarm in one.ticks(4 * 60, every=60) if alarm.evidence["detector"] == "still/asking-1"]
    assert kinds(alarms) == ["inactivity"]


def test_what_ran_before_anybody_said_what_should_is_not_handed_over() -> None:
    one = line()
    one.hear(reading(1), versions("five-1"))
    one.tick(60)
    assert one.partition.watches["H1"].fresh == ()
    one.hear(reading(2))
    assert [alarm.evidence["detector"] for alarm in one.ticks(1800, every=60) if alarm.kind == "inactivity"] == [
        "still/five-1"
    ]


def test_a_label_that_this_platform_does_not_have_is_as_not_named() -> None:
    one = line()
    one.hear(versions("six-7", "seven-8"), reading(1))
    assert [alarm.evidence["detector"] for alarm in one.ticks(11 * 60, every=60)][-1] == "still/ten-1"
    assert one.partition.shadows == []


def test_the_same_settings_again_change_nothing() -> None:
    once, twice = line(), line()
    for one in (once, twice):
        one.hear(versions("five-1", "ten-1"), reading(1))
        one.tick(60)
    twice.hear(versions("five-1", "ten-1"))
    for one in (once, twice):
        one.ticks(20 * 60, every=60)
    assert twice.alarms == once.alarms
    assert twice.partition.shadows == once.partition.shadows


def test_a_restart_keeps_who_rings_and_what_they_know() -> None:
    one = line()
    one.hear(versions(None, "five-1"), reading(1))
    one.ticks(4 * 60, every=60)
    one.hear(versions("five-1", "counting-1", revision=2))
    for _ in range(9):
        one.partition = reloaded(one.partition)
        one.tick(60)
        assert one.partition.watches["H1"].fresh == ()
    assert {alarm.evidence["detector"] for alarm in one.alarms if alarm.kind == "inactivity"} == {
        "still/five-1", "still/ten-1",
    }  # fmt: skip


@pytest.mark.parametrize("heard", ["temperature", "status"])
def test_a_detector_that_names_its_kinds_is_not_asked_about_others(heard: str) -> None:
    one = line()
    one.hear(versions(), reading(1), reading(2, heard, value={"faults": []}))
    [alarm] = [alarm for alarm in one.ticks(20 * 60, every=60) if alarm.kind == "inactivity"]
    assert alarm.id == derived_alarm_id("H1", "still", "H1-hub/b1/1")


def test_what_was_learned_is_given_once_a_day_until_it_is_stored() -> None:
    one = line()
    one.hear(versions("counting-1"))
    watch = one.partition.watches["H1"]

    def learned(at_ms: int) -> dict[tuple[str, str], bytes]:
        return dict(watch.learned(Now(at_ms, at_ms)))

    learned(DAY_MS)
    one.hear(reading(1), reading(2))
    assert learned(DAY_MS) == {}, "not twice a day"
    key = ("still", "counting-1")
    given = {key: msgspec.msgpack.encode(2)}
    assert learned(2 * DAY_MS) == learned(2 * DAY_MS) == given, "until it stands in its table"
    watch.unstored.clear()
    assert learned(3 * DAY_MS) == {}, "nothing new"

    kept = Watch.restore("H1", VERSION, watch.snapshot(), Now(0, 0), given, TABLE)
    assert [run.detector.known for run in kept._runs if isinstance(run.detector, Counting)] == [2]
    damaged = Watch.restore("H1", VERSION, watch.snapshot(), Now(0, 0), {key: b"\xc1"}, TABLE)
    assert damaged.fresh == ("still/counting-1 routine",)


RECORDED = bytes.fromhex(
    "9285a474797065a6686f6d652f31a4686f6d65a24831a87265766973696f6e01a7646576696365739182a26964a648312d687562a46b69"
    "6e64a3687562b0696e61637469766974795f686f7572730183a873657175656e63659201c4149281a648312d687562929194a262310102"
    "90c0c0ab7375706572766973696f6e9201c47e9281a648312d6875629bce00015f9093a2623102a0cf000001a0c4506c00cd03e8ab4831"
    "2d6875622f62312f3291a2623182af626174746572795f70657263656e7495cb4054000000000000a2623101cf000001a0c4506c00c2a6"
    "6661756c74739590a2623101cf000001a0c4506c00c280cf000001a0c4506c00c000c0aa696e61637469766974799201c4439dce0036ee"
    "8090cd03e8cf000001a0c4506c0093a648312d687562a2623102a0c2ce0036f268c381a648312d687562ce00015f9081a648312d687562"
    "cd03e8cd03e8a0"
)
"""The state of a home as the last version before labels wrote it: its hub is lost, and it has been silent for 55
minutes of the hour that it has."""


def test_a_snapshot_from_before_there_were_labels_goes_on() -> None:
    time = Now(1_790_000_000_000 + 3_301_000, 3_301_000)
    watch = Watch.restore("H1", BEFORE_LABELS, RECORDED, time)
    # What has a successor by now begins anew beside it; what ran goes on.
    assert set(watch.fresh) <= {f"{name}/{next(iter(labels))}" for name, labels in DETECTORS.items()}
    assert not {"sequence", "supervision/1", "inactivity/fixed-1"} & set(watch.fresh)
    alarms = watch.wake(Now(time.at_ms + 300_000, time.heard_ms + 300_000))
    [alarm] = [alarm for alarm in alarms if alarm.kind == "cannot_hear"]
    assert str(alarm.id) == "bc3cf866-54ba-501a-bfd8-6aedc8ce75df", "the one that the version before would have raised"
