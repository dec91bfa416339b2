"""`python -m tests.schema` writes pingan/schema.sql anew from the migrations."""

import re
import subprocess
import tempfile
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from pingan.local.postgres import Postgres
from pingan.migrate import FOLDER, migrate

SCHEMA = FOLDER.with_name("schema.sql")
HEADER = "-- What the migrations make, for reading. `make schema` writes it; a test holds it equal.\n\n"

_NOISE = re.compile(r"^(--.*|SET .*|SELECT pg_catalog\.set_config.*|\\(un)?restrict .*)\n", re.MULTILINE)


def dump(server: Postgres, url: str) -> str:
    """The schema of a database as `pg_dump` writes it, without what differs from run to run."""
    command = [server.programs / "pg_dump", "--schema-only", "--no-owner", "--no-privileges", f"--dbname={url}"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return HEADER + re.sub(r"\n{3,}", "\n\n", _NOISE.sub("", text)).strip() + "\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(Path(folder))
        server.prepare()
        process = server.start()
        try:
            server.ready(60)
            with psycopg.connect(server.superuser_dsn, autocommit=True) as connection:
                connection.execute("create database schema_to_write")
            url = make_conninfo(server.superuser_dsn, dbname="schema_to_write")
            migrate(url)
            SCHEMA.write_text(dump(server, url), encoding="utf-8")
        finally:
            server.stop()
            process.wait(30)
            server.remove()


if __name__ == "__main__":
    main()
