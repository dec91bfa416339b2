"""Tells detection what the register says of a home: its devices, its limits, when it is away.

A home's revision is raised by every change that matters; here it is told into the home's partition, and then noted as
announced. Told twice is told once: detection takes a revision that it has for nothing new.
"""

import asyncio
import logging
from typing import Any

import msgspec

from ingest.places import wgs84
from pingan.clock import to_ms
from pingan.database import LOST, Bell, Database, Queries
from pingan.log import Log, Record
from pingan.messages import Away, DeviceSettings, Fence, HomeSettings, Limit, encode, partition_of

log = logging.getLogger(__name__)
sql = Queries(__file__, "ingest.sql")

LOOK_SECONDS = 60.0


async def announce(database: Database, readings: Log, timezone: str) -> int:
    """Tell of every home whose revision is not announced; how many. `timezone`: the centre's, for homes without one of
    their own. Raises one of LOST.
    """
    told = 0
    while True:
        async with database.connection() as connection:
            rows = await (await connection.execute(sql.unannounced)).fetchall()
        if not rows:
            return told
        homes = [_settings(row, timezone) for row in rows]
        await readings.append([Record(partition_of(home.home, ""), encode(home)) for home in homes])
        parameters = {"homes": [home.home for home in homes], "revisions": [home.revision for home in homes]}
        async with database.connection() as connection:
            await connection.execute(sql.announced, parameters)
        told += len(homes)


async def keep_announcing(database: Database, readings: Log, bell: Bell, timezone: str) -> None:
    """At once, at each ring, and once a minute, until cancelled."""
    while True:
        try:
            if told := await announce(database, readings, timezone):
                log.info("%d homes announced to detection", told)
            await bell.wait(LOOK_SECONDS)
        except LOST:
            await asyncio.sleep(0.5)


def _settings(row: dict[str, Any], timezone: str) -> HomeSettings:
    return HomeSettings(
        home=row["id"],
        revision=row["revision"],
        devices=tuple(msgspec.convert(row["devices"], list[DeviceSettings])),
        away=tuple(Away(to_ms(away_from), to_ms(until) if until else None) for away_from, until in row["away"]),
        inactivity_hours=row["inactivity_hours"],
        inactivity_floor_hours=row["inactivity_floor_hours"],
        timezone=row["timezone"] or timezone,
        area=row["area"],
        limits=tuple(msgspec.convert(row["limits"], list[Limit])),
        fence=_fence(row),
        live=row["live"],
        shadow={detector: tuple(labels) for detector, labels in row["shadow"].items()},
    )


def _fence(row: dict[str, Any]) -> Fence | None:
    if row["fence_m"] is None or row["latitude"] is None:
        return None
    return Fence(*wgs84(row["latitude"], row["longitude"], row["coordinates"]), row["fence_m"])
