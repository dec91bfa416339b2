"""`/api/v1/register`: the register over HTTP. Reading is for the desk, writing for those who answer for it.

What lies outside the asker's area is not there: 404, whether it exists or not. Errors are problem details; a refusal
lists every mistake with its file, line, column and reason.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import APIRouter, Depends, File, Header, Path, Query, Response, UploadFile
from pydantic import AwareDatetime

from care import register, registrar
from care.changes import Refused
from care.principals import READERS, WRITERS, Asker
from care.records import (
    ABSENCES,
    AREAS,
    AWAY,
    CONTACTS,
    DEVICES,
    HOLIDAYS,
    HOMES,
    PEOPLE,
    RESPONDERS,
    Absence,
    Area,
    Away,
    Consent,
    Contact,
    Device,
    Entity,
    Holiday,
    Home,
    Person,
    Record,
    Responder,
    heartbeat_seconds,
)
from care.tables import BAD_ROWS_LIMIT, BadRow
from care.transfer import XLSX, export_tables, packed, read_sheets, uploaded
from care.words import explain
from pingan.clock import Clock
from pingan.database import Database
from pingan.problem import Problem

T = TypeVar("T")

Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
OfHome = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="only this home's")]
After = Annotated[
    str | None, Query(pattern=r"^[A-Za-z0-9_-]{0,64}( [A-Za-z0-9_-]{0,64})?$", description="the last page's `next`")
]
Limit = Annotated[int, Query(ge=1, le=register.PAGE_LIMIT)]
Language = Annotated[str, Header(alias="accept-language", include_in_schema=False)]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceGiven:
    """A device as it is asked for: its time of enrolment and its password are the register's to make."""

    id: str
    kind: str
    home: str | None = None
    model: str | None = None
    heartbeat_seconds: int | None = None
    """None: as devices of its way in do it."""
    enabled: bool = True
    gateway: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceShown(DeviceGiven):
    enrolled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AwayGiven:
    away_from: datetime
    reason: str
    away_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AbsenceGiven:
    absent_from: datetime
    absent_until: datetime | None = None
    stand_in: str | None = None


@dataclass(frozen=True, slots=True)
class HolidayGiven:
    counts_as: str = "sun"


@dataclass(frozen=True, slots=True)
class Card:
    """Everything about one home."""

    home: Home
    areas: Sequence[Area]
    area_path: str
    people: Sequence[Person]
    contacts: Sequence[Contact]
    devices: Sequence[DeviceShown]
    consents: Sequence[Consent]
    away: Sequence[Away]
    away_now: Away | None
    incidents_lately: int
    last_incident_at: datetime | None


@dataclass(frozen=True, slots=True)
class Items(Generic[T]):
    items: list[T]
    next: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """`password`: a new device's, shown this once."""

    what: str
    password: str | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    dry_run: bool
    added: dict[str, int]
    changed: dict[str, int]
    unchanged: dict[str, int]
    without_password: int
    passwords: dict[str, str]


def router(database: Database, clock: Clock, principal: Callable[..., Asker]) -> APIRouter:
    """The routes. `principal` is a dependency that says who asks, or refuses."""

    def never_kept(response: Response) -> None:
        response.headers["Cache-Control"] = "no-store"

    def reader(who: Annotated[Asker, Depends(principal)]) -> Asker:
        if who.role not in READERS:
            raise Problem(403, "not_allowed", f"the role {who.role} may not read the register")
        return who

    def writer(who: Annotated[Asker, Depends(principal)]) -> Asker:
        if who.role not in WRITERS:
            raise Problem(403, "not_allowed", f"the role {who.role} may not change the register")
        return who

    Reader = Annotated[Asker, Depends(reader)]
    Writer = Annotated[Asker, Depends(writer)]
    routes = APIRouter(prefix="/api/v1/register", tags=["register"], dependencies=[Depends(never_kept)])

    async def save(record: Record, who: Asker, language: str) -> Outcome:
        try:
            async with database.transaction() as connection:
                saved = await registrar.save(connection, record, clock.now(), who.area, by=who.id)
        except Refused as refused:
            raise _problem(refused, who, language) from refused
        return Outcome(saved.what, saved.password)

    async def delete(entity: Entity, key: tuple[Any, ...], who: Asker, language: str) -> None:
        try:
            async with database.transaction() as connection:
                if not await registrar.delete(connection, entity, key, who.area, now=clock.now(), by=who.id):
                    raise _not_found(entity, key[0])
        except Refused as refused:
            raise _problem(refused, who, language) from refused

    async def one(entity: Entity, key: str, who: Asker) -> Any:
        async with database.connection() as connection:
            record = await register.one(connection, entity, key, who.area)
        if record is None:
            raise _not_found(entity, key)
        return record

    @routes.get("/search")
    async def search(
        who: Reader, q: Annotated[str, Query(max_length=100)] = "", after: After = None, limit: Limit = 50
    ) -> Items[register.Hit]:
        """People and homes by any part of a name, an address, an id or a phone number."""
        async with database.connection() as connection:
            page = await register.search(connection, q, who.area, after=after, limit=limit)
        return Items(page.items, page.next)

    @routes.get("/areas")
    async def areas(who: Reader) -> list[Area]:
        async with database.connection() as connection:
            return await register.areas(connection, who.area)

    @routes.get("/homes")
    async def homes(who: Reader, after: After = None, limit: Limit = 50) -> Items[Home]:
        async with database.connection() as connection:
            page = await register.homes(connection, who.area, after=after, limit=limit)
        return Items(page.items, page.next)

    @routes.get("/homes/{id}")
    async def home(id: Id, who: Reader) -> Card:
        """The home with its areas, people, contacts, devices, consents and absences."""
        async with database.connection() as connection:
            card = await register.home_card(connection, id, clock.now(), who.area)
        if card is None:
            raise _not_found(HOMES, id)
        return _card(card, whole=who.role in WRITERS)

    @routes.get("/people")
    async def people(who: Reader, home: OfHome = None, after: After = None, limit: Limit = 50) -> Items[Person]:
        async with database.connection() as connection:
            page = await register.people(connection, who.area, home=home, after=after, limit=limit)
        return Items(page.items, page.next)

    @routes.get("/people/{id}")
    async def person(id: Id, who: Reader) -> Person:
        found: Person = await one(PEOPLE, id, who)
        return found

    @routes.get("/responders")
    async def responders(who: Reader, after: After = None, limit: Limit = 50) -> Items[Responder]:
        async with database.connection() as connection:
            page = await register.responders(connection, who.area, after=after, limit=limit)
        return Items([_masked(one) for one in page.items], page.next)

    @routes.get("/responders/{id}")
    async def responder(id: Id, who: Reader) -> Responder:
        found: Responder = await one(RESPONDERS, id, who)
        return found if who.role in WRITERS else _masked(found)

    @routes.get("/devices")
    async def devices(who: Reader, home: OfHome = None, after: After = None, limit: Limit = 50) -> Items[DeviceShown]:
        async with database.connection() as connection:
            page = await register.devices(connection, who.area, home=home, after=after, limit=limit)
        return Items([_shown(device) for device in page.items], page.next)

    @routes.get("/devices/{id}")
    async def device(id: Id, who: Reader) -> DeviceShown:
        return _shown(await one(DEVICES, id, who))

    @routes.put("/areas/{id}")
    async def save_area(id: Id, record: Area, who: Writer, language: Language = "en") -> Outcome:
        return await save(_same(id, record.code, record), who, language)

    @routes.put("/homes/{id}")
    async def save_home(id: Id, record: Home, who: Writer, language: Language = "en") -> Outcome:
        return await save(_same(id, record.id, record), who, language)

    @routes.put("/people/{id}")
    async def save_person(id: Id, record: Person, who: Writer, language: Language = "en") -> Outcome:
        return await save(_same(id, record.id, record), who, language)

    @routes.put("/contacts/{id}")
    async def save_contact(id: Id, record: Contact, who: Writer, language: Language = "en") -> Outcome:
        return await save(_same(id, record.id, record), who, language)

    @routes.put("/responders/{id}")
    async def save_responder(id: Id, record: Responder, who: Writer, language: Language = "en") -> Outcome:
        return await save(_same(id, record.id, record), who, language)

    @routes.put("/devices/{id}")
    async def save_device(id: Id, given: DeviceGiven, who: Writer, language: Language = "en") -> Outcome:
        """Enrol a device, or bind it elsewhere. A new one's password is in the answer, and nowhere else."""
        fields = asdict(given)
        if given.heartbeat_seconds is None:
            fields["heartbeat_seconds"] = heartbeat_seconds(given.gateway)
        return await save(_same(id, given.id, Device(**fields)), who, language)

    @routes.post("/devices/{id}/password")
    async def renew_password(id: Id, who: Writer) -> Outcome:
        """A new password for a device; the old one ends."""
        async with database.transaction() as connection:
            password = await registrar.renew_device_password(connection, id, who.area)
        if password is None:
            raise _not_found(DEVICES, id)
        return Outcome("changed", password)

    @routes.post("/consents")
    async def save_consent(record: Consent, who: Writer, language: Language = "en") -> Outcome:
        """Record a consent, or (same person, kind and `given_at`) its withdrawal. What was given is never deleted."""
        return await save(record, who, language)

    @routes.post("/homes/{id}/away")
    async def save_away(id: Id, given: AwayGiven, who: Writer, language: Language = "en") -> Outcome:
        """Somebody will be, or is, away: silence is not watched from then until then; a press always rings."""
        return await save(Away(home=id, **asdict(given)), who, language)

    @routes.post("/homes/{id}/back")
    async def back(id: Id, who: Writer) -> Outcome:
        """They are at home again: the absence that lasts now ends now."""
        await one(HOMES, id, who)
        async with database.transaction() as connection:
            ended = await registrar.come_back(connection, id, clock.now(), who.area)
        return Outcome("changed" if ended else "unchanged")

    @routes.delete("/homes/{id}/away/{away_from}", status_code=204)
    async def delete_away(id: Id, away_from: AwareDatetime, who: Writer, language: Language = "en") -> None:
        await delete(AWAY, (id, away_from), who, language)

    @routes.post("/responders/{id}/absences")
    async def save_absence(id: Id, given: AbsenceGiven, who: Writer, language: Language = "en") -> Outcome:
        """They are not there from then until then, and are not asked; who stands in for them is."""
        return await save(Absence(responder=id, **asdict(given)), who, language)

    @routes.delete("/responders/{id}/absences/{absent_from}", status_code=204)
    async def delete_absence(id: Id, absent_from: AwareDatetime, who: Writer, language: Language = "en") -> None:
        await delete(ABSENCES, (id, absent_from), who, language)

    @routes.put("/holidays/{day}")
    async def save_holiday(day: date, given: HolidayGiven, who: Writer, language: Language = "en") -> Outcome:
        """A day that is worked as another day of the week: rotas go by it."""
        return await save(Holiday(day=day, counts_as=given.counts_as), who, language)

    @routes.delete("/holidays/{day}", status_code=204)
    async def delete_holiday(day: date, who: Writer, language: Language = "en") -> None:
        await delete(HOLIDAYS, (day,), who, language)

    @routes.delete("/areas/{id}", status_code=204)
    async def delete_area(id: Id, who: Writer, language: Language = "en") -> None:
        await delete(AREAS, (id,), who, language)

    @routes.delete("/homes/{id}", status_code=204)
    async def delete_home(id: Id, who: Writer, language: Language = "en") -> None:
        """The home with its people, contacts and absences; 409 while devices are bound to it or it has incidents."""
        await delete(HOMES, (id,), who, language)

    @routes.delete("/people/{id}", status_code=204)
    async def delete_person(id: Id, who: Writer, language: Language = "en") -> None:
        await delete(PEOPLE, (id,), who, language)

    @routes.delete("/contacts/{id}", status_code=204)
    async def delete_contact(id: Id, who: Writer, language: Language = "en") -> None:
        await delete(CONTACTS, (id,), who, language)

    @routes.delete("/responders/{id}", status_code=204)
    async def delete_responder(id: Id, who: Writer, language: Language = "en") -> None:
        await delete(RESPONDERS, (id,), who, language)

    @routes.delete("/devices/{id}", status_code=204)
    async def delete_device(id: Id, who: Writer, language: Language = "en") -> None:
        await delete(DEVICES, (id,), who, language)

    @routes.post("/import")
    async def import_(
        who: Writer,
        files: Annotated[list[UploadFile], File(description="CSV files, zips of them, or Excel workbooks")],
        dry_run: bool = False,
        language: Language = "en",
    ) -> Imported:
        """Everything, or nothing and every bad row. New devices' passwords are in the answer, and nowhere else."""
        try:
            sheets, bad = await read_sheets(await uploaded(files))
            async with database.transaction() as connection:
                report = await registrar.apply(
                    connection, sheets, clock.now(), who.area, bad=bad, dry_run=dry_run, by=who.id
                )
        except Refused as refused:
            raise _problem(refused, None, language) from refused
        counts = (dict(report.added), dict(report.changed), dict(report.unchanged))
        return Imported(dry_run, *counts, report.without_password, dict(report.passwords))

    @routes.get("/export", response_class=Response)
    async def export(
        who: Writer,
        language: Annotated[Literal["zh", "en"], Query()] = "en",
        format: Annotated[Literal["zip", "xlsx"] | None, Query(description="or by `Accept`; else a zip")] = None,
        accept: Annotated[str, Header(include_in_schema=False)] = "",
    ) -> Response:
        """All that the asker may see: a zip of CSV files, or one Excel workbook."""
        form = format or ("xlsx" if XLSX in accept else "zip")
        async with database.connection() as connection:
            tables = await export_tables(connection, who.area, language=language)
        try:
            content = await packed(tables, form, language, clock.now())
        except Refused as refused:
            raise _problem(refused, None, language) from refused
        headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="register.{form}"'}
        return Response(content, media_type=XLSX if form == "xlsx" else "application/zip", headers=headers)

    return routes


def _same(path: str, body: str, record: Record) -> Record:
    if path != body:
        raise Problem(422, "invalid", f"the address says {path}, the body {body}")
    return record


def _not_found(entity: Entity, key: object) -> Problem:
    return Problem(404, "not_found", f"there is no {key} among the {entity.name}")


def _problem(refused: Refused, saver: Asker | None, language: str) -> Problem:
    """The refusal in words. `saver`: of a single record: for somebody with an area, elsewhere does not exist."""
    reasons = {bad.refusal.reason for bad in refused.bad}
    elsewhere = {"outside_area", "unknown_areas", "unknown_homes", "unknown_people"}
    if saver is not None and saver.area is not None and reasons & elsewhere:
        return Problem(404, "not_found", "there is no such record")
    language = "zh" if language.lower().startswith("zh") else "en"
    errors = [_error(bad, language) for bad in refused.bad[:BAD_ROWS_LIMIT]]
    detail = "; ".join(f"{error['column'] or error['file']}: {error['detail']}" for error in errors[:3])
    return Problem(409 if "in_use" in reasons else 422, "refused", detail, errors=errors, count=len(refused.bad))


def _error(bad: BadRow, language: str) -> dict[str, Any]:
    return {
        "file": bad.file,
        "line": bad.line,
        "column": bad.column,
        "reason": bad.refusal.reason,
        "detail": explain(bad.refusal, language),
    }


def _shown(device: Device) -> DeviceShown:
    fields = asdict(device)
    del fields["mqtt_password_hash"]
    return DeviceShown(**fields)


Notified = TypeVar("Notified", Contact, Responder)


def _masked(one: Notified) -> Notified:
    """An address for notices may hold a secret: a list says of which kind it is, and no more."""
    return replace(one, notify=f"{one.notify.partition('://')[0]}://…") if one.notify else one


def _card(card: register.HomeCard, *, whole: bool) -> Card:
    return Card(
        home=card.home,
        areas=card.areas,
        area_path=card.area_path,
        people=card.people,
        contacts=card.contacts if whole else [_masked(one) for one in card.contacts],
        devices=[_shown(device) for device in card.devices],
        consents=card.consents,
        away=card.away,
        away_now=card.away_now,
        incidents_lately=card.incidents_lately,
        last_incident_at=card.last_incident_at,
    )
