"""Tasks: what a person has to do and no machine can. One is open for each kind and subject, however often found."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from psycopg.types.json import Jsonb

from pingan.database import Connection, Queries

sql = Queries(__file__, "tasks.sql")

Row = dict[str, Any]
Kind = Literal["bad_number", "wrong_number", "unreachable", "no_way_in_proven", "provider_account"]

SYSTEM = "system"
"""Who opened, or ended, what no person did."""

OPEN_MAX = 500
DONE_MAX = 20


async def open(
    connection: Connection, kind: Kind, subject: str, detail: Mapping[str, Any], now: datetime, by: str = SYSTEM
) -> bool:
    """Something for a person to do; False if that is open already.

    `subject`: the id of a contact, a responder or a home; of a provider its name. `detail`: what was found, by name.
    """
    values = {"kind": kind, "subject": subject, "detail": Jsonb(dict(detail)), "now": now, "by": by}
    return (await connection.execute(sql.open, values)).rowcount == 1


async def done(
    connection: Connection, task: int, by: str, now: datetime, note: str | None = None, area: str | None = None
) -> bool:
    """Somebody has done it; False if there is no such task open in their area."""
    values = {"task": task, "by": by, "now": now, "note": note or None, "area": area}
    return (await connection.execute(sql.done, values)).rowcount == 1


async def open_ones(connection: Connection, area: str | None = None) -> list[Row]:
    """What is to be done, each with whom it is about: telephones first, the oldest first."""
    return await (await connection.execute(sql.open_ones, {"area": area, "limit": OPEN_MAX})).fetchall()


async def done_ones(connection: Connection, area: str | None = None) -> list[Row]:
    """What was done last."""
    return await (await connection.execute(sql.done_ones, {"area": area, "limit": DONE_MAX})).fetchall()


async def count(connection: Connection, area: str | None = None) -> int:
    row = await (await connection.execute(sql.count, {"area": area})).fetchone()
    return int(row["tasks"]) if row else 0
