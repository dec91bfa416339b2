"""Who rings us up or writes is heard: durable first, then taken to the desk, and only then told so."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from twilio.twiml.messaging_response import MessagingResponse
from twilio.twiml.voice_response import VoiceResponse

from dispatch import heard as provider
from dispatch import shifts
from dispatch.channels import desk_line
from dispatch.channels.twilio import VOICES, Twilio
from dispatch.channels.twilio_in.heard import Heard
from dispatch.channels.words import LANGUAGES, words
from dispatch.desk import Desk
from dispatch.incident import DESK, Caller, Connected, Unreached
from pingan import metrics
from pingan.clock import Clock
from pingan.database import Database, Queries

sql = Queries(__file__, "callers.sql")


class Known(NamedTuple):
    """Whom the register has under a number. What is not certain is None."""

    home: str | None = None
    name: str | None = None
    role: str | None = None
    languages: tuple[str, ...] = LANGUAGES


class CallsIn:
    def __init__(self, database: Database, clock: Clock, desk: Desk, twilio: Twilio) -> None:
        self._database, self._clock, self._desk, self._twilio = database, clock, desk, twilio
        metrics.show(metrics.ALARMS)

    async def call(self, heard: Heard, form: Mapping[str, str]) -> str:
        """A call has come in; the TwiML that says so and rings the desk's telephone."""
        known = await self._hear(heard)
        phones = await self._phones(known)
        response = VoiceResponse()
        _say(response, known.languages, "connecting" if phones else "heard")
        if phones:
            self._ring(response, heard, phones, 0, form)
        else:
            response.hangup()
        return str(response)

    async def message(self, heard: Heard, more: str | None = None) -> str:
        """A message has come in; the TwiML that answers it, with `more` below."""
        known = await self._hear(heard)
        lines = [words("twilio_in", language)("text_heard") for language in known.languages]
        response = MessagingResponse()
        response.message("\n".join((*lines, more) if more else lines))
        return str(response)

    def asked(self, alarm: UUID) -> str:
        """The desk's telephone was lifted: by whom, a key says."""
        return desk_line.asked(self._twilio, _path(alarm))

    async def key(self, alarm: UUID, form: Mapping[str, str]) -> str:
        """Somebody is at the desk's telephone: they are connected. The screen rings on until somebody says there that
        they have it.
        """
        if form.get("Digits") != desk_line.TAKES:
            return self.asked(alarm)
        once = desk_line.key(form)
        if (incident := await self._desk.incident_of(alarm)) is not None:
            await self._desk.act(incident, Connected(form.get("To", "")), once=once)
        else:  # nobody has taken the alarm to the desk yet: there is no journal to write it into
            async with self._database.transaction() as connection:
                await provider.first(connection, once, self._clock.now())
        return desk_line.connected()

    async def dialled(self, alarm: UUID, heard: Heard, number: int, form: Mapping[str, str]) -> str:
        """The desk's telephone was hung up, or nobody took it; the TwiML that goes on. Neither ends the incident."""
        response, why = VoiceResponse(), await desk_line.missed(self._database, form)
        if why is not None:
            incident = await self._desk.incident_of(alarm)
            if incident is not None:
                await self._desk.act(incident, Unreached(DESK, f"twilio_in: {why}"), once=f"in/{alarm}/{number}")
            known = await self._known(heard.number)
            phones = await self._phones(known)
            if number + 1 < len(phones):
                self._ring(response, heard, phones, number + 1, form)
                return str(response)
            _say(response, known.languages, "desk_missed")
        response.hangup()
        return str(response)

    async def _phones(self, known: Known) -> tuple[str, ...]:
        """The desk's telephones for whoever calls."""
        now, default = self._clock.now(), self._twilio.settings.desk_phone
        async with self._database.connection() as connection:
            return await shifts.phones(connection, now, operator=None, home=known.home, default=default)

    def _ring(
        self, response: VoiceResponse, heard: Heard, phones: tuple[str, ...], number: int, form: Mapping[str, str]
    ) -> None:
        # A call may be passed on under its caller's number; under none only as ours, at whoever has the call.
        shown = None if heard.number else self._twilio.number(form.get("AccountSid"))
        desk_line.ring(response, self._twilio, phones, number, _path(heard.alarm), shown)

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


def _path(alarm: UUID) -> str:
    return f"/webhooks/twilio/in/voice/{alarm}"


def _only(rows: list[dict[str, Any]], field: str) -> str | None:
    """What all of them say; None when they differ: it is for a person to say which."""
    found = {row[field] for row in rows}
    return found.pop() if len(found) == 1 else None


def _say(response: VoiceResponse, languages: tuple[str, ...], key: str) -> None:
    for language in languages:
        response.say(words("twilio_in", language)(key), language=VOICES[language])
