"""`/api/v1/askings`, `/api/v1/notes`: who is being asked whether they are all right, and what waits for the visit."""

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from dispatch import asking
from dispatch.api.incidents import ACTORS, Line, Principal
from pingan.clock import Clock
from pingan.database import Database
from pingan.problem import Problem

Home = Annotated[Line | None, Query()]


def router(database: Database, clock: Clock, principal: Callable[..., Principal]) -> APIRouter:
    """The routes. `principal` is a dependency that says who asks, or refuses."""
    routes = APIRouter(prefix="/api/v1", tags=["askings"])

    def actor(who: Annotated[Principal, Depends(principal)]) -> Principal:
        if who.role not in ACTORS:
            raise Problem(403, "not_allowed", f"the role {who.role} may not do this")
        return who

    Asker = Annotated[Principal, Depends(actor)]

    @routes.get("/askings")
    async def askings(who: Asker, home: Home = None) -> list[dict[str, Any]]:
        """Who is being asked now, the soonest to end first; of one `home` all that was asked, the newest first."""
        async with database.connection() as connection:
            if home is not None:
                return await asking.of_home(connection, home, who.area)
            return await asking.under_way(connection, clock.now(), who.area)

    @routes.get("/notes")
    async def notes(who: Asker, home: Home = None, every: bool = False) -> list[dict[str, Any]]:
        """What detection notes for the next visit and nobody has taken note of; with `every`, all of it."""
        async with database.connection() as connection:
            return await asking.notes(connection, who.area, home, every=every)

    @routes.post("/notes/{note}/acknowledge", status_code=204)
    async def acknowledge(note: UUID, who: Asker) -> None:
        """Somebody takes note. Whoever was first stays named."""
        async with database.connection() as connection:
            if await asking.acknowledge(connection, note, who.name, clock.now(), who.area) is None:
                raise Problem(404, "not_found", f"there is no note {note}")

    return routes
