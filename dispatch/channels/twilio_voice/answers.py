"""What people key in, and how calls end, as the provider tells us: to the desk.

Every answer is idempotent: a webhook that comes twice, late or out of order finds that it was heard, or the send
already further, and changes nothing.
"""

import logging
from collections.abc import Mapping
from typing import Any

from dispatch import measuring
from dispatch.bridging import Bridging
from dispatch.channels import Refused, TryAgain, Unclear, desk_line
from dispatch.channels.deeds import MINUTES_MAX, Deeds, goes, no_longer
from dispatch.channels.twilio import Twilio
from dispatch.channels.twilio_codes import bad_number
from dispatch.channels.twilio_voice.spoken import Spoken
from dispatch.desk import HEARD_ALREADY, Desk
from dispatch.following import BRIDGE, CHANGE, HELP, TEST, next_telephone
from dispatch.incident import DESK, HOME, Connected, Decision, Unreached
from dispatch.sends import FINAL, Outcome, SendsTable, Wrong
from pingan.clock import Clock
from pingan.database import Database

log = logging.getLogger(__name__)

ENDED = {"busy": "unanswered", "no-answer": "unanswered", "failed": "failed", "canceled": "unanswered"}
"""Twilio's final statuses without an answer → ours. `completed` is judged by the key that came, or did not."""

ORDER = ("queued", "initiated", "ringing", "in-progress", "answered", "machine", "key_desk")
"""How far a call that is not over has come. What is told late takes it no step back."""

ACTED_ON = frozenset({HELP, CHANGE, BRIDGE})
"""Purposes of an incident, whose journal says that somebody was not reached."""


class Answers:
    def __init__(self, database: Database, clock: Clock, desk: Desk, twilio: Twilio) -> None:
        self._database, self._clock, self._desk, self._twilio = database, clock, desk, twilio
        self._sends = SendsTable(database)
        self._deeds = Deeds(desk, clock)
        self._bridging = Bridging(database, clock, desk, twilio.settings.desk_phone)

    async def keys(self, send: dict[str, Any], form: Mapping[str, str]) -> str:
        """A key was pressed, or none in time; the TwiML that goes on."""
        digit, spoken = form.get("Digits", ""), self._spoken(send)
        if send["incident_state"] == "closed" and send["purpose"] != BRIDGE:
            return spoken.farewell("over")
        answers = {HELP: self._help, CHANGE: self._change, TEST: self._test, BRIDGE: self._bridge}
        answer = answers.get(send["purpose"])
        if answer is None:
            return spoken.farewell("over")
        if (document := await answer(send, form, digit)) is not None:
            return document
        return spoken.question(send, None if digit == "9" else "not_understood")

    async def minutes(self, send: dict[str, Any], form: Mapping[str, str]) -> str:
        """How long they need. None, or nought: it is asked later, when they should have set off."""
        digits, spoken = form.get("Digits", ""), self._spoken(send)
        if not digits.isascii() or not digits.isdigit() or not 0 < int(digits) <= MINUTES_MAX:
            return spoken.farewell("no_eta")
        decision = await self._deeds.minutes(send, int(digits), _once(send, form, "minutes"))
        if decision.refused and decision.name == "already_closed":
            return spoken.farewell("over")
        return spoken.farewell("eta", minutes=int(digits))

    async def machine(self, send: dict[str, Any], form: Mapping[str, str]) -> None:
        """What has answered. A machine is told only that we called; nobody is taken to have been reached by it."""
        if not form.get("AnsweredBy", "").startswith(("machine", "fax")) or send["state"] in FINAL:
            return
        if not await self._progress(send, "sent", "machine", form):
            return
        document, sid = self._spoken(send).machine(send), form.get("CallSid", "")
        try:
            await self._twilio.ask(lambda client: client.calls(sid).update(twiml=document))
        except (Refused, TryAgain, Unclear) as error:
            # It has hung up already, or it records the question to its end, and then nobody has pressed a key.
            log.warning("send %s: the machine that answered could not be told: %s", send["id"], error)

    def desk_asked(self, send: dict[str, Any]) -> str:
        """The desk's telephone was lifted: by whom, a key says."""
        return desk_line.asked(self._twilio, f"/webhooks/twilio/voice/{send['id']}/desk")

    async def desk_key(self, send: dict[str, Any], form: Mapping[str, str]) -> str:
        """Somebody is at the desk's telephone: they are connected."""
        if form.get("Digits") != desk_line.TAKES:
            return self.desk_asked(send)
        await self._desk.act(send["incident"], Connected(send["name"]), once=desk_line.key(form))
        return desk_line.connected()

    async def desk_dialled(self, send: dict[str, Any], number: int, form: Mapping[str, str]) -> str:
        """The desk's telephone was hung up, or nobody took it: the next one rings, or the question goes on."""
        spoken, why = self._spoken(send), await desk_line.missed(self._database, form)
        if why is None:
            return spoken.choose(send, "desk_over")
        once = _once(send, form, f"desk{number}")
        await self._desk.act(send["incident"], Unreached(DESK, f"twilio_voice: {why}"), once=once)
        phones = await self._bridging.phones(send["incident"])
        if number + 1 < len(phones):
            return spoken.desk(send, phones, number + 1, "desk_next", self._shown(form))
        return spoken.choose(send, "desk_missed")

    async def status(self, send: dict[str, Any], form: Mapping[str, str]) -> None:
        """The call rings, is answered, or is over."""
        status = form.get("CallStatus", "")
        if status in ENDED:
            await self._unreached(send, ENDED[status], status, form)
        elif status == "completed":
            await self._completed(send, form)
        elif status in ORDER and not _behind(status, send["result"]):
            await self._progress(send, "sent", status, form)

    async def _completed(self, send: dict[str, Any], form: Mapping[str, str]) -> None:
        if send["purpose"] == BRIDGE and send["recipient"] != DESK:
            await self._progress(send, "answered", "connected", form)
        elif send["result"] == "key_desk":  # a person was there, and spoke with the desk
            await self._progress(send, "answered", "key_desk", form)
        else:
            machine = send["result"] == "machine" or form.get("AnsweredBy", "").startswith("machine")
            await self._unreached(send, "unanswered", "voicemail" if machine else "no_key", form)

    async def _help(self, send: dict[str, Any], form: Mapping[str, str], digit: str) -> str | None:
        spoken = self._spoken(send)
        if digit == "1":
            decision = await self._deeds.go(send, _once(send, form, digit))
            await self._progress(send, "answered", "key_going", form)
            return self._accepted(send, decision)
        if digit == "2":
            return await self._cannot(send, form)
        return await self._to_desk(send, form, spoken) if digit == "3" else None

    def _accepted(self, send: dict[str, Any], decision: Decision) -> str:
        spoken = self._spoken(send)
        if decision.name == "other_home":
            return spoken.farewell("other_home")
        if decision.name == "accepted_second":
            return spoken.farewell("second", who=decision.who or "")
        known = decision.name in ("already_yours", HEARD_ALREADY) and goes(decision.incident, send["recipient"])
        if (decision.refused or decision.name == HEARD_ALREADY) and not known:
            return spoken.farewell("over")
        return spoken.minutes(send["id"], send["name"])

    async def _cannot(self, send: dict[str, Any], form: Mapping[str, str]) -> str:
        decision = await self._deeds.cannot(send, _once(send, form, "2"))
        await self._progress(send, "answered", "key_cannot_go", form)
        return self._spoken(send).farewell(no_longer(decision))

    async def _change(self, send: dict[str, Any], form: Mapping[str, str], digit: str) -> str | None:
        spoken = self._spoken(send)
        if digit == "1":
            await self._deeds.confirm(send, _once(send, form, digit))
            await self._progress(send, "answered", "key_heard", form)
            return spoken.farewell("confirmed")
        if digit == "2":
            return await self._cannot(send, form)
        return await self._to_desk(send, form, spoken) if digit == "3" else None

    async def _test(self, send: dict[str, Any], form: Mapping[str, str], digit: str) -> str | None:
        """Whom we mean can be reached, or somebody else has this number now: no incident hears of it."""
        key = {"1": "reached", "2": "stranger"}.get(digit)
        if key is None:
            return None
        await self._progress(send, "answered", f"key_{key}", form)
        return self._spoken(send).farewell(key)

    async def _bridge(self, send: dict[str, Any], form: Mapping[str, str], digit: str) -> str | None:
        """The operator is there: the home is rung now, and whoever goes."""
        if digit != "1":
            return None
        await self._bridging.ring(send, _once(send, form, digit))
        await self._progress(send, "answered", "key_connected", form)
        return self._spoken(send).conference(send, "bridging")

    async def _to_desk(self, send: dict[str, Any], form: Mapping[str, str], spoken: Spoken) -> str:
        if not _behind("key_desk", send["result"]):
            await self._progress(send, "sent", "key_desk", form)
        phones = await self._bridging.phones(send["incident"])
        if phones:
            return spoken.desk(send, phones, 0, "desk_connecting", self._shown(form))
        once = _once(send, form, "3")
        await self._desk.act(send["incident"], Unreached(DESK, "twilio_voice: no_desk_phone"), once=once)
        return spoken.choose(send, "desk_missed")

    async def _unreached(self, send: dict[str, Any], state: str, why: str, form: Mapping[str, str]) -> None:
        # We may have died between the two: what is told again is acted on, if it was not.
        again = (send["state"], send["result"]) == (state, why)
        if not (await self._progress(send, state, why, form) or again) or send["purpose"] not in ACTED_ON:
            return
        event, once = Unreached(send["recipient"], f"twilio_voice: {why}"), _once(send, form, "unreached")
        await self._desk.act(send["incident"], event, once=once, send=next_telephone(send, self._clock.now()))

    async def _progress(self, send: dict[str, Any], state: str, result: str, form: Mapping[str, str]) -> bool:
        """Record it, unless the send is already at its end; whether it was recorded."""
        now, wrong = self._clock.now(), _wrong(send, form) if state == "failed" else None
        outcome = Outcome(state, result, form.get("CallSid"), finished_at=now, wrong=wrong)
        recorded = await self._sends.progress(send["id"], outcome)
        if recorded and state in FINAL:
            measuring.ended(send["channel"], state)
        return recorded

    def _shown(self, form: Mapping[str, str]) -> str:
        """Our number at whoever has this call: they pass on no other of ours."""
        return self._twilio.number(form.get("AccountSid"))

    def _spoken(self, send: dict[str, Any]) -> Spoken:
        return Spoken(self._twilio, send["language"])


def _once(send: dict[str, Any], form: Mapping[str, str], what: str) -> str:
    """What is told of one call by one key is one word, however often it comes."""
    return f"voice/{send['id']}/{form.get('CallSid', '')}/{what}"


def _wrong(send: dict[str, Any], form: Mapping[str, str]) -> Wrong | None:
    """A number that nobody has is a task; of the home's telephone or the desk's own, the operator who calls sees it."""
    code, sip = form.get("ErrorCode", ""), form.get("SipResponseCode", "")
    if send["recipient"] in (DESK, HOME) or not bad_number(code, sip):
        return None
    detail = {"channel": send["channel"], "code": code or sip, "phone": send["address"]}
    return Wrong("bad_number", send["recipient"], detail)


def _behind(result: str, known: str | None) -> bool:
    """Whether the call has come further than that already."""
    return known in ORDER and ORDER.index(result) < ORDER.index(known)
