"""Recordings of people falling and not falling, as the training and the evaluation read them: an index and an array."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 50.0
"""Of every trial in the array, whatever its sensor's own rate was."""
COUNTS_PER_G = 2000
RANGES_G = {"sisfall": 16.0, "weda": 4.0, "umafall": 8.0}
"""What the sensors of the published sets were set to. UMAFall's tags measure ±8 g; a few of its trials show more."""
RANGES_KNOWN_G = (2.0, 4.0, 8.0, 16.0)
NEEDED = ("dataset", "position", "subject", "activity", "trial", "fall", "offset", "n")
FALL_TIMES = "weda_fall_timestamps.csv"


class Refused(Exception):
    """Files that are not what they should be; says which and why."""


class Trial(NamedTuple):
    """One row of the index."""

    dataset: str
    position: str
    subject: str
    activity: str
    trial: str
    fall: bool
    older: bool
    native_hz: float
    offset: int
    n: int
    range_g: float
    fell: tuple[float, float] | None = None
    """Seconds into the trial between which the fall was, where somebody wrote it down."""

    @property
    def person(self) -> str:
        """Whoever wears it, apart from the people of the other sets."""
        return f"{self.dataset}/{self.subject}"

    @property
    def seconds(self) -> float:
        return self.n / RATE_HZ


class Recordings:
    """The trials, and the samples of each."""

    def __init__(self, trials: Sequence[Trial], counts: NDArray[np.int16]) -> None:
        self.trials = tuple(trials)
        self._counts = counts

    @classmethod
    def read(cls, index: Path, npz: Path) -> Self:
        """Refused for files that are not of this format."""
        try:
            with np.load(npz, allow_pickle=False) as arrays:
                counts = np.asarray(arrays["acc"], dtype=np.int16)
            with index.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
        except (OSError, ValueError, KeyError) as error:
            raise Refused(f"{index}, {npz}: {error}") from error
        if counts.ndim != 2 or counts.shape[1] != 3:
            raise Refused(f"{npz}: acc is {counts.shape}, not [N, 3]")
        if rows and (missing := [column for column in NEEDED if column not in rows[0]]):
            raise Refused(f"{index}: no column {', '.join(missing)}")
        times = _fall_times(index.with_name(FALL_TIMES))
        try:
            trials = [_trial(row, times) for row in rows]
        except (ValueError, TypeError) as error:
            raise Refused(f"{index}: {error}") from error
        for number, trial in enumerate(trials):
            if trial.offset < 0 or trial.n < 1 or trial.offset + trial.n > len(counts):
                raise Refused(f"{index}: row {number + 1} points outside the {len(counts)} samples of {npz}")
        return cls(_with_ranges(trials, counts), counts)

    def samples(self, row: int) -> NDArray[np.int16]:
        """The samples of a trial, [n, 3], 2000 a g, 50 a second."""
        trial = self.trials[row]
        return self._counts[trial.offset : trial.offset + trial.n]

    def __iter__(self) -> Iterator[tuple[int, Trial]]:
        return iter(enumerate(self.trials))

    def __len__(self) -> int:
        return len(self.trials)


def _trial(row: Mapping[str, Any], times: Mapping[str, tuple[float, float]]) -> Trial:
    fall = _true(row["fall"])
    dataset = row["dataset"].lower()
    known = times.get(f"{row['activity']}/{row['subject']}_{row['trial']}") if dataset == "weda" and fall else None
    return Trial(
        dataset=dataset,
        position=row["position"],
        subject=row["subject"],
        activity=row["activity"],
        trial=row["trial"],
        fall=fall,
        older=_true(row.get("older") or "false"),
        native_hz=float(row.get("native_hz") or RATE_HZ),
        offset=int(row["offset"]),
        n=int(row["n"]),
        range_g=0.0,
        fell=known,
    )


def _true(word: str) -> bool:
    return word.strip().lower() in ("true", "1")


def _with_ranges(trials: list[Trial], counts: NDArray[np.int16]) -> list[Trial]:
    """A set that is not known measures what it shows, rounded up to what sensors can be set to."""
    shown: dict[tuple[str, str], float] = {}
    for trial in trials:
        if trial.dataset not in RANGES_G:
            part = counts[trial.offset : trial.offset + trial.n].astype(np.int32)
            key = (trial.dataset, trial.position)
            shown[key] = max(shown.get(key, 0.0), float(np.abs(part).max()) / COUNTS_PER_G)
    found = []
    for trial in trials:
        range_g = RANGES_G.get(trial.dataset)
        if range_g is None:
            most = shown[trial.dataset, trial.position]
            range_g = next((known for known in RANGES_KNOWN_G if most <= known), RANGES_KNOWN_G[-1])
        found.append(trial._replace(range_g=range_g))
    return found


def _fall_times(path: Path) -> dict[str, tuple[float, float]]:
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {row["filename"]: (float(row["start_time"]), float(row["end_time"])) for row in csv.DictReader(file)}
