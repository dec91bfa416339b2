"""A home whose way in was never proven, or long ago, is one task until it is proven."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dispatch import reaching, tasks, ways_in
from pingan.database import Connection, Database

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
CHINA = ZoneInfo("Asia/Shanghai")
TODAY = NOON.astimezone(CHINA).date()
LONG_AGO = TODAY - timedelta(days=ways_in.PROVEN_DAYS + 1)
REGISTER = """
insert into areas values ('4401', '蓬江区', 'city', null), ('4402', '江海区', 'city', null);
insert into homes (id, area, address, way_in_proven_on) values
    ('NEVER', '4401', '幸福路1号', null), ('LONG', '4401', '幸福路2号', %(long)s),
    ('JUST', '4401', '幸福路3号', %(just)s), ('EMPTY', '4401', '幸福路4号', null), ('FAR', '4402', '幸福路5号', null);
insert into people (id, home, name) select id || '-p', id, '陈' from homes where id <> 'EMPTY';
"""


@pytest.fixture
async def register(database: Database) -> AsyncIterator[Connection]:
    async with database.connection() as connection:
        for one in REGISTER.strip().split(";\n"):
            await connection.execute(one, {"long": LONG_AGO, "just": LONG_AGO + timedelta(days=1)})
        yield connection


async def subjects(connection: Connection, area: str | None = None) -> list[str]:
    return [one["subject"] for one in await tasks.open_ones(connection, area)]


async def test_the_sweep_opens_one_task_for_each_home_and_ends_what_is_proven(
    register: Connection, database: Database
) -> None:
    await reaching.judge(database, NOON, CHINA)
    await reaching.judge(database, NOON + timedelta(minutes=10), CHINA)
    assert await subjects(register) == ["FAR", "NEVER", "LONG"]
    found = {one["subject"]: (one["detail"], one["home"]) for one in await tasks.open_ones(register, "4401")}
    assert found == {"NEVER": ({}, "NEVER"), "LONG": ({"proven_on": LONG_AGO.isoformat()}, "LONG")}

    await register.execute("update homes set way_in_proven_on = %(today)s where id = 'LONG'", {"today": TODAY})
    await register.execute("delete from people where home = 'FAR'")
    await reaching.judge(database, NOON + timedelta(minutes=20), CHINA)
    assert await subjects(register) == ["NEVER"]
    ended = {one["subject"]: (one["done_by"], one["note"]) for one in await tasks.done_ones(register)}
    assert ended == {"LONG": ("system", "way_in_proven"), "FAR": ("system", "nobody_lives_there")}

    later = NOON + timedelta(days=ways_in.PROVEN_DAYS + 1)
    await reaching.judge(database, later, CHINA)
    assert await subjects(register) == ["NEVER", "JUST", "LONG"], "what was proven grows old again"


async def test_what_somebody_has_seen_to_is_asked_for_again_a_month_later(register: Connection) -> None:
    await ways_in.judge(register, NOON, CHINA)
    (task,) = [one["id"] for one in await tasks.open_ones(register) if one["subject"] == "NEVER"]
    assert await tasks.done(register, task, "王芳", NOON, "visit on Friday")
    await ways_in.judge(register, NOON + timedelta(days=ways_in.AGAIN_DAYS - 1), CHINA)
    assert "NEVER" not in await subjects(register)
    await ways_in.judge(register, NOON + timedelta(days=ways_in.AGAIN_DAYS), CHINA)
    assert "NEVER" in await subjects(register)


async def test_an_area_has_only_as_many_as_can_be_walked_to_and_telephones_go_first(register: Connection) -> None:
    many = ways_in.OPEN_IN_AN_AREA
    await register.execute(
        "insert into homes (id, area, address) select 'N' || n, '4401', '街' from generate_series(1, %(many)s) n",
        {"many": many},
    )
    await register.execute(
        "insert into people (id, home, name) select 'P' || n, 'N' || n, '陈' from generate_series(1, %(many)s) n",
        {"many": many},
    )
    await ways_in.judge(register, NOON, CHINA)
    await ways_in.judge(register, NOON, CHINA)
    found = await subjects(register, "4401")
    assert len(found) == many
    assert "LONG" not in found, "of whom least is known first"
    assert await subjects(register, "4402") == ["FAR"], "another area waits for nobody"
    await tasks.open(register, "provider_account", "twilio", {}, NOON + timedelta(hours=1))
    assert (await subjects(register))[0] == "twilio"
    await register.execute("update homes set way_in_proven_on = %(today)s where id = 'NEVER'", {"today": TODAY})
    await ways_in.judge(register, NOON, CHINA)
    assert len(await subjects(register, "4401")) == many + 1, "the next one, and the provider's"
