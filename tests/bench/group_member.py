"""The urgent lane as Kafka's own consumer groups would have it, to compare with: `python -m tests.bench.group_member`.

Events become alarms in the same way; but who reads which partition is for Kafka to say, and the position is Kafka's.
The session's timeout is the shortest that a broker allows by itself.
"""

import asyncio
import contextlib
import logging
import os
import signal

import uvloop
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import CommitFailedError, KafkaError

from alerting import alarms
from alerting.reported import alarm_of
from pingan.clock import SystemClock
from pingan.database import Database
from pingan.logs import cluster
from pingan.messages import Event, decode
from pingan.settings import Common, load

GROUP = "bench"
SESSION_MS = 6_000
HEARTBEAT_MS = 1_000
"""A sixth of it: what members learn of a change they learn with a heartbeat, so that this is generous."""


async def main() -> None:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    settings, clock, stop = load(Common), SystemClock(), asyncio.Event()
    where = cluster(settings)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    database = Database(settings.database_url)
    await database.open()
    consumer = AIOKafkaConsumer(
        where.topic("urgent"),
        bootstrap_servers=where.servers,
        group_id=f"{os.environ['PINGAN_KAFKA_PREFIX']}.{GROUP}",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=SESSION_MS,
        heartbeat_interval_ms=HEARTBEAT_MS,
    )
    await consumer.start()
    while not stop.is_set():
        fetched = await consumer.getmany(timeout_ms=250)
        found = [decode(record.value) for records in fetched.values() for record in records]
        if not found:
            continue
        async with database.transaction() as connection:
            await alarms.insert(connection, [alarm_of(one) for one in found if isinstance(one, Event)], clock.now())
        with contextlib.suppress(CommitFailedError, KafkaError):  # a partition that has gone: repeated, harmlessly
            await consumer.commit()
    await consumer.stop()
    await database.close()


if __name__ == "__main__":
    uvloop.run(main())
