"""Silence: homes walked through in the order of time, and collapses that nobody has had.

All homes live on one clock, as on a platform: what was learned at any moment comes from before it. A collapse is
simulated from a restored snapshot of the home's watch, right after a movement: from then on its sensors are silent
while its hub still says that it is there.
"""

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple, Protocol
from zlib import crc32

import numpy as np

from alerting.detectors import DAY_MS, HOUR_MS
from alerting.detectors.table import DETECTORS, Table
from alerting.evaluate import figures
from alerting.evaluate.movements import CHINA, Home, is_entrance
from alerting.evaluate.playing import EPOCH, Placed, Raised, failures_of, readings
from alerting.partition import Partition, Time
from alerting.watch import VERSION, Watch
from pingan.messages import NOTES, WITHDRAWN, DeviceSettings, HomeSettings, Reading, Tick

INACTIVITY, SUSPECTED = "inactivity", "inactivity_suspected"
LEARNING_DAYS = 14
MONTH_DAYS = 365.25 / 12
GAP_DAYS = 14
"""Of a longer silence no more counts as watched."""
PATIENCE_HOURS = 48
HEARTBEAT_SECONDS = 90_000
BEAT_MS = 12 * HOUR_MS
"""The slowest of heartbeats: the recorded sensors have none, and none that is invented may stand for a movement."""
TICK_MS = 60_000
CEILING_HOURS = 24.0
"""A day: what is found sooner is what was learned, and nobody waits longer."""
AREA = "440703"
AFTER_DOOR_MS = 600_000
"""A collapse so soon after the entrance door looks like leaving."""


class Coverage(Protocol):
    """What ingest knows of what it hears, by area."""

    def heard(self, device: str, now_ms: int) -> None: ...

    def deaf(self, now_ms: int, heard_ms: int | None = None) -> tuple[str, ...]: ...


class Silence(NamedTuple):
    """A time in which nothing of any home arrives."""

    from_ms: int
    hours: float

    @property
    def until_ms(self) -> int:
        return self.from_ms + round(self.hours * HOUR_MS)

    def covers(self, at_ms: int) -> bool:
        return self.from_ms <= at_ms < self.until_ms


def _never(at_ms: int) -> bool:
    return False


@dataclass(frozen=True)
class Plan:
    ceiling_hours: float = CEILING_HOURS
    floor_hours: float | None = None
    version: str | None = None
    """Of the inactivity detector; None: the table's first."""
    tick_ms: int = TICK_MS
    collapses_an_hour: int = 1
    """Of each home, for every hour of the day."""
    silence: Silence | None = None
    seed: int = figures.SEED


class Collapse(NamedTuple):
    home: str
    at_ms: int
    hour: int
    after_door: bool
    suspected_hours: float | None
    hours: float | None
    """Until the alarm; None: not within the patience."""


@dataclass
class Walked:
    """What came of walking through all homes."""

    raised: list[Raised] = field(default_factory=list)
    collapses: list[Collapse] = field(default_factory=list)
    deaf_ms: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    """Of detectors."""

    def add(self, other: "Walked") -> None:
        self.raised += other.raised
        self.collapses += other.collapses
        self.deaf_ms += other.deaf_ms
        self.failures += other.failures


def device_of(home: str) -> str:
    return f"{home}-hub"


def settings(home: str, plan: Plan) -> HomeSettings:
    return HomeSettings(
        home=home,
        revision=1,
        devices=(DeviceSettings(device_of(home), "hub", HEARTBEAT_SECONDS),),
        inactivity_hours=plan.ceiling_hours,
        inactivity_floor_hours=plan.floor_hours,
        area=AREA,
        live={INACTIVITY: plan.version} if plan.version else {},
    )


def chosen(home: Home, plan: Plan) -> list[int]:
    """Movements after which the person collapses: places in `home.movements`, for each hour of the day as many.

    Any that an entrance door did not make: whoever makes them is at home.
    """
    chance = np.random.default_rng([plan.seed, crc32(home.name.encode())])
    by_hour: dict[int, list[int]] = {}
    learned_ms = home.begin_ms + LEARNING_DAYS * DAY_MS
    for place, said in enumerate(home.movements):
        if said.at_ms >= learned_ms and not is_entrance(said.sensor) and said.value not in (False, "closed"):
            by_hour.setdefault(_hour(said.at_ms), []).append(place)
    picked: set[int] = set()
    for _, places in sorted(by_hour.items()):
        picked.update(chance.choice(places, min(plan.collapses_an_hour, len(places)), replace=False).tolist())
    return sorted(picked)


def _hour(at_ms: int) -> int:
    return datetime.fromtimestamp(at_ms / 1000, CHINA).hour


def _heard_places(home: Home, plan: Plan) -> list[int]:
    """The places of those movements that are said."""
    silent = plan.silence.covers if plan.silence is not None else _never
    return [place for place, said in enumerate(home.movements) if not silent(said.said_ms)]


class _Walk:
    """One walk through all homes."""

    def __init__(self, homes: Sequence[Home], plan: Plan, table: Table, coverage: Coverage | None) -> None:
        self._homes = {home.name: home for home in homes}
        self._plan, self._table, self._coverage = plan, table, coverage
        self._partition = Partition(table=table)
        self._routines: dict[str, dict[tuple[str, str], bytes]] = {home.name: {} for home in homes}
        self._fall_at = {home.name: set(chosen(home, plan)) for home in homes}
        self._places = {home.name: iter(_heard_places(home, plan)) for home in homes}
        self._door_ms: dict[str, int] = {}
        self.begin_ms = min(home.begin_ms for home in homes)
        self.end_ms = max(home.until_ms or home.end_ms for home in homes)
        self.walked = Walked()

    def go(self) -> Walked:
        plan, partition, raised = self._plan, self._partition, self.walked.raised
        for home in self._homes:
            raised += [Raised(self.begin_ms, alarm) for alarm in partition.feed(settings(home, plan))]
        self._tick(self.begin_ms, 0)
        said = heapq.merge(*(self._said(home) for home in self._homes.values()), key=lambda one: one[:2])
        upcoming = next(said, None)
        now_ms, day = self.begin_ms, self.begin_ms // DAY_MS
        while now_ms < self.end_ms:
            before_ms, now_ms = now_ms, min(now_ms + plan.tick_ms, self.end_ms)
            while upcoming is not None and upcoming.said_ms <= now_ms:
                self._hear(upcoming)
                upcoming = next(said, None)
            self._tick(now_ms, now_ms - before_ms)
            if now_ms // DAY_MS > day:
                day = now_ms // DAY_MS
                for home in self._homes:
                    self._keep(home)
        self.walked.failures.update(failures_of(partition))
        return self.walked

    def _said(self, home: Home) -> Iterator[Placed]:
        device, plan = device_of(home.name), self._plan
        silent = plan.silence.covers if plan.silence is not None else _never
        begin_ms, clock_ms = home.begin_ms, self.begin_ms
        return readings(
            home.name, device, home.movements, begin_ms, self.end_ms, BEAT_MS, plan.tick_ms, silent, clock_ms
        )

    def _hear(self, placed: Placed) -> None:
        reading = placed.reading
        home = reading.home or ""
        self.walked.raised += [Raised(placed.said_ms, alarm) for alarm in self._partition.feed(reading)]
        if self._coverage is not None:
            self._coverage.heard(reading.device, placed.said_ms)
        if placed.last:
            return
        place = next(self._places[home])
        if is_entrance(reading.sensor):
            self._door_ms[home] = reading.at_ms
        if place in self._fall_at[home]:
            self.walked.collapses.append(self._collapse(home, reading))

    def _tick(self, now_ms: int, heard_ms: int) -> None:
        deaf = self._coverage.deaf(now_ms, heard_ms) if self._coverage is not None else ()
        if deaf:
            self.walked.deaf_ms += heard_ms
        tick = Tick(now_ms, heard_ms, EPOCH, deaf)
        self.walked.raised += [Raised(now_ms, alarm) for alarm in self._partition.feed(tick)]

    def _keep(self, home: str) -> dict[tuple[str, str], bytes]:
        """What the home has learned, as a checkpoint stores it."""
        watch, kept = self._partition.watches[home], self._routines[home]
        kept.update(watch.learned(self._partition.now))
        watch.unstored.clear()
        return kept

    def _collapse(self, home: str, last: Reading) -> Collapse:
        """From a snapshot of this moment: no movement any more, while the hub is still heard."""
        now = self._partition.now
        state = self._partition.watches[home].snapshot()
        watch = Watch.restore(home, VERSION, state, now, self._keep(home), self._table)
        alone = Partition(Time(*self._partition.time), {home: watch}, self._table)
        suspected, found = _until_alarm(alone, self._homes[home], last, self._plan)
        self.walked.failures.update(failures_of(alone))
        door_ms = self._door_ms.get(home)
        return Collapse(
            home,
            last.at_ms,
            _hour(last.at_ms),
            door_ms is not None and last.at_ms - door_ms <= AFTER_DOOR_MS,
            suspected,
            found,
        )


def _until_alarm(partition: Partition, home: Home, last: Reading, plan: Plan) -> tuple[float | None, float | None]:
    """Hours from the last movement to the suspicion and to the alarm."""
    now_ms = partition.time.tick_ms
    beat_ms = home.begin_ms + ((last.at_ms - home.begin_ms) // BEAT_MS + 1) * BEAT_MS
    seq, suspected = last.seq, None
    while now_ms < last.at_ms + PATIENCE_HOURS * HOUR_MS:
        now_ms += plan.tick_ms
        alarms = []
        while beat_ms <= now_ms:
            seq += 1
            beat = Reading(last.device, last.boot, seq, beat_ms, beat_ms, "status", {"faults": []}, home.name)
            alarms += partition.feed(beat)
            beat_ms += BEAT_MS
        alarms += partition.feed(Tick(now_ms, plan.tick_ms, EPOCH))
        hours = (now_ms - last.at_ms) / HOUR_MS
        for alarm in alarms:
            if alarm.kind == SUSPECTED and suspected is None:
                suspected = hours
            elif alarm.kind == INACTIVITY:
                return suspected, hours
    return suspected, None


def together(homes: Sequence[Home]) -> list[list[Home]]:
    """The homes that were recorded at one time, and so live on one clock: years in which nobody was are not walked."""
    parts: list[list[Home]] = []
    until_ms = 0
    for home in sorted(homes, key=lambda one: one.begin_ms):
        if not parts or home.begin_ms > until_ms:
            parts.append([])
        parts[-1].append(home)
        until_ms = max(until_ms, home.until_ms or home.end_ms)
    return [sorted(part, key=lambda one: one.name) for part in parts]


def walk(homes: Sequence[Home], plan: Plan, table: Table = DETECTORS, coverage: Coverage | None = None) -> Walked:
    return _Walk(homes, plan, table, coverage).go()


def watched_ms(home: Home) -> int:
    """How long false alerts are counted in it. What is silent for longer was not recorded, and must not thin them."""
    times = [home.begin_ms + LEARNING_DAYS * DAY_MS]
    times += [said.at_ms for said in home.movements if said.at_ms > times[0]]
    return sum(min(later - earlier, GAP_DAYS * DAY_MS) for earlier, later in pairwise(times))


def figures_of(homes: Sequence[Home], walked: Walked, plan: Plan) -> dict[str, Any]:
    """False alerts a home-month, and hours from a collapse to its alarm."""
    spans = {home.name: (home.begin_ms + LEARNING_DAYS * DAY_MS, home.end_ms) for home in homes}
    names = [name for name, (first, last) in spans.items() if last > first]
    watched = {home.name: watched_ms(home) for home in homes}
    months = [watched[name] / DAY_MS / MONTH_DAYS for name in names]
    counted = {kind: dict.fromkeys(names, 0) for kind in (INACTIVITY, SUSPECTED)}
    kinds: dict[str, int] = {}
    for one in walked.raised:
        kinds[one.alarm.kind] = kinds.get(one.alarm.kind, 0) + 1
        home = one.alarm.home or ""
        if one.alarm.kind in counted and home in counted[INACTIVITY]:
            first, last = spans[home]
            counted[one.alarm.kind][home] += first <= one.raised_ms <= last
    false, asked = ([counted[kind][name] for name in names] for kind in (INACTIVITY, SUSPECTED))
    interval = figures.ratio_interval(false, months)
    low, high = figures.poisson_interval(sum(false))
    total = sum(months)
    return {
        "homes": len(homes),
        "home_months": total,
        "false_alerts": sum(false),
        "fa_per_home_month": sum(false) / total if total else None,
        "fa_per_home_month_poisson": [low / total, high / total] if total else None,
        "fa_per_home_month_by_home": None if interval is None else list(interval),
        "asked_per_home_month": sum(asked) / total if total else None,
        "by_home": dict(zip(names, false, strict=True)),
        "months_by_home": dict(zip(names, months, strict=True)),
        "alarms": kinds,
        "deaf_hours": walked.deaf_ms / HOUR_MS,
        "detector_failures": dict(walked.failures),
        "collapses": _collapses(walked.collapses),
        "plan": {
            "ceiling_hours": plan.ceiling_hours,
            "floor_hours": plan.floor_hours,
            "version": plan.version,
            "tick_seconds": plan.tick_ms / 1000,
        },
    }


AFTER_SILENCE_HOURS = 24.0
OF_NO_PERSON = frozenset(
    {"cannot_hear", "hearing_restored", "heartbeat_lost", "device_restored", "sequence_gap", WITHDRAWN, *NOTES}
)


def silent_together(walked: Walked, silence: Silence) -> dict[str, Any]:
    """What was said of homes of which nothing came, and in the day after: of people, of homes, and of whole areas."""
    until_ms = silence.until_ms + round(AFTER_SILENCE_HOURS * HOUR_MS)
    said = [one for one in walked.raised if silence.from_ms <= one.raised_ms <= until_ms]
    begun = [one for one in said if one.alarm.home is None and "restores" not in one.alarm.evidence]
    during = Counter(one.alarm.kind for one in said if one.alarm.home and one.raised_ms <= silence.until_ms)
    after = Counter(one.alarm.kind for one in said if one.alarm.home and one.raised_ms > silence.until_ms)
    return {
        "from_ms": silence.from_ms,
        "hours": silence.hours,
        "person": sum(count for kind, count in during.items() if kind not in OF_NO_PERSON),
        "during": dict(sorted(during.items())),
        "after": dict(sorted(after.items())),
        "areas": len({one.alarm.id for one in begun}),
        "known_after_hours": (begun[0].raised_ms - silence.from_ms) / HOUR_MS if begun else None,
        "deaf_hours": walked.deaf_ms / HOUR_MS,
    }


def _collapses(collapses: Sequence[Collapse]) -> dict[str, Any]:
    if not collapses:
        return {"count": 0}
    found = figures.summary([_hours(one) for one in collapses])
    by_hour = {hour: [_hours(one) for one in collapses if one.hour == hour] for hour in range(24)}
    doors = [one for one in collapses if one.after_door]
    return {
        **found,
        "intervals": _intervals(collapses),
        "never_raised": sum(one.hours is None for one in collapses) / len(collapses),
        "suspected_hours": figures.summary(
            [one.suspected_hours for one in collapses if one.suspected_hours is not None]
        ),
        "after_a_door": {
            **figures.summary([_hours(one) for one in doors]),
            "never_raised": sum(one.hours is None for one in doors) / len(doors) if doors else None,
        },
        "by_hour": {hour: figures.summary(hours) for hour, hours in by_hour.items() if hours},
    }


def _hours(collapse: Collapse) -> float:
    """What was never raised counts as the patience: it must not make the mean better."""
    return PATIENCE_HOURS if collapse.hours is None else collapse.hours


def _intervals(collapses: Sequence[Collapse]) -> dict[str, list[float] | None]:
    homes: dict[str, int] = {}
    whose = np.array([homes.setdefault(one.home, len(homes)) for one in collapses])
    if len(homes) < 2:
        return dict.fromkeys(("median", "mean", "p90", "never_raised"))
    hours = np.array([_hours(one) for one in collapses])
    never = np.array([one.hours is None for one in collapses])
    draws = figures.drawn(len(homes))
    drawn = [np.repeat(hours, counts[whose]) for counts in draws]
    found = {
        "median": figures.middle_of(np.array([np.median(one) for one in drawn])),
        "mean": figures.middle_of(np.array([one.mean() for one in drawn])),
        "p90": figures.middle_of(np.array([np.quantile(one, 0.9) for one in drawn])),
        "never_raised": figures.middle_of(np.array([never @ counts[whose] / counts[whose].sum() for counts in draws])),
    }
    return {name: None if interval is None else list(interval) for name, interval in found.items()}


def listed(walked: Walked) -> list[dict[str, Any]]:
    """Every alarm, for comparing with what a running platform has raised."""
    return [
        {
            "id": str(one.alarm.id),
            "kind": one.alarm.kind,
            "home": one.alarm.home,
            "rule": one.alarm.evidence.get("rule"),
            "at_ms": one.alarm.at_ms,
            "raised_ms": one.raised_ms,
        }
        for one in walked.raised
    ]
