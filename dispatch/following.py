"""What follows from a decision: who is sent what, through which channel. PURE.

A decision names people and news; this makes rows of the outbox of it. The unique key of a row is the promise that
nobody is contacted twice for one thing, so each thing has a number: of a call for help its step, of a stage the
incident's version, of a change its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from dispatch.incident import DESK, Change, Decision, Helper, Incident, Stage
from dispatch.policy import CALLS, Person

HELP, STAGE, CHANGE, FAMILY, TEST, WEEK = "help", "stage", "change", "family", "test", "week"
BRIDGE = "bridge"
PACKET = "packet"
"""Purposes of a send. Each channel that carries one has words of that name."""

STAGE_SECONDS = 600
"""A stage, or news, that could not reach anybody by then is abandoned: it would only confuse."""

BRIDGE_SECONDS = 60
"""A call to the desk that could not be placed by then is not wanted any more: the receiver has been lifted to dial."""

NEWS = frozenset({FAMILY, PACKET, TEST, WEEK})
"""What tells, and asks nobody to come."""


class Row(NamedTuple):
    """One row of the outbox, as `-- name: ask` takes it, without the incident."""

    step: int
    purpose: str
    channel: str
    recipient: str
    name: str
    address: str
    language: str
    body: dict[str, Any]
    due_at: datetime
    deadline_at: datetime


def card(incident: Incident, home: Mapping[str, Any]) -> dict[str, Any]:
    """Who, what, where, and the way in: it goes with the first message (Reeves, 2018). `home`: as the SQL has it."""
    proven = home.get("way_in_proven_on")
    return {
        "cause": incident.cause,
        "danger": incident.danger,
        "person": home.get("person"),
        "address": home.get("address"),
        "phone": home.get("phone"),
        "way_in": home.get("way_in"),
        "way_in_proven_on": proven.isoformat() if proven else None,
    }


def follows(decision: Decision, home: Mapping[str, Any], people: Sequence[Person], now: datetime) -> list[Row]:
    """All that is to be sent. `home` is needed where somebody is asked or told, `people` where somebody is told."""
    rows = asks(decision, home, now) if decision.asks else []
    if decision.tell:
        rows += changes(decision.incident, decision.tell, people, home, now)
    if decision.stage:
        rows += stages(decision.incident, decision.stage, now)
    return rows


def unknown(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a stranger may hear who has somebody's number now: that help is asked for. Nobody's name, place or door."""
    told = dict.fromkeys(("person", "address", "phone", "way_in", "way_in_proven_on"))
    return {**body, **told, "shared": False}


def asks(decision: Decision, home: Mapping[str, Any], now: datetime) -> list[Row]:
    """Everybody who is asked now, through each channel that reaches them."""
    body = card(decision.incident, home)
    goes = {helper.id for helper in going(decision.incident)}
    return [
        Row(
            ask.step, HELP, channel, ask.person.id, ask.person.name, address, ask.person.language,
            {
                **(body if not ask.person.stranger else unknown(body)), "role": ask.person.role,
                "home": decision.incident.home,
                "why": list(ask.person.why), "going": ask.person.id in goes,
            },
            now, ask.deadline,
        )
        for ask in decision.asks
        for channel in ask.channels
        if (address := ask.person.address(channel))
    ]  # fmt: skip


def stages(incident: Incident, stage: Stage, now: datetime) -> list[Row]:
    """What each pressed device shows next."""
    told = {
        "stage": stage.stage,
        "by": stage.by,
        "eta": stage.eta.isoformat() if stage.eta else None,
        "at": now.isoformat(),
    }
    until = now + timedelta(seconds=STAGE_SECONDS)
    return [
        Row(
            incident.version, STAGE, "device", f"{press.device} {press.event_id}", press.device, press.device, "zh",
            {"id": press.event_id, **told}, now, until,
        )
        for press in incident.presses
    ]  # fmt: skip


def changes(
    incident: Incident, change: Change, people: Sequence[Person], home: Mapping[str, Any], now: datetime
) -> list[Row]:
    """A change, to everybody who goes, in every way: the call asks for a key that says that it was heard."""
    known = {person.id: person for person in people}
    told = {"home": incident.home, "change": change.kind, "text": change.text, "number": change.number}
    body = {**card(incident, home), **told}
    until = now + timedelta(seconds=STAGE_SECONDS)
    return [
        Row(
            change.number, CHANGE, channel, person.id, person.name, address, person.language,
            {**(body if not person.stranger else unknown(body)), "role": person.role}, now, until,
        )
        for person in (known.get(helper.id) for helper in going(incident))
        if person is not None
        for channel in CALLS
        if (address := person.address(channel))
    ]  # fmt: skip


def next_telephone(send: Mapping[str, Any], now: datetime) -> list[Row]:
    """Of a call that should have reached the desk and did not: the next of its telephones, if there is one.

    The same wish at another telephone is a step of its own: for one, nobody is contacted twice.
    """
    body = send["body"]
    phones, number = body.get("phones", ()), body.get("number", 0) + 1
    if send["purpose"] != BRIDGE or send["recipient"] != DESK or number >= len(phones):
        return []
    until = now + timedelta(seconds=BRIDGE_SECONDS)
    return [
        Row(
            send["step"] + 1, BRIDGE, send["channel"], DESK, send["name"], phones[number], send["language"],
            {**body, "number": number}, now, until,
        )
    ]  # fmt: skip


def rank(purpose: str, danger: bool, cause: str) -> int:
    """Who goes first where there is one line: the least. As the database's own `send_rank`."""
    if purpose == BRIDGE:  # an operator waits with the receiver at their ear
        return 0
    if purpose in NEWS:
        return 3
    if not danger:
        return 2
    return 1 if cause == "inactivity" else 0


def going(incident: Incident) -> Iterable[Helper]:
    """Whoever has said that they come, the first first."""
    return (*((incident.helper,) if incident.helper else ()), *incident.seconds)
