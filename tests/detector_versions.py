"""Detectors small enough to be read at a glance, in versions, for the tests of what runs them."""

from typing import Any, ClassVar, Self

import msgspec

from alerting.detectors import Finding, Heard, Now, reading_id
from alerting.detectors.supervision import Supervision
from alerting.detectors.table import Table
from pingan.messages import HomeSettings

MINUTE_MS = 60_000


class State(msgspec.Struct, array_like=True):
    since: int | None = None
    last: str = ""
    said: bool = False
    heard: int = 0
    """Since the routine was given."""


class Still:
    """Nobody has moved for so long. Somebody who moves after it was said takes it back."""

    name: ClassVar[str] = "still"
    version: ClassVar[int] = 1
    limit_ms: ClassVar[int]
    kinds: ClassVar[frozenset[str] | None] = frozenset({"motion"})

    def __init__(self, state: State | None = None) -> None:
        self.state = state or State()
        self.known = 0
        self.deadline: int | None = None
        self._look()

    def _look(self) -> None:
        since = self.state.since
        self.deadline = None if since is None or self.state.said else since + self.limit_ms

    def on_settings(self, settings: HomeSettings, now: Now) -> None:
        pass

    def on_reading(self, heard: Heard, now: Now) -> list[Finding]:
        state, found = self.state, []
        if state.said:
            found = [self._finding("withdrawn", "moved", now, restores="still", reason="moved_on")]
        state.since, state.last, state.said = now.heard_ms, reading_id(heard.device, heard.boot, heard.seq), False
        state.heard += 1
        self._look()
        return found

    def on_deadline(self, now: Now) -> list[Finding]:
        self.state.said = True
        self._look()
        return [self._finding("inactivity", "still", now)]

    def _finding(self, kind: str, rule: str, now: Now, restores: str | None = None, **more: Any) -> Finding:
        evidence = {
            "threshold": self.limit_ms / MINUTE_MS,
            "value": 1,
            "unit": "minutes",
            "since_ms": now.at_ms,
            **more,
        }
        return Finding(kind, rule, self.state.last, evidence, restores=restores)

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(self.state)

    @classmethod
    def restore(cls, state: bytes) -> Self:
        return cls(msgspec.msgpack.decode(state, type=State))


class TenMinutes(Still):
    limit_ms = 10 * MINUTE_MS


class FiveMinutes(Still):
    limit_ms = 5 * MINUTE_MS


class Counting(TenMinutes):
    """It learns how many movements there ever were."""

    def routine(self) -> bytes | None:
        if not self.state.heard:
            return None
        self.known += self.state.heard
        self.state.heard = 0
        return msgspec.msgpack.encode(self.known)

    def learn(self, routine: bytes) -> None:
        self.known = msgspec.msgpack.decode(routine, type=int)


class Asking(TenMinutes):
    """After five minutes the resident is asked; without a movement it rings five later."""

    def _look(self) -> None:
        super()._look()
        if self.deadline is not None and not self.asked:
            self.deadline -= 5 * MINUTE_MS

    @property
    def asked(self) -> bool:
        return self.state.heard < 0

    def on_reading(self, heard: Heard, now: Now) -> list[Finding]:
        found = []
        if self.asked and not self.state.said:
            found = [self._finding("withdrawn", "moved", now, restores="suspected", reason="moved_on")]
        self.state.heard = 0
        return found + super().on_reading(heard, now)

    def on_deadline(self, now: Now) -> list[Finding]:
        if not self.asked:
            self.state.heard = -1
            self._look()
            return [self._finding("inactivity_suspected", "suspected", now)]
        [found] = super().on_deadline(now)
        return [msgspec.structs.replace(found, follows="suspected")]


class Failing(Still):
    """A fault of ours: it fails on whatever it is asked, and its state decodes and cannot be taken up."""

    name: ClassVar[str] = "failing"
    limit_ms = MINUTE_MS
    kinds: ClassVar[frozenset[str] | None] = None

    def on_reading(self, heard: Heard, now: Now) -> list[Finding]:
        super().on_reading(heard, now)
        raise KeyError(heard.kind)

    def on_deadline(self, now: Now) -> list[Finding]:
        raise ZeroDivisionError(str(now.heard_ms))

    def learn(self, routine: bytes) -> None:
        raise IndexError(len(routine))

    @classmethod
    def restore(cls, state: bytes) -> Self:
        raise IndexError(len(state))


TABLE: Table = {
    "supervision": {"1": Supervision},
    "still": {"ten-1": TenMinutes, "five-1": FiveMinutes, "counting-1": Counting, "asking-1": Asking},
}
FAILING: Table = {"failing": {"1": Failing}, **TABLE}
"""A detector that fails, before those that do not."""
