"""Commands of the shared package itself."""

import argparse
import asyncio
import logging
import sys
from typing import Annotated

import msgspec

from pingan.carry_over import Unread, carry_over
from pingan.clock import SystemClock
from pingan.database import LOST, Database
from pingan.log import GROUPS
from pingan.logs import cluster, open_log
from pingan.migrate import MigrationError
from pingan.migrate import migrate as apply
from pingan.settings import Common, SettingsError, load

log = logging.getLogger(__name__)


class Settings(Common, frozen=True, kw_only=True):
    timescale: Annotated[str, msgspec.Meta(pattern="^(auto|0)$")] = "auto"
    """`auto`: use TimescaleDB where the server has it; `0`: do without. A database keeps what it began with."""


def migrate(argv: list[str]) -> int:
    """`pingan migrate [pre|post]`."""
    parser = argparse.ArgumentParser(prog="pingan migrate", description="Bring the database's schema up to date.")
    parser.add_argument("phase", nargs="?", choices=("pre", "post"), help="only this phase (default: both)")
    phase = parser.parse_args(argv).phase
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        settings = load(Common)
        applied = apply(settings.database_url, phase)
        _make_topics(settings)
        if phase != "post":
            asyncio.run(_carry_over(settings))
    except (MigrationError, SettingsError, Unread, ValueError) as error:
        sys.stderr.write(f"pingan migrate: {error}\n")
        return 1
    sys.stdout.write(f"{len(applied)} applied\n")
    return 0


def _make_topics(settings: Common) -> None:
    """Where the log is in Kafka. While that is away the rest may start: whoever needs a topic first makes it."""
    if settings.log != "kafka":
        return
    where = cluster(settings)
    from pingan.kafka_log import Away, make_topics

    async def make() -> list[str]:
        database = Database(settings.database_url, application="pingan migrate")
        await database.open()
        try:
            return await make_topics(where, database)
        finally:
            await database.close()

    try:
        for topic in asyncio.run(make()):
            log.info("made the topic %s", topic)
    except Away as error:
        log.warning("no topics are made now: %s", error)


async def _carry_over(settings: Common) -> None:
    """What nobody has acted on in the log that was used before. Without a Kafka named there can be nothing in it."""
    if settings.kafka is None:
        return
    other = msgspec.structs.replace(settings, log="postgres" if settings.log == "kafka" else "kafka")
    clock, database = SystemClock(), Database(settings.database_url, application="pingan migrate")
    await database.open()
    try:
        for name in GROUPS:
            source, target = (open_log(name, one, database, clock) for one in (other, settings))
            try:
                if count := await carry_over(source, target, database):
                    log.info("%d entries of the log %s were carried over from %s", count, name, other.log)
            finally:
                await source.close()
                await target.close()
    except LOST as error:
        log.warning("nothing is carried over from %s now: %s", other.log, error)
    finally:
        await database.close()
