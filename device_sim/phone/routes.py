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
from device_sim.phone.network import Network
from device_sim.phone.resources import (
    VERSION,
    Form,
    call_json,
    call_request,
    message_json,
    message_request,
    page_json,
    select_calls,
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
        endpoint = _endpoint(network, drop, resource, status, handler)
        router.add_api_route(account + path, endpoint, methods=[method], include_in_schema=False)

    calls, messages = _Calls(network), _Messages(network)
    route("/Calls.json", "POST", "Calls", 201, calls.create)
    route("/Calls.json", "GET", "Calls", 200, calls.list)
    route("/Calls/{sid}.json", "GET", "Calls", 200, calls.fetch)
    route("/Calls/{sid}.json", "POST", "Calls", 200, calls.update)
    route("/Messages.json", "POST", "Messages", 201, messages.create)
    route("/Messages.json", "GET", "Messages", 200, messages.list)
    route("/Messages/{sid}.json", "GET", "Messages", 200, messages.fetch)
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


def _endpoint(
    network: Network, drop: Drop, resource: str, status: int, handler: Handler
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            _authenticate(network, request)
            fault = network.faults.draw(request.method, resource)
            await _suffer(network, fault)
            body = handler(await _form(request), {**request.path_params, "path": request.url.path})
            if fault == "ambiguous" and not drop(request):
                raise errors.internal()
            return JSONResponse(body, status_code=status)
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
