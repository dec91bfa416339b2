"""ChirpStack v4 below `gw/{gateway}/chirpstack/` (docs/families.md): its MQTT integration's events, in JSON. PURE.

A device's bytes are taken apart in ChirpStack, by the vendor's own decoder; here its `object` is read by
`chirpstack_table.py`. A message is named by its `deduplicationId` and its time, so that one that comes twice is one.
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from ingest.codecs import Heard, Reason, Rejected, Remark
from ingest.codecs.chirpstack_table import BROWAN_MARK, BROWAN_STATUS, FAULTS, FIELDS, PLACES, STATUS
from ingest.codecs.gathering import Gathering
from ingest.codecs.strict import Refused, check_size, parse
from ingest.codecs.table import Row, read
from pingan.times import to_ms

FAMILY = "chirpstack"
NAMED_CHARACTERS_MAX = 64
OBJECT_DEPTH_MAX = 3
AHEAD_MS_MAX = 86_400_000
FIELDS_SHOWN_MAX = 8

_TOPIC = re.compile(r"application/[^/]{1,64}/device/([0-9A-Fa-f]{16})/(event|command)/([a-z]{1,32})")
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,15})?")
_ACCURACY_METRES = Row("accuracy", (0, 100_000))
_RSSI = Row("rssi_dbm", (-200, 50))
_SNR = Row("snr_db", (-100, 100))
_BATTERY = Row("battery_percent", (0, 100))

_EVENT_NUMBER = Row("event", (0, 1_000))
_KNOWN = {*FIELDS, *STATUS, *FAULTS, BROWAN_MARK, *(north for north, _, _ in PLACES)}

_anything = msgspec.json.Decoder()


def decode(gateway: str, rest: str, payload: bytes, received_ms: int) -> Heard | Rejected:
    """What one event of ChirpStack says. Joins, acknowledgements and orders to devices say nothing to us."""
    found = _TOPIC.fullmatch(rest)
    if found is None:
        return Rejected(Reason.UNKNOWN_TOPIC, "expected application/{id}/device/{devEUI}/event/{event}")
    dev_eui, channel, event = found.groups()
    hear = _EVENTS.get(event) if channel == "event" else None
    if hear is None:
        return Heard([], [])
    try:
        check_size(payload)
        said = parse(_anything, payload)
    except Refused as refused:
        return Rejected(refused.reason, refused.detail)
    if not isinstance(said, dict):
        return Rejected(Reason.WRONG_TYPE, "an event is an object: the integration must write JSON")
    at_ms = _at_ms(said.get("time"), received_ms)
    gathering = Gathering(
        f"{gateway}/{dev_eui.lower()}",
        FAMILY,
        said_ms=received_ms if at_ms is None else at_ms,
        said=_name(said, received_ms),
        at_ms=received_ms if at_ms is None else at_ms,
        received_ms=received_ms,
    )
    if at_ms is None and "time" in said:
        gathering.leave_out("time")
    hear(gathering, said)
    return gathering.heard()


def _hear_uplink(gathering: Gathering, said: dict[str, Any]) -> None:
    _hear_radio(gathering, said.get("rxInfo"))
    decoded = said.get("object")
    fields = dict(_fields(decoded)) if isinstance(decoded, dict) else {}
    if not fields:
        # Without it a pendant's press is bytes that nobody here can read: whoever set it up must be told.
        if said.get("data"):
            gathering.remark(Remark.UNKNOWN_KIND, "no object: the device profile has no payload decoder")
        return
    _hear_place(gathering, fields)
    _hear_status(gathering, fields)
    for field, value in fields.items():
        if rows := FIELDS.get(field):
            gathering.hear(field, rows, value)
    port = said.get("fPort")
    if BROWAN_MARK in fields and "status" in fields and isinstance(port, int) and (rows := BROWAN_STATUS.get(port)):
        gathering.hear("status", rows, fields["status"])
    if fields.keys().isdisjoint(_KNOWN):
        gathering.remark(Remark.UNKNOWN_KIND, ", ".join(sorted(fields)[:FIELDS_SHOWN_MAX]))


def _hear_radio(gathering: Gathering, heard_by: Any) -> None:
    """The best of the gateways that heard it."""
    best: dict[str, float] = {}
    for one in heard_by if isinstance(heard_by, list) else []:
        rssi = read(_RSSI, one.get("rssi")) if isinstance(one, dict) else None
        if rssi is not None and rssi > best.get("rssi_dbm", -1_000):
            snr = read(_SNR, one.get("snr"))
            best = {"rssi_dbm": rssi} | ({} if snr is None else {"snr_db": snr})
    gathering.status.update(best)


def _hear_place(gathering: Gathering, fields: dict[str, Any]) -> None:
    for north, east, accuracy in PLACES:
        if north in fields and east in fields:
            place = _place(fields[north], fields[east], fields.get(accuracy or ""))
            # Trackers without a fix say 0, 0; that is a buoy in the Atlantic.
            if place is None:
                gathering.leave_out(north)
            elif place["lat"] or place["lon"]:
                gathering.location = place
            return


def _place(north: Any, east: Any, accuracy: Any) -> dict[str, float] | None:
    lat, lon = read(Row("lat", (-90, 90)), north), read(Row("lon", (-180, 180)), east)
    if lat is None or lon is None:
        return None
    accuracy_m = read(_ACCURACY_METRES, accuracy)
    return {"lat": lat, "lon": lon} | ({} if accuracy_m is None else {"accuracy_m": accuracy_m})


def _hear_status(gathering: Gathering, fields: dict[str, Any]) -> None:
    if BROWAN_MARK not in fields:
        for field, row in STATUS.items():
            if field in fields:
                gathering.hear_status(field, row, fields[field])
    for field, texts in FAULTS.items():
        if (taken_off := texts.get(fields.get(field, ""))) is not None:
            gathering.status["faults"] = ["tamper"] if taken_off else []


def _hear_device_status(gathering: Gathering, said: dict[str, Any]) -> None:
    if said.get("externalPowerSource") is True:
        gathering.status["mains"] = True
    elif said.get("batteryLevelUnavailable") is not True and said.get("batteryLevel") is not None:
        gathering.hear_status("batteryLevel", _BATTERY, said["batteryLevel"])


def _hear_location(gathering: Gathering, said: dict[str, Any]) -> None:
    """Where ChirpStack's own resolver thinks that it is."""
    given = said.get("location")
    place = (
        _place(given.get("latitude"), given.get("longitude"), given.get("accuracy")) if type(given) is dict else None
    )
    if place is None:
        gathering.leave_out("location")
    gathering.location = place


def _hear_log(gathering: Gathering, said: dict[str, Any]) -> None:
    """A decoder that failed: what the device said is lost but for this."""
    if said.get("level") == "ERROR" and said.get("code") == "UPLINK_CODEC":
        gathering.remark(Remark.FIELD_LEFT_OUT, f"ChirpStack could not decode: {str(said.get('description'))[:200]}")


_EVENTS: dict[str, Callable[[Gathering, dict[str, Any]], None]] = {
    "up": _hear_uplink,
    "status": _hear_device_status,
    "location": _hear_location,
    "log": _hear_log,
}


def _fields(decoded: dict[str, Any], before: str = "", depth: int = OBJECT_DEPTH_MAX) -> Iterator[tuple[str, Any]]:
    """The object's fields, flat, numbers in texts as numbers, and SenseCAP's list of measurements by number."""
    for name, value in decoded.items():
        if isinstance(value, dict):
            if depth:
                yield from _fields(value, f"{before}{name}.", depth - 1)
        elif name == "messages" and not before and isinstance(value, list):
            yield from _measurements(value)
        elif value is not None and not isinstance(value, list):
            yield f"{before}{name}", _as_number(value)


def _measurements(messages: list[Any]) -> Iterator[tuple[str, Any]]:
    for message in messages:
        for one in message if isinstance(message, list) else []:
            value = one.get("measurementValue") if isinstance(one, dict) else None
            if isinstance(value, list):
                numbers = [read(_EVENT_NUMBER, event.get("id")) for event in value if isinstance(event, dict)]
                yield from ((f"event.{number:g}", True) for number in numbers if number is not None)
            elif value is not None:
                yield f"measurement.{one.get('measurementId')}", _as_number(value)


def _as_number(value: Any) -> Any:
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


def _at_ms(time: Any, received_ms: int) -> int | None:
    """When the network server had it; None if it says none that can be."""
    try:
        at = datetime.fromisoformat(time)
        at_ms = to_ms(at) if at.tzinfo is not None else -1
    except (TypeError, ValueError, OverflowError):
        return None
    return at_ms if 0 <= at_ms <= received_ms + AHEAD_MS_MAX else None


def _name(said: dict[str, Any], received_ms: int) -> str:
    """What this message is called, for ever."""
    for name in (said.get("deduplicationId"), said.get("time")):
        if isinstance(name, str) and 1 <= len(name) <= NAMED_CHARACTERS_MAX:
            return name
    return str(received_ms)
