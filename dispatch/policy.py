"""Who is asked, in which order, for how long. Policies are data; an incident carries the one it was opened under."""

from typing import Annotated, Literal, NamedTuple

import msgspec

Seconds = Annotated[int, msgspec.Meta(ge=1)]
Who = Literal["desk", "contacts", "responders", "everyone"]


class Person(msgspec.Struct, frozen=True):
    """Somebody who can be asked to come: a contact of the home or a responder of its area, in order of `rank`."""

    id: str
    name: str
    group: Literal["contacts", "responders"]
    rank: int
    role: str
    phone: str
    language: str
    notify: str = ""
    """Where else they read what we send: an address that Apprise understands; empty: nowhere."""
    told: bool = False
    """Told of each stage, as family are; whoever is asked is told by being asked."""
    stranger: bool = False
    """Somebody else has their number now: it is tried all the same, and told nothing of anybody."""
    quiet: bool = False
    """It is their quiet hour. Only a policy that says so heeds it."""
    why: tuple[str, ...] = ()
    """The named reasons of their place in the order."""
    passed: str = ""
    """The named reason for which no step asks them; an operator may send them all the same."""

    def address(self, channel: str) -> str:
        """Where a channel reaches them; empty: it does not."""
        return self.notify if channel == "apprise" else self.phone


class Step(msgspec.Struct, frozen=True):
    """One tier: who is asked, through which channels, and how long we wait for an answer before the next.

    `many` are asked at a time, in their order, and each has the wait; 0: all at once.
    """

    who: Who
    wait_seconds: Seconds
    channels: tuple[str, ...] = ()
    ranks: tuple[int, int] = (1, 99)
    roles: tuple[str, ...] = ()
    """Only these; empty: of every role."""
    many: Annotated[int, msgspec.Meta(ge=0)] = 0
    unseen_seconds: Seconds | None = None
    """A desk whose screen has not confirmed drawing the incident by then is taken for empty."""


class Policy(msgspec.Struct, frozen=True):
    """The steps, the last of which repeats, and how long each promise may take before it is doubted."""

    name: str
    version: int
    steps: tuple[Step, ...]
    contact_seconds: Seconds
    decide_seconds: Seconds
    move_seconds: Seconds
    arrive_seconds: Seconds
    safe_seconds: Seconds
    close_seconds: Seconds
    grace_seconds: Seconds
    heeds_quiet: bool = False
    """Whether quiet hours are kept. Never of a policy for a call for help."""
    title: str = ""
    title_en: str = ""
    """What people read in place of `name`, which homes and rules know it by; empty: nobody has given it one."""

    def step(self, number: int) -> Step:
        """Step `number` from 0; past the end it is the last one, for ever."""
        return self.steps[min(number, len(self.steps) - 1)]


class Tier(NamedTuple):
    """Whom a step asks, in their order, and through which channels."""

    persons: tuple[Person, ...]
    channels: tuple[str, ...]


CALLS = ("twilio_voice", "twilio_sms", "apprise")
"""Every way to a person: for a call for help that asks everybody, and for what changes while somebody goes."""


def asked(policy: Policy, number: int, people: tuple[Person, ...], *, danger: bool) -> Tier:
    """Whom step `number` asks, of the people of this home. Who is reached by none of its channels is not asked.

    The last step of a danger repeats until somebody has come: where nobody fits it, it asks everybody.
    """
    step = policy.step(number)
    if step.who == "desk":
        return Tier((), step.channels)
    fitting = Tier(tuple(one for one in people if _fits(one, step, policy)), step.channels)
    if fitting.persons or not danger or number < len(policy.steps) - 1:
        return fitting
    return Tier(tuple(one for one in people if not one.passed and reaches(one, CALLS)), CALLS)


def _fits(person: Person, step: Step, policy: Policy) -> bool:
    low, high = step.ranks
    return (
        not person.passed
        and (step.who == "everyone" or person.group == step.who)
        and low <= person.rank <= high
        and (not step.roles or person.role in step.roles)
        and not (policy.heeds_quiet and person.quiet)
        and reaches(person, step.channels)
    )


def reaches(person: Person, channels: tuple[str, ...]) -> bool:
    """Whether any of these channels does."""
    return any(person.address(channel) for channel in channels)


TECHNICAL = frozenset(
    {
        "heartbeat_lost",
        "device_restored",
        "cannot_hear",
        "hearing_restored",
        "battery_low",
        "battery_critical",
        "battery_restored",
        "mains_lost",
        "mains_restored",
        "tamper",
        "tamper_restored",
        "sensor_lost",
        "sensor_restored",
        "radio_jam",
        "radio_restored",
        "link_lost",
        "link_restored",
        "fault",
        "fault_restored",
        "sequence_gap",
        "sequence_restored",
        "self_test",
    }
)
"""The domain's own codes of devices, and their restores."""

FINDINGS = frozenset({"sequence_gap", "sequence_restored"})
"""Technical kinds that are kept and counted, and interrupt nobody."""


def is_danger(kind: str) -> bool:
    """Whether an alarm of this kind is about a person. A kind that we do not know is: that is the safe side."""
    return kind not in TECHNICAL


def is_restore(kind: str) -> bool:
    """Whether this says that something is well again: it opens nothing."""
    return kind in TECHNICAL and kind.endswith("_restored")
