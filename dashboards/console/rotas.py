"""Who is not there, who stands in for them, which days are worked as another: entered and ended by hand, by name."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Request
from pydantic import AwareDatetime
from starlette.responses import RedirectResponse, Response

from care import register, registrar, rotas
from care.changes import Refused
from care.principals import WRITERS, Principal
from care.records import ABSENCES, HOLIDAYS, WEEKDAYS, Absence, Holiday
from care.refusal import Refusal
from care.tables import read_cell
from care.words import explain
from pingan.clock import Clock
from pingan.database import Connection, Database
from pingan.problem import Problem

from .access import person, writer
from .page import Pages

Me = Annotated[Principal, Depends(person)]
Writer = Annotated[Principal, Depends(writer)]
Text = Annotated[str, Form(max_length=200)]
Id = Annotated[str, Form(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Said = Literal["added", "changed", "unchanged", "ended", "removed"]

DAYS_AT_ONCE = 31
"""The longest holiday that is entered in one go; who writes a year has mistyped it."""
YEARS = range(1880, 2201)
"""As in the register's files. What lies beyond a calendar's ends no page could show, nor the desk read, any more."""
BETWEEN = " · "
"""Stands between name and id in the list to choose from."""


def router(pages: Pages, database: Database, clock: Clock) -> APIRouter:
    routes = APIRouter(prefix="/rotas", include_in_schema=False)

    async def show(request: Request, me: Principal, status: int = 200, /, **values: Any) -> Response:
        now = clock.now()
        async with database.connection() as connection:
            shown = {
                "absences": await rotas.absences(connection, now, me.area),
                "holidays": await rotas.holidays(connection, now.astimezone(pages.zone).date()),
                "changes": await rotas.changes(connection, me.area),
                "responders": await rotas.responders(connection, me.area),
            }
        told: dict[str, Any] = {"said": None, "wrong": {}, "typed": {}, "form": None, **values}
        return pages.render(
            request, "rotas.html", status, weekdays=tuple(WEEKDAYS), between=BETWEEN, writes=me.role in WRITERS,
            everywhere=me.area is None, **told, **shown,
        )  # fmt: skip

    async def refused(
        request: Request, me: Principal, form: str, typed: Mapping[str, str], wrong: Mapping[str, Refusal]
    ) -> Response:
        """What is wrong beside its field, with what was written."""
        language = pages.reader(request).language
        said = {column: explain(refusal, language) for column, refusal in wrong.items()}
        return await show(request, me, 422, form=form, typed=typed, wrong=said)

    @routes.get("")
    async def page(request: Request, me: Me, said: Said | None = None) -> Response:
        return await show(request, me, said=said)

    @routes.post("/absences")
    async def enter(
        request: Request, me: Writer, responder: Text = "", absent_from: Text = "", absent_until: Text = "",
        stand_in: Text = "",
    ) -> Response:  # fmt: skip
        """Somebody is not there from then until then, and is not asked; who stands in for them is."""
        now, wrong = clock.now(), dict[str, Refusal]()
        typed = {
            "responder": responder, "absent_from": absent_from, "absent_until": absent_until, "stand_in": stand_in,
        }  # fmt: skip
        values: dict[str, Any] = {"stand_in": None, "absent_until": None}
        async with database.transaction() as connection:
            for column in ("responder", "stand_in"):
                if column == "responder" or typed[column].strip():
                    try:
                        values[column] = await _whom(connection, typed[column], me.area)
                    except Refusal as refusal:
                        wrong[column] = refusal
            for column in ("absent_from", "absent_until"):
                try:
                    if column == "absent_from" or typed[column].strip():
                        values[column] = moment(typed[column], pages.zone) if typed[column].strip() else now
                except Refusal as refusal:
                    wrong[column] = refusal
            if not wrong and values["absent_until"] is not None and values["absent_until"] <= now:
                wrong["absent_until"] = Refusal("absence_over")
            if not wrong and not absent_from.strip():
                values["absent_from"] = await _since(connection, values["responder"], now)
            if not wrong:
                try:
                    saved = await registrar.save(connection, Absence(**values), now, me.area, by=me.id)
                except Refused as all_wrong:
                    wrong = {bad.column or "": bad.refusal for bad in all_wrong.bad}
        if wrong:
            return await refused(request, me, "absence", typed, wrong)
        return RedirectResponse(f"/rotas?said={saved.what}", 303)

    @routes.post("/absences/end")
    async def end(me: Writer, responder: Id, absent_from: Annotated[AwareDatetime, Form()]) -> Response:
        """They are back: what is in force ends now, and what has not begun is taken back."""
        now = clock.now()
        async with database.transaction() as connection:
            found = [
                one
                for one in await register.some(connection, ABSENCES, [responder])
                if one.absent_from == absent_from and (one.absent_until is None or one.absent_until > now)
            ]
            try:
                done = bool(found) and await _ended(connection, found[0], now, me)
            except Refused:  # of another area: it is not there for this one
                done = False
        if not done:
            raise Problem(404, "not_found", f"{responder} has no such absence")
        return RedirectResponse("/rotas?said=ended", 303)

    @routes.post("/holidays")
    async def enter_holiday(
        request: Request, me: Writer, day: Text = "", last: Text = "",
        counts_as: Annotated[str, Form(max_length=3)] = "sun",
    ) -> Response:  # fmt: skip
        """Days that are worked as another day of the week: rotas go by it."""
        now, wrong = clock.now(), dict[str, Refusal]()
        typed = {"day": day, "last": last, "counts_as": counts_as}
        days: list[date] = []
        try:
            days = _days(day, last, now.astimezone(pages.zone).date())
        except Wrong as error:
            wrong[error.column] = error.refusal
        said = "unchanged"
        try:
            async with database.transaction() as connection:
                for one in days:
                    holiday = Holiday(day=one, counts_as=counts_as)
                    saved = await registrar.save(connection, holiday, now, me.area, by=me.id)
                    said = saved.what if said == "unchanged" else said
        except Refused as all_wrong:
            wrong = {bad.column or "": bad.refusal for bad in all_wrong.bad}
        if wrong:
            return await refused(request, me, "holiday", typed, wrong)
        return RedirectResponse(f"/rotas?said={said}", 303)

    @routes.post("/holidays/remove")
    async def remove_holiday(me: Writer, day: Annotated[date, Form()]) -> Response:
        async with database.transaction() as connection:
            if not await registrar.delete(connection, HOLIDAYS, (day,), me.area, now=clock.now(), by=me.id):
                raise Problem(404, "not_found", f"{day} is no holiday that you may remove")
        return RedirectResponse("/rotas?said=removed", 303)

    return routes


class Wrong(Exception):
    """What was written in a field cannot be meant."""

    def __init__(self, column: str, refusal: Refusal) -> None:
        super().__init__(column)
        self.column, self.refusal = column, refusal


def moment(text: str, zone: ZoneInfo) -> datetime:
    """A time as a form sends it, or as somebody writes it, by the centre's clock. Refusal: it is none."""
    try:
        at = datetime.fromisoformat(text.strip().replace("/", "-"))
    except ValueError:
        raise Refusal("no_time", text=text[:80]) from None
    if at.year not in YEARS:
        raise Refusal("no_time", text=text[:80])
    return at if at.tzinfo else at.replace(tzinfo=zone)


def _days(first: str, last: str, today: date) -> list[date]:
    """The days from the first to the last. Wrong: there are none, they are over, or they are too many."""
    found: dict[str, Any] = {}
    for column, text in (("day", first), ("last", last.strip() or first)):
        try:
            found[column] = read_cell(HOLIDAYS.columns["day"], text)
        except Refusal as refusal:
            raise Wrong(column, refusal) from None
    many = (found["last"] - found["day"]).days + 1
    if found["last"] < today:
        raise Wrong("day" if not last.strip() else "last", Refusal("day_over"))
    if not 1 <= many <= DAYS_AT_ONCE:
        raise Wrong("last", Refusal("days_too_many", limit=DAYS_AT_ONCE) if many > 1 else Refusal("last_before_first"))
    return [found["day"] + timedelta(days=one) for one in range(many)]


async def _whom(connection: Connection, text: str, scope: str | None) -> str:
    """The responder who is meant, by id, by name, or as the list to choose from has them. Refusal: nobody, several."""
    text = text.replace("\0", "").strip()
    if not text:
        raise Refusal("required")
    named = text.rpartition(BETWEEN.strip())[2].strip()
    found = await rotas.known(connection, named, scope)
    if not found:
        raise Refusal("no_such_responder", text=text[:80])
    if len(found) > 1:
        raise Refusal("several_responders", text=text[:80], ids=", ".join(found))
    return found[0]


async def _since(connection: Connection, responder: str, now: datetime) -> datetime:
    """When an absence that is entered from now on begins: who is absent already stays so. Entered twice it would be two
    absences, and whoever ends one would not be asked for the other."""
    await connection.execute(register.sql.lock)
    known = await register.some(connection, ABSENCES, [responder])
    return max((one.absent_from for one in known if _holds(one, now)), default=now)


def _holds(absence: Absence, now: datetime) -> bool:
    return absence.absent_from <= now and (absence.absent_until is None or absence.absent_until > now)


async def _ended(connection: Connection, absence: Absence, now: datetime, me: Principal) -> bool:
    if absence.absent_from >= now:
        key = (absence.responder, absence.absent_from)
        return await registrar.delete(connection, ABSENCES, key, me.area, now=now, by=me.id)
    over = replace(absence, absent_until=now)
    return (await registrar.save(connection, over, now, me.area, by=me.id)).what == "changed"
