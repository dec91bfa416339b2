"""The devices' page: how each one is, what was refused and why, what is heard and belongs to nobody; and its adoption.

The same for machines below `/api/v1`. Everybody at the desk reads; whoever may write the register adopts.
"""

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from care import device_config, register, registrar
from care import devices_view as view
from care.changes import Refused
from care.device_config import Reminder, Wanted
from care.principals import WRITERS, Principal
from care.records import DEVICE_KINDS, HEARTBEATS_SECONDS
from care.refusal import Refusal
from care.words import explain
from dispatch import self_test
from dispatch.devices import area_figures, device_figures
from dispatch.self_test import NotTested
from pingan.clock import Clock
from pingan.database import Connection, Database
from pingan.problem import Problem

from .access import DESK, allowed, person, writer
from .page import Pages

Me = Annotated[Principal, Depends(person)]
Asker = Annotated[Principal, Depends(allowed(*DESK))]
Writer = Annotated[Principal, Depends(writer)]
Adopter = Annotated[Principal, Depends(allowed(*WRITERS))]
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Heard = Annotated[str, Query(min_length=1, max_length=400)]
Words = Annotated[str | None, Query(max_length=100)]
PageNumber = Annotated[int, Query(ge=1, le=10_000)]
State = Literal["silent", "faulty", "low_battery", "never_heard", "unbound", "disabled", "well"]
Said = Literal["adopted", "asked", "told"]
Reason = Annotated[str | None, Query(max_length=64, pattern=r"^[a-z_]+$")]

FIGURES_DAYS = 30
FIGURE_ROWS = 10
HITS, HOMES_FOUND = 50, 10
FIELDS = ("device", "id", "home", "kind", "model", "heartbeat_seconds", "words")
KINDS = tuple(kind for kind in DEVICE_KINDS if kind != "clock")


def router(pages: Pages, database: Database, clock: Clock) -> APIRouter:
    routes = APIRouter()

    async def line_figures(connection: Connection, me: Principal) -> dict[str, Any]:
        """First attempts that failed, and what never came: by device and by area."""
        since = clock.now() - timedelta(days=FIGURES_DAYS)
        devices = await device_figures(connection, me.area, since)
        areas = await area_figures(connection, me.area, since)
        return {
            "days": FIGURES_DAYS,
            "failing": [row for row in devices if row["failed"]],
            "gaps": sorted((row for row in devices if row["gaps"]), key=lambda row: -row["missing"]),
            "areas": [row for row in areas if row["failed"]],
        }

    @routes.get("/devices", include_in_schema=False)
    async def page(request: Request, me: Me) -> Response:
        async with database.connection() as connection:
            counts, lists = await view.overview(connection, me.area)
            found = {
                "counts": counts,
                "lists": lists,
                "adoption": await view.adoption(connection, me.area, rows=view.FIRST_ROWS),
                "reasons": await view.reasons(connection, clock.now()) if me.area is None else None,
                "rejected": None if me.area is None else await view.rejected(connection, me.area, rows=view.FIRST_ROWS),
                "line": await line_figures(connection, me),
                "due": await self_test.tests_due(connection, me.area, clock.now()),
            }
        return pages.render(
            request, "devices.html", states=view.STATES, writes=me.role in WRITERS, rows=FIGURE_ROWS, **found
        )

    @routes.get("/devices/list/{state}", include_in_schema=False)
    async def list_page(request: Request, me: Me, state: State, page: PageNumber = 1) -> Response:
        async with database.connection() as connection:
            counts, found = await view.listed(connection, me.area, state, page)
        return pages.render(
            request,
            "device_list.html",
            what=state,
            counts=counts,
            reason=None,
            states=view.STATES,
            found=found,
            page=page,
        )

    @routes.get("/devices/rejected", include_in_schema=False)
    async def rejected_page(request: Request, me: Me, reason: Reason = None, page: PageNumber = 1) -> Response:
        async with database.connection() as connection:
            found = await view.rejected(connection, me.area, reason, page=page)
        return pages.render(
            request,
            "device_list.html",
            what="rejected",
            reason=reason,
            counts=None,
            states=view.STATES,
            found=found,
            page=page,
        )

    @routes.get("/devices/adoption", include_in_schema=False)
    async def adoption_page(request: Request, me: Me, page: PageNumber = 1) -> Response:
        async with database.connection() as connection:
            found = await view.adoption(connection, me.area, page)
        return pages.render(
            request,
            "device_list.html",
            what="adoption",
            reason=None,
            counts=None,
            states=view.STATES,
            found=found,
            page=page,
            writes=me.role in WRITERS,
        )

    async def adopt_form(
        request: Request, me: Principal, heard: str, words: str | None, status: int = 200, /, **values: Any
    ) -> Response:
        """Which home, under which name: found by the words that were typed, or else the home of its gateway."""
        async with database.connection() as connection:
            row = await view.candidate(connection, me.area, heard)
            if row is None:
                raise _nothing(heard)
            words = row["gateway_home"] or "" if words is None else words
            hits = (await register.search(connection, words, me.area, limit=HITS)).items if words else []
        homes = list({hit.home: hit for hit in hits}.values())
        return pages.render(
            request, "adopt.html", status, row=row, words=words, homes=homes[:HOMES_FOUND], kinds=KINDS,
            more=len(homes) > HOMES_FOUND, heartbeats=HEARTBEATS_SECONDS, **{"wrong": {}, "given": {}, **values},
        )  # fmt: skip

    @routes.get("/devices/adopt", include_in_schema=False)
    async def adopt_page(request: Request, me: Writer, device: Heard, words: Words = None) -> Response:
        return await adopt_form(request, person(me), _line(device), words)

    @routes.post("/devices/adopt", include_in_schema=False)
    async def adopt_by_hand(request: Request, me: Writer) -> Response:
        """What is wrong is shown beside its field, with what was written."""
        async with request.form(max_fields=20) as form:
            given = {name: _line(str(form.get(name, "")))[:400].strip() for name in FIELDS}
        wish = view.Adoption(
            device=given["device"], id=given["id"], home=given["home"], kind=given["kind"],
            model=given["model"] or None, heartbeat_seconds=_whole(given["heartbeat_seconds"]),
        )  # fmt: skip
        try:
            saved = await adopt(person(me), wish)
        except Refused as refused:
            language = pages.reader(request).language
            wrong = {bad.column or "": explain(bad.refusal, language) for bad in refused.bad}
            words = given["words"] or given["home"]
            return await adopt_form(request, me, wish.device, words, 422, wrong=wrong, given=given)
        if saved.password is None:
            return RedirectResponse(f"/devices/{wish.id}?said=adopted", 303)
        return pages.render(request, "adopted.html", device=wish.id, password=saved.password)

    async def adopt(me: Principal, wish: view.Adoption) -> registrar.Saved:
        """Refused, or a Problem where there is nothing (any more) to adopt."""
        async with database.connection() as connection:
            saved = await view.adopt(connection, wish, clock.now(), me.area)
        if saved is None:
            raise _nothing(wish.device)
        return saved

    @routes.get("/devices/{device}", include_in_schema=False)
    async def device_page(request: Request, me: Me, device: Id, said: Said | None = None) -> Response:
        return await show(request, me, device, said=said)

    @routes.post("/devices/{device}/self-test", include_in_schema=False)
    async def begin_test(request: Request, me: Me, device: Id) -> Response:
        try:
            async with database.connection() as connection:
                await self_test.open_window(connection, device, me.name, clock.now(), me.area)
        except NotTested as refused:
            if refused.name == "unknown_device":
                raise Problem(404, "not_found", f"there is no device {device}") from refused
            return await show(request, me, device, 409, wrong=f"devices.not_tested_{refused.name}")
        return RedirectResponse(f"/devices/{device}?said=asked#tests", 303)

    @routes.post("/devices/{device}/config", include_in_schema=False)
    async def configure(request: Request, me: Writer, device: Id) -> Response:
        async with request.form(max_fields=10) as form:
            heartbeat, volume, weekday, hour, hold = (
                _whole(str(form.get(name, "")))
                for name in ("heartbeat_seconds", "volume", "weekday", "hour", "hold_seconds")
            )
        reminder = None if weekday is None else Reminder(weekday, -1 if hour is None else hour)
        wanted = Wanted(-1 if heartbeat is None else heartbeat, -1 if volume is None else volume, reminder, hold or 0)
        try:
            async with database.connection() as connection:
                changed = await device_config.change(connection, device, wanted, clock.now(), person(me).area)
        except Refusal as refusal:
            language = pages.reader(request).language
            return await show(request, me, device, 422, why=explain(refusal, language))
        if changed is None:
            raise Problem(404, "not_found", f"there is no device {device}")
        return RedirectResponse(f"/devices/{device}?said=told#config", 303)

    async def show(request: Request, me: Principal, device: str, status: int = 200, /, **values: Any) -> Response:
        async with database.connection() as connection:
            found = await view.one(connection, me.area, device, clock.now())
            if found is None:
                raise Problem(404, "not_found", f"there is no device {device}")
            since = clock.now() - timedelta(days=FIGURES_DAYS)
            figures = await device_figures(connection, me.area, since, devices=[device])
            tests = await self_test.windows(connection, device, me.area)
            try:
                config = await device_config.read(connection, device, me.area)
            except Refusal:  # nothing can tell it anything: its page has no such part
                config = None
        return pages.render(
            request, "device.html", status, one=found, figures=figures[0] if figures else None, days=FIGURES_DAYS,
            readings_days=view.READINGS_DAYS, config=config, tests=tests, heartbeats=device_config.HEARTBEAT_LEVELS,
            volumes=device_config.VOLUMES, weekdays=device_config.WEEKDAYS, hours=device_config.HOURS,
            holds=device_config.HOLD_SECONDS,
            writes=me.role in WRITERS, **{"said": None, "wrong": None, "why": None, **values},
        )  # fmt: skip

    @routes.get("/api/v1/devices", tags=["devices"])
    async def devices(me: Asker, state: State | None = None, page: PageNumber = 1) -> dict[str, Any]:
        """How many devices are in each state; and those of one `state`, 50 a page, the latest change first."""
        async with database.connection() as connection:
            if state is None:
                counts, lists = await view.overview(connection, me.area)
                return {"counts": counts, "lists": lists}
            counts, found = await view.listed(connection, me.area, state, page)
        return {"counts": counts, "items": found.rows, "next": found.next}

    @routes.get("/api/v1/devices/{device}", tags=["devices"])
    async def device(me: Asker, device: Id) -> dict[str, Any]:
        """One device: its state, the last 50 things raised about it, its newest readings, what of it was refused."""
        async with database.connection() as connection:
            found = await view.one(connection, me.area, device, clock.now())
        if found is None:
            raise Problem(404, "not_found", f"there is no device {device}")
        return found

    @routes.get("/api/v1/device-figures", tags=["devices"])
    async def figures(me: Asker) -> dict[str, Any]:
        """Of the last 30 days: first attempts that failed, by device and area, and gaps in what devices numbered."""
        async with database.connection() as connection:
            return await line_figures(connection, me)

    @routes.get("/api/v1/rejected", tags=["devices"])
    async def rejected(me: Asker, reason: Reason = None, page: PageNumber = 1) -> dict[str, Any]:
        """Samples of what was refused, the newest first, 50 a page; without a `reason`, the counts beside them."""
        async with database.connection() as connection:
            found = await view.rejected(connection, me.area, reason, page=page)
            counted = await view.reasons(connection, clock.now()) if me.area is None else None
        counts = None if counted is None else {row["reason"]: row["week"] for row in counted}
        return {"week": counts, "items": found.rows, "next": found.next}

    @routes.get("/api/v1/adoption", tags=["devices"])
    async def adoption(me: Asker, page: PageNumber = 1) -> dict[str, Any]:
        """What is heard and bound to no home, the latest first, 50 a page."""
        async with database.connection() as connection:
            found = await view.adoption(connection, me.area, page)
        return {"items": found.rows, "next": found.next}

    @routes.post("/api/v1/adoption", tags=["devices"])
    async def adopt_by_machine(me: Adopter, asked: view.Adoption) -> dict[str, Any]:
        """Bind what is heard to a home, as a device of the register. `password`: shown this once, if it has its own."""
        _line(asked.device)
        try:
            saved = await adopt(me, asked)
        except Refused as refused:
            wrong = [{"at": bad.column, "why": explain(bad.refusal, "en")} for bad in refused.bad]
            raise Problem(422, "invalid", str(refused), errors=wrong) from refused
        return {"id": asked.id, "what": saved.what, "password": saved.password}

    return routes


def _nothing(heard: str) -> Problem:
    return Problem(404, "not_found", f"nothing is heard as {heard} that could be adopted")


def _whole(text: str) -> int | None:
    """A number of a form; None where nothing stands. What is no number is -1, which nothing takes."""
    if not text:
        return None
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1


def _line(text: str) -> str:
    """PostgreSQL has no text with a NUL, and nothing is heard under such a name."""
    if "\0" in text:
        raise Problem(404, "not_found", "nothing is heard under such a name")
    return text
