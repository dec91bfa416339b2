"""Dangers in the home itself: what a sensor says, and what it measures."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pingan.messages import DeviceSettings, Event, HomeSettings, Limit, Reading
from tests.lateness import Told, found_by, play, standing
from tests.timeline import START_MS, Timeline, kinds

DEVICES = tuple(DeviceSettings(f"H1-{kind}", kind, 90_000) for kind in ("smoke", "co", "gas", "climate", "watch"))
HOME = HomeSettings("H1", 1, DEVICES)
HOUR = 3600


def said(seq: int, value: Any, kind: str = "smoke", at_ms: int = START_MS, device: str = "") -> Reading:
    return Reading(device or f"H1-{kind}", "b1", seq, at_ms, at_ms, kind, value, "H1")


def reported(seq: int, kind: str = "smoke", at_ms: int = START_MS) -> Event:
    return Event(f"H1-{kind}", f"e{seq}", "b1", seq, at_ms, at_ms, kind, "H1")


def watched(home: HomeSettings = HOME) -> Timeline:
    line = Timeline()
    line.hear(home)
    line.tick(1)
    return line


def every(line: Timeline, seconds: int, values: list[float], kind: str, device: str, seq: int = 100) -> list[str]:
    """A value each so many seconds; the kinds of what is found."""
    found = []
    for number, value in enumerate(values):
        line.hear(said(seq + number, value, kind, line.at_ms, device))
        found += line.tick(seconds)
    return kinds(found_by("hazards", found))


def test_a_sensor_that_says_smoke_rings_in_seconds_and_says_when_it_is_clear() -> None:
    line = watched()
    line.hear(said(1, True))
    assert kinds(line.ticks(3)) == ["smoke"]
    line.hear(said(2, True))
    assert line.ticks(60) == [], "what holds is told once"
    line.hear(said(3, False))
    [clear] = line.tick(1)
    assert (clear.kind, clear.evidence["reason"]) == ("withdrawn", "cleared")
    line.hear(said(4, True))
    assert kinds(line.ticks(3)) == ["smoke"], "a new danger is a new alarm"
    assert len({alarm.id for alarm in line.alarms}) == 3


@pytest.mark.parametrize("first", ["event", "reading"])
def test_what_its_alarm_has_rung_for_rings_no_second_time(first: str) -> None:
    line = watched()
    both = [reported(1), said(2, True)]
    line.hear(*(both if first == "event" else reversed(both)))
    assert line.ticks(60) == []
    line.hear(said(3, False))
    assert line.ticks(60) == [], "nothing of ours was raised: nothing of ours is withdrawn"
    line.hear(said(4, True))
    assert kinds(line.ticks(3)) == ["smoke"], "that alarm was of the danger before"


def test_an_alarm_of_another_sensor_or_danger_hides_nothing() -> None:
    line = watched()
    line.hear(reported(1, "co"), said(1, True, "gas"))
    assert kinds(line.ticks(3)) == ["gas"]


@pytest.mark.parametrize("value", [None, "true", 1, 0.5, {"smoke": True}, float("nan")])
def test_what_is_no_yes_is_none(value: Any) -> None:
    line = watched()
    line.hear(said(1, value))
    assert line.ticks(10) == []


@pytest.mark.parametrize(
    ("ppm", "minutes", "found"),
    [(400, 1, True), (120, 9, False), (120, 12, True), (60, 50, False), (60, 62, True), (35, 110, False),
     (35, 122, True), (25, 300, False)],
)  # fmt: skip
def test_carbon_monoxide_by_the_standard_s_times(ppm: float, minutes: int, found: bool) -> None:
    line = watched()
    assert ("co" in every(line, 60, [ppm] * minutes, "co_level", "H1-co")) is found


def test_gas_is_judged_in_percent_only() -> None:
    assert every(watched(), 60, [25, 25, 25], "gas_level", "H1-gas") == ["gas"]
    assert every(watched(), 60, [250, 60, 60, 60], "gas_level", "H1-gas") == [], "this one measures in another unit"


@pytest.mark.parametrize(
    ("values", "kind"),
    [([36] * 13, "home_heat"), ([36] * 11, None), ([8.5] * 13, "home_cold"), ([15] * 30, None),
     ([36, 36, 30] * 10, None)],
)  # fmt: skip
def test_a_room_that_stays_hot_or_cold(values: list[float], kind: str | None) -> None:
    line = watched()
    found = every(line, 600, [20, *values], "temperature", "H1-climate")
    assert found == ([kind] if kind else [])


def test_a_fridge_s_thermometer_and_a_person_s_say_nothing_of_the_room() -> None:
    assert every(watched(), 600, [4.0] * 30, "temperature", "H1-climate") == []
    assert every(watched(), 600, [20, *[36.5] * 30], "temperature", "H1-watch") == []


def test_a_room_that_burns_is_smoke() -> None:
    assert every(watched(), 30, [24, 60, 66, 90], "temperature", "H1-climate") == ["smoke"]
    assert every(watched(), 30, [24, 85, 85, 85], "temperature", "H1-climate") == [], "it has not measured yet"


def test_a_home_s_own_limits_take_the_place_of_ours() -> None:
    own = HomeSettings("H1", 2, DEVICES, limits=(Limit("room_temperature", 12, None),))
    assert every(watched(own), 600, [20, *[11.0] * 14], "temperature", "H1-climate") == ["home_cold"]
    assert every(watched(own), 600, [20, *[36.0] * 14], "temperature", "H1-climate") == []


def test_what_is_well_again_says_so() -> None:
    line = watched()
    every(line, 60, [400] * 3, "co_level", "H1-co")
    found = every(line, 60, [0] * 40, "co_level", "H1-co", seq=500)
    assert found == ["withdrawn"]


unhurried = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
steps = st.lists(
    st.tuples(
        st.integers(1, 3600), st.sampled_from(("smoke", "co_level", "event")), st.sampled_from((0, 20, 120, 400)),
        st.sampled_from((0, 0, 40, 300, 599)),
    ),
    min_size=1, max_size=14,
)  # fmt: skip


def story(script: list[tuple[int, str, int, int]], late: bool) -> list[Told]:
    made = []
    for seq, (at_s, kind, value, delay_s) in enumerate(sorted(script)):
        at_ms = START_MS + at_s * 1000
        if kind == "event":
            made.append(Told(reported(seq, "smoke", at_ms)))
            continue
        reading = said(seq, value > 100, "smoke", at_ms) if kind == "smoke" else said(seq, value, kind, at_ms, "H1-co")
        made.append(Told(reading, delay_s * 1000 if late else 0))
    return made


@unhurried
@given(steps)
def test_readings_late_by_ten_minutes_leave_standing_what_they_do_in_order(
    script: list[tuple[int, str, int, int]],
) -> None:
    measured = [step for step in script if step[1] != "event"]
    late, in_order = (standing(play(HOME, story(measured, late), "hazards")) for late in (True, False))
    assert late == in_order


@unhurried
@given(steps, st.sets(st.integers(0, 200), max_size=6))
def test_a_restart_anywhere_and_a_repeat_change_nothing(
    script: list[tuple[int, str, int, int]], restarts: set[int]
) -> None:
    once = story(script, late=True)
    alarms = play(HOME, once, "hazards")
    assert play(HOME, once, "hazards", restarts) == alarms
    repeated = [again for one in once for again in (one, one._replace(delay_ms=one.delay_ms + 300_000))]
    assert {alarm.id for alarm in play(HOME, repeated, "hazards")} == {alarm.id for alarm in alarms}
