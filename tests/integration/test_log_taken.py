"""A poll that fails on its way has told nobody what was taken; the next one must."""

import asyncio

import psycopg
import pytest

from pingan.clock import SystemClock
from pingan.database import Database
from pingan.log import PARTITIONS
from pingan.postgres_log import PostgresLog
from tests.conftest import Until


async def test_what_was_taken_is_told_though_the_reading_after_it_failed(database: Database, until: Until) -> None:
    consumer = PostgresLog("readings", database, SystemClock()).consumer("alerting", "m")
    running = asyncio.create_task(consumer.run())
    await until(lambda: all(consumer.epoch(partition) is not None for partition in range(PARTITIONS)))
    async with database.connection() as connection:
        await connection.execute("alter table log_batches rename to log_batches_away")
    with pytest.raises(psycopg.errors.UndefinedTable):
        await consumer.poll(0)
    async with database.connection() as connection:
        await connection.execute("alter table log_batches_away rename to log_batches")
    told = (await consumer.poll(0)).taken
    assert {lease.partition for lease in told} == set(range(PARTITIONS))
    assert (await consumer.poll(0)).taken == (), "told once"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
