"""A home's day: when which of its sensors heard somebody move. Reads only.

It stands on the incident's page, which waits for nothing: what takes longer than `PATIENCE_MS` is told by the hour.
"""

from datetime import datetime

import msgspec
import psycopg

from pingan.database import Connection, Queries

sql = Queries(__file__, "home_day.sql")

PATIENCE_MS = 300
ROWS = 6000
"""288 pieces of five minutes for each of a score of sensors."""


class Movement(msgspec.Struct, frozen=True):
    """Somebody moved: heard by one sensor within five minutes (or an hour) from `at`."""

    at: datetime
    first: datetime
    last: datetime
    device: str | None
    sensor: str | None
    kind: str
    times: int


class Day(msgspec.Struct, frozen=True):
    since: datetime
    until: datetime
    movements: tuple[Movement, ...]
    by_hour: bool = False
    """It was too much to be read in time, and is told by the hour."""


async def home_day(connection: Connection, home: str, since: datetime, until: datetime) -> Day | None:
    """What is kept of a home from `since` until before `until`; None: not even its hours could be read in time."""
    asked = {"home": home, "since": since, "until": until, "rows": ROWS}
    for by_hour, query in ((False, sql.movements), (True, sql.movements_by_hour)):
        try:
            async with connection.transaction():
                await connection.execute(f"set local statement_timeout = {PATIENCE_MS}")
                rows = await (await connection.execute(query, asked)).fetchall()
        except psycopg.errors.QueryCanceled:
            continue
        return Day(since, until, tuple(Movement(**row) for row in reversed(rows)), by_hour)
    return None
