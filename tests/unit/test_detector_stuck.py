"""Sensors that are stuck are faults, and no still person."""

from base64 import b64encode
from random import Random
from struct import pack
from typing import Any

import pytest

from alerting.detectors.stuck import constant_triple
from pingan.messages import DeviceSettings, HomeSettings, Reading
from tests.lateness import found_by
from tests.timeline import START_MS, Timeline, kinds, restarted

HOME = HomeSettings("H1", 1, (DeviceSettings("H1-watch", "watch", 90_000), DeviceSettings("H1-hub", "hub", 90_000)))
HOUR = 3600


def burst(seq: int, samples: list[tuple[int, int, int]], at_ms: int = START_MS) -> Reading:
    raw = b"".join(pack("<hhh", *sample) for sample in samples)
    value = {"rate_hz": 50.0, "range_g": 8.0, "position": "wrist", "samples": b64encode(raw).decode()}
    return Reading("H1-watch", "b1", seq, at_ms, at_ms, "accel", value, "H1")


def motion(seq: int, at_ms: int, sensor: str = "hall") -> Reading:
    return Reading("H1-hub", "b1", seq, at_ms, at_ms, "motion", True, "H1", sensor)


def watched() -> Timeline:
    line = Timeline()
    line.hear(HOME)
    line.tick(1)
    return line


def bursts(line: Timeline, seconds: int, sample: tuple[int, int, int], every: int = 10, noise: int = 0) -> list[str]:
    seq = sum(isinstance(one, Reading) for one in line.told)
    chance, found = Random(seq), []
    for number in range(seconds // every):
        jitter = [(sample[0] + chance.randint(-noise, noise), *sample[1:]) for _ in range(50)]
        line.hear(burst(seq + number, jitter, line.at_ms))
        found += line.tick(every)
    return kinds(found_by("stuck", found))


def test_nothing_but_the_earth_s_pull_can_be_constant_at_rest() -> None:
    line = watched()
    assert bursts(line, 50, (0, 0, 0)) == []
    assert bursts(line, 60, (0, 0, 0)) == ["fault"]
    [fault] = line.alarms
    assert (fault.device, fault.evidence["rule"], fault.evidence["g"]) == ("H1-watch", "accelerometer_constant", 0)
    assert bursts(line, 600, (0, 0, 0)) == [], "once"
    assert bursts(line, 20, (0, 0, 2000), noise=9) == ["fault_restored"]
    assert line.alarms[-1].evidence["restores"] == str(fault.id)
    assert bursts(line, HOUR, (32767, 32767, 32767)) == [], "at most once a day"


def test_a_coarse_sensor_on_the_bedside_table_is_not_stuck_until_it_has_lain_longer_than_a_night() -> None:
    line = watched()
    assert bursts(line, 11 * HOUR, (0, 0, 2000), every=600) == []
    assert bursts(line, 2 * HOUR, (0, 0, 2000), every=600) == ["fault"]


def test_a_person_who_lies_still_is_not_stuck() -> None:
    assert bursts(watched(), 14 * HOUR, (0, 0, 2000), every=600, noise=2) == []


@pytest.mark.parametrize(
    "value",
    [None, 1, {}, {"samples": None}, {"samples": "no base64!"}, {"samples": ""}, {"samples": "AAAAAAAA"},
     {"samples": "AAAAAAAAAAAA"}, {"samples": b64encode(b"ab" * 40).decode()[:-3]}],
)  # fmt: skip
def test_what_is_no_burst_is_not_constant(value: Any) -> None:
    assert constant_triple(value) is None


def test_a_constant_is_seen_whatever_its_numbers() -> None:
    for triple in ((0, 0, 0), (1, -2, 3), (32767, -32768, 5)):
        raw = pack("<hhh", *triple)
        assert constant_triple({"samples": b64encode(raw * 50).decode()}) == raw
        assert constant_triple({"samples": b64encode(raw * 49 + pack("<hhh", 9, 9, 9)).decode()}) is None


def test_movements_faster_than_anybody_moves() -> None:
    line = watched()
    seq = 0
    for _ in range(4):
        for _ in range(300):
            line.hear(*(motion(seq + one, line.at_ms) for one in range(3)))
            seq += 3
            line.tick(1)
    [fault] = line.alarms
    assert (fault.kind, fault.evidence["rule"], fault.evidence["sensor"]) == ("fault", "motion_impossible_rate", "hall")
    assert kinds(line.ticks(900, every=30)) == ["fault_restored"]


def test_a_room_in_which_somebody_moves_all_day_and_a_dog_all_night_is_not_stuck() -> None:
    line = watched()
    for minute in range(30 * 60):
        if minute % 60 < 50:
            line.hear(motion(minute, line.at_ms))
        line.tick(60)
    assert "fault" not in kinds(line.alarms)


def test_a_day_without_five_minutes_of_rest_is_a_sensor_and_a_restart_forgets_nothing() -> None:
    line = watched()
    for minute in range(24 * 60 + 10):
        line.hear(motion(minute, line.at_ms))
        line.tick(60)
        if minute % 97 == 0:
            line.partition = restarted(line.partition)
    [fault] = [alarm for alarm in line.alarms if alarm.kind == "fault"]
    assert (fault.evidence["rule"], fault.evidence["value"]) == ("motion_never_still", 24.0)
