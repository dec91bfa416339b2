"""The incident: every state, every event, every transition, in one table.

`decide` is the whole of it: an incident, what happened, who could be asked and the time, to a decision. It does no
I/O and asks no clock. An open incident always has a time at which it wakes: whatever anyone has promised, if nothing
more is heard by then, it rings again and asks the next. Only a person closes a danger.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

import msgspec

from dispatch.policy import CALLS, Person, Policy, Step, Tier, asked, reaches

ANSWER_LATE_SECONDS = 180
"""An answer later than this needs a written reason (UK TSA: 99 % within 180 s)."""

PUT_BACK_SECONDS = 5
"""A last step further in the future than this is a clock that was put back, not two clocks that differ a little."""

SYSTEM = "system"
"""Who closes what no person need close."""

PROOF_SECONDS = 120
"""A press of the home's own button so soon after a helper's *I am there* says where they are, and rings nobody."""

DESK = "desk"
"""Who was not reached when nobody takes the desk's own telephone."""

HOME = "home"
"""Whose telephone it is, where that is the home's own."""

PRESSES_KEPT = 20
"""How many of an incident's newest presses are told each stage."""


class State(StrEnum):
    WAITING = "waiting"  # nobody has it
    ANSWERED = "answered"  # an operator has it
    ACCEPTED = "accepted"  # somebody has said that they will come
    MOVING = "moving"
    ON_SCENE = "on_scene"
    SAFE = "safe"
    CLOSED = "closed"


STAMPS = tuple(f"t{number}" for number in range(10))

CAUSES = (
    "sos", "fall", "inactivity", "smoke", "gas", "water", "co", "wandering", "vitals",
    "home_heat", "home_cold", "missed_visit", "technical", "test", "unknown",
)  # fmt: skip
OUTCOMES = (
    "ambulance", "fire", "police", "responder_attended", "family_attended", "resolved_by_voice", "advice",
    "wanted_to_talk", "accidental", "test_confirmed", "technical_visit_booked", "no_contact_visited",
    "found_deceased", "duplicate", "cancelled_by_person", "restored",
)  # fmt: skip


POSITIVE = (
    "seen_well", "spoken_elsewhere", "with_family", "in_hospital", "away_confirmed", "services_on_scene",
    "not_their_alarm",
)  # fmt: skip
"""What somebody must know before an incident in which nobody was reached is closed. That nothing was heard is no reason
(MacAuley, FAI 2012)."""


class Helper(msgspec.Struct, frozen=True):
    """Who has said that they will come."""

    id: str
    name: str
    role: str
    eta: datetime | None = None
    there: bool = False
    """They have said, or shown, that they are there, since it was last called safe."""


class Group(msgspec.Struct, frozen=True):
    """Devices that fell silent together, each a row of the one incident."""

    by: Literal["gateway", "area", "model"]
    of: str
    area: str | None
    """The smallest area in which all of them lie; None: they share none."""
    until: datetime
    """What fell silent by then belongs to it."""
    devices: int
    back: int = 0


class Press(msgspec.Struct, frozen=True):
    """An event that a device waits to hear the stages of."""

    device: str
    event_id: str


class Change(msgspec.Struct, frozen=True):
    """What has changed since people set out: sent to each of them, who confirms having read it (Volante, 2015)."""

    number: int
    kind: str
    """`text` · `no_contact` · `contact_made` · `alarm`: another one, of the kind that `text` names."""
    text: str
    at: datetime
    by: str
    confirmed: tuple[str, ...] = ()
    """Who has, by id."""


class Incident(msgspec.Struct, frozen=True):
    """Everything that decisions depend on. `version` counts decisions that changed it."""

    home: str | None
    device: str | None
    cause: str
    danger: bool
    test: bool
    policy: Policy
    state: State
    version: int
    opened_at: datetime
    wake_at: datetime | None
    ringing: bool = True
    """The desk's screens sound until somebody answers."""
    calling: bool = True
    """People are being asked: on waking the next step runs."""
    step: int = 0
    """The step that runs now; past the policy's end the last one repeats."""
    step_at: datetime | None = None
    awaited: tuple[str, ...] = ()
    """Whom the running step has asked and who has not declined."""
    tried: tuple[str, ...] = ()
    """Whom the running step has asked: of one that asks in turn, others are left."""
    raised: int = 1
    raised_version: int = 1
    unheard: bool = False
    """It has rung again, and nobody has answered that yet."""
    presses: tuple[Press, ...] = ()
    operator: str | None = None
    operator_name: str | None = None
    helper: Helper | None = None
    seconds: tuple[Helper, ...] = ()
    """Further helpers, beside the first."""
    contact: Literal["made", "none"] | None = None
    stamps: dict[str, datetime] = {}
    absent: dict[str, str] = {}
    """At closing: each stamp that is missing, and the name of the reason."""
    reported: tuple[str, ...] = ()
    """Stamps that rest on somebody's word alone."""
    there_at: datetime | None = None
    """When a helper last said that they are there, as long as nothing at the home has shown it."""
    proof: str | None = None
    """What at the home showed it: `press`, `code`, `location`."""
    changes: tuple[Change, ...] = ()
    closing: "Close | None" = None
    group: Group | None = None
    named_by: str | None = None
    """Who said whose home this is: it came from a caller, or a device, that the register knows of no home."""
    own: bool = False
    """The home's own device, or telephone, has called since: whatever else it is, it is theirs."""
    wanted: bool = False
    """More help was asked for, and nobody has come since."""
    withdrawn: str | None = None
    """Why detection has taken back what it rang for last; None: it has not. People are still on their way to it."""


# What can happen. Each event's tag is its row in the table.


class Caller(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who rang us up or wrote to us, and what they wrote. A number that is withheld is None."""

    source: Literal["telephone", "sms"]
    number: str | None = None
    name: str | None = None
    """As the register has whoever that number belongs to."""
    role: str | None = None
    text: str | None = None


class Raised(msgspec.Struct, frozen=True, tag="raised", omit_defaults=True):
    """Another alarm of this home: a new press always rings again. `own`: the register itself says that it is its."""

    kind: str
    press: Press | None = None
    caller: Caller | None = None
    own: bool = False
    manned: bool = True
    """Whether a console is live, that can be seen and heard."""
    alarm: str | None = None
    """The alarm's id: by it the journal shows that each rang once."""
    operator: str | None = None
    """Who rang it by hand: there is no alarm then."""


class ResidentAnswered(msgspec.Struct, frozen=True, tag="resident_answered"):
    """The resident pressed *ok* or *cancel*. It is heard and shown, and closes nothing."""

    kind: str


class ResidentAsked(msgspec.Struct, frozen=True, tag="resident_asked"):
    """Before this rang, whoever lives there was asked. `not_asked` names why nobody was; `answer` what was pressed."""

    devices: int
    asked_at: datetime | None = None
    until: datetime | None = None
    answer: str | None = None
    not_asked: str | None = None


class Withdrawn(msgspec.Struct, frozen=True, tag="withdrawn"):
    """Detection takes back what it rang for: somebody got up, or a late reading shows that nothing was. It closes
    nothing, and calls nobody back: only a person can see that somebody is well.
    """

    kind: str
    reason: str


class Restored(msgspec.Struct, frozen=True, tag="restored"):
    """What alarms of this incident said is over. Without `left` nobody knows which alarm it was."""

    kind: str
    devices: int = 1
    """How many are told of at once."""
    left: int | None = None
    """Alarms of this incident that are not over yet."""
    back: int = 0
    """Devices of which nothing is left, of `all` that this incident is of."""
    all: int = 0


class Joined(msgspec.Struct, frozen=True, tag="joined"):
    """Further devices of a group. They ring nobody: what is to be seen to is the same."""

    kind: str
    devices: int
    all: int
    area: str | None
    until: datetime | None = None


class Due(msgspec.Struct, frozen=True, tag="due"):
    """`wake_at` has come."""


class Shown(msgspec.Struct, frozen=True, tag="shown"):
    """A visible page that can sound has drawn the incident."""

    console: str


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    operator: str
    name: str


class Contact(msgspec.Struct, frozen=True, tag="contact"):
    """The operator speaks with the resident."""

    operator: str
    name: str


class NoContact(msgspec.Struct, frozen=True, tag="no_contact"):
    """Silence on the line is not a nuisance (MacAuley, FAI 2012): it escalates by itself."""

    operator: str
    name: str


class Assign(msgspec.Struct, frozen=True, tag="assign"):
    """The operator sends a particular person."""

    operator: str
    name: str
    person: str


class Accept(msgspec.Struct, frozen=True, tag="accept"):
    helper: Helper
    asked_for: str | None = None
    """The home that they were asked to come to; None: nobody knows, or they see for themselves which it is."""


class Decline(msgspec.Struct, frozen=True, tag="decline"):
    person: str


class Unreached(msgspec.Struct, frozen=True, tag="unreached"):
    """A call or message ended without an answer: busy, voicemail, refused, abandoned."""

    person: str
    why: str


class Moving(msgspec.Struct, frozen=True, tag="moving"):
    helper: Helper | None
    reported_by: str | None = None


class OnScene(msgspec.Struct, frozen=True, tag="on_scene"):
    helper: Helper | None
    reported_by: str | None = None
    """Who said so; None when the home itself showed it."""
    asked_for: str | None = None
    """As of `Accept`."""


class Proven(msgspec.Struct, frozen=True, tag="proven"):
    """The home itself shows that a helper is there: a code on its wall, or where the helper's telephone is."""

    helper: Helper
    how: Literal["code", "location"]


class Resigned(msgspec.Struct, frozen=True, tag="resigned"):
    """Who had said that they would come cannot after all."""

    person: str
    why: str = ""


class MoreHelp(msgspec.Struct, frozen=True, tag="more_help"):
    """Who is there, or goes, asks for more people."""

    by: str
    text: str = ""


class Changed(msgspec.Struct, frozen=True, tag="changed"):
    """What is known has changed: whoever goes is told, and says that they have read it."""

    by: str
    text: str


class Confirmed(msgspec.Struct, frozen=True, tag="confirmed"):
    """Whoever goes has read every change up to this number."""

    person: str
    number: int


class Safe(msgspec.Struct, frozen=True, tag="safe"):
    """All is well, says an operator; or a helper (`person`), who must be there, and have seen every alarm so far."""

    by: str
    person: str | None = None
    raised: int | None = None
    """How often it had rung when they looked; None: nobody knows."""


class Close(msgspec.Struct, frozen=True, tag="close"):
    """Closing takes two fields: what it was, and what became of it."""

    operator: str
    name: str
    cause: str
    outcome: str
    as_of: int
    reason: str = ""
    positive: str = ""
    """Where nobody was reached: what is known all the same, one of POSITIVE."""


class Note(msgspec.Struct, frozen=True, tag="note"):
    by: str
    text: str


class Identify(msgspec.Struct, frozen=True, tag="identify"):
    """The operator says whose home it is. `elsewhere`: the open incident that this home has already."""

    operator: str
    name: str
    home: str
    person: str | None
    policy: Policy
    elsewhere: int | None = None


class Connected(msgspec.Struct, frozen=True, tag="connected"):
    """A caller was put through to the desk's telephone. Who took it, only the screen can say."""

    by: str


class Handed(msgspec.Struct, frozen=True, tag="handed"):
    """The hand-over packet for medical staff: given out, opened, or made anew because something has changed."""

    what: Literal["issued", "opened", "reissued"]
    by: str
    """Who gave it; to whom it was given, where they opened it; SYSTEM."""
    to: str = ""
    version: int = 1
    parts: tuple[str, ...] = ()
    """What has changed since the version before."""


class Bridged(msgspec.Struct, frozen=True, tag="bridged"):
    """The desk, the home and whoever goes speak on one line of ordinary telephones: who was rung, came and left."""

    what: Literal["asked", "rung", "joined", "left"]
    person: str
    """DESK, HOME, or the id of whoever goes."""
    by: str = ""


Event = (
    Raised | ResidentAnswered | Restored | Due | Shown | Answer | Contact | NoContact | Assign | Accept | Decline
    | Unreached | Moving | OnScene | Safe | Close | Note | Joined | Identify | Connected | ResidentAsked | Withdrawn
    | Proven | Resigned | MoreHelp | Changed | Confirmed | Bridged | Handed
)  # fmt: skip

# One row an event, one column a state, each cell the rule that applies. Every pair is decided.
TABLE = """
event              waiting      answered     accepted     moving       on_scene     safe         closed
raised             ring_again   ring_again   ring_again   ring_again   ring_again   reopen       too_late
resident_answered  record       record       record       record       record       record       record
resident_asked     record       record       record       record       record       record       record
withdrawn          withdraw     withdraw     withdraw     withdraw     withdraw     withdraw     record
restored           back         back         back         back         back         back         record
joined             join         join         join         join         join         join         too_late
due                wake         wake         wake         wake         wake         remind       too_late
shown              show         show         show         show         show         show         too_late
answer             answer       answer       answer       answer       answer       answer       too_late
contact            contact      contact      contact      contact      contact      contact      too_late
no_contact         no_contact   no_contact   no_contact   no_contact   record       record       too_late
assign             assign       assign       assign       assign       assign       assign       too_late
accept             accept       accept       relieve      relieve      second       relieve      too_late
decline            decline      decline      decline      decline      decline      decline      record
unreached          record       record       record       record       record       record       record
moving             move         move         move         move         follow       too_late     too_late
on_scene           arrive       arrive       arrive       arrive       there_too    too_late     too_late
proven             prove        prove        prove        prove        prove        record       record
resigned           leave        leave        resign       resign       resign       record       record
more_help          more_help    more_help    more_help    more_help    more_help    more_help    too_late
changed            change       change       change       change       change       change       record
confirmed          confirm      confirm      confirm      confirm      confirm      confirm      record
safe               safe         safe         safe         safe         safe         too_late     too_late
close              close        close        close        close        close        close        too_late
note               record       record       record       record       record       record       record
identify           identify     identify     identify     identify     identify     identify     too_late
connected          record       record       record       record       record       record       record
bridged            record       record       record       record       record       record       record
handed             record       record       record       record       record       record       record
"""


class Ask(msgspec.Struct, frozen=True):
    """Somebody to ask now, through these channels; worth nothing after the deadline."""

    person: Person
    channels: tuple[str, ...]
    step: int
    deadline: datetime


class Stage(msgspec.Struct, frozen=True):
    """What the button shows next."""

    stage: Literal["accepted", "on_the_way", "closed"]
    by: str | None = None
    eta: datetime | None = None


class Decision(msgspec.Struct, frozen=True):
    """What was decided, by name, and what follows from it.

    `name` is the same word in tests, journal, metrics and on the screen. A refusal changes nothing and says why;
    `who` is the person it speaks of.
    """

    name: str
    incident: Incident
    asks: tuple[Ask, ...] = ()
    stage: Stage | None = None
    stop_calling: bool = False
    """Calls that still wait to be placed are withdrawn."""
    tell: Change | None = None
    """What whoever goes is to be told now."""
    refused: bool = False
    who: str | None = None


def open_incident(
    *,
    home: str | None,
    device: str | None,
    cause: str,
    danger: bool,
    test: bool,
    policy: Policy,
    press: Press | None,
    t0: datetime,
    t1: datetime,
    people: tuple[Person, ...],
    now: datetime,
    group: Group | None = None,
    named_by: str | None = None,
    manned: bool = True,
) -> Decision:
    """A new incident, its first step running. Where no console is live (`manned`), nobody waits for the desk."""
    incident = Incident(
        home=home,
        device=device,
        cause=cause,
        danger=danger,
        test=test,
        policy=policy,
        state=State.WAITING,
        version=1,
        opened_at=now,
        wake_at=now,
        presses=(press,) if press else (),
        named_by=named_by,
        stamps={"t0": t0, "t1": t1},
        group=group,
    )
    if manned or not danger or test:
        return _run("opened", incident, 0, people, now)
    return _run("opened_desk_empty", incident, _past_desk(policy, 0), people, now)


def decide(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    """What follows from `event`. `people` are those who can be asked for this home, `now` is the transaction's time."""
    rule = RULES[_table()[tag(event), incident.state]]
    if isinstance(event, Accept | OnScene) and event.asked_for not in (None, incident.home):
        # An operator has found out since that it is another home: whoever goes to the first is nobody's help.
        return _refuse("other_home", incident)
    decision = rule(incident, event, people, now)
    if decision.incident is incident or decision.refused:
        return decision
    changed = msgspec.structs.replace(decision.incident, version=incident.version + 1)
    if isinstance(event, Raised) and decision.name != "arrival_proven":
        changed = msgspec.structs.replace(changed, raised_version=changed.version)
    return msgspec.structs.replace(decision, incident=changed)


def tag(event: Event) -> str:
    return str(type(event).__struct_config__.tag)


_replace = msgspec.structs.replace
_parsed: dict[tuple[str, State], str] = {}


def _table() -> dict[tuple[str, State], str]:
    if not _parsed:
        header, *rows = (line.split() for line in TABLE.strip().splitlines())
        _parsed.update(
            {(row[0], State(state)): rule for row in rows for state, rule in zip(header[1:], row[1:], strict=True)}
        )
    return _parsed


def _run(name: str, incident: Incident, number: int, people: tuple[Person, ...], now: datetime) -> Decision:
    """Run step `number`; steps that have nobody to ask are passed over, except the last, which waits."""
    policy = incident.policy
    tier = _tier(incident, number, people)
    while number < len(policy.steps) - 1 and policy.step(number).who != "desk" and not tier.persons:
        number += 1
        tier = _tier(incident, number, people)
    return _ask(name, _replace(incident, step=number, tried=()), tier, now)


def _tier(incident: Incident, number: int, people: tuple[Person, ...]) -> Tier:
    return asked(incident.policy, number, people, danger=incident.danger and not incident.test)


def _go_on(name: str, incident: Incident, people: tuple[Person, ...], now: datetime) -> Decision:
    """Ask the next of the running step, if it asks in turn and somebody is left; else run the next."""
    tier = _tier(incident, incident.step, people)
    left = tier._replace(persons=tuple(one for one in tier.persons if one.id not in incident.tried))
    if incident.policy.step(incident.step).many and incident.tried and left.persons:
        return _ask(name, incident, left, now)
    begun = _run(name, incident, incident.step + 1, people, now)
    if begun.asks and begun.incident.step < len(incident.policy.steps):
        return begun
    # Everybody has been asked, or nobody can be: whoever has it at the desk, or comes to it now, hears of it again.
    return _replace(begun, incident=_replace(begun.incident, ringing=True))


def _ask(name: str, incident: Incident, tier: Tier, now: datetime) -> Decision:
    """Ask as many of these as the step asks at a time."""
    step = incident.policy.step(incident.step)
    persons = tier.persons[: step.many or None]
    deadline = now + timedelta(seconds=step.wait_seconds)
    running = _replace(
        incident,
        step_at=now,
        awaited=tuple(person.id for person in persons),
        tried=(*incident.tried, *(person.id for person in persons)),
        calling=True,
        wake_at=_desk_wake(incident, step, now) if step.who == "desk" else deadline,
    )
    asks = tuple(Ask(person, tier.channels, running.step, deadline) for person in persons)
    return Decision(name, running, asks)


def _past_desk(policy: Policy, number: int) -> int:
    """The first step from `number` on that is not the desk's; the last, if there is none."""
    while number < len(policy.steps) - 1 and policy.step(number).who == "desk":
        number += 1
    return number


def _desk_wake(incident: Incident, step: Step, since: datetime) -> datetime:
    unseen = step.unseen_seconds is not None and "t2" not in incident.stamps
    return since + timedelta(seconds=step.unseen_seconds if unseen and step.unseen_seconds else step.wait_seconds)


def _stamped(incident: Incident, stamp: str, now: datetime) -> Incident:
    """The first of its kind counts; none is written over."""
    if stamp in incident.stamps:
        return incident
    return _replace(incident, stamps={**incident.stamps, stamp: now})


def _refuse(name: str, incident: Incident, who: str | None = None) -> Decision:
    return Decision(name, incident, refused=True, who=who)


def _record(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    """It is written in the journal, and changes nothing."""
    return Decision("recorded", incident)


def _back(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    """What was wrong with a device is over. When nothing is left, an incident that nobody has taken closes by itself:
    nothing is to be seen to, and ten thousand power cuts that mended themselves would hide the device that did not. One
    that somebody has stays theirs, silent. A danger is over only when a person says so.
    """
    assert isinstance(event, Restored)
    if event.left is None:
        return Decision("recorded", incident)
    told = incident
    if incident.group is not None:
        told = _replace(incident, group=_replace(incident.group, back=event.back, devices=event.all))
    if incident.danger or event.left > 0:
        return Decision("recorded", told)
    if incident.state is State.WAITING and incident.operator is None and incident.helper is None:
        closing = Close("", "", "technical", "restored", incident.version)
        return Decision("restored_itself", _closed(told, closing, now), stage=Stage("closed"), stop_calling=True)
    return Decision("all_restored", _replace(told, ringing=False))


def _withdraw(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    """It is shown wherever the incident is; what rings rings on, and whoever was asked may come."""
    assert isinstance(event, Withdrawn)
    return Decision("withdrawn", _replace(incident, withdrawn=event.reason))


def _join(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    assert isinstance(event, Joined)
    if incident.group is None:
        return Decision("recorded", incident)
    group = _replace(incident.group, devices=event.all, area=event.area, until=event.until or incident.group.until)
    return Decision("joined", _replace(incident, group=group))


def _too_late(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    if incident.state is State.CLOSED:
        return _refuse("already_closed", incident, incident.closing.name if incident.closing else None)
    return _refuse(f"already_{incident.state}", incident, incident.helper.name if incident.helper else None)


def _ring_again(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    assert isinstance(event, Raised)
    presses = ((*incident.presses, event.press) if event.press else incident.presses)[-PRESSES_KEPT:]
    if _shows_arrival(incident, event, now):
        # It is told its stages as any press is.
        return Decision("arrival_proven", _replace(_arrival_shown(incident, "press"), presses=presses))
    incident, change = _changed(incident, "alarm", event.kind, SYSTEM, now, tell=event.kind != incident.cause)
    ringing = _replace(
        incident, raised=incident.raised + 1, presses=presses, ringing=True, unheard=True,
        own=incident.own or event.own, withdrawn=None,
        # Whoever was well when we spoke may not be now: they must be spoken with again.
        contact=None if incident.contact == "made" else incident.contact,
    )  # fmt: skip
    if incident.calling:  # the running step goes on: a press is never answered by starting over
        return Decision("rang_again", ringing, tell=change)
    first = incident.policy.step(0)
    at_desk = event.manned and first.who == "desk"
    soon = now + timedelta(seconds=first.wait_seconds) if at_desk or not incident.danger else now
    due = min(incident.wake_at, soon) if incident.wake_at else soon
    # Nobody of the running step is asked on: the next one begins.
    again = _replace(ringing, calling=True, awaited=(), tried=(), wake_at=due)
    return Decision("rang_again", again, tell=change)


def _shows_arrival(incident: Incident, event: Raised, now: datetime) -> bool:
    """A press of the home's own button right after a helper's word: it was asked for, to show that they are there."""
    pressed = event.press is not None and event.own and event.kind == "sos"
    if not pressed or incident.state is not State.ON_SCENE or incident.there_at is None:
        return False
    return incident.there_at <= now <= after(incident.there_at, PROOF_SECONDS)


def _arrival_shown(incident: Incident, how: str) -> Incident:
    return _replace(
        incident, reported=tuple(stamp for stamp in incident.reported if stamp != "t7"), there_at=None, proof=how
    )


def _changed(
    incident: Incident, kind: str, text: str, by: str, now: datetime, *, tell: bool = True
) -> tuple[Incident, Change | None]:
    """Keep a change for whoever goes; it is said to them now. None: nobody goes, or it is no news."""
    if not tell or not _goes(incident):
        return incident, None
    change = Change(len(incident.changes) + 1, kind, text, now, by)
    return _replace(incident, changes=(*incident.changes, change)), change


def _goes(incident: Incident) -> bool:
    """Whether anybody goes. Who is called to where an ambulance came first stands in `seconds` alone."""
    return incident.helper is not None or bool(incident.seconds)


def _reopen(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    """It was called safe and is not: whoever is asked now may accept, go and arrive as at the beginning."""
    decision = _ring_again(_all_gone(incident), event, people, now)
    return _replace(decision, incident=_replace(decision.incident, state=State.WAITING))


def _all_gone(incident: Incident) -> Incident:
    """Whoever was there when it was called safe may have gone."""
    helper = _replace(incident.helper, there=False) if incident.helper else None
    return _replace(incident, helper=helper, seconds=tuple(_replace(one, there=False) for one in incident.seconds))


def _wake(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    if _early(incident, now):
        return _refuse("not_due", incident)
    if incident.calling:
        return _go_on("next_step", incident, people, now)
    # Somebody had it and was not heard from again.
    return _run("stalled", _replace(incident, ringing=True), incident.step + 1, people, now)


def _early(incident: Incident, now: datetime) -> bool:
    """Whether it is not due. A last step that lies in the future means that the wall clock was put back while nothing
    ran: nobody can tell by how much then, and early is the safe side.
    """
    put_back = incident.step_at is not None and incident.step_at > after(now, PUT_BACK_SECONDS)
    return incident.wake_at is None or (now < incident.wake_at and not put_back)


def _remind(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    if _early(incident, now):
        return _refuse("not_due", incident)
    if incident.calling:  # somebody was sent after it was called safe, and has not answered
        return _go_on("next_step", incident, people, now)
    return Decision(
        "reminded", _replace(incident, ringing=True, step_at=now, wake_at=after(now, incident.policy.close_seconds))
    )


def _show(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    if "t2" in incident.stamps:
        return _refuse("already_shown", incident)
    shown = _stamped(incident, "t2", now)
    if incident.test:
        return _test_passed(shown, now)
    step = incident.policy.step(incident.step)
    if incident.state is State.WAITING and incident.calling and step.who == "desk" and incident.step_at:
        shown = _replace(shown, wake_at=_desk_wake(shown, step, incident.step_at))
    return Decision("shown", shown)


def _test_passed(incident: Incident, now: datetime) -> Decision:
    """A test has walked the whole way once a screen has drawn it, or a person has taken it: nobody waits in it, so no
    person need close it.
    """
    by, name = incident.operator or SYSTEM, incident.operator_name or ""
    closing = Close(by, name, "test", "test_confirmed", incident.version)
    return Decision("test_passed", _closed(incident, closing, now), stage=Stage("closed"), stop_calling=True)


def _answer(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    assert isinstance(event, Answer)
    if incident.operator is not None and not incident.ringing:
        name = "already_yours" if incident.operator == event.operator else "already_answered"
        return _refuse(name, incident, incident.operator_name)
    held = _held(incident, event.operator, event.name, now)
    if incident.test:
        return _test_passed(held, now)
    decision = Decision("answered", held, stop_calling=True)
    if incident.state is State.WAITING:
        return _replace(decision, stage=Stage("accepted", event.name))
    return decision


def _held(incident: Incident, operator: str, name: str, now: datetime) -> Incident:
    """The operator has it: the desk falls silent, and the promise of this state begins to run."""
    state = State.ANSWERED if incident.state is State.WAITING else incident.state
    held = _replace(
        incident, operator=operator, operator_name=name, ringing=False, calling=False, awaited=(), state=state,
        unheard=False,
    )  # fmt: skip
    promised = _promised(held, now)
    if state is not State.ANSWERED and not incident.calling and incident.wake_at and promised.wake_at:
        # What a helper has promised is theirs to keep: that an operator looks gives them no more time.
        promised = _replace(promised, wake_at=min(incident.wake_at, promised.wake_at))
    return _stamped(promised, "t3", now)


def _promised(incident: Incident, now: datetime) -> Incident:
    """When the state that the incident is in is doubted, if nothing more is heard."""
    policy = incident.policy
    if incident.state is State.MOVING and incident.helper and incident.helper.eta:
        # Nobody's word, nor a slip on the keypad, buys more time than a way may take: then it is asked about.
        arrival = min(max(incident.helper.eta, now), after(now, policy.arrive_seconds))
        return _replace(incident, wake_at=after(arrival, policy.grace_seconds))
    seconds = {
        State.ANSWERED: policy.decide_seconds if incident.contact == "made" else policy.contact_seconds,
        State.ACCEPTED: policy.move_seconds,
        State.MOVING: policy.arrive_seconds,
        State.ON_SCENE: policy.safe_seconds,
        State.SAFE: policy.close_seconds,
    }[incident.state]
    return _replace(incident, wake_at=after(now, seconds))


def after(now: datetime, seconds: int) -> datetime:
    return now + timedelta(seconds=seconds)


def _contact(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    assert isinstance(event, Contact)
    told, change = _changed(incident, "contact_made", "", event.name, now, tell=incident.contact == "none")
    made = _replace(told, contact="made")
    # Whom the running step has asked may still come: speaking with the resident calls nobody back.
    return Decision("contact_made", _stamped(_held(made, event.operator, event.name, now), "t4", now), tell=change)


def _no_contact(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    assert isinstance(event, NoContact)
    told, change = _changed(incident, "no_contact", "", event.name, now, tell=incident.contact != "none")
    silent = _stamped(_held(_replace(told, contact="none"), event.operator, event.name, now), "t4", now)
    if incident.calling and incident.awaited:  # people are being asked: let them answer, and go on from there
        going_on = _replace(silent, calling=True, awaited=incident.awaited, wake_at=incident.wake_at)
        return Decision("no_contact_escalates", going_on, tell=change)
    if incident.state in (State.ACCEPTED, State.MOVING):  # somebody is on the way already
        return Decision("no_contact", silent, tell=change)
    number = incident.step
    if incident.policy.step(number).who != "desk":  # who was asked in this step has been asked
        number += 1
    begun = _run("no_contact_escalates", silent, _past_desk(incident.policy, number), people, now)
    return _replace(begun, tell=change)


def _assign(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    assert isinstance(event, Assign)
    person = next((person for person in people if person.id == event.person), None)
    if person is None:
        return _refuse("unknown_person", incident)
    wait = next((step.wait_seconds for step in incident.policy.steps if step.who != "desk"), 60)
    # Whom an operator sends is told so: where a step's channels do not reach them, by whatever does.
    channels = next((step.channels for step in incident.policy.steps if reaches(person, step.channels)), CALLS)
    held = _held(incident, event.operator, event.name, now)
    # A step number of its own: the same person may be sent again, and each sending is one contact.
    number = max(incident.step + 1, len(incident.policy.steps))
    deadline = after(now, wait)
    assigned = _replace(
        held, step=number, step_at=now, calling=True, awaited=(person.id,), tried=(person.id,), wake_at=deadline
    )
    return Decision("assigned", assigned, (Ask(person, channels, number, deadline),), who=person.name)


def _accept(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    assert isinstance(event, Accept)
    # Also where it was called safe and rings again: who was to come stands beside, and nobody stands there twice.
    beside = tuple(helper for helper in (*incident.seconds, incident.helper) if helper and helper.id != event.helper.id)
    accepted = _replace(
        incident, state=State.ACCEPTED, helper=event.helper, seconds=beside, ringing=False, calling=False, awaited=(),
        unheard=False,
    )  # fmt: skip
    return Decision(
        "accepted",
        _stamped(_promised(accepted, now), "t5", now),
        stage=Stage("accepted", event.helper.name),
        stop_calling=True,
        who=event.helper.name,
    )


def _relieve(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    """While people are being asked, whoever accepts is the one we count on: the first was not heard from again, or
    the button was pressed again, or more were sent. While nobody is, there is a first already, or it is over.
    """
    assert isinstance(event, Accept)
    if not incident.calling:
        return (_too_late if incident.state is State.SAFE else _second)(incident, event, people, now)
    return _accept(incident, event, people, now)


def _second(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    assert isinstance(event, Accept)
    first = incident.helper.name if incident.helper else None
    if incident.helper and incident.helper.id == event.helper.id:
        return _refuse("already_yours", incident, first)
    if any(helper.id == event.helper.id for helper in incident.seconds):
        return _refuse("already_yours", incident, first)
    beside = _replace(incident, seconds=(*incident.seconds, event.helper))
    if incident.calling:  # on scene, and more help was asked for: it has been found, and has its time to come
        beside = _replace(beside, calling=False, awaited=(), wake_at=after(now, incident.policy.move_seconds))
    return Decision("accepted_second", beside, stop_calling=incident.calling, who=first)


def _decline(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    assert isinstance(event, Decline)
    awaited = tuple(person for person in incident.awaited if person != event.person)
    if awaited == incident.awaited:
        return Decision("recorded", incident)
    declined = _replace(incident, awaited=awaited)
    if awaited or not incident.calling:
        return Decision("declined", declined)
    # Everyone of this step has said no: that is an answer, so there is nothing to wait for.
    begun = _go_on("declined_by_all", declined, people, now)
    if begun.asks and {ask.person.id for ask in begun.asks} <= {*incident.tried}:
        # But nobody else is left: who has just said no is not called again before this step's time is up.
        return Decision("declined_by_all", _replace(declined, ringing=True))
    return begun


def _move(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    assert isinstance(event, Moving)
    told = event.helper
    if told is not None and event.reported_by is None and _only_minutes(incident, told):
        return _minutes(incident, told, now)
    helper, seconds = _counted_on(incident, told)
    moving = _replace(
        incident, state=State.MOVING, helper=helper, seconds=seconds, ringing=False, calling=False, awaited=(),
        unheard=False, reported=_reported(incident, "t6", event.reported_by),
    )  # fmt: skip
    stamped = _stamped(_stamped(_promised(moving, now), "t5", now), "t6", now)
    stage = Stage("on_the_way", helper.name if helper else None, helper.eta if helper else None)
    return Decision("moving", stamped, stage=stage, stop_calling=True)


def _follow(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    """Somebody is there; who else goes says how long they need."""
    assert isinstance(event, Moving)
    told = event.helper
    if told is None or all(one.id != told.id or one.there for one in incident.seconds):
        return _too_late(incident, event, people, now)
    return _minutes(incident, told, now)


def _goes_already(incident: Incident, person: str) -> bool:
    return any(one is not None and one.id == person for one in (incident.helper, *incident.seconds))


def _only_minutes(incident: Incident, told: Helper) -> bool:
    """Whether who says that they are on their way says only how long they need: it is no answer to a press that they
    may not know of, and who comes later takes nobody's place.
    """
    if not _goes_already(incident, told.id):
        return False
    if incident.unheard:
        return True
    first = incident.helper
    if incident.state is not State.MOVING or first is None or first.id == told.id or first.eta is None:
        return False
    return told.eta is None or told.eta >= first.eta


def _minutes(incident: Incident, told: Helper, now: datetime) -> Decision:
    """When somebody who goes will be there: whatever rings or is asked goes on."""
    first = incident.helper
    theirs = first is not None and first.id == told.id
    kept = _replace(
        incident,
        helper=_merged(first, told) if theirs else first,
        seconds=tuple(told if one.id == told.id else one for one in incident.seconds),
    )
    if not theirs:
        return Decision("minutes_second", kept, who=told.name)
    state = State.MOVING if incident.state is State.ACCEPTED else incident.state
    going = _stamped(_replace(kept, state=state), "t6", now)
    return Decision("minutes", going, stage=Stage("on_the_way", told.name, told.eta))


def _merged(known: Helper | None, told: Helper | None) -> Helper | None:
    if told is None or known is None:
        return told or known
    if told.id != known.id:
        return told
    return _replace(told, eta=told.eta or known.eta, there=told.there or known.there)


def _counted_on(incident: Incident, told: Helper | None) -> tuple[Helper | None, tuple[Helper, ...]]:
    """Whom we count on from here, and whoever else goes: nobody who goes is forgotten because another is faster."""
    helper = _merged(incident.helper, told)
    going = (*((incident.helper,) if incident.helper else ()), *incident.seconds)
    return helper, tuple(one for one in going if helper is None or one.id != helper.id)


def _reported(incident: Incident, stamp: str, by: str | None) -> tuple[str, ...]:
    if by is None or stamp in incident.stamps or stamp in incident.reported:
        return incident.reported
    return (*incident.reported, stamp)


def _arrive(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    assert isinstance(event, OnScene)
    return _arrived(incident, event.helper, event.reported_by, now)


def _arrived(incident: Incident, helper: Helper | None, reported_by: str | None, now: datetime) -> Decision:
    first, seconds = _counted_on(incident, helper and _replace(helper, there=True))
    arrived = _replace(
        incident, state=State.ON_SCENE, helper=first, seconds=seconds, ringing=False, calling=False, unheard=False,
        awaited=(), reported=_reported(incident, "t7", reported_by), there_at=now if reported_by else None,
    )  # fmt: skip
    return Decision("on_scene", _stamped(_promised(arrived, now), "t7", now), stop_calling=True)


def _there_too(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    """Another is there beside the first; or the first says so again, for the home's button to be pressed now."""
    assert isinstance(event, OnScene)
    first = incident.helper
    if event.helper is None or (first is not None and event.helper.id == first.id):
        if event.helper is None or event.reported_by is None or "t7" not in incident.reported:
            return _too_late(incident, event, people, now)
        return Decision("there_again", _replace(incident, there_at=now))
    beside = tuple(one for one in incident.seconds if one.id != event.helper.id)
    there_at = now if "t7" in incident.reported else None
    there = _replace(incident, seconds=(*beside, _replace(event.helper, there=True)), there_at=there_at, wanted=False)
    return Decision("there_too", there)


def _prove(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    assert isinstance(event, Proven)
    if incident.state is not State.ON_SCENE:
        decision = _arrived(incident, event.helper, None, now)
        return _replace(decision, incident=_replace(decision.incident, proof=event.how))
    incident = _marked_there(incident, event.helper.id)
    if incident.proof is not None:
        return Decision("recorded", incident)
    return Decision("arrival_proven", _arrival_shown(incident, event.how))


def _marked_there(incident: Incident, person: str) -> Incident:
    if not _goes_already(incident, person) or _is_there(incident, person):
        return incident
    if incident.helper is not None and incident.helper.id == person:
        return _replace(incident, helper=_replace(incident.helper, there=True))
    seconds = tuple(_replace(one, there=True) if one.id == person else one for one in incident.seconds)
    return _replace(incident, seconds=seconds)


def _resign(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    """Whoever was to come cannot. Who goes beside them is counted on now; where nobody does, the next are asked."""
    assert isinstance(event, Resigned)
    beside = tuple(helper for helper in incident.seconds if helper.id != event.person)
    if incident.helper is None or incident.helper.id != event.person:
        if beside == incident.seconds:
            return Decision("recorded", incident)
        left = _replace(incident, seconds=beside)
        if incident.wanted and not incident.calling:  # it was they who had been found
            who = next(helper.name for helper in incident.seconds if helper.id == event.person)
            return _replace(_run("resigned", _replace(left, ringing=True), incident.step + 1, people, now), who=who)
        return Decision("resigned_second", left)
    who = incident.helper.name
    incident = _replace(incident, there_at=None, proof=None)  # whatever was shown, was shown of them
    if beside:
        first = next((one for one in beside if one.there), beside[0])
        state = State.ON_SCENE if first.there else State.ACCEPTED if first.eta is None else State.MOVING
        others = tuple(one for one in beside if one is not first)
        left = _promised(_replace(incident, helper=first, seconds=others, state=state), now)
        if incident.wanted and not incident.calling:
            begun = _run("resigned", _replace(left, ringing=True), incident.step + 1, people, now)
            return _replace(begun, stage=Stage("accepted", first.name), who=who)
        if incident.calling:  # others are being asked, too: that goes on as it was
            left = _replace(left, wake_at=incident.wake_at)
        return Decision("resigned_next_goes", left, stage=Stage("accepted", first.name), who=who)
    state = State.WAITING if incident.operator is None else State.ANSWERED
    alone = _replace(incident, helper=None, state=state, ringing=True)
    if incident.calling:
        return Decision("resigned", alone, who=who)
    return _replace(_run("resigned", alone, incident.step + 1, people, now), who=who)


def _leave(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    """It was called safe and rang again: whoever was to come then is counted on no more. Others are being asked, or an
    operator has it.
    """
    assert isinstance(event, Resigned)
    going = (*((incident.helper,) if incident.helper else ()), *incident.seconds)
    left = tuple(helper for helper in going if helper.id != event.person)
    if left == going:
        return Decision("recorded", incident)
    return Decision("resigned_second", _replace(incident, helper=left[0] if left else None, seconds=left[1:]))


def _more_help(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    """The next are asked at once, beside whoever is there."""
    assert isinstance(event, MoreHelp)
    state = State.ON_SCENE if incident.state is State.SAFE else incident.state
    louder = _replace(incident, ringing=True, state=state, wanted=True)
    if incident.calling and incident.awaited:  # they are being asked: the desk rings, and nobody is asked twice
        return Decision("more_help", louder)
    number = incident.step if incident.policy.step(incident.step).who == "desk" else incident.step + 1
    return _run("more_help", louder, _past_desk(incident.policy, number), people, now)


def _change(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    """What is said before anybody goes is kept: it is the first thing that whoever goes then reads (Volante, 2015)."""
    assert isinstance(event, Changed)
    change = Change(len(incident.changes) + 1, "text", event.text, now, event.by)
    kept = _replace(incident, changes=(*incident.changes, change))
    return Decision("changed", kept, tell=change if _goes(incident) else None)


def _confirm(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    assert isinstance(event, Confirmed)
    changes = tuple(
        _replace(change, confirmed=(*change.confirmed, event.person))
        if change.number <= event.number and event.person not in change.confirmed
        else change
        for change in incident.changes
    )
    if changes == incident.changes:
        return Decision("recorded", incident)
    return Decision("confirmed", _replace(incident, changes=changes))


def _safe(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    assert isinstance(event, Safe)
    if event.person is not None and not _is_there(incident, event.person):
        return _refuse("not_there", incident)
    if event.raised is not None and event.raised < incident.raised:
        return _refuse("pressed_again", incident)
    safe = _replace(incident, state=State.SAFE, ringing=False, calling=False, awaited=(), wanted=False, unheard=False)
    return Decision("safe", _stamped(_promised(safe, now), "t8", now), stop_calling=True)


def _is_there(incident: Incident, person: str) -> bool:
    # Whom we count on there is there, also where an operator said it, or an earlier version kept only the state.
    if incident.state is State.ON_SCENE and incident.helper is not None and incident.helper.id == person:
        return True
    return any(one is not None and one.id == person and one.there for one in (incident.helper, *incident.seconds))


def _close(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    assert isinstance(event, Close)
    if event.cause not in CAUSES:
        return _refuse("unknown_cause", incident)
    if event.outcome not in OUTCOMES:
        return _refuse("unknown_outcome", incident)
    if event.as_of < incident.raised_version:
        return _refuse("pressed_again", incident)
    if event.positive and event.positive not in POSITIVE:
        return _refuse("unknown_reason", incident)
    if nobody_reached(incident.contact, incident.state, "t7" in incident.stamps) and not event.positive:
        return _refuse("no_contact_needs_reason", incident)
    if late(incident, now) and not event.reason.strip():
        return _refuse("late_answer_needs_reason", incident)
    return Decision("closed", _closed(incident, event, now), stage=Stage("closed", event.name), stop_calling=True)


def nobody_reached(contact: str | None, state: str, arrived: bool) -> bool:
    """Whether closing needs to say what is known all the same. That it is safe shows nothing where nobody has been."""
    return contact == "none" and not (state == State.ON_SCENE or (state == State.SAFE and arrived))


def _closed(incident: Incident, closing: Close, now: datetime) -> Incident:
    closed = _stamped(
        _replace(incident, state=State.CLOSED, wake_at=None, ringing=False, calling=False, awaited=(), closing=closing),
        "t9",
        now,
    )
    absent = {stamp: _why_absent(closed, stamp) for stamp in STAMPS if stamp not in closed.stamps}
    return _replace(closed, absent=absent)


def _identify(incident: Incident, event: Event, people: tuple[Person, ...], now: datetime) -> Decision:
    """Whose home it is becomes known, or is put right: from here it goes on as theirs. Naming is no answering: what
    rings rings on. `people` are the named home's.
    """
    assert isinstance(event, Identify)
    if not incident.danger or incident.test:
        return _refuse("not_a_call", incident)
    if incident.home == event.home:
        return _refuse("already_named", incident, event.person)
    if incident.home is not None and (incident.named_by is None or incident.own):
        return _refuse("home_known", incident)  # its own device, or its own telephone, said so
    if event.elsewhere is not None:
        return _refuse("home_has_incident", incident, str(event.elsewhere))
    if incident.helper is not None and incident.home is not None:
        # Whoever goes was sent to the other home: that is an incident of its own now, and so is this one's.
        return _refuse(f"already_{incident.state}", incident, incident.helper.name)
    first, at_desk = incident.home is None, incident.policy.step(incident.step).who == "desk"
    # While nobody's home was known nobody was asked, and the steps begin anew; of another home's people some were, and
    # nobody is asked twice under one number.
    step = incident.step if at_desk else 0 if first else max(incident.step + 1, len(incident.policy.steps))
    named = _replace(incident, home=event.home, named_by=event.name, policy=event.policy, step=step, awaited=())
    if not incident.calling or (at_desk and event.policy.step(step).who == "desk"):
        return Decision("identified", named, stop_calling=not first, who=event.person)
    # Steps have run that had nobody to ask, or this home waits for no desk. Now there is somebody.
    begun = _run("identified", named, _past_desk(event.policy, 0) if first or at_desk else step, people, now)
    return _replace(begun, stop_calling=not first, who=event.person)


def late(incident: Incident, now: datetime) -> bool:
    """Whether a human answered (or still has not) later than a danger may wait."""
    first = incident.stamps.get("t3", now)
    if accepted := incident.stamps.get("t5"):
        first = min(first, accepted)
    return incident.danger and (first - incident.stamps["t1"]).total_seconds() > ANSWER_LATE_SECONDS


def _why_absent(incident: Incident, stamp: str) -> str:
    """The name of the reason for a stamp's absence."""
    if stamp == "t2":
        return "no_screen_confirmed"
    if stamp == "t3":
        return "helper_answered_first" if "t5" in incident.stamps else "closed_unanswered"
    if stamp == "t4":
        return "no_voice_contact_recorded"
    if stamp in ("t5", "t6"):
        return "arrival_was_first_word" if "t7" in incident.stamps else "nobody_was_sent"
    if stamp == "t7":
        return "arrival_not_stamped" if incident.helper else "nobody_was_sent"
    return "closed_without_word_of_safety"


Rule = Callable[[Incident, Event, tuple[Person, ...], datetime], Decision]

RULES: dict[str, Rule] = {
    "record": _record,
    "back": _back,
    "withdraw": _withdraw,
    "join": _join,
    "too_late": _too_late,
    "ring_again": _ring_again,
    "reopen": _reopen,
    "wake": _wake,
    "remind": _remind,
    "show": _show,
    "answer": _answer,
    "contact": _contact,
    "no_contact": _no_contact,
    "assign": _assign,
    "accept": _accept,
    "relieve": _relieve,
    "second": _second,
    "decline": _decline,
    "move": _move,
    "follow": _follow,
    "arrive": _arrive,
    "there_too": _there_too,
    "prove": _prove,
    "resign": _resign,
    "leave": _leave,
    "more_help": _more_help,
    "change": _change,
    "confirm": _confirm,
    "safe": _safe,
    "close": _close,
    "identify": _identify,
}
