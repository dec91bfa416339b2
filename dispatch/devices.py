"""Figures about devices' lines: what never came, and what came only when it was sent again. Reads only.

Two measures. *Missing*: readings that a device has numbered and that nobody received, as the finding `sequence_gap`
tells. *First-attempt failure*: the share of the alarms that a device reported whose first transmission got no
acknowledgement, from the device's own count of its tries. Devices that do not count them are in neither part.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from dispatch.figures import HANDFUL
from pingan.database import Connection, Queries

sql = Queries(__file__, "devices.sql")

Row = dict[str, Any]

ROWS = 500


async def device_figures(
    connection: Connection,
    scope: str | None,
    since: datetime,
    *,
    devices: Collection[str] | None = None,
    limit: int = ROWS,
) -> list[Row]:
    """The devices that reported an alarm or have a gap since then, the worst first, as far as they lie within `scope`
    (None: all, also devices that no register knows); of `devices` only, if they are given.

    A row: device, home, area, kind, model, gateway (None where the register knows none); `alarms` that it reported,
    `told` of them with its own count of tries, `failed` of these more than one, `failed_share` (None of fewer than a
    handful); `gaps` (findings), `missing` (readings in them), `last_gap_at`.
    """
    parameters = {
        "scope": scope, "since": since, "limit": limit, "devices": None if devices is None else list(devices),
    }  # fmt: skip
    rows = await (await connection.execute(sql.devices, parameters)).fetchall()
    return [{**row, "failed_share": _share(row)} for row in rows]


async def area_figures(connection: Connection, scope: str | None, since: datetime) -> list[Row]:
    """The same by area (code, name, level, `devices` that were heard so), of every level, each holding those within."""
    rows = await (await connection.execute(sql.areas, {"scope": scope, "since": since})).fetchall()
    return [{**row, "failed_share": _share(row)} for row in rows]


def _share(row: Row) -> float | None:
    return row["failed"] / row["told"] if row["told"] >= HANDFUL else None
