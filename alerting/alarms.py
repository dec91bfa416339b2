"""Alarms into their table, from where the desk takes them. The insert rings the bell `alarm`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from alerting.detectors.table import KINDS as FOUND
from pingan import metrics
from pingan.clock import from_ms
from pingan.database import Connection, Queries
from pingan.messages import ANSWERS, RINGING, Alarm

sql = Queries(__file__, "alarms.sql")

REFUSED = (psycopg.DataError, psycopg.IntegrityError)
"""What the database raises for an alarm that it cannot hold: a fault of that alarm, not of the database."""

SOURCES = ("reported", "derived")
KINDS = RINGING | ANSWERS | FOUND
"""What is counted by its own name. A device may invent any other, and it is an alarm all the same."""

DEPTH_MAX = 32
"""Levels of evidence. Ours has three; what a device nests into a location may have hundreds, and end the process."""


async def insert(connection: Connection, alarms: Iterable[Alarm], now: datetime) -> list[Alarm]:
    """Raise `alarms` within the caller's transaction; those of them that are new. One of REFUSED if one cannot be held.

    When it has committed, `count` them.
    """
    by_id: dict[UUID, Alarm] = {}
    for alarm in alarms:
        by_id.setdefault(alarm.id, alarm)  # of a press and its retry the first that came, as the database would
    if not by_id:
        return []
    cursor = connection.cursor()
    await cursor.executemany(sql.insert, [_row(alarm, now) for alarm in by_id.values()], returning=True)
    new = []
    while True:
        new += [by_id[row["id"]] for row in await cursor.fetchall()]
        if not cursor.nextset():
            return new


def count(raised: Iterable[Alarm]) -> None:
    """Each alarm is counted once, however often a replay raises it again."""
    for alarm in raised:
        kind = metrics.bounded(alarm.kind, KINDS)
        source = metrics.bounded(str(alarm.evidence.get("source")), SOURCES)
        metrics.show(metrics.ALARMS).labels(kind, source).inc()


def _row(alarm: Alarm, now: datetime) -> dict[str, Any]:
    received_at = when(alarm.received_ms) or now
    return {
        "id": alarm.id,
        "kind": clean(alarm.kind),
        "home": clean(alarm.home),
        "device": clean(alarm.device),
        "at": when(alarm.at_ms) or received_at,
        "device_at": when(alarm.device_at_ms),
        "clock": clean(alarm.clock),
        "received_at": received_at,
        "raised_at": now,
        "test": alarm.test,
        "evidence": Jsonb(clean(alarm.evidence), dumps=msgspec.json.encode),
    }


def when(at_ms: int | None) -> datetime | None:
    # A device clock may say the year 60000. The alarm must not be lost for it; the evidence keeps the number.
    try:
        return None if at_ms is None else from_ms(at_ms)
    except OverflowError:
        return None


def clean(value: Any, depth: int = 0) -> Any:
    """`value` without NUL characters, which PostgreSQL holds in no text, and without what is nested too deep for
    anybody: a press is not lost for one, nor do those behind it wait."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, dict | list | tuple) and depth == DEPTH_MAX:
        return None
    if isinstance(value, dict):
        return {clean(key): clean(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [clean(inner, depth + 1) for inner in value]
    return value
