"""Which policy an incident is opened under, and what may never stand in a book."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from care import records
from dispatch import books
from dispatch import incident as core
from dispatch.book import (
    CALLS_FOR_HELP,
    CAUSES,
    CHANNELS,
    PEOPLE_SECONDS_MAX,
    REQUIRED,
    ROLES,
    Book,
    Rule,
    Situation,
    choose,
    chosen,
    faults,
)
from dispatch.dry_run import TIERS_MAX, never, timeline
from dispatch.policy import Person, Policy, Step, asked, is_danger
from pingan.hours import WEEKDAYS

BOOK = books.shipped()
MONDAY = datetime.fromisoformat("2026-11-02T03:10:00+08:00")
VOICE = ("twilio_voice",)


def situation(kind: str = "sos", **more: Any) -> Situation:
    return Situation(kind, **{"local": MONDAY, "home": "H1", "area": "440703901001", "people": ("P1",), **more})


def ruled(*rules: Rule) -> Book:
    return msgspec.structs.replace(BOOK, version=7, rules=rules)


def changed(name: str, /, **more: Any) -> Book:
    policy = msgspec.structs.replace(BOOK.policies[name], **more)
    return msgspec.structs.replace(BOOK, policies={**BOOK.policies, name: policy})


def of_step(name: str, number: int, **more: Any) -> Book:
    steps = list(BOOK.policies[name].steps)
    steps[number] = msgspec.structs.replace(steps[number], **more)
    return changed(name, steps=tuple(steps))


def test_what_is_shipped_is_sound_and_its_words_are_the_register_s() -> None:
    assert faults(BOOK) == []
    assert {*REQUIRED, "direct", "station"} == {*BOOK.policies}
    assert {group: set(roles) for group, roles in ROLES.items()} == {
        "contacts": {*records.CONTACT_ROLES}, "responders": {*records.RESPONDER_ROLES},
    }  # fmt: skip
    assert all(is_danger(cause) for cause in CALLS_FOR_HELP)
    assert BOOK.policies["direct"].steps[0].who == "contacts"


@pytest.mark.parametrize(
    ("rules", "case", "name", "by", "number"),
    [
        ((), {}, "danger", "default", None),
        ((), {"kind": "battery_low"}, "technical", "default", None),
        ((), {"kind": "a_kind_of_tomorrow"}, "danger", "default", None),
        ((), {"test": True}, "test", "test", None),
        ((), {"own": "station"}, "station", "home", None),
        ((), {"own": "station", "kind": "battery_low"}, "technical", "default", None),
        ((), {"own": "no such"}, "danger", "default", None),
        ((), {"own": "technical"}, "danger", "default", None),
        ((Rule("direct"),), {"own": "station"}, "station", "home", None),
        ((Rule("direct"),), {}, "direct", "rule", 0),
        ((Rule("direct"),), {"kind": "a_kind_of_tomorrow"}, "direct", "rule", 0),
        ((Rule("direct"),), {"kind": "battery_low"}, "technical", "default", None),
        ((Rule("direct"),), {"test": True}, "test", "test", None),
        ((Rule("direct", causes=("fall",)), Rule("station")), {}, "station", "rule", 1),
        ((Rule("direct", causes=("fall",)), Rule("station")), {"kind": "fall"}, "direct", "rule", 0),
        ((Rule("direct", areas=("440703",)),), {}, "direct", "rule", 0),
        ((Rule("direct", areas=("440704",)),), {}, "danger", "default", None),
        ((Rule("direct", areas=("440703",)),), {"area": None}, "danger", "default", None),
        ((Rule("direct", homes=("H1",)),), {}, "direct", "rule", 0),
        ((Rule("direct", homes=("H2",)),), {}, "danger", "default", None),
        ((Rule("direct", people=("P2", "P1")),), {}, "direct", "rule", 0),
        ((Rule("direct", people=("P2",)),), {}, "danger", "default", None),
        ((Rule("direct", hours="22:00-07:00"),), {}, "direct", "rule", 0),
        ((Rule("direct", hours="07:00-22:00"),), {}, "danger", "default", None),
        ((Rule("direct", weekdays=("mon",)),), {}, "direct", "rule", 0),
        ((Rule("direct", weekdays=("sun",)),), {}, "danger", "default", None),
        ((Rule("station", causes=("battery_low",)),), {"kind": "battery_low"}, "station", "rule", 0),
        # What no book may hold is not gone by, either.
        ((Rule("technical"), Rule("no such"), Rule("direct", hours="late")), {}, "danger", "default", None),
    ],
)  # fmt: skip
def test_which_policy(rules: tuple[Rule, ...], case: dict[str, Any], name: str, by: str, number: int | None) -> None:
    choice = chosen(ruled(*rules), situation(**case))
    assert (choice.policy.name, choice.policy.version, choice.by, choice.rule) == (name, 7, by, number)


def test_quiet_hours_never_silence_a_call_for_help_whatever_a_book_says() -> None:
    book = changed("danger", heeds_quiet=True)
    assert [fault.name for fault in faults(book)] == ["quiet_help"]
    assert not choose(book, situation()).heeds_quiet
    calm = changed("technical", heeds_quiet=True)
    assert faults(calm) == []
    assert choose(calm, situation("battery_low")).heeds_quiet


@pytest.mark.parametrize(
    ("book", "found"),
    [
        (msgspec.structs.replace(BOOK, policies={}), [("policy_missing", None)] * 3),
        (changed("danger", steps=()), [("no_steps", None)]),
        (changed("danger", steps=BOOK.policies["danger"].steps[:1]), [("last_asks_nobody", 0)]),
        (changed("direct", name="Direct"), [("bad_name", None)]),
        (changed("direct", title="直" * 41), [("bad_title", None)]),
        (changed("direct", title="直" * 40, title_en="two\nlines"), [("bad_title", None)]),
        (changed("danger", contact_seconds=5), [("out_of_bounds", None)]),
        (changed("danger", arrive_seconds=86_400), [("out_of_bounds", None)]),
        (of_step("danger", 0, unseen_seconds=None), [("unseen_missing", 0)]),
        (of_step("danger", 0, unseen_seconds=25), [("out_of_bounds", 0)]),
        (of_step("danger", 0, wait_seconds=PEOPLE_SECONDS_MAX), []),
        (of_step("danger", 0, wait_seconds=PEOPLE_SECONDS_MAX + 1), [("people_late", 0)]),
        (of_step("danger", 1, wait_seconds=3), [("out_of_bounds", 1)]),
        (of_step("danger", 1, wait_seconds=7_200), [("out_of_bounds", 1)]),
        (of_step("danger", 1, channels=()), [("no_channels", 1)]),
        (of_step("danger", 1, channels=("pigeon",)), [("unknown_channel", 1)]),
        (of_step("danger", 1, roles=("medical",)), [("unknown_role", 1)]),
        (of_step("danger", 5, roles=("medical", "family")), []),
        (of_step("danger", 1, ranks=(2, 1)), [("bad_ranks", 1)]),
        (of_step("danger", 1, many=100), [("out_of_bounds", 1)]),
        (of_step("danger", 1, who="nobody"), [("unknown_who", 1)]),
        (ruled(Rule("x")), [("unknown_policy", None)]),
        (ruled(Rule("technical")), [("no_policy_for_help", None)]),
        (ruled(Rule("technical", causes=("battery_low",))), []),
        (ruled(Rule("danger", causes=("sso",))), [("unknown_cause", None)]),
        (ruled(Rule("danger", areas=("江门",))), [("bad_area", None)]),
        (ruled(Rule("danger", hours="22-7")), [("bad_hours", None)]),
        (ruled(Rule("danger", weekdays=("monday",))), [("unknown_weekday", None)]),
        (ruled(Rule("direct"), Rule("danger", causes=("fall",))), [("never_reached", None)]),
        (ruled(Rule("direct", hours="20:00-08:00"), Rule("danger", hours="22:00-07:00")), [("never_reached", None)]),
        (ruled(Rule("direct", hours="22:00-07:00"), Rule("danger", hours="20:00-08:00")), []),
        (ruled(Rule("direct", areas=("4407",)), Rule("danger", areas=("440703",))), [("never_reached", None)]),
        (ruled(Rule("direct", areas=("440703",)), Rule("danger", areas=("4407",))), []),
        (ruled(Rule("direct", causes=CALLS_FOR_HELP), Rule("danger")), []),
    ],
)  # fmt: skip
def test_what_may_not_stand_in_a_book(book: Book, found: list[tuple[str, int | None]]) -> None:
    assert [(fault.name, fault.step) for fault in faults(book)] == found


def test_a_policy_of_devices_alone_may_be_calm_and_no_home_comes_to_it_in_danger() -> None:
    calm = msgspec.structs.replace(BOOK.policies["technical"], name="morning", heeds_quiet=True)
    book = msgspec.structs.replace(BOOK, policies={**BOOK.policies, "morning": calm})
    assert "quiet_help" in {fault.name for fault in faults(book)}
    ruled_in = msgspec.structs.replace(book, rules=(Rule("morning", causes=("battery_low",)),))
    assert faults(ruled_in) == []
    assert chosen(ruled_in, situation(own="morning")).policy.name == "danger"
    assert chosen(ruled_in, situation("battery_low")).policy.heeds_quiet


# Properties.

_some = st.lists
_rules = st.lists(
    st.builds(
        Rule,
        policy=st.sampled_from(["danger", "direct", "station"]),
        causes=_some(st.sampled_from(CAUSES), max_size=2).map(tuple),
        areas=_some(st.sampled_from(["44", "4407", "440703", "4408"]), max_size=2).map(tuple),
        homes=_some(st.sampled_from(["H1", "H2"]), max_size=1).map(tuple),
        people=_some(st.sampled_from(["P1", "P2"]), max_size=1).map(tuple),
        hours=st.sampled_from(["", "", "22:00-07:00", "08:00-18:00", "23:00-01:00"]),
        weekdays=_some(st.sampled_from(WEEKDAYS), max_size=3).map(tuple),
    ),
    max_size=5,
).map(tuple)
_situations = st.builds(
    situation,
    st.sampled_from([*CAUSES, "a_kind_of_tomorrow"]),
    local=st.integers(0, 7 * 24 * 60 - 1).map(lambda minutes: MONDAY + timedelta(minutes=minutes)),
    home=st.sampled_from(["H1", "H2", None]),
    area=st.sampled_from(["440703901001", "440801", None]),
    people=st.sampled_from([(), ("P1",), ("P1", "P2")]),
    own=st.sampled_from([None, "station", "technical", "x"]),
    test=st.booleans(),
)


@given(_rules, _situations)
def test_every_alarm_has_a_policy_and_what_is_never_reached_is_never_chosen(
    rules: tuple[Rule, ...], case: Situation
) -> None:
    book = ruled(*rules)
    choice = chosen(book, case)
    assert choice.policy.steps
    unreached = {fault.rule for fault in faults(book) if fault.name == "never_reached"}
    assert choice.rule not in unreached
    if is_danger(case.kind) and not case.test:
        assert not choice.policy.heeds_quiet
        assert any(step.who != "desk" for step in choice.policy.steps)


def person(number: int, **more: Any) -> Person:
    given: dict[str, Any] = {"group": "contacts", "rank": number, "role": "family", "phone": "+86138", **more}
    return Person(f"C{number}", f"N{number}", language="zh", **given)


PEOPLE = (
    person(1, quiet=True), person(2, phone=""), person(3),
    person(4, group="responders", rank=1, role="volunteer"),
    person(5, group="responders", rank=2, role="volunteer", passed="off_rota"),
)  # fmt: skip


def test_a_dry_run_is_what_the_incident_does() -> None:
    tiers = timeline(BOOK.policies["danger"], PEOPLE, "sos", MONDAY)
    said = [(tier.at_seconds, tier.number, [one.person.id for one in tier.asked], tier.repeats) for tier in tiers]
    assert said == [
        (0, 0, [], False), (20, 1, ["C1"], False), (60, 2, [], False), (60, 3, ["C3"], False),
        (100, 4, ["C4"], False), (160, 5, ["C1", "C3", "C4"], True),
    ]  # fmt: skip
    assert [(one.person.id, one.why) for one in tiers[2].passed] == [("C2", "no_number")]
    assert [(one.person.id, one.why) for one in tiers[4].passed] == [("C5", "off_rota")]
    assert [(one.person.id, one.why) for one in never(BOOK.policies["danger"], PEOPLE, tiers)] == [
        ("C2", "no_number"), ("C5", "off_rota"),
    ]  # fmt: skip


def test_a_dry_run_shows_the_steps_that_have_nobody_and_turns() -> None:
    tiers = timeline(BOOK.policies["station"], PEOPLE[2:], "sos", MONDAY)
    assert [(tier.number, tier.skipped) for tier in tiers] == [
        (0, False), (1, False), (2, False), (3, True), (4, True), (5, False),
    ]  # fmt: skip
    volunteers = tuple(person(n, group="responders", role="volunteer") for n in range(1, 6))
    turns = [
        len(tier.asked) for tier in timeline(BOOK.policies["station"], volunteers, "sos", MONDAY) if tier.number == 2
    ]
    assert turns == [3, 2]


def test_quiet_hours_are_shown_where_they_are_heeded() -> None:
    calm = Policy(
        "calm", 0, (Step("contacts", 60, VOICE),), *(60,) * 7, heeds_quiet=True,
    )  # fmt: skip
    tiers = timeline(calm, PEOPLE[:1], "battery_low", MONDAY)
    assert [(one.person.id, one.why) for one in tiers[0].passed] == [("C1", "quiet_hours")]
    assert [one.why for one in never(calm, PEOPLE[:1], tiers)] == ["quiet_hours"]
    assert never(BOOK.policies["technical"], PEOPLE[:1], [])[0].why == "no_step"


_people = st.lists(
    st.builds(
        lambda number, group, role, passed, quiet: person(number, group=group, role=role, passed=passed, quiet=quiet),
        st.integers(1, 9),
        st.sampled_from(["contacts", "responders"]),
        st.sampled_from(["family", "volunteer", "station"]),
        st.sampled_from(["", "", "off_rota"]), st.booleans(),
    ),
    max_size=8, unique_by=lambda one: one.id,
).map(tuple)  # fmt: skip


@given(st.sampled_from(sorted(BOOK.policies)), _people, st.sampled_from(["sos", "battery_low"]))
def test_nobody_who_is_passed_over_is_asked_and_everybody_is_accounted_for(
    name: str, people: tuple[Person, ...], kind: str
) -> None:
    policy = BOOK.policies[name]
    tiers = timeline(policy, people, kind, MONDAY)
    assert 0 < len(tiers) <= TIERS_MAX
    assert tiers[-1].repeats
    called = {one.person.id for tier in tiers for one in tier.asked if one.channels}
    left = {one.person.id for one in never(policy, people, tiers)}
    assert called | left == {one.id for one in people}
    assert not called & left
    assert not called & {one.id for one in people if one.passed}
    assert [tier.at_seconds for tier in tiers] == sorted(tier.at_seconds for tier in tiers)


def test_an_operator_may_send_somebody_whom_no_step_asks() -> None:
    passed = person(5, group="responders", passed="off_rota")
    assert asked(BOOK.policies["danger"], 5, (passed,), danger=True).persons == ()
    opened = core.open_incident(
        home="H1", device=None, cause="sos", danger=True, test=False, policy=BOOK.policies["danger"], press=None,
        t0=MONDAY, t1=MONDAY, people=(passed,), now=MONDAY,
    )  # fmt: skip
    sent = core.decide(opened.incident, core.Assign("op", "王芳", "C5"), (passed,), MONDAY)
    assert [ask.person.id for ask in sent.asks] == ["C5"]
    assert {*CHANNELS} >= {*sent.asks[0].channels}


def test_where_no_desk_is_waited_for_a_press_while_somebody_is_on_the_way_asks_the_next_at_once() -> None:
    for name, seconds in (("direct", 0), ("danger", 20)):
        opened = core.open_incident(
            home="H1", device="b", cause="sos", danger=True, test=False, policy=BOOK.policies[name], press=None,
            t0=MONDAY, t1=MONDAY, people=PEOPLE, now=MONDAY,
        )  # fmt: skip
        going = core.decide(opened.incident, core.Accept(core.Helper("C1", "N1", "family")), PEOPLE, MONDAY)
        again = core.decide(going.incident, core.Raised("sos"), PEOPLE, MONDAY)
        assert again.name == "rang_again"
        assert again.incident.wake_at == MONDAY + timedelta(seconds=seconds), name
