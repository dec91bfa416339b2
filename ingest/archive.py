"""Readings from the log into their tables, by COPY. Written twice is written once.

    poll ──► decode (what cannot be is parked) ──► make the days' partitions ──► one transaction: rows, then positions

The positions stand in the rows' own transaction: after any crash reading goes on exactly behind what is stored.
"""

import argparse
import asyncio
import logging
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from ingest.heard import LastHeard
from ingest.measuring import keep_measuring_disks, keep_measuring_lag, keep_measuring_size
from ingest.rejections import sql as rejections
from ingest.rows import TYPES, Row, row_of
from ingest.upkeep import Upkeep
from pingan import metrics, process
from pingan.database import LOST, Connection, Database, Queries
from pingan.log import GROUPS, Batch, Consumer, Entry, Fenced, Log, message_of
from pingan.settings import Common, SettingsError, load

log = logging.getLogger(__name__)
sql = Queries(__file__, "archive.sql")

POLL_SECONDS = 1.0
PACE_SECONDS = 0.1
"""The least time between two transactions: the archive is in no hurry, and few large ones cost less than many small."""
TRIM_SECONDS = 60.0

NO_LONGER_KEPT = "no_longer_kept"
"""The reason under which readings are counted that are older than the archive."""
REPEATED_READING = "repeated_reading"
"""The reason under which readings are counted whose device, boot and number were stored before: told again, by a retry
or by somebody who replays what was said once. Detection has left them out, and they change nothing."""

UNSTORABLE = (psycopg.DataError, ValueError, OverflowError, RecursionError, struct.error)
"""What a row raises that PostgreSQL cannot hold, in psycopg or in the server."""


class Settings(Common, frozen=True, kw_only=True):
    log_keep_hours: Annotated[float, msgspec.Meta(gt=0)] = 6.0
    """How long the log keeps what every reader has read: for looking back, and for a detector that starts anew."""
    readings_keep_days: Annotated[int, msgspec.Meta(ge=30, le=36_500)] = 730
    """At least 30: what is late (seven days) and what TimescaleDB rolls up anew (ten) lies well within."""
    rejected_keep_days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] = 90
    """Samples of what was refused, and entries of the log that were set aside."""
    disk_data: Path | None = None
    """A folder on the disk of the platform's own data, whose room is measured; None: there is none to be measured."""
    disk_database: Path | None = None
    """And one on the disk of PostgreSQL: without room there no press can be acknowledged."""


@dataclass(slots=True)
class Part:
    """What one poll brought of one partition: its rows with their entries, and where it ends."""

    position: int
    rows: list[tuple[Entry, Row]] = field(default_factory=list)


class Archive:
    """`once` does one round and may be called again after any error of the database; nothing is skipped."""

    def __init__(self, database: Database, consumer: Consumer, heard: LastHeard | None = None) -> None:
        self._database, self._consumer, self._heard = database, consumer, heard
        self._days: set[date] = set()
        self._open: dict[int, Part] = {}
        self.stored_rows = 0
        self._archived = metrics.show(metrics.ARCHIVED)

    async def once(self, wait_seconds: float) -> int:
        """Read, store, remember; how many rows. Raises one of LOST: then what was read waits for the next call."""
        if not self._open:
            polled = await self._consumer.poll(wait_seconds)
            self._open = {batch.partition: await self._part(batch) for batch in polled.batches}
        if not self._open:
            return 0
        await self._make_days()
        count = sum(len(part.rows) for part in self._open.values())
        try:
            await self._store_all(merge=False)
        except psycopg.errors.UniqueViolation:
            await self._store_all(merge=True)
        except psycopg.errors.CheckViolation:  # a day's partition was removed since we made it
            self._days.clear()
            return 0
        except UNSTORABLE as error:
            log.error("a batch cannot be stored, its entries are tried one by one: %s", error)
            await self._store_singly()
        self._open = {}
        self.stored_rows += count
        self._archived.inc(count)
        return count

    async def _part(self, batch: Batch) -> Part:
        part = Part(batch.entries[-1].position)
        for entry in batch.entries:
            try:
                row = row_of(message_of(entry))
            except (msgspec.DecodeError, OverflowError, UnicodeDecodeError) as error:
                await self._consumer.park(batch.partition, entry, str(error))
            else:
                if row is not None:
                    part.rows.append((entry, row))
                    if self._heard is not None:
                        self._heard.note(row)
        return part

    async def _make_days(self) -> None:
        """In transactions of their own, so that nobody waits for our rows' commit. A day that is no longer kept stays
        dropped: its readings are counted and left out.
        """
        days = {row.at.date() for part in self._open.values() for _, row in part.rows}
        for day in sorted(days - self._days):
            async with self._database.connection() as connection:
                (made,) = await (await connection.execute(sql.make_day, {"day": day})).fetchall()
            if made["kept"]:
                self._days.add(day)
            else:
                await self._leave_out(day)

    async def _leave_out(self, day: date) -> None:
        gone = [row for part in self._open.values() for _, row in part.rows if row.at.date() == day]
        log.warning("%d readings of %s are older than what is kept", len(gone), day)
        async with self._database.connection() as connection:
            await _count(connection, NO_LONGER_KEPT, len(gone), max(row.received_at for row in gone))
        for part in self._open.values():
            part.rows = [(entry, row) for entry, row in part.rows if row.at.date() != day]

    async def _store_all(self, *, merge: bool) -> None:
        """Everything in one transaction; whoever has lost a partition goes without it."""
        while self._open:
            rows = [row for part in self._open.values() for _, row in part.rows]
            try:
                async with self._database.transaction() as connection:
                    repeated = await write(connection, rows, merge=merge)
                    if repeated:
                        await _count(connection, REPEATED_READING, repeated, max(row.received_at for row in rows))
                    for partition, part in self._open.items():
                        await self._consumer.store(connection, partition, part.position)
                return
            except Fenced:
                self._let_go(partition)

    async def _store_singly(self) -> None:
        for partition, part in list(self._open.items()):
            try:
                for entry, row in part.rows:
                    await self._store_one(partition, entry, row)
                async with self._database.transaction() as connection:
                    await self._consumer.store(connection, partition, part.position)
            except Fenced:
                self._let_go(partition)

    async def _store_one(self, partition: int, entry: Entry, row: Row) -> None:
        try:
            async with self._database.transaction() as connection:
                await write(connection, [row], merge=True)
                await self._consumer.store(connection, partition, entry.position)
        except UNSTORABLE as error:
            await self._consumer.park(partition, entry, str(error))

    def _let_go(self, partition: int) -> None:
        log.info("partition %d has another archive now", partition)
        self._consumer.drop(partition)
        del self._open[partition]


async def _count(connection: Connection, reason: str, count: int, at: datetime) -> None:
    await connection.execute(rejections.count_rejected, {"day": at.date(), "reasons": [reason], "counts": [count]})


async def write(connection: Connection, rows: Iterable[Row], *, merge: bool) -> int:
    """Copy the rows, within the caller's transaction; how many were there already. UniqueViolation if one is, unless
    `merge`.

    Rows whose time was mended are always merged: their repeat may bear another time, which no index would notice.
    """
    plain = [] if merge else [row for row in rows if row.clock is None]
    others = list(rows) if merge else [row for row in rows if row.clock is not None]
    if plain:
        await _copy(connection, sql.copy, plain)
    if others:
        await connection.execute(sql.make_incoming)
        await _copy(connection, sql.copy_incoming, others)
        return len(others) - (await connection.execute(sql.merge)).rowcount
    return 0


async def _copy(connection: Connection, statement: str, rows: list[Row]) -> None:
    cursor = connection.cursor()
    async with cursor.copy(statement) as copy:
        copy.set_types(TYPES)
        for row in rows:
            if row.detail is None:
                await copy.write_row(row)
            else:
                await copy.write_row((*row[:9], Jsonb(row.detail, dumps=msgspec.json.encode), *row[10:]))
    if cursor.rowcount != len(rows):
        raise RuntimeError(f"{len(rows)} rows were given to COPY and it took {cursor.rowcount}")


async def keep_trimming(logs: Iterable[Log], keep_seconds: float) -> None:
    """Every minute remove from the logs what is old and past every group that reads them."""
    while True:
        await asyncio.sleep(TRIM_SECONDS)
        for one in logs:
            try:
                await trim_all(one, keep_seconds)
            except LOST as error:
                log.debug("the log cannot be trimmed: %s", error)


async def trim_all(one: Log, keep_seconds: float) -> int:
    """Slice by slice until nothing is left to remove: a slice a minute is less than a busy minute appends."""
    removed = 0
    while some := await one.trim(keep_seconds):
        removed += some
    return removed


async def run(settings: Settings) -> None:
    this = process.Process(settings)
    this.state.expect("log")
    logs = [this.log(name, wake=True) for name in GROUPS]
    readings = next(one for one in logs if one.name == "readings")
    consumer = readings.consumer("archive", settings.name)
    heard = LastHeard(this.database)
    archive = Archive(this.database, consumer, heard)
    pace_seconds = 0.0 if this.clock.driven else PACE_SECONDS

    async def keep_archiving() -> None:
        now = asyncio.get_running_loop().time
        troubled = True
        while True:
            began = now()
            try:
                await archive.once(POLL_SECONDS)
            except LOST as error:
                troubled = True
                this.state.waiting("log", f"cannot archive: {str(error).strip() or type(error).__name__}")
                await asyncio.sleep(0.3)
                continue
            if troubled:
                troubled = False
                this.state.well("log")
            await asyncio.sleep(max(0.0, pace_seconds - (now() - began)))

    async def trim() -> None:
        await keep_trimming(logs, settings.log_keep_hours * 3600)

    disks = {
        disk: folder
        for disk, folder in (("data", settings.disk_data), ("database", settings.disk_database))
        if folder is not None
    }

    await this.run(
        consumer.run,
        keep_archiving,
        trim,
        heard.run,
        Upkeep(this.database, this.clock, settings.readings_keep_days, settings.rejected_keep_days).run,
        lambda: keep_measuring_lag(logs),
        lambda: keep_measuring_size(this.database),
        lambda: keep_measuring_disks(disks),
    )


def main(argv: list[str]) -> int:
    """`pingan archive`."""
    argparse.ArgumentParser(prog="pingan archive", description="Readings from the log into their tables.").parse_args(
        argv
    )
    try:
        settings = load(Settings)
    except SettingsError as error:
        sys.stderr.write(f"pingan archive: {error}\n")
        return 2
    process.main(run(settings))
    return 0
