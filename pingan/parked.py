"""Entries of a log that nobody can read or act on: kept, counted, and passed over."""

import logging

from pingan import metrics
from pingan.clock import Clock
from pingan.database import Database, Queries
from pingan.log import Entry

log = logging.getLogger(__name__)
sql = Queries(__file__, "parked.sql")


async def park(
    database: Database, clock: Clock, log_name: str, consumer: str, partition: int, entry: Entry, reason: str
) -> None:
    """Set `entry` aside; doing it twice is doing it once. Raises one of LOST when the database is away."""
    log.error("%s: entry %d of partition %d is parked: %s", consumer, entry.position, partition, reason)
    parameters = {
        "log": log_name,
        "consumer": consumer,
        "partition": partition,
        "position": entry.position,
        "now": clock.now(),
        "reason": reason,
        "body": entry.body,
    }
    async with database.connection() as connection:
        parked = await connection.execute(sql.park, parameters)
    group = consumer.rpartition("/")[2]
    metrics.show(metrics.PARKED).labels(log_name, group).inc(parked.rowcount)
