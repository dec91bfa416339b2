"""Opening an incident for somebody who telephones: people without a device, or away from it, are fully served."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from care import register
from care.principals import Principal
from dispatch.desk import Desk, UnknownHome
from dispatch.incident import CAUSES, Answer
from pingan.database import Database
from pingan.problem import Problem

from .access import person
from .page import Pages

Me = Annotated[Principal, Depends(person)]

CHOICES = tuple(cause for cause in CAUSES if cause not in ("technical", "test"))
FOUND = 20


def router(pages: Pages, database: Database, desk: Desk) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get("/open")
    async def choose(request: Request, me: Me, words: Annotated[str, Query(max_length=100)] = "") -> Response:
        async with database.connection() as connection:
            page = await register.search(connection, words, me.area, limit=FOUND)
        return pages.render(
            request, "open.html", words=words, hits=page.items, more=page.next is not None, causes=CHOICES
        )

    @routes.post("/open")
    async def open_one(
        me: Me, home: Annotated[str, Form(max_length=200)], cause: Annotated[str, Form(max_length=40)] = "sos"
    ) -> Response:
        if cause not in CHOICES:
            raise Problem(422, "invalid", f"the cause is one of {', '.join(CHOICES)}")
        try:
            incident = await desk.open(home.replace("\0", ""), cause, me.id, me.name, me.area)
        except UnknownHome as error:
            raise Problem(404, "not_found", f"the register has no home {home}") from error
        # Whoever speaks with the caller has it: no other screen need ring for it.
        await desk.act(incident, Answer(me.id, me.name))
        return RedirectResponse(f"/incidents/{incident}", 303)

    return routes
