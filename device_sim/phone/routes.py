"""Twilio's paths: the account's Calls and Messages, with its authentication, errors and (switchable) faults."""

import asyncio
import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from device_sim.phone import errors
from device_sim.phone.conference import Conference, ConferenceRecord, Participant
from device_sim.phone.network import Asked, Network
from device_sim.phone.resources import (
    VERSION,
    Form,
    call_json,
    call_request,
    conference_json,
    message_json,
    message_request,
    page_json,
    participant_change,
    participant_json,
    participant_request,
    select_calls,
    select_conferences,
    select_messages,
)

HANG_SECONDS = 600.0
"""A hanging answer ends after this all the same, so that a forgotten one does not stay for ever."""

Handler = Callable[[Form, dict[str, str]], Any]
Drop = Callable[[Request], bool]


def twilio_router(network: Network, drop: Drop) -> APIRouter:
    """The router. `drop(request)` breaks the connection of a request without an answer."""
    router = APIRouter()
    account = f"/{VERSION}/Accounts/{{account_sid}}"

    def route(path: str, method: str, resource: str, status: int, handler: Handler) -> None:
        endpoint = _endpoint(network, drop, resource, status, handler, path)
        router.add_api_route(account + path, endpoint, methods=[method], include_in_schema=False)

    calls, messages, conferences = _Calls(network), _Messages(network), _Conferences(network)
    route("/Calls.json", "POST", "Calls", 201, calls.create)
    route("/Calls.json", "GET", "Calls", 200, calls.list)
    route("/Calls/{sid}.json", "GET", "Calls", 200, calls.fetch)
    route("/Calls/{sid}.json", "POST", "Calls", 200, calls.update)
    route("/Messages.json", "POST", "Messages", 201, messages.create)
    route("/Messages.json", "GET", "Messages", 200, messages.list)
    route("/Messages/{sid}.json", "GET", "Messages", 200, messages.fetch)
    route("/Conferences.json", "GET", "Conferences", 200, conferences.list)
    route("/Conferences/{sid}.json", "GET", "Conferences", 200, conferences.fetch)
    route("/Conferences/{sid}.json", "POST", "Conferences", 200, conferences.update)
    inside = "/Conferences/{conference_sid}/Participants"
    route(f"{inside}.json", "POST", "Conferences", 201, conferences.bring_in)
    route(f"{inside}.json", "GET", "Conferences", 200, conferences.participants)
    route(f"{inside}/{{call_sid}}.json", "GET", "Conferences", 200, conferences.participant)
    route(f"{inside}/{{call_sid}}.json", "POST", "Conferences", 200, conferences.change)
    route(f"{inside}/{{call_sid}}.json", "DELETE", "Conferences", 204, conferences.take_out)
    return router


class _Calls:
    def __init__(self, network: Network) -> None:
        self._network = network

    def create(self, form: Form, path: dict[str, str]) -> dict[str, Any]:
        return self._json(self._network.call(call_request(form)))

    def list(self, form: Form, path: dict[str, str]) -> dict[str, Any]:
        records = select_calls((call.record for call in self._network.calls.values()), form)
        return page_json(path["path"], "calls", records, form, lambda r: call_json(r, self._network.account_sid))

    def fetch(self, form: Form, path: dict[str, str]) -> dict[str, Any]:
        return self._json(self._find(path))

    def update(self, form: Form, path: dict[str, str]) -> dict[str, Any]:
        call = self._find(path)
        status = (form.get("Status") or [""])[0]
        url, document = form.get("Url", [""])[0] or None, form.get("Twiml", [""])[0] or None
        if status in ("canceled", "completed"):
            done = call.end(status)
        elif status:
            raise errors.invalid_parameter("Status", status)
        else:
            done = call.redirect(url, (form.get("Method") or ["POST"])[0].upper(), document)
        if not done:
            raise errors.call_not_in_progress()
        return self._json(call)

    def _find(self, path: dict[str, str]) -> Any:
        call = self._network.calls.get(path["sid"])
        if call is None:
            raise errors.not_found(path["path"])
        return call

    def _json(self, call: Any) -> dict[str, Any]:
        return call_json(call.record, self._network.account_sid)


class _Messages:
    def __init__(self, network: Network) -> None:
        self._network = network

    def create(self, form: Form, path: dict[str, str]) -> dict[str, Any]:
        return message_json(self._network.message(message_request(form)).record, self._network.account_sid)

    def list(self, form: Form, path: dict[str, str]) -> dict[str, Any]:
        records = select_messages((message.record for message in self._network.messages.values()), form)
        return page_json(path["path"], "messages", records, form, lambda r: message_json(r, self._network.account_sid))

    def fetch(self, form: Form, path: dict[str, str]) -> dict[str, Any]:
        message = self._network.messages.get(path["sid"])
        if message is None:
            raise errors.not_found(path["path"])
        return message_json(message.record, self._network.account_sid)


class _Conferences:
    """By sid, or by the friendly name of one that goes on."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def list(self, form: Form, path: dict[str, str]) -> dict[str, Any]:
        records = select_conferences((one.record for one in self._network.conferences.values()), form)
        return page_json(path["path"], "conferences", records, form, self._json)

    def fetch(self, form: Form, path: dict[str, str]) -> dict[str, Any]:
        return self._json(self._find(path, "sid").record)

    def update(self, form: Form, path: dict[str, str]) -> dict[str, Any]:
        conference = self._find(path, "sid")
        status = (form.get("Status") or [""])[0]
        if status != "completed":
            raise errors.invalid_parameter("Status", status)
        conference.end("conference-ended-via-api")
        return self._json(conference.record)

    def bring_in(self, form: Form, path: dict[str, str]) -> dict[str, Any]:
        name = path["conference_sid"]
        return self._participant_json(*self._network.bring_in(name, *participant_request(name, form)))

    def participants(self, form: Form, path: dict[str, str]) -> dict[str, Any]:
        conference = self._find(path, "conference_sid")
        wanted = participant_change(form)
        found = [
            one
            for one in conference.participants.values()
            if all(getattr(one, name) == value for name, value in wanted.items())
        ]
        return page_json(path["path"], "participants", found, form, lambda one: self._participant_json(conference, one))

    def participant(self, form: Form, path: dict[str, str]) -> dict[str, Any]:
        return self._participant_json(*self._inside(path))

    def change(self, form: Form, path: dict[str, str]) -> dict[str, Any]:
        conference, participant = self._inside(path)
        conference.change(participant, **participant_change(form))
        return self._participant_json(conference, participant)

    def take_out(self, form: Form, path: dict[str, str]) -> None:
        conference, participant = self._inside(path)
        conference.leave(participant, "participant_updated_via_api")

    def _find(self, path: dict[str, str], name: str) -> Conference:
        conference = self._network.conference(path[name])
        if conference is None:
            raise errors.not_found(path["path"])
        return conference

    def _inside(self, path: dict[str, str]) -> tuple[Conference, Participant]:
        """A participant, by the call's sid or by its label."""
        conference, named = self._find(path, "conference_sid"), path["call_sid"]
        for one in conference.participants.values():
            if named in (one.call.record.sid, one.room.label):
                return conference, one
        raise errors.not_found(path["path"])

    def _json(self, record: ConferenceRecord) -> dict[str, Any]:
        return conference_json(record, self._network.account_sid)

    def _participant_json(self, conference: Conference, participant: Participant) -> dict[str, Any]:
        return participant_json(conference.record, participant, self._network.account_sid)


def _endpoint(
    network: Network, drop: Drop, resource: str, status: int, handler: Handler, documented: str
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            _authenticate(network, request)
            fault = network.faults.draw(request.method, resource)
            await _suffer(network, fault)
            form = await _form(request)
            body = handler(form, {**request.path_params, "path": request.url.path})
            if fault == "ambiguous" and not drop(request):
                raise errors.internal()
            network.requests.append(Asked(request.method, documented, frozenset(form), status, body))
            return Response(status_code=status) if body is None else JSONResponse(body, status_code=status)
        except errors.TwilioError as error:
            headers = {"WWW-Authenticate": 'Basic realm="Twilio API"'} if error.status == 401 else {}
            return JSONResponse(error.body(), status_code=error.status, headers=headers)

    return endpoint


async def _suffer(network: Network, fault: str) -> None:
    """What goes wrong before anything is done: none of these has placed a call."""
    match fault:
        case "slow":
            await asyncio.sleep(network.faults.seconds)
        case "hang":
            await asyncio.sleep(HANG_SECONDS)
            raise errors.internal()
        case "429":
            raise errors.too_many_requests()
        case "500":
            raise errors.internal()
        case "400":
            raise errors.bad_request(network.faults.code)


def _authenticate(network: Network, request: Request) -> None:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise errors.unauthenticated() from None
    ours = scheme.lower() == "basic" and user == network.account_sid
    if not ours or not hmac.compare_digest(password.encode(), network.auth_token.encode()):
        raise errors.unauthenticated()
    if request.path_params["account_sid"] != network.account_sid:
        raise errors.not_found(request.url.path)


async def _form(request: Request) -> Form:
    if request.method == "GET":
        return parse_qs(request.url.query, keep_blank_values=True)
    return parse_qs((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
