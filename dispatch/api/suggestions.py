"""`/api/v1/suggestions`: what closures suggest. Supervisors read; a named person decides."""

from collections.abc import Callable
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from dispatch import learning
from dispatch.api.incidents import Line
from dispatch.learning import Apply, NotSuggested, Suggestion
from pingan.clock import Clock
from pingan.database import Database
from pingan.problem import Problem

DECIDERS = frozenset({"supervisor", "administrator"})


class Decider(Protocol):
    """Whoever asks: the web process says who it is."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def area(self) -> str | None: ...
    @property
    def machine(self) -> bool: ...


class Decision(BaseModel):
    suggestion: Line
    proposed: float
    """As it was shown: if it is another by now, nothing is decided."""
    accept: bool


def router(database: Database, clock: Clock, principal: Callable[..., Decider], apply: Apply) -> APIRouter:
    """The routes. `principal` is a dependency that says who asks, or refuses; `apply` sets what is accepted."""
    routes = APIRouter(prefix="/api/v1", tags=["suggestions"])

    def decider(who: Annotated[Decider, Depends(principal)]) -> Decider:
        if who.role not in DECIDERS:
            raise Problem(403, "not_allowed", f"the role {who.role} may not do this")
        return who

    Asker = Annotated[Decider, Depends(decider)]

    @routes.get("/suggestions")
    async def suggestions(who: Asker) -> dict[str, Any]:
        """What is suggested, each with what speaks for it; and who has decided what, the latest first."""
        async with database.connection() as connection:
            found = await learning.suggestions(connection, clock.now(), who.area)
            decided = await learning.decisions(connection, who.area)
        return {"suggestions": [learning.shown(one) for one in found], "decisions": decided}

    @routes.post("/suggestions/decide")
    async def decide(body: Decision, who: Asker) -> dict[str, Any]:
        """Accept or decline. Machines may read; a decision is a person's."""
        return learning.shown(
            await decided(database, clock, who, body.suggestion, body.proposed, accept=body.accept, apply=apply)
        )

    @routes.get("/false-alarms")
    async def figures(who: Asker, home: Annotated[Line | None, Query()] = None) -> dict[str, Any]:
        """False alarms per person-week, by home and by device, each with its exact 95 % interval."""
        async with database.connection() as connection:
            return await learning.figures(connection, clock.now(), who.area, home)

    return routes


async def decided(
    database: Database, clock: Clock, who: Decider, suggestion: str, proposed: float, *, accept: bool, apply: Apply
) -> Suggestion:
    """What was decided on. Problem: a machine, or nothing to decide."""
    if who.machine:
        raise Problem(403, "for_people", "a decision is a named person's: machines may read")
    try:
        async with database.connection() as connection:
            return await learning.decide(
                connection, suggestion, proposed, accept=accept, by=who.name, account=who.id, now=clock.now(),
                scope=who.area, apply=apply,
            )  # fmt: skip
    except NotSuggested as nothing:
        raise Problem(409, nothing.name, str(nothing)) from nothing
