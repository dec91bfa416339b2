"""Sequences: what is missing is found, what was late is not, and the order in which things come makes no difference."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.detectors import Now
from alerting.detectors.sequence import BOOTS_MAX, GAPS_MAX, Sequence
from tests.alerting_support import reading
from tests.timeline import Timeline

DAY_MS = 86_400_000


def test_a_gap_is_reported_after_its_grace() -> None:
    line = Timeline()
    line.hear(*(reading(seq, "temperature", value=1) for seq in (1, 2, 5, 6, 9)))
    assert line.ticks(60) == []
    [found] = line.tick(1)
    assert (found.kind, found.device) == ("sequence_gap", "H1-hub")
    assert (found.evidence["missing"], found.evidence["gaps"]) == (4, [["b1", 3, 4], ["b1", 7, 8]])
    assert found.evidence["readings"] == ["H1-hub/b1/2", "H1-hub/b1/5"]


def test_what_comes_within_the_grace_was_only_late() -> None:
    line = Timeline()
    line.hear(reading(1), reading(4))
    line.ticks(50)
    line.hear(reading(3), reading(2))
    assert line.ticks(100) == []


def test_a_device_is_reported_once_a_day() -> None:
    line = Timeline()
    for seq in range(1, 2000, 2):
        line.hear(reading(seq, "temperature", value=1))
        line.tick(150)
    reports = [alarm for alarm in line.alarms if alarm.kind == "sequence_gap"]
    assert len(reports) == 2
    assert reports[1].at_ms - reports[0].at_ms >= DAY_MS
    assert len({alarm.id for alarm in reports}) == 2


@settings(deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=GAPS_MAX - 1), st.randoms())
def test_the_order_makes_no_difference_and_repeats_are_known(heard: list[int], chance: Random) -> None:
    shuffled = list(heard)
    chance.shuffle(shuffled)
    first, second = Sequence(), Sequence()
    admitted = [seq for seq in heard if first.admit("d", "b", seq, Now(0, 0))]
    again = [seq for seq in shuffled if second.admit("d", "b", seq, Now(0, 0))]
    assert sorted(admitted) == sorted(again) == sorted(set(heard))
    assert first.on_deadline(Now(0, 0)) == second.on_deadline(Now(0, 0)) == []
    assert first.snapshot() == second.snapshot()


def test_what_it_remembers_is_bounded() -> None:
    sequence = Sequence()
    for seq in range(0, 10_000, 2):
        sequence.admit("d", "b", seq, Now(0, 0))
    for boot in range(100):
        sequence.admit("d", f"b{boot}", 1, Now(0, 0))
    assert len(sequence.snapshot()) < 20 * (BOOTS_MAX + GAPS_MAX)
