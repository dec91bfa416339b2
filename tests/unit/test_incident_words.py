"""What somebody's word is worth: minutes, *all is well*, and an operator's answer, each no more than they can know."""

from datetime import datetime, timedelta

import msgspec
import pytest

from dispatch import incident as core
from dispatch.incident import Helper, Press, State
from tests.unit.test_incident import GOING, NOON, Timeline, arrived

BESIDE = Helper("C2", "王强", "neighbour")


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def due(helper: Helper, minutes: float) -> Helper:
    return msgspec.structs.replace(helper, eta=at(minutes))


def moving() -> Timeline:
    """李梅 has set out and will be there in ten minutes; 王强 comes, too."""
    t = Timeline()
    t.at(20, core.Accept(GOING))
    t.at(30, core.Moving(due(GOING, 10)))
    assert t.at(40, core.Accept(BESIDE)) == "accepted_second"
    return t


def pressed(t: Timeline, seconds: float) -> None:
    assert t.at(seconds, core.Raised("sos", Press("H001-button", f"e{seconds}"), own=True)) == "rang_again"
    assert t.at(seconds + 21, core.Due()) == "next_step"


def test_minutes_are_no_answer_to_a_press_that_came_since() -> None:
    t = moving()
    pressed(t, 60)
    before = t.incident
    assert t.at(90, core.Moving(due(GOING, 15))) == "minutes"
    assert (t.incident.ringing, t.incident.calling, t.incident.wake_at) == (True, True, before.wake_at)
    assert t.incident.awaited == before.awaited != ()
    assert not t.decision.stop_calling
    assert t.incident.helper == due(GOING, 15)
    assert t.decision.stage is not None
    assert t.decision.stage.eta == at(15)


@pytest.mark.parametrize(
    "heard",
    [
        core.Answer("op", "陈"), core.NoContact("op", "陈"), core.Accept(GOING), core.OnScene(GOING, "李梅"),
        core.Proven(GOING, "code"),
    ],
    ids=core.tag,
)  # fmt: skip
def test_after_somebody_has_answered_it_minutes_are_what_they_were(heard: core.Event) -> None:
    t = moving()
    pressed(t, 60)
    t.at(90, heard)
    assert not t.incident.unheard
    if t.incident.state is State.MOVING:
        assert t.at(100, core.Moving(due(GOING, 15))) == "moving"


def test_what_rings_because_nobody_came_falls_silent_when_they_say_how_long_they_need() -> None:
    t = moving()
    assert t.at(15 * 60 + 1, core.Due()) == "stalled"
    assert t.at(16 * 60, core.Moving(due(GOING, 20))) == "moving"
    assert (t.incident.ringing, t.incident.calling) == (False, False)


@pytest.mark.parametrize("minutes", [10, 25])
def test_who_comes_later_says_how_long_they_need_and_takes_nobodys_place(minutes: int) -> None:
    t = moving()
    wakes = t.incident.wake_at
    assert t.at(50, core.Moving(due(BESIDE, minutes))) == "minutes_second"
    assert (t.incident.helper, t.incident.seconds) == (due(GOING, 10), (due(BESIDE, minutes),))
    assert (t.incident.wake_at, t.decision.stage) == (wakes, None)


def test_who_is_there_sooner_is_counted_on() -> None:
    t = moving()
    assert t.at(50, core.Moving(due(BESIDE, 5))) == "moving"
    assert (t.incident.helper, t.incident.seconds) == (due(BESIDE, 5), (due(GOING, 10),))


def test_whoever_follows_says_how_long_they_need_while_another_is_there() -> None:
    t = moving()
    t.at(300, core.OnScene(GOING, "李梅"))
    assert t.at(310, core.Moving(due(BESIDE, 12))) == "minutes_second"
    assert t.incident.seconds == (due(BESIDE, 12),)
    assert t.at(320, core.Moving(due(GOING, 12))) == "already_on_scene"
    assert t.at(330, core.Moving(Helper("C9", "谁", "family"))) == "already_on_scene"
    t.at(400, core.OnScene(BESIDE, "王强"))
    assert t.at(410, core.Moving(due(BESIDE, 20))) == "already_on_scene"


def test_an_operator_who_looks_gives_a_helper_no_more_time() -> None:
    t = moving()
    wakes = t.incident.wake_at
    assert t.at(200, core.Answer("op", "陈")) == "answered"
    assert t.incident.wake_at == wakes
    t = Timeline()
    t.at(20, core.Accept(GOING))
    t.at(200, core.Answer("op", "陈"))
    assert t.incident.wake_at == NOON + timedelta(seconds=320), "300 s from their word, and not from the operator's"
    t.at(210, core.Contact("op", "陈"))
    assert t.incident.wake_at == NOON + timedelta(seconds=320)


def test_only_who_is_there_can_say_that_all_is_well() -> None:
    t = moving()
    assert t.at(100, core.Safe("李梅", "C1")) == "not_there"
    t.at(300, core.OnScene(GOING, "李梅"))
    assert t.at(310, core.Safe("王强", "C2")) == "not_there", "on the road"
    assert t.incident.state is State.ON_SCENE
    t.at(320, core.OnScene(BESIDE, "王强"))
    assert t.at(330, core.Safe("王强", "C2")) == "safe"


def test_of_a_press_that_they_have_not_seen_nobody_says_that_all_is_well() -> None:
    t = moving()
    t.at(300, core.OnScene(GOING, "李梅"))
    t.at(301, core.Proven(GOING, "code"))
    t.at(500, core.Raised("sos", Press("H001-button", "e9"), own=True))
    assert t.at(501, core.Safe("李梅", "C1", raised=1)) == "pressed_again"
    assert t.incident.ringing
    assert t.at(510, core.Safe("李梅", "C1", raised=2)) == "safe"


def test_who_was_there_before_it_rang_again_is_not_there_now() -> None:
    t = moving()
    t.at(300, core.OnScene(GOING, "李梅"))
    t.at(310, core.Safe("李梅", "C1"))
    pressed(t, 600)
    assert t.at(700, core.Safe("李梅", "C1")) == "not_there"


def test_of_an_incident_of_before_who_is_there_was_kept_who_is_counted_on_there_can_say_so() -> None:
    t = moving()
    t.at(300, core.OnScene(GOING, "李梅"))
    kept = msgspec.to_builtins(t.incident)
    del kept["helper"]["there"]
    t.decision = msgspec.structs.replace(t.decision, incident=msgspec.convert(kept, core.Incident))
    assert t.at(310, core.Safe("王强", "C2")) == "not_there", "on the road"
    assert t.at(320, core.Safe("李梅", "C1")) == "safe"


def test_who_is_there_by_the_operators_word_can_say_that_all_is_well() -> None:
    t = moving()
    assert t.at(300, core.OnScene(None, "陈")) == "on_scene"
    assert t.at(310, core.Safe("李梅", "C1")) == "safe"


@pytest.mark.parametrize("how", ["says", "shows"])
def test_who_is_left_there_is_there_when_the_first_goes_home(how: str) -> None:
    t = moving()
    t.at(300, core.OnScene(GOING, "李梅"))
    t.at(310, core.OnScene(BESIDE, "王强") if how == "says" else core.Accept(BESIDE))
    t.at(320, core.Proven(BESIDE, "code"))
    assert t.at(330, core.Resigned("C1")) == "resigned_next_goes"
    assert (t.incident.state, t.incident.helper) == (State.ON_SCENE, arrived(BESIDE))
