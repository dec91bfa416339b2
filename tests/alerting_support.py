"""What the tests of alerting share: messages with defaults, and runners as tasks of their own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from alerting.detectors.table import DETECTORS, Table
from alerting.runner import Runner
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


@dataclass
class Running:
    """A runner as a task, with connections of its own."""

    task: asyncio.Task[None]
    database: Database

    async def stop(self) -> None:
        """As SIGTERM does: it may still say what it has to say."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.database.close()

    async def kill(self) -> None:
        """As SIGKILL does, to those outside: from one moment on nothing that it says is heard."""
        await self.database.close()
        await self.stop()


@contextlib.asynccontextmanager
async def running(url: str, make: Callable[[Database], Coroutine[Any, Any, None]]) -> AsyncIterator[Running]:
    database = Database(url, application="runner")
    await database.open()
    runner = Running(asyncio.create_task(make(database)), database)
    try:
        yield runner
    finally:
        await runner.stop()


def urgent(url: str, clock: Clock, member: str = "u") -> contextlib.AbstractAsyncContextManager[Running]:
    def make(database: Database) -> Coroutine[Any, Any, None]:
        consumer = PostgresLog("urgent", database, clock).consumer("urgent", member)
        return Urgent(database, consumer, PostgresLog("readings", database, clock), clock, State(member, None)).run()

    return running(url, make)


def watching(
    url: str, clock: Clock, member: str = "w", table: Table = DETECTORS
) -> contextlib.AbstractAsyncContextManager[Running]:
    def make(database: Database) -> Coroutine[Any, Any, None]:
        consumer = PostgresLog("readings", database, clock).consumer("alerting", member)
        return Runner(database, consumer, clock, State(member, None), table).run()

    return running(url, make)
