"""Who goes: whoever accepts is counted on, who was to come stands beside them, and nobody stands there twice."""

from dispatch import incident as core
from dispatch.incident import Helper, State
from tests.unit.test_incident import GOING, LI, Timeline, arrived, close

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


def on_scene(*, asking_for_more: bool) -> Timeline:
    """李梅 is there, and 王强 comes to help her."""
    t = Timeline()
    t.at(5, core.Answer("op", "陈"))
    t.at(20, core.Accept(GOING))
    t.at(60, core.OnScene(GOING, "李梅"))
    if asking_for_more:
        assert t.at(70, core.MoreHelp("李梅")) == "more_help"
    t.at(80, core.Accept(BESIDE))
    assert (t.incident.seconds, t.incident.calling) == ((BESIDE,), False)
    return t


def test_more_help_that_cannot_come_after_all_is_looked_for_at_once() -> None:
    t = on_scene(asking_for_more=True)
    assert t.at(90, core.Resigned("C2")) == "resigned"
    assert t.decision.who == "王强"
    assert (t.incident.state, t.incident.helper, t.incident.seconds) == (State.ON_SCENE, arrived(GOING), ())
    assert t.asked, "the next, and not five minutes later"
    assert t.incident.ringing


def test_who_came_along_and_cannot_is_forgotten_and_rings_nobody() -> None:
    t = on_scene(asking_for_more=False)
    assert t.at(90, core.Resigned("C2")) == "resigned_second"
    assert (t.asked, t.incident.ringing, t.incident.seconds) == ([], False, ())


def test_more_help_that_came_and_left_is_no_more_asked_for() -> None:
    t = on_scene(asking_for_more=True)
    t.at(90, core.OnScene(BESIDE, "王强"))
    assert t.at(100, core.Resigned("C2")) == "resigned_second"
    assert t.asked == []


def test_who_said_that_they_are_there_and_cannot_is_replaced_at_once() -> None:
    t = Timeline()
    t.at(5, core.Answer("op", "陈"))
    t.at(20, core.Accept(GOING))
    t.at(60, core.OnScene(GOING, "李梅"))
    assert t.at(65, core.Resigned("C1")) == "resigned"
    assert (t.incident.state, t.incident.helper, t.incident.ringing) == (State.ANSWERED, None, True)
    assert t.asked, "nobody waits half an hour for a word that it is safe"


def test_who_stands_there_from_before_it_was_called_safe_and_cannot_is_counted_on_no_more() -> None:
    t = Timeline()
    t.at(10, core.Due())
    t.at(20, core.Accept(GOING))
    t.at(100, core.Safe("李梅"))
    t.at(110, core.Raised("sos"))
    assert t.at(115, core.Resigned("C1")) == "resigned_second"
    assert (t.incident.state, t.incident.helper, t.incident.calling) == (State.WAITING, None, True)


def test_who_is_called_to_where_an_ambulance_came_first_is_told_of_changes() -> None:
    t = Timeline()
    t.at(5, core.Answer("op", "陈"))
    t.at(60, core.OnScene(None, "陈"))
    t.at(70, core.MoreHelp("陈"))
    t.at(80, core.Accept(BESIDE))
    assert (t.incident.helper, t.incident.seconds) == (None, (BESIDE,))
    t.at(90, core.Changed("陈", "she is on the stairs"))
    assert t.decision.tell is not None
    t.at(95, core.Raised("smoke"))
    assert t.decision.tell is not None


def test_who_has_just_said_no_is_not_called_again_at_once_when_nobody_else_is_left() -> None:
    t = Timeline(people=(LI,))
    t.at(10, core.Due())
    assert t.asked == ["李梅"]
    assert t.at(20, core.Decline("C1")) == "declined_by_all"
    assert (t.asked, t.wakes_after) == ([], 50)
    assert t.incident.ringing, "the desk knows that nobody comes"
    assert t.at(50, core.Due()) == "next_step"
    assert t.asked == ["李梅"]


def test_that_it_is_safe_is_no_way_round_saying_what_is_known() -> None:
    t = Timeline()
    t.at(5, core.NoContact("op", "陈"))
    t.at(10, core.Safe("陈"))
    assert t.at(11, close()) == "no_contact_needs_reason"
    assert t.at(12, close(positive="seen_well")) == "closed"
