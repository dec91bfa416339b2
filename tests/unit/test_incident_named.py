"""An incident without a home, which an operator names: what goes on, what is refused, and nobody is asked twice."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch import incident as core
from dispatch.desk import policies
from dispatch.incident import Decision, Helper, Incident, State
from dispatch.policy import Person

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ZHAO = Person("R1", "赵志愿", "responders", 1, "volunteer", "+8613800000201", "zh")
PEOPLE = {
    None: (),
    "H001": (Person("C1", "李梅", "contacts", 1, "family", "+8613800000101", "zh"), ZHAO),
    "H002": (Person("C2", "林海", "contacts", 1, "family", "+8613800000102", "zh"), ZHAO),
}
DANGER = policies()["danger"]


def named(home: str = "H001", elsewhere: int | None = None) -> core.Identify:
    return core.Identify("op", "陈", home, "陈秀英", DANGER, elsewhere)


class Call:
    """An incident of a caller whom nobody knows, to which things happen at seconds after noon."""

    def __init__(self) -> None:
        self.decision: Decision = core.open_incident(
            home=None, device="tel:+8613900000000", cause="sos", danger=True, test=False, policy=DANGER, press=None,
            t0=NOON, t1=NOON, people=(), now=NOON,
        )  # fmt: skip

    @property
    def incident(self) -> Incident:
        return self.decision.incident

    @property
    def asked(self) -> list[str]:
        return [ask.person.name for ask in self.decision.asks]

    def at(self, seconds: float, event: core.Event) -> str:
        home = event.home if isinstance(event, core.Identify) else self.incident.home
        self.decision = core.decide(self.incident, event, PEOPLE[home], NOON + timedelta(seconds=seconds))
        return self.decision.name


def test_named_while_the_desk_is_still_asked_it_goes_on_as_any_other() -> None:
    call = Call()
    call.at(0.1, core.Shown("console"))
    assert call.at(5, named()) == "identified"
    assert (call.incident.home, call.incident.named_by, call.incident.state) == ("H001", "陈", State.WAITING)
    assert call.incident.ringing, "naming is no answering"
    assert call.asked == [], "the desk has its time"
    assert call.incident.wake_at == NOON + timedelta(seconds=20)
    assert call.at(20, core.Due()) == "next_step"
    assert call.asked == ["李梅"]


def test_named_after_the_steps_ran_with_nobody_to_ask_the_first_contact_is_asked_at_once() -> None:
    call = Call()
    for seconds in (10, 130, 250):
        assert call.at(seconds, core.Due()) == "next_step"
        assert call.asked == []
    assert call.at(260, named()) == "identified"
    assert call.asked == ["李梅"]
    assert call.at(300, core.Due()) == "next_step"
    assert call.asked == ["赵志愿"], "and then the next, in their order"


def test_whoever_has_answered_and_named_it_sends_and_is_asked_about_as_ever() -> None:
    call = Call()
    call.at(200, core.Due())
    assert call.at(210, core.Assign("op", "陈", "C1")) == "unknown_person", "nobody knows whom to send"
    call.at(210, core.Answer("op", "陈"))
    promised = call.incident.wake_at
    assert call.at(220, named()) == "identified"
    assert (call.asked, call.incident.wake_at) == ([], promised), "the operator has it, and the promise runs on"
    assert call.at(230, core.NoContact("op", "陈")) == "no_contact_escalates"
    assert call.asked == ["李梅"]


def test_a_slip_is_put_right_while_nobody_goes_there() -> None:
    call = Call()
    call.at(10, core.Due())
    call.at(15, named("H002"))
    assert call.asked == ["林海"]
    assert call.at(16, named("H001")) == "identified"
    assert call.decision.stop_calling, "what still waits to be placed for the other home is withdrawn"
    assert call.asked == ["李梅", "赵志愿"], "under a number of its own, and at once"
    assert call.at(17, core.Accept(Helper("C1", "李梅", "family"))) == "accepted"
    assert call.at(18, named("H002")) == "already_accepted"
    assert call.decision.who == "李梅"


@pytest.mark.parametrize(
    ("event", "name", "who"),
    [
        (named("H001"), "already_named", "陈秀英"),
        (named("H002", elsewhere=7), "home_has_incident", "7"),
    ],
)
def test_what_cannot_be_named_is_refused_by_name(event: core.Identify, name: str, who: str) -> None:
    call = Call()
    call.at(5, named("H001"))
    before = call.incident
    assert call.at(6, event) == name
    assert (call.decision.refused, call.decision.who, call.incident) == (True, who, before)


def test_a_home_that_its_own_device_has_named_is_not_named_anew() -> None:
    opened = core.open_incident(
        home="H001", device="H001-button", cause="sos", danger=True, test=False, policy=DANGER, press=None, t0=NOON,
        t1=NOON, people=PEOPLE["H001"], now=NOON,
    )  # fmt: skip
    decision = core.decide(opened.incident, named("H002"), PEOPLE["H002"], NOON)
    assert (decision.refused, decision.name) == (True, "home_known")


def test_what_its_own_device_has_joined_is_not_named_anew() -> None:
    call = Call()
    call.at(5, named("H001"))
    call.at(6, core.Raised("sos", None, core.Caller("telephone", "+8613900000000")))
    assert call.at(7, named("H002")) == "identified", "the same caller says no more than before"
    call.at(8, core.Raised("sos", core.Press("H002-button", "e1"), own=True))
    assert call.at(9, named("H001")) == "home_known", "a press of that home would go along, and not be looked for there"


EVENTS: list[core.Event] = [
    core.Raised("sos", None, core.Caller("telephone", "+8613900000000")), core.Due(), core.Due(), core.Shown("c"),
    core.Raised("sos", own=True),
    core.Answer("op", "陈"), core.Contact("op", "陈"), core.NoContact("op", "陈"), core.Assign("op", "陈", "R1"),
    core.Decline("C1"), core.Decline("R1"), core.Accept(Helper("R1", "赵志愿", "volunteer")), core.Safe("陈"),
    named("H001"), named("H002"), named("H001"), core.Connected("陈"),
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.floats(0, 400)), max_size=40))
def test_however_it_is_named_it_wakes_and_asks_nobody_twice_in_one_step(
    history: list[tuple[core.Event, float]],
) -> None:
    call, seconds = Call(), 0.0
    sent: set[tuple[str, str, int]] = set()
    for event, later in history:
        seconds += later
        before = call.incident
        call.at(seconds, event)
        assert call.incident.wake_at is not None, "it is open, so it has a deadline"
        assert before.stamps.items() <= call.incident.stamps.items()
        if isinstance(event, core.Identify):
            assert call.incident.ringing == before.ringing
            assert call.incident.state == before.state
            assert call.decision.refused or call.incident.home == event.home
        for ask in call.decision.asks:
            assert ask.person in PEOPLE[call.incident.home], "only people of the home that it is of"
            for channel in ask.channels:
                key = (ask.person.id, channel, ask.step)
                assert key not in sent
                sent.add(key)
