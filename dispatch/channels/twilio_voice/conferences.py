"""Who comes into an incident's line and leaves it, as the provider tells us: into the journal."""

from collections.abc import Mapping
from typing import Any, Literal

from dispatch.desk import Desk
from dispatch.following import BRIDGE
from dispatch.incident import Bridged
from dispatch.sends import sql as sends_sql
from pingan.database import Database

EVENTS: dict[str, Literal["joined", "left"]] = {"participant-join": "joined", "participant-leave": "left"}
NEVER_CAME = frozenset({"busy", "no-answer", "failed", "canceled"})
"""Of one who never came in, the call's own end says so."""


class Conferences:
    def __init__(self, database: Database, desk: Desk) -> None:
        self._database, self._desk = database, desk

    async def heard(self, incident_id: int, form: Mapping[str, str]) -> bool:
        """Something has happened on an incident's line; False if it is of nobody whom we have rung for it.

        Its beginning and end are told, too, and say nothing that coming and leaving have not said.
        """
        what = EVENTS.get(form.get("StatusCallbackEvent", ""))
        if what is None or form.get("ParticipantCallStatus") in NEVER_CAME:
            return True
        send = await self._send(form.get("ParticipantLabel", ""))
        if send is None or send["incident"] != incident_id or send["purpose"] != BRIDGE:
            return False
        once = f"conference/{form.get('ConferenceSid', '')}/{form.get('SequenceNumber', '')}"
        await self._desk.act(incident_id, Bridged(what, send["recipient"], send["name"]), once=once)
        return True

    async def _send(self, label: str) -> dict[str, Any] | None:
        """The call that a participant came in by: its label is the send's number."""
        if not label.isascii() or not label.isdigit() or len(label) > 18:
            return None
        async with self._database.connection() as connection:
            return await (await connection.execute(sends_sql.by_id, {"send": int(label)})).fetchone()
