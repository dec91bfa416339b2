"""Codecs: what a family of devices says, into what the platform understands. One file per family, all pure.

A codec is a function of the topic, the payload's bytes and the moment of receipt. It raises nothing, whatever the
bytes are, and it leaves two fields empty that only the platform knows: whose home it is, and how wrong the device's
clock goes.
"""

from enum import StrEnum
from typing import NamedTuple, Protocol

from pingan.messages import Event, Reading


class Reason(StrEnum):
    """Why a message was refused, by a name that stands alike in code, counts, answers and the protocol page."""

    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"
    TOO_MANY = "too_many"
    DUPLICATE_FIELD = "duplicate_field"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    FORBIDDEN_CHARACTER = "forbidden_character"
    UNKNOWN_TOPIC = "unknown_topic"
    UNKNOWN_FAMILY = "unknown_family"
    """A gateway's topic names no family that we speak."""
    RETAINED_ALARM = "retained_alarm"
    """The broker repeats what a gateway left with it: that happened some time ago, and may have been told."""
    FLOOD = "flood"
    """A gateway says more than may be taken from one; only its telemetry, never an alarm."""


class Remark(StrEnum):
    """What is counted and sampled like a refusal, though the message is taken."""

    UNKNOWN_KIND = "unknown_kind"
    FIELD_LEFT_OUT = "field_left_out"
    UNKNOWN_DEVICE = "unknown_device"
    DISABLED_DEVICE = "disabled_device"
    ABSURD_CLOCK = "absurd_clock"
    """Its clock is so far off that when it says something happened can only be when we received it."""


class Refusal(StrEnum):
    """Why the alarm receiver answered with no, where that is no Reason. docs/sos-access.md lists them."""

    INCOMPLETE = "incomplete"
    """It stopped in the middle of a request."""
    NOT_XML = "not_xml"
    XML_HEADER = "xml_header"
    WRONG_ENCODING = "wrong_encoding"
    DOCUMENT_TYPE = "document_type"
    """With one, entities could be declared that grow without end or name files of ours."""
    UNKNOWN_REQUEST = "unknown_request"
    NOT_AUTHORIZED = "not_authorized"
    NOT_MONITORED = "not_monitored"
    """A heartbeat of a transmitter whose line nobody asked us to watch."""
    TOO_OFTEN = "too_often"
    REPEATED = "repeated"
    """The same alarm, recorded and answered many times before."""
    NOT_RECORDED = "not_recorded"
    """The record could not be made durable in time: the transmitter must try elsewhere, and again."""
    TOO_BUSY = "too_busy"
    FAILED = "failed"
    """A mistake of ours."""
    HANDSHAKE = "handshake"
    """TLS was not come to terms about, or only half."""
    CROWDED_OUT = "crowded_out"
    """It was silent for longest when there were too many connections."""


REASONS = frozenset({*Reason, *Remark, *Refusal})


class Rejected(NamedTuple):
    """Refused: `detail` says where and why in a sentence for the device's maker; `id` is the alarm's, if legible."""

    reason: Reason
    detail: str
    id: str | None = None


class Remarked(NamedTuple):
    """Taken, but something about it wants to be looked at."""

    taken: "list[Reading] | Event"
    remark: Remark
    detail: str


Decoded = list[Reading] | Event | Remarked | Rejected


class Level(NamedTuple):
    """A condition that holds until it is said to be over, as smoke does; a press is none.

    `event_id` names the message's own event of it; None: the message says that it is over.
    """

    device: str
    field: str
    """What the device calls it: two fields of one kind of alarm are two conditions."""
    event_id: str | None


class Heard(NamedTuple):
    """What one message of a gateway says: measurements, alarms, or both, and what is odd about it.

    Each `device` is an address: the gateway's user name, a slash, and what the gateway calls the device; the gateway
    itself is only its user name. Where the family has no ids of its own, `boot` is empty and an event's `id` is new for
    each message: every one is a new press.
    """

    readings: list[Reading]
    events: list[Event]
    remarks: tuple[tuple[Remark, str], ...] = ()
    levels: tuple[Level, ...] = ()
    """Which of the events are repeated for as long as something holds; `ingest/levels.py` lets the news through."""
    unnamed: tuple[Event, ...] = ()
    """Alarms that do not say of what: a press of any button, an `alarm` of any sensor; their `kind` is empty. What it
    was the register knows: `ingest/families.py` names them, before `levels` is asked."""


class GatewayCodec(Protocol):
    """A family behind gateways: `rest` is what follows `gw/{gateway}/{family}/` in the topic."""

    def __call__(self, gateway: str, rest: str, payload: bytes, received_ms: int, /) -> Heard | Rejected: ...


class Codec(Protocol):
    def __call__(self, topic: str, payload: bytes, received_ms: int, /) -> Decoded: ...
