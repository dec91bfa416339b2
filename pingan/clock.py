"""The one place that asks the time.

A process takes the wall's time once, at its start, and from then on counts the machine's boot time: a wall clock that
jumps by an hour moves no deadline. `step_ms` says how far the wall has gone from us since, so that it can be alarmed.
All times are UTC; an `…_ms` is an integer of milliseconds since 1970.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_ms(at_ms: int) -> datetime:
    """The aware UTC datetime of `at_ms`; exact, unlike a float of seconds. OverflowError outside years 1–9999."""
    return EPOCH + timedelta(milliseconds=at_ms)


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970 of an aware datetime, rounded down."""
    return (at - EPOCH) // timedelta(milliseconds=1)


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

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)

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
