"""Roll-ups and retention: one schema in two dialects, one set of queries, the same answers."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow, dict_row

from ingest.rows import Row
from pingan import rollups
from pingan.clock import SystemClock
from pingan.migrate import PLAIN, TIMESCALE, migrate
from tests import timescale
from tests.integration.rollup_support import SHANGHAI, Vital, activity_of, draw, put, vitals_of

NOW = SystemClock().now().replace(minute=20, second=0, microsecond=0)
"""TimescaleDB's jobs go by the server's clock, so these tests take place today."""
HOME = "H001"


@dataclass
class Store:
    """A migrated database, and the way in which its roll-ups are brought up to date there."""

    connection: psycopg.Connection[Any]
    url: str
    refresh: Callable[[], None]

    async def read(self, home: str) -> tuple[Counter[Any], dict[Any, Vital]]:
        """What the roll-ups say of all the readings of a home, in the forms of `activity_of` and `vitals_of`."""
        # One connection at a time: that of the tests is closed while the platform's own asks.
        self.connection.close()
        async with await psycopg.AsyncConnection[DictRow].connect(
            self.url, autocommit=True, row_factory=dict_row, prepare_threshold=None
        ) as connection:
            moved = await rollups.activity(connection, home, NOW - timedelta(days=3_000), NOW + timedelta(days=1))
            measured = await rollups.vitals(
                connection, home, (NOW - timedelta(days=3_000)).date(), (NOW + timedelta(days=2)).date(), SHANGHAI
            )
        self.connection = connect(self.url)
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


@pytest.fixture(scope="module")
def timescale_url() -> Iterator[str]:
    """TimescaleDB, migrated; one for all tests here, which keep to homes of their own."""
    for url in timescale.serve():
        assert "0008_rollups.pre.timescale.sql" in migrate(url)
        yield url


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
        connection.execute(f"call run_job({job})")
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
