"""One person's data: what there is of it, handed over whole.

`Subject` finds it: the person, their home, and what happened there. What a home's devices measured cannot be told
apart by who lives in it: where several do, it is of all of them, and is handed over with the others' names and numbers
masked. Staff, contacts and helpers are masked too: what they did for the person is the person's, who they are is not.
"""

import csv
import hashlib
import io
import json
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from care import register
from care.masking import MARK, Mask
from care.refusal import Refusal
from care.tables import protect
from care.transfer import write_private
from pingan.database import Connection, Database, Queries

sql = Queries(__file__, "person_data.sql")

Row = dict[str, Any]

FETCH_ROWS = 5_000
TABLES = (
    "person", "home", "consents", "contacts", "away", "devices", "alarms", "askings", "visit_notes", "routines",
    "shadow_alarms", "incidents", "journal", "sends", "packets", "packet_versions", "home_code", "home_code_tries",
    "errands", "tasks", "words_pending", "policy_rules", "activity", "vitals",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Subject:
    """A person, and where their data stands."""

    person: Row
    home: Row
    everybody: tuple[Row, ...]
    """Whoever else may be named in it."""
    shared: bool
    callers: tuple[str, ...]
    """How incidents name calls from their own numbers."""

    @property
    def id(self) -> str:
        return str(self.person["id"])

    @property
    def names(self) -> Row:
        """The parameters by which every query finds what is theirs."""
        return {
            "person": self.id, "home": self.home["id"], "callers": list(self.callers), "numbers": self.numbers,
        }  # fmt: skip

    @property
    def numbers(self) -> list[str]:
        own = [self.person["phone"]] if self.shared else [self.person["phone"], self.home["phone"]]
        return [one for one in own if one]


async def find(connection: Connection, person: str) -> Subject:
    """Refusal when there is no such person."""
    found = await rows(connection, sql.person, person=person)
    if not found:
        raise Refusal("unknown_people", id=person)
    home = found[0]["home"]
    neighbours = await rows(connection, sql.neighbours, home=home, person=person)
    (place,) = await rows(connection, sql.home, home=home)
    subject = Subject(found[0], place, tuple(await rows(connection, sql.everybody, home=home)), bool(neighbours), ())
    callers = tuple(f"tel:{number}" for number in subject.numbers)
    return Subject(subject.person, place, subject.everybody, subject.shared, callers)


async def export(database: Database, person: str, folder: Path, now: datetime) -> Row:
    """Everything of one person into a new folder, as JSON and CSV, for our eyes only; the manifest. Refusal."""
    _prepare(folder)
    async with database.connection() as connection, connection.transaction():
        await connection.execute(register.sql.one_snapshot)
        subject = await find(connection, person)
        files = [file for name, found in (await _tables(connection, subject)).items() for file in _both(name, found)]
        for name, content, _ in files:
            write_private(folder / name, content)
        told = {name: _told(content, count) for name, content, count in files}
        told |= await _readings(connection, subject, folder)
    manifest = {"person": person, "at": now.isoformat(), "shared_home": subject.shared, "files": told}
    write_private(folder / "manifest.json", _json(manifest))
    return manifest


def _prepare(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Refusal("already_there", path=folder)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)


async def incidents_of(connection: Connection, subject: Subject) -> list[Row]:
    return await rows(connection, sql.incidents, **subject.names)


async def rows(connection: Connection, query: str, **values: Any) -> list[Row]:
    return await (await connection.execute(query, values)).fetchall()


async def _tables(connection: Connection, subject: Subject) -> dict[str, list[Row]]:
    incidents = await incidents_of(connection, subject)
    names = {**subject.names, "incidents": [one["id"] for one in incidents]}
    found: dict[str, list[Row]] = {"person": [subject.person], "home": [subject.home], "incidents": incidents}
    for name in TABLES:
        if name not in found:
            found[name] = await rows(connection, getattr(sql, name), **names)
    others = [one for one in subject.everybody if one["id"] != subject.id or one["what"] != "resident"]
    mask = Mask([one["name"] for one in others], [one["phone"] for one in others], ())
    masked = {name: [mask.value(_plain(row), free=False) for row in found[name]] for name in TABLES}
    # Themselves as they are: a contact of the same name does not take theirs away.
    masked["person"], masked["home"] = [_plain(subject.person)], [_plain(subject.home)]
    for row in (*masked["sends"], *masked["errands"]):
        # A number that the register has since forgotten, or a name, is still somebody else's.
        row.update(dict.fromkeys(("name", "address"), MARK))
    return masked


async def _readings(connection: Connection, subject: Subject, folder: Path) -> dict[str, Row]:
    """The readings of the home, as they come: there may be millions."""
    lines, table = _Stream(folder / "readings.jsonl"), _Stream(folder / "readings.csv")
    heading: list[str] | None = None
    async for row in _streamed(connection, sql.readings, home=subject.home["id"]):
        heading = heading or list(row)
        if not table.count:
            table.write(_csv([heading]))
        lines.write(json.dumps(_plain(row), ensure_ascii=False).encode() + b"\n")
        table.write(_csv([[_cell(value) for value in row.values()]]))
        lines.count += 1
        table.count += 1
    return {stream.path.name: stream.close() for stream in (lines, table)}


async def _streamed(connection: Connection, query: str, **values: Any) -> AsyncIterator[Row]:
    async with connection.cursor("readings") as cursor:
        cursor.itersize = FETCH_ROWS
        await cursor.execute(query, values)
        async for row in cursor:
            yield row


class _Stream:
    """A private file that is written as it comes, counted and summed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._bytes = 0
        self._digest = hashlib.sha256()
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")

    def write(self, content: bytes) -> None:
        self._bytes += len(content)
        self._digest.update(content)
        self._file.write(content)

    def close(self) -> Row:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return {"rows": self.count, "bytes": self._bytes, "sha256": self._digest.hexdigest()}


def _both(name: str, found: Sequence[Row]) -> list[tuple[str, bytes, int]]:
    heading = [list(found[0])] if found else []
    table = [*heading, *([_cell(value) for value in row.values()] for row in found)]
    return [(f"{name}.json", _json(found), len(found)), (f"{name}.csv", _csv(table), len(found))]


def _told(content: bytes, count: int) -> Row:
    return {"rows": count, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"


def _csv(table: Sequence[Sequence[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([[protect(cell) for cell in row] for row in table])
    return out.getvalue().encode()


def _cell(value: Any) -> str:
    value = _plain(value)
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """A value of the database as JSON has it."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return value
