"""An installation changes where its log is: what nobody has acted on yet goes along, in its order."""

import asyncio
import os
import subprocess
import sys

import pytest

from pingan.carry_over import Unread, carry_over
from pingan.database import Database
from pingan.log import Log, Record
from tests.conftest import Topics, Until
from tests.integration.log_implementations import IMPLEMENTATIONS


@pytest.fixture(params=["postgres to kafka", "kafka to postgres"])
def logs(request: pytest.FixtureRequest, topics: Topics, database: Database) -> tuple[Log, Log]:
    """Where the log is, and where it will be."""
    made = {
        name: IMPLEMENTATIONS[name](f"{topics.servers}/{topics.prefix}")("readings", database, None, 1.0)
        for name in ("postgres", "kafka")
    }
    source, _, target = request.param.split()
    return made[source], made[target]


async def read(log: Log, group: str, count: int, database: Database, until: Until, store: int = 0) -> list[bytes]:
    """The first `count` bodies that a member of `group` reads of partition 1; it stores position `store` and leaves."""
    consumer = log.consumer(group, f"reader of {group}")
    running = asyncio.create_task(consumer.run())
    bodies: list[bytes] = []

    async def enough() -> bool:
        for batch in (await consumer.poll(0.05)).batches:
            bodies.extend(entry.body for entry in batch.entries)
        return len(bodies) >= count

    await until(enough)
    if store:
        async with database.transaction() as connection:
            await consumer.store(connection, 1, store)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return bodies


async def test_what_some_group_has_not_acted_on_is_carried_once_and_nothing_else(
    logs: tuple[Log, Log], database: Database, until: Until
) -> None:
    source, target = logs
    await source.append([Record(1, b"%d" % number) for number in range(1, 7)])
    await read(source, "archive", 6, database, until, store=4)
    await read(source, "alerting", 6, database, until, store=2)
    assert await carry_over(source, target, database) == 4
    assert await read(target, "alerting", 4, database, until) == [b"3", b"4", b"5", b"6"]
    assert await source.lag() == {"archive": 0, "alerting": 0}
    assert await carry_over(source, target, database) == 0
    assert sum((await target.ends()).values()) == 4
    for log in logs:
        await log.close()


async def test_an_empty_log_is_not_touched(logs: tuple[Log, Log], database: Database) -> None:
    source, target = logs
    assert await carry_over(source, target, database) == 0
    async with database.connection() as connection:
        assert (await (await connection.execute("select from lease_members")).fetchall()) == []
    for log in logs:
        await log.close()


async def test_somebody_who_still_reads_the_old_log_is_named(
    logs: tuple[Log, Log], database: Database, until: Until
) -> None:
    source, target = logs
    await source.append([Record(partition, b"x") for partition in range(64)])
    other = source.consumer("archive", "still here")
    running = asyncio.create_task(other.run())

    async def holds_all() -> bool:
        await other.poll(0.05)
        return all(other.epoch(partition) is not None for partition in range(64))

    await until(holds_all)
    with pytest.raises(Unread, match="somebody else is reading"):
        await carry_over(source, target, database, seconds=2.0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    for log in logs:
        await log.close()


async def test_migrate_does_it(topics: Topics, database: Database, postgres_url: str, until: Until) -> None:
    old = IMPLEMENTATIONS["postgres"]("")("urgent", database, None, 1.0)
    await old.append([Record(1, b"a press")])
    told = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "pingan", "migrate"],
        env={
            **os.environ, "PINGAN_DATABASE_URL": postgres_url, "PINGAN_LOG": "kafka", "PINGAN_KAFKA": topics.servers,
            "PINGAN_KAFKA_PREFIX": topics.prefix, "PINGAN_KAFKA_REPLICATION": "1",
        },
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert "1 entries of the log urgent were carried over from postgres" in told.stderr
    new = IMPLEMENTATIONS["kafka"](f"{topics.servers}/{topics.prefix}")("urgent", database, None, 1.0)
    assert await new.lag() == {"urgent": 1}
    assert await old.lag() == {"urgent": 0}
    await new.close()
