"""Sensors that say the same whatever happens, or what nobody can do: faults to be mended, and no still person. PURE.

Each is a technical `fault`, restored by the first thing that the sensor says otherwise, and raised at most once a day
for a sensor.
"""

import binascii
from base64 import b64decode
from typing import Any, ClassVar, Self

import msgspec

from alerting.detectors import DAY_MS, HOUR_MS, Finding, Heard, Now, conditions, reading_id, sooner
from pingan.messages import HomeSettings, Reading

ACCEL = "accel"
MOTIONS = frozenset({"motion", "vibration"})
KINDS = MOTIONS | {ACCEL}

CONSTANT_MS = 12 * HOUR_MS
"""A sensor that lies on a table says the same for a night if it measures coarsely. Two nights' length is no night."""
IMPOSSIBLE_MS = 60_000
"""And no sensor at rest measures anything but the earth's pull: then a minute is enough."""
REST_G = (0.8, 1.2)
G = 2000
"""What an accelerometer's number for 1 g is."""
BYTES = 6
"""Of a triple of its samples: eight characters of base64, so that a constant shows without being taken apart."""
CHARACTERS = 8

SLOT_MS = 300_000
RATE_PER_SLOT = 600
"""Movements in five minutes. Detectors of movement are blind for a second at least after each; most for a minute."""
RATE_SLOTS = 3
"""So many slots in a row with an impossible rate."""
ALWAYS_SLOTS = DAY_MS // SLOT_MS
"""A day in which no five minutes are without a movement: even a dog sleeps."""

LIMIT_MS = conditions.OTHER_FAULT.limit_ms
FAULT, FAULT_RESTORED = conditions.OTHER_FAULT.kind, conditions.OTHER_FAULT.restored_kind
ACCEL_CONSTANT = "accelerometer_constant"
MOTION_RATE = "motion_impossible_rate"
MOTION_ALWAYS = "motion_never_still"
SENSORS_MAX = 32


class Constant(msgspec.Struct, array_like=True):
    """What an accelerometer has said again and again."""

    triple: bytes
    first: tuple[str, int]
    """Boot and seq of the burst with which it began."""
    at_ms: int
    since: int
    """heard_ms of the tick before it."""
    newest: tuple[str, int]


class Accel(msgspec.Struct, array_like=True):
    constant: Constant | None = None
    varied_at: int = -1
    """heard_ms of the tick after which it last said something else."""
    told: str = ""
    told_at: int | None = None


class Motion(msgspec.Struct, array_like=True):
    slot: int = -1
    """Which five minutes, by heard time, are counted now."""
    count: int = 0
    busy: int = 0
    """Slots in a row, up to the last, with an impossible rate."""
    row: int = 0
    """Slots in a row, up to the last, with a movement."""
    newest: tuple[str, int] = ("", 0)
    told: tuple[str, str] | None = None
    """Rule and episode of what was raised and is not restored yet."""
    told_at: int | None = None


class State(msgspec.Struct, array_like=True):
    accels: dict[str, Accel] = {}
    motions: dict[str, Motion] = {}
    """By device and the hub's name of the sensor."""
    deadline: int | None = None


class Stuck:
    """One home's sensors, as far as they may be stuck."""

    name: ClassVar[str] = "stuck"
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
        state.accels = {device: accel for device, accel in state.accels.items() if device in mine}
        state.motions = {key: motion for key, motion in state.motions.items() if key.partition("#")[0] in mine}

    def on_reading(self, heard: Heard, now: Now) -> tuple[()]:
        if heard.kind == ACCEL:
            if type(heard) is Reading:
                self._on_accel(heard, now)
        elif heard.kind in MOTIONS and type(heard) is Reading and heard.value:
            self._on_motion(heard, now)
        return ()

    def _on_accel(self, heard: Reading, now: Now) -> None:
        state = self._state
        triple = constant_triple(heard.value)
        accel = state.accels.get(heard.device)
        if accel is None:
            if len(state.accels) >= SENSORS_MAX:
                return
            accel = state.accels[heard.device] = Accel()
        known = accel.constant
        if triple is None or (known is not None and known.triple != triple):
            # Between two ticks order has no meaning: one that varies makes all of them vary.
            accel.varied_at, accel.constant = now.heard_ms, None
            if accel.told:
                state.deadline = sooner(state.deadline, now.heard_ms)
            return
        if accel.varied_at == now.heard_ms:
            return
        named = (heard.boot, heard.seq)
        if known is None:
            accel.constant = Constant(triple, named, heard.at_ms, now.heard_ms, named)
        else:
            known.newest = max(known.newest, named)
            if known.since == now.heard_ms:
                known.first, known.at_ms = min((known.first, known.at_ms), (named, heard.at_ms))
        state.deadline = sooner(state.deadline, now.heard_ms)

    def _on_motion(self, heard: Reading, now: Now) -> None:
        state, key = self._state, f"{heard.device}#{heard.sensor or ''}"
        motion = state.motions.get(key)
        if motion is None:
            if len(state.motions) >= SENSORS_MAX:
                return
            motion = state.motions[key] = Motion()
        slot = now.heard_ms // SLOT_MS
        if slot != motion.slot:
            self._turn(motion, slot)
        motion.count += 1
        motion.newest = max(motion.newest, (heard.boot, heard.seq))
        if motion.busy + 1 >= RATE_SLOTS or motion.row + 1 >= ALWAYS_SLOTS or motion.told:
            state.deadline = sooner(state.deadline, now.heard_ms)

    def _turn(self, motion: Motion, slot: int) -> None:
        """The five minutes that were counted are over."""
        next_one = slot == motion.slot + 1
        motion.busy = motion.busy + 1 if motion.count >= RATE_PER_SLOT and next_one else 0
        motion.row = motion.row + 1 if motion.count and next_one else 0
        motion.slot, motion.count = slot, 0

    def on_deadline(self, now: Now) -> list[Finding]:
        state, findings = self._state, []
        state.deadline = None
        for device, accel in state.accels.items():
            findings += self._judge_accel(device, accel, now)
        for key, motion in state.motions.items():
            findings += self._judge_motion(key, motion, now)
        return findings

    def _judge_accel(self, device: str, accel: Accel, now: Now) -> list[Finding]:
        known = accel.constant
        if known is None and accel.told:
            told, accel.told = accel.told, ""
            return [_restored(ACCEL_CONSTANT, told, device)]
        if known is None or accel.told:
            return []
        limit_ms = CONSTANT_MS if REST_G[0] <= _magnitude_g(known.triple) <= REST_G[1] else IMPOSSIBLE_MS
        due = known.since + limit_ms
        if accel.told_at is not None:
            due = max(due, accel.told_at + LIMIT_MS)
        if now.heard_ms < due:
            # It is looked at again at its next burst: a sensor that has fallen silent is supervision's.
            return []
        accel.told, accel.told_at = reading_id(device, *known.first), now.heard_ms
        return [
            Finding(
                kind=FAULT,
                rule=ACCEL_CONSTANT,
                episode=accel.told,
                device=device,
                evidence={
                    "threshold": limit_ms / 1000,
                    "value": (now.heard_ms - known.since) / 1000,
                    "unit": "seconds of one and the same sample",
                    "since_ms": known.at_ms,
                    "readings": [accel.told, reading_id(device, *known.newest)],
                    "g": round(_magnitude_g(known.triple), 3),
                },
            )
        ]

    def _judge_motion(self, key: str, motion: Motion, now: Now) -> list[Finding]:
        device, _, sensor = key.partition("#")
        slot = now.heard_ms // SLOT_MS
        if motion.told:
            rule, episode = motion.told
            is_over = motion.busy == 0 if rule == MOTION_RATE else motion.row == 0
            if is_over or slot > motion.slot + 1:
                motion.told = None
                return [_restored(rule, episode, device)]
            self._state.deadline = sooner(self._state.deadline, (motion.slot + 2) * SLOT_MS)
            return []
        rate = motion.busy + (motion.count >= RATE_PER_SLOT) >= RATE_SLOTS
        always = motion.row + 1 >= ALWAYS_SLOTS
        if not (rate or always) or (motion.told_at is not None and now.heard_ms - motion.told_at < LIMIT_MS):
            return []
        rule, episode = MOTION_RATE if rate else MOTION_ALWAYS, reading_id(device, *motion.newest)
        motion.told, motion.told_at = (rule, episode), now.heard_ms
        self._state.deadline = sooner(self._state.deadline, (motion.slot + 2) * SLOT_MS)
        evidence: dict[str, Any] = {
            "threshold": RATE_PER_SLOT if rate else ALWAYS_SLOTS * SLOT_MS / HOUR_MS,
            "value": motion.count if rate else (motion.row + 1) * SLOT_MS / HOUR_MS,
            "unit": "movements in five minutes" if rate else "hours without five minutes of rest",
            "since_ms": now.at_ms - (motion.busy if rate else motion.row) * SLOT_MS,
            "readings": [episode],
        }
        if sensor:
            evidence["sensor"] = sensor
        return [Finding(kind=FAULT, rule=rule, episode=episode, device=device, evidence=evidence)]

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(self._state)

    @classmethod
    def restore(cls, state: bytes) -> Self:
        return cls(msgspec.msgpack.decode(state, type=State))


def constant_triple(value: Any) -> bytes | None:
    """The one sample of which a burst consists; None: it varies, or is none."""
    samples = value.get("samples") if isinstance(value, dict) else None
    if not isinstance(samples, str) or samples[:CHARACTERS] != samples[CHARACTERS : 2 * CHARACTERS]:
        return None
    try:
        raw = b64decode(samples, validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) < 2 * BYTES or len(raw) % BYTES or raw[BYTES:] != raw[:-BYTES]:
        return None
    return raw[:BYTES]


def _magnitude_g(triple: bytes) -> float:
    axes = [int.from_bytes(triple[place : place + 2], "little", signed=True) / G for place in (0, 2, 4)]
    return float(sum(axis * axis for axis in axes) ** 0.5)


def _restored(rule: str, episode: str, device: str) -> Finding:
    return Finding(
        kind=FAULT_RESTORED,
        rule=f"{rule}:restored",
        episode=episode,
        device=device,
        restores=rule,
        evidence={"readings": [episode]},
    )
