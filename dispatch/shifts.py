"""The ordinary telephones of the desk: which rings now, and which one when that is not taken."""

from datetime import datetime
from typing import NamedTuple

from pingan.database import Connection, Queries

sql = Queries(__file__, "shifts.sql")

FIRST_SECONDS = 20
"""How long the shift's first telephone rings before its fallback does."""
SHIFT_HOURS = 12
"""A shift that nobody ends is over by then: the next one's calls must not ring in an empty flat."""


class Shift(NamedTuple):
    phone: str
    fallback: str | None
    since: datetime
    until: datetime


async def phones(
    connection: Connection, now: datetime, *, operator: str | None, home: str | None, default: str | None
) -> tuple[str, ...]:
    """The telephones to ring, one after the other: those of `operator`'s shift, or of one that has the home's area; the
    installation's own (`default`) comes last. Empty: there is none.
    """
    row = await (await connection.execute(sql.now, {"operator": operator, "home": home, "now": now})).fetchone()
    found = [row["phone"], row["fallback"]] if row else []
    return tuple(dict.fromkeys(phone for phone in (*found, default) if phone))


async def of(connection: Connection, account: str, now: datetime) -> Shift | None:
    """The shift that an account has now."""
    row = await (await connection.execute(sql.of, {"account": account, "now": now})).fetchone()
    return Shift(**row) if row else None


async def begin(connection: Connection, account: str, shift: Shift) -> None:
    """From now on an account has this shift; the one that it had is over."""
    await end(connection, account, shift.since)
    await connection.execute(sql.begin, {"account": account, **shift._asdict()})


async def end(connection: Connection, account: str, now: datetime) -> None:
    await connection.execute(sql.end, {"account": account, "now": now})
