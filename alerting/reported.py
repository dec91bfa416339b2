"""What a device reports as an alarm, as the alarm that the desk gets. PURE."""

from typing import Any

from pingan.messages import Alarm, Event, reported_alarm_id

NATIVE = "native"


def alarm_of(event: Event) -> Alarm:
    """The alarm of `event`. A retry of the same event has the same id; a new press has a new one, and rings again."""
    evidence: dict[str, Any] = {
        "source": "reported",
        "device": event.device,
        "event": event.id,
        "boot": event.boot,
        "seq": event.seq,
        "attempt": event.attempt,
    }
    evidence |= {
        name: value
        for name in ("confidence", "location", "battery_percent", "device_at_ms")
        if (value := getattr(event, name)) is not None
    }
    if event.family != NATIVE:
        evidence["family"] = event.family
    return Alarm(
        id=reported_alarm_id(event.device, event.id),
        kind=event.kind,
        home=event.home,
        device=event.device,
        at_ms=event.at_ms,
        received_ms=event.received_ms,
        test=event.test,
        device_at_ms=event.device_at_ms,
        clock=event.clock,
        evidence=evidence,
    )
