"""What only the log in Kafka can meet: brokers that die or fall silent, and topics that are not what they were."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import pytest

from pingan.clock import SystemClock
from pingan.database import Database
from pingan.kafka_log import Away, Cluster, KafkaLog, admin, make_topics
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


async def test_a_topic_with_another_number_of_partitions_is_refused(cluster: Cluster) -> None:
    from aiokafka.admin import NewTopic

    async with admin(cluster) as client:
        await client.create_topics([NewTopic(cluster.topic("readings"), 3, 1)])
    with pytest.raises(ValueError, match=r"has 3 partitions and must have 64.*PINGAN_KAFKA_PREFIX"):
        await make_topics(cluster)


async def test_topics_are_made_once_and_their_own_retention_is_off(cluster: Cluster, until: Until) -> None:
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

    assert sorted(await make_topics(cluster)) == [cluster.topic("readings"), cluster.topic("urgent")]
    assert await make_topics(cluster) == []
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


async def test_more_copies_than_brokers_is_said_and_not_waited_for(topics: Topics) -> None:
    with pytest.raises(Away, match=r"[Rr]eplication"):
        await make_topics(Cluster(topics.servers, topics.prefix, replication=3))


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
        return bool(await make_topics(cluster, ["readings"]))

    await until(made_anew)
    again = KafkaLog("readings", database, SystemClock(), cluster, patience_seconds=1.0)
    await again.append([Record(1, b"new"), Record(1, b"newer")])
    heir = Reader(again, "after")
    await until(lambda: heir.has(1, b"new", b"newer"))
    assert heir.positions[1] == 2
    async with database.transaction() as connection:
        await heir.consumer.store(connection, 1, 1)
    async with database.connection() as connection:
        query = "select position from leases where name = 'kafka:readings/archive' and partition = 1"
        assert await (await connection.execute(query)).fetchone() == {"position": 1}
    await heir.leave()
    await again.close()


async def test_large_entries_and_many_of_them_keep_their_order(readings: KafkaLog, until: Until) -> None:
    """As large as the broker takes from a device, and more than a batch of the client holds."""
    bodies = [bytes([number]) * 262_144 for number in range(20)]
    reader = Reader(readings)
    await readings.append([Record(7, body) for body in bodies])
    await until(lambda: reader.has(7, *bodies))
    await reader.leave()


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    need()
    cluster = Kafka(tmp_path_factory.mktemp("three"), 3)
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
