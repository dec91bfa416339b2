"""Inactivity by fixed hours, as timelines."""

import pytest

from pingan.messages import Away, Reading
from tests.alerting_support import reading, status
from tests.timeline import START_MS, Timeline, kinds, settings

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
