"""The driven clock: a step is answered when everything up to it has had its effect, and not before."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from device_sim.wire import protocol
from ingest.archive import Archive
from ingest.bridge import ALARM, TELEMETRY, House
from pingan.clock import DrivenClock
from pingan.database import Database
from pingan.log import PARTITIONS
from pingan.messages import Event, Reading, Tick
from pingan.postgres_log import PostgresLog
from tests.conftest import Broker, Until
from tests.integration.ingest_support import (
    SIMULATOR,
    Wire,
    admit_devices,
    fetch,
    fill_register,
    messages,
    running,
    settings,
)

BEGIN = datetime(2019, 5, 1, tzinfo=UTC)


class Readers:
    """Stand for those who read the logs in other rooms: they store the positions of all that they have read."""

    def __init__(self, url: str) -> None:
        self.database = Database(url, application="readers")
        self.may_read = asyncio.Event()
        self.may_read.set()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await self.database.open()
        clock = DrivenClock()
        for log, group in (("readings", "alerting"), ("urgent", "urgent"), ("readings", "archive")):
            consumer = PostgresLog(log, self.database, clock).consumer(group, "reader")
            self._tasks.append(asyncio.create_task(consumer.run()))
            if group == "archive":
                self._tasks.append(asyncio.create_task(self._archive(Archive(self.database, consumer))))
            else:
                self._tasks.append(asyncio.create_task(self._read(consumer)))

    async def _archive(self, archive: Archive) -> None:
        while True:
            await archive.once(0.02)

    async def _read(self, consumer: Any) -> None:
        while True:
            await self.may_read.wait()
            for batch in (await consumer.poll(0.02)).batches:
                async with self.database.transaction() as connection:
                    await consumer.store(connection, batch.partition, batch.entries[-1].position)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.database.close()


@pytest.fixture
async def readers(postgres_url: str) -> AsyncIterator[Readers]:
    readers = Readers(postgres_url)
    await readers.start()
    yield readers
    await readers.stop()


@pytest.fixture
async def simulator(
    database: Database, broker: Broker, postgres_url: str, readers: Readers, until: Until
) -> AsyncIterator[Wire]:
    await fill_register(database)
    admit_devices(broker)
    houses = [House(settings(broker, postgres_url, lane, lane, "driven"), lane) for lane in (ALARM, TELEMETRY)]
    async with running(houses[0]), running(houses[1]), Wire(broker, SIMULATOR) as wire:
        await until(lambda: all(house.state.ready and not house.state.describe()["detail"] for house in houses))
        yield wire


async def step(wire: Wire, until: Until, number: int, at: datetime) -> dict[str, Any]:
    await wire.say("clock", protocol.clock(at=at, step=number))

    def answer() -> dict[str, Any] | None:
        return next((one for one in wire.heard.get("clock", []) if one.get("step") == number), None)

    found = await until(answer)
    assert isinstance(found, dict)
    return found


async def test_a_step_is_answered_when_its_readings_are_archived(
    simulator: Wire, broker: Broker, database: Database, until: Until
) -> None:
    answer = await step(simulator, until, 1, BEGIN)
    assert datetime.fromisoformat(answer["at"]) == BEGIN
    async with Wire(broker, "H001-hub") as hub:
        for number in range(2, 6):
            at = BEGIN + timedelta(hours=number - 1)
            for seq in (2 * number, 2 * number + 1):
                early = at - timedelta(minutes=30)
                await hub.say("reading", protocol.reading(boot="b", seq=seq, at=early, kind="motion", value=True))
            await step(simulator, until, number, at)
            rows = await fetch(database, "select seq, clock, received_at from readings order by seq")
            assert [row["seq"] for row in rows] == list(range(4, 2 * number + 2))
            assert {row["clock"] for row in rows} == {None}
    ticks = await messages(database, "readings", Tick)
    assert [tick.heard_ms for tick in ticks[:: len(ticks) // 5]] == [0, 3_600_000, 3_600_000, 3_600_000, 3_600_000]
    assert len(ticks) == 5 * PARTITIONS
    (now,) = await fetch(database, "select at, step from driven_clock")
    assert (now["at"], now["step"]) == (BEGIN + timedelta(hours=4), 5)


async def test_a_step_waits_for_every_reader_of_the_log(
    simulator: Wire, readers: Readers, database: Database, until: Until
) -> None:
    await step(simulator, until, 1, BEGIN)
    readers.may_read.clear()
    waiting = asyncio.create_task(step(simulator, until, 2, BEGIN + timedelta(minutes=1)))

    async def ticks_are_there() -> bool:
        return len(await messages(database, "readings", Tick)) == 2 * PARTITIONS

    await until(ticks_are_there)
    assert not waiting.done()
    readers.may_read.set()
    await waiting


async def test_a_press_before_the_step_bears_the_time_before_it(
    simulator: Wire, broker: Broker, database: Database, until: Until
) -> None:
    await step(simulator, until, 1, BEGIN)
    async with Wire(broker, "H001-button") as button:
        pressed = BEGIN + timedelta(minutes=20)
        payload = protocol.alarm(event_id="e1", boot="b", seq=1, at=pressed, kind="sos", attempt=1)
        await button.say("alarm", payload)
        await step(simulator, until, 2, BEGIN + timedelta(hours=1))
        (event,) = await messages(database, "urgent", Event)
        assert event.received_ms == int(BEGIN.timestamp()) * 1000
        assert event.at_ms == int(pressed.timestamp()) * 1000
        await until(lambda: button.answers)


async def test_time_does_not_go_backward_nor_leap_and_rubbish_is_named(
    simulator: Wire, database: Database, until: Until
) -> None:
    await step(simulator, until, 1, BEGIN)
    refused = await step(simulator, until, 2, BEGIN - timedelta(seconds=1))
    assert "backward" in refused["error"]
    assert datetime.fromisoformat(refused["at"]) == BEGIN, "where to begin instead"
    assert "one hour" in (await step(simulator, until, 3, BEGIN + timedelta(hours=2)))["error"]
    await simulator.say("clock", b"noon")
    await until(lambda: any("error" in one and "step" not in one for one in simulator.heard["clock"]))
    assert "error" not in await step(simulator, until, 4, BEGIN)
    assert len(await messages(database, "readings", Tick)) == 2 * PARTITIONS


async def test_only_the_simulator_s_clock_counts(
    simulator: Wire, broker: Broker, database: Database, until: Until
) -> None:
    async with Wire(broker, "H001-hub") as hub:
        await hub.say("clock", protocol.clock(at=BEGIN, step=1))
        await hub.say("reading", protocol.reading(boot="b", seq=1, at=BEGIN, kind="motion", value=True))

        async def heard() -> bool:
            return bool(await messages(database, "readings", Reading))

        await until(heard)
    assert await messages(database, "readings", Tick) == []
