"""What is found, and how much is measured of it."""

import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Effort:
    presses: int
    """Of one round; there are two of each kind, in turn, so that a busy minute of the machine falls on both."""
    rows: int
    flood_seconds: float
    floods: int
    peer_messages: int
    watch_readings: int
    turns: int
    """How often each side of a comparison is measured, one after the other: A B A B …"""
    turn_presses: int
    backlog_readings: int
    side_seconds: float
    """Of one run of the side-by-side table."""


FULL = Effort(
    presses=500,
    rows=50,
    flood_seconds=5.0,
    floods=3,
    peer_messages=20_000,
    watch_readings=20_000,
    turns=3,
    turn_presses=200,
    backlog_readings=500_000,
    side_seconds=8.0,
)
QUICK = Effort(
    presses=100,
    rows=10,
    flood_seconds=2.0,
    floods=1,
    peer_messages=5_000,
    watch_readings=5_000,
    turns=1,
    turn_presses=75,
    backlog_readings=150_000,
    side_seconds=4.0,
)


@dataclass
class Table:
    """What was found, a line each: what, how much, and what it should be."""

    lines: list[tuple[str, str, str, str]] = field(default_factory=list)
    found: dict[str, Any] = field(default_factory=dict)

    def add(self, what: str, value: float | None, unit: str, target: str = "", holds: bool | None = None) -> None:
        shown = "—" if value is None else f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"
        self.word(what, f"{shown} {unit}", target, holds)

    def word(self, what: str, measured: str, target: str = "", holds: bool | None = None) -> None:
        self.lines.append((what, measured, target, "" if holds is None else "yes" if holds else "NO"))

    def at_most(self, what: str, value: float | None, unit: str, most: float) -> None:
        self.add(what, value, unit, f"≤ {most:,g}", value is not None and value <= most)

    def at_least(self, what: str, value: float, unit: str, least: float) -> None:
        self.add(what, value, unit, f"≥ {least:,g}", value >= least)

    def compare(self, what: str, unit: str, sides: Mapping[str, Sequence[float]]) -> None:
        """The median of each side's turns, and how many times the first one's that of the others is."""
        first, *others = sides
        base = statistics.median(sides[first])
        self.add(f"{what}, {first}", base, unit)
        for other in others:
            middle = statistics.median(sides[other])
            self.add(f"{what}, {other}", middle, unit)
            self.add(f"  times {first}", middle / base, "")

    def text(self) -> str:
        heads = ("what", "measured", "target", "holds")
        rows = [heads, *self.lines]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def percentile(values: Sequence[float], part: float) -> float | None:
    """Nearest rank. None of nothing."""
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * part // 100) - 1)] if ordered else None


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
