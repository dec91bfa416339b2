"""What a person has to do: who has no number, whom nobody reaches. Done by name, with a word of what was done."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Request
from starlette.responses import RedirectResponse, Response

from care.principals import Principal
from dispatch import tasks
from pingan.clock import Clock
from pingan.database import Database
from pingan.problem import Problem

from .access import person
from .page import Pages

Me = Annotated[Principal, Depends(person)]
Task = Annotated[int, Path(ge=1, le=2**63 - 1)]


def router(pages: Pages, database: Database, clock: Clock) -> APIRouter:
    routes = APIRouter(prefix="/tasks", include_in_schema=False)

    @routes.get("")
    async def page(request: Request, me: Me) -> Response:
        async with database.connection() as connection:
            found = await tasks.open_ones(connection, me.area)
            done = await tasks.done_ones(connection, me.area)
        return pages.render(request, "tasks.html", tasks=found, done=done, full=tasks.OPEN_MAX)

    @routes.get("/count")
    async def count(me: Me) -> dict[str, int]:
        """How many wait: for the header of every page."""
        async with database.connection() as connection:
            return {"tasks": await tasks.count(connection, me.area)}

    @routes.post("/{task}/done")
    async def done(me: Me, task: Task, note: Annotated[str, Form(max_length=500)] = "") -> Response:
        """Somebody has seen to it. Whoever was first stays named."""
        said = note.replace("\0", "").strip()
        async with database.connection() as connection:
            if not await tasks.done(connection, task, me.name, clock.now(), said, me.area):
                raise Problem(404, "not_found", f"no task {task} is open")
        return RedirectResponse("/tasks", 303)

    return routes
