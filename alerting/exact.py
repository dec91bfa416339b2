"""How sure a count and a share are: exact intervals, without a table and without an approximation. PURE."""

import math
from collections.abc import Callable
from typing import NamedTuple

SURE = 0.95
TAIL = (1 - SURE) / 2
HALVINGS = 60


class Interval(NamedTuple):
    low: float
    high: float


def of_count(count: int) -> Interval:
    """The means of which so few, or so many, are no surprise (Garwood 1936)."""
    low = 0.0 if count == 0 else _where(lambda mean: 1 - _poisson_up_to(count - 1, mean), TAIL, rising=True)
    return Interval(low, _where(lambda mean: _poisson_up_to(count, mean), TAIL, rising=False))


def of_share(count: int, of: int) -> Interval:
    """The shares of which `count` out of `of` is no surprise (Clopper and Pearson 1934)."""
    low, high = 0.0, 1.0
    if count > 0:
        low = _where(lambda share: 1 - _binomial_up_to(count - 1, of, share), TAIL, rising=True, top=1.0)
    if count < of:
        high = _where(lambda share: _binomial_up_to(count, of, share), TAIL, rising=False, top=1.0)
    return Interval(low, high)


def _poisson_up_to(count: int, mean: float) -> float:
    if mean <= 0:
        return 1.0
    return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1))


def _binomial_up_to(count: int, of: int, share: float) -> float:
    if share <= 0:
        return 1.0
    if share >= 1:
        return 1.0 if count >= of else 0.0
    whole, yes, no = math.lgamma(of + 1), math.log(share), math.log1p(-share)
    return math.fsum(
        math.exp(whole - math.lgamma(k + 1) - math.lgamma(of - k + 1) + k * yes + (of - k) * no)
        for k in range(count + 1)
    )


def _where(function: Callable[[float], float], level: float, *, rising: bool, top: float | None = None) -> float:
    """Where a function that only rises (or only falls) has `level`; between 0 and `top`, if there is one."""
    low, high = 0.0, top or 1.0
    while top is None and (function(high) < level) == rising:
        high *= 2
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if (function(middle) < level) == rising:
            low = middle
        else:
            high = middle
    return (low + high) / 2
