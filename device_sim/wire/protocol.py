"""Native protocol v1, the device's side: topics and payloads as bytes. Pure.

Written from the protocol page alone, so that it agrees with the platform's decoder only where both agree with the page.
"""

import base64
import json
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

ROOT = "pingan/v1"
COUNTS_PER_G = 2000
"""An accelerometer sample of 2000 is 1 g, whatever the sensor's own range."""


def up(device: str, channel: str) -> str:
    """The topic on which `device` publishes `alarm`, `reading`, `status` or `clock`."""
    return f"{ROOT}/{device}/up/{channel}"


def down(device: str, channel: str = "#") -> str:
    """The topic (or filter) on which `device` hears `ack`, `prompt`, `config` or `clock`."""
    return f"{ROOT}/{device}/down/{channel}"


def timestamp(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds. `at` must know its zone: a naive time is a bug, not a time in some zone."""
    if at.tzinfo is None:
        raise ValueError("a naive time has no place on the wire")
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encode(payload: dict[str, Any]) -> bytes:
    """Compact UTF-8 JSON. NaN and infinity are refused: they are not JSON."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def alarm(
    *,
    event_id: str,
    boot: str,
    seq: int,
    at: datetime,
    kind: str,
    attempt: int,
    test: bool = False,
    battery_percent: int | None = None,
) -> bytes:
    """An `up/alarm`. A retry is the same event: same id and seq, only `attempt` counts up."""
    payload: dict[str, Any] = {
        "id": event_id,
        "boot": boot,
        "seq": seq,
        "at": timestamp(at),
        "kind": kind,
        "attempt": attempt,
    }
    if test:
        payload["test"] = True
    if battery_percent is not None:
        payload["battery_percent"] = battery_percent
    return encode(payload)


def reading(
    *, boot: str, seq: int, at: datetime, kind: str, value: Any = None, sensor: str | None = None, **more: Any
) -> bytes:
    """One `up/reading`. `more` are the kind's own fields (those of `accel`)."""
    payload: dict[str, Any] = {"boot": boot, "seq": seq, "at": timestamp(at), "kind": kind}
    if value is not None:
        payload["value"] = value
    if sensor is not None:
        payload["sensor"] = sensor
    return encode(payload | more)


def accel_fields(samples: Sequence[tuple[float, float, float]], *, rate_hz: int, range_g: int, position: str) -> Any:
    """The fields of an `accel` reading from samples in g, clipped to what the sensor can measure."""
    packed = b"".join(struct.pack("<3h", *(_counts(axis, range_g) for axis in sample)) for sample in samples)
    return accel_fields_from_counts(packed, rate_hz=rate_hz, range_g=range_g, position=position)


def accel_fields_from_counts(packed: bytes, *, rate_hz: int, range_g: float, position: str) -> dict[str, Any]:
    """The same from little-endian int16 x,y,z that are already at 2000 counts per g."""
    return {
        "rate_hz": rate_hz,
        "range_g": range_g,
        "position": position,
        "samples": base64.b64encode(packed).decode("ascii"),
    }


def _counts(g: float, range_g: int) -> int:
    clipped = max(-range_g, min(range_g, g))
    return max(-32768, min(32767, round(clipped * COUNTS_PER_G)))


def status(
    *,
    boot: str,
    seq: int,
    at: datetime,
    battery_percent: int | None,
    mains: bool | None,
    rssi_dbm: int | None,
    faults: Sequence[str] = (),
    firmware: str = "sim-1",
    config: int | None = None,
) -> bytes:
    """An `up/status`: the heartbeat."""
    payload: dict[str, Any] = {"boot": boot, "seq": seq, "at": timestamp(at)}
    if battery_percent is not None:
        payload["battery_percent"] = battery_percent
    if mains is not None:
        payload["mains"] = mains
    if rssi_dbm is not None:
        payload["rssi_dbm"] = rssi_dbm
    if config is not None:
        payload["config"] = config
    return encode(payload | {"faults": list(faults), "firmware": firmware})


def clock(*, at: datetime, step: int) -> bytes:
    """An `up/clock` of the driven clock."""
    return encode({"at": timestamp(at), "step": step})


def decode(payload: bytes) -> dict[str, Any] | None:
    """What came down, or None when it is not a JSON object: a device ignores what it cannot read."""
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
