"""What the tests of alerting share: messages with defaults, and runners as tasks of their own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

from alerting.urgent import Urgent
from pingan.clock import Clock
from pingan.database import Database
from pingan.log import Record
from pingan.messages import Event, Message, Reading, Tick, encode, partition_of
from pingan.postgres_log import PostgresLog
from pingan.process import State

START_MS = 1_790_000_000_000


def reading(seq: int, kind: str = "motion", *, device: str = "H1-hub", boot: str = "b1", **more: Any) -> Reading:
    given: dict[str, Any] = {"home": "H1", "at_ms": START_MS, "received_ms": START_MS, "value": True} | more
    return Reading(device=device, boot=boot, seq=seq, kind=kind, **given)


def status(seq: int, *, device: str = "H1-hub", boot: str = "b1", home: str = "H1", **said: Any) -> Reading:
    return reading(seq, "status", device=device, boot=boot, home=home, value={"faults": [], **said})


def event(seq: int, event_id: str = "e1", *, device: str = "H1-button", home: str | None = "H1", **more: Any) -> Event:
    given: dict[str, Any] = {"at_ms": START_MS, "received_ms": START_MS + 40, "kind": "sos", "boot": "b1"} | more
    return Event(device=device, id=event_id, seq=seq, home=home, **given)


def place(message: Message, partition: int | None = None) -> Record:
    if partition is None:
        assert not isinstance(message, Tick)
        partition = partition_of(message.home, getattr(message, "device", ""))
    return Record(partition, encode(message))


async def rows(database: Database, query: str, **parameters: Any) -> Sequence[dict[str, Any]]:
    async with database.connection() as connection:
        return await (await connection.execute(query, parameters)).fetchall()


async def alarms(database: Database) -> Sequence[dict[str, Any]]:
    return await rows(database, "select * from alarms order by at, kind, id")


async def position(database: Database, log: str, group: str, partition: int) -> int:
    found = await rows(
        database,
        "select position from leases where name = %(n)s and partition = %(p)s",
        n=f"{log}/{group}",
        p=partition,
    )
    return found[0]["position"] if found else 0


async def blocked(database: Database, table: str) -> bool:
    """Whether somebody waits for a lock on `table`."""
    query = "select 1 from pg_locks where not granted and relation = %(table)s::regclass"
    return bool(await rows(database, query, table=table))


@contextlib.asynccontextmanager
async def locked(database: Database, table: str) -> AsyncIterator[None]:
    """Nobody gets at `table` until this is left."""
    async with database.transaction() as connection:
        await connection.execute(f"lock table {table} in access exclusive mode")
        yield


async def end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def urgent(database: Database, clock: Clock, member: str = "u") -> AsyncIterator[asyncio.Task[None]]:
    consumer = PostgresLog("urgent", database, clock).consumer("urgent", member)
    runner = Urgent(database, consumer, PostgresLog("readings", database, clock), clock, State(member, None))
    task = asyncio.create_task(runner.run())
    try:
        yield task
    finally:
        await end(task)
