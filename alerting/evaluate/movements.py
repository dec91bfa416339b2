"""Recordings of homes, read into what their sensors would have said, with a reason for what cannot be read.

The times are the home's own, taken as China's, so that a night stays a night on the platform's clock.
"""

import csv
import gzip
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

from alerting.evaluate.playing import Said
from alerting.evaluate.trials import BadRecording
from pingan.clock import to_ms

CHINA = timezone(timedelta(hours=8))
MINUTE_MS = 60_000
COLUMNS = ("id", "t", "location")
BED_WORDS = ("bed mat", "press bed", "mat bed")
DOOR_WORDS = ("door", "fridge", "refrigerator", "freezer", "cupboard", "cabinet", "drawer", "reed", "kwik", "window")
ENTRANCE_WORDS = ("front", "back", "outside", "entrance", "entry")


@dataclass(frozen=True)
class Home:
    name: str
    movements: tuple[Said, ...]
    """In the order of time."""
    until_ms: int = 0
    """How long it is watched; 0: until its last movement."""

    @property
    def begin_ms(self) -> int:
        """The minute of the first: before it nobody recorded, so nobody was silent."""
        return self.movements[0].at_ms // MINUTE_MS * MINUTE_MS

    @property
    def end_ms(self) -> int:
        return self.movements[-1].at_ms


@dataclass
class Homes:
    homes: list[Home]
    said: list[str] = field(default_factory=list)


def is_entrance(sensor: str | None) -> bool:
    """Whether a person may have left by it."""
    name = (sensor or "").lower()
    return "door" in name and any(word in name for word in ENTRANCE_WORDS)


def activity(path: Path) -> Homes:
    """A table of TIHM's shape: id, t, location; events only. BadRecording when it cannot be read, or has none."""
    found: dict[str, list[Said]] = {}
    left_out: Counter[str] = Counter()
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig", newline="") as lines:
            table = csv.DictReader(lines)
            columns = table.fieldnames or []
            if missing := [name for name in COLUMNS if name not in columns]:
                raise BadRecording(f"{path} has no column {', '.join(missing)}; it has: {', '.join(columns) or 'none'}")
            for row in table:
                try:
                    home, event = (row["id"] or "").strip(), _event(row["t"], row["location"])
                    if not home:
                        raise ValueError("no home's id")
                except ValueError as error:
                    left_out[str(error)] += 1
                else:
                    found.setdefault(home, []).append(event)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise BadRecording(f"{path} cannot be read: {error}") from None
    said = [f"{count} rows left out: {reason}" for reason, count in sorted(left_out.items())]
    if not found:
        raise BadRecording(f"{path}: no movement can be read" + (f" ({said[-1]})" if said else ""))
    return Homes([_home(name, movements) for name, movements in sorted(found.items())], said)


def single_residents(folder: Path) -> Homes:
    """The houses of a folder: `house*.sensors` (start, seconds, sensor) beside `house*.sensor_names`."""
    paths = sorted(folder.glob("house*.sensors"))
    if not paths:
        raise BadRecording(f"{folder} has no house*.sensors")
    homes = []
    for path in paths:
        try:
            names = {row[0]: row[1] for row in _columns(path.with_suffix(".sensor_names"), 2)}
            movements: list[Said] = []
            for start, seconds, sensor in _columns(path, 3):
                at_ms = (int(start) - 8 * 3600) * 1000
                movements += _switched(at_ms, int(seconds) * 1000, names.get(sensor, sensor).strip())
        except (OSError, UnicodeDecodeError, ValueError) as error:
            raise BadRecording(f"{path} cannot be read: {error}") from None
        if movements:
            homes.append(_home(path.stem, movements))
    return Homes(homes)


def casas(path: Path) -> Homes:
    """One CASAS home: day, time, sensor, room, ON or OFF, activity."""
    movements = []
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                day, time, sensor, _room, state, *_activity = line.split()
                at_ms = to_ms(datetime.fromisoformat(f"{day} {time[:15]}").replace(tzinfo=CHINA))
                if sensor == "OutsideDoor":
                    movements.append(Said(at_ms, at_ms, "door", "open" if state == "ON" else "closed", sensor))
                elif state == "ON":
                    movements.append(Said(at_ms, at_ms, "motion", True, sensor))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise BadRecording(f"{path} cannot be read: {error}") from None
    if not movements:
        raise BadRecording(f"{path}: no movement can be read")
    return Homes([_home("casas", movements)])


def _event(when: str | None, where: str | None) -> Said:
    try:
        at = datetime.fromisoformat(when or "")
    except ValueError:
        raise ValueError("t is no time") from None
    location = (where or "").strip()
    if not location:
        raise ValueError("no location")
    at_ms = to_ms(at if at.tzinfo else at.replace(tzinfo=CHINA))
    door = any(word in location.lower() for word in DOOR_WORDS)
    return Said(at_ms, at_ms, "door" if door else "motion", "open" if door else True, location)


def _switched(at_ms: int, lasts_ms: int, name: str) -> Iterator[Said]:
    """A binary sensor that was on for so long, as what it is by its name: a bed, a door, or a movement."""
    lower = name.lower()
    until_ms = at_ms + lasts_ms
    if any(word in lower for word in BED_WORDS):
        yield Said(at_ms, at_ms, "bed", True, name)
        yield Said(until_ms, until_ms, "bed", False, name)
    elif any(word in lower for word in DOOR_WORDS):
        yield Said(at_ms, at_ms, "door", "open", name)
        yield Said(until_ms, until_ms, "door", "closed", name)
    else:
        yield Said(at_ms, at_ms, "motion", True, name)


def _home(name: str, movements: Iterable[Said]) -> Home:
    safe = "".join(one if one.isascii() and (one.isalnum() or one in "-_") else "-" for one in name)
    return Home(safe, tuple(sorted(movements, key=lambda said: said.at_ms)))


def _columns(path: Path, count: int) -> Iterator[tuple[str, ...]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            yield tuple(line.split("\t", count - 1))
