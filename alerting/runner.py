"""Readings through the watches into alarms.

Alarms are committed as they are made. Checkpoints follow in slices, each partition about every ten seconds: the homes
that have changed, the partition's time and its position, in one transaction. A crash at any point goes back to the
checkpoint and makes the same alarms again, under the same ids. Every transaction is fenced: a runner that was stopped
and wakes can do no harm.

On a driven clock a checkpoint follows every poll, so that a stored position says: up to here all is watched.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from alerting import alarms, checkpoint, command, shadow_alarms
from alerting.checkpoint import Slot
from alerting.detectors.table import DETECTORS, Table
from alerting.following import PAUSE_SECONDS, follow
from alerting.watch import ShadowAlarm
from pingan import metrics
from pingan.clock import Clock
from pingan.database import LOST, Database
from pingan.log import PARTITIONS, Consumer, Entry, Fenced, Lease, Polled, message_of
from pingan.messages import Alarm
from pingan.process import Process, State
from pingan.settings import Common

log = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 10.0
CHECKPOINT_SLOTS = 8
"""Partitions in one checkpoint at most, so that detection never waits long for it."""
FEED_ENTRIES = 1_000
"""Fed in one go, some 20 ms; then others of this process have a turn, the lease above all."""

T = TypeVar("T")


class Runner:
    """One process's share of the partitions of the log "readings"."""

    def __init__(
        self, database: Database, consumer: Consumer, clock: Clock, state: State, table: Table = DETECTORS
    ) -> None:
        self._database = database
        self._consumer = consumer
        self._clock = clock
        self._state = state
        self._table = table
        self._slots: dict[int, Slot] = {}
        self._writing: asyncio.Task[None] | None = None
        """A checkpoint that is under way."""

    async def run(self) -> None:
        await follow(self._consumer, self._state, self._handle, self._leave)

    def look(self) -> None:
        """Show how far behind detection's time is. Not shown while no partition is ours, or before its first tick."""
        times = [slot.detection.time.at_ms for slot in self._slots.values()]
        if times and (oldest_ms := min(times)):
            metrics.show(metrics.TICK_AGE_SECONDS).set(max(0, self._clock.now_ms() - oldest_ms) / 1000)
        else:
            metrics.hide(metrics.TICK_AGE_SECONDS)

    async def _handle(self, polled: Polled) -> None:
        for partition in polled.lost:
            self._slots.pop(partition, None)
        for lease in polled.taken:
            self._slots[lease.partition] = await self._load(lease)
        for batch in polled.batches:
            for first in range(0, len(batch.entries), FEED_ENTRIES):
                await self._feed(batch.partition, batch.entries[first : first + FEED_ENTRIES])
                await asyncio.sleep(0)
        await self._keep_what_is_due()

    async def _load(self, lease: Lease) -> Slot:
        detection = await _insist(lambda: checkpoint.load(self._database, lease.partition, self._table))
        # Each partition has its own moment within the ten seconds.
        due = self._clock.monotonic() + CHECKPOINT_SECONDS * lease.partition / PARTITIONS
        return Slot(lease.partition, lease.epoch, detection, lease.position, lease.position, due)

    async def _feed(self, partition: int, entries: Sequence[Entry]) -> None:
        slot = self._slots.get(partition)
        if slot is None:  # fenced, or lost while it was read
            return
        for entry in entries:
            try:
                slot.unwritten += slot.detection.feed(message_of(entry))
            except msgspec.DecodeError as error:
                await self._park(partition, entry, f"not a message: {error}")
            except Exception as error:  # a detector's mistake costs one entry, not the partition
                log.exception("partition %d: entry %d cannot be watched", partition, entry.position)
                await self._park(partition, entry, f"{type(error).__name__}: {error}")
            if slot.detection.failures:
                await self._tell_of_failures(slot, entry)
            slot.position = entry.position
        if slot.unwritten:
            await self._raise(slot)
        if slot.shadows:
            await self._keep_shadows(slot)

    async def _raise(self, slot: Slot) -> None:
        try:
            try:
                await _insist(lambda: self._insert(slot, slot.unwritten))
            except alarms.REFUSED:
                for alarm in slot.unwritten:
                    try:
                        await _insist(lambda alarm=alarm: self._insert(slot, [alarm]))  # type: ignore[misc]
                    except alarms.REFUSED as error:
                        entry = Entry(slot.position, msgspec.json.encode(alarm))
                        await self._park(slot.partition, entry, f"the database refuses the alarm: {error}")
            slot.unwritten.clear()
        except Fenced:
            self._forget(slot)

    async def _tell_of_failures(self, slot: Slot, entry: Entry) -> None:
        """A detector has failed on `entry`: that is kept for looking at. Whatever else was found has been found."""
        failures, slot.detection.failures = slot.detection.failures, []
        for one in failures:
            log.error("home %s: %s has failed", one.home, one.version, exc_info=one.error)
        first = failures[0]
        reason = f"{first.version} of home {first.home}: {type(first.error).__name__}: {first.error}"
        await self._park(slot.partition, entry, reason if len(failures) == 1 else f"{reason} (+{len(failures) - 1})")

    async def _keep_shadows(self, slot: Slot) -> None:
        """After what rings, and as carefully: a comparison from which a crash takes something is none."""
        found = list(slot.shadows)
        try:
            try:
                await _insist(lambda: self._insert_shadows(slot, found))
            except alarms.REFUSED:
                for shadow in found:
                    try:
                        await _insist(lambda shadow=shadow: self._insert_shadows(slot, [shadow]))  # type: ignore[misc]
                    except alarms.REFUSED as error:
                        entry = Entry(slot.position, msgspec.json.encode(shadow))
                        await self._park(slot.partition, entry, f"the database refuses the shadow alarm: {error}")
            slot.shadows.clear()
        except Fenced:
            self._forget(slot)

    async def _insert_shadows(self, slot: Slot, found: Sequence[ShadowAlarm]) -> None:
        async with self._database.transaction() as connection:
            slot.check(self._consumer)
            await self._consumer.fence(connection, slot.partition)
            await shadow_alarms.insert(connection, found, self._clock.now())

    async def _insert(self, slot: Slot, raised: list[Alarm]) -> None:
        async with self._database.transaction() as connection:
            slot.check(self._consumer)
            await self._consumer.fence(connection, slot.partition)
            new = await alarms.insert(connection, raised, self._clock.now())
        alarms.count(new)

    async def _park(self, partition: int, entry: Entry, reason: str) -> None:
        await _insist(lambda: self._consumer.park(partition, entry, reason))

    async def _keep_what_is_due(self) -> None:
        if self._clock.driven:
            await self._keep([slot for slot in self._slots.values() if slot.ready])
            return
        if self._writing is not None:
            if not self._writing.done():
                return
            self._writing.result()
            self._writing = None
        now = self._clock.monotonic()
        due = [slot for slot in self._slots.values() if slot.ready and slot.due <= now][:CHECKPOINT_SLOTS]
        if due:
            self._writing = asyncio.create_task(self._keep(due))

    async def _keep(self, slots: Sequence[Slot]) -> None:
        """Checkpoint `slots` together, as they stand at a moment of each one's own; detection may go on meanwhile. Each
        alone when one of them is somebody else's by now."""
        captured = []
        for slot in slots:
            if slot.ready and self._slots.get(slot.partition) is slot:
                captured.append(checkpoint.capture(slot))
                await asyncio.sleep(0)
        if not captured:
            return
        try:
            await checkpoint.write(self._database, self._consumer, captured)
        except Fenced:
            if len(captured) == 1:
                self._forget(captured[0].slot)
            else:
                for one in captured:
                    await self._keep([one.slot])
        except LOST as error:
            log.warning("the checkpoint of %d partitions waits: %s", len(captured), error)
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            for one in captured:
                one.slot.due = self._clock.monotonic() + CHECKPOINT_SECONDS

    def _forget(self, slot: Slot) -> None:
        log.warning("partition %d is somebody else's now", slot.partition)
        if self._slots.get(slot.partition) is slot:
            del self._slots[slot.partition]
        if self._consumer.epoch(slot.partition) == slot.epoch:
            self._consumer.drop(slot.partition)

    async def _leave(self) -> None:
        if self._writing is not None:
            await asyncio.wait([self._writing])
        await self._keep([slot for slot in self._slots.values() if slot.ready])


async def _insist(attempt: Callable[[], Awaitable[T]]) -> T:
    """Try until the database answers; meanwhile nothing goes past what is to be done."""
    while True:
        try:
            return await attempt()
        except LOST as error:
            log.debug("trying again: %s", error)
            await asyncio.sleep(PAUSE_SECONDS)


async def _main(settings: Common) -> None:
    process = Process(settings)
    process.state.expect("log")
    consumer = process.log("readings", wake=True).consumer("alerting", settings.name)
    runner = Runner(process.database, consumer, process.clock, process.state)
    process.exposition.look(runner.look)
    await process.run(runner.run)


def main(argv: list[str]) -> int:
    """`pingan alerting`."""
    return command.run(argv, "alerting", "Readings through the detectors into alarms.", _main)
