"""A fall: suspected, confirmed or withdrawn; and the same in the end whatever the order in which it is heard."""

from base64 import b64decode
from random import Random

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerting.detectors import Finding, Now
from alerting.detectors.fall import (
    ANSWERED,
    ASKED_MS,
    CANNOT_HEAR,
    FALL,
    FALL_SUSPECTED,
    GOT_UP,
    LATE_READING,
    MOVED_ON,
    ROOM_MOVEMENT,
    STUCK_SENSOR,
    Fall,
    with_model,
)
from alerting.falls.model import Model, Thresholds
from alerting.falls.shipped import MODEL
from pingan.messages import DeviceSettings, Event, HomeSettings, Reading, Tick
from tests.falls_support import (
    FLAT,
    WATCH,
    accel,
    fall,
    kinds,
    play,
    reasons,
    standing,
    still,
    walking,
)
from tests.timeline import START_MS, Timeline

IMPACT_MS = START_MS + 5_560
SNAPSHOT_MAX = 4096

unhurried = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])


def waist(g: np.ndarray[tuple[int, ...], np.dtype[np.float64]], **more: int) -> list[Reading]:
    return accel(g, position="waist", **more)  # type: ignore[arg-type]


def said(kind: str, at_ms: int, device: str = "H1-hub", seq: int = 1) -> Reading:
    return Reading(device, "b1", seq, at_ms, at_ms + 50, kind, True, "H1", "kitchen")


def event(kind: str, at_ms: int, device: str = WATCH, *, test: bool = False) -> Event:
    return Event(device, f"e{at_ms}", "b1", 900, at_ms, at_ms + 50, kind, "H1", test=test)


def merged(*parts: Reading | Event | list[Reading]) -> list[Reading | Event]:
    flat = [one for part in parts for one in (part if isinstance(part, list) else [part])]
    return sorted(flat, key=lambda one: one.received_ms)


def doubtful(ring: float, suspect: float = 0.5) -> Fall:
    """The shipped model with thresholds of our own, for what only happens near them."""
    thresholds = {group: Thresholds(suspect=suspect, alone=ring, ring=ring) for group, _ in MODEL.trees}
    return with_model(Model(MODEL.trees, thresholds))()


def test_a_fall_is_suspected_then_rings() -> None:
    suspected, rang = play(Fall(), waist(fall()))
    assert (suspected.kind, rang.kind, rang.follows) == (FALL_SUSPECTED, FALL, FALL_SUSPECTED)
    assert suspected.episode == rang.episode == f"{WATCH}/b1/5"
    assert abs(suspected.evidence["since_ms"] - IMPACT_MS) <= 40
    assert suspected.evidence["until_ms"] == suspected.evidence["since_ms"] + ASKED_MS
    for one in (suspected, rang):
        assert one.evidence["value"] == one.evidence["confidence"] >= one.evidence["threshold"]
        assert f"{WATCH}/b1/5" in one.evidence["readings"]
    assert {note["what"] for note in rang.evidence["supports"]} >= {"impact", "posture_change", "stillness"}
    trace = rang.evidence["trace"]
    magnitudes = np.frombuffer(b64decode(trace["g"]), "<u2")
    assert len(magnitudes) <= 400
    hardest_ms = trace["start_ms"] + int(magnitudes.argmax()) * 1000 // trace["rate_hz"]
    assert hardest_ms == rang.evidence["since_ms"]
    assert magnitudes.max() / 1000 == pytest.approx(rang.evidence["peak_g"], abs=0.01)


@pytest.mark.parametrize("position", ["waist", "pendant", "pocket", "unknown"])
@pytest.mark.parametrize(("range_g", "rate_hz"), [(2.0, 25.0), (4.0, 50.0), (16.0, 50.0)])
def test_a_fall_rings_wherever_the_sensor_sits_and_however_little_it_can_measure(
    position: str, range_g: float, rate_hz: float
) -> None:
    g = fall()[:: round(50 / rate_hz)]
    assert FALL in kinds(play(Fall(), accel(g, position=position, range_g=range_g, rate_hz=rate_hz)))


def test_whoever_walks_or_sits_falls_nowhere() -> None:
    assert play(Fall(), waist(np.concatenate([walking(30), still(60), walking(20)]))) == []


def test_whoever_walks_on_was_not_lying() -> None:
    found = play(doubtful(0.9), waist(fall(walking(20))))
    assert reasons(found) == [(FALL_SUSPECTED, MOVED_ON)]
    assert standing(found) == set()


def test_getting_up_is_told_once_and_says_so() -> None:
    found = play(Fall(), waist(fall(np.concatenate([still(9, FLAT), walking(30)]))))
    assert kinds(found) == [FALL_SUSPECTED, FALL, "withdrawn"]
    assert reasons(found) == [(FALL, GOT_UP)]


def test_the_resident_answers_before_it_rings() -> None:
    found = play(Fall(), merged(waist(fall()), event("ok", IMPACT_MS + 2_500)))
    assert kinds(found) == [FALL_SUSPECTED, "withdrawn"]
    assert reasons(found) == [(FALL_SUSPECTED, ANSWERED)]


def test_an_answer_after_it_rang_is_told() -> None:
    found = play(Fall(), merged(waist(fall()), event("cancel", IMPACT_MS + 8_000)))
    assert reasons(found) == [(FALL, ANSWERED)]


def test_an_old_answer_answers_nothing() -> None:
    found = play(Fall(), merged(waist(fall()), event("ok", IMPACT_MS - 2_000)))
    assert kinds(found) == [FALL_SUSPECTED, FALL]


def test_a_sensor_that_falls_silent_rings_by_its_first_look() -> None:
    found = play(Fall(), waist(fall())[:7])
    assert kinds(found) == [FALL_SUSPECTED, FALL]
    assert found[-1].evidence["looks"]["second"] is None


@pytest.mark.parametrize("stuck", [True, False])
def test_what_cannot_be_confirmed_says_why(stuck: bool) -> None:
    heard = waist(fall())
    if stuck:
        constant = still(12, FLAT, noise_g=0.0)
        heard = heard[:7] + waist(constant, at_ms=START_MS + 7_000, seq=7)
    else:
        heard = heard[:7]
    found = play(doubtful(0.9999), heard)
    assert reasons(found) == [(FALL_SUSPECTED, STUCK_SENSOR if stuck else CANNOT_HEAR)]


def test_a_stuck_sensor_never_fell() -> None:
    assert play(Fall(), waist(still(30, FLAT * 4, noise_g=0.0))) == []


def second_score(found: list[Finding]) -> float:
    return float(found[-1].evidence["confidence"])


def test_movement_in_the_room_makes_a_fall_less_likely_and_a_report_more() -> None:
    before = said("motion", START_MS + 1_000)
    alone = second_score(play(Fall(), waist(fall())))
    quiet = second_score(play(Fall(), merged(waist(fall()), before)))
    moved_in = merged(waist(fall()), before, said("motion", IMPACT_MS + 3_000, seq=2))
    reported = merged(waist(fall()), event("fall", IMPACT_MS + 1_000, "H1-radar"))
    assert second_score(play(Fall(), moved_in)) < alone < quiet
    found = play(Fall(), reported)
    assert second_score(found) > alone
    assert "device_reports_fall" in {note["what"] for note in found[-1].evidence["supports"]}
    tested = merged(waist(fall()), event("fall", IMPACT_MS + 1_000, "H1-radar", test=True))
    assert second_score(play(Fall(), tested)) == alone


def test_movement_in_the_room_can_withdraw_what_was_doubtful() -> None:
    sure = second_score(play(Fall(), waist(fall())))
    heard = merged(waist(fall()), said("motion", IMPACT_MS + 3_000))
    assert reasons(play(doubtful(sure - 1e-4), heard)) == [(FALL_SUSPECTED, ROOM_MOVEMENT)]


def test_what_the_wearer_itself_says_of_movement_is_no_room() -> None:
    heard = merged(waist(fall()), said("motion", IMPACT_MS + 3_000, WATCH, 800))
    assert "room_movement" not in {note["what"] for note in play(Fall(), heard)[-1].evidence["opposes"]}


def test_bursts_that_say_nothing_are_counted_and_told() -> None:
    heard = waist(fall())
    broken = Reading(WATCH, "b1", 500, START_MS, START_MS + 500, "accel", {"rate_hz": 50}, "H1")
    found = play(Fall(), [broken, *heard])
    assert found[-1].evidence["unusable"] == {"bad_samples": 1}


@pytest.mark.parametrize("jump_ms", [3_600_000, 86_400_000 * 400])
def test_a_clock_that_is_far_ahead_hides_no_fall(jump_ms: int) -> None:
    ahead = [
        Reading(one.device, "b0", one.seq, one.at_ms + jump_ms, one.received_ms, "accel", one.value, "H1")
        for one in waist(still(3))
    ]
    after = [
        Reading(one.device, one.boot, one.seq, one.at_ms + 3_000, one.received_ms + 3_000, "accel", one.value, "H1")
        for one in waist(fall())
    ]
    assert FALL in kinds(play(Fall(), [*ahead, *after]))


def test_a_clock_that_is_put_back_hides_no_fall() -> None:
    back_ms = 7_200_000
    heard = waist(still(5)) + [
        Reading(WATCH, "b1", one.seq + 5, one.at_ms - back_ms, one.received_ms + 5_000, "accel", one.value, "H1")
        for one in waist(fall())
    ]
    assert FALL in kinds(play(Fall(), heard))


def test_a_device_that_leaves_the_home_is_forgotten() -> None:
    detector = Fall()
    play(detector, waist(fall())[:7], seconds_after=0)
    detector.on_settings(HomeSettings("H1", 2, (DeviceSettings("H1-hub", "hub"),)), Now(START_MS, 0))
    assert detector.deadline is None
    assert play(detector, waist(fall())[8:]) == []


def test_a_stream_of_an_hour_keeps_its_state_small() -> None:
    detector, sizes = Fall(), []
    g = np.concatenate([walking(60), fall(np.concatenate([still(40, FLAT), walking(60)])), still(30)])
    for number in range(8):
        play(detector, waist(g, at_ms=START_MS + number * 4 * len(g) * 5, seq=number * 1000), seconds_after=0)
        sizes.append(len(detector.snapshot()))
    assert max(sizes) < SNAPSHOT_MAX


def test_through_a_partition_the_alarms_name_each_other() -> None:
    line = Timeline()
    line.hear(HomeSettings("H1", 1, (DeviceSettings(WATCH, "watch"),)))
    for one in waist(fall()):
        while one.received_ms > line.at_ms + 1000:
            line.tick(1)
        line.hear(one)
    line.ticks(20)
    suspected, rang = [one for one in line.alarms if one.kind in (FALL, FALL_SUSPECTED)]
    assert rang.evidence["follows"] == str(suspected.id)
    assert rang.evidence["detector"] == "fall/trees-1"
    assert any(isinstance(one, Tick) for one in line.told)


# -- whatever the order ------------------------------------------------------------------------------------------------


def scene(number: int) -> list[Reading | Event]:
    """A quarter of a minute or so with something hard in it, and what the home says meanwhile."""
    after = (still(8, FLAT), walking(8), np.concatenate([still(6, FLAT), walking(16)]))[number % 3]
    heard: list[Reading | Event] = list(accel(fall(after, seed=number), position=("waist", "wrist")[number % 2]))
    if number % 4 == 1:
        heard.append(said("motion", IMPACT_MS + 3_000))
    if number % 5 == 2:
        heard.append(event("fall", IMPACT_MS + 1_500, "H1-radar"))
    if number % 7 == 3:
        heard.append(event("ok", IMPACT_MS + 6_000))
    return sorted(heard, key=lambda one: one.received_ms)


def late(heard: list[Reading | Event], seed: int, share: float) -> list[Reading | Event]:
    """Some of them come up to ten minutes later."""
    random = Random(seed)
    moved = []
    for one in heard:
        delay_ms = random.choice((500, 5_000, 40_000, 580_000)) if random.random() < share else 0
        fields = {name: getattr(one, name) for name in one.__struct_fields__}
        moved.append(type(one)(**fields | {"received_ms": one.received_ms + delay_ms}))
    return sorted(moved, key=lambda one: one.received_ms)


@unhurried
@given(st.integers(0, 40), st.integers(0, 2**16), st.sampled_from((0.1, 0.4, 1.0)))
def test_what_stands_in_the_end_is_the_same_however_late_it_is_heard(number: int, seed: int, share: float) -> None:
    in_order = scene(number)
    expected = standing(play(Fall(), in_order))
    found = play(Fall(), late(in_order, seed, share))
    assert standing(found) == expected
    assert all(one.evidence["reason"] for one in found if one.kind == "withdrawn")


@unhurried
@given(st.integers(0, 40), st.integers(0, 2**16), st.sampled_from((0.0, 0.3)))
def test_a_restart_at_any_point_changes_nothing(number: int, seed: int, share: float) -> None:
    heard = late(scene(number), seed, share)
    assert play(Fall(), heard, restarts=True) == play(Fall(), heard)


def test_a_burst_that_comes_late_can_take_a_fall_back_and_says_so() -> None:
    heard = waist(fall(np.concatenate([walking(6), still(12)])))
    held = [one for one in heard if one.seq in (7, 8, 9)]
    rest = [one for one in heard if one not in held]
    moved = [
        Reading(one.device, one.boot, one.seq, one.at_ms, one.received_ms + 60_000, "accel", one.value, "H1")
        for one in held
    ]
    found = play(doubtful(0.4), [*rest, *moved])
    assert kinds(found).count(FALL) == 1
    assert reasons(found) == [(FALL, LATE_READING)]
    assert standing(found) == standing(play(doubtful(0.4), heard)) == set()


def test_a_damaged_snapshot_says_so() -> None:
    detector = Fall()
    play(detector, waist(fall()))
    for damaged in (detector.snapshot()[:-20], b"\x78nothing", b"\x00"):
        with pytest.raises(msgspec.DecodeError):
            Fall.restore(damaged)
