"""The seeded life: whole days without gaps, the same again under the same seed, readings that tell the truth."""

from datetime import date, datetime, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_sim.household.life import CHINA, OUTSIDE, ROOMS, day_of, stays_from, wakes_at
from device_sim.household.sensors import ENTRANCE, Battery, Fault, motion_sensor, readings_from

SEEDS = st.integers(0, 2**32)
DAYS = st.dates(date(2020, 1, 1), date(2035, 1, 1))
NOON = datetime(2025, 3, 1, 12, tzinfo=CHINA)


@given(SEEDS, DAYS)
def test_a_day_is_whole(seed: int, day: date) -> None:
    stays = day_of(seed, day)
    assert stays[0].start == wakes_at(seed, day)
    assert stays[-1].end == wakes_at(seed, day + timedelta(days=1))
    assert all(before.end == after.start for before, after in pairwise(stays))
    assert all(stay.start < stay.end for stay in stays)
    assert {stay.room for stay in stays} <= {*ROOMS, OUTSIDE}
    assert stays == day_of(seed, day)


@given(SEEDS, DAYS)
def test_a_day_is_a_persons(seed: int, day: date) -> None:
    stays = day_of(seed, day)
    hours = {
        activity: sum((stay.end - stay.start).total_seconds() for stay in stays if stay.activity == activity) / 3600
        for activity in ("sleep", "eat")
    }
    assert 4 <= hours["sleep"] <= 13
    assert sum(stay.activity == "eat" for stay in stays) == 3
    assert hours["eat"] > 0.5
    assert any(stay.room == "bathroom" for stay in stays)


@given(SEEDS)
def test_life_goes_on_from_any_moment(seed: int) -> None:
    stays = list(islice(stays_from(seed, NOON), 100))
    assert stays[0].start <= NOON < stays[0].end
    assert all(before.end == after.start for before, after in pairwise(stays))


@settings(max_examples=30)
@given(SEEDS)
def test_readings_come_in_order_and_from_where_the_person_is(seed: int) -> None:
    readings = list(islice(readings_from(seed, NOON), 500))
    assert readings[0].at > NOON
    assert all(before.at <= after.at for before, after in pairwise(readings))
    assert readings == list(islice(readings_from(seed, NOON), 500))
    for reading in readings:
        assert reading.truth is not None
        if reading.kind == "motion":
            assert reading.sensor == motion_sensor(reading.truth.room)
            assert reading.truth.start <= reading.at < reading.truth.end
    # A day has its movements, and its doors: 500 readings are between half a day and a week.
    assert timedelta(hours=12) < readings[-1].at - readings[0].at < timedelta(days=7)


@settings(max_examples=30)
@given(SEEDS, st.sampled_from([motion_sensor(room) for room in ROOMS]))
def test_faults(seed: int, sensor: str) -> None:
    until = NOON + timedelta(days=1)
    lost = list(islice(readings_from(seed, NOON, [Fault("lost", sensor, NOON, until)]), 500))
    assert not [reading for reading in lost if reading.sensor == sensor and reading.at < until]
    stuck = list(islice(readings_from(seed, NOON, [Fault("stuck", sensor, NOON, until)]), 1000))
    made_up = [reading.at for reading in stuck if reading.truth is None]
    assert len(made_up) > 100
    assert all(after - before == timedelta(minutes=5) for before, after in pairwise(made_up))
    assert [reading for reading in stuck if reading.truth][:100] == list(islice(readings_from(seed, NOON), 100))


def test_going_out_opens_the_entrance() -> None:
    doors = [r for r in islice(readings_from(7, NOON), 2000) if r.sensor == ENTRANCE]
    assert len(doors) > 4
    assert [door.value for door in doors] == ["open", "closed"] * (len(doors) // 2)


@pytest.mark.parametrize(("days", "percent"), [(-1, 100), (0, 80), (5, 40), (10, 0), (99, 0)])
def test_a_battery_falls(days: int, percent: int) -> None:
    battery = Battery(80, NOON, timedelta(days=10))
    assert battery.at(NOON + timedelta(days=days)) == (percent if days >= 0 else 88)
