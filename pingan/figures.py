"""Figures about the pipe and the machines: is every press heard, is the pipe silent, is there room. Reads only."""

import asyncio
import platform
import shutil
from collections.abc import Sequence
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

from pingan import health
from pingan.clock import Clock, to_ms
from pingan.database import LOST, Connection, Queries

sql = Queries(__file__, "figures.sql")

Row = dict[str, Any]

DAYS = 30
TABLES = 8
LOGS = 12
LAG_SECONDS = 3.0
"""A log of another machine may be away: the other figures do not wait for it."""


class Lagging(Protocol):
    """A log, as far as it says how far behind its readers are: in the database or in Kafka, it knows best."""

    name: str

    async def lag(self) -> dict[str, int]: ...


async def line(connection: Connection, now: datetime) -> Row:
    """Presses by kind, how soon each became an alarm, how old detection's time is, what the pipe could not carry."""
    day, since = now - timedelta(days=1), now - timedelta(days=DAYS)

    async def all_of(query: str, **values: Any) -> list[Row]:
        return await (await connection.execute(query, values)).fetchall()

    (detection,) = await all_of(sql.detection)
    tick = detection["tick_ms"]
    return {
        "kinds": await all_of(sql.kinds, day=day, since=since),
        "raising": [
            {"days": days, **_ranks((await all_of(sql.raising, since=start))[0])}
            for days, start in ((1, day), (DAYS, since))
        ],
        "detection": {
            "partitions": detection["partitions"],
            "behind_seconds": None if tick is None else max(0.0, (to_ms(now) - tick) / 1000),
        },
        "rejected": await all_of(sql.rejected, today=now.date()),
        "parked": await all_of(sql.parked),
    }


async def lag(logs: Sequence[Lagging]) -> list[Row] | None:
    """The entries of each log that a group has not yet acted on for good; None when a log cannot be asked."""
    try:
        async with asyncio.timeout(LAG_SECONDS):
            return [
                {"log": log.name, "group": group, "entries": entries}
                for log in logs
                for group, entries in sorted((await log.lag()).items())
            ]
    except (*LOST, TimeoutError):
        return None


async def machines(connection: Connection, clock: Clock, data: Path | None) -> Row:
    """What each process says of itself, and the room that is taken and left. `data`: the folder of this installation;
    None where the processes run elsewhere and their files are not ours to look at."""
    (database,) = await (await connection.execute(sql.database)).fetchall()
    tables = await (await connection.execute(sql.tables, {"limit": TABLES})).fetchall()
    return {
        "processes": health.said(data, clock.monotonic()) if data else [],
        "database_bytes": database["bytes"],
        "tables": tables,
        "logs": _logs(data) if data else [],
        "disk": _disk(data) if data else None,
        "versions": {
            "pingan": _version(),
            "schema": database["schema"],
            "postgresql": database["version"],
            "python": platform.python_version(),
        },
    }


def _ranks(row: Row) -> Row:
    p50, p99, longest = (value.total_seconds() for value in row["ranks"]) if row["ranks"] else (None, None, None)
    return {"n": row["n"], "p50": p50, "p99": p99, "max": longest}


def _logs(data: Path) -> list[Row]:
    """The largest of the processes' log files, each with what was kept of it when it was cut."""
    sizes: dict[str, int] = {}
    for path in data.glob("log/*"):
        try:
            sizes[path.name.split(".")[0]] = sizes.get(path.name.split(".")[0], 0) + path.stat().st_size
        except OSError:  # cut and moved at this moment
            continue
    largest = sorted(sizes.items(), key=lambda one: (-one[1], one[0]))[:LOGS]
    return [{"name": name, "bytes": size} for name, size in largest]


def _disk(data: Path) -> Row | None:
    try:
        usage = shutil.disk_usage(data)
    except OSError:
        return None
    return {"free_bytes": usage.free, "total_bytes": usage.total}


def _version() -> str | None:
    try:
        return version("pingan")
    except PackageNotFoundError:
        return None
