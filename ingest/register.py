"""Whose device it is: a copy of the register in memory, renewed when the register says that it has changed."""

import asyncio
import logging
from typing import NamedTuple

from pingan.database import LOST, Bell, Database, Queries

log = logging.getLogger(__name__)
sql = Queries(__file__, "ingest.sql")

RENEW_SECONDS = 60.0


class Known(NamedTuple):
    home: str | None
    enabled: bool


class Register:
    """device → its home. Until `load` has succeeded nothing should be taken from the broker."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._devices: dict[str, Known] = {}

    def find(self, device: str) -> Known | None:
        return self._devices.get(device)

    async def load(self) -> None:
        """Raises one of LOST when the database is away; what was known stays known."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(sql.devices)).fetchall()
        self._devices = {row["id"]: Known(row["home"], row["enabled"]) for row in rows}

    async def follow(self, bell: Bell) -> None:
        """Renew at each ring, and once a minute, until cancelled."""
        while True:
            await bell.wait(RENEW_SECONDS)
            try:
                await self.load()
            except LOST as error:
                log.debug("the register cannot be read: %s", error)
                await asyncio.sleep(0.3)
                bell.ring()
