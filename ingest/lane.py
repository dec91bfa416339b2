"""A lane: append what was received, and only then do what follows from it.

One flusher takes whatever came while the last append was under way; so a lone press goes at once, and a flood goes in
large appends. While the database is away messages stay here unacknowledged, up to a bound, and behind it in the broker.
"""

import asyncio
import logging
from collections.abc import Callable

from ingest.waiting import Queue, Waiting
from pingan.database import LOST
from pingan.log import Log

log = logging.getLogger(__name__)

MESSAGES_MAX = 10_000
"""Two large appends. With 50,000 the reading took the turns of the lease's beat, which then came each 2.7 s."""
BYTES_MAX = 64 * 1024 * 1024
RETRY_SECONDS = 0.1
SLOW_SECONDS = 2.0
"""An append that takes longer is said to be in trouble, though it may still come through."""


class Lane:
    """`put` what came; `run` appends it and then, in the same order, calls `done` and each item's own `then`.

    `flow(False)` is called when more waits than may, `flow(True)` when half of it has gone. `trouble` is told why
    nothing can be appended, and None when it can be again. `pace_seconds` is the least time between two appends: each
    one touches every partition that it brings something for, so many small ones cost more than few large ones.
    """

    def __init__(
        self,
        log_: Log,
        queue: Queue,
        *,
        done: Callable[[list[Waiting]], None],
        flow: Callable[[bool], None] = lambda _: None,
        trouble: Callable[[str | None], None] = lambda _: None,
        batch_messages: int,
        pace_seconds: float = 0.0,
        messages_max: int = MESSAGES_MAX,
        bytes_max: int = BYTES_MAX,
    ) -> None:
        self._log, self._queue = log_, queue
        self._done, self._flow, self._trouble = done, flow, trouble
        self._batch_messages, self._pace_seconds = batch_messages, pace_seconds
        self._messages_max, self._bytes_max = messages_max, bytes_max
        self._bytes = 0
        self._full = False
        self._troubled = False
        self._some = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.appended_messages = 0
        self.appends = 0

    def put(self, key: str, item: Waiting) -> None:
        self._queue.put(key, item)
        self._bytes += item.size
        self._idle.clear()
        self._some.set()
        if not self._full and (len(self._queue) >= self._messages_max or self._bytes >= self._bytes_max):
            self._full = True
            log.debug("%d messages wait to be appended: no more are taken from the broker", len(self._queue))
            self._flow(False)

    async def idle(self) -> None:
        """Return when nothing waits: everything put before is durable and has had its consequences."""
        await self._idle.wait()

    async def run(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await self._some.wait()
            began = clock()
            items = self._queue.take(self._batch_messages)
            await self._append(items)
            self._done(items)
            for item in items:
                if item.then is not None:
                    item.then()
            self._bytes -= sum(item.size for item in items)
            self.appended_messages += len(items)
            self.appends += 1
            if self._full and 2 * len(self._queue) <= self._messages_max and 2 * self._bytes <= self._bytes_max:
                self._full = False
                self._flow(True)
            if not len(self._queue):
                self._some.clear()
                self._idle.set()
            if (rest := self._pace_seconds - (clock() - began)) > 0:
                await asyncio.sleep(rest)

    async def _append(self, items: list[Waiting]) -> None:
        records = [record for item in items for record in item.records]
        while True:
            slow = asyncio.get_running_loop().call_later(SLOW_SECONDS, self._say, "it does not answer")
            try:
                await self._log.append(records)
            except LOST as error:
                self._say(str(error).strip() or type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                if self._troubled:
                    self._troubled = False
                    self._trouble(None)
                return
            finally:
                slow.cancel()

    def _say(self, reason: str) -> None:
        self._troubled = True
        self._trouble(f"cannot append to the log: {reason}")
