"""The book of policies as it is kept, saved and gone by: by the desk, over the API, and on its pages."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psycopg
import pytest
from psycopg.types.json import Jsonb

from dispatch import books, views
from dispatch import incident as core
from dispatch.book import Book, Rule, faults
from dispatch.desk import Desk
from pingan.clock import DrivenClock
from pingan.database import Database
from pingan.messages import reported_alarm_id
from tests.integration.dispatch_support import REGISTER
from tests.integration.web_support import Site, site


def with_rules(book: Book, *rules: Rule) -> Book:
    return msgspec.structs.replace(book, rules=rules)


async def save(database: Database, clock: DrivenClock, *rules: Rule) -> Book:
    async with database.transaction() as connection:
        book = with_rules(await books.current(connection), *rules)
        return await books.save(connection, book, "管理员", "try", clock.now())


class Desks:
    """A desk, and what its alarms became."""

    def __init__(self, database: Database, clock: DrivenClock) -> None:
        self.database, self.clock, self.desk = database, clock, Desk(database, clock)

    async def press(self, event: str, kind: str = "sos", home: str | None = "H001") -> int:
        now, alarm = self.clock.now(), reported_alarm_id("H001-button", event)
        async with self.database.connection() as connection:
            await connection.execute(
                "insert into alarms (id, kind, home, device, at, received_at, raised_at, test, evidence)"
                " values (%s, %s, %s, 'H001-button', %s, %s, %s, false, %s)",
                (alarm, kind, home, now, now, now, Jsonb({"event": event})),
            )
        while await self.desk.take_alarms():
            pass
        incident = await self.desk.incident_of(alarm)
        assert incident is not None
        return incident

    async def shown(self, incident: int) -> dict[str, Any]:
        async with self.database.connection() as connection:
            found = await views.incident(connection, incident, self.clock.now())
        assert found is not None
        return found

    async def policy(self, incident: int) -> dict[str, Any]:
        row = (await self.rows("select body->'policy' as policy from incidents where id = %s", incident))[0]
        return dict(row["policy"])

    async def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        async with self.database.connection() as connection:
            return await (await connection.execute(query, parameters)).fetchall()


@pytest.fixture
async def desks(database: Database, driven: DrivenClock) -> Desks:
    async with database.connection() as connection:
        await connection.execute(REGISTER)
    return Desks(database, driven)


async def test_what_is_shipped_holds_until_another_is_saved_and_no_version_is_ever_changed(
    database: Database, driven: DrivenClock
) -> None:
    async with database.transaction() as connection:
        book = await books.current(connection)
        assert (book.version, faults(book)) == (0, [])
        saved = await books.save(
            connection, with_rules(book, Rule("direct", hours="22:00-07:00")), "a", "why", driven.now()
        )
        assert saved.version == 1
        assert await books.current(connection) == saved
        assert await books.current(connection, saved) is saved
        assert await books.version(connection, 0) == book
        with pytest.raises(books.SavedMeanwhile):
            await books.save(connection, book, "b", "", driven.now())
        with pytest.raises(books.Faulty) as refused:
            await books.save(connection, with_rules(saved, Rule("nobody")), "b", "", driven.now())
        assert [fault.name for fault in refused.value.faults] == ["unknown_policy"]
        assert [row["version"] for row in await books.versions(connection)] == [1]
    for query in ("update policy_books set why = ''", "delete from policy_books"):
        with pytest.raises(psycopg.errors.RaiseException):
            async with database.connection() as connection:
                await connection.execute(query)


async def test_a_policy_that_homes_name_cannot_be_taken_out(desks: Desks) -> None:
    async with desks.database.transaction() as connection:
        await connection.execute("update homes set policy = 'station' where id = 'H002'")
        book = await books.current(connection)
        left = {name: policy for name, policy in book.policies.items() if name != "station"}
        with pytest.raises(books.Faulty) as refused:
            await books.save(connection, msgspec.structs.replace(book, policies=left), "a", "", desks.clock.now())
    assert [(fault.name, fault.policy) for fault in refused.value.faults] == [("named_by_home", "station")]


async def test_a_policy_that_is_edited_meanwhile_changes_nothing_of_an_incident(desks: Desks) -> None:
    before = await desks.press("e1")
    was = await desks.policy(before)
    await save(desks.database, desks.clock, Rule("direct"))
    assert await desks.press("e2") == before
    assert await desks.policy(before) == was
    desks.clock.advance(desks.clock.now_ms() + 21_000)
    assert await desks.desk.wake_due()
    assert await desks.policy(before) == was
    await desks.desk.act(before, core.Close("op", "王芳", "sos", "accidental", as_of=2**30, reason="late"))
    after = await desks.press("e3")
    policy = await desks.policy(after)
    assert (policy["name"], policy["version"], was["name"], was["version"]) == ("direct", 1, "danger", 0)
    opened = (await desks.shown(after))["journal"][0]["detail"]
    assert (opened["policy"], opened["book"], opened["chosen_by"], opened["rule"]) == ("direct", 1, "rule", 1)


async def test_at_night_the_first_contact_is_asked_at_once_and_why_stands_in_the_journal(desks: Desks) -> None:
    """1_790_000_000_000 is 22:13 in China."""
    await save(desks.database, desks.clock, Rule("direct", hours="22:00-07:00"))
    number = await desks.press("e1")
    first = (await desks.shown(number))["journal"][0]["detail"]
    assert (first["asked"], first["chosen"], first["step"]) == (["李梅"], [["contact_of_home"]], 0)
    (send, _) = await desks.rows("select body, due_at from sends where incident = %s order by id", number)
    assert send["body"]["why"] == ["contact_of_home"]
    # Where the home keeps another time it is not night yet.
    async with desks.database.connection() as connection:
        await connection.execute("update homes set timezone = 'Europe/London' where id = 'H001'")
    await desks.desk.act(number, core.Close("op", "王芳", "sos", "accidental", as_of=2**30))
    assert (await desks.policy(await desks.press("e2")))["name"] == "danger"


async def test_whose_home_it_is_chooses_the_policy_and_its_first_are_asked_at_once(desks: Desks) -> None:
    await save(desks.database, desks.clock, Rule("direct", homes=("H001",)))
    number = await desks.press("e1", home=None)
    assert (await desks.policy(number))["name"] == "danger"
    decision = await desks.desk.identify(number, "H001", "op", "王芳")
    assert [ask.person.name for ask in decision.asks] == ["李梅"]
    assert (await desks.policy(number))["name"] == "direct"


async def test_responders_by_rota_absence_and_load_and_whoever_is_passed_over_may_be_sent(desks: Desks) -> None:
    async with desks.database.connection() as connection:
        await connection.execute(
            """
            insert into responders (id, name, role, area, phone, consented_on, trained_on, hours) values
                ('R3', '夜班', 'volunteer', '4401', '+8613800000203', '2026-01-01', '2026-01-01', '20:00-08:00'),
                ('R4', '白班', 'volunteer', '4401', '+8613800000204', '2026-01-01', '2026-01-01', '08:00-20:00'),
                ('R5', '未培训', 'volunteer', '4401', '+8613800000205', '2026-01-01', null, null),
                ('R6', '请假', 'volunteer', '4401', '+8613800000206', '2026-01-01', '2026-01-01', null),
                ('R7', '代班', 'volunteer', '44', '+8613800000207', '2026-01-01', '2026-01-01', '08:00-20:00');
            insert into areas values ('4402', '江海区', 'district', '44');
            update responders set area = '4402' where id = 'R7';
            """
        )
        await connection.execute(
            "insert into responder_absences values ('R6', %s, %s, 'R7')",
            (desks.clock.now() - timedelta(hours=1), desks.clock.now() + timedelta(hours=1)),
        )
    elsewhere = await desks.press("e0", home="H002")
    await desks.desk.act(elsewhere, core.Accept(core.Helper("R1", "赵志愿", "volunteer")))
    number = await desks.press("e1")
    people = {one["id"]: one for one in (await desks.shown(number))["people"] if one["group"] == "responders"}
    assert {name: one["passed"] for name, one in people.items()} == {
        "R1": "", "R2": "off_duty", "R3": "", "R4": "off_rota", "R5": "not_trained", "R6": "absent", "R7": "",
    }  # fmt: skip
    assert [name for name, one in people.items() if not one["passed"]] == ["R3", "R1", "R7"]
    assert people["R1"]["why"] == ("area:4", "going_to:1")
    assert people["R7"]["why"] == ("area:0", "stands_in:请假")
    decision = await desks.desk.act(number, core.Assign("op", "王芳", "R4"))
    assert [ask.person.id for ask in decision.asks] == ["R4"]
    assert (await desks.shown(number))["journal"][-1]["detail"]["overrides"] == "off_rota"


async def test_a_holiday_is_worked_as_a_sunday(desks: Desks) -> None:
    """Tuesday, 22 September 2026 at 22:13 by the home's clock."""
    async with desks.database.connection() as connection:
        await connection.execute("update responders set hours = 'mon-fri 20:00-23:00' where id = 'R1'")
    number = await desks.press("e1")

    async def passed() -> str:
        return next(str(one["passed"]) for one in (await desks.shown(number))["people"] if one["id"] == "R1")

    assert await passed() == ""
    async with desks.database.connection() as connection:
        local = desks.clock.now() + timedelta(hours=8)
        await connection.execute("insert into holidays values (%s, 'sun')", (local.date(),))
    assert await passed() == "off_rota"


@pytest.mark.parametrize("body", [{"policies": 3}, {"version": 1, "policies": {}, "rules": []}, []])
async def test_a_book_that_cannot_be_read_holds_up_no_call(
    desks: Desks, body: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with desks.database.connection() as connection:
        await connection.execute(
            "insert into policy_books values (1, %s, 'a newer version of ours', '', %s)",
            (desks.clock.now(), Jsonb(body)),
        )
    assert (await desks.policy(await desks.press("e1")))["name"] == "danger"
    assert "version 1 of the policies" in caplog.text
    assert (await save(desks.database, desks.clock, Rule("direct"))).version == 2
    assert (await desks.policy(await desks.press("e2", home="H002")))["name"] == "direct"


async def test_a_time_zone_that_nobody_knows_holds_up_no_call(desks: Desks) -> None:
    async with desks.database.connection() as connection:
        await connection.execute("update homes set timezone = 'Asia/Atlantis' where id = 'H001'")
        await connection.execute("update contacts set quiet = 'whenever' where home = 'H001'")
    await save(desks.database, desks.clock, Rule("direct", hours="22:00-07:00"))
    opened = (await desks.shown(await desks.press("e1")))["journal"][0]["detail"]
    assert (opened["policy"], opened["asked"]) == ("direct", ["李梅"])


async def test_the_command_explains_a_case_in_both_languages(desks: Desks, tmp_path: Path) -> None:
    async with desks.database.connection() as connection:
        await connection.execute("update homes set policy = 'gone' where id = 'H001'")

    async def told(*arguments: str, language: str = "zh") -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pingan", "policy", *arguments,
            env={**os.environ, "PINGAN_DATABASE_URL": desks.database.url, "PINGAN_LANGUAGE": language,
                 "PINGAN_DATA": str(tmp_path)},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    chinese, english, data, nobody, checked = await asyncio.gather(
        told("explain", "--person", "P001", "--cause", "sos", "--at", "03:10"),
        told("explain", "--home", "H001", "--at", "2026-11-22 03:10", language="en"),
        told("explain", "--home", "H001", "--json"),
        told("explain", "--person", "P999", language="en"),
        told("check", str(Path(books.__file__).with_name("policies.json")), language="en"),
    )
    assert chinese[0] == 0
    assert "+0:20  第 2 步：联系人" in chinese[1]
    assert "李梅（家属）：电话、短信——家庭联系人" in chinese[1]
    assert "“gone”" in chinese[1]
    assert "2026-11-22 03:10" in english[1]
    assert "not off duty: is off duty" in english[1]
    assert [tier["who"] for tier in json.loads(data[1])["tiers"]][:2] == ["desk", "contacts"]
    assert nobody == (1, "", "pingan policy: the register has no P999\n")
    assert checked == (0, "Nothing is wrong with it.\n", "")
    faulty = tmp_path / "book.json"
    faulty.write_text('{"version": 0, "policies": {}, "rules": [{"policy": "x"}]}', encoding="utf-8")
    code, said, _ = await told("check", str(faulty), language="en")
    assert (code, said.splitlines()[-1]) == (1, "rule 1: there is no policy “x”")


# Over HTTP.


@pytest.fixture(scope="module")
async def web(shared_url: str) -> AsyncIterator[Site]:
    async with site(shared_url) as one:
        await one.furnish()
        yield one


@pytest.fixture(scope="module")
async def administrator(web: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with await web.signed_in("administrator") as client:
        yield client


@pytest.fixture(scope="module")
async def operator(web: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with await web.signed_in("operator") as client:
        yield client


async def test_operators_read_and_try_and_only_a_named_administrator_saves(
    web: Site, operator: httpx.AsyncClient, administrator: httpx.AsyncClient
) -> None:
    shown = (await operator.get("/api/v1/policies")).json()
    assert {"danger", "technical", "test", "direct", "station"} <= {*shown["policies"]}
    body = {"version": shown["version"], "why": "w", "policies": shown["policies"], "rules": shown["rules"]}
    assert (await operator.post("/api/v1/policies", json=body)).status_code == 403
    async with await web.machine("administrator") as machine:
        assert (await machine.post("/api/v1/policies", json=body)).status_code == 403
    async with await web.signed_in("administrator", "4407") as theirs:
        assert (await theirs.post("/api/v1/policies", json=body)).status_code == 403
    for client in (operator,):
        for path in ("/policies/edit/danger", "/policies/rules"):
            assert (await client.get(path)).status_code == 403
        assert (await client.post("/policies/restore", data={"version": 0, "seen": 0})).status_code == 403
    saved = await administrator.post("/api/v1/policies", json=body)
    assert (saved.status_code, saved.json()["version"]) == (201, shown["version"] + 1)
    assert (await administrator.post("/api/v1/policies", json=body)).json()["title"] == "saved_meanwhile"
    wrong = {**body, "version": shown["version"] + 1, "rules": [{"policy": "x"}, {"policy": "danger", "hours": "late"}]}
    refused = (await administrator.post("/api/v1/policies", json=wrong)).json()
    assert [(fault["name"], fault["rule"]) for fault in refused["faults"]] == [("unknown_policy", 1), ("bad_hours", 2)]
    broken: dict[str, Any]
    for broken in ({"policies": {"danger": {"steps": 3}}}, {"policies": {"danger": []}}, {"rules": [{}]}):
        answer = await administrator.post("/api/v1/policies", json={**body, **broken})
        assert (answer.status_code, answer.json()["title"]) in ((422, "no_book"), (422, "invalid"))


async def test_a_dry_run_says_who_is_called_when_and_calls_nobody(web: Site, operator: httpx.AsyncClient) -> None:
    asked = {"person": "P001", "cause": "sos", "at": "2026-11-22T03:10:00+08:00"}
    run = (await operator.post("/api/v1/policies/dry-run", json=asked)).json()
    assert (run["policy"], run["chosen_by"], run["local"]) == ("danger", "default", "2026-11-22 03:10")
    assert [tier["at_seconds"] for tier in run["tiers"]][:3] == [0, 20, 60]
    assert run["tiers"][1]["asked"][0]["name"] == "李梅"
    assert run["tiers"][-1]["repeats"]
    book = (await operator.get("/api/v1/policies")).json()
    draft = {**asked, "policies": book["policies"], "rules": [{"policy": "direct", "hours": "22:00-07:00"}]}
    run = (await operator.post("/api/v1/policies/dry-run", json=draft)).json()
    assert (run["policy"], run["rule"], run["tiers"][0]["who"]) == ("direct", 1, "contacts")
    for body, status in (
        ({"home": "H001", "at": "0001-01-01T00:00:00+14:00"}, 422),
        ({"home": "H001", "at": "9999-12-31T23:00:00Z"}, 422),
        ({"home": "H999"}, 404), ({}, 404), ({"home": "H001", "cause": "x"}, 422),
        ({"home": "H001", "policies": {}}, 422),
        ({"home": "H001", "policies": {"danger": {**book["policies"]["danger"], "steps": []}}}, 422),
    ):  # fmt: skip
        assert (await operator.post("/api/v1/policies/dry-run", json=body)).status_code == status, body
    async with web.process.database.connection() as connection:
        await connection.execute("insert into areas values ('4499', '别市', 'city', null)")
    async with await web.signed_in("operator", "4499") as theirs:
        refused = await theirs.post("/api/v1/policies/dry-run", json=asked)
        assert (refused.status_code, "H001" in refused.text) == (404, False)
    async with web.process.database.connection() as connection:
        counted = await (await connection.execute("select count(*) as n from incidents")).fetchone()
    assert counted == {"n": 0}


def fields(html: str) -> dict[str, Any]:
    """What a browser would send of the editor's form."""
    form: dict[str, Any] = {"row": re.findall(r'name="row" value="(\d+)"', html)}
    for name, value in re.findall(r'<input name="(\w+)" value="([^"]*)"', html):
        form[name] = value
    form |= dict(re.findall(r'<input type="hidden" name="(seen)" value="(\d+)"', html))
    for name, value in re.findall(r'<input type="checkbox" name="(\w+)" value="(\w+)" checked', html):
        form.setdefault(name, []).append(value)
    for name, options in re.findall(r'<select name="(\w+)"[^>]*>(.*?)</select>', html, re.S):
        found = re.search(r'value="(\w+)" selected', options) or re.search(r"<option selected>(\w+)", options)
        form[name] = found[1] if found else re.findall(r">(\w+)<", options)[0]
    return form


async def test_the_editor_goes_by_forms_alone_and_says_each_fault_at_its_field(
    administrator: httpx.AsyncClient,
) -> None:
    page = (await administrator.get("/policies/edit/direct", headers={"accept-language": "en"})).text
    form = fields(page)
    added = (await administrator.post("/policies/edit/direct", data={**form, "do": "add"})).text
    assert len(fields(added)["row"]) == len(form["row"]) + 1
    removed = (await administrator.post("/policies/edit/direct", data={**fields(added), "do": "remove:0"})).text
    assert fields(removed)["low_0"] == form["low_1"]
    moved = (await administrator.post("/policies/edit/direct", data={**form, "do": "down:0"})).text
    assert (fields(moved)["low_0"], fields(moved)["low_1"]) == (form["low_1"], form["low_0"])
    bad = {**form, "wait_seconds_0": "1", "wait_seconds_1": "soon", "do": "save", "why": "because"}
    answer = await administrator.post("/policies/edit/direct", data=bad)
    assert answer.status_code == 422
    assert 'value="soon"' in answer.text
    assert "“soon”" in answer.text
    answer = await administrator.post("/policies/edit/direct", data={**bad, "wait_seconds_1": "40"})
    assert answer.status_code == 422
    assert answer.text.count('class="wrong"') == 1
    nobody = await administrator.post("/policies/edit/direct", data={**form, "do": "save"})
    assert (nobody.status_code, nobody.text.count('class="wrong"')) == (422, 1)


async def test_a_policy_is_copied_changed_tried_saved_ruled_in_and_taken_back(administrator: httpx.AsyncClient) -> None:
    held = (await administrator.get("/api/v1/policies")).json()["version"]
    form = fields((await administrator.get("/policies/edit/direct?copy=true")).text)
    taken = await administrator.post("/policies/edit", data={**form, "name": "danger", "do": "save", "why": "w"})
    assert taken.status_code == 422
    tried = await administrator.post(
        "/policies/edit",
        data={**form, "name": "night", "wait_seconds_0": "55", "do": "try", "whose": "P001", "at": "03:10"},
    )
    assert "+0:55" in tried.text
    saved = await administrator.post("/policies/edit", data={**form, "name": "night", "do": "save", "why": "夜间无人"})
    assert (saved.status_code, saved.headers["location"]) == (303, f"/policies?saved={held + 1}")
    rules = fields((await administrator.post("/policies/rules", data={"do": "add", "seen": held + 1})).text)
    rules |= {"policy_0": "night", "hours_0": "22:00-07:00", "do": "save", "why": "夜间"}
    stale = await administrator.post("/policies/rules", data={**rules, "seen": held})
    assert stale.status_code == 409
    assert fields(stale.text)["hours_0"] == "22:00-07:00"
    assert (
        await administrator.post("/policies/rules", data={**fields(stale.text), "do": "save", "why": "w"})
    ).status_code == 303
    page = (await administrator.get("/policies?whose=P001&at=03:10")).text
    assert 'id="policy-night"' in page
    assert "夜间无人" in page
    restored = await administrator.post("/policies/restore", data={"version": held, "seen": held + 2})
    assert restored.status_code == 303
    book = (await administrator.get("/api/v1/policies")).json()
    assert (book["version"], "night" in book["policies"], book["rules"]) == (held + 3, False, [])
    assert (await administrator.post("/policies/restore", data={"version": held, "seen": held})).status_code == 409
    assert (await administrator.get("/policies?version=99")).status_code == 404
    for nonsense in ("whose=%00", "whose=P001&at=0001-01-01", "whose=P001&at=9999-12-31T23:00"):
        assert (await administrator.get(f"/policies?{nonsense}")).status_code == 200, nonsense


async def test_an_address_for_notices_is_shown_to_nobody_who_cannot_change_it(
    web: Site, operator: httpx.AsyncClient
) -> None:
    async with web.process.database.connection() as connection:
        await connection.execute("update responders set notify = 'wecombot://s3cret-key' where id = 'R1'")
        await connection.execute("update contacts set notify = 'dingtalk://s3cret@x' where home = 'H001'")
    for path in ("/api/v1/register/responders", "/api/v1/register/responders/R1", "/api/v1/register/homes/H001"):
        answer = await operator.get(path)
        assert answer.status_code == 200
        assert "s3cret" not in answer.text, path
        assert "://…" in answer.text, path
