"""Who may write: leases on numbered partitions, shared by the members of a group, fenced by epochs.

A member shows that it is there by a beat that moves; the others give it up when the beat has stood still for
`patience_seconds` of *their own* monotonic time, counted only while they could look. Taking a partition increments its
epoch, and every effect's transaction checks the epoch: a process that was stopped, lost its partitions and woke up
can do no harm, whatever it believes.
"""

import asyncio
import contextlib
import logging
import uuid
from dataclasses import dataclass, field

from prometheus_client import Gauge

from pingan.clock import Clock
from pingan.database import LOST, Bell, Connection, Database, Queries

log = logging.getLogger(__name__)
sql = Queries(__file__, "lease.sql")

LOOK_SECONDS = 0.5


class Fenced(Exception):
    """Somebody else owns the partition now. Roll back, let go, and forget what you knew of it."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A partition that we took: `position` is what its last owner had stored."""

    partition: int
    epoch: int
    position: int


@dataclass(slots=True)
class _Seen:
    beat: int
    silent_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Change:
    taken: tuple[Lease, ...] = ()
    lost: tuple[int, ...] = ()


@dataclass(slots=True)
class Leases:
    """One member's share of the partitions of `name`. `run` goes on beside the work, `changes` is asked between."""

    database: Database
    name: str
    member: str
    clock: Clock
    partitions: int = 1
    patience_seconds: float = 3.0
    bell: Bell | None = None
    """Rings on the channel "leases" when anybody lets go of a partition; without it that is seen with the next look."""
    look_seconds: float = LOOK_SECONDS
    held: dict[int, int] = field(default_factory=dict)
    """partition → the epoch under which it is ours, as far as we know."""
    share: Gauge | None = None
    """Where it is shown how many are ours."""

    _owner: str = ""
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _looked_at: float | None = None
    _pending: list[Change] = field(default_factory=list)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        # A process that starts again is somebody new: what its forerunner of the same name held is free at once.
        self._owner = f"{self.member}#{uuid.uuid4().hex[:12]}"

    async def run(self) -> None:
        """Keep our share until cancelled; then release it, so that the others need not wait."""
        try:
            while True:
                try:
                    await self.look()
                except LOST as error:
                    log.debug("%s: cannot look: %s", self.name, error)
                if self.bell is None:
                    await asyncio.sleep(self.look_seconds)
                else:
                    await self.bell.wait(self.look_seconds)
        finally:
            with contextlib.suppress(*LOST, TimeoutError):
                async with asyncio.timeout(2):
                    await self.release_all()

    async def look(self) -> None:
        """One look: beat, see who is gone, take what is free up to our share, give back what is over it."""
        async with self._one_at_a_time:  # two at once would each take what the other took for lost
            await self._look()
            self._show()

    async def _look(self) -> None:
        async with self.database.transaction() as connection:
            if self._looked_at is None:
                await connection.execute(sql.prepare, {"name": self.name, "partitions": self.partitions})
            await connection.execute(sql.beat, {"name": self.name, "owner": self._owner})
            members = await (await connection.execute(sql.members, {"name": self.name})).fetchall()
            rows = await (await connection.execute(sql.rows, {"name": self.name})).fetchall()
        alive = self._alive({row["owner"]: row["beat"] for row in members})
        lost = [p for p in self.held if rows[p]["owner"] != self._owner or rows[p]["epoch"] != self.held[p]]
        share = -(-self.partitions // len(alive))
        mine = [p for p in self.held if p not in lost]
        surplus = mine[share:]
        # What bears our name and is not held was taken or released in a statement whose answer we never got.
        stray = {row["partition"] for row in rows if row["owner"] == self._owner and row["partition"] not in self.held}
        free = [row["partition"] for row in rows if row["owner"] not in alive or row["partition"] in stray]
        wanted = free[: max(0, share - len(mine))]
        gone = [row["owner"] for row in rows if row["owner"] is not None and row["owner"] not in alive]
        taken = await self._take(wanted, [*gone, self._owner] if stray else gone) if wanted else ()
        self._note(Change(taken, (*lost, *surplus)))
        if unwanted := [*surplus, *sorted(stray.difference(wanted))]:
            await self._release(unwanted)
        if forgotten := [
            owner for owner, seen in self._seen.items() if seen.silent_seconds > 20 * self.patience_seconds
        ]:
            async with self.database.connection() as connection:
                await connection.execute(sql.forget, {"name": self.name, "owners": forgotten})

    def _show(self) -> None:
        if self.share is not None:
            self.share.set(len(self.held))

    def _alive(self, beats: dict[str, int]) -> set[str]:
        now = self.clock.monotonic()
        # While we could not look nobody was silent to us: after our own pause everyone gets their time again.
        elapsed = 0.0 if self._looked_at is None else min(now - self._looked_at, 2 * self.look_seconds)
        self._looked_at = now
        self._seen = {owner: seen for owner, seen in self._seen.items() if owner in beats}
        alive = {self._owner}
        for owner, beat in beats.items():
            seen = self._seen.get(owner)
            if seen is None or seen.beat != beat:
                self._seen[owner] = seen = _Seen(beat)
            else:
                seen.silent_seconds += elapsed
            if seen.silent_seconds < self.patience_seconds and not self._forerunner(owner):
                alive.add(owner)
        return alive

    def _forerunner(self, owner: str) -> bool:
        return owner != self._owner and owner.partition("#")[0] == self.member

    async def _take(self, partitions: list[int], gone: list[str]) -> tuple[Lease, ...]:
        parameters = {"name": self.name, "owner": self._owner, "partitions": partitions, "gone": gone}
        async with self.database.connection() as connection:
            rows = await (await connection.execute(sql.take, parameters)).fetchall()
        taken = tuple(Lease(row["partition"], row["epoch"], row["position"]) for row in rows)
        self.held.update({lease.partition: lease.epoch for lease in taken})
        return taken

    async def _release(self, partitions: list[int]) -> None:
        for partition in partitions:
            self.held.pop(partition, None)
        async with self.database.connection() as connection:
            await connection.execute(sql.release, {"name": self.name, "owner": self._owner, "partitions": partitions})

    async def release_all(self) -> None:
        """Give everything back and leave the group."""
        await self._release(list(self.held))
        self._show()
        async with self.database.connection() as connection:
            await connection.execute(sql.forget, {"name": self.name, "owners": [self._owner]})

    def _note(self, change: Change) -> None:
        for partition in change.lost:
            if partition in self.held and not any(lease.partition == partition for lease in change.taken):
                del self.held[partition]
        if change.taken or change.lost:
            self._pending.append(change)
            self.changed.set()

    def changes(self) -> list[Change]:
        """What we took and lost since the last call, in order."""
        pending, self._pending = self._pending, []
        self.changed.clear()
        return pending

    def drop(self, partition: int) -> None:
        """Let go of a partition on which we were fenced."""
        if self.held.pop(partition, None) is not None:
            self._note(Change(lost=(partition,)))
            self._show()

    async def fence(self, connection: Connection, partition: int) -> None:
        """Fenced unless the partition is ours; if it is, it stays so until the transaction ends."""
        epoch = self.held.get(partition)
        parameters = {"name": self.name, "partition": partition, "epoch": epoch}
        if epoch is None or (await connection.execute(sql.fence, parameters)).rowcount != 1:
            raise Fenced(f"{self.name}/{partition}")

    async def store(self, connection: Connection, partition: int, position: int) -> None:
        """Remember a position within the effect's own transaction. Fenced unless the partition is ours."""
        epoch = self.held.get(partition)
        parameters = {"name": self.name, "partition": partition, "epoch": epoch, "position": position}
        if epoch is None or (await connection.execute(sql.store, parameters)).rowcount != 1:
            raise Fenced(f"{self.name}/{partition}")

    async def reset(self, partition: int, position: int) -> None:
        """Take a position back, where the log that it counts in has become another. Fenced unless it is ours."""
        epoch = self.held.get(partition)
        parameters = {"name": self.name, "partition": partition, "epoch": epoch, "position": position}
        async with self.database.connection() as connection:
            if epoch is None or (await connection.execute(sql.reset, parameters)).rowcount != 1:
                raise Fenced(f"{self.name}/{partition}")
