"""What the clock on a home's wall says. PURE."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from alerting.detectors import DAY_MS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ELSEWHERE = "UTC"
"""For a zone that this system does not know: a detector that fails would be worse than one whose hours are shifted."""


@lru_cache(64)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo(ELSEWHERE)


@lru_cache(4096)
def _offset_ms(hours: int, zone: str) -> int:
    moment = (EPOCH + timedelta(hours=hours)).astimezone(_zone(zone))
    return int((moment.utcoffset() or timedelta()).total_seconds() * 1000)


def local_ms(at_ms: int, zone: str) -> int:
    """Milliseconds that the home's wall has counted since its own 1 January 1970. Changes of the offset count from the
    full hour, which is where the world makes them."""
    return at_ms + _offset_ms(at_ms // 3_600_000, zone)


def local_hour(at_ms: int, zone: str) -> float:
    """0 to 24."""
    return local_ms(at_ms, zone) % DAY_MS / 3_600_000


def local_day(at_ms: int, zone: str, begins_ms: int = 0) -> int:
    """The number of the home's day, where days begin so long after midnight."""
    return (local_ms(at_ms, zone) - begins_ms) // DAY_MS


def day_begins_ms(day: int, zone: str, begins_ms: int = 0) -> int:
    """When that day began, in milliseconds since 1970 in UTC."""
    wall_ms = day * DAY_MS + begins_ms
    at_ms = wall_ms - _offset_ms(wall_ms // 3_600_000, zone)
    return wall_ms - _offset_ms(at_ms // 3_600_000, zone)
