"""What the archive sees to now and then: roll-ups are stored, and nothing is kept for longer than it may be.

Where TimescaleDB does the first two, their functions have nothing to do. Several archives may do this at once.
"""

import asyncio
import logging
from datetime import timedelta
from typing import Any

import psycopg

from pingan.clock import Clock
from pingan.database import LOST, Database, Queries

log = logging.getLogger(__name__)
sql = Queries(__file__, "upkeep.sql")

ROUND_SECONDS = 60.0
SETTLES = timedelta(minutes=65)
"""An hour is stored when it began so long ago: it is over, and what came a few minutes late is in it too."""
HOURS_AT_ONCE = 25
"""Of homes, in one transaction: some 0.1 s at 1,800 readings each, for which a late reading of theirs may wait."""
SAMPLES_AT_ONCE = 5_000
WEBHOOKS_KEPT = timedelta(days=400)
"""How long it is known what a telephone provider has told (chosen). It tells a thing again for seconds (Twilio at most
five times, within fifteen), and what queues between us for hours. But a signature bears no date: whoever kept such a
request could send it at any time, and only this tells it from news. They are the provider's ids, and name nobody."""
WORDS_KEPT = timedelta(days=1)
"""A word that we have asked back about is worth a quarter of an hour; it has somebody's number and what they wrote."""


class Upkeep:
    """Roll-ups, incidents and counts stay; for how many days the rest does is said here."""

    def __init__(self, database: Database, clock: Clock, readings_keep_days: int, rejected_keep_days: int) -> None:
        self._database, self._clock = database, clock
        self._readings_keep_days, self._rejected_keep_days = readings_keep_days, rejected_keep_days

    async def run(self, round_seconds: float = ROUND_SECONDS) -> None:
        """A round each minute. What the database breaks off, or refuses, is made up by the next; archiving goes on."""
        while True:
            await asyncio.sleep(round_seconds)
            for step in (self.compute, self.drop, self.forget):
                try:
                    await step()
                except LOST as error:
                    log.info("the upkeep waits for the next minute: %s", str(error).strip() or type(error).__name__)
                except psycopg.Error:
                    log.exception("a part of the upkeep was refused")

    async def compute(self) -> None:
        """Store the roll-ups of every marked hour that is over, some in each transaction."""
        until = self._clock.now() - SETTLES
        while await self._value(sql.compute, until=until, most=HOURS_AT_ONCE):
            pass

    async def drop(self) -> None:
        """Drop the readings of each day that is no longer kept, a day in each transaction."""
        now = self._clock.now()
        while dropped := await self._value(sql.keep, days=self._readings_keep_days, now=now):
            log.info("the readings of %s are no longer kept; their roll-ups are", dropped)

    async def forget(self) -> None:
        """Delete what is old: what was refused or set aside (how much stays known), and what was told by telephone."""
        now = self._clock.now()
        samples = now - timedelta(days=self._rejected_keep_days)
        for query, before in (
            (sql.forget_parked, samples),
            (sql.forget_rejected, samples),
            (sql.forget_webhooks, now - WEBHOOKS_KEPT),
            (sql.forget_words, now - WORDS_KEPT),
        ):
            while await self._changed(query, before=before, most=SAMPLES_AT_ONCE):
                pass

    async def _value(self, query: str, **parameters: Any) -> Any:
        async with self._database.connection() as connection:
            (row,) = await (await connection.execute(query, parameters)).fetchall()
        return next(iter(row.values()))

    async def _changed(self, query: str, **parameters: Any) -> int:
        async with self._database.connection() as connection:
            return (await connection.execute(query, parameters)).rowcount
