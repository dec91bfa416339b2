"""An asyncio loop whose time is a number: it goes on at once to whatever is next, and never waits."""

import asyncio
from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""When every world begins."""


STEPS_MAX = 100_000
"""So many steps at one moment mean that it will never pass."""


class NothingLeft(Exception):
    """Everybody waits, and nothing will ever happen; or nobody waits, and time stands still."""


class VirtualLoop(asyncio.BaseEventLoop):
    def __init__(self) -> None:
        super().__init__()
        self._at, self._steps = 0.0, 0
        self._selector = self
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Seconds since the world began."""
        return self._at

    def select(self, timeout: float | None) -> tuple[()]:
        self._steps = 0 if timeout else self._steps + 1
        if timeout is None or self._steps > STEPS_MAX:
            raise NothingLeft
        self._at += timeout
        return ()

    def _process_events(self, _events: object) -> None:
        """There are none: nothing here comes from outside."""

    def _write_to_self(self) -> None:
        """Nobody calls from another thread."""


class WorldClock:
    """A process's clock: the world's time, and how far its wall was off when the machine was started."""

    driven = False

    def __init__(self, loop: asyncio.AbstractEventLoop, offset_seconds: float = 0.0) -> None:
        self._loop = loop
        self._zero = NOON + timedelta(seconds=offset_seconds)

    def now(self) -> datetime:
        return self._zero + timedelta(seconds=self._loop.time())

    def now_ms(self) -> int:
        return round(self.now().timestamp() * 1000)

    def monotonic(self) -> float:
        return self._loop.time()

    def step_ms(self) -> int:
        return 0
