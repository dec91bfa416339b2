"""Who asks, and whether they may. Nothing is open unless it is named here: deny by default.

The guard stands before the routes, so that a route that forgets to ask is still closed to strangers. What each role
may do is said beside each route by `allowed`.
"""

import re
from collections.abc import Callable
from typing import Literal
from urllib.parse import quote, urlsplit

from fastapi import Depends, Request
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from care.accounts import Accounts
from care.principals import WRITERS, Principal, Role
from pingan.clock import Clock
from pingan.database import LOST
from pingan.problem import Problem

COOKIE = "pingan_session"

OPEN = re.compile(r"/healthz|/sign-in|/preferences|/static/.*|/webhooks/.*|/[hm]/.*")
"""What a stranger may reach: each either shows nothing or checks in its own way (webhooks and links: the signature)."""
SIGNED = ("/webhooks/", "/h/", "/m/")
"""Who comes here shows something that no other site knows. An old telephone does not say where a form comes from."""

DESK: tuple[Role, ...] = ("operator", "supervisor", "administrator")
"""Roles that sit at the desk."""
FIGURES: tuple[Role, ...] = (*DESK, "auditor")
"""Roles that may read figures."""

SAFE = ("GET", "HEAD", "OPTIONS")
BODY_BYTES = 256 * 1024
FILE_BYTES = 8 * 1024 * 1024
FILES = ("/register/import", "/api/v1/register/import")


def principal(request: Request) -> Principal:
    """The route's dependency: who asks. 401 when it is nobody."""
    who = request.scope.get("state", {}).get("principal")
    if not isinstance(who, Principal):
        raise Problem(401, "not_signed_in", "sign in, or send a bearer token")
    return who


def allowed(*roles: Role) -> Callable[[Principal], Principal]:
    """The route's dependency: who asks, if they have one of `roles`. 403 when they have not."""

    def check(who: Principal = Depends(principal)) -> Principal:  # noqa: B008
        if who.role not in roles:
            raise Problem(403, "not_for_your_role", f"the role {who.role} may not do this")
        return who

    return check


def person(who: Principal = Depends(allowed(*DESK))) -> Principal:  # noqa: B008
    """The route's dependency for pages: somebody of the desk with a session, not a machine with a token."""
    if who.machine:
        raise Problem(403, "for_people", "pages are for people; machines use /api/v1")
    return who


def figures_reader(who: Principal = Depends(allowed(*FIGURES))) -> Principal:  # noqa: B008
    """The route's dependency for the figures' pages: also auditors, whom nothing else is shown to."""
    if who.machine:
        raise Problem(403, "for_people", "pages are for people; machines use /api/v1")
    return who


def writer(who: Principal = Depends(allowed(*WRITERS))) -> Principal:  # noqa: B008
    """The route's dependency for pages on which something is set or decided: that is done by a person, by name."""
    if who.machine:
        raise Problem(403, "for_people", "pages are for people; machines use /api/v1")
    return who


class Guard:
    """The gate before every route."""

    def __init__(self, app: ASGIApp, *, accounts: Accounts, clock: Clock, show: Callable[..., Response]) -> None:
        self._app = app
        self._accounts = accounts
        self._clock = clock
        self._show = show

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        connection = HTTPConnection(scope)
        try:
            refusal = await self._check(scope, connection)
        except (*LOST, TimeoutError):
            refusal = self._show(connection, Problem(503, "database_away", "the database does not answer: try again"))
        except Problem as problem:
            refusal = self._show(connection, problem)
        if refusal is not None:
            return await refusal(scope, receive, send)
        await self._app(scope, _limited(receive, scope, connection), send)

    async def _check(self, scope: Scope, connection: HTTPConnection) -> Response | None:
        """Put the principal into the scope. A response when the request goes no further."""
        unsafe = scope["method"] not in SAFE
        _check_length(scope, connection)
        if OPEN.fullmatch(scope["path"]):
            # Signing somebody in from another site is an attack too.
            if unsafe and not scope["path"].startswith(SIGNED) and not same_origin(connection):
                raise Problem(403, "other_origin", "this came from another site")
            return None
        scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            who = await self._accounts.authorize(bearer.strip())
        elif token := connection.cookies.get(COOKIE):
            who = await self._accounts.who(token, self._clock.now())
            if who is not None and unsafe and not same_origin(connection):
                raise Problem(403, "other_origin", "this came from another site")
        else:
            who = None
        if who is None:
            if for_people(connection) and not unsafe:
                path = connection.url.path
                return RedirectResponse("/sign-in" if path == "/" else f"/sign-in?next={quote(path)}", 303)
            raise Problem(401, "not_signed_in", "sign in, or send a bearer token")
        scope.setdefault("state", {})["principal"] = who
        return None


def for_people(connection: HTTPConnection) -> bool:
    """Whether whoever asks is a browser that shows what it gets, and not a script or a machine."""
    return not connection.url.path.startswith("/api/") and "text/html" in connection.headers.get("accept", "")


def same_origin(connection: HTTPConnection) -> bool:
    """Whether a page of ours sent this. Browsers say so themselves; whoever says nothing is not believed."""
    site = connection.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = connection.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == connection.headers.get("host")


def start(who: Principal | None) -> str:
    """Where somebody begins: at the board, or at the only pages that are theirs."""
    return "/figures" if who is not None and who.role not in DESK and who.role in FIGURES else "/"


def local_path(path: str | None, otherwise: str = "/") -> str:
    """`path` if it leads nowhere but to ourselves."""
    return path if path and re.fullmatch(r"/(?![/\\])[^\\\x00-\x20]*", path) else otherwise


def set_cookie(
    response: Response,
    name: str,
    value: str,
    seconds: int,
    *,
    secure: bool,
    same_site: Literal["lax", "strict"] = "lax",
) -> None:
    response.set_cookie(name, value, max_age=seconds, httponly=True, samesite=same_site, secure=secure, path="/")


def _limit(scope: Scope) -> int:
    return FILE_BYTES if scope["path"].startswith(FILES) else BODY_BYTES


def _check_length(scope: Scope, connection: HTTPConnection) -> None:
    length = connection.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > _limit(scope):
        raise Problem(413, "too_large", "the body is larger than anything that we take")


def _limited(receive: Receive, scope: Scope, connection: HTTPConnection) -> Receive:
    """Count what comes: a body that does not say its length is not longer for it."""
    if "content-length" in connection.headers:
        return receive  # the server itself holds it to that
    left = _limit(scope)

    async def limited() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise Problem(413, "too_large", "the body is larger than anything that we take")
        return message

    return limited
