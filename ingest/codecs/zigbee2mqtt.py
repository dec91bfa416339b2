"""zigbee2mqtt below `gw/{gateway}/zigbee2mqtt/` (docs/families.md): each device's state, a JSON object. PURE.

The state is repeated whole with every message, so an alarm that holds is a level, and a press is an `action`. What a
device exposes is looked up in `zigbee2mqtt_table.py`; whatever is not there is left alone. Of what is there a value
that is none is left out and remarked upon, and the rest is taken: no nonsense about a battery silences its button.
"""

import re
from datetime import datetime
from typing import Any

import msgspec

from ingest.codecs import Heard, Reason, Rejected
from ingest.codecs.gathering import Gathering
from ingest.codecs.strict import Refused, check_size, parse
from ingest.codecs.table import Row
from ingest.codecs.zigbee2mqtt_table import FAULTS, NO_PRESS_WORDS, PROPERTIES, SOS_WORDS, STATUS
from pingan.times import to_ms

FAMILY = "zigbee2mqtt"
NAME_CHARACTERS_MAX = 256
ACTION_CHARACTERS_MAX = 64
SEEN_BEFORE_MS_MAX = 86_400_000
"""`last_seen` is believed so far back; what comes later was told before, or the gateway's clock is wrong."""

_PART = re.compile(r"[a-z]{0,2}\d{1,2}|zones|left|right|top|bottom|center")
_WORD = re.compile(r"[^a-z0-9]+")
_COMMANDS = ("/set", "/get")

_anything = msgspec.json.Decoder()


def decode(gateway: str, rest: str, payload: bytes, received_ms: int) -> Heard | Rejected:
    """What one message of zigbee2mqtt says. The gateway's own `bridge/…` is only heard for whether it is there."""
    if rest.startswith("bridge/"):
        said = rest == "bridge/state" and payload
        return _available(gateway, payload, received_ms) if said else Heard([], [])
    name, _, last = rest.rpartition("/")
    of = name if name and last == "availability" else rest
    if not 1 <= len(of) <= NAME_CHARACTERS_MAX or "\0" in of:
        return Rejected(Reason.UNKNOWN_TOPIC, f"a name has 1 to {NAME_CHARACTERS_MAX} characters")
    if not payload or rest.endswith(_COMMANDS):
        # A device that was removed or renamed, or an order to one: neither is a device's word.
        return Heard([], [])
    device = f"{gateway}/{of}"
    if of is name:
        return _available(device, payload, received_ms)
    try:
        check_size(payload)
        state = parse(_anything, payload)
    except Refused as refused:
        return Rejected(refused.reason, refused.detail)
    if not isinstance(state, dict):
        return Rejected(Reason.WRONG_TYPE, "a device's state is an object: advanced.output must be json")
    return _heard(device, state, received_ms)


def _available(device: str, payload: bytes, received_ms: int) -> Heard | Rejected:
    """`{"state":"online"}`, or from older gateways the bare word."""
    try:
        check_size(payload)
        said: Any = payload.decode(errors="replace").strip()
        if said not in ("online", "offline"):
            state = parse(_anything, payload)
            said = state.get("state") if isinstance(state, dict) else None
    except Refused as refused:
        return Rejected(refused.reason, refused.detail)
    if said not in ("online", "offline"):
        return Rejected(Reason.WRONG_TYPE, "expected online or offline")
    said_ms = received_ms
    gathering = Gathering(device, FAMILY, said_ms=said_ms, said=str(said_ms), at_ms=said_ms, received_ms=said_ms)
    gathering.add("availability", said == "online")
    return gathering.heard()


def _heard(device: str, state: dict[str, Any], received_ms: int) -> Heard:
    at_ms = _seen_ms(state.get("last_seen"), received_ms)
    gathering = Gathering(
        device, FAMILY, said_ms=received_ms, said=str(received_ms), at_ms=at_ms, received_ms=received_ms
    )
    gathering.test = state.get("test") is True
    # None: the gateway has not heard of it since it started.
    told = {field: value for field, value in state.items() if value is not None}
    _hear_status(gathering, told)
    _hear_action(gathering, told.get("action", ""))
    for field, value in told.items():
        rows, part = _rows(field)
        if rows:
            gathering.hear(field, rows, value, part)
    return gathering.heard()


def _hear_status(gathering: Gathering, told: dict[str, Any]) -> None:
    for field, row in STATUS.items():
        if field in told:
            gathering.hear_status(field, row, told[field])
    telling = [field for field in FAULTS if type(told.get(field)) is bool]
    if telling:
        gathering.status["faults"] = sorted({FAULTS[field] for field in telling if told[field]})


def _hear_action(gathering: Gathering, action: Any) -> None:
    if action == "":  # older gateways take every action back
        return
    if not isinstance(action, str) or len(action) > ACTION_CHARACTERS_MAX:
        gathering.leave_out("action")
        return
    words = {*_WORD.split(action.lower())}
    if words & SOS_WORDS:
        gathering.alarm("sos")
    elif not words & NO_PRESS_WORDS:
        gathering.alarm("")
    gathering.add("button", action)


def _rows(field: str) -> tuple[tuple[Row, ...], str | None]:
    """The rows of a field, and which part of the device it is of: `contact_2`, `water_leak_zone_1`."""
    if (rows := PROPERTIES.get(field)) is not None:
        return rows, None
    first, *words = field.split("_")
    if words and _PART.fullmatch(words[-1]):
        for length in (1, 2):
            name = "_".join([first, *words[:-length]])
            if length <= len(words) and (rows := PROPERTIES.get(name)) is not None:
                return rows, "_".join(words[-length:])
    return (), None


def _seen_ms(seen: Any, received_ms: int) -> int:
    """When the device spoke, if the gateway says so in one of its formats and it can be."""
    at_ms: int | None = None
    if isinstance(seen, int) and not isinstance(seen, bool):
        at_ms = seen
    elif isinstance(seen, str):
        try:
            at = datetime.fromisoformat(seen)
            at_ms = to_ms(at) if at.tzinfo is not None else None
        except (ValueError, OverflowError):
            return received_ms
    return at_ms if at_ms is not None and 0 <= received_ms - at_ms <= SEEN_BEFORE_MS_MAX else received_ms
