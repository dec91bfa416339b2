"""The native protocol, version 1 (docs/protocol.md): topics below `pingan/v1/{device}/up/`, JSON. Pure.

Readings are held strictly to the page. An alarm is not: a press must ring even if its firmware writes the battery as
text, so only its `id` and its `kind` are indispensable, and whatever else is wrong is left out and remarked upon.
"""

import binascii
import functools
import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import msgspec

from ingest.codecs import Decoded, Reason, Rejected, Remark, Remarked
from ingest.codecs.strict import INTEGER_MAX, Refused, check_size, check_value, parse
from pingan.messages import ANSWERS, RINGING, Event, Reading
from pingan.times import to_ms

LIST_READINGS_MAX = 1_000
TOPICS_REMEMBERED = 16_384
"""Three for each of 5,000 devices."""

_TOPIC = re.compile(r"pingan/v1/([A-Za-z0-9_-]{1,64})/up/(\w{1,64})")
_ID = re.compile(rb'"id"\s*:\s*"([A-Za-z0-9_.:-]{1,128})"')

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=INTEGER_MAX)]
_Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]
_Time = Annotated[datetime, msgspec.Meta(tz=True)]


class _Location(msgspec.Struct, frozen=True, omit_defaults=True):
    lat: Annotated[float, msgspec.Meta(ge=-90, le=90)]
    lon: Annotated[float, msgspec.Meta(ge=-180, le=180)]
    accuracy_m: Annotated[float, msgspec.Meta(ge=0, le=100_000)] | None = None
    at: _Time | None = None


class _Alarm(msgspec.Struct, frozen=True):
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    kind: _Name
    boot: _Name
    seq: _Count
    at: _Time
    test: bool = False
    attempt: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    confidence: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    location: _Location | None = None
    battery_percent: _Percent | None = None


class _Reading(msgspec.Struct, frozen=True):
    boot: _Name
    seq: _Count
    at: _Time
    kind: _Name
    value: Any = None
    sensor: _Name | None = None
    rate_hz: Annotated[float, msgspec.Meta(gt=0, le=1_000)] | None = None
    range_g: Annotated[float, msgspec.Meta(gt=0, le=64)] | None = None
    position: _Name | None = None
    samples: str | None = None


class _Status(msgspec.Struct, frozen=True):
    boot: _Name
    seq: _Count
    at: _Time
    battery_percent: _Percent | None = None
    mains: bool | None = None
    rssi_dbm: Annotated[float, msgspec.Meta(ge=-200, le=50)] | None = None
    faults: Annotated[list[_Name], msgspec.Meta(max_length=64)] = []
    firmware: Annotated[str, msgspec.Meta(max_length=128)] | None = None
    config: _Count | None = None


_INDISPENSABLE = ("id", "kind")
_LENIENT = {field.name: field.type for field in msgspec.structs.fields(_Alarm) if field.name not in _INDISPENSABLE}

_NUMBERS = {
    "heart_rate": (0.0, 350.0),
    "spo2": (0.0, 100.0),
    "temperature": (-60.0, 100.0),
    "body_temperature": (20.0, 50.0),
    "weight": (0.0, 500.0),
}
"""Kinds whose value is a number, and between what it must lie."""

_KINDS = frozenset({*_NUMBERS, "motion", "door", "bed", "blood_pressure", "location", "accel"})

_anything = msgspec.json.Decoder()
_alarm = msgspec.json.Decoder(_Alarm)
_reading = msgspec.json.Decoder(_Reading)
_readings = msgspec.json.Decoder(list[_Reading])
_status = msgspec.json.Decoder(_Status)


def decode(topic: str, payload: bytes, received_ms: int) -> Decoded:
    """What a device said. `received_ms` is the platform's time; the device's own stands in `at_ms` as it was sent."""
    device, channel = _speaker(topic)
    if not device:
        return Rejected(Reason.UNKNOWN_TOPIC, "no device may speak here")
    if channel not in _CHANNELS:
        return Rejected(Reason.UNKNOWN_TOPIC, f"nothing is expected on up/{channel}")
    try:
        check_size(payload)
        return _CHANNELS[channel](device, payload, received_ms)
    except Refused as refused:
        return Rejected(refused.reason, refused.detail, _legible_id(payload) if channel == "alarm" else None)


@functools.lru_cache(TOPICS_REMEMBERED)
def _speaker(topic: str) -> tuple[str, str]:
    """The device and its channel; two empty texts where no device may speak. Whoever speaks will speak again."""
    found = _TOPIC.fullmatch(topic)
    return (found[1], found[2]) if found is not None else ("", "")


def _readings_of(device: str, payload: bytes, received_ms: int) -> Decoded:
    if payload.startswith(b"{"):  # nearly always: one reading, and no list is made of it twice
        reading = _reading_of(device, parse(_reading, payload), received_ms)
        return [reading] if reading.kind in _KINDS else Remarked([reading], Remark.UNKNOWN_KIND, reading.kind)
    if payload.lstrip(b" \t\r\n")[:1] == b"[":
        # Counted on the bytes first: a list of a hundred thousand costs no memory.
        if payload.count(b"{") > 4 * LIST_READINGS_MAX:
            raise Refused(Reason.TOO_MANY, f"the most is {LIST_READINGS_MAX} readings in a list")
        items = parse(_readings, payload)
        if len(items) > LIST_READINGS_MAX:
            raise Refused(Reason.TOO_MANY, f"{len(items)} readings; the most is {LIST_READINGS_MAX}")
    else:
        items = [parse(_reading, payload)]
    taken = [_reading_of(device, item, received_ms) for item in items]
    for item in items:
        if item.kind not in _KINDS:
            return Remarked(taken, Remark.UNKNOWN_KIND, item.kind)
    return taken


def _reading_of(device: str, item: _Reading, received_ms: int) -> Reading:
    return Reading(
        device=device,
        boot=item.boot,
        seq=item.seq,
        at_ms=to_ms(item.at),
        received_ms=received_ms,
        kind=item.kind,
        value=_value(item),
        sensor=item.sensor,
    )


def _status_of(device: str, payload: bytes, received_ms: int) -> Decoded:
    status = parse(_status, payload)
    value: dict[str, Any] = {"faults": status.faults}
    for name in ("battery_percent", "mains", "rssi_dbm", "firmware", "config"):
        if (given := getattr(status, name)) is not None:
            value[name] = given
    return [
        Reading(
            device=device,
            boot=status.boot,
            seq=status.seq,
            at_ms=to_ms(status.at),
            received_ms=received_ms,
            kind="status",
            value=value,
        )
    ]


def _alarm_of(device: str, payload: bytes, received_ms: int) -> Decoded:
    left_out: list[str] = []
    try:
        alarm = parse(_alarm, payload)
        location = msgspec.to_builtins(alarm.location) if alarm.location else None
        fields = {name: getattr(alarm, name) for name in _LENIENT} | {"location": location}
        event_id, kind = alarm.id, alarm.kind
    except Refused as refused:
        if refused.reason not in (Reason.WRONG_TYPE, Reason.OUT_OF_RANGE, Reason.MISSING_FIELD):
            raise
        event_id, kind, fields, left_out = _what_is_legible(payload)
    at = fields.get("at")
    event = Event(
        device=device,
        id=event_id,
        boot=fields.get("boot") or "",
        seq=fields.get("seq") or 0,
        at_ms=to_ms(at) if at else received_ms,
        received_ms=received_ms,
        kind=kind,
        test=fields.get("test") or False,
        attempt=fields.get("attempt") or 1,
        device_at_ms=to_ms(at) if at else None,
        confidence=fields.get("confidence"),
        location=fields.get("location"),
        battery_percent=fields.get("battery_percent"),
    )
    if left_out:
        return Remarked(event, Remark.FIELD_LEFT_OUT, ", ".join(left_out))
    if kind not in RINGING and kind not in ANSWERS:
        return Remarked(event, Remark.UNKNOWN_KIND, kind)
    return event


def _what_is_legible(payload: bytes) -> tuple[str, str, dict[str, Any], list[str]]:
    """An alarm's id, its kind, whichever other fields are right, and the names of those that are not."""
    given = parse(_anything, payload)
    if not isinstance(given, dict):
        raise Refused(Reason.WRONG_TYPE, "expected an object")
    for name in _INDISPENSABLE:
        if name not in given:
            raise Refused(Reason.MISSING_FIELD, f"Object missing required field `{name}`")
        longest = 128 if name == "id" else 64
        if not isinstance(given[name], str):
            raise Refused(Reason.WRONG_TYPE, f"Expected `str` - at `$.{name}`")
        if not 1 <= len(given[name]) <= longest:
            raise Refused(Reason.OUT_OF_RANGE, f"Expected 1 to {longest} characters - at `$.{name}`")
    fields: dict[str, Any] = {}
    left_out = [name for name in ("boot", "seq", "at") if name not in given]
    for name, kind in _LENIENT.items():
        if name in given:
            try:
                fields[name] = msgspec.convert(given[name], kind)
            except msgspec.ValidationError:
                left_out.append(name)
    if isinstance(fields.get("location"), _Location):
        fields["location"] = msgspec.to_builtins(fields["location"])
    return given["id"], given["kind"], fields, left_out


_CHANNELS: dict[str, Callable[[str, bytes, int], Decoded]] = {
    "alarm": _alarm_of,
    "reading": _readings_of,
    "status": _status_of,
}


def _value(item: _Reading) -> Any:
    if item.kind == "accel":
        return _accel(item)
    value = item.value
    if item.kind in _NUMBERS:
        low, high = _NUMBERS[item.kind]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Refused(Reason.WRONG_TYPE, f"the value of {item.kind} is a number")
        if not low <= value <= high:
            raise Refused(Reason.OUT_OF_RANGE, f"the value of {item.kind} lies between {low:g} and {high:g}")
    elif not (value is None or value is True or value is False or type(value) is str):
        check_value(value)
    return value


def _accel(item: _Reading) -> dict[str, Any]:
    """The fields of an acceleration burst. `samples` stays base64: whoever needs numbers decodes it once."""
    if item.rate_hz is None or item.range_g is None or item.position is None or item.samples is None:
        raise Refused(Reason.MISSING_FIELD, "accel needs rate_hz, range_g, position and samples")
    try:
        size = len(binascii.a2b_base64(item.samples, strict_mode=True))
    except ValueError:  # binascii.Error, and text that is not ASCII
        raise Refused(Reason.WRONG_TYPE, "samples is not base64") from None
    if size == 0 or size % 6:
        raise Refused(Reason.OUT_OF_RANGE, "samples must be whole triples of int16")
    return {
        "rate_hz": item.rate_hz,
        "range_g": item.range_g,
        "position": item.position,
        "samples": item.samples,
    }


def _legible_id(payload: bytes) -> str | None:
    """The alarm's id for the answer, if it can be made out in what is otherwise refused."""
    found = _ID.search(payload[:4096])
    return found[1].decode() if found else None
