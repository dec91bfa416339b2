"""Coverage at work: it is fed by what the telemetry lane hears, told by its ticks, and kept in the database.

What is usual in an area takes days to learn, and whether it is deaf must outlive a restart: otherwise each restart in
an outage would call its homes' people silent.
"""

import asyncio
import logging
from collections.abc import Iterable

import msgspec
from psycopg.types.json import Jsonb

from ingest.coverage import Coverage, Member, Usual
from pingan import metrics
from pingan.clock import Clock, to_ms
from pingan.database import LOST, Bell, Database, Queries
from pingan.messages import Reading, Tick

log = logging.getLogger(__name__)
sql = Queries(__file__, "covering.sql")

KEEP_SECONDS = 1.0
RENEW_SECONDS = 600.0
"""The register is read again so often at most: a home that is new in it is no matter of minutes here."""
AVAILABILITY = "availability"
"""Its gateway's word: it is not the device that was heard."""


class Covering:
    """What the active bridge of the telemetry lane needs of it."""

    def __init__(self, database: Database, clock: Clock, bell: Bell) -> None:
        self._database, self._clock, self._bell = database, clock, bell
        self._coverage = Coverage()
        self._deaf: tuple[str, ...] = ()
        self._unkept: dict[str, Usual] = {}
        self._placed: tuple[list[Member], set[str]] = [], set()

    async def begin(self) -> None:
        """Take up what is known, whoever knew it. Raises one of LOST when the database is away."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(sql.known)).fetchall()
        known = {}
        for row in rows:
            try:
                known[row["area"]] = msgspec.convert(row["known"], Usual)
            except msgspec.ValidationError as error:
                log.error("what is usual in area %s cannot be read and is learned anew: %s", row["area"], error)
        self._placed = members, codes = await self._register()
        async with self._database.connection() as connection:
            rows = await (await connection.execute(sql.last_heard)).fetchall()
        last = {row["device"]: to_ms(row["last_at"]) for row in rows}
        before = (one._replace(last_ms=last.get(one.device)) for one in members)
        self._coverage, self._unkept, self._deaf = Coverage(before, codes, known), {}, ()

    def heard(self, readings: Iterable[Reading]) -> None:
        for reading in readings:
            if reading.kind != AVAILABILITY:
                self._coverage.heard(reading.device, reading.received_ms)

    def told(self, tick: Tick) -> Tick:
        """The tick, with the areas of which nothing is heard."""
        deaf = self._coverage.deaf(tick.at_ms, tick.heard_ms)
        if deaf != self._deaf:
            log.warning("areas of which next to nothing is heard: %s", ", ".join(deaf) or "none any more")
            self._deaf = deaf
        metrics.show(metrics.AREAS_DEAF).set(len(deaf))
        if not deaf:
            return tick
        lacks = {area: tuple(why) for area in deaf if (why := self._coverage.why(area)) is not None}
        return msgspec.structs.replace(tick, deaf=deaf, lacks=lacks)

    async def keep(self) -> None:
        """Write what has changed. While the database is away it waits."""
        self._unkept |= self._coverage.changes()
        if not self._unkept:
            return
        keeping, self._unkept = self._unkept, {}
        try:
            async with self._database.connection() as connection:
                await connection.execute(
                    sql.keep,
                    {
                        "areas": list(keeping),
                        "known": [Jsonb(msgspec.to_builtins(one)) for one in keeping.values()],
                        "deaf": [one.deaf for one in keeping.values()],
                        "now": self._clock.now(),
                    },
                )
        except LOST as error:
            log.debug("what is usual in %d areas is not kept yet: %s", len(keeping), error)
            self._unkept = keeping | self._unkept

    async def run(self) -> None:
        """Keep what is learned, and follow the register, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_keeping())
            group.create_task(self._follow())

    async def _keep_keeping(self) -> None:
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            await self.keep()

    async def _follow(self) -> None:
        while True:
            await self._bell.wait(6 * RENEW_SECONDS)
            try:
                members, codes = await self._register()
                if (members, codes) != self._placed:  # it takes a second with a hundred thousand homes
                    self._coverage.place(members, codes)
                    self._placed = members, codes
            except LOST as error:
                log.debug("the register cannot be read: %s", error)
            await asyncio.sleep(0 if self._clock.driven else RENEW_SECONDS)

    async def _register(self) -> tuple[list[Member], set[str]]:
        async with self._database.connection() as connection:
            rows = await (await connection.execute(sql.members)).fetchall()
            areas = await (await connection.execute(sql.areas)).fetchall()
        members = [Member(row["device"], row["home"], row["area"], row["heartbeat_seconds"]) for row in rows]
        return members, {row["code"] for row in areas}
