"""The log in Apache Kafka: the longer pipe between the same two ends, for a city.

A record is an entry and its offset plus one is its position, so nothing has to be counted twice. Who owns a partition,
its epoch and its position stand in the database as they do without Kafka (`pingan.lease`): an effect and its position
are one transaction there, and the fence is asked in it. Kafka's own consumer groups would be a second opinion on who
owns what, and would miss a killed member after 6 s at the earliest; so partitions are assigned by hand, as the leases
say.

The topics keep everything until `trim` removes what every group has acted on: their own retention is off, and is put
off where somebody else made them. With three replicas an append returns when two have it; a lone broker flushes every
message. A position means something in the topic that it was counted in, so whoever makes a topic puts them back first.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    CorruptRecordException,
    KafkaError,
    OffsetOutOfRangeError,
    RecordTooLargeError,
    TopicAlreadyExistsError,
    UnsupportedCodecError,
    for_code,
)

from pingan import kafka_salvage as salvage
from pingan import metrics
from pingan.clock import Clock
from pingan.database import Database, Listener, Queries
from pingan.lease import Fenced, Leases
from pingan.leased import Leased
from pingan.log import GROUPS, PARTITIONS, Batch, Polled, Record

log = logging.getLogger(__name__)
# While a broker is away the client says so a hundred times a second; we say it once, in the process's state.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
sql = Queries(__file__, "kafka_log.sql")

REQUEST_MS = 3_000
"""How long a broker that has gone silent is waited for before another is asked."""
APPEND_SECONDS = 20.0
"""How long one append may take before it is said to have failed. A new leader is there after 3 to 7 s."""
SILENT_SECONDS = 4.0
"""A partition's broker answers a fetch at least each half second; one that has not for so long is away."""
FETCH_WAIT_MS = 500
LOOK_SECONDS = 0.25
"""How late a poll that waits for entries notices a change of its partitions."""
POLL_ENTRIES = 10_000
"""One poll's most: bounds memory in a backlog."""
BATCH_BYTES = 512 * 1024
SALVAGE_BYTES = 2 * BATCH_BYTES
"""Of each partition at a time; a batch that is larger comes whole."""
MESSAGE_BYTES_MAX = 4 * 1024 * 1024
"""Far above what the broker takes from a device (256 KiB), and above a batch, before compression."""
COMPRESSION = "lz4"
STANDS_SECONDS = 3.0
"""A partition that has not moved for so long is looked after, and again after as long."""
SALVAGE_SECONDS = 2.0
"""Whoever can answer does so within a fetch; for whoever cannot, the other partitions do not wait longer."""
SALVAGE_AT_ONCE = 8
SPOILED = (CorruptRecordException, RecordTooLargeError, UnsupportedCodecError)
"""What the client says of a batch that it cannot unpack, today and whenever it is asked again. A broker cuts off none
that is the first of an answer: one that is too large says so of itself, wrongly."""
OWN_CONFIG = 1
"""How Kafka marks a setting that a topic has of its own (DYNAMIC_TOPIC_CONFIG)."""


class Away(ConnectionError):
    """Kafka does not answer, or not well. What was appended may or may not be there: append it again."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where Kafka is, and how its topics are made."""

    servers: str
    prefix: str = "pingan"
    replication: int = 3
    append_seconds: float = APPEND_SECONDS

    def topic(self, log_name: str) -> str:
        return f"{self.prefix}.{log_name}"

    @property
    def configs(self) -> dict[str, str]:
        alone = self.replication == 1
        return {
            "min.insync.replicas": str(min(2, self.replication)),
            "unclean.leader.election.enable": "false",
            "cleanup.policy": "delete",
            "retention.ms": "-1",
            "retention.bytes": "-1",
            "segment.ms": str(3_600_000),
            "max.message.bytes": str(MESSAGE_BYTES_MAX),
            **({"flush.messages": "1"} if alone else {}),
        }


@contextlib.asynccontextmanager
async def admin(cluster: Cluster) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client for a few requests. Away when there is nobody to ask."""
    client = AIOKafkaAdminClient(bootstrap_servers=cluster.servers, request_timeout_ms=4 * REQUEST_MS)
    try:
        await client.start()
        yield client
    except (KafkaError, OSError) as error:
        raise Away(f"Kafka at {cluster.servers}: {_why(error)}") from error
    finally:
        await client.close()


async def make_topics(cluster: Cluster, database: Database, names: Sequence[str] = tuple(GROUPS)) -> list[str]:
    """Make the topics that are missing, and put right what is set wrong on the others; the names of those made.

    ValueError when one is there with another number of partitions, or with fewer copies than are asked for.
    """
    made = []
    async with admin(cluster) as client:
        answered = await client.describe_topics([cluster.topic(name) for name in names])
        there = {topic["topic"]: topic["partitions"] for topic in answered if not topic["error_code"]}
        for name in names:
            topic = cluster.topic(name)
            if topic in there:
                _check(cluster, topic, there[topic])
                await _put_right(cluster, client, topic)
                continue
            new = NewTopic(topic, PARTITIONS, cluster.replication, topic_configs=cluster.configs)
            # A broker may not have heard yet of a topic that is there; who makes them knows.
            if not await _create(client, new, validate_only=True):
                continue
            # A position in a topic of this name that is gone would hide what the new one gets. Put back before, it is
            # put back whenever there is a new one.
            async with database.connection() as connection:
                await connection.execute(sql.begin_again, {"groups": _groups(cluster, name)})
            if await _create(client, new):
                made.append(topic)
    return made


async def _create(client: AIOKafkaAdminClient, new: NewTopic, *, validate_only: bool = False) -> bool:
    """False when it is there already."""
    answer = await client.create_topics([new], validate_only=validate_only)
    for _, code, reason in answer.topic_errors:
        if code not in (0, TopicAlreadyExistsError.errno):
            raise for_code(code)(reason)
    return all(code == 0 for _, code, _ in answer.topic_errors)


def _check(cluster: Cluster, topic: str, partitions: Sequence[dict[str, Any]]) -> None:
    if len(partitions) != PARTITIONS:
        raise ValueError(
            f"the topic {topic} has {len(partitions)} partitions and must have {PARTITIONS}: name another prefix "
            "with PINGAN_KAFKA_PREFIX, or delete the topic if nothing in it is needed"
        )
    copies = min(len(partition["replicas"]) for partition in partitions)
    if copies < cluster.replication:
        raise ValueError(
            f"the topic {topic} has {copies} replicas and is to have {cluster.replication}: give it more with Kafka's "
            "kafka-reassign-partitions.sh, or set PINGAN_KAFKA_REPLICATION to what it has"
        )


async def _put_right(cluster: Cluster, client: AIOKafkaAdminClient, topic: str) -> None:
    """Set what is not as it must be: with its broker's own settings a topic deletes what nobody has read yet."""
    (described,) = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    ((code, reason, _, _, entries),) = described.resources
    if code:
        raise for_code(code)(reason)
    values = {name: value for name, value, *_ in entries}
    wrong = {name: value for name, value in cluster.configs.items() if not _suffices(name, values.get(name), value)}
    if not wrong:
        return
    log.warning("the topic %s is not set as it must be and is set right: %s", topic, wrong)
    # The request replaces all that is set on the topic itself, so what else is set there goes along.
    own = {name: value for name, value, _, source, *_ in entries if source == OWN_CONFIG}
    (answer,) = await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {**own, **wrong})])
    for code, reason, *_ in answer.resources:
        if code:
            raise for_code(code)(reason)


def _suffices(name: str, value: str | None, wanted: str) -> bool:
    if value is None:
        return False
    if name in ("min.insync.replicas", "max.message.bytes"):
        return int(value) >= int(wanted)
    return value == wanted or name == "segment.ms"


class KafkaLog:
    """`Log` over one topic. `close` it at the end."""

    def __init__(
        self,
        name: str,
        database: Database,
        clock: Clock,
        cluster: Cluster,
        listener: Listener | None = None,
        *,
        patience_seconds: float = 3.0,
    ) -> None:
        if name not in GROUPS:
            raise ValueError(f"no log is named {name}; there are {', '.join(GROUPS)}")
        self.name = name
        self._database, self._clock, self._cluster = database, clock, cluster
        self._topic, self._groups = cluster.topic(name), _groups(cluster, name)
        self._listener = listener
        self._patience_seconds = patience_seconds
        self._producer: AIOKafkaProducer | None = None
        self._asker: AIOKafkaConsumer | None = None
        self._connecting = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()

    async def append(self, records: Sequence[Record]) -> None:
        if not records:
            return
        bodies: dict[int, list[bytes]] = {}
        for partition, body in records:
            bodies.setdefault(partition, []).append(body)
        producer = None
        began = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._cluster.append_seconds):
                producer = await self._connected_producer()
                await asyncio.gather(*(self._send(producer, *one) for one in bodies.items()))
        except (KafkaError, OSError, TimeoutError) as error:
            # What is still on its way in this client would be sent beside its own repeat, for as long as Kafka is away.
            self._give_up(producer)
            raise Away(_why(error)) from error
        metrics.show(metrics.APPEND_SECONDS).labels(self.name).observe(self._clock.monotonic() - began)

    async def _send(self, producer: AIOKafkaProducer, partition: int, bodies: Sequence[bytes]) -> None:
        """Durable when this returns. In their order: a batch that is full goes before the next one is begun."""
        at_ms = self._clock.now_ms()
        under_way = []
        batch = producer.create_batch()
        for body in bodies:
            if batch.append(key=None, value=body, timestamp=at_ms) is None:
                under_way.append(await producer.send_batch(batch, self._topic, partition=partition))
                batch = producer.create_batch()
                batch.append(key=None, value=body, timestamp=at_ms)
        under_way.append(await producer.send_batch(batch, self._topic, partition=partition))
        await asyncio.gather(*under_way)

    async def _connected_producer(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._producer is None:
                await make_topics(self._cluster, self._database, [self.name])
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._cluster.servers,
                    acks="all",
                    enable_idempotence=True,
                    compression_type=COMPRESSION,
                    max_batch_size=BATCH_BYTES,
                    max_request_size=MESSAGE_BYTES_MAX,
                    request_timeout_ms=REQUEST_MS,
                    retry_backoff_ms=50,
                )
                try:
                    await producer.start()
                except BaseException:
                    await _drop_producer(producer)
                    raise
                self._producer = producer
            return self._producer

    def _give_up(self, producer: AIOKafkaProducer | None) -> None:
        """The next append begins with a new client, and does not wait for the end of this one."""
        if producer is not None and self._producer is producer:
            self._producer = None
            ending = asyncio.create_task(_drop_producer(producer))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def ends(self) -> dict[int, int]:
        try:
            asker = await self._connected_asker()
            ends = await asker.end_offsets([TopicPartition(self._topic, p) for p in range(PARTITIONS)])
        except (KafkaError, OSError) as error:
            raise Away(_why(error)) from error
        return {where.partition: offset for where, offset in ends.items()}

    async def lag(self) -> dict[str, int]:
        ends = await self.ends()
        async with self._database.connection() as connection:
            rows = await (await connection.execute(sql.positions, {"groups": self._groups})).fetchall()
        stored = {(row["name"], row["partition"]): row["position"] for row in rows}
        return {
            group: sum(max(0, end - stored.get((_lease_name(self._topic, group), p), 0)) for p, end in ends.items())
            for group in GROUPS[self.name]
        }

    async def trim(self, keep_seconds: float) -> int:
        async with self._database.connection() as connection:
            rows = await (await connection.execute(sql.checkpoints, {"groups": self._groups})).fetchall()
        passed = {TopicPartition(self._topic, row["partition"]): row["position"] for row in rows if row["position"]}
        if not passed:
            return 0
        before_ms = max(0, self._clock.now_ms() - int(keep_seconds * 1000))  # a driven clock may begin at 0
        try:
            asker = await self._connected_asker()
            young = await asker.offsets_for_times(dict.fromkeys(passed, before_ms))
            first = await asker.beginning_offsets(list(passed))
            keep_from = {
                where: min(position, young[where].offset) if young.get(where) else position
                for where, position in passed.items()
            }
            old = {where: offset for where, offset in keep_from.items() if offset > first[where]}
            if old:
                async with admin(self._cluster) as client:
                    await client.delete_records({where: RecordsToDelete(offset) for where, offset in old.items()})
        except (KafkaError, OSError) as error:
            raise Away(_why(error)) from error
        return sum(offset - first[where] for where, offset in old.items())

    async def _connected_asker(self) -> AIOKafkaConsumer:
        """A client that reads nothing and is asked for offsets."""
        async with self._connecting:
            if self._asker is None:
                await make_topics(self._cluster, self._database, [self.name])
                self._asker = await _started(_client(self._cluster))
            return self._asker

    def consumer(self, group: str, member: str) -> "KafkaConsumer":
        if group not in GROUPS[self.name]:
            raise ValueError(f"log {self.name} has no group {group}; add it to GROUPS so that nothing is trimmed early")
        leases = Leases(
            self._database,
            _lease_name(self._topic, group),
            member,
            self._clock,
            PARTITIONS,
            self._patience_seconds,
            bell=self._listener.bell("leases") if self._listener else None,
            share=metrics.show(metrics.PARTITIONS).labels(self.name, group),
        )
        return KafkaConsumer(self.name, self._database, self._clock, leases, self._cluster)

    async def close(self) -> None:
        self._give_up(self._producer)
        await asyncio.gather(*self._ending, return_exceptions=True)
        if self._asker is not None:
            asker, self._asker = self._asker, None
            await _drop_consumer(asker)


class KafkaConsumer(Leased):
    """`Consumer` over the leases of its group, and one client that reads what they say is ours."""

    def __init__(self, name: str, database: Database, clock: Clock, leases: Leases, cluster: Cluster) -> None:
        super().__init__(name, database, clock, leases)
        self._cluster = cluster
        self._topic = cluster.topic(name)
        self._client: AIOKafkaConsumer | None = None
        self._oldest_ms, self._newest_ms, self._moved_at = 0, 0, 0.0
        """The last answer about the partition that has waited longest for one; when by our clock that moved; and the
        last about any partition then."""
        self._stands: dict[int, tuple[tuple[int, int | None], float]] = {}
        """Of each partition what was last known of it, and since when by our clock."""
        self._ending: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        try:
            await self._leases.run()
        finally:
            self._give_up()
            await asyncio.gather(*self._ending)

    async def poll(self, wait_seconds: float) -> Polled:
        until = self._clock.monotonic() + wait_seconds
        client = await self._connected()
        while True:
            if self._follow_leases():
                self._assign(client)
            left = until - self._clock.monotonic()
            batches: list[Batch] = []
            if self._read_to:
                # With partitions only just taken there is something to say at once.
                wait = 0.0 if self._news else max(0.0, min(left, LOOK_SECONDS))
                batches = await self._fetch(client, wait)
            elif not self._news and left > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(left, LOOK_SECONDS)):
                        await self._leases.changed.wait()
            if self._news or batches or left <= 0:
                return self._polled(batches)

    async def _connected(self) -> AIOKafkaConsumer:
        if self._client is None:
            try:
                await make_topics(self._cluster, self._database, [self._log])
                client = await _started(_client(self._cluster))
            except (KafkaError, OSError) as error:
                raise Away(_why(error)) from error
            self._client = client
            self._assign(client)
        return self._client

    def _give_up(self) -> None:
        """The next poll begins with a new client, and does not wait for the end of this one."""
        if self._client is not None:
            ending = asyncio.create_task(_drop_consumer(self._client))
            self._client = None
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    def _assign(self, client: AIOKafkaConsumer) -> None:
        """Read what is ours, each from behind what we have read. What was fetched but not given is fetched again."""
        self._oldest_ms, self._newest_ms, self._moved_at = 0, 0, self._clock.monotonic()
        self._stands.clear()
        if not self._read_to:
            client.unsubscribe()
            return
        client.assign([self._where(partition) for partition in self._read_to])
        for partition, position in self._read_to.items():
            client.seek(self._where(partition), position)

    def _where(self, partition: int) -> TopicPartition:
        return TopicPartition(self._topic, partition)

    async def _fetch(self, client: AIOKafkaConsumer, wait_seconds: float) -> list[Batch]:
        try:
            fetched = await client.getmany(timeout_ms=int(wait_seconds * 1000), max_records=POLL_ENTRIES)
        except OffsetOutOfRangeError as error:
            await self._begin_again(client, error.args[0])
            return []
        except SPOILED as error:
            return await self._salvage(client, tuple(self._read_to), error)
        except KafkaError as error:
            await self._go_back(client)
            raise Away(_why(error)) from error
        except Exception as error:  # whatever a codec says of bytes that it was not made for
            return await self._salvage(client, tuple(self._read_to), error)
        batches = []
        for where, records in fetched.items():
            read_to = self._read_to.get(where.partition)
            if read_to is None:
                continue
            entries = [salvage.entry(one.offset, one.value) for one in records if one.offset >= read_to]
            if entries:
                self._read_to[where.partition] = entries[-1].position
                batches.append(Batch(where.partition, entries))
        # In a backlog the client has more than it gives at once: whose turn has not come does not stand still.
        if sum(map(len, fetched.values())) < POLL_ENTRIES and (stand := self._standing(client)):
            with contextlib.suppress(Away):
                batches += await self._salvage(client, stand, Away(f"nothing comes of the partitions {stand}"))
        if not fetched and not batches:
            self._check_heard(client)
        return batches

    async def _salvage(self, client: AIOKafkaConsumer, partitions: Sequence[int], error: Exception) -> list[Batch]:
        """The client can make nothing of some batch, and does not say whose. Away when there is none such after all."""
        log.error("%s: what was fetched cannot be read: %s", self._log, _why(error))
        batches = []
        try:
            # Several at once: on its connection each one waits for the client's own request, which the broker holds.
            for first in range(0, len(partitions), SALVAGE_AT_ONCE):
                some = partitions[first : first + SALVAGE_AT_ONCE]
                asked = [self._salvaged(client, partition) for partition in some]
                answers = await asyncio.gather(*asked, return_exceptions=True)
                for partition, read in zip(some, answers, strict=True):
                    if isinstance(read, KafkaError | TimeoutError):
                        error = read  # of this one; another's broker may answer
                    elif isinstance(read, BaseException):
                        raise read
                    elif read is not None:
                        self._read_to[partition] = read.position
                        if read.entries:
                            batches.append(Batch(partition, read.entries))
                if any(isinstance(read, TimeoutError) for read in answers):
                    break
        finally:
            await self._go_back(client)
        if not batches:
            raise Away(_why(error)) from error
        return batches

    async def _salvaged(self, client: AIOKafkaConsumer, partition: int) -> salvage.Read | None:
        where, position = self._where(partition), self._read_to[partition]
        async with asyncio.timeout(SALVAGE_SECONDS):
            return await salvage.salvage(client, where, position, SALVAGE_BYTES)

    def _standing(self, client: AIOKafkaConsumer) -> list[int]:
        """Partitions of which nothing comes, though there is something, or though their broker does not say that there
        is nothing: where the head of a batch is spoiled it finds no way behind it, and the client tells us nothing."""
        now = self._clock.monotonic()
        stand = []
        for partition, position in self._read_to.items():
            where = self._where(partition)
            more = (client.highwater(where) or 0) > position
            known = (position, None if more else client.last_poll_timestamp(where))
            before, since = self._stands.setdefault(partition, (known, now))
            if known != before:
                self._stands[partition] = (known, now)
            elif now - since > STANDS_SECONDS:
                self._stands[partition] = (known, now)
                stand.append(partition)
        return stand

    async def _go_back(self, client: AIOKafkaConsumer) -> None:
        """What the client counts as given, and an error of another partition kept from us, is to be given again."""
        for partition, position in self._read_to.items():
            where = self._where(partition)
            if await client.position(where) != position:
                client.seek(where, position)

    def _check_heard(self, client: AIOKafkaConsumer) -> None:
        """The client goes on trying without a word while a broker is away; we say so. Away.

        One to which no broker at all has answered is given up: whatever is wrong may be wrong with it.
        """
        heard_ms = [client.last_poll_timestamp(self._where(partition)) or 0 for partition in self._read_to]
        now = self._clock.monotonic()
        if min(heard_ms) != self._oldest_ms:
            self._oldest_ms, self._newest_ms, self._moved_at = min(heard_ms), max(heard_ms), now
        elif now - self._moved_at > SILENT_SECONDS:
            if max(heard_ms) == self._newest_ms:
                self._give_up()
            raise Away("Kafka has stopped answering")

    async def _begin_again(self, client: AIOKafkaConsumer, missing: dict[TopicPartition, int]) -> None:
        """The log does not hold what our position says: it was cut off or made anew. All that it has is read again.

        Ids make that harmless. The stored position goes back too: later it would hide what is appended meanwhile.
        """
        # What has another position by now, or is no longer ours, was not asked for by us.
        ours = [where for where, offset in missing.items() if self._read_to.get(where.partition) == offset]
        try:
            firsts = await client.beginning_offsets(ours)
        except KafkaError as error:
            raise Away(_why(error)) from error
        for where, first in firsts.items():
            log.error(
                "%s/%d has no entry behind position %d: the log has lost entries or was made anew; reading all of it",
                self._log,
                where.partition,
                self._read_to[where.partition],
            )
            try:
                await self._leases.reset(where.partition, first)
            except Fenced:
                self._leases.drop(where.partition)
                continue
            self._read_to[where.partition] = first
            client.seek(where, first)

    def rewind(self, partition: int, position: int) -> None:
        super().rewind(partition, position)
        if partition in self._read_to and self._client is not None:
            self._client.seek(self._where(partition), position)


def _lease_name(topic: str, group: str) -> str:
    """Not the name that the group has without Kafka, or in another topic: a position means nothing there."""
    return f"kafka:{topic}/{group}"


def _groups(cluster: Cluster, log_name: str) -> list[str]:
    return [_lease_name(cluster.topic(log_name), group) for group in GROUPS[log_name]]


def _client(cluster: Cluster) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        bootstrap_servers=cluster.servers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        request_timeout_ms=REQUEST_MS,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        max_partition_fetch_bytes=1024 * 1024,
        retry_backoff_ms=50,
        metadata_max_age_ms=30_000,
    )


async def _started(client: AIOKafkaConsumer) -> AIOKafkaConsumer:
    try:
        await client.start()
    except BaseException:
        await client.stop()
        raise
    return client


async def _drop_consumer(client: AIOKafkaConsumer) -> None:
    """End it, whatever state it is in: its own `stop` ends early when one of its parts has failed."""
    stopping = asyncio.create_task(client.stop())
    await asyncio.wait([stopping])
    if stopping.cancelled() or stopping.exception() is not None:
        with contextlib.suppress(Exception):
            await client._client.close()


async def _drop_producer(producer: AIOKafkaProducer) -> None:
    """End it now: its own `stop` first waits until all that it has is sent, which is for ever without a broker."""
    # What it waits for now it waits out, a request's time at most; after that nothing of it is sent again. Its parts do
    # not expect to be ended one by one, and nothing that they say about it is of use.
    with contextlib.suppress(Exception):
        await producer._sender.close()
    with contextlib.suppress(Exception):
        producer._message_accumulator.fail_all(Away("this client of Kafka was given up"))
    with contextlib.suppress(Exception):
        await producer.stop()


def _why(error: BaseException | Any) -> str:
    if isinstance(error, TimeoutError):
        return "Kafka has not taken it in time"
    return str(error).strip() or type(error).__name__
