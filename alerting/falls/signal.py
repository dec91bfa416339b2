"""From what a sensor says to a line of slots that every model reads alike. PURE.

Sensors measure 20 to 200 times a second, up to 2 or 16 g, from any side up. Inside there is one rate: 25 slots a
second, each with the mean vector (for posture) and the greatest magnitude (an impact is short). Slots stand in absolute
device time, so that bursts fit together whatever the order in which they came.
"""

import base64
import binascii
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SLOT_MS = 40
SLOTS_PER_SECOND = 25
FINE_HZ = 50.0
"""The rate to which everything is brought first: the greatest magnitude of a 200-Hz sensor is not that of a slower."""
COUNTS_PER_G = 2000.0
RATE_MIN_HZ, RATE_MAX_HZ = 10.0, 400.0
RANGE_MIN_G, RANGE_MAX_G = 1.0, 64.0
SAMPLES_MAX = 40_000
STUCK_SAMPLES = 10
"""So many samples alike to the last digit: a sensor that works is never so still."""
POSITIONS = frozenset({"wrist", "waist", "pendant", "pocket", "unknown"})

BAD_SAMPLES = "bad_samples"
RATE_OUTSIDE = "rate_outside"
RANGE_OUTSIDE = "range_outside"
STUCK_SENSOR = "stuck_sensor"


class Unusable(Exception):
    """A burst that says nothing about a person; `reason` is one of the words above."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Slots(NamedTuple):
    """A burst at the inner rate. `first` is the number of its first slot since 1970."""

    first: int
    vectors: NDArray[np.int16]
    """[n, 3], 2000 a g."""
    peaks: NDArray[np.uint16]
    """[n]: the greatest magnitude in each slot, 2000 a g."""


class Burst(NamedTuple):
    """A burst as the sensor gave it, in g."""

    g: Floats
    """[n, 3]."""
    rate_hz: float
    range_g: float
    position: str
    stuck: bool = False
    """Every sample is the same: it says nothing about a person."""


def decode(value: Any) -> Burst:
    """The burst in the value of an `accel` reading. Unusable, with its reason, if it is none."""
    try:
        rate_hz, range_g, position = float(value["rate_hz"]), float(value["range_g"]), str(value["position"])
        raw = base64.b64decode(value["samples"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise Unusable(BAD_SAMPLES) from error
    if not (math.isfinite(rate_hz) and RATE_MIN_HZ <= rate_hz <= RATE_MAX_HZ):
        raise Unusable(RATE_OUTSIDE)
    if not (math.isfinite(range_g) and RANGE_MIN_G <= range_g <= RANGE_MAX_G):
        raise Unusable(RANGE_OUTSIDE)
    if not raw or len(raw) % 6 or len(raw) > 6 * SAMPLES_MAX:
        raise Unusable(BAD_SAMPLES)
    counts = np.frombuffer(raw, dtype="<i2").reshape(-1, 3)
    stuck = len(counts) >= STUCK_SAMPLES and bool((counts == counts[0]).all())
    return Burst(counts / COUNTS_PER_G, rate_hz, range_g, position if position in POSITIONS else "unknown", stuck)


def slots(burst: Burst, at_ms: int) -> Slots | None:
    """The slots whose middle lies within the burst, from its samples alone; None if it is shorter than one."""
    g = _at_fine_rate(burst)
    step_ms = 1000.0 / FINE_HZ
    number = np.floor((at_ms + np.arange(len(g)) * step_ms) / SLOT_MS).astype(np.int64)
    # A slot at the edge belongs to the burst that its middle lies in, so that none is made of two.
    first = math.ceil(at_ms / SLOT_MS - 0.5)
    after = math.ceil((at_ms + len(g) * step_ms) / SLOT_MS - 0.5)
    inside = (number >= first) & (number < after)
    number, g = number[inside], g[inside]
    if not len(g):
        return None
    starts = np.concatenate(([0], np.flatnonzero(np.diff(number)) + 1))
    sums = np.add.reduceat(g, starts, axis=0)
    sizes = np.diff(np.append(starts, len(g)))[:, None]
    peaks = np.maximum.reduceat(np.sqrt(np.einsum("ij,ij->i", g, g)), starts)
    return Slots(
        int(number[0]),
        np.clip(np.rint(sums / sizes * COUNTS_PER_G), -32767, 32767).astype(np.int16),
        np.clip(np.rint(peaks * COUNTS_PER_G), 0, 65535).astype(np.uint16),
    )


def peaks_of(kept: bytes) -> NDArray[np.uint16]:
    """The peaks of slots as they are kept."""
    return np.frombuffer(kept, "<u2")


def _at_fine_rate(burst: Burst) -> Floats:
    """The burst at FINE_HZ: means of a faster one, lines between the samples of a slower one."""
    g, rate_hz = burst.g, burst.rate_hz
    if abs(rate_hz - FINE_HZ) < 0.01:
        return g
    count = max(1, round(len(g) * FINE_HZ / rate_hz))
    if rate_hz >= 1.5 * FINE_HZ:
        number = np.minimum((np.arange(len(g)) * FINE_HZ / rate_hz).astype(np.int64), count - 1)
        starts = np.concatenate(([0], np.flatnonzero(np.diff(number)) + 1))
        sizes = np.diff(np.append(starts, len(g)))[:, None]
        result: Floats = np.add.reduceat(g, starts, axis=0) / sizes
        return result
    wanted = np.arange(count) * rate_hz / FINE_HZ
    there = np.arange(len(g))
    return np.column_stack([np.interp(wanted, there, g[:, axis]) for axis in range(3)])
