"""Recordings of homes, read into what their sensors would have said, with a reason for what cannot be read.

The times are the home's own, taken as China's, so that a night stays a night on the platform's clock.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import count, pairwise
from pathlib import Path

from alerting.evaluate.playing import Said
from alerting.evaluate.trials import UNREADABLE, BadRecording, opened, table_of
from pingan.clock import to_ms

CHINA = timezone(timedelta(hours=8))
MINUTE_MS = 60_000
COLUMNS = ("id", "t", "location")
BED_WORDS = ("bed mat", "press bed", "mat bed")
DOOR_WORDS = ("door", "fridge", "refrigerator", "freezer", "cupboard", "cabinet", "drawer", "reed", "kwik", "window")
ENTRANCE_WORDS = ("front", "back", "outside", "entrance", "entry")
YEARS = range(1990, 2100)
"""In others no home was recorded: a clock that was never set, or a field of something else."""
APART_MS = 365 * 86_400_000
"""What is further from the rest of its home's movements is of a clock that was wrong, or of another recording."""


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
    with_zone = 0
    try:
        with opened(path) as lines:
            table = table_of(lines)
            columns = table.fieldnames or []
            if missing := [name for name in COLUMNS if name not in columns]:
                raise BadRecording(f"{path} has no column {', '.join(missing)}; it has: {', '.join(columns) or 'none'}")
            for row in table:
                try:
                    home, (event, zoned) = (row["id"] or "").strip(), _event(row["t"], row["location"])
                    if not home:
                        raise ValueError("no home's id")
                except ValueError as error:
                    left_out[str(error)] += 1
                else:
                    found.setdefault(home, []).append(event)
                    with_zone += zoned
    except UNREADABLE as error:
        raise BadRecording(f"{path} cannot be read: {error}") from None
    said = [f"{rows} rows left out: {reason}" for reason, rows in sorted(left_out.items())]
    if with_zone:
        said.append(f"{with_zone} times have a zone: the hour is taken as it is written, as on the home's own wall")
    if not found:
        raise BadRecording(f"{path}: no movement can be read" + (f" ({said[-1]})" if said else ""))
    return Homes(_homes(found, said), said)


def single_residents(folder: Path) -> Homes:
    """The houses of a folder: `house*.sensors` (start, seconds, sensor) beside `house*.sensor_names`."""
    paths = sorted(folder.glob("house*.sensors"))
    if not paths:
        raise BadRecording(f"{folder} has no house*.sensors")
    found: dict[str, list[Said]] = {}
    for path in paths:
        try:
            names = {number: name for number, name in _columns(path.with_suffix(".sensor_names"), 2)}
            movements: list[Said] = []
            for start, seconds, sensor in _columns(path, 3):
                at_ms = (int(start) - 8 * 3600) * 1000
                if datetime.fromtimestamp(at_ms / 1000, CHINA).year not in YEARS:
                    raise ValueError(f"{start} is no time")
                movements += _switched(at_ms, int(seconds) * 1000, names.get(sensor, sensor).strip())
        except (OSError, UnicodeDecodeError, ValueError, OverflowError) as error:
            raise BadRecording(f"{path} cannot be read: {error}") from None
        if movements:
            found[path.stem] = movements
    if not found:
        raise BadRecording(f"{folder}: no movement can be read")
    said: list[str] = []
    return Homes(_homes(found, said), said)


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
    except (OSError, UnicodeDecodeError, ValueError, OverflowError) as error:
        raise BadRecording(f"{path} cannot be read: {error}") from None
    if not movements:
        raise BadRecording(f"{path}: no movement can be read")
    said: list[str] = []
    return Homes(_homes({"casas": movements}, said), said)


def _event(when: str | None, where: str | None) -> tuple[Said, bool]:
    """What was said, and whether its time had a zone. An hour of the night stays one, whatever the zone is called."""
    try:
        at = datetime.fromisoformat(when or "")
    except ValueError:
        raise ValueError("t is no time") from None
    if at.year not in YEARS:
        raise ValueError(f"t is not within {YEARS.start} and {YEARS.stop - 1}")
    location = (where or "").strip()
    if not location:
        raise ValueError("no location")
    at_ms = to_ms(at.replace(tzinfo=CHINA))
    door = any(word in location.lower() for word in DOOR_WORDS)
    said = Said(at_ms, at_ms, "door" if door else "motion", "open" if door else True, location)
    return said, at.tzinfo is not None


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


def _homes(found: Mapping[str, Iterable[Said]], said: list[str]) -> list[Home]:
    """Each home under a name of its own, with what lies together in time."""
    homes: dict[str, Home] = {}
    for name, movements in sorted(found.items()):
        ordered = sorted(movements, key=lambda one: one.at_ms)
        kept = _together(ordered)
        if left := len(ordered) - len(kept):
            said.append(f"{name}: {left} rows left out: more than {APART_MS // 86_400_000} days from the others")
        safe = _safe(name, homes)
        homes[safe] = Home(safe, tuple(kept))
    return list(homes.values())


def _safe(name: str, taken: Mapping[str, Home]) -> str:
    """As it stands in a topic; two that look alike there (all Chinese names do) are told apart by a number."""
    plain = "".join(one if one.isascii() and (one.isalnum() or one in "-_") else "-" for one in name)
    if plain not in taken:
        return plain
    return next(one for one in (f"{plain}-{number}" for number in count(2)) if one not in taken)


def _together(ordered: list[Said]) -> list[Said]:
    """The longest stretch without a gap of more than APART_MS."""
    ends = [place for place in range(1, len(ordered)) if ordered[place].at_ms - ordered[place - 1].at_ms > APART_MS]
    stretches = [ordered[first:last] for first, last in pairwise([0, *ends, len(ordered)])]
    return max(stretches, key=len)


def _columns(path: Path, count: int) -> Iterator[tuple[str, ...]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            yield tuple(line.split("\t", count - 1))
