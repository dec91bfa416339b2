"""Leaving home: by the door at night, and beyond the fence."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerting.detectors.local_time import day_begins_ms, local_day, local_hour
from alerting.detectors.wandering import distance_m
from pingan.messages import Away, DeviceSettings, Fence, HomeSettings, Reading
from tests.lateness import Told, found_by, play, standing
from tests.timeline import START_MS, Timeline, kinds

MINUTE = 60
DEVICES = (DeviceSettings("H1-hub", "hub", 90_000), DeviceSettings("H1-tracker", "tracker", 90_000))
HOME = HomeSettings("H1", 1, DEVICES, fence=Fence(22.6, 113.1, 300))


def said(seq: int, kind: str, value: Any, at_ms: int, sensor: str | None = None, device: str = "H1-hub") -> Reading:
    return Reading(device, "b1", seq, at_ms, at_ms, kind, value, "H1", sensor)


def at_hour(hour: int, home: HomeSettings = HOME) -> Timeline:
    """A home at so many o'clock, in which somebody has moved just now."""
    line = Timeline()
    line.hear(home)
    line.tick(1)
    line.ticks((hour - local_hour(line.at_ms, "Asia/Shanghai")) % 24 * 3600, every=600)
    line.hear(said(1, "motion", True, line.at_ms, "bedroom"))
    line.tick(10)
    return line


def fix(seq: int, metres: float, at_ms: int, accuracy_m: float | None = 20) -> Reading:
    value = {"lat": 22.6 + metres / 111_194.9, "lon": 113.1}
    if accuracy_m is not None:
        value["accuracy_m"] = accuracy_m
    return said(seq, "location", value, at_ms, device="H1-tracker")


def test_a_door_at_night_that_nothing_follows() -> None:
    line = at_hour(2)
    line.hear(said(2, "door", "open", line.at_ms, "front-door"))
    line.tick(10)
    line.hear(said(3, "door", "closed", line.at_ms, "front-door"))
    assert line.ticks(14 * MINUTE) == []
    [alarm] = found_by("wandering", line.ticks(2 * MINUTE))
    assert (alarm.kind, alarm.evidence["rule"], alarm.evidence["value"]) == ("wandering", "door_at_night", 15.0)
    assert alarm.evidence["readings"] == ["H1-hub/b1/3"]
    assert alarm.evidence["supports"][0]["value"] == "front-door"
    line.hear(said(4, "motion", True, line.at_ms, "hallway"))
    [back] = line.tick(1)
    assert (back.kind, back.evidence["reason"], back.evidence["restores"]) == ("withdrawn", "came_back", str(alarm.id))


@pytest.mark.parametrize(
    ("hour", "sensor", "moves"), [(2, "front-door", True), (12, "front-door", False), (2, "fridge-door", False)]
)
def test_who_moves_inside_afterwards_or_goes_by_day_or_to_the_fridge_has_not_left(
    hour: int, sensor: str, moves: bool
) -> None:
    line = at_hour(hour)
    line.hear(said(2, "door", "open", line.at_ms, sensor))
    line.ticks(5 * MINUTE, every=10)
    if moves:
        line.hear(said(3, "motion", True, line.at_ms, "hallway"))
    assert found_by("wandering", line.ticks(60 * MINUTE, every=60)) == []


def test_a_home_without_ears_inside_or_with_nobody_in_it_says_nothing() -> None:
    deaf = Timeline()
    deaf.hear(HOME)
    deaf.tick(1)
    deaf.ticks((2 - local_hour(deaf.at_ms, "Asia/Shanghai")) % 24 * 3600, every=600)
    deaf.hear(said(2, "door", "open", deaf.at_ms))
    assert found_by("wandering", deaf.ticks(60 * MINUTE, every=60)) == []
    line = at_hour(2)
    line.hear(HomeSettings("H1", 2, DEVICES, away=(Away(line.at_ms - 1),)))
    line.hear(said(2, "door", "open", line.at_ms))
    assert found_by("wandering", line.ticks(60 * MINUTE, every=60)) == []


def test_two_fixes_beyond_the_fence_are_told_and_the_way_back() -> None:
    line = at_hour(12)
    line.hear(fix(1, 100, line.at_ms))
    line.tick(60)
    line.hear(fix(2, 400, line.at_ms))
    assert line.tick(60) == [], "one may err"
    line.hear(fix(3, 450, line.at_ms))
    [alarm] = line.tick(60)
    assert (alarm.kind, alarm.device, alarm.evidence["rule"]) == ("wandering", "H1-tracker", "beyond_the_fence")
    assert alarm.evidence["threshold"] == 300
    assert alarm.evidence["value"] == pytest.approx(450, abs=1)
    line.hear(fix(4, 310, line.at_ms))
    assert line.ticks(1800, every=60) == [], "not surely inside"
    line.hear(fix(5, 200, line.at_ms))
    assert kinds(found_by("wandering", line.ticks(1800, every=60))) == ["withdrawn"]


@pytest.mark.parametrize(("metres", "accuracy_m"), [(290, 20), (310, 20), (420, 150), (5000, 800), (340, None)])
def test_a_fix_that_may_be_inside_is_no_way_out(metres: float, accuracy_m: float | None) -> None:
    line = at_hour(12)
    for seq in range(6):
        line.hear(fix(seq, metres, line.at_ms, accuracy_m))
        line.tick(60)
    assert found_by("wandering", line.alarms) == []


@pytest.mark.parametrize(
    "value",
    [None, "here", {}, {"lat": 22.6}, {"lat": float("nan"), "lon": 113.1}, {"lat": 95, "lon": 113.1},
     {"lat": 0, "lon": 0}, {"lat": True, "lon": 1}, {"lat": 20.0, "lon": 110.0, "accuracy_m": -1}],
)  # fmt: skip
def test_what_is_no_place_is_none(value: Any) -> None:
    line = at_hour(12)
    for seq in range(4):
        line.hear(said(seq, "location", value, line.at_ms, device="H1-tracker"))
        line.tick(60)
    assert found_by("wandering", line.alarms) == []


def test_distances_are_those_of_the_earth() -> None:
    assert distance_m(22.6, 113.1, 23.6, 113.1) == pytest.approx(111_195, rel=0.005)
    assert distance_m(31.2304, 121.4737, 39.9042, 116.4074) == pytest.approx(1_067_000, rel=0.01)


def test_the_clock_on_the_wall() -> None:
    summer = int(datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp() * 1000)
    winter = int(datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp() * 1000)
    assert (local_hour(summer, "Asia/Shanghai"), local_hour(winter, "Asia/Shanghai")) == (20, 20)
    assert (local_hour(summer, "Europe/London"), local_hour(winter, "Europe/London")) == (13, 12)
    assert local_hour(summer, "Nowhere/At_All") == 12
    # The night on which London puts its clocks forward has 23 hours.
    day = local_day(int(datetime(2026, 3, 29, 12, tzinfo=UTC).timestamp() * 1000), "Europe/London")
    assert day_begins_ms(day + 1, "Europe/London") - day_begins_ms(day, "Europe/London") == 23 * 3_600_000


unhurried = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
steps = st.lists(
    st.tuples(
        st.integers(1, 3600), st.sampled_from(("door", "motion", "fix")), st.sampled_from((100, 310, 400, 900)),
        st.sampled_from((0, 0, 40, 300, 599)),
    ),
    min_size=1, max_size=14,
)  # fmt: skip
ELSEWHERE = HomeSettings("H1", 1, DEVICES, fence=Fence(22.6, 113.1, 300), timezone="Asia/Kolkata")


def story(script: list[tuple[int, str, int, int]], late: bool) -> list[Told]:
    # In Kolkata it is 19:03 at START_MS: five hours later it is night.
    base_ms = START_MS + 5 * 3_600_000
    made = [Told(said(1_000 + hour, "motion", True, START_MS + hour * 3_600_000)) for hour in range(5)]
    for seq, (at_s, kind, metres, delay_s) in enumerate(sorted(script)):
        at_ms = base_ms + at_s * 1000
        reading = fix(seq, metres, at_ms) if kind == "fix" else said(seq, kind, True, at_ms)
        made.append(Told(reading, delay_s * 1000 if late else 0))
    return made


@unhurried
@given(steps)
def test_readings_late_by_ten_minutes_leave_standing_what_they_do_in_order(
    script: list[tuple[int, str, int, int]],
) -> None:
    late, in_order = (standing(play(ELSEWHERE, story(script, late), "wandering")) for late in (True, False))
    assert late == in_order


@unhurried
@given(steps, st.sets(st.integers(600, 900), max_size=6))
def test_a_restart_anywhere_changes_nothing(script: list[tuple[int, str, int, int]], restarts: set[int]) -> None:
    once = story(script, late=True)
    assert play(ELSEWHERE, once, "wandering", restarts) == play(ELSEWHERE, once, "wandering")
