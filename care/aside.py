"""Workbooks beside the platform: a process of its own reads or writes one, with bounded time and memory, and ends.

Whatever a file does to the library that reads it, it does it there: the web process never loads that library, goes on
answering, and stays as small as it was. The process knows no secret: our settings are not in its environment.
"""

import asyncio
import logging
import os
import sys
from asyncio.subprocess import PIPE
from weakref import WeakKeyDictionary

from care import workbook_process
from care.refusal import Refusal
from care.tables import BadRow, Table
from care.workbook_writer import Book

log = logging.getLogger(__name__)

SECONDS_LIMIT = workbook_process.SECONDS_LIMIT + 10
"""What the process allows itself, counted by the clock: waiting for the processor counts too."""

_PASSED_ON = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG")

_turns: "WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]" = WeakKeyDictionary()


async def read(file: str, content: bytes) -> tuple[list[Table], list[BadRow]]:
    """The tables of a workbook and all that is wrong with it."""
    try:
        found = await _run("read", await asyncio.to_thread(workbook_process.encode, (file, content)))
    except Refusal as refusal:
        return [], [BadRow(file, 0, None, refusal)]
    tables: list[Table]
    tables, bad = await asyncio.to_thread(workbook_process.decode, found, tuple[list[Table], list[BadRow]])
    return tables, bad


async def write(book: Book) -> bytes:
    """The bytes of a workbook. Refusal: it is more than can be written within the limits."""
    return await _run("write", await asyncio.to_thread(workbook_process.encode, book))


async def _run(verb: str, given: bytes) -> bytes:
    # One at a time in each process: the limit of memory is each one's own.
    async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            workbook_process.__name__,
            verb,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ}
            | {"PYTHONUTF8": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        try:
            async with asyncio.timeout(SECONDS_LIMIT):
                made, said = await child.communicate(given)
        except TimeoutError:
            made, said = b"", b""
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
    if child.returncode != 0:
        if said and b"MemoryError" not in said:
            log.error("a workbook could not be handled: %s", said.decode(errors="replace")[-2000:])
        raise Refusal("workbook_too_heavy", seconds=SECONDS_LIMIT)
    return made
