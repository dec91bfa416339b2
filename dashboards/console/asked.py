"""Who is being asked whether they are all right, beside the board; and what waits for the visit, on the home's page."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from care.principals import Principal
from dispatch import asking
from pingan.clock import Clock
from pingan.database import Database
from pingan.problem import Problem

from .access import person
from .page import Pages

Me = Annotated[Principal, Depends(person)]


def router(pages: Pages, database: Database, clock: Clock) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get("/asking")
    async def fragment(request: Request, me: Me) -> Response:
        async with database.connection() as connection:
            found = await asking.under_way(connection, clock.now(), me.area)
        return pages.render(request, "asking.html", asked=found)

    @routes.post("/notes/{note}/acknowledge")
    async def acknowledge(me: Me, note: UUID) -> Response:
        async with database.connection() as connection:
            home = await asking.acknowledge(connection, note, me.name, clock.now(), me.area)
        if home is None:
            raise Problem(404, "not_found", f"there is no note {note}")
        return RedirectResponse(f"/register/homes/{home}#notes", 303)

    return routes
