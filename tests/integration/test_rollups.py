"""Roll-ups and retention: one schema in two dialects, one set of queries, the same answers."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow, dict_row

from ingest.measuring import sql as measuring
from ingest.rows import Row
from pingan import rollups
from pingan.clock import SystemClock
from pingan.database import Connection
from pingan.migrate import PLAIN, TIMESCALE, migrate, migrations, missing
from tests import timescale
from tests.integration.rollup_support import SHANGHAI, Vital, activity_of, draw, put, set_of, vitals_of

NOW = SystemClock().now().replace(minute=20, second=0, microsecond=0)
"""TimescaleDB's jobs go by the server's clock, so these tests take place today."""
HOME = "H001"


@dataclass
class Store:
    """A migrated database, and the way in which its roll-ups are brought up to date there."""

    connection: psycopg.Connection[Any]
    url: str
    refresh: Callable[[], None]

    @contextlib.asynccontextmanager
    async def asking(self) -> AsyncIterator[Connection]:
        """A connection as the platform has it, for its queries. The tests' own is closed meanwhile: one at a time."""
        self.connection.close()
        async with await psycopg.AsyncConnection[DictRow].connect(
            self.url, autocommit=True, row_factory=dict_row, prepare_threshold=None
        ) as connection:
            yield connection
        self.connection = connect(self.url)

    async def read(self, home: str) -> tuple[Counter[Any], dict[Any, Vital]]:
        """What the roll-ups say of all the readings of a home, in the forms of `activity_of` and `vitals_of`."""
        async with self.asking() as connection:
            moved = await rollups.activity(connection, home, NOW - timedelta(days=3_000), NOW + timedelta(days=1))
            measured = await rollups.vitals(
                connection, home, (NOW - timedelta(days=3_000)).date(), (NOW + timedelta(days=2)).date(), SHANGHAI
            )
        assert moved == sorted(moved, key=lambda row: row.hour)
        return (
            Counter({(row.hour, row.sensor, row.kind): row.count for row in moved}),
            {(row.day, row.device, row.kind): Vital(row.count, row.min, row.avg, row.max) for row in measured},
        )

    async def says(self, rows: list[Row], home: str = HOME) -> None:
        moved, measured = await self.read(home)
        assert moved == activity_of(rows, home)
        assert measured == vitals_of(rows, home, SHANGHAI)


def connect(url: str) -> psycopg.Connection[Any]:
    """Nothing prepared: in WebAssembly every connection meets the same backend, and what others have prepared there."""
    return psycopg.connect(url, autocommit=True, prepare_threshold=None)


BEFORE = draw(7, "before", NOW - timedelta(days=100), 24, 100) + draw(8, "before", NOW - timedelta(days=3), 48, 100)
"""Readings that were in the archive before it knew of TimescaleDB."""


@pytest.fixture(scope="module")
def timescale_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """TimescaleDB, and in it what was there before; one for all tests here, which keep to homes of their own."""
    early = tmp_path_factory.mktemp("early")
    for migration in migrations():
        if migration.name < "0007":
            (early / migration.name).write_text(migration.text, encoding="utf-8")
    for url in timescale.serve():
        migrate(url, folder=early)
        with connect(url) as connection:
            put(connection, BEFORE)
        assert "0008_rollups.pre.timescale.sql" in migrate(url)
        yield url


@pytest.fixture
def in_timescale(timescale_url: str) -> Iterator[Store]:
    store = Store(connect(timescale_url), timescale_url, lambda: None)
    yield store
    store.connection.close()


@pytest.fixture(params=[PLAIN, TIMESCALE])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == PLAIN:
        url: str = request.getfixturevalue("postgres_url")
        store = Store(connect(url), url, lambda: compute(store.connection))
    else:
        url = request.getfixturevalue("timescale_url")
        store = Store(connect(url), url, lambda: run_jobs(store.connection, "policy_refresh_continuous_aggregate"))
    timescale.note_versions(store.connection)
    yield store
    store.connection.close()


def compute(connection: psycopg.Connection[Any]) -> None:
    while connection.execute("select rollups_compute(%s, 100)", (NOW - timedelta(hours=1),)).fetchone() != (0,):
        pass


def run_jobs(connection: psycopg.Connection[Any], procedure: str) -> int:
    """Do what TimescaleDB's scheduler does; how many jobs there were."""
    jobs = connection.execute("select job_id from timescaledb_information.jobs where proc_name = %s", (procedure,))
    found = [job for (job,) in jobs.fetchall()]
    for job in found:
        connection.execute("call run_job(%s)", (job,))
    return len(found)


@pytest.mark.parametrize("seed", range(3))
async def test_the_roll_ups_say_what_the_readings_say(store: Store, seed: int) -> None:
    """What is expected is counted in Python, so both dialects give the same answers."""
    home = f"seed-{seed}"
    rows = draw(seed, home, NOW - timedelta(hours=40), 40, 300)
    put(store.connection, rows)
    store.refresh()
    await store.says(rows, home)
    # Of this hour nothing is stored, and what comes now is to be seen at once.
    fresh = draw(seed + 100, home, NOW - timedelta(minutes=20), 1, 20, boot="fresh")
    put(store.connection, fresh)
    await store.says(rows + fresh, home)
    # What comes days late, into hours that are stored.
    late = draw(seed + 200, home, NOW - timedelta(days=6), 120, 200, boot="late")
    put(store.connection, late)
    store.refresh()
    await store.says(rows + fresh + late, home)


STAMPS = ("t1", "t3", "t5", "t7")
INCIDENTS = (
    # opened, cause, danger, test; seconds after opening at which t1, t3, t5 and t7 came
    ("2025-03-01T15:59:59Z", "sos", True, False, 0, 12, 42, 642),
    ("2025-03-01T16:00:00Z", "sos", True, False, 1, 21, 81, 681),
    ("2025-03-02T01:00:00Z", "sos", True, False, 0, 60, None, None),
    ("2025-03-02T02:00:00Z", "sos", True, False, 0, 181, 61, None),
    ("2025-03-02T03:00:00Z", "sos", True, False, 0, None, 30, 90),
    ("2025-03-02T04:00:00Z", "sos", True, True, 0, 1, 2, 3),
    ("2025-03-02T05:00:00Z", "technical", False, False, 0, None, None, None),
    ("2025-03-03T16:00:00Z", "sos", True, False, 0, 1, 2, 3),
)


async def test_how_presses_were_answered_by_day(store: Store) -> None:
    """A day is the centre's own: the first one's 16:00 UTC is Shanghai's second."""
    for opened, cause, danger, test, *seconds in INCIDENTS:
        store.connection.execute(
            "insert into incidents (cause, danger, test, state, version, wake_at, opened_at, body, t1, t3, t5, t7)"
            " select %(cause)s, %(danger)s, %(test)s, 'handed_over', 1, opened, opened, '{}',"
            f" {', '.join(f'opened + make_interval(secs => %({stamp})s)' for stamp in STAMPS)}"
            " from (select %(opened)s::timestamptz) given(opened)",
            {
                "opened": opened,
                "cause": cause,
                "danger": danger,
                "test": test,
                **dict(zip(STAMPS, seconds, strict=True)),
            },
        )
    async with store.asking() as connection:
        days = await rollups.responses(connection, date(2025, 3, 1), date(2025, 3, 3), SHANGHAI)
    first, second, technical = days
    assert [(row.day, row.cause, row.incidents) for row in days] == [
        (date(2025, 3, 1), "sos", 1), (date(2025, 3, 2), "sos", 4), (date(2025, 3, 2), "technical", 1)
    ]  # fmt: skip
    assert (first.answered_within_15, first.answer_seconds_p50, first.dispatch_seconds_p50) == (1, 12, 30)
    assert (first.arrival_seconds_p50, first.helper_first) == (600, 0)
    within = (
        second.answered_within_15,
        second.answered_within_20,
        second.answered_within_60,
        second.answered_within_180,
    )
    assert within == (0, 1, 2, 2)
    assert (second.answered, second.helper_first) == (3, 2)
    assert second.answer_seconds_p50 == 60
    assert second.answer_seconds_p95 == pytest.approx(60 + 0.9 * 121)
    assert (second.arrival_seconds_p50, second.arrival_seconds_p95) == (330, pytest.approx(573))
    assert (technical.danger, technical.answered, technical.answer_seconds_p95) == (False, 0, None)


async def test_readings_that_were_there_before_are_moved_and_rolled_up(in_timescale: Store) -> None:
    """They are older than what the refresh policies look at: a job of its own rolls them up, once."""
    connection = in_timescale.connection
    assert run_jobs(connection, "rollups_first_fill") == 1
    run_jobs(connection, "policy_refresh_continuous_aggregate")
    await in_timescale.says(BEFORE, "before")
    connection = in_timescale.connection
    kept = connection.execute("select count(*) from readings where device like 'before-%'").fetchone()
    assert kept == (len(set_of(BEFORE)),)
    assert connection.execute("select to_regclass('readings_before')").fetchone() == (None,)
    done = "select scheduled from timescaledb_information.jobs where proc_name = 'rollups_first_fill'"
    assert connection.execute(done).fetchall() == [(False,)]


async def test_a_hypertable_with_its_policies(in_timescale: Store) -> None:
    connection = in_timescale.connection
    hypertable = "select compression_enabled, num_dimensions from timescaledb_information.hypertables"
    assert connection.execute(f"{hypertable} where hypertable_name = 'readings'").fetchall() == [(True, 1)]
    (interval,) = connection.execute(
        "select time_interval from timescaledb_information.dimensions where hypertable_name = 'readings'"
    ).fetchone() or (None,)
    assert interval == timedelta(days=1)
    aggregates = connection.execute(
        "select view_name, materialized_only from timescaledb_information.continuous_aggregates order by 1"
    ).fetchall()
    assert aggregates == [("activity_hourly", False), ("vitals_hourly", False)]
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(
            "insert into readings (at, received_at, device, boot, seq, kind)"
            " select %s, %s, 'twice', 'b', 1, 'status' from generate_series(1, 2)",
            (NOW, NOW),
        )


async def test_what_is_a_week_old_is_compressed_and_still_takes_late_readings(in_timescale: Store) -> None:
    home = "compressed"
    rows = draw(11, home, (NOW - timedelta(days=12)).replace(hour=0, minute=0), 24, 500)
    put(in_timescale.connection, rows)
    assert not compressed(in_timescale, rows[0].at)
    assert run_jobs(in_timescale.connection, "policy_compression") == 1
    assert compressed(in_timescale, rows[0].at)
    assert not compressed(in_timescale, NOW - timedelta(days=3))
    sizes = in_timescale.connection.execute(
        "select before_compression_total_bytes > after_compression_total_bytes"
        " from hypertable_compression_stats('readings')"
    ).fetchone()
    assert sizes == (True,)
    late = draw(12, home, rows[0].at.replace(hour=0), 24, 50, boot="late")
    put(in_timescale.connection, late + rows[:20])  # and some that are there already
    count = in_timescale.connection.execute("select count(*) from readings where device like 'compressed-%'").fetchone()
    assert count == (len(set_of(rows + late)),)


def compressed(store: Store, at: datetime) -> bool:
    chunks = store.connection.execute(
        "select is_compressed from timescaledb_information.chunks"
        " where hypertable_name = 'readings' and range_start <= %s and range_end > %s",
        (at, at),
    ).fetchall()
    return chunks == [(True,)]


async def test_the_retention_job_goes_by_the_setting_and_leaves_the_roll_ups(in_timescale: Store) -> None:
    home = "old"
    rows = draw(21, home, NOW - timedelta(days=50), 24, 100) + draw(22, home, NOW - timedelta(days=20), 24, 100)
    put(in_timescale.connection, rows)
    for rollup in ("activity_hourly", "vitals_hourly"):
        in_timescale.connection.execute(
            "call refresh_continuous_aggregate(%s, null, %s)", (rollup, NOW - timedelta(days=9))
        )
    await in_timescale.says(rows, home)
    keep = "select readings_keep(%s, %s)"
    policy = "select config ->> 'drop_after' from timescaledb_information.jobs where proc_name = 'policy_retention'"
    assert in_timescale.connection.execute(policy).fetchone() == ("730 days",)
    run_jobs(in_timescale.connection, "policy_retention")
    oldest = "select min(at) from readings where device like 'old-%%'"
    assert in_timescale.connection.execute(oldest).fetchone() == (min(row.at for row in rows),)
    assert in_timescale.connection.execute(keep, (40, NOW)).fetchone() == (None,)
    assert in_timescale.connection.execute(policy).fetchone() == ("40 days",)
    run_jobs(in_timescale.connection, "policy_retention")
    assert in_timescale.connection.execute(oldest).fetchone() == (min(row.at for row in rows[110:]),)
    run_jobs(in_timescale.connection, "policy_refresh_continuous_aggregate")
    await in_timescale.says(rows, home)


async def test_failures_of_its_jobs_are_to_be_seen(in_timescale: Store) -> None:
    """The scheduler, which counts them, does not run in WebAssembly: its count is written here as it would write it."""
    connection = in_timescale.connection
    assert connection.execute(measuring.job_failures).fetchone() == (0,)
    job = "select job_id from timescaledb_information.jobs where proc_name = 'policy_compression'"
    connection.execute(
        "insert into _timescaledb_internal.bgw_job_stat select id, %(now)s, %(now)s, %(now)s, %(now)s, false,"
        f" 3, '0', '0', 1, 2, 0, 2, 0, 0 from ({job}) job(id)",
        {"now": NOW},
    )
    assert connection.execute(measuring.job_failures).fetchone() == (2,)


def test_a_database_keeps_the_dialect_that_it_began_with() -> None:
    """Without TimescaleDB because that was asked for, and then though nobody asks for it any more."""
    for url in timescale.serve():
        applied = migrate(url, timescale="0")
        assert "0008_rollups.pre.plain.sql" in applied
        assert migrate(url) == []
        assert missing(url) == []
        with connect(url) as connection:
            put(connection, draw(31, HOME, NOW, 2, 20))
            assert connection.execute("select count(*) > 0 from rollups_due").fetchone() == (True,)
