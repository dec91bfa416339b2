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
    kind: str


class Register:
    """device → its home. Until `load` has succeeded nothing should be taken from the broker.

    A device behind a gateway is found by its address: the gateway's own id, a slash, and what the gateway calls it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._devices: dict[str, Known] = {}
        self._behind: dict[str, str] = {}

    def find(self, device: str) -> Known | None:
        return self._devices.get(device)

    def behind(self, address: str) -> str | None:
        """The registered device at an address; None: there is none."""
        return self._behind.get(address)

    async def load(self) -> None:
        """Raises one of LOST when the database is away; what was known stays known."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(sql.devices)).fetchall()
        self._devices = {row["id"]: Known(row["home"], row["enabled"], row["kind"]) for row in rows}
        self._behind = {f"{row['gateway']}/{row['address']}": row["id"] for row in rows if row["gateway"] is not None}

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
