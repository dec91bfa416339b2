"""What travels in the log: frozen, typed, versioned by its tag.

A message is never changed in place: a new field has a default, a new meaning has a new tag. `at_ms` is the device's
own time, corrected by its measured offset where that is known; `received_ms` is ours. Detection counts in ours.
"""

from typing import Any
from uuid import UUID, uuid5
from zlib import crc32

import msgspec

PARTITIONS = 64
"""Fixed for the life of an installation: a home's messages must stay in one partition, in order."""

RINGING = frozenset({"sos", "fall", "smoke", "gas", "co", "water"})
"""Kinds that a device may report on `up/alarm` and that ring the desk at once."""

ANSWERS = frozenset({"ok", "cancel"})
"""Kinds by which a resident answers a prompt. They are heard and shown; they close nothing by themselves."""


SUSPICIONS = {"fall_suspected": "fall", "inactivity_suspected": "inactivity"}
"""What detection suspects, and the danger that it becomes unless something speaks against it. The resident is asked;
nobody else is rung."""

WITHDRAWN = "withdrawn"
"""A suspicion or an alarm of detection is over; its evidence names which (`restores`) and why (`reason`). It opens
nothing and closes nothing: where people have been rung, they are told."""

NOTES = frozenset({"routine_drift"})
"""What detection notes for the next visit. It is kept and shown, and rings nobody."""


class Reading(msgspec.Struct, frozen=True, tag="reading/1", omit_defaults=True):
    """One measurement or movement. `(device, boot, seq)` names it: a repeat with the same three is the same reading."""

    device: str
    boot: str
    seq: int
    at_ms: int
    received_ms: int
    kind: str
    value: Any = None
    """A number, text, bool or object, as the protocol page says for each kind."""
    home: str | None = None
    sensor: str | None = None
    clock: str | None = None
    """Why `at_ms` is not what the device said: None, `corrected` or `absurd`."""
    device_at_ms: int | None = None
    """The device's own uncorrected time, where `at_ms` is not it."""


class Event(msgspec.Struct, frozen=True, tag="event/1", omit_defaults=True):
    """Something a device reports as an alarm (or as an answer to a prompt). `(device, id)` names it, for ever."""

    device: str
    id: str
    boot: str
    seq: int
    at_ms: int
    received_ms: int
    kind: str
    home: str | None = None
    test: bool = False
    attempt: int = 1
    device_at_ms: int | None = None
    """The device's own uncorrected time; None where it was unreadable."""
    clock: str | None = None
    confidence: float | None = None
    location: dict[str, Any] | None = None
    battery_percent: float | None = None
    family: str = "native"
    """Which codec understood it. Only a native device can be told what has become of its press."""


class Tick(msgspec.Struct, frozen=True, tag="tick/1", omit_defaults=True):
    """Time, as a message: everything ingest had received before `at_ms` stands before it in the partition.

    `heard_ms` is how much of the time since the last tick ingest could hear the broker: silence is counted in it, so
    that our own outage is never taken for a silent home. `epoch` is the source's: a tick from an older one is void.
    """

    at_ms: int
    heard_ms: int
    epoch: int
    deaf: tuple[str, ...] = ()
    """Areas of which so little is heard that the fault is ours or the line's, and says nothing about the people."""
    lacks: dict[str, tuple[int, int, float, int]] = {}
    """Of each of them, where it is known: how many homes are expected there, how many were heard, how many usually are,
    and within how many minutes (0: within three of their own heartbeats)."""


class DeviceSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    id: str
    kind: str
    heartbeat_seconds: int = 90


class Away(msgspec.Struct, frozen=True, omit_defaults=True):
    """Silence is paused from `from_ms` until `until_ms` (None: until told). SOS never is."""

    from_ms: int
    until_ms: int | None = None


class Limit(msgspec.Struct, frozen=True, omit_defaults=True):
    """What somebody set for this person's vital sign, in the reading's own unit; None: no limit on that side."""

    kind: str
    low: float | None = None
    high: float | None = None


class Fence(msgspec.Struct, frozen=True):
    """The circle within which a person with a tracker is at home."""

    latitude: float
    longitude: float
    radius_m: float


class HomeSettings(msgspec.Struct, frozen=True, tag="home/1", omit_defaults=True):
    """What detection needs to know of a home, sent into its partition whenever the register changes it."""

    home: str
    revision: int
    devices: tuple[DeviceSettings, ...] = ()
    away: tuple[Away, ...] = ()
    inactivity_hours: float | None = None
    """Raise an alarm after this many hours heard without a movement at the latest; None: silence of this home is not
    watched. How much sooner is what its detector has learned."""
    inactivity_floor_hours: float | None = None
    """And never sooner than after so many; None: the detector's own least."""
    timezone: str = "Asia/Shanghai"
    """The home's, by its IANA name: by it detection knows the hour of the day."""
    area: str = ""
    limits: tuple[Limit, ...] = ()
    fence: Fence | None = None
    live: dict[str, str] = {}
    """Label of the version that may raise alarms, by the detector's name; absent: the first of the table."""
    shadow: dict[str, tuple[str, ...]] = {}
    """Labels of versions that run beside it and whose alarms are only kept to be compared."""


Message = Reading | Event | Tick | HomeSettings


class Alarm(msgspec.Struct, frozen=True, omit_defaults=True):
    """What detection hands to the desk. Its id is derived, so that whoever raises it again raises the same one."""

    id: UUID
    kind: str
    home: str | None
    device: str | None
    at_ms: int
    received_ms: int
    test: bool = False
    device_at_ms: int | None = None
    clock: str | None = None
    evidence: dict[str, Any] = {}


_ALARMS = UUID("5b0a6a4e-3d0c-4f3e-9a53-0f9f6f2f6c11")


def reported_alarm_id(device: str, event_id: str) -> UUID:
    """The id of an alarm that a device reported. Nothing else deduplicates it."""
    return uuid5(_ALARMS, f"reported\0{device}\0{event_id}")


def derived_alarm_id(home: str, rule: str, episode: str) -> UUID:
    """The id of an alarm that a rule derived; `episode` names its first reading, so that a replay gives the same."""
    return uuid5(_ALARMS, f"derived\0{home}\0{rule}\0{episode}")


def partition_of(home: str | None, device: str) -> int:
    """The partition in which a home's messages stand; an unbound device has its own place."""
    return crc32((home or device).encode()) % PARTITIONS


_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def encode(message: Message) -> bytes:
    return _encoder.encode(message)


def decode(body: bytes) -> Message:
    """The message of `body`. msgspec.DecodeError (ValidationError) when it is none: park it, do not guess."""
    try:
        return _decoder.decode(body)
    except (UnicodeDecodeError, RecursionError) as error:
        # Raised beside its own errors, for text that is no UTF-8 and for what is nested without end. Whoever knows only
        # the others would end on it, begin again on the same entry, and hear of no press behind it.
        raise msgspec.DecodeError(str(error)) from error
