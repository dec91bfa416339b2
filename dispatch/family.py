"""What a home's family is told of a call for help, and when: of each stage once, as it comes. PURE.

Whoever is asked in the same moment is told by being asked, and whoever goes knows what they do. What is told is a stage
and a name; what is wrong, where and why, the message's link shows to whom it may. Whose consent is missing, of them is
told that they called and who goes, and that it is over.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dispatch.following import FAMILY, STAGE_SECONDS, Row, card
from dispatch.incident import Decision, Incident, State
from dispatch.policy import Person

CHANNELS = ("twilio_sms", "apprise")

STAGES = {
    "opened": "opened",
    "opened_desk_empty": "opened",
    "identified": "opened",
    "accepted": "accepted",
    "resigned_next_goes": "accepted",
    "resigned": "resigned",
    "moving": "moving",
    "minutes": "moving",
    "on_scene": "on_scene",
    "safe": "safe",
    "closed": "closed",
}
"""Decisions of which family hears, and as what."""

AGAIN = "again"
"""It had been called safe, and rings again."""

SHARED_ONLY = frozenset({"safe"})
"""How somebody is: told only where they have agreed to it."""

UNSAID = ("conditions", "way_in", "way_in_proven_on")
"""Not in a message that nobody asked for: who is told may not be who goes."""

SHARED = ("cause", "address", "phone")
"""And these only where the person has agreed to it."""

NOT_THEIRS = "not_theirs"
"""It was another home's, as the operator has found out."""

SAID_BY_A_PERSON = frozenset({"found_deceased"})
"""Nobody learns this from a text message."""
CALLED = "closed_called"

SAME = ("news", "home", "by", "eta", "outcome")
"""Of two messages that say the same of all these, the second is no news."""


def news(decision: Decision) -> str | None:
    """The stage that family is told of; None: it is nothing to them."""
    after = decision.incident
    if decision.refused or not after.danger or after.test:
        return None
    if decision.name == "rang_again":
        return AGAIN if after.state is State.WAITING and "t8" in after.stamps else None
    return STAGES.get(decision.name)


def rows(decision: Decision, people: Sequence[Person], home: Mapping[str, Any], now: datetime) -> list[Row]:
    """A stage, to everybody of the home who is told of them. Its number is the incident's version: each has its own.

    `home`: as `-- name: home` has it, its `timezone` filled in; `shared` says that everybody there has agreed.
    """
    stage, shared = news(decision), bool(home.get("shared"))
    if stage is None or (stage in SHARED_ONLY and not shared):
        return []
    after = decision.incident
    asked = {ask.person.id for ask in decision.asks}
    helper = after.helper
    told = _told(after, stage, decision.who, home, shared=shared)
    until = now + timedelta(seconds=STAGE_SECONDS)
    return [
        Row(
            after.version, FAMILY, channel, person.id, person.name, address, person.language,
            {**told, "role": person.role}, now, until,
        )
        for person in people
        if person.told and person.group == "contacts" and person.id not in asked
        and not (helper is not None and helper.id == person.id)
        for channel in CHANNELS
        if (address := person.address(channel))
    ]  # fmt: skip


def mistaken(
    incident: Incident, heard: Collection[str], people: Sequence[Person], home: Mapping[str, Any], now: datetime
) -> list[Row]:
    """To whoever of a home has heard (`heard`: by id) that it called for help, when it was another that did."""
    told = {
        "home": home["id"], "person": home.get("person"), "news": NOT_THEIRS, "by": None, "eta": None, "outcome": None,
    }  # fmt: skip
    until = now + timedelta(seconds=STAGE_SECONDS)
    return [
        Row(
            incident.version, FAMILY, channel, person.id, person.name, address, person.language,
            {**told, "shared": bool(home.get("shared")), "role": person.role}, now, until,
        )
        for person in people
        if person.id in heard and not person.stranger
        for channel in CHANNELS
        if (address := person.address(channel))
    ]  # fmt: skip


def known(row: Row, last: Mapping[tuple[str, str], Mapping[str, Any]]) -> bool:
    """Whether somebody has been told this already. `last`: (recipient, channel) → what they were told last."""
    before = last.get((row.recipient, row.channel))
    return before is not None and all(before.get(name) == row.body.get(name) for name in SAME)


def _told(incident: Incident, stage: str, who: str | None, home: Mapping[str, Any], *, shared: bool) -> dict[str, Any]:
    helper = incident.helper
    outcome = incident.closing.outcome if incident.closing and shared else None
    eta = helper.eta if helper and stage in ("accepted", "moving") else None
    hidden = UNSAID if shared else (*UNSAID, *SHARED)
    return {name: value for name, value in card(incident, home).items() if name not in hidden} | {
        "home": incident.home,
        "news": CALLED if outcome in SAID_BY_A_PERSON else stage,
        "by": who if stage == "resigned" else helper.name if helper else None,
        "eta": _at_home(eta, home) if eta else None,
        "outcome": None if outcome in SAID_BY_A_PERSON else outcome,
        "shared": shared,
    }


def _at_home(eta: datetime, home: Mapping[str, Any]) -> str:
    """A time by the home's own clock, to the minute: of two that differ by less the second is no news."""
    local = eta.astimezone(ZoneInfo(home["timezone"])) if home.get("timezone") else eta
    return local.isoformat(timespec="minutes")
