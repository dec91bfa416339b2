"""Tasks for a person: one for each thing, seen where it belongs, done by name, and forgotten with whom it is about."""

from datetime import UTC, datetime

import pytest

from dispatch import tasks
from pingan.database import Database

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
REGISTER = """
insert into areas values ('44', '江门市', 'city', null), ('4401', '蓬江区', 'district', '44'),
                         ('4402', '江海区', 'district', '44');
insert into homes (id, area, address) values ('H001', '4401', '幸福路1号'), ('H002', '4402', '幸福路2号');
insert into contacts (id, home, rank, name, relation, role, phone) values
    ('C1', 'H001', 1, '李梅', '女儿', 'family', '+8613800000101');
insert into responders (id, name, role, area, phone) values ('R1', '赵志愿', 'volunteer', '4402', '+8613800000201');
"""


@pytest.fixture
async def register(database: Database) -> Database:
    async with database.connection() as connection:
        await connection.execute(REGISTER)
    return database


async def test_a_task_is_open_once_seen_in_its_area_and_done_by_name(register: Database) -> None:
    async with register.connection() as connection:
        assert await tasks.open(connection, "bad_number", "C1", {"code": "21211"}, NOON)
        assert not await tasks.open(connection, "bad_number", "C1", {"code": "21214"}, NOON)
        assert await tasks.open(connection, "unreachable", "C1", {}, NOON, by="reaching")
        assert await tasks.open(connection, "wrong_number", "R1", {}, NOON)
        assert await tasks.open(connection, "no_way_in_proven", "H002", {}, NOON)
        assert await tasks.open(connection, "provider_account", "twilio", {}, NOON)

        first, *others = await tasks.open_ones(connection, "4401")
        assert (first["kind"], first["name"], first["home"], first["detail"]) == (
            "bad_number", "李梅", "H001", {"code": "21211"},
        )  # fmt: skip
        assert [one["kind"] for one in others] == ["unreachable", "provider_account"]
        assert await tasks.count(connection, "4402") == 3
        assert await tasks.count(connection) == 5

        assert not await tasks.done(connection, first["id"], "王芳", NOON, "new number", area="4402"), "another's area"
        assert await tasks.done(connection, first["id"], "王芳", NOON, "new number", area="44")
        assert not await tasks.done(connection, first["id"], "张", NOON), "done is done"
        (done,) = await tasks.done_ones(connection)
        assert (done["done_by"], done["note"]) == ("王芳", "new number")
        assert await tasks.open(connection, "bad_number", "C1", {}, NOON), "it was found again"


async def test_who_leaves_the_register_leaves_no_task_and_no_errand_behind(register: Database) -> None:
    send = """insert into sends (errand, step, purpose, channel, recipient, name, address, language, body, due_at,
                                 deadline_at)
              values (%s, 0, %s, 'twilio_sms', %s, '李梅', '+8613800000101', 'zh', %s, %s, %s)"""
    async with register.connection() as connection:
        await connection.execute("insert into people (id, home, name) values ('P001', 'H001', '陈秀英')")
        await connection.execute(send, ("reach/2026-11-22", "test", "C1", "{}", NOON, NOON))
        await connection.execute(send, ("week/2026-W47", "week", "C9", '{"home": "H001"}', NOON, NOON))
        await connection.execute(send, ("week/2026-W47", "week", "C8", '{"home": "H002"}', NOON, NOON))
        await tasks.open(connection, "unreachable", "C1", {}, NOON)
        await connection.execute("delete from contacts; delete from people")
        left = await (await connection.execute("select recipient from sends")).fetchall()
        assert [row["recipient"] for row in left] == ["C8"]
        assert await tasks.count(connection) == 0
