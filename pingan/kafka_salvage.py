"""What can still be had from a partition of Kafka at which its client gives up.

The client checks a batch when it unpacks it, and of one that is spoiled it gives nothing, and nothing of what stands
behind it, for ever. So the bytes are fetched as they are, from each broker that has a copy: a disk spoils one copy and
seldom two. What one of them can read is taken. What none can is one entry with a fault, its bytes beside it, and
reading goes on behind it.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CorruptRecordException, KafkaError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords

from pingan.log import Entry

HEADER = struct.Struct(">qiibIhi30xi")
"""A batch of records: base offset, length, leader epoch, magic, CRC, attributes, last offset delta, ..., records.
Source: Apache Kafka's documentation, "Record Batch"."""
LENGTH_ENDS = 12
"""The length counts what comes after itself."""
READ_UNCOMMITTED = 0


@dataclass(frozen=True, slots=True)
class Copy:
    """What one broker has behind a position: its bytes, and the end of what all copies have."""

    raw: bytes
    end: int


@dataclass(frozen=True, slots=True)
class Read:
    """Entries, and the position up to which they are all that there is."""

    entries: list[Entry]
    position: int


@dataclass(frozen=True, slots=True)
class Piece:
    """One batch as it lies on the disk. What its head says is worth as much as its checksum."""

    base: int
    last: int
    whole: bool
    """Its head agrees with itself about how many records there are."""
    raw: bytes


async def salvage(client: AIOKafkaConsumer, where: TopicPartition, position: int, bytes_max: int) -> Read | None:
    """What stands behind `position`. None when there is nothing. KafkaError when the leader cannot be asked."""
    cluster = client._client.cluster
    leader = cluster.leader_for_partition(where)
    if leader is None or leader < 0:
        raise KafkaError(f"{where} has no leader to ask")
    replicas = cluster._partitions[where.topic][where.partition].replicas
    copies: list[Copy] = []
    away: KafkaError | None = None
    for node in (leader, *(node for node in replicas if node != leader)):
        try:
            copy = await _fetch(client, node, where, position, bytes_max)
        except CorruptRecordException:
            continue  # it finds no way through its own copy: the head of a batch says where the next one begins
        except KafkaError as error:
            if node == leader:
                raise
            away = error  # or not as far: the others are asked, and what stands behind cannot wait for it
            continue
        if copy.end <= position:
            if node == leader:
                return None
            away = KafkaError(f"node {node} is not as far as {where} at {position}")
            continue
        if found := readable(copy, position):
            return found
        if copy.raw:
            copies.append(copy)
    if copies:
        return unreadable(copies[0], position, f"{where.topic}/{where.partition}", len(copies))
    if away is not None:
        raise away  # it may have all of what would be passed over here, and nothing is acknowledged without it
    return await _passed(client, leader, where, position)


async def _passed(client: AIOKafkaConsumer, leader: int, where: TopicPartition, position: int) -> Read | None:
    """Go on where the leader finds its way again: an index leads it there, some kilobytes on, or a file's beginning.

    None when there is nothing behind `position`. Between it and the next that can be read no copy gives anything.
    """
    end = (await client.end_offsets([where]))[where]
    if position >= end:
        return None
    lost, step = position, 1
    while lost + step < end and not await _finds(client, leader, where, lost + step):
        lost, step = lost + step, 2 * step
    found = min(lost + step, end)
    while found - lost > 1:
        middle = (lost + found) // 2
        if await _finds(client, leader, where, middle):
            found = middle
        else:
            lost = middle
    fault = f"{where.topic}/{where.partition}: offsets {position} to {found - 1} are found in no copy"
    return Read([Entry(found, b"", fault)], found)


async def _finds(client: AIOKafkaConsumer, node: int, where: TopicPartition, position: int) -> bool:
    try:
        return bool((await _fetch(client, node, where, position, 1)).raw)
    except CorruptRecordException:
        return False


async def _fetch(client: AIOKafkaConsumer, node: int, where: TopicPartition, position: int, bytes_max: int) -> Copy:
    asked = [(where.topic, [(where.partition, position, bytes_max)])]
    answer: Any = await client._client.send(node, FetchRequest(0, 0, bytes_max, READ_UNCOMMITTED, asked))
    if not answer.topics:
        raise KafkaError(f"node {node} says nothing of {where}")
    ((_, ((_, code, end, *_, raw),)),) = answer.topics
    if code:
        raise for_code(code)(f"{where} at {position}")
    return Copy(bytes(raw or b""), end)


def pieces(raw: bytes) -> Iterator[Piece]:
    """The batches in `raw`. The last may be cut off, since an answer has a size: it comes with the next one."""
    at = 0
    while len(raw) - at >= HEADER.size:
        base, length, _, _, _, _, delta, count = HEADER.unpack_from(raw, at)
        end = at + LENGTH_ENDS + length
        if length < HEADER.size - LENGTH_ENDS or end > len(raw):
            end = len(raw)
            if at > 0:
                return
        yield Piece(base, base + delta, delta + 1 == count > 0, raw[at:end])
        at = end


def readable(copy: Copy, position: int) -> Read | None:
    """What can be read from `position` on, up to the first piece that cannot. None when that is the very first."""
    entries: list[Entry] = []
    read_to = position
    for piece in pieces(copy.raw):
        if (found := unpacked(piece)) is None:
            break
        entries += [entry for entry in found if entry.position > position]
        read_to = max(read_to, piece.last + 1)
    return Read(entries, read_to) if read_to > position else None


def unpacked(piece: Piece) -> list[Entry] | None:
    """None when it cannot be read: spoiled, or packed in a way that is not ours."""
    try:
        records = MemoryRecords(piece.raw)
        batch: Any = records.next_batch() if records.has_next() else None
        if batch is None or not batch.validate_crc():
            return None
        return [] if batch.is_control_batch else [entry(one.offset, one.value) for one in batch]
    except Exception:  # whatever a codec says of bytes that it was not made for
        return None


def entry(offset: int, value: bytes | None) -> Entry:
    """The entry that a record is. Nobody of ours writes one without a value; as a mark for a deletion others do."""
    if value is None:
        return Entry(offset + 1, b"", f"the record at offset {offset} has no value: somebody else has written it")
    return Entry(offset + 1, value)


def unreadable(copy: Copy, position: int, name: str, copies: int) -> Read:
    """One entry for the piece that stands behind `position`, for as many offsets as it certainly covers, and one at
    least: what is taken for too little is met again, what is taken for too much would be lost."""
    first, *others = pieces(copy.raw) if len(copy.raw) >= HEADER.size else [Piece(position, position, False, copy.raw)]
    if first.whole and first.base <= position <= first.last < copy.end:
        last = first.last
    elif others and others[0].base > position and unpacked(others[0]) is not None:
        last = others[0].base - 1
    else:
        last = position
    fault = f"{name}: offsets {position} to {last} cannot be read in any of {copies} copies"
    return Read([Entry(last + 1, first.raw, fault)], last + 1)
