"""`pingan/schema.sql` is what the migrations make: one place to read, and no second truth."""

from pathlib import Path

import psycopg
import pytest

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
