"""What never came and what came only when it was sent again, by device and by area, against cases counted by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from psycopg.types.json import Jsonb

from dispatch.devices import area_figures, device_figures
from pingan.database import Database
from tests.stories.support import REGISTER

NOON = datetime(2026, 6, 10, 4, 0, tzinfo=UTC)


async def furnish(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute(REGISTER)
        await connection.execute(
            "insert into devices (id, home, kind, enrolled_at) values ('H003-button', 'H003', 'button', '2026-01-01Z')"
        )


async def raised(database: Database, device: str | None, kind: str = "sos", at: datetime = NOON, **said: Any) -> None:
    home = device.partition("-")[0] if device and device.startswith("H") else None
    evidence = {"source": "derived" if kind == "sequence_gap" else "reported", **said}
    async with database.connection() as connection:
        await connection.execute(
            "insert into alarms (id, kind, home, device, at, received_at, raised_at, test, evidence)"
            " values (%s, %s, %s, %s, %s, %s, %s, false, %s)",
            (uuid4(), kind, home, device, at, at, at, Jsonb(evidence)),
        )


async def test_a_share_is_of_the_alarms_whose_device_counts_its_tries(database: Database) -> None:
    await furnish(database)
    for attempt in (1, 1, 1, 2, 17):
        await raised(database, "H001-button", attempt=attempt)
    await raised(database, "H001-button", attempt=1, family="zigbee2mqtt")  # it tells no tries: in neither part
    await raised(database, "H001-button", attempt="many")
    await raised(database, "H001-button", at=NOON - timedelta(days=2), attempt=9)
    await raised(database, "H003-button", attempt=3)
    await raised(database, "H003-button", "sequence_gap", at=NOON + timedelta(hours=1), missing=4)
    await raised(database, "H003-button", "sequence_gap", missing=3)
    await raised(database, "stray", attempt=1, family="native")
    await raised(database, "H001-button", "heartbeat_lost", source="derived")
    async with database.connection() as connection:
        found = await device_figures(connection, None, NOON - timedelta(days=1))
        first, second, stray = found
        assert (first["device"], first["alarms"], first["told"], first["failed"]) == ("H001-button", 7, 5, 2)
        assert first["failed_share"] == 2 / 5
        assert (second["gaps"], second["missing"], second["last_gap_at"]) == (2, 7, NOON + timedelta(hours=1))
        assert (second["failed"], second["failed_share"]) == (1, None), "one of one says nothing of the line"
        assert (stray["device"], stray["home"], stray["kind"]) == ("stray", None, None)
        assert (first["home"], first["area"], first["kind"]) == ("H001", "440703", "button")

        areas = {row["code"]: row for row in await area_figures(connection, None, NOON - timedelta(days=1))}
        assert set(areas) == {"4407", "440703", "440704"}
        city = areas["4407"]
        assert (city["devices"], city["told"], city["failed"], city["missing"]) == (2, 6, 3, 7)
        assert (city["failed_share"], areas["440704"]["failed_share"]) == (0.5, None)


async def test_nobody_sees_devices_beyond_their_own_area(database: Database) -> None:
    await furnish(database)
    for device in ("H001-button", "H003-button", "stray"):
        await raised(database, device, attempt=2)
    async with database.connection() as connection:
        seen = await device_figures(connection, "440704", NOON)
        assert [row["device"] for row in seen] == ["H003-button"]
        assert await device_figures(connection, "440704", NOON, devices=["H001-button"]) == []
        assert [row["code"] for row in await area_figures(connection, "440704", NOON)] == ["440704"]
