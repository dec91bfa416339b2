"""What would happen: the incident's own rules, on a clock for which nobody waits. PURE."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from dispatch import incident as core
from dispatch.policy import Person, Policy, Step, asked, is_danger

TIERS_MAX = 60
"""A step that asks in turn may have many in it."""

QUIET, NO_ADDRESS, NO_STEP = "quiet_hours", "no_number", "no_step"
"""Why somebody is not reached, beside the reasons for which they are passed over."""


SPARE = frozenset({"apprise"})
"""Beside a telephone, for who has it: nobody is missed for want of it."""


class Asked(NamedTuple):
    """Somebody who is asked: through which channels, and which of the step's do not reach them."""

    person: Person
    channels: tuple[str, ...]
    unreached: tuple[str, ...]


class Passed(NamedTuple):
    """Somebody who is not asked, and the name of the reason."""

    person: Person
    why: str


class Tier(NamedTuple):
    """One step as it runs: `at_seconds` after the alarm. Nobody asked, and not the desk: it is passed over at once.

    `repeats`: from here on the same again, for as long as nobody takes it.
    """

    at_seconds: int
    number: int
    step: Step
    asked: tuple[Asked, ...]
    passed: tuple[Passed, ...]
    repeats: bool = False

    @property
    def skipped(self) -> bool:
        return self.step.who != "desk" and not self.asked


def timeline(policy: Policy, people: tuple[Person, ...], kind: str, now: datetime) -> list[Tier]:
    """Who is asked when, if nobody answers: until the last step has come round."""
    decision = core.open_incident(
        home="", device=None, cause=kind, danger=is_danger(kind), test=False, policy=policy, press=None, t0=now, t1=now,
        people=people, now=now,
    )  # fmt: skip
    tiers = _passed_by(policy, people, 0, decision.incident.step, 0)
    at = now
    while len(tiers) < TIERS_MAX:
        incident = decision.incident
        number = incident.step
        tiers.append(_tier(policy, people, decision, round((at - now).total_seconds())))
        if policy.step(number).who == "desk":  # a screen draws it at once
            incident = core.decide(incident, core.Shown("dry run"), people, at).incident
        if incident.wake_at is None:
            break
        at = incident.wake_at
        decision = core.decide(incident, core.Due(), people, at)
        after = decision.incident.step
        if after >= len(policy.steps):
            tiers[-1] = tiers[-1]._replace(repeats=True)
            break
        seconds = round((at - now).total_seconds())
        tiers += _passed_by(policy, people, number + 1, after, seconds)
    return tiers


def never(policy: Policy, people: Sequence[Person], tiers: Sequence[Tier]) -> list[Passed]:
    """Everybody whom no step reaches, with the reason."""
    reached = {one.person.id for tier in tiers for one in tier.asked if one.channels}
    unaddressed = {one.person.id for tier in tiers for one in tier.passed if one.why == NO_ADDRESS}
    found = []
    for person in people:
        if person.id in reached:
            continue
        why = person.passed or (NO_ADDRESS if person.id in unaddressed else "")
        if not why:
            why = QUIET if policy.heeds_quiet and person.quiet else NO_STEP
        found.append(Passed(person, why))
    return found


def _tier(policy: Policy, people: tuple[Person, ...], decision: core.Decision, at_seconds: int) -> Tier:
    number = decision.incident.step
    step = policy.step(number)
    asks = tuple(
        Asked(
            ask.person,
            tuple(channel for channel in ask.channels if ask.person.address(channel)),
            tuple(channel for channel in ask.channels if channel not in SPARE and not ask.person.address(channel)),
        )
        for ask in decision.asks
    )
    return Tier(at_seconds, number, step, asks, _not_asked(policy, number, people))


def _passed_by(policy: Policy, people: tuple[Person, ...], first: int, until: int, at_seconds: int) -> list[Tier]:
    """The steps that had nobody to ask."""
    return [
        Tier(at_seconds, number, policy.step(number), (), _not_asked(policy, number, people))
        for number in range(first, until)
    ]


def _not_asked(policy: Policy, number: int, people: tuple[Person, ...]) -> tuple[Passed, ...]:
    """Of those whom this step is for: who is passed over, has a quiet hour that it heeds, or is reached by none of its
    channels.
    """
    step = policy.step(number)
    if step.who == "desk":
        return ()
    taken = {person.id for person in asked(policy, number, people, danger=False).persons}
    low, high = step.ranks
    found = []
    for person in people:
        theirs = (step.who == "everyone" or person.group == step.who) and (not step.roles or person.role in step.roles)
        if person.id in taken or not theirs:
            continue
        why = person.passed
        if not why and low <= person.rank <= high:
            why = QUIET if policy.heeds_quiet and person.quiet else NO_ADDRESS
        if why:
            found.append(Passed(person, why))
    return tuple(found)
