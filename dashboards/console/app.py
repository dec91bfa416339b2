"""The console as a whole: its pages, its static files, and the gate before everything that the web process serves."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from care.accounts import Accounts
from dispatch.bridging import Bridging
from dispatch.desk import Desk
from dispatch.helping import Helping
from dispatch.links import Links
from dispatch.packet import Packets
from pingan.clock import Clock
from pingan.database import LOST, Database
from pingan.figures import Lagging
from pingan.problem import Problem

from . import (
    asked,
    board,
    caller,
    calls,
    detectors,
    devices,
    figures,
    helper,
    home_code,
    incident,
    packet,
    policies,
    reach,
    register_pages,
    rotas,
    sign_in,
    suggestions,
    tasks,
)
from .access import Guard
from .live import Live
from .page import Pages

STATIC = Path(__file__).with_name("static")

HEADERS = [
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        b"font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
]


@dataclass(frozen=True)
class Parts:
    """What the web process has one of, for whoever serves pages from it."""

    database: Database
    clock: Clock
    live: Live
    desk: Desk
    accounts: Accounts
    zone: ZoneInfo
    secure: bool
    data: Path | None
    logs: Sequence[Lagging]
    versions: detectors.Versions
    links: Links | None = None
    """None: this installation has no secret for links, and no page for who has no account."""
    packets: Packets | None = None
    desk_phone: str | None = None


class Headers:
    """Every answer says what a browser may do with it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", []))
                named = {name.lower() for name, _ in own}  # a page may ask for more of itself: it has said so
                message = {**message, "headers": [*own, *(one for one in HEADERS if one[0] not in named)]}
            await send(message)

        await self._app(scope, receive, with_headers)


def mount(app: FastAPI, parts: Parts) -> None:
    """Serve the console from `app`, and stand before all of its routes."""
    pages = Pages(parts.clock, parts.zone)
    app.mount("/static", _Static(directory=STATIC), name="static")
    app.include_router(sign_in.router(pages, parts.accounts, parts.clock, secure=parts.secure))
    app.include_router(board.router(pages, parts.database, parts.clock, parts.live, parts.desk))
    bridging = Bridging(parts.database, parts.clock, parts.desk, parts.desk_phone)
    app.include_router(calls.router(pages, parts.database, parts.clock, bridging))  # before any act of an incident
    if parts.links is not None and parts.packets is not None:
        _without_account(app, pages, parts, parts.links, parts.packets)
    app.include_router(incident.router(pages, parts.database, parts.clock, parts.desk))
    app.include_router(asked.router(pages, parts.database, parts.clock))
    app.include_router(suggestions.router(pages, parts.database, parts.clock))
    app.include_router(detectors.router(pages, parts.versions))
    app.include_router(policies.router(pages, parts.database, parts.clock))
    app.include_router(tasks.router(pages, parts.database, parts.clock))
    app.include_router(reach.router(pages, parts.database, parts.clock))
    app.include_router(rotas.router(pages, parts.database, parts.clock))
    app.include_router(caller.router(pages, parts.database, parts.desk))
    app.include_router(register_pages.router(pages, parts.database, parts.clock))
    app.include_router(devices.router(pages, parts.database, parts.clock))
    app.include_router(figures.router(pages, parts.database, parts.clock, parts.data, parts.logs))
    for kind, handler in _handlers(pages).items():
        app.add_exception_handler(kind, handler)
    app.add_middleware(Guard, accounts=parts.accounts, clock=parts.clock, show=pages.refusal)
    app.add_middleware(Headers)  # the last added is the outermost


def _without_account(app: FastAPI, pages: Pages, parts: Parts, links: Links, packets: Packets) -> None:
    """The pages that are opened by a link, helpers' and medical staff's; and where the desk gives links out."""
    pages.gives_links = True
    door = helper.Doorkeeper(links, parts.clock)
    helpers = Helping(parts.database, parts.clock, parts.desk)
    app.include_router(
        helper.router(
            pages, parts.database, parts.clock, helpers, door, desk_phone=parts.desk_phone, secure=parts.secure
        )
    )
    app.include_router(home_code.router(pages, parts.database, parts.clock, links))
    app.include_router(packet.router(pages, packets, door, links, secure=parts.secure))
    app.include_router(packet.desk_router(pages, parts.database, parts.clock, packets))


Handlers = dict[type[Exception], Callable[[Request, Any], Awaitable[Response]]]


def _handlers(pages: Pages) -> Handlers:
    async def problem(request: Request, error: Problem) -> Response:
        return pages.refusal(request, error)

    async def http(request: Request, error: HTTPException) -> Response:
        name = {404: "not_found", 405: "wrong_method"}.get(error.status_code, "refused")
        response = pages.refusal(request, Problem(error.status_code, name, str(error.detail)))
        response.headers.update(error.headers or {})
        return response

    async def invalid(request: Request, error: RequestValidationError) -> Response:
        # What was sent is not repeated: it may hold anything.
        wrong = [{"at": ".".join(map(str, one["loc"])), "why": one["msg"]} for one in error.errors()]
        detail = "; ".join(f"{one['at']}: {one['why']}" for one in wrong)
        return pages.refusal(request, Problem(422, "invalid", detail, errors=wrong))

    async def lost(request: Request, _error: Exception) -> Response:
        return pages.refusal(request, Problem(503, "database_away", "the database does not answer: try again"))

    handlers: Handlers = {Problem: problem, HTTPException: http, RequestValidationError: invalid}
    return handlers | dict.fromkeys(LOST, lost)


class _Static(StaticFiles):
    """Our own files. A browser asks each time whether they have changed, so that no page runs with an old script."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response
