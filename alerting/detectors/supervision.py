"""Whether the devices of a home are there, and well: heartbeats, batteries, mains, faults. PURE.

Everything here is technical: it opens technical incidents, and none of it says anything about the person. It speaks
only at ticks, from the newest thing that each device has said, so that reordering within a tick changes nothing.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Self

import msgspec

from alerting.detectors import Finding, Heard, Now, conditions, reading_id, sooner
from alerting.detectors.conditions import Condition, rule_of
from pingan.messages import Event, HomeSettings, Reading

MISSED_HEARTBEATS = 3
"""Domain §4.6: lost = three missed."""
HEARTBEAT_LOST = "heartbeat_lost"
DEVICE_RESTORED = "device_restored"
AVAILABILITY = "availability"
"""The kind of reading in which a gateway says whether it reaches a device behind it."""

DEVICES_MAX = 256
CONDITIONS_MAX = 24
FAULTS_MAX = 64
FAULT_CHARACTERS = 64
BOOTS_MAX = 4


class Said(msgspec.Struct, array_like=True):
    """The newest thing that a device said of one matter."""

    value: Any
    boot: str
    seq: int
    at_ms: int
    new: bool = True


class Device(msgspec.Struct, array_like=True):
    level_ms: int | None
    """How often it should be heard; None until the register has named it: then its silence is not judged."""
    last: tuple[str, int, str]
    """Boot, seq and event id of what it said last; seq is -1 before it was ever heard."""
    at_ms: int
    since: int | None = None
    """heard_ms from which its silence counts; None until the tick after it was heard."""
    lost: str | None = None
    """The episode that was raised and is not restored yet."""
    boots: list[str] = []
    """Of its statuses, in the order in which they were first heard."""
    said: dict[str, Said] = {}
    conditions: dict[str, Condition] = {}
    received_ms: int = 0
    """When we last received something of its own, which is not what its gateway says of it."""
    shorter_ms: int | None = None
    """The level that the register has named since, if it is a shorter one that does not hold yet."""
    asked_ms: int = 0
    """heard_ms at which it was named."""


class State(msgspec.Struct, array_like=True):
    devices: dict[str, Device] = {}
    deadline: int | None = None


class Supervision:
    """The devices of one home."""

    name: ClassVar[str] = "supervision"
    version: ClassVar[int] = 1

    def __init__(self, state: State | None = None) -> None:
        self._devices = state.devices if state else {}
        self.deadline: int | None = state.deadline if state else None
        # When each device wants to be looked at: of a home's devices few have spoken since the last tick. Whoever is
        # not named here is looked at.
        self._due: dict[str, int | None] = {}

    def on_settings(self, settings: HomeSettings, now: Now) -> None:
        devices = {}
        for named in settings.devices[:DEVICES_MAX]:
            level_ms = named.heartbeat_seconds * 1000
            device = self._devices.get(named.id) or Device(level_ms, ("", -1, ""), now.at_ms)
            _ask_level(device, level_ms, now)
            devices[named.id] = device
        self._devices = devices
        self._due.clear()
        self.deadline = now.heard_ms

    def on_reading(self, heard: Heard, now: Now) -> tuple[()]:
        if heard.kind == AVAILABILITY and type(heard) is Reading:
            self._on_availability(heard, now)
            return ()
        last = (heard.boot, heard.seq, heard.id if type(heard) is Event else "")
        device = self._devices.get(heard.device)
        if device is None:
            if len(self._devices) >= DEVICES_MAX:
                return ()
            device = self._devices[heard.device] = Device(None, last, heard.at_ms)
        elif last == device.last:
            return ()  # the same press, tried again
        # Within a tick the last one is the greatest, whatever the order in which they came.
        if device.since is not None or last > device.last:
            device.last, device.at_ms = last, heard.at_ms
        device.since = None
        if device.shorter_ms is not None and now.heard_ms > device.asked_ms:
            device.level_ms, device.shorter_ms = device.shorter_ms, None
        if heard.received_ms > device.received_ms:
            device.received_ms = heard.received_ms
        if heard.kind == "status" and type(heard) is Reading and isinstance(heard.value, dict):
            _listen(device, heard)
        self._due.pop(heard.device, None)
        if self.deadline is None or self.deadline > now.heard_ms:
            self.deadline = now.heard_ms
        return ()

    def _on_availability(self, word: Reading, now: Now) -> None:
        """A gateway says whether it reaches the device: its word, and no sign of life."""
        if type(word.value) is not bool:
            return
        device = self._devices.get(word.device)
        if device is None:
            if len(self._devices) >= DEVICES_MAX:
                return
            device = self._devices[word.device] = Device(None, ("", -1, ""), word.at_ms)
        known = device.said.get(AVAILABILITY)
        if known is None or (word.received_ms, word.seq) > (known.at_ms, known.seq):
            device.said[AVAILABILITY] = Said(word.value, word.boot, word.seq, word.received_ms)
        self._due.pop(word.device, None)
        self.deadline = sooner(self.deadline, now.heard_ms)

    def on_deadline(self, now: Now) -> list[Finding]:
        findings: list[Finding] = []
        deadline: int | None = None
        dues = self._due
        for name, device in self._devices.items():
            due = dues.get(name, 0)
            if due is not None and due <= now.heard_ms:
                if (finding := _heartbeat(name, device, now)) is not None:
                    findings.append(finding)
                if device.said:
                    findings += _conditions(name, device, now)
                due = dues[name] = _deadline(device)
            if due is not None and (deadline is None or due < deadline):
                deadline = due
        self.deadline = deadline
        return findings

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(State(self._devices, self.deadline))

    @classmethod
    def restore(cls, state: bytes) -> Self:
        return cls(msgspec.msgpack.decode(state, type=State))


def _ask_level(device: Device, level_ms: int, now: Now) -> None:
    """A longer level holds at once. A shorter one only once the device is heard after it was asked for: until then it
    may not know of it. What comes between the same two ticks may have come before.
    """
    if device.level_ms is None or level_ms >= device.level_ms:
        device.level_ms, device.shorter_ms = level_ms, None
    elif device.shorter_ms != level_ms:
        device.shorter_ms, device.asked_ms = level_ms, now.heard_ms


def _listen(device: Device, status: Reading) -> None:
    """Keep what a status says, unless something newer of this device is known."""
    if status.boot not in device.boots:
        device.boots = [*device.boots, status.boot][-BOOTS_MAX:]
    for matter, value in _matters(status.value):
        known = device.said.get(matter)
        if known is None or _newer(device, status, known):
            device.said[matter] = Said(value, status.boot, status.seq, status.at_ms)


def _matters(said: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    # Ingest holds a native status to the protocol; another family's codec may one day not.
    percent, mains, faults = said.get("battery_percent"), said.get("mains"), said.get("faults")
    if isinstance(percent, int | float) and type(percent) is not bool and 0 <= percent <= 100:
        yield "battery_percent", float(percent)
    elif type(low := said.get("battery_low")) is bool:
        yield "battery_low", low
    if type(mains) is bool:
        yield "mains", mains
    if isinstance(faults, list):
        yield "faults", [fault[:FAULT_CHARACTERS] for fault in faults[:FAULTS_MAX] if isinstance(fault, str)]


def _newer(device: Device, status: Reading, known: Said) -> bool:
    if not status.boot:  # a family that numbers nothing, or begins again at each join
        return (status.at_ms, status.seq) > (known.at_ms, known.seq)
    if status.boot == known.boot:
        return status.seq > known.seq
    return known.boot not in device.boots or device.boots.index(status.boot) > device.boots.index(known.boot)


def _heartbeat(name: str, device: Device, now: Now) -> Finding | None:
    if device.last[1] < 0:  # never heard: it is not installed yet, which is no loss; the register's pages list it
        return None
    if device.since is None:
        device.since = now.heard_ms
        return None if device.lost is None else _restored(name, device, device.lost)
    silent_ms = now.heard_ms - device.since
    if device.level_ms is None or device.lost is not None or silent_ms < MISSED_HEARTBEATS * device.level_ms:
        return None
    device.lost = _last(name, device)
    return Finding(
        kind=HEARTBEAT_LOST,
        rule=HEARTBEAT_LOST,
        episode=device.lost,
        device=name,
        evidence={
            "threshold": MISSED_HEARTBEATS * device.level_ms / 1000,
            "value": silent_ms / 1000,
            "unit": "seconds heard without a sign of it",
            "since_ms": device.at_ms,
            "readings": [device.lost],
        },
    )


def _restored(name: str, device: Device, lost: str) -> Finding:
    device.lost = None
    return Finding(
        kind=DEVICE_RESTORED,
        rule=DEVICE_RESTORED,
        episode=lost,
        device=name,
        restores=HEARTBEAT_LOST,
        evidence={"since_ms": device.at_ms, "readings": [lost, _last(name, device)]},
    )


def _last(name: str, device: Device) -> str:
    boot, seq, event = device.last
    return f"{name}/event/{event}" if event else reading_id(name, boot, seq)


def _conditions(name: str, device: Device, now: Now) -> Iterator[Finding]:
    for matter, said in device.said.items():
        if said.new:
            said.new = False
            _judge(device, matter, said, reading_id(name, said.boot, said.seq))
    if (word := device.said.get(AVAILABILITY)) is not None:
        # Each time anew: whatever the device itself has said since is more than its gateway's word.
        reached = bool(word.value) or device.received_ms >= word.at_ms
        conditions.link(device.conditions, reached, reading_id(name, word.boot, word.seq), word.at_ms)
    for key, condition in list(device.conditions.items()):
        rule = rule_of(key)
        due = condition.due(rule.limit_ms)
        if due is not None and due <= now.heard_ms:
            condition.raised, condition.raised_at = condition.episode, now.heard_ms
            evidence = _evidence(key, condition)
            yield Finding(kind=rule.kind, rule=key, episode=condition.episode, device=name, evidence=evidence)
        elif not condition.holds and condition.raised is not None:
            evidence = _evidence(key, condition)
            yield Finding(
                kind=rule.restored_kind,
                rule=f"{key}:restored",
                episode=condition.raised,
                device=name,
                restores=key,
                evidence=evidence,
            )
            condition.raised = None
        elif condition.raised_at is not None and now.heard_ms - condition.raised_at >= rule.limit_ms:
            condition.raised_at = None
        if condition.forgettable:
            del device.conditions[key]


def _judge(device: Device, matter: str, said: Said, episode: str) -> None:
    if matter == "battery_percent":
        conditions.battery(device.conditions, said.value, episode, said.at_ms)
    elif matter == "battery_low":
        conditions.battery_low(device.conditions, said.value, episode, said.at_ms)
    elif matter == "mains":
        conditions.mains(device.conditions, said.value, episode, said.at_ms)
    elif matter == "faults":
        conditions.faults(device.conditions, said.value, episode, said.at_ms, CONDITIONS_MAX)


_PERCENT = {"battery_low": conditions.BATTERY_LOW_PERCENT, "battery_critical": conditions.BATTERY_CRITICAL_PERCENT}


def _evidence(key: str, condition: Condition) -> dict[str, Any]:
    in_percent = key in _PERCENT and condition.value is not None
    return {
        "threshold": _PERCENT[key] if in_percent else None,
        "value": key if condition.value is None else condition.value,
        "unit": "percent" if in_percent else "said by the device",
        "since_ms": condition.since_ms,
        "readings": [condition.episode],
    }


def _deadline(device: Device) -> int | None:
    deadline = None
    if device.level_ms is not None and device.lost is None and device.since is not None:
        deadline = device.since + MISSED_HEARTBEATS * device.level_ms
    if device.said:  # without a word there is no condition either
        for key, condition in device.conditions.items():
            deadline = sooner(deadline, condition.due(rule_of(key).limit_ms))
    return deadline
