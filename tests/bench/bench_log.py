"""The log and the codec by themselves: append → read, and decodes a second. `python -m tests.bench.bench_log`.

The environment says which log, as it does to a process of the platform.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable

import uvloop

from ingest.codecs.native import decode
from pingan.clock import SystemClock
from pingan.database import Database, Listener
from pingan.log import PARTITIONS, Record
from pingan.logs import open_log
from pingan.messages import Reading, encode
from pingan.settings import Common, load

APPENDS = 300
APPENDS_PER_SECOND = 40.0
BULK_MESSAGES = 2_000
BULK_APPENDS = 20
DECODES = 20_000
ROUNDS = 5
TOPIC = "pingan/v1/H001-hub/up/reading"
PAYLOAD = (
    b'{"boot":"0123456789ab","seq":12345,"at":"2026-10-01T08:00:00.000Z","kind":"motion","value":true,'
    b'"sensor":"living_room_motion","note":"load"}'
)


def _reading(number: int) -> bytes:
    return encode(Reading("H001-hub", "b1", number, 0, 0, "motion", True, "H001", "living_room_motion"))


async def appends(settings: Common) -> dict[str, float]:
    """One record at a time, at an even pace; the reader waits in `poll`, as ours do. From the intended moment."""
    clock, writing, reading = SystemClock(), Database(settings.database_url), Database(settings.database_url)
    listener = Listener(reading)
    consumer = open_log("urgent", settings, reading, clock, listener).consumer("urgent", "bench")
    log = open_log("urgent", settings, writing, clock)
    await writing.open()
    await reading.open()
    tasks = [asyncio.create_task(listener.run()), asyncio.create_task(consumer.run())]
    due: dict[bytes, float] = {}
    durable: list[float] = []
    read: list[float] = []

    async def follow() -> None:
        while len(read) < APPENDS:
            for batch in (await consumer.poll(1.0)).batches:
                now = time.monotonic()
                read.extend((now - due[entry.body]) * 1000 for entry in batch.entries if entry.body in due)

    while not (await consumer.poll(0.1)).taken:
        pass
    # The first append connects, and makes files for each partition: nobody presses in that moment.
    await log.append([Record(partition, _reading(-1)) for partition in range(PARTITIONS)])
    following = asyncio.create_task(follow())
    began = time.monotonic() + 0.2
    for number in range(APPENDS):
        body, at = _reading(number), began + number / APPENDS_PER_SECOND
        due[body] = at
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        await log.append([Record(number % PARTITIONS, body)])
        durable.append((time.monotonic() - at) * 1000)
    await asyncio.wait_for(following, 10)
    bulk = [Record(number % PARTITIONS, _reading(number)) for number in range(BULK_MESSAGES)]
    seconds = []
    for _ in range(BULK_APPENDS):
        began = time.monotonic()
        await log.append(bulk)
        seconds.append(time.monotonic() - began)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await log.close()
    await writing.close()
    await reading.close()
    return {
        "append_p50_ms": statistics.median(durable),
        "append_p99_ms": sorted(durable)[int(0.99 * APPENDS)],
        "append_read_p50_ms": statistics.median(read),
        "append_read_p99_ms": sorted(read)[int(0.99 * APPENDS)],
        "bulk_messages_per_second": BULK_MESSAGES / statistics.median(seconds),
    }


def rate(work: Callable[[], object], count: int) -> float:
    """Median of a few rounds, a second of processor time."""
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(count):
            work()
        found.append(count / (time.process_time() - began))
    return statistics.median(found)


if __name__ == "__main__":
    result = uvloop.run(appends(load(Common)))
    result["codec_decodes_per_second"] = rate(lambda: decode(TOPIC, PAYLOAD, 1_790_000_000_000), DECODES)
    result["cpu_seconds"] = time.process_time()
    sys.stdout.write(json.dumps({name: round(value, 3) for name, value in result.items()}) + "\n")
