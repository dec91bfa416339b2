"""The incident core: its table is whole, its timelines read as they should, and no history breaks its promises."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch import incident as core
from dispatch.desk import policies
from dispatch.incident import Decision, Helper, Incident, Press, State
from dispatch.policy import Person

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LI = Person("C1", "李梅", "contacts", 1, "family", "+8613800000101", "zh")
WANG = Person("C2", "王强", "contacts", 2, "neighbour", "+8613800000102", "zh")
ZHAO = Person("R1", "赵志愿", "responders", 1, "volunteer", "+8613800000201", "zh")
PEOPLE = (LI, WANG, ZHAO)
GOING = Helper("C1", "李梅", "family")


def opened(people: tuple[Person, ...] = PEOPLE, policy: str = "danger") -> Decision:
    return core.open_incident(
        home="H001",
        device="H001-button",
        cause="sos",
        danger=True,
        test=False,
        policy=policies()[policy],
        press=Press("H001-button", "e1"),
        t0=NOON,
        t1=NOON,
        people=people,
        now=NOON,
    )


def arrived(helper: Helper) -> Helper:
    return msgspec.structs.replace(helper, there=True)


class Timeline:
    """An incident to which things happen at seconds after noon."""

    def __init__(self, people: tuple[Person, ...] = PEOPLE) -> None:
        self.people = people
        self.decision = opened(people)

    @property
    def incident(self) -> Incident:
        return self.decision.incident

    @property
    def wakes_after(self) -> float | None:
        return (self.incident.wake_at - NOON).total_seconds() if self.incident.wake_at else None

    @property
    def asked(self) -> list[str]:
        return [ask.person.name for ask in self.decision.asks]

    def at(self, seconds: float, event: core.Event) -> str:
        self.decision = core.decide(self.incident, event, self.people, NOON + timedelta(seconds=seconds))
        return self.decision.name


def close(as_of: int = 99, **more: str) -> core.Close:
    return core.Close("op", "陈", **{"cause": "sos", "outcome": "resolved_by_voice", **more}, as_of=as_of)


EVENTS: list[core.Event] = [
    core.Raised("sos", Press("H001-button", "e2")),
    core.ResidentAnswered("ok"),
    core.ResidentAsked(2, NOON, NOON + timedelta(minutes=5)),
    core.Withdrawn("fall", "got_up"),
    core.Restored("mains_restored"),
    core.Restored("mains_restored", left=0, back=1),
    core.Joined("heartbeat_lost", 3, 8, "44"),
    core.Due(),
    core.Shown("console-1"),
    core.Answer("op", "陈"),
    core.Contact("op", "陈"),
    core.NoContact("op", "陈"),
    core.Assign("op", "陈", "C2"),
    core.Accept(GOING),
    core.Decline("C1"),
    core.Unreached("C1", "busy"),
    core.Moving(GOING),
    core.OnScene(GOING, "陈"),
    core.Safe("陈"),
    close(reason="checked by a neighbour"),
    core.Note("陈", "she sounds well"),
    core.Identify("op", "陈", "H002", "林伯", policies()["danger"]),
    core.Connected("李梅"),
    core.Proven(GOING, "code"),
    core.Resigned("C1", "fell ill"),
    core.MoreHelp("李梅"),
    core.Changed("陈", "she is on the stairs"),
    core.Confirmed("C1", 1),
    core.Bridged("joined", core.HOME),
    core.Handed("issued", "陈", "ward 3"),
]


def test_every_pair_of_state_and_event_is_decided_and_no_rule_is_idle() -> None:
    rows = {core.tag(event) for event in EVENTS}
    pairs = {(event, state) for event in rows for state in State}
    assert set(core._table()) == pairs
    assert set(core._table().values()) == set(core.RULES)


def test_nobody_answers_and_the_last_step_repeats() -> None:
    t = Timeline()
    assert (t.asked, t.wakes_after) == ([], 10), "a screen that confirms nothing is taken for an empty desk"
    assert t.at(10, core.Due()) == "next_step"
    assert (t.asked, t.wakes_after) == (["李梅"], 50)
    assert t.at(50, core.Due()) == "next_step"
    assert t.asked == ["王强"]
    assert t.at(90, core.Due()) == "next_step"
    assert t.asked == ["赵志愿"], "a step that has nobody to ask is passed over"
    assert t.at(150, core.Due()) == "next_step"
    assert t.asked == ["李梅", "王强", "赵志愿"]
    step = t.incident.step
    assert t.at(270, core.Due()) == "next_step"
    assert t.asked == ["李梅", "王强", "赵志愿"], "the last step repeats"
    assert t.incident.step == step + 1, "each time is a step of its own, so that each asks once"
    assert t.incident.ringing


def test_a_timer_that_comes_early_does_nothing() -> None:
    t = Timeline()
    assert t.at(9.999, core.Due()) == "not_due"
    assert t.decision.refused
    assert t.incident.version == 1


def test_a_clock_that_was_put_back_while_nothing_ran_wakes_early_rather_than_an_hour_late() -> None:
    t = Timeline()
    assert t.at(-3600, core.Due()) == "next_step"
    assert t.asked == ["李梅"]
    assert t.at(-3599, core.Due()) == "not_due", "once, and then as ever"


def test_a_screen_that_has_drawn_it_gets_the_desk_its_time() -> None:
    t = Timeline()
    assert t.at(0.1, core.Shown("console")) == "shown"
    assert t.wakes_after == 20
    assert t.at(0.2, core.Shown("other")) == "already_shown"


def test_the_desk_resolves_it_by_voice() -> None:
    t = Timeline()
    t.at(0.1, core.Shown("console"))
    assert t.at(5, core.Answer("op", "陈")) == "answered"
    assert t.decision.stage == core.Stage("accepted", "陈")
    assert t.decision.stop_calling
    assert not t.incident.ringing
    assert t.at(6, core.Answer("op2", "林")) == "already_answered"
    assert t.decision.who == "陈"
    assert t.at(20, core.Contact("op", "陈")) == "contact_made"
    assert t.at(60, close()) == "closed"
    assert t.decision.stage == core.Stage("closed", "陈")
    assert set(t.incident.stamps) == {"t0", "t1", "t2", "t3", "t4", "t9"}
    assert t.incident.absent == {
        "t5": "nobody_was_sent",
        "t6": "nobody_was_sent",
        "t7": "nobody_was_sent",
        "t8": "closed_without_word_of_safety",
    }


def test_a_contact_accepts_goes_arrives_and_makes_safe() -> None:
    t = Timeline()
    t.at(10, core.Due())
    assert t.at(30, core.Accept(GOING)) == "accepted"
    assert t.decision.stage == core.Stage("accepted", "李梅")
    assert t.at(31, core.Accept(Helper("C2", "王强", "neighbour"))) == "accepted_second"
    assert t.decision.who == "李梅"
    eta = NOON + timedelta(minutes=10)
    assert t.at(40, core.Moving(Helper("C1", "李梅", "family", eta))) == "moving"
    assert t.decision.stage == core.Stage("on_the_way", "李梅", eta)
    assert t.wakes_after == 600 + 300, "doubted a while after the promised time"
    assert t.at(500, core.OnScene(GOING, "陈")) == "on_scene"
    assert t.incident.reported == ("t7",), "an arrival that rests on somebody's word says so"
    assert t.at(700, core.Safe("陈")) == "safe"
    assert t.at(800, close(outcome="family_attended")) == "closed"
    assert t.incident.absent == {
        "t2": "no_screen_confirmed",
        "t3": "helper_answered_first",
        "t4": "no_voice_contact_recorded",
    }


@pytest.mark.parametrize(
    ("so_far", "silent_at"),
    [
        pytest.param([(5, core.Answer("op", "陈"))], 125, id="answered and then nothing"),
        pytest.param([(5, core.Answer("op", "陈")), (9, core.Contact("op", "陈"))], 609, id="spoke and then nothing"),
        pytest.param([(5, core.Accept(GOING))], 305, id="accepted and never left"),
        pytest.param([(5, core.Moving(GOING))], 1805, id="left and never arrived"),
        pytest.param([(5, core.OnScene(GOING, "陈"))], 1805, id="arrived and no word"),
    ],
)
def test_a_promise_that_is_not_kept_rings_again_and_asks_the_next(
    so_far: list[tuple[float, core.Event]], silent_at: float
) -> None:
    t = Timeline()
    for seconds, event in so_far:
        t.at(seconds, event)
    assert t.wakes_after == silent_at
    assert t.at(silent_at, core.Due()) == "stalled"
    assert t.asked
    assert t.incident.ringing


def test_macauley_silence_on_the_line_escalates_by_itself_and_closing_needs_a_reason() -> None:
    t = Timeline()
    t.at(5, core.Answer("op", "陈"))
    assert t.at(30, core.NoContact("op", "陈")) == "no_contact_escalates"
    assert t.asked == ["李梅"], "at once, not at the next deadline"
    assert t.at(40, close()) == "no_contact_needs_reason"
    assert t.decision.refused
    assert t.at(70, core.Due()) == "next_step"
    assert t.asked == ["王强"]
    assert t.at(71, close(reason="nuisance")) == "no_contact_needs_reason", "what one thinks of it is no reason"
    assert t.at(71, close(positive="nuisance")) == "unknown_reason"
    assert t.at(71, close(positive="seen_well", reason="the neighbour sees her in the garden")) == "closed"


def test_contact_that_is_lost_again_asks_the_next_and_nobody_twice_in_one_step() -> None:
    t = Timeline()
    t.at(5, core.NoContact("op", "陈"))
    assert t.asked == ["李梅"]
    t.at(10, core.Contact("op", "陈"))
    assert t.at(15, core.NoContact("op", "陈")) == "no_contact_escalates"
    assert t.asked == ["王强"]


def test_a_new_press_always_rings_again() -> None:
    t = Timeline()
    t.at(5, core.Answer("op", "陈"))
    assert not t.incident.ringing
    assert t.at(60, core.Raised("sos", Press("H001-button", "e2"))) == "rang_again"
    assert t.incident.ringing
    assert t.incident.raised == 2
    assert t.at(80, core.Due()) == "next_step", "and unanswered, it asks people"
    assert t.asked == ["李梅"]


WANG_GOES = Helper("C2", "王强", "neighbour")


def test_whoever_accepts_in_place_of_a_helper_who_is_not_heard_from_is_counted_on() -> None:
    t = Timeline()
    t.at(10, core.Due())
    t.at(20, core.Accept(GOING))
    assert t.at(320, core.Due()) == "stalled"
    assert t.asked == ["王强"]
    assert t.at(330, core.Accept(WANG_GOES)) == "accepted"
    assert t.decision.stage == core.Stage("accepted", "王强")
    assert t.decision.stop_calling
    assert (t.incident.helper, t.incident.seconds) == (WANG_GOES, (GOING,)), "the first may still come"
    assert (t.incident.ringing, t.incident.calling) == (False, False)
    assert t.wakes_after == 330 + 300, "and is doubted in turn"


def test_a_helper_who_is_asked_again_and_says_yes_again_has_promised_again() -> None:
    t = Timeline((LI,))
    t.at(10, core.Accept(GOING))
    t.at(310, core.Due())
    assert t.asked == ["李梅"]
    assert t.at(320, core.Accept(GOING)) == "accepted"
    assert t.incident.seconds == ()
    assert t.wakes_after == 620


@pytest.mark.parametrize("pressed", [True, False])
def test_what_was_called_safe_and_is_not_finds_helpers_again(pressed: bool) -> None:
    t = Timeline()
    t.at(5, core.Answer("op", "陈"))
    t.at(10, core.Safe("陈"))
    assert t.at(11, core.Accept(GOING)) == "already_safe", "who answers a call of before is not needed"
    if pressed:
        assert t.at(20, core.Raised("sos")) == "rang_again"
        assert t.at(40, core.Due()) == "next_step"
    else:
        assert t.at(20, core.Assign("op", "陈", "C1")) == "assigned"
    assert t.asked == ["李梅"]
    assert t.at(50, core.Accept(GOING)) == "accepted"
    assert t.at(60, core.Moving(GOING)) == "moving"
    assert t.at(70, core.OnScene(GOING, "陈")) == "on_scene"
    assert t.at(80, core.Safe("陈")) == "safe"
    assert t.incident.stamps["t8"] == NOON + timedelta(seconds=10), "the first of its kind counts"


def test_more_help_that_is_found_for_whoever_is_on_scene_ends_the_calling() -> None:
    t = Timeline()
    t.at(5, core.OnScene(GOING, "陈"))
    t.at(10, core.Raised("sos"))
    t.at(30, core.Due())
    assert t.at(40, core.Accept(WANG_GOES)) == "accepted_second"
    assert (t.incident.state, t.incident.seconds, t.incident.calling) == (State.ON_SCENE, (WANG_GOES,), False)
    assert t.incident.ringing, "nobody at the desk has heard the press yet"
    assert t.wakes_after == 340


def test_everyone_declines_in_place_of_a_helper_who_is_not_heard_from() -> None:
    t = Timeline()
    t.at(10, core.Due())
    t.at(20, core.Accept(GOING))
    t.at(320, core.Due())
    assert t.at(330, core.Decline("C2")) == "declined_by_all"
    assert t.asked == ["赵志愿"], "at once, as at the beginning"


def test_no_contact_while_another_is_asked_for_a_silent_helper_goes_on_asking() -> None:
    t = Timeline()
    t.at(10, core.Due())
    t.at(20, core.Accept(GOING))
    t.at(320, core.Due())
    assert t.at(325, core.NoContact("op", "陈")) == "no_contact_escalates"
    assert (t.incident.calling, t.incident.awaited, t.wakes_after) == (True, ("C2",), 360)


@pytest.mark.parametrize("minutes", [120, 60 * 24 * 365 * 7000])
def test_a_promise_of_hours_is_asked_about_when_a_way_has_taken_long(minutes: int) -> None:
    t = Timeline()
    t.at(5, core.Moving(Helper("C1", "李梅", "family", NOON + timedelta(minutes=minutes))))
    assert t.wakes_after == 5 + 1800 + 300


def test_who_has_pressed_again_must_be_spoken_with_again() -> None:
    t = Timeline()
    t.at(5, core.Contact("op", "陈"))
    assert t.wakes_after == 605
    t.at(10, core.Raised("sos"))
    t.at(15, core.Answer("op", "陈"))
    assert t.wakes_after == 135


def test_a_press_that_the_closer_has_not_seen_blocks_closing_and_nothing_else() -> None:
    t = Timeline()
    t.at(5, core.Answer("op", "陈"))
    seen = t.incident.version
    t.at(10, core.Raised("sos"))
    assert t.at(11, close(as_of=seen)) == "pressed_again"
    assert t.at(12, core.Contact("op", "陈")) == "contact_made"
    assert t.at(13, close(as_of=t.incident.version)) == "closed"


def test_everyone_of_a_step_declines_and_the_next_is_asked_at_once() -> None:
    t = Timeline()
    t.at(10, core.Due())
    assert t.at(20, core.Decline("C1")) == "declined_by_all"
    assert t.asked == ["王强"]


def test_the_failure_of_a_call_moves_nothing() -> None:
    t = Timeline()
    t.at(10, core.Due())
    before = t.incident
    assert t.at(20, core.Unreached("C1", "busy")) == "recorded"
    assert t.incident is before


def test_the_operator_sends_a_particular_person_twice_and_each_is_a_step_of_its_own() -> None:
    t = Timeline()
    t.at(5, core.Answer("op", "陈"))
    assert t.at(9, core.Assign("op", "陈", "R1")) == "assigned"
    assert t.asked == ["赵志愿"]
    first = t.decision.asks[0].step
    assert t.at(20, core.Assign("op", "陈", "R1")) == "assigned"
    assert t.decision.asks[0].step != first
    assert t.at(21, core.Assign("op", "陈", "nobody")) == "unknown_person"


def test_a_late_answer_needs_a_written_reason() -> None:
    t = Timeline()
    t.at(10, core.Due())
    t.at(200, core.Answer("op", "陈"))
    t.at(201, core.Contact("op", "陈"))
    assert t.at(300, close()) == "late_answer_needs_reason"
    assert t.at(300, close(reason="two incidents at once")) == "closed"


@pytest.mark.parametrize(("cause", "outcome", "name"), [("", "fire", "unknown_cause"), ("sos", "", "unknown_outcome")])
def test_closing_takes_two_fields(cause: str, outcome: str, name: str) -> None:
    t = Timeline()
    assert t.at(1, close(cause=cause, outcome=outcome)) == name
    assert t.incident.state is State.WAITING


def test_a_home_without_anybody_keeps_ringing_the_desk() -> None:
    t = Timeline(())
    for seconds in (10, 130, 250):
        assert t.at(seconds, core.Due()) == "next_step"
        assert t.incident.ringing
        assert t.wakes_after == seconds + 120


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.floats(0, 4000)), max_size=40))
def test_no_history_breaks_a_promise(history: list[tuple[core.Event, float]]) -> None:
    incident, now = opened().incident, NOON
    sent: set[tuple[str, str, int]] = set()
    for event, seconds in history:
        now += timedelta(seconds=seconds)
        decision = core.decide(incident, event, PEOPLE, now)
        after = decision.incident
        assert (after.wake_at is None) == (after.state is State.CLOSED), "open ⇔ a deadline"
        for stamp, at in incident.stamps.items():
            assert after.stamps[stamp] == at, "no stamp is written over"
        if incident.state is State.CLOSED:
            assert after is incident, "closed never stirs"
            assert not decision.asks
            assert decision.stage is None
        if decision.refused:
            assert after is incident
            assert not decision.asks
        if after.calling:
            assert after.state is not State.CLOSED
        if after.state is State.CLOSED:
            assert set(after.stamps) | set(after.absent) == set(core.STAMPS)
        for ask in decision.asks:
            for channel in ask.channels:
                key = (ask.person.id, channel, ask.step)
                assert key not in sent, "nobody is asked twice in one step"
                sent.add(key)
            assert ask.deadline > now
        incident = after
    # Calm: if nobody says anything more, it rings within a bound, for ever.
    for _ in range(5):
        if incident.state is State.CLOSED:
            break
        assert incident.wake_at
        now = max(now, incident.wake_at)
        incident = core.decide(incident, core.Due(), PEOPLE, now).incident
        assert incident.ringing or incident.calling


def silent(devices: int = 200) -> Timeline:
    """A village that fell silent."""
    t = Timeline(())
    t.decision = core.open_incident(
        home=None, device=None, cause="heartbeat_lost", danger=False, test=False, policy=policies()["technical"],
        press=None, t0=NOON, t1=NOON, people=(), now=NOON,
        group=core.Group("area", "440703", "440703", NOON + timedelta(minutes=15), devices),
    )  # fmt: skip
    return t


def test_what_mends_itself_before_anybody_took_it_closes_by_itself() -> None:
    t = silent()
    assert t.at(10, core.Restored("device_restored", 150, left=50, back=150, all=200)) == "recorded"
    assert (t.incident.state, t.incident.ringing) == (State.WAITING, True)
    assert t.incident.group is not None
    assert t.incident.group.back == 150
    assert t.at(15, core.Restored("mains_restored")) == "recorded"
    assert t.incident.group.back == 150, "of what nobody knows nothing is counted"
    assert t.at(20, core.Restored("device_restored", 50, left=0, back=200, all=200)) == "restored_itself"
    assert (t.incident.state, t.incident.wake_at) == (State.CLOSED, None)
    assert t.incident.closing is not None
    assert (t.incident.closing.cause, t.incident.closing.outcome) == ("technical", "restored")
    assert t.incident.closing.operator == "", "no person did it, and none is said to have"


def test_what_somebody_has_taken_stays_theirs_and_falls_silent_when_all_is_back() -> None:
    t = silent()
    t.at(5, core.Answer("op", "陈"))
    t.at(6, core.Raised("heartbeat_lost"))
    assert t.incident.ringing
    assert t.at(20, core.Restored("device_restored", left=0, back=200, all=200)) == "all_restored"
    assert (t.incident.state, t.incident.ringing) == (State.ANSWERED, False)
    assert t.at(30, close(cause="technical", outcome="restored")) == "closed"


def test_further_devices_of_a_group_ring_nobody() -> None:
    t = silent(5)
    t.at(5, core.Answer("op", "陈"))
    wakes = t.wakes_after
    assert t.at(60, core.Joined("heartbeat_lost", 3, 8, "4407")) == "joined"
    assert (t.incident.ringing, t.wakes_after, t.incident.state) == (False, wakes, State.ANSWERED)
    assert t.incident.group == core.Group("area", "440703", "4407", NOON + timedelta(minutes=15), 8)


def test_a_danger_is_over_only_when_a_person_says_so() -> None:
    t = Timeline()
    assert t.at(10, core.Restored("mains_restored", left=0, back=1)) == "recorded"
    assert t.incident.ringing
