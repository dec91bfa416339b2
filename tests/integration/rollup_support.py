"""Readings drawn from a seed, put into the archive by INSERT, and what roll-ups must say of them: counted in Python."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import psycopg
from psycopg.types.json import Jsonb

from alerting.detectors.inactivity import MOVEMENTS, PRESENCES
from ingest.rows import Row

SHANGHAI = ZoneInfo("Asia/Shanghai")
INSERT = (
    "insert into readings (at, received_at, device, home, boot, seq, kind, sensor, value, detail, clock, device_at)"
    f" values ({', '.join(['%s'] * 12)}) on conflict do nothing"
)


class Vital(NamedTuple):
    count: int
    min: float
    avg: float
    max: float


def draw(seed: int, home: str, since: datetime, hours: float, count: int, boot: str = "b") -> list[Row]:
    """`count` readings of a home over so many hours, some of them twice, in no order. Numbers are halves: sums of them
    are exact whatever the order.
    """
    chance = random.Random(seed)
    rows = []
    for seq in range(count):
        at = since + timedelta(seconds=chance.randrange(int(hours * 3600)), milliseconds=chance.randrange(1000))
        kind, sensor, value = chance.choice(
            (
                ("motion", "kitchen", True),
                ("motion", "bedroom", chance.choice((True, False, None, 1, 0))),
                ("occupancy", None, chance.choice((True, "", {"zone": 1}, {}))),
                ("vibration", "bed", chance.choice(([], [1], "knock", 0.5))),
                ("door", "front", chance.choice(("open", "closed"))),
                ("bed", "bed", chance.choice((True, False))),
                ("heart_rate", None, chance.randrange(80, 240) / 2),
                ("spo2", None, chance.randrange(160, 200) / 2),
                ("breath", None, chance.choice((12, 1e300, -1e300))),
                (
                    "blood_pressure",
                    None,
                    {"systolic": chance.randrange(90, 180), "diastolic": chance.randrange(50, 110)},
                ),
                ("blood_pressure", None, {"systolic": chance.choice((140, "140", None)), "pulse": 70}),
                ("blood_pressure", None, {"systolic": 140, "diastolic": 10**400}),
                ("status", None, {"faults": []}),
                ("alarm:sos", None, {"id": "1"}),
            )
        )
        number = isinstance(value, int | float) and not isinstance(value, bool)
        detail = None if number or value is None else value
        its_home = home if chance.random() < 0.97 else None
        rows.append(
            Row(
                at,
                at,
                f"{home}-{seq % 3}",
                its_home,
                boot,
                seq,
                kind,
                sensor,
                value if number else None,
                detail,
                None,
                None,
            )
        )
    rows += chance.sample(rows, count // 10)
    chance.shuffle(rows)
    return rows


def put(connection: psycopg.Connection[Any], rows: Iterable[Row]) -> None:
    """Insert them, one statement each; what is there already is passed over."""
    rows = list(rows)
    for day in sorted({row.at.date() for row in rows}):
        connection.execute("select readings_day(%s)", (day,))
    with connection.transaction(), connection.cursor() as cursor:
        for row in rows:
            detail = None if row.detail is None else Jsonb(row.detail)
            cursor.execute(INSERT, (*row[:9], detail, *row[10:]))


def activity_of(rows: Iterable[Row], home: str) -> Counter[tuple[datetime, str | None, str]]:
    """(hour, sensor, kind) → how often: by the rule of the detector that watches for inactivity."""
    return Counter(
        (row.at.replace(minute=0, second=0, microsecond=0), row.sensor, row.kind)
        for row in set_of(rows)
        if row.home == home
        and row.kind in MOVEMENTS
        and (row.kind not in PRESENCES or (row.detail if row.value is None else row.value))
    )


def vitals_of(rows: Iterable[Row], home: str, zone: ZoneInfo) -> dict[tuple[date, str, str], Vital]:
    """(day, device, kind) → what was measured."""
    measured: dict[tuple[date, str, str], list[float]] = defaultdict(list)
    for row in set_of(rows):
        if row.home == home:
            for kind, number in _numbers(row):
                measured[row.at.astimezone(zone).date(), row.device, kind].append(number)
    return {
        key: Vital(len(numbers), min(numbers), sum(numbers) / len(numbers), max(numbers))
        for key, numbers in measured.items()
    }


def _numbers(row: Row) -> Sequence[tuple[str, float]]:
    if row.kind == "blood_pressure":
        sides = [(side, (row.detail or {}).get(side)) for side in ("systolic", "diastolic")]
        whole = all(isinstance(number, int) and 0 <= number <= 1000 for _, number in sides)
        return [(side, float(number)) for side, number in sides] if whole else ()
    return [(row.kind, row.value)] if row.value is not None and abs(row.value) <= 1e9 else ()


def set_of(rows: Iterable[Row]) -> list[Row]:
    """Each reading once."""
    return list({(row.device, row.boot, row.seq, row.at): row for row in rows}.values())
