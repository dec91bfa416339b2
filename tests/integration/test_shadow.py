"""A version tried in shadow, compared and promoted: on a real PostgreSQL, through the runner, by recorded acts."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from alerting import shadow
from alerting.shadow import Refused, Wanted
from ingest.announce import announce
from pingan.clock import DrivenClock
from pingan.database import Database
from pingan.messages import HomeSettings, Message, Tick, decode, partition_of
from pingan.postgres_log import PostgresLog
from pingan.tasks import end
from tests import alerting_support as support
from tests.alerting_support import START_MS, place, reading
from tests.conftest import Until
from tests.detector_versions import TABLE
from tests.integration.web_support import site

HOME = partition_of("H1", "")

REGISTER = """
insert into areas (code, name, level, parent) values
    ('4407', '江门市', 'city', null), ('440703', '蓬江区', 'district', '4407'),
    ('440704', '江海区', 'district', '4407');
insert into homes (id, area, address) values ('H1', '440703', '-'), ('H2', '440704', '-');
insert into people (id, home, name) values ('P1', 'H1', '陈阿婆'), ('P2', 'H1', '陈伯');
insert into accounts (id, name, role, area, password_hash) values
    ('boss', '何主任', 'supervisor', null, '-'), ('east', '林主任', 'supervisor', '440703', '-'),
    ('worker', '王芳', 'operator', null, '-'), ('twin1', '李明', 'supervisor', null, '-'),
    ('twin2', '李明', 'administrator', null, '-');
"""


@pytest.fixture
async def registered(database: Database) -> Database:
    async with database.connection() as connection:
        await connection.execute(REGISTER)
    return database


class Line:
    """The log, and the time that it brings."""

    def __init__(self, database: Database, clock: DrivenClock, until: Until) -> None:
        self.database, self.clock, self._until = database, clock, until
        self.log = PostgresLog("readings", database, clock)
        self._seq = 0

    async def announce(self) -> int:
        return await announce(self.database, self.log, "Asia/Shanghai")

    async def moves(self) -> None:
        self._seq += 1
        await self.hear(reading(self._seq, at_ms=self.clock.now_ms(), received_ms=self.clock.now_ms()))

    async def pass_minutes(self, minutes: int) -> None:
        for _ in range(minutes):
            self.clock.advance(self.clock.now_ms() + 60_000)
            await self.hear(Tick(self.clock.now_ms(), 60_000, 1))

    async def hear(self, *messages: Message) -> None:
        await self.log.append([place(message, HOME) for message in messages])

    async def caught_up(self) -> None:
        async def there() -> bool:
            query = "select position from log_heads where log = 'readings' and partition = %(p)s"
            [end] = await support.rows(self.database, query, p=HOME)
            return bool(await support.position(self.database, "readings", "alerting", HOME) == end["position"])

        await self._until(there)

    async def act(self, label: str, state: shadow.State, scope: str | None = None) -> dict[str, Any]:
        async with self.database.transaction() as connection:
            wanted = Wanted("still", label, state, "为了试一试", scope)
            done = await shadow.act(connection, wanted, "何主任", None, self.clock.now(), TABLE)
        await self.announce()
        return done

    async def report(self) -> dict[str, Any]:
        async with self.database.connection() as connection:
            now = self.clock.now()
            return await shadow.look_back(connection, "still", "five-1", now, now, table=TABLE)

    async def raised(self) -> list[tuple[str, str]]:
        return [(row["kind"], row["evidence"]["detector"]) for row in await support.alarms(self.database)]

    async def shadows(self) -> Sequence[dict[str, Any]]:
        return await support.rows(self.database, "select * from shadow_alarms order by at, id")


@pytest.fixture
def line(registered: Database, driven: DrivenClock, until: Until) -> Line:
    return Line(registered, driven, until)


async def test_tried_in_shadow_compared_and_promoted_and_then_it_rings(line: Line) -> None:
    await line.hear(Tick(START_MS - 1, 0, 1))
    async with support.watching(line.database.url, line.clock, table=TABLE):
        begun = await line.act("five-1", "shadow", "440703")
        assert (begun["homes"], begun["ran"]) == (1, False)
        await line.moves()
        await line.pass_minutes(8)
        await line.caught_up()
        assert await line.raised() == [], "a shadow rings nobody"
        [found] = await line.shadows()
        assert (found["home"], found["label"], found["kind"]) == ("H1", "five-1", "inactivity")
        report = await line.report()
        assert (report["shadow"]["false"], report["live"]["rang"], report["people"]) == (1, 0, 2)

        await line.pass_minutes(3)
        await line.caught_up()
        assert await line.raised() == [("inactivity", "still/ten-1")]
        async with line.database.connection() as connection:
            await connection.execute(
                "insert into incidents (home, cause, danger, test, state, version, opened_at, body, t9) values ('H1',"
                " 'inactivity', true, false, 'closed', 1, %(at)s, %(body)s, %(at)s)",
                {"at": line.clock.now(), "body": '{"closing": {"cause": "inactivity", "outcome": "ambulance"}}'},
            )
        await line.pass_minutes(1)
        await line.caught_up()
        report = await line.report()
        assert (report["events"], report["found_by_both"], report["shadow"]["false"]) == (1, 1, 0)
        assert report["shadow"]["sensitivity"]["value"] == report["live"]["sensitivity"]["value"] == 1

        promoted = await line.act("five-1", "live", "440703")
        assert promoted["ran"]
        await line.moves()
        await line.pass_minutes(7)
        await line.caught_up()
    rang = [by for kind, by in await line.raised() if kind == "inactivity"]
    assert rang == ["still/ten-1", "still/five-1"]
    found = {row["id"]: row["restores"] for row in await line.shadows() if row["label"] == "five-1"}
    assert len(found) == 2, "what it found in shadow, and that it is over"
    assert {over for over in found.values() if over} <= set(found)
    acts = await support.rows(line.database, "select state, by, reason, report from detector_promotions order by id")
    assert [(act["state"], act["by"]) for act in acts] == [("shadow", "何主任"), ("live", "何主任")]
    assert acts[1]["report"]["events"] == 1, "what was known when it was promoted stands beside the act"


async def test_mutant_position_before_a_shadows_finding_would_lose_it(line: Line) -> None:
    await line.hear(Tick(START_MS - 1, 0, 1))
    await line.act("five-1", "shadow")
    async with support.watching(line.database.url, line.clock, "first", TABLE) as runner:
        await line.moves()
        await line.pass_minutes(1)
        await line.caught_up()
        stood = await support.position(line.database, "readings", "alerting", HOME)
        async with support.locked(line.database, "shadow_alarms"):
            await line.pass_minutes(8)

            async def blocked() -> bool:
                return await support.blocked(line.database, "shadow_alarms")

            await line._until(blocked)
            await runner.stop()
    assert await support.position(line.database, "readings", "alerting", HOME) >= stood
    assert await line.shadows() == []
    async with support.watching(line.database.url, line.clock, "second", TABLE):
        await line.caught_up()
    assert len(await line.shadows()) == 1
    assert await line.raised() == []


async def test_what_was_learned_is_stored_once_a_day_and_read_again(line: Line) -> None:
    await line.hear(Tick(START_MS - 1, 0, 1))
    await line.act("counting-1", "shadow")
    for known in (1, 2):
        async with support.watching(line.database.url, line.clock, f"w{known}", TABLE):
            await line.moves()
            line.clock.advance(line.clock.now_ms() + to_ms_of_a_day())
            await line.hear(Tick(line.clock.now_ms(), to_ms_of_a_day(), 1))
            await line.moves()
            await line.pass_minutes(1)
            await line.caught_up()
        [routine] = await support.rows(line.database, "select * from routines")
        assert (routine["home"], routine["detector"], routine["label"]) == ("H1", "still", "counting-1")
        assert routine["partition"] == HOME
        assert routine["state"][0] >= known, "the second one went on from what the first had learned"
    async with line.database.connection() as connection:
        await connection.execute("update routines set state = '\\xc1'")
    async with support.watching(line.database.url, line.clock, "w3", TABLE):
        await line.pass_minutes(12)
        await line.caught_up()
    assert ("inactivity", "still/ten-1") in await line.raised(), "what cannot be read costs what it knew, and no alarm"


def to_ms_of_a_day() -> int:
    return int(timedelta(days=1).total_seconds() * 1000)


HOLDS: list[tuple[list[tuple[str, shadow.State, str | None]], str | None, list[str]]] = [
    ([("a", "live", None)], "a", []),
    ([("a", "live", None), ("b", "live", "4407")], "b", []),
    ([("a", "live", "440703"), ("b", "live", None)], "b", []),
    ([("a", "live", None), ("b", "live", "440704")], "a", []),
    ([("a", "live", None), ("b", "live", None), ("b", "shadow", None)], "a", ["b"]),
    ([("a", "shadow", "440704"), ("b", "shadow", "4407"), ("c", "shadow", None)], None, ["b", "c"]),
    ([("b", "shadow", None), ("b", "off", "440703")], None, []),
]


async def test_of_a_version_the_newest_act_that_covers_a_home_holds(line: Line) -> None:
    async with line.database.connection() as connection:
        for number, (acts, _, _) in enumerate(HOLDS):
            for label, state, scope in acts:
                await connection.execute(
                    "insert into detector_promotions (detector, label, scope, state, by, reason, at)"
                    " values (%s, %s, %s, %s, 'x', 'x', %s)",
                    (f"d{number}", label, scope, state, line.clock.now()),
                )
    assert await line.announce() == 2
    consumer = line.log.consumer("alerting", "w")
    keeping = asyncio.create_task(consumer.run())
    try:
        polled: list[Message] = []
        while not polled:
            batches = (await consumer.poll(1)).batches
            polled = [decode(entry.body) for batch in batches for entry in batch.entries if batch.partition == HOME]
    finally:
        await end([keeping])
    [told] = [one for one in polled if isinstance(one, HomeSettings) and one.home == "H1"]
    assert told.live == {f"d{number}": live for number, (_, live, _) in enumerate(HOLDS) if live}
    assert told.shadow == {f"d{number}": tuple(beside) for number, (_, _, beside) in enumerate(HOLDS) if beside}


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (Wanted("nothing", "five-1", "live", "x"), "no_detector"),
        (Wanted("still", "six-7", "live", "x"), "no_label"),
        (Wanted("still", "five-1", "live", " \0 "), "no_reason"),
        (Wanted("still", "five-1", "live", "x", "9999"), "no_area"),
        (Wanted("still", "five-1", "live", "x", "44\0"), "no_area"),
        (Wanted("still", "five-1", "live", "x", "440704"), "not_your_area"),
        (Wanted("still", "five-1", "live", "x", None), "not_your_area"),
    ],
)
async def test_an_act_without_sense_or_right_is_refused(
    registered: Database, driven: DrivenClock, wanted: Wanted, reason: str
) -> None:
    async with registered.connection() as connection:
        with pytest.raises(Refused) as refused:
            await shadow.act(connection, wanted, "林主任", "440703", driven.now(), TABLE)
    assert refused.value.reason == reason
    assert await support.rows(registered, "select 1 from detector_promotions") == []


async def test_only_supervisors_decide_and_acts_are_never_changed(registered: Database, driven: DrivenClock) -> None:
    async with registered.connection() as connection:
        assert (await shadow.supervisor(connection, "boss"))["name"] == "何主任"
        assert (await shadow.supervisor(connection, "林主任"))["area"] == "440703"
        for name, reason in (("worker", "no_supervisor"), ("nobody", "no_supervisor"), ("李明", "two_supervisors")):
            with pytest.raises(Refused) as refused:
                await shadow.supervisor(connection, name)
            assert refused.value.reason == reason
        await shadow.act(connection, Wanted("still", "five-1", "shadow", "x"), "何主任", None, driven.now(), TABLE)
        for change in ("update detector_promotions set by = 'z'", "delete from detector_promotions"):
            with pytest.raises(psycopg.errors.RaiseException):
                await connection.execute(change)


def pingan(url: str, *words: str, language: str = "en") -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"PINGAN_DATABASE_URL": url, "PINGAN_DATA": "/nonexistent", "PINGAN_LANGUAGE": language}
    return subprocess.run(
        [sys.executable, "-m", "pingan", "shadow", *words], env=environ, capture_output=True, text=True, check=False
    )


def unread(url: str, *words: str) -> str:
    """What it complains of when nobody reads what it says, as after `| head`."""
    reader, writer = os.pipe()
    os.close(reader)
    environ = os.environ | {"PINGAN_DATABASE_URL": url, "PINGAN_DATA": "/nonexistent", "PYTHONUNBUFFERED": "1"}
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "pingan", "shadow", *words],
            env=environ, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    return done.stderr


async def test_the_command(registered: Database) -> None:
    url = registered.url
    version = ("inactivity", "fixed-1")
    refused = pingan(url, "promote", *version, "--by", "worker", "--reason", "x")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "no supervisor's or administrator's account has the name worker" in refused.stderr
    done = pingan(url, "promote", *version, "--by", "boss", "--reason", "好用", "--area", "440703")
    assert (done.returncode, done.stderr) == (0, "")
    assert "rings in 1 homes" in done.stdout
    assert "begins anew" in done.stdout
    listed = pingan(url, "list", language="zh")
    assert "蓬江区  何主任：好用" in listed.stdout
    quiet = pingan(url, "start", "fall", "trees-1", "--by", "boss", "--reason", "shadow first")
    assert "in 2 homes no version of fall rings" in quiet.stdout, quiet
    assert "fall/trees-1: rings in 0 homes, in shadow in 2" in pingan(url, "list").stdout
    stopped = pingan(url, "stop", "fall", "trees-1", "--by", "boss", "--reason", "seen enough")
    assert "no version of" not in stopped.stdout
    assert "fall/trees-1: rings in 2 homes, in shadow in 0" in pingan(url, "list").stdout
    assert "database" not in unread(url, "list"), "whoever has read enough is no lost database"
    report = pingan(url, "report", *version)
    assert report.returncode == 0, report.stderr
    assert "It has not run in shadow in any watched home in this time." in report.stdout
    as_json = pingan(url, "report", *version, "--json")
    assert '"person_weeks":0' in as_json.stdout


async def test_over_http_the_desk_reads_and_supervisors_decide_by_name(database: Database) -> None:
    version = "/api/v1/detectors/inactivity/fixed-1"
    body = {"state": "shadow", "reason": "试一试"}
    async with site(database.url) as web:
        await web.furnish()
        boss, operator = await web.signed_in("supervisor"), await web.signed_in("operator")
        machine, auditor = await web.machine("supervisor"), await web.signed_in("auditor")
        for who, status in ((operator, 403), (machine, 403), (auditor, 403), (boss, 201)):
            assert (await who.post(version, json=body)).status_code == status
        for who, status in ((operator, 200), (machine, 200), (auditor, 403)):
            assert (await who.get("/api/v1/detectors")).status_code == status
        seen = (await operator.get("/api/v1/detectors")).json()
        assert [(act["state"], act["by"]) for act in seen["acts"]] == [("shadow", "supervisor")]
        report = (await operator.get(f"{version}/report", params={"days": 7})).json()
        assert (report["shadow"]["rang"], report["cannot_know"][0]) == (0, {"what": "never_ran"})
        refused = {
            f"{version}/report?days=0": 422, f"{version}/report?area=99": 422,
            "/api/v1/detectors/inactivity/none-1/report": 404, "/api/v1/detectors/none/1/report": 404,
        }  # fmt: skip
        for path, status in refused.items():
            assert (await operator.get(path)).status_code == status, path
        for wrong in ({"state": "loud", "reason": "x"}, {"state": "live"}, {"state": "live", "reason": " "}):
            assert (await boss.post(version, json=wrong)).status_code == 422
        page = "/detectors/inactivity/fixed-1"
        form = {"state": "live", "reason": "四周没有误报", "area": "99"}
        wrong_page = await boss.post(page, data=form)
        assert wrong_page.status_code == 422
        assert "没有区划 99" in wrong_page.text
        assert "四周没有误报" in wrong_page.text, "what was written is still there"
        assert (await operator.post(page, data=form)).status_code == 403
        assert (await operator.get(page)).status_code == 403
        assert (await boss.get("/detectors/none/1")).status_code == 404
