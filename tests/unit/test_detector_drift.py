"""How the weeks of a home change: notes for the next visit."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerting.detectors import Now
from alerting.detectors.drift import DAY_BEGINS_MS, Drift
from alerting.detectors.local_time import day_begins_ms, local_day
from pingan.messages import NOTES, Alarm, Away, DeviceSettings, HomeSettings, Reading
from tests.lateness import found_by
from tests.timeline import START_MS, Timeline, restarted

HOME = HomeSettings("H1", 1, (DeviceSettings("H1-hub", "hub", 90_000),))
HOUR = 3600
ZONE = "Asia/Shanghai"


class Life:
    """A home whose days are lists of (hour of the day, sensor); a day goes from noon to noon."""

    def __init__(self, home: HomeSettings = HOME) -> None:
        self.line = Timeline()
        self.seq = 0
        self.line.hear(home)
        self.line.tick(1)
        noon_ms = day_begins_ms(local_day(self.line.at_ms, ZONE, DAY_BEGINS_MS) + 1, ZONE, DAY_BEGINS_MS)
        self.line.tick((noon_ms + 1_200_000 - self.line.at_ms) / 1000)

    def day(self, moments: list[tuple[float, str]], **more: Any) -> None:
        begins_ms = day_begins_ms(local_day(self.line.at_ms, ZONE, DAY_BEGINS_MS), ZONE, DAY_BEGINS_MS)
        for hour, sensor in sorted(((hour - 12) % 24, sensor) for hour, sensor in moments):
            at_ms = int(begins_ms + hour * 3_600_000)
            if at_ms > self.line.at_ms:
                self.line.ticks((at_ms - self.line.at_ms) / 1000, every=1800)
            self.seq += 1
            kind, value = ("door", "open") if "door" in sensor else ("motion", True)
            if sensor == "room":
                kind, value = "temperature", more["temperature"]
            reading = Reading("H1-hub", "b1", self.seq, at_ms, at_ms, kind, value, "H1", sensor)
            self.line.hear(reading)
        self.line.tick((begins_ms + 86_400_000 + 1_200_000 - self.line.at_ms) / 1000)

    @property
    def notes(self) -> list[Alarm]:
        return found_by("drift", self.line.alarms)


def usual(
    rise: float = 7, bed: float = 22, nights: tuple[float, ...] = (2,), baths: int = 5
) -> list[tuple[float, str]]:
    awake = [(rise + tenth / 6, "lounge") for tenth in range(int((bed - rise) * 6))]
    bathroom = [(rise + 0.2 + visit * 2, "bathroom") for visit in range(baths)]
    return [*awake, *bathroom, *((night, "hallway") for night in nights)]


def test_weeks_alike_are_no_news() -> None:
    life = Life()
    for number in range(42):
        life.day(usual(rise=7 + number % 3 / 4))
    assert life.notes == []


def test_rising_later_for_a_week_is_a_note_and_not_again_the_week_after() -> None:
    life = Life()
    for _ in range(28):
        life.day(usual())
    for _ in range(16):
        life.day(usual(rise=9.5))
    [note] = [note for note in life.notes if note.evidence["measure"] == "rising"]
    assert note.kind in NOTES
    assert note.evidence["rule"] == "drift_rising"
    assert (note.evidence["was"], note.evidence["value"]) == (7.0, 9.5)
    assert note.evidence["usual"]["days"] >= 14
    assert 4 <= len(note.evidence["days"]) <= 7
    assert note.evidence["readings"], "the last movement names where to look"


def test_nights_and_the_bathroom() -> None:
    life = Life()
    for _ in range(28):
        life.day(usual())
    for _ in range(14):
        life.day(usual(nights=(0.2, 1, 1.5, 2.5, 3.2, 4)))
    assert {note.evidence["measure"] for note in life.notes} == {"night_activity"}
    life = Life()
    for number in range(42):
        life.day(usual(baths=3 if number < 28 else 7))
    assert "bathroom_visits" in {note.evidence["measure"] for note in life.notes}


def test_time_out_is_between_two_doors() -> None:
    life = Life()
    shopping = [(hour, sensor) for hour, sensor in usual() if not 9 < hour < 11.5] + [
        (9, "front-door"),
        (11.5, "front-door"),
    ]
    at_home = [*usual(), (9, "front-door")]
    for number in range(42):
        life.day(shopping if number < 28 else at_home)
    [note] = [note for note in life.notes if note.evidence["measure"] == "time_out"]
    assert note.evidence["was"] > 2
    assert note.evidence["value"] == 0


def test_a_cold_room_is_a_note_below_what_is_healthy_only() -> None:
    life = Life()
    for number in range(42):
        life.day([*usual(), (8, "room"), (14, "room")], temperature=21 if number < 28 else 15)
    [note] = life.notes
    assert (note.evidence["measure"], note.evidence["value"]) == ("room_temperature", 15)
    life = Life()
    for number in range(42):
        life.day([*usual(), (8, "room"), (14, "room")], temperature=28 if number < 28 else 22)
    assert life.notes == []


def test_a_holiday_counts_for_nothing() -> None:
    life = Life()
    for _ in range(28):
        life.day(usual())
    life.line.hear(HomeSettings("H1", 2, HOME.devices, away=(Away(life.line.at_ms, life.line.at_ms + 9 * 86_400_000),)))
    for _ in range(9):
        life.day(usual(rise=11, bed=23, baths=1))
    assert life.notes == []


def test_what_was_learned_is_small_stays_and_is_given_once() -> None:
    life = Life()
    for _ in range(60):
        life.day(usual())
    [run] = [run for run in life.line.partition.watches["H1"]._runs if run.name == "drift"]
    assert isinstance(run.detector, Drift)
    learned = run.detector.routine()
    assert learned is not None
    assert len(learned) < 8192
    assert run.detector.routine() is None
    assert len(run.detector.snapshot()) < 600
    again = Drift.restore(run.detector.snapshot())
    again.on_settings(HOME, Now(START_MS, 0))
    again.learn(learned)
    assert again._history == run.detector._history


moments = st.lists(
    st.tuples(st.floats(0, 23.9), st.sampled_from(("lounge", "bathroom", "front-door"))), min_size=20, max_size=60
)


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(moments, min_size=3, max_size=4), st.randoms(use_true_random=False), st.integers(0, 30))
def test_the_order_of_a_day_and_a_restart_make_no_difference(
    kinds_of_day: list[list[tuple[float, str]]], chance: Any, restart: int
) -> None:
    def lived(shuffled: bool) -> list[Alarm]:
        life = Life()
        for number in range(31):
            day = kinds_of_day[number % len(kinds_of_day) if number < 21 else 0]
            begins_ms = day_begins_ms(local_day(life.line.at_ms, ZONE, DAY_BEGINS_MS), ZONE, DAY_BEGINS_MS)
            made = []
            for hour, sensor in sorted(day):
                life.seq += 1
                at_ms = int(begins_ms + (hour - 12) % 24 * 3_600_000)
                kind, value = ("door", "open") if "door" in sensor else ("motion", True)
                made.append(Reading("H1-hub", "", life.seq, at_ms, at_ms, kind, value, "H1", sensor))
            # As a device that stores a day and gives it away at its end, in whatever order.
            life.line.tick((begins_ms + 86_400_000 - life.line.at_ms) / 1000)
            if shuffled:
                chance.shuffle(made)
                if number == restart:
                    life.line.partition = restarted(life.line.partition)
            life.line.hear(*made)
            life.line.tick(1200)
        return life.notes

    assert lived(shuffled=True) == lived(shuffled=False)
