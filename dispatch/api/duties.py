"""`/api/v1/tasks`, `/api/v1/reach`: what a person has to do, and whom the telephone reaches."""

from collections import Counter
from collections.abc import Callable
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Depends
from pydantic import BaseModel

from dispatch import reaching, tasks
from dispatch.api.incidents import ACTORS, Line, Principal
from pingan.clock import Clock
from pingan.database import Database
from pingan.problem import Problem

PEOPLE_MAX = 1_000
"""The worst of them; how many there are of each standing, `counts` says."""


class Done(BaseModel):
    note: Line = ""


def router(database: Database, clock: Clock, zone: ZoneInfo, principal: Callable[..., Principal]) -> APIRouter:
    """The routes. `principal` is a dependency that says who asks, or refuses; `zone` is the centre's."""
    routes = APIRouter(prefix="/api/v1", tags=["duties"])

    def actor(who: Annotated[Principal, Depends(principal)]) -> Principal:
        if who.role not in ACTORS:
            raise Problem(403, "not_allowed", f"the role {who.role} may not do this")
        return who

    Asker = Annotated[Principal, Depends(actor)]

    @routes.get("/tasks")
    async def open_ones(who: Asker) -> list[dict[str, Any]]:
        """What waits for a person: telephones first, the oldest first."""
        async with database.connection() as connection:
            return await tasks.open_ones(connection, who.area)

    @routes.post("/tasks/{task}/done", status_code=204)
    async def done(task: int, body: Done, who: Asker) -> None:
        """Somebody has seen to it. Whoever was first stays named."""
        async with database.connection() as connection:
            if not await tasks.done(connection, task, who.name, clock.now(), body.note, who.area):
                raise Problem(404, "not_found", f"no task {task} is open")

    @routes.get("/reach")
    async def reach(who: Asker) -> dict[str, Any]:
        """Whoever may be called, the worst first; and the homes of which nobody at all is known to be reached."""
        now = clock.now()
        async with database.connection() as connection:
            people = await reaching.people(connection, now, zone, who.area)
            homes = await reaching.without_anybody(connection, people, who.area)
        return {
            "homes": [home._asdict() for home in homes],
            "counts": Counter(how for _, how in people),
            "people": [{**msgspec.to_builtins(one), "standing": how} for one, how in people[:PEOPLE_MAX]],
        }

    @routes.post("/reach/{person}/test", status_code=202)
    async def test(person: Line, who: Asker) -> dict[str, str]:
        """Try them now."""
        now = clock.now()
        async with database.connection() as connection:
            found = await reaching.people(connection, now, zone, who.area, person=person)
            if not found:
                raise Problem(404, "not_found", f"there is no {person}")
            try:
                await reaching.test_now(connection, found[0][0], now)
            except reaching.UnderWay as error:
                raise Problem(409, "under_way", f"{person} is being tried already") from error
        return {"said": "begun"}

    return routes
