"""The desk, a home and whoever goes on one line of ordinary telephones: who is rung, in which order.

First the operator's own telephone rings, and nobody else: an old person who answers must hear a human and no music. A
key says that a person has taken it, and not a machine; then the home is rung, and, if wanted, whoever goes.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from dispatch import incident as core
from dispatch import shifts
from dispatch.desk import Desk
from dispatch.following import BRIDGE, BRIDGE_SECONDS, Row
from dispatch.incident import DESK, HOME, Bridged, Decision, State, Unreached
from pingan.clock import Clock
from pingan.database import Connection, Database, Queries

sql = Queries(__file__, "bridging.sql")

CHANNEL = "twilio_voice"
CALLING = "calling_home"
"""What is answered to an operator whose telephone rings now."""
ENTER_SECONDS = 2
"""So long after the key the home is rung: the operator is in the line by then, and hears it ring."""


class Bridging:
    def __init__(self, database: Database, clock: Clock, desk: Desk, desk_phone: str | None) -> None:
        """`desk_phone`: the installation's own, where no shift has said another."""
        self._database, self._clock, self._desk, self._default = database, clock, desk, desk_phone

    async def ask(self, incident_id: int, operator: str, name: str, *, with_helper: bool = False) -> Decision:
        """An operator wants to speak with a home: their telephone is rung. A refusal says why not."""
        async with self._database.connection() as connection:
            now = self._clock.now()
            parameters = {
                "incident": incident_id,
                "operator": operator,
                "lately": now - timedelta(seconds=BRIDGE_SECONDS),
            }
            row = await (await connection.execute(sql.whom, parameters)).fetchone()
            phones = await self._phones(connection, operator, row["home"] if row else None)
        incident = await self._desk.look(incident_id)
        assert row is not None, "nothing removes an incident"
        helper = incident.helper if with_helper else None
        reached = next((one for one in row["people"] or () if helper and one["id"] == helper.id), None)
        refusal = _why_not(incident, row, phones)
        if refusal is None and with_helper and reached is None:
            # Silently without them would be another call than the operator believes to have.
            refusal = "no_helper_phone" if helper else "nobody_goes"
        if refusal is not None:
            return Decision(refusal, incident, refused=True, who=helper.name if helper else "")
        body = {
            "person": row["person"], "home": row["phone"], "operator": operator, "phones": list(phones), "number": 0,
            "helper": {"id": reached["id"], "name": reached["name"], "phone": reached["phone"]} if reached else None,
        }  # fmt: skip
        until = now + timedelta(seconds=BRIDGE_SECONDS)
        call = Row(row["step"], BRIDGE, CHANNEL, DESK, name, phones[0], row["language"], body, now, until)
        decision = await self._desk.act(incident_id, Bridged("asked", HOME, name), send=[call])
        return msgspec.structs.replace(decision, name=CALLING)

    async def ask_back(self, send: Mapping[str, Any], once: str) -> Decision:
        """Somebody who was asked wants to speak with the desk: its telephone is rung, and then theirs."""
        async with self._database.connection() as connection:
            now = self._clock.now()
            parameters = {
                "incident": send["incident"],
                "operator": None,
                "lately": now - timedelta(seconds=BRIDGE_SECONDS),
            }
            row = await (await connection.execute(sql.whom, parameters)).fetchone()
        phones = await self.phones(send["incident"])
        assert row is not None, "nothing removes an incident"
        if not phones:
            why = f"{send['channel']}: no_desk_phone"
            decision = await self._desk.act(send["incident"], Unreached(DESK, why), once=once)
            return msgspec.structs.replace(decision, name="no_desk_phone", refused=True)
        body = {
            "person": send["name"], "recipient": send["recipient"], "home": send["address"], "phones": list(phones),
            "number": 0, "helper": None,
        }  # fmt: skip
        until = now + timedelta(seconds=BRIDGE_SECONDS)
        call = Row(row["step"], BRIDGE, CHANNEL, DESK, send["name"], phones[0], row["language"], body, now, until)
        return await self._desk.act(send["incident"], Bridged("asked", DESK, send["name"]), once=once, send=[call])

    async def ring(self, send: Mapping[str, Any], once: str) -> None:
        """The operator is on the line: the home is rung, and whoever was wanted beside it."""
        now, body = self._clock.now(), send["body"]
        whom, at = body.get("recipient", HOME), now + timedelta(seconds=ENTER_SECONDS)
        calls = [_call(send, whom, body.get("person") or "", body["home"], at)]
        if helper := body.get("helper"):
            calls.append(_call(send, helper["id"], helper["name"], helper["phone"], at))
        await self._desk.act(send["incident"], Bridged("rung", whom, send["name"]), once=once, send=calls)

    async def phones(self, incident_id: int) -> tuple[str, ...]:
        """The desk's telephones for an incident: those of whoever has it."""
        incident = await self._desk.look(incident_id)
        async with self._database.connection() as connection:
            return await self._phones(connection, incident.operator, incident.home)

    async def _phones(self, connection: Connection, operator: str | None, home: str | None) -> tuple[str, ...]:
        now = self._clock.now()
        return await shifts.phones(connection, now, operator=operator, home=home, default=self._default)


def _why_not(incident: core.Incident, row: Mapping[str, Any], phones: tuple[str, ...]) -> str | None:
    if incident.state is State.CLOSED:
        return "already_closed"
    if row["phone"] is None:
        return "no_home_phone"
    if row["under_way"]:
        return "already_calling"
    return None if phones else "no_desk_phone"


def _call(send: Mapping[str, Any], recipient: str, name: str, phone: str, at: datetime) -> Row:
    body = {"person": send["body"].get("person")}
    until = at + timedelta(seconds=BRIDGE_SECONDS)
    return Row(send["step"], BRIDGE, CHANNEL, recipient, name, phone, send["language"], body, at, until)
