"""Small recordings of the evaluation's format, and a fall detector that is simple enough to be told by eye."""

import base64
import csv
import gzip
import struct
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from alerting.detectors import Finding, Heard, Now, reading_id
from alerting.detectors.table import DETECTORS, Table
from pingan.messages import HomeSettings, Reading

COLUMNS = ("dataset", "position", "subject", "activity", "trial", "fall", "older", "native_hz", "offset", "n")
RATE_HZ = 50
FIRST_DAY = datetime(2026, 1, 5)  # noqa: DTZ001 - a home's own time


def still(seconds: float, *, hit_g: float = 0.0, at: float = 0.0) -> NDArray[np.int16]:
    """Somebody who holds still, and is hit once."""
    samples = np.zeros((round(seconds * RATE_HZ), 3), np.int16)
    samples[:, 2] = 2000
    if hit_g:
        samples[round(at * RATE_HZ), 2] = round(hit_g * 2000)
    return samples


def fallen() -> NDArray[np.int16]:
    """Walks, falls for half a second, is hit, and lies on the side."""
    chance = np.random.default_rng(5)
    g = np.zeros((15 * RATE_HZ, 3))
    at = np.arange(len(g)) / RATE_HZ
    g[:, 2] = 1 + 0.25 * np.sin(2 * np.pi * 1.8 * at)
    g[:, :2] = 0.1 * chance.standard_normal((len(g), 2))
    g[250:275] = 0.15 * chance.standard_normal((25, 3))
    g[275:290] = 3.5 * np.exp(-np.arange(15) / 4)[:, None] * chance.choice([-1, 1], (15, 3))
    g[290:] = (0.98, 0.1, 0.1)
    g[290:310] += 0.3 * chance.standard_normal((20, 3))
    g[310:] += 0.005 * chance.standard_normal((len(g) - 310, 3))
    return np.clip(g * 2000, -8000, 7999).astype(np.int16)


def write_falls(
    folder: Path, trials: Sequence[tuple[dict[str, Any], NDArray[np.int16]]], columns: Sequence[str] = COLUMNS
) -> tuple[Path, Path]:
    """The index and the samples."""
    index, npz, offset = folder / "index.csv", folder / "accel.npz", 0
    with index.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns, extrasaction="ignore")
        table.writeheader()
        for named, samples in trials:
            given = {
                "dataset": "weda", "position": "wrist", "subject": "U01", "activity": "D01", "trial": "R01",
                "fall": False, "older": False, "native_hz": 50.0, "offset": offset, "n": len(samples),
            }  # fmt: skip
            table.writerow(given | named)
            offset += len(samples)
    np.savez(npz, acc=np.concatenate([samples for _, samples in trials]))
    return index, npz


def day_of_a_person(day: datetime, number: int) -> list[tuple[datetime, str]]:
    """Up at seven, in and out of the kitchen, a walk on every third day, to bed at eleven; no two days are the same."""
    moved = []
    for hour in range(7, 23):
        minute = (13 * hour + 7 * number) % 60
        if number % 3 == 0 and 14 <= hour <= 16:
            if hour != 15:
                moved.append((day.replace(hour=hour, minute=minute), "front-door"))
            continue
        moved.append((day.replace(hour=hour, minute=minute), ("kitchen", "lounge", "hallway")[hour % 3]))
    return moved


def write_homes(path: Path, days: int, homes: Sequence[str] = ("a", "b"), begin: datetime = FIRST_DAY) -> Path:
    """Homes of people who live such days, each an hour after the one before."""
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("id,t,location\n")
        for later, home in enumerate(homes):
            for number in range(days):
                for at, where in day_of_a_person(begin + timedelta(days=number), number + later):
                    file.write(f"{home},{at:%Y-%m-%d %H:%M:%S},{where}\n")
    return path


class _State(msgspec.Struct, array_like=True):
    episode: str = ""
    since_ms: int = 0
    confidence: float = 0.0
    due: int | None = None


class HardHit:
    """Suspects at a hard hit, and five seconds later rings or takes it back, by how hard it was."""

    name: ClassVar[str] = "fall"
    version: ClassVar[int] = 1
    ring_g: ClassVar[float] = 3.0
    WAIT_MS: ClassVar[int] = 5_000

    def __init__(self, state: _State | None = None) -> None:
        self._state = state or _State()

    @property
    def deadline(self) -> int | None:
        return self._state.due

    def on_settings(self, settings: HomeSettings, now: Now) -> None: ...

    def on_reading(self, heard: Heard, now: Now) -> list[Finding]:
        state = self._state
        if heard.kind != "accel" or state.due is not None or not isinstance(heard, Reading):
            return []
        numbers = [abs(number) for (number,) in struct.iter_unpack("<h", base64.b64decode(heard.value["samples"]))]
        hardest = max(numbers) / 2000
        if hardest < 2.0:
            return []
        state.episode = reading_id(heard.device, heard.boot, heard.seq)
        state.since_ms, state.confidence = heard.at_ms, hardest / 16
        state.due = now.heard_ms + self.WAIT_MS
        return [self._finding("fall_suspected", "hard_hit_suspected")]

    def on_deadline(self, now: Now) -> list[Finding]:
        self._state.due = None
        if self._state.confidence * 16 >= self.ring_g:
            return [self._finding("fall", "hard_hit", follows="hard_hit_suspected")]
        return [self._finding("withdrawn", "hard_hit_back", restores="hard_hit_suspected")]

    def _finding(self, kind: str, rule: str, **about: str) -> Finding:
        state = self._state
        evidence = {
            "threshold": self.ring_g, "value": state.confidence * 16, "unit": "g", "since_ms": state.since_ms,
            "readings": [state.episode], "confidence": state.confidence,
        }  # fmt: skip
        return Finding(kind, rule, state.episode, evidence, **about)

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(self._state)

    @classmethod
    def restore(cls, state: bytes) -> Self:
        return cls(msgspec.msgpack.decode(state, type=_State))


class AnyHit(HardHit):
    """The same, with the threshold as low as it goes."""

    ring_g: ClassVar[float] = 0.0


def with_fall(version: type[HardHit]) -> Table:
    return {**DETECTORS, "fall": {"told by eye": version}}
