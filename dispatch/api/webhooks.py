"""Where the telephone provider calls us. Nothing is believed that is not signed."""

import logging
from typing import Any

from fastapi import APIRouter, Request, Response

from dispatch.channels.twilio import Twilio, TwilioSettings, genuine
from dispatch.channels.twilio_sms.answers import Answers as SmsAnswers
from dispatch.channels.twilio_voice.answers import Answers as VoiceAnswers
from dispatch.desk import Desk
from dispatch.outbox import sql as outbox_sql
from pingan.clock import Clock
from pingan.database import Database
from pingan.problem import Problem

log = logging.getLogger(__name__)

FORM_BYTES_MAX = 16_384
FORM_FIELDS_MAX = 100
SEND_ID_MAX = 2**63 - 1


def router(database: Database, clock: Clock, desk: Desk, settings: TwilioSettings) -> APIRouter:
    """The webhooks. They ask for no session: their signature is their right to be heard."""
    routes = APIRouter(prefix="/webhooks/twilio", include_in_schema=False)
    voice = VoiceAnswers(database, clock, desk, Twilio(settings))
    sms = SmsAnswers(database, clock, desk)

    async def heard(request: Request, send_id: int, channel: str) -> tuple[dict[str, Any], dict[str, str]]:
        """The send that a webhook speaks of, and its form; Problem when it is forged, too large, or about nothing."""
        if int(request.headers.get("content-length", "0") or "0") > FORM_BYTES_MAX:
            raise Problem(413, "too_large", "a webhook's form is small")
        async with request.form(max_fields=FORM_FIELDS_MAX) as fields:
            form = {name: str(value) for name, value in fields.items()}
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if not genuine(settings, path, form, request.headers.get("x-twilio-signature", "")):
            log.warning("a webhook to %s was not signed by the provider", request.url.path)
            raise Problem(403, "forged", "the signature is not the provider's")
        if not 0 < send_id <= SEND_ID_MAX:
            raise Problem(404, "not_found", "there is no such send")
        async with database.connection() as connection:
            send = await (await connection.execute(outbox_sql.by_id, {"send": send_id})).fetchone()
        if send is None or send["channel"] != channel:
            raise Problem(404, "not_found", "there is no such send")
        return send, form

    @routes.post("/voice/{send_id}/keys")
    async def keys(request: Request, send_id: int) -> Response:
        send, form = await heard(request, send_id, "twilio_voice")
        return Response(await voice.keys(send, form), media_type="text/xml")

    @routes.post("/voice/{send_id}/minutes")
    async def minutes(request: Request, send_id: int) -> Response:
        send, form = await heard(request, send_id, "twilio_voice")
        return Response(await voice.minutes(send, form), media_type="text/xml")

    @routes.post("/voice/{send_id}/status", status_code=204)
    async def call_status(request: Request, send_id: int) -> None:
        send, form = await heard(request, send_id, "twilio_voice")
        await voice.status(send, form)

    @routes.post("/sms/{send_id}/status", status_code=204)
    async def message_status(request: Request, send_id: int) -> None:
        send, form = await heard(request, send_id, "twilio_sms")
        await sms.status(send, form)

    return routes
