"""What a home did by the hour, what was measured by the day, how presses were answered by the day. Reads only.

The roll-ups outlive the readings, and are the same whether TimescaleDB keeps them or we do (docs/database.md). Hours
are UTC; a day is the centre's own, in the zone that is given.
"""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec

from pingan.database import Connection, Queries

sql = Queries(__file__, "rollups.sql")


class ActivityHour(msgspec.Struct, frozen=True):
    """How often a sensor reported that somebody moved, in the hour that begins at `hour`."""

    hour: datetime
    sensor: str | None
    kind: str
    count: int


class VitalDay(msgspec.Struct, frozen=True):
    """One device's measurements of a day, in the unit of their kind; a blood pressure is `systolic` and `diastolic`."""

    day: date
    device: str
    kind: str
    count: int
    min: float
    avg: float
    max: float


class ResponseDay(msgspec.Struct, frozen=True):
    """The incidents of a day, a cause and a danger or none, without tests. Percentiles are None where nobody did it."""

    day: date
    cause: str
    danger: bool
    incidents: int
    answered: int
    """By a human at the desk (t3), within any time; then within so many seconds of being durable (t1)."""
    answered_within_15: int
    answered_within_20: int
    answered_within_60: int
    answered_within_180: int
    helper_first: int
    """A helper accepted before the desk answered, or the desk never had to."""
    answer_seconds_p50: float | None
    answer_seconds_p95: float | None
    dispatch_seconds_p50: float | None
    """t5−t3: from the answer to the first helper."""
    dispatch_seconds_p95: float | None
    arrival_seconds_p50: float | None
    """t7−t5: from the first helper to the door."""
    arrival_seconds_p95: float | None


async def activity(connection: Connection, home: str, since: datetime, until: datetime) -> list[ActivityHour]:
    """The hours of a home that begin from `since` until before `until`; an hour without movement has no row."""
    found = await connection.execute(sql.activity, {"home": home, "since": since, "until": until})
    return [ActivityHour(**row) for row in await found.fetchall()]


async def vitals(connection: Connection, home: str, first: date, last: date, zone: ZoneInfo) -> list[VitalDay]:
    """The days of a home from `first` to `last`, both included."""
    found = await connection.execute(sql.vitals, {"home": home, "first": first, "last": last, "zone": zone.key})
    return [VitalDay(**row) for row in await found.fetchall()]


async def responses(connection: Connection, first: date, last: date, zone: ZoneInfo) -> list[ResponseDay]:
    """The days of the whole platform from `first` to `last`, both included."""
    found = await connection.execute(sql.responses, {"first": first, "last": last, "zone": zone.key})
    return [ResponseDay(**row) for row in await found.fetchall()]
