"""What closures suggest, with what speaks for it, and how often alarms were false: for supervisors, who decide."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from care.principals import Principal
from care.suggested import apply
from dispatch import learning
from dispatch.api.suggestions import decided
from pingan.clock import Clock
from pingan.database import Database
from pingan.problem import Problem

from .access import writer
from .page import Pages

Decider = Annotated[Principal, Depends(writer)]
Said = Literal["accepted", "declined"]


def router(pages: Pages, database: Database, clock: Clock) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    async def show(
        request: Request, me: Principal, status: int = 200, *, said: Said | None = None, wrong: str | None = None
    ) -> Response:
        now = clock.now()
        async with database.connection() as connection:
            found = await learning.suggestions(connection, now, me.area)
            decisions = await learning.decisions(connection, me.area)
            figures = await learning.figures(connection, now, me.area)
        return pages.render(
            request, "suggestions.html", status, suggestions=found, decisions=decisions, figures=figures, said=said,
            wrong=wrong, least=learning.LEAST,
        )  # fmt: skip

    @routes.get("/suggestions")
    async def page(request: Request, me: Decider, said: Said | None = None) -> Response:
        return await show(request, me, said=said)

    @routes.post("/suggestions")
    async def decide(
        request: Request,
        me: Decider,
        suggestion: Annotated[str, Form(max_length=200)],
        proposed: Annotated[float, Form()],
        decision: Annotated[Literal["accept", "decline"], Form()],
    ) -> Response:
        """What was seen is decided on: if it is another by now, that is said, and nothing is changed."""
        accept = decision == "accept"
        try:
            await decided(database, clock, me, suggestion, proposed, accept=accept, apply=apply)
        except Problem as problem:
            if problem.status != 409:
                raise
            return await show(request, me, 409, wrong=problem.name)
        return RedirectResponse(f"/suggestions?said={'accepted' if accept else 'declined'}", 303)

    return routes
