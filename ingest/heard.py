"""What was heard of each device, registered or not: when last, how often, and how well it said that it is.

The archive notes each reading as it comes by, and writes every few seconds. It is a page for people, and nothing that
counts rests on it: what cannot be written waits, and what is too much is left out.
"""

import asyncio
import logging
from datetime import datetime
from typing import Any

import psycopg

from ingest.rows import Row
from pingan.database import LOST, Database, Queries

log = logging.getLogger(__name__)
sql = Queries(__file__, "heard.sql")

WRITE_SECONDS = 5.0
DEVICES_MAX = 100_000
"""Between two writes. A hundred thousand are twenty times those of a large installation."""
STRANGERS_MAX = 1_000
"""Unregistered devices that are kept of each gateway: whoever adopts looks at some, and a gateway may invent names."""
AVAILABILITY = "availability"
"""Its gateway's word: it is not the device that was heard."""

_NUMBERS = ("battery_percent", "rssi_dbm")


class Note:
    """Of one device, since the last write."""

    __slots__ = ("battery_percent", "config", "firmware", "first_at", "last_at", "last_kind", "messages", "rssi_dbm")

    def __init__(self, row: Row) -> None:
        self.first_at = self.last_at = row.received_at
        self.messages = 0
        self.last_kind = row.kind
        self.battery_percent: float | None = None
        self.rssi_dbm: float | None = None
        self.firmware: str | None = None
        self.config: int | None = None
        """The revision of its configuration that it says it runs."""

    def hear(self, row: Row) -> None:
        self.messages += 1
        if row.received_at >= self.last_at:
            self.last_at, self.last_kind = row.received_at, row.kind
        if isinstance(said := row.detail, dict):
            for name in _NUMBERS:
                if isinstance(value := said.get(name), int | float) and type(value) is not bool:
                    setattr(self, name, float(value))
            if isinstance(firmware := said.get("firmware"), str):
                self.firmware = firmware
            if type(config := said.get("config")) is int:
                self.config = config


class LastHeard:
    """`note` each row of the archive; `run` writes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._notes: dict[str, Note] = {}

    def note(self, row: Row) -> None:
        if row.kind == AVAILABILITY:
            return
        note = self._notes.get(row.device)
        if note is None:
            if len(self._notes) >= DEVICES_MAX:
                return
            note = self._notes[row.device] = Note(row)
        note.hear(row)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            await self.write()

    async def write(self) -> None:
        """Write what was noted. While the database is away it waits; what it refuses is given up."""
        if not self._notes:
            return
        notes, self._notes = self._notes, {}
        try:
            async with self._database.connection() as connection:
                await connection.execute(sql.note, _columns(notes))
        except LOST as error:
            log.debug("what was heard is not written yet: %s", error)
            for device, newer in self._notes.items():
                notes[device] = _joined(notes[device], newer) if device in notes else newer
            self._notes = notes
        except psycopg.Error:
            log.exception("what was heard of %d devices cannot be written", len(notes))


def _joined(older: Note, newer: Note) -> Note:
    newer.first_at = min(older.first_at, newer.first_at)
    newer.messages += older.messages
    if older.last_at > newer.last_at:
        newer.last_at, newer.last_kind = older.last_at, older.last_kind
    for name in (*_NUMBERS, "firmware", "config"):
        if getattr(newer, name) is None:
            setattr(newer, name, getattr(older, name))
    return newer


def _columns(notes: dict[str, Note]) -> dict[str, Any]:
    every = sorted(notes.items())  # in one order, so that two archives never wait for each other in a circle
    first: list[datetime] = [note.first_at for _, note in every]
    return {
        "devices": [device for device, _ in every],
        "first": first,
        "last": [note.last_at for _, note in every],
        "messages": [note.messages for _, note in every],
        "kinds": [note.last_kind for _, note in every],
        "batteries": [note.battery_percent for _, note in every],
        "rssis": [note.rssi_dbm for _, note in every],
        "firmwares": [note.firmware for _, note in every],
        "configs": [note.config for _, note in every],
        "strangers": STRANGERS_MAX,
    }
