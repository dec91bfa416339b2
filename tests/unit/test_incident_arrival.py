"""Whoever goes: how their arrival is shown, what changes meanwhile, and what follows when they cannot come."""

from datetime import timedelta

import msgspec
import pytest

from dispatch import following
from dispatch import incident as core
from dispatch.incident import Helper, Press, State
from dispatch.policy import Person, asked
from tests.unit.test_incident import GOING, LI, NOON, PEOPLE, WANG, ZHAO, Timeline, arrived, opened

BESIDE = Helper("C2", "王强", "neighbour")


def press(seconds_id: str = "e9", own: bool = True, kind: str = "sos") -> core.Raised:
    return core.Raised(kind, Press("H001-button", seconds_id), own=own)


def there() -> Timeline:
    """李梅 says at 100 s that she is there."""
    t = Timeline()
    t.at(20, core.Answer("op", "陈"))
    t.at(30, core.Accept(GOING))
    assert t.at(100, core.OnScene(GOING, "李梅")) == "on_scene"
    assert t.incident.reported == ("t7",)
    return t


@pytest.mark.parametrize(
    ("seconds", "event", "name"),
    [
        (101, press(), "arrival_proven"),
        (220, press(), "arrival_proven"),
        (221, press(), "rang_again"),
        (101, press(own=False), "rang_again"),
        (101, press(kind="fall"), "rang_again"),
        (101, core.Raised("sos", own=True), "rang_again"),
    ],
)
def test_only_a_press_of_the_homes_own_button_right_after_shows_who_is_there(
    seconds: float, event: core.Raised, name: str
) -> None:
    t = there()
    raised, version = t.incident.raised, t.incident.raised_version
    assert t.at(seconds, event) == name
    if name == "arrival_proven":
        assert (t.incident.reported, t.incident.proof) == ((), "press")
        assert t.incident.stamps["t7"] == NOON + timedelta(seconds=100), "the stamp is when they came"
        assert (t.incident.ringing, t.incident.raised, t.incident.raised_version) == (False, raised, version)
        assert t.incident.presses[-1] == Press("H001-button", "e9"), "it shows as a press, and is told its stages"
        assert t.at(seconds + 1, press("e10")) == "rang_again", "the next one rings: one was asked for"
    assert t.incident.ringing


def test_who_says_so_again_has_two_minutes_again() -> None:
    t = there()
    assert t.at(300, core.OnScene(GOING, "李梅")) == "there_again"
    assert t.at(400, press()) == "arrival_proven"
    assert t.at(401, core.OnScene(GOING, "李梅")) == "already_on_scene"


def test_a_code_shows_it_also_of_somebody_who_has_said_nothing() -> None:
    t = Timeline()
    assert t.at(50, core.Proven(GOING, "code")) == "on_scene"
    assert (t.incident.reported, t.incident.proof, t.incident.state) == ((), "code", State.ON_SCENE)
    assert t.at(51, core.Proven(GOING, "location")) == "recorded"


def test_another_who_arrives_stands_beside_the_first() -> None:
    t = there()
    assert t.at(150, core.OnScene(BESIDE, "王强")) == "there_too"
    assert t.incident.helper == arrived(GOING)
    assert t.incident.seconds == (arrived(BESIDE),)
    assert t.at(260, press()) == "arrival_proven"


@pytest.mark.parametrize(
    "event", [core.OnScene(BESIDE, "王强"), core.Proven(BESIDE, "code"), core.Moving(BESIDE)], ids=core.tag
)
def test_who_is_faster_than_the_first_takes_their_place_and_nobody_is_forgotten(event: core.Event) -> None:
    t = Timeline()
    t.at(30, core.Accept(GOING))
    t.at(31, core.Moving(GOING))
    assert t.at(32, core.Accept(BESIDE)) == "accepted_second"
    t.at(60, event)
    assert t.incident.helper is not None
    assert (t.incident.helper.id, t.incident.seconds) == (BESIDE.id, (GOING,))
    assert t.at(61, core.OnScene(None, "陈")) in ("on_scene", "already_on_scene", "there_again")
    assert t.incident.helper is not None
    assert (t.incident.helper.id, t.incident.seconds) == (BESIDE.id, (GOING,)), "and nobody is there twice"


def test_a_helper_who_cannot_come_after_all_is_replaced_at_once() -> None:
    t = Timeline()
    t.at(10, core.Due())
    t.at(20, core.Accept(GOING))
    assert t.at(60, core.Resigned("C1", "the car will not start")) == "resigned"
    assert t.asked == ["王强"]
    assert (t.incident.state, t.incident.helper, t.incident.ringing) == (State.WAITING, None, True)
    assert t.at(61, core.Resigned("C1")) == "recorded"


def test_whoever_goes_beside_takes_the_place_of_who_cannot() -> None:
    t = Timeline()
    t.at(20, core.Accept(GOING))
    t.at(30, core.Accept(BESIDE))
    assert t.at(60, core.Resigned("C1")) == "resigned_next_goes"
    assert (t.incident.helper, t.incident.seconds, t.asked) == (BESIDE, (), [])
    assert t.decision.stage == core.Stage("accepted", "王强")
    assert t.incident.wake_at is not None
    assert t.at(70, core.Resigned("C1")) == "recorded"
    assert t.at(80, core.Resigned("C2")) == "resigned"


def test_more_help_asks_the_next_and_rings_the_desk_and_is_no_second_round() -> None:
    t = there()
    assert t.at(120, core.MoreHelp("李梅")) == "more_help"
    assert t.asked == ["李梅"]  # the first step that calls anybody: the desk had answered
    assert t.incident.ringing
    assert t.at(121, core.MoreHelp("李梅")) == "more_help"
    assert t.asked == []
    assert t.at(125, core.Accept(BESIDE)) == "accepted_second"


def test_every_change_is_told_to_whoever_goes_and_is_confirmed() -> None:
    t = Timeline()
    assert t.at(5, core.Changed("陈", "she has asthma")) == "changed"
    assert t.decision.tell is None, "nobody goes yet: whoever will reads it first"
    t.at(10, core.Answer("op", "陈"))
    t.at(20, core.Accept(GOING))
    assert t.at(30, core.Changed("陈", "she is on the stairs")) == "changed"
    assert t.decision.tell is not None
    assert (t.decision.tell.number, t.decision.tell.text) == (2, "she is on the stairs")
    assert t.at(40, core.NoContact("op", "陈")) == "no_contact"
    assert t.decision.tell is not None
    assert t.decision.tell.kind == "no_contact"
    assert t.at(41, core.NoContact("op", "陈")) == "no_contact"
    assert t.decision.tell is None, "no news"
    t.at(50, core.Raised("smoke"))
    assert (t.decision.tell.kind, t.decision.tell.text) == ("alarm", "smoke")
    t.at(51, core.Raised("sos", Press("H001-button", "e2")))
    assert t.decision.tell is None, "the same again is a press, and rings"
    assert t.at(60, core.Confirmed("C1", 3)) == "confirmed"
    assert [change.confirmed for change in t.incident.changes] == [("C1",), ("C1",), ("C1",), ()]
    assert t.at(61, core.Confirmed("C1", 3)) == "recorded"


def test_where_no_console_is_live_nobody_waits_for_the_desk() -> None:
    incident = opened().incident
    decision = core.open_incident(
        home="H001", device="H001-button", cause="sos", danger=True, test=False, policy=incident.policy,
        press=None, t0=NOON, t1=NOON, people=PEOPLE, now=NOON, manned=False,
    )  # fmt: skip
    assert decision.name == "opened_desk_empty"
    assert [ask.person for ask in decision.asks] == [LI]
    assert decision.incident.ringing
    t = Timeline()
    t.at(5, core.Answer("op", "陈"))
    t.at(100, msgspec.structs.replace(press(), manned=False))
    assert t.wakes_after == 100, "who had it has left: the next are asked at once"


def test_a_step_in_turn_asks_one_after_the_other_each_with_its_wait() -> None:
    t = Timeline()
    steps = (
        msgspec.structs.replace(t.incident.policy.step(5), many=1, wait_seconds=30),
        t.incident.policy.step(5),
    )
    policy = msgspec.structs.replace(t.incident.policy, steps=steps)
    t.decision = core.open_incident(
        home="H001", device=None, cause="sos", danger=True, test=False, policy=policy, press=None,
        t0=NOON, t1=NOON, people=PEOPLE, now=NOON,
    )  # fmt: skip
    assert (t.asked, t.incident.step, t.wakes_after) == (["李梅"], 0, 30)
    t.at(10, core.Decline("C1"))
    assert (t.asked, t.incident.step, t.wakes_after) == (["王强"], 0, 40)
    t.at(40, core.Due())
    assert (t.asked, t.incident.step, t.wakes_after) == (["赵志愿"], 0, 70)
    t.at(70, core.Due())
    assert (t.asked, t.incident.step) == (["李梅", "王强", "赵志愿"], 1)


def test_who_is_asked_by_role_and_whose_quiet_hour_it_is() -> None:
    policy = opened().incident.policy
    step = msgspec.structs.replace(policy.step(5), roles=("neighbour", "volunteer"))
    by_role = msgspec.structs.replace(policy, steps=(step,))
    asleep = msgspec.structs.replace(WANG, quiet=True)
    everybody = (LI, asleep, ZHAO)
    assert asked(by_role, 0, everybody, danger=True).persons == (asleep, ZHAO), "a call for help wakes people"
    heeding = msgspec.structs.replace(by_role, heeds_quiet=True)
    assert asked(heeding, 0, everybody, danger=False).persons == (ZHAO,)


def test_who_is_reached_by_none_of_a_steps_channels_keeps_nobody_waiting() -> None:
    policy = opened().incident.policy
    step = msgspec.structs.replace(policy.step(5), channels=("apprise",))
    notified = msgspec.structs.replace(policy, steps=(step, policy.step(5)))
    reads = msgspec.structs.replace(WANG, notify="bark://127.0.0.1/x")
    assert asked(notified, 0, (LI, WANG, ZHAO), danger=True).persons == ()
    assert asked(notified, 0, (LI, reads, ZHAO), danger=True).persons == (reads,)
    t = Timeline((LI, WANG, ZHAO))
    stepped = msgspec.structs.replace(t.incident, policy=notified, step=0)
    decision = core.decide(stepped, core.MoreHelp("李梅"), t.people, NOON)
    assert (decision.incident.step, len(decision.asks)) == (1, 3)


def test_whom_an_operator_sends_is_told_by_a_channel_that_reaches_them() -> None:
    policy = opened().incident.policy
    notices = msgspec.structs.replace(policy.step(5), channels=("apprise",))
    t = Timeline()
    stepped = msgspec.structs.replace(
        t.incident, policy=msgspec.structs.replace(policy, steps=(policy.step(0), notices))
    )
    (ask,) = core.decide(stepped, core.Assign("op", "陈", LI.id), (LI,), NOON).asks
    assert any(LI.address(channel) for channel in ask.channels)
    reads = msgspec.structs.replace(LI, notify="bark://127.0.0.1/x")
    (ask,) = core.decide(stepped, core.Assign("op", "陈", LI.id), (reads,), NOON).asks
    assert ask.channels == ("apprise",), "by the policy's own where they do"


def test_a_last_step_that_fits_nobody_asks_everybody_of_a_danger() -> None:
    policy = opened().incident.policy
    narrow = msgspec.structs.replace(policy.step(5), who="responders", roles=("station",), channels=("apprise",))
    book = msgspec.structs.replace(policy, steps=(narrow,))
    passed = msgspec.structs.replace(ZHAO, passed="off_rota")
    tier = asked(book, 7, (LI, WANG, passed), danger=True)
    assert (tier.persons, set(tier.channels)) == ((LI, WANG), {"twilio_voice", "twilio_sms", "apprise"})
    assert asked(book, 7, (LI, WANG), danger=False).persons == (), "a flat battery wakes nobody"
    early = msgspec.structs.replace(policy, steps=(narrow, policy.step(5)))
    assert asked(early, 0, (LI, WANG), danger=True).persons == (), "the next step asks"


def test_a_stranger_with_somebodys_number_is_asked_and_told_of_nobody() -> None:
    stranger = msgspec.structs.replace(LI, stranger=True)
    t = Timeline((stranger, WANG))
    t.at(10, core.Due())
    home = {"person": "陈秀英", "address": "幸福路1号", "phone": "+86750", "way_in": "门卫有钥匙"}
    for row in following.asks(t.decision, home, NOON):
        assert row.recipient == "C1", "tried all the same: whoever said so may have pressed the wrong key"
        assert not {"陈秀英", "幸福路1号", "+86750", "门卫有钥匙"} & {*map(str, row.body.values())}
        assert row.body["shared"] is False, "and no page says more"
    t.at(50, core.Due())
    assert {row.body["person"] for row in following.asks(t.decision, home, NOON)} == {"陈秀英"}


def test_what_reaches_whom() -> None:
    person = Person("C9", "x", "contacts", 1, "family", "+8613800000109", "zh", notify="ntfy://127.0.0.1/x")
    assert person.address("apprise") == "ntfy://127.0.0.1/x"
    assert person.address("twilio_sms") == "+8613800000109"
    assert LI.address("apprise") == ""
