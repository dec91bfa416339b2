"""The log "readings" of a platform, looked at from outside, wherever it is."""

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import uvloop

from pingan.clock import SystemClock
from pingan.database import Database
from pingan.log import Record
from pingan.logs import open_log
from pingan.settings import Common, load


class Pipe:
    """Asked between the measurements: it works only while it is asked."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """`environment` says where the log is, as a process of the platform is told it."""
        settings = load(Common, environment)
        self._database = Database(settings.database_url, connections=1, application="bench")
        self._log = open_log("readings", settings, self._database, SystemClock())
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)

    def __enter__(self) -> Self:
        self._runner.run(self._database.open())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._runner.run(self._close())
        self._runner.close()

    async def _close(self) -> None:
        await self._log.close()
        await self._database.close()

    def lag(self) -> dict[str, int]:
        """group → how many entries it has not stored its position past."""
        return self._runner.run(self._log.lag())

    def end(self) -> int:
        """How many entries were ever appended."""
        return sum(self._runner.run(self._log.ends()).values())

    def append(self, records: Sequence[Record], at_once: int) -> None:
        """All of them, `at_once` to an append."""
        self._runner.run(self._append(records, at_once))

    async def _append(self, records: Sequence[Record], at_once: int) -> None:
        for first in range(0, len(records), at_once):
            await self._log.append(records[first : first + at_once])
