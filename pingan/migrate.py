"""Migrations: numbered plain SQL files, applied in order, each in its own transaction, each once.

`NNNN_name.pre.sql` runs before the new version starts, while the old one may still run; `.post.sql` after the old one
has stopped. Where TimescaleDB does what PostgreSQL alone does in another way there are two of a number, in two
dialects: `NNNN_name.pre.timescale.sql` and `NNNN_name.pre.plain.sql`. Names and columns are the same after either.
"""

import hashlib
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg.rows import TupleRow

from pingan.clock import SystemClock

log = logging.getLogger(__name__)

FOLDER = Path(__file__).with_name("migrations")
PLAIN, TIMESCALE = "plain", "timescale"
_LOCK = 0x50494E47  # "PING": two runners wait for each other
_UNUSABLE = (
    "This server has TimescaleDB, but it cannot be used: {}. Install the community edition, name timescaledb in"
    " shared_preload_libraries and restart the server; or set PINGAN_TIMESCALE=0 to do without, for good."
)


class Migration(NamedTuple):
    name: str
    text: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


class MigrationError(Exception):
    """The database has another history than these files. The text says which file and what to do."""


def migrations(folder: Path = FOLDER, phase: str | None = None, dialect: str = PLAIN) -> list[Migration]:
    """The files of `folder` in order; only those of `phase` (`pre`, `post`) if it is given, and of one dialect."""
    found = []
    for path in sorted(folder.glob("[0-9]*.sql")):
        _, its_phase, *its_dialect = path.name.removesuffix(".sql").split(".")
        if phase in (None, its_phase) and its_dialect in ([], [dialect]):
            found.append(Migration(path.name, path.read_text(encoding="utf-8")))
    return found


def migrate(url: str, phase: str | None = None, folder: Path = FOLDER, *, timescale: str = "auto") -> list[str]:
    """Apply what is missing; the names of what was. With `timescale="0"` a new database does without TimescaleDB.

    MigrationError if a file was changed after it was applied, or if the server's TimescaleDB cannot be used.
    """
    applied = []
    # Nothing here is worth preparing, and whoever pools connections for us may mix up what is.
    with psycopg.connect(url, autocommit=True, prepare_threshold=None, application_name="pingan migrate") as connection:
        connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
        connection.execute(
            "create table if not exists migrations (name text primary key, digest text not null,"
            " applied_at timestamptz not null)"
        )
        done = {name: digest for name, digest in connection.execute("select name, digest from migrations")}
        dialect = _dialect_of(done) or _dialect_for(connection, timescale)
        # For a migration that needs the time: no SQL of ours asks the database for it.
        connection.execute("select set_config('pingan.now', %s, false)", (SystemClock().now().isoformat(),))
        for migration in migrations(folder, phase, dialect):
            if migration.name in done:
                if done[migration.name] != migration.digest:
                    raise MigrationError(
                        f"{migration.name} was changed after it had been applied. Put it back, and write a new file."
                    )
                continue
            with connection.transaction():
                connection.execute(migration.text)
                connection.execute(
                    "insert into migrations (name, digest, applied_at) values (%s, %s, %s)",
                    (migration.name, migration.digest, SystemClock().now()),
                )
            log.info("applied %s", migration.name)
            applied.append(migration.name)
    return applied


def missing(url: str) -> list[str]:
    """The migrations that the database lacks."""
    with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
        there = connection.execute("select to_regclass('migrations')").fetchone()
        if there is None or there[0] is None:
            return [migration.name for migration in migrations()]
        done = {name for (name,) in connection.execute("select name from migrations")}
    return [
        migration.name for migration in migrations(dialect=_dialect_of(done) or PLAIN) if migration.name not in done
    ]


def _dialect_of(done: Iterable[str]) -> str | None:
    """The dialect of a database that has one: it keeps it, whatever is installed on its server later."""
    return next((dialect for dialect in (PLAIN, TIMESCALE) for name in done if name.endswith(f".{dialect}.sql")), None)


def _dialect_for(connection: psycopg.Connection[TupleRow], timescale: str) -> str:
    """The dialect for a database that has none yet. A TimescaleDB that is there but of no use is not passed over."""
    there = connection.execute("select 1 from pg_available_extensions where name = 'timescaledb'").fetchone()
    if timescale == "0" or there is None:
        return PLAIN
    try:
        connection.execute("create extension if not exists timescaledb")
        edition = connection.execute("select current_setting('timescaledb.license')").fetchone()
    except psycopg.Error as error:
        raise MigrationError(_UNUSABLE.format(str(error).strip().partition("\n")[0])) from error
    if edition != ("timescale",):
        raise MigrationError(_UNUSABLE.format("it is the Apache edition, which has no continuous aggregates"))
    return TIMESCALE
