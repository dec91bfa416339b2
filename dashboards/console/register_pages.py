"""The register's pages: find somebody, see their home, mend what is wrong, take files in and give them out."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Query, Request, UploadFile
from starlette.responses import RedirectResponse, Response

from care import register, registrar
from care.changes import Refused
from care.csv_files import BAD_ROWS_LIMIT, BadRow, entity_for, read_cell, write_cell
from care.principals import WRITERS, Principal
from care.records import CONTACTS, HOMES, PEOPLE, Entity
from care.refusal import Refusal
from care.transfer import export_files, import_files, unzip, zipped
from care.words import explain
from pingan.clock import Clock
from pingan.database import Database
from pingan.problem import Problem

from .access import allowed, person
from .page import Pages

Me = Annotated[Principal, Depends(person)]
Writer = Annotated[Principal, Depends(allowed("supervisor", "administrator"))]
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]

EDITABLE: Mapping[str, tuple[Entity, tuple[str, ...]]] = {
    "homes": (HOMES, ("address", "phone", "way_in", "way_in_proven_on", "inactivity_hours")),
    "people": (
        PEOPLE,
        ("name", "born_on", "sex", "language", "phone", "category", "conditions", "medication", "hospital", "note"),
    ),
    "contacts": (CONTACTS, ("name", "relation", "role", "phone", "language", "rank", "has_key")),
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
            page = await register.search(connection, words, me.area, after=after)
        return pages.render(
            request, "register.html", words=words, hits=page.items, next=page.next, writes=me.role in WRITERS
        )

    @routes.get("/homes/{home}")
    async def home_page(request: Request, me: Me, home: Id, saved: str | None = None) -> Response:
        return await show(request, me, home, saved=saved)

    async def show(request: Request, me: Principal, home: str, status: int = 200, /, **values: Any) -> Response:
        async with database.connection() as connection:
            card = await register.home_card(connection, home, clock.now(), me.area)
        if card is None:
            raise Problem(404, "not_found", f"there is no home {home}")
        language = pages.reader(request).language
        shown = {"card": card, "writes": me.role in WRITERS, "wrong": {}, "given": {}, "saved": None, **values}
        forms = {name: (entity, _fields(entity, columns, language)) for name, (entity, columns) in EDITABLE.items()}
        cell = lambda record, field: write_cell(field["column"], getattr(record, field["name"]))  # noqa: E731
        return pages.render(request, "home.html", status, forms=forms, cell=cell, **shown)

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
                    saved = await registrar.save(connection, replace(record, **values), clock.now(), me.area)
                except Refused as refused:
                    wrong = {bad.column or "": bad.refusal for bad in refused.bad}
                else:
                    return RedirectResponse(f"/register/homes/{home}?saved={saved.what}#{record_id}", 303)
        language = pages.reader(request).language
        said = {column: explain(refusal, language) for column, refusal in wrong.items()}
        return await show(request, me, home, 422, wrong={record_id: said}, given={record_id: given})

    @routes.get("/import")
    async def import_page(request: Request, me: Writer) -> Response:
        return pages.render(request, "import.html", bad=None, report=None, dry_run=False, limit=BAD_ROWS_LIMIT)

    @routes.post("/import")
    async def take(
        request: Request, me: Writer, files: list[UploadFile], dry_run: Annotated[bool, Form()] = False
    ) -> Response:
        language = pages.reader(request).language
        try:
            content = await _content(files)
            async with database.connection() as connection:
                report = await import_files(connection, content, clock.now(), me.area, dry_run=dry_run)
        except Refused as refused:
            bad = [_said(one, language) for one in refused.bad]
            return pages.render(
                request, "import.html", 422, bad=bad, report=None, dry_run=dry_run, limit=BAD_ROWS_LIMIT
            )
        return pages.render(request, "import.html", bad=None, report=report, dry_run=dry_run, limit=BAD_ROWS_LIMIT)

    @routes.get("/export")
    async def give(request: Request, me: Writer) -> Response:
        now = clock.now()
        async with database.connection() as connection:
            files = await export_files(connection, me.area, language=pages.reader(request).language)
        name = f"pingan-register-{now.astimezone(pages.zone):%Y-%m-%d}.zip"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return Response(zipped(files, now), media_type="application/zip", headers=headers)

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


async def _content(files: list[UploadFile]) -> dict[str, bytes]:
    """What was uploaded: CSV files, or one zip of them."""
    content = {file.filename or "": await file.read() for file in files if file.filename}
    if len(content) == 1:
        name, only = next(iter(content.items()))
        if name.lower().endswith(".zip"):
            return unzip(only)
    return content


def _said(bad: BadRow, language: str) -> dict[str, Any]:
    entity, column = entity_for(bad.file), bad.column or ""
    if language == "zh" and entity and column in entity.columns:
        column = entity.columns[column].chinese
    return {"file": bad.file, "line": bad.line, "column": column, "why": explain(bad.refusal, language)}
