"""What zigbee2mqtt's devices expose, and what it is to us. PURE. A new model is a row here, not code.

The names and values are those of zigbee-herdsman-converters (MIT), which describes every model that zigbee2mqtt knows;
`tests/frames/zigbee2mqtt` holds frames of all that expose any of these.
"""

from collections.abc import Mapping
from typing import Any

from ingest.codecs.table import FLAG, STRICT_FLAG, Row, words

CLOSED: Mapping[Any, Any] = {True: "closed", False: "open", "ON": "closed", "OFF": "open"}
"""A contact that is made is a door that is shut."""

_SMOKE = Row("smoke", FLAG, "smoke")
_GAS = Row("gas", FLAG, "gas")
_CO = Row("co", FLAG, "co")
_WATER = Row("water", FLAG, "water")
_SOS = Row("sos", FLAG, "sos", press=True)
_ALARM = Row("alarm", STRICT_FLAG, "")
_LEAK = Row("water", {"Leak": True, "Dry": False}, "water")
_MOTION = Row("motion", FLAG)
_OCCUPANCY = Row("occupancy", FLAG)
_DOOR = {"open": "open", "opened": "open", "tilted": "open", "closed": "closed", "close": "closed"}

PROPERTIES: Mapping[str, tuple[Row, ...]] = {
    # Alarms
    "sos": (_SOS,),
    "sos_alarm": (_SOS,),
    "fall_down_status": (words("fall", "fall", rings="fall", doubtful=("maybe_fall",)),),
    "fall_status": (words("fall", "fall_alarm", rings="fall", doubtful=("fall_warning",)),),
    "smoke": (_SMOKE,),
    "smoke_alarm": (_SMOKE,),
    "smoke_state": (words("smoke", "alarm", rings="smoke"),),
    "heat": (_SMOKE,),
    "link_available": (  # what another detector says by the wire between them
        words("smoke", "smoke_active", "heat_active", rings="smoke"),
        words("co", "co_active", rings="co"),
        words("gas", "gas_active", rings="gas"),
    ),
    "halo_alert_state": (
        words("smoke", "smoke", "interconnect_smoke", rings="smoke", doubtful=("pre_smoke",)),
        words("co", "carbon_monoxide", "interconnect_carbon_monoxide", rings="co"),
    ),
    "gas": (_GAS, Row("gas_level", (0, 1e12))),
    "gas_alarm": (_GAS,),
    "gas_sensor_state": (words("gas", "alarm", rings="gas"),),
    "carbon_monoxide": (_CO,),
    "carbon_monoxide_alarm": (_CO,),
    "co_state": (words("co", "alarm", rings="co"),),
    "water_leak": (_WATER,),
    "water_leak_alarm": (_WATER,),
    "active_water_leak": (_WATER,),
    "water": (_WATER,),
    "water_sensor": (_WATER,),
    "water_leakage_state": (words("water", "water_leakage_yes", rings="water"),),
    **{f"{name}_{number}_leak_detect": (_LEAK,) for name in ("input", "channel") for number in range(1, 11)},
    # Alarms of a sensor of any kind
    "alarm": (_ALARM,),
    "alarm_state": (words("alarm", "alarmed", "critical_alarm", "warning_alarm", rings=""),),
    "alarm_status": (words("alarm", "alarm", rings=""),),
    # Movements
    "occupancy": (_MOTION,),
    "occupancy_or": (_MOTION,),
    "motion_status": (_MOTION,),
    "motion_state": (words("motion", "large", "small", "medium", "far", "near"),),
    "human_motion_state": (words("motion", "motion", "active", "large", "small"),),
    "occupancy_status": (_OCCUPANCY,),
    "presence": (_OCCUPANCY,),
    "presence_state": (
        words(
            "occupancy",
            *("presence", "PRESENCE", "peaceful", "small_movement", "large_movement", "motion", "stationary"),
        ),
    ),
    "movement": (words("motion", "movement"),),
    "contact": (Row("door", CLOSED),),
    "contact_alarm": (Row("door", {True: "open", False: "closed"}),),
    "door_state": (Row("door", {**_DOOR, "error_forced_open": "open", "error_jammed": "open"}),),
    "opening_state": (Row("door", _DOOR),),
    "handle_position": (Row("door", _DOOR),),
    "vibration": (Row("vibration", STRICT_FLAG),),
    "tilt": (Row("vibration", STRICT_FLAG),),
    "pressure": (Row("bed", STRICT_FLAG), Row("air_pressure", (0, 2_000))),
    "pressure_state": (words("bed", "sit", "sedentary"),),
    # Measurements
    "temperature": (Row("temperature", (-60, 100)),),
    "humidity": (Row("humidity", (0, 100)),),
    "illuminance": (Row("illuminance", (0, 1e6)),),
    "co": (Row("co_level", (0, 1e6)),),
    "co2": (Row("co2", (0, 1e6)),),
    "breathing_rate": (Row("breathing_rate", (0, 200)),),
}
"""Exposed property → what it becomes; the first row that fits a value is meant (`gas` is also the name of a meter)."""


BATTERY_WORDS: Mapping[Any, Any] = {"low": True, "middle": False, "medium": False, "high": False}

STATUS: Mapping[str, Row] = {
    "battery": Row("battery_percent", (0, 100)),
    "battery_low": Row("battery_low", {**FLAG, "Low": True, "Normal": False}),
    "battery_state": Row("battery_low", BATTERY_WORDS),
    "battery_level": Row("battery_low", BATTERY_WORDS),
    "linkquality": Row("linkquality", (0, 255)),
    "voltage": Row("voltage", (0, 1e6)),
    "mains_power_connected": Row("mains", STRICT_FLAG),
}
"""What becomes one reading of the kind `status`; the voltage as it comes: a battery's in mV, a socket's in V."""

FAULTS: Mapping[str, str] = {"tamper": "tamper", "fault": "fault", "trouble": "fault"}
"""What, while it is true, stands in the status' list of faults."""

SOS_WORDS = frozenset({"sos", "emergency", "panic"})
"""An `action` with one of these among its words is a press for help, whatever sends it."""

NO_PRESS_WORDS = frozenset({"release", "released", "stop", "stopped", "arm", "disarm", "exit", "identify", "unknown"})
"""An `action` with one of these is no press at all. Any other one is, if the register says that this is a button."""
