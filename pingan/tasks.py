"""Ending tasks for certain."""

import asyncio
from collections.abc import Iterable

PATIENCE_SECONDS = 0.5


async def end(tasks: Iterable["asyncio.Task[object]"]) -> None:
    """Cancel tasks until they have ended; their errors stay with them.

    Once is not always enough: `asyncio.wait_for` of Python 3.11 forgets a cancellation that comes in the moment in
    which what it waits for is done, and the database driver waits with it for every answer.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=PATIENCE_SECONDS)
