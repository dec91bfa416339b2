"""Tells detection what the register says of a home: its devices, its limits, when it is away.

A home's revision is raised by every change that matters; here it is told into the home's partition, and then noted as
announced. Told twice is told once: detection takes a revision that it has for nothing new.
"""

import asyncio
import logging
from typing import Any

import msgspec

from pingan.clock import to_ms
from pingan.database import LOST, Bell, Database, Queries
from pingan.log import Log, Record
from pingan.messages import Away, DeviceSettings, HomeSettings, encode, partition_of

log = logging.getLogger(__name__)
sql = Queries(__file__, "ingest.sql")

LOOK_SECONDS = 60.0


async def announce(database: Database, readings: Log) -> int:
    """Tell of every home whose revision is not announced; how many. Raises one of LOST."""
    told = 0
    while True:
        async with database.connection() as connection:
            rows = await (await connection.execute(sql.unannounced)).fetchall()
        if not rows:
            return told
        homes = [_settings(row) for row in rows]
        await readings.append([Record(partition_of(home.home, ""), encode(home)) for home in homes])
        parameters = {"homes": [home.home for home in homes], "revisions": [home.revision for home in homes]}
        async with database.connection() as connection:
            await connection.execute(sql.announced, parameters)
        told += len(homes)


async def keep_announcing(database: Database, readings: Log, bell: Bell) -> None:
    """At once, at each ring, and once a minute, until cancelled."""
    while True:
        try:
            if told := await announce(database, readings):
                log.info("%d homes announced to detection", told)
            await bell.wait(LOOK_SECONDS)
        except LOST:
            await asyncio.sleep(0.5)


def _settings(row: dict[str, Any]) -> HomeSettings:
    return HomeSettings(
        home=row["id"],
        revision=row["revision"],
        devices=tuple(msgspec.convert(row["devices"], list[DeviceSettings])),
        away=tuple(Away(to_ms(away_from), to_ms(until) if until else None) for away_from, until in row["away"]),
        inactivity_hours=row["inactivity_hours"],
        live=row["live"],
        shadow={detector: tuple(labels) for detector, labels in row["shadow"].items()},
    )
