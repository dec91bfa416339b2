"""What only somebody who looks knows: how far each reader of a log is behind, how large the database has become, and
how much room there is for it to grow."""

import asyncio
import logging
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import psycopg

from pingan import metrics
from pingan.database import LOST, Database, Queries
from pingan.log import Log

log = logging.getLogger(__name__)
sql = Queries(__file__, "measuring.sql")

LAG_SECONDS = 5.0
SIZE_SECONDS = 60.0
DISK_SECONDS = 15.0
"""A scrape's pace: what fills a disk at 100 MB/s has taken 1.5 GB by then, half of what is alarmed as critical."""
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


async def keep_measuring_disks(folders: Mapping[str, Path]) -> None:
    """Until cancelled, also while the database is away: a full disk is what takes it away. In a thread, since a disk
    that hangs may keep whoever asks."""
    while True:
        for disk, folder in folders.items():
            try:
                usage = await asyncio.to_thread(shutil.disk_usage, folder)
            except OSError as error:
                for gauge in (metrics.DISK_BYTES, metrics.DISK_FREE_BYTES):
                    gauge.remove(disk)
                log.warning("the disk %s cannot be measured: %s", disk, error)
            else:
                metrics.show(metrics.DISK_BYTES).labels(disk).set(usage.total)
                metrics.show(metrics.DISK_FREE_BYTES).labels(disk).set(usage.free)
        await asyncio.sleep(DISK_SECONDS)
