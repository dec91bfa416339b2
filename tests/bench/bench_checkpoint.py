"""A whole city's watches into their tables and out again, beside detection that goes on.

`python -m tests.bench.bench_checkpoint [HOMES]` prints JSON. Every home is what one home has become in some weeks of
simulated life, under another name: its state and its routine are of the size that they have in use. PostgreSQL is a
real one, as durable as in production. One process, one core.
"""

import asyncio
import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from alerting import checkpoint
from alerting.checkpoint import Slot
from alerting.partition import Partition, Time
from alerting.runner import CHECKPOINT_SLOTS
from alerting.watch import VERSION, Watch
from pingan.clock import SystemClock
from pingan.database import Database
from pingan.local.postgres import Postgres
from pingan.log import PARTITIONS, Consumer
from pingan.messages import DeviceSettings, HomeSettings, Reading, Tick, partition_of
from pingan.migrate import migrate
from pingan.postgres_log import PostgresLog

HOMES = 100_000
WEEKS = 3
START_MS = 1_790_000_000_000
MINUTE_MS = 60_000
DEVICES = (("button", "button"), ("hub", "hub"), ("door", "door"))
ROOMS = ("kitchen", "hall", "bedroom", "bathroom", "lounge")
STIRRING_HOURS = range(6, 23)


def lived() -> tuple[bytes, dict[tuple[str, str], bytes], Time]:
    """What three weeks make of a home: its state, its routines, and the time."""
    chance = random.Random(1)
    partition = Partition()
    devices = tuple(DeviceSettings(f"H00000-{name}", kind) for name, kind in DEVICES)
    shadow: dict[str, tuple[str, ...]] = {"inactivity": ("fixed-1", "learned-1")}
    partition.feed(HomeSettings(home="H00000", revision=1, devices=devices, inactivity_hours=12, shadow=shadow))
    seqs = {name: 0 for name, _ in DEVICES}
    at_ms = START_MS

    def say(name: str, kind: str, value: object, sensor: str | None = None) -> None:
        seqs[name] += 1
        partition.feed(Reading(f"H00000-{name}", "b1", seqs[name], at_ms, at_ms, kind, value, "H00000", sensor))

    routines: dict[tuple[str, str], bytes] = {}
    for minute in range(WEEKS * 7 * 24 * 60 // 5):
        at_ms += 5 * MINUTE_MS
        partition.feed(Tick(at_ms, 5 * MINUTE_MS, 1))
        awake = minute // 12 % 24 in STIRRING_HOURS
        if chance.random() < (0.6 if awake else 0.03):
            say("hub", "motion", True, chance.choice(ROOMS))
        if awake and chance.random() < 0.02:
            say("door", "door", "open")
        if minute % 3 == 0:
            say("button", "status", {"faults": [], "battery_percent": 80.0})
        routines.update(partition.watches["H00000"].learned(partition.now))
    return partition.watches["H00000"].snapshot(), routines, partition.time


def city(homes: int) -> dict[int, Partition]:
    state, routines, lived_until = lived()
    found: dict[int, dict[str, Watch]] = {number: {} for number in range(PARTITIONS)}
    now = Partition(lived_until).now
    for number in range(homes):
        home = f"H{number:05}"
        found[partition_of(home, "")][home] = Watch.restore(home, VERSION, state, now, routines)
    partitions = {number: Partition(lived_until, watches) for number, watches in found.items()}
    for partition in partitions.values():
        for home, watch in partition.watches.items():
            watch.unstored.update(routines)
            partition.changed.add(home)
    return partitions


async def owned(database: Database, clock: SystemClock) -> tuple[Consumer, asyncio.Task[None]]:
    consumer = PostgresLog("readings", database, clock).consumer("alerting", "bench")
    keeping = asyncio.create_task(consumer.run())
    while any(consumer.epoch(number) is None for number in range(PARTITIONS)):
        await consumer.poll(0.1)
    return consumer, keeping


class Detecting:
    """Detection beside a checkpoint: a tick in each partition, over and over, and how long it was ever kept waiting."""

    def __init__(self, slots: list[Slot]) -> None:
        self._slots = slots
        self.longest_seconds = 0.0
        self.fed = 0

    async def run(self) -> None:
        last = time.perf_counter()
        while True:
            for slot in self._slots:
                at = slot.detection.time.at_ms + 1
                slot.detection.feed(Tick(at, 0, 1))
                self.fed += 1
            await asyncio.sleep(0.01)
            now = time.perf_counter()
            self.longest_seconds = max(self.longest_seconds, now - last)
            last = now


async def write(database: Database, consumer: Consumer, slots: list[Slot]) -> tuple[float, float, float]:
    """Seconds, those of them on the processor, and the longest that detection waited."""
    detecting = Detecting(slots)
    beside = asyncio.create_task(detecting.run())
    begin, used = time.perf_counter(), time.process_time()
    for first in range(0, len(slots), CHECKPOINT_SLOTS):
        captured = []
        for slot in slots[first : first + CHECKPOINT_SLOTS]:
            captured.append(checkpoint.capture(slot))
            await asyncio.sleep(0)
        await checkpoint.write(database, consumer, captured)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - used
    beside.cancel()
    await asyncio.gather(beside, return_exceptions=True)
    return seconds, cpu, detecting.longest_seconds


async def measure(url: str, homes: int) -> dict[str, object]:
    database, clock = Database(url, application="bench"), SystemClock()
    await database.open()
    consumer, keeping = await owned(database, clock)
    partitions = city(homes)
    slots = [
        Slot(number, consumer.epoch(number) or 0, partition, 1, 0, 0.0) for number, partition in partitions.items()
    ]
    watch = next(iter(slots[0].detection.watches.values()))
    state_bytes, routine_bytes = len(watch.snapshot()), sum(map(len, watch.unstored.values()))
    first = await write(database, consumer, slots)
    for slot in slots:
        slot.position += 1
        slot.detection.changed.update(slot.detection.watches)
    again = await write(database, consumer, slots)
    del partitions, slots
    begin, used = time.perf_counter(), time.process_time()
    restored = 0
    for number in range(PARTITIONS):
        restored += len((await checkpoint.load(database, number)).watches)
    restore, restore_cpu = time.perf_counter() - begin, time.process_time() - used
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await database.close()
    assert restored == homes
    return {
        "homes": homes,
        "state_bytes_per_home": state_bytes,
        "routine_bytes_per_home": routine_bytes,
        "first_checkpoint_with_all_routines_seconds": round(first[0], 2),
        "full_checkpoint_seconds": round(again[0], 2),
        "full_checkpoint_processor_seconds": round(again[1], 2),
        "detection_waited_at_most_seconds": round(max(first[2], again[2]), 3),
        "restore_seconds": round(restore, 2),
        "restore_processor_seconds": round(restore_cpu, 2),
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main(argv: list[str]) -> None:
    homes = int(argv[0]) if argv else HOMES
    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(Path(folder))
        server.prepare()
        process = server.start()
        try:
            server.ready(60)
            with psycopg.connect(server.superuser_dsn, autocommit=True) as connection:
                connection.execute("create database bench")
            url = make_conninfo(server.superuser_dsn, dbname="bench")
            migrate(url)
            sys.stdout.write(json.dumps(asyncio.run(measure(url, homes)), indent=2) + "\n")
        finally:
            server.stop()
            process.wait(30)
            server.remove()


if __name__ == "__main__":
    main(sys.argv[1:])
