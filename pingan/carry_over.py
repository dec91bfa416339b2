"""From one log into the other, when an installation changes `PINGAN_LOG`: what nobody has acted on yet goes along.

Stop the processes, set the other log, and `pingan migrate` does it before they start again. An entry that one group
has acted on and another has not is carried for both: ids make a repeat harmless.
"""

import asyncio
from collections import defaultdict

from pingan.database import Database
from pingan.log import Consumer, Fenced, Log, Record
from pingan.tasks import end

SECONDS = 60.0
MEMBER = "migrate"
APPEND_ENTRIES = 5_000
"""One append's most: what had to be appended in one would, beyond some size, never come through in an append's time."""


class Unread(Exception):
    """Somebody else still owns a part of the old log. The text says what to do."""


async def carry_over(source: Log, target: Log, database: Database, seconds: float = SECONDS) -> int:
    """Append to `target` what some group of `source` has not stored its position past, in its order; how many entries.

    All of it is held in memory meanwhile. Raises Unread when it cannot be had within `seconds`, and one of LOST; what
    was not carried is carried next time.
    """
    lag = {group: entries for group, entries in (await source.lag()).items() if entries}
    consumers = {group: source.consumer(group, MEMBER) for group in lag}
    running = [asyncio.create_task(consumer.run()) for consumer in consumers.values()]
    unread: dict[int, dict[int, bytes]] = defaultdict(dict)
    try:
        ends = {group: await _read(consumers[group], entries, unread, seconds) for group, entries in lag.items()}
        records = [Record(partition, bodies[one]) for partition, bodies in unread.items() for one in sorted(bodies)]
        for first in range(0, len(records), APPEND_ENTRIES):
            await target.append(records[first : first + APPEND_ENTRIES])
        async with database.transaction() as connection:
            for group, positions in ends.items():
                for partition, position in positions.items():
                    await consumers[group].store(connection, partition, position)
    except (TimeoutError, Fenced) as error:
        raise Unread(
            f"not everything in the log {source.name} where it was before can be had, because somebody else is reading "
            "it: stop those processes, or let them finish, and run this again"
        ) from error
    finally:
        await end(running)
    return sum(map(len, unread.values()))


async def _read(consumer: Consumer, entries: int, into: dict[int, dict[int, bytes]], seconds: float) -> dict[int, int]:
    """Read so many entries; partition → the last position. TimeoutError when they do not come."""
    last: dict[int, int] = {}
    count = 0
    read_to: dict[int, int] = {}
    async with asyncio.timeout(seconds):
        while count < entries:
            polled = await consumer.poll(0.2)
            read_to.update({lease.partition: lease.position for lease in polled.taken})
            for batch in polled.batches:
                into[batch.partition].update({entry.position: entry.body for entry in batch.entries})
                last[batch.partition] = batch.entries[-1].position
                # By position: what a log cannot read any more is one entry for all that it covers.
                count += max(0, last[batch.partition] - read_to[batch.partition])
                read_to[batch.partition] = last[batch.partition]
    return last
