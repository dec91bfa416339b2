"""Load with intended times: readings over many connections, presses whose acknowledgement by the platform is timed.

Open loop: a message is due when the schedule says so, and its latency counts from then, however late it could be sent.
"""

import asyncio
import contextlib
import json
import logging
import os
import resource
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from device_sim.access import Access, Device
from device_sim.wire import protocol
from device_sim.wire.button import Button
from device_sim.wire.lean import LeanPublisher
from device_sim.wire.press import Press, RetryPlan

CONNECT_SECONDS = 30.0
SLICE_SECONDS = 0.002
"""How finely the schedule is followed when it is dense."""
MAX_IN_FLIGHT = 20_000
"""Readings in flight on one connection; beyond that a reading is not sent and counted as such."""

log = logging.getLogger(__name__)


class LoadError(Exception):
    """The load cannot be made. The message is for people."""


@dataclass(frozen=True)
class Plan:
    """What load to make. Readings go from hubs, presses from buttons, each in turn."""

    connections: int = 10
    readings_per_second: float = 0.0
    presses_per_second: float = 0.0
    seconds: float = 10.0
    as_fast_as_possible: bool = False
    window: int = 200
    retry_seconds: float = 30.0
    linger_seconds: float = 10.0
    acknowledged: Path | None = None


class ReadingSource:
    """One device's readings: some 150 bytes, of which only the sequence and the time change."""

    def __init__(self, access: Access, device: Device, pubacks: list[float]) -> None:
        boot = uuid.uuid4().hex[:12]
        self._head = f'{{"boot":"{boot}","seq":'
        self._tail = '","kind":"motion","value":true,"sensor":"living_room_motion","note":"load"}'
        self._seq = 0
        self.sent = 0
        self.skipped = 0
        self.wire = LeanPublisher(
            host=access.mqtt.host,
            port=access.mqtt.port,
            user=device.id,
            password=device.password,
            client_id=f"{device.id}-load",
            topic=protocol.up(device.id, "reading"),
            on_puback=lambda intended: pubacks.append(time.monotonic() - intended),
        )

    def send(self, intended_seconds: float, stamp: str) -> None:
        """Sends the next reading, which was due at `intended_seconds` (monotonic); `stamp` is its time, RFC 3339."""
        if len(self.wire.in_flight) >= MAX_IN_FLIGHT:
            self.skipped += 1
            return
        self._seq += 1
        self.sent += 1
        self.wire.publish(f'{self._head}{self._seq},"at":"{stamp}{self._tail}'.encode(), intended_seconds)


@dataclass
class PressLog:
    """Every press and how long the platform took to say *received*, counted from the intended moment."""

    acknowledged: IO[str] | None
    latencies: list[float] = field(default_factory=list)
    made: int = 0
    first_attempt_failures: int = 0
    pending: dict[str, tuple[Button, Press, float, datetime]] = field(default_factory=dict)

    def made_one(self, button: Button, press: Press, intended_seconds: float) -> None:
        self.made += 1
        self.pending[press.event_id] = (button, press, intended_seconds, datetime.now(UTC))

    def acknowledge(self, event_id: str, home: str) -> None:
        entry = self.pending.pop(event_id, None)
        if entry is None:
            return
        button, press, intended_seconds, sent = entry
        self.latencies.append(time.monotonic() - intended_seconds)
        self.first_attempt_failures += press.attempt > 1
        if self.acknowledged is not None:
            now = protocol.timestamp(datetime.now(UTC))
            row = {"id": event_id, "device": button.id, "home": home, "sent": protocol.timestamp(sent), "acked": now}
            # Flushed line by line: what was acknowledged must be known even if we are killed next.
            self.acknowledged.write(json.dumps(row) + "\n")
            self.acknowledged.flush()
        button.presses.pop(event_id, None)


class LoadButton(Button):
    """A button which tells the log of every acknowledgement and forgets what is done."""

    def __init__(self, entry: Device, presses: PressLog, access: Access, plan: RetryPlan) -> None:
        super().__init__(
            entry.id,
            entry.password,
            plan=plan,
            host=access.mqtt.host,
            port=access.mqtt.port,
            client_id=f"{entry.id}-load",
            lasting=False,
        )
        self._home = entry.home or ""
        self._log = presses

    def heard(self, channel: str, payload: dict[str, Any]) -> None:
        super().heard(channel, payload)
        if channel == "ack" and payload.get("stage") == "received":
            self._log.acknowledge(str(payload.get("id")), self._home)


async def run_load(access: Access, plan: Plan) -> dict[str, Any]:
    """Makes the load and returns what was measured, times in milliseconds. LoadError."""
    logging.getLogger("device_sim.wire.button").setLevel(logging.ERROR)
    pubacks: list[float] = []
    sources = _sources(access, plan, pubacks)
    with _acknowledged_file(plan.acknowledged) as file:
        presses = PressLog(file)
        buttons = _buttons(access, plan, presses)
        await _connect(sources, buttons)
        began, cpu_began = time.monotonic(), _cpu_seconds()
        try:
            await asyncio.gather(_make_readings(sources, plan, began), _make_presses(buttons, plan, presses, began))
            lasted = time.monotonic() - began
            await _linger(sources, presses, plan.linger_seconds)
        finally:
            cpu = _cpu_seconds() - cpu_began
            await asyncio.gather(*(source.wire.close() for source in sources), *(button.close() for button in buttons))
    return _result(plan, sources, presses, pubacks, lasted, cpu)


def _result(
    plan: Plan, sources: Sequence[ReadingSource], presses: PressLog, pubacks: list[float], lasted: float, cpu: float
) -> dict[str, Any]:
    sent = sum(source.sent for source in sources)
    return {
        "seconds": round(lasted, 3),
        "generator_cpu_seconds": round(cpu, 3),
        "readings": {
            "sent": sent,
            "sent_per_second": round(sent / lasted, 1),
            "puback": len(pubacks),
            "puback_per_second": round(len(pubacks) / lasted, 1),
            "unacknowledged": sum(len(source.wire.in_flight) for source in sources),
            "skipped": sum(source.skipped for source in sources),
            "puback_milliseconds": percentiles(pubacks),
        },
        "presses": {
            "made": presses.made,
            "acknowledged": len(presses.latencies),
            "unacknowledged": len(presses.pending),
            "first_attempt_failures": presses.first_attempt_failures
            + sum(press.attempt > 1 for _, press, _, _ in presses.pending.values()),
            "received_milliseconds": percentiles(presses.latencies),
        },
        "plan": {"connections": len(sources), "readings_per_second": plan.readings_per_second}
        | {"presses_per_second": plan.presses_per_second, "as_fast_as_possible": plan.as_fast_as_possible},
    }


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p90, p99 (nearest rank) and max in milliseconds; empty when there are none."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    ranks = {name: ordered[max(0, -(-len(ordered) * part // 100) - 1)] for name, part in _RANKS.items()}
    return {name: round(value * 1000, 3) for name, value in {**ranks, "max": ordered[-1]}.items()}


_RANKS = {"p50": 50, "p90": 90, "p99": 99}


def _sources(access: Access, plan: Plan, pubacks: list[float]) -> list[ReadingSource]:
    if not plan.readings_per_second and not plan.as_fast_as_possible:
        return []
    hubs = [device for device in access.devices if device.kind == "hub"]
    if len(hubs) < plan.connections:
        raise LoadError(f"{plan.connections} connections need as many hubs; the access file has {len(hubs)}")
    return [ReadingSource(access, device, pubacks) for device in hubs[: plan.connections]]


def _buttons(access: Access, plan: Plan, presses: PressLog) -> list[LoadButton]:
    if not plan.presses_per_second:
        return []
    retry = RetryPlan(first_seconds=plan.retry_seconds, then_seconds=plan.retry_seconds)
    buttons = [LoadButton(entry, presses, access, retry) for entry in access.devices if entry.kind == "button"]
    if not buttons:
        raise LoadError("presses need buttons; the access file has none")
    return buttons


async def _connect(sources: Sequence[ReadingSource], buttons: Sequence[Button]) -> None:
    for source in sources:
        source.wire.open()
    for button in buttons:
        button.connection.open()
    ready = [source.wire.connected for source in sources] + [button.connection.connected for button in buttons]
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await asyncio.gather(*(event.wait() for event in ready))
    except TimeoutError:
        missing = sum(not event.is_set() for event in ready)
        raise LoadError(f"{missing} of {len(ready)} connections did not come about in {CONNECT_SECONDS:g} s") from None


async def _make_readings(sources: Sequence[ReadingSource], plan: Plan, began: float) -> None:
    if plan.as_fast_as_possible:
        await _flood(sources, plan, began)
    elif sources:
        await _follow_schedule(sources, plan, began)


async def _follow_schedule(sources: Sequence[ReadingSource], plan: Plan, began: float) -> None:
    """Sends every reading as soon as it is due, in slices of 2 ms; each keeps its own intended time."""
    interval, number = 1 / plan.readings_per_second, 0
    last = round(plan.readings_per_second * plan.seconds)
    while number < last:
        now, stamp = time.monotonic(), protocol.timestamp(datetime.now(UTC))
        while number < last and (intended := began + number * interval) <= now:
            sources[number % len(sources)].send(intended, stamp)
            number += 1
        await asyncio.sleep(max(SLICE_SECONDS, began + number * interval - time.monotonic()))


async def _flood(sources: Sequence[ReadingSource], plan: Plan, began: float) -> None:
    """Keeps `window` readings in flight on every connection until the time is over."""
    while (now := time.monotonic()) < began + plan.seconds:
        stamp = protocol.timestamp(datetime.now(UTC))
        for source in sources:
            for _ in range(plan.window - len(source.wire.in_flight)):
                source.send(now, stamp)
        await asyncio.sleep(SLICE_SECONDS)


async def _make_presses(buttons: Sequence[Button], plan: Plan, presses: PressLog, began: float) -> None:
    for number in range(round(plan.presses_per_second * plan.seconds) if buttons else 0):
        intended = began + number / plan.presses_per_second
        await asyncio.sleep(max(0.0, intended - time.monotonic()))
        button = buttons[number % len(buttons)]
        presses.made_one(button, button.press(), intended)


async def _linger(sources: Sequence[ReadingSource], presses: PressLog, seconds: float) -> None:
    """Waits for what is still unacknowledged, at most so long: with retries it is to come, whatever was killed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and (  # noqa: ASYNC110 - two counts of many sockets, not one event
        presses.pending or any(source.wire.in_flight for source in sources)
    ):
        await asyncio.sleep(0.02)


@contextlib.contextmanager
def _acknowledged_file(path: Path | None) -> Iterator[IO[str] | None]:
    """The file of acknowledged presses, private to its owner; None when none is wanted."""
    if path is None:
        yield None
        return
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8") as file:
        yield file


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
