"""What people who are asked say, by key or by word, as events at the desk.

Each says under which name the provider's word is known, so that what is told twice, or replayed later, happens once.
"""

from datetime import timedelta
from typing import Any

from dispatch.desk import HEARD_ALREADY, Desk
from dispatch.following import going
from dispatch.incident import (
    Accept,
    Confirmed,
    Decision,
    Decline,
    Helper,
    Incident,
    Moving,
    OnScene,
    Resigned,
    Safe,
    State,
)
from pingan.clock import Clock

MINUTES_MAX = 240
"""Whoever needs longer is not who comes; and a slip is no arrival tomorrow."""


class Deeds:
    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk, self._clock = desk, clock

    async def go(self, send: dict[str, Any], once: str) -> Decision:
        return await self._desk.act(send["incident"], Accept(helper(send), send["body"].get("home")), once=once)

    async def cannot(self, send: dict[str, Any], once: str) -> Decision:
        """Whoever has not said yes declines. Whoever goes already cannot after all, and must not be waited for.

        Which of the two this word was is settled when it is first heard: an old no takes back no later yes.
        """
        incident, person = send["incident"], send["recipient"]
        before = await self._desk.look(incident)
        if goes(before, person):
            resigned = await self._desk.act(incident, Resigned(person), once=once)
            if resigned.name != HEARD_ALREADY and person in before.awaited:  # they were asked again
                await self._desk.act(incident, Decline(person), once=f"{once}/declined")
            return resigned
        declined = await self._desk.act(incident, Decline(person), once=once)
        if declined.name != HEARD_ALREADY and goes(declined.incident, person):  # they said yes at the same moment
            return await self._desk.act(incident, Resigned(person), once=f"{once}/resigned")
        return declined

    async def minutes(self, send: dict[str, Any], minutes: int, once: str) -> Decision:
        """How long they need becomes a clock time."""
        eta = self._clock.now() + timedelta(minutes=minutes)
        known = helper(send)
        return await self._desk.act(
            send["incident"], Moving(Helper(known.id, known.name, known.role, eta)), once=f"{once}/minutes"
        )

    async def confirm(self, send: dict[str, Any], once: str) -> Decision:
        """They have heard, or read, the change that this send told, and what came before it."""
        return await self._desk.act(
            send["incident"], Confirmed(send["recipient"], int(send["body"].get("number", 0))), once=once
        )

    async def there(self, send: dict[str, Any], once: str) -> Decision:
        event = OnScene(helper(send), reported_by=send["name"], asked_for=send["body"].get("home"))
        return await self._desk.act(send["incident"], event, once=once)

    async def safe(self, send: dict[str, Any], once: str) -> Decision:
        return await self._desk.act(send["incident"], Safe(send["name"], send["recipient"]), once=once)


def no_longer(decision: Decision) -> str:
    """Which words answer somebody who cannot come: what follows from it, and that may be nothing any more."""
    incident = decision.incident
    if incident.state is State.CLOSED:
        return "over"
    if incident.state is State.SAFE:
        return "not_needed"
    if decision.name.startswith("resigned"):
        return "resigned"
    return "cannot" if incident.calling or incident.helper is None else "covered"


def helper(send: dict[str, Any]) -> Helper:
    return Helper(send["recipient"], send["name"], send["body"].get("role", ""))


def goes(incident: Incident, person: str) -> bool:
    """Whether somebody has said that they come."""
    return any(one.id == person for one in going(incident))
