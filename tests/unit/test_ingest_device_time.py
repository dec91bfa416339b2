"""Late is not wrong: what a device's clock is worth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.device_time import ABSURD, CORRECTED, PAST_ABSURD_MS, DeviceClocks, place, place_driven

NOW = 1_790_000_000_000
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize("late_ms", [0, 50, MINUTE, HOUR, DAY, 7 * DAY])
def test_a_late_press_keeps_its_time(late_ms: int) -> None:
    assert place(NOW - late_ms, NOW) == (NOW - late_ms, None)


@pytest.mark.parametrize("at_ms", [0, NOW - 7 * DAY - 1, NOW + HOUR + 1, 4_070_908_800_000])
def test_an_absurd_time_is_clamped_to_the_receipt_and_flagged(at_ms: int) -> None:
    assert place(at_ms, NOW) == (NOW, ABSURD)


@pytest.mark.parametrize("ahead_ms", [3 * SECOND, 10 * MINUTE, HOUR])
def test_nothing_comes_from_the_future(ahead_ms: int) -> None:
    assert place(NOW + ahead_ms, NOW) == (NOW, CORRECTED)


@pytest.mark.parametrize("wrong_ms", [-DAY, DAY, -56 * 365 * DAY, 73 * 365 * DAY, 6 * SECOND])
def test_a_clock_that_heartbeats_have_measured_is_corrected_even_for_what_is_late(wrong_ms: int) -> None:
    clocks = DeviceClocks()
    for beat, delay_ms in enumerate([90, 40, 400]):
        received_ms = NOW + beat * 90 * SECOND
        clocks.measure("d", "b", received_ms - delay_ms + wrong_ms, received_ms)
    assert clocks.offset_ms("d") == 40 - wrong_ms
    pressed_ms, received_ms = NOW + 5 * MINUTE, NOW + 25 * MINUTE
    at_ms, clock = place(pressed_ms + wrong_ms, received_ms, clocks.offset_ms("d"))
    assert abs(at_ms - pressed_ms) <= 40
    assert clock == CORRECTED


def test_a_clock_that_was_set_after_it_had_been_measured_is_believed() -> None:
    assert place(NOW - MINUTE, NOW, offset_ms=56 * 365 * DAY) == (NOW - MINUTE, None)


def test_a_clock_that_has_drifted_since_it_was_measured_does_not_put_a_reading_into_the_future() -> None:
    assert place(NOW - DAY, NOW, offset_ms=DAY + 5 * SECOND) == (NOW, CORRECTED)


def test_two_heartbeats_prove_nothing_and_a_small_error_is_left_alone() -> None:
    clocks = DeviceClocks()
    clocks.measure("d", "b", NOW - HOUR, NOW)
    clocks.measure("d", "b", NOW - HOUR, NOW)
    assert clocks.offset_ms("d") == 0
    for _ in range(3):
        clocks.measure("e", "b", NOW - 3 * SECOND, NOW)
    assert clocks.offset_ms("e") == 0
    assert clocks.changes() == {}


def test_a_new_boot_is_measured_anew_and_changes_are_told_once() -> None:
    clocks = DeviceClocks()
    for _ in range(3):
        clocks.measure("d", "b1", NOW - DAY, NOW)
    assert clocks.changes() == {"d": DAY}
    assert clocks.changes() == {}
    for _ in range(3):
        clocks.measure("d", "b2", NOW, NOW)
    assert clocks.changes() == {"d": 0}


def test_one_prompt_heartbeat_after_late_ones_tells_the_truth() -> None:
    clocks = DeviceClocks()
    for late_ms in (600 * SECOND, 510 * SECOND, 420 * SECOND, 20):
        clocks.measure("d", "b", NOW - late_ms, NOW)
    assert clocks.offset_ms("d") == 0


def test_before_the_driven_clock_has_come_to_a_step_its_readings_are_no_surprise() -> None:
    assert place_driven(NOW + HOUR, NOW) == (NOW + HOUR, None)
    assert place_driven(NOW, 0) == (NOW, None)
    assert place_driven(NOW + 2 * HOUR, NOW) == (NOW, ABSURD)


@given(st.integers(-(2**62), 2**62), st.integers(0, 2**42), st.integers(-(2**45), 2**45))
def test_a_placed_time_lies_within_the_week_before_its_receipt(at_ms: int, received_ms: int, offset_ms: int) -> None:
    placed, clock = place(at_ms, received_ms, offset_ms)
    assert received_ms - PAST_ABSURD_MS <= placed <= received_ms + 2 * SECOND
    assert clock is not None or placed == at_ms
