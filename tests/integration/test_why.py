"""What the incident's page and the API are told of why it rang: related alarms, and the home's day."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from dispatch import views
from dispatch.desk import Desk
from dispatch.home_day import PATIENCE_MS, home_day, sql
from pingan.clock import DrivenClock
from pingan.database import Connection, Database
from pingan.messages import WITHDRAWN
from tests.why_support import HOME, HOUR, MINUTE, heard, ms, raised, silence_evidence

NOW = datetime(2026, 3, 2, 6, 22, tzinfo=UTC)
DAY = timedelta(days=1)
REGISTER = """
insert into areas values ('4407', '江门市', 'city', null);
insert into homes (id, area, address) values ('H001', '4407', '晚晴路12号'), ('H002', '4407', '湖边巷6号');
"""


async def incident_of(connection: Connection, alarm: UUID) -> int:
    found = await (await connection.execute("select incident from alarms where id = %s", (alarm,))).fetchone()
    assert found is not None
    return int(found["incident"])


async def test_an_incident_is_told_with_its_evidence_and_what_is_related(database: Database) -> None:
    """A suspicion and a withdrawal open nothing, and belong to the story of the danger that they speak of."""
    since = NOW - 4 * HOUR
    suspicion, danger = uuid4(), uuid4()
    async with database.connection() as connection:
        await connection.execute(REGISTER)
        evidence = silence_evidence(since, 3.9, until_ms=ms(NOW))
        await raised(connection, "inactivity_suspected", NOW - 5 * MINUTE, evidence, alarm=suspicion)
        await raised(connection, "inactivity", NOW, silence_evidence(since, 4.0, follows=str(suspicion)), alarm=danger)
        back = {"source": "derived", "rule": "back", "restores": str(danger), "reason": "room_movement"}
        await raised(connection, WITHDRAWN, NOW + MINUTE, back)
        # Of another home, and of another story.
        await raised(connection, WITHDRAWN, NOW, {**back, "restores": str(uuid4())}, home="H002")
        await raised(connection, "inactivity_suspected", NOW, silence_evidence(since, 1.0))
    desk = Desk(database, DrivenClock(ms(NOW)))
    while await desk.take_alarms():
        pass
    async with database.connection() as connection:
        number = await incident_of(connection, danger)
        found = await views.incident(connection, number, NOW)
    assert found is not None
    told = {one["id"]: one for one in (*found["alarms"], *found["related"])}
    assert sorted(one["kind"] for one in told.values()) == ["inactivity", "inactivity_suspected", WITHDRAWN]
    assert {one["id"] for one in found["alarms"]} & {one["id"] for one in found["related"]} == set()
    assert told[danger]["evidence"]["threshold"] == 3.6
    assert told[danger]["evidence"]["band"]["limits"][14] == 3.6


async def test_a_day_tells_movements_by_five_minutes_and_nothing_else(database: Database) -> None:
    begin = datetime(2026, 3, 1, 10, tzinfo=UTC)
    async with database.connection() as connection:
        await heard(connection, [
            (begin + timedelta(seconds=10), "m", None, "motion", True),
            (begin + timedelta(seconds=250), "m", None, "motion", 1.0),
            (begin + timedelta(seconds=260), "m", None, "motion", False),
            (begin + timedelta(seconds=310), "m", None, "motion", True),
            (begin + timedelta(seconds=20), "hub", "front", "door", "open"),
            (begin + timedelta(seconds=30), "w", None, "accel", {"rate_hz": 50}),
            (begin + timedelta(seconds=40), "w", None, "heart_rate", 70.0),
            (begin - MINUTE, "m", None, "motion", True),
        ])  # fmt: skip
        await heard(connection, [(begin + MINUTE, "n", None, "motion", True)], home="H002")
        day = await home_day(connection, HOME, begin, begin + HOUR)
    assert day is not None
    assert not day.by_hour
    assert {(one.at, one.device, one.sensor, one.kind, one.times) for one in day.movements} == {
        (begin, "m", None, "motion", 2), (begin, "hub", "front", "door", 1),
        (begin + 5 * MINUTE, "m", None, "motion", 1),
    }  # fmt: skip
    assert {(one.first, one.last) for one in day.movements if one.times == 2} == {
        (begin + timedelta(seconds=10), begin + timedelta(seconds=250))
    }


async def test_of_too_many_movements_the_newest_are_told(database: Database) -> None:
    begin = datetime(2026, 3, 1, 10, tzinfo=UTC)
    async with database.connection() as connection:
        await heard(connection, [(begin + n * 5 * MINUTE, "m", None, "motion", True) for n in range(12)])
        asked = {"home": HOME, "since": begin, "until": begin + HOUR, "rows": 3}
        for query in (sql.movements, sql.movements_by_hour):
            rows = await (await connection.execute(query, asked)).fetchall()
            assert len(rows) <= 3
            assert rows[0]["last"] >= begin + 55 * MINUTE


async def test_the_hours_say_the_same_in_short(database: Database) -> None:
    begin = datetime(2026, 3, 1, 10, tzinfo=UTC)
    readings = [(begin + n * 7 * MINUTE, "m", "kitchen", "motion", True) for n in range(40)]
    asked = {"home": HOME, "since": begin, "until": begin + 6 * HOUR, "rows": 100}
    async with database.connection() as connection:
        await heard(connection, readings)
        fine = await (await connection.execute(sql.movements, asked)).fetchall()
        hours = await (await connection.execute(sql.movements_by_hour, asked)).fetchall()
    assert sum(row["times"] for row in fine) == sum(row["times"] for row in hours) == 40
    assert fine[0].keys() == hours[0].keys()
    assert {row["at"].replace(minute=0) for row in fine} == {row["at"] for row in hours}


async def test_a_day_that_cannot_be_read_in_time_is_left_out(database: Database) -> None:
    """Whatever holds up the archive does not hold up the page."""
    assert PATIENCE_MS <= 500
    async with database.connection() as connection, database.connection() as holding, holding.transaction():
        await holding.execute("lock table readings in access exclusive mode")
        assert await home_day(connection, HOME, NOW - DAY, NOW) is None
        patience = await (await connection.execute("show statement_timeout")).fetchone()
        assert patience == {"statement_timeout": "0"}  # of that question alone


async def test_a_homes_day_is_found_by_an_index(database: Database) -> None:
    asked = {"home": HOME, "since": NOW - DAY, "until": NOW, "rows": 10}
    async with database.connection() as connection:
        await heard(connection, [(NOW - HOUR, "m", None, "motion", True)])
        await connection.execute("set enable_seqscan = off")
        rows = await (await connection.execute(f"explain {sql.movements}", asked)).fetchall()
        related = {"incident": 1, "home": HOME, "kinds": views.RELATED, "rows": 5}
        more = await (await connection.execute(f"explain {views.sql.related}", related)).fetchall()
    plan = "\n".join(row["QUERY PLAN"] for row in rows)
    assert "home_at_idx" in plan, plan
    plan = "\n".join(row["QUERY PLAN"] for row in more)
    assert "alarms_by_home" in plan, plan
    assert "alarms_by_incident" in plan, plan
