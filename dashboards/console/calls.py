"""The operator's ordinary telephone: which one it is this shift, and speaking with a home by one key."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Path, Request
from starlette.responses import RedirectResponse, Response

from care.phones import normalise
from care.principals import Principal
from care.refusal import Refusal
from care.words import explain
from dispatch import shifts, views
from dispatch.bridging import Bridging
from dispatch.shifts import SHIFT_HOURS, Shift
from pingan.clock import Clock
from pingan.database import Database
from pingan.problem import Problem

from .access import person
from .incident import answered
from .page import Pages

Me = Annotated[Principal, Depends(person)]
IncidentId = Annotated[int, Path(ge=1, le=2**63 - 1)]
Number = Annotated[str, Form(max_length=40)]

HOURS = (4, 8, 10, SHIFT_HOURS)
USUAL_HOURS = 8


def router(pages: Pages, database: Database, clock: Clock, bridging: Bridging) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    async def call(request: Request, me: Principal, incident_id: int, *, with_helper: bool) -> Response:
        async with database.connection() as connection:
            if not await views.visible(connection, incident_id, me.area):
                raise Problem(404, "not_found", f"there is no incident {incident_id}")
        decision = await bridging.ask(incident_id, me.id, me.name, with_helper=with_helper)
        return answered(pages, request, incident_id, decision)

    @routes.post("/incidents/{incident_id}/call")
    async def call_home(request: Request, me: Me, incident_id: IncidentId) -> Response:
        """The operator's telephone rings, and then the home's."""
        return await call(request, me, incident_id, with_helper=False)

    @routes.post("/incidents/{incident_id}/call_both")
    async def call_both(request: Request, me: Me, incident_id: IncidentId) -> Response:
        """And whoever goes there, on the same line."""
        return await call(request, me, incident_id, with_helper=True)

    @routes.get("/shift")
    async def page(request: Request, me: Me, said: Literal["begun", "ended"] | None = None) -> Response:
        async with database.connection() as connection:
            shift = await shifts.of(connection, me.id, clock.now())
        return _shift(pages, request, shift, said=said)

    @routes.post("/shift")
    async def begin(
        request: Request, me: Me, phone: Number, fallback: Number = "", hours: Annotated[int, Form()] = USUAL_HOURS
    ) -> Response:
        """From now on these telephones are the operator's."""
        if hours not in HOURS:
            raise Problem(422, "invalid", f"hours is one of {', '.join(map(str, HOURS))}")
        now = clock.now()
        try:
            second = normalise(fallback) if fallback.strip() else None
            shift = Shift(normalise(phone), second, now, now + timedelta(hours=hours))
        except Refusal as refusal:
            why = explain(refusal, pages.reader(request).language)
            return _shift(pages, request, None, 422, why=why, typed=(phone, fallback, hours))
        async with database.transaction() as connection:
            await shifts.begin(connection, me.id, shift)
        return RedirectResponse("/shift?said=begun", 303)

    @routes.post("/shift/end")
    async def end(me: Me) -> Response:
        async with database.transaction() as connection:
            await shifts.end(connection, me.id, clock.now())
        return RedirectResponse("/shift?said=ended", 303)

    return routes


def _shift(
    pages: Pages,
    request: Request,
    shift: Shift | None,
    status: int = 200,
    *,
    said: str | None = None,
    why: str | None = None,
    typed: tuple[str, str, int] = ("", "", USUAL_HOURS),
) -> Response:
    return pages.render(
        request, "shift.html", status, shift=shift, said=said, why=why, typed=typed, hours=HOURS,
        seconds=shifts.FIRST_SECONDS,
    )  # fmt: skip
