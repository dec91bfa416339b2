"""A press, until its acknowledgement and until the console's stream tells of it; both from the intended moment."""

import asyncio
import json
import time
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import uvloop

from device_sim.access import Access
from device_sim.load import LoadButton, PressLog
from device_sim.wire.press import Press, RetryPlan
from tests.bench.platform import Bench, BenchError

BUTTONS = 40
PRESSES_PER_SECOND = 25.0
WITHIN_SECONDS = 10.0
"""After the last press: what has not come by then counts as lost."""

TAKEN = """
select alarm.evidence->>'event', alarm.incident, coalesce(entry.at, alarm.taken_at)
from alarms alarm
left join journal entry on entry.incident = alarm.incident and entry.event = 'raised'
    and entry.detail->'press'->>'event_id' = alarm.evidence->>'event'
where alarm.raised_at > %s and alarm.evidence->>'source' = 'reported'
"""
"""Which incident each press went to, and when the desk decided it: the stream's next word of that incident is its."""


@dataclass
class Timed(PressLog):
    """Presses by their event ids: when each was due and when it was acknowledged, by the monotonic clock."""

    due: dict[str, float] = field(default_factory=dict)
    received: dict[str, float] = field(default_factory=dict)

    def made_one(self, button: Any, press: Press, intended_seconds: float) -> None:
        self.due[press.event_id] = intended_seconds
        super().made_one(button, press, intended_seconds)

    def acknowledge(self, event_id: str, home: str) -> None:
        if event_id not in self.received:
            self.received[event_id] = time.monotonic()
        super().acknowledge(event_id, home)


class Stream:
    """One reader of `/api/v1/stream`: when it was told of each incident, by the wall clock."""

    def __init__(self) -> None:
        self.told: dict[int, list[float]] = defaultdict(list)

    async def read(self, port: int, token: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
        writer.write(head.encode())
        try:
            if b" 200 " not in await reader.readline():
                raise BenchError("the console refuses its stream")
            while line := await reader.readline():
                if line.startswith(b'data: {"id"'):
                    self.told[json.loads(line[6:])["id"]].append(time.time())
        finally:
            writer.close()


async def _press(bench: Bench, access: Access, presses: Timed, stream: Stream, count: int) -> None:
    plan = RetryPlan(first_seconds=30.0, then_seconds=30.0)
    entries = [device for device in access.devices if device.kind == "button"][:BUTTONS]
    async with AsyncExitStack() as stack:
        buttons = [LoadButton(entry, presses, access, plan) for entry in entries]
        for button in buttons:
            stack.push_async_callback(button.close)
            button.connection.open()
        reading = asyncio.create_task(stream.read(bench.http, bench.access["token"]))
        stack.callback(reading.cancel)
        async with asyncio.timeout(20):
            await asyncio.gather(*(button.connection.connected.wait() for button in buttons))
        await asyncio.sleep(0.5)
        began = time.monotonic()
        for number in range(count):
            intended = began + number / PRESSES_PER_SECOND
            await asyncio.sleep(max(0.0, intended - time.monotonic()))
            button = buttons[number % len(buttons)]
            presses.made_one(button, button.press(), intended)
        deadline = time.monotonic() + WITHIN_SECONDS
        while presses.pending and time.monotonic() < deadline:  # noqa: ASYNC110 - many lines, not one event
            await asyncio.sleep(0.02)
        while await asyncio.to_thread(_untaken, bench) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        await asyncio.sleep(0.5)
        if reading.done():
            reading.result()


def _untaken(bench: Bench) -> bool:
    held = "held(kind, alone, raised_at, current_timestamp)"
    return bool(bench.query(f"select 1 from alarms where taken_at is null and not {held} limit 1"))


@dataclass(frozen=True, slots=True)
class Round:
    """Milliseconds of every press that got there; and how many did not."""

    acknowledged: list[float]
    told: list[float]
    made: int


def round_of(bench: Bench, access: Access, count: int, readings: float) -> Round:
    """`count` presses, with `readings` a second in the background."""
    presses, stream = Timed(None), Stream()
    wall_minus_monotonic = time.time() - time.monotonic()
    began = datetime.fromtimestamp(time.time()).astimezone()
    background = bench.background(readings, count / PRESSES_PER_SECOND + 60)
    with background, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_press(bench, access, presses, stream, count))
    told = []
    for event, incident, decided in bench.query(TAKEN, began):
        if event in presses.due:
            # One millisecond: the desk's time is whole milliseconds.
            first = next((at for at in stream.told[incident] if at >= decided.timestamp() - 0.001), None)
            if first is not None:
                told.append((first - wall_minus_monotonic - presses.due[event]) * 1000)
    acknowledged = [(presses.received[event] - presses.due[event]) * 1000 for event in presses.received]
    return Round(acknowledged, told, presses.made)
