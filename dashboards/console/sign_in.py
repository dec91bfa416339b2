"""Signing in and out, and how a reader likes the pages: language and theme."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from care.accounts import SESSION_HOURS, Accounts, Refused
from pingan.clock import Clock

from .access import COOKIE, local_path, set_cookie, start
from .language import LANGUAGES
from .page import LANGUAGE_COOKIE, THEME_COOKIE, THEMES, Pages

YEAR_SECONDS = 365 * 24 * 3600


def router(pages: Pages, accounts: Accounts, clock: Clock, *, secure: bool) -> APIRouter:
    """`secure`: the console is reached by https, and its cookies shall never go over anything else."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/sign-in")
    async def sign_in_page(request: Request, next: Annotated[str | None, Query(max_length=500)] = None) -> Response:
        return pages.render(request, "sign_in.html", next=local_path(next), refused=None, account="")

    @routes.post("/sign-in")
    async def sign_in(
        request: Request,
        account: Annotated[str, Form(max_length=100)] = "",
        password: Annotated[str, Form(max_length=1000)] = "",
        next: Annotated[str, Form(max_length=500)] = "/",
    ) -> Response:
        replaced = request.cookies.get(COOKIE)
        session = await accounts.sign_in(account, password, clock.now(), replaces=replaced)
        if isinstance(session, Refused):
            status = 401 if session is Refused.WRONG else 429
            return pages.render(
                request, "sign_in.html", status, next=local_path(next), refused=session.value, account=account
            )
        next = local_path(next)
        response = RedirectResponse(start(session.principal) if next == "/" else next, 303)
        set_cookie(response, COOKIE, session.token, SESSION_HOURS * 3600, secure=secure)
        return response

    @routes.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        if token := request.cookies.get(COOKIE):
            await accounts.sign_out(token)
        response = RedirectResponse("/sign-in", 303)
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax", secure=secure)
        return response

    @routes.post("/preferences")
    async def preferences(
        language: Annotated[str | None, Form(max_length=5)] = None,
        theme: Annotated[str | None, Form(max_length=5)] = None,
        back: Annotated[str, Form(max_length=500)] = "/",
    ) -> Response:
        response = RedirectResponse(local_path(back), 303)
        if language in LANGUAGES:
            set_cookie(response, LANGUAGE_COOKIE, language, YEAR_SECONDS, secure=secure)
        if theme in THEMES:
            set_cookie(response, THEME_COOKIE, theme, YEAR_SECONDS, secure=secure)
        return response

    return routes
