"""Which codec understands what a gateway says, and what an alarm was that does not say it itself. PURE."""

import re
from collections.abc import Callable

import msgspec

from ingest.codecs import GatewayCodec, Heard, Reason, Rejected, chirpstack, zigbee2mqtt

FAMILIES: dict[str, GatewayCodec] = {
    "chirpstack": chirpstack.decode,
    "zigbee2mqtt": zigbee2mqtt.decode,
}

ALARM_OF = {
    "button": "sos",
    "pendant": "sos",
    "watch": "sos",
    "smoke": "smoke",
    "gas": "gas",
    "co": "co",
    "water": "water",
}
"""Kind of device in the register → what its unnamed alarm is. Of any other kind it is none: a dimmer is pressed too."""

_TOPIC = re.compile(r"gw/([A-Za-z0-9_-]{1,64})/([^/]{1,64})/(.+)", re.DOTALL)


def decode(topic: str, payload: bytes, received_ms: int) -> Heard | Rejected:
    """What a gateway said below `gw/{gateway}/{family}/`. Raises nothing, whatever the bytes are."""
    found = _TOPIC.fullmatch(topic)
    if found is None:
        return Rejected(Reason.UNKNOWN_TOPIC, "a gateway speaks below gw/{gateway}/{family}/")
    gateway, family, rest = found.groups()
    codec = FAMILIES.get(family)
    if codec is None:
        return Rejected(Reason.UNKNOWN_FAMILY, f"there are {', '.join(FAMILIES)}")
    return codec(gateway, rest, payload, received_ms)


def named(heard: Heard, kind_of: Callable[[str], str | None]) -> Heard:
    """With the unnamed alarms that are any. `kind_of` gives the register's kind of the device at an address."""
    if not heard.unnamed:
        return heard
    alarms = [
        msgspec.structs.replace(event, kind=kind)
        for event in heard.unnamed
        if (kind := ALARM_OF.get(kind_of(event.device) or "")) is not None
    ]
    return heard._replace(events=[*heard.events, *alarms], unnamed=())
