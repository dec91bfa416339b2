"""A test's incident: soft, silent, and over when it is seen. And when a device reminds of one."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_sim.wire.reminder import Reminder, reminder_of
from dispatch import incident as core
from dispatch.desk import policies
from dispatch.incident import Decision, Incident, Press, State
from dispatch.policy import Person

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PEOPLE = (
    Person("C1", "李梅", "contacts", 1, "family", "+8613800000101", "zh"),
    Person("R1", "赵志愿", "responders", 1, "volunteer", "+8613800000201", "zh"),
)


def a_test() -> Incident:
    return core.open_incident(
        home="H001",
        device="H001-button",
        cause="sos",
        danger=True,
        test=True,
        policy=policies()["test"],
        press=Press("H001-button", "e1"),
        t0=NOON,
        t1=NOON,
        people=PEOPLE,
        now=NOON,
    ).incident


def after(incident: Incident, seconds: float, event: core.Event) -> Decision:
    return core.decide(incident, event, PEOPLE, NOON + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("event", "stamp", "by"), [(core.Shown("console-1"), "t2", ""), (core.Answer("op", "陈"), "t3", "陈")]
)
def test_it_is_over_when_a_screen_has_drawn_it_or_somebody_has_taken_it(event: core.Event, stamp: str, by: str) -> None:
    decision = after(a_test(), 2, event)
    closed = decision.incident
    assert (decision.name, closed.state, closed.wake_at) == ("test_passed", State.CLOSED, None)
    assert closed.stamps[stamp] == closed.stamps["t9"] == NOON + timedelta(seconds=2)
    assert set(closed.stamps) | set(closed.absent) == set(core.STAMPS)
    assert closed.closing is not None
    assert (closed.closing.cause, closed.closing.outcome, closed.closing.name) == ("test", "test_confirmed", by)
    assert decision.stage == core.Stage("closed"), "the button shows that it is over"


def test_until_somebody_sees_it_it_stays_and_asks_nobody() -> None:
    incident = a_test()
    for _ in range(5):
        assert incident.wake_at is not None
        decision = core.decide(incident, core.Due(), PEOPLE, incident.wake_at)
        assert decision.asks == ()
        incident = decision.incident
        assert incident.ringing
    assert after(incident, 90_000, core.Shown("console-1")).name == "test_passed"


def test_another_press_of_the_test_changes_nothing_of_that() -> None:
    again = after(a_test(), 1, core.Raised("sos", Press("H001-button", "e2"))).incident
    assert after(again, 2, core.Shown("console-1")).name == "test_passed"


def test_a_danger_is_closed_by_no_screen() -> None:
    real = msgspec.structs.replace(a_test(), test=False, policy=policies()["danger"])
    assert after(real, 2, core.Shown("console-1")).incident.state is State.WAITING
    assert after(real, 2, core.Answer("op", "陈")).incident.state is State.ANSWERED


@given(
    st.integers(1, 7),
    st.integers(0, 23),
    st.integers(-720, 840),
    st.integers(0, 4 * 366 * 86_400),
)
def test_a_reminder_comes_once_a_week_at_its_hour(weekday: int, hour: int, offset: int, seconds: int) -> None:
    reminder, at = Reminder(weekday, hour, offset), NOON + timedelta(seconds=seconds)
    first = reminder.next_after(at)
    assert timedelta() < first - at <= timedelta(days=7)
    here = first.astimezone(UTC) + timedelta(minutes=offset)
    assert (here.isoweekday(), here.hour, here.minute) == (weekday, hour, 0)
    assert reminder.next_after(first) - first == timedelta(days=7)


@pytest.mark.parametrize(
    "given",
    [None, "weekly", {}, {"weekday": 0, "hour": 1, "utc_offset_minutes": 0}, {"weekday": 1, "hour": 1},
     {"weekday": 1, "hour": 24, "utc_offset_minutes": 0}, {"weekday": True, "hour": 1, "utc_offset_minutes": 0},
     {"weekday": 1, "hour": 1, "utc_offset_minutes": 100_000}],
)  # fmt: skip
def test_what_is_no_reminder_is_none(given: object) -> None:
    assert reminder_of(given) is None
