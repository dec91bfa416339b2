"""The rows of the outbox, as whoever sends them sees them: a contract, and PostgreSQL that keeps it.

A second implementation, in memory, stands in tests/simulation; one suite holds both
(tests/integration/test_sends_contract.py). Whatever is asked here is over when it returns: it has been committed.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from psycopg.types.json import Jsonb

from dispatch import tasks
from dispatch.family import known
from dispatch.following import Row
from pingan.database import Connection, Database, Queries

sql = Queries(__file__, "outbox.sql")

FINAL = ("answered", "delivered", "failed", "abandoned", "withdrawn", "unanswered", "unclear")
"""States of a send that nothing follows."""


class Wrong(NamedTuple):
    """What a send has shown that only a person can put right: see `dispatch.tasks`."""

    kind: tasks.Kind
    subject: str
    detail: Mapping[str, str]


class Outcome(NamedTuple):
    """What became of one attempt."""

    state: str
    result: str | None = None
    provider_id: str | None = None
    due_at: datetime | None = None
    """When it is tried again, of one that waits."""
    finished_at: datetime | None = None
    wrong: Wrong | None = None
    """It is a task from the moment in which the outcome is recorded."""


SAVED_SECONDS = 0.5
"""So much of an unused turn is kept: whoever looks twice a second must lose none of them."""


STALE_SECONDS = 2.0
"""No claim waits for longer than this for another's."""


LATELY_SECONDS = 60
"""A provider that hangs may place a call so long after its request was given up."""


class Turns:
    """How many may go now, where so many a second may."""

    def __init__(self, next_at: datetime, now: datetime, rate: float) -> None:
        self._each = timedelta(seconds=1 / rate)
        # Nobody takes more than one turn ahead: then the clock was put back, or the rate is another. Whoever waited for
        # the row has an older `now` than whoever had it.
        put_back = next_at > now + self._each + timedelta(seconds=STALE_SECONDS)
        next_at = now if put_back else next_at
        self._from = max(next_at, now - timedelta(seconds=SAVED_SECONDS))
        self.free = (now - self._from) // self._each + 1 if self._from <= now else 0

    def after(self, taken: int) -> datetime:
        """From when the next may go, when so many have gone."""
        return self._from + taken * self._each


class Case(Protocol):
    """An attempt whose outcome nobody recorded, held until it is concluded: nobody else concludes it meanwhile."""

    @property
    def danger(self) -> bool: ...

    @property
    def asking(self) -> bool:
        """Whether whoever it asks is still awaited: nobody has answered since, and they have not declined."""
        ...

    async def unknown(self, ids: Sequence[str]) -> str | None:
        """Of these ids of the provider, the first that belongs to no send that we know of, and is not another one's
        to the same number of which we do not know either: as far as their number tells."""
        ...

    async def repeat(self, now: datetime) -> None:
        """Send it once more, as a declared repeat."""
        ...

    async def settle(self, outcome: Outcome) -> None: ...


class Sends(Protocol):
    """What the outbox asks of its rows. A row has the columns of the table `sends`. Any of these raises one of LOST
    while the rows are out of reach."""

    async def claim(
        self, channel: str, now: datetime, worker: str, limit: int, rate: float | None = None
    ) -> list[dict[str, Any]]:
        """At most `limit` rows of what is due, dangers first: from here on each says that it is about to be sent.

        `rate`: so many a second, of all processes together. What is too late to be sent takes no turn of another.
        """
        ...

    async def settle(self, send: int, outcome: Outcome) -> bool:
        """Record the end of an attempt; whether it was still ours to end."""
        ...

    async def again(self, send: int, why: str, at: datetime, now: datetime) -> str | None:
        """It was not sent, and waits until then, and has been tried once more (`tries`); who is asked to come and is
        not awaited any more is not asked again.
        Its state from here on, `waiting` or `withdrawn`; None: it was not ours to end.
        """
        ...

    async def unclear(
        self, before: datetime, long_before: datetime, ahead: datetime, name: str, worker: str
    ) -> list[dict[str, Any]]:
        """Attempts whose outcome nobody recorded, dangers first: begun before then by this process's own name, but in
        an earlier life; or so long before that they are nobody's; or so far ahead that the clock was put back.
        """
        ...

    def conclude(self, send: int, dialled_at: datetime) -> AbstractAsyncContextManager[Case | None]:
        """Hold this attempt; None if it has become clear since. Committed on leaving, undone on an error."""
        ...

    async def progress(self, send: int, outcome: Outcome) -> bool:
        """What the provider says later; whether it was recorded. A late word never goes behind a final one."""
        ...


class SendsTable:
    """The rows in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(
        self, channel: str, now: datetime, worker: str, limit: int, rate: float | None = None
    ) -> list[dict[str, Any]]:
        parameters = {"now": now, "worker": worker, "limit": limit, "channels": [channel], "late": None}
        async with self._database.transaction() as connection:
            if rate is None:
                return await (await connection.execute(sql.claim, parameters)).fetchall()
            rows: list[dict[str, Any]] = []
            turn = await (await connection.execute(sql.turn, {"channel": channel})).fetchone()
            turns = Turns(turn["next_at"] if turn else now, now, rate)
            if turns.free:
                calls = {**parameters, "late": False, "limit": min(limit, turns.free)}
                rows = await (await connection.execute(sql.claim, calls)).fetchall()
            if rows:
                await connection.execute(sql.turned, {"channel": channel, "next_at": turns.after(len(rows))})
            # What is too late to be called takes nobody's turn, and waits for none: but neither does it go before.
            if left := limit - len(rows):
                late = {**parameters, "late": True, "limit": left}
                rows += await (await connection.execute(sql.claim, late)).fetchall()
        return rows

    async def settle(self, send: int, outcome: Outcome) -> bool:
        async with self._database.transaction() as connection:
            return await _settle(connection, send, outcome)

    async def again(self, send: int, why: str, at: datetime, now: datetime) -> str | None:
        parameters = {"send": send, "result": why, "due_at": at, "now": now}
        async with self._database.transaction() as connection:
            await connection.execute(sql.hold, parameters)
            row = await (await connection.execute(sql.again, parameters)).fetchone()
        return row["state"] if row else None

    async def unclear(
        self, before: datetime, long_before: datetime, ahead: datetime, name: str, worker: str
    ) -> list[dict[str, Any]]:
        parameters = {"before": before, "long_before": long_before, "ahead": ahead, "name": name, "worker": worker}
        async with self._database.connection() as connection:
            return await (await connection.execute(sql.unclear, parameters)).fetchall()

    @contextlib.asynccontextmanager
    async def conclude(self, send: int, dialled_at: datetime) -> AsyncIterator["_Held | None"]:
        async with self._database.transaction() as connection:
            await connection.execute(sql.hold, {"send": send})
            found = await connection.execute(sql.still_unclear, {"send": send, "dialled_at": dialled_at})
            incident = await found.fetchone()
            yield _Held(connection, send, incident["danger"], incident["asking"]) if incident else None

    async def progress(self, send: int, outcome: Outcome) -> bool:
        parameters = {
            "send": send, "state": outcome.state, "result": outcome.result, "provider_id": outcome.provider_id,
            "final": list(FINAL), "now": outcome.finished_at,
        }  # fmt: skip
        async with self._database.transaction() as connection:
            recorded = (await connection.execute(sql.progress, parameters)).rowcount == 1
            if recorded:
                await _tell(connection, outcome)
        return recorded


class _Held:
    def __init__(self, connection: Connection, send: int, danger: bool, asking: bool) -> None:
        self._connection, self._send = connection, send
        self.danger, self.asking = danger, asking

    async def unknown(self, ids: Sequence[str]) -> str | None:
        values = {"ids": list(ids), "send": self._send, "lately": LATELY_SECONDS}
        row = await (await self._connection.execute(sql.unknown, values)).fetchone()
        return row["id"] if row else None

    async def repeat(self, now: datetime) -> None:
        await self._connection.execute(sql.repeat, {"send": self._send, "now": now})

    async def settle(self, outcome: Outcome) -> None:
        await _settle(self._connection, self._send, outcome)


async def _settle(connection: Connection, send: int, outcome: Outcome) -> bool:
    settled = (await connection.execute(sql.settle, {"send": send, **outcome._asdict()})).rowcount == 1
    if settled:
        await _tell(connection, outcome)
    return settled


async def _tell(connection: Connection, outcome: Outcome) -> None:
    """What is wrong is for a person, once, by the transaction that records it."""
    if (wrong := outcome.wrong) is not None:
        assert outcome.finished_at is not None, "only what has ended is wrong for good"
        await tasks.open(connection, wrong.kind, wrong.subject, wrong.detail, outcome.finished_at)


async def add(connection: Connection, incident_id: int, rows: Sequence[Row]) -> None:
    """What follows from a decision is to be sent, by the transaction that decides it. What is there already stays."""
    async with connection.cursor() as cursor:
        await cursor.executemany(
            sql.ask, [{**row._asdict(), "incident": incident_id, "body": Jsonb(row.body)} for row in rows]
        )


async def withdraw(connection: Connection, incident_id: int, now: datetime) -> tuple[str, ...]:
    """Somebody has answered: what asks for help and has not begun is never sent; the channels of what was not."""
    over = await connection.execute(sql.withdraw, {"incident": incident_id, "now": now})
    return tuple([row["channel"] async for row in over])


async def heard_of(connection: Connection, incident_id: int, home: str, now: datetime, version: int) -> set[str]:
    """Who has heard of an incident as this home's, which is another's from `version` on; what waits to tell it is
    withdrawn.
    """
    values = {"incident": incident_id, "home": home, "version": version, "now": now, "kept": []}
    await connection.execute(sql.overtaken, values)
    return {row["recipient"] async for row in await connection.execute(sql.heard_of, values)}


async def tell(connection: Connection, incident_id: int, rows: Sequence[Row], now: datetime) -> None:
    """Family are told of a stage: what still waits of an earlier one is withdrawn, and nobody hears the same again."""
    if not rows:
        return
    (version,) = {row.step for row in rows}
    kept: list[Row] = []
    if version > 1:
        told = await (await connection.execute(sql.told_last, {"incident": incident_id})).fetchall()
        last = {(row["recipient"], row["channel"]): row["body"] for row in told}
        kept = [row for row in rows if known(row, last)]
        values = {
            "incident": incident_id, "version": version, "now": now,
            "kept": [f"{row.channel} {row.recipient}" for row in kept],
        }  # fmt: skip
        await connection.execute(sql.overtaken, values)
    await add(connection, incident_id, [row for row in rows if row not in kept])
