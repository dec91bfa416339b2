"""Where a process takes the time from."""

from pingan.clock import SystemClock, wall_minus_boottime


def test_a_process_counts_from_what_it_is_given_and_not_from_the_wall() -> None:
    given = SystemClock(wall_minus_boottime() - 3600)
    assert abs(given.step_ms() - 3_600_000) < 1_000, "and says how far the wall is from it"
    assert abs(SystemClock().now_ms() - given.now_ms() - 3_600_000) < 1_000
