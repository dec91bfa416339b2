"""Entries of a log that nobody can read or act on: kept, counted, and passed over."""

import logging

from pingan import metrics
from pingan.clock import Clock
from pingan.database import Database, Queries
from pingan.log import Entry

log = logging.getLogger(__name__)
sql = Queries(__file__, "parked.sql")

SPOILED = "spoiled"
"""The log itself cannot give it any more: a disk, or somebody else who writes there."""
REFUSED = "refused"
"""It is whole, and whoever reads it can make nothing of it."""

REASON_CHARACTERS = 2_000
"""More of a reason helps nobody; what it quotes may be as long as the entry, which is kept whole beside it."""


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
        # It may quote what it is about, and PostgreSQL holds no NUL in a text, nor half a character.
        "reason": reason[:REASON_CHARACTERS].replace("\0", "\ufffd").encode("utf-8", "replace").decode(),
        "body": entry.body,
    }
    async with database.connection() as connection:
        parked = await connection.execute(sql.park, parameters)
    group = consumer.rpartition("/")[2]
    named = SPOILED if entry.fault is not None else REFUSED
    metrics.show(metrics.PARKED).labels(log_name, group, named).inc(parked.rowcount)
