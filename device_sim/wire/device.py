"""What every device of ours has: an identity, a boot, a sequence, a heartbeat and a clock that may drift."""

import asyncio
import logging
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from device_sim.weather import Weather
from device_sim.wire import protocol
from device_sim.wire.connection import Connection
from device_sim.wire.reminder import Reminder, reminder_of

HEARTBEAT_SECONDS = 90.0
"""The level until `down/config` says another."""
VOLUMES = range(11)
VOLUME = 5

log = logging.getLogger(__name__)


class Device:
    """A device and its connection. Sub-classes add what it measures; they overwrite `heard` to listen.

    `boot` names this run of the device, `seq` counts what it has sent in it: a retry keeps its number, so that a gap
    in the sequence always means that something is missing.
    """

    def __init__(
        self,
        device_id: str,
        password: str,
        *,
        host: str,
        port: int,
        client_id: str | None = None,
        boot: str | None = None,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        weather: Weather | None = None,
        lasting: bool = True,
    ) -> None:
        self.id = device_id
        self.boot = boot or uuid.uuid4().hex[:12]
        self.seq = 0
        self.heartbeat_seconds = heartbeat_seconds
        self.battery_percent: Callable[[datetime], int | None] = lambda at: 100
        self.mains: bool | None = None
        self.faults: list[str] = []
        self.config: int | None = None
        """The revision of the configuration that it runs; None: it was never told any."""
        self.volume = VOLUME
        self.reminder: Reminder | None = None
        self.hold_seconds = 0
        """How long its button must be held before it is a press."""
        self._weather = weather
        self._beats: asyncio.Task[None] | None = None
        self._config_changed = asyncio.Event()
        self.connection = Connection(
            host=host,
            port=port,
            user=device_id,
            password=password,
            client_id=client_id or device_id,
            subscribe=protocol.down(device_id),
            on_message=self._message,
            on_connected=self.on_connected,
            weather=weather,
            lasting=lasting,
        )

    def open(self) -> None:
        """Switches the device on: it connects and its heartbeat begins."""
        self.connection.open()
        if self._beats is None:
            self._beats = asyncio.create_task(self._beat())

    async def close(self) -> None:
        """Switches the device off."""
        if self._beats is not None:
            self._beats.cancel()
            await asyncio.gather(self._beats, return_exceptions=True)
            self._beats = None
        await self.connection.close()

    def now(self) -> datetime:
        """What the device's own clock shows."""
        true_time = datetime.now(UTC)
        if self._weather is None:
            return true_time
        return self._weather.clock(asyncio.get_running_loop().time(), true_time)

    def next_seq(self) -> int:
        self.seq += 1
        return self.seq

    def send_reading(
        self, kind: str, value: Any = None, *, sensor: str | None = None, at: datetime | None = None, **more: Any
    ) -> asyncio.Future[None] | None:
        """Publishes one reading; the future is done at its PUBACK."""
        payload = protocol.reading(
            boot=self.boot, seq=self.next_seq(), at=at or self.now(), kind=kind, value=value, sensor=sensor, **more
        )
        return self.connection.publish(protocol.up(self.id, "reading"), payload)

    def send_status(self, at: datetime | None = None) -> asyncio.Future[None] | None:
        """Publishes a heartbeat; the future is done at its PUBACK."""
        at = at or self.now()
        payload = protocol.status(
            boot=self.boot,
            seq=self.next_seq(),
            at=at,
            battery_percent=self.battery_percent(at),
            mains=self.mains,
            rssi_dbm=-60,
            faults=self.faults,
            config=self.config,
        )
        return self.connection.publish(protocol.up(self.id, "status"), payload)

    def on_connected(self) -> None:
        """The line is up (again)."""

    def heard(self, channel: str, payload: dict[str, Any]) -> None:
        """Something came down on `channel` (`ack`, `prompt`, …)."""

    def _message(self, topic: str, body: bytes) -> None:
        payload = protocol.decode(body)
        channel = topic.rsplit("/", 1)[-1]
        if payload is None:
            log.warning("%s: unreadable on %s", self.id, topic)
        elif channel == "config":
            self._configure(payload)
        else:
            self.heard(channel, payload)

    def _configure(self, config: dict[str, Any]) -> None:
        seconds, revision, volume = (config.get(name) for name in ("heartbeat_seconds", "revision", "volume"))
        if isinstance(seconds, (int, float)) and seconds > 0 and seconds != self.heartbeat_seconds:
            self.heartbeat_seconds = float(seconds)
            self._config_changed.set()
        if type(volume) is int and volume in VOLUMES:
            self.volume = volume
        hold = config.get("hold_seconds")
        self.hold_seconds = hold if type(hold) is int and hold >= 0 else 0
        self.reminder = reminder_of(config.get("reminder"))
        self.reminder_changed()
        if type(revision) is int and revision != self.config:
            self.config = revision
            self._config_changed.set()  # said at once, so that whoever changed it sees it in force

    def reminder_changed(self) -> None:
        """`reminder` may be another one."""

    async def _beat(self) -> None:
        while True:
            # A heartbeat of the past is worth nothing: while the line is down none is made.
            await self.connection.connected.wait()
            self.send_status()
            self._config_changed.clear()
            try:
                async with asyncio.timeout(self.heartbeat_seconds):
                    await self._config_changed.wait()
            except TimeoutError:
                continue
