"""`pingan/schema.sql` is what the migrations make: one place to read, and no second truth."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pingan import migrate
from pingan.local.postgres import Postgres
from pingan.migrate import FOLDER, PLAIN, TIMESCALE, MigrationError, migrations, missing
from tests.schema import SCHEMA, dump


def test_schema_sql_is_what_the_migrations_make(postgres: Postgres, postgres_url: str) -> None:
    """To write it anew: `make schema`."""
    assert SCHEMA.read_text(encoding="utf-8") == dump(postgres, postgres_url)


def test_every_migration_says_its_phase_and_its_number_is_its_own() -> None:
    names = {path.name for path in FOLDER.iterdir() if path.suffix == ".sql"}
    dialects = {
        dialect: [migration.name for migration in migrations(dialect=dialect)] for dialect in (PLAIN, TIMESCALE)
    }
    assert names == {name for of_one in dialects.values() for name in of_one}
    for of_one in dialects.values():
        numbers = [name[:4] for name in of_one]
        assert len(set(numbers)) == len(numbers)
    # What one dialect does the other does too, in its own way.
    assert [name.partition(".")[0] for name in dialects[PLAIN]] == [
        name.partition(".")[0] for name in dialects[TIMESCALE]
    ]


def test_migrating_twice_applies_nothing_and_a_changed_file_is_refused(postgres_url: str, tmp_path: Path) -> None:
    assert migrate.migrate(postgres_url) == []
    assert missing(postgres_url) == []
    for migration in migrations():
        (tmp_path / migration.name).write_text(migration.text + "-- changed", encoding="utf-8")
    with pytest.raises(MigrationError, match="was changed after it had been applied"):
        migrate.migrate(postgres_url, folder=tmp_path)


def test_a_migration_that_fails_leaves_nothing_behind(postgres_url: str, tmp_path: Path) -> None:
    for migration in migrations():
        (tmp_path / migration.name).write_text(migration.text, encoding="utf-8")
    (tmp_path / "9999_broken.pre.sql").write_text("create table half (); select 1/0;", encoding="utf-8")
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate.migrate(postgres_url, folder=tmp_path)
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("select to_regclass('half')").fetchone() == (None,)


@pytest.fixture
def server_with_timescale(postgres: Postgres) -> Iterator[str]:
    """An empty database on a server where TimescaleDB is installed but not loaded: it refuses with its own words."""
    folder = Path(tempfile.mkdtemp(prefix="pingan-test-"))
    (folder / "extension").mkdir()
    (folder / "extension/timescaledb.control").write_text("default_version = '1'\n", encoding="utf-8")
    (folder / "extension/timescaledb--1.sql").write_text(
        "do $$ begin raise 'extension \"timescaledb\" must be preloaded'; end $$;\n", encoding="utf-8"
    )
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    with psycopg.connect(postgres.superuser_dsn, autocommit=True) as connection:
        connection.execute("create database has_timescale")
    yield make_conninfo(
        postgres.superuser_dsn, dbname="has_timescale", options=f"-c extension_control_path={folder}:$system"
    )
    with psycopg.connect(postgres.superuser_dsn, autocommit=True) as connection:
        connection.execute("drop database has_timescale with (force)")
    shutil.rmtree(folder)


def test_a_timescaledb_that_cannot_be_used_is_not_passed_over_in_silence(server_with_timescale: str) -> None:
    """What a database begins with it keeps: so whoever sets it up decides."""
    with pytest.raises(MigrationError, match=r"must be preloaded.*shared_preload_libraries.*PINGAN_TIMESCALE=0"):
        migrate.migrate(server_with_timescale)
    with psycopg.connect(server_with_timescale) as connection:
        assert connection.execute("select count(*) from migrations").fetchone() == (0,)
    assert migrate.migrate(server_with_timescale, timescale="0") == [migration.name for migration in migrations()]
