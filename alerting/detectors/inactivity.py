"""A home in which nobody has moved for a fixed number of hours. PURE.

A first, plain rule, to be replaced by what is usual for this home at this hour. It is off until somebody sets the
home's hours, and until anything of the home was heard at all: a home that is registered but not yet installed is not
a silent person. Silence is counted in time heard, and begins anew when a pause (`Away`) ends: so the return is checked.

A home of which every device that hears movement is lost (three heartbeats missed, as supervision counts) is not heard
either: a power cut says nothing about the person. Its silence stands still until one of them is back; and where it
would have been raised, the home is said to be unheard instead, which is a fault to see to and no danger. It stands
still, too, while next to nothing is heard of the home's whole area; of that the area itself is said to be unheard.
"""

from typing import ClassVar, Self

import msgspec

from alerting.detectors import HOUR_MS, Finding, Heard, Now, is_deaf, reading_id, sooner
from alerting.detectors.supervision import AVAILABILITY, MISSED_HEARTBEATS
from pingan.messages import Away, HomeSettings

MOVEMENTS = frozenset({"motion", "occupancy", "door", "contact", "bed", "vibration"})
"""Kinds of reading that only a person's moving makes."""
PRESENCES = frozenset({"motion", "occupancy", "vibration"})
"""Those of them which also report that nothing moves any more; that is no movement."""
AWAY_LOOK_MS = 60_000
"""How often (heard) a home with a pause still to end is looked at; by so much its silence may count short."""

INACTIVITY = "inactivity"
RULE = "inactivity_fixed_hours"
CANNOT_HEAR = "cannot_hear"
HEARING_RESTORED = "hearing_restored"
MOVERS_MAX = 256


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
    levels: dict[str, int] = {}
    """How often each device should be heard, in ms, as the register says."""
    movers: dict[str, int | None] = {}
    """Devices that have ever told of movement, or of its absence: heard_ms from which each one's silence counts; None
    until the tick after it was heard."""
    unheard: int | None = None
    """heard_ms since which none of them is heard; None: one is."""
    said: str = ""
    """The episode in which the home was said to be unheard, until it is heard again."""
    area: str = ""
    deaf: int | None = None
    """heard_ms since which its area is deaf; None: it is heard."""


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
        elif (window := window_of(state.away, now)) is not None:
            self._begin(away_episode(window), now.at_ms)
        state.limit_ms, state.away, state.area = limit_ms, settings.away, settings.area
        state.levels = {device.id: device.heartbeat_seconds * 1000 for device in settings.devices}
        state.movers = {device: since for device, since in state.movers.items() if device in state.levels}
        state.deadline = None if limit_ms is None or not state.heard else now.heard_ms

    def _begin(self, episode: str, at_ms: int) -> None:
        state = self._state
        state.since, state.since_ms, state.last, state.episode, state.raised = None, at_ms, None, episode, False

    def on_reading(self, heard: Heard, now: Now) -> tuple[()]:
        if not self._state.heard:
            self._state.heard = True
            if self._state.limit_ms is not None:
                self._state.deadline = now.heard_ms
        movers = self._state.movers
        if heard.kind != AVAILABILITY and (
            heard.device in movers or (heard.kind in MOVEMENTS and len(movers) < MOVERS_MAX)
        ):
            movers[heard.device] = None
            if self._state.limit_ms is not None or self._state.unheard is not None:
                self._state.deadline = sooner(self._state.deadline, now.heard_ms)
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
        findings = self._listen(now)
        self._stand_still(now)
        window = window_of(state.away, now)
        if state.limit_ms is None or not state.heard:
            state.deadline = None
            return findings
        if window is not None:
            self._begin(away_episode(window), now.at_ms)
        elif (
            state.since is not None
            and not state.raised
            and state.deaf is None
            and now.heard_ms - state.since >= state.limit_ms
        ):
            if state.unheard is None:
                state.raised = True
                findings.append(self._finding(state.limit_ms, now.heard_ms - state.since, now))
            elif not state.said:
                findings.append(self._cannot_hear(state.unheard, now))
        if state.since is None:
            state.since = now.heard_ms
        quiet = state.raised or state.said or state.deaf is not None
        state.deadline = None if quiet else state.since + state.limit_ms
        if state.unheard is None:
            state.deadline = sooner(state.deadline, self._lost_at())
        if any(away.until_ms is None or away.until_ms > now.at_ms for away in state.away):
            state.deadline = sooner(state.deadline, now.heard_ms + AWAY_LOOK_MS)
        return findings

    def _stand_still(self, now: Now) -> None:
        """While its area is deaf a home's silence does not count, and what it had counted before is kept."""
        state = self._state
        if is_deaf(state.area, now):
            state.deaf = now.heard_ms if state.deaf is None else state.deaf
        elif state.deaf is not None:
            if state.since is not None:
                state.since += now.heard_ms - max(state.deaf, state.since)
            state.deaf = None

    def _lost_at(self) -> int | None:
        """When the last of those that hear movement is lost, if none is heard till then; None: one is never missed."""
        found = None
        for device, since in self._state.movers.items():
            level_ms = self._state.levels.get(device)
            if level_ms is None or since is None:
                return None
            found = max(found or 0, since + MISSED_HEARTBEATS * level_ms)
        return found

    def _listen(self, now: Now) -> list[Finding]:
        """Whether anything hears the person. What was not heard counts as no silence."""
        state, findings = self._state, []
        heard = [device for device, since in state.movers.items() if since is None]
        state.movers.update(dict.fromkeys(heard, now.heard_ms))
        if heard and state.unheard is not None:
            if state.since is not None:
                state.since += now.heard_ms - max(state.unheard, state.since)
            if state.said:
                findings.append(self._heard_again(now))
            state.unheard, state.said = None, ""
        elif state.unheard is None and (lost_at := self._lost_at()) is not None and lost_at <= now.heard_ms:
            state.unheard = max(since for since in state.movers.values() if since is not None)
        return findings

    def _cannot_hear(self, unheard: int, now: Now) -> Finding:
        state = self._state
        last = reading_id(*state.last) if state.last else state.episode
        state.said = f"{last}/unheard/{unheard}"
        return Finding(
            kind=CANNOT_HEAR,
            rule=CANNOT_HEAR,
            episode=state.said,
            evidence={
                "threshold": max(state.levels[device] for device in state.movers) * MISSED_HEARTBEATS / 1000,
                "value": (now.heard_ms - unheard) / 1000,
                "unit": "seconds heard without a sign of whatever hears movement",
                "since_ms": now.at_ms - (now.heard_ms - unheard),
                "readings": [last] if state.last else [],
                "devices": sorted(state.movers),
            },
        )

    def _heard_again(self, now: Now) -> Finding:
        return Finding(
            kind=HEARING_RESTORED,
            rule=HEARING_RESTORED,
            episode=self._state.said,
            restores=CANNOT_HEAR,
            evidence={"since_ms": now.at_ms - (now.heard_ms - (self._state.unheard or 0)), "readings": []},
        )

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


def window_of(away: tuple[Away, ...], now: Now) -> Away | None:
    """The pause that holds now."""
    for window in away:
        if window.from_ms <= now.at_ms and (window.until_ms is None or now.at_ms < window.until_ms):
            return window
    return None


def away_episode(window: Away) -> str:
    return f"away/{window.from_ms}/{window.until_ms}"
