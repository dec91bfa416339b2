"""Where the telephone provider calls us. Nothing is believed that is not signed."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from starlette.exceptions import HTTPException

from dispatch.channels.twilio import Twilio, TwilioSettings, genuine
from dispatch.channels.twilio_in.answers import CallsIn
from dispatch.channels.twilio_in.heard import Heard, Misread, read
from dispatch.channels.twilio_sms.answers import Answers as SmsAnswers
from dispatch.channels.twilio_sms.replies import Replies, written
from dispatch.channels.twilio_voice.answers import Answers as VoiceAnswers
from dispatch.channels.twilio_voice.conferences import Conferences
from dispatch.desk import Desk
from dispatch.sends import sql as sends_sql
from pingan import metrics
from pingan.clock import Clock
from pingan.database import LOST, Database
from pingan.problem import Problem

log = logging.getLogger(__name__)

FORM_BYTES_MAX = 65_536
"""A message of 1,600 Chinese characters has 14,400 as they are sent, and pictures and places come beside it."""
FORM_FIELDS_MAX = 100
SEND_ID_MAX = 2**63 - 1
TelephoneNumber = Annotated[int, Query(ge=0, le=9)]
"""Which of the desk's telephones was rung, from 0."""

PATIENCE_SECONDS = 5.0
"""How long somebody on the line waits for our database. Then the provider is told that they were not heard, and goes
where it is told to go in that case: docs/telephone.md."""

REFUSALS = ("too_large", "forged", "not_found", Misread.name, "database_away")


def router(database: Database, clock: Clock, desk: Desk, settings: TwilioSettings) -> APIRouter:
    """The webhooks. They ask for no session: their signature is their right to be heard."""
    routes = APIRouter(prefix="/webhooks/twilio", include_in_schema=False)
    twilio = Twilio(settings)
    voice = VoiceAnswers(database, clock, desk, twilio)
    sms = SmsAnswers(database, clock, desk)
    replies = Replies(database, clock, desk, settings.desk_phone)
    calls_in = CallsIn(database, clock, desk, twilio)
    conferences = Conferences(database, desk)
    metrics.show(metrics.WEBHOOKS_REFUSED)
    for reason in REFUSALS:  # a level is counted from nought
        metrics.WEBHOOKS_REFUSED.labels(reason)

    async def signed(request: Request) -> dict[str, str]:
        """The form of a webhook; Problem when it is too large, or forged."""
        if int(request.headers.get("content-length", "0") or "0") > FORM_BYTES_MAX:
            raise _refused(413, "too_large", "a webhook's form is small")
        try:  # also of a form whose length was not said
            async with request.form(max_files=0, max_fields=FORM_FIELDS_MAX, max_part_size=FORM_BYTES_MAX) as fields:
                form = {name: str(value) for name, value in fields.items()}
        except HTTPException as error:
            raise _refused(413, "too_large", f"no form of the provider's: {error.detail}") from error
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if not genuine(settings, path, form, request.headers.get("x-twilio-signature", "")):
            log.warning("a webhook to %s was not signed by the provider", request.url.path)
            raise _refused(403, "forged", "the signature is not the provider's")
        return form

    async def heard(request: Request, send_id: int, channel: str) -> tuple[dict[str, Any], dict[str, str]]:
        """The send that a webhook speaks of, and its form; Problem when it is forged, too large, or about nothing."""
        form = await signed(request)
        if not 0 < send_id <= SEND_ID_MAX:
            raise _refused(404, "not_found", "there is no such send")
        async with database.connection() as connection:
            send = await (await connection.execute(sends_sql.by_id, {"send": send_id})).fetchone()
        if send is None or send["channel"] != channel:
            raise _refused(404, "not_found", "there is no such send")
        return send, form

    @routes.post("/voice/{send_id}/keys")
    async def keys(request: Request, send_id: int) -> Response:
        async with _patient():
            send, form = await heard(request, send_id, "twilio_voice")
            return Response(await voice.keys(send, form), media_type="text/xml")

    @routes.post("/voice/{send_id}/minutes")
    async def minutes(request: Request, send_id: int) -> Response:
        async with _patient():
            send, form = await heard(request, send_id, "twilio_voice")
            return Response(await voice.minutes(send, form), media_type="text/xml")

    @routes.post("/voice/{send_id}/status", status_code=204)
    async def call_status(request: Request, send_id: int) -> None:
        send, form = await heard(request, send_id, "twilio_voice")
        await voice.status(send, form)

    @routes.post("/voice/{send_id}/machine", status_code=204)
    async def machine(request: Request, send_id: int) -> None:
        send, form = await heard(request, send_id, "twilio_voice")
        await voice.machine(send, form)

    @routes.post("/voice/{send_id}/desk/asked")
    async def desk_asked(request: Request, send_id: int) -> Response:
        async with _patient():
            send, _ = await heard(request, send_id, "twilio_voice")
            return Response(voice.desk_asked(send), media_type="text/xml")

    @routes.post("/voice/{send_id}/desk/key")
    async def desk_key(request: Request, send_id: int) -> Response:
        async with _patient():
            send, form = await heard(request, send_id, "twilio_voice")
            return Response(await voice.desk_key(send, form), media_type="text/xml")

    @routes.post("/voice/{send_id}/desk/dialled")
    async def desk_dialled(request: Request, send_id: int, number: TelephoneNumber = 0) -> Response:
        async with _patient():
            send, form = await heard(request, send_id, "twilio_voice")
            return Response(await voice.desk_dialled(send, number, form), media_type="text/xml")

    @routes.post("/conference/{incident_id}", status_code=204)
    async def conference(request: Request, incident_id: int) -> None:
        form = await signed(request)
        if not 0 < incident_id <= SEND_ID_MAX or not await conferences.heard(incident_id, form):
            raise _refused(404, "not_found", "there is no such line")

    @routes.post("/sms/{send_id}/status", status_code=204)
    async def message_status(request: Request, send_id: int) -> None:
        send, form = await heard(request, send_id, "twilio_sms")
        await sms.status(send, form)

    @routes.post("/in/voice")
    async def call_in(request: Request) -> Response:
        form = await signed(request)
        said = _understood("telephone", form)
        async with _patient():
            return Response(await calls_in.call(said, form), media_type="text/xml")

    @routes.post("/in/voice/{alarm}/asked")
    async def call_in_asked(request: Request, alarm: UUID) -> Response:
        await signed(request)
        return Response(calls_in.asked(alarm), media_type="text/xml")

    @routes.post("/in/voice/{alarm}/key")
    async def call_in_key(request: Request, alarm: UUID) -> Response:
        form = await signed(request)
        async with _patient():
            return Response(await calls_in.key(alarm, form), media_type="text/xml")

    @routes.post("/in/voice/{alarm}/dialled")
    async def call_in_dialled(request: Request, alarm: UUID, number: TelephoneNumber = 0) -> Response:
        form = await signed(request)
        said = _understood("telephone", form)
        async with _patient():
            return Response(await calls_in.dialled(alarm, said, number, form), media_type="text/xml")

    @routes.post("/in/sms")
    async def message_in(request: Request) -> Response:
        said = _understood("sms", await signed(request))
        async with _patient():
            reply = await replies.answer(said)
            if reply is not None and not reply.rings:
                return Response(written(reply.text), media_type="text/xml")
            return Response(await calls_in.message(said, reply and reply.text), media_type="text/xml")

    return routes


def _refused(status: int, name: str, detail: str) -> Problem:
    metrics.WEBHOOKS_REFUSED.labels(name).inc()
    return Problem(status, name, detail)


def _understood(source: Literal["telephone", "sms"], form: dict[str, str]) -> Heard:
    try:
        return read(source, form)
    except Misread as error:
        log.error("a signed webhook cannot be understood: %s; its fields are %s", error, ", ".join(sorted(form)))
        raise _refused(422, error.name, str(error)) from error


@contextlib.asynccontextmanager
async def _patient() -> AsyncIterator[None]:
    """Problem, in time for whoever waits, when the database does not answer: nobody is told that they were heard."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield
    except (*LOST, TimeoutError) as error:
        log.error("somebody calls or writes and was not heard: the database is away")
        raise _refused(503, "database_away", "the database does not answer") from error
