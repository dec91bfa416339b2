"""What detection makes of areas that are not heard."""

import random

import msgspec
import pytest

from alerting import partition
from alerting.detectors import Now, is_deaf
from alerting.detectors.table import DETECTORS
from alerting.partition import Partition
from ingest import coverage
from pingan.messages import DeviceSettings, HomeSettings, Message, Reading, Tick
from tests.timeline import START_MS, ids, restarted

HOUR = 3600
SENSOR = "H1-pir"


def home(area: str = "110-01", hours: float = 4) -> HomeSettings:
    sensors = (DeviceSettings(SENSOR, "motion", 90_000),)
    plain = {"inactivity": "fixed-1"}  # its hours a test can count
    return HomeSettings(home="H1", revision=1, devices=sensors, inactivity_hours=hours, area=area, live=plain)


def moved(seconds: int, seq: int) -> Reading:
    at_ms = START_MS + seconds * 1000
    return Reading(SENSOR, "b1", seq, at_ms, at_ms, "motion", True, "H1")


def tick(seconds: int, *deaf: str, heard: int = HOUR, **lacks: tuple[int, int, float, int]) -> Tick:
    return Tick(START_MS + seconds * 1000, heard * 1000, 1, deaf, lacks)


def hours(first: int, last: int, *deaf: str) -> list[Message]:
    return [tick(hour * HOUR, *deaf) for hour in range(first, last)]


def fed(messages: list[Message], watched: Partition | None = None) -> list[tuple[str, str | None]]:
    watched = watched or Partition()
    return [(alarm.kind, alarm.home) for message in messages for alarm in watched.feed(message)]


def test_a_home_in_an_area_that_is_deaf_raises_nothing_and_its_silence_stands_still() -> None:
    messages = [home(), tick(0), moved(1, 1), *hours(1, 4), *hours(4, 62, "110"), *hours(62, 63)]
    assert fed(messages) == [("cannot_hear", None), ("hearing_restored", None)]
    assert fed([*messages, *hours(63, 65)])[2:] == [("inactivity", "H1")], "what it had counted before is kept"
    assert ("inactivity", "H1") in fed([home("120"), *messages[1:]]), "another area's is not its"


def test_who_moves_while_the_area_is_deaf_is_watched_from_its_end() -> None:
    messages = [home(), tick(0), moved(1, 1), *hours(1, 9, "110"), moved(9 * HOUR - 1, 2), *hours(9, 12, "110")]
    assert fed([*messages, *hours(12, 16)])[-1] == ("hearing_restored", None)
    assert fed([*messages, *hours(12, 18)])[-1] == ("inactivity", "H1")


def test_every_partition_says_it_of_an_area_under_one_id() -> None:
    one, other = Partition(), Partition()
    other.feed(home())
    messages = [tick(0), tick(1, "110", heard=1, **{"110": (40, 1, 31.5, 30)}), tick(2, "110"), tick(3)]
    said = [[alarm for message in messages for alarm in each.feed(message)] for each in (one, other)]
    assert ids(said[0]) == ids(said[1])
    began, ended = said[0]
    assert (began.kind, ended.kind) == ("cannot_hear", "hearing_restored")
    assert ended.evidence["restores"] == str(began.id)
    assert began.evidence["area"] == "110"
    assert {name: began.evidence[name] for name in ("homes", "heard", "usually", "minutes", "value")} == {
        "homes": 40, "heard": 1, "usually": 31.5, "minutes": 30, "value": 0.032,
    }  # fmt: skip
    again = [alarm for message in (tick(4, "110"), tick(5)) for alarm in one.feed(message)]
    assert not ids(again) & ids(said[0]), "the next time is another one"


def test_a_restart_forgets_no_area_that_is_deaf() -> None:
    messages = [home(), tick(0), moved(1, 1), *hours(1, 4), *hours(4, 62, "110"), *hours(62, 66)]
    whole = fed(messages)
    for cut in range(len(messages)):
        first = Partition()
        assert fed(messages[:cut], first) + fed(messages[cut:], restarted(first)) == whole, cut


def test_an_area_that_grows_is_another_and_its_homes_are_held_on() -> None:
    messages = [home(), tick(0), moved(1, 1), *hours(1, 9, "110-01"), *hours(9, 20, "110"), *hours(20, 22)]
    assert [kind for kind, _ in fed(messages)] == [
        "cannot_hear", "cannot_hear", "hearing_restored", "hearing_restored",
    ]  # fmt: skip


def test_supervision_goes_on() -> None:
    messages = [home(), tick(0), moved(1, 1), *hours(1, 74, "110")]
    assert ("heartbeat_lost", "H1") not in fed(messages)
    assert ("heartbeat_lost", "H1") in fed([*messages, *hours(74, 77, "110")])


@pytest.mark.parametrize("seed", range(6))
def test_a_look_too_early_changes_nothing(seed: int) -> None:
    """Every detector of the table bears being woken before it has asked for it: an area's change wakes them all."""
    chance = random.Random(seed)
    labels = {name: tuple(versions)[1:] for name, versions in DETECTORS.items()}
    told: list[Message] = [msgspec.structs.replace(home(), shadow=labels), tick(0)]
    values = {"motion": True, "door": True, "heart_rate": 55.0, "spo2": 88.0, "water": True, "bed": False, "status": {}}
    for minute in range(1, 2000):
        if chance.random() < (0.3 if minute % 700 < 300 else 0.002):
            kind = chance.choice(sorted(values))
            told.append(msgspec.structs.replace(moved(minute * 60 - 1, minute), kind=kind, value=values[kind]))
        told.append(tick(minute * 60, heard=60))
    plain, looked = Partition(), Partition()
    found: list[list[tuple[object, str]]] = [[], []]
    for message in told:
        found[0] += [(alarm.id, alarm.kind) for alarm in plain.feed(message)]
        found[1] += [(alarm.id, alarm.kind) for alarm in looked.feed(message)]
        if isinstance(message, Tick) and chance.random() < 0.2:
            found[1] += [(alarm.id, alarm.kind) for alarm in looked.watches["H1"].look_again(looked.now)]
    assert found[0] == found[1]
    assert found[0], "else this says nothing"
    assert [one.id for one in plain.shadows] == [one.id for one in looked.shadows]


def test_areas_lie_in_those_that_their_codes_begin_with() -> None:
    assert is_deaf("110-01", Now(0, 0, frozenset({"110"})))
    assert not is_deaf("110", Now(0, 0, frozenset({"110-01"})))
    assert not is_deaf("110", Now(0, 0))
    assert is_deaf("", Now(0, 0, frozenset({""})))


def test_the_two_rooms_mean_the_same_share() -> None:
    assert partition.SHARE_LOST == coverage.SHARE_LOST


def test_a_tick_of_before_is_still_one() -> None:
    old = b'{"type":"tick/1","at_ms":1,"heard_ms":1,"epoch":1}'
    assert msgspec.json.decode(old, type=Tick) == Tick(1, 1, 1)
