"""What only the log in Kafka can meet: brokers that die or fall silent, and topics that are not what they were."""

import asyncio
import contextlib
import dataclasses
import os
import random
import signal
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from pingan.clock import DrivenClock, SystemClock
from pingan.database import Database
from pingan.kafka_log import Away, Cluster, KafkaLog, admin, make_topics
from pingan.kafka_salvage import HEADER, LENGTH_ENDS
from pingan.log import PARTITIONS, Consumer, Record
from tests.conftest import Topics, Until
from tests.kafka import Kafka, need


@pytest.fixture
def cluster(topics: Topics) -> Cluster:
    return Cluster(topics.servers, topics.prefix, replication=1, append_seconds=4.0)


@pytest.fixture
async def readings(database: Database, cluster: Cluster) -> AsyncIterator[KafkaLog]:
    log = KafkaLog("readings", database, SystemClock(), cluster, patience_seconds=1.0)
    yield log
    await log.close()


class Reader:
    """A consumer that owns every partition and keeps what it read."""

    def __init__(self, log: KafkaLog, member: str = "reader") -> None:
        self.consumer: Consumer = log.consumer("archive", member)
        self.bodies: dict[int, list[bytes]] = {}
        self.positions: dict[int, int] = {}
        self._run = asyncio.create_task(self.consumer.run())

    async def poll(self) -> None:
        polled = await self.consumer.poll(0.05)
        for lease in polled.taken:
            self.positions[lease.partition] = lease.position
        for batch in polled.batches:
            self.bodies.setdefault(batch.partition, []).extend(entry.body for entry in batch.entries)
            self.positions[batch.partition] = batch.entries[-1].position

    async def has(self, partition: int, *bodies: bytes) -> bool:
        await self.poll()
        return self.bodies.get(partition, [])[-len(bodies) :] == list(bodies)

    async def leave(self) -> None:
        self._run.cancel()
        await asyncio.gather(self._run, return_exceptions=True)


async def test_a_topic_with_another_number_of_partitions_is_refused(cluster: Cluster, database: Database) -> None:
    async with admin(cluster) as client:
        await client.create_topics([NewTopic(cluster.topic("readings"), 3, 1)])
    with pytest.raises(ValueError, match=r"has 3 partitions and must have 64.*PINGAN_KAFKA_PREFIX"):
        await make_topics(cluster, database)


async def test_topics_are_made_once_and_their_own_retention_is_off(
    cluster: Cluster, database: Database, until: Until
) -> None:
    assert sorted(await make_topics(cluster, database)) == [cluster.topic("readings"), cluster.topic("urgent")]
    assert await make_topics(cluster, database) == []
    names = ["retention.ms", "retention.bytes", "unclean.leader.election.enable", "flush.messages"]
    urgent = ConfigResource(ConfigResourceType.TOPIC, cluster.topic("urgent"), dict.fromkeys(names))
    async with admin(cluster) as client:

        async def described() -> object:
            (answer,) = await client.describe_configs([urgent])
            return answer.resources[0][4]

        kept = {entry[0]: entry[1] for entry in cast(list[Any], await until(described))}
    assert kept["retention.ms"] == kept["retention.bytes"] == "-1"
    assert kept["unclean.leader.election.enable"] == "false"
    assert kept["flush.messages"] == "1", "a lone broker flushes every message"


async def test_a_topic_that_somebody_else_made_loses_its_own_retention_and_nothing_else(
    cluster: Cluster, database: Database, until: Until
) -> None:
    """With a broker's own settings it would delete after a week what nobody has read yet."""
    topic = cluster.topic("readings")
    async with admin(cluster) as client:
        await client.create_topics([NewTopic(topic, PARTITIONS, 1, topic_configs={"preallocate": "true"})])

        async def there() -> bool:
            answer = await client.describe_topics([topic])
            return not answer[0]["error_code"]

        await until(there)
        assert await make_topics(cluster, database, ["readings"]) == []

        async def put_right() -> bool:
            (answer,) = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
            configs = {name: value for name, value, *_ in answer.resources[0][4]}
            wanted = {**cluster.configs, "segment.ms": str(7 * 24 * 3_600_000), "preallocate": "true"}
            return wanted.items() <= configs.items()

        await until(put_right)


async def test_a_topic_with_fewer_copies_than_asked_for_is_refused(
    cluster: Cluster, database: Database, readings: KafkaLog
) -> None:
    await readings.append([Record(1, b"x")])
    with pytest.raises(ValueError, match=r"has 1 replicas and is to have 3.*PINGAN_KAFKA_REPLICATION"):
        await make_topics(dataclasses.replace(cluster, replication=3), database)


async def test_more_copies_than_brokers_is_said_and_not_waited_for(topics: Topics, database: Database) -> None:
    with pytest.raises(Away, match=r"[Rr]eplication"):
        await make_topics(Cluster(topics.servers, topics.prefix, replication=3), database)


async def test_nobody_there_is_away(database: Database) -> None:
    log = KafkaLog("readings", database, SystemClock(), Cluster("127.0.0.1:1", "nowhere"))
    with pytest.raises(Away):
        await log.append([Record(1, b"x")])
    with pytest.raises(Away):
        await log.ends()
    with pytest.raises(Away):
        await log.consumer("archive", "m").poll(0)
    await log.close()


async def test_a_broker_that_falls_silent_is_away_and_nothing_is_lost_when_it_goes_on(
    readings: KafkaLog, kafka_broker: Kafka, until: Until
) -> None:
    """Both ends say so in bounded time; what was appended again is there, at most twice."""
    reader = Reader(readings)
    await readings.append([Record(1, b"before")])
    await until(lambda: reader.has(1, b"before"))
    (broker,) = kafka_broker.brokers
    broker.signal(signal.SIGSTOP)
    try:
        with pytest.raises(Away):
            await readings.append([Record(1, b"during")])

        async def says_so() -> bool:
            try:
                await reader.poll()
            except Away:
                return True
            return False

        await until(says_so)
    finally:
        broker.signal(signal.SIGCONT)

    async def appended() -> bool:
        try:
            await readings.append([Record(1, b"during")])
        except Away:
            return False
        return True

    async def read() -> bool:
        try:
            return await reader.has(1, b"during")
        except Away:
            return False

    await until(appended)
    await until(read)
    assert set(reader.bodies[1]) == {b"before", b"during"}
    await reader.leave()


async def test_a_log_that_has_lost_its_end_is_read_again_from_its_beginning(
    database: Database, readings: KafkaLog, cluster: Cluster, until: Until
) -> None:
    """Restored from a copy, or made anew: a position beyond it would hide all that comes until it is reached."""
    reader = Reader(readings, "before")
    await readings.append([Record(1, b"%d" % number) for number in range(10)])
    await until(lambda: reader.has(1, b"9"))
    async with database.transaction() as connection:
        await reader.consumer.store(connection, 1, 10)
    await reader.leave()
    async with admin(cluster) as client:
        await client.delete_topics([cluster.topic("readings")])

    async def made_anew() -> bool:
        try:
            return bool(await make_topics(cluster, database, ["readings"]))
        except Away:  # it is being deleted: named still, and gone when it is asked about
            return False

    await until(made_anew)
    again = KafkaLog("readings", database, SystemClock(), cluster, patience_seconds=1.0)
    await again.append([Record(1, b"new"), Record(1, b"newer")])
    heir = Reader(again, "after")
    await until(lambda: heir.has(1, b"new", b"newer"))
    assert heir.positions[1] == 2
    async with database.transaction() as connection:
        await heir.consumer.store(connection, 1, 1)
    async with database.connection() as connection:
        query = "select position from leases where name = %s and partition = 1"
        name = f"kafka:{cluster.topic('readings')}/archive"
        assert await (await connection.execute(query, [name])).fetchone() == {"position": 1}
    await heir.leave()
    await again.close()


async def test_no_position_of_a_topic_that_is_gone_hides_what_the_new_one_gets(
    database: Database, readings: KafkaLog, cluster: Cluster, until: Until
) -> None:
    """Though more has come before anybody read it than the old one ever had."""
    reader = Reader(readings, "before")
    await readings.append([Record(1, b"old")])
    await until(lambda: reader.has(1, b"old"))
    async with database.transaction() as connection:
        await reader.consumer.store(connection, 1, 1)
    await reader.leave()
    async with admin(cluster) as client:
        await client.delete_topics([cluster.topic("readings")])

    async def made_anew() -> bool:
        try:
            return bool(await make_topics(cluster, database, ["readings"]))
        except Away:  # it is being deleted: named still, and gone when it is asked about
            return False

    await until(made_anew)
    again = KafkaLog("readings", database, SystemClock(), cluster, patience_seconds=1.0)
    await again.append([Record(1, b"a"), Record(1, b"b"), Record(1, b"c")])
    heir = Reader(again, "after")
    await until(lambda: heir.has(1, b"c"))
    assert heir.bodies[1] == [b"a", b"b", b"c"]
    await heir.leave()
    await again.close()


@pytest.fixture
async def beyond(database: Database, readings: KafkaLog, until: Until) -> None:
    """The stored position of every partition is one that the log has never had."""
    reader = Reader(readings, "before")
    await until(lambda: _holds_all(reader))
    async with database.transaction() as connection:
        for partition in range(PARTITIONS):
            await reader.consumer.store(connection, partition, 1_000)
    await reader.leave()


async def _holds_all(reader: Reader) -> bool:
    await reader.poll()
    return len(reader.positions) == PARTITIONS


async def _begun_again(database: Database) -> int:
    async with database.connection() as connection:
        rows = await (await connection.execute("select from leases where position = 0")).fetchall()
    return len(rows)


@pytest.mark.usefixtures("beyond")
async def test_who_was_taken_over_does_not_begin_again(database: Database, readings: KafkaLog, until: Until) -> None:
    reader = Reader(readings, "heir")
    await until(lambda: _holds_all(reader))
    async with database.connection() as connection:
        taken = await connection.execute("update leases set epoch = epoch + 1, owner = 'another' where position > 0")
    await readings.append([Record(partition, b"x") for partition in range(PARTITIONS)])

    async def read_the_others() -> bool:
        await reader.poll()
        return len(reader.bodies) >= PARTITIONS - taken.rowcount

    await until(read_the_others)
    await reader.poll()
    await reader.leave()


@pytest.mark.usefixtures("beyond")
async def test_a_broker_that_falls_silent_while_we_begin_again_is_away(
    database: Database, readings: KafkaLog, kafka_broker: Kafka, until: Until
) -> None:
    reader = Reader(readings, "heir")

    async def some() -> bool:
        await reader.poll()
        return await _begun_again(database) > 0

    await until(some)
    (broker,) = kafka_broker.brokers
    broker.signal(signal.SIGSTOP)
    try:

        async def says_so() -> bool:
            try:
                await reader.poll()
            except Away:
                return True
            return False

        await until(says_so)
    finally:
        broker.signal(signal.SIGCONT)

    async def all_again() -> bool:
        with contextlib.suppress(Away):
            await reader.poll()
        return await _begun_again(database) == PARTITIONS

    await until(all_again)
    await reader.leave()


async def test_a_client_that_reads_no_more_is_replaced(readings: KafkaLog, until: Until) -> None:
    """What it reads with ends for good when partitions are taken and lost before it had its turn."""
    consumer = readings.consumer("archive", "m")
    await consumer.poll(0)
    await asyncio.sleep(0)
    running = asyncio.create_task(consumer.run())
    held: list[int] = []

    async def takes() -> bool:
        held.extend(lease.partition for lease in (await consumer.poll(0)).taken)
        if len(held) == PARTITIONS:
            for partition in held:
                consumer.drop(partition)
            await consumer.poll(0)
        return bool(held)

    await until(takes)
    await readings.append([Record(1, b"x")])

    async def reads() -> bool:
        try:
            return bool((await consumer.poll(0.1)).batches)
        except Away:
            return False

    await until(reads)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def spoil(kafka: Kafka, broker: int, topic: str, partition: int) -> None:
    """The disk of `broker` turns over a byte in the last batch of its copy."""
    (file,) = kafka.folder.glob(f"kafka-{broker}/data/{topic}-{partition}/*.log")
    with file.open("r+b") as segment:
        segment.seek(-3, os.SEEK_END)
        last = segment.read(1)
        segment.seek(-3, os.SEEK_END)
        segment.write(bytes([last[0] ^ 0xFF]))


async def test_an_entry_that_the_disk_has_spoiled_hides_nothing_else(
    readings: KafkaLog, kafka_broker: Kafka, cluster: Cluster, until: Until
) -> None:
    await readings.append([Record(partition, b"before") for partition in range(PARTITIONS)])
    await readings.append([Record(2, b"one"), Record(2, b"two")])
    spoil(kafka_broker, 1, cluster.topic("readings"), 2)
    await readings.append([Record(2, b"behind")])
    reader = Reader(readings)
    await until(lambda: reader.has(2, b"behind"))
    await until(lambda: reader.has(PARTITIONS - 1, b"before"))
    first, spoiled, behind = reader.bodies[2]
    assert (first, behind) == (b"before", b"behind")
    assert len(spoiled) > len(b"onetwo"), "the whole batch, as the disk has it"
    assert reader.positions[2] == 4
    await reader.leave()


def wipe(kafka: Kafka, broker: int, topic: str, partition: int) -> None:
    """The disk of `broker` loses the head of the second batch of its copy, which says where the third begins."""
    (file,) = kafka.folder.glob(f"kafka-{broker}/data/{topic}-{partition}/*.log")
    with file.open("r+b") as segment:
        _, length = struct.unpack(">qi", segment.read(LENGTH_ENDS))
        segment.seek(LENGTH_ENDS + length)
        segment.write(bytes(HEADER.size))


async def test_behind_a_head_that_the_disk_has_spoiled_reading_goes_on_where_the_broker_finds_its_way(
    readings: KafkaLog, kafka_broker: Kafka, cluster: Cluster, until: Until
) -> None:
    """It says nothing but that it cannot; its index leads it on, some 4 KiB later."""
    await readings.append([Record(2, b"before")])
    await readings.append([Record(2, b"one"), Record(2, b"two")])
    await readings.append([Record(2, os.urandom(5_000))])
    await readings.append([Record(2, b"behind")])
    wipe(kafka_broker, 1, cluster.topic("readings"), 2)
    reader = Reader(readings)

    async def read() -> bool:
        try:
            return await reader.has(2, b"behind")
        except Away:  # as long as it stands still
            return False

    await until(read)
    assert (reader.bodies[2], reader.positions[2]) == ([b"before", b"", b"behind"], 5)
    await reader.leave()


async def test_trimming_on_a_driven_clock_that_has_only_begun(
    database: Database, cluster: Cluster, until: Until
) -> None:
    """Its time may be less than what is kept."""
    log = KafkaLog("readings", database, DrivenClock(), cluster, patience_seconds=1.0)
    await log.append([Record(1, b"x")])
    for group in ("archive", "alerting"):
        consumer = log.consumer(group, "m")
        running = asyncio.create_task(consumer.run())
        await until(lambda consumer=consumer: _stored(database, consumer))  # type: ignore[misc]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert await log.trim(3_600) == 0
    await log.close()


async def _stored(database: Database, consumer: Consumer) -> bool:
    await consumer.poll(0.05)
    if consumer.epoch(1) is None:
        return False
    async with database.transaction() as connection:
        await consumer.store(connection, 1, 1)
    return True


async def test_large_entries_and_many_of_them_keep_their_order(readings: KafkaLog, until: Until) -> None:
    """As large as the broker takes from a device, and more than a batch of the client holds."""
    bodies = [bytes([number]) * 262_144 for number in range(20)]
    reader = Reader(readings)
    await readings.append([Record(7, body) for body in bodies])
    await until(lambda: reader.has(7, *bodies))
    await reader.leave()


@pytest.fixture(scope="module")
def three(memory: Path) -> Iterator[Kafka]:
    need()
    cluster = Kafka(memory / "three", 3)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.mark.parametrize("seed", [1, 2])
async def test_of_three_brokers_one_is_killed_and_every_append_that_returned_is_read(
    seed: int, three: Kafka, database: Database, until: Until
) -> None:
    rng = random.Random(seed)
    where = Cluster(three.servers, f"killed{seed}", replication=3)
    log = KafkaLog("readings", database, SystemClock(), where)
    reader = Reader(log)
    victim = rng.choice(three.brokers)
    kill_at, total = rng.randrange(20, 60), 150
    returned = []
    for number in range(total):
        if number == kill_at:
            victim.kill()
        if number == total - 20:
            victim.start()
        record = Record(rng.randrange(PARTITIONS), b"%d" % number)
        while True:
            try:
                await log.append([record])
            except Away:
                continue
            break
        returned.append(record)

    async def all_read() -> bool:
        try:
            await reader.poll()
        except Away:
            return False
        return all(record.body in reader.bodies.get(record.partition, ()) for record in returned)

    await until(all_read)
    for partition, bodies in reader.bodies.items():
        order = list(dict.fromkeys(bodies))
        assert order == [record.body for record in returned if record.partition == partition], (seed, partition)
    await reader.leave()
    await log.close()
    await asyncio.to_thread(three.ready)


@pytest.mark.parametrize("harm", [spoil, wipe])
async def test_of_three_copies_one_is_spoiled_and_nothing_is_lost(
    harm: Callable[[Kafka, int, str, int], None], three: Kafka, database: Database, until: Until
) -> None:
    """The leader's, which everybody reads: the entry is there, whole, at the others."""
    where = Cluster(three.servers, harm.__name__, replication=3)
    log = KafkaLog("readings", database, SystemClock(), where)
    await log.append([Record(2, b"before")])
    await log.append([Record(2, b"one"), Record(2, b"two")])
    await log.append([Record(2, b"behind")])
    for broker in await leaders(where, 2):
        harm(three, broker, where.topic("readings"), 2)
    reader = Reader(log)

    async def read() -> bool:
        try:
            return await reader.has(2, b"before", b"one", b"two", b"behind")
        except Away:  # as long as it stands still
            return False

    await until(read)
    await reader.leave()
    await log.close()


async def leaders(cluster: Cluster, partition: int) -> list[int]:
    async with admin(cluster) as client:
        (topic,) = await client.describe_topics([cluster.topic("readings")])
    return [one["leader"] for one in topic["partitions"] if one["partition"] == partition]
