"""Watches in the database: a row a home, a row a partition, and the position, which are written as one."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from alerting.partition import Partition, Time
from alerting.watch import VERSION, Unreadable, Watch, unread
from pingan.database import Database, Queries
from pingan.log import Consumer, Fenced
from pingan.messages import Alarm

log = logging.getLogger(__name__)
sql = Queries(__file__, "checkpoint.sql")


@dataclass(slots=True)
class Slot:
    """A partition that is ours: its watches, and how far they have come."""

    partition: int
    epoch: int
    """Under which it was taken, and loaded."""
    detection: Partition
    position: int
    """Of the last entry that was fed."""
    stored: int
    """Of the last checkpoint."""
    due: float
    """When the next checkpoint is due, by this process's monotonic clock."""
    unwritten: list[Alarm] = field(default_factory=list)
    """Alarms that were made and are not committed yet. Until they are, no checkpoint may pass them."""

    def check(self, consumer: Consumer) -> None:
        """Fenced when the partition was lost and taken again since: then this is not what the database holds now."""
        if consumer.epoch(self.partition) != self.epoch:
            raise Fenced(f"partition {self.partition} was taken again")

    @property
    def ready(self) -> bool:
        return self.position > self.stored and not self.unwritten


async def load(database: Database, partition: int) -> Partition:
    """The watches of a partition as they were at its checkpoint. Raises one of LOST."""
    async with database.connection() as connection:
        found = await (await connection.execute(sql.load_partition, {"partition": partition})).fetchone()
        rows = await (await connection.execute(sql.load_homes, {"partition": partition}, binary=True)).fetchall()
        time = Time(**found) if found else Time()
        watches, lost = {}, []
        for row in rows:
            try:
                watches[row["home"]] = Watch.restore(row["home"], row["version"], row["state"], Partition(time).now)
            except Unreadable as error:
                log.error("home %s: its state cannot be read and begins anew: %s", row["home"], error)
                lost.append(row["home"])
        for name, homes in unread(watches.values()).items():
            log.error("partition %d: %s cannot be read of %d homes and begins anew", partition, name, homes)
        if lost:
            await connection.execute(sql.tell_again, {"homes": lost})
    return Partition(time, watches)


async def save(database: Database, consumer: Consumer, slots: Sequence[Slot]) -> None:
    """One transaction: what has changed of `slots`, and their positions. Raises one of LOST, or Fenced.

    Nothing may be fed to `slots` meanwhile.
    """
    times = [slot.detection.time for slot in slots]
    changed = [(home, slot) for slot in slots for home in sorted(slot.detection.changed)]
    async with database.transaction() as connection:
        for slot in slots:
            slot.check(consumer)
            await consumer.store(connection, slot.partition, slot.position)
        await connection.execute(
            sql.save_partitions,
            {
                "partitions": [slot.partition for slot in slots],
                "at_ms": [time.at_ms for time in times],
                "heard_ms": [time.heard_ms for time in times],
                "epochs": [time.epoch for time in times],
                "tick_ms": [time.tick_ms for time in times],
            },
        )
        if changed:
            await connection.execute(
                sql.save_homes,
                {
                    "version": VERSION,
                    "homes": [home for home, _ in changed],
                    "partitions": [slot.partition for _, slot in changed],
                    "states": [slot.detection.watches[home].snapshot() for home, slot in changed],
                },
            )
    for slot in slots:
        slot.detection.changed.clear()
        slot.stored = slot.position
