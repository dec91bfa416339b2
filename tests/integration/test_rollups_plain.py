"""Roll-ups on PostgreSQL alone are exact at every moment, whatever comes, in whatever order, and whoever dies."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo

from ingest.rows import Row
from ingest.upkeep import SETTLES, Upkeep
from pingan.clock import DrivenClock, to_ms
from pingan.database import Database
from pingan.local.postgres import Postgres
from tests.conftest import Until
from tests.integration.ingest_support import fetch
from tests.integration.rollup_support import draw, put

START = datetime(2026, 5, 4, tzinfo=UTC)
LATER = START + timedelta(days=9)

ACTIVITY = """
    select date_trunc('hour', at) as hour, home, sensor, kind, count(*) from readings
    where home is not null and moves(kind, value, detail) group by 1, 2, 3, 4
"""
VITALS = """
    select date_trunc('hour', at) as hour, home, device, kind, count(*),
        min(measure(kind, value, detail)), sum(measure(kind, value, detail)), max(measure(kind, value, detail)),
        min(pressure(detail, 'diastolic')), sum(pressure(detail, 'diastolic')), max(pressure(detail, 'diastolic'))
    from readings where home is not null and measure(kind, value, detail) is not null group by 1, 2, 3, 4
"""
UNEQUAL = " union all ".join(
    f"(select '{view}' from ({fresh} except select * from {view}) missing"
    f" union all select '{view}' from (select * from {view} except ({fresh})) wrong"
    f" union all select '{view}' from {view} group by hour, home, kind, {part} having count(*) > 1)"
    for view, fresh, part in (("activity_hourly", ACTIVITY, "sensor"), ("vitals_hourly", VITALS, "device"))
)
"""Rows of the roll-ups that a fresh aggregate does not give, or gives otherwise; and any that are there twice."""


@pytest.fixture(scope="module")
def two(postgres: Postgres) -> Iterator[tuple[psycopg.Connection[Any], psycopg.Connection[Any]]]:
    """Two connections to a database that all examples share: each adds to what the others have left."""
    with psycopg.connect(postgres.superuser_dsn, autocommit=True) as connection:
        connection.execute("create database rollups_examples template template_pingan")
    url = make_conninfo(postgres.superuser_dsn, dbname="rollups_examples")
    with psycopg.connect(url, autocommit=True) as one, psycopg.connect(url, autocommit=True) as other:
        yield one, other


batches = st.builds(
    lambda seed, home, hours_ago, hours, count: draw(
        seed, f"H{home}", START + timedelta(hours=48 - hours_ago), hours, count, boot=f"b{seed}"
    ),
    seed=st.integers(0, 40),
    home=st.integers(1, 3),
    hours_ago=st.integers(0, 48),
    hours=st.sampled_from((0.5, 2, 30)),
    count=st.integers(1, 30),
)
untils = st.integers(0, 60).map(lambda hours: START + timedelta(hours=hours))
steps = st.one_of(
    st.tuples(st.just("insert"), batches),
    st.tuples(st.just("insert and die"), batches),
    st.tuples(st.just("compute"), untils),
    st.tuples(st.just("compute and die"), untils),
    st.tuples(st.just("insert while computing"), batches),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, min_size=1, max_size=12))
def test_roll_ups_equal_a_fresh_aggregate_after_every_step(
    two: tuple[psycopg.Connection[Any], psycopg.Connection[Any]], sequence: list[tuple[str, Any]]
) -> None:
    """Late readings, repeats, any order, stores in between, and transactions that never commit."""
    one, other = two
    one.execute("truncate readings, rollups_due, activity_stored, vitals_stored")
    for what, given_ in sequence:
        match what:
            case "insert":
                put(one, given_)
            case "insert and die":
                with one.transaction(force_rollback=True):
                    put(one, given_)
            case "compute":
                one.execute("select rollups_compute(%s, 5)", (given_,))
            case "compute and die":
                with one.transaction(force_rollback=True):
                    one.execute("select rollups_compute(%s, 5)", (given_,))
            case "insert while computing":
                with one.transaction():
                    put(one, given_)
                    other.execute("select rollups_compute(%s, 1000)", (LATER,))
        assert one.execute(UNEQUAL).fetchall() == [], what
    while one.execute("select rollups_compute(%s, 1000)", (LATER,)).fetchone() != (0,):
        pass
    assert one.execute("select count(*) from rollups_due").fetchone() == (0,)
    assert one.execute(UNEQUAL).fetchall() == []


def a_reading(at: datetime, seq: int = 1, home: str = "H001") -> Row:
    return Row(at, at, "d", home, "b", seq, "heart_rate", None, 70.0, None, None, None)


async def test_a_reading_that_comes_while_its_hour_is_being_stored_is_not_forgotten(
    postgres_url: str, database: Database, until: Until
) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as storing:
        put(storing, [a_reading(START)])
        with storing.transaction():
            assert storing.execute("select rollups_compute(%s, 10)", (LATER,)).fetchone() == (1,)
            coming = asyncio.create_task(asyncio.to_thread(_put_elsewhere, postgres_url, a_reading(START, 2)))

            async def waits() -> bool:
                return bool(await fetch(database, "select 1 from pg_locks where not granted"))

            await until(waits)
        await coming
        assert storing.execute(UNEQUAL).fetchall() == []
        assert storing.execute("select count from vitals_hourly").fetchall() == [(2,)]
        assert storing.execute("select rollups_compute(%s, 10)", (LATER,)).fetchone() == (1,)
        assert storing.execute("select count from vitals_stored").fetchall() == [(2,)]


def _put_elsewhere(url: str, row: Row) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        put(connection, [row])


async def test_several_store_at_once_and_each_hour_is_stored_once(postgres_url: str, database: Database) -> None:
    clock = DrivenClock(to_ms(START + timedelta(hours=30)))
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        put(connection, draw(1, "H001", START, 30, 200) + draw(2, "H002", START, 30, 200))
        due = connection.execute("select count(*) from rollups_due").fetchone()
        assert due is not None
        await asyncio.gather(*(Upkeep(database, clock, 730, 90).compute() for _ in range(4)))
        assert connection.execute(UNEQUAL).fetchall() == []
        # What is not over yet waits.
        left = connection.execute("select min(hour) from rollups_due").fetchone()
        assert left is not None
        assert left[0] >= clock.now() - SETTLES


async def test_days_that_are_no_longer_kept_are_dropped_and_their_roll_ups_stay(
    postgres_url: str, database: Database
) -> None:
    """By two at once; also where nobody had come to storing a day's roll-ups before it was dropped."""
    clock = DrivenClock(to_ms(START + timedelta(days=40)))
    kept = date(2026, 5, 14)  # 40 days after the 4th of May is the 13th of June, and that less 30
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        put(connection, draw(1, "H001", START, 24 * 20, 400))
        before = connection.execute("select * from vitals_hourly order by 1, 2, 3, 4").fetchall()
        moved = connection.execute("select * from activity_hourly order by 1, 2, 3, 4").fetchall()
        await asyncio.gather(*(Upkeep(database, clock, 30, 90).drop() for _ in range(2)))
        assert connection.execute("select min(at)::date from readings").fetchone() == (kept,)
        partitions = connection.execute(
            "select count(*) from pg_inherits where inhparent = 'readings'::regclass"
        ).fetchone()
        assert partitions == (10,)
        assert connection.execute("select * from vitals_hourly order by 1, 2, 3, 4").fetchall() == before
        assert connection.execute("select * from activity_hourly order by 1, 2, 3, 4").fetchall() == moved
        # The day does not come back, and nothing is left that would compute it anew.
        assert connection.execute("select readings_day(%s)", (kept - timedelta(days=1),)).fetchone() == (False,)
        assert connection.execute("select readings_day(%s)", (kept,)).fetchone() == (True,)
        assert connection.execute("select min(hour)::date from rollups_due").fetchone() == (kept,)


async def test_dropping_a_day_waits_for_whoever_writes_but_not_for_long(postgres_url: str, database: Database) -> None:
    upkeep = Upkeep(database, DrivenClock(to_ms(START + timedelta(days=40))), 30, 90)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        put(connection, [a_reading(START)])
        with connection.transaction():
            put(connection, [a_reading(START, 2)])
            with pytest.raises(psycopg.errors.LockNotAvailable):
                await upkeep.drop()
        await upkeep.drop()
        assert connection.execute("select count(*) from readings").fetchone() == (0,)
        assert connection.execute("select count from vitals_hourly").fetchall() == [(2,)]


async def test_what_is_refused_holds_up_nothing_else(postgres_url: str, database: Database, until: Until) -> None:
    """Roll-ups that cannot be computed must not fill the disk with readings that are no longer kept."""
    upkeep = Upkeep(database, DrivenClock(to_ms(START + timedelta(days=40))), 30, 90)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        put(connection, [a_reading(START)])
        connection.execute("drop function rollups_compute")
        running = asyncio.create_task(upkeep.run(round_seconds=0.01))
        await until(lambda: connection.execute("select count(*) from readings").fetchone() == (0,))
        put(connection, [a_reading(START + timedelta(days=1))])
        await until(lambda: connection.execute("select count(*) from readings").fetchone() == (0,))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_what_a_provider_told_is_known_for_longer_than_it_is_told_again_and_not_for_ever(
    postgres_url: str, database: Database
) -> None:
    upkeep = Upkeep(database, DrivenClock(to_ms(START + timedelta(days=401))), 730, 1)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        # 401 days old, an hour less than 400 days, and an hour.
        told = (
            "select n::text, %s::timestamptz + make_interval(hours => n){} from unnest('{{0, 25, 9623}}'::integer[]) n"
        )
        connection.execute("insert into webhooks_heard (key, at) " + told.format(""), (START,))
        asked_back = "insert into words_pending (number, at, text, incidents) "
        connection.execute(asked_back + told.format(", '1', '{7}'::bigint[]"), (START,))
        await asyncio.gather(upkeep.forget(), upkeep.forget())
        assert connection.execute("select key from webhooks_heard order by at").fetchall() == [("25",), ("9623",)]
        assert connection.execute("select number from words_pending").fetchall() == [("9623",)]


async def test_old_samples_go_and_their_counts_stay(postgres_url: str, database: Database) -> None:
    upkeep = Upkeep(database, DrivenClock(to_ms(START + timedelta(days=91))), 730, 90)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(
            "insert into rejected (received_at, topic, reason, detail, payload, payload_bytes)"
            " select %s::timestamptz + make_interval(days => n), 't', 'not_json', '', '', 0"
            " from generate_series(0, 4) n",
            (START,),
        )
        connection.execute(
            "insert into parked (log, consumer, partition, position, parked_at, reason, body)"
            " select 'urgent', 'urgent/urgent', 0, n, %s::timestamptz + make_interval(days => n / 3), '', ''"
            " from generate_series(0, 5) n",
            (START,),
        )
        await asyncio.gather(upkeep.forget(), upkeep.forget())
        assert connection.execute("select count(*) from rejected").fetchone() == (4,)
        assert connection.execute("select count(*) from parked").fetchone() == (3,)
        assert connection.execute("select day, reason, count from rejected_counts").fetchall() == [
            (START.date(), "parked by urgent/urgent", 3)
        ]
