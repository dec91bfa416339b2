"""A village loses its power, and the platform its broker: what the desk sees of each."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.async_api import expect

from device_sim.wire import protocol
from device_sim.wire.device import Device
from dispatch.desk import Desk
from dispatch.service import intake, losses
from ingest.archive import Archive
from ingest.bridge import ALARM, TELEMETRY, House
from pingan.clock import DrivenClock, to_ms
from pingan.database import Database, Listener
from pingan.local.mosquitto_password import hash_password
from pingan.postgres_log import PostgresLog
from pingan.tasks import end
from tests import alerting_support
from tests.conftest import Broker, Until
from tests.integration.ingest_support import PASSWORD, SIMULATOR, Wire, running, settings
from tests.stories.conftest import Sit
from tests.stories.support import House as Platform

HOMES = 200
BEGIN = datetime(2026, 9, 21, tzinfo=UTC)
LEVEL_SECONDS = 90
HOLD_SECONDS = 60

VILLAGE = f"""
insert into areas values ('4407030101', '棠下村', 'village', '440703');
insert into homes (id, area, address)
    select 'V' || n, '4407030101', '棠下' || n || '号' from generate_series(1, {HOMES}) n;
insert into devices (id, home, kind, enrolled_at) select id || '-hub', id, 'hub', '2026-01-01Z' from homes
    where id like 'V%' or id = 'H003';
"""
DEVICES = [*(f"V{number}-hub" for number in range(1, HOMES + 1)), "H003-hub"]


class Village:
    """Devices of the village and one elsewhere, on a time that the test drives."""

    def __init__(self, broker: Broker, wire: Wire, until: Until) -> None:
        self._wire, self._until, self._step = wire, until, 0
        self.at = BEGIN
        self.devices = [Device(name, PASSWORD, host=broker.host, port=broker.port, lasting=False) for name in DEVICES]

    async def plug(self) -> None:
        for device in self.devices:
            device.connection.plug()
        await asyncio.gather(*(device.connection.connected.wait() for device in self.devices))

    async def __aenter__(self) -> "Village":
        for device in self.devices:
            device.connection.open()
        await asyncio.gather(*(device.connection.connected.wait() for device in self.devices))
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(device.connection.close() for device in self.devices))

    def cut(self) -> None:
        for device in self.devices:
            device.connection.unplug()

    async def say(self) -> None:
        """Everyone's heartbeat, in the broker's hands."""
        said = [device.send_status(self.at) for device in self.devices if device.connection.plugged]
        await asyncio.gather(*(one for one in said if one is not None))

    async def go_on(self, seconds: float) -> None:
        """Let time pass; the platform answers when all that was due has had its effect."""
        self._step += 1
        self.at += timedelta(seconds=seconds)
        number = self._step
        await self._wire.say("clock", protocol.clock(at=self.at, step=number))

        def answer() -> dict[str, Any] | None:
            return next((one for one in self._wire.heard.get("clock", []) if one.get("step") == number), None)

        answered = await self._until(answer)
        assert isinstance(answered, dict)
        assert "error" not in answered, answered


@asynccontextmanager
async def dispatching(url: str, clock: DrivenClock) -> AsyncIterator[None]:
    """Intake and grouping, as `pingan dispatch` runs them, and the clock that this and detection go by."""
    database = Database(url, connections=6, application="dispatch")
    await database.open()
    listener, desk = Listener(database), Desk(database, clock)

    def hear(payload: str | None) -> None:
        if payload is not None and int(payload) > clock.now_ms():
            clock.advance(int(payload))

    listener.subscribe("clock", hear)
    bells = listener.bell("alarm", "clock"), listener.bell("alarm", "clock")
    work = [listener.run(), intake(desk, clock, bells[0]), losses(desk, bells[1])]
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        await end(tasks)
        await database.close()


@asynccontextmanager
async def archiving(url: str, clock: DrivenClock) -> AsyncIterator[None]:
    database = Database(url, application="archive")
    await database.open()
    consumer = PostgresLog("readings", database, clock).consumer("archive", "archive")
    archive = Archive(database, consumer)

    async def run() -> None:
        while True:
            await archive.once(0.02)

    tasks = [asyncio.create_task(consumer.run()), asyncio.create_task(run())]
    try:
        yield
    finally:
        await end(tasks)
        await database.close()


async def test_a_village_that_loses_its_power_is_one_row_on_the_board_and_goes_by_itself(
    house: Platform, sit: Sit, broker: Broker, postgres_url: str, until: Until
) -> None:
    async with house.database.connection() as connection:
        await connection.execute(VILLAGE)
    broker.mosquitto.write_users(dict.fromkeys([SIMULATOR, *DEVICES], hash_password(PASSWORD)))
    assert broker.mosquitto.reload(broker.process)
    clock = DrivenClock(to_ms(BEGIN))
    async with AsyncExitStack() as stack:
        houses = [House(settings(broker, postgres_url, lane, lane, "driven"), lane) for lane in (ALARM, TELEMETRY)]
        for part in (*(running(one) for one in houses), alerting_support.urgent(postgres_url, clock),
                     alerting_support.watching(postgres_url, clock), archiving(postgres_url, clock),
                     dispatching(postgres_url, clock)):  # fmt: skip
            await stack.enter_async_context(part)
        await until(lambda: all(one.state.ready and not one.state.describe()["detail"] for one in houses))
        wire = await stack.enter_async_context(Wire(broker, SIMULATOR))
        village = await stack.enter_async_context(Village(broker, wire, until))

        async def rows(query: str) -> list[dict[str, Any]]:
            async with house.database.connection() as connection:
                return await (await connection.execute(query)).fetchall()

        await village.go_on(0)
        for _ in range(2):
            await village.say()
            await village.go_on(LEVEL_SECONDS)
        village.cut()
        cut_at = village.at
        for _ in range(3):
            await village.go_on(LEVEL_SECONDS)
        lost = await rows("select kind, count(*) as n from alarms group by kind")
        assert lost == [{"kind": "heartbeat_lost", "n": len(DEVICES)}]
        assert await rows("select 1 from incidents") == [], "held, and the clock went on all the same"
        await village.go_on(HOLD_SECONDS)

        group, alone = await rows(
            "select id, grouped_of, home, opened_at,"
            " (select count(*) from alarms where incident = incidents.id) as rows from incidents order by grouped_of"
        )
        assert (group["grouped_of"], group["rows"]) == ("4407030101", HOMES)
        assert (alone["home"], alone["rows"]) == ("H003", 1)
        assert group["opened_at"] - cut_at <= timedelta(seconds=3 * LEVEL_SECONDS + HOLD_SECONDS)

        seat = await sit(language="en")
        row = seat.page.locator(f"#i-{group['id']}")
        await expect(row).to_contain_text(f"{HOMES} devices, 0 are back")
        await expect(row).to_contain_text("棠下村")
        await expect(row).to_have_attribute("data-danger", "0")
        await expect(seat.page.locator(f"#i-{alone['id']}")).to_contain_text("H003-hub")
        await seat.open(f"/incidents/{group['id']}")
        await expect(seat.page.locator("#silent-rows li")).to_have_count(HOMES)

        await village.plug()
        await village.say()
        await village.go_on(LEVEL_SECONDS)
        await expect(seat.page.locator("#incident [data-part=now]")).to_contain_text("closed by itself")
        await expect(seat.page.locator("#silent-rows li[data-back='1']")).to_have_count(HOMES)
        closed = await rows("select state, body->'closing'->>'outcome' as outcome from incidents")
        assert closed == [{"state": "closed", "outcome": "restored"}] * 2
        assert await rows("select 1 from alarms where kind = 'heartbeat_lost' and restored_at is null") == []
        await seat.open("/")
        await expect(seat.page.locator("#empty")).to_be_visible()


async def test_a_platform_that_cannot_hear_says_so_on_the_board_until_it_hears(
    house: Platform, sit: Sit, broker: Broker, postgres_url: str, until: Until
) -> None:
    seat = await sit(language="en")
    deaf, areas = (seat.page.locator(f"[data-deaf={what}]") for what in ("alarm", "areas"))
    async with AsyncExitStack() as stack:
        for lane in (ALARM, TELEMETRY):
            one = House(settings(broker, postgres_url, lane, lane), lane)
            await stack.enter_async_context(running(one))
            await until(lambda one=one: one.hears)  # type: ignore[misc]
        await seat.live()
        await expect(deaf).to_be_hidden()
        await expect(areas).to_be_hidden()
        async with house.database.connection() as connection:
            await connection.execute("insert into coverage values ('44', '{}', true, '2026-03-01Z')")
            await expect(areas).to_be_visible()
            await expect(areas).to_contain_text("Next to nothing is heard of a whole area")
            await connection.execute("update coverage set deaf = false")
        await expect(areas).to_be_hidden()
        broker.process.terminate()
        await asyncio.to_thread(broker.process.wait, 10)
        await expect(deaf).to_be_visible()
        await expect(deaf).to_contain_text("The platform cannot hear the devices")
        await expect(seat.page.locator("#stale")).to_be_hidden()
        again = broker.mosquitto.start()
        try:
            await expect(deaf).to_be_hidden()
        finally:
            again.terminate()
            await asyncio.to_thread(again.wait, 10)
    async with house.database.connection() as connection:
        assert await (await connection.execute("select kind from alarms")).fetchall() == []
