"""Who cannot be reached by telephone, before the night on which they are needed: the worst first."""

from collections import Counter
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import RedirectResponse, Response

from care.principals import Principal
from dispatch import reaching
from dispatch.reachable import STANDINGS, UNREACHABLE
from pingan.clock import Clock
from pingan.database import Database
from pingan.problem import Problem

from .access import person
from .page import Pages

Me = Annotated[Principal, Depends(person)]
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Said = Literal["begun", "under_way"]

SHOWN = 300
"""Of each list; how many there are, its head says."""


def router(pages: Pages, database: Database, clock: Clock) -> APIRouter:
    routes = APIRouter(prefix="/reach", include_in_schema=False)

    @routes.get("")
    async def page(request: Request, me: Me, said: Said | None = None) -> Response:
        now = clock.now()
        async with database.connection() as connection:
            people = await reaching.people(connection, now, pages.zone, me.area)
            homes = await reaching.without_anybody(connection, people, me.area)
        counts = Counter(how for _, how in people)
        others = [one for one in people if one[1] != "reached"]
        return pages.render(
            request, "reach.html", homes=homes, people=others[:SHOWN], more=len(others) > SHOWN, shown=SHOWN, said=said,
            counts=[(how, counts[how]) for how in STANDINGS], unreachable=UNREACHABLE,
        )  # fmt: skip

    @routes.post("/{person_id}/test")
    async def test(me: Me, person_id: Id) -> Response:
        """Try them now. Once is enough: a test that is under way is not begun again."""
        now, said = clock.now(), "begun"
        async with database.connection() as connection:
            found = await reaching.people(connection, now, pages.zone, me.area, person=person_id)
            if not found:
                raise Problem(404, "not_found", f"there is no {person_id}")
            try:
                await reaching.test_now(connection, found[0][0], now)
            except reaching.UnderWay:
                said = "under_way"
        return RedirectResponse(f"/reach?said={said}", 303)

    return routes
