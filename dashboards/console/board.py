"""The board: everything that is open, live; and what keeps every page live."""

from datetime import timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import Response, StreamingResponse

from care.principals import Principal
from dispatch import asking, views
from dispatch import incident as core
from dispatch.desk import Desk
from pingan.clock import Clock
from pingan.database import Database
from pingan.problem import Problem

from .access import person
from .live import Full, Live, sql
from .page import Pages
from .rows import ordered, shown

Me = Annotated[Principal, Depends(person)]
IncidentId = Annotated[int, Query(ge=1, le=2**63 - 1)]

LATELY = 8
"""Closed incidents below the board."""

FORGET_HOURS = 24


def router(pages: Pages, database: Database, clock: Clock, live: Live, desk: Desk) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    async def rows(request: Request, me: Principal) -> list[Any]:
        language = pages.reader(request).language
        async with database.connection() as connection:
            found = await views.board(connection, me.area)
        now = clock.now()
        return ordered(shown(row, now, language) for row in found)

    @routes.get("/")
    async def board(request: Request, me: Me) -> Response:
        async with database.connection() as connection:
            lately = await views.recent(connection, me.area)
            asked = await asking.under_way(connection, clock.now(), me.area)
            unseen = await views.came_to_nobody(connection, me.area)
        values = {
            "rows": await rows(request, me), "recent": lately[:LATELY], "full": views.BOARD_ROWS, "asked": asked,
            "unseen": unseen,
        }  # fmt: skip
        return pages.render(request, "board.html", **values)

    @routes.get("/rows")
    async def fragment(request: Request, me: Me, form: Literal["board", "edge"] = "board") -> Response:
        """Every row, or only what rings, in short, for the edge of the other pages."""
        found = await rows(request, me)
        if form == "edge":
            found = [one for one in found if one.row["ringing"]]
            return pages.render(request, "rows.html", rows=found, form=form, open_count=len(found))
        async with database.connection() as connection:
            unseen = await views.came_to_nobody(connection, me.area)
        values = {"rows": found, "form": form, "open_count": len(found), "unseen": unseen}
        return pages.render(request, "board_rows.html", **values)

    @routes.get("/live")
    async def stream(me: Me) -> Response:
        try:
            live.room()
        except Full as error:
            raise Problem(503, "busy", "too many pages are open") from error
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(live.stream(me.area), media_type="text/event-stream", headers=headers)

    @routes.post("/presence", status_code=204)
    async def presence(
        me: Me, console: Annotated[UUID, Form()], sound: Annotated[bool, Form()], visible: Annotated[bool, Form()]
    ) -> None:
        """A page says that it is there. A page that is being closed says so too."""
        now = clock.now()
        values = {"console": console, "account": me.id, "now": now, "sound": sound, "visible": visible}
        async with database.connection() as connection:
            await connection.execute(sql.present, values)
            await connection.execute(sql.forget_consoles, {"before": now - timedelta(hours=FORGET_HOURS)})

    @routes.post("/shown", status_code=204)
    async def confirm(
        me: Me, console: Annotated[UUID, Form()], incident: Annotated[int, Form(ge=1, le=2**63 - 1)]
    ) -> None:
        """A visible page that can sound has drawn this incident: t2."""
        async with database.connection() as connection:
            if not await views.visible(connection, incident, me.area):
                raise Problem(404, "not_found", f"there is no incident {incident}")
        await desk.act(incident, core.Shown(str(console)))

    return routes
