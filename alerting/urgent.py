"""The SOS lane: what devices report as alarms becomes alarms, at once, and waits behind nothing.

For each poll, in this order: the alarms are committed; the events are appended to the log "readings", where the
watches hear of them as context; the position is stored. A crash between any two repeats what came before, with the
same ids. Nothing is kept in memory from one poll to the next.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from alerting import alarms, command
from alerting.following import PAUSE_SECONDS, follow
from alerting.reported import alarm_of
from pingan import metrics
from pingan.clock import Clock
from pingan.database import LOST, Database
from pingan.log import Batch, Consumer, Entry, Fenced, Log, Polled, Record, message_of
from pingan.messages import Event, partition_of
from pingan.process import Process, State
from pingan.settings import Common

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """Events of one partition; when they have had their effect, everything up to `position` has."""

    partition: int
    items: list[tuple[Entry, Event]]
    position: int

    def parts(self) -> list["Work"]:
        """The same, an event at a time."""
        last = len(self.items) - 1
        return [
            Work(self.partition, [item], self.position if number == last else item[0].position)
            for number, item in enumerate(self.items)
        ]


class Urgent:
    """The runner of the log "urgent"."""

    def __init__(self, database: Database, consumer: Consumer, readings: Log, clock: Clock, state: State) -> None:
        self._database = database
        self._consumer = consumer
        self._readings = readings
        self._clock = clock
        self._state = state
        self._raise_seconds = metrics.show(metrics.RAISE_SECONDS)

    async def run(self) -> None:
        await follow(self._consumer, self._state, self._handle)

    async def _handle(self, polled: Polled) -> None:
        try:
            works = [await self._decode(batch) for batch in polled.batches]
            await self._do(works)
        except LOST as error:
            # Whatever was committed is only repeated; what was not is read again.
            log.warning("the database went away with %d partitions in hand: %s", len(polled.batches), error)
            for batch in polled.batches:
                self._consumer.rewind(batch.partition, batch.entries[0].position - 1)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _decode(self, batch: Batch) -> Work:
        items = []
        for entry in batch.entries:
            try:
                message = message_of(entry)
            except msgspec.DecodeError as error:
                await self._consumer.park(batch.partition, entry, f"not a message: {error}")
                continue
            if isinstance(message, Event):
                items.append((entry, message))
            else:
                await self._consumer.park(batch.partition, entry, f"{type(message).__name__} is no event")
        return Work(batch.partition, items, batch.entries[-1].position)

    async def _do(self, works: list[Work]) -> None:
        """All together, which is fastest; what goes wrong is tried again in smaller parts, so that it stays alone."""
        if not works:
            return
        try:
            await self._raise(works)
            await self._tell(works)
            await self._store(works)
        except Fenced:
            if len(works) == 1:
                log.warning("partition %d is somebody else's now", works[0].partition)
                self._consumer.drop(works[0].partition)
                return
            for work in works:
                await self._do([work])
        except alarms.REFUSED as error:
            await self._divide(works, error)

    async def _divide(self, works: list[Work], error: Exception) -> None:
        if len(works) > 1:
            for work in works:
                await self._do([work])
        elif len(works[0].items) > 1:
            for part in works[0].parts():
                await self._do([part])
        else:
            work = works[0]
            await self._consumer.park(work.partition, work.items[0][0], f"the database refuses the alarm: {error}")
            await self._do([Work(work.partition, [], work.position)])

    async def _raise(self, works: Iterable[Work]) -> None:
        now = self._clock.now()
        raised = [alarm_of(event) for work in works for _, event in work.items]
        if not raised:
            return
        async with self._database.transaction() as connection:
            for work in works:
                await self._consumer.fence(connection, work.partition)
            new = await alarms.insert(connection, raised, now)
        committed_ms = self._clock.now_ms()
        for alarm in new:
            self._raise_seconds.observe(max(0, committed_ms - alarm.received_ms) / 1000)
        alarms.count(new)

    async def _tell(self, works: Iterable[Work]) -> None:
        await self._readings.append(
            [
                Record(partition_of(event.home, event.device), entry.body)
                for work in works
                for entry, event in work.items
            ]
        )

    async def _store(self, works: Iterable[Work]) -> None:
        async with self._database.transaction() as connection:
            for work in works:
                await self._consumer.store(connection, work.partition, work.position)


async def _main(settings: Common) -> None:
    process = Process(settings)
    process.state.expect("log")
    consumer = process.log("urgent", wake=True).consumer("urgent", settings.name)
    readings = process.log("readings")
    await process.run(Urgent(process.database, consumer, readings, process.clock, process.state).run)


def main(argv: list[str]) -> int:
    """`pingan urgent`."""
    return command.run(argv, "urgent", "Ringing events into alarms, at once.", _main)
