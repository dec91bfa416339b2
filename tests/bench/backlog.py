"""A log full of readings of many homes, with marks in it that tell how far detection has come.

A mark is a button whose battery is nearly empty, and the tick after it: the watch of its home makes an alarm of it
then, and the alarm's row says when. Every partition has one mark to each twentieth of the whole.
"""

import random
from collections import defaultdict

from pingan.log import PARTITIONS, Record
from pingan.messages import DeviceSettings, HomeSettings, Reading, Tick, encode, partition_of

HOMES = 6_400
STEPS = 20
A_SECOND = 3_200
"""Readings between two ticks: each home speaks every two seconds, which is twenty times a real one."""
START_MS = 1_790_000_000_000
MARK = "battery_critical"
"""The kind of a mark's alarm."""
MARKS = STEPS * PARTITIONS
DEVICES = {"motion": "hub", "heart_rate": "watch", "status": "button"}
VALUES = {"motion": True, "heart_rate": 71, "status": {"faults": [], "battery_percent": 80.0}}


def backlog(readings: int, seed: int = 1) -> list[Record]:
    """`readings` of HOMES homes, their settings before them, ticks between, MARKS marks."""
    chance = random.Random(seed)
    homes: dict[int, list[str]] = defaultdict(list)
    records: list[Record] = []
    where: dict[str, int] = {}
    seqs: dict[str, int] = defaultdict(int)
    at_ms = START_MS
    for name in (f"H{number}" for number in range(HOMES)):
        where[name] = partition_of(name, name)
        homes[where[name]].append(name)
        devices = tuple(DeviceSettings(f"{name}-{kind}", kind) for kind in ("button", "hub", "watch"))
        settings = HomeSettings(home=name, revision=1, devices=devices, inactivity_hours=8)
        records.append(Record(where[name], encode(settings)))

    def say(home: str, kind: str, value: object) -> None:
        device = f"{home}-{DEVICES[kind]}"
        seqs[device] += 1
        reading = Reading(device, "b1", seqs[device], at_ms, at_ms, kind, value, home)
        records.append(Record(where[home], encode(reading)))

    def tick() -> None:
        nonlocal at_ms
        at_ms += 1000
        body = encode(Tick(at_ms, 1000, 1))
        records.extend(Record(partition, body) for partition in range(PARTITIONS))

    for number in range(1, readings + 1):
        kind = chance.choices(("motion", "heart_rate", "status"), (15, 4, 1))[0]
        say(f"H{chance.randrange(HOMES)}", kind, VALUES[kind])
        if number % A_SECOND == 0:
            tick()
        if number % (readings // STEPS) == 0:
            step = number // (readings // STEPS) - 1
            for partition in range(PARTITIONS):
                say(homes[partition][step], "status", {"faults": [], "battery_percent": 3.0})
            tick()
    return records
