"""What a detector is. PURE.

A detector watches one home. It is fed messages, holds as many timers as it likes inside and shows one deadline
outside. It asks no clock: time comes as `Now`, and only ticks move it. So the same messages give the same findings,
live, in a replay after a crash, and in a test.

How silence is counted: `Now.heard_ms` grows only while the platform could hear. What is fed came *after* its `now` and
before the next tick, so its silence begins at the next tick. A detector that counts silence therefore asks to be woken
at the next tick (a deadline of `now.heard_ms`), and begins to count there.

Between two ticks the order of messages has no meaning: a detector that speaks only at its deadlines, from what it has
kept in an order of its own, is deaf to reordering within a tick.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import msgspec

from pingan.messages import Event, HomeSettings, Reading

Heard = Reading | Event
"""What devices say: measurements, and what they report as alarms (which ring by another way; here they are context)."""

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Now(NamedTuple):
    """The time of a partition: that of its last tick."""

    at_ms: int
    """Milliseconds since 1970, by ingest's clock. Never goes backward."""
    heard_ms: int
    """How much time the platform has heard since the partition's beginning. Silence is counted in it."""
    deaf: frozenset[str] = frozenset()
    """Areas of which nearly nothing is heard: the silence of a home there says nothing about its people."""


def is_deaf(area: str, now: Now) -> bool:
    """Whether a home in this area is not heard, through no doing of its people."""
    return bool(now.deaf) and any(area.startswith(code) for code in now.deaf)


class Finding(msgspec.Struct, frozen=True):
    """What a detector has found out. The watch makes an alarm of it."""

    kind: str
    """What the desk calls it."""
    rule: str
    """Which rule found it. With the home and the episode it names the alarm, for ever."""
    episode: str
    """The id of the reading that the episode begins with (or after), as `reading_id` writes it."""
    evidence: dict[str, Any]
    """At least `threshold`, `value` and their `unit`, `since_ms` and `readings`."""
    device: str | None = None
    restores: str | None = None
    """The rule whose alarm of the same episode is over."""
    follows: str | None = None
    """The rule whose suspicion of the same episode this confirms."""


class Timed(Protocol):
    """What the watch needs of each of its parts."""

    name: ClassVar[str]
    version: ClassVar[int]
    """Of its snapshot: raised when an older one can no longer be read."""

    @property
    def deadline(self) -> int | None:
        """The `heard_ms` at which it wants `on_deadline`; too early does no harm. None: only a message can matter."""
        ...

    def on_settings(self, settings: HomeSettings, now: Now) -> None:
        """Hear what the register says of the home. The same again changes nothing."""
        ...

    def on_deadline(self, now: Now) -> Sequence[Finding]:
        """The first tick at or after the deadline."""
        ...

    def snapshot(self) -> bytes:
        """All of its state, deadline included."""
        ...

    @classmethod
    def restore(cls, state: bytes) -> Self:
        """The detector that was. msgspec.DecodeError when it cannot be read."""
        ...


class Detector(Timed, Protocol):
    """One rule, or a few that belong together, for one home."""

    def on_reading(self, heard: Heard, now: Now) -> Sequence[Finding]:
        """Hear a device. Repeated readings have been taken out; late ones have not."""
        ...


class Learning(Detector, Protocol):
    """A detector that learns what is usual for its home. What it has learned is kept apart from its state: it is
    larger, and changes once a day at most.
    """

    def routine(self) -> bytes | None:
        """What it has learned (8 KB at most), if that has changed since the last call; None if not."""
        ...

    def learn(self, routine: bytes) -> None:
        """Take up what was learned before. msgspec.DecodeError when it cannot be read: it learns anew."""
        ...


def reading_id(device: str, boot: str, seq: int) -> str:
    """How a reading is named in episodes and evidence."""
    return f"{device}/{boot}/{seq}"


def sooner(deadline: int | None, other: int | None) -> int | None:
    """The sooner of two deadlines, either of which may be none."""
    if deadline is None or other is None:
        return other if deadline is None else deadline
    return min(deadline, other)
