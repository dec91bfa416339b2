"""Inactivity by fixed hours, as timelines."""

import pytest

from pingan.messages import Away, DeviceSettings, Reading
from tests.alerting_support import reading, status
from tests.timeline import HUB, START_MS, Timeline, kinds, settings

HOUR = 3600
MINUTE = 60


def watched(hours: float | None = 8, *away: Away) -> Timeline:
    line = Timeline()
    line.tick(1)
    line.hear(settings(hours=hours, away=away))
    line.hear(reading(1, "temperature", device="H1-thermometer"))
    line.tick(1)
    return line


def test_so_many_hours_without_a_movement() -> None:
    line = watched()
    line.hear(reading(1, at_ms=START_MS + 1500))
    line.tick(MINUTE)
    assert line.ticks(8 * HOUR - MINUTE, every=MINUTE) == []
    [alarm] = line.tick(MINUTE)
    assert (alarm.kind, alarm.home, alarm.device, alarm.at_ms) == ("inactivity", "H1", None, line.at_ms)
    assert alarm.evidence == {
        "source": "derived",
        "detector": "inactivity/fixed-1",
        "rule": "inactivity_fixed_hours",
        "threshold": 8.0,
        "value": 8.0,
        "unit": "hours heard without a movement",
        "since_ms": START_MS + 1500,
        "readings": ["H1-hub/b1/1"],
        "counted_from": "a movement",
    }
    assert line.ticks(48 * HOUR, every=MINUTE) == [], "once an episode"
    line.hear(reading(2))
    assert kinds(line.ticks(9 * HOUR, every=MINUTE)) == ["inactivity"], "a movement ends it, and begins the next"
    assert len({alarm.id for alarm in line.alarms}) == 2


def test_a_home_of_which_nothing_was_ever_heard_is_not_installed_yet_and_not_silent() -> None:
    line = Timeline()
    line.tick(1)
    line.hear(settings(hours=8))
    assert line.ticks(48 * HOUR, every=HOUR) == []
    line.hear(status(1))
    assert kinds(line.ticks(9 * HOUR, every=HOUR)) == ["inactivity"], "a sign of life from any device begins the watch"


def test_a_home_that_is_heard_and_never_moved_is_counted_from_its_settings() -> None:
    [alarm] = watched().ticks(8 * HOUR + MINUTE, every=MINUTE)
    assert (alarm.evidence["readings"], alarm.evidence["counted_from"]) == ([], "settings/1")


def test_it_is_off_until_the_register_gives_hours_and_then_begins() -> None:
    line = watched(hours=None)
    line.hear(reading(1))
    assert line.ticks(48 * HOUR, every=HOUR) == []
    line.hear(settings(hours=8, revision=2))
    assert line.ticks(7 * HOUR, every=HOUR) == []
    assert kinds(line.ticks(2 * HOUR, every=HOUR)) == ["inactivity"]
    line.hear(settings(hours=None, revision=3), reading(2))
    assert line.ticks(48 * HOUR, every=HOUR) == []


def test_the_same_settings_again_change_nothing() -> None:
    line = watched()
    line.ticks(7 * HOUR, every=MINUTE)
    line.hear(settings(hours=8))
    assert kinds(line.ticks(1 * HOUR, every=MINUTE)) == ["inactivity"]


@pytest.mark.parametrize("kind", ["motion", "door", "bed"])
def test_movements(kind: str) -> None:
    line = watched()
    for seq in range(1, 5):
        line.hear(reading(seq, kind, value="open" if kind == "door" else True))
        assert line.ticks(6 * HOUR, every=HOUR) == []


@pytest.mark.parametrize("still", [reading(2, "motion", value=False), reading(2, "heart_rate", value=60), status(2)])
def test_what_is_no_movement(still: Reading) -> None:
    line = watched()
    line.ticks(7 * HOUR, every=HOUR)
    line.hear(still)
    assert "inactivity" in kinds(line.ticks(1 * HOUR, every=HOUR))


def test_a_movement_heard_again_is_none() -> None:
    line = watched()
    line.hear(reading(1))
    line.tick(1)
    line.ticks(7 * HOUR, every=HOUR)
    line.hear(reading(1))
    assert kinds(line.tick(HOUR)) == ["inactivity"]


def test_silence_is_paused_while_away_and_the_return_is_checked() -> None:
    away = Away(START_MS + 2 * HOUR * 1000, START_MS + 50 * HOUR * 1000)
    line = watched(8, away)
    line.hear(reading(1))
    assert line.ticks(50 * HOUR, every=MINUTE) == []
    [alarm] = line.ticks(9 * HOUR, every=MINUTE)
    hours_after_the_return = (alarm.at_ms - (away.until_ms or 0)) / HOUR / 1000
    assert 7.95 < hours_after_the_return < 8.1
    assert alarm.evidence["counted_from"].startswith("away/")


def test_away_that_is_told_and_ended_by_the_register() -> None:
    line = watched()
    line.ticks(8 * HOUR + MINUTE, every=MINUTE)
    assert kinds(line.alarms) == ["inactivity"]
    line.hear(settings(hours=8, away=[Away(line.at_ms)], revision=2))
    assert line.ticks(100 * HOUR, every=HOUR) == []
    line.hear(settings(hours=8, revision=3))
    assert line.ticks(7 * HOUR, every=HOUR) == []
    assert kinds(line.ticks(2 * HOUR, every=HOUR)) == ["inactivity"]
    assert len({alarm.id for alarm in line.alarms}) == 2


def test_our_own_outage_is_nobodys_silence() -> None:
    line = watched()
    line.hear(reading(1))
    line.tick(MINUTE)
    line.ticks(7 * HOUR, every=HOUR)
    assert line.tick(58 * HOUR, heard=1) == []
    assert line.tick(0.5 * HOUR) == []
    assert kinds(line.tick(0.5 * HOUR)) == ["inactivity"]


def heard_home(*devices: DeviceSettings) -> Timeline:
    """A home whose hub and door sensor have both told of movement."""
    line = Timeline()
    line.tick(1)
    line.hear(settings(*(devices or (HUB, DOOR)), hours=8))
    line.hear(reading(1), reading(1, "door", device="H1-door"))
    line.tick(1)
    return line


def alive(line: Timeline, hours: float, *devices: str) -> None:
    """Heartbeats each minute, and nobody moves."""
    for _ in range(int(hours * 60)):
        line.hear(*(status(line.at_ms, boot="", device=device) for device in devices))
        line.tick(MINUTE)


DOOR = DeviceSettings("H1-door", "door", 900)


def test_a_home_of_which_nothing_that_hears_movement_is_heard_is_no_silent_person() -> None:
    line = heard_home()
    assert "inactivity" not in kinds(line.ticks(48 * HOUR, every=MINUTE))
    assert kinds(line.alarms).count("cannot_hear") == 1, "but it is said, when the person's silence would have been"
    [said] = [alarm for alarm in line.alarms if alarm.kind == "cannot_hear"]
    assert (said.home, said.device, said.evidence["devices"]) == ("H1", None, ["H1-door", "H1-hub"])
    assert said.at_ms == START_MS + 2000 + 8 * HOUR * 1000
    line.hear(status(2))
    line.tick(MINUTE)
    [again] = [alarm for alarm in line.alarms if alarm.kind == "hearing_restored"]
    assert again.evidence["restores"] == str(said.id)


def test_one_that_still_hears_is_enough_for_the_silence_to_count() -> None:
    line = heard_home()
    alive(line, 8, "H1-door")
    assert kinds(line.alarms) == ["heartbeat_lost", "inactivity"]


def test_a_button_that_is_alive_hears_nobody_move() -> None:
    line = heard_home(HUB, DOOR, DeviceSettings("H1-button", "button", 90))
    alive(line, 9, "H1-button")
    assert kinds(line.alarms) == ["heartbeat_lost", "heartbeat_lost", "cannot_hear"]


def test_time_unheard_is_neither_silence_nor_a_new_beginning() -> None:
    line = heard_home()
    alive(line, 5, "H1-hub", "H1-door")
    line.ticks(6 * HOUR, every=MINUTE)
    assert "cannot_hear" in kinds(line.alarms), "it would have been raised in this time"
    alive(line, 2.9, "H1-hub", "H1-door")
    assert "inactivity" not in kinds(line.alarms)
    alive(line, 0.3, "H1-hub", "H1-door")
    assert kinds(line.alarms).count("inactivity") == 1


def test_each_time_that_a_home_is_unheard_is_an_alarm_of_its_own() -> None:
    line = heard_home()
    for _ in range(2):
        line.ticks(10 * HOUR, every=MINUTE)
        alive(line, 0.1, "H1-hub")
    said = [alarm for alarm in line.alarms if alarm.kind == "cannot_hear"]
    assert len({alarm.id for alarm in said}) == len(said) == 2


def test_what_the_register_names_no_more_hears_nothing() -> None:
    line = heard_home()
    line.hear(settings(HUB, hours=8, revision=2))
    alive(line, 8, "H1-door")
    assert "inactivity" not in kinds(line.alarms)


def test_a_device_of_no_known_level_is_never_missed_and_the_silence_counts() -> None:
    line = heard_home(HUB)
    line.ticks(9 * HOUR, every=MINUTE)
    assert "inactivity" in kinds(line.alarms)
