"""The days as bars: an SVG that needs no script, is as wide as the page, and prints. PURE.

Lengths along the page are in percent and those across it in pixels, so that nothing is scaled: type keeps its size.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

HEIGHT = 200
"""Pixels for the largest day."""
TOP, FOOT = 26, 30
LABELS = 6
"""Days that are named below, at most: the page may be 360 pixels wide."""
GAP = 0.25
"""Of a day's width."""


class Bar(NamedTuple):
    """A part of a day: `kind` is soon, slow, late or ringing. x and width in percent, y and height in pixels."""

    kind: str
    x: str
    y: float
    width: str
    height: float


class Label(NamedTuple):
    day: date
    x: str


class Chart(NamedTuple):
    bars: list[Bar]
    labels: list[Label]
    lines: list[tuple[int, float]]
    """(calls, y): the scale."""
    height: int
    base: int


def chart(days: Sequence[Mapping[str, Any]]) -> Chart:
    """Each day's calls from below: answered within 60 s, within 180 s, later or never, and those still ringing."""
    most = max((day["incidents"] for day in days), default=0)
    top = _round_up(most)
    width = 100 / max(1, len(days))
    base = TOP + HEIGHT
    bars: list[Bar] = []
    for number, day in enumerate(days):
        parts = {
            "soon": day["answered_60"],
            "slow": day["answered_180"] - day["answered_60"],
            "late": day["late"],
            "ringing": day["ringing"],
        }
        x = f"{width * (number + GAP / 2):.3f}%"
        y = float(base)
        for kind, count in parts.items():
            if count:
                height = HEIGHT * count / top
                y -= height
                bars.append(Bar(kind, x, round(y, 2), f"{width * (1 - GAP):.3f}%", round(height, 2)))
    every = -(-len(days) // LABELS)
    labels = [
        Label(day["day"], f"{width * (number + GAP / 2):.3f}%")
        for number, day in enumerate(days)
        if number % every == 0
    ]
    lines = [(count, base - HEIGHT * count / top) for count in sorted({top // 2, top} - {0})] if most else []
    return Chart(bars, labels, lines, base + FOOT, base)


def _round_up(most: int) -> int:
    """The next of 2, 4, 6, 8, 10, 20, 40 …: a scale whose half is whole too."""
    step = 1
    while True:
        for factor in (2, 4, 6, 8, 10):
            if most <= factor * step:
                return factor * step
        step *= 10
