"""A person's data: handed over whole, and deleted so that nothing names them, while others' stays as it was."""

import csv
import hashlib
import json
import os
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from care import certificate as paper
from care import erasure, person_data
from care.masking import MARK, Mask
from care.person_words import WORDS
from care.refusal import Refusal
from dispatch import incident as core
from dispatch import views
from dispatch.desk import Desk
from pingan.clock import SystemClock
from pingan.database import Database
from pingan.journal import broken_at
from tests.integration.web_support import site

REPOSITORY = Path(__file__).parents[2]
REGISTER = """
insert into areas values ('4407', '江门市', 'city', null), ('440703', '蓬江区', 'district', '4407');
insert into homes (id, area, address, phone, way_in, latitude, longitude, coordinates) values
    ('H1', '440703', '黄鹂巷77号', '+8613800007001', '钥匙在QKEYQ花盆下', 22.61, 113.01, 'WGS-84'),
    ('H2', '440703', '布谷街5号', null, '密码 4711', null, null, null),
    ('H3', '440703', '画眉路9号', '+8613800007003', null, null, null, null);
insert into people (id, home, name, phone, conditions) values
    ('P1', 'H1', '欧阳兰芝', '+8613800007101', '高血压 QILLQ'),
    ('P2', 'H2', '司徒明月', '+8613800007102', null), ('P2b', 'H2', 'Margaret Wilson', '+447700900123', 'asthma'),
    ('P3', 'H3', '夏侯春生', '+8613800007103', null);
insert into contacts (id, home, rank, name, relation, role, phone) values
    ('C1', 'H1', 1, '欧阳小雨', '女儿', 'family', '+8613800007201'),
    ('C2', 'H2', 1, '诸葛大海', '儿子', 'family', '+8613800007202'),
    ('C3', 'H3', 1, '欧阳兰芝', '邻居', 'neighbour', '+8613800007101');
insert into responders (id, name, role, area, phone, consented_on, trained_on) values
    ('R1', '赵志愿', 'volunteer', '4407', '+8613800007301', '2026-01-01', '2026-01-01');
insert into consents values ('P1', 'location', '2026-01-01Z', null), ('P2', 'health', '2026-01-01Z', null);
insert into away (home, away_from, away_until, reason) values ('H1', '2026-02-01Z', '2026-02-03Z', '住QHOSPQ医院');
insert into devices (id, home, kind, enrolled_at) values
    ('H1-button', 'H1', 'button', '2026-01-01Z'), ('H1-hub', 'H1', 'hub', '2026-01-01Z'),
    ('H2-button', 'H2', 'button', '2026-01-01Z'), ('H3-button', 'H3', 'button', '2026-01-01Z');
insert into devices (id, home, kind, enrolled_at, gateway, address) values
    ('H1-bed', 'H1', 'bed', '2026-01-01Z', 'H1-hub', 'QNAMEQ bed');
insert into device_heard (device, first_at, last_at, messages, last_kind) values
    ('H1-hub/QOTHERQ', '2026-01-01Z', '2026-01-01Z', 1, 'sos'), ('H2-button', '2026-01-01Z', '2026-01-01Z', 1, 'sos');
insert into device_clocks values ('H1-button', 5, '2026-01-01Z');
insert into parked (log, consumer, partition, position, parked_at, reason, body) values
    ('urgent', 'urgent', 1, 1, '2026-01-01Z', 'x', convert_to('H1-button QPARKQ', 'UTF8'));
insert into rejected (received_at, device, topic, reason, detail, payload, payload_bytes) values
    ('2026-01-01Z', 'H1-hub/x', 'gw/H1-hub/z/x', 'not_json', 'QDETAILQ', convert_to('QPAYQ', 'UTF8'), 5),
    ('2026-01-01Z', 'H2-button', 'pingan/v1/H2-button/up', 'not_json', 'd', convert_to('QKEEPQ', 'UTF8'), 6);
insert into askings (alarm, kind, home, begun_at, devices) values
    (gen_random_uuid(), 'fall_suspected', 'H1', '2026-01-01Z', '{QOTHERQ}');
insert into visit_notes values (gen_random_uuid(), 'routine_drift', 'H1', '2026-01-01Z', '2026-01-02Z', 'QOTHERQ');
insert into detection_homes values ('H1', 1, 1, convert_to('H1-bed', 'UTF8'));
insert into routines values ('H1', 'inactivity', 'x', 1, convert_to('QOTHERQ', 'UTF8'), '2026-01-01Z');
insert into shadow_alarms (id, home, detector, label, kind, rule, at, raised_at, evidence)
    values (gen_random_uuid(), 'H1', 'x', 'x', 'x', 'x', '2026-01-01Z', '2026-01-01Z', '{"where": "QOTHERQ"}');
insert into sends (errand, step, purpose, channel, recipient, name, address, language, body, due_at, deadline_at) values
    ('week/2026-W02', 0, 'week', 'twilio_sms', 'C1', '欧阳小雨', '+8613800007201', 'zh',
     '{"home": "H1", "person": "欧阳兰芝", "calls": 3}', '2026-01-11Z', '2026-01-12Z'),
    ('week/2026-W02', 0, 'week', 'twilio_sms', 'C2', '诸葛大海', '+8613800007202', 'zh',
     '{"home": "H2", "person": "司徒明月", "calls": 0}', '2026-01-11Z', '2026-01-12Z'),
    ('reach/2026-01-11', 0, 'test', 'twilio_voice', 'C1', '欧阳小雨', '+8613800007201', 'zh', '{}', '2026-01-11Z',
     '2026-01-12Z');
insert into desk_tasks (kind, subject, detail, opened_at, opened_by, done_at, done_by, note) values
    ('no_way_in_proven', 'H1', '{}', '2026-01-01Z', 'x', '2026-01-02Z', '王芳', 'QTASKQ'),
    ('bad_number', 'C1', '{"phone": "+8613800007299"}', '2026-01-01Z', 'x', null, null, null),
    ('no_way_in_proven', 'H2', '{}', '2026-01-01Z', 'x', '2026-01-02Z', '王芳', '司徒明月 opened, and Margaret');
insert into words_pending values
    ('+8613800007101', 'QWORDQ', '{}', '2026-01-01Z'), ('+8613800007202', 'QKEEPQ', '{}', '2026-01-01Z');
insert into policy_books (version, saved_at, saved_by, why, body) values
    (1, '2026-01-01Z', 'boss', '为欧阳兰芝',
     '{"policies": {"own": {}}, "rules": [{"policy": "own", "people": ["P1"]}]}'),
    (2, '2026-01-02Z', 'boss', 'another',
     '{"policies": {"own": {}}, "rules": [{"policy": "own", "people": ["P2", "P1"], "homes": ["H2"]}]}'),
    (3, '2026-01-03Z', 'boss', 'more', '{"policies": {"own": {}}, "rules": [{"policy": "own", "homes": ["H2"]}]}');
"""
CANARIES = (
    "欧阳兰芝", "欧阳 兰芝", "13800007101", "138 0000 7101", "13800007001", "黄鹂巷77号", "QKEYQ", "QILLQ", "QHOSPQ",
    "QNAMEQ", "QOTHERQ", "QPARKQ", "QDETAILQ", "QPAYQ", "QTEXTQ", "QWHYQ", "QSMSQ", "22.61", "欧阳小雨", "13800007201",
    "QCADEQ", "13800007777", "QTASKQ", "QWORDQ", "宇文忘", "13800007888", "13800007299", "QPRINTQ", "张医生",
)  # fmt: skip
"""All that tells of P1 and their home: none of it may be left anywhere."""
SHARED = ("司徒明月", "13800007102")
"""All that is P2's alone, of a home in which P2b lives too."""


class Life:
    """What has happened to whom, through the desk that writes it."""

    def __init__(self, database: Database) -> None:
        self.database, self.clock = database, SystemClock()
        self.desk = Desk(database, self.clock)

    async def alarm(self, home: str | None, device: str, **evidence: Any) -> int:
        now, alarm = self.clock.now(), uuid4()
        async with self.database.connection() as connection:
            await connection.execute(
                "insert into alarms (id, kind, home, device, at, received_at, raised_at, test, evidence)"
                " values (%s, 'sos', %s, %s, %s, %s, %s, false, %s)",
                (alarm, home, device, now, now, now, Jsonb({"source": "reported", "attempt": 1, **evidence})),
            )
        assert await self.desk.take_alarms()
        (row,) = await self.rows("select incident from alarms where id = %s", alarm)
        return int(row["incident"])

    async def through(self, incident: int, text: str, contact: core.Helper, why: str) -> None:
        """Answered, noted, somebody sent and come, closed."""
        events: list[core.Event] = [
            core.Answer("w", "王芳"), core.Note("王芳", text), core.NoContact("w", "王芳"), core.Accept(contact),
            core.OnScene(contact), core.Safe("王芳"), core.Close("w", "王芳", "sos", "family_attended", 10_000, why),
        ]  # fmt: skip
        for event in events:
            assert not (await self.desk.act(incident, event)).refused

    async def readings(self, home: str, device: str, days: int, latitude: float) -> None:
        async with self.database.connection() as connection:
            for day in range(days):
                at = self.clock.now() - timedelta(days=day)
                await connection.execute("select readings_day(%s)", (at.date(),))
                await connection.execute(
                    "insert into readings (at, received_at, device, home, boot, seq, kind, detail)"
                    " values (%(at)s, %(at)s, %(device)s, %(home)s, 'b', %(day)s, 'location', %(detail)s)",
                    {"at": at, "device": device, "home": home, "day": day, "detail": Jsonb({"lat": latitude})},
                )
            await connection.execute("select rollups_compute(%s, 1000)", (self.clock.now(),))

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        async with self.database.connection() as connection:
            return await (await connection.execute(query, values)).fetchall()

    async def everything(self) -> dict[str, str]:
        """Every row of every table as text, and bytes as the text that stands in them."""
        tables = await self.rows(
            "select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
            " and relname <> 'migrations'"  # ours, with hashes and times in which any figure may stand
            " and not relispartition order by 1"
        )
        found = {}
        for table in (row["name"] for row in tables):
            columns = await self.rows(
                "select column_name as name, data_type as type from information_schema.columns"
                " where table_schema = 'public' and table_name = %s",
                table,
            )
            parts = [
                f"encode({one['name']}, 'escape')" if one["type"] == "bytea" else f'"{one["name"]}"::text'
                for one in columns
            ]
            rows = await self.rows(f"select concat_ws(' | ', {', '.join(parts)}) as row from {table}")
            found[table] = "\n".join(row["row"] for row in rows)
        return found

    async def journal_is_whole(self) -> None:
        for row in await self.rows("select id from incidents"):
            async with self.database.connection() as connection:
                entries = await (await connection.execute(views.sql.journal_rows, {"incident": row["id"]})).fetchall()
            assert broken_at(entries) is None


@pytest.fixture
async def life(database: Database) -> Life:
    one = Life(database)
    async with database.connection() as connection:
        await connection.execute(REGISTER)
    daughter, son = core.Helper("C1", "欧阳小雨", "family"), core.Helper("C2", "诸葛大海", "family")
    first = await one.alarm("H1", "H1-button", location={"lat": 22.61, "lon": 113.01})
    await one.through(first, "欧阳兰芝说QTEXTQ，打 138 0000 7101", daughter, "QWHYQ")
    async with database.connection() as connection:
        await connection.execute("insert into home_codes values ('H1', 'QCADEQ', '2026-01-01', 'boss')")
        await connection.execute(
            "insert into packets (incident, issued_at, issued_by, name, phone, language)"
            " values (%s, '2026-01-01', '王芳', '欧阳兰芝的医生', '+8613800007777', 'zh')", (first,)
        )  # fmt: skip
        print_of = Jsonb({"way_in": "QPRINTQ"})
        await connection.execute(
            "insert into packet_versions values (%s, 1, '2026-01-01', %s, '{}')", (first, print_of)
        )
        # Whoever was called then, and is in nobody's register by now.
        for purpose, to, name in (
            ("family", "C0", "宇文忘"),
            ("packet", "packet:1", "张医生"),
            ("bridge", "home", "宇文忘"),
        ):
            await connection.execute(
                "insert into sends (incident, step, purpose, channel, recipient, name, address, language, body, due_at,"
                " deadline_at) values (%(incident)s, 9, %(purpose)s, 'twilio_voice', %(to)s, %(name)s,"
                " '+8613800007888', 'zh', %(body)s, '2026-01-01', '2026-01-01')",
                {"incident": first, "purpose": purpose, "to": to, "name": name,
                 "body": Jsonb({"phones": ["+8613800007888"], "cause": "sos"})},
            )  # fmt: skip
    for event in (
        core.Handed("issued", "王芳", "张医生"),
        core.Handed("opened", "张医生"),
        core.Note("宇文忘", "QTEXTQ"),
    ):
        assert not (await one.desk.act(first, event)).refused
    caller = {"source": "sms", "number": "+8613800007101", "name": "欧阳兰芝", "text": "QSMSQ"}
    unnamed = await one.alarm(None, "tel:+8613800007101", caller=caller)
    await one.through(unnamed, "QTEXTQ", core.Helper("", "赵志愿", "volunteer"), "")
    second = await one.alarm("H2", "H2-button", location={"lat": 1})
    await one.through(second, "司徒明月 and Margaret are at home", son, "司徒明月 slipped")
    await one.readings("H1", "H1-button", 20, 22.61)
    await one.readings("H2", "H2-button", 2, 22.55)
    return one


async def erase(life: Life, person: str) -> dict[str, Any]:
    return await erasure.erase(life.database, person, "request", "boss", life.clock.now())


def found_in(everything: dict[str, str], words: tuple[str, ...]) -> dict[str, list[str]]:
    return {table: hits for table, text in everything.items() if (hits := [one for one in words if one in text])}


async def test_after_an_erasure_nothing_anywhere_names_the_person(life: Life) -> None:
    before = await life.everything()
    seen = {word for hits in found_in(before, CANARIES).values() for word in hits}
    assert seen == set(CANARIES) - {"欧阳 兰芝"}, "a canary that was never there proves nothing"
    certificate = await erase(life, "P1")
    after = await life.everything()
    # Another home calls them as its neighbour: the certificate names it, and nobody deletes it unasked.
    after["contacts"] = after["contacts"].replace("欧阳兰芝", "").replace("13800007101", "")
    assert found_in(after, CANARIES) == {}
    assert certificate["elsewhere"] == [{"what": "contacts", "id": "C3", "home": "H3"}]
    assert certificate["deleted"]["readings"] == 20
    assert certificate["deleted"]["incidents"] == 2
    assert {f"n_{name}" for name in certificate["deleted"]} <= WORDS.keys()
    await life.journal_is_whole()


async def test_others_data_is_untouched(life: Life) -> None:
    kept = "select * from {} where home = 'H2' order by 1"
    tables = ("people", "contacts", "devices", "alarms", "incidents", "readings", "vitals_stored", "rollups_due")
    others = {table: await life.rows(kept.format(table)) for table in tables}
    journal = "select j.* from journal j join incidents i on i.id = j.incident where i.home = 'H2' order by number"
    written = await life.rows(journal)
    await erase(life, "P1")
    assert {table: await life.rows(kept.format(table)) for table in tables} == others
    assert await life.rows(journal) == written
    assert "QKEEPQ" in (await life.everything())["rejected"]


async def test_a_gateway_that_others_speak_through_stays_on(life: Life) -> None:
    async with life.database.connection() as connection:
        await connection.execute(
            "insert into devices (id, home, kind, enrolled_at, gateway, address)"
            " values ('H3-pendant', 'H3', 'pendant', '2026-01-01Z', 'H1-hub', 'a840')"
        )
    await erase(life, "P1")
    names = "('H1-button', 'H1-hub', 'H3-pendant')"
    left = await life.rows(f"select id, home, enabled from devices where id in {names} order by id")
    assert [tuple(one.values()) for one in left] == [
        ("H1-button", None, False), ("H1-hub", None, True), ("H3-pendant", "H3", True)
    ]  # fmt: skip


async def test_what_is_left_still_counts_and_still_loads(life: Life) -> None:
    (before,) = await life.rows("select count(*) as n from incidents")
    await erase(life, "P1")
    (after,) = await life.rows("select count(*) as n, count(person) as people from incidents where t9 is not null")
    assert after["n"] == before["n"]
    for row in await life.rows("select id from incidents"):
        async with life.database.connection() as connection:
            shown = await views.incident(connection, row["id"], life.clock.now())
        assert shown is not None
        assert shown["stamps"]["t3"]["at"]
    (device,) = await life.rows("select home, enabled from devices where id = 'H1-button'")
    assert (device["home"], device["enabled"]) == (None, False)
    assert not await life.rows("select from devices where id = 'H1-bed'")
    volunteer = await life.rows("select name from sends where recipient = 'R1'")
    assert {row["name"] for row in volunteer} <= {"赵志愿"}


async def test_the_desk_still_reads_what_happened(life: Life, postgres_url: str) -> None:
    await erase(life, "P1")
    async with site(postgres_url) as desk, await desk.signed_in("operator") as client:
        for language in ("zh", "en"):
            client.cookies.set("pingan_language", language)
            for row in await life.rows("select id from incidents where home = 'H1'"):
                page = await client.get(f"/incidents/{row['id']}")
                assert page.status_code == 200
                assert MARK in page.text
            assert (await client.get("/register/homes/H1")).status_code == 200


async def test_where_others_live_only_what_is_the_persons_alone_goes(life: Life) -> None:
    certificate = await erase(life, "P2")
    assert certificate["shared_home"]
    assert (certificate["deleted"]["person"], certificate["deleted"]["incidents_masked"]) == (1, 1)
    assert "readings" not in certificate["deleted"]
    after = await life.everything()
    assert found_in(after, SHARED) == {}
    for kept in ("布谷街5号", "密码 4711", "诸葛大海", "Margaret Wilson", "and Margaret are at home"):
        assert found_in(after, (kept,)), kept
    assert len(await life.rows("select from readings where home = 'H2'")) == 2
    (device,) = await life.rows("select home, enabled from devices where id = 'H2-button'")
    assert (device["home"], device["enabled"]) == ("H2", True)
    await life.journal_is_whole()
    # The last one to go takes the home along, and what was sealed before is sealed again.
    await erase(life, "P2b")
    gone = ("布谷街5号", "密码 4711", "诸葛大海", "Margaret", "447700900123")
    assert found_in(await life.everything(), gone) == {}
    await life.journal_is_whole()


async def test_a_rule_for_somebody_who_was_erased_is_one_for_nobody(life: Life) -> None:
    """And nothing else of a version of the policies changes, then or later."""
    await erase(life, "P1")
    kept = await life.rows("select saved_by, why, body from policy_books order by version")
    assert [one["body"]["rules"] for one in kept] == [
        [{"policy": "own", "people": [MARK]}],
        [{"policy": "own", "people": ["P2", MARK], "homes": ["H2"]}],
        [{"policy": "own", "homes": ["H2"]}],
    ]
    assert [("erased" in one["body"], one["saved_by"], one["why"]) for one in kept] == [
        (True, "boss", f"为{MARK}"), (True, "boss", "another"), (False, "boss", "more")
    ]  # fmt: skip
    for change in ("update policy_books set why = 'x'", "delete from policy_books"):
        with pytest.raises(Exception, match="never changed"):  # the erasure has ended
            await life.rows(change)


async def test_an_open_incident_forbids_it(life: Life) -> None:
    incident = await life.alarm("H1", "H1-button")
    before = await life.everything()
    with pytest.raises(Refusal) as refused:
        await erase(life, "P1")
    assert (refused.value.reason, refused.value.values) == ("incident_open", {"incident": str(incident)})
    assert await life.everything() == before
    found = await erasure.plan(life.database, "P1")
    assert found["open"] == str(incident)
    with pytest.raises(Refusal, match="unknown_people"):
        await erase(life, "P404")


async def test_a_journal_that_was_tampered_with_is_not_erased(life: Life) -> None:
    async with life.database.connection() as connection:
        await connection.execute("alter table journal disable trigger journal_is_append_only")
        await connection.execute("update journal set actor = 'nobody' where incident = 1 and number = 2")
        await connection.execute("alter table journal enable trigger journal_is_append_only")
    with pytest.raises(Refusal, match="journal_broken"):
        await erase(life, "P1")


async def test_the_journal_stays_closed_to_all_but_a_written_erasure(life: Life) -> None:
    for change in (
        "update journal set detail = '{\"erased\": 1}' where number = 1",
        "update journal set decision = 'x' where number = 1",
        "delete from journal where number = 1",
    ):
        with pytest.raises(Exception, match="append-only"):
            await life.rows(change)
    await erase(life, "P1")
    with pytest.raises(Exception, match="append-only"):  # the erasure has ended, and opens nothing any more
        await life.rows("update journal set detail = '{\"erased\": 1}' where number = 1")


async def test_what_ended_in_between_is_gone_on_with(life: Life) -> None:
    async with life.database.connection() as connection:
        query = (
            "insert into erasures (at, by, reason, shared_home, counts, pending)"
            " values (%(now)s, 'boss', 'request', false, '{\"person\": 1}', '{\"home\": \"H1\"}') returning id"
        )
        row = await (await connection.execute(query, {"now": life.clock.now()})).fetchone()
    assert await erasure.go_on(life.database, life.clock.now()) == 1
    assert await erasure.go_on(life.database, life.clock.now()) == 0
    (done,) = await life.rows("select counts, pending, finished_at from erasures where id = %s", row and row["id"])
    assert (done["counts"]["readings"], done["counts"]["person"], done["pending"]) == (20, 1, None)
    assert not await life.rows("select from readings where home = 'H1'")


async def test_what_was_on_its_way_when_a_home_was_emptied_goes_with_the_next(life: Life) -> None:
    await erase(life, "P1")
    await life.readings("H1", "H1-button", 3, 22.61)
    assert found_in(await life.everything(), ("22.61",))
    await erase(life, "P2")
    assert not found_in(await life.everything(), ("22.61",))
    assert len(await life.rows("select from readings where home = 'H2'")) == 2


async def test_an_export_holds_all_of_one_person_and_nobody_elses_name(life: Life, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    manifest = await person_data.export(life.database, "P1", folder, life.clock.now())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.iterdir())
    assert set(files) == set(manifest["files"]) | {"manifest.json"}
    assert json.loads(files["manifest.json"]) == manifest
    for name, told in manifest["files"].items():
        assert told["sha256"] == hashlib.sha256(files[name]).hexdigest(), name
        assert told["bytes"] == len(files[name])
    rows = {
        name.removesuffix(".json"): json.loads(content) for name, content in files.items() if name.endswith(".json")
    }
    assert rows["person"][0]["name"] == "欧阳兰芝"
    assert rows["home"][0]["way_in"] == "钥匙在QKEYQ花盆下"
    assert len(rows["incidents"]) == 2
    assert {row["incident"] for row in rows["journal"]} == {row["id"] for row in rows["incidents"]}
    (learned,), (in_shadow,) = rows["routines"], rows["shadow_alarms"]
    assert (learned["detector"], bytes.fromhex(learned["state"])) == ("inactivity", b"QOTHERQ")
    assert in_shadow["evidence"] == {"where": "QOTHERQ"}
    assert manifest["files"]["readings.csv"]["rows"] == 20
    assert len(list(csv.reader(files["readings.csv"].decode().splitlines()))) == 21
    everything = b"".join(files.values()).decode()
    (weekly, test), (code,), (word,) = rows["errands"], rows["home_code"], rows["words_pending"]
    assert (weekly["purpose"], weekly["body"]) == ("week", {"home": "H1", "person": "欧阳兰芝", "calls": 3})
    assert (test["purpose"], test["name"], test["address"]) == ("test", MARK, MARK)
    assert (code["code"], word["text"]) == ("QCADEQ", "QWORDQ")
    assert [one["note"] for one in rows["tasks"]] == ["QTASKQ", None]
    rule = {"policy": "own"}
    assert [(one["version"], one["rule"]) for one in rows["policy_rules"]] == [(1, rule), (2, rule)]
    for theirs in ("QTEXTQ", "QSMSQ", "QILLQ", "QHOSPQ"):
        assert theirs in everything, theirs
    for others in ("欧阳小雨", "13800007201", "13800007299", "赵志愿", "司徒明月", "H2", "布谷街", "password"):
        assert others not in everything, others
    with pytest.raises(Refusal, match="already_there"):
        await person_data.export(life.database, "P1", folder, life.clock.now())


def pingan(url: str, data: Path, *arguments: str, fails: bool = False, language: str = "en") -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PINGAN_", "LC_", "LANG"))}
    environ |= {"PINGAN_DATABASE_URL": url, "PINGAN_DATA": str(data), "PINGAN_LANGUAGE": language, "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pingan", *arguments],
        cwd=REPOSITORY, env=environ, capture_output=True, encoding="utf-8", timeout=120,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    assert (done.returncode != 0) == fails, done.stderr
    return done.stderr if fails else done.stdout


async def test_the_commands(life: Life, postgres_url: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert "files" in pingan(postgres_url, data, "export", "P1", "--to", str(tmp_path / "out"))
    assert "there is no person P9" in pingan(postgres_url, data, "export", "P9", "--to", "x", fails=True)
    asked = ("erase", "P1", "--reason", "request", "--by", "boss", "--to", str(tmp_path))
    said = pingan(postgres_url, data, *asked)
    assert "Nothing was deleted" in said
    assert "contacts C3" in said
    assert await life.rows("select from people where id = 'P1'")
    assert "没有删除" in pingan(postgres_url, data, *asked, language="zh")
    assert "deleted; certificate" in pingan(postgres_url, data, *asked, "--yes")
    assert "there is no person P1" in pingan(postgres_url, data, *asked, "--yes", fails=True)
    (row,) = await life.rows("select * from erasures")
    path = tmp_path / f"erasure-{row['id']}.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert hashlib.sha256(path.read_bytes()).digest() == row["certificate"]
    assert row["by"] == "boss"
    assert "P1" not in str(row["counts"])
    certificate = json.loads(path.read_bytes())
    assert (certificate["person"], certificate["deleted"]["person"]) == ("P1", 1)
    page = path.with_suffix(".html").read_text(encoding="utf-8")
    for part in (
        "个人数据删除证明",
        "Certificate of deletion",
        "at the person&#x27;s request",
        "传感器数据",
        "contacts C3",
    ):
        assert part in page, part


def test_everything_that_a_certificate_may_say_has_its_words() -> None:
    names = {f"k_{name}" for name in (*erasure.KEPT, *erasure.KEPT_SHARED)} | {f"l_{name}" for name in erasure.LATER}
    assert (names | {f"reason_{name}" for name in erasure.REASONS}) <= WORDS.keys()


def test_a_certificate_shows_strange_names_as_text() -> None:
    certificate = {
        "certificate": 1, "person": "P1", "at": "2026-01-01", "by": "<script>", "reason": "request",
        "shared_home": True, "deleted": {"person": 1, "<b>": 2}, "kept": ["household"], "elsewhere": [],
        "later": ["log"],
    }  # fmt: skip
    page = paper.page(certificate)
    assert "<script>" not in page
    assert "<b>" not in page


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("陈秀英跌倒", f"{MARK}跌倒"),
        ("陈 秀英", MARK),
        ("call 13800000149 now", f"call {MARK} now"),
        ("+86 138-0000-0149", MARK),
        ("0086 138 0000 0149", MARK),
        ("138000001490", "138000001490"),
        ("Margaret fell; MARGARET  WILSON", f"{MARK} fell; {MARK}"),
        ("Wilsons, marg", "Wilsons, marg"),
        ("住在晚晴路 12号", f"住在{MARK}"),
        ("", ""),
    ],
)
def test_somebody_is_found_however_they_are_written(text: str, masked: str) -> None:
    mask = Mask(["陈秀英", "Margaret Wilson", None, " "], ["+8613800000149", None], ["晚晴路 12号", None])
    assert mask.text(text) == masked


def test_free_text_goes_whole_and_what_is_ours_stays() -> None:
    mask = Mask(["陈秀英"], [], [])
    entry = {
        "text": "she said so",
        "kind": "sos",
        "asked": ["陈秀英", "李梅"],
        "n": 1,
        "caller": {"number": "1", "source": "sms"},
    }
    assert mask.value(entry, free=True) == {
        "text": MARK, "kind": "sos", "asked": [MARK, "李梅"], "n": 1, "caller": {"number": MARK, "source": "sms"},
    }  # fmt: skip
    assert mask.value(entry, free=False)["text"] == "she said so"
