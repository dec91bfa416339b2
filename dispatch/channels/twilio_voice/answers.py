"""What people key in, and how calls end, as the provider tells us: to the desk.

Every answer is idempotent: a webhook that comes twice, late or out of order finds the incident or the send already
further, and changes nothing.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from dispatch import measuring
from dispatch.channels.twilio import Twilio
from dispatch.channels.twilio_voice.send import ask_minutes, farewell, question
from dispatch.channels.words import words
from dispatch.desk import Desk
from dispatch.incident import Accept, Decline, Helper, Moving, Unreached
from dispatch.outbox import FINAL
from dispatch.outbox import sql as outbox_sql
from pingan.clock import Clock
from pingan.database import Database

MINUTES_MAX = 240

ENDED = {"busy": "unanswered", "no-answer": "unanswered", "failed": "failed", "canceled": "unanswered"}
"""Twilio's final statuses without an answer → ours. `completed` is judged by the key that came, or did not."""


class Answers:
    def __init__(self, database: Database, clock: Clock, desk: Desk, twilio: Twilio) -> None:
        self._database, self._clock, self._desk, self._twilio = database, clock, desk, twilio

    async def keys(self, send: dict[str, Any], form: Mapping[str, str]) -> str:
        """A key was pressed, or none in time; the TwiML that goes on."""
        digit, language = form.get("Digits", ""), send["language"]
        if send["incident_state"] == "closed":
            return farewell(language, "over")
        if digit == "1":
            return await self._accepted(send, form)
        if digit == "2":
            await self._progress(send, "answered", "key_cannot_go", form)
            await self._desk.act(send["incident"], Decline(send["recipient"]))
            return farewell(language, "declined")
        prefix = "" if digit == "9" else words("twilio_voice", language)("not_understood")
        return question(self._twilio, send["id"], language, send["body"], prefix)

    async def _accepted(self, send: dict[str, Any], form: Mapping[str, str]) -> str:
        await self._progress(send, "answered", "key_going", form)
        decision = await self._desk.act(send["incident"], Accept(_helper(send)))
        if decision.name == "accepted_second":
            return farewell(send["language"], "second", who=decision.who or "")
        if decision.refused and decision.name != "already_yours":
            return farewell(send["language"], "over")
        return ask_minutes(self._twilio, send["id"], send["language"], send["name"])

    async def minutes(self, send: dict[str, Any], form: Mapping[str, str]) -> str:
        """How long they need: a number of minutes becomes a clock time."""
        digits = form.get("Digits", "")
        if not digits.isascii() or not digits.isdigit() or not 0 < int(digits) <= MINUTES_MAX:
            return farewell(send["language"], "no_eta")
        eta = self._clock.now() + timedelta(minutes=int(digits))
        helper = _helper(send)
        await self._desk.act(send["incident"], Moving(Helper(helper.id, helper.name, helper.role, eta)))
        return farewell(send["language"], "eta", minutes=int(digits))

    async def status(self, send: dict[str, Any], form: Mapping[str, str]) -> None:
        """The call rings, is answered, or is over."""
        status = form.get("CallStatus", "")
        if status in ENDED:
            await self._unreached(send, ENDED[status], status, form)
        elif status == "completed":
            machine = form.get("AnsweredBy", "").startswith("machine")
            await self._unreached(send, "unanswered", "voicemail" if machine else "no_key", form)
        elif status in ("initiated", "queued", "ringing", "in-progress", "answered"):
            await self._progress(send, "sent", status, form)

    async def _unreached(self, send: dict[str, Any], state: str, why: str, form: Mapping[str, str]) -> None:
        if await self._progress(send, state, why, form):
            await self._desk.act(send["incident"], Unreached(send["recipient"], f"twilio_voice: {why}"))

    async def _progress(self, send: dict[str, Any], state: str, result: str, form: Mapping[str, str]) -> bool:
        """Record it, unless the send is already at its end; whether it was recorded."""
        parameters = {
            "send": send["id"],
            "state": state,
            "result": result,
            "final": list(FINAL),
            "provider_id": form.get("CallSid"),
            "now": self._clock.now(),
        }
        async with self._database.connection() as connection:
            recorded = (await connection.execute(outbox_sql.progress, parameters)).rowcount == 1
        if recorded and state in FINAL:
            measuring.ended(send["channel"], state)
        return recorded


def _helper(send: dict[str, Any]) -> Helper:
    return Helper(send["recipient"], send["name"], send["body"].get("role", ""))
