"""How the devices are, to be read: their states, what is wrong with which, what is heard and belongs to nobody, what
was refused; and the one act beside them, adoption.

Functions on a connection, within the asker's `scope` (None: everywhere). A state is derived from what each home's watch
has raised and not taken back (the view `device_states`); nothing of it is kept twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from care import register, registrar
from care.changes import Refused
from care.records import DEVICES, Device, heartbeat_seconds
from care.refusal import Refusal
from care.tables import BadRow
from pingan.database import Connection, Queries

sql = Queries(__file__, "devices_view.sql")

Row = dict[str, Any]

STATES = ("silent", "faulty", "low_battery", "never_heard", "unbound", "disabled", "well")
"""Each device is in one of them, the worst first that holds (a disabled one is only that)."""
LISTS = ("silent", "faulty", "low_battery", "never_heard")
"""What somebody has to look after."""

FIRST_ROWS = 15
PAGE_ROWS = 50
HISTORY_ROWS = 50
READING_ROWS = 20
READINGS_DAYS = 7
RAW_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Listed:
    """Rows of one page, and the next one's number; None: there is none."""

    rows: list[Row]
    next: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What is to be adopted, by what it is heard as (`device`), and what it is in the register from then on."""

    device: str
    id: str
    home: str
    kind: str
    model: str | None = None
    heartbeat_seconds: int | None = None
    """None: what is registered, or what the register takes for such a device."""


async def overview(connection: Connection, scope: str | None) -> tuple[dict[str, int], dict[str, list[Row]]]:
    """How many devices are in each state, and the first of each list that somebody has to look after."""
    counts, rows = await _looked_at(connection, scope, None, 0, FIRST_ROWS)
    return counts, {name: [row for row in rows if row["list"] == name] for name in LISTS}


async def listed(connection: Connection, scope: str | None, state: str, page: int = 1) -> tuple[dict[str, int], Listed]:
    """One page (from 1) of the devices in a list or state, the latest change first; and how many are in each state."""
    counts, rows = await _looked_at(connection, scope, state, (page - 1) * PAGE_ROWS, PAGE_ROWS + 1)
    return counts, _paged(rows, page)


async def adoption(connection: Connection, scope: str | None, page: int = 1, rows: int = PAGE_ROWS) -> Listed:
    """What is heard and bound to no home, the latest first. Each row has the `total`."""
    found = await _rows(connection, sql.adoption, scope=scope, device=None, limit=rows + 1, offset=(page - 1) * rows)
    return _paged(found, page, rows)


async def candidate(connection: Connection, scope: str | None, device: str) -> Row | None:
    """One of those that may be adopted, by what it is heard as."""
    found = await _rows(connection, sql.adoption, scope=scope, device=device, limit=1, offset=0)
    return found[0] if found else None


async def adopt(
    connection: Connection, wish: Adoption, now: datetime, scope: str | None = None
) -> registrar.Saved | None:
    """Bind what is heard to a home. None: it is not there to be adopted (any more), for whoever asks. Refused: what is
    wrong with the wish. A device that speaks for itself gets its first password, if it has none.
    """
    missing = [name for name in ("id", "home", "kind") if not getattr(wish, name).strip()]
    if missing:
        raise Refused([BadRow("", 0, name, Refusal("required")) for name in missing])
    async with connection.transaction():
        await connection.execute(register.sql.lock)
        row = await candidate(connection, scope, wish.device)
        if row is None:
            return None
        present = await register.one(connection, DEVICES, wish.id)
        # What speaks for itself keeps the name under which it does; no other device is taken over by a new one's name.
        its_own = row["gateway"] is None and wish.id == wish.device
        if not its_own and (present is not None or row["gateway"] is None):
            raise Refused([BadRow("", 0, "id", Refusal("device_taken", id=wish.id))])
        if present is None:
            level = heartbeat_seconds(row["gateway"])
            present = Device(
                id=wish.id, kind=wish.kind, gateway=row["gateway"], address=row["address"], heartbeat_seconds=level
            )
        record = replace(
            present, home=wish.home, kind=wish.kind, model=wish.model or present.model,
            heartbeat_seconds=wish.heartbeat_seconds or present.heartbeat_seconds,
        )  # fmt: skip
        return await registrar.save(connection, record, now, scope)


async def reasons(connection: Connection, now: datetime) -> list[Row]:
    """What was refused in the last seven days by reason, of everybody, each with its newest sample."""
    counted = await _rows(connection, sql.reasons, today=now.date())
    newest = await _rows(connection, sql.newest_rejected, reasons=[row["reason"] for row in counted])
    samples = {row["reason"]: _sample(row) for row in newest}
    return [{**row, "sample": samples.get(row["reason"])} for row in counted]


async def rejected(
    connection: Connection,
    scope: str | None,
    reason: str | None = None,
    *,
    device: str | None = None,
    page: int = 1,
    rows: int = PAGE_ROWS,
) -> Listed:
    """The samples that were kept of what was refused."""
    offset = (page - 1) * rows
    found = await _rows(
        connection, sql.rejected, scope=scope, reason=reason, device=device, limit=rows + 1, offset=offset
    )
    return _paged([_sample(row) for row in found], page, rows)


async def one(connection: Connection, scope: str | None, device: str, now: datetime) -> Row | None:
    """A device with its state, what was raised about it, and its newest readings. None: none such in `scope`."""
    found = await _rows(connection, sql.one, scope=scope, device=device)
    if not found:
        return None
    row = found[0]
    home, since = row["home"], now - timedelta(days=READINGS_DAYS)
    query = sql.readings_of_unbound if home is None else sql.readings_at_home
    return {
        **row,
        # Of a device that was moved, what it raised elsewhere is no business of those who look after it here.
        "history": await _rows(connection, sql.history, device=device, home=home, limit=HISTORY_ROWS),
        "readings": await _rows(connection, query, device=device, home=home, since=since, limit=READING_ROWS),
        "rejected": (await rejected(connection, scope, device=device, rows=READING_ROWS)).rows,
    }


def readable(payload: bytes, most: int = RAW_CHARACTERS) -> str:
    """Bytes as text that shows what they are: whatever does not print, or turns the reading order, as its escape."""
    text = payload.decode("utf-8", "backslashreplace")
    cut = text[:most]
    shown = "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in cut)
    return shown + ("…" if len(text) > most else "")


async def _looked_at(
    connection: Connection, scope: str | None, state: str | None, offset: int, limit: int
) -> tuple[dict[str, int], list[Row]]:
    (row,) = await _rows(connection, sql.overview, scope=scope, list=state, offset=offset, limit=limit)
    return {name: row["counts"].get(name, 0) for name in STATES}, row["rows"]


def _sample(row: Row) -> Row:
    """The bytes only as text: JSON holds no others, and no page should show them."""
    return {**row, "payload": readable(bytes(row["payload"])), "topic": readable(row["topic"].encode())}


def _paged(rows: Sequence[Row], page: int, size: int = PAGE_ROWS) -> Listed:
    return Listed(list(rows[:size]), page + 1 if len(rows) > size else None)


async def _rows(connection: Connection, query: str, **values: Any) -> list[Row]:
    return await (await connection.execute(query, values)).fetchall()
