"""Messages of the log as rows of the archive. Pure."""

from datetime import datetime
from typing import Any, NamedTuple

from pingan.clock import from_ms
from pingan.messages import Event, Message, Reading

TYPES = (
    "timestamptz",
    "timestamptz",
    "text",
    "text",
    "text",
    "int8",
    "text",
    "text",
    "float8",
    "jsonb",
    "text",
    "timestamptz",
)
"""PostgreSQL's types of a row's fields, in their order."""


class Row(NamedTuple):
    at: datetime
    received_at: datetime
    device: str
    home: str | None
    boot: str
    seq: int
    kind: str
    sensor: str | None
    value: float | None
    detail: Any
    """Whatever is not a number; None for nothing."""
    clock: str | None
    device_at: datetime | None


def row_of(message: Message) -> Row | None:
    """A reading's row, or an alarm's as context; None for what is not archived. OverflowError beyond year 9999."""
    if isinstance(message, Reading):
        value = message.value
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return Row(
            from_ms(message.at_ms),
            from_ms(message.received_ms),
            message.device,
            message.home,
            message.boot,
            message.seq,
            message.kind,
            message.sensor,
            value if number else None,
            None if number else value,
            message.clock,
            None if message.device_at_ms is None else from_ms(message.device_at_ms),
        )
    if isinstance(message, Event):
        return _row_of_event(message)
    return None


def _row_of_event(event: Event) -> Row:
    detail = {"id": event.id, "attempt": event.attempt, "test": event.test}
    for name in ("confidence", "location", "battery_percent"):
        if (given := getattr(event, name)) is not None:
            detail[name] = given
    return Row(
        from_ms(event.at_ms),
        from_ms(event.received_ms),
        event.device,
        event.home,
        event.boot,
        event.seq,
        f"alarm:{event.kind}",
        None,
        None,
        detail,
        event.clock,
        None if event.clock is None or event.device_at_ms is None else from_ms(event.device_at_ms),
    )
