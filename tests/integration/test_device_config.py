"""Devices are told what to go by: retained at a real broker, again when its store came back older, and in force."""

import asyncio
import contextlib
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from care import device_config
from care.device_config import DeviceConfig, Reminder, Wanted
from care.refusal import Refusal
from device_sim.wire.button import Button
from dispatch.configuring import Configuring
from ingest.heard import LastHeard
from ingest.rows import Row
from pingan.clock import SystemClock
from pingan.database import Bell, Database, Listener
from pingan.settings import Mqtt
from pingan.tasks import end
from tests.conftest import Broker, Until
from tests.integration.ingest_support import PASSWORD, Wire, admit_devices, fill_register

SHANGHAI = ZoneInfo("Asia/Shanghai")
QUIET = Wanted(900, 2, Reminder(3, 10), hold_seconds=3)


@pytest.fixture
async def telling(database: Database, broker: Broker, postgres_url: str) -> AsyncIterator[None]:
    await fill_register(database)
    admit_devices(broker)
    settings = Mqtt(
        database_url=postgres_url, name="dispatch-1", mqtt_host=broker.host, mqtt_port=broker.port,
        mqtt_user="dispatch", mqtt_password=broker.password("dispatch"),
    )  # fmt: skip
    listener = Listener(database)
    bell = listener.bell("device_config", "self_test")
    configuring = Configuring(settings, database, SystemClock(), SHANGHAI)
    tasks = [asyncio.create_task(listener.run()), asyncio.create_task(configuring.run(bell, Bell()))]
    try:
        yield
        for task in tasks:
            assert not task.done(), task.exception()
    finally:
        await end(tasks)


async def one(database: Database, device: str = "H001-button") -> DeviceConfig:
    async with database.connection() as connection:
        found = await device_config.read(connection, device)
    assert found is not None
    return found


async def change(database: Database, wanted: Wanted, device: str = "H001-button") -> DeviceConfig:
    async with database.connection() as connection:
        found = await device_config.change(connection, device, wanted, SystemClock().now())
    assert found is not None
    return found


async def execute(database: Database, statement: str, *parameters: Any) -> list[dict[str, Any]]:
    async with database.connection() as connection:
        cursor = await connection.execute(statement, parameters)
        return await cursor.fetchall() if cursor.description else []


def sent(database: Database, device: str = "H001-button") -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return (await one(database, device)).state == "sent"

    return look


def heard(wire: Wire, **wanted: Any) -> Callable[[], bool]:
    """The last that `wire` was told names `wanted`."""
    return lambda: wanted.items() <= (wire.heard.get("config") or [{}])[-1].items()


@pytest.mark.usefixtures("telling")
async def test_a_device_is_told_at_once_whenever_it_comes_and_of_each_change(
    database: Database, broker: Broker, until: Until
) -> None:
    await until(sent(database))
    async with Wire(broker, "H001-button") as wire:
        await until(heard(wire, revision=1, heartbeat_seconds=90, volume=5, reminder=None, hold_seconds=0))
        changed = await change(database, QUIET)
        assert (changed.state, changed.heartbeat_seconds, changed.volume) == ("waiting", 900, 2)
        reminder = {"weekday": 3, "hour": 10, "utc_offset_minutes": 480}
        await until(heard(wire, revision=changed.revision, heartbeat_seconds=900, volume=2, reminder=reminder))
        assert (await change(database, QUIET)).revision == changed.revision, "the same again is no change"
    (home,) = await execute(database, "select revision from homes where id = 'H001'")
    assert home["revision"] > 1, "detection hears of the level"
    await execute(database, "update devices set heartbeat_seconds = 180 where id = 'H001-button'")
    async with Wire(broker, "H001-button") as wire:
        await until(heard(wire, heartbeat_seconds=180, volume=2))
    await execute(database, "delete from devices where id = 'H002-button'")
    await until(lambda: gone(database))
    async with Wire(broker, "H002-button") as wire, Wire(broker, "H002-hub") as other:
        await until(lambda: other.heard.get("config"))
        assert not wire.heard.get("config"), "of a device that is gone the broker keeps nothing"


async def gone(database: Database) -> bool:
    return not await execute(database, "select 1 from device_configs where device = 'H002-button'")


@pytest.mark.usefixtures("telling")
async def test_a_simulated_button_goes_by_it_and_says_so(database: Database, broker: Broker, until: Until) -> None:
    button = Button("H001-button", PASSWORD, host=broker.host, port=broker.port)
    button.open()
    try:
        await until(lambda: button.config == 1)
        changed = await change(database, QUIET)
        await until(lambda: button.config == changed.revision)
        assert (button.heartbeat_seconds, button.volume, button.hold_seconds) == (900, 2, 3)
        assert button.reminder is not None
        assert (button.reminder.weekday, button.reminder.hour) == (3, 10)
    finally:
        await button.close()


class AlmostTen(Button):
    """Its clock shows a moment before ten o'clock in Shanghai on a Wednesday, until it knows when to remind."""

    def now(self) -> datetime:
        passed = 0.0
        if self.reminder is not None:
            loop = asyncio.get_running_loop()
            self.began = getattr(self, "began", loop.time())
            passed = loop.time() - self.began
        return datetime(2026, 11, 18, 1, 59, 59, 900_000, tzinfo=UTC) + timedelta(seconds=passed)


@pytest.mark.usefixtures("telling")
async def test_a_simulated_button_reminds_at_its_hour_and_its_person_presses(
    database: Database, broker: Broker, until: Until
) -> None:
    await change(database, QUIET)
    button = AlmostTen("H001-button", PASSWORD, host=broker.host, port=broker.port)
    button.open()
    try:
        await until(lambda: button.reminded)
        assert [(press.kind, press.test) for press in button.presses.values()] == [("sos", True)]
    finally:
        await button.close()


async def test_what_the_device_says_it_runs_is_in_force(database: Database, clock: SystemClock) -> None:
    await fill_register(database)
    last_heard, now = LastHeard(database), clock.now()
    row = Row(
        at=now, received_at=now, device="H001-button", home="H001", boot="b1", seq=1, kind="status", sensor=None,
        value=None, detail={"faults": [], "config": 1}, clock=None, device_at=None,
    )  # fmt: skip
    last_heard.note(row)
    await last_heard.write()
    assert (await one(database)).state == "in_force"
    assert (await change(database, QUIET)).state == "waiting"
    last_heard.note(row._replace(detail={"faults": []}))
    await last_heard.write()
    assert (await one(database)).reported_revision == 1, "a status that names none takes nothing back"


@pytest.mark.usefixtures("telling")
async def test_a_broker_whose_store_is_older_or_empty_is_told_again(
    database: Database, broker: Broker, until: Until
) -> None:
    store = broker.mosquitto.folder / "mosquitto.db"
    older = store.with_name("older")
    await until(sent(database))
    stop(broker, signal.SIGTERM)  # its store is whole
    shutil.copy(store, older)
    start(broker)
    changed = await change(database, QUIET)
    await until(sent(database))
    stop(broker, signal.SIGKILL)
    shutil.copy(older, store)
    start(broker)
    async with Wire(broker, "H001-button") as wire:
        await until(heard(wire, revision=changed.revision))
    await until(sent(database))
    before = await numbers(database)
    stop(broker, signal.SIGKILL)
    store.unlink()
    start(broker)
    async with Wire(broker, "H001-button") as wire, Wire(broker, "H002-hub") as other:
        await until(heard(wire, revision=changed.revision))
        await until(heard(other, revision=1))

    async def all_were_told_again() -> bool:
        now = await numbers(database)
        return before.keys() == now.keys() and all(number > before[device] for device, number in now.items())

    await until(all_were_told_again)  # what is heard already is committed a moment later


@pytest.mark.usefixtures("telling")
async def test_a_store_that_is_whole_costs_nothing(database: Database, broker: Broker, until: Until) -> None:
    await until(sent(database))
    await until(lambda: marked(broker))
    before = await numbers(database)
    stop(broker, signal.SIGTERM)
    start(broker)
    changed = await change(database, QUIET)
    await until(sent(database))
    after = await numbers(database)
    assert {device for device in after if after[device] != before[device]} == {"H001-button"}
    assert changed.revision > 1


def marked(broker: Broker) -> bool:
    """The broker has saved the mark: it writes its store each second."""
    with contextlib.suppress(FileNotFoundError):
        return b"down/mark" in (broker.mosquitto.folder / "mosquitto.db").read_bytes()
    return False


async def numbers(database: Database) -> dict[str, int]:
    rows = await execute(database, "select device, published_number from device_configs")
    return {row["device"]: row["published_number"] for row in rows}


def stop(broker: Broker, number: signal.Signals) -> None:
    broker.process.send_signal(number)
    broker.process.wait(20)


def start(broker: Broker) -> None:
    broker.process = broker.mosquitto.start()
    broker.mosquitto.ready(20)


async def test_what_cannot_be_told_is_refused_by_name(database: Database) -> None:
    await fill_register(database)
    await execute(
        database,
        "insert into devices (id, home, kind, gateway, address, enrolled_at)"
        " values ('zigbee', 'H001', 'button', 'H001-hub', '0x01', '2026-01-01Z')",
    )
    async with database.connection() as connection:
        now = SystemClock().now()
        for device, wanted, reason in (
            ("zigbee", QUIET, "config_behind_gateway"),
            ("H001-button", Wanted(91, 2), "not_one_of"),
            ("H001-button", Wanted(90, 11), "out_of_range"),
            ("H001-button", Wanted(90, 2, Reminder(0, 10)), "out_of_range"),
            ("H001-button", Wanted(90, 2, Reminder(1, 24)), "out_of_range"),
        ):
            with pytest.raises(Refusal) as refused:
                await device_config.change(connection, device, wanted, now)
            assert refused.value.reason == reason
        assert await device_config.change(connection, "nobody", QUIET, now) is None
        assert await device_config.read(connection, "H001-button", "36") is None, "outside the asker's area"
