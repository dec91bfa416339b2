"""The hand-over packet on the web: given out by the desk, opened by medical staff with a link and no account.

One page: on a telephone, on paper, as a PDF. What is on paper cannot change, so it carries its version and a code to be
scanned, which says what has changed since.
"""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from care import phones
from care.principals import Principal
from care.refusal import Refusal
from dispatch import views
from dispatch.links import Links
from dispatch.packet import Packets, Sheet
from pingan.clock import Clock
from pingan.database import Database
from pingan.problem import Problem

from .access import person, set_cookie
from .helper import HEADERS, YEAR_SECONDS, Doorkeeper, Token, plain, rendered, stranger
from .home_code import qr
from .language import LANGUAGES, named, say
from .page import LANGUAGE_COOKIE, Pages
from .sentences import Teller
from .times import Times
from .why import home_zone

Me = Annotated[Principal, Depends(person)]
IncidentId = Annotated[int, Path(ge=1, le=2**63 - 1)]
Seen = Annotated[int | None, Query(ge=1, le=1_000_000)]

UNITS = {"heart_rate": "bpm", "spo2": "%", "body_temperature": "°C", "weight": "kg", "blood_pressure": "mmHg"}


def desk_router(pages: Pages, database: Database, clock: Clock, packets: Packets) -> APIRouter:
    """Where the desk gives a packet out. Before the incident's own routes: its acts would take it for one of theirs."""
    routes = APIRouter(prefix="/incidents", include_in_schema=False)

    async def of(incident_id: int, me: Principal) -> dict[str, Any]:
        async with database.connection() as connection:
            row = await views.incident(connection, incident_id, clock.now(), me.area)
        if row is None:
            raise Problem(404, "not_found", f"there is no incident {incident_id}")
        return row

    async def form(request: Request, row: dict[str, Any], status: int = 200, /, **values: Any) -> Response:
        shown = {"wrong": None, "name": "", "phone": "", **values}
        issued = await packets.issued(row["id"])
        return pages.render(request, "packet_issue.html", status, row=row, issued=issued, **shown)

    @routes.get("/{incident_id}/packet")
    async def page(request: Request, me: Me, incident_id: IncidentId) -> Response:
        return await form(request, await of(incident_id, me))

    @routes.post("/{incident_id}/packet")
    async def issue(
        request: Request,
        me: Me,
        incident_id: IncidentId,
        name: Annotated[str, Form(max_length=100)] = "",
        phone: Annotated[str, Form(max_length=40)] = "",
        language: Annotated[Literal["zh", "en"], Form()] = "zh",
    ) -> Response:
        row = await of(incident_id, me)
        given = {"name": name, "phone": phone}
        if not name.strip():
            return await form(request, row, 422, wrong="packet.no_name", **given)
        try:
            number = phones.normalise(phone) if phone.strip() else None
        except Refusal:
            return await form(request, row, 422, wrong="packet.bad_phone", **given)
        await packets.issue(incident_id, me.name, name.replace("\0", "").strip(), number, language)
        return RedirectResponse(f"/incidents/{incident_id}/packet", 303)

    return routes


def router(pages: Pages, packets: Packets, door: Doorkeeper, links: Links, *, secure: bool) -> APIRouter:
    """What medical staff open by their link."""
    routes = APIRouter(prefix="/m", include_in_schema=False)

    async def opened(request: Request, token: str, seen: int | None) -> Sheet | Response:
        number = door.number("m", token, request)
        if not isinstance(number, int):
            return stranger(pages, request, number)
        sheet = await packets.opened(number, seen)
        return plain(pages, request, "over") if sheet is None else sheet

    @routes.get("/{token}")
    async def page(
        request: Request, token: Token, seen: Seen = None, language: Annotated[str, Query(max_length=5)] = ""
    ) -> Response:
        sheet = await opened(request, token, seen)
        if isinstance(sheet, Response):
            return sheet
        if language in LANGUAGES:
            response: Response = RedirectResponse(f"/m/{token}", 303, HEADERS)
            set_cookie(response, LANGUAGE_COOKIE, language, YEAR_SECONDS, secure=secure)
            return response
        request.state.language = sheet.packet["language"]
        lang = pages.reader(request).language
        link = printed(links, sheet)
        shown = told(sheet, lang, _times(pages, sheet, lang))
        return rendered(pages, request, "packet.html", token=token, code=qr(link), sheet=sheet, **shown)

    @routes.get("/{token}/packet.pdf")
    async def pdf(request: Request, token: Token, seen: Seen = None) -> Response:
        sheet = await opened(request, token, seen)
        if isinstance(sheet, Response):
            return sheet
        request.state.language = sheet.packet["language"]
        lang = pages.reader(request).language
        shown = told(sheet, lang, _times(pages, sheet, lang))
        name = f"pingan-{sheet.packet['incident']}-{sheet.version.number}.pdf"
        headers = {**HEADERS, "Content-Disposition": f'inline; filename="{name}"'}
        drawn = await asyncio.to_thread(_draw, shown, printed(links, sheet))
        return Response(drawn, media_type="application/pdf", headers=headers)

    return routes


def _times(pages: Pages, sheet: Sheet, language: str) -> Times:
    """By the home's own clock, as whoever goes there has it on theirs."""
    return pages.times(language, zone=home_zone(sheet.content["row"], pages.zone))


def _draw(shown: dict[str, Any], link: str) -> bytes:
    """In a thread: nobody's press waits for a page. The library is large, and is loaded by the first who asks."""
    from .packet_pdf import draw

    return draw(shown, link)


def printed(links: Links, sheet: Sheet) -> str:
    """What a sheet of paper leads to: the same packet, with the version that is on the paper."""
    return f"{links.for_packet(sheet.packet['id'])}?seen={sheet.version.number}"


def told(sheet: Sheet, language: str, times: Times) -> dict[str, Any]:
    """Everything that a packet says, in words: the page and the PDF say the same."""
    t, row = say(language), sheet.content["row"]
    card = row["card"] or {}
    names = {one["id"]: one["name"] for one in row["people"]}
    teller = Teller(names, {row["device"], *(alarm["device"] for alarm in row["alarms"])}, language, times)
    who = row["person"] or t("helper.unknown_person")
    proven = card.get("way_in_proven_on")
    return {
        "title": t("packet.of", person=who, cause=named(language, "kind", row["cause"])),
        "incident": t("packet.incident", n=row["id"]),
        "version": t("packet.version", n=sheet.version.number, at=times.minute(sheet.version.made_at)),
        "news": _news(sheet, t),
        "address": card.get("address"),
        "phone": card.get("phone"),
        "way_in": card.get("way_in"),
        "proven": t("helper.proven", day=times.day(proven)) if proven else t("helper.not_proven"),
        "persons": [_person(one, language, times) for one in sheet.content["persons"]],
        "withheld": sheet.content["withheld"],
        "contacts": card.get("contacts", ()),
        "going": [_going(one, language, times) for one in sheet.content["going"]],
        "readings": [_reading(one, language, times) for one in sheet.content["readings"]],
        "changes": [
            (times.minute(one["at"]), t(f"helper.change.{one['kind']}", text=one["text"],
                                        kind=named(language, "kind", one["text"])))
            for one in row["changes"]
        ],
        "story": [(times.minute(one["at"]), teller.tell(one)) for one in sheet.content["story"]],
        "words": {
            name: t(f"packet.{name}")
            for name in ("title", "for_medical", "contacts", "happened", "readings", "no_readings", "not_known", "scan",
                         "withheld")
        } | {name: t(f"helper.{name}") for name in ("where", "way_in", "who_goes", "nobody_goes", "known", "changed")},
        "pair": lambda name, value: t("pair", name=name, value=value),
    }  # fmt: skip


def _news(sheet: Sheet, t: Callable[..., str]) -> str | None:
    if sheet.seen is None or sheet.seen >= sheet.version.number:
        return None
    if not sheet.changed:
        return t("packet.unchanged", n=sheet.seen)
    parts = t("comma").join(t(f"packet.part.{part}") for part in sheet.changed)
    return t("packet.changed", n=sheet.seen, parts=parts)


def _person(one: dict[str, Any], language: str, times: Times) -> dict[str, Any]:
    t = say(language)
    about = [named(language, "sex", one["sex"])] if one["sex"] else []
    if one["born_on"]:
        about += [t("years", n=times.age(one["born_on"])), times.day(one["born_on"])]
    about.append(named(language, "speaks", one["language"]))
    facts = [(t(f"packet.part.{part}"), one.get(part)) for part in ("conditions", "medication", "hospital", "note")]
    return {"name": one["name"], "about": t("comma").join(about), "phone": one["phone"], "facts": facts}


def _going(one: dict[str, Any], language: str, times: Times) -> tuple[str, str]:
    t = say(language)
    where = t("helper.is_there") if one["there"] else t("helper.goes")
    if not one["there"] and one["eta"]:
        where = t("helper.at", at=times.minute(one["eta"]))
    return one["name"], t("comma").join(filter(None, (one["role"] and named(language, "role", one["role"]), where)))


def _reading(one: dict[str, Any], language: str, times: Times) -> tuple[str, str, str]:
    value = "" if one["value"] is None else f"{one['value']:g}"
    if one["kind"] == "blood_pressure" and isinstance(one["detail"], dict):
        value = f"{one['detail'].get('systolic', '?')}/{one['detail'].get('diastolic', '?')}"
    unit = named(language, "unit", UNITS[one["kind"]])
    return named(language, "reading", one["kind"]), f"{value} {unit}", times.minute(one["at"])
