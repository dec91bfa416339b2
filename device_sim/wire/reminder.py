"""When a device reminds its person each week to press it for a test. PURE."""

from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple


class Reminder(NamedTuple):
    """As `down/config` names it: Monday is 1, the hour that of the place whose offset is given."""

    weekday: int
    hour: int
    utc_offset_minutes: int

    def next_after(self, at: datetime) -> datetime:
        """The first moment of it that is later than `at`."""
        here = at.astimezone(timezone(timedelta(minutes=self.utc_offset_minutes)))
        days = (self.weekday - here.isoweekday()) % 7
        first = (here + timedelta(days=days)).replace(hour=self.hour, minute=0, second=0, microsecond=0)
        return first if first > here else first + timedelta(days=7)


def reminder_of(given: Any) -> Reminder | None:
    """What a configuration says of it; None when it is off, or cannot be read."""
    if not isinstance(given, dict):
        return None
    numbers = [value for name in Reminder._fields if type(value := given.get(name)) is int]
    if len(numbers) != len(Reminder._fields):
        return None
    reminder = Reminder(*numbers)
    sane = reminder.weekday in range(1, 8) and reminder.hour in range(24) and abs(reminder.utc_offset_minutes) < 1440
    return reminder if sane else None
