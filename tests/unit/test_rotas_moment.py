"""A time that somebody writes by hand on the page of absences."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from care.refusal import Refusal
from dashboards.console.rotas import moment

CHINA = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize("text", ["2026-11-22T20:00", " 2026/11/22 20:00 ", "2026-11-22T12:00+00:00"])
def test_a_time_is_by_the_centre_s_clock_unless_it_says_otherwise(text: str) -> None:
    assert moment(text, CHINA) == datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "tomorrow", "0001-01-01T00:00", "0026-11-22T20:00", "9999-12-31T23:59-10:00"])
def test_what_no_page_could_show_again_is_refused(text: str) -> None:
    """The first moment of our calendar lies in the year before it by UTC: nobody could read the absences any more."""
    with pytest.raises(Refusal, match="no_time"):
        moment(text, CHINA)
