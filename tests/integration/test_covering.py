"""Of which areas nothing is heard, with a real register and broker: what outlives a restart, and what ticks say."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from psycopg.types.json import Jsonb

from device_sim.wire import protocol
from ingest.bridge import ALARM, TELEMETRY, House
from ingest.coverage import HOURS, LONGEST, SUPERVISED, WINDOWS, Usual
from ingest.covering import Covering
from pingan import metrics
from pingan.clock import DrivenClock, to_ms
from pingan.database import Bell, Database
from pingan.local.mosquitto_password import hash_password
from pingan.messages import Reading, Tick
from tests.conftest import Broker, Until
from tests.integration.ingest_support import (
    DEVICES,
    PASSWORD,
    SIMULATOR,
    Wire,
    fetch,
    fill_register,
    messages,
    running,
    settings,
)
from tests.integration.test_ingest_driven import Readers, readers, step

__all__ = ["readers"]

BEGIN = datetime(2026, 3, 2, 2, tzinfo=UTC)
MINUTE = 60_000
HOMES = 12
SENSORS = [f"V{number}-pir" for number in range(HOMES)]
USUAL = Usual([[14] * HOURS for _ in range(SUPERVISED + 1)], [[0.9] * HOURS for _ in range(SUPERVISED + 1)])
VILLAGE = f"""
insert into areas (code, name, level, parent) values ('3501', '龙文区', 'district', '35');
insert into homes (id, area, address) select 'V' || n, '3501', '村' || n from generate_series(0, {HOMES - 1}) n;
insert into devices (id, home, kind, heartbeat_seconds, enrolled_at)
    select 'V' || n || '-pir', 'V' || n, 'motion', 90000, '2026-01-01Z' from generate_series(0, {HOMES - 1}) n;
"""


async def furnish(database: Database) -> None:
    await fill_register(database)
    async with database.connection() as connection:
        await connection.execute(VILLAGE)
        await connection.execute(
            "insert into coverage (area, known, deaf, kept_at) select code, %s, false, %s from areas",
            (Jsonb(msgspec.to_builtins(USUAL)), BEGIN),
        )


@pytest.fixture
async def register(database: Database) -> Database:
    await furnish(database)
    return database


def readings(at_ms: int) -> list[Reading]:
    return [Reading(sensor, "b", at_ms, at_ms, at_ms, "motion", True) for sensor in SENSORS]


class Lane:
    """A lane's coverage, minute by minute."""

    def __init__(self, database: Database, clock: DrivenClock) -> None:
        self.covering = Covering(database, clock, Bell())
        self.clock = clock

    def minutes(self, count: int, *, heard: bool = True, kind: str = "motion") -> Tick:
        tick = Tick(0, 0, 1)
        for _ in range(count):
            now_ms = self.clock.now_ms()
            if heard:
                self.covering.heard(msgspec.structs.replace(one, kind=kind) for one in readings(now_ms))
            self.clock.advance(now_ms + MINUTE)
            tick = self.covering.told(Tick(now_ms + MINUTE, MINUTE, 1))
        return tick


async def test_what_is_usual_and_what_is_deaf_outlive_a_restart(register: Database, driven: DrivenClock) -> None:
    lane = Lane(register, driven)
    await lane.covering.begin()
    lane.minutes(1)
    assert lane.minutes(LONGEST + 130).deaf == ()
    tick = lane.minutes(WINDOWS[1] + 1, heard=False)
    assert tick.deaf == ("35",), "the widest"
    assert tick.lacks["35"][:2] == (HOMES, 0)
    assert metrics.AREAS_DEAF._value.get() == 1
    await lane.covering.keep()
    rows = await fetch(register, "select area, deaf from coverage order by area")
    assert [(row["area"], row["deaf"]) for row in rows] == [("35", True), ("3501", True)]
    another = Lane(register, driven)
    await another.covering.begin()
    tick = another.minutes(30, heard=False)
    assert (tick.deaf, tick.lacks) == (("35",), {}), "and why, nobody knows any more"
    assert another.minutes(30, kind="availability").deaf == ("35",), "a gateway's word is nobody's voice"
    assert another.minutes(WINDOWS[1]).deaf == ()
    await another.covering.keep()
    assert await fetch(register, "select area from coverage where deaf") == []


async def test_what_cannot_be_read_is_learned_anew(register: Database, driven: DrivenClock) -> None:
    async with register.connection() as connection:
        await connection.execute("update coverage set known = '{\"days\": 5}'")
    lane = Lane(register, driven)
    await lane.covering.begin()
    assert lane.minutes(30).deaf == ()


@asynccontextmanager
async def lanes(broker: Broker, url: str, until: Until) -> AsyncIterator[Wire]:
    houses = [House(settings(broker, url, lane, lane, "driven"), lane) for lane in (ALARM, TELEMETRY)]
    async with running(houses[0]), running(houses[1]), Wire(broker, SIMULATOR) as wire:
        await until(lambda: all(house.state.ready and not house.state.describe()["detail"] for house in houses))
        yield wire


async def test_ticks_say_it_on_the_driven_clock(
    register: Database, broker: Broker, postgres_url: str, readers: Readers, until: Until
) -> None:
    passwords = hash_password(PASSWORD)
    broker.mosquitto.write_users({name: passwords for name in (*DEVICES, *SENSORS)})
    assert broker.mosquitto.reload(broker.process)
    async with AsyncExitStack() as stack:
        sensors = [await stack.enter_async_context(Wire(broker, name)) for name in SENSORS]
        async with lanes(broker, postgres_url, until) as wire:
            await step(wire, until, 1, BEGIN)
            for number, minutes in ((2, 1), (3, 11), (4, 25)):
                if number < 4:
                    for sensor in sensors:
                        frame = protocol.reading(boot="b", seq=number, at=BEGIN, kind="motion", value=True)
                        await sensor.say("reading", frame)
                await step(wire, until, number, BEGIN + timedelta(minutes=minutes))
        # Another process takes over, and knows.
        async with lanes(broker, postgres_url, until) as wire:
            await step(wire, until, 5, BEGIN + timedelta(minutes=26))
    ticks = await messages(register, "readings", Tick)
    assert {(tick.at_ms - to_ms(BEGIN)) // MINUTE: tick.deaf for tick in ticks} == {
        0: (), 1: (), 11: (), 25: ("35",), 26: ("35",),
    }  # fmt: skip
