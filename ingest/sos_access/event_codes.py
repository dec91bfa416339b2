"""What an event code means. PURE.

The protocol leaves event codes to the operator; what panels send is mostly SIA (two letters, SIA DC-03) or Contact ID
(three digits, Ademco/SIA DC-05). A code that is in no table rings: somebody must look.
"""

import re
from enum import StrEnum
from typing import NamedTuple


class Matter(StrEnum):
    """What kind of thing a code speaks of."""

    RINGS = "rings"
    TEST = "test"
    """Somebody tries the alarm out by hand: it rings, marked as a test."""
    MAINS = "mains"
    BATTERY = "battery"
    FAULT = "fault"
    LIFE = "life"
    """A report that all is well, sent by itself."""


class Meaning(NamedTuple):
    """`name` is our kind of alarm, or our name of the fault; `holds` is False when it says that it is over."""

    matter: Matter
    name: str
    holds: bool
    known: bool = True


UNKNOWN = "unknown"

_RINGING = {
    "sos": "SOS PA HA MA QA PANIC MEDICAL EMERGENCY 100 101 120 121 122 123",
    "fall": "FALL",
    "smoke": "FA KA SA FIRE SMOKE 110 111 112 113 114 115 117 118",
    "gas": "GA GAS 151",
    "co": "CO 162",
    "water": "WA WATER 154",
}
_TECHNICAL = {
    (Matter.MAINS, "mains"): "AT 301",
    (Matter.BATTERY, "battery_low"): "YT YM 302 309 311",
    (Matter.FAULT, "sensor_battery"): "XT 338 384",
    (Matter.FAULT, "tamper"): "TA 137 144 145 383",
    (Matter.FAULT, "sensor_lost"): "BZ EM 380 381 382",
    (Matter.FAULT, "radio_jam"): "XQ 344",
    (Matter.FAULT, "link_lost"): "LT YC 350 351 352 354",
    (Matter.TEST, "sos"): "RX TEST 601",
    (Matter.LIFE, "life"): "RP OK 602",
}
_RESTORES = {
    "sos": "PR PH HR HH MR MH QR QH",
    "smoke": "FR FH KR KH SR SH",
    "gas": "GR GH",
    "water": "WR WH",
}
_TECHNICAL_RESTORES = {
    (Matter.MAINS, "mains"): "AR",
    (Matter.BATTERY, "battery_low"): "YR",
    (Matter.FAULT, "sensor_battery"): "XR",
    (Matter.FAULT, "tamper"): "TR",
    (Matter.FAULT, "sensor_lost"): "EN",
    (Matter.FAULT, "radio_jam"): "XH",
    (Matter.FAULT, "link_lost"): "LR YK",
}

TABLE: dict[str, Meaning] = {
    **{code: Meaning(Matter.RINGS, kind, True) for kind, codes in _RINGING.items() for code in codes.split()},
    **{code: Meaning(*matter, True) for matter, codes in _TECHNICAL.items() for code in codes.split()},
    **{code: Meaning(Matter.RINGS, kind, False) for kind, codes in _RESTORES.items() for code in codes.split()},
    **{code: Meaning(*matter, False) for matter, codes in _TECHNICAL_RESTORES.items() for code in codes.split()},
}

_CONTACT_ID = re.compile(r"([ER136])([0-9]{3})")
"""With its qualifier: E or 1 a new event, R or 3 its restore, 6 one that was told before and still holds."""


def meaning(event_code: str, *, restore: bool) -> Meaning:
    """What `event_code` says; `restore` when the telegram itself calls it one (alarm type RE)."""
    code = event_code.strip().upper()
    if found := _CONTACT_ID.fullmatch(code):
        restore |= found[1] in "R3"
        code = found[2]
    given = TABLE.get(code)
    if given is None:
        return Meaning(Matter.RINGS, UNKNOWN, not restore, known=False)
    return given._replace(holds=False) if restore else given
