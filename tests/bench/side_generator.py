"""The load of the side-by-side table, a process of its own: python -m tests.bench.side_generator ACCESS RATE SECONDS

So many messages a second from 50 devices over QoS 1, 208 bytes each, every twentieth an SOS. A message is due when the
schedule says so, and the answer to an SOS is timed from then, however late it could be sent. A fourth argument is how
many devices more are connected and say nothing, a fifth which message is an SOS, if not the twentieth (0: none), a
sixth with which device it begins. Prints JSON.
"""

import asyncio
import json
import resource
import sys
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from device_sim.access import Access, Device, read_access
from device_sim.load import percentiles
from device_sim.wire import protocol
from device_sim.wire.connection import Connection
from device_sim.wire.lean import LeanPublisher

DEVICES = 50
SOS_EVERY = 20
PAYLOAD_BYTES = 208
SLICE_SECONDS = 0.002
IN_FLIGHT_MAX = 2_000
"""Readings of one device; beyond that one is left out and counted. An SOS waits behind no reading, here as at home."""
LINGER_SECONDS = 15.0


class Sender:
    """One device: its readings, its alarms on a line of their own, and the ear for what comes down."""

    def __init__(self, access: Access, device: Device, answered: dict[str, float]) -> None:
        self._boot = uuid.uuid4().hex[:12]
        self._seq = 0
        mqtt = access.mqtt

        def line(channel: str) -> LeanPublisher:
            return LeanPublisher(
                host=mqtt.host, port=mqtt.port, user=device.id, password=device.password,
                client_id=f"{device.id}-{channel}", topic=protocol.up(device.id, channel), on_puback=lambda _: None,
            )  # fmt: skip

        def heard(_topic: str, payload: bytes) -> None:
            answered.setdefault(json.loads(payload).get("id", ""), time.monotonic())

        self.readings, self.alarms = line("reading"), line("alarm")
        self.ear = Connection(
            host=mqtt.host, port=mqtt.port, user=device.id, password=device.password, client_id=f"{device.id}-ear",
            subscribe=protocol.down(device.id, "ack"), on_message=heard, lasting=False,
        )  # fmt: skip

    @property
    def full(self) -> bool:
        return len(self.readings.in_flight) >= IN_FLIGHT_MAX

    def reading(self, stamp: str) -> None:
        self._seq += 1
        head = f'{{"boot":"{self._boot}","seq":{self._seq},"at":"{stamp}","kind":"motion","value":true,"note":"'
        self.readings.publish(f'{head:x<{PAYLOAD_BYTES - 2}}"}}'.encode(), 1.0)

    def alarm(self, stamp: str) -> str:
        self._seq += 1
        event = str(uuid.uuid4())
        head = f'{{"id":"{event}","boot":"{self._boot}","seq":{self._seq},"at":"{stamp}","kind":"sos","note":"'
        self.alarms.publish(f'{head:x<{PAYLOAD_BYTES - 2}}"}}'.encode(), 1.0)
        return event


async def generate(
    path: Path, rate: float, seconds: float, crowd: int = 0, sos_every: int = SOS_EVERY, first: int = 0
) -> dict[str, object]:
    access = read_access(path)
    hubs = [device for device in access.devices if device.kind == "hub"][first : first + DEVICES]
    answered: dict[str, float] = {}
    due: dict[str, float] = {}
    senders = [Sender(access, hub, answered) for hub in hubs]
    for one in senders:
        one.readings.open()
        one.alarms.open()
        one.ear.open()
    others = _crowd(access, {hub.id for hub in hubs}, crowd)
    for silent in others:
        silent.open()
    async with asyncio.timeout(60):
        for silent in others:
            await silent.connected.wait()
        for one in senders:
            for line in (one.readings, one.alarms, one.ear):
                await line.connected.wait()
    await asyncio.sleep(0.5)
    began = time.monotonic()
    number, skipped, last = 0, 0, round(rate * seconds)
    late_max = 0.0
    while number < last and time.monotonic() < began + 2 * seconds:
        now, stamp = time.monotonic(), protocol.timestamp(datetime.now(UTC))
        while number < last and (intended := began + number / rate) <= now:
            sender = senders[number % len(senders)]
            late_max = max(late_max, now - intended)
            # Each device's share of alarms is the same: the count of devices and the twentieth have a common factor.
            if sos_every and (number // len(senders) + number) % sos_every == 0:
                due[sender.alarm(stamp)] = intended
            elif sender.full:
                skipped += 1
            else:
                sender.reading(stamp)
            number += 1
        await asyncio.sleep(SLICE_SECONDS)
    sent_seconds = time.monotonic() - began
    deadline = time.monotonic() + LINGER_SECONDS
    while time.monotonic() < deadline and (  # noqa: ASYNC110 - counts of many lines, not one event
        len(answered) < len(due) or any(one.readings.in_flight for one in senders)
    ):
        await asyncio.sleep(0.02)
    connected = sum(silent.connected.is_set() for silent in others)
    for one in senders:
        await asyncio.gather(one.readings.close(), one.alarms.close(), one.ear.close())
    await asyncio.gather(*(silent.close() for silent in others))
    latencies = [answered[event] - intended for event, intended in due.items() if event in answered]
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "sent": number - skipped, "skipped": skipped, "sent_seconds": sent_seconds, "late_max_ms": late_max * 1000,
        "sos": len(due), "answered": len(latencies), "answer_ms": percentiles(latencies),
        "generator_cpu_seconds": used.ru_utime + used.ru_stime, "crowd": connected,
    }  # fmt: skip


def _crowd(access: Access, busy: set[str], count: int) -> list[LeanPublisher]:
    """Devices that are connected and say nothing; where the register has fewer, fewer."""
    mqtt = access.mqtt
    idle = [device for device in access.devices if device.id not in busy and device.password][:count]
    return [
        LeanPublisher(
            host=mqtt.host, port=mqtt.port, user=device.id, password=device.password,
            client_id=f"{device.id}-idle", topic=protocol.up(device.id, "status"), on_puback=lambda _: None,
        )
        for device in idle
    ]  # fmt: skip


if __name__ == "__main__":
    found = uvloop.run(generate(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), *map(int, sys.argv[4:])))
    sys.stdout.write(json.dumps(found) + "\n")
