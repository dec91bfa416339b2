"""`/api/v1/detectors`: versions of detectors, what each has done in shadow, and the acts that decide what rings.

Reading is for the desk, deciding for supervisors.
"""

from collections.abc import Callable
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, Header, Path, Query
from pydantic import BaseModel, Field

from alerting import shadow, shadow_text
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


class Versions:
    """What the API and the page do with versions, in one place. Each raises Problem, in the words of `language`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def overview(self, area: str | None) -> dict[str, Any]:
        async with self._database.connection() as connection:
            return await shadow.overview(connection, area)

    async def report(
        self, who: Principal, detector: str, label: str, area: str | None, days: int, language: str
    ) -> dict[str, Any]:
        """In `area`, or in all that is the asker's."""
        if area is not None and who.area is not None and not area.startswith(who.area):
            raise _problem(Refused("not_your_area", area=who.area), language)
        now = self._clock.now()
        try:
            async with self._database.connection() as connection:
                return await shadow.look_back(connection, detector, label, now, now, days=days, scope=area or who.area)
        except Refused as refused:
            raise _problem(refused, language) from refused

    async def act(self, who: Principal, wanted: Wanted, language: str) -> dict[str, Any]:
        """Recorded under the name of whoever asks, who is a person."""
        try:
            async with self._database.transaction() as connection:
                return await shadow.act(connection, wanted, who.name, who.area, self._clock.now())
        except Refused as refused:
            raise _problem(refused, language) from refused

    def text(self, found: dict[str, Any], language: str) -> dict[str, Any]:
        """A report's sentences and cells."""
        return {
            "head": shadow_text.head(found, language),
            "table": shadow_text.table(found, language),
            "both": shadow_text.both(found, language),
            "doubts": shadow_text.doubts(found, language),
        }

    def say(self, key: str, language: str, **values: Any) -> str:
        return say(key, language, **values)

    async def decide(
        self, who: Principal, version: tuple[str, str], state: State, reason: str, area: str | None, language: str
    ) -> str:
        """The page's form: what was done, as a sentence."""
        detector, label = version
        done = await self.act(who, Wanted(detector, label, state, reason, area), language)
        said = say(f"done_{state}", language, id=done["id"], homes=done["homes"], detector=detector, label=label)
        anew = state == "live" and not done["ran"]
        return f"{said} {say('begins_anew', language)}" if anew else said


def router(versions: Versions, principal: Callable[..., Principal]) -> APIRouter:
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
    async def overview(who: Reader) -> dict[str, Any]:
        """Every version, in how many homes it rings or runs in shadow, and the newest acts."""
        return await versions.overview(who.area)

    @routes.get("/detectors/{detector}/{label}/report")
    async def report(
        detector: Name, label: Name, who: Reader, days: int = REPORT_DAYS, area: Area = None, language: Language = "zh"
    ) -> dict[str, Any]:
        """The version in shadow against what rang, over the last `days`, in `area` or in all that is the asker's."""
        return await versions.report(who, detector, label, area, days, _spoken(language))

    @routes.post("/detectors/{detector}/{label}", status_code=201)
    async def act(detector: Name, label: Name, body: Act, who: Decider, language: Language = "zh") -> dict[str, Any]:
        """Let the version ring, run in shadow, or rest; in `area` or everywhere. It is recorded under your name."""
        wanted = Wanted(detector, label, body.state, body.reason, body.area)
        return await versions.act(who, wanted, _spoken(language))

    return routes


def _spoken(header: str) -> str:
    return "zh" if header.lower().startswith("zh") else "en"


def _problem(refused: Refused, language: str) -> Problem:
    status = 404 if refused.reason in ("no_detector", "no_label") else 422
    return Problem(status, refused.reason, say(refused.reason, language, **refused.values))
