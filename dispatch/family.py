"""What a home's family is told of a call for help, and when: of each stage once, as it comes. PURE.

Whoever is asked in the same moment is told by being asked, and whoever goes knows what they do. What is told is a stage
and a name; what is wrong, where and why, the message's link shows to whom it may.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from dispatch.following import FAMILY, STAGE_SECONDS, Row, card
from dispatch.incident import Decision
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
    "on_scene": "on_scene",
    "safe": "safe",
    "closed": "closed",
}
"""Decisions of which family hears, and as what."""

UNSAID = ("conditions", "way_in", "way_in_proven_on")
"""Not in a message that nobody asked for: who is told may not be who goes."""


def news(decision: Decision) -> str | None:
    """The stage that family is told of; None: it is nothing to them."""
    if decision.refused or not decision.incident.danger or decision.incident.test:
        return None
    return STAGES.get(decision.name)


def rows(decision: Decision, people: Sequence[Person], home: Mapping[str, Any], now: datetime) -> list[Row]:
    """A stage, to everybody of the home who is told of them. Its number is the incident's version: each has its own."""
    stage = news(decision)
    if stage is None:
        return []
    after = decision.incident
    asked = {ask.person.id for ask in decision.asks}
    helper = after.helper
    body = {name: value for name, value in card(after, home).items() if name not in UNSAID} | {
        "news": stage,
        "by": decision.who if stage == "resigned" else helper.name if helper else None,
        "eta": helper.eta.isoformat() if helper and helper.eta and stage in ("accepted", "moving") else None,
        "outcome": after.closing.outcome if after.closing else None,
    }
    until = now + timedelta(seconds=STAGE_SECONDS)
    return [
        Row(
            after.version, FAMILY, channel, person.id, person.name, address, person.language,
            {**body, "role": person.role}, now, until,
        )
        for person in people
        if person.told and person.group == "contacts" and person.id not in asked
        and not (helper is not None and helper.id == person.id)
        for channel in CHANNELS
        if (address := person.address(channel))
    ]  # fmt: skip
