"""How a process of this room follows a log: a lease kept beside, a poll, and the work on what it gave."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from pingan.database import LOST
from pingan.log import Consumer, Polled
from pingan.process import State
from pingan.tasks import end

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
"""A poll ends sooner when the log's bell rings; this is how late a lost ring makes it."""

PAUSE_SECONDS = 0.2
LEAVE_SECONDS = 5.0


async def _nothing() -> None: ...


async def follow(
    consumer: Consumer,
    state: State,
    handle: Callable[[Polled], Awaitable[None]],
    leave: Callable[[], Awaitable[None]] = _nothing,
) -> None:
    """Hand every poll to `handle` until cancelled. `leave` then runs while the partitions are still ours."""
    leasing = asyncio.create_task(consumer.run())
    well = False
    try:
        while not leasing.done():
            try:
                polled = await consumer.poll(POLL_SECONDS)
            except LOST as error:
                state.waiting("log", f"cannot read the log: {type(error).__name__}")
                well = False
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if not well:
                state.well("log")
                well = True
            await handle(polled)
        leasing.result()
        raise RuntimeError("the lease was let go without anyone asking")
    finally:
        with contextlib.suppress(*LOST, TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await leave()
        await end([leasing])
