"""The web process: headers, languages, problems in words, health, live streams, and how it starts and stops."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from dashboards.console import live as live_module
from pingan.local.postgres import Postgres
from pingan.migrate import migrate
from tests.conftest import Until
from tests.integration.web_support import HOST, Site, site
from tests.stories.support import PASSWORD, Web
from tests.support import free_port


@pytest.fixture
async def web(postgres_url: str) -> AsyncIterator[Site]:
    async with site(postgres_url) as one:
        await one.furnish()
        yield one


@pytest.mark.parametrize(
    "path", ["/", "/sign-in", "/static/console.css", "/nowhere", "/healthz", "/api/v1/incidents", "/static/../app.py"]
)
async def test_every_answer_tells_the_browser_to_be_careful(web: Site, path: str) -> None:
    async with web.client() as client:
        answer = await client.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "server" not in answer.headers


async def test_pages_hold_no_script_or_style_of_their_own_and_are_not_kept(web: Site) -> None:
    client = await web.signed_in("supervisor")
    async with client:
        opened = await client.post("/open", data={"home": "H002", "cause": "sos"})
        for path in ("/", opened.headers["location"], "/open", "/register", "/register/homes/H002", "/register/import"):
            page = await client.get(path)
            assert page.status_code == 200
            assert page.headers["cache-control"] == "no-store"
            assert " style=" not in page.text
            assert " onclick=" not in page.text
            assert "<style" not in page.text
            assert page.text.count("<script") == page.text.count('<script type="module" src="/static/console.js">') == 1


async def test_the_language_is_the_readers(web: Site) -> None:
    async with web.client() as client:
        for asked, expected in [
            ("zh-CN,zh;q=0.9", "登录"),
            ("en-GB", "Sign in"),
            ("de,en;q=0.5", "Sign in"),
            ("", "登录"),
        ]:
            page = await client.get("/sign-in", headers={"accept-language": asked})
            assert f"<h1>{'平安通' if expected == '登录' else 'Ping An Tong'}</h1>" in page.text
            assert expected in page.text
        client.cookies.set("pingan_language", "en")
        assert "Sign in" in (await client.get("/sign-in", headers={"accept-language": "zh"})).text


async def test_what_goes_wrong_is_said_in_words_to_people_and_as_details_to_machines(web: Site) -> None:
    person, machine = await web.signed_in("operator"), await web.machine("operator")
    async with person, machine:
        page = await person.get("/incidents/99")
        assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "没有这个页面" in page.text
        for answer in (await machine.get("/api/v1/incidents/99"), await person.get("/api/v1/incidents/99")):
            assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
            assert answer.json()["status"] == 404
        for path in ("/incidents/0", "/incidents/99999999999999999999", "/incidents/x", "/register/homes/a%00b"):
            assert (await person.get(path)).status_code in (404, 422)
        assert (await person.post("/incidents/1/fly")).status_code == 404
        assert (await person.delete("/incidents/1")).status_code == 405


async def test_bodies_have_a_limit_also_those_that_do_not_say_their_length(web: Site) -> None:
    async def pour() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 65536

    client = await web.signed_in("operator")
    async with client:
        form = {"content-type": "application/x-www-form-urlencoded"}
        assert (await client.post("/open", content=b"home=" + b"x" * 1_000_000, headers=form)).status_code == 413
        # Where the framework reads the body, it says that it could not.
        assert (await client.post("/open", content=pour(), headers=form)).status_code in (400, 413)


async def test_an_act_without_scripts_leads_back_to_the_page_with_the_words(web: Site) -> None:
    client = await web.signed_in("operator")
    async with client:
        path = (await client.post("/open", data={"home": "H001"})).headers["location"]
        answer = await client.post(f"{path}/answer")
        assert answer.status_code == 303
        page = await client.get(answer.headers["location"])
        assert "您已经接听。" in page.text
        nobody = await client.post(f"{path}/moving", headers={"accept": "application/json"})
        assert nobody.json() == {"said": "先说是谁。", "refused": True, "name": "nobody_there"}


# Health.


async def test_health_names_every_process_and_what_it_waits_for(postgres_url: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    async with site(postgres_url, tmp_path) as web, web.client() as client:

        def says(name: str, state: str, detail: str = "", silent: float = 0) -> None:
            said = {"name": name, "state": state, "detail": detail, "at_monotonic": time.monotonic() - silent}
            (run / f"{name}.json").write_text(json.dumps(said))

        says("ingest", "ready")
        says("dispatch", "ready", silent=5)
        answer = await client.get("/healthz")
        assert (answer.status_code, answer.json()["state"]) == (200, "ready")
        says("dispatch", "waiting", "waiting for the broker")
        says("archive", "ready", silent=6.5)
        says("alerting", "ready", silent=-1000)  # from before the machine was started again
        (run / "urgent.json").write_text("{")
        answer = await client.get("/healthz")
        assert answer.status_code == 503
        assert [(one["name"], one["state"], one["detail"]) for one in answer.json()["processes"]] == [
            ("alerting", "silent", "has said nothing for 0 s"),
            ("archive", "silent", "has said nothing for 6 s"),
            ("dispatch", "waiting", "waiting for the broker"),
            ("ingest", "ready", ""),
            ("urgent", "unreadable", "its state file cannot be read"),
        ]


async def test_without_a_database_health_answers_and_pages_say_why_they_cannot() -> None:
    nowhere = f"postgresql://nobody:secret@127.0.0.1:{free_port()}/nothing"
    async with site(nowhere) as web, web.client(accept="text/html", origin=HOST) as client:
        answer = await client.get("/healthz")
        assert (answer.status_code, answer.json()["database"]["state"]) == (503, "waiting")
        assert "secret" not in answer.text
        assert (await client.get("/sign-in")).status_code == 200
        client.cookies.set("pingan_session", "x")
        client.timeout = httpx.Timeout(30)
        page = await client.get("/")
        assert page.status_code == 503
        assert "数据库没有应答" in page.text


# Live.


async def read(web: Site, area: str | None, wanted: int, seen: list[str]) -> None:
    async for text in web.live.stream(area):
        seen += [line for line in text.splitlines() if line.startswith(("event: change", "event: reset", "data: "))]
        if sum(line.startswith("event: change") for line in seen) >= wanted:
            return


async def test_changes_reach_whoever_may_know_of_them(web: Site, until: Until) -> None:
    client = await web.signed_in("operator")
    everywhere: list[str] = []
    there: list[str] = []
    tasks = [
        asyncio.create_task(read(web, None, 99, everywhere)),
        asyncio.create_task(read(web, "440704", 99, there)),
    ]
    await until(lambda: len(web.live._pages) == 2 and everywhere and there)
    async with client:
        first = (await client.post("/open", data={"home": "H001"})).headers["location"].rpartition("/")[2]
        second = (await client.post("/open", data={"home": "H003"})).headers["location"].rpartition("/")[2]
    await until(lambda: f"data: {second} 2" in there and f"data: {second} 2" in everywhere)
    assert f"data: {first} 1" in everywhere
    assert not [line for line in there if line.startswith(f"data: {first} ")]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_two_hundred_connections_come_and_go_and_leave_nothing(web: Site, until: Until) -> None:
    seen: list[list[str]] = [[] for _ in range(200)]
    tasks = [asyncio.create_task(read(web, None, 1, one)) for one in seen]
    await until(lambda: len(web.live._pages) == 200)
    client = await web.signed_in("operator")
    async with client:
        await client.post("/open", data={"home": "H001"})
    await asyncio.gather(*tasks)
    assert all(any("event: change" in line for line in one) for one in seen)
    assert not web.live._pages


async def test_a_page_that_does_not_read_is_told_to_look_at_everything(web: Site) -> None:
    stream = web.live.stream(None)
    await anext(stream)
    for number in range(live_module.QUEUE + 10):
        web.live._tell_all(live_module._event("change", f"{number} 1"))
    [queue] = web.live._pages
    assert queue.qsize() <= live_module.QUEUE
    assert "event: reset" in await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]


# Starting and stopping.


async def test_it_starts_before_the_database_and_goes_on_when_that_comes(
    postgres: Postgres, tmp_path: Path, until: Until
) -> None:
    name = f"late_{os.getpid()}"
    url = make_conninfo(postgres.superuser_dsn, dbname=name)
    web = Web(url, tmp_path)
    try:
        async with httpx.AsyncClient(base_url=web.url, timeout=60) as client:

            async def answers() -> httpx.Response | None:
                try:
                    return await client.get("/healthz")
                except httpx.TransportError:
                    return None

            first = await until(answers)
            assert isinstance(first, httpx.Response)
            assert first.status_code == 503
            console = next(one for one in first.json()["processes"] if one["name"] == "console")
            assert console["state"] == "waiting"
            with psycopg.connect(postgres.superuser_dsn, autocommit=True) as connection:
                connection.execute(f"create database {name}")
            migrate(url)
            await web.ready()
    finally:
        await web.stop()
        with psycopg.connect(postgres.superuser_dsn, autocommit=True) as connection:
            connection.execute(f"drop database if exists {name} with (force)")


async def test_it_stops_at_once_with_pages_open(postgres_url: str, database: object, tmp_path: Path) -> None:
    web = Web(postgres_url, tmp_path)
    async with site(postgres_url) as inside:
        await inside.accounts.add("operator", "x", "operator", PASSWORD)
        try:
            await web.ready()
            async with httpx.AsyncClient(base_url=web.url, headers={"origin": web.url}, timeout=60) as client:
                await client.post("/sign-in", data={"account": "operator", "password": PASSWORD})
                async with client.stream("GET", "/live") as one, client.stream("GET", "/api/v1/stream") as other:
                    await anext(one.aiter_lines())
                    await anext(other.aiter_lines())
                    web.process.send_signal(signal.SIGTERM)
                    await asyncio.to_thread(web.process.wait, 20)
            assert web.process.returncode == 0, web.log()
            assert "Traceback" not in web.log()
        finally:
            await web.stop()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"PINGAN_TIMEZONE": "Mars/Olympus"}, "PINGAN_TIMEZONE='Mars/Olympus' is no time zone"),
        ({"PINGAN_HTTP_PORT": "99999"}, "PINGAN_HTTP_PORT='99999' is refused"),
        ({"PINGAN_DATABASE_URL": ""}, "PINGAN_DATABASE_URL is not set"),
        ({"PINGAN_HTTP_PORT": "taken"}, "cannot be used: Address already in use"),
    ],
)
def test_nonsense_is_refused_at_the_start(settings: dict[str, str], said: str) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        environment = {"PINGAN_DATABASE_URL": "postgresql://x", "PINGAN_HTTP_PORT": str(free_port()), **settings}
        environment = {key: port if value == "taken" else value for key, value in environment.items()}
        ended = subprocess.run(
            [sys.executable, "-m", "pingan", "console"],
            env={**os.environ, **environment},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert ended.returncode == 1
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
