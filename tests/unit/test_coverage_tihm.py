"""Two months of 25 real homes, in which all of them once fall silent. TIHM (Palermo et al. 2023), when it is here."""

import csv
import gzip
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from alerting.partition import Partition
from ingest.coverage import Coverage, Member, Usual
from pingan.clock import to_ms
from pingan.messages import Alarm, DeviceSettings, HomeSettings, Reading, Tick

RECORDING = Path(__file__).parents[3] / "shared/data/homes/tihm_activity.csv.gz"
MINUTE, HOUR = 60_000, 3_600_000
AREA = "440101"
SLOW = 90_000
OUTAGE_MS = 58 * HOUR
LEARNED = to_ms(datetime(2019, 6, 5, tzinfo=UTC))
"""Until here it learns; from here on it is put to the test."""
LIMIT_HOURS = 12

pytestmark = pytest.mark.skipif(not RECORDING.exists(), reason=f"the recordings are not here: {RECORDING}")


class Deaf(NamedTuple):
    from_ms: int
    until_ms: int


class Walk:
    """The recording's minutes, with or without an outage."""

    def __init__(self, events: list[tuple[int, str]], coverage: Coverage, outage: tuple[int, int] = (0, 0)) -> None:
        self.events, self.coverage, self.outage = events, coverage, outage

    def minutes(self, begin_ms: int, end_ms: int) -> Iterator[tuple[Tick, list[tuple[int, str]]]]:
        """Each minute's movements as they were heard, and the tick after them."""
        upcoming = iter(event for event in self.events if begin_ms <= event[0] < end_ms)
        following = next(upcoming, None)
        for at_ms in range(begin_ms + MINUTE, end_ms, MINUTE):
            heard = []
            while following is not None and following[0] < at_ms:
                if not self.outage[0] <= following[0] < self.outage[1]:
                    self.coverage.heard(following[1], following[0])
                    heard.append(following)
                following = next(upcoming, None)
            yield Tick(at_ms, MINUTE, 1, self.coverage.deaf(at_ms, MINUTE)), heard

    def deaf(self, begin_ms: int, end_ms: int) -> list[Deaf]:
        found, since = [], None
        for tick, _ in self.minutes(begin_ms, end_ms):
            if tick.deaf and since is None:
                since = tick.at_ms
            elif not tick.deaf and since is not None:
                found.append(Deaf(since, tick.at_ms))
                since = None
        return found if since is None else [*found, Deaf(since, end_ms)]


@pytest.fixture(scope="module")
def events() -> list[tuple[int, str]]:
    with gzip.open(RECORDING, "rt", encoding="utf-8") as file:
        return sorted(
            (to_ms(datetime.fromisoformat(row["t"]).replace(tzinfo=UTC)), row["id"]) for row in csv.DictReader(file)
        )


class Learned(NamedTuple):
    normal: list[Deaf]
    known: bytes


@pytest.fixture(scope="module")
def learned(events: list[tuple[int, str]]) -> Learned:
    coverage = begun(events, {})
    walk = Walk(events, coverage)
    normal = walk.deaf(events[0][0], LEARNED)
    return Learned(normal, msgspec.json.encode(coverage.changes()))


def begun(events: list[tuple[int, str]], known: dict[str, Usual], now_ms: int = 0) -> Coverage:
    last = {home: at_ms for at_ms, home in events if at_ms < now_ms}
    return Coverage(
        [Member(home, home, AREA, SLOW, last.get(home)) for home in {home for _, home in events}], (), known
    )


def again(events: list[tuple[int, str]], learned: Learned, now_ms: int = LEARNED - 6 * HOUR) -> Coverage:
    return begun(events, msgspec.json.decode(learned.known, type=dict[str, Usual]), now_ms)


def test_no_night_of_two_months_is_taken_for_a_fault_but_the_one_that_was(
    events: list[tuple[int, str]], learned: Learned
) -> None:
    """On 27 May none of 24 homes says anything from 02:25 to 04:31; the next longest such silence has 30 minutes."""
    rest = Walk(events, again(events, learned)).deaf(LEARNED - 6 * HOUR, events[-1][0])
    found = [*learned.normal, *(one for one in rest if one.from_ms >= LEARNED)]
    gap = [to_ms(datetime(2019, 5, 27, hour, minute, tzinfo=UTC)) for hour, minute in ((2, 25), (4, 31))]
    [fault] = found
    assert gap[0] < fault.from_ms < gap[1] < fault.until_ms < gap[1] + 2 * HOUR


@pytest.mark.parametrize("hour", range(0, 24, 3))
def test_58_hours_of_silence_are_known_soon_and_once_whenever_they_begin(
    hour: int, events: list[tuple[int, str]], learned: Learned
) -> None:
    begin_ms = LEARNED + hour * HOUR
    walk = Walk(events, again(events, learned), (begin_ms, begin_ms + OUTAGE_MS))
    [deaf] = walk.deaf(LEARNED - 6 * HOUR, begin_ms + OUTAGE_MS + 12 * HOUR)
    late_minutes = (deaf.from_ms - begin_ms) / MINUTE
    assert 0 < late_minutes <= (10 if 8 <= hour < 22 else 75)
    assert 0 < deaf.until_ms - begin_ms - OUTAGE_MS < 3 * HOUR


def alarms(events: list[tuple[int, str]], learned: Learned, outage: tuple[int, int], *, covered: bool) -> list[Alarm]:
    partition = Partition()
    for number, home in enumerate(sorted({home for _, home in events})):
        sensors = (DeviceSettings(home, "motion", SLOW),)
        plain = {"inactivity": "fixed-1"}  # its hours a test can count
        partition.feed(HomeSettings(home, number, sensors, inactivity_hours=LIMIT_HOURS, area=AREA, live=plain))
    walk = Walk(events, again(events, learned), outage)
    found = []
    seqs: Counter[str] = Counter()
    for tick, heard in walk.minutes(LEARNED - 6 * HOUR, outage[1] + LIMIT_HOURS * HOUR):
        for at_ms, home in heard:
            seqs[home] += 1
            found += partition.feed(Reading(home, "b", seqs[home], at_ms, at_ms, "motion", True, home))
        found += partition.feed(tick if covered else msgspec.structs.replace(tick, deaf=()))
    return [alarm for alarm in found if alarm.at_ms >= outage[0]]


@pytest.mark.parametrize("hour", [3, 14])
def test_58_hours_of_silence_are_one_incident_and_no_person(
    hour: int, events: list[tuple[int, str]], learned: Learned
) -> None:
    begin_ms = LEARNED + hour * HOUR
    outage = (begin_ms, begin_ms + OUTAGE_MS)
    raised = alarms(events, learned, outage, covered=True)
    assert [alarm.kind for alarm in raised if alarm.home is None] == ["cannot_hear", "hearing_restored"]
    # Whoever is then still not heard, and was long silent before, is rung for: they have counted on from there.
    persons = [alarm for alarm in raised if alarm.home is not None]
    assert [alarm for alarm in persons if alarm.at_ms < outage[1]] == []
    assert len(persons) <= 2
    without = {alarm.home for alarm in alarms(events, learned, outage, covered=False) if alarm.kind == "inactivity"}
    assert len(without) >= 20, "every home of which anything was heard before would have rung"
