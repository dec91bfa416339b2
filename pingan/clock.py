"""The one place that asks the time.

The wall's time is taken once, at the supervisor's start (or else at the process's), and from then on the machine's boot
time is counted: a wall clock that jumps by an hour moves no deadline, not even for a process that begins after it.
`step_ms` says how far the wall has gone from us since, so that it can be alarmed.
All times are UTC; an `…_ms` is an integer of milliseconds since 1970.
"""

import time
from datetime import datetime
from typing import Protocol

from pingan.times import EPOCH, from_ms, to_ms

__all__ = ["EPOCH", "Clock", "DrivenClock", "SystemClock", "from_ms", "to_ms", "wall_minus_boottime"]


def wall_minus_boottime() -> float:
    """Seconds. Constant for as long as nobody moves the wall clock; suspending the machine does not change it."""
    return (time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)) / 1e9


class Clock(Protocol):
    """What a process asks for the time. `monotonic` is for waits of this process alone: never stored, never sent."""

    driven: bool

    def now_ms(self) -> int: ...
    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...
    def step_ms(self) -> int: ...


class SystemClock:
    """Wall time at start plus CLOCK_BOOTTIME, which also counts while the machine sleeps."""

    driven = False

    def __init__(self, wall_minus_boottime_seconds: float | None = None) -> None:
        """With the supervisor's own difference all its processes agree, whenever each of them was started."""
        given = wall_minus_boottime() if wall_minus_boottime_seconds is None else wall_minus_boottime_seconds
        self._offset_ns = round(given * 1e9)

    def now_ms(self) -> int:
        return (time.clock_gettime_ns(time.CLOCK_BOOTTIME) + self._offset_ns) // 1_000_000

    def now(self) -> datetime:
        return from_ms(self.now_ms())

    def monotonic(self) -> float:
        return time.monotonic()

    def step_ms(self) -> int:
        """How many milliseconds the wall clock is ahead of us (negative: behind)."""
        return time.time_ns() // 1_000_000 - self.now_ms()


class DrivenClock:
    """A clock that stands still until it is told: for simulation and for tests. It never goes backward."""

    driven = True

    def __init__(self, at_ms: int = 0) -> None:
        self._now_ms = at_ms

    def advance(self, at_ms: int) -> None:
        """Move to `at_ms`. ValueError if that is in the past."""
        if at_ms < self._now_ms:
            raise ValueError(f"time does not go backward: {from_ms(self._now_ms)} to {from_ms(at_ms)}")
        self._now_ms = at_ms

    def now_ms(self) -> int:
        return self._now_ms

    def now(self) -> datetime:
        return from_ms(self._now_ms)

    def monotonic(self) -> float:
        return time.monotonic()

    def step_ms(self) -> int:
        return 0
