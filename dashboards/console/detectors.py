"""Versions of detectors: which one rings, what another has done in shadow, and the decision between them."""

from typing import Annotated, Any, Literal, Protocol

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from care.principals import Principal
from pingan.problem import Problem

from .access import writer
from .page import Pages

Decider = Annotated[Principal, Depends(writer)]
Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
State = Literal["live", "shadow", "off"]

DAYS = 28
DAYS_MAX = 366
AREA_CHARACTERS = 64
REASON_CHARACTERS = 1_000


class Versions(Protocol):
    """What detection says of its versions. It is handed in: no page imports detection."""

    async def overview(self, area: str | None) -> dict[str, Any]: ...

    async def report(
        self, who: Principal, detector: str, label: str, area: str | None, days: int, language: str
    ) -> dict[str, Any]:
        """Problem when there is no such version, or it is not the asker's to see."""
        ...

    async def decide(
        self, who: Principal, version: tuple[str, str], state: State, reason: str, area: str | None, language: str
    ) -> str:
        """What was done, as a sentence. Problem when it is refused."""
        ...

    def text(self, found: dict[str, Any], language: str) -> dict[str, Any]: ...

    def say(self, key: str, language: str, **values: Any) -> str: ...


def router(pages: Pages, versions: Versions) -> APIRouter:
    routes = APIRouter(prefix="/detectors", include_in_schema=False)

    def words(request: Request) -> dict[str, Any]:
        language = pages.reader(request).language
        return {"say": lambda key, **values: versions.say(key, language, **values)}

    async def show(
        request: Request, me: Principal, version: tuple[str, str], status: int = 200, /, **values: Any
    ) -> Response:
        language = pages.reader(request).language
        found = await versions.report(me, *version, None, values.pop("days", DAYS), language)
        given = {"wrong": None, "reason": "", "area": me.area or "", **values}
        text = versions.text(found, language)
        return pages.render(request, "detector.html", status, version=version, text=text, **words(request), **given)

    @routes.get("")
    async def page(request: Request, me: Decider) -> Response:
        return pages.render(request, "detectors.html", **words(request), **await versions.overview(me.area))

    @routes.get("/{detector}/{label}")
    async def compare(
        request: Request,
        me: Decider,
        detector: Name,
        label: Name,
        days: Annotated[int, Query(ge=1, le=DAYS_MAX)] = DAYS,
    ) -> Response:
        return await show(request, me, (detector, label), days=days)

    @routes.post("/{detector}/{label}")
    async def decide(
        request: Request,
        me: Decider,
        detector: Name,
        label: Name,
        state: Annotated[State, Form()],
        reason: Annotated[str, Form(max_length=REASON_CHARACTERS)] = "",
        area: Annotated[str, Form(max_length=AREA_CHARACTERS)] = "",
    ) -> Response:
        """What is refused is said beside what was written."""
        language = pages.reader(request).language
        try:
            await versions.decide(me, (detector, label), state, reason, area.strip() or None, language)
        except Problem as problem:
            if problem.status != 422:
                raise
            given = {"wrong": problem.detail, "reason": reason, "area": area}
            return await show(request, me, (detector, label), 422, **given)
        return RedirectResponse("/detectors#acts", 303)

    return routes
