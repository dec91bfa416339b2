"""What changes, told to every open page as it happens, by server-sent events.

Each second a beat goes the whole way that a change goes: into the database, out of it as a notification, to the page.
A page that hears no beat knows that it is blind, whichever part of that way has failed. An event carries no personal
data, only which incident has changed; the page asks for the rest with its own rights.
"""

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import psycopg

from pingan.clock import Clock
from pingan.database import LOST, Database, Listener, Queries

log = logging.getLogger(__name__)
sql = Queries(__file__, "console.sql")

BEAT_SECONDS = 1.0
BEAT_TIMEOUT_SECONDS = 2.0
DEAF_SECONDS = 5.0
"""A lane of ingest that has not heard the broker for so long cannot hear: it says each second that it does."""
QUEUE = 1000
"""Events that may wait for one slow page; one that falls further behind is told to look at everything again."""
KNOWN_AREAS = 10_000
EVERYWHERE = "*"
"""No area's code: many homes' incident may grow into any. A page asks for it with its own rights."""
PAGES = 500
"""Open streams. One account needs one or two."""


class Full(Exception):
    """Too many pages are open."""


class Live:
    """The one ear of this process, and everybody who listens through it."""

    def __init__(self, database: Database, listener: Listener, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._me = uuid4().hex
        self._pages: dict[asyncio.Queue[str | None], str | None] = {}
        self._areas: OrderedDict[int, str | None] = OrderedDict()
        self._changes: asyncio.Queue[str | None] = asyncio.Queue(10 * QUEUE)
        listener.subscribe("incident", self._hear_change)
        listener.subscribe("console_beat", self._hear_beat)
        listener.subscribe("asking", self._hear_asking)
        self._asked = False
        self._closed = False

    def _hear_change(self, payload: str | None) -> None:
        try:
            self._changes.put_nowait(payload)
        except asyncio.QueueFull:
            self._tell_all(_event("reset"))

    def _hear_beat(self, payload: str | None) -> None:
        if payload is not None and payload.startswith(self._me):
            self._tell_all(_event("beat", payload.partition(" ")[2]))

    def _hear_asking(self, _payload: str | None) -> None:
        # Told with the next beat: a thousand questions at once are one look.
        self._asked = True

    async def run(self) -> None:
        """Beat, and pass on what is heard, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat())
            group.create_task(self._pass_on())

    async def _beat(self) -> None:
        while True:
            if self._pages:
                payload = f"{self._me} {self._clock.now_ms()}"
                late = self._clock.now() - timedelta(seconds=DEAF_SECONDS)
                with contextlib.suppress(*LOST, TimeoutError, psycopg.Error):
                    async with asyncio.timeout(BEAT_TIMEOUT_SECONDS), self._database.connection() as connection:
                        await connection.execute(sql.beat, {"payload": payload, "late": late})
            if self._asked:
                self._asked = False
                self._tell_all(_event("asking"))
            await asyncio.sleep(BEAT_SECONDS)

    async def _pass_on(self) -> None:
        while True:
            payload = await self._changes.get()
            if payload is None:
                self._tell_all(_event("reset"))
                continue
            incident, _, version = payload.partition(" ")
            try:
                areas = any(area is not None for area in self._pages.values())
                place = await self._area(int(incident)) if areas else None
            except (*LOST, TimeoutError):
                self._tell_all(_event("reset"))
                continue
            text = _event("change", f"{int(incident)} {int(version)}")
            for queue, area in list(self._pages.items()):
                if area is None or place == EVERYWHERE or (place is not None and place.startswith(area)):
                    self._tell(queue, text)

    async def _area(self, incident: int) -> str | None:
        """The area of an incident's home, so that nobody is told of what happens elsewhere."""
        if incident not in self._areas:
            async with self._database.connection() as connection:
                row = await (await connection.execute(sql.area_of, {"incident": incident})).fetchone()
            self._areas[incident] = None if row is None else EVERYWHERE if row["many"] else row["area"]
            while len(self._areas) > KNOWN_AREAS:
                self._areas.popitem(last=False)
        return self._areas[incident]

    def _tell_all(self, text: str) -> None:
        for queue in list(self._pages):
            self._tell(queue, text)

    def _tell(self, queue: asyncio.Queue[str | None], text: str) -> None:
        try:
            queue.put_nowait(text)
        except asyncio.QueueFull:
            while not queue.empty():
                queue.get_nowait()
            queue.put_nowait(_event("reset"))

    async def stream(self, area: str | None) -> AsyncIterator[str]:
        """The events of one page. Full if there is no room for another."""
        queue: asyncio.Queue[str | None] = asyncio.Queue(QUEUE)
        self._pages[queue] = area
        try:
            # The browser's own pause before it connects again; and the first word: look at everything.
            yield f"retry: 500\n{_event('reset')}"
            while not self._closed:
                text = await queue.get()
                if text is None:
                    return
                yield text
        finally:
            self._pages.pop(queue, None)

    def room(self) -> None:
        if len(self._pages) >= PAGES:
            raise Full

    def close(self) -> None:
        """End every stream, so that stopping need not wait for them."""
        self._closed = True
        for queue in list(self._pages):
            while not queue.empty():
                queue.get_nowait()
            queue.put_nowait(None)


def _event(name: str, data: str = "") -> str:
    return f"event: {name}\ndata: {data}\n\n"
