"""The register in a real database: one home's whole picture, search, saving, deleting, and what detection hears."""

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import psycopg
import pytest

from care import register, registrar, rotas
from care.changes import Refused
from care.csv_files import read_files
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
    Contact,
    Device,
    Holiday,
    Home,
    Person,
    Record,
    Responder,
)
from care.sample import FOLDER
from care.transfer import export_files, export_tables, import_files, packed, read_source, unzip, zipped
from pingan.database import Connection, Database
from pingan.local.mosquitto_password import hash_password

NOW = datetime(2026, 11, 1, 8, tzinfo=UTC)


@pytest.fixture
async def sample(database: Database) -> dict[str, str]:
    """The sample's records, and the passwords of its devices."""
    async with database.transaction() as connection:
        report = await import_files(connection, read_source(FOLDER), NOW)
    return dict(report.passwords)


@pytest.fixture
async def connection(database: Database, sample: dict[str, str]) -> AsyncIterator[Connection]:
    async with database.connection() as connection:
        yield connection


async def revision(connection: Connection, home: str) -> int:
    row = await (await connection.execute("select revision from homes where id = %s", (home,))).fetchone()
    assert row is not None
    return int(row["revision"])


async def reasons(connection: Connection, record: Record, scope: str | None = None) -> list[tuple[str | None, str]]:
    with pytest.raises(Refused) as refused:
        await registrar.save(connection, record, NOW, scope)
    return [(bad.column, bad.refusal.reason) for bad in refused.value.bad]


async def test_a_home_card_shows_everything_at_once(connection: Connection) -> None:
    await registrar.save(connection, Away(home="H001", away_from=NOW, reason="住院"), NOW)
    card = await register.home_card(connection, "H001", NOW)
    assert card is not None
    assert card.area_path == "江门市—蓬江区—荷清街道—晚晴社区"
    assert card.home.way_in is not None
    assert card.home.way_in_proven_on is not None
    assert [person.name for person in card.people] == ["陈秀英"]
    assert [contact.rank for contact in card.contacts] == [1, 2, 3]
    assert card.contacts[0].phone == "+8613800000101"
    assert {device.kind for device in card.devices} == {"button", "hub", "watch"}
    assert all(device.mqtt_password_hash is None for device in card.devices)
    assert "movement" in {consent.kind for consent in card.consents}
    assert card.away_now == Away(home="H001", away_from=NOW, reason="住院")
    assert (card.incidents_lately, card.last_incident_at) == (0, None)
    assert await register.home_card(connection, "H999", NOW) is None


async def test_a_home_card_counts_the_last_thirty_days(connection: Connection) -> None:
    for days, test in ((1, False), (29, False), (31, False), (2, True)):
        at = NOW - timedelta(days=days)
        await connection.execute(
            "insert into incidents (home, cause, danger, test, state, version, opened_at, body, t9)"
            " values ('H001', 'sos', true, %s, 'closed', 1, %s, '{}', %s)",
            (test, at, at),
        )
    card = await register.home_card(connection, "H001", NOW)
    assert card is not None
    assert (card.incidents_lately, card.last_incident_at) == (2, NOW - timedelta(days=1))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("陈秀", {"P001"}),
        ("h001", {"P001"}),
        ("H001-BUTTON", {"P001"}),
        ("wilson", {"P006"}),
        ("李梅", {"P001"}),
        ("13800000101", {"P001"}),
        ("138 0000 0101", {"P001"}),
        ("+86 138-0000-0101", {"P001"}),
        ("00000101", {"P001"}),
        ("晚晴路12号", {"P001", "P002"}),
        ("石桥村三组", {"P019", "P020", "P020-2"}),
        ("%", set()),
        ("_", set()),
        ("'; drop table homes", set()),
        ("\0", None),
        ("", None),
    ],
)
async def test_search_finds_by_whatever_one_knows(connection: Connection, text: str, found: set[str] | None) -> None:
    page = await register.search(connection, text, limit=200)
    hits = {hit.person for hit in page.items}
    assert hits == found if found is not None else len(hits) == 22


async def test_pages_follow_each_other_without_gap_or_repeat(connection: Connection) -> None:
    await registrar.save(connection, Home(id="H900", area="440703901001", address="空屋"), NOW)
    seen: list[tuple[str, str | None]] = []
    after = None
    while True:
        page = await register.search(connection, "", after=after, limit=7)
        seen += [(hit.home, hit.person) for hit in page.items]
        if (after := page.next) is None:
            break
    assert len(seen) == len(set(seen)) == 23
    assert ("H900", None) in seen
    first = await register.homes(connection, limit=20)
    second = await register.homes(connection, after=first.next, limit=20)
    assert [home.id for home in (*first.items, *second.items)] == [*(f"H{n:03d}" for n in range(1, 21)), "H900"]
    assert second.next is None


async def test_a_saved_record_is_the_one_that_is_read(connection: Connection) -> None:
    home = Home(id="H900", area="440704", address="某路1号", phone="+867503123456", inactivity_hours=8.0)
    records: list[tuple[Any, Record]] = [
        (AREAS, Area(code="440704", name="江海区", level="district", parent="4407")),
        (HOMES, home),
        (PEOPLE, Person(id="P900", home="H900", name="<script>alert(1)</script>")),
        (RESPONDERS, Responder(id="R900", name="x", role="medical", area="440704", phone="+8613800009999")),
    ]
    for entity, record in records:
        assert (await registrar.save(connection, record, NOW)).what == "added"
        assert (await registrar.save(connection, record, NOW)).what == "unchanged"
        assert await register.one(connection, entity, entity.key_of(record)[0]) == record
    assert (await registrar.save(connection, replace(home, address="某路2号"), NOW)).what == "changed"
    saved = await registrar.save(connection, Person(id="P901", home="H900", name=" 某 ", phone="138 0000 9998"), NOW)
    assert saved.record == Person(id="P901", home="H900", name="某", phone="+8613800009998")


async def test_detection_hears_in_the_same_transaction(
    database: Database, connection: Connection, postgres_url: str
) -> None:
    before, other = await revision(connection, "H001"), await revision(connection, "H002")
    await registrar.save(connection, Device(id="H001-smoke", kind="smoke", home="H001"), NOW)
    await registrar.save(connection, Device(id="H001-smoke", kind="smoke", home="H002"), NOW)
    await registrar.save(connection, Away(home="H001", away_from=NOW, reason="x"), NOW)
    assert await registrar.come_back(connection, "H001", NOW + timedelta(hours=1))
    assert not await registrar.come_back(connection, "H001", NOW + timedelta(hours=1))
    assert await registrar.delete(connection, DEVICES, ("H001-button",))
    assert await registrar.delete(connection, AWAY, ("H001", NOW))
    home = await register.one(connection, HOMES, "H001")
    assert home is not None
    await registrar.save(connection, replace(home, inactivity_hours=6.0), NOW)
    assert await revision(connection, "H001") == before + 7
    assert await revision(connection, "H002") == other + 1
    third = await revision(connection, "H003")
    await registrar.save(connection, replace(home, inactivity_hours=6.0, address="别处"), NOW)
    assert await revision(connection, "H001") == before + 7
    with psycopg.connect(postgres_url, autocommit=True) as listening:
        listening.execute("listen register")
        async with database.connection() as undone, undone.transaction(force_rollback=True):
            await registrar.save(undone, Device(id="H003-smoke", kind="smoke", home="H003"), NOW)
        await registrar.save(connection, Device(id="H004-smoke", kind="smoke", home="H004"), NOW)
        heard = [note.payload for note in listening.notifies(timeout=60, stop_after=2)]
    assert await revision(connection, "H003") == third
    assert sorted(heard) == ["devices", "homes"]


async def test_a_new_device_gets_a_password_once(connection: Connection) -> None:
    saved = await registrar.save(connection, Device(id="D9", kind="button", home="H001"), NOW)
    assert saved.password is not None
    assert isinstance(saved.record, Device)
    assert saved.record.enrolled_at == NOW
    assert saved.record.mqtt_password_hash is None
    assert await password_is(connection, "D9", saved.password)
    moved = await registrar.save(connection, Device(id="D9", kind="button", home="H002"), NOW + timedelta(days=1))
    assert moved.password is None
    assert moved.record.enrolled_at == NOW
    assert await password_is(connection, "D9", saved.password)
    renewed = await registrar.renew_device_password(connection, "D9")
    assert renewed is not None
    assert await password_is(connection, "D9", renewed)
    assert await registrar.renew_device_password(connection, "D8") is None


async def password_is(connection: Connection, device: str, password: str) -> bool:
    query = "select mqtt_password_hash from devices where id = %s"
    row = await (await connection.execute(query, (device,))).fetchone()
    assert row is not None
    stored = str(row["mqtt_password_hash"])
    return stored == hash_password(password, base64.b64decode(stored.split("$")[3]))


async def test_every_sample_device_has_its_own_password(connection: Connection, sample: dict[str, str]) -> None:
    assert len(set(sample.values())) == len(sample) == 48
    for device, password in list(sample.items())[:5]:
        assert await password_is(connection, device, password)


async def test_a_device_behind_a_gateway_has_its_place_there_alone_and_no_password(connection: Connection) -> None:
    button = Device(id="D1", kind="button", home="H001", gateway="H001-hub", address="0x00158d")
    saved = await registrar.save(connection, button, NOW)
    assert saved.password is None
    assert saved.record.gateway == "H001-hub"
    with pytest.raises(Refused) as refused:
        await registrar.save(connection, replace(button, id="D2"), NOW)
    (bad,) = refused.value.bad
    assert (bad.column, bad.refusal.reason) == ("address", "address_taken")
    with pytest.raises(Refused) as refused:
        await registrar.delete(connection, DEVICES, ("H001-hub",))
    assert [bad.refusal.reason for bad in refused.value.bad] == ["in_use"]
    freed = await registrar.save(connection, replace(button, address="elsewhere"), NOW)
    assert freed.what == "changed"
    assert (await registrar.save(connection, replace(button, id="D2", home="H002"), NOW)).what == "added"


async def test_what_is_still_needed_is_not_deleted(connection: Connection) -> None:
    for entity, key in ((HOMES, "H001"), (AREAS, "440703901001"), (AREAS, "440703")):
        with pytest.raises(Refused) as refused:
            await registrar.delete(connection, entity, (key,))
        assert [bad.refusal.reason for bad in refused.value.bad] == ["in_use"]
    assert not await registrar.delete(connection, HOMES, ("H999",))
    for device in ("H002-button", "H002-hub"):
        assert await registrar.delete(connection, DEVICES, (device,))
    assert await registrar.delete(connection, HOMES, ("H002",))
    assert await register.one(connection, PEOPLE, "P002") is None
    assert (await register.search(connection, "H002")).items == []
    assert await registrar.delete(connection, PEOPLE, ("P001",))
    assert await registrar.delete(connection, CONTACTS, ("H001-c1",))


async def test_contacts_change_places(connection: Connection) -> None:
    card = await register.home_card(connection, "H001", NOW)
    assert card is not None
    first, second, third = card.contacts
    assert await reasons(connection, replace(first, rank=2)) == [("rank", "rank_taken")]
    files = {"contacts.csv": b"id,rank\nH001-c1,2\nH001-c2,1\n"}
    await import_files(connection, files, NOW)
    card = await register.home_card(connection, "H001", NOW)
    assert card is not None
    assert [contact.id for contact in card.contacts] == [second.id, first.id, third.id]


async def test_outside_ones_area_nothing_is_there(connection: Connection) -> None:
    mine, theirs = "440703901001", "440703902001"
    assert {hit.area for hit in (await register.search(connection, "", mine)).items} == {mine}
    assert {home.area for home in (await register.homes(connection, mine)).items} == {mine}
    assert [device.id for device in (await register.devices(connection, mine)).items if "sim" in device.id] == []
    assert [area.code for area in await register.areas(connection, mine)] == ["4407", "440703", "440703901", mine]
    assert await register.home_card(connection, "H013", NOW, mine) is None
    assert await register.one(connection, DEVICES, "H013-button", mine) is None
    assert await register.one(connection, DEVICES, "sim-clock", mine) is None
    assert not await registrar.delete(connection, DEVICES, ("H013-button",), mine)
    assert not await registrar.delete(connection, PEOPLE, ("P013",), mine)
    assert not await registrar.come_back(connection, "H013", NOW, mine)
    assert await registrar.renew_device_password(connection, "H013-button", mine) is None
    assert await reasons(connection, Person(id="P013", home="H001", name="x"), mine) == [("id", "outside_area")]
    assert await reasons(connection, Home(id="H001", area=theirs, address="x"), mine) == [("id", "outside_area")]
    moved = Contact(id="H001-c1", home="H002", rank=9, name="x", relation="x", role="family", phone="+8613800000101")
    assert (await registrar.save(connection, moved, NOW, mine)).what == "changed"


async def test_an_export_imports_into_an_empty_register_as_it_was(
    database: Database, connection: Connection, postgres_url: str
) -> None:
    await registrar.save(connection, Away(home="H001", away_from=NOW, reason='=HYPERLINK("x"), "住院"\n二楼'[:20]), NOW)
    odd = Person(id="P900", home="H001", name="=cmd|' /C calc'!A0", note='+1, "二"\n@三\n\'=四', conditions="-五")
    await registrar.save(connection, odd, NOW)
    for language in ("en", "zh"):
        before = await register.whole(connection)
        files = await export_files(connection, language=language)
        again = await import_files(connection, files, NOW)
        assert (again.added, again.changed, again.passwords) == ({}, {}, {})
        await connection.execute("truncate areas, accounts, sessions, tokens cascade")
        await connection.execute("truncate devices cascade")
        report = await import_files(connection, unzip(zipped(files, NOW)), NOW)
        assert report.passwords == {}
        assert await register.whole(connection) == before


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_workbook_imports_into_an_empty_register_as_it_was(
    connection: Connection, language: Literal["en", "zh"]
) -> None:
    odd = Person(id="P900", home="H001", name="=cmd|' /C calc'!A0", note='+1, "二"\n@三\n\'=四', conditions="'-五")
    await registrar.save(connection, odd, NOW)
    to_the_microsecond = NOW + timedelta(microseconds=1)
    await registrar.save(connection, Away(home="H001", away_from=to_the_microsecond, reason="住院"), NOW)
    before = await register.whole(connection)
    content = await packed(await export_tables(connection, language=language), "xlsx", language, NOW)
    again = await import_files(connection, {"r.xlsx": content}, NOW)
    assert (again.added, again.changed, again.passwords) == ({}, {}, {})
    await connection.execute("truncate areas, accounts, sessions, tokens cascade")
    await connection.execute("truncate devices cascade")
    report = await import_files(connection, {"r.xlsx": content}, NOW)
    assert report.passwords == {}
    assert await register.whole(connection) == before


async def test_without_any_file_nothing_is_imported(connection: Connection) -> None:
    with pytest.raises(Refused) as refused:
        await import_files(connection, {}, NOW)
    assert [bad.refusal.reason for bad in refused.value.bad] == ["no_files"]


async def test_a_scoped_export_imports_by_itself(connection: Connection) -> None:
    files = await export_files(connection, "440703902")
    sheets, bad = read_files(files)
    assert bad == []
    assert {row.values["id"] for sheet in sheets if sheet.entity is HOMES for row in sheet.rows} == {
        f"H{n:03d}" for n in range(13, 21)
    }
    await connection.execute("truncate areas, devices cascade")
    assert (await import_files(connection, files, NOW)).added["homes"] == 8


async def test_one_bad_row_and_nothing_is_imported(connection: Connection) -> None:
    before = await register.whole(connection)
    files = {
        "homes.csv": b"id,area,address\nH101,440703901001,x\nH102,440703909999,x\n",
        "people.csv": b"id,home,name,phone\nP101,H101,x,110\nP102,H103,x,\n",
        "devices.csv": b"id,kind,home\nD101,button,H101\nD101,button,H101\n",
    }
    with pytest.raises(Refused) as refused:
        await import_files(connection, files, NOW)
    assert [(bad.file, bad.line, bad.column, bad.refusal.reason) for bad in refused.value.bad] == [
        ("devices.csv", 3, "id", "repeated"),
        ("homes.csv", 3, "area", "unknown_areas"),
        ("people.csv", 2, "phone", "phone_short"),
        ("people.csv", 3, "home", "unknown_homes"),
    ]
    assert await register.whole(connection) == before


async def test_a_dry_run_says_what_an_import_does(connection: Connection) -> None:
    before = await register.whole(connection)
    files = {
        "homes.csv": b"id,address\nH001,elsewhere\n",
        "devices.csv": b"id,kind,home\nD101,button,H001\nH001-button,button,H001\n",
    }
    dry = await import_files(connection, files, NOW, dry_run=True)
    assert await register.whole(connection) == before
    real = await import_files(connection, files, NOW)
    assert (dry.added, dry.changed, dry.unchanged) == (real.added, real.changed, real.unchanged)
    assert (dry.without_password, dry.passwords, list(real.passwords)) == (1, {}, ["D101"])


async def test_two_imports_at_once_do_not_mix(database: Database, connection: Connection) -> None:
    def files(which: str) -> dict[str, bytes]:
        rows = [f"H001-c1,{which}", f"H001-c2,{which}", f"H001-c3,{which}"]
        rows = rows if which == "a" else rows[::-1]
        return {"contacts.csv": "\n".join(["id,name", *rows]).encode()}

    async def run(which: str) -> None:
        async with database.transaction() as own:
            await import_files(own, files(which), NOW)

    await asyncio.gather(*(run("ab"[n % 2]) for n in range(10)))
    card = await register.home_card(connection, "H001", NOW)
    assert card is not None
    assert len({contact.name for contact in card.contacts}) == 1


async def test_absences_and_holidays_are_kept_refused_and_taken_back(connection: Connection) -> None:
    absence = Absence(responder="V01", absent_from=NOW, absent_until=NOW + timedelta(days=1), stand_in="V02")
    assert (await registrar.save(connection, absence, NOW)).what == "added"
    assert (await registrar.save(connection, replace(absence, absent_until=None), NOW, "440703901")).what == "changed"
    for wrong, column, reason in (
        (replace(absence, stand_in="V01"), "stand_in", "stands_in_for_oneself"),
        (replace(absence, stand_in="V99"), "stand_in", "unknown_responders"),
        (replace(absence, responder="V99"), "responder", "unknown_responders"),
        (replace(absence, absent_until=NOW), "absent_until", "absent_until_before_from"),
    ):
        with pytest.raises(Refused) as refused:
            await registrar.save(connection, wrong, NOW)
        assert [(bad.column, bad.refusal.reason) for bad in refused.value.bad] == [(column, reason)]
    with pytest.raises(Refused):
        await registrar.save(connection, absence, NOW, "440703902")
    with pytest.raises(Refused):  # somebody is said to stand in: that is put right first
        await registrar.delete(connection, RESPONDERS, ("V02",))
    assert await registrar.delete(connection, ABSENCES, ("V01", NOW))
    day = Holiday(day=NOW.date(), counts_as="mon")
    assert (await registrar.save(connection, day, NOW)).what == "added"
    with pytest.raises(Refused):  # it holds everywhere
        await registrar.save(connection, replace(day, counts_as="tue"), NOW, "440703")
    assert await registrar.delete(connection, HOLIDAYS, (NOW.date(),))


async def test_who_changed_a_rota_is_noted_and_forgotten_with_whom_it_is_about(connection: Connection) -> None:
    absence = Absence(responder="V01", absent_from=NOW, stand_in="V02")
    await registrar.save(connection, absence, NOW, by="boss")
    await registrar.save(connection, absence, NOW, by="boss")  # nothing changes: nothing to note
    await registrar.save(connection, replace(absence, absent_until=NOW + timedelta(days=1)), NOW, by="chief")
    await registrar.save(connection, Holiday(day=NOW.date(), counts_as="sun"), NOW)
    await registrar.delete(connection, HOLIDAYS, (NOW.date(),), now=NOW, by="boss")
    day, latest = NOW.date(), (await rotas.changes(connection, None))[:4]
    found = [(one["what"], one["by"], one["responder"], one["day"]) for one in latest]
    assert found == [
        ("removed", "boss", None, day), ("added", None, None, day), ("changed", "chief", "V01", None),
        ("added", "boss", "V01", None),
    ]  # fmt: skip
    (one,) = [one for one in await rotas.absences(connection, NOW, None) if one["responder"] == "V01"]
    assert (one["by"], one["stand_in"], one["holds"]) == ("chief", "V02", True)
    later = await rotas.absences(connection, NOW + timedelta(days=1), None)
    assert "V01" not in {one["responder"] for one in later}, "it is over"
    assert await rotas.absences(connection, NOW, "440799") == [], "another area's"
    assert await registrar.delete(connection, RESPONDERS, ("V01",))
    assert "V01" not in {one["responder"] for one in await rotas.changes(connection, None)}


@pytest.mark.parametrize(
    ("column", "given"),
    [("notify", "no address"), ("notify", "file:///etc/passwd"), ("notify", "wecombot://key 2"), ("quiet", "at night"),
     ("notify", "mailto://a:b@mail.example"), ("quiet", "25:00-26:00")],
)  # fmt: skip
async def test_what_is_no_address_and_no_hours_is_refused_by_name(
    connection: Connection, column: str, given: str
) -> None:
    contact = await register.one(connection, CONTACTS, "H001-c1")
    with pytest.raises(Refused) as refused:
        await registrar.save(connection, replace(contact, **{column: given}), NOW)
    assert [bad.column for bad in refused.value.bad] == [column]
    assert column != "notify" or given not in str(refused.value)  # it may be half a secret
