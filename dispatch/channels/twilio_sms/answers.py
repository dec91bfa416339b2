"""What became of a text message, as the provider tells us. It is recorded, and is no answer to anything."""

from collections.abc import Mapping
from typing import Any

from dispatch import measuring
from dispatch.channels.twilio import FIRST
from dispatch.channels.twilio_codes import of_a_message
from dispatch.desk import Desk
from dispatch.following import CHANGE, HELP
from dispatch.incident import Unreached
from dispatch.sends import FINAL, Outcome, SendsTable, Wrong
from pingan.clock import Clock
from pingan.database import Database

STATES = {
    "queued": "sent", "accepted": "sent", "sending": "sent", "sent": "sent", "delivered": "delivered",
    "undelivered": "failed", "failed": "failed",
}  # fmt: skip
"""Twilio's message statuses → ours."""


class Answers:
    def __init__(self, database: Database, clock: Clock, desk: Desk) -> None:
        self._sends, self._clock, self._desk = SendsTable(database), clock, desk

    async def status(self, send: dict[str, Any], form: Mapping[str, str]) -> None:
        status = form.get("MessageStatus", "")
        state = STATES.get(status)
        if state is None:
            return
        result = " ".join(filter(None, (status, form.get("ErrorCode"))))
        wrong = _wrong(send, form.get("ErrorCode", "")) if state == "failed" else None
        outcome = Outcome(state, result, form.get("MessageSid"), finished_at=self._clock.now(), wrong=wrong)
        recorded = await self._sends.progress(send["id"], outcome)
        if recorded and state in FINAL:
            measuring.ended(send["channel"], state)
        if recorded and state == "failed" and send["purpose"] in (HELP, CHANGE):
            await self._desk.act(send["incident"], Unreached(send["recipient"], f"twilio_sms: {result}"))


def _wrong(send: dict[str, Any], code: str) -> Wrong | None:
    """What a person has to put right. A handset that is off is nothing of that: its owner was not reached, no more."""
    detail = {"channel": send["channel"], "code": code}
    match of_a_message(code):
        case "number":
            return Wrong("bad_number", send["recipient"], {**detail, "phone": send["address"]})
        case "account" | "setting":
            return Wrong("provider_account", FIRST, detail)
    return None
