"""How long a home is usually silent, and how long a silence may last before somebody is asked. PURE.

What is kept are the home's silences themselves, of half an hour and more, of the last eight weeks: the day, the time of
day at which each began, its length, and the *place* (the sensor) whose movement it followed. From them comes a limit
for each place and hour.

The limit is where waiting costs more than it spares. Waiting until τ for a silence that began at hour h in place p
delays help by τ, as often as people move there at that hour; and it spares the alarms of all those usual silences that
end before τ. So the limit is the τ at which

    weight(p, h) · τ + ALARM_COST_HOURS · (silences a day that begin so and last longer than τ)

is least. At night, when silences usually end at the same hour of the morning, it falls behind that hour and not behind
the longest night; by day it does not inherit the night's length; and one odd day among many moves it hardly at all,
because it would make all others wait. Rates are smoothed over neighbouring hours and neighbouring lengths, partly
shared between the home's places, and drawn towards what is usual in other homes by so many days' weight
(POPULATION_DAYS). A home that has lately been silent for longer than was foreseen is foreseen less well than its
figures say: each such silence makes an alarm there cost more (STRAIN), unless it was longer than the ceiling, where no
waiting would have spared the alarm.

Who is not there cannot fall, and does not move either. So a delay weighs by how much was moved in the day before the
silence, of what is usual in this home (`lively`): in a home that only somebody who waters the flowers walks through, or
whose person lies ill, silences are long, and no figure learned from other days foresees them. It makes the limit longer
or shorter, and never passes the ceiling.

The last movement before a silence at the entrance mostly means that the person has left, and seldom that somebody lies
in the hall: such a collapse weighs less (DOOR_WEIGHT), so one waits longer there, but never endlessly.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

import msgspec
import numpy as np
import numpy.typing as npt

from alerting.routines import population

Floats = npt.NDArray[np.float64]

VERSION = 1
HOURS = 24
BLOCKS = 12
"""Of a day, in which is counted where people move."""
PLACES_MAX = 12
DAYS_MAX = 56
GAPS_MAX = 1_200
"""A routine stays below 8 KB: 5 bytes a silence."""
SEEN_UNIT = 16
"""What is counted fades by fractions: so many are one."""
SLOTS = 144
"""Of a day, in which silences begin."""
UNIT_MS = 360_000
"""Of a silence's length: 255 of them are 25 hours, and what is longer is as long as that."""
UNIT_HOURS = 0.1
GAP_MS = 1_800_000
"""What is shorter happens all day long, and says nothing."""

LEARNING_DAYS = 7
"""With fewer days nothing is known yet, and the ceiling is the limit."""
HALF_DAYS = 20.0
"""A day counts half after so many."""
ALARM_COST_HOURS = 4.0
"""So many hours of waiting after one collapse a day are worth one alarm a day spared: the dial between delay and
false alarms. docs/detection-silence.md has the curve."""
START_HOURS = 1.0
"""Over so much (standard deviation) of the time of day silences are smoothed."""
WALL_SHARE = 0.25
"""Of two silences that began at different hours, how far the wall clock and not the length is what they share."""
LENGTH_SPREAD = 0.2
LENGTH_MORE_HOURS = 0.25
"""A silence of a length tells of others about so much longer or shorter (in logarithms), and a little longer."""
SHARED = 0.5
"""Of the rates of a place, how much comes from all places of the home."""
SHARE_LEAST = 0.02
DOOR_WEIGHT = 0.3
POPULATION_DAYS = 8.0
STRAIN = 0.5
STRAIN_HALF_DAYS = 7.0
STRAIN_MOST = 6.0
"""What an alarm costs more for each silence that rang and that a longer limit would have spared: half as much again,
half of that a week later, sixfold at most."""

LIVELY_MORE = 3.0
"""So many movements a day are added to both sides: of a few, a share says nothing."""
LIVELY_LEAST = 0.1
LIVELY_MOST = 1.5
"""Of what is usual: what is beyond counts as this. Ten times the price after a day of hardly a movement."""

TAUS: Floats = np.concatenate([np.arange(0.5, 6, 0.25), np.arange(6, 12, 0.5), np.arange(12, 24.5, 1)])
"""Limits that are chosen from, in hours."""
_LOG_TAUS = np.log(TAUS)
_MIDDLES: Floats = np.arange(HOURS, dtype=np.float64) + 0.5
_GAP = np.dtype([("day", "<u2"), ("slot", "u1"), ("length", "u1"), ("place", "u1")])
_RANG = 0x80
"""Of a place's byte: the silence was an alarm."""


class Gap(NamedTuple):
    """A silence that is over."""

    day: int
    slot: int
    length: int
    place: int
    rang: bool

    def packed(self) -> bytes:
        return np.array([(self.day, self.slot, self.length, self.place | _RANG * self.rang)], _GAP).tobytes()


def gap(day: int, local_start_ms: int, length_ms: int, place: int, *, rang: bool) -> Gap:
    """A silence as it is kept; `local_start_ms` by the clock on the home's wall."""
    slot = local_start_ms % 86_400_000 * SLOTS // 86_400_000
    return Gap(day, slot, min(255, length_ms // UNIT_MS), min(place, PLACES_MAX - 1), rang)


def gaps_of(packed: bytes) -> npt.NDArray[np.void]:
    return np.frombuffer(packed, _GAP)


class Place(NamedTuple):
    name: int
    """A checksum of the sensor's name."""
    door: bool
    """One by which people leave."""


class _Kept(msgspec.Struct, array_like=True):
    version: int
    through: int
    days: bytes
    places: list[Place]
    seen: bytes
    gaps: bytes


class Usual(NamedTuple):
    """The longest silence that began about an hour, over the days, in hours."""

    p50: float
    p90: float
    p99: float
    days: int


class Silence:
    """What a home's silences are like."""

    def __init__(self) -> None:
        self.through = -1
        """The last day that has been learned."""
        self.places: list[Place] = []
        self._days = np.zeros(0, np.uint16)
        self._seen = np.zeros((0, BLOCKS), np.uint16)
        self._gaps = np.zeros(0, _GAP)

    @property
    def days(self) -> int:
        """On which the home was heard to move."""
        return len(self._days)

    @property
    def longest_hours(self) -> float:
        """Of the last week's silences."""
        recent = self._gaps[self._gaps["day"] > self.through - 7]
        return float(recent["length"].max()) * UNIT_HOURS if len(recent) else 0.0

    def take(self, day: int, gaps: bytes, seen: Iterable[tuple[int, bytes]], places: list[Place]) -> None:
        """Learn a day that is over: its silences, and for each place how often it was moved in, by block of the day."""
        self.places = list(places)
        counts = np.zeros((len(places), BLOCKS), np.float64)
        for place, blocks in seen:
            counts[place] = np.frombuffer(blocks, np.uint8)
        before = np.zeros_like(counts)
        before[: len(self._seen)] = self._seen[: len(places)]
        faded = np.floor(before * 0.5 ** (min(day - self.through, DAYS_MAX) / HALF_DAYS))
        self._seen = np.minimum(faded + counts * SEEN_UNIT, 65_535).astype(np.uint16)
        if counts.any():
            days = np.append(self._days, np.uint16(day))
            self._days = days[days > day - DAYS_MAX]
        kept = np.concatenate([self._gaps, gaps_of(gaps)])
        self._gaps = kept[kept["day"] > day - DAYS_MAX][-GAPS_MAX:]
        self.through = day

    @property
    def is_known(self) -> bool:
        """Whether enough is known for limits of its own."""
        return self.days >= LEARNING_DAYS and bool(self.places)

    def lively(self, moved: int, block: int, passed: float) -> float:
        """How much was moved in a day, of what is usual. `passed`: the part of its last block that was over; the day
        before counts from the next block on."""
        usual = self._seen.sum(0) / (SEEN_UNIT * max(self._day_weights().sum(), 1.0))
        expected = usual.sum() - usual[block] * (1 - passed)
        share = (moved + LIVELY_MORE) / (expected + LIVELY_MORE)
        return float(min(max(share, LIVELY_LEAST), LIVELY_MOST))

    def limits(
        self, floor_hours: float, ceiling_hours: float, hours: Sequence[int] = range(HOURS), lively: float = 1.0
    ) -> Floats | None:
        """The limit in hours for each place and each hour of the day in which a silence begins; None: too few days.

        `hours`: only of these. One takes a twentieth of what all take, which for eight weeks' silences is 25 ms.
        """
        if not self.is_known:
            return None
        day_weights = self._day_weights()
        some = list(hours)
        share = self._shares()[:, some]
        rates = self._exceeding(_MIDDLES[some])
        rates = (1 - SHARED) * rates + SHARED * share[:, :, None] * rates.sum(0)
        doors = np.array([place.door for place in self.places])
        others = population.exceeding()[doors.astype(int)][:, some] * share[:, :, None]
        rates = (rates + POPULATION_DAYS * others) / (day_weights.sum() + POPULATION_DAYS)
        weight = share * np.where(doors, DOOR_WEIGHT, 1.0)[:, None] / HOURS
        cost = lively * weight[:, :, None] * TAUS + ALARM_COST_HOURS * self._strain(ceiling_hours) * rates
        highest = max(ceiling_hours, float(TAUS[0]))
        lowest = min(floor_hours, highest)
        cost[:, :, ~((lowest <= TAUS) & (highest >= TAUS))] = np.inf
        chosen: Floats = TAUS[np.argmin(cost, 2)]
        return np.minimum(np.maximum(chosen, floor_hours), ceiling_hours)

    def usual(self, hour: float) -> Usual | None:
        """Of the silences that begin within an hour of `hour`; None: no day is known."""
        if not self.days:
            return None
        began = self._gaps["slot"] * (HOURS / SLOTS)
        near = self._gaps[np.abs(_circular(began - hour)) <= 1]
        longest = np.zeros(self.days)
        for place, day in enumerate(self._days):
            lengths = near["length"][near["day"] == day]
            longest[place] = lengths.max() * UNIT_HOURS if len(lengths) else 0.0
        p50, p90, p99 = (round(float(one), 2) for one in np.percentile(longest, (50, 90, 99)))
        return Usual(p50, p90, p99, self.days)

    def _day_weights(self) -> Floats:
        weights: Floats = 0.5 ** ((self.through - self._days.astype(float)) / HALF_DAYS)
        return weights

    def _shares(self) -> Floats:
        """Of the movements at each hour, how many each place has."""
        blocks = np.repeat(self._seen.astype(float), HOURS // BLOCKS, axis=1)
        smooth = blocks + 0.5 * (np.roll(blocks, 1, 1) + np.roll(blocks, -1, 1))
        share = smooth / np.maximum(smooth.sum(0), 1e-9)
        least: Floats = (share + SHARE_LEAST) / (1 + SHARE_LEAST * len(share))
        return least

    def _exceeding(self, middles: Floats) -> Floats:
        """Summed over days: silences of each place an hour of beginning, that last longer than each τ."""
        weights = 0.5 ** ((self.through - self._gaps["day"].astype(float)) / HALF_DAYS)
        places = self._gaps["place"] & ~np.uint8(_RANG)
        rates = np.zeros((len(self.places), len(middles), len(TAUS)))
        for place in range(len(self.places)):
            mine = places == place
            if mine.any():
                rates[place] = exceeding(self._gaps[mine], weights[mine], middles)
        return rates

    def _strain(self, ceiling_hours: float) -> float:
        spared = self._gaps["length"] * UNIT_HOURS < ceiling_hours
        rang = self._gaps[(self._gaps["place"] >= _RANG) & spared]
        recent = 0.5 ** ((self.through - rang["day"].astype(float)) / STRAIN_HALF_DAYS)
        return min(1 + STRAIN * float(recent.sum()), STRAIN_MOST)

    def encode(self) -> bytes:
        kept = _Kept(
            VERSION,
            self.through,
            self._days.tobytes(),
            self.places,
            self._seen.tobytes(),
            self._gaps.tobytes(),
        )
        return msgspec.msgpack.encode(kept)

    @classmethod
    def decode(cls, routine: bytes) -> Self:
        """msgspec.DecodeError when it cannot be read."""
        kept = msgspec.msgpack.decode(routine, type=_Kept)
        silence = cls()
        try:
            if kept.version != VERSION or len(kept.places) > PLACES_MAX:
                raise ValueError(f"version {kept.version}, {len(kept.places)} places")
            silence.through, silence.places = kept.through, kept.places
            silence._days = np.frombuffer(kept.days, np.uint16)
            silence._seen = np.frombuffer(kept.seen, np.uint16).reshape(len(kept.places), BLOCKS)
            silence._gaps = gaps_of(kept.gaps)
            if ((silence._gaps["place"] & ~np.uint8(_RANG)) >= PLACES_MAX).any():
                raise ValueError("a place that there is not")
        except ValueError as error:
            raise msgspec.DecodeError(str(error)) from error
        return silence


def exceeding(gaps: npt.NDArray[np.void], weights: Floats, middles: Floats = _MIDDLES) -> Floats:
    """By hour of beginning (its middle) and τ: how many begin in an hour there and last longer, each weighted."""
    began = gaps["slot"] * (HOURS / SLOTS) + 0.5 * HOURS / SLOTS
    apart = _circular(began[None] - middles[:, None])
    near = np.exp(-0.5 * (apart / START_HOURS) ** 2) / (START_HOURS * np.sqrt(2 * np.pi)) * weights
    lengths = np.maximum(gaps["length"] * UNIT_HOURS + WALL_SHARE * apart, 0.05) + LENGTH_MORE_HOURS
    beyond = 1.7 / LENGTH_SPREAD * (np.log(lengths)[:, :, None] - _LOG_TAUS)
    rates: Floats = np.einsum("hg,hgt->ht", near, 1 / (1 + np.exp(-np.clip(beyond, -30, 30))))
    return rates


def _circular(hours: Floats) -> Floats:
    return (hours + 12) % 24 - 12
