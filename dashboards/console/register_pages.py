"""The register's pages: find somebody, see their home, mend what is wrong, take files in and give them out."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Form, Path, Query, Request, UploadFile
from starlette.responses import RedirectResponse, Response

from care import register, registrar
from care.changes import Refused
from care.principals import WRITERS, Principal
from care.records import CONTACTS, ENTITIES, HOMES, PEOPLE, Entity
from care.refusal import Refusal
from care.registrar import Report
from care.tables import BAD_ROWS_LIMIT, BadRow, column_said, read_cell, write_cell
from care.transfer import XLSX, export_tables, packed, read_sheets, uploaded
from care.words import explain
from dispatch import asking, reaching
from pingan.clock import Clock
from pingan.database import Database
from pingan.problem import Problem

from .access import person, writer
from .page import Pages

Me = Annotated[Principal, Depends(person)]
Writer = Annotated[Principal, Depends(writer)]
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]

WATCHED = ("inactivity_hours", "inactivity_floor_hours", "limits", "fence_m", "timezone")
"""What detection goes by."""
EDITABLE: Mapping[str, tuple[Entity, tuple[str, ...]]] = {
    "homes": (HOMES, ("address", "phone", "way_in", "way_in_proven_on", *WATCHED)),
    "people": (
        PEOPLE,
        ("name", "born_on", "sex", "language", "phone", "category", "conditions", "medication", "hospital", "note"),
    ),
    "contacts": (
        CONTACTS,
        ("name", "relation", "role", "phone", "language", "rank", "has_key", "told", "digest", "quiet", "notify"),
    ),
}
"""What can be changed by hand, and which of its columns. What binds things together is changed by files or the API."""

LONG = frozenset({"way_in", "conditions", "medication", "note"})


def router(pages: Pages, database: Database, clock: Clock) -> APIRouter:
    routes = APIRouter(prefix="/register", include_in_schema=False)

    @routes.get("")
    async def find(
        request: Request,
        me: Me,
        words: Annotated[str, Query(max_length=100)] = "",
        after: Annotated[str | None, Query(max_length=140)] = None,
    ) -> Response:
        async with database.connection() as connection:
            page = await register.search(connection, words, me.area, after=after.replace("\0", "") if after else None)
        return pages.render(
            request, "register.html", words=words, hits=page.items, next=page.next, writes=me.role in WRITERS
        )

    @routes.get("/homes/{home}")
    async def home_page(request: Request, me: Me, home: Id, saved: str | None = None) -> Response:
        return await show(request, me, home, saved=saved)

    async def show(request: Request, me: Principal, home: str, status: int = 200, /, **values: Any) -> Response:
        async with database.connection() as connection:
            card = await register.home_card(connection, home, clock.now(), me.area)
            notes = await asking.notes(connection, me.area, home, every=True)
            known = await reaching.people(connection, clock.now(), pages.zone, me.area, home=home)
        if card is None:
            raise Problem(404, "not_found", f"there is no home {home}")
        language = pages.reader(request).language
        told = {"wrong": {}, "given": {}, "saved": None, **values}
        shown = {
            "card": card,
            "notes": notes,
            "known": {one.id: (one, how) for one, how in known},
            "writes": me.role in WRITERS,
            **told,
        }
        forms = {name: (entity, _fields(entity, columns, language)) for name, (entity, columns) in EDITABLE.items()}

        def cell(record: Any, field: Mapping[str, Any]) -> str:
            words = language if field["name"] == "limits" else "en"
            return write_cell(field["column"], getattr(record, field["name"]), words)

        return pages.render(request, "home.html", status, forms=forms, cell=cell, watched=WATCHED, **shown)

    @routes.post("/homes/{home}/{kind}/{record_id}")
    async def save(request: Request, me: Writer, home: Id, kind: str, record_id: Id) -> Response:
        """Save one record by hand. What is wrong is shown beside its field, with what was written."""
        if kind not in EDITABLE:
            raise Problem(404, "not_found", f"there is no {kind}")
        entity, columns = EDITABLE[kind]
        async with request.form(max_fields=40) as form:
            given = {name: str(form.get(name, "")) for name in columns if name in form}
        async with database.connection() as connection:
            record = await register.one(connection, entity, record_id, me.area)
            if record is None or (record.id if kind == "homes" else record.home) != home:
                raise Problem(404, "not_found", f"there is no {record_id} in {home}")
            values, wrong = _read(entity, given)
            if not wrong:
                try:
                    saved = await registrar.save(connection, replace(record, **values), clock.now(), me.area, by=me.id)
                except Refused as refused:
                    wrong = {bad.column or "": bad.refusal for bad in refused.bad}
                else:
                    return RedirectResponse(f"/register/homes/{home}?saved={saved.what}#{record_id}", 303)
        language = pages.reader(request).language
        said = {column: explain(refusal, language) for column, refusal in wrong.items()}
        return await show(request, me, home, 422, wrong={record_id: said}, given={record_id: given})

    def import_form(request: Request, status: int = 200, /, **values: Any) -> Response:
        shown = {"bad": None, "report": None, "counts": [], "dry_run": False, "limit": BAD_ROWS_LIMIT, **values}
        return pages.render(request, "import.html", status, **shown)

    @routes.get("/import")
    async def import_page(request: Request, me: Writer) -> Response:
        return import_form(request)

    @routes.post("/import")
    async def take(
        request: Request, me: Writer, files: list[UploadFile], dry_run: Annotated[bool, Form()] = False
    ) -> Response:
        language = pages.reader(request).language
        try:
            sheets, bad = await read_sheets(await uploaded(files))
            async with database.connection() as connection:
                report = await registrar.apply(
                    connection, sheets, clock.now(), me.area, bad=bad, dry_run=dry_run, by=me.id
                )
        except Refused as refused:
            return import_form(request, 422, bad=[_said(one, language) for one in refused.bad], dry_run=dry_run)
        return import_form(request, report=report, counts=_counts(report, language), dry_run=dry_run)

    @routes.get("/export")
    async def give(request: Request, me: Writer, format: Literal["zip", "xlsx"] = "zip") -> Response:
        now = clock.now()
        language = cast(Literal["zh", "en"], pages.reader(request).language)
        async with database.connection() as connection:
            tables = await export_tables(connection, me.area, language=language)
        try:
            content = await packed(tables, format, language, now)
        except Refused as refused:
            raise Problem(422, "refused", explain(refused.bad[0].refusal, language)) from refused
        name = f"pingan-register-{now.astimezone(pages.zone):%Y-%m-%d}.{format}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return Response(content, media_type=XLSX if format == "xlsx" else "application/zip", headers=headers)

    return routes


def _fields(entity: Entity, columns: tuple[str, ...], language: str) -> list[dict[str, Any]]:
    """The fields of a form, with their names as the register's own files call them."""
    found = []
    for name in columns:
        column = entity.columns[name]
        label = column.chinese if language == "zh" else name.replace("_", " ").capitalize()
        found.append({"name": name, "label": label, "column": column, "long": name in LONG})
    return found


def _read(entity: Entity, given: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Refusal]]:
    values: dict[str, Any] = {}
    wrong: dict[str, Refusal] = {}
    for name, text in given.items():
        try:
            values[name] = read_cell(entity.columns[name], text)
        except Refusal as refusal:
            wrong[name] = refusal
    return values, wrong


def _counts(report: Report, language: str) -> list[tuple[str, int, int, int]]:
    """What was added, changed and left of each table that anything was said of, under its name."""
    found = []
    for name, entity in ENTITIES.items():
        added, changed, unchanged = (one.get(name, 0) for one in (report.added, report.changed, report.unchanged))
        if added or changed or unchanged:
            found.append((entity.chinese if language == "zh" else name, added, changed, unchanged))
    return found


def _said(bad: BadRow, language: str) -> dict[str, Any]:
    column = column_said(bad, language) or ""
    return {"file": bad.file, "line": bad.line, "column": column, "why": explain(bad.refusal, language)}
