"""PostgreSQL: a pool that waits for it, named queries from `.sql` files, and bells that ring on NOTIFY."""

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from pingan.priority import backend_steps_back

log = logging.getLogger(__name__)

Connection = AsyncConnection[DictRow]

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)

LOST = (psycopg.OperationalError, psycopg.InterfaceError, ConnectionError)
"""What is raised when the database is away: wait, and try again. Anything else is a mistake of ours."""


HALF_OPEN: dict[str, Any] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""A database on another machine that vanishes without a word is lost after some ten seconds. The kernel's own patience
is two hours for a connection that is silent, and a quarter of one for what was sent and never acknowledged."""


class Queries:
    """The queries of one `.sql` file, as attributes. Each begins with `-- name: …` and says why in a comment."""

    def __init__(self, beside: str, file: str) -> None:
        text = Path(beside).with_name(file).read_text(encoding="utf-8")
        parts = _NAME.split(text)
        self._queries: dict[str, str] = dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))

    def __getattr__(self, name: str) -> str:
        try:
            return self._queries[name]
        except KeyError:
            raise AttributeError(f"no query is named {name}") from None


class Database:
    """One process's connections. Opening does not wait: whoever needs a connection does."""

    def __init__(self, url: str, *, connections: int = 4, application: str = "pingan", nice: int = 0) -> None:
        self.url = url
        self._nice = nice
        self.application = application
        self.pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            kwargs={
                "row_factory": dict_row,
                "application_name": application,
                "connect_timeout": 5,
                "autocommit": True,
                "options": "-c timezone=UTC -c lock_timeout=10s -c jit=off",
                **HALF_OPEN,
            },
            min_size=1,
            max_size=connections,
            timeout=10,
            reconnect_timeout=3,
            check=self._check,
            configure=self._configure,
            open=False,
            name=application,
        )

    async def _check(self, connection: Connection) -> None:
        try:
            await AsyncConnectionPool.check_connection(connection)
        except LOST:
            # If one is dead so are its sisters, as after a restart; the pool would try them one by one, waiting 0, 1,
            # 2, 4 … seconds between. Measured: 6.4 s with four of them, and never within its timeout with eight.
            await self.pool.drain()
            raise

    async def _configure(self, connection: Connection) -> None:
        if self._nice:
            backend_steps_back(connection, self._nice)

    async def open(self) -> None:
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
        await self.pool.open(wait=False)

    async def close(self) -> None:
        await self.pool.close()

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection in autocommit. Raises one of LOST when the database is away."""
        async with self.pool.connection() as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection in a transaction, committed on leaving, rolled back on an error."""
        async with self.pool.connection() as connection, connection.transaction():
            yield connection

    async def wait(self, say: Callable[[str], None] = log.warning) -> None:
        """Return when the database answers; say once a state that it does not."""
        said = ""
        while True:
            try:
                async with self.connection() as connection:
                    await connection.execute("select 1")
                return
            except LOST as error:
                reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
                if reason != said:
                    say(f"waiting for the database: {reason}")
                    said = reason
                await asyncio.sleep(0.3)


class Listener:
    """One connection that hears NOTIFY for the whole process, for as long as it runs, whatever happens between.

    Every reconnection calls each listener with None: something may have been missed, look for yourself.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._heard: dict[str, list[Callable[[str | None], None]]] = {}

    def subscribe(self, channel: str, hear: Callable[[str | None], None]) -> None:
        """Call `hear` with the payload of each notification on `channel`. Subscribe before `run`."""
        self._heard.setdefault(channel, []).append(hear)

    def bell(self, *channels: str) -> "Bell":
        bell = Bell()
        for channel in channels:
            self.subscribe(channel, bell.ring)
        return bell

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(
                    self._database.url,
                    autocommit=True,
                    connect_timeout=5,
                    application_name=f"{self._database.application} listens",
                    **HALF_OPEN,
                )
                async with connection:
                    for channel in self._heard:
                        await connection.execute(f"listen {channel}")
                    for callbacks in self._heard.values():
                        for hear in callbacks:
                            hear(None)
                    async for notification in connection.notifies():
                        for hear in self._heard.get(notification.channel, ()):
                            hear(notification.payload)
            except LOST:
                await asyncio.sleep(0.3)


class Bell:
    """Something to wait for that rings when a notification comes, and wakes by itself: a lost ring only delays."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self, _payload: str | None = None) -> None:
        self._event.set()

    async def wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
        self._event.clear()
