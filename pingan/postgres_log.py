"""The log in PostgreSQL: for one machine, and for a district.

An append is one statement: heads are locked in ascending order and stay locked until the commit, so that positions
become visible in order and without gaps. A row holds all that one append brings for a partition, which makes a row per
message into a row per commit and partition.
"""

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from pingan import metrics
from pingan.clock import Clock
from pingan.database import Database, Listener, Queries
from pingan.lease import Leases
from pingan.leased import Leased
from pingan.log import GROUPS, PARTITIONS, Batch, Entry, Polled, Record

sql = Queries(__file__, "postgres_log.sql")

POLL_BATCHES = 64
"""Rows that one poll takes of one partition at most: bounds memory in a backlog."""

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[bytes]).decode


class PostgresLog:
    """`Log` over the tables `log_heads` and `log_batches`. With a listener, consumers wake by NOTIFY."""

    def __init__(
        self,
        name: str,
        database: Database,
        clock: Clock,
        listener: Listener | None = None,
        *,
        patience_seconds: float = 3.0,
    ) -> None:
        if name not in GROUPS:
            raise ValueError(f"no log is named {name}; there are {', '.join(GROUPS)}")
        self.name = name
        self._database = database
        self._clock = clock
        self._listener = listener
        self._patience_seconds = patience_seconds

    async def append(self, records: Sequence[Record]) -> None:
        if not records:
            return
        bodies: dict[int, list[bytes]] = {}
        for partition, body in records:
            bodies.setdefault(partition, []).append(body)
        parameters = {
            "log": self.name,
            "partitions": list(bodies),
            "counts": [len(group) for group in bodies.values()],
            "bodies": [_pack(group) for group in bodies.values()],
            "now": self._clock.now(),
        }
        began = self._clock.monotonic()
        async with self._database.connection() as connection:
            await connection.execute(sql.append, parameters)
        metrics.show(metrics.APPEND_SECONDS).labels(self.name).observe(self._clock.monotonic() - began)

    async def ends(self) -> dict[int, int]:
        async with self._database.connection() as connection:
            rows = await (await connection.execute(sql.ends, {"log": self.name})).fetchall()
        return {row["partition"]: row["position"] for row in rows}

    async def lag(self) -> dict[str, int]:
        parameters = {"log": self.name, "groups": list(GROUPS[self.name])}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(sql.lag, parameters)).fetchall()
        return {row["consumer"]: row["entries"] for row in rows}

    async def trim(self, keep_seconds: float) -> int:
        parameters = {
            "log": self.name,
            "groups": [f"{self.name}/{group}" for group in GROUPS[self.name]],
            "before": self._clock.now() - timedelta(seconds=keep_seconds),
        }
        async with self._database.connection() as connection:
            return (await connection.execute(sql.trim, parameters)).rowcount

    async def close(self) -> None:
        """The database is the process's own: there is nothing to let go of."""

    def consumer(self, group: str, member: str) -> "PostgresConsumer":
        if group not in GROUPS[self.name]:
            raise ValueError(f"log {self.name} has no group {group}; add it to GROUPS so that nothing is trimmed early")
        leases = Leases(
            self._database,
            f"{self.name}/{group}",
            member,
            self._clock,
            PARTITIONS,
            self._patience_seconds,
            bell=self._listener.bell("leases") if self._listener else None,
            share=metrics.show(metrics.PARTITIONS).labels(self.name, group),
        )
        return PostgresConsumer(self.name, self._database, self._clock, leases, self._listener)


class PostgresConsumer(Leased):
    """`Consumer` over the leases of its group."""

    def __init__(self, name: str, database: Database, clock: Clock, leases: Leases, listener: Listener | None) -> None:
        super().__init__(name, database, clock, leases)
        self._bell = (listener or Listener(database)).bell(f"log_{name}")
        self._listening = listener is not None

    async def run(self) -> None:
        await self._leases.run()

    async def poll(self, wait_seconds: float) -> Polled:
        polled = await self._look()
        if polled.batches or polled.taken or polled.lost or wait_seconds <= 0:
            return polled
        # Without a listener the log is looked at ten times a second; with one the look follows the append.
        await self._bell.wait(wait_seconds if self._listening else min(wait_seconds, 0.1))
        return await self._look()

    async def _look(self) -> Polled:
        self._follow_leases()
        batches = await self._read() if self._read_to else []
        return self._polled(batches)

    async def _read(self) -> list[Batch]:
        parameters = {
            "log": self._log,
            "partitions": list(self._read_to),
            "positions": list(self._read_to.values()),
            "batches": POLL_BATCHES,
        }
        async with self._database.connection() as connection:
            cursor = await connection.execute(sql.read, parameters, binary=True)
            rows = await cursor.fetchall()
        batches: dict[int, Batch] = {}
        for row in rows:
            partition, last, read_to = row["partition"], row["last_position"], self._read_to.get(row["partition"])
            if read_to is None:  # lost while we read
                continue
            first = last - row["count"] + 1
            entries = _entries(first, last, row["body"])
            if first <= read_to:
                entries = [entry for entry in entries if entry.position > read_to]
            self._read_to[partition] = last
            batches.setdefault(partition, Batch(partition, [])).entries.extend(entries)
        return list(batches.values())


def _entries(first: int, last: int, body: bytes) -> list[Entry]:
    """What one row holds; one entry with a fault for all of it when it is not what an append has written."""
    try:
        bodies = _unpack(body)
    except msgspec.DecodeError as error:
        return [Entry(last, body, f"the row of positions {first} to {last} cannot be read: {error}")]
    if len(bodies) != last - first + 1:
        return [Entry(last, body, f"the row of positions {first} to {last} holds {len(bodies)} entries")]
    return [Entry(position, one) for position, one in enumerate(bodies, first)]
