"""Evidence as the detectors write it, and a home's day, for the pages that explain an alarm."""

import math
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from pingan.database import Connection

HOME = "H001"
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
USUAL_BY_HOUR = [5.5, 5.8, 5.5, 5.0, 4.2, 3.0] + [1.0] * 3 + [0.7] * 9 + [0.9] * 3 + [1.6, 3.0, 4.6]
LIMITS_BY_HOUR = [9.0] * 6 + [4.5, 4.0, 3.6] + [3.6] * 9 + [4.0] * 3 + [5.5, 7.0, 8.5]


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def samples(*, rate_hz: int = 50, range_g: float = 4.0, peak_g: float = 3.4) -> str:
    """Walking, a free fall, an impact, and then hardly a movement: eight seconds in all."""
    found = []
    for count in range(8 * rate_hz):
        second = count / rate_hz
        if second < 2.0:
            g = 1 + 0.22 * math.sin(2 * math.pi * 1.8 * second)
        elif second < 2.4:
            g = 0.3
        elif second < 2.55:
            g = peak_g * (1 - abs(second - 2.47) / 0.2)
        elif second < 3.4:
            g = 1 + 0.4 * math.exp(-(second - 2.5) * 3) * math.sin(30 * second)
        else:
            g = 1 + 0.01 * math.sin(9 * second)
        found.append(round(max(0.0, min(g, range_g)) * 1000))
    return b64encode(b"".join(value.to_bytes(2, "little") for value in found)).decode()


def fall_evidence(at: datetime, **more: Any) -> dict[str, Any]:
    rate = more.pop("rate_hz", 50)
    range_g = more.pop("range_g", 4.0)
    peak = more.pop("peak_g", 3.4)
    return {
        "source": "derived", "detector": "fall/wrist-1", "rule": "fall_confirmed", "threshold": 0.6, "value": 0.87,
        "unit": "score", "since_ms": ms(at), "confidence": 0.87,
        "readings": [f"H001-watch/b/{n}" for n in range(40, 48)],
        "supports": [{"what": "stillness", "at_ms": ms(at) + 4000, "value": 0.95}, {"what": "no_room_movement"}],
        "opposes": [{"what": "movement", "at_ms": ms(at) + 20_000, "value": "客厅"}],
        "trace": {"rate_hz": rate, "start_ms": ms(at) - 2480, "range_g": range_g, "position": "wrist",
                  "g": samples(rate_hz=rate, range_g=range_g, peak_g=peak)},
        **more,
    }  # fmt: skip


def silence_evidence(since: datetime, hours: float, **more: Any) -> dict[str, Any]:
    return {
        "source": "derived", "detector": "inactivity/learned-1", "rule": "inactivity_learned", "threshold": 3.6,
        "value": hours, "unit": "hours", "since_ms": ms(since), "readings": ["H001-kitchen/b/911"],
        "usual": {"p50": 0.7, "p90": 1.4, "p99": 1.85, "unit": "hours", "days": 30, "hour": since.hour},
        "supports": [{"what": "no_movement"}],
        "opposes": [{"what": "door_opened", "at_ms": ms(since) - 240_000}],
        "band": {"hours": USUAL_BY_HOUR, "limits": LIMITS_BY_HOUR},
        **more,
    }  # fmt: skip


async def raised(
    connection: Connection, kind: str, at: datetime, evidence: dict[str, Any], *,
    home: str = HOME, device: str | None = None, alarm: UUID | None = None,
) -> UUID:  # fmt: skip
    """An alarm as detection raises it; intake has still to take it."""
    alarm = alarm or uuid4()
    await connection.execute(
        "insert into alarms (id, kind, home, device, at, received_at, raised_at, test, evidence)"
        " values (%s, %s, %s, %s, %s, %s, %s, false, %s)",
        (alarm, kind, home, device, at, at, at, Jsonb(evidence)),
    )
    return alarm


async def heard(
    connection: Connection, readings: list[tuple[datetime, str, str | None, str, Any]], home: str = HOME
) -> None:
    """Readings as the archive keeps them: when, device, sensor, kind, value."""
    for day in {at.astimezone(UTC).date() for at, *_ in readings}:
        await connection.execute("select readings_day(%s)", (day,))
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "insert into readings (at, received_at, device, home, boot, seq, kind, sensor, value, detail)"
            " values (%s, %s, %s, %s, 'b', %s, %s, %s, %s, %s)",
            [
                (at, at, device, home, seq, kind, sensor,
                 value if isinstance(value, float) else None, None if isinstance(value, float) else Jsonb(value))
                for seq, (at, device, sensor, kind, value) in enumerate(readings)
            ],
        )  # fmt: skip


def lived(until: datetime, zone: Any) -> list[tuple[datetime, str, str | None, str, Any]]:
    """A day and a half of somebody at home: the night in bed, one look at the bathroom, the door at noon."""
    found: list[tuple[datetime, str, str | None, str, Any]] = []
    at = until - 36 * HOUR
    step = 0
    while at < until:
        step += 1
        hour = at.astimezone(zone).hour
        if hour >= 22 or hour < 6:
            if hour == 2 and at.minute < 12:
                found.append((at, "H001-bath", "卫生间", "motion", True))
        else:
            room = ("厨房", "客厅", "客厅", "卧室", "卫生间")[step % 5]
            found.append((at, f"H001-{step % 5}", room, "motion", True))
            if hour == 12 and at.minute < 7:
                found.append((at, "H001-door", "入户门", "door", "open"))
        at += timedelta(minutes=6 + step % 4 * 5)
    last = (until, "H001-0", "厨房", "motion", True)
    return [*found, (until - 4 * MINUTE, "H001-door", "入户门", "door", "open"), last]
