"""What only somebody who looks knows: how far each reader of a log is behind, and how large the database has become."""

import asyncio
import logging
from collections.abc import Iterable

import psycopg

from pingan import metrics
from pingan.database import LOST, Database, Queries
from pingan.log import Log

log = logging.getLogger(__name__)
sql = Queries(__file__, "measuring.sql")

LAG_SECONDS = 5.0
SIZE_SECONDS = 60.0
PATIENCE_SECONDS = 10.0


async def keep_measuring_lag(logs: Iterable[Log]) -> None:
    """Every few seconds, until cancelled. While it cannot be known it is not shown."""
    while True:
        try:
            for one in logs:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    lag = await one.lag()
                for group, entries in lag.items():
                    metrics.LAG.labels(one.name, group).set(entries)
            metrics.show(metrics.LAG)
        except (*LOST, TimeoutError) as error:
            metrics.hide(metrics.LAG)
            log.debug("nobody knows how far the readers are: %s", error)
        await asyncio.sleep(LAG_SECONDS)


async def keep_measuring_size(database: Database) -> None:
    """Every minute, until cancelled."""
    while True:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await measure_size(database)
        except (*LOST, TimeoutError, psycopg.Error) as error:
            metrics.hide(metrics.DATABASE_BYTES, metrics.TIMESCALE_JOB_FAILURES)
            log.debug("the database's size cannot be measured: %s", error)
        await asyncio.sleep(SIZE_SECONDS)


async def measure_size(database: Database) -> None:
    """The database's size and, where TimescaleDB is, the failures of its jobs. psycopg.Error when it may not look."""
    async with database.connection() as connection:
        size = await (await connection.execute(sql.size)).fetchone()
        assert size is not None
        metrics.show(metrics.DATABASE_BYTES).set(size["bytes"])
        if size["timescale"]:
            failures = await (await connection.execute(sql.job_failures)).fetchone()
            assert failures is not None
            metrics.show(metrics.TIMESCALE_JOB_FAILURES).set(failures["failures"])
        else:
            metrics.hide(metrics.TIMESCALE_JOB_FAILURES)
