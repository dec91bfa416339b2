"""A small register, its devices at the broker, and bridges of ours between them and the log."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, Self

import msgspec

from device_sim.wire import protocol
from device_sim.wire.connection import Connection
from ingest.bridge import House
from pingan.database import Database
from pingan.local.mosquitto_password import hash_password
from pingan.messages import Message, decode
from pingan.settings import Mqtt
from tests.conftest import Broker

SIMULATOR = "sim-clock"
DEVICES: dict[str, str | None] = {
    "H001-button": "H001",
    "H001-hub": "H001",
    "H002-button": "H002",
    "H002-hub": "H002",
    "spare-button": None,
    "stranger": None,
    SIMULATOR: None,
}
"""All of them have a password at the broker; `stranger` is not in the register."""
PASSWORD = "a password of the tests"
_HASH = hash_password(PASSWORD)


async def fill_register(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute("insert into areas (code, name, level) values ('35', '漳州市', 'city')")
        for home in ("H001", "H002"):
            await connection.execute("insert into homes (id, area, address) values (%s, '35', '街1号')", (home,))
        for device, its_home in DEVICES.items():
            if device not in ("stranger", SIMULATOR):
                await connection.execute(
                    "insert into devices (id, home, kind, enrolled_at) values (%s, %s, %s, '2026-01-01Z')",
                    (device, its_home, device.partition("-")[2]),
                )


def admit_devices(broker: Broker) -> None:
    broker.mosquitto.write_users({device: _HASH for device in DEVICES})
    assert broker.mosquitto.reload(broker.process)


def settings(broker: Broker, url: str, lane: str, name: str, clock: str = "system") -> Mqtt:
    user = f"ingest-{lane}"
    return Mqtt(
        database_url=url,
        name=name,
        clock=clock,
        mqtt_host=broker.host,
        mqtt_port=broker.port,
        mqtt_user=user,
        mqtt_password=broker.password(user),
    )


@contextlib.asynccontextmanager
async def running(house: House) -> AsyncIterator[House]:
    """A bridge in this process, without the signal handlers of a process of its own. Its errors end the test."""
    await house.database.open()
    await house.database.wait()
    house.state.well("database")
    work: list[Callable[[], Coroutine[Any, Any, None]]] = [house.process.listener.run, *house.parts()]
    parts = [asyncio.create_task(part()) for part in work]
    try:
        yield house
        for part in parts:
            if part.done():
                part.result()
    finally:
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        await house.database.close()


def start_bridge(broker: Broker, url: str, lane: str, name: str, data: Path) -> subprocess.Popen[bytes]:
    """A bridge in a process of its own, to be stopped, woken and killed."""
    user = f"ingest-{lane}"
    environment = os.environ | {
        "PINGAN_DATABASE_URL": url,
        "PINGAN_NAME": name,
        "PINGAN_DATA": str(data),
        "PINGAN_MQTT_PORT": str(broker.port),
        "PINGAN_MQTT_USER": user,
        "PINGAN_MQTT_PASSWORD": broker.password(user),
    }
    return subprocess.Popen([sys.executable, "-m", "pingan", "ingest", "--lane", lane], env=environment)


class Wire:
    """A device's own client, which shares no code with the platform; what it hears is kept by channel."""

    def __init__(self, broker: Broker, device: str) -> None:
        self.device = device
        self.heard: dict[str, list[dict[str, Any]]] = {}
        self.connection = Connection(
            host=broker.host,
            port=broker.port,
            user=device,
            password=PASSWORD,
            client_id=device,
            subscribe=protocol.down(device),
            on_message=self._message,
        )

    async def __aenter__(self) -> Self:
        self.connection.open()
        await self.connection.connected.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.connection.close()

    def _message(self, topic: str, payload: bytes) -> None:
        self.heard.setdefault(topic.rpartition("/")[2], []).append(msgspec.json.decode(payload))

    @property
    def answers(self) -> list[dict[str, Any]]:
        return self.heard.get("ack", [])

    async def say(self, channel: str, payload: bytes) -> None:
        """Publish; returns when the broker has it."""
        future = self.connection.publish(protocol.up(self.device, channel), payload)
        assert future is not None
        async with asyncio.timeout(60):
            await future


async def entries(database: Database, log: str) -> list[tuple[int, int, Message]]:
    """Everything in the log: partition, position, message."""
    async with database.connection() as connection:
        rows = await (
            await connection.execute(
                "select partition, last_position, count, body from log_batches where log = %s order by 1, 2", (log,)
            )
        ).fetchall()
    found = []
    for row in rows:
        bodies = msgspec.msgpack.decode(row["body"], type=list[bytes])
        for position, body in enumerate(bodies, row["last_position"] - row["count"] + 1):
            found.append((row["partition"], position, decode(body)))
    return found


async def messages(database: Database, log: str, kind: type) -> list[Any]:
    return [message for _, _, message in await entries(database, log) if isinstance(message, kind)]


async def fetch(database: Database, query: str, *parameters: Any) -> list[dict[str, Any]]:
    async with database.connection() as connection:
        return await (await connection.execute(query, parameters)).fetchall()
