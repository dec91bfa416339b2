"""That a lane hears the broker is written down every second, so that every screen can say when it does not.

A process that is gone writes nothing, and neither does one that hears nothing: whoever reads needs to know no more.
"""

import asyncio
import logging
from collections.abc import Callable

from pingan.clock import Clock
from pingan.database import LOST, Database, Queries

log = logging.getLogger(__name__)
sql = Queries(__file__, "hearing.sql")

TELL_SECONDS = 1.0
PATIENCE_SECONDS = 2.0


async def keep_telling(database: Database, clock: Clock, lane: str, hears: Callable[[], bool]) -> None:
    """Until cancelled."""
    query = sql.begin
    while True:
        try:
            if query == sql.begin or hears():
                async with asyncio.timeout(PATIENCE_SECONDS), database.connection() as connection:
                    await connection.execute(query, {"lane": lane, "now": clock.now()})
                query = sql.hears
        except (*LOST, TimeoutError) as error:
            log.debug("nobody can be told that the %s lane hears: %s", lane, error)
        await asyncio.sleep(TELL_SECONDS)
