"""What versions in shadow have found, into a table of its own: nobody listens to it, and the desk never reads it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from alerting.alarms import clean, when
from alerting.watch import ShadowAlarm
from pingan.database import Connection, Queries

sql = Queries(__file__, "shadow_alarms.sql")


async def insert(connection: Connection, found: Sequence[ShadowAlarm], now: datetime) -> None:
    """Keep `found` within the caller's transaction. One of alarms.REFUSED if one cannot be held."""
    await connection.cursor().executemany(sql.insert, [_row(alarm, now) for alarm in found])


def _row(alarm: ShadowAlarm, now: datetime) -> dict[str, Any]:
    return {
        "id": alarm.id,
        "home": clean(alarm.home),
        "detector": alarm.detector,
        "label": alarm.label,
        "kind": alarm.kind,
        "rule": clean(alarm.rule),
        "device": clean(alarm.device),
        "at": when(alarm.at_ms) or when(alarm.received_ms) or now,
        "raised_at": now,
        "restores": alarm.restores,
        "follows": alarm.follows,
        "evidence": Jsonb(clean(alarm.evidence), dumps=msgspec.json.encode),
    }
