"""Migrations: numbered plain SQL files, applied in order, each in its own transaction, each once.

`NNNN_name.pre.sql` runs before the new version starts, while the old one may still run; `.post.sql` after the old one
has stopped.
"""

import hashlib
import logging
from pathlib import Path
from typing import NamedTuple

import psycopg

from pingan.clock import SystemClock

log = logging.getLogger(__name__)

FOLDER = Path(__file__).with_name("migrations")
_LOCK = 0x50494E47  # "PING": two runners wait for each other


class Migration(NamedTuple):
    name: str
    text: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


class MigrationError(Exception):
    """The database has another history than these files. The text says which file and what to do."""


def migrations(folder: Path = FOLDER, phase: str | None = None) -> list[Migration]:
    """The files of `folder` in order; only those of `phase` (`pre`, `post`) if it is given."""
    paths = sorted(folder.glob(f"[0-9]*.{phase or '*'}.sql"))
    return [Migration(path.name, path.read_text(encoding="utf-8")) for path in paths]


def migrate(url: str, phase: str | None = None, folder: Path = FOLDER) -> list[str]:
    """Apply what is missing; the names of what was. MigrationError if a file was changed after it was applied."""
    applied = []
    with psycopg.connect(url, autocommit=True, application_name="pingan migrate") as connection:
        connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
        connection.execute(
            "create table if not exists migrations (name text primary key, digest text not null,"
            " applied_at timestamptz not null)"
        )
        done = {name: digest for name, digest in connection.execute("select name, digest from migrations")}
        for migration in migrations(folder, phase):
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
    return [migration.name for migration in migrations() if migration.name not in done]
