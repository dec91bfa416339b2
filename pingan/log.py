"""The log's contract: append durably, read by partition from a position, own what you consume.

The log is the pipe between hearing and understanding. What it promises, and what its contract tests hold it to:

- `append` returns when every record is durable, and not before. Records of one call and one partition keep their order.
  Of an append that failed any part may be there: whoever appends it again repeats that part, and ids make it harmless.
- A partition is read in the order of its positions, without gaps, by any number of groups. What the log itself cannot
  read any more is one entry with a `fault`, at the last position that it covers: it stops nobody.
- Within a group a partition has one owner at a time. Ownership is fenced: `store` and `fence`, called inside the
  transaction of an effect, raise `Fenced` for whoever has lost it, even if it does not know yet.
- A group's position is stored beside the effect, in the database; after a crash reading goes on from there.
- Nothing is trimmed that a group has not stored its position past.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import msgspec

from pingan.database import Connection
from pingan.lease import Fenced, Lease
from pingan.messages import PARTITIONS, Message, decode

__all__ = [
    "GROUPS",
    "PARTITIONS",
    "Batch",
    "Consumer",
    "Entry",
    "Fenced",
    "Lease",
    "Log",
    "Polled",
    "Record",
    "message_of",
]

GROUPS = {"readings": ("archive", "alerting"), "urgent": ("urgent",)}
"""Which groups read each log: none of them loses an entry to trimming, even before its first start."""


class Record(NamedTuple):
    partition: int
    body: bytes


class Entry(NamedTuple):
    position: int
    body: bytes
    fault: str | None = None
    """Why the log itself cannot give what was appended here. `body` is then whatever it holds: park it."""


def message_of(entry: Entry) -> Message:
    """msgspec.DecodeError when there is none in it, whoever has spoiled it: park the entry and go on behind it."""
    if entry.fault is not None:
        raise msgspec.DecodeError(entry.fault)
    return decode(entry.body)


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive entries of one partition."""

    partition: int
    entries: list[Entry]


@dataclass(frozen=True, slots=True)
class Polled:
    """What one poll gives: partitions lost, then those taken (to be read after their position), then entries."""

    lost: tuple[int, ...]
    taken: tuple[Lease, ...]
    batches: list[Batch]


class Consumer(Protocol):
    """One process's part of a group. `run` keeps it in the group; it must go on beside the work."""

    async def run(self) -> None: ...

    async def poll(self, wait_seconds: float) -> Polled:
        """What is new; waits up to `wait_seconds` when nothing is. Raises one of LOST when it cannot look."""
        ...

    async def store(self, connection: Connection, partition: int, position: int) -> None:
        """Remember, in the transaction of the effect, that everything up to `position` has had its effect."""
        ...

    async def fence(self, connection: Connection, partition: int) -> None:
        """Make sure, in the transaction of an effect, that the partition is still ours."""
        ...

    def epoch(self, partition: int) -> int | None: ...

    def rewind(self, partition: int, position: int) -> None:
        """Read on after `position` again: the effect of what came since was rolled back."""
        ...

    def drop(self, partition: int) -> None:
        """Let go of a partition on which we were fenced."""
        ...

    async def park(self, partition: int, entry: Entry, reason: str) -> None:
        """Set an entry aside that cannot be read or acted on. It is kept, and counted, and passed over."""
        ...


class Log(Protocol):
    name: str

    async def append(self, records: Sequence[Record]) -> None: ...

    def consumer(self, group: str, member: str) -> Consumer: ...

    async def ends(self) -> dict[int, int]:
        """partition → the position of its last entry (0: none yet)."""
        ...

    async def lag(self) -> dict[str, int]:
        """group → how many entries it has not stored its position past."""
        ...

    async def trim(self, keep_seconds: float) -> int:
        """Remove what is older and past every group's stored position; how many were removed, 0 when none is left."""
        ...

    async def close(self) -> None:
        """Let go of whatever connections are the log's own."""
        ...
