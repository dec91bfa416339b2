"""What is drawn before a world begins: who lives where, who can come, what they are like, and what goes wrong when.

All of it is data, so that a world that breaks a promise can be run again with less of it.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import msgspec

from dispatch.policy import Person

T = TypeVar("T")

Habit = Literal["accept", "decline", "never", "busy", "voicemail", "late", "text", "resigns", "vanishes"]
HABITS: tuple[Habit, ...] = (
    "accept", "accept", "accept", "decline", "never", "busy", "voicemail", "late", "text", "resigns", "vanishes",
)  # fmt: skip

FaultKind = Literal[
    "crash", "crash_all", "clock_ahead", "clock_behind", "blind", "rings_lost", "edited",
    "busy", "failing", "hanging", "dead", "doubtful", "callbacks_late", "callbacks_twice", "callbacks_lost",
]  # fmt: skip
FAULTS: tuple[FaultKind, ...] = (
    "crash", "crash", "crash", "crash_all", "clock_ahead", "clock_behind", "blind", "rings_lost", "edited",
    "busy", "failing", "failing", "hanging", "dead", "doubtful", "doubtful", "callbacks_late", "callbacks_twice",
    "callbacks_lost",
)  # fmt: skip
"""Some happen more often than others: they have found most."""

KINDS = ("sos", "sos", "sos", "fall", "smoke", "inactivity", "battery_low")
FAULTY_SECONDS = (120, 900)
DEAD_SECONDS = 600
"""A provider that is dead is so for as long as ten minutes."""

TOGETHER_SECONDS = 40
"""Homes that fall silent within so long of each other wait for each other."""

AT_ONCE = 5
"""So many of them do; others may follow minutes later."""


@dataclass(frozen=True)
class Home:
    id: str
    people: tuple[tuple[Person, Habit], ...]
    presses: tuple[tuple[float, str], ...]
    """When, in seconds, and of which kind."""
    speaks: bool
    """Whether somebody there answers when the desk calls."""
    phone: str | None
    shared: bool
    """Whether family may be told how it is there."""


@dataclass(frozen=True)
class Fault:
    at: float
    kind: FaultKind
    seconds: float
    number: int
    """Whom it hits, and how many steps on, as far as that matters."""


@dataclass(frozen=True)
class Outage:
    """Homes of one place fall silent, one after the other, and come back."""

    at: float
    silent: tuple[tuple[float, float], ...]
    """Of each home: how many seconds after that it falls silent, and for how long."""


@dataclass(frozen=True)
class Plan:
    seed: int
    homes: tuple[Home, ...]
    strangers: tuple[float, ...]
    """When somebody calls of whom nobody knows yet where they live."""
    faults: tuple[Fault, ...]
    absent: tuple[tuple[float, float], ...]
    """When nobody is at the desk."""
    processes: int
    calm_at: float
    """From then on nothing goes wrong and people do as they should."""
    outage: Outage | None = None

    def smaller(self) -> Iterator["Plan"]:
        """The same with a little less: one home, one press, one person, one stranger, one fault, one absence."""
        for i, home in enumerate(self.homes):
            if len(self.homes) > 1:
                yield replace(self, homes=_without(self.homes, i))
            for j in range(len(home.presses)):
                yield replace(self, homes=_put(self.homes, i, replace(home, presses=_without(home.presses, j))))
            for j in range(len(home.people)):
                yield replace(self, homes=_put(self.homes, i, replace(home, people=_without(home.people, j))))
        for i in range(len(self.strangers)):
            yield replace(self, strangers=_without(self.strangers, i))
        for i in range(len(self.faults)):
            yield replace(self, faults=_without(self.faults, i))
        for i in range(len(self.absent)):
            yield replace(self, absent=_without(self.absent, i))
        if self.processes > 1:
            yield replace(self, processes=1)
        if self.outage is not None:
            yield replace(self, outage=None)

    def size(self) -> int:
        return (
            len(self.strangers) + len(self.faults) + len(self.absent) + self.processes + (self.outage is not None)
            + sum(1 + len(home.presses) + len(home.people) for home in self.homes)
        )  # fmt: skip


def _without(things: tuple[T, ...], number: int) -> tuple[T, ...]:
    return things[:number] + things[number + 1 :]


def _put(things: tuple[T, ...], number: int, thing: T) -> tuple[T, ...]:
    return (*things[:number], thing, *things[number + 1 :])


def draw(seed: int) -> Plan:
    """World number `seed`."""
    chance = random.Random(seed)
    calm_at = chance.uniform(*FAULTY_SECONDS)
    shared = [_responder(number) for number in range(chance.randint(0, 2))]
    homes = tuple(_home(chance, f"H{number}", calm_at, shared) for number in range(chance.choice((1, 1, 2, 3))))
    faults = tuple(
        sorted((_fault(chance, calm_at) for _ in range(chance.choice((0, 1, 2, 3, 4, 6)))), key=lambda one: one.at)
    )
    strangers = (chance.uniform(0, calm_at * 0.8),) if chance.random() < 0.25 else ()
    absent = []
    for _ in range(chance.choice((0, 0, 1, 2))):
        begin = chance.uniform(-60, calm_at)
        absent.append((begin, min(calm_at, begin + chance.uniform(20, 600))))
    if chance.random() < 0.15:
        absent = [(-1.0, calm_at)]
    processes = chance.choice((1, 2, 2))
    outage = _outage(chance, calm_at) if chance.random() < 0.15 else None
    return Plan(seed, homes, strangers, faults, tuple(absent), processes, calm_at, outage)


def _outage(chance: random.Random, calm_at: float) -> Outage:
    homes, later = chance.choice((1, 4, 5, 6, 8)), chance.choice((TOGETHER_SECONDS, TOGETHER_SECONDS, 300))
    silent = (
        (chance.uniform(0, TOGETHER_SECONDS if number < AT_ONCE else later), chance.uniform(10, 600))
        for number in range(homes)
    )
    return Outage(chance.uniform(0, calm_at * 0.8), tuple(silent))


def _home(chance: random.Random, name: str, calm_at: float, shared: list[Person]) -> Home:
    contacts = [
        Person(
            f"{name}-C{rank}",
            f"{name}-C{rank}",
            "contacts",
            rank,
            "family",
            f"+86138{name[1:]:0>4}{rank:04}",
            "zh",
            told=chance.random() < 0.7,
        )
        for rank in range(1, 1 + chance.choice((0, 1, 2, 3)))
    ]
    if contacts and chance.random() < 0.2:  # a daughter who is in the register with her mother's own number
        contacts[-1] = _with_phone(contacts[-1], "+8613900000000")
    presses = [(chance.uniform(0, calm_at * 0.8), chance.choice(KINDS)) for _ in range(chance.choice((1, 1, 1, 2, 3)))]
    people = tuple((person, chance.choice(HABITS)) for person in (*contacts, *shared))
    phone = f"+86218{name[1:]:0>7}" if chance.random() < 0.8 else None
    return Home(name, people, tuple(sorted(presses)), chance.random() < 0.5, phone, chance.random() < 0.5)


def _responder(number: int) -> Person:
    name = f"R{number + 1}"
    return Person(name, name, "responders", number + 1, "volunteer", f"+861370000{number:04}", "zh")


def _with_phone(person: Person, phone: str) -> Person:
    return msgspec.structs.replace(person, phone=phone)


def _fault(chance: random.Random, calm_at: float) -> Fault:
    kind = chance.choice(FAULTS)
    at = chance.uniform(0, calm_at)
    longest = DEAD_SECONDS if kind == "dead" else 30.0 if kind in ("blind", "crash", "crash_all") else 240.0
    seconds = min(calm_at - at, chance.uniform(0.3, longest) if chance.random() < 0.5 else chance.uniform(0.3, 5))
    return Fault(at, kind, seconds, chance.randrange(60))
