"""What comes of events at an incident, wherever it is kept: what is decided, and what the journal says. PURE."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from dispatch import incident as core
from dispatch.incident import Decision, Event, Incident
from dispatch.journal import entry_hash
from dispatch.policy import Person

NOBODY_KNOWN = "system"


class Act(NamedTuple):
    """What was decided on what there was, and the channels of what was withdrawn for it."""

    before: Incident
    decision: Decision
    withdrawn: tuple[str, ...] = ()


class Entry(NamedTuple):
    """What the journal keeps of one event: its name, what was decided, who did it, and what it told."""

    event: str
    decision: Decision
    actor: str
    detail: dict[str, Any]


def happen(
    incident: Incident, events: Iterable[tuple[Event, str | None]], people: tuple[Person, ...], now: datetime
) -> tuple[list[Act], list[Entry]]:
    """Let events happen, one after the other, each with whom to name for it (None: whom it names itself)."""
    acts: list[Act] = []
    entries: list[Entry] = []
    for event, by in events:
        decision = core.decide(incident, event, people, now)
        acts.append(Act(incident, decision))
        incident = decision.incident
        if decision.refused and isinstance(event, core.Due | core.Shown):
            continue  # a timer or a screen that came too late is no act of anyone
        entries.append(Entry(core.tag(event), decision, by or actor(event), detail(event, people)))
    return acts, entries


def chain(
    incident_id: int, number: int, before: bytes, entries: Sequence[Entry], now: datetime
) -> list[dict[str, Any]]:
    """Entries as rows of the journal, behind its entry `number` (0: there is none) with the hash `before`."""
    rows = []
    for event, decision, by, told in entries:
        more = dict(told)
        if decision.asks:
            more |= {
                "asked": [ask.person.name for ask in decision.asks],
                "chosen": [list(ask.person.why) for ask in decision.asks],
                "step": decision.incident.step,
            }
        if decision.who:
            more["who"] = decision.who
        number += 1
        before = entry_hash(before, incident_id, number, now, event, decision.name, by, more)
        rows.append(
            {
                "incident": incident_id, "number": number, "at": now, "event": event, "decision": decision.name,
                "actor": by, "detail": more, "hash": before,
            }
        )  # fmt: skip
    return rows


def detail(event: Event, people: Iterable[Person] = ()) -> dict[str, Any]:
    """What the event told, for the journal; of somebody who is sent, why no step would have asked them."""
    told = msgspec.to_builtins(event)
    kept = {key: value for key, value in told.items() if key != "type" and value is not None}
    if isinstance(event, core.Identify):
        kept["policy"] = event.policy.name  # its text stands in the incident
    if isinstance(event, core.Assign):
        passed = next((one.passed for one in people if one.id == event.person), "")
        kept |= {"overrides": passed} if passed else {}
    return kept


def actor(event: Event) -> str:
    """Who did it, for the journal."""
    match event:
        case core.Answer() | core.Contact() | core.NoContact() | core.Assign() | core.Close() | core.Identify():
            return event.name
        case core.Accept(helper=helper) | core.Proven(helper=helper):
            return helper.name
        case core.Moving(helper=helper, reported_by=by) | core.OnScene(helper=helper, reported_by=by):
            return by or (helper.name if helper else NOBODY_KNOWN)
        case core.Safe(by=by) | core.Note(by=by) | core.Connected(by=by) | core.MoreHelp(by=by) | core.Changed(by=by):
            return by
        case core.Handed(by=by):
            return by
        case core.Decline() | core.Unreached() | core.Resigned() | core.Confirmed():
            return event.person
        case core.Bridged(by=by, person=person):
            return by or person
        case _:
            return NOBODY_KNOWN
