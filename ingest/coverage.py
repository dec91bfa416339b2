"""How many of an area's homes are heard, against what is usual there at this hour. PURE.

A back-end fault, a broker's rule or a network's makes a whole area silent at once, and from inside a home that looks
like a person who no longer moves. Only the others can tell: people do not all fall still in the same hour. Sensors that
speak only when somebody moves have no heartbeat to miss, and at night a quiet area is a sleeping one. So each area's
usual share of homes heard is learned by the hour of the day, within several windows: of a thousand homes ten minutes
say enough, of five it takes hours.

Time is that which ingest has heard, as the ticks tell it; the wall's time only names the hour. So our own outage is no
silence here either.
"""

import math
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import msgspec

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
HOURS = 24

WINDOWS = (10, 20, 30, 60, 120, 240)
"""Minutes within which a home was heard. A short one tells soon, a long one tells of few homes and of the night."""
LONGEST = WINDOWS[-1]
SUPERVISED = len(WINDOWS)
"""The last share: of homes of which some device is within three of its own heartbeats."""
HEARTBEAT_MAX_SECONDS = 900
"""Slower ones say nothing of an hour."""
MISSED_HEARTBEATS = 3
SOON = HEARTBEAT_MAX_SECONDS * MISSED_HEARTBEATS // 60 + 1
"""Minutes after which the slowest of those heartbeats is missed for the third time."""

LEAST_HOMES = 5
"""Of fewer nothing is said: all of them may be out."""
SHARE_LOST = 0.5
SHARE_BACK = 0.75
"""Of what is usual. Between the two nothing changes."""
BEYOND_CHANCE = 12.0
"""So unlikely a shortfall must be, in nats, if homes fell still each for itself: e^-12 is one look in 160,000."""
BACK_LEAST = 16
"""Homes that a window should hold before it says that an area is heard again; of a small area four in five."""
USUAL_MAX = 0.97
"""No share is taken for surer than this: one home's silence is always possible."""
STEADY = 0.9
"""Whoever's heartbeats were kept so well in the hours that are known is expected to keep them in the others."""
DAYS_LEAST = 3
"""Days after which an hour is known. Until then no area is called deaf by it."""
DAYS_SLOW = 14
"""Over so many days what is usual is averaged."""
GROWTH = 1.25
"""An area that has grown by more within a day is being installed: of the homes that will be there few are known."""
EXPECTED_MS = 7 * DAY_MS
"""A home of which nothing was heard for so long is out of use, and no longer expected."""


class Member(NamedTuple):
    """A device, as the register has it."""

    device: str
    home: str
    area: str
    heartbeat_seconds: int
    last_ms: int | None = None
    """When it was last heard, as far as is known from before."""


class Usual(msgspec.Struct):
    """What is usual in an area, and whether it is deaf: what outlives a restart."""

    days: list[list[int]] = msgspec.field(default_factory=lambda: [[0] * HOURS for _ in range(SUPERVISED + 1)])
    """By window and hour of the day (UTC): how many days it is known of, up to DAYS_SLOW."""
    shares: list[list[float]] = msgspec.field(default_factory=lambda: [[0.0] * HOURS for _ in range(SUPERVISED + 1)])
    deaf: bool = False


class Shortfall(NamedTuple):
    """Why an area is called deaf."""

    homes: int
    """Homes that are expected to be heard at all."""
    heard: int
    usual: float
    """How many of them are usually heard within the window at this hour."""
    minutes: int
    """The window; 0: three heartbeats of each device's own."""


class _Area:
    __slots__ = (
        "changed",
        "code",
        "heard",
        "homes",
        "known",
        "samples",
        "shortfall",
        "since",
        "sizes",
        "sums",
        "supervised",
        "until",
    )

    def __init__(self, code: str, known: Usual) -> None:
        self.code, self.known = code, known
        self.homes = self.supervised = 0
        self.heard = [0] * LONGEST
        """Homes by the minute in which they were last heard; this one first."""
        self.until = [0] * (SOON + 1)
        """Homes by the minute in which their last heartbeat is missed; this one first."""
        self.sizes: deque[int] = deque(maxlen=HOURS)
        """Homes that were expected, hour by hour; a day ago first."""
        self.samples = 0
        self.sums = [0.0] * (SUPERVISED + 1)
        self.shortfall: Shortfall | None = None
        self.since = 0
        """The minute in which it was found to be deaf, or in which we began, if it was so then."""
        self.changed = False

    def go_on_from(self, old: "_Area") -> None:
        """All but the counts of what it was before the register changed."""
        self.samples, self.sums, self.sizes = old.samples, old.sums, old.sizes
        self.shortfall, self.since, self.changed = old.shortfall, old.since, old.changed

    def next_minute(self) -> None:
        self.heard.insert(0, 0)
        self.heard.pop()
        self.until.pop(0)
        self.until.append(0)

    def expect(self, home: "_Home", count: int) -> None:
        self.homes += count
        if home.supervised:
            self.supervised += count

    def counts(self) -> list[tuple[int, int]]:
        """(heard, of how many) within each window, and at last by heartbeats."""
        found, sofar, start = [], 0, 0
        for minutes in WINDOWS:
            sofar += sum(self.heard[start:minutes])
            start = minutes
            found.append((sofar, self.homes))
        found.append((sum(self.until), self.supervised))
        return found


class _Home:
    __slots__ = ("areas", "expected", "last_ms", "minute", "supervised", "until")

    def __init__(self) -> None:
        self.areas: tuple[_Area, ...] = ()
        self.supervised = self.expected = False
        self.last_ms: int | None = None
        self.minute = self.until = -LONGEST


class Coverage:
    """Feed it the register, every device that is heard, and time; it says which areas are not.

    `heard` costs an entry in a table; what it means is counted at the tick, and looked at once a minute.
    """

    def __init__(
        self, members: Iterable[Member] = (), codes: Collection[str] = (), known: Mapping[str, Usual] | None = None
    ) -> None:
        self._known: dict[str, Usual] = dict(known or {})
        self._areas: dict[str, _Area] = {}
        self._homes: dict[str, _Home] = {}
        self._devices: dict[str, tuple[_Home, int]] = {}
        self._heard_ms = 0
        self._minute = 0
        self._last_ms: int | None = None
        self._hour: int | None = None
        self._deaf: tuple[str, ...] = ()
        self._waiting: dict[_Home, int] = {}
        """Homes that were heard since the last tick, and after how many minutes the next heartbeats are missed."""
        self.place(members, codes)

    def place(self, members: Iterable[Member], codes: Collection[str] = ()) -> None:
        """The register, as it is now. `codes` are those of all areas; one lies in those that its code begins with."""
        members = list(members)
        every = {*codes, *(member.area for member in members)}
        before, self._homes, self._devices = self._homes, {}, {}
        areas_before, self._areas = self._areas, {}
        paths: dict[str, tuple[_Area, ...]] = {}
        for member in members:
            home = self._homes.get(member.home)
            if home is None:
                home = self._homes[member.home] = before.get(member.home) or _Home()
                if member.area not in paths:
                    paths[member.area] = self._path(member.area, every)
                home.areas, home.supervised = paths[member.area], False
            level = member.heartbeat_seconds
            supervises = 0 < level <= HEARTBEAT_MAX_SECONDS
            home.supervised |= supervises
            minutes = -(-level * MISSED_HEARTBEATS // 60) if supervises else 0
            self._devices[member.device] = (home, minutes)
            if member.last_ms is not None and (home.last_ms is None or member.last_ms > home.last_ms):
                home.last_ms, home.expected = member.last_ms, True
        for home in self._homes.values():
            self._count(home)
        for code, area in self._areas.items():
            if (old := areas_before.get(code)) is not None:
                area.go_on_from(old)
        self._report()

    def _path(self, area: str, every: Collection[str]) -> tuple[_Area, ...]:
        found = []
        for end in range(len(area) + 1):
            if (code := area[:end]) in every:
                if code not in self._areas:
                    self._areas[code] = _Area(code, self._known.setdefault(code, Usual()))
                found.append(self._areas[code])
        return tuple(found)

    def _count(self, home: _Home) -> None:
        """Put a home into its areas' counts, which have nothing of it."""
        for area in home.areas:
            if home.expected:
                area.expect(home, 1)
            if self._minute - home.minute < LONGEST:
                area.heard[self._minute - home.minute] += 1
            if home.until >= self._minute:
                area.until[home.until - self._minute] += 1

    def heard(self, device: str, now_ms: int) -> None:
        """Something of this device itself has come; of one that is bound to no home it says nothing."""
        found = self._devices.get(device)
        if found is None:
            return
        home, minutes = found
        home.last_ms = now_ms
        self._waiting[home] = max(minutes, self._waiting.get(home, 0))

    def _take(self) -> None:
        """Count what was heard since the last tick, as of this minute."""
        now = self._minute
        for home, minutes in self._waiting.items():
            if home.minute != now:
                back = now - home.minute
                for area in home.areas:
                    if back < LONGEST:
                        area.heard[back] -= 1
                    area.heard[0] += 1
                    if not home.expected:
                        area.expect(home, 1)
                home.minute, home.expected = now, True
            if minutes and home.until < now + minutes:
                for area in home.areas:
                    if home.until >= now:
                        area.until[home.until - now] -= 1
                    area.until[minutes] += 1
                home.until = now + minutes
        self._waiting.clear()

    def deaf(self, now_ms: int, heard_ms: int | None = None) -> tuple[str, ...]:
        """The widest areas of which so little is heard that the fault is not the people's; in order.

        Ask at every tick. `heard_ms` is how much of the time since the last one was heard; None: all of it.
        """
        if self._last_ms is not None:
            self._heard_ms += max(0, now_ms - self._last_ms if heard_ms is None else heard_ms)
        self._last_ms = now_ms
        minute = self._heard_ms // MINUTE_MS
        while self._minute < minute - 1:
            self._next_minute()
        # Where a tick is longer than a minute, whatever was heard within it may have been heard at its end.
        self._take()
        if self._minute < minute:
            self._next_minute()
            self._look(now_ms)
        return self._deaf

    def _next_minute(self) -> None:
        self._minute += 1
        for area in self._areas.values():
            area.next_minute()

    def why(self, code: str) -> Shortfall | None:
        """What an area that is deaf lacked when it was found out; None: that was before a restart."""
        area = self._areas.get(code)
        return area.shortfall if area is not None else None

    def changes(self) -> dict[str, Usual]:
        """What was learned since the last call, and which areas have become deaf or heard: to be kept."""
        changed = {code: area.known for code, area in self._areas.items() if area.changed}
        for code in changed:
            self._areas[code].changed = False
        return changed

    def _look(self, now_ms: int) -> None:
        hour = now_ms // HOUR_MS
        if hour != self._hour:
            if self._hour is not None:
                self._learn(self._hour % HOURS)
            self._hour = hour
            self._forget(now_ms)
        place = (now_ms % DAY_MS) / HOUR_MS - 0.5
        for area in self._areas.values():
            self._judge(area, place)
        self._report()

    def _judge(self, area: _Area, place: float) -> None:
        known, counts = area.known, area.counts()
        usual = [_usual(known, window, place) for window in range(SUPERVISED + 1)]
        lost = self._lost(counts, usual)
        if not known.deaf and lost is not None:
            area.shortfall, area.since = lost, self._minute
            known.deaf, area.changed = True, True
        elif known.deaf and lost is None and self._is_back(area, counts, usual):
            area.shortfall = None
            known.deaf, area.changed = False, True
        if known.deaf:
            area.samples = -HOURS * 60  # an hour in which it was deaf teaches nothing
        elif area.homes >= LEAST_HOMES and self._minute >= LONGEST:
            area.samples += 1
            for window, (heard, homes) in enumerate(counts):
                area.sums[window] += heard / homes if homes else 0.0

    def _lost(self, counts: list[tuple[int, int]], usual: list[float | None]) -> Shortfall | None:
        """What the shortest window with too little lacks. A window says nothing before we have listened for as long."""
        for window, minutes in enumerate((*WINDOWS, SOON)):
            (heard, homes), share = counts[window], usual[window]
            if share is not None and self._minute >= minutes and _is_lost(heard, homes, share):
                return Shortfall(homes, heard, round(share * homes, 1), minutes if window < SUPERVISED else 0)
        return None

    def _is_back(self, area: _Area, counts: list[tuple[int, int]], usual: list[float | None]) -> bool:
        """Whether enough was heard since the area is deaf: what a longer window still holds of before says nothing."""
        since = self._minute - area.since
        for window, minutes in enumerate((*WINDOWS, SOON)):
            (heard, homes), share = counts[window], usual[window]
            if since < minutes:
                heard = sum(area.heard[:since]) if window < SUPERVISED else 0
            if share is not None and _is_enough(heard, homes, share):
                return True
        return False

    def _learn(self, hour: int) -> None:
        for area in self._areas.values():
            steady = bool(area.sizes) and area.homes <= GROWTH * area.sizes[0]
            area.sizes.append(area.homes)
            if steady and area.samples > 0:
                for window in range(SUPERVISED + 1):
                    days, shares = area.known.days[window], area.known.shares[window]
                    days[hour] = min(days[hour] + 1, DAYS_SLOW)
                    shares[hour] += (area.sums[window] / area.samples - shares[hour]) / days[hour]
                area.changed = True
            area.samples, area.sums = 0, [0.0] * (SUPERVISED + 1)

    def _forget(self, now_ms: int) -> None:
        for home in self._homes.values():
            if home.expected and home.last_ms is not None and now_ms - home.last_ms > EXPECTED_MS:
                home.expected = False
                for area in home.areas:
                    area.expect(home, -1)

    def _report(self) -> None:
        """The widest: an area stands for those within it, unless one of them is heard as ever."""
        well = [code for code, area in self._areas.items() if not area.known.deaf and area.homes >= LEAST_HOMES]
        found: list[str] = []
        for code in sorted(self._areas, key=lambda code: (len(code), code)):
            if not self._areas[code].known.deaf or any(code.startswith(wider) for wider in found):
                continue
            if not any(one.startswith(code) for one in well):
                found.append(code)
        self._deaf = tuple(sorted(found))


def _usual(known: Usual, window: int, place: float) -> float | None:
    """The usual share at a moment of the day, between the middles of two hours; None: it is not known yet."""
    days, shares = known.days[window], known.shares[window]
    first = math.floor(place) % HOURS
    second = (first + 1) % HOURS
    if min(days[first], days[second]) >= DAYS_LEAST:
        part = place - math.floor(place)
        return shares[first] * (1 - part) + shares[second] * part
    if window == SUPERVISED and (some := [share for day, share in zip(days, shares, strict=True) if day]):
        steady = sum(some) / len(some)
        return steady if steady >= STEADY else None
    return None


def _is_lost(heard: int, homes: int, usual: float) -> bool:
    return (
        homes >= LEAST_HOMES
        and heard < SHARE_LOST * usual * homes
        and homes * _divergence(heard / homes, min(usual, USUAL_MAX)) >= BEYOND_CHANCE
    )


def _is_enough(heard: int, homes: int, usual: float) -> bool:
    return (
        homes >= LEAST_HOMES and usual * homes >= min(BACK_LEAST, 0.8 * homes) and heard >= SHARE_BACK * usual * homes
    )


def _divergence(seen: float, usual: float) -> float:
    """How far a share is from the usual one, in nats a home: n of it bound the chance from above (Chernoff)."""
    found = (1 - seen) * math.log((1 - seen) / (1 - usual))
    return found + (seen * math.log(seen / usual) if seen else 0.0)
