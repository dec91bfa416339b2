"""Who goes: whoever accepts is counted on, who was to come stands beside them, and nobody stands there twice."""

from dispatch import incident as core
from dispatch.incident import Helper
from tests.unit.test_incident import GOING, Timeline

BESIDE = Helper("C2", "王强", "neighbour")


def test_who_accepts_after_it_was_called_safe_and_rang_again_stands_there_once() -> None:
    t = Timeline()
    t.at(10, core.Due())
    assert t.at(20, core.Accept(GOING)) == "accepted"
    assert t.at(21, core.Accept(BESIDE)) == "accepted_second"
    t.at(100, core.Safe("李梅"))
    assert t.at(110, core.Raised("sos")) == "rang_again"
    assert t.at(120, core.Accept(BESIDE)) == "accepted"
    assert (t.incident.helper, t.incident.seconds) == (BESIDE, (GOING,))


def test_when_nobody_answers_an_operator_who_has_it_hears_of_it_again() -> None:
    t = Timeline()
    t.at(5, core.Answer("op", "陈"))
    t.at(20, core.NoContact("op", "陈"))
    steps = len(t.incident.policy.steps)
    now = 20.0
    while t.incident.step < steps - 1:
        now += 120
        assert not t.incident.ringing, "the others of the policy are asked first"
        t.at(now, core.Due())
    t.at(now + 120, core.Due())
    assert t.incident.ringing, "everybody has been asked"
    t.at(now + 130, core.Answer("op", "陈"))
    assert not t.incident.ringing


def test_where_nobody_can_be_asked_the_desk_rings_at_each_step() -> None:
    t = Timeline(people=())
    t.at(5, core.Answer("op", "陈"))
    t.at(20, core.NoContact("op", "陈"))
    assert not t.incident.ringing
    t.at(140, core.Due())
    assert t.incident.ringing
