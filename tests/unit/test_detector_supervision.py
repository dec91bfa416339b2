"""Supervision, as timelines: what is lost, what is low, and that each of them restores by itself."""

import itertools
from typing import Any

import pytest

from alerting.detectors.conditions import FAULTS
from dispatch.policy import TECHNICAL, is_restore
from pingan.messages import DeviceSettings
from tests.alerting_support import event, reading, status
from tests.timeline import HUB, START_MS, Timeline, kinds, restarted, settings

DAY = 86_400


def told(*devices: DeviceSettings) -> Timeline:
    line = Timeline()
    line.tick(1)
    line.hear(settings(*(devices or (HUB,))))
    line.tick(1)
    return line


@pytest.mark.parametrize("level", [90, 180, 900, 18_000, 90_000])
def test_three_missed_heartbeats_of_its_level_are_a_loss(level: int) -> None:
    line = told(DeviceSettings("H1-hub", "hub", level))
    line.hear(status(1))
    line.tick(1)  # its silence begins here
    assert line.ticks(3 * level - level / 10, every=level / 10) == []
    [lost] = line.tick(level / 10)
    assert (lost.kind, lost.home, lost.device) == ("heartbeat_lost", "H1", "H1-hub")
    assert lost.at_ms == lost.received_ms == line.at_ms
    assert lost.evidence == {
        "source": "derived",
        "detector": "supervision/1",
        "rule": "heartbeat_lost",
        "threshold": 3.0 * level,
        "value": 3.0 * level,
        "unit": "seconds heard without a sign of it",
        "since_ms": START_MS,
        "readings": ["H1-hub/b1/1"],
    }
    assert line.ticks(10 * level, every=level) == [], "once an episode"


@pytest.mark.parametrize("life", [reading(9, "temperature", value=20.0), status(9), event(9, device="H1-hub")])
def test_anything_that_a_device_says_is_life_and_restores_it(life: object) -> None:
    line = told()
    line.hear(status(1))
    line.tick(1)
    [lost] = line.ticks(300)
    line.hear(life)  # type: ignore[arg-type]
    [restored] = [alarm for alarm in line.tick(1) if alarm.kind != "sequence_gap"]
    assert restored.kind == "device_restored"
    assert restored.evidence["restores"] == str(lost.id)
    assert [alarm.kind for alarm in line.ticks(300) if alarm.kind != "sequence_gap"] == ["heartbeat_lost"]
    assert len({alarm.id for alarm in line.alarms}) == len(line.alarms), "a new episode is a new alarm"


def test_a_device_that_was_never_heard_is_not_installed_yet_and_not_lost() -> None:
    line = told()
    assert line.ticks(3000, every=10) == []
    line.hear(status(1))
    assert kinds(line.ticks(300)) == ["heartbeat_lost"]


def test_a_device_that_the_register_has_not_named_is_heard_but_its_silence_is_not_judged() -> None:
    line = Timeline()
    line.tick(1)
    line.hear(status(1, battery_percent=3))
    assert kinds(line.ticks(1000, every=10)) == ["battery_critical"]


def test_a_device_that_left_the_home_is_not_missed() -> None:
    line = told()
    line.hear(status(1), settings(revision=2))
    assert line.ticks(1000, every=10) == []


def test_a_long_step_in_which_it_was_heard_is_not_silence() -> None:
    """The driven clock may move an hour at once: what was heard during the hour was heard at its end."""
    line = told()
    for seq in range(1, 100):
        line.hear(status(seq))
        assert line.tick(3600) == []


def level(seconds: int, revision: int) -> Any:
    return settings(DeviceSettings("H1-hub", "hub", seconds), revision=revision)


def test_a_longer_level_holds_at_once() -> None:
    line = told()
    line.hear(status(1))
    line.ticks(200, every=10)
    line.hear(level(18_000, 2))
    assert line.ticks(3 * 18_000 - 300, every=600) == []
    assert kinds(line.ticks(1200, every=600)) == ["heartbeat_lost"]


def test_a_shorter_level_waits_until_the_device_is_heard_and_can_know_of_it() -> None:
    line = told(DeviceSettings("H1-hub", "hub", 18_000))
    line.hear(status(1))
    line.tick(1)
    line.hear(level(90, 2), status(2))  # within one tick: which was first?
    assert line.ticks(17_900, every=100) == [], "it beats as it did, since it may not know better"
    line.hear(level(90, 3), status(3))
    line.tick(1)
    assert line.ticks(269) == [], "the same again is nothing new"
    assert kinds(line.tick(1)) == ["heartbeat_lost"]


def test_a_device_that_never_hears_of_a_shorter_level_is_lost_by_the_longer() -> None:
    line = told(DeviceSettings("H1-hub", "hub", 900))
    line.hear(status(1))
    line.tick(1)
    line.hear(level(90, 2))
    line.partition = restarted(line.partition)
    assert line.ticks(2690, every=10) == []
    assert kinds(line.tick(10)) == ["heartbeat_lost"]


def test_what_we_did_not_hear_is_nobodys_silence() -> None:
    line = told()
    line.hear(status(1))
    line.tick(1)
    assert line.tick(58 * 3600, heard=0) == []
    assert line.ticks(269) == []
    assert kinds(line.tick(1)) == ["heartbeat_lost"]


def test_a_repeated_heartbeat_is_no_life_and_a_retried_press_neither() -> None:
    line = told()
    line.hear(status(1), event(2, device="H1-hub"))
    line.tick(1)
    line.ticks(269)
    line.hear(status(1), event(2, device="H1-hub", attempt=9))
    assert kinds(line.tick(1)) == ["heartbeat_lost"]


def test_a_battery_is_low_then_critical_then_well() -> None:
    line = told()
    heard = []
    for seq, percent in enumerate((80, 21, 20, 18, 25, 19, 5, 4, 12, 18, 29, 30), start=1):
        line.hear(status(seq, battery_percent=percent))
        heard.append((percent, kinds(line.tick(1))))
    assert [step for step in heard if step[1]] == [
        (20, ["battery_low"]),
        (5, ["battery_critical"]),
        (30, ["battery_restored", "battery_restored"]),
    ]
    low, critical, *restored = line.alarms
    assert {alarm.evidence["restores"] for alarm in restored} == {str(low.id), str(critical.id)}
    assert low.evidence["threshold"] == 20
    assert (low.evidence["value"], low.evidence["unit"], low.evidence["readings"]) == (20, "percent", ["H1-hub/b1/3"])


def test_a_flapping_battery_is_raised_once_a_day_and_late_rather_than_never() -> None:
    line = told()
    found = []
    for seq in range(1, 2 * DAY // 80):
        line.hear(status(seq, battery_percent=10 if seq % 2 else 90))
        line.tick(80)
    line.hear(status(9999, battery_percent=10))
    line.ticks(DAY + 100, every=80)
    found = [alarm for alarm in line.alarms if alarm.kind == "battery_low"]
    assert 3 <= len(found) <= 4
    assert all(b.at_ms - a.at_ms >= DAY * 1000 for a, b in itertools.pairwise(found))


def test_mains_and_faults_are_raised_and_restored() -> None:
    line = told()
    said: list[dict[str, Any]] = [
        {"mains": True, "faults": ["tamper"]},
        {"mains": False, "faults": ["tamper", "radio_jam"]},
        {"mains": False, "faults": ["link_lost", "sensor_lost", "self_test"]},
        {"mains": True, "faults": ["singed"]},
        {"faults": []},
    ]
    heard = []
    for seq, what in enumerate(said, start=1):
        line.hear(status(seq, **what))
        heard.append(sorted(kinds(line.tick(1))))
    assert heard == [
        ["tamper"],
        ["mains_lost", "radio_jam"],
        ["link_lost", "radio_restored", "self_test", "sensor_lost", "tamper_restored"],
        ["fault", "fault_restored", "link_restored", "mains_restored", "sensor_restored"],
        ["fault_restored"],
    ]
    ids = [str(alarm.id) for alarm in line.alarms]
    for alarm in line.alarms:
        if alarm.kind.endswith("_restored"):
            assert alarm.evidence["restores"] in ids


def test_the_newest_status_counts_whichever_came_last() -> None:
    line = told()
    line.hear(status(5, battery_percent=3, boot="b2"), status(2, battery_percent=90, boot="b2"))
    assert kinds(line.tick(1)) == ["battery_critical"]
    line.hear(status(3, battery_percent=90, boot="b2"))
    assert line.tick(1) == []
    line.hear(status(1, battery_percent=88, boot="b3"))
    assert kinds(line.tick(1)) == ["battery_restored"]
    line.hear(status(6, battery_percent=3, boot="b2"))
    assert line.tick(1) == [], "a boot that is over says nothing about today"


@pytest.mark.parametrize("nonsense", [None, "low", True, [], {"percent": 3}, 10**30, float("nan"), -1])
def test_nonsense_in_a_status_is_no_condition(nonsense: object) -> None:
    line = told()
    line.hear(status(1, battery_percent=nonsense, mains=nonsense, faults=[nonsense]))
    line.hear(reading(2, "status", value=nonsense))
    assert {"battery_critical", "mains_lost"}.isdisjoint(kinds(line.tick(1)))
    restarted(line.partition)


def test_the_desk_knows_every_kind_as_technical() -> None:
    raised = {rule.kind for rule in FAULTS.values()} | {"fault", "battery_low", "battery_critical", "mains_lost"}
    restored = {rule.restored_kind for rule in FAULTS.values()} | {"device_restored", "battery_restored"}
    assert raised | restored | {"heartbeat_lost", "sequence_gap", "mains_restored"} <= TECHNICAL
    assert all(is_restore(kind) for kind in restored)
    assert not any(is_restore(kind) for kind in raised)


def word(reached: object, at_s: float, device: str = "H1-hub") -> Any:
    """What a gateway says of a device behind it, `at_s` after the beginning."""
    at_ms = START_MS + int(at_s * 1000)
    return reading(at_ms, "availability", value=reached, boot="", device=device, at_ms=at_ms, received_ms=at_ms)


def voice(at_s: float, kind: str = "motion", **more: Any) -> Any:
    at_ms = START_MS + int(at_s * 1000)
    return reading(at_ms, kind, boot="", at_ms=at_ms, received_ms=at_ms, **more)


def test_a_device_that_its_gateway_does_not_reach_is_lost_until_it_is_reached_or_heard() -> None:
    line = told()
    heard = []
    for said in (voice(1), word(False, 2), word(False, 3), word(True, 4), word(False, 5), voice(6), word(True, 7)):
        line.hear(said)
        heard.append(kinds(line.tick(3600)))
    only = [[kind for kind in each if kind.startswith("link")] for each in heard]
    assert only == [[], ["link_lost"], [], ["link_restored"], ["link_lost"], ["link_restored"], []]
    lost, restored, *_ = [alarm for alarm in line.alarms if alarm.kind.startswith("link")]
    assert restored.evidence["restores"] == str(lost.id)
    assert (lost.device, lost.evidence["since_ms"]) == ("H1-hub", START_MS + 2000)


def test_within_a_tick_the_order_of_a_gateways_word_and_the_devices_own_makes_no_difference() -> None:
    for said in itertools.permutations([voice(1), word(False, 2), voice(3, "status", value={"faults": []})]):
        line = told()
        line.hear(*said)
        assert line.tick(1) == []
    for said in itertools.permutations([voice(1), word(True, 2), word(False, 3), voice(2, "status", value={})]):
        line = told()
        line.hear(*said)
        assert kinds(line.tick(1)) == ["link_lost"]


def test_a_gateways_word_is_no_life_of_the_device() -> None:
    line = told()
    line.hear(voice(1))
    line.tick(1)
    assert line.ticks(269) == []
    line.hear(word(True, 270))
    assert kinds(line.tick(1)) == ["heartbeat_lost"]
    line.hear(word(True, 271))
    assert line.tick(1) == [], "and gives none back"
    never = told()
    never.hear(word(True, 1))
    assert never.ticks(3000, every=10) == [], "nor is it installed for that"


@pytest.mark.parametrize("nonsense", [None, "offline", 0, 1, [], {"state": False}])
def test_nonsense_for_a_gateways_word_says_nothing(nonsense: object) -> None:
    line = told()
    line.hear(voice(1), word(nonsense, 2))
    assert line.tick(1) == []
    restarted(line.partition)


def test_a_battery_that_is_only_called_low_is_raised_and_restored() -> None:
    line = told()
    heard = []
    for at_s, said in enumerate(
        ({"battery_low": False}, {"battery_low": True}, {"battery_low": True}, {}, {"battery_low": False})
    ):
        line.hear(voice(at_s, "status", value=said))
        heard.append(kinds(line.tick(1)))
    assert heard == [[], ["battery_low"], [], [], ["battery_restored"]]
    low = line.alarms[0]
    assert (low.evidence["threshold"], low.evidence["value"], low.evidence["unit"]) == (
        None,
        "battery_low",
        "said by the device",
    )


def test_a_percent_says_more_than_the_word_low() -> None:
    line = told()
    line.hear(voice(1, "status", value={"battery_low": True, "battery_percent": 90}))
    assert line.tick(1) == []


def test_a_family_that_numbers_anew_at_each_join_is_believed_by_its_time() -> None:
    line = told()
    line.hear(reading(64_000, "status", boot="", value={"battery_percent": 3}))
    assert kinds(line.tick(1)) == ["battery_critical"]
    line.hear(reading(64, "status", boot="", at_ms=START_MS + 1, value={"battery_percent": 90}))
    assert kinds(line.tick(1)) == ["battery_restored"]
