"""When all connections have died, the next use of the pool does not pay for each of them."""

import asyncio
import time

import psycopg

from pingan.database import Database

CONNECTIONS = 8


async def test_dead_connections_are_replaced_at_once(database: Database) -> None:
    async def use() -> None:
        async with database.connection() as connection:
            await connection.execute("select pg_sleep(0.05)")

    await asyncio.gather(*(use() for _ in range(CONNECTIONS)))
    async with await psycopg.AsyncConnection.connect(database.url, autocommit=True) as other:
        await other.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
    begin = time.monotonic()
    await use()
    assert time.monotonic() - begin < 9, "the pool alone gives up after ten seconds"
