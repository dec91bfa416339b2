"""The driven clock (simulation only): the simulator says what time it is, and we say when that has had its effect.

A step goes on only when both lanes have appended everything that they received before it; then the time is told to
every process and to detection; and the answer goes out when nothing that this time asked for is left to be done.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, NamedTuple

import msgspec

from pingan.clock import DrivenClock, from_ms, to_ms
from pingan.database import LOST, Database, Queries
from pingan.log import Log, Record
from pingan.messages import PARTITIONS, Tick, encode

log = logging.getLogger(__name__)
sql = Queries(__file__, "ingest.sql")

SIMULATOR = "sim-clock"
"""The one user whose clock counts."""
STEP_MAX_MS = 3_600_000
LOOK_SECONDS = (0.002, 0.02)
"""How soon it is looked again whether everything is drained, first and at most."""
SAY_SECONDS = 5.0


class Step(NamedTuple):
    at_ms: int
    step: int


class _Wire(msgspec.Struct):
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    step: Annotated[int, msgspec.Meta(ge=0, le=2**53)]


def read_step(payload: bytes) -> Step | str:
    """The step that the payload tells of, or what is wrong with it."""
    try:
        wire = msgspec.json.decode(payload, type=_Wire)
    except (ValueError, RecursionError) as error:
        return str(error)
    return Step(to_ms(wire.at), wire.step)


def refusal(step: Step, now_ms: int) -> str | None:
    """Why the clock cannot go from `now_ms` (0: it has not begun) to this step, or None."""
    if step.at_ms < now_ms:
        return "time does not go backward"
    if now_ms and step.at_ms - now_ms > STEP_MAX_MS:
        return "a step is at most one hour"
    return None


Idle = Callable[[], Awaitable[None]]
"""Returns when a lane has appended everything that it has received."""


class _Steps:
    """The clock messages that came, one after another."""

    def __init__(self) -> None:
        self._came: asyncio.Queue[tuple[bytes, Callable[[], object]]] = asyncio.Queue()

    def hear(self, payload: bytes, then: Callable[[], object]) -> None:
        """A clock message has come; `then` is called when it has had its effect."""
        self._came.put_nowait((payload, then))

    async def run(self) -> None:
        while True:
            payload, then = await self._came.get()
            await self._act(read_step(payload))
            then()

    async def _act(self, step: Step | str) -> None:
        raise NotImplementedError


class FollowedSteps(_Steps):
    """The alarm lane's part: it says that it has appended everything that it received before the step."""

    def __init__(self, database: Database, lane: str, idle: Idle) -> None:
        super().__init__()
        self._database, self._lane, self._idle = database, lane, idle

    async def _act(self, step: Step | str) -> None:
        if isinstance(step, str):
            return
        await self._idle()
        parameters = {"lane": self._lane, "at": from_ms(step.at_ms), "step": step.step}
        while True:
            try:
                async with self._database.connection() as connection:
                    await connection.execute(sql.lane_has_come_to, parameters)
                return
            except LOST:
                await asyncio.sleep(0.1)


class DrivenSteps(_Steps):
    """The telemetry lane's part: it lets time go on, and answers."""

    def __init__(
        self,
        database: Database,
        clock: DrivenClock,
        readings: Log,
        epoch: int,
        *,
        logs: Sequence[Log],
        idle: Idle,
        answer: Callable[[bytes], None],
        told: Callable[[Tick], Tick],
        kept: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__()
        self._database, self._clock, self._readings, self._epoch = database, clock, readings, epoch
        self._logs, self._idle, self._answer, self._told, self._kept = logs, idle, answer, told, kept

    async def _act(self, step: Step | str) -> None:
        if isinstance(step, str):
            self._answer(msgspec.json.encode({"error": step}))
        elif reason := refusal(step, self._clock.now_ms()):
            # Our own time goes with it, so that whoever drives knows where to begin.
            at = from_ms(self._clock.now_ms())
            self._answer(msgspec.json.encode({"error": reason, "step": step.step, "at": at}))
        else:
            await self._take(step)

    async def _take(self, step: Step) -> None:
        await self._idle()
        await self._until(lambda: self._lane_is_there(step))
        heard_ms = step.at_ms - self._clock.now_ms() if self._clock.now_ms() else 0
        self._clock.advance(step.at_ms)
        await self._tell(step, heard_ms)
        await self._kept()  # a day may go by between two of the seconds in which it is kept otherwise
        await self._until(self._undrained)
        self._answer(msgspec.json.encode({"at": from_ms(step.at_ms), "step": step.step}))

    async def _tell(self, step: Step, heard_ms: int) -> None:
        tick = encode(self._told(Tick(at_ms=step.at_ms, heard_ms=heard_ms, epoch=self._epoch)))
        told = False
        while True:
            try:
                if not told:
                    async with self._database.transaction() as connection:
                        await connection.execute(sql.drive, {"at": from_ms(step.at_ms), "step": step.step})
                        await connection.execute(sql.ring_the_clock, {"now_ms": step.at_ms})
                    told = True
                await self._readings.append([Record(partition, tick) for partition in range(PARTITIONS)])
                return
            except LOST:
                await asyncio.sleep(0.1)

    async def _lane_is_there(self, step: Step) -> str | None:
        parameters = {"lane": "alarm", "at": from_ms(step.at_ms), "step": step.step}
        async with self._database.connection() as connection:
            row = await (await connection.execute(sql.lane_is_at, parameters)).fetchone()
        return None if row is not None and row["there"] else "the alarm lane"

    async def _undrained(self) -> str | None:
        """What is still to be done, in the order of its way; first of all what may put something at its beginning."""
        if waits := await self._waits():
            return waits
        for one in self._logs:
            for group, entries in (await one.lag()).items():
                if entries:
                    return f"the log {one.name} for {group}"
        return await self._waits()

    async def _waits(self) -> str | None:
        async with self._database.connection() as connection:
            row = await (await connection.execute(sql.undrained, {"now": self._clock.now()})).fetchone()
        return row["waits"] if row is not None else None

    async def _until(self, waits_for: Callable[[], Awaitable[str | None]]) -> None:
        """Return when `waits_for` names nothing more; say now and then what it still names."""
        loop = asyncio.get_running_loop()
        wait_seconds, said_at = LOOK_SECONDS[0], loop.time()
        while True:
            try:
                reason = await waits_for()
            except LOST:
                reason = "the database"
            if reason is None:
                return
            if loop.time() - said_at > SAY_SECONDS:
                said_at = loop.time()
                log.info("the driven clock waits for %s", reason)
            await asyncio.sleep(wait_seconds)
            wait_seconds = min(1.5 * wait_seconds, LOOK_SECONDS[1])
