"""Milliseconds since 1970 and datetimes, both UTC, exactly. PURE."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def from_ms(at_ms: int) -> datetime:
    """The aware UTC datetime of `at_ms`; exact, unlike a float of seconds. OverflowError outside years 1–9999."""
    return EPOCH + timedelta(milliseconds=at_ms)


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970 of an aware datetime, rounded down."""
    return (at - EPOCH) // _MILLISECOND
