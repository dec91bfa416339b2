"""What closures teach: verdicts, figures, suggestions with their evidence, and a decision of a named person."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from care import device_config, register
from care.records import HOMES
from dispatch import learning
from dispatch.desk import Desk
from dispatch.incident import Answer, Close
from pingan.clock import DrivenClock, SystemClock, to_ms
from pingan.database import Database
from tests.integration.web_support import Site, site
from tests.stories.support import ROOT

REGISTER = """
insert into areas values ('4407', '江门市', 'city', null), ('4408', '另一市', 'city', null);
insert into homes (id, area, address, inactivity_hours) values
    ('H001', '4407', '幸福路1号', 12), ('H002', '4408', '别处路2号', 12);
insert into people (id, home, name) values ('P001', 'H001', '陈秀英'), ('P001b', 'H001', '陈伯');
insert into devices (id, home, kind, enrolled_at) values
    ('H001-pendant', 'H001', 'pendant', '2026-01-01Z'), ('H001-button', 'H001', 'button', '2026-01-01Z'),
    ('H002-button', 'H002', 'button', '2026-01-01Z');
"""


class Past:
    """What has rung and how the desk closed it."""

    def __init__(self, database: Database, clock: DrivenClock) -> None:
        self.database, self.clock = database, clock
        self.desk = Desk(database, clock)

    async def rang(
        self, outcome: str, *, cause: str = "", kind: str = "sos", device: str | None = "H001-pendant", **evidence: Any
    ) -> int:
        """It rings, is answered and closed; a day later the next may."""
        now, alarm = self.clock.now(), uuid4()
        source = {"source": "derived" if device is None else "reported", "event": str(alarm), **evidence}
        async with self.database.connection() as connection:
            await connection.execute(
                "insert into alarms (id, kind, home, device, at, received_at, raised_at, test, evidence)"
                " values (%s, %s, 'H001', %s, %s, %s, %s, false, %s)",
                (alarm, kind, device, now, now, now, Jsonb(source)),
            )
        await self.desk.take_alarms()
        incident = await self.desk.incident_of(alarm)
        assert incident is not None
        await self.desk.act(incident, Answer("op", "王芳"))
        closed = await self.desk.act(incident, Close("op", "王芳", cause or kind, outcome, 99))
        assert not closed.refused
        self.clock.advance(self.clock.now_ms() + 86_400_000)
        return incident

    async def suggestions(self, scope: str | None = None) -> list[learning.Suggestion]:
        async with self.database.connection() as connection:
            return await learning.suggestions(connection, self.clock.now(), scope)


@pytest.fixture
async def past(database: Database, driven: DrivenClock) -> Past:
    async with database.connection() as connection:
        await connection.execute(REGISTER)
    return Past(database, driven)


@pytest.mark.parametrize(
    ("kind", "cause", "outcome", "verdict"),
    [
        ("sos", "sos", "accidental", "false"),
        ("fall", "fall", "cancelled_by_person", "false"),
        ("fall", "technical", "technical_visit_booked", "false"),
        ("fall", "fall", "ambulance", "true"),
        ("inactivity", "unknown", "found_deceased", "true"),
        ("fall", "fall", "family_attended", "true"),
        ("fall", "sos", "family_attended", "unknown"),
        ("inactivity", "inactivity", "resolved_by_voice", "false"),
        ("fall", "fall", "resolved_by_voice", "unknown"),
        ("sos", "sos", "resolved_by_voice", "unknown"),
        ("sos", "sos", "wanted_to_talk", "neither"),
        ("sos", "test", "accidental", "neither"),
        ("sos", "sos", "duplicate", "unknown"),
    ],
)
async def test_a_closure_says_what_the_documented_table_says(
    database: Database, kind: str, cause: str, outcome: str, verdict: str
) -> None:
    async with database.connection() as connection:
        query = "select closure_verdict(%s, %s, %s) as verdict"
        row = await (await connection.execute(query, (kind, cause, outcome))).fetchone()
    assert row == {"verdict": verdict}


async def test_a_pendant_that_is_mostly_pressed_in_error_may_be_held_for_longer(past: Past) -> None:
    wrong = [await past.rang("accidental") for _ in range(4)]
    await past.rang("wanted_to_talk")
    assert await past.suggestions() == [], "four are chance"
    right = await past.rang("ambulance")
    wrong += [await past.rang("accidental") for _ in range(5)]
    (one,) = await past.suggestions()
    assert (one.id, one.was, one.proposed) == ("hold_seconds:H001-pendant", 0, 3)
    evidence = one.evidence
    assert [evidence[name] for name in ("false", "true", "neither", "of", "days")] == [9, 1, 1, 10, 60]
    assert evidence["share_at_least"] == pytest.approx(0.663, abs=0.001)
    assert set(evidence["incidents"]) >= {*wrong, right}
    assert await past.suggestions("4408") == [], "it is another area's"

    async def sets(*_: Any, **__: Any) -> None:
        raise AssertionError("what is declined sets nothing")

    how = {"by": "周班长", "account": "boss", "now": past.clock.now(), "scope": None, "apply": sets}
    async with past.database.connection() as connection:
        with pytest.raises(learning.NotSuggested, match="3"):
            await learning.decide(connection, one.id, 2, accept=True, **how)  # type: ignore[arg-type]
        await learning.decide(connection, one.id, 3, accept=False, **how)  # type: ignore[arg-type]
        with pytest.raises(learning.NotSuggested):
            await learning.decide(connection, one.id, 3, accept=False, **how)  # type: ignore[arg-type]
        (decision,) = await learning.decisions(connection)
        assert (await device_config.read(connection, "H001-pendant")).hold_seconds == 0  # type: ignore[union-attr]
    assert (decision["decision"], decision["decided_by"], decision["evidence"]["false"]) == ("declined", "周班长", 9)
    assert "陈秀英" not in str(decision), "what is kept names nobody who lives there"
    for _ in range(4):
        await past.rang("accidental")
    assert await past.suggestions() == [], "what was decided on does not count again"
    await past.rang("accidental")
    assert len(await past.suggestions()) == 1


async def test_silences_that_were_nothing_suggest_a_later_floor_and_one_collapse_forbids_it(past: Past) -> None:
    for _ in range(5):
        await past.rang("resolved_by_voice", kind="inactivity", device=None, threshold=2.0, value=2.1)
    (one,) = await past.suggestions()
    assert (one.id, one.was, one.proposed) == ("inactivity_floor_hours:H001", 2.0, 3.0)
    assert (one.evidence["false"], one.evidence["rang_sooner"], one.evidence["days"]) == (5, 5, 30)
    await past.rang("ambulance", kind="inactivity", device=None, threshold=2.0, value=2.1)
    assert await past.suggestions() == [], "it was right once: that is what it is for"


async def test_what_is_older_than_its_days_no_longer_counts(past: Past) -> None:
    for _ in range(5):
        await past.rang("accidental")
    assert len(await past.suggestions()) == 1
    past.clock.advance(past.clock.now_ms() + round(timedelta(days=58).total_seconds() * 1000))
    assert await past.suggestions() == []


async def test_figures_are_per_person_week_with_their_interval(past: Past) -> None:
    for outcome in ("accidental", "accidental", "ambulance", "wanted_to_talk"):
        await past.rang(outcome)
    async with past.database.connection() as connection:
        found = await learning.figures(connection, past.clock.now())
        assert (await learning.figures(connection, past.clock.now(), "4408"))["homes"] == []
    (home,), (device,) = found["homes"], found["devices"]
    weeks = 2 * 60 / 7
    assert home["person_weeks"] == pytest.approx(weeks), "two live there, for sixty days"
    assert [home[name] for name in ("alarms", "true", "false", "neither")] == [4, 1, 2, 1]
    assert home["false_per_person_week"] == pytest.approx(2 / weeks)
    low, high = learning.rate_interval(2)
    assert device["false_per_person_week_low"] == pytest.approx(low / weeks)
    assert device["false_per_person_week_high"] == pytest.approx(high / weeks)
    assert device["device"] == "H001-pendant"


@pytest.fixture
async def at(postgres_url: str) -> AsyncIterator[Site]:
    async with site(postgres_url) as one:
        async with one.process.database.connection() as connection:
            await connection.execute(REGISTER)
        yield one


async def test_a_supervisor_accepts_and_the_device_is_told(at: Site) -> None:
    clock = DrivenClock(at.process.clock.now_ms() - 10 * 86_400_000)
    past = Past(at.process.database, clock)
    for _ in range(5):
        await past.rang("accidental")
    body = {"suggestion": "hold_seconds:H001-pendant", "proposed": 3, "accept": True}
    async with await at.signed_in("operator") as client:
        assert (await client.get("/api/v1/suggestions")).status_code == 403
    async with await at.machine("supervisor") as client:
        (one,) = (await client.get("/api/v1/suggestions")).json()["suggestions"]
        assert one["evidence"]["false"] == 5
        assert (await client.post("/api/v1/suggestions/decide", json=body)).json()["title"] == "for_people"
        assert (await client.get("/api/v1/false-alarms")).json()["homes"][0]["false"] == 5
    async with await at.signed_in("supervisor") as client:
        done = await client.post("/api/v1/suggestions/decide", json=body)
        assert done.status_code == 200, done.text
        again = await client.post("/api/v1/suggestions/decide", json=body)
        assert (again.status_code, again.json()["title"]) == (409, "no_longer_suggested")
        (decision,) = (await client.get("/api/v1/suggestions")).json()["decisions"]
    assert (decision["decided_by"], decision["decision"], decision["proposed"]) == ("supervisor", "accepted", 3)
    async with at.process.database.connection() as connection:
        config = await device_config.read(connection, "H001-pendant")
        assert config is not None
        assert (config.hold_seconds, config.volume, config.state) == (3, 5, "waiting")


async def test_a_supervisor_sees_what_speaks_for_it_and_declines_on_the_page(at: Site) -> None:
    clock = DrivenClock(at.process.clock.now_ms() - 10 * 86_400_000)
    past = Past(at.process.database, clock)
    for _ in range(5):
        incident = await past.rang("accidental")
    form = {"suggestion": "hold_seconds:H001-pendant", "proposed": "3", "decision": "decline"}
    async with await at.signed_in("operator") as client:
        assert (await client.get("/suggestions")).status_code == 403
        assert (await client.post("/suggestions", data=form)).status_code == 403
    async with await at.signed_in("supervisor") as client:
        client.cookies.set("pingan_language", "en")
        page = (await client.get("/suggestions")).text
        assert "of 5 calls that were judged 5 were accidental" in page
        assert f'href="/incidents/{incident}"' in page
        client.cookies.set("pingan_language", "zh")
        assert "误按" in (await client.get("/suggestions")).text
        assert (await client.post("/suggestions", data=form | {"proposed": "2"})).status_code == 409
        assert (await client.post("/suggestions", data=form)).headers["location"] == "/suggestions?said=declined"
        page = (await client.get("/suggestions?said=declined")).text
        assert "不采纳" in page
        assert 'name="decision"' not in page
        assert (await client.post("/suggestions", data=form)).status_code == 409


async def test_the_command_tells_it_in_both_languages(past: Past, postgres_url: str) -> None:
    past = Past(past.database, DrivenClock(to_ms(SystemClock().now()) - 10 * 86_400_000))
    for _ in range(5):
        await past.rang("accidental")

    async def told(language: str, *arguments: str) -> str:
        environ = {"PATH": os.environ["PATH"], "PINGAN_DATABASE_URL": postgres_url, "PINGAN_LANGUAGE": language}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pingan", "suggestions", *arguments,
            cwd=ROOT, env=environ | {"PYTHONUTF8": "1"}, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, _ = await process.communicate()
        assert process.returncode == 0
        return output.decode()

    assert "5 of 5 calls that were judged in 60 days were accidental" in await told("en")
    assert "按住时间 0 → 3 秒" in await told("zh")
    found = json.loads(await told("en", "--json"))
    assert found["suggestions"][0]["id"] == "hold_seconds:H001-pendant"
    assert found["false_alarms"]["devices"][0]["false"] == 5


async def test_an_accepted_floor_stands_in_the_register(at: Site) -> None:
    clock = DrivenClock(at.process.clock.now_ms() - 10 * 86_400_000)
    past = Past(at.process.database, clock)
    for _ in range(5):
        await past.rang("resolved_by_voice", kind="inactivity", device=None, threshold=2.0, value=2.1)
    body = {"suggestion": "inactivity_floor_hours:H001", "proposed": 3, "accept": True}
    async with await at.signed_in("supervisor") as client:
        done = await client.post("/api/v1/suggestions/decide", json=body)
        assert done.status_code == 200, done.text
    async with at.process.database.connection() as connection:
        home: Any = await register.one(connection, HOMES, "H001")
        (row,) = await (await connection.execute("select revision from homes where id = 'H001'")).fetchall()
    assert home.inactivity_floor_hours == 3
    assert row["revision"] > 1, "detection hears of it"
