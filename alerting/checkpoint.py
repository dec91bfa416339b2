"""Watches in the database: a row a home, a row a partition, and the position, which are written as one.

What a home's detectors have learned stands in a row of its own, and is written with them, at most once a day.
"""

import asyncio
import contextlib
import gc
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from psycopg.types.json import Jsonb

from alerting.detectors.table import DETECTORS, Table
from alerting.partition import Partition, Time
from alerting.watch import VERSION, ShadowAlarm, Unreadable, Watch, unread
from pingan.clock import from_ms
from pingan.database import Connection, Database, Queries
from pingan.log import Consumer, Fenced
from pingan.messages import Alarm

log = logging.getLogger(__name__)
sql = Queries(__file__, "checkpoint.sql")

RESTORED_AT_ONCE = 200
"""Homes restored in one go, some 20 ms; then others of this process have a turn, the lease above all."""

_Routines = dict[tuple[str, str], bytes]
"""Detector and label → what it has learned."""


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

    @property
    def shadows(self) -> list[ShadowAlarm]:
        """The same of what versions in shadow have found."""
        return self.detection.shadows

    def check(self, consumer: Consumer) -> None:
        """Fenced when the partition was lost and taken again since: then this is not what the database holds now."""
        if consumer.epoch(self.partition) != self.epoch:
            raise Fenced(f"partition {self.partition} was taken again")

    @property
    def ready(self) -> bool:
        return self.position > self.stored and not self.unwritten and not self.shadows


@dataclass(frozen=True, slots=True)
class Captured:
    """What is to be written of a slot, as it stood at one moment. It may go on meanwhile."""

    slot: Slot
    position: int
    time: Time
    states: dict[str, bytes]
    """By home, of those that have changed."""
    routines: list[tuple[str, tuple[str, str], bytes]]

    def written(self) -> None:
        """It has been committed."""
        self.slot.stored = self.position
        watches = self.slot.detection.watches
        for home, key, routine in self.routines:
            if watches[home].unstored.get(key) is routine:
                del watches[home].unstored[key]

    def failed(self) -> None:
        """It has not: the next checkpoint writes it."""
        self.slot.detection.changed.update(self.states)


async def load(database: Database, partition: int, table: Table = DETECTORS) -> Partition:
    """The watches of a partition as they were at its checkpoint. Raises one of LOST."""
    async with database.connection() as connection:
        found = await (await connection.execute(sql.load_partition, {"partition": partition})).fetchone()
        rows = await (await connection.execute(sql.load_homes, {"partition": partition}, binary=True)).fetchall()
        routines = await _routines(connection, partition)
        time = Time(**found) if found else Time()
        now = Partition(time).now
        watches, lost = {}, []
        for first in range(0, len(rows), RESTORED_AT_ONCE):
            await asyncio.sleep(0)
            with _uncollected():
                for row in rows[first : first + RESTORED_AT_ONCE]:
                    home = row["home"]
                    learned = routines.pop(home, None)
                    try:
                        watches[home] = Watch.restore(home, row["version"], row["state"], now, learned, table)
                    except Unreadable as error:
                        log.error("home %s: its state cannot be read and begins anew: %s", home, error)
                        lost.append(home)
        for name, homes in unread(watches.values()).items():
            log.error("partition %d: %s cannot be read of %d homes and begins anew", partition, name, homes)
        if lost:
            await connection.execute(sql.tell_again, {"homes": lost})
    return Partition(time, watches, table)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """What is made in here is never looked through for cycles, of which it has none. Looking through the watches of a
    city's homes took Python half a second for each 5,000, now and then, with detection standing still.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


async def _routines(connection: Connection, partition: int) -> dict[str, _Routines]:
    found: dict[str, _Routines] = defaultdict(dict)
    cursor = await connection.execute(sql.load_routines, {"partition": partition}, binary=True)
    for row in await cursor.fetchall():
        found[row["home"]][row["detector"], row["label"]] = row["state"]
    return found


def capture(slot: Slot) -> Captured:
    """What has changed of `slot`. Whoever takes it says afterwards whether it was `written` or has `failed`."""
    watches, now = slot.detection.watches, slot.detection.now
    states, routines = {}, []
    for home in sorted(slot.detection.changed):
        watch = watches[home]
        # What has been learned first: then it need not stand in the state.
        routines += [(home, key, routine) for key, routine in watch.learned(now).items()]
        states[home] = watch.snapshot()
        for failure in watch.failures:
            log.error("home %s: %s could not be kept", home, failure.version, exc_info=failure.error)
        watch.failures = ()
    slot.detection.changed.clear()
    return Captured(slot, slot.position, slot.detection.time, states, routines)


async def write(database: Database, consumer: Consumer, captured: Sequence[Captured]) -> None:
    """One transaction: what has changed, and the positions. Raises one of LOST, or Fenced."""
    try:
        async with database.transaction() as connection:
            for one in captured:
                one.slot.check(consumer)
                await consumer.store(connection, one.slot.partition, one.position)
            await _write(connection, captured)
    except BaseException:
        for one in captured:
            one.failed()
        raise
    for one in captured:
        one.written()


async def _write(connection: Connection, captured: Sequence[Captured]) -> None:
    await connection.execute(
        sql.save_partitions,
        {
            "partitions": [one.slot.partition for one in captured],
            "at_ms": [one.time.at_ms for one in captured],
            "heard_ms": [one.time.heard_ms for one in captured],
            "epochs": [one.time.epoch for one in captured],
            "tick_ms": [one.time.tick_ms for one in captured],
            "deaf": [Jsonb(dict(one.time.deaf)) for one in captured],
        },
    )
    homes = [(one.slot.partition, home, state) for one in captured for home, state in one.states.items()]
    if homes:
        partitions, names, states = zip(*homes, strict=True)
        values = {"partitions": list(partitions), "homes": list(names), "states": list(states), "version": VERSION}
        await connection.execute(sql.save_homes, values)
    learned = [
        (home, *key, one.slot.partition, routine, from_ms(one.time.at_ms))
        for one in captured
        for home, key, routine in one.routines
    ]
    if learned:
        columns = ("homes", "detectors", "labels", "partitions", "states", "written_at")
        values = dict(zip(columns, map(list, zip(*learned, strict=True)), strict=True))
        await connection.execute(sql.save_routines, values)


async def save(database: Database, consumer: Consumer, slots: Iterable[Slot]) -> None:
    """Capture `slots` and write them."""
    await write(database, consumer, [capture(slot) for slot in slots])
