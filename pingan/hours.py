"""Hours of the day and of the week, as people write them. PURE.

`22:00-07:00` · `mon-fri 08:00-18:00; sat,sun 09:00-12:00`

A span that ends before it begins goes past midnight, and belongs to the day on which it began.
"""

import re
import unicodedata
from collections.abc import Collection
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
READ_KEPT = 4_096
"""Rotas that are kept as they were read: they are asked for at every act, of everybody who may come."""

_SPAN = re.compile(r"(\d{1,2}):(\d{2}) ?[-–—~至到] ?(\d{1,2}):(\d{2})")
_DAYS = {
    **{name: number for number, name in enumerate(WEEKDAYS)},
    **{f"{week}{name}": number for week in ("周", "星期") for number, name in enumerate("一二三四五六日")},
    "周天": 6,
    "星期天": 6,
}


class NoHours(ValueError):
    """What is written says no hours; `part` is what cannot be read."""

    def __init__(self, part: str) -> None:
        super().__init__(part)
        self.part = part


class Span(NamedTuple):
    """From a minute of the day until another, that one not included; past midnight where it is not later."""

    begin: int
    end: int

    @property
    def over_midnight(self) -> bool:
        return self.end <= self.begin

    def minutes(self) -> frozenset[int]:
        """Every minute of the day that it holds."""
        if self.over_midnight:
            return frozenset((*range(self.begin, DAY_MINUTES), *range(self.end)))
        return frozenset(range(self.begin, self.end))


class Shift(NamedTuple):
    """A span on some days of the week, Monday is 0."""

    days: frozenset[int]
    span: Span


@lru_cache(READ_KEPT)
def span(text: str) -> Span:
    """`22:00-07:00`. NoHours."""
    found = _SPAN.fullmatch(plain(text))
    if found is None:
        raise NoHours(text)
    begin, end = (_minute(int(found[at]), int(found[at + 1]), text) for at in (1, 3))
    if begin in (end, DAY_MINUTES):
        raise NoHours(text)
    return Span(begin, end % DAY_MINUTES)


@lru_cache(READ_KEPT)
def rota(text: str) -> tuple[Shift, ...]:
    """Shifts; a span without days is one on each. Empty: none at all. NoHours."""
    shifts = []
    for part in filter(None, (one.strip() for one in re.split(r"[;\n]", plain(text)))):
        found = re.search(r"\d", part)
        if found is None:
            raise NoHours(part)
        days = part[: found.start()].strip()
        shifts.append(Shift(_days(days, part) if days else frozenset(range(7)), span(part[found.start() :])))
    return tuple(shifts)


def within(hours: Span, at: datetime) -> bool:
    """Whether a local time lies in a span, on whatever day."""
    minute = at.hour * 60 + at.minute
    if hours.over_midnight:
        return minute >= hours.begin or minute < hours.end
    return hours.begin <= minute < hours.end


def on_shift(shifts: Collection[Shift], at: datetime, today: int, yesterday: int) -> bool:
    """Whether a local time lies in a shift. `today`, `yesterday`: the days of the week that these count as (Monday 0):
    a holiday is worked as a Sunday, a Sunday that is made up for as a Monday.
    """
    minute = at.hour * 60 + at.minute
    for days, (begin, end) in shifts:
        if end <= begin:
            if (today in days and minute >= begin) or (yesterday in days and minute < end):
                return True
        elif today in days and begin <= minute < end:
            return True
    return False


def zone_of(name: str | None, otherwise: ZoneInfo) -> ZoneInfo:
    """A home's own time zone. A name that this machine does not know keeps nobody from help: it is `otherwise` then."""
    try:
        return ZoneInfo(name) if name else otherwise
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return otherwise


def plain(text: str) -> str:
    """As it is kept: full-width signs and spaces as one writes them in code."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text)).strip().lower()


def _minute(hour: int, minute: int, text: str) -> int:
    if minute > 59 or hour * 60 + minute > DAY_MINUTES:
        raise NoHours(text)
    return hour * 60 + minute


def _days(text: str, part: str) -> frozenset[int]:
    days: set[int] = set()
    for one in filter(None, (piece.strip() for piece in re.split(r"[,、 ]", text.replace(" - ", "-")))):
        first, _, last = one.replace("至", "-").replace("到", "-").partition("-")
        if first not in _DAYS or (last and last not in _DAYS):
            raise NoHours(part)
        begin, end = _DAYS[first], _DAYS[last or first]
        days |= {day % 7 for day in range(begin, (end if end >= begin else end + 7) + 1)}
    return frozenset(days)
