"""Server-sent events: every change of an incident, to every page and machine that looks.

A connection begins with what is open now, so that whoever comes back has missed nothing; then come the changes, and a
sign of life every two seconds, by which a page knows that it is live.
"""

import asyncio
from collections.abc import AsyncIterator

from dispatch import views
from pingan.database import LOST, Database, Listener

ALIVE_SECONDS = 2.0
WAITING_MAX = 1_000
"""Changes that a slow reader may be behind before it is told to look for itself."""


class Stream:
    """All readers of this process. Subscribe it to the listener before the process runs."""

    def __init__(self, database: Database, listener: Listener) -> None:
        self._database = database
        self._readers: set[asyncio.Queue[str | None]] = set()
        listener.subscribe("incident", self._heard)

    def _heard(self, payload: str | None) -> None:
        for reader in self._readers:
            if payload is None or reader.qsize() >= WAITING_MAX:
                while not reader.empty():
                    reader.get_nowait()
                reader.put_nowait(None)
            else:
                reader.put_nowait(payload)

    async def read(self, area: str | None) -> AsyncIterator[str]:
        """The text of one connection's stream, until it is closed."""
        reader: asyncio.Queue[str | None] = asyncio.Queue()
        self._readers.add(reader)
        try:
            yield await self._everything(area)
            while True:
                try:
                    async with asyncio.timeout(ALIVE_SECONDS):
                        heard = await reader.get()
                except TimeoutError:
                    yield "event: alive\ndata: {}\n\n"
                    continue
                try:
                    visible = heard is not None and (area is None or await self._visible(heard, area))
                except LOST:
                    heard = None  # whether it may be told cannot be said now: a change must not be lost for it
                if heard is None:
                    yield await self._everything(area)
                elif visible:
                    yield _change(*heard.split())
        finally:
            self._readers.discard(reader)

    async def _everything(self, area: str | None) -> str:
        """ "Look for yourself", and each incident that is open now."""
        try:
            async with self._database.connection() as connection:
                rows = await views.board(connection, area)
        except LOST:
            return 'event: degraded\ndata: {"database": "away"}\n\n'
        changes = [_change(str(row["id"]), str(row["version"])) for row in rows]
        return "event: look\ndata: {}\n\n" + "".join(changes)

    async def _visible(self, heard: str, area: str) -> bool:
        async with self._database.connection() as connection:
            return await views.concerns(connection, int(heard.split()[0]), area)


def _change(incident: str, version: str) -> str:
    return f'id: {incident}.{version}\nevent: incident\ndata: {{"id": {incident}, "version": {version}}}\n\n'
