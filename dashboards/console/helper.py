"""The helper's page: what somebody without an account sees by the link that they were sent, and their taps.

It is made for an old telephone: drawn here, without scripts if need be, each act a form. Whoever holds the link is
whoever it was sent to; a guessed one is a stranger, and is counted.
"""

import re
from collections import OrderedDict, deque
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from dispatch import following, helping, places, shifts
from dispatch.helping import MINUTES, Helping, Visit
from dispatch.incident import Helper, State
from dispatch.links import TOKEN_MAX, Kind, Links
from dispatch.places import Place
from pingan import metrics
from pingan.clock import Clock
from pingan.database import Database
from pingan.hours import zone_of

from .access import set_cookie
from .language import LANGUAGES, known, named, say
from .page import LANGUAGE_COOKIE, Pages
from .times import Times

LINK_COOKIE = "pingan_helper"
"""The last link that this telephone has opened: the code on a home's wall leads back to it."""
DAY_SECONDS = 24 * 3600
YEAR_SECONDS = 365 * DAY_SECONDS

REFRESH_SECONDS = 20
STORY = 12
TEXT = 2000
"""The field takes 1000 characters, and counts the end of a line as one; it is sent as two."""
SAID = 40

MINUTE = timedelta(minutes=1)
FORGED_A_MINUTE = 20
"""Of one address; then it is told to wait. What is genuine is never refused for it: behind a proxy, all have one."""
OPENED_A_MINUTE = 120
"""Of one link: a page that asks every few seconds, and a few taps."""
COUNTED = 10_000
"""Addresses and links that are remembered; the one that was heard of longest ago is forgotten first."""

REFUSALS = ("forged", "too_often", "not_found")

HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "Permissions-Policy": "camera=(), geolocation=(self), microphone=()",
}
"""A link is a key: it is kept by no cache, told to no other site, and found by no search."""

Token = Annotated[str, Path(max_length=4 * TOKEN_MAX)]


class Doorkeeper:
    """Which links are ours, and who comes too often."""

    def __init__(self, links: Links, clock: Clock) -> None:
        self._links, self._clock = links, clock
        self._heard: OrderedDict[str, deque[datetime]] = OrderedDict()
        metrics.show(metrics.LINKS_REFUSED)
        for reason in REFUSALS:
            metrics.LINKS_REFUSED.labels(reason)

    def number(self, kind: Kind, token: str, request: Request) -> int | str:
        """What the link names; or the name of why it is refused, which has been counted."""
        number = self._links.number(kind, token)
        if number is None:
            address = request.client.host if request.client else ""
            return self.refused("too_often" if self._often(f"from {address}", FORGED_A_MINUTE) else "forged")
        return self.refused("too_often") if self._often(f"{kind} {number}", OPENED_A_MINUTE) else number

    @staticmethod
    def refused(why: str) -> str:
        metrics.LINKS_REFUSED.labels(why).inc()
        return why

    def _often(self, who: str, limit: int) -> bool:
        now = self._clock.now()
        heard = self._heard.setdefault(who, deque(maxlen=limit))
        self._heard.move_to_end(who)
        if len(self._heard) > COUNTED:
            self._heard.popitem(last=False)
        if len(heard) == limit and now - heard[0] < MINUTE:
            return True
        heard.append(now)
        return False


def router(
    pages: Pages, database: Database, clock: Clock, helpers: Helping, door: Doorkeeper, *, desk_phone: str | None,
    secure: bool,
) -> APIRouter:  # fmt: skip
    routes = APIRouter(prefix="/h", include_in_schema=False)

    async def rings_the_desk(visit: Visit) -> str | None:
        """The telephone of whoever has the incident, or of a shift that sees the home; else the installation's own."""
        async with database.connection() as connection:
            phones = await shifts.phones(
                connection, clock.now(), operator=visit.incident.operator, home=visit.home, default=desk_phone
            )
        return phones[0] if phones else None

    async def visited(request: Request, token: str) -> Visit | Response:
        """Who comes; or the page that says why nobody does."""
        number = door.number("h", token, request)
        visit = await helpers.visit(number) if isinstance(number, int) else None
        if visit is None:
            return stranger(pages, request, door.refused("not_found") if isinstance(number, int) else str(number))
        request.state.language = visit.language
        return plain(pages, request, "over") if visit.over else visit

    @routes.get("/at/{code}")
    async def scanned(request: Request, code: Annotated[str, Path(max_length=20)]) -> Response:
        """The code on the wall, scanned: back to the page that this telephone was sent, with the code filled in."""
        code = helping.as_printed(code)
        token = request.cookies.get(LINK_COOKIE, "")
        if re.fullmatch(r"[\w.-]{1,40}", token, re.ASCII):
            return RedirectResponse(f"/h/{token}?{urlencode({'code': code})}", 303, HEADERS)
        return plain(pages, request, "no_page", code=code)

    @routes.get("/{token}")
    async def page(
        request: Request,
        token: Token,
        said: Annotated[str, Query(max_length=SAID)] = "",
        code: Annotated[str, Query(max_length=20)] = "",
        language: Annotated[str, Query(max_length=5)] = "",
    ) -> Response:
        visit = await visited(request, token)
        if isinstance(visit, Response):
            return visit
        if language in LANGUAGES:
            response: Response = RedirectResponse(f"/h/{token}", 303, HEADERS)
            set_cookie(response, LANGUAGE_COOKIE, language, YEAR_SECONDS, secure=secure)
            return response
        card = await helpers.card(visit)
        lang = pages.reader(request).language
        # Whoever goes is there soon: what they have promised is said by the home's clock, as in their message.
        zone = card["home"]["timezone"] if card["home"] else None
        times = pages.times(lang, zone=zone_of(zone, pages.zone))
        shown = _shown(visit, card, lang, times, clock.now())
        response = rendered(
            pages, request, "helper.html", token=token, desk_phone=await rings_the_desk(visit),
            code=helping.as_printed(code), said=f"helper.said.{said}" if known(lang, f"helper.said.{said}") else None,
            **shown,
        )  # fmt: skip
        set_cookie(response, LINK_COOKIE, token, DAY_SECONDS, secure=secure)
        return response

    @routes.post("/{token}")
    async def do(
        request: Request,
        token: Token,
        act: Annotated[str, Form(max_length=20)] = "",
        text: Annotated[str, Form(max_length=TEXT)] = "",
        code: Annotated[str, Form(max_length=20)] = "",
        number: Annotated[int, Form(ge=0, le=10_000)] = 0,
    ) -> Response:
        """A tap. Whatever comes of it, they are shown the page as it is then."""
        visit = await visited(request, token)
        if isinstance(visit, Response):
            return visit
        done = await _act(helpers, visit, act, text.replace("\0", "").strip(), code, number)
        return RedirectResponse(f"/h/{token}?{urlencode({'said': done})}", 303, HEADERS)

    @routes.post("/{token}/where", status_code=204)
    async def where(
        request: Request,
        token: Token,
        latitude: Annotated[float, Form(ge=-90, le=90)],
        longitude: Annotated[float, Form(ge=-180, le=180)],
        accuracy: Annotated[float, Form(ge=0, le=1_000_000)],
    ) -> Response:
        """Where they are, from a telephone whose owner has pressed the button for it."""
        visit = await visited(request, token)
        if isinstance(visit, Response):
            return visit
        shown = await helpers.where(visit, Place(latitude, longitude), accuracy)
        return Response(status_code=204, headers={**HEADERS, "X-Shown": shown or ""})

    return routes


async def _act(helpers: Helping, visit: Visit, act: str, text: str, code: str, number: int) -> str:
    """Do what was tapped; its name, as the page says it."""
    name, _, minutes = act.partition(".")
    if name == "going" and minutes.isascii() and minutes.isdigit() and int(minutes) in MINUTES:
        return await helpers.going(visit, int(minutes))
    if name == "words":
        await helpers.say(visit, text)
        return "words"
    if name == "code":
        return await helpers.code(visit, code)
    if name == "read":
        return await helpers.read(visit, number)
    if name == "more":
        return await helpers.more_help(visit, text)
    if name == "forget":
        await helpers.forget(visit)
        return ""
    if name == "safe":
        return await helpers.safe(visit, number)
    acts = {"there": helpers.there, "cannot": helpers.cannot}
    return await acts[name](visit) if name in acts else ""


def rendered(pages: Pages, request: Request, template: str, status: int = 200, /, **values: Any) -> Response:
    response = pages.render(request, template, status, **values)
    response.headers.update(HEADERS)
    return response


def plain(pages: Pages, request: Request, what: str, status: int = 200, /, **values: Any) -> Response:
    """A page that names nobody."""
    return rendered(pages, request, "helper_plain.html", status, **{"what": what, "code": "", **values})


def stranger(pages: Pages, request: Request, why: str) -> Response:
    """A link that is none of ours is as if it had never been; one that comes too often is asked to wait."""
    return plain(pages, request, *(("too_often", 429) if why == "too_often" else ("not_ours", 404)))


def _shown(visit: Visit, card: dict[str, Any], language: str, times: Times, now: datetime) -> dict[str, Any]:
    """Everything that the page shows."""
    incident, me = visit.incident, visit.me.id
    goes = list(following.going(incident))
    mine = next((helper for helper in goes if helper.id == me), None)
    closed = incident.state is State.CLOSED
    # Whoever cannot come, or has come and gone, needs to know no more of anybody.
    told = not closed and visit.standing != "declined"
    unread = [one for one in incident.changes if me not in one.confirmed] if mine else []
    status, values = _status(visit, mine, goes, times, language)
    return {
        "visit": visit,
        "times": times,
        "cause": named(language, "kind", incident.cause),
        "home": card["home"] if told else None,
        "persons": card["persons"],
        "told": told,
        "closed": closed,
        "place": _place(card["home"]) if told else None,
        "shares": mine is not None
        and incident.state not in (State.SAFE, State.CLOSED)
        and (visit.standing == "going" or incident.proof is None),
        "sharing": card["sharing"],
        "standing": visit.standing,
        "safe": incident.state is State.SAFE,
        "waits_for_proof": visit.standing == "there" and incident.proof is None and "t7" in incident.reported,
        "status": say(language)(status, **values),
        "minutes": MINUTES,
        "goes": [(one, _there(visit, one)) for one in goes] if told else [],
        "unread": [(one.at, _change(one.kind, one.text, one.by, language), one.by) for one in unread],
        "read_up_to": max((one.number for one in unread), default=0),
        "story": [] if visit.standing == "declined" else _story(visit, language)[-STORY:],
        # Words that somebody is writing are not taken from under their thumb.
        "refresh": REFRESH_SECONDS if not closed and visit.standing != "there" else None,
    }


def _status(
    visit: Visit, mine: Helper | None, goes: list[Helper], times: Times, language: str
) -> tuple[str, dict[str, Any]]:
    if visit.incident.state in (State.SAFE, State.CLOSED):
        return f"helper.status_{visit.incident.state}", {}
    if visit.standing == "going" and mine is not None and mine.eta is not None:
        return "helper.status_going_at", {"at": times.minute(mine.eta)}
    if visit.standing == "asked" and goes:
        return "helper.status_first", {"name": goes[0].name}
    return f"helper.status_{visit.standing}", {}


def _there(visit: Visit, helper: Helper) -> bool:
    return helping.stands(visit.incident, helper.id, visit.journal) == "there"


def _change(kind: str, text: str, by: str, language: str) -> str:
    t = say(language)
    return t(f"helper.change.{kind}", text=text, kind=named(language, "kind", text), by=by)


def _story(visit: Visit, language: str) -> list[tuple[datetime, str]]:
    """What happened, minute by minute and in short."""
    t = say(language)
    found = []
    for one in visit.journal:
        if one["decision"] in helping.SHORT:
            detail = one["detail"]
            helper = detail.get("helper") or {}
            who = helper.get("name") or detail.get("who") or detail.get("by") or t("somebody")
            words = t(f"helper.story.{one['decision']}", who=who, kind=named(language, "kind", detail.get("kind", "")))
            found.append((one["at"], words))
    return found


def _place(home: dict[str, Any] | None) -> dict[str, Any] | None:
    """The home on a map: the telephone's own map wants WGS-84, China's want GCJ-02."""
    if home is None or home["latitude"] is None:
        return None
    place = Place(home["latitude"], home["longitude"])
    chinese = home["coordinates"] == places.GCJ_02
    wgs = places.to_wgs_84(place) if chinese else place
    gcj = place if chinese else places.to_gcj_02(place)
    return {
        "geo": f"geo:{wgs.latitude:.6f},{wgs.longitude:.6f}?q={wgs.latitude:.6f},{wgs.longitude:.6f}",
        "amap": f"https://uri.amap.com/marker?position={gcj.longitude:.6f},{gcj.latitude:.6f}&coordinate=gaode",
        "gcj_02": chinese,
    }
