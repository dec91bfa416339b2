"""What is dangerous in the home itself: smoke, gas, carbon monoxide, water, heat and cold. PURE.

A sensor that *says* so ("smoke": true) is believed at once. As a rule it also reports an alarm, which has rung by the
urgent lane before this is heard of; so a reading waits for two ticks and is silent if that alarm is known. What a
sensor only *measures* is judged here: by limits that standards and health authorities name.
"""

from math import isfinite
from typing import Any, ClassVar, NamedTuple, Self

import msgspec

from alerting.detectors import HOUR_MS, Finding, Heard, Now, beyond, reading_id, sooner
from alerting.detectors.beyond import MINUTE_MS, Track
from pingan.messages import WITHDRAWN, Event, HomeSettings, Limit, Reading

SAID = frozenset({"smoke", "gas", "co", "water"})
"""Kinds of reading that are true while the danger is there; an alarm of the same name reports it."""
ALARM_WAIT_MS = 2_000
"""So long (heard) the alarm of a sensor is waited for. It comes by a lane of its own, and is there in milliseconds."""
ALARM_KNOWN_MS = HOUR_MS
"""A sensor's alarm is known for so long after it was last repeated: as ingest takes what is repeated for told."""

HOME_HEAT = "home_heat"
HOME_COLD = "home_cold"
CLEARED = "cleared"
SAID_RULE = "sensor_says"

ROOM = (12.0, 32.0)
"""A sensor that was never within is in no room: it hangs in a fridge, or out of doors in winter."""
PERSONAL_DEVICES = frozenset({"watch", "pendant", "tracker", "button"})
"""What a person wears measures the person."""
POWER_ON_C = 85.0
"""What a common thermometer (DS18B20) says until it has measured anything."""
ROOM_TEMPERATURE = "room_temperature"
"""The kind under which somebody may set other limits for a home."""


class Level(NamedTuple):
    """A limit of what a sensor measures."""

    kind: str
    rule: str
    reading: str
    unit: str
    limit: float
    side: int
    believed: beyond.Rule


_SOON = beyond.Rule(least=2, alone_ms=3 * MINUTE_MS)
LEVELS = (
    Level("co", "co_300_ppm", "co_level", "ppm", 300, 1, beyond.Rule(least=1)),
    Level("co", "co_100_ppm", "co_level", "ppm", 100, 1, beyond.Rule(least=2, hold_ms=10 * MINUTE_MS)),
    Level("co", "co_50_ppm", "co_level", "ppm", 50, 1, beyond.Rule(least=2, hold_ms=60 * MINUTE_MS)),
    Level("co", "co_30_ppm", "co_level", "ppm", 30, 1, beyond.Rule(least=2, hold_ms=120 * MINUTE_MS)),
    Level("gas", "gas_20_percent_lel", "gas_level", "percent of the lower explosive limit", 20, 1, _SOON),
    Level("smoke", "room_57_degrees", "temperature", "°C", 57, 1, _SOON),
    Level(HOME_HEAT, "room_hot", "temperature", "°C", 35, 1,
          beyond.Rule(least=2, hold_ms=2 * HOUR_MS, gap_ms=2 * HOUR_MS, over_ms=HOUR_MS)),
    Level(HOME_COLD, "room_cold", "temperature", "°C", 9, -1,
          beyond.Rule(least=2, hold_ms=2 * HOUR_MS, gap_ms=2 * HOUR_MS, over_ms=HOUR_MS)),
)  # fmt: skip
"""CO: EN 50291-1 (a detector alarms at 30 ppm after 120 min, at 50 ppm within 60 to 90, at 100 ppm within 10 to 40, at
300 ppm within 3). Gas: EN 50194-1 (at 20 % of the lower explosive limit at the latest). 57 °C: where common fixed heat
detectors answer (EN 54-5, class A1: 54 to 65). 35 °C: the skin's own temperature, above which
a body cools by sweat alone; WHO has rooms below 32 °C by day. 9 °C: in it an old body cools down within two hours or
more (K. J. Collins, Age and Ageing 1986). WHO's 18 °C is
the least for health, and a winter in Guangdong without heating is below it for weeks: drift notes it for the visit."""
GAS_PERCENT_MAX = 100.0
"""What ever measured more measures in another unit, and is not judged."""
KINDS = SAID | {level.reading for level in LEVELS}
SENSORS_MAX = 32


class Said(msgspec.Struct, array_like=True):
    """What a sensor says of a danger."""

    newest: tuple[int, str, int] = (0, "", -1)
    holds: bool = False
    first: tuple[str, int] | None = None
    """Boot and seq of the reading with which it began."""
    since_ms: int = 0
    heard: int = 0
    """heard_ms when it was first heard of."""
    alarm: int | None = None
    """heard_ms when its alarm was last known."""
    told: str = ""
    over_ms: int | None = None
    """When the last one that is over began."""


class Sensor(msgspec.Struct, array_like=True):
    """What a sensor measures."""

    tracks: dict[str, Track] = {}
    """By rule."""
    room: bool = False
    judged: bool = True


class State(msgspec.Struct, array_like=True):
    said: dict[str, Said] = {}
    sensors: dict[str, Sensor] = {}
    deadline: int | None = None
    limit: Limit | None = None
    personal: tuple[str, ...] = ()


class Hazards:
    """One home's dangers that no person is the cause of."""

    name: ClassVar[str] = "hazards"
    version: ClassVar[int] = 1
    kinds: ClassVar[frozenset[str]] = KINDS

    def __init__(self, state: State | None = None) -> None:
        self._state = state or State()

    @property
    def deadline(self) -> int | None:
        return self._state.deadline

    def on_settings(self, settings: HomeSettings, now: Now) -> None:
        state = self._state
        mine = {device.id for device in settings.devices}
        state.said = {key: said for key, said in state.said.items() if key.rpartition(":")[0] in mine}
        state.sensors = {key: sensor for key, sensor in state.sensors.items() if key.split("#")[0] in mine}
        limit = next((limit for limit in settings.limits if limit.kind == ROOM_TEMPERATURE), None)
        if limit != state.limit:
            for sensor in state.sensors.values():
                sensor.tracks.pop("room_hot", None)
                sensor.tracks.pop("room_cold", None)
        state.limit = limit
        state.personal = tuple(device.id for device in settings.devices if device.kind in PERSONAL_DEVICES)

    def on_reading(self, heard: Heard, now: Now) -> tuple[()]:
        if heard.kind in SAID:
            self._on_said(heard, now)
        elif heard.kind in KINDS and type(heard) is Reading:
            self._on_measured(heard, now)
        return ()

    def _on_said(self, heard: Heard, now: Now) -> None:
        state, key = self._state, f"{heard.device}:{heard.kind}"
        said = state.said.get(key)
        if said is None:
            if len(state.said) >= SENSORS_MAX:
                return
            said = state.said[key] = Said()
        if type(heard) is Event:
            said.alarm = now.heard_ms
            return
        assert type(heard) is Reading, "there are no others"
        if type(heard.value) is not bool:
            return
        name = (heard.at_ms, heard.boot, heard.seq)
        if (
            heard.value
            and said.first is None
            and not (name < said.newest and said.over_ms is not None and heard.at_ms >= said.over_ms - beyond.LATE_MS)
        ):
            # Also one that comes late, and after it is over, unless it belongs to what has been told.
            said.first, said.since_ms, said.heard = (heard.boot, heard.seq), heard.at_ms, now.heard_ms
        elif heard.value and said.first is not None and not said.told and heard.at_ms < said.since_ms:
            said.first, said.since_ms = (heard.boot, heard.seq), heard.at_ms
        if name > said.newest:
            said.newest, said.holds = name, heard.value
        if said.alarm is not None and heard.value and now.heard_ms - said.alarm < ALARM_KNOWN_MS:
            said.alarm = now.heard_ms
        if said.first is not None:
            state.deadline = sooner(state.deadline, now.heard_ms)

    def _on_measured(self, heard: Reading, now: Now) -> None:
        value = heard.value
        if not isinstance(value, int | float) or type(value) is bool or not isfinite(value):
            return
        state, key = self._state, f"{heard.device}#{heard.sensor or ''}#{heard.kind}"
        if heard.kind == "temperature" and (heard.device in state.personal or value == POWER_ON_C):
            return
        sensor = state.sensors.get(key)
        if sensor is None:
            if len(state.sensors) >= SENSORS_MAX:
                return
            sensor = state.sensors[key] = Sensor()
        if heard.kind == "gas_level" and value > GAS_PERCENT_MAX:
            sensor.judged, sensor.tracks = False, {}
        if heard.kind == "temperature" and ROOM[0] <= value <= ROOM[1]:
            sensor.room = True
        if not sensor.judged or (heard.kind == "temperature" and not sensor.room):
            return
        reading = (heard.at_ms, heard.boot, heard.seq)
        for level in LEVELS:
            if level.reading != heard.kind or (limit := self._limit(level)) is None:
                continue
            is_beyond = level.side * (value - limit) >= 0 if level.side > 0 else value < limit
            track = sensor.tracks.setdefault(level.rule, Track())
            due = beyond.add(track, reading, heard.received_ms, float(value), is_beyond, now)
            state.deadline = sooner(state.deadline, due)

    def _limit(self, level: Level) -> float | None:
        """The limit of a level, or what somebody has set for this home in its place."""
        limit = self._state.limit
        if limit is None or level.kind not in (HOME_HEAT, HOME_COLD):
            return level.limit
        return limit.high if level.side > 0 else limit.low

    def on_deadline(self, now: Now) -> list[Finding]:
        state, findings = self._state, []
        state.deadline = None
        for key, said in state.said.items():
            findings += self._tell(key, said, now)
        for key, sensor in state.sensors.items():
            for level in LEVELS:
                track = sensor.tracks.get(level.rule)
                if track is None:
                    continue
                if track.deadline is not None and track.deadline <= now.heard_ms:
                    for step in beyond.judge(track, key.split("#")[0], level.believed, now):
                        findings.append(_measured(step, key, level, self._limit(level)))
                state.deadline = sooner(state.deadline, track.deadline)
        return findings

    def _tell(self, key: str, said: Said, now: Now) -> list[Finding]:
        if said.first is None:
            return []
        device, _, kind = key.rpartition(":")
        findings = []
        known = said.alarm is not None and now.heard_ms - said.alarm < ALARM_KNOWN_MS
        if not said.told and not known:
            due = said.heard + ALARM_WAIT_MS
            if now.heard_ms < due:
                self._state.deadline = sooner(self._state.deadline, due)
                return []
            said.told = reading_id(device, *said.first)
            findings.append(_said(kind, said, device, now))
        if not said.holds:
            if said.told:
                findings.append(_cleared(kind, said, device))
            said.first, said.told, said.alarm, said.over_ms = None, "", None, said.since_ms
        return findings

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(self._state)

    @classmethod
    def restore(cls, state: bytes) -> Self:
        return cls(msgspec.msgpack.decode(state, type=State))


def _said(kind: str, said: Said, device: str, now: Now) -> Finding:
    return Finding(
        kind=kind,
        rule=f"{SAID_RULE}:{kind}",
        episode=said.told,
        device=device,
        evidence={
            "threshold": True,
            "value": True,
            "unit": "said by the sensor",
            "since_ms": said.since_ms,
            "readings": [said.told],
        },
    )


def _cleared(kind: str, said: Said, device: str) -> Finding:
    return Finding(
        kind=WITHDRAWN,
        rule=f"{SAID_RULE}:{kind}:withdrawn",
        episode=said.told,
        device=device,
        restores=f"{SAID_RULE}:{kind}",
        evidence={"reason": CLEARED, "readings": [reading_id(device, *said.newest[1:])]},
    )


def _measured(step: beyond.Step, key: str, level: Level, limit: float | None) -> Finding:
    device, sensor, _ = key.split("#", 2)
    # A hub's two sensors may be beyond in one reading each, but a reading is of one sensor: its name is enough.
    if step.run is None:
        return Finding(
            kind=WITHDRAWN,
            rule=f"{level.rule}:withdrawn",
            episode=step.episode,
            device=device,
            restores=level.rule,
            evidence={"reason": CLEARED if step.what == "over" else beyond.LATE_READING, "readings": []},
        )
    run = step.run
    evidence: dict[str, Any] = {
        "measure": level.reading,
        "side": "high" if level.side > 0 else "low",
        "threshold": limit,
        "value": run.last_value,
        "unit": level.unit,
        "since_ms": run.first[0],
        "readings": [reading_id(device, *one[1:]) for one in dict.fromkeys((run.first, run.last))],
        "minutes": run.last_minute - run.first_minute,
    }
    if sensor:
        evidence["sensor"] = sensor
    return Finding(kind=level.kind, rule=level.rule, episode=step.episode, device=device, evidence=evidence)
