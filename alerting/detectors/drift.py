"""How the weeks of a home change: rising and going to bed, nights, the bathroom, time out, how warm it is. PURE.

It is a note for the next visit and rings nobody. Each day, from noon to noon by the home's own clock, becomes a few
numbers; each Monday at noon the week's are held against those of the weeks before. One odd day changes no median, and
a holiday counts for nothing. Days are kept as ten-minute marks until they are over, so that late and repeated readings
make no difference.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from math import isfinite
from statistics import median
from typing import Any, ClassVar, NamedTuple, Self

import msgspec

from alerting.detectors import HOUR_MS, Finding, Heard, Now, beyond, reading_id
from alerting.detectors.local_time import day_begins_ms, local_day
from alerting.detectors.wandering import DOORS, INSIDE, NO_WAY_OUT
from pingan.messages import Away, HomeSettings, Reading

ROUTINE_DRIFT = "routine_drift"
TEMPERATURE = "temperature"
BATHROOMS = ("bath", "toilet", "wc", "shower", "卫生间", "浴室", "厕所", "洗手间")
"""Parts of the names of sensors that hear somebody go there."""
PERSONAL_DEVICES = frozenset({"watch", "pendant", "tracker", "button"})

DAY_BEGINS_MS = 12 * HOUR_MS
LATE_MS = beyond.LATE_MS
SLOT_MS = 600_000
SLOTS = 150
"""A day's, and an hour more for the day on which clocks are put back."""
HOUR_SLOTS = 6

WEEK_DAYS = 7
WEEK_LEAST = 4
"""Days of the week of which enough was heard."""
USUAL_DAYS = 49
USUAL_LEAST = 14
SUNDAY = 6
"""The day that is over on Monday at noon."""
DAYS_AFTER_MONDAY = 3
"""1 January 1970 was a Thursday."""
FAR = 1.5
"""A week differs when its median lies so many of the days' spreads from the weeks before."""
REMIND_DAYS = 28
"""What has become usual is not told again."""
ACTIVE_SLOTS_LEAST = 12
"""A day with fewer was spent elsewhere, or its sensors were not heard."""
OUT_SLOTS_LEAST = 3
STIR_COST = 3
"""In looking for the night: how many still slots one with a movement in it weighs, so that going to the bathroom does
not end a night."""
EVENING_SLOT = 7 * HOUR_SLOTS
"""The night's rest does not begin before 19:00."""
ROOM_COLD = 18.0
"""°C; the least for health (World Health Organization, Housing and health guidelines, 2018)."""


class Measure(NamedTuple):
    unit: str
    least: float
    """A smaller change means nothing, however regular the person is."""
    clock: bool = False
    """Whether it is a time of day, in hours after the noon before."""


MEASURES = {
    "bedtime": Measure("o'clock", 1.0, clock=True),
    "rising": Measure("o'clock", 1.0, clock=True),
    "night_activity": Measure("ten-minute spans with movement in the night", 4.0),
    "bathroom_visits": Measure("visits a day", 3.0),
    "time_out": Measure("hours a day", 1.5),
    "activity": Measure("ten-minute spans with movement a day", 15.0),
    "room_temperature": Measure("°C", 2.0),
}
"""Chosen: what a visitor would ask about. See docs/detection-vitals.md for how often each is told on TIHM."""
NAMES = tuple(MEASURES)


class Marks(msgspec.Struct, array_like=True):
    """A day that is not over: in which ten minutes, counted from its noon, what was heard."""

    moved: bytearray
    bathroom: bytearray
    door: bytearray
    warm: dict[int, tuple[int, str, int, float]] = {}
    """Of each two hours the first reading of the room's temperature."""
    newest: tuple[int, str, str, int] = (0, "", "", 0)
    """at_ms, device, boot and seq of the newest movement."""


class Day(msgspec.Struct, array_like=True):
    day: int
    values: list[float | None]
    """In the order of `MEASURES`."""
    newest: str = ""
    """The last movement's reading."""


class State(msgspec.Struct, array_like=True):
    day: int = -1
    begins_ms: int = 0
    ends_ms: int = 0
    marks: Marks | None = None
    later: Marks | None = None
    """Of the day after, while late readings of this one may still come."""
    timezone: str = "Asia/Shanghai"
    away: tuple[Away, ...] = ()
    personal: tuple[str, ...] = ()
    told: dict[str, tuple[int, int]] = {}
    """Of each measure the day on which it was last told, and in which direction."""
    tail: list[Day] = []
    """Days that were closed since what was learned was given away last."""
    deadline: int | None = None


class Drift:
    """One home's weeks."""

    name: ClassVar[str] = "drift"
    version: ClassVar[int] = 1
    kinds: ClassVar[frozenset[str]] = INSIDE | DOORS | {TEMPERATURE}

    def __init__(self, state: State | None = None) -> None:
        self._state = state or State()
        self._history = list(self._state.tail)

    @property
    def deadline(self) -> int | None:
        return self._state.deadline

    def on_settings(self, settings: HomeSettings, now: Now) -> None:
        state = self._state
        state.away = settings.away
        state.personal = tuple(device.id for device in settings.devices if device.kind in PERSONAL_DEVICES)
        if settings.timezone != state.timezone:
            # The day's marks were counted from another noon.
            state.timezone, state.day, state.marks, state.later = settings.timezone, -1, None, None

    def on_reading(self, heard: Heard, now: Now) -> tuple[()]:
        kind = heard.kind
        if kind not in self.kinds or type(heard) is not Reading or now.at_ms <= 0:
            return ()
        state = self._state
        if state.day < 0:
            self._begin(local_day(now.at_ms - LATE_MS, state.timezone, DAY_BEGINS_MS), now)
        at_ms = min(heard.at_ms, heard.received_ms)
        if at_ms < state.begins_ms:
            return ()
        if at_ms < state.ends_ms:
            marks = state.marks = state.marks or _no_marks()
            slot = (at_ms - state.begins_ms) // SLOT_MS
        else:
            marks = state.later = state.later or _no_marks()
            slot = (at_ms - state.ends_ms) // SLOT_MS
        if slot >= SLOTS:
            return ()
        if kind == TEMPERATURE:
            self._on_temperature(heard, marks, slot)
        elif kind in DOORS or heard.value:
            _mark(heard, marks, slot)
        return ()

    def _begin(self, day: int, now: Now) -> None:
        state = self._state
        state.day = day
        state.begins_ms = day_begins_ms(day, state.timezone, DAY_BEGINS_MS)
        state.ends_ms = day_begins_ms(day + 1, state.timezone, DAY_BEGINS_MS)
        state.deadline = now.heard_ms + max(0, state.ends_ms + LATE_MS - now.at_ms)

    def _on_temperature(self, heard: Reading, marks: Marks, slot: int) -> None:
        value = heard.value
        if not isinstance(value, int | float) or type(value) is bool or not isfinite(value):
            return
        if heard.device in self._state.personal or not 0 <= value <= 45:
            return
        named, hours = (heard.at_ms, heard.boot, heard.seq, float(value)), slot // (2 * HOUR_SLOTS)
        if hours not in marks.warm or named < marks.warm[hours]:
            marks.warm[hours] = named

    def on_deadline(self, now: Now) -> list[Finding]:
        state = self._state
        findings: list[Finding] = []
        state.deadline = None
        if state.day < 0:
            return []
        while state.ends_ms + LATE_MS <= now.at_ms:
            if state.marks is not None:
                self._keep(_day(state.day, state.marks, self._away_today()))
            if (state.day + DAYS_AFTER_MONDAY) % WEEK_DAYS == SUNDAY:
                findings += self._week(state.day)
            marks, state.marks, state.later = state.later, None, None
            if marks is None:
                # Nothing was heard since: the day begins with the next that is.
                state.day = -1
                return findings
            self._begin(state.day + 1, now)
            state.marks = marks
        state.deadline = now.heard_ms + state.ends_ms + LATE_MS - now.at_ms
        return findings

    def _away_today(self) -> bool:
        state = self._state
        return any(
            one.from_ms < state.ends_ms and (one.until_ms is None or state.begins_ms < one.until_ms)
            for one in state.away
        )

    def _keep(self, day: Day) -> None:
        for kept in (self._history, self._state.tail):
            kept.append(day)
            del kept[: -(WEEK_DAYS + USUAL_DAYS)]

    def _week(self, today: int) -> Iterator[Finding]:
        """What of this week is not as the weeks before."""
        state = self._state
        week = [day for day in self._history if today - WEEK_DAYS < day.day <= today]
        before = [day for day in self._history if today - WEEK_DAYS - USUAL_DAYS < day.day <= today - WEEK_DAYS]
        for place, name in enumerate(NAMES):
            these, usual = _values(week, place), _values(before, place)
            if len(these) < WEEK_LEAST or len(usual) < USUAL_LEAST:
                continue
            middle = median(usual)
            spread = 1.4826 * median(abs(value - middle) for value in usual)
            least = max(MEASURES[name].least, FAR * spread)
            moved = median(these) - middle
            if name == "room_temperature" and median(these) >= ROOM_COLD:
                continue
            side = 1 if moved > 0 else -1
            if abs(moved) < least:
                continue
            last = state.told.get(name)
            if last is not None and last[1] == side and today - last[0] < REMIND_DAYS:
                continue
            state.told[name] = (today, side)
            readings = [day.newest for day in week if day.newest]
            yield Finding(
                kind=ROUTINE_DRIFT,
                rule=f"drift_{name}",
                episode=f"week/{today}",
                evidence=_evidence(name, these, usual, least, readings[-1:], state.ends_ms),
            )

    def routine(self) -> bytes | None:
        """The last eight weeks' numbers, if a day was closed since the last call."""
        if not self._state.tail:
            return None
        self._state.tail = []
        return msgspec.msgpack.encode(self._history)

    def learn(self, routine: bytes) -> None:
        known = {day.day: day for day in [*msgspec.msgpack.decode(routine, type=list[Day]), *self._history]}
        self._history = [known[day] for day in sorted(known)][-(WEEK_DAYS + USUAL_DAYS) :]

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(self._state)

    @classmethod
    def restore(cls, state: bytes) -> Self:
        return cls(msgspec.msgpack.decode(state, type=State))


def _no_marks() -> Marks:
    return Marks(bytearray(), bytearray(), bytearray())


def _set(marks: bytearray, slot: int) -> None:
    """Marks reach as far as the day has come."""
    place = slot >> 3
    if place >= len(marks):
        marks.extend(bytes(place + 1 - len(marks)))
    marks[place] |= 1 << (slot & 7)


@lru_cache(4096)
def _is_bathroom(sensor: str) -> bool:
    return any(word in sensor.lower() for word in BATHROOMS)


@lru_cache(4096)
def _leads_out(sensor: str) -> bool:
    return not any(word in sensor.lower() for word in NO_WAY_OUT)


def _mark(heard: Reading, marks: Marks, slot: int) -> None:
    sensor = heard.sensor or heard.device
    _set(marks.moved, slot)
    if heard.kind in DOORS:
        if _leads_out(sensor):
            _set(marks.door, slot)
    elif _is_bathroom(sensor):
        _set(marks.bathroom, slot)
    marks.newest = max(marks.newest, (heard.at_ms, heard.device, heard.boot, heard.seq))


def _slots(marks: bytearray) -> list[bool]:
    whole = int.from_bytes(marks, "little")
    return [bool(whole >> slot & 1) for slot in range(SLOTS)]


def _day(number: int, marks: Marks, away: bool) -> Day:
    """The numbers of a day that is over. None: of this nothing can be said."""
    moved = _slots(marks.moved)
    values: dict[str, float | None] = dict.fromkeys(NAMES)
    if sum(moved) >= ACTIVE_SLOTS_LEAST and not away:
        began, ended = _night(moved)
        values["bedtime"], values["rising"] = round(began / HOUR_SLOTS, 1), round(ended / HOUR_SLOTS, 1)
        values["night_activity"] = sum(moved[began:ended])
        values["activity"] = sum(moved)
        if any(marks.bathroom):
            bathroom = [False, *_slots(marks.bathroom)]
            values["bathroom_visits"] = sum(now and not before for before, now in pairwise(bathroom))
        if any(marks.door):
            values["time_out"] = round(_out_slots(moved, _slots(marks.door), began, ended) / HOUR_SLOTS, 1)
    if marks.warm:
        values["room_temperature"] = round(median(one[3] for one in marks.warm.values()), 1)
    newest = reading_id(*marks.newest[1:]) if marks.newest[1] else ""
    return Day(number, [values[name] for name in NAMES], newest)


def _night(moved: list[bool]) -> tuple[int, int]:
    """The slots in which the night's rest begins and ends: the span with most stillness and least stirring."""
    best, found, total, began = 0, (EVENING_SLOT, EVENING_SLOT), 0, EVENING_SLOT
    for slot in range(EVENING_SLOT, 24 * HOUR_SLOTS):
        if total <= 0:
            total, began = 0, slot
        total += -STIR_COST if moved[slot] else 1
        if total > best:
            best, found = total, (began, slot + 1)
    return found


def _out_slots(moved: list[bool], door: list[bool], night_from: int, night_until: int) -> int:
    """How many slots the person was out: still spans of the day with a door before and after."""
    active = [slot for slot, one in enumerate(moved) if one]
    return sum(
        after - before - 1
        for before, after in pairwise(active)
        if after - before > OUT_SLOTS_LEAST
        and door[before]
        and door[after]
        and not (before < night_until and after > night_from)
    )


def _values(days: list[Day], place: int) -> list[float]:
    return [value for day in days if place < len(day.values) and (value := day.values[place]) is not None]


def _evidence(
    name: str, these: list[float], usual: list[float], least: float, readings: list[str], ends_ms: int
) -> dict[str, Any]:
    measure = MEASURES[name]

    def shown(value: float) -> float:
        return round((value + 12) % 24 if measure.clock else value, 2)

    ordered = sorted(usual)
    return {
        "measure": name,
        "threshold": round(least, 2),
        "value": shown(median(these)),
        "was": shown(median(usual)),
        "unit": measure.unit,
        "since_ms": ends_ms - WEEK_DAYS * 24 * HOUR_MS,
        "readings": readings,
        "days": [shown(value) for value in these],
        "usual": {
            "p50": shown(median(usual)),
            "p10": shown(ordered[int(0.1 * (len(ordered) - 1))]),
            "p90": shown(ordered[int(0.9 * (len(ordered) - 1))]),
            "p99": shown(ordered[-1]),
            "unit": measure.unit,
            "days": len(usual),
            "hour": None,
        },
    }
