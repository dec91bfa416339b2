"""What holds of learned silence whatever happens in a home."""

from typing import Any, NamedTuple

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerting.detectors import HOUR_MS
from alerting.detectors.inactivity_learned import LearnedInactivity
from alerting.partition import Partition, Time
from alerting.routines.silence import GAP_MS, UNIT_MS, Silence
from alerting.watch import VERSION, Watch
from pingan.messages import Alarm, DeviceSettings, HomeSettings, Message, Tick
from tests.alerting_support import event, reading
from tests.timeline import START_MS, ids

TABLE = {"inactivity": {"learned-1": LearnedInactivity}}
MINUTE_MS = 60_000
HUB = DeviceSettings("H1-hub", "hub", 900_000)

unhurried = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])

lives = st.lists(
    st.tuples(
        # Never within a minute of a limit: a tick is a minute long.
        st.sampled_from((1, 7, 33, 97, 228, 237, 253, 697)),
        st.sampled_from(("lounge", "kitchen", "front door", "still", "answer")),
        st.integers(0, 9),
    ),
    max_size=30,
)
Life = list[tuple[int, str, int]]


def said(life: Life, *, late: bool, step_ms: int = MINUTE_MS) -> list[Message]:
    """What is heard of a life: a tick a minute, and each movement at its time or so many minutes later. A clock that is
    driven in other steps stands at the last of them.
    """
    moves: list[tuple[int, int, Message]] = []
    at_ms = START_MS
    # A home is watched from the first that is heard of it on.
    for number, (minutes, what, late_minutes) in enumerate([(1, "lounge", 0), *life], 1):
        # What is no movement takes no time, so that no two gaps add up to a limit.
        at_ms += 0 if what == "still" else minutes * MINUTE_MS
        arrives_ms = at_ms + (late_minutes * MINUTE_MS if late else 0)
        where: dict[str, Any] = {"at_ms": at_ms, "received_ms": arrives_ms, "device": "H1-hub"}
        if what == "answer":
            moves.append((arrives_ms, number, event(number, f"e{number}", kind="ok", **where)))
        else:
            kind = "door" if what == "front door" else "motion"
            where |= {"sensor": what, "value": what != "still"}
            moves.append((arrives_ms, number, reading(number, kind, **where)))
    told: list[Message] = [HomeSettings("H1", 1, devices=(HUB,), inactivity_hours=4), Tick(START_MS, 0, 1)]
    moves.sort(key=lambda move: move[:2])
    now_ms = START_MS
    for arrives_ms, _, message in moves:
        while now_ms + step_ms <= arrives_ms:
            now_ms += step_ms
            told.append(Tick(now_ms, step_ms, 1))
        told.append(message if step_ms == MINUTE_MS else msgspec.structs.replace(message, received_ms=now_ms))
    for _ in range(30):
        now_ms += step_ms
        told.append(Tick(now_ms, step_ms, 1))
    return told


def heard(told: list[Message]) -> list[Alarm]:
    partition = Partition(table=TABLE)
    return [alarm for message in told for alarm in partition.feed(message)]


class Taught(NamedTuple):
    """A silence that was learned."""

    day: int
    slot: int
    place: int
    rang: int
    length: int
    """In UNIT_MS."""


def learned(told: list[Message]) -> Silence:
    """What is learned of it once its last day is over."""
    partition = Partition(table=TABLE)
    for message in told:
        partition.feed(message)
    for _ in range(27):
        partition.feed(Tick(partition.now.at_ms + HOUR_MS, HOUR_MS, 1))
    [routine] = partition.watches["H1"].learned(partition.now).values()
    return Silence.decode(routine)


def silences(told: list[Message]) -> list[Taught]:
    silence = learned(told)
    found = []
    for day, slot, length, where in silence._gaps.tolist():
        rang, place = divmod(where, 0x80)
        found.append(Taught(day, slot, silence.places[place].name, rang, length))
    return sorted(found)


def raised(alarms: list[Alarm]) -> set[str]:
    return {str(alarm.id) for alarm in alarms if alarm.kind in ("inactivity", "inactivity_suspected")}


def questions(alarms: list[Alarm]) -> set[str]:
    """That an alarm has followed: it is the alarm that is taken back."""
    return {alarm.evidence["follows"] for alarm in alarms if alarm.kind == "inactivity"}


def withdrawn(alarms: list[Alarm]) -> set[str]:
    return {alarm.evidence["restores"] for alarm in alarms if alarm.kind == "withdrawn"}


@unhurried
@given(lives)
def test_the_same_messages_give_the_same_alarms_and_time_never_runs_backward(life: Life) -> None:
    told = said(life, late=True)
    alarms = heard(told)
    assert heard(told) == alarms
    assert [alarm.at_ms for alarm in alarms] == sorted(alarm.at_ms for alarm in alarms)


@unhurried
@given(lives)
def test_what_comes_late_makes_no_difference_in_the_end(life: Life) -> None:
    in_order, late = heard(said(life, late=False)), heard(said(life, late=True))
    assert raised(in_order) <= raised(late), "nothing is missed"
    assert raised(late) - raised(in_order) <= withdrawn(late), "what was raised for want of a reading is taken back"
    assert raised(late) - withdrawn(late) - questions(late) == raised(in_order) - withdrawn(in_order) - questions(
        in_order
    )


@unhurried
@given(lives)
def test_the_same_silences_are_learned_of_what_comes_late(life: Life) -> None:
    in_order, late = silences(said(life, late=False)), silences(said(life, late=True))
    assert [one[:-1] for one in late] == [one[:-1] for one in in_order]
    # Of a movement that comes at once nobody knows when it was made between two ticks; of a late one it is known.
    assert all(0 <= after.length - before.length <= 1 for before, after in zip(in_order, late, strict=True))


@unhurried
@given(st.lists(st.tuples(st.sampled_from((0, 1, 2, 4)), st.sampled_from(("lounge", "kitchen")), st.integers(0, 9))))
def test_where_people_move_is_counted_once_whatever_comes_first(life: Life) -> None:
    """A gateway that was cut off sends the newest first, and then what it had kept."""
    life = [(1, "kitchen", 0), *life[:40]]
    assert learned(said(life, late=True)).encode() == learned(said(life, late=False)).encode()


@unhurried
@given(lives, st.sampled_from((2, 10, 30, 60)))
def test_in_however_long_steps_time_goes_long_silences_are_learned(life: Life, step_minutes: int) -> None:
    step_ms = step_minutes * MINUTE_MS
    fine, coarse = (silences(said(life, late=False, step_ms=step)) for step in (MINUTE_MS, step_ms))
    # Of each end of a silence it is known within a step when it was.
    sure = [one for one in fine if (one.length - 1) * UNIT_MS >= GAP_MS + 2 * step_ms]
    assert len(sure) <= len(coarse) <= len(fine)
    assert sum(one.length for one in coarse) <= sum(one.length for one in fine)
    assert all((one.length + 2) * UNIT_MS + 2 * step_ms >= GAP_MS for one in coarse)


@unhurried
@given(lives)
def test_all_that_was_raised_follows_a_question_and_is_taken_back_once_at_most(life: Life) -> None:
    alarms = heard(said(life, late=True))
    asked = {str(alarm.id) for alarm in alarms if alarm.kind == "inactivity_suspected"}
    rang = [alarm for alarm in alarms if alarm.kind == "inactivity"]
    assert all(alarm.evidence["follows"] in asked for alarm in rang)
    restored = [alarm.evidence["restores"] for alarm in alarms if alarm.kind == "withdrawn"]
    assert len(restored) == len(set(restored))
    assert len(ids(alarms)) == len(alarms)


@unhurried
@given(lives, st.sets(st.integers(0, 8_000), max_size=12), st.integers(0, 1))
def test_a_restart_at_any_point_changes_nothing(life: Life, restarts: set[int], stored: int) -> None:
    """Whether what was learned has been stored just before, or only on the day before."""
    told = said(life, late=True)
    partition, alarms = Partition(table=TABLE), []
    routines: dict[tuple[str, str], bytes] = {}
    for place, message in enumerate(told):
        alarms += partition.feed(message)
        watch = partition.watches["H1"]
        if stored or place % 1440 == 0:
            routines |= watch.learned(partition.now)
        if place in restarts:
            again = Watch.restore("H1", VERSION, watch.snapshot(), partition.now, routines, TABLE)
            partition = Partition(Time(*partition.time), {"H1": again}, TABLE)
    assert alarms == heard(told)


@unhurried
@given(lives, st.data())
def test_repeats_change_nothing(life: Life, data: st.DataObject) -> None:
    told = said(life, late=False)
    places = [place for place, message in enumerate(told) if not isinstance(message, (Tick, HomeSettings))]
    again = list(told)
    repeats = [
        (data.draw(st.integers(place + 1, len(told))), place)
        for place in data.draw(st.lists(st.sampled_from(places), max_size=5))
    ]
    for at, place in sorted(repeats, reverse=True):
        again.insert(at, told[place])
    assert heard(again) == heard(told)
