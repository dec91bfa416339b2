"""What every process of the platform does alike: say what state it is in, every second, and stop when it is told.

The state goes to `run/<name>.json` in the data folder. Whoever supervises takes a file that no longer moves for a
process that no longer works, and `/healthz` and `pingan doctor` read what it says.
"""

import asyncio
import contextlib
import itertools
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop
from psycopg.errors import UndefinedTable

from pingan.clock import Clock, DrivenClock, SystemClock, to_ms
from pingan.database import LOST, Database, Listener
from pingan.exposition import Exposition, Taken, serving
from pingan.log import Log
from pingan.logs import open_log
from pingan.metrics import CLOCK_STEP_SECONDS, DATABASE_SECONDS, READY, WAITING, hide, show
from pingan.migrate import migrations
from pingan.priority import step_back
from pingan.settings import Common, SettingsError
from pingan.tasks import end

log = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
SCHEMA_SECONDS = 0.3
"""How often a database that is there is asked whether it has been migrated."""
STEP_TOLERATED_MS = 2_000


class State:
    """What this process says of itself: each part of it is `None` when it is well, or says what it waits for."""

    def __init__(self, name: str, data: Path | None) -> None:
        self.name = name
        self._path = data / "run" / f"{name}.json" if data else None
        self._waiting: dict[str, str] = {}
        self._parts: set[str] = set()
        self._note = ""
        self._numbers = itertools.count(1)
        self._written = 0
        self._one_at_a_time = threading.Lock()
        self._shown_ready, self._shown_waiting = show(READY), show(WAITING)

    def expect(self, *parts: str) -> None:
        """Name the parts that must have said that they are well before the process is ready."""
        self._parts.update(parts)
        for part in parts:
            self._waiting.setdefault(part, "starting")
            self._show(part)

    def well(self, part: str) -> None:
        reason = self._waiting.pop(part, None)
        if reason is None:
            return
        if reason != "starting":
            log.info("%s is back", part)
        self._show(part)
        self.write()

    def waiting(self, part: str, reason: str) -> None:
        if self._waiting.get(part) != reason:
            log.warning("%s", reason)
        self._waiting[part] = reason
        self._show(part)
        self.write()

    def _show(self, part: str) -> None:
        self._shown_waiting.labels(part).set(part in self._waiting)
        self._shown_ready.set(self.ready)

    def note(self, text: str) -> None:
        """Something that whoever looks should read though nothing is waited for: `standby`."""
        self._note = text
        self.write()

    @property
    def ready(self) -> bool:
        return not self._waiting

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "pid": os.getpid(),
            "state": "ready" if self.ready else "waiting",
            "detail": "; ".join([*self._waiting.values(), *([self._note] if self._note else [])]),
            "at_monotonic": time.monotonic(),
        }

    def write(self) -> None:
        if self._path is not None:
            self._put(self._path, next(self._numbers), json.dumps(self.describe()))

    async def beat(self) -> None:
        """The same, in a thread: beside others who write, the rename takes 7 ms, and a press would wait for it."""
        if self._path is not None:
            await asyncio.to_thread(self._put, self._path, next(self._numbers), json.dumps(self.describe()))

    def _put(self, path: Path, number: int, text: str) -> None:
        with self._one_at_a_time:
            if number < self._written:  # something newer was quicker
                return
            self._written = number
            try:
                try:
                    _replace(path, text)
                except OSError:
                    _overwrite(path, text)
            except OSError as error:  # the work goes on; the supervisor will see the silence
                log.error("cannot write %s: %s", path, error)


def _replace(path: Path, text: str) -> None:
    """So that nobody ever reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


def _overwrite(path: Path, text: str) -> None:
    """On a full disk: into the block that the file has already, so that nobody takes a process that works for dead."""
    with path.open("r+b", buffering=0) as file:
        file.write(text.encode().ljust(os.fstat(file.fileno()).st_size))


class Process:
    """The things that each process has one of, and the tasks that it runs until one fails or it is told to stop."""

    def __init__(self, settings: Common, *, connections: int = 4) -> None:
        self.clock: Clock = DrivenClock() if settings.clock == "driven" else SystemClock(settings.wall_minus_boottime)
        step_back(settings.nice)
        self.database = Database(
            settings.database_url, connections=connections, application=settings.name, nice=settings.nice
        )
        self.listener = Listener(self.database)
        self.state = State(settings.name, settings.data)
        self.state.expect("database")
        self.exposition = Exposition()
        self.exposition.look(self._look)
        self._settings = settings
        self._logs: list[Log] = []
        if isinstance(self.clock, DrivenClock):
            self._follow(self.clock)

    def log(self, name: str, *, wake: bool = False, patience_seconds: float = 3.0) -> Log:
        """The log `name`, closed when the process ends. `wake`: its consumers hear of an append at once."""
        try:
            opened = open_log(
                name,
                self._settings,
                self.database,
                self.clock,
                self.listener if wake else None,
                patience_seconds=patience_seconds,
            )
        except SettingsError as error:
            raise SystemExit(f"{self._settings.name}: {error}") from error
        self._logs.append(opened)
        return opened

    def _look(self) -> None:
        show(CLOCK_STEP_SECONDS).set(self.clock.step_ms() / 1000)

    def _follow(self, clock: DrivenClock) -> None:
        def hear(payload: str | None) -> None:
            if payload is not None and int(payload) > clock.now_ms():
                clock.advance(int(payload))

        self.listener.subscribe("clock", hear)

    async def run(self, *work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` until SIGTERM or SIGINT; an error in any of it ends the process, to be started afresh."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        try:
            async with serving(self.exposition, self._settings):
                await self._work(stop, *work)
        except Taken as error:
            raise SystemExit(f"{self._settings.name}: {error}") from error

    async def _work(self, stop: asyncio.Event, *work: Callable[[], Awaitable[None]]) -> None:
        await self.database.open()
        beat = asyncio.create_task(self._beat())
        try:
            await self._start(stop)
            tasks = [asyncio.create_task(_coroutine(part)) for part in (self.listener.run, self._watch, *work)]
            stopping = asyncio.create_task(_coroutine(stop.wait))
            done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
            await end([*tasks, stopping])
            for task in done - {stopping}:
                task.result()
                raise RuntimeError("a part of the process ended that should not")
        finally:
            beat.cancel()
            for opened in self._logs:
                await opened.close()
            await self.database.close()

    async def _start(self, stop: asyncio.Event) -> None:
        waiting: asyncio.Task[None] = asyncio.create_task(self._wait_for_the_schema())
        stopping = asyncio.create_task(_coroutine(stop.wait))
        await asyncio.wait([waiting, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not waiting.done():
            waiting.cancel()
            raise SystemExit(0)
        await waiting
        self.state.well("database")
        if isinstance(self.clock, DrivenClock):
            async with self.database.connection() as connection:
                row = await (await connection.execute("select at from driven_clock")).fetchone()
            if row is not None:
                self.clock.advance(max(to_ms(row["at"]), self.clock.now_ms()))

    async def _wait_for_the_schema(self) -> None:
        """A database that has just come may be empty, or as an older version left it, until it is migrated."""
        needed = {migration.name.partition(".")[0] for migration in migrations(phase="pre")}
        while True:
            await self.database.wait(lambda why: self.state.waiting("database", why))
            try:
                async with self.database.connection() as connection:
                    rows = await (await connection.execute("select name from migrations")).fetchall()
                lacking = needed - {row["name"].partition(".")[0] for row in rows}
            except UndefinedTable:
                lacking = needed
            except LOST:
                continue
            if not lacking:
                return
            self.state.waiting("database", f"waiting for the database: it lacks {min(lacking)} (pingan migrate)")
            await asyncio.sleep(SCHEMA_SECONDS)

    async def _beat(self) -> None:
        while True:
            await self.state.beat()
            await asyncio.sleep(BEAT_SECONDS)

    async def _watch(self) -> None:
        """Keep saying whether the database answers, and whether the wall clock has been moved."""
        while True:
            await asyncio.sleep(2 * BEAT_SECONDS)
            began = self.clock.monotonic()
            try:
                async with asyncio.timeout(5), self.database.connection() as connection:
                    await connection.execute("select 1")
                show(DATABASE_SECONDS).set(self.clock.monotonic() - began)
                self.state.well("database")
            except (*LOST, TimeoutError) as error:
                hide(DATABASE_SECONDS)
                self.state.waiting("database", f"waiting for the database: {type(error).__name__}")
            if abs(step := self.clock.step_ms()) > STEP_TOLERATED_MS:
                log.warning("the wall clock is %d ms away from ours: it was moved; deadlines are not", step)


async def _coroutine(part: Callable[[], Awaitable[object]]) -> None:
    await part()


def main(work: Coroutine[Any, Any, None]) -> None:
    """Run one process's main coroutine, with its log on standard error."""
    logging.basicConfig(
        level=os.environ.get("PINGAN_LOG_LEVEL", "INFO"),
        stream=sys.stderr,
        format=f"%(asctime)s %(levelname)-7s {os.environ.get('PINGAN_NAME', 'pingan')} %(name)s: %(message)s",
    )
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(work)
