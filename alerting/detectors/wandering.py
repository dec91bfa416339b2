"""Somebody who has left home and may not find back: by the door at night, or beyond the fence. PURE.

*The door at night*: a door was the last thing that moved in the home, between 23:00 and 05:00 by its own clock, and
for a quarter of an hour nothing has moved inside. Whoever only looked out, or fetched the newspaper, moves something
on the way back to bed. It may also be a person who has fallen behind that door: either way somebody has to look.

*The fence*: two fixes of a tracker that lie outside beyond doubt, that is by more than their own inaccuracy.
"""

from math import asin, cos, isfinite, radians, sin, sqrt
from typing import ClassVar, Self

import msgspec

from alerting.detectors import Finding, Heard, Now, beyond, reading_id, sooner
from alerting.detectors.beyond import MINUTE_MS, Track
from alerting.detectors.local_time import local_hour
from pingan.messages import WITHDRAWN, Away, Fence, HomeSettings, Reading

WANDERING = "wandering"
DOOR = "door_at_night"
FENCE = "beyond_the_fence"
CAME_BACK = "came_back"

NIGHT_FROM_HOUR = 23
NIGHT_UNTIL_HOUR = 5
RETURN_MS = 15 * MINUTE_MS
"""Chosen on TIHM (25 homes of people with dementia): 21 such doors in 151 home-weeks."""
INSIDE = frozenset({"motion", "occupancy", "vibration", "bed"})
"""Kinds of reading by which somebody moves inside, when they are true."""
DOORS = frozenset({"door", "contact"})
NO_WAY_OUT = ("fridge", "freezer", "cupboard", "wardrobe", "cabinet", "冰箱", "柜")
"""Parts of the names of doors through which nobody leaves."""
HEARS_MS = 24 * 3_600_000
"""A home in which nothing moved inside for so long (heard) has no ears there, and its door says nothing."""

TWO_FIXES = beyond.Rule(least=2, gap_ms=60 * MINUTE_MS, over_ms=0)
ACCURACY_UNKNOWN_M = 50.0
"""What a fix without one is taken for."""
ACCURACY_MOST_M = 500.0
"""A fix that is less sure is a mast and not a place."""
EARTH_M = 6_371_000.0
TRACKERS_MAX = 8


class Door(msgspec.Struct, array_like=True):
    """The newest opening or shutting of a door that nothing has followed."""

    at_ms: int
    device: str
    boot: str
    seq: int
    heard: int
    """heard_ms of the tick before it was heard of."""
    sensor: str | None

    @property
    def reading(self) -> str:
        return reading_id(self.device, self.boot, self.seq)


class State(msgspec.Struct, array_like=True):
    door: Door | None = None
    """That which nothing has followed yet."""
    told: Door | None = None
    """That which was raised and stands."""
    inside: tuple[int, str, str, int] | None = None
    """at_ms, device, boot and seq of the newest movement inside."""
    inside_heard: int | None = None
    """heard_ms of the tick before it was heard of."""
    tracks: dict[str, Track] = {}
    """By tracker."""
    deadline: int | None = None
    away: tuple[Away, ...] = ()
    fence: Fence | None = None
    timezone: str = "Asia/Shanghai"


class Wandering:
    """One home's way out."""

    name: ClassVar[str] = "wandering"
    version: ClassVar[int] = 1
    kinds: ClassVar[frozenset[str]] = INSIDE | DOORS | {"location"}

    def __init__(self, state: State | None = None) -> None:
        self._state = state or State()

    @property
    def deadline(self) -> int | None:
        return self._state.deadline

    def on_settings(self, settings: HomeSettings, now: Now) -> None:
        state = self._state
        if settings.fence != state.fence:
            state.tracks = {}
        state.away, state.fence, state.timezone = settings.away, settings.fence, settings.timezone
        mine = {device.id for device in settings.devices}
        state.tracks = {device: track for device, track in state.tracks.items() if device in mine}

    def on_reading(self, heard: Heard, now: Now) -> tuple[()]:
        kind = heard.kind
        if kind in INSIDE:
            if type(heard) is Reading and heard.value:
                self._on_inside(heard, now)
        elif kind in DOORS:
            if type(heard) is Reading:
                self._on_door(heard, now)
        elif kind == "location" and type(heard) is Reading and self._state.fence is not None:
            self._on_fix(heard, self._state.fence, now)
        return ()

    def _on_inside(self, heard: Reading, now: Now) -> None:
        state = self._state
        moved = (heard.at_ms, heard.device, heard.boot, heard.seq)
        if state.inside is None or moved > state.inside:
            state.inside, state.inside_heard = moved, now.heard_ms
        if state.door is not None or state.told is not None:
            state.deadline = sooner(state.deadline, now.heard_ms)

    def _on_door(self, heard: Reading, now: Now) -> None:
        state = self._state
        sensor = (heard.sensor or heard.device).lower()
        hour = local_hour(heard.at_ms, state.timezone)
        if NIGHT_UNTIL_HOUR <= hour < NIGHT_FROM_HOUR or any(word in sensor for word in NO_WAY_OUT):
            return
        if heard.received_ms - heard.at_ms > beyond.STALE_MS:
            return
        moved = (heard.at_ms, heard.device, heard.boot, heard.seq)
        known = state.door
        if known is not None and moved < (known.at_ms, known.device, known.boot, known.seq):
            return
        state.door = Door(*moved, now.heard_ms, heard.sensor)
        state.deadline = sooner(state.deadline, now.heard_ms)

    def _on_fix(self, heard: Reading, fence: Fence, now: Now) -> None:
        state = self._state
        fix = _fix(heard)
        if fix is None or fix[2] > ACCURACY_MOST_M:
            return
        away_m = distance_m(fence.latitude, fence.longitude, fix[0], fix[1])
        outside = away_m - fix[2] > fence.radius_m
        if not outside and away_m > fence.radius_m:
            return  # it may be either: it says nothing
        track = state.tracks.get(heard.device)
        if track is None:
            if len(state.tracks) >= TRACKERS_MAX:
                return
            track = state.tracks[heard.device] = Track()
        reading = (heard.at_ms, heard.boot, heard.seq)
        due = beyond.add(track, reading, heard.received_ms, round(away_m, 1), outside, now)
        state.deadline = sooner(state.deadline, due)

    def on_deadline(self, now: Now) -> list[Finding]:
        state = self._state
        state.deadline = None
        findings = self._look_at_the_door(now)
        for device, track in state.tracks.items():
            if state.fence is None or _is_away(state.away, now):
                track.minutes, track.carried, track.deadline = [], None, None
            elif track.deadline is not None and track.deadline <= now.heard_ms:
                steps = beyond.judge(track, device, TWO_FIXES, now)
                findings += [_fence_finding(step, device, state.fence) for step in steps]
            state.deadline = sooner(state.deadline, track.deadline)
        return findings

    def _look_at_the_door(self, now: Now) -> list[Finding]:
        state, findings = self._state, []
        inside_ms = state.inside[0] if state.inside is not None else None
        if state.told is not None and state.inside is not None and state.inside[0] >= state.told.at_ms:
            findings.append(_came_back(state.told, state.inside))
            state.told = None
        door = state.door
        if door is None or state.told is not None:
            return findings
        hears = state.inside_heard is not None and now.heard_ms - state.inside_heard < HEARS_MS
        followed = inside_ms is not None and inside_ms >= door.at_ms
        if followed or not hears or _is_away(state.away, now):
            state.door = None
        elif now.heard_ms >= door.heard + RETURN_MS:
            state.told, state.door = door, None
            findings.append(_left(door, state.inside, now))
        else:
            state.deadline = sooner(state.deadline, door.heard + RETURN_MS)
        return findings

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(self._state)

    @classmethod
    def restore(cls, state: bytes) -> Self:
        return cls(msgspec.msgpack.decode(state, type=State))


def distance_m(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Between two places on the earth, in metres (by the haversine, on a sphere: right to half a percent)."""
    north, east = radians(other_latitude - latitude), radians(other_longitude - longitude)
    a = sin(north / 2) ** 2 + cos(radians(latitude)) * cos(radians(other_latitude)) * sin(east / 2) ** 2
    return 2 * EARTH_M * asin(sqrt(min(1.0, a)))


def _fix(heard: Reading) -> tuple[float, float, float] | None:
    """Latitude, longitude and accuracy in metres; None where it is no place."""
    said = heard.value if isinstance(heard.value, dict) else {}
    numbers = [said.get("lat"), said.get("lon"), said.get("accuracy_m", ACCURACY_UNKNOWN_M)]
    if any(not isinstance(one, int | float) or type(one) is bool or not isfinite(one) for one in numbers):
        return None
    latitude, longitude, accuracy_m = (float(one) for one in numbers)
    if not -90 <= latitude <= 90 or not -180 <= longitude <= 180 or accuracy_m < 0 or latitude == longitude == 0:
        return None
    return latitude, longitude, accuracy_m


def _is_away(away: tuple[Away, ...], now: Now) -> bool:
    return any(one.from_ms <= now.at_ms and (one.until_ms is None or now.at_ms < one.until_ms) for one in away)


def _left(door: Door, inside: tuple[int, str, str, int] | None, now: Now) -> Finding:
    opposes = [] if inside is None else [{"what": "moved_inside_before", "at_ms": inside[0], "value": inside[1]}]
    return Finding(
        kind=WANDERING,
        rule=DOOR,
        episode=door.reading,
        device=door.device,
        evidence={
            "threshold": RETURN_MS // MINUTE_MS,
            "value": round((now.heard_ms - door.heard) / MINUTE_MS, 1),
            "unit": "minutes heard without a movement inside",
            "since_ms": door.at_ms,
            "readings": [door.reading],
            "sensor": door.sensor,
            "supports": [{"what": "door_at_night", "at_ms": door.at_ms, "value": door.sensor or door.device}],
            "opposes": opposes,
        },
    )


def _came_back(door: Door, inside: tuple[int, str, str, int]) -> Finding:
    moved = reading_id(*inside[1:])
    return Finding(
        kind=WITHDRAWN,
        rule=f"{DOOR}:withdrawn",
        episode=door.reading,
        device=door.device,
        restores=DOOR,
        evidence={"reason": CAME_BACK, "at_ms": inside[0], "readings": [moved]},
    )


def _fence_finding(step: beyond.Step, device: str, fence: Fence) -> Finding:
    if step.run is None:
        return Finding(
            kind=WITHDRAWN,
            rule=f"{FENCE}:withdrawn",
            episode=step.episode,
            device=device,
            restores=FENCE,
            evidence={"reason": CAME_BACK if step.what == "over" else beyond.LATE_READING, "readings": []},
        )
    run = step.run
    return Finding(
        kind=WANDERING,
        rule=FENCE,
        episode=step.episode,
        device=device,
        evidence={
            "threshold": fence.radius_m,
            "value": run.last_value,
            "unit": "metres from home",
            "since_ms": run.first[0],
            "readings": [reading_id(device, *one[1:]) for one in dict.fromkeys((run.first, run.last))],
        },
    )
