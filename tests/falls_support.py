"""People who fall, as their sensors would tell it: drawn, not recorded, so that it may stand in the repository."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerting.detectors import Finding, Now
from alerting.detectors.fall import Fall
from pingan.messages import Event, Reading
from tests.timeline import START_MS

Floats = NDArray[np.float64]
RATE_HZ = 50
WATCH = "H1-watch"
UP, FLAT = np.array([0.05, -0.15, 0.98]), np.array([0.95, 0.25, -0.1])


def still(seconds: float, pull: Floats = UP, seed: int = 1, noise_g: float = 0.008) -> Floats:
    """Somebody at rest."""
    return pull + np.random.default_rng(seed).normal(0, noise_g, (round(seconds * RATE_HZ), 3))


def walking(seconds: float, pull: Floats = UP, seed: int = 2) -> Floats:
    """About two steps a second."""
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    step = 0.22 * np.sin(2 * np.pi * 1.9 * at) + 0.08 * np.sin(2 * np.pi * 3.8 * at)
    return still(seconds, pull, seed, 0.03) * (1 + step)[:, None]


def falling(seed: int = 3, impact_g: float = 3.5) -> Floats:
    """A second of it: the ground comes nearer, the body turns, it strikes, and settles."""
    random = np.random.default_rng(seed)
    at = np.arange(RATE_HZ) / RATE_HZ
    share = np.clip((at - 0.1) / 0.5, 0, 1)[:, None]
    body = (1 - share) * UP + share * FLAT
    light = np.where((at > 0.15) & (at < 0.5), 0.35, 1.0)[:, None]
    strike = impact_g * np.exp(-(((at - 0.56) / 0.03) ** 2)) + 1.1 * np.exp(-(((at - 0.74) / 0.04) ** 2))
    side = np.array([0.8, 0.3, 0.52])
    return body * light + strike[:, None] * side + random.normal(0, 0.08, (RATE_HZ, 3))


def fall(after: Floats | None = None, before_seconds: float = 5, seed: int = 3) -> Floats:
    """Somebody walks, falls, and lies; or does as `after` says."""
    lies = still(12, FLAT, seed + 10) if after is None else after
    return np.concatenate([walking(before_seconds, seed=seed), falling(seed), lies])


def accel(
    g: Floats, at_ms: int = START_MS, *, seq: int = 0, device: str = WATCH, position: str = "wrist",
    range_g: float = 8.0, boot: str = "b1", seconds: float = 1.0, rate_hz: float = RATE_HZ,
) -> list[Reading]:  # fmt: skip
    """Bursts of a stream, each of which arrives as it ends."""
    counts = np.clip(np.rint(np.clip(g, -range_g, range_g) * 2000), -32767, 32767).astype("<i2")
    size = round(seconds * rate_hz)
    found = []
    for number, first in enumerate(range(0, len(counts), size)):
        part = counts[first : first + size]
        begins_ms = at_ms + round(first * 1000 / rate_hz)
        value: dict[str, Any] = {
            "rate_hz": rate_hz,
            "range_g": range_g,
            "position": position,
            "samples": b64encode(part.tobytes()).decode(),
        }
        arrives_ms = begins_ms + round(len(part) * 1000 / rate_hz)
        found.append(Reading(device, boot, seq + number, begins_ms, arrives_ms, "accel", value, "H1"))
    return found


def play(
    detector: Fall, heard: Sequence[Reading | Event], *, seconds_after: int = 20, restarts: bool = False
) -> list[Finding]:
    """What it finds, with a tick a second; `restarts`: it is put down and taken up again at every tick."""
    found: list[Finding] = []
    now = Now(START_MS, 0)

    def tick() -> None:
        nonlocal now, detector
        now = Now(now.at_ms + 1000, now.heard_ms + 1000)
        if detector.deadline is not None and detector.deadline <= now.heard_ms:
            found.extend(detector.on_deadline(now))
        if restarts:
            detector = type(detector).restore(detector.snapshot())

    for one in heard:
        while one.received_ms > now.at_ms + 1000:
            tick()
        found.extend(detector.on_reading(one, now))
    for _ in range(seconds_after):
        tick()
    return found


def kinds(found: Sequence[Finding]) -> list[str]:
    return [one.kind for one in found]


def reasons(found: Sequence[Finding]) -> list[tuple[str | None, str]]:
    return [(one.restores, one.evidence["reason"]) for one in found if one.kind == "withdrawn"]


def standing(found: Sequence[Finding]) -> set[str]:
    """The episodes of the falls that rang and were not withdrawn."""
    rules = {(one.rule, one.episode) for one in found if one.kind == "fall"}
    ended = {(one.restores, one.episode) for one in found if one.kind == "withdrawn"}
    return {episode for _, episode in rules - ended}
