"""What the sensors of a home make of a life: motion, doors, bed, each with the truth behind it. Pure.

One endless generator in time order serves both clocks: in real time one sleeps until the next reading's `at`, on the
driven clock one takes readings while their `at` is due.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from device_sim.household.life import BEDROOM, KITCHEN, OUTSIDE, Stay, stays_from

MOTION_MINUTES = {
    "sleep": (40.0, 120.0),
    "nap": (15.0, 45.0),
    "rest": (3.0, 12.0),
    "television": (3.0, 12.0),
    "eat": (2.0, 6.0),
}
"""How long a motion sensor sees nothing, shortest and longest, while the person does this."""
BUSY_MINUTES = (0.5, 4.0)
STUCK_EVERY = timedelta(minutes=5)
ENTRANCE, FRIDGE, BED = "entrance_door", "fridge_door", "bed"


@dataclass(frozen=True)
class SensorReading:
    """A reading and its truth: `truth` is the stay it came from, None when a faulty sensor made it up.

    `kind` is motion (value True), door ("open" or "closed") or bed (True: somebody lies in it).
    """

    at: datetime
    kind: str
    sensor: str
    value: bool | str
    truth: Stay | None


@dataclass(frozen=True)
class Fault:
    """From `since` until `until`, the sensor is `lost` (says nothing) or `stuck` (repeats motion for nobody)."""

    kind: str
    sensor: str
    since: datetime
    until: datetime

    def holds(self, sensor: str, at: datetime) -> bool:
        return sensor == self.sensor and self.since <= at < self.until


@dataclass(frozen=True)
class Battery:
    """A battery that falls evenly from `percent` at `since` to 0 within `lasts`."""

    percent: float
    since: datetime
    lasts: timedelta

    def at(self, moment: datetime) -> int:
        """Percent left at `moment`, 0 to 100."""
        gone = (moment - self.since) / self.lasts
        return max(0, min(100, round(self.percent * (1 - gone))))


def readings_from(seed: int, moment: datetime, faults: Iterable[Fault] = ()) -> Iterator[SensorReading]:
    """The home's readings after `moment`, in time order and without end, as the (faulty) sensors tell them."""
    faults = tuple(faults)
    for reading in _with_stuck(_true_readings(seed, moment), moment, [f for f in faults if f.kind == "stuck"]):
        if not any(fault.kind == "lost" and fault.holds(reading.sensor, reading.at) for fault in faults):
            yield reading


def motion_sensor(room: str) -> str:
    """The name of the motion sensor in `room`."""
    return f"{room}_motion"


def _true_readings(seed: int, moment: datetime) -> Iterator[SensorReading]:
    before: Stay | None = None
    for stay in stays_from(seed, moment):
        for reading in (*_crossing(before, stay), *_staying(seed, stay)):
            if reading.at > moment:
                yield reading
        before = stay


def _crossing(before: Stay | None, stay: Stay) -> Iterator[SensorReading]:
    """What is seen when the person goes from one stay to the next."""
    if before is None:
        return
    if before.room == BEDROOM and before.activity in ("sleep", "nap"):
        yield SensorReading(stay.start, "bed", BED, False, stay)
    if OUTSIDE in (before.room, stay.room):
        yield SensorReading(stay.start, "door", ENTRANCE, "open", stay)
        yield SensorReading(stay.start + timedelta(seconds=6), "door", ENTRANCE, "closed", stay)


def _staying(seed: int, stay: Stay) -> Iterator[SensorReading]:
    """What is seen during a stay. Movements begin 10 s after the crossing, so that all readings are in time order."""
    if stay.room == OUTSIDE:
        return
    drawn = random.Random(f"sensors:{seed}:{stay.start}")
    at = stay.start + timedelta(seconds=10)
    if stay.room == KITCHEN and stay.activity in ("cook", "tea") and stay.end - at > timedelta(seconds=30):
        yield SensorReading(at, "door", FRIDGE, "open", stay)
        yield SensorReading(at + timedelta(seconds=8), "door", FRIDGE, "closed", stay)
        at += timedelta(seconds=10)
    if stay.activity in ("sleep", "nap"):
        yield SensorReading(at, "bed", BED, True, stay)
    shortest, longest = MOTION_MINUTES.get(stay.activity, BUSY_MINUTES)
    while at < stay.end:
        yield SensorReading(at, "motion", motion_sensor(stay.room), True, stay)
        at += timedelta(minutes=drawn.uniform(shortest, longest))


def _with_stuck(readings: Iterator[SensorReading], moment: datetime, faults: list[Fault]) -> Iterator[SensorReading]:
    """Mixes in the motion that stuck sensors report, every five minutes, while they are stuck."""
    due = sorted((max(fault.since, moment + STUCK_EVERY), fault.sensor, fault.until) for fault in faults)
    for reading in readings:
        while due and due[0][0] <= reading.at:
            at, sensor, until = due.pop(0)
            if at < until:
                yield SensorReading(at, "motion", sensor, True, None)
                due = sorted([*due, (at + STUCK_EVERY, sensor, until)])
        yield reading
