"""`/api/v1/detectors`: versions of detectors, what each has done in shadow, and the acts that decide what rings.

Reading is for the desk, deciding for supervisors.
"""

from collections.abc import Callable
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, Header, Path, Query
from pydantic import BaseModel, Field

from alerting import shadow
from alerting.shadow import REASON_CHARACTERS, REPORT_DAYS, Refused, State, Wanted
from alerting.shadow_words import say
from pingan.clock import Clock
from pingan.database import Database
from pingan.problem import Problem

READERS = frozenset({"operator", "supervisor", "administrator"})
DECIDERS = frozenset({"supervisor", "administrator"})

Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Area = Annotated[str | None, Query(max_length=64)]
Language = Annotated[str, Header(alias="accept-language", include_in_schema=False)]


class Principal(Protocol):
    """Who asks. `area` None: everywhere. `machine`: by a token, which is nobody's name."""

    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def area(self) -> str | None: ...
    @property
    def machine(self) -> bool: ...


class Act(BaseModel):
    state: State
    reason: str = Field(min_length=1, max_length=REASON_CHARACTERS)
    area: str | None = Field(default=None, max_length=64)


def router(database: Database, clock: Clock, principal: Callable[..., Principal]) -> APIRouter:
    """The routes. `principal` is a dependency that says who asks, or refuses."""

    def reader(who: Annotated[Principal, Depends(principal)]) -> Principal:
        if who.role not in READERS:
            raise Problem(403, "not_allowed", f"the role {who.role} may not read this")
        return who

    def decider(who: Annotated[Principal, Depends(principal)]) -> Principal:
        if who.role not in DECIDERS or who.machine:
            raise Problem(403, "not_allowed", "which version rings is decided by a supervisor, by name")
        return who

    Reader = Annotated[Principal, Depends(reader)]
    Decider = Annotated[Principal, Depends(decider)]
    routes = APIRouter(prefix="/api/v1", tags=["detectors"])

    @routes.get("/detectors")
    async def versions(who: Reader) -> dict[str, Any]:
        """Every version, in how many homes it rings or runs in shadow, and the newest acts."""
        async with database.connection() as connection:
            return await shadow.overview(connection, who.area)

    @routes.get("/detectors/{detector}/{label}/report")
    async def report(
        detector: Name, label: Name, who: Reader, days: int = REPORT_DAYS, area: Area = None, language: Language = "zh"
    ) -> dict[str, Any]:
        """The version in shadow against what rang, over the last `days`, in `area` or in all that is the asker's."""
        if area is not None and who.area is not None and not area.startswith(who.area):
            raise _problem(Refused("not_your_area", area=who.area), language)
        now = clock.now()
        try:
            async with database.connection() as connection:
                return await shadow.look_back(connection, detector, label, now, now, days=days, scope=area or who.area)
        except Refused as refused:
            raise _problem(refused, language) from refused

    @routes.post("/detectors/{detector}/{label}", status_code=201)
    async def act(detector: Name, label: Name, body: Act, who: Decider, language: Language = "zh") -> dict[str, Any]:
        """Let the version ring, run in shadow, or rest; in `area` or everywhere. It is recorded under your name."""
        wanted = Wanted(detector, label, body.state, body.reason, body.area)
        try:
            async with database.transaction() as connection:
                return await shadow.act(connection, wanted, who.name, who.area, clock.now())
        except Refused as refused:
            raise _problem(refused, language) from refused

    return routes


def _problem(refused: Refused, language: str) -> Problem:
    text = say(refused.reason, "zh" if language.lower().startswith("zh") else "en", **refused.values)
    return Problem(404 if refused.reason in ("no_detector", "no_label") else 422, refused.reason, text)
