"""For how long nobody acts on a partition when the processes that share them become more or fewer.

Two processes share the 64 partitions. A third joins; it is told to stop; one of the two is killed. All the while every
partition is given a record each PROBE_SECONDS, which must become an alarm; the longest that a record of a partition
waited for its alarm is that partition's pause, too short by PROBE_SECONDS at most.

Ours share by leases in the database, with the log on either side. For comparison the same lane shares by Kafka's own
consumer groups (`group_member.py`).
"""

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import uvloop
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from pingan.clock import SystemClock
from pingan.database import Database
from pingan.local.platform import PYTHON
from pingan.log import PARTITIONS, Log, Record
from pingan.logs import open_log
from pingan.messages import DeviceSettings, Event, HomeSettings, Message, Reading, Tick, encode
from pingan.settings import Common, load
from tests.bench.group_member import GROUP
from tests.bench.platform import BenchError, end, prefer
from tests.bench.stores import KAFKA, Stores, sides
from tests.bench.table import Effort, Table

PROBE_SECONDS = 0.25
"""256 alarms a second: four times as often keeps a core busy by itself."""
PROBES_BEFORE = 4
PROBES_AFTER = 6
"""Given before the event, and after those who share have agreed on it."""
STILL_SECONDS = 0.3
"""Whoever waited longer stood still."""
SETTLE_SECONDS = 30.0
LOOK_SECONDS = 0.1

JOINS, STOPS, KILLED = "a third joins", "it is stopped (SIGTERM)", "one is killed (kill -9)"

WAITS = """
select split_part(home, '-', 1) as partition, max(extract(epoch from raised_at - received_at))::float, count(*)
from alarms where home like 'P%%-%%' and kind in ('sos', 'battery_critical') and received_at >= %s group by 1
"""
OWNERS = "select count(distinct owner) from leases where name like %s and owner is not null"


Owners = Callable[[], Awaitable[int]]
"""How many share at this moment."""


def _press(home: str, at_ms: int) -> Sequence[Message]:
    return [Event(f"{home}-button", "e1", "b1", 1, at_ms, at_ms, "sos", home)]


def _low_battery(home: str, at_ms: int) -> Sequence[Message]:
    device = f"{home}-button"
    return [
        HomeSettings(home=home, revision=1, devices=(DeviceSettings(device, "button"),)),
        Reading(device, "b1", 1, at_ms, at_ms, "status", {"faults": [], "battery_percent": 3.0}, home),
        Tick(at_ms, int(PROBE_SECONDS * 1000), 1),
    ]


@dataclass(frozen=True)
class Kind:
    """Which processes share, and what they act on."""

    command: tuple[str, ...]
    log: str
    probe: Callable[[str, int], Sequence[Message]]
    lease: str | None
    """How the group's leases end; None: Kafka's own groups."""


URGENT = Kind((*PYTHON, "urgent"), "urgent", _press, "urgent/urgent")
ALERTING = Kind((*PYTHON, "alerting"), "readings", _low_battery, "readings/alerting")
OWN_GROUP = Kind((sys.executable, "-P", "-m", "tests.bench.group_member"), "urgent", _press, None)


def rebalance(folder: Path, nice: int, table: Table, effort: Effort) -> None:
    every = [(kind, f"{kind.command[-1]}, {side}", side) for kind in (URGENT, ALERTING) for side in sides()]
    if KAFKA in sides():
        every.append((OWN_GROUP, "urgent by Kafka's own groups", KAFKA))
    found: dict[str, dict[str, list[float]]] = {JOINS: {}, STOPS: {}, KILLED: {}}
    load_before = os.getloadavg()[0]
    with Stores(folder / "stores", nice) as stores:
        for kind, name, side in every:
            with stores.fresh(side) as environment, (folder / "members.txt").open("wb") as output:
                group = Group(kind, environment, nice, output)
                try:
                    for event, waits in uvloop.run(group.measure()).items():
                        found[event][name] = waits
                finally:
                    group.end()
    for event, sharing in found.items():
        for name, waits in sharing.items():
            still = [seconds for seconds in waits if seconds > STILL_SECONDS]
            middle = f"{statistics.median(still):.2f}" if still else "—"
            words = f"{middle} / {max(waits):.2f} s, {len(still)} of {PARTITIONS}"
            table.word(f"{event}: {name}, those that stood still, median / longest", words)
    table.add("  load average before and after, 1 min", load_before, f"and {os.getloadavg()[0]:.1f}")
    table.found["rebalance_seconds"] = {
        event: {name: [round(one, 3) for one in waits] for name, waits in sharing.items()}
        for event, sharing in found.items()
    }


@dataclass
class Group:
    """The processes that share, and who asks them."""

    kind: Kind
    environment: Mapping[str, str]
    nice: int
    output: Any
    members: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    _clock: SystemClock = field(default_factory=SystemClock)
    _numbers: int = 0

    def start(self) -> None:
        named = {**self.environment, "PINGAN_NAME": f"bench-{len(self.members) + 1}"}
        one = subprocess.Popen(self.kind.command, env=named, stdout=self.output, stderr=self.output)
        self.members.append(one)
        if self.nice:
            prefer(one.pid, self.nice)

    def end(self) -> None:
        for one in self.members:
            end(one)

    async def measure(self) -> dict[str, list[float]]:
        """event → of each partition the longest wait, in seconds."""
        settings = load(Common, self.environment)
        database = Database(settings.database_url, connections=1, application="bench")
        await database.open()
        log = open_log(self.kind.log, settings, database, self._clock)
        try:
            async with self._asking(settings) as owners:
                for _ in range(2):
                    self.start()
                await self._event(log, owners, lambda: None, 2)
                found = {JOINS: await self._event(log, owners, self.start, 3)}
                found[STOPS] = await self._event(log, owners, self.members[2].terminate, 2)
                found[KILLED] = await self._event(log, owners, self.members[1].kill, 1)
                return found
        finally:
            await log.close()
            await database.close()

    async def _event(self, log: Log, owners: Owners, act: Callable[[], None], expected: int) -> list[float]:
        """Do it, and give records until `expected` processes share and all that was given has been acted on."""
        began, until = self._clock.now(), time.monotonic() + SETTLE_SECONDS
        given, acted, settled = 0, False, 0
        while settled < PROBES_AFTER:
            if time.monotonic() > until:
                raise BenchError(f"{self.kind.command[-1]}: after {SETTLE_SECONDS:g} s not {expected} share")
            if given == PROBES_BEFORE and not acted:
                act()
                acted = True
            next_at = time.monotonic() + PROBE_SECONDS
            await self._give(log)
            given += 1
            settled = settled + 1 if acted and await owners() == expected else 0
            await asyncio.sleep(max(0.0, next_at - time.monotonic()))
        while True:
            rows = await asyncio.to_thread(self._rows, WAITS, began)
            if sum(count for _, _, count in rows) >= given * PARTITIONS:
                return [seconds for _, seconds, _ in rows]
            if time.monotonic() > until:
                raise BenchError(f"{self.kind.command[-1]}: not every record was acted on in {SETTLE_SECONDS:g} s")
            await asyncio.sleep(LOOK_SECONDS)

    async def _give(self, log: Log) -> None:
        """A record to each partition: of a home of its own, whose name tells the partition."""
        self._numbers += 1
        at_ms = self._clock.now_ms()
        await log.append(
            [
                Record(partition, encode(message))
                for partition in range(PARTITIONS)
                for message in self.kind.probe(f"P{partition}-{self._numbers}", at_ms)
            ]
        )

    def _rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.environment["PINGAN_DATABASE_URL"], autocommit=True) as connection:
            return connection.execute(query, parameters).fetchall()

    @contextlib.asynccontextmanager
    async def _asking(self, settings: Common) -> AsyncIterator[Owners]:
        """Ask those who decide it."""
        if self.kind.lease is not None:
            name = f"%{self.kind.lease}"

            async def leases() -> int:
                return int((await asyncio.to_thread(self._rows, OWNERS, name))[0][0])

            yield leases
            return
        assert settings.kafka is not None
        client = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
        await client.start()

        async def members() -> int:
            try:
                [answer] = await client.describe_consumer_groups([f"{settings.kafka_prefix}.{GROUP}"])
            except KafkaError:  # no member has come yet
                return 0
            [group] = answer.to_object()["groups"]
            return len(group["members"]) if group["state"] == "Stable" else 0

        try:
            yield members
        finally:
            await client.close()
