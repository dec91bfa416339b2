"""What consumers of either log have in common: partitions by lease, and how far each was read."""

from pingan.clock import Clock
from pingan.database import Connection, Database
from pingan.lease import Leases
from pingan.log import Batch, Entry, Lease, Polled
from pingan.parked import park


class Leased:
    """One member's share of a log's partitions; how they are read is the implementation's own matter."""

    def __init__(self, log: str, database: Database, clock: Clock, leases: Leases) -> None:
        self._log, self._database, self._clock, self._leases = log, database, clock, leases
        self._read_to: dict[int, int] = {}
        """partition that is ours → the position up to which it was read."""
        self._lost: list[int] = []
        self._taken: dict[int, Lease] = {}

    def _follow_leases(self) -> bool:
        """Begin with what was taken, behind its stored position, and forget what was lost. True when anything was."""
        changes = self._leases.changes()
        for change in changes:
            for partition in change.lost:
                self._read_to.pop(partition, None)
                self._taken.pop(partition, None)
                self._lost.append(partition)
            for lease in change.taken:
                self._read_to[lease.partition] = lease.position
                self._taken[lease.partition] = lease
        return bool(changes)

    @property
    def _news(self) -> bool:
        """Whether there is something to tell that no poll has told yet."""
        return bool(self._lost or self._taken)

    def _polled(self, batches: list[Batch]) -> Polled:
        """Told now, and not before: a poll that fails on its way keeps it for the next one."""
        polled = Polled(tuple(self._lost), tuple(self._taken.values()), batches)
        self._lost, self._taken = [], {}
        return polled

    async def store(self, connection: Connection, partition: int, position: int) -> None:
        await self._leases.store(connection, partition, position)

    async def fence(self, connection: Connection, partition: int) -> None:
        await self._leases.fence(connection, partition)

    def epoch(self, partition: int) -> int | None:
        return self._leases.held.get(partition)

    def rewind(self, partition: int, position: int) -> None:
        if partition in self._read_to:
            self._read_to[partition] = position

    def drop(self, partition: int) -> None:
        self._leases.drop(partition)

    async def park(self, partition: int, entry: Entry, reason: str) -> None:
        await park(self._database, self._clock, self._log, self._leases.name, partition, entry, reason)
