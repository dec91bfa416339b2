"""Providers that are down: said to whoever is at the desk, and tried until they answer.

A process finds it out for itself, by what it asked of them. Every ten seconds it asks each that is down for something
that reaches nobody: no call of a person is spent on finding out.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from dispatch import tasks
from dispatch.channels import SEND_SECONDS, Refused, TryAgain, Unclear
from dispatch.channels.twilio import SECOND, Line, Twilio
from pingan import metrics
from pingan.clock import Clock
from pingan.database import LOST, Database, Queries

log = logging.getLogger(__name__)
sql = Queries(__file__, "providers.sql")

LOOK_SECONDS = 1.0
PROBE_LOOKS = 10
"""Every so many looks one that is down is tried."""
LATE_SECONDS = 5.0
"""What has not been said for so long was another time."""


class Provided(Protocol):
    """A channel that several providers carry."""

    @property
    def twilio(self) -> Twilio: ...

    async def probe(self, line: Line) -> None: ...


class Providers:
    def __init__(self, database: Database, clock: Clock, channels: Mapping[str, Provided], name: str) -> None:
        self._database, self._clock, self._name = database, clock, name
        self._lines = [(key, channel, line) for key, channel in channels.items() for line in channel.twilio.lines]
        self._said: set[tuple[str, str]] = set()
        if self._lines:
            metrics.show(metrics.PROVIDER_DOWN)
        for key, channel in channels.items():
            if channel.twilio.unusable:
                metrics.PROVIDER_DOWN.labels(key, SECOND).set(1)

    async def run(self) -> None:
        """Say how they are, and try those that are down, until cancelled."""
        looks = 0
        while True:
            looks += 1
            try:
                await self.say()
            except LOST as error:
                log.debug("nobody can be told how the providers are: %s", error)
            if looks % PROBE_LOOKS == 0:
                await self.probe()
            await asyncio.sleep(LOOK_SECONDS)

    async def probe(self) -> None:
        """Try each that is down."""
        await asyncio.gather(*(self._try(channel, line) for _, channel, line in self._lines if line.down is not None))

    async def say(self) -> None:
        """Write down who is down, and who no longer is. Raises one of LOST."""
        for channel, _, line in self._lines:
            metrics.PROVIDER_DOWN.labels(channel, line.name).set(int(line.down is not None))
            key = (channel, line.name)
            if line.down is None and key not in self._said:
                continue
            now = self._clock.now()
            values = {
                "process": self._name, "channel": channel, "provider": line.name, "why": line.down, "now": now,
                "late": now - timedelta(seconds=LATE_SECONDS),
            }  # fmt: skip
            async with self._database.transaction() as connection:
                await connection.execute(sql.up if line.down is None else sql.down, values)
                if line.account is not None:
                    detail = {"channel": channel, "code": line.account}
                    await tasks.open(connection, "provider_account", line.name, detail, now)
            (self._said.discard if line.down is None else self._said.add)(key)

    @staticmethod
    async def _try(channel: Provided, line: Line) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await channel.probe(line)
        except (Refused, TryAgain, Unclear, TimeoutError) as error:
            log.debug("%s was tried: %s", line.name, error)
