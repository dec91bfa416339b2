"""How much of the time ingest has heard, as a timeline of returned probes."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ingest.ticks import HEARD_MAX_MS, SETTLE_MS, Hearing


def heard(hearing: Hearing, *times_ms: int) -> list[int]:
    return [hearing.probe_returned(at_ms).heard_ms for at_ms in times_ms]


def test_nothing_counts_until_the_devices_had_time_to_come_back() -> None:
    times = range(100_000, 100_000 + SETTLE_MS + 3_000, 1_000)
    assert heard(Hearing(1), *times) == [0] * 11 + [1_000, 1_000]


def test_a_long_stop_counts_for_little() -> None:
    hearing = Hearing(1)
    heard(hearing, 0, 20_000)
    assert heard(hearing, 21_000, 51_000, 52_000) == [1_000, HEARD_MAX_MS, 1_000]


def test_what_lies_between_two_connections_was_not_heard() -> None:
    hearing = Hearing(1)
    heard(hearing, 0, 20_000)
    hearing.lost()
    assert heard(hearing, 80_000, 81_000, 90_000, 90_500, 91_500) == [0, 0, 0, 500, 1_000]


def test_a_tick_bears_its_source_s_epoch_and_ingest_s_time() -> None:
    tick = Hearing(7).probe_returned(123)
    assert (tick.epoch, tick.at_ms, tick.heard_ms) == (7, 123, 0)


@given(st.lists(st.tuples(st.integers(0, 60_000), st.booleans()), min_size=1))
def test_never_more_is_heard_than_time_has_passed(steps: list[tuple[int, bool]]) -> None:
    hearing = Hearing(1)
    at_ms, times, ticks = 0, [], []
    for step_ms, lost in steps:
        at_ms += step_ms
        if lost:
            hearing.lost()
        times.append(at_ms)
        ticks.append(hearing.probe_returned(at_ms))
    for (before, after), tick in zip(pairwise(times), ticks[1:], strict=True):
        assert 0 <= tick.heard_ms <= min(after - before, HEARD_MAX_MS)
