"""Vital signs: beyond what somebody set, and changed from the person's own."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerting.detectors import Now
from alerting.detectors.vitals import Vitals
from pingan.messages import DeviceSettings, HomeSettings, Limit, Reading
from tests.lateness import Told, play, standing
from tests.timeline import START_MS, Timeline, kinds

MINUTE = 60_000
DAY = 86_400_000
WATCH = DeviceSettings("H1-watch", "watch", 90_000)
CLIMATE = DeviceSettings("H1-climate", "climate", 90_000)
LIMITS = (
    Limit("heart_rate", 45, 120),
    Limit("spo2", 90),
    Limit("systolic", None, 180),
    Limit("body_temperature", None, 38),
)
HOME = HomeSettings("H1", 1, (WATCH, CLIMATE), timezone="Asia/Shanghai", limits=LIMITS)


def measured(seq: int, kind: str, value: Any, at_ms: int = START_MS, device: str = "H1-watch") -> Reading:
    return Reading(device, "b1", seq, at_ms, at_ms, kind, value, "H1")


def watched(home: HomeSettings = HOME) -> Timeline:
    line = Timeline()
    line.hear(home)
    line.tick(1)
    return line


def test_two_readings_beyond_a_limit_are_told_at_the_next_tick() -> None:
    line = watched()
    line.hear(measured(1, "heart_rate", 130, line.at_ms))
    assert line.tick(1) == []
    line.hear(measured(2, "heart_rate", 134, line.at_ms))
    [alarm] = line.tick(1)
    assert (alarm.kind, alarm.device) == ("vitals", "H1-watch")
    said = alarm.evidence
    assert (said["rule"], said["threshold"], said["value"]) == ("vitals_limit:heart_rate:high", 120, 130)
    assert (said["measure"], said["unit"], said["count"]) == ("heart_rate", "beats a minute", 2)
    assert said["readings"] == ["H1-watch/b1/1"], "the first of each minute names it"
    line.hear(measured(3, "heart_rate", 140, line.at_ms))
    assert line.ticks(60) == [], "once, as long as it lasts"


def test_a_single_reading_that_nothing_contradicts_is_told_after_six_minutes() -> None:
    line = watched()
    line.hear(measured(1, "spo2", 81, line.at_ms))
    assert line.ticks(360) == []
    assert kinds(line.ticks(5)) == ["vitals"]


def test_a_single_reading_that_the_next_contradicts_is_nothing() -> None:
    line = watched()
    line.hear(measured(1, "blood_pressure", {"systolic": 230, "diastolic": 80}, line.at_ms))
    line.ticks(120)
    line.hear(measured(2, "blood_pressure", {"systolic": 140, "diastolic": 80}, line.at_ms))
    assert line.ticks(3600, every=30) == []


def test_what_is_within_the_limits_again_says_so_once_it_is_sure() -> None:
    line = watched()
    for seq in range(4):
        line.hear(measured(seq, "heart_rate", 30, line.at_ms))
        line.tick(60)
    [low] = line.alarms
    for seq in range(4, 30):
        line.hear(measured(seq, "heart_rate", 70, line.at_ms))
        line.tick(60)
    [over] = line.ticks(1800, every=60) or line.alarms[1:]
    assert (over.kind, over.evidence["reason"], over.evidence["restores"]) == (
        "withdrawn",
        "within_limits",
        str(low.id),
    )


def test_what_is_beyond_again_the_next_day_is_told_again() -> None:
    line = watched()
    for day in range(3):
        line.hear(measured(day, "blood_pressure", {"systolic": 200, "diastolic": 80}, line.at_ms))
        line.ticks(DAY / 1000, every=600)
    assert kinds(line.alarms) == ["vitals"] * 3
    assert len({alarm.id for alarm in line.alarms}) == 3


def test_a_reading_late_by_ten_minutes_takes_an_alarm_back_and_names_the_reason() -> None:
    alone = Told(measured(1, "heart_rate", 140, START_MS + 10_000))
    late = Told(measured(2, "heart_rate", 80, START_MS + 100_000), 600_000)
    alarms = play(HOME, [alone, late], "vitals")
    assert kinds(alarms) == ["vitals", "withdrawn"]
    assert alarms[1].evidence["reason"] == "late_reading"
    assert play(HOME, [alone, late._replace(delay_ms=0)], "vitals") == []


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("heart_rate", float("nan")), ("heart_rate", float("inf")), ("heart_rate", True), ("heart_rate", "140"),
        ("heart_rate", None), ("heart_rate", 0), ("heart_rate", 3000), ("spo2", -5), ("spo2", {"value": 70}),
        ("blood_pressure", 200), ("blood_pressure", {"systolic": float("nan")}), ("blood_pressure", {}),
    ],
)  # fmt: skip
def test_what_cannot_be_is_no_vital_sign(kind: str, value: Any) -> None:
    line = watched()
    for seq in range(5):
        line.hear(measured(seq, kind, value, line.at_ms))
        line.tick(60)
    assert line.ticks(1200, every=60) == []


def test_the_room_s_temperature_is_no_fever() -> None:
    line = watched()
    for seq in range(3):
        line.hear(measured(seq, "temperature", 40, line.at_ms, "H1-climate"))
        line.tick(60)
    assert "vitals" not in kinds(line.alarms)
    for seq in range(3):
        line.hear(measured(seq, "temperature", 40, line.at_ms))
        line.tick(60)
    assert "vitals" in kinds(line.alarms)


def test_a_limit_that_is_lifted_is_judged_no_more() -> None:
    line = watched()
    line.hear(measured(1, "spo2", 80, line.at_ms))
    line.tick(60)
    line.hear(HomeSettings("H1", 2, (WATCH,), limits=LIMITS[:1]))
    assert line.ticks(1200, every=60) == []


def days(values: list[float], kind: str = "weight", home: HomeSettings = HOME) -> Timeline:
    """A value each day at eight in the morning."""
    line = watched(home)
    line.tick((DAY - (line.at_ms + 8 * 3_600_000) % DAY) / 1000)
    for seq, value in enumerate(values):
        line.ticks(8 * 3600, every=600)
        line.hear(measured(seq, kind, value, line.at_ms))
        line.ticks(16 * 3600, every=600)
    return line


USUAL = [70.0, 70.4, 69.8, 70.1, 70.2, 69.9, 70.3, 70.0, 69.7, 70.2, 70.1, 70.0, 69.9, 70.2, 70.1, 70.0, 69.9]


def test_days_in_a_row_far_from_the_usual_are_told_once_and_taken_back() -> None:
    line = days([*USUAL, 73.0, 73.2, 73.1, 73.4, 70.1])
    change, back = line.alarms
    said = change.evidence
    assert (change.kind, said["rule"], said["side"], said["value"]) == ("vitals", "vitals_change:weight", "high", 73.2)
    assert (said["days"], said["usual"]["p50"], said["threshold"]) == (2, 70.1, 72.1)
    assert said["usual"]["days"] >= 14
    assert (back.kind, back.evidence["reason"], back.evidence["restores"]) == (
        "withdrawn",
        "back_to_usual",
        str(change.id),
    )


def test_one_odd_day_is_no_change_and_two_weeks_are_needed() -> None:
    assert days([*USUAL, 75.0, 70.0, 75.0, 70.0]).alarms == []
    assert days([*USUAL[:10], 75.0, 75.0, 75.0]).alarms == []


def test_what_was_learned_survives_apart_from_the_state() -> None:
    first, now = Vitals(), Now(START_MS, 0)
    line = days(USUAL)
    [run] = [run for run in line.partition.watches["H1"]._runs if run.name == "vitals"]
    assert isinstance(run.detector, Vitals)
    learned = run.detector.routine()
    assert learned is not None
    assert len(learned) < 8192
    assert run.detector.routine() is None, "nothing new"
    first.on_settings(HOME, now)
    first.learn(learned)
    assert first.routine() is None, "what was stored is not stored again"
    again = Vitals.restore(run.detector.snapshot())
    again.learn(learned)
    assert again._history == run.detector._history


values = st.sampled_from((30.0, 44.0, 70.0, 71.0, 119.0, 121.0, 140.0))
stories = st.lists(
    st.builds(
        lambda at_s, value, delay_s: (at_s * 1000, value, delay_s * 1000),
        st.integers(1, 3600), values, st.sampled_from((0, 0, 0, 30, 200, 599)),
    ),
    min_size=1, max_size=14,
)  # fmt: skip
unhurried = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])


def told(story: list[tuple[int, float, int]], late: bool) -> list[Told]:
    return [
        Told(measured(seq, "heart_rate", value, START_MS + at_ms), delay_ms if late else 0)
        for seq, (at_ms, value, delay_ms) in enumerate(sorted(story))
    ]


@unhurried
@given(stories)
def test_readings_late_by_ten_minutes_leave_standing_what_they_do_in_order(story: list[tuple[int, float, int]]) -> None:
    assert standing(play(HOME, told(story, late=True), "vitals")) == standing(
        play(HOME, told(story, late=False), "vitals")
    )


@unhurried
@given(stories, st.sets(st.integers(0, 200), max_size=6))
def test_a_restart_anywhere_and_a_repeat_change_nothing(
    story: list[tuple[int, float, int]], restarts: set[int]
) -> None:
    once = told(story, late=True)
    alarms = play(HOME, once, "vitals")
    assert play(HOME, once, "vitals", restarts) == alarms
    repeated = [again for one in once for again in (one, one._replace(delay_ms=one.delay_ms + 300_000))]
    assert {alarm.id for alarm in play(HOME, repeated, "vitals")} == {alarm.id for alarm in alarms}
