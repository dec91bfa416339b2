"""Deny by default: every route of the web process, for nobody, for the wrong role, and from another site."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute, APIRouter
from starlette.routing import BaseRoute, Mount, Route

from dispatch import tasks
from tests.integration.web_support import HOST, Site, site

OPEN = {
    ("GET", "/healthz"), ("GET", "/sign-in"), ("POST", "/sign-in"), ("POST", "/preferences"),
    # Links: whoever made one up learns nothing there (test_helper_pages.py).
    ("GET", "/h/{token}"), ("POST", "/h/{token}"), ("POST", "/h/{token}/where"), ("GET", "/h/at/{code}"),
    ("GET", "/m/{token}"), ("GET", "/m/{token}/packet.pdf"),
}  # fmt: skip
"""All that a stranger reaches, and /static."""
ANYBODY = {("POST", "/sign-out"), ("GET", "/api/v1/openapi.json"), *OPEN}
"""What needs a session and no role."""
THEIRS = ("/tasks", "/reach", "/policies?whose=P001", "/asking", "/api/v1/tasks", "/api/v1/reach")
"""Pages and lists that name people of an area."""
MACHINES = re.compile(r"/api/v1/|/metrics\b")
FIGURES = re.compile(r"(/api/v1)?/(figures|metrics)\b")
"""What auditors may read, too: they name nobody."""

EXAMPLES = {
    "incident_id": "1", "act": "answer", "home": "H001", "kind": "homes", "record_id": "H001", "id": "H001",
    "away_from": "2026-01-01T00:00:00Z", "name": "console", "device": "H001-button",
    "token": "1.made-up", "day": "2026-01-01", "code": "ABC234", "absent_from": "2026-01-01T00:00:00Z",
    "state": "silent", "task": "1", "person": "C1", "person_id": "C1", "detector": "inactivity", "label": "fixed-1",
    "note": "0d7f6c1e-6f0e-4d0e-9a53-0f9f6f2f6c11",
}  # fmt: skip


@pytest.fixture
async def web(postgres_url: str) -> AsyncIterator[Site]:
    async with site(postgres_url) as one:
        await one.furnish()
        yield one


def leaves(routes: list[BaseRoute]) -> Iterator[Route | APIRoute]:
    for route in routes:
        if isinstance(route, Route | APIRoute):
            yield route
        elif isinstance(route, Mount):
            continue  # files: there is one, and it is open
        elif isinstance(included := getattr(route, "original_router", None), APIRouter):
            yield from leaves(included.routes)
        else:
            raise AssertionError(f"what is {route!r}? The guard must be tried on it")


def requests(web: Site) -> list[tuple[str, str, str]]:
    """(method, path as it is declared, path to try) of every route."""
    found = []
    for route in leaves(web.app.routes):
        path = re.sub(r"\{(\w+)(:\w+)?\}", lambda name: EXAMPLES[name[1]], route.path)
        found += [(method, route.path, path) for method in sorted((route.methods or set()) - {"HEAD"})]
    assert len(found) > 50
    assert {("GET", "/"), ("POST", "/incidents/{incident_id}/{act}")} <= {one[:2] for one in found}
    return found


def is_refusal(answer: httpx.Response) -> bool:
    signs_in = answer.status_code == 303 and answer.headers["location"].startswith("/sign-in")
    return answer.status_code == 401 or signs_in


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
async def test_nobody_reaches_nothing(web: Site, accept: str) -> None:
    wrong = []
    async with web.client(accept=accept, origin=HOST) as client:
        for method, declared, path in requests(web):
            answer = await client.request(method, path)
            # An empty form names no account: signing in is open, and says no in its own way.
            refused = is_refusal(answer) and (method, declared) != ("POST", "/sign-in")
            if refused == ((method, declared) in OPEN):
                wrong.append((method, declared, answer.status_code))
    assert not wrong


@pytest.mark.parametrize("token", ["", "nonsense", "a" * 5000])
async def test_a_made_up_session_or_token_is_nobody(web: Site, token: str) -> None:
    async with web.client(authorization=f"Bearer {token}") as machine, web.client() as browser:
        browser.cookies.set("pingan_session", token)
        for client in (machine, browser):
            assert (await client.get("/api/v1/incidents")).status_code == 401


@pytest.mark.parametrize("role", ["auditor", "responder"])
async def test_roles_that_do_not_sit_at_the_desk_reach_no_personal_data(web: Site, role: str) -> None:
    wrong = []
    client = await web.signed_in(role)
    async with client:
        for method, declared, path in requests(web):
            if (method, declared) in ANYBODY or (role == "auditor" and FIGURES.match(declared)):
                continue
            answer = await client.request(method, path)
            if answer.status_code != 403:
                wrong.append((method, declared, answer.status_code))
    assert not wrong


async def test_an_operator_changes_nothing_in_the_register(web: Site) -> None:
    wrong = []
    client = await web.signed_in("operator")
    async with client:
        for method, declared, path in requests(web):
            writes = method != "GET" or declared.endswith(("/import", "/export", "/adopt"))
            if ("/register" in declared or declared.endswith(("/config", "/adopt", "/adoption"))) and writes:
                answer = await client.request(method, path)
                if answer.status_code != 403:
                    wrong.append((method, declared, answer.status_code))
    assert not wrong


@pytest.mark.parametrize("role", ["operator", "supervisor"])
async def test_machines_use_the_api_and_no_pages(web: Site, role: str) -> None:
    wrong = []
    client = await web.machine(role)
    async with client:
        for method, declared, path in requests(web):
            if (method, declared) in ANYBODY or MACHINES.match(declared):
                continue
            answer = await client.request(method, path)
            if answer.status_code != 403:
                wrong.append((method, declared, answer.status_code))
        assert (await client.get("/api/v1/incidents")).status_code == 200
    assert not wrong


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://elsewhere.test"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": HOST},
        {"sec-fetch-site": "none", "origin": HOST},
    ],
)
async def test_nothing_is_done_for_another_site(web: Site, headers: dict[str, str]) -> None:
    wrong = []
    token = await web.session("administrator")
    async with web.client(**headers) as client:
        client.cookies.set("pingan_session", token)
        for method, declared, path in requests(web):
            if method == "GET" or path.startswith("/h/"):
                continue  # a link is something that no other site knows, and an old telephone does not say whence
            answer = await client.request(method, path)
            if answer.status_code != 403 or answer.json()["title"] != "other_origin":
                wrong.append((method, declared, answer.status_code))
        assert (await client.get("/", headers={"accept": "text/html"})).status_code == 200
    assert not wrong


async def test_a_page_of_ours_and_a_machine_may_act(web: Site) -> None:
    body = {"home": "H001", "cause": "fall"}
    client = await web.signed_in("operator")
    async with client:
        assert (await client.post("/api/v1/incidents", json=body)).status_code == 201
    machine = await web.machine("operator")
    async with machine:
        assert (await machine.post("/api/v1/incidents", json=body)).status_code == 201


async def test_an_area_ends_where_it_ends(web: Site) -> None:
    here = await web.signed_in("operator", "440703")
    there = await web.signed_in("administrator", "440704")
    async with here, there:
        opened = await here.post("/open", data={"home": "H001", "cause": "sos"})
        path = opened.headers["location"]
        assert opened.status_code == 303
        assert (await here.get(path)).status_code == 200
        for naming in ("/open", f"{path}/identify"):
            assert (await here.post(naming, data={"home": "\0", "cause": "sos"})).status_code == 404
        assert "陈秀英" in (await here.get("/")).text
        async with web.process.database.connection() as connection:
            assert await tasks.open(connection, "unreachable", "C1", {}, web.process.clock.now())
        for page in ("/tasks", "/reach", "/api/v1/tasks", "/api/v1/reach"):
            assert "李梅" in (await here.get(page)).text
        for answer in [
            await there.get(path),
            await there.post(f"{path}/close", data={"cause": "sos", "outcome": "accidental"}),
            await there.post("/open", data={"home": "H001"}),
            await there.get("/register/homes/H001"),
            await there.get(f"{path}/packet"),
            await there.post(f"{path}/packet", data={"name": "x"}),
            await there.post(f"{path}/call"),
            await there.post(f"{path}/call_both"),
            await there.get("/register/homes/H001/code"),
            await there.post("/register/homes/H001/code"),
            await there.post("/reach/C1/test"),
            await there.post("/api/v1/reach/C1/test"),
            await there.post("/tasks/1/done"),
            await there.post("/api/v1/tasks/1/done", json={}),
            await there.post("/register/homes/H001/homes/H001", data={"address": "elsewhere"}),
            await there.post("/shown", data={"console": "9f0f35d2-5a49-4f3c-8b5f-5b1ff28a1f10", "incident": 1}),
        ]:
            assert answer.status_code == 404
        for page in (
            "/",
            "/rows",
            "/rows?form=edge",
            "/open?words=",
            "/register?words=",
            "/register?after=%00",
            *THEIRS,
        ):
            shown = await there.get(page)
            assert shown.status_code == 200, page
            assert not re.search("陈秀英|李梅|H001", shown.text), page


AN_EVENTFUL_HOME = """
insert into devices (id, home, kind, enrolled_at) values ('H001-hub', 'H001', 'hub', '2026-01-01Z');
insert into device_heard (device, first_at, last_at, messages, last_kind)
    select unnest(array['H001-button', 'H001-hub/0x01', 'stray']), %(now)s, %(now)s, 3, 'sos';
insert into alarms (id, kind, home, device, at, received_at, raised_at, test, evidence, taken_at)
    select gen_random_uuid(), kind, 'H001', 'H001-button', %(now)s, %(now)s, %(now)s, false,
           '{"source": "reported", "attempt": 3, "missing": 4, "battery": 7}', %(now)s
    from unnest(array['sos', 'sequence_gap', 'heartbeat_lost', 'battery_low']) kind;
insert into rejected (received_at, device, topic, reason, detail, payload, payload_bytes)
    select %(now)s, device, 'pingan/v1/H001-button/up', 'not_json', 'H001', 'H001', 4
    from unnest(array['H001-button', 'H001-hub/0x01', 'stray', null]) device;
insert into alarms (id, kind, home, at, received_at, raised_at, test, evidence, taken_at) values
    ('0d7f6c1e-6f0e-4d0e-9a53-0f9f6f2f6c11', 'routine_drift', 'H001', %(now)s, %(now)s, %(now)s, false, '{}', %(now)s);
insert into visit_notes values ('0d7f6c1e-6f0e-4d0e-9a53-0f9f6f2f6c11', 'routine_drift', 'H001', %(now)s);
insert into askings (alarm, kind, home, begun_at, until)
    values (gen_random_uuid(), 'fall_suspected', 'H001', %(now)s, %(now)s + interval '1 hour');
insert into suggestion_decisions (rule, home, decision, decided_at, decided_by, was, proposed, evidence)
    values ('inactivity_floor_hours', 'H001', 'declined', %(now)s, '陈秀英', '2', '3',
            '{"days": 30, "false": 5, "of": 5, "incidents": []}');
insert into test_windows (device, home, opened_by, opened_at, until, state, finished_at)
    values ('H001-button', 'H001', 'H001', %(now)s, %(now)s + interval '1 minute', 'passed', %(now)s);
"""
ASKED = ("/asking", "/api/v1/askings", "/api/v1/notes")
OF_A_HOME = re.compile("H001|陈秀英|李梅|晚晴路|13800000141|stray")
WISHES = [{"device": device, "id": "mine", "home": "H003", "kind": "door"} for device in ("H001-hub/0x01", "stray")]
WRITES: dict[str, list[dict[str, Any]]] = {
    "/devices/adopt": [{"data": wish} for wish in WISHES],
    "/api/v1/adoption": [{"json": wish} for wish in WISHES],
    "/incidents/{incident_id}/identify": [{"data": {"home": "H003"}}],
    "/api/v1/incidents/{incident_id}/identify": [{"json": {"home": "H003"}}],
    "/devices/{device}/config": [{"data": {"heartbeat_seconds": "900", "volume": "3"}}],
    "/api/v1/devices/{device}/config": [{"json": {"heartbeat_seconds": 900, "volume": 3}}],
    "/devices/{device}/self-test": [{}],
    "/notes/{note}/acknowledge": [{}],
    "/api/v1/notes/{note}/acknowledge": [{}],
    "/api/v1/devices/{device}/self-test": [{}],
}  # fmt: skip


@pytest.mark.parametrize("role", ["operator", "administrator"])
async def test_whoever_is_of_another_area_reads_and_changes_nothing_of_a_home(web: Site, role: str) -> None:
    database, wrong = web.process.database, []
    async with database.connection() as connection:
        # One statement after another, each with the time.
        for statement in AN_EVENTFUL_HOME.split(";\n")[:-1]:
            await connection.execute(statement, {"now": web.process.clock.now()})
    here = await web.signed_in("operator", "440703")
    async with here:
        await here.post("/open", data={"home": "H001", "cause": "sos"})
        for page in (
            "/devices",
            "/devices/H001-button",
            "/devices/rejected",
            "/api/v1/devices",
            "/api/v1/adoption",
            *ASKED,
        ):
            assert OF_A_HOME.search((await here.get(page)).text), page

    async def as_it_is() -> list[Any]:
        async with database.connection() as connection:
            tables = ("devices", "device_configs", "test_windows", "homes", "incidents", "journal", "device_heard",
                      "visit_notes", "suggestion_decisions")  # fmt: skip
            query = "select to_jsonb(t) as row from {} t order by t::text"
            return [await (await connection.execute(query.format(table))).fetchall() for table in tables]

    before = await as_it_is()
    there = await web.signed_in(role, "440704")
    async with there:
        for method, declared, path in requests(web):
            if method == "GET" and not declared.endswith(("/live", "/stream")):
                answer = await there.get(path)
                # What is not there may be named as it was asked for.
                if answer.status_code < 400 and OF_A_HOME.search(answer.text):
                    wrong.append((method, declared, answer.status_code))
            for request in WRITES.get(declared, ()) if method != "GET" else ():
                answer = await there.request(method, path, **request)
                if answer.status_code not in (403, 404):
                    wrong.append((method, declared, answer.status_code))
    assert not wrong
    assert await as_it_is() == before


async def test_a_redirect_leads_nowhere_else(web: Site) -> None:
    async with web.client(origin=HOST, accept="text/html") as client:
        for elsewhere in ("//evil.test", "https://evil.test", "/\\evil.test", "javascript:alert(1)", "/%0d\n//x", ""):
            answer = await client.post("/preferences", data={"language": "en", "back": elsewhere})
            assert answer.headers["location"] == "/"
            page = await client.get("/sign-in", params={"next": elsewhere})
            assert 'name="next" value="/"' in page.text
        answer = await client.post("/preferences", data={"language": "xx", "theme": "<b>", "back": "/open"})
        assert (answer.headers["location"], answer.headers.get("set-cookie")) == ("/open", None)


async def test_cookies_are_kept_from_scripts_and_from_plain_connections(web: Site) -> None:
    await web.accounts.add("somebody", "x", "operator", "lamps over the lake")
    async with web.client(origin=HOST) as client:
        form = {"account": "somebody", "password": "lamps over the lake"}
        answer = await client.post("/sign-in", data=form)
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Max-Age=43200" in cookie
        again = await client.post("/sign-in", data=form)
        assert again.headers["set-cookie"] != cookie  # another session at every sign-in
        first = re.search(r"pingan_session=([^;]+)", cookie)
        assert first is not None
        assert await web.accounts.who(first[1], web.process.clock.now()) is None


async def test_signing_in_is_throttled(web: Site) -> None:
    async with web.client(origin=HOST) as client:
        form = {"account": "operator", "password": "wrong"}
        answers = [(await client.post("/sign-in", data=form)).status_code for _ in range(7)]
    assert answers == [401] * 5 + [429] * 2
