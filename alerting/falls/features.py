"""What a candidate looks like, in numbers that do not know which side is up. PURE.

A window is 3 s before the hardest moment and 4 s after it, at 25 slots a second. What of it was not heard is said to be
missing, and a feature that needs it is `MISSING`, which no feature is otherwise.

Why no longer: published trials end soon after a fall, and begin soon before one. A model that sees where a trial's data
end learns how it was staged, and nothing about people.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerting.falls.signal import SLOTS_PER_SECOND

Floats = NDArray[np.float64]

BEFORE = 3 * SLOTS_PER_SECOND
AFTER = 4 * SLOTS_PER_SECOND
LENGTH = BEFORE + 1 + AFTER
FIRST_LOOK = 18
"""Slots after the impact that the first look needs: 0.72 s."""
MISSING = -9.0
PEAK_CAP_G = 4.0
"""Greater impacts are alike: sensors of ±4 g and those of ±16 g are judged by the same trees."""
STILL_G = 0.03
"""A change from slot to slot below it is that of a body at rest, with its breath and the sensor's noise."""
SETTLED_G = 0.04
"""The same for what is smoothed over 0.2 s."""
IMPULSE_SECONDS = (0.2, 0.6, 1.2)
"""Around the impact: a hand that strikes a table is done within the first, a body that falls is not."""
BEFORE_PARTS = ((-1.6, -1.0), (-1.0, -0.6), (-0.6, -0.32), (-0.32, -0.08))
AFTER_PARTS = ((0.12, 0.32), (0.32, 0.6), (0.6, 1.0), (1.0, 1.6), (1.6, 2.4))
HARDEST_SLOTS = (5, 12)
QUIET_SLOTS, QUIET_STEP = 12, 6
"""Quiet is the least change over half a second, looked for at every quarter."""
HARD_G = 1.5


class Windows(NamedTuple):
    """Several candidates. What is missing is NaN."""

    vectors: Floats
    """[b, LENGTH, 3], g."""
    peaks: Floats
    """[b, LENGTH], g."""


def _mean(values: Floats, least: int = 5) -> Floats:
    """Mean along the second axis, NaN where fewer than `least` are there."""
    total = values.sum(axis=1)
    if values.shape[1] >= least and np.isfinite(total).all():
        whole: Floats = total / values.shape[1]
        return whole
    there = np.isfinite(values)
    count = there.sum(axis=1)
    total = np.where(there, values, 0.0).sum(axis=1)
    result: Floats = np.where(count >= least, total / np.maximum(count, 1), np.nan)
    return result


def _deviation(values: Floats) -> Floats:
    mean = _mean(values)
    result: Floats = np.sqrt(_mean((values - mean[:, None]) ** 2))
    return result


def _greatest(values: Floats) -> Floats:
    most = np.where(np.isfinite(values), values, -np.inf).max(axis=1)
    result: Floats = np.where(np.isfinite(most), most, np.nan)
    return result


def _least(values: Floats) -> Floats:
    return -_greatest(-values)


def _angle(one: Floats, other: Floats) -> Floats:
    """Degrees between vectors [b, 3]."""
    product = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    cosine = (one * other).sum(axis=1) / np.where(product > 1e-6, product, np.nan)
    result: Floats = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return result


def _direction(vectors: Floats) -> Floats:
    """The mean vector of a part: gravity, if the part is calm."""
    return _mean(vectors)


def _rhythm(values: Floats) -> Floats:
    """The greatest autocorrelation at a lag of 0.32 to 1.2 s: steps, claps, hops."""
    there = np.isfinite(values)
    centred = np.where(there, values - _mean(values)[:, None], 0.0)
    power = (centred**2).sum(axis=1)
    best = np.full(len(values), -1.0)
    for lag in range(8, 31, 2):
        if lag < values.shape[1] - 10:
            scale = values.shape[1] / (values.shape[1] - lag)
            best = np.maximum(best, (centred[:, lag:] * centred[:, :-lag]).sum(axis=1) * scale)
    result: Floats = np.where((power > 1e-4) & (there.sum(axis=1) > 15), best / np.maximum(power, 1e-4), np.nan)
    return result


def _run(true: NDArray[np.bool_]) -> Floats:
    """The longest run of true along the second axis, in seconds."""
    longest = np.zeros(len(true))
    current = np.zeros(len(true))
    for column in true.T:
        current = np.where(column, current + 1, 0)
        longest = np.maximum(longest, current)
    return longest / SLOTS_PER_SECOND


def _at(seconds: float) -> int:
    return BEFORE + round(seconds * SLOTS_PER_SECOND)


def first(windows: Windows) -> dict[str, Floats]:
    """What stands at the first look: from 3 s before the impact to 0.7 s after it."""
    vectors, capped, size, change, smooth = _lines(windows)
    end = BEFORE + FIRST_LOOK + 1
    around, fall = slice(_at(-0.5), _at(0.5)), slice(_at(-1.2), _at(0.1))
    before, just_before = slice(0, _at(-1)), slice(_at(-1.2), _at(-0.3))
    late = slice(_at(0.32), end)
    impact = slice(_at(-1), end)
    found: dict[str, Floats] = {"peak": capped[:, BEFORE], "size_peak": _greatest(size[:, around])}
    rest = capped[:, impact].copy()
    rest[:, _at(-0.2) - _at(-1) : _at(0.2) - _at(-1)] = np.nan
    found["second_peak"] = _greatest(rest)
    found["before_peak"] = _greatest(capped[:, : _at(-0.4)])
    found["late_peak"] = _greatest(capped[:, late])
    found["peak_ratio"] = capped[:, BEFORE] / np.maximum(_greatest(capped[:, : _at(-1)]), 1.0)
    valley = size[:, _at(-1) : BEFORE + 1]
    found["valley"] = _least(valley)
    filled = np.where(np.isfinite(valley), valley, np.inf)
    found["valley_ago"] = (valley.shape[1] - 1 - filled.argmin(axis=1)) / SLOTS_PER_SECOND
    found["light_seconds"] = (np.nan_to_num(size[:, fall], nan=9) < 0.75).sum(axis=1) / SLOTS_PER_SECOND
    found["light_area"] = _mean(np.maximum(0.0, 1 - size[:, fall]))
    found["heavy_area"] = _mean(np.maximum(0.0, size[:, around] - 1))
    found["heavy_slots"] = (np.nan_to_num(capped[:, impact]) > 1.8).sum(axis=1).astype(float)
    found["hard_slots"] = (np.nan_to_num(capped[:, impact]) > 2.5).sum(axis=1).astype(float)
    found["wide"] = (np.nan_to_num(capped[:, around]) > capped[:, BEFORE, None] / 2).sum(axis=1).astype(float)
    found["change_most"] = np.minimum(_greatest(change[:, around]), 2 * PEAK_CAP_G)
    found["energy_around"] = _mean((size[:, around] - 1) ** 2)
    for name, part in (("around", around), ("before", before), ("just_before", just_before), ("late", late)):
        found[f"change_{name}"] = _mean(change[:, part])
        found[f"deviation_{name}"] = _deviation(size[:, part])
        found[f"sway_{name}"] = _sway(smooth[:, part])
    # A smoothed vector looks two slots ahead, and the first look has none beyond its end.
    found["sway_late"] = _sway(smooth[:, _at(0.32) : end - 2])
    found["rhythm_before"] = _rhythm(size[:, : _at(-0.4)])
    found["beats_before"] = _beats(size[:, : _at(-0.4)])
    stood, lies = _direction(vectors[:, before]), _direction(vectors[:, late])
    found["tilt"] = _angle(stood, lies)
    found["stood_size"] = _length(stood)
    found["lies_size"] = _length(lies)
    parts = [_direction(vectors[:, _at(-1.2 + 0.3 * k) : _at(-0.9 + 0.3 * k)]) for k in range(6)]
    turns = np.column_stack([_angle(one, other) for one, other in pairwise(parts)])
    found["turned"] = np.nan_to_num(turns).sum(axis=1)
    found["turn_most"] = _greatest(turns)
    found["turned_before"] = _angle(stood, _direction(vectors[:, _at(-0.8) : _at(-0.3)]))
    moving = (vectors - stood[:, None, :])[:, around]
    found["steadiness"] = _length(_direction(moving)) / np.maximum(_mean(np.sqrt((moving**2).sum(axis=2))), 0.05)
    along = (vectors * stood[:, None, :]).sum(axis=2) / np.maximum((stood**2).sum(axis=1), 0.05)[:, None]
    found["along_peak"] = np.minimum(_greatest(along[:, around]), PEAK_CAP_G)
    found["along_valley"] = np.maximum(_least(along[:, fall]), -PEAK_CAP_G)
    return found


def second(windows: Windows) -> dict[str, Floats]:
    """What came of it: up to 4 s after the impact."""
    vectors, capped, size, change, smooth = _lines(windows)
    stood = _direction(vectors[:, : _at(-1)])
    found: dict[str, Floats] = {}
    lies = None
    for begin, end in ((0.7, 2.0), (2.0, 3.0), (3.0, 4.0), (1.0, 4.0)):
        part = slice(_at(begin), _at(end) + 1)
        name = f"{begin:g}_{end:g}"
        direction = _direction(vectors[:, part])
        found[f"change_{name}"] = _mean(change[:, part])
        found[f"deviation_{name}"] = _deviation(size[:, part])
        found[f"sway_{name}"] = _sway(smooth[:, part])
        found[f"peak_{name}"] = _greatest(capped[:, part])
        found[f"tilt_{name}"] = _angle(stood, direction)
        if lies is not None:
            found[f"turn_{name}"] = _angle(lies, direction)
        lies = direction
    part = slice(_at(1), _at(4) + 1)
    heard = np.isfinite(change[:, part])
    still = np.nan_to_num(change[:, part], nan=9.0) < STILL_G
    enough = heard.sum(axis=1) >= 10
    found["still"] = np.where(enough, still.sum(axis=1) / np.maximum(heard.sum(axis=1), 1), np.nan)
    found["still_run"] = np.where(enough, _run(still), np.nan)
    moved = np.sqrt((np.diff(smooth, axis=1, prepend=np.nan) ** 2).sum(axis=2))[:, _at(0.4) : _at(4) + 1]
    found["settled"] = np.where(
        np.isfinite(moved).sum(axis=1) >= 10,
        moved.shape[1] - np.argmax(np.nan_to_num(moved)[:, ::-1] > SETTLED_G, axis=1),
        np.nan,
    )
    found["rhythm"] = _rhythm(size[:, part])
    found["beats"] = _beats(size[:, part])
    found["change_ratio"] = found["change_1_4"] / np.maximum(_mean(change[:, : _at(-1)]), 0.01)
    return found


def course(windows: Windows) -> dict[str, Floats]:
    """How the impact went: how long, across or along what stood and what lies, and how soon all was quiet."""
    vectors, capped, _, change, _ = _lines(windows)
    found: dict[str, Floats] = {}
    force = np.abs(capped - 1.0)
    for seconds in IMPULSE_SECONDS:
        found[f"impulse_{seconds:g}"] = _mean(force[:, _at(-seconds) : _at(seconds) + 1])
    near = np.nan_to_num(force[:, _at(-1.2) : _at(1.2) + 1])
    when = np.arange(near.shape[1]) / SLOTS_PER_SECOND
    total = np.maximum(near.sum(axis=1), 0.05)
    middle = (near * when).sum(axis=1) / total
    found["impulse_spread"] = np.sqrt((near * (when - middle[:, None]) ** 2).sum(axis=1) / total)
    ordered = np.sort(np.nan_to_num(capped[:, _at(-1) : _at(1) + 1]), axis=1)
    for count in HARDEST_SLOTS:
        found[f"hardest_{count}"] = ordered[:, -count:].mean(axis=1)
    for begin, end in (*BEFORE_PARTS, *AFTER_PARTS):
        found[f"change_{begin:g}"] = _mean(change[:, _at(begin) : _at(end) + 1], least=3)
    for begin, end in AFTER_PARTS:
        found[f"peak_{begin:g}"] = _greatest(capped[:, _at(begin) : _at(end) + 1])
    stood, lies = _direction(vectors[:, : _at(-1)]), _direction(vectors[:, _at(1) :])
    for name, down in (("stood", stood), ("lies", lies)):
        along = (vectors * (down / np.maximum(_length(down), 0.2)[:, None])[:, None, :]).sum(axis=2)
        across = np.sqrt(np.maximum((vectors**2).sum(axis=2) - along**2, 0.0))
        before, impact = slice(_at(-0.6), _at(-0.08)), slice(_at(-0.08), _at(0.2))
        found[f"along_{name}_before"] = _mean(along[:, before])
        found[f"across_{name}_before"] = _mean(across[:, before])
        found[f"across_{name}_impact"] = _mean(across[:, impact], least=3)
        found[f"across_{name}_most"] = np.minimum(_greatest(across[:, _at(-0.5) : _at(0.5)]), PEAK_CAP_G)
        moving = np.nan_to_num(vectors - down[:, None, :])[:, _at(-0.8) : _at(-0.08) + 1]
        found[f"speed_{name}"] = _length(moving.sum(axis=1)) / SLOTS_PER_SECOND
    for seconds in (-0.6, -0.3):
        found[f"turned_to_lie_{seconds:g}"] = _angle(_mean(vectors[:, _at(seconds) - 4 : _at(seconds) + 5]), lies)
    found["quiet_before"] = _quietest(change[:, 1 : _at(-0.8)])
    found["quiet_after"] = _quietest(change[:, _at(0.6) :])
    found["quiet_ratio"] = found["quiet_after"] / np.maximum(found["quiet_before"], 0.005)
    found["hard_after"] = (np.nan_to_num(capped[:, _at(0.8) :]) > HARD_G).sum(axis=1).astype(float)
    return found


def _quietest(change: Floats) -> Floats:
    starts = range(0, change.shape[1] - QUIET_SLOTS + 1, QUIET_STEP)
    return _least(np.column_stack([change[:, at : at + QUIET_SLOTS].mean(axis=1) for at in starts]))


def _lines(windows: Windows) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Vectors, capped peaks, magnitude, change from slot to slot, and vectors smoothed over 0.2 s."""
    vectors, capped = windows.vectors, np.minimum(windows.peaks, PEAK_CAP_G)
    size = np.sqrt((np.clip(vectors, -PEAK_CAP_G, PEAK_CAP_G) ** 2).sum(axis=2))
    change = np.sqrt((np.diff(vectors, axis=1, prepend=np.nan) ** 2).sum(axis=2))
    smooth = np.full_like(vectors, np.nan)
    smooth[:, 2:-2] = sum(vectors[:, k : vectors.shape[1] - 4 + k] for k in range(5)) / 5
    return vectors, capped, size, change, smooth


def _length(vectors: Floats) -> Floats:
    result: Floats = np.sqrt((vectors**2).sum(axis=1))
    return result


def _sway(smooth: Floats) -> Floats:
    """How far a smoothed vector strays from its mean: movement without the sensor's noise."""
    return _length(_deviation(smooth))


def _beats(size: Floats) -> Floats:
    """Local maxima above 1.15 g, a second."""
    middle = size[:, 1:-1]
    with np.errstate(invalid="ignore"):
        beats = ((middle > 1.15) & (middle >= size[:, :-2]) & (middle > size[:, 2:])).sum(axis=1)
    heard = np.isfinite(middle).sum(axis=1)
    result: Floats = np.where(heard >= 10, beats * SLOTS_PER_SECOND / np.maximum(heard, 1), np.nan)
    return result


def table(windows: Windows, *, aftermath: bool) -> Floats:
    """[b, features], in the order of `names`. Nothing beyond the first look is seen unless `aftermath`."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found = first(windows)
        if aftermath:
            found |= {f"after_{name}": values for name, values in second(windows).items()}
            found |= {f"course_{name}": values for name, values in course(windows).items()}
    rows = np.column_stack(list(found.values()))
    result: Floats = np.where(np.isfinite(rows), np.round(rows, 4), MISSING)
    return result


def names(*, aftermath: bool) -> list[str]:
    empty = Windows(np.full((1, LENGTH, 3), np.nan), np.full((1, LENGTH), np.nan))
    with np.errstate(invalid="ignore", divide="ignore"):
        after = [f"after_{name}" for name in second(empty)] if aftermath else []
        went = [f"course_{name}" for name in course(empty)] if aftermath else []
        return [*first(empty), *after, *went]


FIRST_COUNT = len(names(aftermath=False))
"""So many of the features stand at the first look; they come first."""
PLAIN_COUNT = sum(not name.startswith("course_") for name in names(aftermath=True))
"""Without how the impact went, which only the wrist needs; that comes last."""
