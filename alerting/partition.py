"""All watches of one partition, and their time. PURE: a test of detection is a list of messages.

Only ticks move time, and it never goes backward. A tick touches only those homes whose deadline it reached, and those
of an area that is deaf from now on, or no longer.

That an area is deaf is an alarm of its own, of no home. Every partition makes it, under the same id: so one is raised,
whichever of them are being watched at that moment.
"""

import heapq
from collections.abc import Mapping
from operator import itemgetter
from typing import NamedTuple

from alerting.detectors import Now, is_deaf
from alerting.detectors.inactivity import CANNOT_HEAR, HEARING_RESTORED
from alerting.detectors.table import DETECTORS, Table
from alerting.watch import Failure, ShadowAlarm, Watch
from pingan.messages import Alarm, HomeSettings, Message, Tick, derived_alarm_id

AREA_DEAF = "area_deaf"
AREA_HEARD = "area_heard"
COVERAGE = "coverage/1"
SHARE_LOST = 0.5
"""Of what is usual: below it an area is deaf. Ingest's coverage decides it, and a test holds the two equal."""


class Time(NamedTuple):
    """A partition's time, as its checkpoint keeps it."""

    at_ms: int = 0
    """The latest moment that any tick has named."""
    heard_ms: int = 0
    epoch: int = 0
    """Of the newest source of ticks: those of older ones are void."""
    tick_ms: int = 0
    """The last tick's own time; behind `at_ms` where a new source's clock is behind the old one's."""
    deaf: Mapping[str, int] = {}
    """Areas of which nearly nothing is heard, and since which tick's time."""


class Partition:
    """Feed it the log's messages in order; it gives the alarms that they mean."""

    def __init__(
        self, time: Time | None = None, watches: dict[str, Watch] | None = None, table: Table = DETECTORS
    ) -> None:
        self.time = time or Time()
        self._table = table
        self.watches = watches or {}
        self.changed: set[str] = set()
        """Homes whose state is no longer that of the last checkpoint; whoever takes one empties it."""
        self.shadows: list[ShadowAlarm] = []
        """What versions in shadow have found: it rings nobody. Whoever keeps it empties it."""
        self.failures: list[Failure] = []
        """What detectors have failed on. Whoever tells of it empties it."""
        self._now = Now(self.time.at_ms, self.time.heard_ms, frozenset(self.time.deaf))
        self._next: set[Watch] = set()
        """To be woken at the next tick: nearly all that have spoken since the last. They need no heap."""
        self._due: list[tuple[int, str]] = []
        """Of each home the soonest entry is `booked`. A deadline that moved later is found out when it comes up: so a
        home that speaks all the time leaves no trail of entries."""
        for watch in self.watches.values():
            watch.booked = None
            self._schedule(watch)

    @property
    def now(self) -> Now:
        return self._now

    def feed(self, message: Message) -> list[Alarm]:
        """The alarms that `message` makes. ValueError for one that makes no sense here."""
        if isinstance(message, Tick):
            return self._tick(message)
        home = message.home
        if home is None:
            # A device that is bound to no home: here its watch will stand, once it can be adopted. Its SOS has rung.
            return []
        watch = self.watches.get(home)
        if watch is None:
            watch = self.watches[home] = Watch(home, self._table)
        self.changed.add(home)
        alarms: list[Alarm] = []
        if isinstance(message, HomeSettings):
            watch.set(message, self._now)
        else:
            alarms = watch.hear(message, self._now)
        if watch.shadows or watch.failures:
            self._collect(watch)
        self._schedule(watch)
        return alarms

    def _tick(self, tick: Tick) -> list[Alarm]:
        time = self.time
        if tick.epoch < time.epoch or (tick.epoch == time.epoch and tick.at_ms <= time.tick_ms):
            return []  # a source that is no longer the one, or a repeat
        heard_ms = max(0, tick.heard_ms)
        if tick.at_ms > time.tick_ms:
            # Nobody has listened for longer than it has been since the tick before.
            heard_ms = min(heard_ms, tick.at_ms - time.tick_ms)
        before = self._now
        at_ms, deaf = max(time.at_ms, tick.at_ms), time.deaf
        if tick.deaf or deaf:
            deaf = {area: deaf.get(area, at_ms) for area in tick.deaf}
        self.time = Time(at_ms, time.heard_ms + heard_ms, tick.epoch, tick.at_ms, deaf)
        if deaf == time.deaf:
            self._now = Now(at_ms, self.time.heard_ms, before.deaf)
            return self._wake()
        self._now = Now(at_ms, self.time.heard_ms, frozenset(deaf))
        return _areas(time.deaf, tick, self._now, deaf) + self._look_again(before) + self._wake()

    def _look_again(self, before: Now) -> list[Alarm]:
        """Every home that is heard no more, or again, learns of it at once."""
        alarms: list[Alarm] = []
        for home, watch in self.watches.items():
            area = "" if watch.settings is None else watch.settings.area
            if is_deaf(area, before) != is_deaf(area, self._now):
                self.changed.add(home)
                alarms += watch.look_again(self._now)
                if watch.shadows or watch.failures:
                    self._collect(watch)
                self._schedule(watch)
        return alarms

    def _wake(self) -> list[Alarm]:
        now, watches = self._now, self.watches
        woken, self._next = self._next, set()
        while self._due and self._due[0][0] <= now.heard_ms:
            due, home = heapq.heappop(self._due)
            watch = watches[home]
            if watch.booked == due:
                watch.booked = None
                woken.add(watch)
        told: list[tuple[str, Watch, list[Alarm]]] = []
        for watch in woken:
            if watch.deadline is not None and watch.deadline <= now.heard_ms:
                self.changed.add(watch.home)
                found = watch.wake(now)
                if found or watch.shadows or watch.failures:
                    told.append((watch.home, watch, found))
            # Whoever asks for this very moment again is woken at the next tick, not for ever at this one.
            self._schedule(watch)
        alarms: list[Alarm] = []
        for _, watch, found in sorted(told, key=itemgetter(0)):
            alarms += found
            self._collect(watch)
        return alarms

    def _collect(self, watch: Watch) -> None:
        self.shadows += watch.shadows
        self.failures += watch.failures
        watch.shadows, watch.failures = (), ()

    def _schedule(self, watch: Watch) -> None:
        deadline = watch.deadline
        if deadline is None:
            return
        if deadline <= self._now.heard_ms:
            self._next.add(watch)
        elif watch.booked is None or deadline < watch.booked:
            watch.booked = deadline
            heapq.heappush(self._due, (deadline, watch.home))


def _areas(before: Mapping[str, int], tick: Tick, now: Now, deaf: Mapping[str, int]) -> list[Alarm]:
    """What is said of the areas themselves."""
    alarms = [_area(CANNOT_HEAR, AREA_DEAF, area, deaf[area], tick, now) for area in tick.deaf if area not in before]
    for area, since_ms in before.items():
        if area not in deaf:
            alarms.append(_area(HEARING_RESTORED, AREA_HEARD, area, since_ms, tick, now))
    return alarms


def _area(kind: str, rule: str, area: str, since_ms: int, tick: Tick, now: Now) -> Alarm:
    whose, episode = f"area {area}", str(since_ms)
    evidence = {
        "source": "derived",
        "detector": COVERAGE,
        "rule": rule,
        "area": area,
        "threshold": SHARE_LOST,
        "value": None,
        "unit": "share of the homes that are usually heard",
        "since_ms": since_ms,
        "readings": [],
    }
    if (lack := tick.lacks.get(area)) is not None:
        homes, heard, usual, minutes = lack
        evidence |= {"homes": homes, "heard": heard, "usually": usual, "minutes": minutes}
        evidence["value"] = round(heard / usual, 3) if usual else 0.0
    if rule == AREA_HEARD:
        evidence["restores"] = str(derived_alarm_id(whose, AREA_DEAF, episode))
    return Alarm(
        id=derived_alarm_id(whose, rule, episode),
        kind=kind,
        home=None,
        device=None,
        at_ms=now.at_ms,
        received_ms=now.at_ms,
        evidence=evidence,
    )
