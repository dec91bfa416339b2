"""An asyncio loop whose time is a number: it goes on at once to whatever is next, and never waits.

It takes from asyncio's own only what it is called: that one looks at sockets between any two steps, which took a
quarter of a world's time.
"""

import asyncio
from asyncio import events
from collections import deque
from collections.abc import Callable
from contextvars import Context
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from typing import Any, TypeVarTuple

Ts = TypeVarTuple("Ts")

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""When every world begins."""


STEPS_MAX = 1_000_000
"""So many steps at one moment mean that it will never pass."""


class NothingLeft(Exception):
    """Everybody waits, and nothing will ever happen; or nobody waits, and time stands still."""


class Turn(asyncio.TimerHandle):
    """Something that is to be done, now or later."""

    __slots__ = ()

    def __init__(self, callback: Callable[..., object] | None, args: tuple[Any, ...], context: Context | None) -> None:
        self._callback, self._args, self._context = callback, args, context

    def cancel(self) -> None:
        self._callback, self._args = None, ()

    def cancelled(self) -> bool:
        return self._callback is None


class VirtualLoop(asyncio.BaseEventLoop):
    def __init__(self) -> None:
        self._at, self._number, self._closed = 0.0, 0, False
        self._ready: deque[Turn] = deque()
        self._later: list[tuple[float, int, Turn]] = []
        """A heap: when, and of two at one moment which was asked for first."""
        self.unheard: Callable[[str], None] = lambda _what: None
        """Told of an error that nobody has asked for."""

    def time(self) -> float:
        """Seconds since the world began."""
        return self._at

    def call_soon(self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None) -> Turn:
        turn = Turn(callback, args, context)
        self._ready.append(turn)
        return turn

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> Turn:
        turn = Turn(callback, args, context)
        self._number += 1
        heappush(self._later, (when, self._number, turn))
        return turn

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> Turn:
        return self.call_at(self._at + delay, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: object = None, context: Context | None = None) -> asyncio.Task[Any]:
        """Nobody here asks for a task's name."""
        return asyncio.Task(coro, loop=self, context=context)

    def run_until_complete(self, future: Any) -> Any:
        task = asyncio.ensure_future(future, loop=self)
        events._set_running_loop(self)
        try:
            self._run(task)
        finally:
            events._set_running_loop(None)
        return task.result()

    def _run(self, until: asyncio.Future[Any]) -> None:
        ready, later, steps = self._ready, self._later, 0
        while not until.done():
            if ready:
                turn = ready.popleft()
            elif later:
                when, _, turn = heappop(later)
                if turn._callback is not None and when > self._at:
                    self._at, steps = when, 0
            else:
                raise NothingLeft
            steps += 1
            if steps > STEPS_MAX:
                raise NothingLeft
            callback = turn._callback
            if callback is None:
                continue
            if turn._context is not None:
                turn._context.run(callback, *turn._args)
            else:
                callback(*turn._args)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.unheard(f"{context.get('message')} {context.get('exception')!r}")

    def is_running(self) -> bool:
        return not self._closed

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True
        self._ready.clear()
        self._later.clear()

    def get_debug(self) -> bool:
        return False


class WorldClock:
    """A process's clock: the world's time, and how far its wall was off when the machine was started."""

    driven = False

    def __init__(self, loop: asyncio.AbstractEventLoop, offset_seconds: float = 0.0) -> None:
        self._loop = loop
        self._zero = NOON + timedelta(seconds=offset_seconds)
        self._at, self._now = 0.0, self._zero

    def now(self) -> datetime:
        at = self._loop.time()
        if at != self._at:
            self._at, self._now = at, self._zero + timedelta(seconds=at)
        return self._now

    def now_ms(self) -> int:
        return round(self.now().timestamp() * 1000)

    def monotonic(self) -> float:
        return self._loop.time()

    def step_ms(self) -> int:
        return 0
