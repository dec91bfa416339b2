"""A detector that fails, a state that is damaged: it costs that detector's word in that home, and nothing else."""

import msgspec

from alerting.detectors import Now
from alerting.detectors.inactivity_learned import Learned, LearnedInactivity, State
from alerting.detectors.table import Table
from alerting.partition import Partition
from alerting.watch import VERSION, Watch
from pingan.messages import HomeSettings
from tests.alerting_support import reading
from tests.detector_versions import FAILING, TABLE
from tests.timeline import Timeline, kinds


def test_mutant_a_detector_that_fails_at_a_tick_would_take_every_home_s_alarms_with_it() -> None:
    one = Timeline(Partition(table=FAILING))
    for home in (1, 2, 3):
        one.hear(reading(1, device=f"H{home}-hub", home=f"H{home}"))
    alarms = one.ticks(11 * 60, every=60)
    assert sorted((alarm.home, alarm.kind) for alarm in alarms) == [(f"H{n}", "inactivity") for n in (1, 2, 3)]


def test_what_fails_is_said_once_until_it_works_again() -> None:
    one = Timeline(Partition(table=FAILING))
    one.hear(reading(1))
    one.ticks(11 * 60, every=60)
    said = [(failure.version, type(failure.error)) for failure in one.partition.failures]
    assert said == [("failing/1", KeyError), ("failing/1", ZeroDivisionError)]
    assert one.partition.failures[0].home == "H1"


def test_a_state_that_decodes_and_cannot_be_taken_up_costs_that_detector_alone() -> None:
    one = Timeline(Partition(table=FAILING))
    one.hear(reading(1))
    one.ticks(8 * 60, every=60)
    routines = {("failing", "1"): b"?", ("still", "ten-1"): b"?"}
    watch = Watch.restore("H1", VERSION, one.partition.watches["H1"].snapshot(), one.partition.now, routines, FAILING)
    assert watch.fresh == ("failing/1", "failing/1 routine")
    one.partition = Partition(one.partition.time, {"H1": watch}, FAILING)
    assert kinds(one.ticks(3 * 60, every=60)) == ["inactivity"], "the silence that it had counted"


class Damaged(LearnedInactivity):
    """It kept what cannot be: a day's movements at a place that there is not."""

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(State(today=20_000, taught=[Learned(19_999, b"12", {200: b"x"})]))


def test_a_learned_silence_whose_state_is_damaged_begins_anew() -> None:
    """It decodes; what it says cannot be: no partition stays unwatched for it."""
    table: Table = {"inactivity": {"learned-1": LearnedInactivity}, **TABLE}
    watch = Watch("H1", {"inactivity": {"learned-1": Damaged}, **TABLE})
    again = Watch.restore("H1", VERSION, watch.snapshot(), Now(0, 0), {}, table)
    one = Timeline(Partition(None, {"H1": again}, table))
    one.hear(HomeSettings(home="H1", revision=1, inactivity_hours=1), reading(1))
    alarms = one.ticks(70 * 60, every=60)
    assert "inactivity" in {alarm.kind for alarm in alarms if alarm.evidence["detector"] == "inactivity/learned-1"}


def test_a_home_that_speaks_all_day_leaves_no_trail_of_deadlines() -> None:
    """Each tick's deadline is another; what has been superseded is forgotten, or memory would grow with every word."""
    one = Timeline(Partition(table=TABLE))
    for seq in range(1, 400):
        one.hear(reading(seq))
        one.tick(1)
    assert len(one.partition._due) <= 2
