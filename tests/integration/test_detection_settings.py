"""What somebody sets for a home reaches detection, and it is on record who set it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from care import register, registrar
from care.changes import Refused
from care.records import HOMES
from care.sample import FOLDER
from care.transfer import export_files, import_files, read_source
from ingest.announce import announce
from ingest.places import wgs84
from pingan.clock import SystemClock
from pingan.database import Connection, Database
from pingan.messages import Fence, HomeSettings, Limit
from pingan.postgres_log import PostgresLog
from tests.integration.ingest_support import messages
from tests.integration.web_support import Site, site

NOW = datetime(2026, 11, 1, 8, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[Connection]:
    async with database.transaction() as connection:
        await import_files(connection, read_source(FOLDER), NOW)
    async with database.connection() as connection:
        yield connection


async def home_of(connection: Connection, **values: Any) -> Any:
    home: Any = await register.one(connection, HOMES, "H001")
    return replace(home, **values)


async def test_what_is_set_for_a_home_is_announced_to_detection(database: Database, connection: Connection) -> None:
    readings = PostgresLog("readings", database, SystemClock())
    await announce(database, readings, "Asia/Shanghai")
    before = {one.home: one for one in await messages(database, "readings", HomeSettings)}["H001"]
    assert (before.limits, before.fence, before.timezone, before.area) == ((), None, "Asia/Shanghai", "440703901001")
    home = await home_of(
        connection, limits="spo2 90–; heart_rate 45–120", fence_m=300, timezone="Asia/Urumqi",
        inactivity_hours=12, inactivity_floor_hours=3, latitude=22.6, longitude=113.1, coordinates="GCJ-02",
    )  # fmt: skip
    saved = await registrar.save(connection, home, NOW, by="boss")
    assert saved.record.limits == "heart_rate 45–120; spo2 90–", "in one order, whatever order it was given in"
    assert (await registrar.save(connection, home, LATER, by="other")).what == "unchanged"
    assert await announce(database, readings, "Asia/Shanghai") == 1
    [after] = [one for one in await messages(database, "readings", HomeSettings) if one.revision > before.revision]
    assert after.limits == (Limit("heart_rate", 45, 120), Limit("spo2", 90, None))
    assert after.fence == Fence(*wgs84(22.6, 113.1, "GCJ-02"), 300)
    assert (after.timezone, after.inactivity_hours, after.inactivity_floor_hours) == ("Asia/Urumqi", 12, 3)


async def test_who_set_a_limit_is_recorded_and_only_of_what_changed(connection: Connection) -> None:
    await registrar.save(connection, await home_of(connection, limits="spo2 90–; weight 50–70"), NOW, by="boss")
    await registrar.save(connection, await home_of(connection, limits="heart_rate –120; spo2 88–"), LATER, by="nurse")
    await registrar.save(connection, await home_of(connection, address="别处"), LATER, by="clerk")
    card = await register.home_card(connection, "H001", LATER)
    assert card is not None
    assert card.limits_set == (
        register.LimitSet("heart_rate", "nurse", LATER),
        register.LimitSet("spo2", "nurse", LATER),
    )
    await registrar.save(connection, await home_of(connection, limits="heart_rate –120; spo2 92–"), LATER, by="boss")
    card = await register.home_card(connection, "H001", LATER)
    assert card is not None
    assert [(one.kind, one.set_by) for one in card.limits_set] == [("heart_rate", "nurse"), ("spo2", "boss")]


async def test_what_detection_could_not_go_by_is_refused(connection: Connection) -> None:
    refused: dict[str, tuple[dict[str, Any], str]] = {
        "timezone": ({"timezone": "Asia/Pengjiang"}, "no_zone"),
        "limits": ({"limits": "pulse 50–"}, "no_limits"),
        "fence_m": ({"fence_m": 300, "latitude": None, "longitude": None, "coordinates": None}, "fence_without_place"),
        "inactivity_floor_hours": ({"inactivity_hours": 4, "inactivity_floor_hours": 5}, "floor_above_ceiling"),
    }
    for column, (values, reason) in refused.items():
        with pytest.raises(Refused) as caught:
            await registrar.save(connection, await home_of(connection, **values), NOW)
        assert [(bad.column, bad.refusal.reason) for bad in caught.value.bad] == [(column, reason)]


async def test_an_export_brings_the_settings_back(connection: Connection) -> None:
    home = await home_of(connection, limits="body_temperature 35.5–37.8; spo2 90–", timezone="Asia/Urumqi")
    await registrar.save(connection, home, NOW, by="boss")
    files = await export_files(connection, language="zh")
    await registrar.save(connection, await home_of(connection, limits=None, timezone=None), NOW, by="boss")
    assert (await register.home_card(connection, "H001", NOW)).limits_set == ()  # type: ignore[union-attr]
    await import_files(connection, files, LATER)
    card = await register.home_card(connection, "H001", NOW)
    assert card is not None
    assert (card.home.limits, card.home.timezone) == (home.limits, home.timezone)
    assert {one.set_by for one in card.limits_set} == {None}, "nobody signed in for a file on the machine itself"


@pytest.fixture
async def web(postgres_url: str) -> AsyncIterator[Site]:
    async with site(postgres_url) as one:
        await one.furnish()
        yield one


async def test_a_supervisor_sets_limits_on_the_home_s_page(web: Site) -> None:
    boss = await web.signed_in("supervisor")
    page = "/register/homes/H001"
    answer = await boss.post(f"{page}/homes/H001", data={"limits": "心率 45–120；血氧 90–"})
    assert answer.status_code == 303
    shown = (await boss.get(page)).text
    assert "心率 45–120；血氧 90–" in shown
    assert "由 supervisor-all 于" in shown
    refused = await boss.post(f"{page}/homes/H001", data={"limits": "脉搏 9"})
    assert refused.status_code == 422
    assert "不是限值" in refused.text
