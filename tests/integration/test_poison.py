"""What nobody can read stops no lane: it is set aside with its bytes and its reason, and what is behind it rings."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest
from aiokafka import AIOKafkaProducer

from alerting.urgent import Urgent
from ingest.archive import Archive
from pingan.clock import SystemClock
from pingan.database import Database
from pingan.kafka_log import Cluster, KafkaLog
from pingan.log import Log, Record
from pingan.messages import encode, partition_of
from pingan.postgres_log import PostgresLog
from pingan.process import State
from pingan.tasks import end
from tests import alerting_support as support
from tests.alerting_support import event, place, reading
from tests.conftest import Topics, Until
from tests.kafka import Kafka

HOME = partition_of("H1", "")
DEEP = encode(event(1))[:-1] + b',"location":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}"
POISON = {
    "no JSON": b"\xff\x00",
    "empty": b"",
    "cut off": encode(event(1))[:-9],
    "of a newer version": encode(event(1)).replace(b"event/1", b"event/9"),
    "of another system": b'{"order":7}',
    "a tag with NUL": b'{"type":"\\u0000"}',
    "no UTF-8 in a text": encode(event(1)).replace(b"H1-button", b"\xff"),
    "nested without end": DEEP,
}


@pytest.fixture
async def in_postgres(database: Database, clock: SystemClock) -> tuple[Log, Log]:
    return PostgresLog("urgent", database, clock), PostgresLog("readings", database, clock)


@pytest.fixture
def cluster(topics: Topics) -> Cluster:
    return Cluster(topics.servers, topics.prefix, replication=1)


@pytest.fixture
async def in_kafka(database: Database, clock: SystemClock, cluster: Cluster) -> AsyncIterator[tuple[Log, Log]]:
    logs = KafkaLog("urgent", database, clock, cluster), KafkaLog("readings", database, clock, cluster)
    yield logs
    for log in logs:
        await log.close()


@pytest.fixture(params=["postgres", "kafka"])
def logs(request: pytest.FixtureRequest) -> tuple[Log, Log]:
    return cast(tuple[Log, Log], request.getfixturevalue(f"in_{request.param}"))


@pytest.fixture
async def lane(database: Database, clock: SystemClock, logs: tuple[Log, Log]) -> AsyncIterator[asyncio.Task[None]]:
    urgent, readings = logs
    runner = Urgent(database, urgent.consumer("urgent", "u"), readings, clock, State("u", None))
    task = asyncio.create_task(runner.run())
    yield task
    if not task.done():
        await end([task])


async def rung(database: Database, lane: asyncio.Task[None], *presses: str) -> bool:
    if lane.done():
        lane.result()
    return {row["evidence"]["event"] for row in await support.alarms(database)} == set(presses)


async def parked(database: Database) -> list[tuple[bytes, str]]:
    rows = await support.rows(database, "select body, reason from parked order by position")
    return [(bytes(row["body"]), row["reason"]) for row in rows]


async def test_no_poison_holds_a_press_behind_it(
    database: Database, logs: tuple[Log, Log], lane: asyncio.Task[None], until: Until
) -> None:
    urgent, _ = logs
    await urgent.append([Record(HOME, body) for body in POISON.values()])
    await urgent.append([place(event(2, "behind"))])
    await until(lambda: rung(database, lane, "behind"))
    assert [body for body, _ in await parked(database)] == list(POISON.values())


async def test_a_location_without_end_costs_itself_and_not_the_press(
    database: Database, in_postgres: tuple[Log, Log], until: Until
) -> None:
    """Deep enough for whoever decodes it and too deep for whoever looks into it."""
    urgent, readings = in_postgres
    location: dict[str, object] = {}
    for _ in range(600):
        location = {"a": location}
    await urgent.append([place(event(1, "deep", location=location)), place(event(2, "behind"))])
    runner = Urgent(database, urgent.consumer("urgent", "u"), readings, SystemClock(), State("u", None))
    lane = asyncio.create_task(runner.run())
    await until(lambda: rung(database, lane, "deep", "behind"))
    await end([lane])


async def test_no_poison_holds_the_archive(database: Database, in_postgres: tuple[Log, Log], until: Until) -> None:
    _, readings = in_postgres
    await readings.append([Record(HOME, body) for body in POISON.values()])
    await readings.append([place(reading(7))])
    consumer = readings.consumer("archive", "a")
    archive = Archive(database, consumer)
    leasing = asyncio.create_task(consumer.run())

    async def stored() -> bool:
        return bool(await archive.once(0.05))

    await until(stored)
    await end([leasing])
    assert [body for body, _ in await parked(database)] == list(POISON.values())


@pytest.mark.parametrize(
    ("spoiled", "said"),
    [(b"\xc1", "positions 2 to 3 cannot be read"), (b"\x91\xc4\x01x", "positions 2 to 3 holds 1 entries")],
)
async def test_a_spoiled_row_of_the_log_in_postgres_stops_nobody(
    spoiled: bytes, said: str, database: Database, in_postgres: tuple[Log, Log], until: Until
) -> None:
    urgent, readings = in_postgres
    await urgent.append([place(event(1, "before"))])
    await urgent.append([place(event(2, "lost")), place(event(3, "lost too"))])
    await urgent.append([place(event(4, "behind"))])
    async with database.connection() as connection:
        await connection.execute("update log_batches set body = %s where last_position = 3", [spoiled])
    runner = Urgent(database, urgent.consumer("urgent", "u"), readings, SystemClock(), State("u", None))
    lane = asyncio.create_task(runner.run())
    await until(lambda: rung(database, lane, "before", "behind"))
    [(kept, reason)] = await parked(database)
    assert kept == spoiled
    assert said in reason
    await until(lambda: _nothing_waits(urgent))
    await end([lane])


async def _nothing_waits(log: Log) -> bool:
    return not any((await log.lag()).values())


@pytest.fixture
async def stranger(cluster: Cluster, in_kafka: tuple[Log, Log]) -> AsyncIterator[AIOKafkaProducer]:
    """Somebody else who writes into our topic, in a way of their own."""
    urgent, _ = in_kafka
    await urgent.append([place(event(1, "before"))])
    producer = AIOKafkaProducer(bootstrap_servers=cluster.servers)
    await producer.start()
    yield producer
    await producer.stop()


async def test_a_record_without_a_value_stops_nobody(
    database: Database, in_kafka: tuple[Log, Log], cluster: Cluster, stranger: AIOKafkaProducer, until: Until
) -> None:
    urgent, readings = in_kafka
    await stranger.send_and_wait(cluster.topic("urgent"), None, b"key", partition=HOME)
    await urgent.append([place(event(2, "behind"))])
    runner = Urgent(database, urgent.consumer("urgent", "u"), readings, SystemClock(), State("u", None))
    lane = asyncio.create_task(runner.run())
    await until(lambda: rung(database, lane, "before", "behind"))
    [(kept, reason)] = await parked(database)
    assert kept == b""
    assert "has no value" in reason
    await end([lane])


async def test_a_batch_that_the_disk_has_spoiled_stops_nobody(
    database: Database, in_kafka: tuple[Log, Log], cluster: Cluster, kafka_broker: Kafka, until: Until
) -> None:
    urgent, readings = in_kafka
    await urgent.append([place(event(1, "before"))])
    await urgent.append([place(event(2, "lost")), place(event(3, "lost too"))])
    (file,) = kafka_broker.folder.glob(f"kafka-1/data/{cluster.topic('urgent')}-{HOME}/*.log")
    whole = file.stat().st_size
    with file.open("r+b") as segment:
        segment.seek(whole - 3)
        one = segment.read(1)
        segment.seek(whole - 3)
        segment.write(bytes([one[0] ^ 0xFF]))
    runner = Urgent(database, urgent.consumer("urgent", "u"), readings, SystemClock(), State("u", None))
    lane = asyncio.create_task(runner.run())
    await until(lambda: rung(database, lane, "before"))
    await until(lambda: parked(database))
    [(kept, reason)] = await parked(database)
    assert kept in file.read_bytes()
    assert kept[-3] == one[0] ^ 0xFF, "the bytes as they are, for whoever can still read a name in them"
    assert b"H1-button" in kept
    assert f"{cluster.topic('urgent')}/{HOME}: offsets 1 to 2" in reason
    await until(lambda: _nothing_waits(urgent))
    await urgent.append([place(event(5, "later"))])
    await until(lambda: rung(database, lane, "before", "later"))
    await end([lane])
