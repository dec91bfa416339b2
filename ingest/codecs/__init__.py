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


class Remark(StrEnum):
    """What is counted and sampled like a refusal, though the message is taken."""

    UNKNOWN_KIND = "unknown_kind"
    FIELD_LEFT_OUT = "field_left_out"
    UNKNOWN_DEVICE = "unknown_device"
    DISABLED_DEVICE = "disabled_device"


REASONS = frozenset({*Reason, *Remark})


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


class Codec(Protocol):
    def __call__(self, topic: str, payload: bytes, received_ms: int, /) -> Decoded: ...
