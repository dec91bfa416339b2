"""When a process counts as dead, told as timelines."""

import pytest

from pingan.local.watchdog import Limits, Verdict, Watchdog

LIMITS = Limits(silence=6, first_sign=20, gap=3)


@pytest.mark.parametrize(
    "timeline",
    [
        [(1, None, "STARTING"), (20, None, "STARTING"), (20.1, None, "NEVER_STARTED")],
        [(2, b"1", "WELL"), (3, b"2", "WELL"), (9, b"2", "WELL"), (9.1, b"2", "SILENT")],
        # Once it has spoken, a file that goes away is silence too, not a new start.
        [(2, b"1", "WELL"), (8, None, "WELL"), (8.1, None, "SILENT")],
        [(19, b"1", "WELL"), (25, b"2", "WELL"), (31, b"3", "WELL")],
    ],
)
def test_a_process_is_judged_by_its_signs_of_life(timeline: list[tuple[float, bytes | None, str]]) -> None:
    watchdog = Watchdog(0, LIMITS)
    assert [watchdog.look(content, now).name for now, content, _ in timeline] == [name for _, _, name in timeline]


def test_a_grace_counts_from_the_moment_it_is_given() -> None:
    watchdog = Watchdog(0, LIMITS)
    watchdog.look(b"1", 1)
    watchdog.grant(100)
    assert watchdog.look(b"1", 106) is Verdict.WELL
    assert watchdog.look(b"1", 106.1) is Verdict.SILENT
