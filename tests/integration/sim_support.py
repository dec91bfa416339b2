"""For the simulator's tests: a real broker, a plain client, waiting for conditions. Ends only what it started."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from device_sim.wire import protocol
from device_sim.wire.connection import Connection

PATIENCE_SECONDS = 15.0


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """Waits until `condition()` is true and returns it; fails after `seconds` saying `what` was waited for."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        await asyncio.sleep(0.01)
    return value


async def eventually(condition: Callable[[], Awaitable[Any]], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """As `until`, for a condition that has to be asked for over the network."""
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        await asyncio.sleep(0.05)


class Broker:
    """Debian's Mosquitto on a free loopback port, with its store in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.host, self.port = "127.0.0.1", free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        config = self._folder / "mosquitto.conf"
        config.write_text(
            f"listener {self.port} {self.host}\nallow_anonymous true\npersistence true\n"
            f"persistence_location {self._folder}/\nautosave_interval 1\nmax_queued_messages 0\n"
            "max_inflight_messages 1000\nset_tcp_nodelay true\nuser root\n"
        )
        self._process = subprocess.Popen(  # noqa: ASYNC220 - a test waits for nothing else meanwhile
            ["/usr/sbin/mosquitto", "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        await until(self._answers, "the broker to listen")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, how)
            self._process.wait(10)
            self._process = None

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0


@contextlib.asynccontextmanager
async def broker(folder: Path) -> AsyncIterator[Broker]:
    running = Broker(folder)
    await running.start()
    try:
        yield running
    finally:
        running.stop()


class Platform:
    """What stands behind the broker in these tests: it hears every device and may answer."""

    def __init__(self, server: Broker) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.on_frame: Callable[[str, dict[str, Any]], None] = lambda topic, payload: None
        self._connection = Connection(
            host=server.host,
            port=server.port,
            user="platform",
            password="",
            client_id="platform",
            subscribe="pingan/v1/+/up/#",
            on_message=self._message,
        )

    async def __aenter__(self) -> "Platform":
        self._connection.open()
        await until(self._connection.connected.is_set, "the platform's connection")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()

    def tell(self, device: str, channel: str, **payload: Any) -> None:
        self._connection.publish(protocol.down(device, channel), protocol.encode(payload))

    def on(self, channel: str, device: str | None = None) -> list[dict[str, Any]]:
        """The payloads heard on `up/channel` (of one device), in their order."""
        return [
            payload
            for topic, payload in self.heard
            if topic.endswith(f"/up/{channel}") and (device is None or topic.split("/")[2] == device)
        ]

    def _message(self, topic: str, body: bytes) -> None:
        payload = protocol.decode(body)
        assert payload is not None, body
        self.heard.append((topic, payload))
        self.on_frame(topic, payload)
