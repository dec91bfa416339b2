"""How many home-sensor readings a second the watches of one partition take on one core.

`python -m tests.bench.bench_watch [READINGS]` prints JSON.

1,600 homes (100,000 over 64 partitions), each with a button, a hub and a watch. Of 20 readings 15 are movements, 4 are
vital signs, one is a heartbeat; a tick comes after every simulated second's worth. Decoding is measured apart and
together: the runner pays for both.
"""

import json
import platform
import random
import statistics
import sys
import time

from alerting.detectors import Detector, Now
from alerting.detectors.table import DETECTORS
from alerting.partition import Partition
from pingan.messages import DeviceSettings, HomeSettings, Message, Reading, Tick, decode, encode

HOMES = 1_600
READINGS = int(sys.argv[1]) if sys.argv[0].endswith("bench_watch.py") and len(sys.argv) > 1 else 200_000
A_SECOND = 800
"""Readings between two ticks: each home speaks every two seconds, which is twenty times a real one."""
START_MS = 1_790_000_000_000
ROUNDS = 3


def messages(seed: int = 1) -> list[Message]:
    chance = random.Random(seed)
    made: list[Message] = [
        HomeSettings(
            home=f"H{number}",
            revision=1,
            devices=tuple(DeviceSettings(f"H{number}-{kind}", kind) for kind in ("button", "hub", "watch")),
            inactivity_hours=8,
        )
        for number in range(HOMES)
    ]
    seqs: dict[str, int] = {}
    at_ms = START_MS
    for number in range(READINGS):
        home = f"H{chance.randrange(HOMES)}"
        kind = chance.choices(("motion", "heart_rate", "status"), (15, 4, 1))[0]
        device = f"{home}-{'hub' if kind == 'motion' else 'watch' if kind == 'heart_rate' else 'button'}"
        value = {"motion": True, "heart_rate": 71, "status": {"faults": [], "battery_percent": 80.0}}[kind]
        seqs[device] = seqs.get(device, 0) + 1
        made.append(Reading(device, "b1", seqs[device], at_ms, at_ms, kind, value, home))
        if number % A_SECOND == 0:
            at_ms += 1000
            made.append(Tick(at_ms, 1000, 1))
    return made


def rate(work: object, count: int) -> float:
    """Median of a few rounds, in units a second of processor time."""
    seconds = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        work()  # type: ignore[operator]
        seconds.append(time.process_time() - begin)
    return count / statistics.median(seconds)


def per_detector(made: list[Message]) -> dict[str, float]:
    readings = [message for message in made if isinstance(message, Reading)]

    def alone(kind: type[Detector]) -> None:
        detectors = {f"H{number}": kind() for number in range(HOMES)}
        for message in made[:HOMES]:
            assert isinstance(message, HomeSettings)
            detectors[message.home].on_settings(message, Now(0, 0))
        for number, reading in enumerate(readings):
            detector = detectors[reading.home or ""]
            now = Now(START_MS, number // A_SECOND * 1000)
            detector.on_reading(reading, now)
            if detector.deadline is not None and detector.deadline <= now.heard_ms:
                detector.on_deadline(now)

    return {
        f"{name}/{label}": round(rate(lambda kind=kind: alone(kind), len(readings)))
        for name, versions in DETECTORS.items()
        for label, kind in versions.items()
    }


def main() -> None:
    made = messages()
    bodies = [encode(message) for message in made]

    def feed() -> None:
        partition = Partition()
        for message in made:
            partition.feed(message)

    def decode_and_feed() -> None:
        partition = Partition()
        for body in bodies:
            partition.feed(decode(body))

    partition = Partition()
    for message in made:
        partition.feed(message)
    states: list[bytes] = []

    def snapshot() -> None:
        states[:] = [watch.snapshot() for watch in partition.watches.values()]

    result = {
        "watch_readings_per_second": round(rate(feed, READINGS)),
        "decode_and_watch_readings_per_second": round(rate(decode_and_feed, READINGS)),
        "per_detector_readings_per_second": per_detector(made),
        "snapshots_per_second": round(rate(snapshot, HOMES)),
        "state_bytes_per_home": round(statistics.mean(map(len, states))),
        "homes": HOMES,
        "readings_between_ticks": A_SECOND,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
