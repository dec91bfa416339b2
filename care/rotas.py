"""Who is not there, who stands in, and which days are worked as another: as the desk looks at it, and who changed it.

Written by `care.registrar`, as all of the register is, which notes each change here in the same transaction.
"""

from dataclasses import asdict
from datetime import date, datetime
from typing import Any, Literal

from care.records import Absence, Holiday, Record
from pingan.database import Connection, Queries

sql = Queries(__file__, "rotas.sql")

Row = dict[str, Any]

SHOWN = 500
CHANGES_SHOWN = 50
NAMED = 5
"""So many of one name are listed to choose from."""

_EMPTY = dict.fromkeys(("responder", "absent_from", "absent_until", "stand_in", "day", "counts_as"))


async def note(
    connection: Connection, what: Literal["added", "changed", "removed"], record: Record, now: datetime, by: str | None
) -> None:
    """Somebody has changed an absence or a holiday. Of all else nothing is noted here."""
    if isinstance(record, Absence | Holiday):
        await connection.execute(sql.note, {**_EMPTY, **asdict(record), "what": what, "now": now, "by": by})


async def absences(connection: Connection, now: datetime, scope: str | None) -> list[Row]:
    """What is in force and what comes, the first first."""
    values = {"now": now, "scope": scope or "", "limit": SHOWN}
    return await (await connection.execute(sql.absences, values)).fetchall()


async def holidays(connection: Connection, today: date) -> list[Row]:
    return await (await connection.execute(sql.holidays, {"today": today, "limit": SHOWN})).fetchall()


async def changes(connection: Connection, scope: str | None) -> list[Row]:
    """Who changed what, the latest first."""
    return await (await connection.execute(sql.changes, {"scope": scope or "", "limit": CHANGES_SHOWN})).fetchall()


async def responders(connection: Connection, scope: str | None) -> list[Row]:
    """Whom somebody may choose from."""
    return await (await connection.execute(sql.responders, {"scope": scope or "", "limit": SHOWN})).fetchall()


async def known(connection: Connection, text: str, scope: str | None) -> list[str]:
    """The responders of this id, or else of this name."""
    values = {"text": text, "scope": scope or "", "limit": NAMED}
    found = [row["id"] for row in await (await connection.execute(sql.known, values)).fetchall()]
    return [text] if text in found else found
