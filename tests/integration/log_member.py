"""A consumer in a process of its own, so that it can really be stopped, woken and killed.

It says `holds N` once it has partitions; at a line of input it tries to store a position for each of them, and says
`stored N fenced N`.
"""

import asyncio
import sys

from pingan.database import Database
from pingan.log import Fenced
from tests.integration.log_implementations import IMPLEMENTATIONS


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(implementation: str, where: str, url: str, member: str, patience_seconds: float) -> None:
    database = Database(url, application=member)
    await database.open()
    log = IMPLEMENTATIONS[implementation](where)("readings", database, None, patience_seconds)
    consumer = log.consumer("archive", member)
    run = asyncio.create_task(consumer.run())
    held: set[int] = set()
    while not held:
        polled = await consumer.poll(0.1)
        held |= {lease.partition for lease in polled.taken}
    say(f"holds {len(held)}")
    await asyncio.to_thread(sys.stdin.readline)
    stored = fenced = 0
    for partition in held:
        try:
            async with database.transaction() as connection:
                await consumer.store(connection, partition, 1_000_000)
            stored += 1
        except Fenced:
            fenced += 1
    say(f"stored {stored} fenced {fenced}")
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    await log.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5], float(sys.argv[5])))
