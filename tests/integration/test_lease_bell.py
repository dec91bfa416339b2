"""Who lets go of a partition tells the others, and they need not find out."""

import asyncio

from pingan.clock import SystemClock
from pingan.database import Database, Listener
from pingan.lease import Leases
from tests.conftest import Until


async def test_a_partition_that_is_let_go_is_taken_without_another_look(database: Database, until: Until) -> None:
    """The heir looks once an hour by itself; only the bell can tell it."""
    holder = Leases(database, "bridge/alarm", "holder", SystemClock())
    holding = asyncio.create_task(holder.run())
    await until(lambda: holder.held)
    listener = Listener(database)
    heir = Leases(
        database, "bridge/alarm", "heir", SystemClock(), bell=listener.bell("leases"), look_seconds=3_600.0
    )  # fmt: skip
    listening, inheriting = asyncio.create_task(listener.run()), asyncio.create_task(heir.run())

    async def listens() -> bool:
        query = "select 1 from pg_stat_activity where datname = current_database() and query = 'listen leases'"
        async with database.connection() as connection:
            return await (await connection.execute(query)).fetchone() is not None

    await until(listens)
    assert not heir.held
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)
    await until(lambda: heir.held)
    for task in (inheriting, listening):
        task.cancel()
    await asyncio.gather(inheriting, listening, return_exceptions=True)
