"""Readings from the log into their tables: all of them, once, and the position with them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from ingest.archive import Archive, trim_all
from ingest.upkeep import Upkeep
from pingan.clock import DrivenClock, SystemClock, to_ms
from pingan.database import Database
from pingan.log import PARTITIONS, Consumer, Record
from pingan.messages import Event, HomeSettings, Message, Reading, Tick, encode, partition_of
from pingan.postgres_log import PostgresLog
from tests.conftest import Until
from tests.integration.ingest_support import fetch

NOW = to_ms(datetime(2026, 5, 4, 12, tzinfo=UTC))
DAY_MS = 86_400_000


class Running:
    """An archive whose consumer is in its group; `all_stored` runs rounds until nothing is left."""

    def __init__(self, url: str, name: str, patience_seconds: float = 1.0) -> None:
        self.database = Database(url, application=name)
        self.log = PostgresLog("readings", self.database, SystemClock(), patience_seconds=patience_seconds)
        self.consumer: Consumer = self.log.consumer("archive", name)
        self.archive = Archive(self.database, self.consumer)
        self._membership: asyncio.Task[None] | None = None

    async def start(self, until: Until) -> None:
        await self.database.open()
        self._membership = asyncio.create_task(self.consumer.run())
        await until(self._owns_all)

    async def _owns_all(self) -> bool:
        return all(self.consumer.epoch(partition) is not None for partition in range(PARTITIONS))

    async def die(self) -> None:
        """As a killed process does: with nothing given back."""
        await self.database.close()
        await self.leave()

    async def leave(self) -> None:
        if self._membership is not None:
            self._membership.cancel()
            await asyncio.gather(self._membership, return_exceptions=True)
            self._membership = None
        await self.database.close()

    async def all_stored(self) -> None:
        while await self._behind():
            await self.archive.once(0.05)

    async def _behind(self) -> bool:
        rows = await fetch(
            self.database,
            "select 1 from log_heads head join leases on leases.name = 'readings/archive'"
            " and leases.partition = head.partition where head.log = 'readings' and leases.position < head.position",
        )
        return bool(rows)


@pytest.fixture
async def archive(postgres_url: str, until: Until) -> AsyncIterator[Running]:
    running = Running(postgres_url, "archive-1")
    await running.start(until)
    yield running
    await running.leave()


@pytest.fixture
def append(database: Database) -> Callable[..., Any]:
    log = PostgresLog("readings", database, SystemClock())

    async def append(*messages: Message, bodies: tuple[bytes, ...] = (), partition: int | None = None) -> None:
        records = [
            Record(_partition(message) if partition is None else partition, encode(message)) for message in messages
        ]
        await log.append(records + [Record(partition or 0, body) for body in bodies])

    return append


def _partition(message: Message) -> int:
    if isinstance(message, Reading | Event):
        return partition_of(message.home, message.device)
    return 0


def reading(seq: int, value: Any = True, *, device: str = "d", at_ms: int = NOW, **more: Any) -> Reading:
    return Reading(device, "b", seq, at_ms, more.pop("received_ms", at_ms), more.pop("kind", "motion"), value, **more)


async def stored(database: Database) -> list[dict[str, Any]]:
    return await fetch(database, "select * from readings order by device, seq, at")


async def test_everything_that_was_appended_is_stored_as_it_was(
    archive: Running, append: Callable[..., Any], database: Database
) -> None:
    await append(
        reading(1, 71.5, kind="heart_rate", home="H001"),
        reading(2, {"systolic": 140}, kind="blood_pressure"),
        reading(3, "open", kind="door", sensor="front"),
        reading(4, None, clock="corrected", device_at_ms=0),
        reading(5, 2**53 - 1),
        Event("d", "e1", "b", 6, NOW, NOW, "sos", home="H001", device_at_ms=NOW),
        Tick(NOW, 1_000, 1),
        HomeSettings("H001", 1),
    )
    await archive.all_stored()
    rows = await stored(database)
    assert [(row["seq"], row["value"], row["detail"]) for row in rows] == [
        (1, 71.5, None),
        (2, None, {"systolic": 140}),
        (3, None, "open"),
        (4, None, None),
        (5, 2.0**53 - 1, None),
        (6, None, {"id": "e1", "attempt": 1, "test": False}),
    ]
    assert rows[0]["home"] == "H001"
    assert rows[2]["sensor"] == "front"
    assert (rows[3]["clock"], rows[3]["device_at"]) == ("corrected", datetime(1970, 1, 1, tzinfo=UTC))
    assert rows[5]["kind"] == "alarm:sos"


async def test_counted_in_is_counted_stored(archive: Running, append: Callable[..., Any], database: Database) -> None:
    """Ten thousand readings over all partitions and four days: none is missing and none is there twice."""
    for batch in range(20):
        await append(
            *(
                reading(seq, seq % 97, device=f"d{seq % 50}", at_ms=NOW - seq % 4 * DAY_MS)
                for seq in range(batch * 500, batch * 500 + 500)
            )
        )
    await archive.all_stored()
    (row,) = await fetch(
        database, "select count(*) as rows, count(distinct seq) as seqs, sum(value) as sum from readings"
    )
    assert row == {"rows": 10_000, "seqs": 10_000, "sum": float(sum(seq % 97 for seq in range(10_000)))}
    assert archive.archive.stored_rows == 10_000


async def test_written_twice_is_written_once(archive: Running, append: Callable[..., Any], database: Database) -> None:
    await append(reading(1), reading(2), reading(1))
    await archive.all_stored()
    await append(reading(2), reading(3))
    await archive.all_stored()
    assert [row["seq"] for row in await stored(database)] == [1, 2, 3]
    counted = await fetch(database, "select reason, count from rejected_counts")
    assert counted == [{"reason": "repeated_reading", "count": 2}], "somebody may be replaying what was said once"


async def test_a_repeat_that_was_clamped_to_another_time_is_still_a_repeat(
    archive: Running, append: Callable[..., Any], database: Database
) -> None:
    await append(reading(1, at_ms=NOW, clock="absurd", device_at_ms=0), reading(1, at_ms=NOW + 9, clock="absurd"))
    await archive.all_stored()
    await append(reading(1, at_ms=NOW + 60_000, clock="absurd"), reading(2, at_ms=NOW + 60_000, clock="absurd"))
    await archive.all_stored()
    assert [(row["seq"], to_ms(row["at"])) for row in await stored(database)] == [(1, NOW), (2, NOW + 60_000)]


async def test_a_position_is_stored_with_its_rows_and_not_before(
    archive: Running, append: Callable[..., Any], database: Database, postgres_url: str, until: Until
) -> None:
    """An archive that dies between reading and storing has stored neither; the next one stores both."""
    await append(reading(1))
    await archive.all_stored()
    await append(reading(2), reading(3))
    partition = partition_of(None, "d")
    with psycopg.connect(postgres_url) as connection:
        connection.execute("lock table readings in share mode")
        trying = asyncio.create_task(archive.archive.once(1.0))

        async def waits() -> bool:
            return bool(await fetch(database, "select 1 from pg_locks where not granted"))

        await until(waits)
        (lease,) = await fetch(
            database, "select position from leases where name = 'readings/archive' and partition = %s", partition
        )
        assert lease["position"] == 1
        trying.cancel()
        await asyncio.gather(trying, return_exceptions=True)
    await archive.die()
    heir = Running(postgres_url, "archive-1")
    await heir.start(until)
    await heir.all_stored()
    assert [row["seq"] for row in await stored(database)] == [1, 2, 3]
    await heir.leave()


async def test_rows_that_cannot_be_stored_leave_no_position_behind(
    archive: Running, append: Callable[..., Any], database: Database, postgres: Any, postgres_url: str, until: Until
) -> None:
    """The database goes away in the middle: what was read is stored when it is back, without being read again."""
    await append(reading(1))
    name = psycopg.conninfo.conninfo_to_dict(postgres_url)["dbname"]

    async def waits() -> bool:
        return bool(await fetch(database, "select 1 from pg_locks where not granted"))

    with (
        psycopg.connect(postgres.superuser_dsn, autocommit=True) as admin,
        psycopg.connect(postgres_url) as connection,
    ):
        connection.execute("lock table readings in share mode")
        trying = asyncio.create_task(archive.archive.once(1.0))
        await until(waits)
        admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and application_name = %s",
            (name, "archive-1"),
        )
        with pytest.raises(psycopg.OperationalError):
            await trying
    assert await stored(database) == []

    async def again() -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            return await archive.archive.once(0.1) == 1
        return False

    await until(again)
    assert len(await stored(database)) == 1


async def test_poison_is_parked_and_its_neighbours_are_stored(
    archive: Running, append: Callable[..., Any], database: Database
) -> None:
    await append(reading(1), partition=5)
    await append(bodies=(b"\xff poison", b'{"type":"reading/9"}'), partition=5)
    await append(reading(2, kind="nul\0"), reading(3, at_ms=2**60), reading(4), partition=5)
    await archive.all_stored()
    assert [row["seq"] for row in await stored(database)] == [1, 4]
    parked = await fetch(database, "select position from parked where consumer = 'readings/archive' order by position")
    assert [row["position"] for row in parked] == [2, 3, 4, 5]


async def test_a_partition_that_was_lost_does_not_hold_up_the_others(
    append: Callable[..., Any], database: Database, postgres_url: str, until: Until
) -> None:
    archive = Running(postgres_url, "archive-1", patience_seconds=3_600)
    await archive.start(until)
    await append(reading(1, device="a"), partition=1)
    await append(reading(2, device="b"), partition=2)
    async with database.transaction() as connection:  # behind its back, so that only the fence can tell it
        await connection.execute("insert into lease_members (name, owner) values ('readings/archive', 'another')")
        await connection.execute(
            "update leases set epoch = epoch + 1, owner = 'another' where name = 'readings/archive' and partition = 1"
        )
    while not await stored(database):
        await archive.archive.once(0.05)
    assert [row["device"] for row in await stored(database)] == ["b"]
    (lease,) = await fetch(database, "select position from leases where name = 'readings/archive' and partition = 1")
    assert lease["position"] == 0
    await archive.leave()


async def test_days_are_made_as_they_are_needed_by_several_at_once_and_again_if_removed(
    archive: Running, append: Callable[..., Any], database: Database
) -> None:
    day = datetime(2026, 5, 4, tzinfo=UTC).date()
    await asyncio.gather(*(_make_day(database, day + timedelta(days=number % 3)) for number in range(12)))
    await append(reading(1), reading(2, at_ms=NOW - 40 * DAY_MS))
    await archive.all_stored()
    partitions = (
        "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'readings'::regclass order by 1"
    )
    names = [row["name"] for row in await fetch(database, partitions)]
    assert names == ["readings_20260325", "readings_20260504", "readings_20260505", "readings_20260506"]
    async with database.connection() as connection:
        await connection.execute("drop table readings_20260504")
    await append(reading(3))
    await archive.all_stored()
    assert [row["seq"] for row in await stored(database)] == [2, 3]


async def test_readings_of_a_day_that_is_no_longer_kept_are_counted_and_do_not_bring_it_back(
    archive: Running, append: Callable[..., Any], database: Database
) -> None:
    """Also where the archive had made that day itself before it was dropped."""
    await append(reading(1), reading(2, at_ms=NOW - 40 * DAY_MS))
    await archive.all_stored()
    upkeep = Upkeep(database, DrivenClock(NOW), readings_keep_days=30, rejected_keep_days=90)
    await upkeep.drop()
    assert [row["seq"] for row in await stored(database)] == [1]
    late = [
        reading(seq, at_ms=NOW - 40 * DAY_MS, received_ms=NOW, clock=clock) for seq, clock in ((3, None), (4, "absurd"))
    ]
    await append(*late, reading(5))
    await archive.all_stored()
    assert [row["seq"] for row in await stored(database)] == [1, 5]
    counted = await fetch(database, "select day, reason, count from rejected_counts")
    assert counted == [{"day": datetime(2026, 5, 4, tzinfo=UTC).date(), "reason": "no_longer_kept", "count": 2}]


async def _make_day(database: Database, day: Any) -> None:
    async with database.connection() as connection:
        await connection.execute("select readings_day(%s)", (day,))


async def test_two_archives_share_the_work_and_store_everything_once(
    archive: Running, append: Callable[..., Any], database: Database, postgres_url: str, until: Until
) -> None:
    other = Running(postgres_url, "archive-2")
    await other.database.open()
    membership = asyncio.create_task(other.consumer.run())
    working = [asyncio.create_task(_work(one.archive)) for one in (archive, other)]
    for seq in range(200):
        await append(reading(seq, device=f"d{seq}"))

    async def everything() -> bool:
        return len(await stored(database)) == 200

    await until(everything)
    for task in (*working, membership):
        task.cancel()
    await asyncio.gather(*working, membership, return_exceptions=True)
    await other.database.close()


async def _work(archive: Archive) -> None:
    while True:
        await archive.once(0.05)


async def test_trimming_goes_on_until_nothing_is_left(database: Database) -> None:
    """One slice a minute was less than 500 readings a second append: the disk filled, and then no press was taken."""
    async with database.connection() as connection:
        await connection.execute(
            "insert into log_batches (log, partition, last_position, count, appended_at, body)"
            " select 'readings', 0, n, 1, '2026-01-01Z', '\\x90' from generate_series(1, 40001) n"
        )
        await connection.execute(
            "insert into leases (name, partition, position)"
            " values ('readings/archive', 0, 50000), ('readings/alerting', 0, 50000)"
        )
    assert await trim_all(PostgresLog("readings", database, SystemClock()), 0) == 40_001
