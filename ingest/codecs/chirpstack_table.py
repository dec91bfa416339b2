"""What the vendors' own payload decoders put into ChirpStack's `object`, and what it is to us. PURE.

A new model is a row here. A field within another is written with a dot. Sources, read in 2026: for Milesight
`Milesight-IoT/SensorDecoders`, for Dragino, Abeeway, Browan and SenseCAP (Seeed) their folders in
`TheThingsNetwork/lorawan-devices`; a model's name stands where only it says so.
"""

from collections.abc import Mapping
from typing import Any

from ingest.codecs.table import FLAG, Row, words

_TRUE: Mapping[Any, Any] = {**FLAG, "TRUE": True, "FALSE": False, "True": True, "False": False}
_ONE: Mapping[float, Any] = {1: True, 0: False}
_OPEN: Mapping[float, Any] = {1: "open", 0: "closed"}
_DOOR: Mapping[Any, Any] = {"open": "open", "close": "closed", "closed": "closed", "OPEN": "open", "CLOSE": "closed"}
_MODE = Row("sos", _TRUE, "sos", numbers=_ONE)
"""A device that stays in its alarm until somebody ends it."""
_PRESS = Row("sos", _TRUE, "sos", press=True, numbers=_ONE)
_TEMPERATURE = Row("temperature", (-60, 100))
_HUMIDITY = Row("humidity", (0, 100))
_MOVING = words("vibration", "start", "moving", "MOVING", "MOVE", "Move")

FIELDS: Mapping[str, tuple[Row, ...]] = {
    # Milesight
    "button_event.status": (  # WS101
        Row("button", {f"{how} press": True for how in ("short", "long", "double")}, "", press=True),
    ),
    "press": (Row("button", {"short": True, "long": True, "double": True}, "", press=True),),  # WS101, older decoder
    "magnet_status": (Row("door", _DOOR),),  # WS301
    "leakage_status": (words("water", "leak", rings="water"),),  # EM300-SLD, EM300-ZLD
    "pir": (words("motion", "trigger"),),  # WS202
    "motion_status": (_MOVING,),  # AT101
    "temperature": (_TEMPERATURE,),
    "humidity": (_HUMIDITY,),
    # Dragino
    "Alarm": (_PRESS,),  # PB01-L: each press is a message of its own
    "ALARM_status": (_MODE,),  # TrackerD
    "DOOR_OPEN_STATUS": (Row("door", _DOOR, numbers=_OPEN),),  # LDS02, LWL02
    "WATER_LEAK_STATUS": (Row("water", _TRUE, "water", numbers=_ONE),),
    "Transport": (_MOVING,),  # TrackerD
    "TempC_SHT": (_TEMPERATURE,),  # LHT65
    "Hum_SHT": (_HUMIDITY,),
    "TempC_SHT41": (_TEMPERATURE,),  # PB01-L
    "Hum_SHT41": (_HUMIDITY,),
    # Abeeway
    "sosFlag": (_MODE,),
    "dynamicMotionState": (_MOVING,),
    # Browan
    "ButtonTrigger": (_PRESS,),  # object locator
    "MovingMode": (Row("vibration", {}, numbers=_ONE),),
    # SenseCAP T1000: measurements and events by their number
    "event.7": (_PRESS,),
    "event.8": (Row("button", _TRUE, "", press=True),),
    "measurement.4097": (_TEMPERATURE,),
}

BROWAN_STATUS: Mapping[int, tuple[Row, ...]] = {
    100: (Row("door", {}, numbers=_OPEN),),  # TBDW100
    102: (Row("motion", {}, numbers=_ONE),),  # TBMS100
    106: (Row("water", {}, "water", numbers=_ONE),),  # TBWL100
}
"""What `status` means in an object that also has `temperatureBoard`, by the port on which it came."""
BROWAN_MARK = "temperatureBoard"

STATUS: Mapping[str, Row] = {
    "battery": Row("battery_percent", (0, 100)),
    "measurement.3000": Row("battery_percent", (0, 100)),
}
"""Not Browan's `battery`, which is volts."""

FAULTS: Mapping[str, Mapping[str, bool]] = {
    "tamper_status": {"install": False, "installed": False, "uninstall": True, "uninstalled": True},
}
"""Of which of its texts the device is taken off its place: the fault `tamper`."""

PLACES: tuple[tuple[str, str, str | None], ...] = (
    ("latitude", "longitude", None),
    ("Latitude", "Longitude", None),
    ("Latitude", "Longitud", None),  # TrackerD's own spelling
    ("gpsLatitude", "gpsLongitude", "horizontalAccuracy"),
    ("Lat", "Long", "PositionEstimate"),
    ("measurement.4198", "measurement.4197", None),
)
"""Latitude, longitude (WGS-84) and, where it is told, the accuracy in metres."""
