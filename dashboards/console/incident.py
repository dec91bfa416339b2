"""One incident on one screen, and everything that an operator can do with it."""

import logging
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Depends, Form, Path, Query, Request
from markupsafe import Markup
from starlette.responses import JSONResponse, RedirectResponse, Response

from care import register
from care.principals import Principal
from dispatch import helping, views
from dispatch import incident as core
from dispatch.desk import Desk, UnknownHome
from dispatch.home_day import home_day
from dispatch.incident import CAUSES, OUTCOMES, POSITIVE, Decision
from pingan import rollups
from pingan.clock import Clock
from pingan.database import LOST, Database, Queries
from pingan.problem import Problem

from . import why
from .access import person
from .acts import KEYS, Act, acts
from .goers import goers
from .language import known, say
from .page import Pages
from .sentences import Teller, instruction, outcome_of_send, shown_people, status, tone, why_chosen
from .why_drawings import DAY

log = logging.getLogger(__name__)

Me = Annotated[Principal, Depends(person)]
IncidentId = Annotated[int, Path(ge=1, le=2**63 - 1)]

sql = Queries(__file__, "console.sql")

TEXT = 4000
SAID = 300
FOUND = 20
NOTHING_EXPLAINED = {"why": Markup(), "day": Markup()}
BEFORE_THE_DAY = timedelta(hours=12)
"""What is read before the 24 hours that are drawn: a silence may have begun before them."""


def router(pages: Pages, database: Database, clock: Clock, desk: Desk) -> APIRouter:
    routes = APIRouter(prefix="/incidents", include_in_schema=False)

    async def load(incident_id: int, me: Principal) -> dict[str, Any]:
        async with database.connection() as connection:
            found = await views.incident(connection, incident_id, clock.now(), me.area, desk.zone.key)
        if found is None:
            raise Problem(404, "not_found", f"there is no incident {incident_id}")
        return found

    async def going(row: dict[str, Any]) -> list[dict[str, Any]]:
        async with database.connection() as connection:
            away = await helping.distances(connection, row["id"])
        helpers = [one["id"] for one in (row["helper"], *row["helpers_beside"]) if one]
        return goers(row, {one: helping.is_there(row["state"], one, row["journal"]) for one in helpers}, away)

    async def explained(request: Request, row: dict[str, Any]) -> dict[str, Markup]:
        """Why it rang, and the home's day. Whatever is wrong with an evidence, the page is there without them."""
        if row["home"] is None or row["group"] is not None:
            return NOTHING_EXPLAINED
        reader = pages.reader(request)
        try:
            times = pages.times(reader.language, zone=why.home_zone(row, pages.zone))
            needs = why.needs(row, times)
            async with database.connection() as connection:
                day = await home_day(connection, row["home"], needs.until - DAY - BEFORE_THE_DAY, needs.until)
                vitals = (
                    await rollups.vitals(connection, row["home"], *needs.vital_days, times.zone)
                    if needs.vital_days
                    else []
                )
            told = why.explain(row, day, vitals, reader.language, times)
            return {part: pages.piece(request, "why.html", part=part, why=told) for part in NOTHING_EXPLAINED}
        except LOST:
            raise
        except Exception:
            log.exception("why incident %s rang cannot be shown", row["id"])
            return NOTHING_EXPLAINED

    @routes.get("/{incident_id}")
    async def page(
        request: Request, me: Me, incident_id: IncidentId, said: Annotated[str | None, Query(max_length=SAID)] = None
    ) -> Response:
        row = await load(incident_id, me)
        return pages.render(
            request,
            "incident.html",
            **_shown(pages, request, row, me),
            said=said,
            goers=await going(row),
            **await explained(request, row),
        )

    @routes.get("/{incident_id}/identify")
    async def whose(
        request: Request, me: Me, incident_id: IncidentId, words: Annotated[str | None, Query(max_length=100)] = None
    ) -> Response:
        """Whose home it is: to be looked for, beginning with what the caller's number itself finds."""
        row = await load(incident_id, me)
        sought = words if words is not None else row["caller"] or ""
        async with database.connection() as connection:
            page = await register.search(connection, sought, me.area, limit=FOUND)
            homes = {"homes": [hit.home for hit in page.items], "incident": incident_id}
            open_ones = {one["home"]: one["id"] async for one in await connection.execute(sql.open_dangers, homes)}
        return pages.render(
            request, "identify.html", row=row, words=words or "", hits=page.items, more=page.next is not None,
            open_ones=open_ones, only=words is not None and len({hit.home for hit in page.items}) == 1,
        )  # fmt: skip

    @routes.post("/{incident_id}/identify")
    async def identify(
        request: Request, me: Me, incident_id: IncidentId, home: Annotated[str, Form(max_length=200)]
    ) -> Response:
        await load(incident_id, me)
        try:
            decision = await desk.identify(incident_id, home.replace("\0", ""), me.id, me.name, me.area)
        except UnknownHome as error:
            raise Problem(404, "not_found", f"the register has no home {home}") from error
        return answered(pages, request, incident_id, decision)

    @routes.post("/{incident_id}/{act}")
    async def do(
        request: Request,
        me: Me,
        incident_id: IncidentId,
        act: Annotated[str, Path(max_length=20)],
        person: Annotated[str, Form(max_length=200)] = "",
        text: Annotated[str, Form(max_length=TEXT)] = "",
        cause: Annotated[str, Form(max_length=40)] = "",
        outcome: Annotated[str, Form(max_length=40)] = "",
        positive: Annotated[str, Form(max_length=40)] = "",
        as_of: Annotated[int, Form()] = 0,
    ) -> Response:
        """An act of the bar. A refusal is an answer, and is said in words."""
        if act not in KEYS and act != "changed":
            raise Problem(404, "not_found", f"there is no act {act}")
        row = await load(incident_id, me)
        helper = _helper(row, person)
        if helper is None and act != "accept" and row["helper"] is not None:
            helper = core.Helper(**row["helper"])
        if act in ("accept", "moving", "on_scene") and helper is None:
            return _said(pages, request, incident_id, "refused.nobody_there", refused=True)
        event = _event(
            act, me, helper, person, text, core.Close(me.id, me.name, cause, outcome, as_of, positive=positive)
        )
        decision = await desk.act(incident_id, event)
        return answered(pages, request, incident_id, decision)

    return routes


def _event(
    act: str, me: Principal, helper: core.Helper | None, person: str, text: str, closing: core.Close
) -> core.Event:
    text = text.replace("\0", "").strip()
    if act == "close":
        return msgspec.structs.replace(closing, reason=text)
    if act == "accept" and helper is not None:
        return core.Accept(helper)
    events: dict[str, core.Event] = {
        "answer": core.Answer(me.id, me.name),
        "contact": core.Contact(me.id, me.name),
        "no_contact": core.NoContact(me.id, me.name),
        "assign": core.Assign(me.id, me.name, person),
        "moving": core.Moving(helper, reported_by=me.name),
        "on_scene": core.OnScene(helper, reported_by=me.name),
        "safe": core.Safe(me.name),
        "note": core.Note(me.name, text),
        "changed": core.Changed(me.name, text),
    }
    return events[act]


def _helper(row: dict[str, Any], person: str) -> core.Helper | None:
    """Whom the operator names, of those whom this home can ask."""
    found = next((one for one in row["people"] if one["id"] == person), None)
    return core.Helper(found["id"], found["name"], found["role"]) if found else None


def answered(pages: Pages, request: Request, incident_id: int, decision: Decision) -> Response:
    """What was decided, in words."""
    table = "refused" if decision.refused else "done"
    return _said(
        pages, request, incident_id, f"{table}.{decision.name}", refused=decision.refused, who=decision.who,
        version=decision.incident.version, state=decision.incident.state.value,
    )  # fmt: skip


def _said(
    pages: Pages, request: Request, incident_id: int, key: str, *, refused: bool, who: str | None = None, **more: Any
) -> Response:
    """In words: to the script that asked, or on the page that a browser without scripts is sent to."""
    language = pages.reader(request).language
    t = say(language)
    words = t(key, who=who or t("somebody")) if known(language, key) else t("done.recorded")
    if "application/json" in request.headers.get("accept", ""):
        return JSONResponse({"said": words, "refused": refused, "name": key.partition(".")[2], **more})
    return RedirectResponse(f"/incidents/{incident_id}?{urlencode({'said': words})}", 303)


def _shown(pages: Pages, request: Request, row: dict[str, Any], me: Principal) -> dict[str, Any]:
    """Everything that the page shows of an incident."""
    reader = pages.reader(request)
    times = pages.times(reader.language)
    t = say(reader.language)
    telephones = {core.DESK: t("incident.desk_phone"), core.HOME: t("incident.home_telephone")}
    names = {one["id"]: one["name"] for one in row["people"]} | telephones
    devices = {row["device"], *(alarm["device"] for alarm in row["alarms"])}
    teller = Teller(names, devices, reader.language, times)
    todo: list[Act] = acts(row, me.id)
    return {
        "row": row,
        "tone": "done" if row["state"] == "closed" else tone(row, times.now),
        "status": status(row),
        "instruction": instruction(row),
        "acts": todo,
        "next_act": next((act for act in todo if act.next), None),
        "journal": [
            {**one, "text": teller.tell(one), "refused": known(reader.language, f"refused.{one['decision']}")}
            for one in reversed(row["journal"])
        ],
        "people": shown_people(row),
        "why_chosen": lambda one: why_chosen(one, reader.language),
        "outcome_of_send": lambda why: outcome_of_send(why, t, reader.language),
        "callers": _callers(row),
        "nameable": _nameable(row),
        "causes": CAUSES,
        "outcomes": OUTCOMES,
        "positives": POSITIVE if _nobody_reached(row) else (),
        "cause": row["cause"] if row["cause"] in CAUSES else "unknown" if row["danger"] else "technical",
        "reason_needed": _reason_needed(row, times.now),
    }


def _nameable(row: dict[str, Any]) -> bool:
    """Whether somebody may say whose home it is, as far as the page can tell: nobody's yet, or said and not gone to."""
    if not row["danger"] or row["test"] or row["state"] == "closed":
        return False
    return row["home"] is None or (row["named_by"] is not None and row["helper"] is None)


def _callers(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Everybody who has called or written about it, once each, the last first."""
    found: dict[tuple[Any, Any], dict[str, Any]] = {}
    for alarm in row["alarms"]:
        caller = alarm["evidence"].get("caller")
        if caller:
            shown = {name: caller.get(name) for name in ("number", "name", "role")}
            found[shown["number"], shown["name"]] = shown
    return list(reversed(found.values()))


def _nobody_reached(row: dict[str, Any]) -> bool:
    """Whether closing needs to say what is known all the same."""
    return core.nobody_reached(row["contact"], row["state"], row["stamps"]["t7"]["at"] is not None)


def _reason_needed(row: dict[str, Any], now: datetime) -> bool:
    """Whether closing would be refused without a reason, as far as the page can tell."""
    stamps = row["stamps"]
    answered = [stamps[name]["at"] for name in ("t3", "t5") if stamps[name]["at"] is not None]
    first = min(answered) if answered else now
    return bool(row["danger"]) and (first - stamps["t1"]["at"]).total_seconds() > core.ANSWER_LATE_SECONDS
