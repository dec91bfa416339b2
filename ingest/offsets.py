"""The measured offsets of the devices' clocks, from the lane that measures them to the lane that needs them."""

import asyncio
import contextlib

from ingest.device_time import DeviceClocks
from pingan.clock import Clock
from pingan.database import LOST, Bell, Database, Queries

sql = Queries(__file__, "ingest.sql")

SAVE_SECONDS = 5.0
LOAD_SECONDS = 60.0


async def load_offsets(database: Database, clocks: DeviceClocks) -> None:
    """Raises one of LOST when the database is away."""
    async with database.connection() as connection:
        rows = await (await connection.execute(sql.device_clocks)).fetchall()
    clocks.know({row["device"]: row["offset_ms"] for row in rows if row["offset_ms"]})


async def keep_loading(database: Database, clocks: DeviceClocks, bell: Bell) -> None:
    """At each ring, and once a minute, until cancelled."""
    while True:
        with contextlib.suppress(*LOST):  # what was known stays known
            await load_offsets(database, clocks)
        await bell.wait(LOAD_SECONDS)


async def keep_saving(database: Database, clocks: DeviceClocks, clock: Clock) -> None:
    """Every few seconds save what has changed, and say so, until cancelled."""
    unsaved: dict[str, int] = {}
    while True:
        await asyncio.sleep(SAVE_SECONDS)
        unsaved |= clocks.changes()
        if unsaved:
            rows = [{"device": device, "offset_ms": ms, "now": clock.now()} for device, ms in unsaved.items()]
            try:
                async with database.transaction() as connection:
                    await connection.cursor().executemany(sql.save_device_clock, rows)
                    await connection.execute(sql.ring_for_device_clocks)
            except LOST:
                continue
            unsaved = {}
