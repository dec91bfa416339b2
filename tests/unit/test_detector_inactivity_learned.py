"""Silence by what is usual, as timelines: a week of an ordinary life, and then something else."""

from collections.abc import Iterator
from itertools import pairwise
from random import Random
from typing import Any
from zlib import crc32

import msgspec
import pytest

from alerting.detectors import DAY_MS, HOUR_MS
from alerting.detectors.inactivity_learned import LearnedInactivity, State
from alerting.detectors.local_time import day_begins_ms, local_day
from alerting.partition import Partition, Time
from alerting.routines.silence import BLOCKS, Floats, Place, Silence, gap
from alerting.watch import VERSION, Watch
from pingan.messages import Alarm, Away, DeviceSettings, HomeSettings, Reading, Tick, derived_alarm_id
from tests.alerting_support import event, reading, status
from tests.timeline import START_MS, Timeline, kinds

ZONE = "Asia/Shanghai"
MIDNIGHT_MS = day_begins_ms(local_day(START_MS, ZONE), ZONE)
MINUTE, HOUR = 60, 3600
TICK = 10 * MINUTE
SILENCE = {"inactivity_suspected", "inactivity", "withdrawn", "cannot_hear", "hearing_restored"}
HUB = DeviceSettings("H1-hub", "hub", 90_000)
TABLE = {"inactivity": {"learned-1": LearnedInactivity}}


def register(ceiling: float | None = 12, **more: Any) -> HomeSettings:
    given: dict[str, Any] = {"revision": 1, "devices": (HUB,), "area": "440703"} | more
    return HomeSettings(home="H1", inactivity_hours=ceiling, **given)


class Home:
    """A timeline with a person in it; `moves` are heard at their times, between ticks."""

    def __init__(self, settings: HomeSettings | None = None) -> None:
        self.line = Timeline(partition=Partition(table=TABLE), at_ms=MIDNIGHT_MS)
        self.seq = 0
        self.line.hear(settings or register())
        self.line.tick(0)

    @property
    def alarms(self) -> list[Alarm]:
        return [alarm for alarm in self.line.alarms if alarm.kind in SILENCE and alarm.home]

    def move(self, sensor: str = "lounge", kind: str = "motion", **more: Any) -> Reading:
        self.seq += 1
        at = {"at_ms": self.line.at_ms, "received_ms": max(more.get("at_ms", 0), self.line.at_ms)}
        message = reading(self.seq, kind, sensor=sensor, **(at | more))
        self.line.hear(message)
        return message

    def until(self, hour: float, day: int = 0, every: float = TICK) -> None:
        """Ticks, and nobody moves."""
        end_ms = MIDNIGHT_MS + day * DAY_MS + round(hour * HOUR_MS)
        while self.line.at_ms < end_ms:
            self.line.tick(min(every, (end_ms - self.line.at_ms) / 1000))

    def live(self, days: int, seed: int = 1, first: int = 0) -> int:
        for day in range(first, first + days):
            for hour, sensor, kind in ordinary(day, seed):
                self.until(hour, day)
                self.move(sensor, kind)
        return first + days


def ordinary(day: int, seed: int) -> Iterator[tuple[float, str, str]]:
    """Up at about seven, out for an hour and a half after noon, to bed at ten, and once to the bathroom at night."""
    chance = Random(seed * 1000 + day)
    yield 3 + chance.random() * 0.5, "bathroom", "motion"
    yield 3.6 + chance.random() * 0.1, "bedroom", "motion"
    hour = 7 + chance.random() * 0.5
    while hour < 22:
        away = 14 <= hour < 16
        if away:
            yield hour, "front door", "door"
            hour += 1.5 + chance.random() * 0.3
            yield hour, "front door", "door"
            hour += 0.05
        yield hour, chance.choice(("lounge", "kitchen", "bathroom")), "motion"
        hour += 0.1 + chance.random() * 0.5
    yield 22 + chance.random() * 0.3, "bedroom", "motion"


def hours_until(home: Home, kind: str, begin_ms: int) -> float:
    """From `begin_ms` on nobody moves."""
    for _ in range(48 * 60):
        for alarm in home.line.tick(MINUTE):
            if alarm.kind == kind:
                return (alarm.at_ms - begin_ms) / HOUR_MS
    raise AssertionError(f"{kind} was never raised")


def test_in_the_first_week_the_ceiling_holds_and_the_resident_is_asked_before_it_rings() -> None:
    home = Home(register(8))
    home.until(8)
    last = home.move("kitchen")
    home.until(15.9, every=MINUTE)
    assert kinds(home.alarms) == []
    home.until(15.95, every=MINUTE)
    [asked] = home.alarms
    assert asked.kind == "inactivity_suspected"
    assert asked.evidence["until_ms"] == asked.at_ms + 300_000
    home.until(16.1, every=MINUTE)
    [_, rang] = home.alarms
    assert (rang.kind, rang.evidence["follows"]) == ("inactivity", str(asked.id))
    assert rang.at_ms - asked.at_ms == 300_000
    said = rang.evidence
    assert (said["threshold"], said["detector"], said["place"]) == (8.0, "inactivity/learned-1", "kitchen")
    assert said["readings"] == [f"H1-hub/b1/{last.seq}"]
    assert {"what": "no_answer", "at_ms": asked.at_ms} in said["supports"]
    home.until(47)
    assert len(home.alarms) == 2, "once an episode"


def test_a_movement_after_the_question_takes_it_back_and_nothing_rings() -> None:
    home = Home(register(8))
    home.until(8)
    home.move()
    home.until(15.95, every=MINUTE)
    home.move()
    home.until(16.5, every=MINUTE)
    asked, over = home.alarms
    assert (over.kind, over.evidence["reason"], over.evidence["restores"]) == (
        "withdrawn", "room_movement", str(asked.id),
    )  # fmt: skip


def test_a_movement_after_it_rang_is_told() -> None:
    home = Home(register(8))
    home.until(8)
    home.move()
    home.until(17, every=MINUTE)
    home.move()
    home.line.tick(1)
    _, rang, over = home.alarms
    assert (over.kind, over.evidence["restores"], over.evidence["reason"]) == (
        "withdrawn", str(rang.id), "room_movement",
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["ok", "cancel"])
def test_an_answer_takes_it_back_and_the_silence_begins_anew(kind: str) -> None:
    home = Home(register(8))
    home.until(8)
    home.move()
    home.until(15.95, every=MINUTE)
    home.line.hear(event(1, kind=kind, at_ms=home.line.at_ms, received_ms=home.line.at_ms))
    home.until(23.85, every=MINUTE)
    assert [alarm.evidence.get("reason") for alarm in home.alarms] == [None, "answered"]
    home.until(24.1, every=MINUTE)
    assert kinds(home.alarms)[2:] == ["inactivity_suspected", "inactivity"]


def test_a_movement_that_came_late_says_so_and_the_silence_counts_from_it() -> None:
    home = Home(register(8))
    home.until(8)
    home.move()
    home.until(15.95, every=MINUTE)
    late_ms = home.line.at_ms - 8 * MINUTE * 1000
    home.line.tick(MINUTE)
    home.move(at_ms=late_ms, received_ms=home.line.at_ms)
    home.line.tick(1)
    assert home.alarms[-1].evidence["reason"] == "late_reading"
    home.until(24, every=MINUTE)
    rang = home.alarms[-1]
    assert rang.kind == "inactivity"
    assert 8 <= (rang.at_ms - late_ms) / HOUR_MS < 8.05


@pytest.fixture(scope="module")
def learned() -> Home:
    """Three weeks of an ordinary life, none of which rang."""
    home = Home()
    home.live(21)
    assert [alarm for alarm in home.alarms if alarm.at_ms > MIDNIGHT_MS + 14 * DAY_MS] == []
    return home


def copied(home: Home) -> Home:
    """What a checkpoint of the home makes when it is loaded."""
    partition = home.line.partition
    watch = partition.watches["H1"]
    routines = dict(watch.learned(partition.now))
    kept = Watch.restore("H1", VERSION, watch.snapshot(), partition.now, routines, TABLE)
    copy = Home.__new__(Home)
    copy.line = Timeline(partition=Partition(Time(*partition.time), {"H1": kept}, TABLE), at_ms=home.line.at_ms)
    copy.seq = home.seq
    return copy


def next_day(learned: Home, hour: float) -> Home:
    """The home at `hour` of the next day, which is an ordinary one."""
    home = copied(learned)
    for at, where, what in ordinary(21, 1):
        if at < hour:
            home.until(at, 21)
            home.move(where, what)
    home.until(hour, 21)
    return home


def collapse(learned: Home, hour: float, sensor: str, kind: str = "motion") -> tuple[float, Alarm]:
    """A last movement at `hour` of the next day, after an ordinary day or night up to then."""
    home = next_day(learned, hour)
    home.move(sensor, kind)
    found = hours_until(home, "inactivity", home.line.at_ms)
    return found, home.alarms[-1]


def test_a_collapse_by_day_is_found_in_hours_and_one_in_the_evening_by_the_time_of_rising(
    learned: Home,
) -> None:
    by_day, alarm = collapse(learned, 10.2, "kitchen")
    assert 1 <= by_day <= 4
    at_night, _ = collapse(learned, 22.2, "bedroom")
    # Usually up at seven; after three o'clock's walk to the bathroom has not happened either.
    assert 4 <= at_night <= 11
    assert by_day < at_night, "the day does not inherit the night's length"
    said = alarm.evidence
    assert said["usual"]["p90"] < said["threshold"]
    assert (len(said["band"]["hours"]), len(said["band"]["limits"])) == (24, 24)
    assert said["learned_days"] >= 14


def test_not_risen_in_the_morning(learned: Home) -> None:
    after_the_bathroom, _ = collapse(learned, 3.65, "bedroom")
    assert after_the_bathroom <= 7


def test_after_the_door_one_waits_longer_but_not_endlessly(learned: Home) -> None:
    inside, _ = collapse(learned, 14.2, "kitchen")
    left, alarm = collapse(learned, 14.2, "front door", "door")
    assert inside < left <= 12
    assert [sign["what"] for sign in alarm.evidence["opposes"]] == ["door_before"]


def test_between_the_middles_of_two_hours_the_limit_goes_over_from_one_to_the_other(learned: Home) -> None:
    _, alarm = collapse(learned, 9, "front door", "door")
    before, after = alarm.evidence["band"]["limits"][8:10]
    assert before != after
    assert alarm.evidence["threshold"] == pytest.approx((before + after) / 2, abs=0.02)


def hardly_lived_in(learned: Home) -> Home:
    """Somebody looks in twice on the next day, and once on the one after it."""
    home = next_day(learned, 6)
    home.line.hear(register(20, revision=3))
    for day, hour in ((21, 9), (21, 17), (22, 9)):
        home.until(hour, day)
        for sensor, kind in (("front door", "door"), ("kitchen", "motion"), ("front door", "door")):
            home.move(sensor, kind)
            home.until(hour + 0.1, day, every=MINUTE)
    home.until(10.2, 22)
    home.move("kitchen")
    return home


def test_who_was_hardly_there_for_a_day_is_waited_for_longer_but_not_endlessly(learned: Home) -> None:
    lively = next_day(learned, 10.2)
    lively.line.hear(register(20, revision=3))
    lively.move("kitchen")
    usual = hours_until(lively, "inactivity", lively.line.at_ms)
    home = hardly_lived_in(learned)
    away = hours_until(home, "inactivity", home.line.at_ms)
    assert usual + 1 <= away <= 20
    assert lively.alarms[-1].evidence["lively"] > 0.8
    assert home.alarms[-1].evidence["lively"] < 0.3


@pytest.mark.parametrize("hours", [1, 3])
def test_a_day_of_which_hours_were_missed_is_taken_for_a_usual_one(learned: Home, hours: int) -> None:
    home = hardly_lived_in(learned)
    home.line.at_ms += hours * HOUR_MS
    home.line.hear(Tick(home.line.at_ms, MINUTE * 1000, home.line.epoch))
    home.until(14, 22)
    home.move("kitchen")
    hours_until(home, "inactivity", home.line.at_ms)
    assert (home.alarms[-1].evidence["lively"] == 1) is (hours == 3)


def test_what_an_area_did_not_hear_makes_nobody_less_lively(learned: Home) -> None:
    home = next_day(learned, 9)
    home.move("kitchen")
    for _ in range(20 * 6):
        home.line.at_ms += TICK * 1000
        home.line.hear(Tick(home.line.at_ms, TICK * 1000, home.line.epoch, deaf=("4407",)))
    home.until(6, 22)
    home.move("kitchen")
    hours_until(home, "inactivity", home.line.at_ms)
    assert home.alarms[-1].evidence["lively"] == 1


def test_who_was_away_by_the_register_is_not_the_less_lively_after_it(learned: Home) -> None:
    home = next_day(learned, 8)
    home.move()
    home.line.hear(register(12, away=(Away(home.line.at_ms, home.line.at_ms + DAY_MS),), revision=2))
    home.until(8.5, 22)
    home.move("kitchen")
    hours_until(home, "inactivity", home.line.at_ms)
    assert home.alarms[-1].evidence["lively"] == 1


@pytest.mark.parametrize("hour", [0.5, 2.2, 2.6, 3.3, 4.1, 10.2, 15.9, 23.9])
def test_how_lively_a_day_was_is_told_at_any_hour(learned: Home, hour: float) -> None:
    """Blocks of the clock, and a day of learning that begins within one of them."""
    home = next_day(learned, hour)
    home.move("kitchen")
    hours_until(home, "inactivity", home.line.at_ms)
    assert home.alarms[-1].evidence["lively"] == pytest.approx(1, abs=0.1)


def test_a_livelier_day_shortens_limits_and_an_emptier_one_lengthens_them_within_what_is_allowed(
    learned: Home,
) -> None:
    [routine] = dict(learned.line.partition.watches["H1"].learned(learned.line.partition.now)).values()
    silence = Silence.decode(routine)
    limits = [silence.limits(1.5, 9, lively=lively) for lively in (0.1, 0.5, 1.0, 1.5)]
    for longer, shorter in pairwise(limits):
        assert longer is not None
        assert shorter is not None
        assert (longer >= shorter).all()
        assert (longer > shorter).any()
        assert 1.5 <= shorter.min() <= longer.max() <= 9
    assert silence.lively(0, 4, 0.5) == 0.1, "ten times the price at most"
    assert silence.lively(10_000, 4, 0.5) == 1.5


@pytest.mark.parametrize(("hours", "strained"), [(5.0, True), (11.8, True), (12.0, False), (20.0, False)])
def test_only_a_false_alarm_that_waiting_would_have_spared_makes_the_home_wait(hours: float, strained: bool) -> None:
    def limits(*, rang: bool) -> Floats:
        silence = Silence()
        for day in range(100, 110):
            usual = [gap(day, hour * HOUR_MS, HOUR_MS, 0, rang=False) for hour in range(8, 20)]
            odd = [gap(day, 9 * HOUR_MS, round(hours * HOUR_MS), 0, rang=rang)] if day == 108 else []
            gaps = b"".join(one.packed() for one in usual + odd)
            silence.take(day, gaps, [(0, bytes([9] * BLOCKS))], [Place(1, door=False)])
        found = silence.limits(1, 12)
        assert found is not None
        return found

    assert bool((limits(rang=True) > limits(rang=False)).any()) is strained


def test_floor_and_ceiling_are_the_supervisors(learned: Home) -> None:
    home = next_day(learned, 10.2)
    home.line.hear(register(12, inactivity_floor_hours=6, revision=2))
    home.move("kitchen")
    assert hours_until(home, "inactivity", home.line.at_ms) >= 6
    home = next_day(learned, 22.2)
    home.line.hear(register(2, revision=2))
    home.move("bedroom")
    assert hours_until(home, "inactivity", home.line.at_ms) <= 2.02


def test_a_handful_of_odd_days_makes_nobody_wait(learned: Home) -> None:
    usual, _ = collapse(learned, 10.2, "kitchen")
    odd = Home()
    day = odd.live(10)
    odd.until(9, day)
    odd.move("kitchen")
    odd.until(21, day)
    odd.live(10, first=day + 1)
    after, _ = collapse(odd, 10.2, "kitchen")
    assert after <= usual + 2


def test_a_pause_is_no_silence_and_teaches_none(learned: Home) -> None:
    home = next_day(learned, 8)
    home.move()
    away = Away(home.line.at_ms, home.line.at_ms + DAY_MS)
    home.line.hear(register(12, away=(away,), revision=2))
    home.until(8, 22)
    assert home.alarms == []
    # The return is checked: nobody has moved since.
    assert 11.8 <= hours_until(home, "inactivity", away.until_ms or 0) <= 12.1


def test_a_deaf_area_is_nobodys_silence(learned: Home) -> None:
    home = next_day(learned, 9)
    home.move("kitchen")
    home.until(9.5, 21)
    for _ in range(58 * 6):
        home.line.at_ms += TICK * 1000
        home.line.hear(Tick(home.line.at_ms, TICK * 1000, home.line.epoch, deaf=("4407",)))
    assert home.alarms == []
    assert hours_until(home, "inactivity", home.line.at_ms) > 0.5, "and then it goes on where it was"


def test_what_nobody_hears_is_no_silence_and_is_said() -> None:
    home = Home(register(8, devices=(DeviceSettings("H1-hub", "hub", 90),)))
    home.until(8)
    home.move()
    home.until(30, every=MINUTE)
    [said] = home.alarms
    assert (said.kind, said.evidence["devices"]) == ("cannot_hear", ["H1-hub"])
    home.line.hear(status(1000))
    home.line.tick(MINUTE)
    assert home.alarms[-1].evidence["restores"] == str(said.id)
    for _ in range(8 * 60):
        home.line.hear(status(2000 + len(home.line.told)))
        home.line.tick(MINUTE)
    assert kinds(home.alarms)[2:] == ["inactivity_suspected", "inactivity"]


def test_lost_after_the_question() -> None:
    home = Home(register(2, devices=(DeviceSettings("H1-hub", "hub", 90),)))
    home.move()
    for minute in range(int(1.94 * 60)):
        if minute < 113:
            home.line.hear(status(3000 + minute))
        home.line.tick(MINUTE)
    home.until(3, every=MINUTE)
    assert [alarm.evidence.get("reason") for alarm in home.alarms][:2] == [None, "cannot_hear"]
    assert "inactivity" not in kinds(home.alarms)


def test_a_stuck_sensor_hides_nobody() -> None:
    home = Home(register(8))
    home.move("kitchen")
    for _ in range(40 * 6):
        home.move("lounge")
        home.until(0)
        home.line.tick(TICK)
    assert "inactivity" in kinds(home.alarms)


def test_a_home_that_is_never_silent_is_said_to_be_one() -> None:
    home = Home()
    for _ in range(9 * 72):
        home.move("lounge")
        home.line.tick(2 * TICK)
    [said] = home.alarms
    assert (said.kind, said.evidence["rule"]) == ("cannot_hear", "inactivity_never_silent")
    home.live(9, first=10)
    assert [alarm.evidence.get("restores") for alarm in home.alarms if alarm.kind == "hearing_restored"] == [
        str(said.id)
    ]


@pytest.mark.parametrize("value", [float("nan"), False, 0, None])
def test_what_is_no_movement(value: Any) -> None:
    home = Home(register(8))
    home.until(8)
    home.move()
    home.until(12)
    home.move(value=value)
    home.until(16.5, every=MINUTE)
    assert kinds(home.alarms) == ["inactivity_suspected", "inactivity"]


def test_a_wrong_clock_delays_by_ten_minutes_at_most() -> None:
    for wrong_ms in (-DAY_MS, DAY_MS):
        home = Home(register(8))
        home.until(8)
        now_ms = home.line.at_ms
        home.move(at_ms=now_ms + wrong_ms, received_ms=now_ms)
        assert 7.8 <= hours_until(home, "inactivity", now_ms) <= 8.1


def test_the_unwatched_home_says_nothing() -> None:
    home = Home(register(None))
    home.move()
    home.until(48)
    assert home.alarms == []


def test_what_is_kept_is_small_and_what_is_learned_is_given_once_a_day(learned: Home) -> None:
    home = next_day(learned, 1)
    watch = home.line.partition.watches["H1"]
    detector = next(run.detector for run in watch._runs if run.name == "inactivity")
    home.live(1, first=21)
    home.until(4, 22)
    routine = detector.routine()  # type: ignore[attr-defined]
    assert 100 < len(routine) <= 8192
    assert detector.routine() is None  # type: ignore[attr-defined]
    assert len(detector.snapshot()) <= 1024


def test_alarms_are_named_by_the_reading_before_the_silence() -> None:
    home = Home(register(8))
    home.until(8)
    last = home.move()
    home.until(17)
    episode = f"H1-hub/b1/{last.seq}"
    assert [alarm.id for alarm in home.alarms] == [
        derived_alarm_id("H1", rule, episode) for rule in ("inactivity_learned:suspected", "inactivity_learned")
    ]


def test_a_shorter_limit_counts_although_a_longer_one_was_waited_for(learned: Home) -> None:
    home = next_day(learned, 22.2)
    home.move("bedroom")
    home.until(22.5, 21)
    in_bed = hours_until(copied(home), "inactivity", home.line.at_ms)
    home = next_day(learned, 10)
    home.move("front door", "door")
    home.until(10.4, 21)
    home.move("kitchen")
    assert hours_until(home, "inactivity", home.line.at_ms) <= 4 < in_bed


def test_a_state_that_begins_anew_goes_by_the_places_that_the_routine_knows() -> None:
    """Read with a version that it does not know, a state is lost and the routine is not: kitchen stays kitchen."""
    home = Home()
    home.live(9)
    before = home.line.partition.watches["H1"]
    [learned] = before.learned(home.line.partition.now).values()
    known = LearnedInactivity()
    known.learn(learned)
    names = [place.name for place in Silence.decode(learned).places]
    assert len(names) > 2
    known.on_settings(register(), home.line.partition.now)
    last = [
        one for one in home.line.told if isinstance(one, Reading) and crc32((one.sensor or "").encode()) == names[-1]
    ]
    known.on_reading(last[-1], home.line.partition.now)
    assert [place.name for place in msgspec.msgpack.decode(known.snapshot(), type=State).places] == names
    assert msgspec.msgpack.decode(known.snapshot(), type=State).place == len(names) - 1

    other = LearnedInactivity()
    other.on_reading(last[-1], home.line.partition.now)
    with pytest.raises(msgspec.DecodeError):
        other.learn(learned)
