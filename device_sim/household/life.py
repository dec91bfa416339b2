"""A seeded day of a person living alone: where they are and what they do, without a gap. Pure.

Not a model to tune detectors on (the recordings are): it gives the neighbourhood believable movement whose truth is
known. A day runs from waking to the next waking, and any day can be drawn by itself.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone

CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")

BEDROOM, BATHROOM, KITCHEN, LIVING_ROOM, OUTSIDE = "bedroom", "bathroom", "kitchen", "living_room", "outside"
ROOMS = (BEDROOM, BATHROOM, KITCHEN, LIVING_ROOM)


@dataclass(frozen=True)
class Stay:
    """From `start` until `end` (zoned) the person is in `room`, or outside, and does `activity`."""

    start: datetime
    end: datetime
    room: str
    activity: str


def wakes_at(seed: int, day: date) -> datetime:
    """When the person gets up on `day`: each has their own hour, each day its own minutes."""
    usual_minutes = random.Random(f"usual:{seed}").uniform(5 * 60 + 15, 7 * 60)
    minutes = usual_minutes + random.Random(f"wake:{seed}:{day}").gauss(0, 15)
    return datetime.combine(day, time(), CHINA) + timedelta(minutes=min(max(minutes, 4.5 * 60), 8.5 * 60))


def day_of(seed: int, day: date) -> list[Stay]:
    """The stays of `day`, from getting up until getting up on the next: contiguous and in order."""
    return _Day(seed, day).lived()


def stays_from(seed: int, moment: datetime) -> Iterator[Stay]:
    """All stays that end after `moment`, without end: the life from now on (the first may have begun before)."""
    day = moment.astimezone(CHINA).date() - timedelta(days=1)
    while True:
        for stay in day_of(seed, day):
            if stay.end > moment:
                yield stay
        day += timedelta(days=1)


class _Day:
    """Writes one day, stay by stay."""

    def __init__(self, seed: int, day: date) -> None:
        self._random = random.Random(f"day:{seed}:{day}")
        self._midnight = datetime.combine(day, time(), CHINA)
        self._now = wakes_at(seed, day)
        self._ends = wakes_at(seed, day + timedelta(days=1))
        self._stays: list[Stay] = []

    def lived(self) -> list[Stay]:
        self._stay(BATHROOM, "wash", 10, 25)
        self._meal()
        if self._chance(0.6):
            self._potter_until(8.5, 10)
            self._stay(OUTSIDE, "out", 40, 150)
        self._potter_until(11.3, 12.2)
        self._meal()
        if self._chance(0.7):
            self._stay(BEDROOM, "nap", 30, 90)
            self._stay(BATHROOM, "toilet", 3, 8)
        if self._chance(0.35):
            self._potter_until(14.5, 15.5)
            self._stay(OUTSIDE, "out", 30, 120)
        self._potter_until(17.2, 18.2)
        self._meal()
        self._potter_until(20.7, 22.3)
        self._stay(BATHROOM, "wash", 10, 25)
        self._sleep()
        return self._stays

    def _meal(self) -> None:
        self._stay(KITCHEN, "cook", 10, 30)
        self._stay(KITCHEN, "eat", 12, 30)
        self._stay(KITCHEN, "wash_up", 4, 12)

    def _potter_until(self, earliest_hour: float, latest_hour: float) -> None:
        """Rest and small things until an hour of the day drawn between the two; nothing when it has already passed."""
        until = self._midnight + timedelta(hours=self._random.uniform(earliest_hour, latest_hour))
        while self._now < until:
            self._stay(LIVING_ROOM, self._random.choice(("rest", "rest", "tidy", "television")), 15, 70)
            room, activity = self._random.choice(((BATHROOM, "toilet"), (KITCHEN, "tea"), (BEDROOM, "tidy")))
            self._stay(room, activity, 3, 12)

    def _sleep(self) -> None:
        """The night until getting up, with none to three ways to the bathroom."""
        for _ in range(self._random.choice((0, 1, 1, 2, 3))):
            if self._ends - self._now < timedelta(hours=3):
                break
            self._stay(BEDROOM, "sleep", 70, 170)
            self._stay(BATHROOM, "toilet", 4, 10)
        self._stays.append(Stay(self._now, self._ends, BEDROOM, "sleep"))

    def _stay(self, room: str, activity: str, shortest_minutes: float, longest_minutes: float) -> None:
        end = self._now + timedelta(minutes=self._random.uniform(shortest_minutes, longest_minutes))
        self._stays.append(Stay(self._now, end, room, activity))
        self._now = end

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability
