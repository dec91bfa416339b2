"""Shares, rates and how sure they are. What is drawn by chance is drawn from a fixed seed."""

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SURE = 0.95
BOOTSTRAPS = 1_000
SEED = 20_260_105
FA_PER_HOUR_MAX = 1.0

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    low: float
    high: float


def poisson_interval(count: int) -> Interval:
    """The exact interval of a count's mean (Garwood 1936): the means of which so few, or so many, are no surprise."""
    tail = (1 - SURE) / 2
    low = 0.0 if count == 0 else _where(lambda mean: 1 - _poisson_cdf(count - 1, mean), tail, rising=True)
    return Interval(low, _where(lambda mean: _poisson_cdf(count, mean), tail, rising=False))


def _poisson_cdf(count: int, mean: float) -> float:
    if mean <= 0:
        return 1.0
    return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1))


def _where(function: Callable[[float], float], level: float, *, rising: bool) -> float:
    """Where a function that only rises (or only falls) has `level`."""
    low, high = 0.0, 1.0
    while (function(high) < level) == rising:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        if (function(middle) < level) == rising:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def drawn(groups: int) -> NDArray[np.int64]:
    """How often each of so many people (or homes) is drawn, in every one of the bootstrap's draws."""
    chance = np.random.default_rng(SEED)
    return chance.multinomial(groups, np.full(groups, 1 / groups), BOOTSTRAPS)


def middle_of(values: Floats) -> Interval | None:
    """The interval that holds most of them. None where many have no value."""
    values = values[np.isfinite(values)]
    if len(values) < BOOTSTRAPS / 2:
        return None
    low, high = np.quantile(values, [(1 - SURE) / 2, (1 + SURE) / 2])
    return Interval(float(low), float(high))


def ratio_interval(above: Sequence[float], below: Sequence[float]) -> Interval | None:
    """Of a ratio of two sums over homes, when homes are drawn anew. None with a single one."""
    if len(above) < 2:
        return None
    counts = drawn(len(above))
    with np.errstate(divide="ignore", invalid="ignore"):
        return middle_of((counts @ np.asarray(above, float)) / (counts @ np.asarray(below, float)))


class Scored(NamedTuple):
    """What a detector made of one trial."""

    who: Hashable
    """Whose trial it is: people are drawn, not trials, since those of one person are alike."""
    fall: bool
    hours: float
    alarms: int
    """As it would ring: alarms of this trial."""
    scores: tuple[float, ...]
    """The confidence of each thing that it looked at, with the threshold lowered as far as it goes."""


RATES = ("se", "sp", "f1", "fa_per_hour", "se_at_1_fa_per_hour")


class Tally:
    """Trials, counted by person."""

    def __init__(self, scored: Sequence[Scored]) -> None:
        people: dict[Hashable, int] = {}
        who = [people.setdefault(one.who, len(people)) for one in scored]
        self.people = len(people)
        # By person: falls found, falls, daily trials with an alarm, daily trials, alarms in them, their hours.
        self._sums = np.zeros((len(people), 6))
        best, false = [], []
        for person, one in zip(who, scored, strict=True):
            rang = one.alarms > 0
            row = (rang, 1, 0, 0, 0, 0) if one.fall else (0, 0, rang, 1, one.alarms, one.hours)
            self._sums[person] += row
            if one.fall:
                best.append((max(one.scores, default=-math.inf), person))
            else:
                false += [(score, person) for score in one.scores]
        self._best, self._best_who = _columns(best)
        self._false, self._false_who = _columns(false)
        self.alarms = int(self._sums[:, 4].sum())
        self.hours = float(self._sums[:, 5].sum())

    def rates(self) -> dict[str, float | None]:
        """Each of RATES; None where there are no falls or no other trials for it."""
        found = self._rates(np.ones((1, self.people)))
        return {name: float(values[0]) if np.isfinite(values[0]) else None for name, values in found.items()}

    def intervals(self) -> dict[str, Interval | None]:
        """Each of RATES when people are drawn anew. None with a single one."""
        if self.people < 2:
            return dict.fromkeys(RATES)
        return {name: middle_of(values) for name, values in self._rates(drawn(self.people).astype(float)).items()}

    def _rates(self, counts: Floats) -> dict[str, Floats]:
        found, falls, false, daily, alarms, hours = (counts @ self._sums).T
        with np.errstate(divide="ignore", invalid="ignore"):
            f1 = np.where((falls > 0) & (daily > 0), 2 * found / (found + false + falls), np.nan)
            return {
                "se": found / falls,
                "sp": 1 - false / daily,
                "f1": f1,
                "fa_per_hour": alarms / hours,
                "se_at_1_fa_per_hour": self._se_at(counts, hours, FA_PER_HOUR_MAX),
            }

    def _se_at(self, counts: Floats, hours: Floats, fa_per_hour: float) -> Floats:
        found = np.full(len(counts), np.nan)
        for draw, weights in enumerate(counts):
            falls = weights[self._best_who]
            if not falls.sum() or not hours[draw]:
                continue
            allowed = math.floor(fa_per_hour * hours[draw] + 1e-9)
            # Whatever scores as the first false alarm too many would ring with it.
            too_many = np.cumsum(weights[self._false_who]) > allowed
            beyond = self._false[int(np.argmax(too_many))] if too_many.any() else -math.inf
            found[draw] = falls[self._best > beyond].sum() / falls.sum()
        return found

    def curve(self) -> list[dict[str, float]]:
        """Sensitivity and false alarms an hour at every threshold that changes either, from the highest down."""
        if not len(self._best) or not self.hours:
            return []
        thresholds = np.unique(np.concatenate([self._best, self._false]))[::-1]
        points = []
        for threshold in thresholds[np.isfinite(thresholds)]:
            se, false = float(np.mean(self._best >= threshold)), int(np.sum(self._false >= threshold))
            points.append({"threshold": float(threshold), "se": se, "fa_per_hour": false / self.hours})
        return points


def _columns(pairs: list[tuple[float, int]]) -> tuple[Floats, NDArray[np.intp]]:
    """Scores from the highest down, and whose each is."""
    ordered = sorted(pairs, reverse=True)
    return np.array([score for score, _ in ordered], float), np.array([who for _, who in ordered], np.intp)


def fa_per_hour_at(curve: Sequence[dict[str, float]], se: float) -> float | None:
    """The fewest false alarms an hour with which at least that share is found; None where that cannot be."""
    return min((point["fa_per_hour"] for point in curve if point["se"] >= se), default=None)


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Median, mean and the ninetieth percentile."""
    if not values:
        return {"count": 0, "median": None, "mean": None, "p90": None}
    array: Floats = np.asarray(values, dtype=np.float64)
    return {
        "count": len(values),
        "median": float(np.median(array)),
        "mean": float(array.mean()),
        "p90": float(np.quantile(array, 0.9)),
    }
