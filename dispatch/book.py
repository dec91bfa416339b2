"""The book of policies: which there are, and which of them an incident is opened under. PURE.

A version of the book never changes once it is saved, and an incident carries its policy: whoever edits the book decides
what comes, never what is under way. What could leave somebody lying is a fault, by name, and such a book is not saved.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Literal, NamedTuple

import msgspec

from dispatch.policy import TECHNICAL, Policy, Step, is_danger
from pingan.hours import DAY_MINUTES, WEEKDAYS, NoHours, span, within

DANGER, CALM, TEST = "danger", "technical", "test"
"""The policies that every book has: whatever no rule speaks of goes by them."""
REQUIRED = (DANGER, CALM, TEST)

CALLS_FOR_HELP = (
    "sos", "fall", "inactivity", "smoke", "gas", "co", "water", "wandering", "vitals", "home_heat", "home_cold",
    "missed_visit", "unknown",
)  # fmt: skip
"""The kinds about a person that a rule may name. One that nobody knows yet goes by rules that name none."""
CAUSES = (*CALLS_FOR_HELP, *sorted(kind for kind in TECHNICAL if not kind.endswith("_restored")))

ROLES = {
    "contacts": ("family", "neighbour", "friend", "property", "carer"),
    "responders": ("volunteer", "grid_worker", "social_worker", "property", "station", "medical"),
}
CHANNELS = ("twilio_voice", "twilio_sms", "apprise")
"""Ways to ask somebody. A button is told, never asked."""

WAIT_SECONDS = (10, 900)
"""How long a step of a call for help may wait: a telephone rings for some ten seconds; a quarter of an hour without
anybody else being told is too long wherever one lies (chosen)."""
CALM_SECONDS = (10, 7 * 86_400)
PROMISE_SECONDS = (30, 4 * 3_600)
"""How long what somebody has promised in a call for help may go unheard before it is doubted (chosen)."""
UNSEEN_SECONDS_MAX = 30
"""A desk that has drawn nothing by then is empty."""
PEOPLE_SECONDS_MAX = 180
"""Somebody who can come is asked by then: 99 of 100 calls shall be answered within it (UK TSA)."""
STEPS_MAX = 20
RULES_MAX = 200
NAME_CHARACTERS = 40
TITLE_CHARACTERS = 40

PROMISES = (
    "contact_seconds", "decide_seconds", "move_seconds", "arrive_seconds", "safe_seconds", "close_seconds",
    "grace_seconds",
)  # fmt: skip
TITLES = ("title", "title_en")


class Rule(msgspec.Struct, frozen=True, omit_defaults=True):
    """When a policy is chosen: everything that is given must fit. Without causes it speaks of every call for help."""

    policy: str
    causes: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    """Beginnings of area codes."""
    homes: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    hours: str = ""
    """By the home's own clock, `22:00-07:00`; empty: always."""
    weekdays: tuple[str, ...] = ()


class Book(msgspec.Struct, frozen=True):
    """The first rule that fits chooses. Version 0 is what is shipped."""

    version: int
    policies: dict[str, Policy]
    rules: tuple[Rule, ...] = ()


class Situation(NamedTuple):
    """What is known when an incident opens. `own` is the policy that the register has for the home."""

    kind: str
    local: datetime
    home: str | None = None
    area: str | None = None
    people: tuple[str, ...] = ()
    own: str | None = None
    test: bool = False


class Choice(NamedTuple):
    """`by` says what chose; `rule` is the number of the rule, from 0."""

    policy: Policy
    by: Literal["test", "home", "rule", "default"]
    rule: int | None = None


class Fault(NamedTuple):
    """Why a book is not saved: a name, where it is (steps and rules from 0), and what stands in its words' blanks."""

    name: str
    policy: str | None = None
    step: int | None = None
    rule: int | None = None
    field: str = ""
    values: tuple[tuple[str, Any], ...] = ()


def choose(book: Book, situation: Situation) -> Policy:
    """The policy that an incident is opened under."""
    return chosen(book, situation).policy


def chosen(book: Book, situation: Situation) -> Choice:
    """The home's own policy goes first, then the first rule that fits. What does not suit a call for help is passed."""
    danger = is_danger(situation.kind)
    if situation.test:
        return Choice(_stamped(book, TEST, danger=False), "test")
    if danger and situation.own in book.policies and situation.own not in _calm(book):
        return Choice(_stamped(book, situation.own, danger=True), "home")
    for number, rule in enumerate(book.rules):
        suits = rule.policy in book.policies and not (danger and rule.policy in (CALM, TEST))
        if suits and _fits(rule, situation, danger=danger):
            return Choice(_stamped(book, rule.policy, danger=danger), "rule", number)
    return Choice(_stamped(book, DANGER if danger else CALM, danger=danger), "default")


def _stamped(book: Book, name: str, *, danger: bool) -> Policy:
    policy = msgspec.structs.replace(book.policies[name], version=book.version)
    # Whatever a book says: quiet hours never silence a call for help.
    return msgspec.structs.replace(policy, heeds_quiet=False) if danger else policy


def _fits(rule: Rule, situation: Situation, *, danger: bool) -> bool:
    try:
        timely = not rule.hours or within(span(rule.hours), situation.local)
    except NoHours:
        return False
    return (
        (situation.kind in rule.causes if rule.causes else danger)
        and (not rule.areas or any((situation.area or "").startswith(area) for area in rule.areas))
        and (not rule.homes or situation.home in rule.homes)
        and (not rule.people or not set(rule.people).isdisjoint(situation.people))
        and timely
        and (not rule.weekdays or WEEKDAYS[situation.local.weekday()] in rule.weekdays)
    )


def faults(book: Book, named: Iterable[str] = ()) -> list[Fault]:
    """Everything for which this book may not be used. `named`: policies that homes of the register name."""
    found = [Fault("policy_missing", name) for name in REQUIRED if name not in book.policies]
    found += [Fault("named_by_home", name) for name in sorted({*named} - {*book.policies})]
    calm = _calm(book)
    for name, policy in book.policies.items():
        found += _policy_faults(name, policy, calm=name in calm)
    if len(book.rules) > RULES_MAX:
        found.append(Fault("too_many_rules", values=(("limit", RULES_MAX),)))
    for number, rule in enumerate(book.rules):
        found += _rule_faults(book, number, rule)
    return found


def _calm(book: Book) -> set[str]:
    """Policies that no call for help can come to. A home may name any but the two that never suit one."""
    used: dict[str, list[bool]] = {}
    for rule in book.rules:
        only = bool(rule.causes) and not any(is_danger(cause) for cause in rule.causes)
        used.setdefault(rule.policy, []).append(only)
    return {CALM, TEST} | {name for name, only in used.items() if all(only) and name != DANGER}


def _policy_faults(name: str, policy: Policy, *, calm: bool) -> Iterator[Fault]:
    if policy.name != name or not _is_name(name):
        yield Fault("bad_name", name, field="name", values=(("limit", NAME_CHARACTERS),))
    for field in TITLES:
        title = getattr(policy, field)
        if len(title) > TITLE_CHARACTERS or not title.isprintable():
            yield Fault("bad_title", name, field=field, values=(("limit", TITLE_CHARACTERS),))
    if not policy.steps:
        yield Fault("no_steps", name)
        return
    if len(policy.steps) > STEPS_MAX:
        yield Fault("too_many_steps", name, values=(("limit", STEPS_MAX),))
    if policy.heeds_quiet and not calm:
        yield Fault("quiet_help", name, field="heeds_quiet")
    bounds = CALM_SECONDS if calm else WAIT_SECONDS
    for number, step in enumerate(policy.steps):
        for fault, field, values in _step_faults(step, bounds, calm=calm):
            yield Fault(fault, name, number, None, field, values)
    promised = CALM_SECONDS if calm else PROMISE_SECONDS
    for field in PROMISES:
        if not promised[0] <= getattr(policy, field) <= promised[1]:
            yield Fault("out_of_bounds", name, field=field, values=_between(promised))
    if calm:
        return
    if policy.steps[-1].who == "desk":
        yield Fault("last_asks_nobody", name, len(policy.steps) - 1, None, "who")
        return
    before = 0
    for number, step in enumerate(policy.steps):
        if step.who != "desk":
            break
        before += step.wait_seconds
        if before > PEOPLE_SECONDS_MAX:
            yield Fault("people_late", name, number, None, "wait_seconds", (("limit", PEOPLE_SECONDS_MAX),))
            break


_Wrong = tuple[str, str, tuple[tuple[str, Any], ...]]


def _step_faults(step: Step, bounds: tuple[int, int], *, calm: bool) -> Iterator[_Wrong]:
    if not bounds[0] <= step.wait_seconds <= bounds[1]:
        yield "out_of_bounds", "wait_seconds", _between(bounds)
    if step.who == "desk":
        if step.unseen_seconds is None:
            if not calm:
                yield "unseen_missing", "unseen_seconds", (("limit", UNSEEN_SECONDS_MAX),)
        elif not 1 <= step.unseen_seconds <= min(UNSEEN_SECONDS_MAX, step.wait_seconds):
            most = min(UNSEEN_SECONDS_MAX, step.wait_seconds)
            yield "out_of_bounds", "unseen_seconds", _between((1, most))
        return
    if step.who not in ("contacts", "responders", "everyone"):
        yield "unknown_who", "who", (("text", step.who),)
    if not step.channels:
        yield "no_channels", "channels", ()
    for channel in step.channels:
        if channel not in CHANNELS:
            yield "unknown_channel", "channels", (("text", channel),)
    known = {role for group, roles in ROLES.items() if step.who in (group, "everyone") for role in roles}
    for role in step.roles:
        if role not in known:
            yield "unknown_role", "roles", (("text", role),)
    if not 1 <= step.ranks[0] <= step.ranks[1] <= 99:
        yield "bad_ranks", "ranks", ()
    if not 0 <= step.many <= 99:
        yield "out_of_bounds", "many", _between((0, 99))


def _rule_faults(book: Book, number: int, rule: Rule) -> Iterator[Fault]:
    def fault(name: str, field: str, **values: Any) -> Fault:
        return Fault(name, None, None, number, field, tuple(values.items()))

    whole = True
    if rule.policy not in book.policies:
        yield fault("unknown_policy", "policy", text=rule.policy)
    for cause in rule.causes:
        if cause not in CAUSES:
            yield fault("unknown_cause", "causes", text=cause)
    if rule.policy in (CALM, TEST) and (not rule.causes or any(is_danger(cause) for cause in rule.causes)):
        yield fault("no_policy_for_help", "policy", text=rule.policy)
    for area in rule.areas:
        if not area.isascii() or not area.isdecimal():
            yield fault("bad_area", "areas", text=area)
    for day in rule.weekdays:
        if day not in WEEKDAYS:
            yield fault("unknown_weekday", "weekdays", text=day)
    if rule.hours:
        try:
            span(rule.hours)
        except NoHours:
            whole = False
            yield fault("bad_hours", "hours", text=rule.hours)
    if whole and (by := next((one for one in range(number) if _covers(book.rules[one], rule)), None)) is not None:
        yield fault("never_reached", "", by=by + 1)


def _covers(first: Rule, later: Rule) -> bool:
    """Whether everything that `later` fits is taken by `first` already."""
    try:
        minutes = [
            span(rule.hours).minutes() if rule.hours else frozenset(range(DAY_MINUTES)) for rule in (first, later)
        ]
    except NoHours:
        return False
    causes = [frozenset(rule.causes or CALLS_FOR_HELP) for rule in (first, later)]
    within_areas = all(any(area.startswith(wider) for wider in first.areas) for area in later.areas)
    return (
        (causes[0] >= causes[1] if first.causes and later.causes else _takes(first, later))
        and (not first.areas or (bool(later.areas) and within_areas))
        and _holds(first.homes, later.homes)
        and _holds(first.people, later.people)
        and minutes[0] >= minutes[1]
        and _holds(first.weekdays, later.weekdays)
    )


def _takes(first: Rule, later: Rule) -> bool:
    """One of the two names no cause: it speaks of every call for help, known to us or not, and of nothing else."""
    return not first.causes and all(is_danger(cause) for cause in later.causes)


def _holds(first: tuple[str, ...], later: tuple[str, ...]) -> bool:
    return not first or (bool(later) and {*first} >= {*later})


def _between(bounds: tuple[int, int]) -> tuple[tuple[str, Any], ...]:
    return (("lowest", bounds[0]), ("highest", bounds[1]))


def _is_name(name: str) -> bool:
    return 0 < len(name) <= NAME_CHARACTERS and name.isascii() and name.replace("-", "").replace("_", "").isalnum()
