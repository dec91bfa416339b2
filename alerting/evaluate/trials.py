"""Fall recordings: an index of trials (CSV) and their samples (npz), as they are found, with a reason for what is not.

A set's own words are kept. What a file leaves out is said, and taken as what promises least.
"""

import csv
import gzip
import math
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from alerting.falls import recordings
from alerting.falls.recordings import COUNTS_PER_G, FALL_TIMES, RANGES_G, RANGES_KNOWN_G, RATE_HZ, Recordings
from alerting.falls.signal import POSITIONS, RANGE_MAX_G, RANGE_MIN_G

FILE_RATE_HZ = round(RATE_HZ)
"""Every file of this format has been brought to it; `native_hz` says what the sensor measured."""
SAMPLES_KEY = "acc"
NEEDED = ("fall", "offset", "n")
OPTIONAL = ("dataset", "position", "subject", "activity", "trial", "older", "native_hz")
BEYOND_SHARE = 1e-4
"""Where a set is not known, its sensor measures the least that holds nearly all of its samples."""
TRUE, FALSE = frozenset({"true", "t", "yes", "y", "1", "1.0"}), frozenset({"false", "f", "no", "n", "0", "0.0"})
GZIP = b"\x1f\x8b"
"""What compressed files begin with, whatever they are called."""
UNREADABLE = (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error)
"""What reading a table fails with."""

Samples = NDArray[np.int16]


class BadRecording(Exception):
    """A file is not there, or is none of this format. The message is for people."""


class Named(NamedTuple):
    """What names a trial."""

    dataset: str
    position: str
    subject: str
    activity: str
    trial: str

    @property
    def home(self) -> str:
        """The home into which it is played: every trial has one of its own, so that none remembers another."""
        return "".join(one if one.isascii() and (one.isalnum() or one in "-_") else "-" for one in "-".join(self))


@dataclass(frozen=True)
class Trial:
    row: int
    """Its place in the index, from 0."""
    named: Named
    fall: bool
    older: bool | None
    """None: the file does not say."""
    native_hz: float
    range_g: float
    samples: Samples
    """[n, 3] at 50 Hz, in 1/2000 g."""
    fell_s: tuple[float, float] | None = None
    """When the fall began and ended, where somebody has looked."""

    @property
    def seconds(self) -> float:
        return len(self.samples) / FILE_RATE_HZ

    @property
    def impact_s(self) -> float:
        """Of a fall: the largest magnitude, within the fall where its times are known."""
        magnitudes = np.square(self.samples.astype(np.float64)).sum(axis=1)
        first, last = 0, len(magnitudes)
        if self.fell_s is not None:
            first = min(max(0, int(self.fell_s[0] * FILE_RATE_HZ)), last - 1)
            last = max(first + 1, int(self.fell_s[1] * FILE_RATE_HZ))
        return (first + int(np.argmax(magnitudes[first:last]))) / FILE_RATE_HZ


@dataclass
class Trials:
    """The trials of a file, and what had to be said about it."""

    index: Path
    npz: Path
    trials: list[Trial]
    said: list[str] = field(default_factory=list)


def read(index: Path, npz: Path, timestamps: Path | None = None) -> Trials:
    """All trials of `index`. BadRecording when it cannot be read, or has none."""
    rows, said = _rows(index)
    samples = _samples(npz)
    fell = _timestamps(timestamps) if timestamps is not None else {}
    taken: list[tuple[int, Named, Mapping[str, str], Samples]] = []
    left_out: Counter[str] = Counter()
    for number, row in enumerate(rows):
        try:
            taken.append((number, _name(row, number, index), row, _cut(row, samples)))
        except ValueError as error:
            left_out[str(error)] += 1
    said += [f"{count} rows left out: {reason}" for reason, count in sorted(left_out.items())]
    if not taken:
        raise BadRecording(f"{index}: no trial can be read" + (f" ({said[-1]})" if left_out else ""))
    said += _unusual({(named.dataset, named.position) for _, named, _, _ in taken})
    ranges = _ranges(taken, said)
    trials = [
        Trial(
            number,
            named,
            _flag(row["fall"]),
            _older(row),
            float(row.get("native_hz") or FILE_RATE_HZ),
            given if (given := _given_range(row)) is not None else ranges[named.dataset, named.position],
            cut,
            fell.get((named.dataset, f"{named.activity}/{named.subject}_{named.trial}")),
        )
        for number, named, row, cut in taken
    ]
    return Trials(index, npz, trials, said)


def beside(index: Path) -> Path | None:
    """The times of WEDA's falls, where they lie beside the index as they are published."""
    path = index.with_name(FALL_TIMES)
    return path if path.is_file() else None


def opened(path: Path) -> TextIO:
    """A table's lines, compressed or not."""
    with path.open("rb") as file:
        packed = file.read(len(GZIP)) == GZIP
    if packed:
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def table_of(lines: TextIO) -> "csv.DictReader[str]":
    """Its rows, by the names of the columns in small letters."""
    table = csv.DictReader(lines)
    table.fieldnames = [name.strip().lower() for name in table.fieldnames or []]
    return table


def _rows(index: Path) -> tuple[list[dict[str, str]], list[str]]:
    try:
        with opened(index) as lines:
            table = table_of(lines)
            columns = table.fieldnames or []
            rows = list(table)
    except UNREADABLE as error:
        raise BadRecording(f"{index} cannot be read: {error}") from None
    if missing := [name for name in NEEDED if name not in columns]:
        raise BadRecording(f"{index} has no column {', '.join(missing)}; it has: {', '.join(columns) or 'none'}")
    absent = [name for name in OPTIONAL if name not in columns]
    said = [f"the index has no column {name}: {_instead(name)}" for name in absent]
    return rows, said


def _instead(name: str) -> str:
    return {
        "dataset": "the file's name stands for it",
        "position": "where the sensor sits is unknown",
        "subject": "each trial counts as somebody else's, and intervals come out too narrow",
        "activity": "not shown",
        "trial": "the row's number stands for it",
        "older": "ages are not told apart",
        "native_hz": f"{FILE_RATE_HZ} Hz is taken",
    }[name]


def _name(row: Mapping[str, str | None], number: int, index: Path) -> Named:
    return Named(
        (row.get("dataset") or index.stem).strip().lower(),
        (row.get("position") or "unknown").strip().lower(),
        (row.get("subject") or f"row{number}").strip(),
        (row.get("activity") or "unnamed").strip(),
        (row.get("trial") or f"row{number}").strip(),
    )


def _unusual(sets: set[tuple[str, str]]) -> list[str]:
    """A place that the protocol does not know keeps its name in the figures, and is judged as any."""
    return [
        f"{dataset} {position}: no position of the protocol; judged as unknown"
        for dataset, position in sorted(sets)
        if position not in POSITIONS
    ]


def _cut(row: Mapping[str, str | None], samples: Samples) -> Samples:
    """Its samples; ValueError with the reason when there are none, or what it says makes no sense."""
    _flag(row.get("fall"))
    try:
        offset, count = _whole(row["offset"]), _whole(row["n"])
        native_hz = float(row.get("native_hz") or FILE_RATE_HZ)
    except ValueError:
        raise ValueError("offset, n or native_hz is no number") from None
    _given_range(row)
    if not 0 < native_hz < 100_000:
        raise ValueError("native_hz makes no sense")
    if offset < 0 or count <= 0 or offset + count > len(samples):
        raise ValueError("its samples lie outside of the file")
    return samples[offset : offset + count]


def _whole(text: str | None) -> int:
    """A table that had gaps writes its whole numbers as 12.0."""
    number = float(text or "")
    if not number.is_integer():
        raise ValueError(text)
    return int(number)


def _given_range(row: Mapping[str, str | None]) -> float | None:
    """How far the row says that its sensor measures, g."""
    given = (row.get("range_g") or "").strip()
    try:
        range_g = float(given) if given else None
    except ValueError:
        range_g = math.nan
    if range_g is not None and not RANGE_MIN_G <= range_g <= RANGE_MAX_G:
        raise ValueError(f"range_g is not within {RANGE_MIN_G:g} and {RANGE_MAX_G:g}")
    return range_g


def _flag(text: str | None) -> bool:
    said = (text or "").strip().lower()
    if said not in TRUE | FALSE:
        raise ValueError("fall is neither True nor False")
    return said in TRUE


def _older(row: Mapping[str, str | None]) -> bool | None:
    said = (row.get("older") or "").strip().lower()
    return said in TRUE if said in TRUE | FALSE else None


def _samples(npz: Path) -> Samples:
    try:
        with np.load(npz, allow_pickle=False) as file:
            names = list(file.files)
            name = SAMPLES_KEY if SAMPLES_KEY in names else names[0] if len(names) == 1 else None
            if name is None:
                raise BadRecording(f"{npz} has no {SAMPLES_KEY}; it has: {', '.join(names) or 'nothing'}")
            samples: NDArray[Any] = file[name]
    except (OSError, ValueError, EOFError, AttributeError) as error:
        raise BadRecording(f"{npz} cannot be read: {error}") from None
    except Exception as error:  # zipfile and zlib have errors of their own for a damaged file
        if isinstance(error, BadRecording):
            raise
        raise BadRecording(f"{npz} cannot be read: {error}") from None
    if samples.ndim != 2 or samples.shape[1] != 3:
        raise BadRecording(f"{npz}: {samples.shape} is not [samples, 3]")
    if samples.dtype != np.int16:
        raise BadRecording(f"{npz}: {samples.dtype} and not int16 in 1/{COUNTS_PER_G} g")
    return samples


def _timestamps(path: Path) -> dict[tuple[str, str], tuple[float, float]]:
    try:
        with opened(path) as lines:
            return {("weda", row["filename"]): _between(row["start_time"], row["end_time"]) for row in table_of(lines)}
    except (*UNREADABLE, KeyError, TypeError, ValueError) as error:
        raise BadRecording(f"{path} cannot be read: {error!r}") from None


def _between(begin: str, end: str) -> tuple[float, float]:
    begin_s, end_s = float(begin), float(end)
    if not 0 <= begin_s <= end_s < math.inf:
        raise ValueError(f"a fall from {begin} to {end} s")
    return begin_s, end_s


def _ranges(
    taken: list[tuple[int, Named, Mapping[str, str], Samples]], said: list[str]
) -> dict[tuple[str, str], float]:
    """How far the sensor of each set and position measures, where its rows do not say: as published, or as its samples
    show."""
    ranges: dict[tuple[str, str], float] = {}
    groups: dict[tuple[str, str], list[tuple[Mapping[str, str], Samples]]] = {}
    for _, named, row, cut in taken:
        groups.setdefault((named.dataset, named.position), []).append((row, cut))
    for (dataset, position), members in sorted(groups.items()):
        if all(_given_range(row) is not None for row, _ in members):
            continue
        if dataset in RANGES_G:
            ranges[dataset, position] = RANGES_G[dataset]
        else:
            ranges[dataset, position] = _seen_range([cut for _, cut in members])
            said.append(
                f"{dataset} {position}: how far its sensor measures is not known;"
                f" ±{ranges[dataset, position]:g} g holds its samples"
            )
    return ranges


def _seen_range(cuts: list[Samples]) -> float:
    largest = np.concatenate([np.abs(cut.astype(np.int32)).max(axis=1) for cut in cuts]) / COUNTS_PER_G
    for range_g in RANGES_KNOWN_G:
        if np.mean(largest > range_g) <= BEYOND_SHARE:
            return range_g
    return RANGES_KNOWN_G[-1]


def as_measured(trial: Trial, clip_g: float | None, rate_hz: float | None) -> tuple[Samples, float, float]:
    """The samples of a lesser sensor at the same place: their rate and range. Clipped first, as a sensor does."""
    samples, range_g = trial.samples, trial.range_g
    if clip_g is not None and clip_g < range_g:
        limit = int(clip_g * COUNTS_PER_G)
        samples, range_g = np.clip(samples, -limit, limit - 1).astype(np.int16), clip_g
    if rate_hz is None or rate_hz == FILE_RATE_HZ:
        return samples, FILE_RATE_HZ, range_g
    at = np.arange(0, len(samples) - 1 + 1e-9, FILE_RATE_HZ / rate_hz)
    moved = [np.interp(at, np.arange(len(samples)), samples[:, axis]) for axis in range(3)]
    return np.rint(np.stack(moved, axis=1)).astype(np.int16), rate_hz, range_g


def by_set(trials: list[Trial]) -> Iterator[tuple[str, str, list[Trial]]]:
    """The trials of each dataset and position."""
    found: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        found.setdefault((trial.named.dataset, trial.named.position), []).append(trial)
    for (dataset, position), members in sorted(found.items()):
        yield dataset, position, members


def for_training(trials: list[Trial]) -> Recordings:
    """The same as the training reads them; row for row."""
    told, parts, offset = [], [], 0
    for trial in trials:
        count = len(trial.samples)
        told.append(
            recordings.Trial(
                *trial.named,
                fall=trial.fall,
                older=trial.older is True,
                native_hz=trial.native_hz,
                offset=offset,
                n=count,
                range_g=trial.range_g,
                fell=trial.fell_s,
            )
        )
        parts.append(trial.samples)
        offset += count
    return Recordings(told, np.concatenate(parts))
