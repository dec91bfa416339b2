"""Makes ticks out of listening: asks the broker to say something back, once a second, and notes when it has."""

import asyncio
import itertools
from collections.abc import Callable

from ingest.ticks import PROBE_SECONDS, Hearing
from pingan.clock import Clock
from pingan.messages import Tick

DEAF_SECONDS = 5.0


class Listening:
    """`say(payload)` publishes to ourselves; what comes back is handed to `came`. `deaf` is told when nothing does."""

    def __init__(
        self, clock: Clock, epoch: int, *, say: Callable[[bytes], None], deaf: Callable[[str | None], None]
    ) -> None:
        self._clock, self._epoch, self._say, self._deaf = clock, epoch, say, deaf
        self._hearing = Hearing(epoch)
        self._numbers = itertools.count(1)
        self._connected = asyncio.Event()
        self._said: bytes | None = None
        self._said_at = 0.0
        self._is_deaf = False

    def connection(self, up: bool) -> None:
        """The connection is there, or is not: in either case what was said on it will not be counted."""
        self._hearing.lost()
        self._said = None
        if up:
            self._connected.set()
        else:
            self._connected.clear()

    async def run(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            await self._connected.wait()
            if self._said is None:
                self._said, self._said_at = f"{self._epoch}:{next(self._numbers)}".encode(), now()
                self._say(self._said)
            elif now() - self._said_at > DEAF_SECONDS and not self._is_deaf:
                self._is_deaf = True
                self._deaf("the broker does not say back what it is told")
            await asyncio.sleep(PROBE_SECONDS)

    def came(self, payload: bytes) -> Tick | None:
        """The tick that follows; None if this was said on an earlier connection and kept by the broker."""
        if payload != self._said:
            return None
        self._said = None
        if self._is_deaf:
            self._is_deaf = False
            self._deaf(None)
        return self._hearing.probe_returned(self._clock.now_ms())
