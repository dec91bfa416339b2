"""Vital signs beyond what somebody has set for this person, or changed from what is usual for them. PURE.

*Beyond a limit* is a danger at once: at the tick after the second reading beyond it, or six minutes after a single one
that nothing contradicts. Two, because cuffs and watches err; not more than the six minutes, because many measure once a
day. *Changed* is a matter of days: several measured days in a row whose median lies far from the median of the weeks
before, in terms of how much this person's days usually differ.
"""

from collections.abc import Iterator
from itertools import pairwise
from math import isfinite
from statistics import median
from typing import Any, ClassVar, NamedTuple, Self

import msgspec

from alerting.detectors import HOUR_MS, Finding, Heard, Now, beyond, reading_id, sooner
from alerting.detectors.beyond import MINUTE_MS, Track
from alerting.detectors.local_time import day_begins_ms, local_day
from pingan.messages import WITHDRAWN, HomeSettings, Limit, Reading

VITALS = "vitals"
LIMIT = "vitals_limit"
CHANGE = "vitals_change"

REPEAT = beyond.Rule(least=2, alone_ms=5 * MINUTE_MS)

ROOM_DEVICES = frozenset({"climate", "smoke", "gas", "co", "water", "motion", "door", "vibration", "hub", "panel"})
"""Kinds of device whose `temperature` is the room's."""


class Measure(NamedTuple):
    """What is measured of a person, and how much of a change is one."""

    unit: str
    least: float
    most: float
    """Beyond these a value is an error of measurement and no sign of life."""
    spread: float
    """The least that the days' usual spread is taken for: below it a difference means nothing, however regular the
    person is."""
    days: int
    """So many measured days in a row make a change."""
    side: int = 0
    """1: only more is one, −1: only less, 0: either."""


MEASURES: dict[str, Measure] = {
    "heart_rate": Measure("beats a minute", 20, 300, 5.0, 3),
    "spo2": Measure("percent", 40, 100, 1.2, 3, -1),
    "systolic": Measure("mmHg", 50, 280, 8.0, 3),
    "diastolic": Measure("mmHg", 25, 200, 5.0, 3),
    "body_temperature": Measure("°C", 30, 44, 0.44, 2, 1),
    "weight": Measure("kg", 20, 300, 0.8, 2),
}
"""Spreads are chosen so that the least change that is told is one that is acted upon: 2 kg of weight in days (European
Society of Cardiology, heart failure 2021), 1.1 °C above the person's usual temperature (Infectious Diseases Society of
America, long-term care 2008), 3 points of SpO2 (more than a step of NEWS2); 20/12 mmHg and 12 beats are chosen. See
docs/detection-vitals.md."""

BLOOD_PRESSURE = {"systolic": "systolic", "diastolic": "diastolic", "pulse": "heart_rate"}
"""The parts of a cuff's reading, and what each measures."""
KINDS = frozenset({"heart_rate", "spo2", "temperature", "body_temperature", "weight", "blood_pressure"})

FAR = 2.5
"""A day is far from usual when it differs by so many of the days' spreads (1.4826 × the median absolute deviation)."""
NEAR = 1.25
"""And back to usual when it differs by no more than this."""
BASELINE_DAYS = 14
"""Measured days that are needed to say what is usual."""
BASELINE_SKIP = 2
"""The days just before the change's own are not yet usual: what begins slowly must not hide itself."""
HISTORY_DAYS = 42
SPAN_DAYS = 3
"""Of days in a row one may be missing between two."""
REMIND_DAYS = 14
"""A change that goes on is what is usual after a while; till then it is not told again."""
DAY_BEGINS_MS = 12 * HOUR_MS
"""A person's day is told at noon: the morning's measurements are in, and whoever is to be rung is awake."""
LATE_MS = beyond.LATE_MS
SLOT_MS = 2 * HOUR_MS
"""Of each two hours the first reading counts for the day: a watch that measures each minute is no more than a cuff."""

SOURCES_MAX = 16
"""Of a home: devices × measures."""
BACK_TO_USUAL = "back_to_usual"
WITHIN_LIMITS = "within_limits"


class Source(msgspec.Struct, array_like=True):
    """What one device measures of one thing."""

    low: Track | None = None
    high: Track | None = None
    day: int = -1
    """The day that is not closed yet; it lasts from `begins_ms` until `ends_ms`."""
    begins_ms: int = 0
    ends_ms: int = 0
    slots: dict[int, tuple[int, str, int, float]] = {}
    """Of each two hours the first reading: its at_ms, boot, seq and value."""
    later: dict[int, tuple[int, str, int, float]] = {}
    """The same of the day after, while late readings of this one may still come."""
    told: str = ""
    """The episode of the change that was raised and stands."""
    told_day: int = -1
    side: int = 0


class Day(msgspec.Struct, array_like=True):
    day: int
    value: float
    reading: tuple[str, int]
    """Boot and seq of the reading nearest to it."""


class State(msgspec.Struct, array_like=True):
    sources: dict[str, Source] = {}
    deadline: int | None = None
    limits: tuple[Limit, ...] = ()
    timezone: str = "Asia/Shanghai"
    rooms: tuple[str, ...] = ()
    """Devices of which a temperature is the room's."""
    tail: dict[str, list[Day]] = {}
    """Days that were closed since what was learned was given away last."""


class Vitals:
    """One home's people, as far as something measures them."""

    name: ClassVar[str] = "vitals"
    version: ClassVar[int] = 1
    kinds: ClassVar[frozenset[str]] = KINDS

    def __init__(self, state: State | None = None) -> None:
        self._state = state or State()
        self._history: dict[str, list[Day]] = {source: list(days) for source, days in self._state.tail.items()}
        self._limits = {limit.kind: limit for limit in self._state.limits}

    @property
    def deadline(self) -> int | None:
        return self._state.deadline

    def on_settings(self, settings: HomeSettings, now: Now) -> None:
        state = self._state
        mine = {device.id for device in settings.devices}
        rooms = tuple(device.id for device in settings.devices if device.kind in ROOM_DEVICES)
        for source, known in list(state.sources.items()):
            device, _, measure = source.rpartition(":")
            if device not in mine:
                del state.sources[source]
                self._history.pop(source, None)
                state.tail.pop(source, None)
            elif _limit(settings.limits, measure) != _limit(state.limits, measure):
                # What was beyond the old limit says nothing of the new one.
                known.low = known.high = None
            elif settings.timezone != state.timezone:
                # The day was counted from another noon.
                known.day, known.slots, known.later = -1, {}, {}
        state.limits, state.timezone, state.rooms = settings.limits, settings.timezone, rooms
        self._limits = {limit.kind: limit for limit in settings.limits}

    def on_reading(self, heard: Heard, now: Now) -> tuple[()]:
        if heard.kind not in KINDS or type(heard) is not Reading:
            return ()
        for measure, value in _measured(heard, self._state.rooms):
            self._take(heard, measure, value, now)
        return ()

    def _take(self, heard: Reading, measure: str, value: float, now: Now) -> None:
        state, name = self._state, f"{heard.device}:{measure}"
        source = state.sources.get(name)
        if source is None:
            if len(state.sources) >= SOURCES_MAX:
                return
            source = state.sources[name] = Source()
        reading = (heard.at_ms, heard.boot, heard.seq)
        limit = self._limits.get(measure)
        if limit is not None:
            if limit.low is not None:
                source.low = source.low or Track()
                due = beyond.add(source.low, reading, heard.received_ms, value, value < limit.low, now)
                state.deadline = sooner(state.deadline, due)
            if limit.high is not None:
                source.high = source.high or Track()
                due = beyond.add(source.high, reading, heard.received_ms, value, value > limit.high, now)
                state.deadline = sooner(state.deadline, due)
        self._count(source, reading, min(heard.at_ms, heard.received_ms), value, now)

    def _count(self, source: Source, reading: tuple[int, str, int], at_ms: int, value: float, now: Now) -> None:
        """Let it count for its day."""
        state = self._state
        if now.at_ms <= 0:
            return
        if source.day < 0:
            # The day that a tick belongs to, less what may be late: no reading's own time decides which day is open.
            self._open(source, local_day(now.at_ms - LATE_MS, state.timezone, DAY_BEGINS_MS))
            ends_in_ms = source.ends_ms + LATE_MS - now.at_ms
            state.deadline = sooner(state.deadline, now.heard_ms + max(0, ends_in_ms))
        if at_ms < source.begins_ms:
            return
        slots = source.slots if at_ms < source.ends_ms else source.later
        slot = at_ms // SLOT_MS
        if slot not in slots or (*reading, value) < slots[slot]:
            slots[slot] = (*reading, value)

    def _open(self, source: Source, day: int) -> None:
        source.day = day
        source.begins_ms = day_begins_ms(day, self._state.timezone, DAY_BEGINS_MS)
        source.ends_ms = day_begins_ms(day + 1, self._state.timezone, DAY_BEGINS_MS)

    def on_deadline(self, now: Now) -> list[Finding]:
        state, findings = self._state, []
        state.deadline = None
        for name, source in state.sources.items():
            device, _, measure = name.rpartition(":")
            limit = self._limits.get(measure)
            for track, side in ((source.low, -1), (source.high, 1)):
                if track is not None and limit is not None:
                    if track.deadline is not None and track.deadline <= now.heard_ms:
                        for step in beyond.judge(track, device, REPEAT, now):
                            findings.append(_limit_finding(step, device, measure, limit, side))
                    state.deadline = sooner(state.deadline, track.deadline)
            findings += self._close(name, source, now)
        return findings

    def _close(self, name: str, source: Source, now: Now) -> Iterator[Finding]:
        """Close the days that are over, and everything late of them."""
        state = self._state
        while source.day >= 0:
            if source.ends_ms + LATE_MS > now.at_ms:
                state.deadline = sooner(state.deadline, now.heard_ms + source.ends_ms + LATE_MS - now.at_ms)
                return
            if source.slots:
                day = _day(source.day, source.slots)
                yield from self._judge(name, source, day)
                self._keep(name, day)
            source.slots, source.later = source.later, {}
            if source.slots:
                self._open(source, source.day + 1)
            else:
                # Nothing was measured since: the day begins with the next that is.
                source.day = -1

    def _keep(self, name: str, day: Day) -> None:
        for kept in (self._history, self._state.tail):
            days = kept.setdefault(name, [])
            days.append(day)
            del days[:-HISTORY_DAYS]

    def _judge(self, name: str, source: Source, today: Day) -> Iterator[Finding]:
        device, _, measure = name.rpartition(":")
        known = MEASURES[measure]
        history = self._history.get(name, [])
        recent = [*history[len(history) - known.days + 1 :], today] if len(history) >= known.days - 1 else []
        before = today.day - known.days - BASELINE_SKIP
        usual = [one.value for one in history if today.day - HISTORY_DAYS <= one.day <= before]
        if not recent or len(usual) < BASELINE_DAYS:
            return
        middle = median(usual)
        spread = max(known.spread, 1.4826 * median(abs(value - middle) for value in usual))
        far = [(one.value - middle) / spread for one in recent]
        if source.told and (abs(far[-1]) <= NEAR or far[-1] * source.side < 0):
            yield _withdrawn(f"{CHANGE}:{measure}", source.told, device, BACK_TO_USUAL, measure, today.value)
            source.told = ""
        near = all(b.day - a.day <= SPAN_DAYS for a, b in pairwise(recent))
        for side in (-1, 1):
            if known.side in (0, side) and near and all(side * one >= FAR for one in far):
                if source.told_day >= 0 and today.day - source.told_day < REMIND_DAYS and source.side == side:
                    continue
                source.told, source.told_day, source.side = reading_id(device, *recent[0].reading), today.day, side
                yield Finding(
                    kind=VITALS,
                    rule=f"{CHANGE}:{measure}",
                    episode=source.told,
                    device=device,
                    evidence=_change(measure, middle, spread, side, recent, usual, self._state.timezone, device),
                )

    def routine(self) -> bytes | None:
        """The days' medians of each source, if a day was closed since the last call."""
        if not self._state.tail:
            return None
        self._state.tail = {}
        return msgspec.msgpack.encode(self._history)

    def learn(self, routine: bytes) -> None:
        learned = msgspec.msgpack.decode(routine, type=dict[str, list[Day]])
        for name, days in learned.items():
            known = {day.day: day for day in [*days, *self._history.get(name, [])]}
            self._history[name] = [known[day] for day in sorted(known)][-HISTORY_DAYS:]

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(self._state)

    @classmethod
    def restore(cls, state: bytes) -> Self:
        return cls(msgspec.msgpack.decode(state, type=State))


def _limit(limits: tuple[Limit, ...], measure: str) -> Limit | None:
    return next((limit for limit in limits if limit.kind == measure), None)


def _measured(heard: Reading, rooms: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    """What a reading measures of a person; nothing where it cannot be true."""
    if heard.kind == "blood_pressure":
        parts = heard.value if isinstance(heard.value, dict) else {}
        named = [(measure, parts.get(part)) for part, measure in BLOOD_PRESSURE.items()]
    elif heard.kind == "temperature":
        named = [] if heard.device in rooms else [("body_temperature", heard.value)]
    else:
        named = [(heard.kind, heard.value)]
    for measure, value in named:
        if isinstance(value, int | float) and type(value) is not bool and isfinite(value):
            known = MEASURES[measure]
            if known.least <= value <= known.most:
                yield measure, float(value)


def _day(number: int, slots: dict[int, tuple[int, str, int, float]]) -> Day:
    value = round(median(slot[3] for slot in slots.values()), 2)
    _, boot, seq, _ = min(slots.values(), key=lambda slot: (abs(slot[3] - value), slot))
    return Day(number, value, (boot, seq))


def _limit_finding(step: beyond.Step, device: str, measure: str, limit: Limit, side: int) -> Finding:
    rule = f"{LIMIT}:{measure}:{'high' if side > 0 else 'low'}"
    if step.run is None:
        reason = WITHIN_LIMITS if step.what == "over" else beyond.LATE_READING
        return _withdrawn(rule, step.episode, device, reason, measure, None)
    run = step.run
    readings = [reading_id(device, *one[1:]) for one in dict.fromkeys((run.first, run.last))]
    evidence = {
        "measure": measure,
        "side": "high" if side > 0 else "low",
        "threshold": limit.high if side > 0 else limit.low,
        "value": run.last_value,
        "unit": MEASURES[measure].unit,
        "since_ms": run.first[0],
        "readings": readings,
        "count": run.beyond,
    }
    return Finding(kind=VITALS, rule=rule, episode=step.episode, device=device, evidence=evidence)


def _change(
    measure: str, middle: float, spread: float, side: int, recent: list[Day], usual: list[float], zone: str, device: str
) -> dict[str, Any]:
    ordered = sorted(usual)
    return {
        "measure": measure,
        "side": "high" if side > 0 else "low",
        "threshold": round(middle + side * FAR * spread, 2),
        "value": recent[-1].value,
        "unit": MEASURES[measure].unit,
        "since_ms": day_begins_ms(recent[0].day, zone, DAY_BEGINS_MS),
        "readings": [reading_id(device, *day.reading) for day in recent],
        "days": len(recent),
        "usual": {
            "p50": round(middle, 2),
            "p90": ordered[int(0.9 * (len(ordered) - 1))],
            "p99": ordered[-1],
            "low": ordered[0],
            "unit": MEASURES[measure].unit,
            "days": len(usual),
            "hour": None,
        },
    }


def _withdrawn(rule: str, episode: str, device: str, reason: str, measure: str, value: float | None) -> Finding:
    return Finding(
        kind=WITHDRAWN,
        rule=f"{rule}:withdrawn",
        episode=episode,
        device=device,
        restores=rule,
        evidence={"reason": reason, "measure": measure, "value": value, "readings": []},
    )
