"""What is done to whom: a process killed, or held for five seconds, at a moment drawn from the seed."""

import asyncio
import random
import signal
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from pingan.local.processes import Identity
from tests.faults.house import RealHouse
from tests.kafka import Broker

HOLD_SECONDS = 5.0
KILL, HOLD = "kill -9", "stop 5 s"
EVERYTHING = "everything"
"""All services, the database and the broker at once; only the supervisor is left, and what is outside our walls."""

TARGETS = (
    "alarm bridge, active",
    "alarm bridge, standby",
    "telemetry bridge, active",
    "telemetry bridge, standby",
    "urgent",
    "alerting",
    "archive",
    "dispatch",
    "console",
    "postgres",
    "mosquitto",
)


KAFKA = "kafka"
"""One broker, by its number: `kafka 1`. It is started again at once, as whoever looks after a city's brokers would."""


@dataclass(frozen=True, slots=True)
class Strike:
    target: str
    fault: str

    def __str__(self) -> str:
        return f"{self.fault} {self.target}"


@dataclass(frozen=True, slots=True)
class Hit:
    """What was hit, when (this machine's wall time, and monotonic seconds), and the task that lets it go again."""

    names: list[str]
    pids: list[int]
    at: datetime
    at_seconds: float
    released: asyncio.Task[None] | None


def schedule(random_: random.Random, rounds: int, only: str | None = None, brokers: int = 0) -> list[Strike]:
    """Every target killed and held, in an order drawn from the seed; everything at once is the last of each round."""
    targets = [*TARGETS, *(f"{KAFKA} {number}" for number in range(1, brokers + 1))]
    strikes: list[Strike] = []
    for _ in range(rounds):
        each = [Strike(target, fault) for target in targets for fault in (KILL, HOLD)]
        random_.shuffle(each)
        strikes += [*each, Strike(EVERYTHING, KILL)]
    words = only.split(",") if only else [""]
    return [strike for strike in strikes if any(word in strike.target for word in words)]


async def hit(house: RealHouse, strike: Strike) -> Hit:
    """Do it. Only processes of this house are signalled, each by its id and its time of start."""
    brokers = _brokers(house, strike.target)
    names = await asyncio.to_thread(_names, house, strike.target)
    victims = [found for name in names if (found := house.pid(name))]
    victims += [found for broker in brokers if broker.process and (found := Identity.of(broker.process.pid))]
    if not victims:
        raise RuntimeError(f"{strike.target}: nothing runs that could be hit")
    at, at_seconds = datetime.now(UTC), time.monotonic()
    for victim in victims:
        victim.send(signal.SIGKILL if strike.fault == KILL else signal.SIGSTOP)
    if strike.fault == KILL:
        for broker in brokers:
            broker.again()
    released = asyncio.create_task(_release(victims)) if strike.fault == HOLD else None
    return Hit(names, [victim.pid for victim in victims], at, at_seconds, released)


async def _release(victims: list[Identity]) -> None:
    # The five seconds are the fault itself, not a wait for something.
    try:
        await asyncio.sleep(HOLD_SECONDS)
    finally:
        for victim in victims:
            victim.send(signal.SIGCONT)


def _brokers(house: RealHouse, target: str) -> list[Broker]:
    if house.kafka is None or not (target == EVERYTHING or target.startswith(KAFKA)):
        return []
    return [one for one in house.kafka.brokers if target in (EVERYTHING, f"{KAFKA} {one.number}")]


def _names(house: RealHouse, target: str) -> list[str]:
    if target.startswith(KAFKA):
        return []
    if target == EVERYTHING:
        return house.names()
    if "bridge" not in target:
        return [name for name in house.names() if name == target or name.startswith(f"{target}-")]
    lane = target.partition(" ")[0]
    active = house.active_bridge(lane)
    both = [name for name in house.names() if name.startswith(f"ingest-{lane}-")]
    return [active] if target.endswith("active") else [name for name in both if name != active]
