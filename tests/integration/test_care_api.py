"""The register over HTTP: who may do what, what is refused and how, files in and out."""

import io
import json
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from openpyxl import Workbook, load_workbook

from care import register
from care.api import router
from care.principals import Principal, Role
from care.records import HOMES
from care.sample import FOLDER
from care.transfer import XLSX, import_files, read_source
from pingan import problem
from pingan.clock import DrivenClock, to_ms
from pingan.database import Database

NOW = datetime(2026, 11, 1, 8, tzinfo=UTC)
BASE = "/api/v1/register"
TOWN = "440703901"
"""H001 to H012 lie in it, H013 to H020 outside."""

PERSON = {"id": "P900", "home": "H001", "name": "某"}
CONTACT = {
    "id": "C9",
    "home": "H001",
    "rank": 9,
    "name": "x",
    "relation": "x",
    "role": "family",
    "phone": "13800009999",
}
RESPONDER = {"id": "R9", "name": "x", "role": "medical", "area": "440703901", "phone": "13800009999"}


@dataclass
class Api:
    """Our routes behind a principal of the test's choice."""

    client: httpx.AsyncClient

    async def __call__(self, who: tuple[Role, str | None], method: str, path: str, **request: Any) -> httpx.Response:
        headers = {"x-role": who[0], "x-area": who[1] or "", **request.pop("headers", {})}
        return await self.client.request(method, BASE + path, headers=headers, **request)


OPERATOR: tuple[Role, str | None] = ("operator", None)
SUPERVISOR: tuple[Role, str | None] = ("supervisor", None)
LOCAL: tuple[Role, str | None] = ("supervisor", TOWN)
CHINESE = {"accept-language": "zh-CN"}


def who(request: Request) -> Principal:
    role: Any = request.headers["x-role"]
    return Principal("test", "test", role, request.headers["x-area"] or None)


@pytest.fixture
async def api(database: Database) -> AsyncIterator[Api]:
    async with database.transaction() as connection:
        await import_files(connection, read_source(FOLDER), NOW)
    app = FastAPI()
    problem.install(app)
    app.include_router(router(database, DrivenClock(to_ms(NOW)), who))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield Api(client)


DESK: tuple[Role, ...] = ("operator", "supervisor", "administrator")
NOT_DESK: tuple[Role, ...] = ("responder", "auditor")
NOT_WRITERS: tuple[Role, ...] = ("operator", *NOT_DESK)

READING = (
    "/search?q=陈",
    "/areas",
    "/homes",
    "/homes/H001",
    "/people",
    "/people/P001",
    "/responders",
    "/responders/V01",
    "/devices",
    "/devices/H001-button",
)
WRITING: tuple[tuple[str, str, Any], ...] = (
    ("PUT", "/areas/440704", {"code": "440704", "name": "x", "level": "district", "parent": "4407"}),
    ("PUT", "/homes/H900", {"id": "H900", "area": "440703901001", "address": "x"}),
    ("PUT", "/people/P900", PERSON),
    ("PUT", "/contacts/C9", CONTACT),
    ("PUT", "/responders/R9", RESPONDER),
    ("PUT", "/devices/D9", {"id": "D9", "kind": "button", "home": "H001"}),
    ("POST", "/devices/H001-button/password", None),
    ("POST", "/consents", {"person": "P001", "kind": "emergency", "given_at": "2026-10-01T00:00:00Z"}),
    ("POST", "/homes/H001/away", {"away_from": "2026-11-01T00:00:00Z", "reason": "x"}),
    ("POST", "/homes/H001/back", None),
    ("DELETE", "/homes/H015/away/2026-05-01T00:00:00Z", None),
    ("DELETE", "/contacts/H001-c1", None),
    ("DELETE", "/people/P002", None),
    ("DELETE", "/responders/V01", None),
    ("DELETE", "/devices/H001-watch", None),
    ("GET", "/export", None),
)


async def test_the_desk_reads_and_nobody_else(api: Api) -> None:
    for path in READING:
        for role in DESK:
            answer = await api((role, None), "GET", path)
            assert answer.status_code == 200, path
            assert answer.headers["cache-control"] == "no-store"
        for role in NOT_DESK:
            assert (await api((role, None), "GET", path)).status_code == 403, path


async def test_only_supervisors_and_administrators_write(api: Api) -> None:
    for role in NOT_WRITERS:
        for method, path, body in WRITING:
            assert (await api((role, None), method, path, json=body)).status_code == 403, (role, method, path)
        assert (await api((role, None), "POST", "/import", files={"files": b""})).status_code == 403
    for method, path, body in WRITING:
        answer = await api(SUPERVISOR, method, path, json=body)
        assert answer.status_code in (200, 204), (method, path, answer.text)


async def test_every_route_asks_who_it_is(database: Database) -> None:
    def nobody() -> Principal:
        raise problem.Problem(401, "not_signed_in", "sign in")

    app = FastAPI()
    problem.install(app)
    app.include_router(router(database, DrivenClock(), nobody))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        paths = app.openapi()["paths"]
        assert len(paths) > 15
        for path, methods in paths.items():
            for method in methods:
                answer = await client.request(method, path.replace("{id}", "x").replace("{away_from}", "x"))
                assert answer.status_code == 401, (method, path)


async def test_elsewhere_does_not_exist(api: Api) -> None:
    for path in ("/homes/H013", "/people/P013", "/devices/H013-button", "/devices/sim-clock", "/responders/V04"):
        answer = await api(LOCAL, "GET", path)
        assert answer.status_code == 404, path
        assert answer.headers["content-type"] == "application/problem+json"
    for method, path, body in (
        ("PUT", "/homes/H013", {"id": "H013", "area": TOWN, "address": "x"}),
        ("PUT", "/homes/H900", {"id": "H900", "area": "440703902001", "address": "x"}),
        ("PUT", "/people/P013", {**PERSON, "id": "P013"}),
        ("PUT", "/people/P900", {**PERSON, "home": "H013"}),
        ("PUT", "/people/P900", {**PERSON, "home": "H999"}),
        ("PUT", "/devices/H013-button", {"id": "H013-button", "kind": "button", "home": "H001"}),
        ("PUT", "/areas/4407", {"code": "4407", "name": "x", "level": "city"}),
        ("POST", "/devices/H013-button/password", None),
        ("POST", "/homes/H013/away", {"away_from": "2026-11-01T00:00:00Z", "reason": "x"}),
        ("POST", "/homes/H013/back", None),
        ("POST", "/consents", {"person": "P013", "kind": "emergency", "given_at": "2026-10-01T00:00:00Z"}),
        ("DELETE", "/homes/H013", None),
        ("DELETE", "/homes/H015/away/2026-05-01T00:00:00Z", None),
        ("DELETE", "/areas/440703902001", None),
        ("DELETE", "/devices/sim-clock", None),
    ):
        assert (await api(LOCAL, method, path, json=body)).status_code == 404, (method, path)
    found = (await api(LOCAL, "GET", "/search?limit=200")).json()["items"]
    assert {hit["home"] for hit in found} == {f"H{n:03d}" for n in range(1, 13)}
    with zipfile.ZipFile(io.BytesIO((await api(LOCAL, "GET", "/export")).content)) as archive:
        assert b"H013" not in b"".join(archive.read(name) for name in archive.namelist())


async def test_a_home_with_everything(api: Api) -> None:
    card = (await api(OPERATOR, "GET", "/homes/H001")).json()
    assert card["area_path"] == "江门市—蓬江区—荷清街道—晚晴社区"
    assert card["home"]["way_in_proven_on"] == "2026-09-12"
    assert card["contacts"][0]["name"] == "李梅"
    assert "mqtt_password_hash" not in json.dumps(card)


async def test_pages(api: Api) -> None:
    first = (await api(OPERATOR, "GET", "/homes?limit=15")).json()
    second = (await api(OPERATOR, "GET", f"/homes?limit=15&after={first['next']}")).json()
    assert len(first["items"]) + len(second["items"]) == 20
    assert second["next"] is None
    of_one = (await api(OPERATOR, "GET", "/devices?home=H001")).json()["items"]
    assert [device["id"] for device in of_one] == ["H001-button", "H001-hub", "H001-watch"]


async def test_a_new_device_shows_its_password_once(api: Api) -> None:
    body = {"id": "D9", "kind": "button", "home": "H001"}
    first = (await api(SUPERVISOR, "PUT", "/devices/D9", json=body)).json()
    assert first["what"] == "added"
    assert len(first["password"]) >= 32
    assert (await api(SUPERVISOR, "PUT", "/devices/D9", json=body)).json() == {"what": "unchanged", "password": None}
    assert "password" not in (await api(SUPERVISOR, "GET", "/devices/D9")).text


async def test_a_refusal_names_every_field(api: Api) -> None:
    body = {**PERSON, "phone": "110", "born_on": "1500-01-01", "name": " "}
    answer = await api(SUPERVISOR, "PUT", "/people/P900", json=body, headers={"accept-language": "zh-CN,zh;q=0.9"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    found = {error["column"]: error["reason"] for error in answer.json()["errors"]}
    assert found == {"name": "required", "born_on": "no_date", "phone": "phone_short"}
    assert "紧急" in answer.text
    assert (await api(SUPERVISOR, "DELETE", "/homes/H001")).status_code == 409


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/people/P900", {**PERSON, "id": "P901"}),
        ("PUT", "/people/P900", {**PERSON, "home": "H999"}),
        ("PUT", "/people/P900", {**PERSON, "note": "a\x00b"}),
        ("PUT", "/people/P900", {**PERSON, "note": "x" * 5000}),
        ("PUT", "/people/P900", {**PERSON, "born_on": "later"}),
        ("PUT", "/people/P900", [PERSON]),
        ("PUT", "/homes/H001", {"id": "H001", "area": "440703901001", "address": "x", "inactivity_hours": "nan"}),
        ("PUT", "/homes/H001", {"id": "H001", "area": "440703901001", "address": "x", "latitude": 1}),
        ("PUT", "/devices/dispatch", {"id": "dispatch", "kind": "button"}),
        ("PUT", "/devices/x%2Fup", {"id": "x/up", "kind": "button"}),
        ("PUT", "/people/%00", {**PERSON, "id": "\x00"}),
        ("GET", "/homes/%00", None),
        ("GET", "/homes?after=%00", None),
        ("GET", "/people?home=%00", None),
        ("GET", "/homes?limit=100000", None),
    ],
)
async def test_nonsense_is_refused_and_nothing_breaks(api: Api, method: str, path: str, body: Any) -> None:
    answer = await api(SUPERVISOR, method, path, json=body)
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_lone_surrogate_is_no_text(api: Api) -> None:
    body = b'{"id": "P900", "home": "H001", "name": "\\ud800"}'
    answer = await api(SUPERVISOR, "PUT", "/people/P900", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)


async def test_away_and_back(api: Api, database: Database) -> None:
    body = {"away_from": "2026-11-01T06:00:00+08:00", "away_until": "2026-11-05T06:00:00+08:00", "reason": "住院"}
    assert (await api(SUPERVISOR, "POST", "/homes/H001/away", json=body)).json()["what"] == "added"
    assert (await api(OPERATOR, "GET", "/homes/H001")).json()["away_now"]["reason"] == "住院"
    assert (await api(SUPERVISOR, "POST", "/homes/H001/back")).json()["what"] == "changed"
    assert (await api(OPERATOR, "GET", "/homes/H001")).json()["away_now"] is None
    body["away_until"] = body["away_from"]
    answer = await api(SUPERVISOR, "POST", "/homes/H001/away", json=body)
    assert answer.json()["errors"][0]["reason"] == "away_until_before_from"


async def test_files_out_and_in_again(api: Api, database: Database) -> None:
    exported = await api(SUPERVISOR, "GET", "/export?language=zh")
    assert exported.headers["content-type"] == "application/zip"
    async with database.connection() as connection:
        before = await register.whole(connection)
        await connection.execute("truncate areas, devices cascade")
    upload = {"files": ("register.zip", exported.content)}
    dry = await api(SUPERVISOR, "POST", "/import?dry_run=true", files=upload)
    assert dry.json()["added"]["homes"] == 20
    done = await api(SUPERVISOR, "POST", "/import", files=upload)
    assert done.json()["added"]["homes"] == 20
    assert done.json()["passwords"] == {}
    async with database.connection() as connection:
        assert await register.whole(connection) == before


async def test_an_import_with_mistakes_lists_them_all(api: Api, database: Database) -> None:
    homes = "id,area,address\nH101,440703901001,x\nH102,44,x\n".encode("gb18030")
    files = [("files", ("homes.csv", homes)), ("files", ("people.csv", b"id,home,name\nP101,H999,x\n"))]
    answer = await api(SUPERVISOR, "POST", "/import", files=files)
    assert answer.status_code == 422
    assert answer.json()["count"] == 2
    assert [(error["file"], error["line"], error["reason"]) for error in answer.json()["errors"]] == [
        ("homes.csv", 3, "no_area_code"),
        ("people.csv", 2, "unknown_homes"),
    ]
    async with database.connection() as connection:
        assert await register.one(connection, HOMES, "H101") is None
    twice = [("files", ("homes.csv", homes)), ("files", ("homes.csv", homes))]
    assert "second_file" in (await api(SUPERVISOR, "POST", "/import", files=twice)).text
    for content in (b"PK\x03\x04 not really", b"", b"\x00" * 100):
        answer = await api(SUPERVISOR, "POST", "/import", files={"files": ("x.zip", content)})
        assert answer.json()["errors"][0]["reason"] == "no_zip"


async def test_a_workbook_out_mended_and_in_again(api: Api, database: Database) -> None:
    exported = await api(SUPERVISOR, "GET", "/export?language=zh&format=xlsx")
    assert exported.headers["content-type"] == XLSX
    assert exported.headers["content-disposition"].endswith('"register.xlsx"')
    upload = {"files": ("登记册.xlsx", exported.content)}
    same = (await api(SUPERVISOR, "POST", "/import?dry_run=true", files=upload)).json()
    assert (same["added"], same["changed"], same["unchanged"]["people"]) == ({}, {}, 22)

    book = load_workbook(io.BytesIO(exported.content))
    people = book["服务对象"]
    people["G2"], people["G3"], people["B4"] = 13800009998, "=1+1", "H999"
    answer = await api(SUPERVISOR, "POST", "/import", files={"files": ("登记册.xlsx", saved(book))}, headers=CHINESE)
    assert answer.status_code == 422
    assert [(one["file"], one["line"], one["column"], one["detail"]) for one in answer.json()["errors"]] == [
        ("登记册.xlsx/服务对象", 3, "phone", "是公式 =1+1；请改成数值（复制后选择性粘贴为数值）"),
        ("登记册.xlsx/服务对象", 4, "home", "没有编号为 H999 的家庭"),
    ]
    people["G3"], people["B4"] = None, "H003"
    done = (await api(SUPERVISOR, "POST", "/import", files={"files": ("登记册.xlsx", saved(book))})).json()
    assert (done["added"], done["changed"]) == ({}, {"people": 1})
    assert (await api(OPERATOR, "GET", "/people/P001")).json()["phone"] == "+8613800009998"


async def test_a_workbook_is_asked_for_by_its_type_and_known_by_its_content(api: Api) -> None:
    exported = await api(LOCAL, "GET", "/export", headers={"accept": XLSX})
    assert exported.headers["content-type"] == XLSX
    assert (await api(SUPERVISOR, "GET", "/export?format=ods")).status_code == 422
    assert (await api(OPERATOR, "GET", "/export?format=xlsx")).status_code == 403
    book = load_workbook(io.BytesIO(exported.content))
    assert {row[0].value for row in book["homes"].iter_rows(min_row=2)} == {f"H{n:03d}" for n in range(1, 13)}
    for name in ("x.zip", "homes.csv", "whatever"):
        upload = {"files": (name, exported.content)}
        assert (await api(SUPERVISOR, "POST", "/import?dry_run=true", files=upload)).json()["unchanged"]["homes"] == 12
    for name, content, reason in (
        ("r.xlsm", exported.content, "macros"),
        ("r.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old_workbook"),
        ("r.xlsx", b"id,home,name\n", "no_workbook"),
    ):
        answer = await api(SUPERVISOR, "POST", "/import", files={"files": (name, content)})
        assert [(one["file"], one["line"], one["reason"]) for one in answer.json()["errors"]] == [(name, 0, reason)]


def saved(book: Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


async def test_a_zip_that_would_fill_the_memory_is_refused(api: Api) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("homes.csv", b"0" * (40 * 1024 * 1024))
    answer = await api(SUPERVISOR, "POST", "/import", files={"files": ("x.zip", out.getvalue())})
    assert answer.json()["errors"][0]["reason"] == "file_too_large"


async def test_somebody_with_an_area_imports_only_into_it(api: Api) -> None:
    files = {"files": ("homes.csv", b"id,address\nH001,x\nH013,x\n")}
    answer = await api(LOCAL, "POST", "/import", files=files)
    assert [(error["line"], error["reason"]) for error in answer.json()["errors"]] == [(3, "outside_area")]
