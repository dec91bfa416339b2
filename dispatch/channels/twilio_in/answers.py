"""Who rings us up or writes is heard: durable first, then taken to the desk, and only then told so."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from twilio.twiml.messaging_response import MessagingResponse
from twilio.twiml.voice_response import Dial, VoiceResponse

from dispatch.channels.twilio import VOICES, Twilio
from dispatch.channels.twilio_in.heard import Heard
from dispatch.channels.words import LANGUAGES, words
from dispatch.desk import Desk
from dispatch.incident import DESK, Caller, Connected, Unreached
from pingan import metrics
from pingan.database import Database, Queries

sql = Queries(__file__, "callers.sql")

RING_SECONDS = 30
"""How long the desk's telephone rings. The screens ring meanwhile, and people are called by the policy."""

REACHED = frozenset({"completed", "answered"})
MISSED = frozenset({"busy", "no-answer", "failed", "canceled"})
"""The provider's words for what became of ringing the desk."""


class Known(NamedTuple):
    """Whom the register has under a number. What is not certain is None."""

    home: str | None = None
    name: str | None = None
    role: str | None = None
    languages: tuple[str, ...] = LANGUAGES


class CallsIn:
    def __init__(self, database: Database, desk: Desk, twilio: Twilio) -> None:
        self._database, self._desk, self._twilio = database, desk, twilio
        metrics.show(metrics.ALARMS)

    async def call(self, heard: Heard) -> str:
        """A call has come in; the TwiML that says so and rings the desk's telephone."""
        known = await self._hear(heard)
        desk_phone = self._twilio.settings.desk_phone
        response = VoiceResponse()
        _say(response, known.languages, "connecting" if desk_phone else "heard")
        if desk_phone is None:
            response.hangup()
            return str(response)
        path = f"/webhooks/twilio/in/voice/{heard.alarm}"
        # A call may be passed on under its caller's number; under none only as ours.
        shown = {} if heard.number else {"caller_id": self._twilio.settings.twilio_from}
        dial = Dial(timeout=RING_SECONDS, action=self._twilio.webhook(f"{path}/dialled"), method="POST", **shown)
        dial.number(
            desk_phone,
            status_callback=self._twilio.webhook(f"{path}/answered"),
            status_callback_event="answered",
            status_callback_method="POST",
        )
        response.append(dial)
        return str(response)

    async def message(self, heard: Heard) -> str:
        """A message has come in; the TwiML that answers it."""
        known = await self._hear(heard)
        response = MessagingResponse()
        response.message("\n".join(words("twilio_in", language)("text_heard") for language in known.languages))
        return str(response)

    async def answered(self, alarm: UUID, form: Mapping[str, str]) -> None:
        """Somebody has taken the desk's telephone. The screen rings on until somebody says there that they have it."""
        incident = await self._desk.incident_of(alarm)
        if incident is not None and form.get("CallStatus") == "in-progress":
            await self._desk.act(incident, Connected(form.get("To", "")))

    async def dialled(self, alarm: UUID, heard: Heard, form: Mapping[str, str]) -> str:
        """The desk's telephone was hung up, or nobody took it; the TwiML that goes on. Neither ends the incident."""
        status = form.get("DialCallStatus", "")
        response = VoiceResponse()
        if status not in REACHED:
            incident = await self._desk.incident_of(alarm)
            if incident is not None:
                why = status if status in MISSED else "failed"
                await self._desk.act(incident, Unreached(DESK, f"twilio_in: {why}"))
            _say(response, (await self._known(heard.number)).languages, "desk_missed")
        response.hangup()
        return str(response)

    async def _hear(self, heard: Heard) -> Known:
        """When this returns, it is durable, and the desk takes it."""
        known = await self._known(heard.number)
        caller = Caller(heard.source, heard.number, known.name, known.role, heard.text)
        stranger = None if known.home else heard.stranger
        if await self._desk.hear(heard.alarm, known.home, stranger, caller, heard.more):
            metrics.ALARMS.labels("sos", heard.source).inc()
        return known

    async def _known(self, number: str | None) -> Known:
        if number is None:
            return Known()
        async with self._database.connection() as connection:
            rows = await (await connection.execute(sql.whose, {"number": number})).fetchall()
        nearest = [row for row in rows if row["place"] == rows[0]["place"]]
        language = _only(nearest, "language")
        return Known(
            _only(nearest, "home"),
            _only(nearest, "name"),
            _only(nearest, "role"),
            (language,) if language else LANGUAGES,
        )


def _only(rows: list[dict[str, Any]], field: str) -> str | None:
    """What all of them say; None when they differ: it is for a person to say which."""
    found = {row[field] for row in rows}
    return found.pop() if len(found) == 1 else None


def _say(response: VoiceResponse, languages: tuple[str, ...], key: str) -> None:
    for language in languages:
        response.say(words("twilio_in", language)(key), language=VOICES[language])
