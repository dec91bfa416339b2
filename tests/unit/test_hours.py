"""Hours of the day and rotas, as people write them."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingan import hours
from pingan.hours import NoHours, on_shift, rota, span, within


def at(clock: str, day: int = 2) -> datetime:
    """2026-11-02 is a Monday."""
    return datetime.fromisoformat(f"2026-11-{day:02}T{clock}")


@pytest.mark.parametrize(
    ("text", "clock", "holds"),
    [
        ("22:00-07:00", "21:59", False),
        ("22:00-07:00", "22:00", True),
        ("22:00-07:00", "06:59", True),
        ("22:00-07:00", "07:00", False),
        ("８：００～１８：００", "08:00", True),
        ("8:00至18:00", "18:00", False),
        ("18:00-24:00", "23:59", True),
        ("00:00-24:00", "12:00", True),
    ],
)
def test_a_span(text: str, clock: str, holds: bool) -> None:
    assert within(span(text), at(clock)) == holds


@pytest.mark.parametrize(
    "text", ["", "22:00", "22-07", "25:00-26:00", "10:00-10:00", "24:00-01:00", "10:60-11:00", "x"]
)
def test_no_span(text: str) -> None:
    with pytest.raises(NoHours):
        span(text)


@pytest.mark.parametrize(
    "text", ["mon", "mon-fri", "monday 08:00-09:00", "mon-xyz 08:00-09:00", "mon 8-9", "fri 25:00-26:00"]
)
def test_no_rota(text: str) -> None:
    with pytest.raises(NoHours):
        rota(text)


@pytest.mark.parametrize(
    ("text", "when", "today", "yesterday", "holds"),
    [
        ("mon-fri 08:00-18:00; sat,sun 09:00-12:00", at("08:00", 2), 0, 6, True),
        ("mon-fri 08:00-18:00; sat,sun 09:00-12:00", at("08:00", 7), 5, 4, False),
        ("mon-fri 08:00-18:00; sat,sun 09:00-12:00", at("09:00", 7), 5, 4, True),
        ("周一至周五 08:00-18:00", at("10:00", 6), 4, 3, True),
        ("周一、周三 08:00-18:00", at("10:00", 3), 1, 0, False),
        ("fri-mon 20:00-06:00", at("05:00", 3), 1, 0, True),
        ("fri-mon 20:00-06:00", at("05:00", 6), 4, 3, False),
        ("20:00-06:00", at("05:00", 4), 2, 1, True),
        # A holiday on a Tuesday is worked as a Sunday, and the night before it as the Monday that it was.
        ("mon-fri 08:00-18:00", at("10:00", 3), 6, 0, False),
        ("mon-fri 20:00-06:00", at("05:00", 3), 6, 0, True),
        ("sun 09:00-12:00", at("10:00", 3), 6, 0, True),
        ("", at("10:00", 3), 1, 0, False),
    ],
)
def test_a_rota(text: str, when: datetime, today: int, yesterday: int, holds: bool) -> None:
    assert on_shift(rota(text), when, today, yesterday) == holds


_times = st.tuples(st.integers(0, 23), st.integers(0, 59)).map(lambda one: f"{one[0]:02}:{one[1]:02}")


@given(_times, _times, _times)
def test_a_span_and_what_is_left_of_the_day_share_no_minute(begin: str, end: str, clock: str) -> None:
    if begin == end:
        return
    one, other = span(f"{begin}-{end}"), span(f"{end}-{begin}")
    assert within(one, at(clock)) != within(other, at(clock))
    assert within(one, at(clock)) == (at(clock).hour * 60 + at(clock).minute in one.minutes())
    assert not one.minutes() & other.minutes()
    assert len(one.minutes()) + len(other.minutes()) == hours.DAY_MINUTES


@given(st.text(max_size=40))
def test_nothing_but_a_named_refusal_comes_of_any_text(text: str) -> None:
    for read in (span, rota):
        try:
            read(text)
        except NoHours:
            pass
        else:
            assert read(hours.plain(text)) == read(text)
