"""Recordings of real people and homes, read into what their sensors would have sent.

Times of the homes are the recording's local times, taken as China's, so that a night stays a night on the platform's
clock. What each set is and who may copy it: the README of the data folder.
"""

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from device_sim.household.life import CHINA
from device_sim.wire import protocol

FALL_RATE_HZ = 50
SAMPLE_BYTES = 6
BURST_SECONDS = 1
TRIAL_PAUSE = timedelta(seconds=60)
"""What follows a trial was not recorded: the watch is silent, and time goes on for so long."""
RANGE_G = {
    ("sisfall", "waist"): 16,
    ("weda", "wrist"): 4,
    ("umafall", "waist"): 8,
    ("umafall", "wrist"): 8,
}
"""How far each set's sensor could measure, in g."""
BED_WORDS = ("bed mat", "press bed", "mat bed")
DOOR_WORDS = ("door", "fridge", "refrigerator", "freezer", "cupboard", "cabinet", "drawer", "reed", "kwik", "window")
TIHM_DOORS = frozenset({"front-door", "back-door", "fridge-door"})


class RecordingError(Exception):
    """The data folder, a file or a home in it is not there. The message is for people."""


@dataclass(frozen=True)
class Recorded:
    """One reading of a recording: when (zoned), its kind, value and sensor, and the kind's own further fields."""

    at: datetime
    kind: str
    value: Any = None
    sensor: str | None = None
    more: dict[str, Any] = field(default_factory=dict)
    ready: timedelta = timedelta()
    """How long after `at` it is complete and can be said: a burst bears the time of its first sample."""


@dataclass(frozen=True)
class Recording:
    """Readings in time order, by a device of `device_kind` (hub or watch), from `start`; `length` covers them all."""

    name: str
    device_kind: str
    start: datetime
    length: timedelta
    readings: list[Recorded]

    def moved_to(self, start: datetime) -> "Recording":
        """The same recording beginning at another time."""
        shift = start - self.start
        moved = [replace(reading, at=reading.at + shift) for reading in self.readings]
        return Recording(self.name, self.device_kind, start, self.length, moved)


def tihm(data: Path, home: str, days: int) -> Recording:
    """The first `days` days of a TIHM home: motion by location, and its doors."""
    path = _file(data / "homes" / "tihm_activity.csv.gz")
    readings = []
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if row["id"] == home:
                readings.append(_tihm_reading(datetime.fromisoformat(row["t"]), row["location"]))
    if not readings:
        raise RecordingError(f"{path} has no home {home}")
    return _days(f"tihm {home}", readings, days)


def single_resident(data: Path, house: str, days: int) -> Recording:
    """The first `days` days of a single-resident house, A to E."""
    folder = data / "homes" / "single_residents"
    names = {row[0]: row[1] for row in _columns(_file(folder / f"house{house}.sensor_names"), 2)}
    readings: list[Recorded] = []
    for start, seconds, sensor in _columns(_file(folder / f"house{house}.sensors"), 3):
        begins = datetime.fromtimestamp(int(start), CHINA) - timedelta(hours=8)
        readings += _switched(begins, timedelta(seconds=int(seconds)), names.get(sensor, sensor).strip())
    return _days(f"house {house}", sorted(readings, key=lambda reading: reading.at), days)


def casas(data: Path, days: int) -> Recording:
    """The first `days` days of the CASAS home."""
    readings = []
    with _file(data / "homes" / "casas_home_30days.txt").open(encoding="utf-8") as lines:
        for line in lines:
            day, time, sensor, _room, state, *_activity = line.split()
            at = datetime.fromisoformat(f"{day} {time[:15]}").replace(tzinfo=CHINA)
            if sensor == "OutsideDoor":
                readings.append(Recorded(at, "door", "open" if state == "ON" else "closed", sensor))
            elif state == "ON":
                readings.append(Recorded(at, "motion", True, sensor))
    return _days("casas", readings, days)


def falls(data: Path, dataset: str, trials: int, only: str | None, start: datetime) -> Recording:
    """`trials` trials of a set, spread evenly over it, each as `accel` bursts of 1 s, a minute apart, from `start`.

    `only`: "falls", "daily", or None for both. A burst's `at` is the time of its first sample.
    """
    rows = [row for row in _rows(data / "falls" / "index.csv") if row["dataset"] == dataset]
    rows = [row for row in rows if only is None or (row["fall"] == "True") == (only == "falls")]
    if not rows:
        raise RecordingError(f"there are no trials of {dataset}")
    count = min(trials, len(rows))
    chosen = [rows[number * len(rows) // count] for number in range(count)]
    return _worn(f"{dataset} x {len(chosen)}", data, chosen, start)


def trial(data: Path, name: str, start: datetime) -> Recording:
    """One trial by its name, `dataset-position-subject-activity-trial`, as `falls` plays it."""
    fields = ("dataset", "position", "subject", "activity", "trial")
    for row in _rows(data / "falls" / "index.csv"):
        if "-".join(row[field] for field in fields) == name:
            return _worn(name, data, [row], start)
    raise RecordingError(f"there is no trial {name}")


def _worn(name: str, data: Path, rows: list[dict[str, str]], start: datetime) -> Recording:
    import numpy  # only here: the homes need none of its 30 MB

    counts = numpy.load(_file(data / "falls" / "accel_50hz.npz"))["acc"].astype("<i2")
    readings, at = [], start
    for row in rows:
        first, samples = int(row["offset"]), int(row["n"])
        packed = counts[first : first + samples].tobytes()
        readings += bursts(packed, at, RANGE_G[row["dataset"], row["position"]], row["position"])
        at += timedelta(seconds=samples / FALL_RATE_HZ) + TRIAL_PAUSE
    return Recording(name, "watch", start, at - start, readings)


def bursts(packed: bytes, start: datetime, range_g: float, position: str) -> list[Recorded]:
    """Samples of 50 Hz, as a watch says them: a second at a time, each when it is over."""
    found, each = [], BURST_SECONDS * FALL_RATE_HZ * SAMPLE_BYTES
    for begin in range(0, len(packed), each):
        burst = packed[begin : begin + each]
        fields = protocol.accel_fields_from_counts(burst, rate_hz=FALL_RATE_HZ, range_g=range_g, position=position)
        at = start + timedelta(seconds=begin / SAMPLE_BYTES / FALL_RATE_HZ)
        ready = timedelta(seconds=len(burst) / SAMPLE_BYTES / FALL_RATE_HZ)
        found.append(Recorded(at, "accel", more=fields, ready=ready))
    return found


def _tihm_reading(at: datetime, location: str) -> Recorded:
    kind, value = ("door", "open") if location in TIHM_DOORS else ("motion", True)
    return Recorded(at.replace(tzinfo=CHINA), kind, value, location)


def _switched(begins: datetime, lasts: timedelta, name: str) -> Iterator[Recorded]:
    """A binary sensor that was on for so long, as what it is by its name: a bed, a door, or a movement."""
    lower = name.lower()
    if any(word in lower for word in BED_WORDS):
        yield Recorded(begins, "bed", True, name)
        yield Recorded(begins + lasts, "bed", False, name)
    elif any(word in lower for word in DOOR_WORDS):
        yield Recorded(begins, "door", "open", name)
        yield Recorded(begins + lasts, "door", "closed", name)
    else:
        yield Recorded(begins, "motion", True, name)


def _days(name: str, readings: list[Recorded], days: int) -> Recording:
    """The first `days` days, from the minute of the first reading: before it nobody recorded, so nobody was silent."""
    start = readings[0].at.replace(second=0, microsecond=0)
    length = timedelta(days=days)
    return Recording(name, "hub", start, length, [reading for reading in readings if reading.at < start + length])


def _columns(path: Path, count: int) -> Iterator[tuple[str, ...]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            yield tuple(line.split("\t", count - 1))


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with _file(path).open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def _file(path: Path) -> Path:
    if not path.is_file():
        raise RecordingError(f"{path} is not there: give the folder of the recordings with --data")
    return path
