"""A home in which nobody has moved for a fixed number of hours. PURE.

A first, plain rule, to be replaced by what is usual for this home at this hour. It is off until somebody sets the
home's hours, and until anything of the home was heard at all: a home that is registered but not yet installed is not
a silent person. Silence is counted in time heard, and begins anew when a pause (`Away`) ends: so the return is checked.
"""

from typing import ClassVar, Self

import msgspec

from alerting.detectors import HOUR_MS, Finding, Heard, Now, reading_id, sooner
from pingan.messages import Away, HomeSettings

MOVEMENTS = frozenset({"motion", "occupancy", "door", "contact", "bed", "vibration"})
"""Kinds of reading that only a person's moving makes."""
PRESENCES = frozenset({"motion", "occupancy", "vibration"})
"""Those of them which also report that nothing moves any more; that is no movement."""
AWAY_LOOK_MS = 60_000
"""How often (heard) a home with a pause still to end is looked at; by so much its silence may count short."""

INACTIVITY = "inactivity"
RULE = "inactivity_fixed_hours"


class State(msgspec.Struct, array_like=True):
    limit_ms: int | None = None
    away: tuple[Away, ...] = ()
    since: int | None = None
    """heard_ms from which silence counts; None until the tick after a movement."""
    since_ms: int = 0
    """The same as a time, for the evidence: the movement's own."""
    last: tuple[str, str, int] | None = None
    """Device, boot and seq of the movement before the silence; None: it begins with `episode`."""
    episode: str = ""
    raised: bool = False
    deadline: int | None = None
    heard: bool = False
    """Whether anything of this home was ever heard."""


class Inactivity:
    """One home's silence."""

    name: ClassVar[str] = "inactivity"
    version: ClassVar[int] = 1

    def __init__(self, state: State | None = None) -> None:
        self._state = state or State()

    @property
    def deadline(self) -> int | None:
        return self._state.deadline

    def on_settings(self, settings: HomeSettings, now: Now) -> None:
        state = self._state
        limit_ms = None if settings.inactivity_hours is None else int(settings.inactivity_hours * HOUR_MS)
        if limit_ms is not None and state.limit_ms is None:
            # Watching begins now, whatever was or was not heard before.
            self._begin(f"settings/{settings.revision}", now.at_ms)
        elif (window := _window(state.away, now)) is not None:
            self._begin(_away_episode(window), now.at_ms)
        state.limit_ms, state.away = limit_ms, settings.away
        state.deadline = None if limit_ms is None or not state.heard else now.heard_ms

    def _begin(self, episode: str, at_ms: int) -> None:
        state = self._state
        state.since, state.since_ms, state.last, state.episode, state.raised = None, at_ms, None, episode, False

    def on_reading(self, heard: Heard, now: Now) -> tuple[()]:
        if not self._state.heard:
            self._state.heard = True
            if self._state.limit_ms is not None:
                self._state.deadline = now.heard_ms
        if heard.kind not in MOVEMENTS or (heard.kind in PRESENCES and not getattr(heard, "value", True)):
            return ()
        state = self._state
        movement = (heard.device, heard.boot, heard.seq)
        # Within a tick the last one is the greatest, whatever the order in which they came.
        if state.since is not None or state.last is None or movement > state.last:
            state.last, state.since_ms, state.episode = movement, heard.at_ms, ""
        state.since, state.raised = None, False
        if state.limit_ms is not None:
            state.deadline = sooner(state.deadline, now.heard_ms)
        return ()

    def on_deadline(self, now: Now) -> list[Finding]:
        state = self._state
        findings = []
        window = _window(state.away, now)
        if state.limit_ms is None or not state.heard:
            state.deadline = None
            return []
        if window is not None:
            self._begin(_away_episode(window), now.at_ms)
        elif state.since is not None and not state.raised and now.heard_ms - state.since >= state.limit_ms:
            state.raised = True
            findings.append(self._finding(state.limit_ms, now.heard_ms - state.since, now))
        if state.since is None:
            state.since = now.heard_ms
        state.deadline = None if state.raised else state.since + state.limit_ms
        if any(away.until_ms is None or away.until_ms > now.at_ms for away in state.away):
            state.deadline = sooner(state.deadline, now.heard_ms + AWAY_LOOK_MS)
        return findings

    def _finding(self, limit_ms: int, silent_ms: int, now: Now) -> Finding:
        state = self._state
        last = reading_id(*state.last) if state.last else state.episode
        return Finding(
            kind=INACTIVITY,
            rule=RULE,
            episode=last,
            evidence={
                "threshold": limit_ms / HOUR_MS,
                "value": round(silent_ms / HOUR_MS, 3),
                "unit": "hours heard without a movement",
                "since_ms": state.since_ms,
                "readings": [last] if state.last else [],
                "counted_from": "a movement" if state.last else state.episode,
            },
        )

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(self._state)

    @classmethod
    def restore(cls, state: bytes) -> Self:
        return cls(msgspec.msgpack.decode(state, type=State))


def _window(away: tuple[Away, ...], now: Now) -> Away | None:
    for window in away:
        if window.from_ms <= now.at_ms and (window.until_ms is None or now.at_ms < window.until_ms):
            return window
    return None


def _away_episode(window: Away) -> str:
    return f"away/{window.from_ms}/{window.until_ms}"
