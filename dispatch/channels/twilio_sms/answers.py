"""What became of a text message, as the provider tells us. It is recorded, and is no answer to anything."""

from collections.abc import Mapping
from typing import Any

from dispatch import measuring
from dispatch.desk import Desk
from dispatch.incident import Unreached
from dispatch.outbox import FINAL
from dispatch.outbox import sql as outbox_sql
from pingan.clock import Clock
from pingan.database import Database

STATES = {
    "queued": "sent", "accepted": "sent", "sending": "sent", "sent": "sent", "delivered": "delivered",
    "undelivered": "failed", "failed": "failed",
}  # fmt: skip
"""Twilio's message statuses → ours."""


class Answers:
    def __init__(self, database: Database, clock: Clock, desk: Desk) -> None:
        self._database, self._clock, self._desk = database, clock, desk

    async def status(self, send: dict[str, Any], form: Mapping[str, str]) -> None:
        status = form.get("MessageStatus", "")
        state = STATES.get(status)
        if state is None:
            return
        result = " ".join(filter(None, (status, form.get("ErrorCode"))))
        parameters = {
            "send": send["id"],
            "state": state,
            "result": result,
            "final": list(FINAL),
            "provider_id": form.get("MessageSid"),
            "now": self._clock.now(),
        }
        async with self._database.connection() as connection:
            recorded = (await connection.execute(outbox_sql.progress, parameters)).rowcount == 1
        if recorded and state in FINAL:
            measuring.ended(send["channel"], state)
        if recorded and state == "failed":
            await self._desk.act(send["incident"], Unreached(send["recipient"], f"twilio_sms: {result}"))
