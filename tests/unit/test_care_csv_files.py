"""The register's files: whatever we write we read again as it was; whatever is wrong is said by line and reason."""

import csv
import io
import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from care.cells import CHINA
from care.changes import Plan, Refused, decide, one_row
from care.csv_files import read_files, write
from care.records import (
    AREAS,
    CONTACTS,
    ENTITIES,
    PEOPLE,
    Area,
    Away,
    Contact,
    Device,
    Entity,
    Home,
    Person,
)
from care.tables import BadRow, protect, unprotect, write_table
from tests.records import RECORDS

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize("name", list(ENTITIES))
@pytest.mark.parametrize("language", ["en", "zh"])
@given(data=st.data())
@settings(max_examples=60)
def test_what_is_exported_imports_back_as_it_was(name: str, language: str, data: st.DataObject) -> None:
    entity = ENTITIES[name]
    records = data.draw(st.lists(RECORDS[name], max_size=6, unique_by=entity.key_of))
    [sheet], bad = read_files({f"{name}.csv": write(write_table(entity, records, language))})
    assert bad == []
    assert [entity.record(**row.values) for row in sheet.rows] == records


@pytest.mark.parametrize("name", list(ENTITIES))
@given(data=st.data())
@settings(max_examples=30)
def test_no_cell_of_an_export_starts_a_formula(name: str, data: st.DataObject) -> None:
    records = data.draw(st.lists(RECORDS[name], min_size=1, max_size=3))
    text = write(write_table(ENTITIES[name], records)).decode("utf-8-sig")
    for row in csv.reader(io.StringIO(text, newline="")):
        assert not [cell for cell in row if re.match(r"[=+\-@＝＋－＠\t\r]", cell)]


@given(st.text() | st.text("'=+-@x"))
def test_protection_is_taken_back_exactly(cell: str) -> None:
    assert unprotect(protect(cell)) == cell


@given(st.binary() | st.text().map(lambda text: text.encode("gb18030", "ignore")))
@settings(max_examples=200)
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for entity in ENTITIES.values():
        read_files({f"{entity.name}.csv": content})


def _read(
    entity: Entity, *lines: str, encoding: str = "utf-8"
) -> tuple[list[dict[str, Any]], list[tuple[int, str | None, str]]]:
    [sheet], bad = read_files({f"{entity.name}.csv": "\n".join(lines).encode(encoding)})
    return [dict(row.values) for row in sheet.rows], [(one.line, one.column, one.refusal.reason) for one in bad]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_excel_in_china(encoding: str) -> None:
    rows, bad = _read(
        PEOPLE,
        "人员编号,家庭编号,姓名,出生日期,性别,语言,电话,,",
        "P1,H1,陈秀英,1941/3/8,女,中文,138 0000 0101,,",
        ",,,,,,,,",
        encoding=encoding,
    )
    assert bad == []
    assert rows == [
        {
            "id": "P1",
            "home": "H1",
            "name": "陈秀英",
            "born_on": date(1941, 3, 8),
            "sex": "female",
            "language": "zh",
            "phone": "+8613800000101",
        }
    ]


def test_columns_come_in_any_order_and_any_case() -> None:
    rows, bad = _read(AREAS, " Level , NAME,code", "市,江门市,4407")
    assert bad == []
    assert rows == [{"level": "city", "name": "江门市", "code": "4407"}]


def test_every_bad_cell_of_every_bad_row_is_named() -> None:
    _, bad = _read(
        CONTACTS,
        "id,home,rank,name,relation,role,phone,language,has_key",
        'C1,H1,1,"Li',
        'Mei",daughter,family,13800000101,en,yes',
        "C 2,H1,first,,daughter,aunt,12,fr,maybe",
        "C3,H1,2,Li,son,family,13800000102,en,yes,what is this",
        "C4,H1,3",
        "C1,H1,4,Li,son,family,13800000102,en,yes",
    )
    assert bad == [
        (2, "name", "line_break"),
        (4, "id", "no_id"),
        (4, "rank", "no_whole_number"),
        (4, "name", "required"),
        (4, "role", "not_one_of"),
        (4, "phone", "phone_short"),
        (4, "language", "not_one_of"),
        (4, "has_key", "no_flag"),
        (5, None, "cell_without_column"),
        (6, "name", "required"),
        (6, "relation", "required"),
        (6, "role", "required"),
        (6, "phone", "required"),
        (7, "id", "repeated"),
    ]


@pytest.mark.parametrize(
    ("content", "line", "column", "reason"),
    [
        (b"", 0, None, "empty_file"),
        (b"\n\n", 0, None, "empty_file"),
        (b"code,name,level\n4407,\xff\xff,city\n", 0, None, "encoding"),
        ("code,name,level\n".encode("utf-16"), 0, None, "encoding_utf16"),
        (b'code,name,level\n4407,"x,city\n', 2, None, "broken_csv"),
        (b"code,name,level,colour\n", 1, "colour", "unknown_column"),
        ("code,name,名称\n".encode(), 1, "name", "second_column"),
        (b"name,level\n", 1, "code", "missing_column"),
        (b"code,name,level\n4.407E+11,x,city\n", 2, "code", "rounded"),
        (b"code,name,level\n4407,a\x00b,city\n", 2, "name", "control_character"),
        (b"code,name,level\n4407," + b"x" * 101 + b",city\n", 2, "name", "too_long"),
    ],
)
def test_files_that_are_none(content: bytes, line: int, column: str | None, reason: str) -> None:
    _, bad = read_files({"areas.csv": content})
    assert [(one.line, one.column, one.refusal.reason) for one in bad] == [(line, column, reason)]


def test_files_are_known_by_name_and_taken_in_the_order_they_need() -> None:
    sheets, bad = read_files(
        {"x/设备.csv": b"id,kind\n", "homes.csv": b"id\n", "home.csv": b"", "a/homes.csv": b"id\n"}
    )
    assert [sheet.entity.name for sheet in sheets] == ["homes", "devices"]
    assert [(one.file, one.refusal.reason) for one in bad] == [
        ("home.csv", "unknown_file"),
        ("a/homes.csv", "second_file"),
    ]


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-03-01 08:00", datetime(2026, 3, 1, 0, 0, tzinfo=UTC)),
        ("2026/3/1 8:00", datetime(2026, 3, 1, 0, 0, tzinfo=UTC)),
        ("2026年3月1日 8:00:30", datetime(2026, 3, 1, 0, 0, 30, tzinfo=UTC)),
        ("2026-03-01T08:00:00Z", datetime(2026, 3, 1, 8, 0, tzinfo=UTC)),
        ("2026-03-01T08:00:00.25-05:00", datetime(2026, 3, 1, 13, 0, 0, 250000, tzinfo=UTC)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=CHINA)),
    ],
)
def test_times_without_a_zone_are_chinas(written: str, at: datetime) -> None:
    rows, bad = _read(CONSENTS_GIVEN, "person,kind,given_at", f"P1,emergency,{written}")
    assert bad == []
    assert rows[0]["given_at"] == at


@pytest.mark.parametrize(
    "written", ["2026-03-01 08:00+99:99", "26-03-01", "2026-03-01 25:00", "tomorrow", "2026-03-01 08", "1.5E+5"]
)
def test_what_is_no_time(written: str) -> None:
    _, bad = _read(CONSENTS_GIVEN, "person,kind,given_at", f"P1,emergency,{written}")
    assert bad == [(2, "given_at", "no_time")]


CONSENTS_GIVEN = ENTITIES["consents"]
AREA = Area(code="4407", name="江门市", level="city")
HOME = Home(id="H1", area="4407", address="某路 1 号")


def _present(*records: Any) -> dict[str, dict[Any, Any]]:
    found: dict[str, dict[Any, Any]] = {}
    for record in records:
        for entity in ENTITIES.values():
            if type(record) is entity.record:
                found.setdefault(entity.name, {})[entity.key_of(record)] = record
    return found


def _decide(files: dict[str, str], *present: Any, scope: str | None = None) -> Plan | list[BadRow]:
    sheets, bad = read_files({name: text.encode() for name, text in files.items()})
    decision = decide(sheets, _present(*present), NOW, scope)
    return [*bad, *(decision if isinstance(decision, list) else [])] if bad or isinstance(decision, list) else decision


def _plan(files: dict[str, str], *present: Any) -> Plan:
    plan = _decide(files, *present)
    assert isinstance(plan, Plan)
    return plan


def _reasons(decision: Plan | list[BadRow]) -> list[tuple[str, int, str | None, str]]:
    assert isinstance(decision, list)
    return [(one.file, one.line, one.column, one.refusal.reason) for one in decision]


def test_a_new_row_needs_what_a_known_one_keeps() -> None:
    files = {"homes.csv": "id,inactivity_hours\nH1,8\nH2,8\n"}
    assert _reasons(_decide(files, AREA, HOME)) == [
        ("homes.csv", 3, "area", "required"),
        ("homes.csv", 3, "address", "required"),
    ]
    plan = _plan({"homes.csv": "id,inactivity_hours\nH1,8\n"}, AREA, HOME)
    assert plan.changed["homes"] == [Home(id="H1", area="4407", address="某路 1 号", inactivity_hours=8.0)]
    assert plan.raised == {"H1"}


def test_what_is_referred_to_must_be_there_or_in_the_files() -> None:
    files = {
        "homes.csv": "id,area,address,phone\nH1,4407,x,\nH2,4408,x,\nH3,4407,x,12\n",
        "people.csv": "id,home,name\nP1,H1,x\nP2,H3,x\nP3,H9,x\n",
        "consents.csv": "person,kind,given_at\nP3,emergency,2026-01-01\nP4,emergency,2026-01-01\n",
    }
    assert sorted(_reasons(_decide(files, AREA))) == [
        ("consents.csv", 3, "person", "unknown_people"),
        ("homes.csv", 3, "area", "unknown_areas"),
        ("homes.csv", 4, "phone", "phone_short"),
        ("people.csv", 4, "home", "unknown_homes"),
    ]


@pytest.mark.parametrize(
    ("files", "column", "reason"),
    [
        ({"areas.csv": "code,name,level,parent\n44,x,city,\n"}, "code", "no_area_code"),
        ({"areas.csv": "code,name,level,parent\n44070,x,city,\n"}, "code", "area_digits"),
        ({"areas.csv": "code,name,level,parent\n440801,x,district,4407\n"}, "parent", "area_parent"),
        ({"areas.csv": "code,name,level,parent\n440701,x,district,\n"}, "parent", "area_parent"),
        ({"homes.csv": "id,area,address,latitude\nH2,4407,x,22.5\n"}, "coordinates", "coordinates_incomplete"),
        ({"homes.csv": "id,area,address,latitude\nH2,4407,x,122.5\n"}, "latitude", "out_of_range"),
        ({"homes.csv": "id,area,address,inactivity_hours\nH2,4407,x,nan\n"}, "inactivity_hours", "out_of_range"),
        ({"devices.csv": "id,kind\ndispatch,button\n"}, "id", "device_reserved"),
        ({"devices.csv": "id,kind\n../up,button\n"}, "id", "no_id"),
        ({"devices.csv": "id,kind\n+/#,button\n"}, "id", "no_id"),
        ({"devices.csv": "id,kind,home\nc1,clock,H1\n"}, "home", "clock_has_no_home"),
        ({"devices.csv": "id,kind,heartbeat_seconds\nb1,button,91\n"}, "heartbeat_seconds", "not_one_of"),
        ({"devices.csv": "id,kind,mqtt_password_hash\nb1,button,secret\n"}, "mqtt_password_hash", "no_password_hash"),
        (
            {"away.csv": "home,away_from,away_until,reason\nH1,2026-01-02,2026-01-01,x\n"},
            "away_until",
            "away_until_before_from",
        ),
    ],
)
def test_rows_that_contradict_themselves(files: dict[str, str], column: str, reason: str) -> None:
    assert _reasons(_decide(files, AREA, HOME)) == [(next(iter(files)), 2, column, reason)]


def _contact(number: int, rank: int) -> Contact:
    phone = f"+8613800000{number:03d}"
    return Contact(id=f"C{number}", home="H1", rank=rank, name="x", relation="x", role="family", phone=phone)


def test_contacts_may_change_places_and_not_share_one() -> None:
    there = (AREA, HOME, _contact(1, 1), _contact(2, 2))
    assert len(_plan({"contacts.csv": "id,rank\nC1,2\nC2,1\n"}, *there).changed["contacts"]) == 2
    assert _reasons(_decide({"contacts.csv": "id,rank\nC1,2\n"}, *there)) == [("contacts.csv", 2, "rank", "rank_taken")]


def _device(**values: Any) -> Device:
    return Device(
        **{"id": "D1", "kind": "button", "home": "H1", "enrolled_at": NOW, "mqtt_password_hash": "x", **values}
    )


@pytest.mark.parametrize(
    ("files", "raised"),
    [
        ({"devices.csv": "id,home\nD1,H2\n"}, {"H1", "H2"}),
        ({"devices.csv": "id,home\nD1,\n"}, {"H1"}),
        ({"devices.csv": "id,heartbeat_seconds\nD1,180\n"}, {"H1"}),
        ({"devices.csv": "id,enabled\nD1,no\n"}, {"H1"}),
        ({"devices.csv": "id,model\nD1,B2\n"}, set()),
        ({"devices.csv": "id,home,kind\nD2,H2,button\n"}, {"H2"}),
        ({"away.csv": "home,away_from,reason\nH1,2026-01-01,x\n"}, {"H1"}),
        ({"homes.csv": "id,address\nH1,elsewhere\n"}, set()),
        ({"homes.csv": "id,inactivity_hours\nH1,9\n"}, {"H1"}),
        ({"people.csv": "id,home,name\nP1,H1,x\n"}, set()),
    ],
)
def test_detection_hears_of_what_concerns_it_and_of_nothing_else(files: dict[str, str], raised: set[str]) -> None:
    other = Home(id="H2", area="4407", address="x")
    assert _plan(files, AREA, HOME, other, _device()).raised == raised


def test_the_same_again_changes_nothing() -> None:
    files = {"homes.csv": "id,area,address\nH1,4407,某路 1 号\n", "devices.csv": "id,kind,home\nD1,button,H1\n"}
    plan = _plan(files, AREA, HOME, _device())
    assert (plan.added, plan.changed, plan.raised, plan.without_password) == ({}, {}, set(), set())
    assert plan.unchanged == {"homes": 1, "devices": 1}


def test_a_device_without_a_password_is_to_get_one() -> None:
    files = {"devices.csv": "id,kind,mqtt_password_hash\nD1,button,\nD2,button,\n"}
    plan = _plan(files, AREA, HOME, _device(mqtt_password_hash=None))
    assert plan.without_password == {"D1", "D2"}
    assert [device.id for device in plan.writes("devices")] == ["D2", "D1"]
    assert plan.added["devices"][0].enrolled_at == NOW


GATEWAY = Device(id="G1", kind="hub", home="H1", enrolled_at=NOW, mqtt_password_hash="x")


def test_what_is_behind_a_gateway_gets_no_password_and_is_not_expected_every_minute() -> None:
    plan = _plan({"devices.csv": "id,kind,home,gateway,address\nD1,button,H1,G1,厨房/按钮\n"}, AREA, HOME, GATEWAY)
    (device,) = plan.added["devices"]
    assert (device.gateway, device.address, device.heartbeat_seconds) == ("G1", "厨房/按钮", 90_000)
    assert plan.without_password == set()
    assert plan.raised == {"H1"}


def test_a_gateway_may_come_in_the_file_of_what_is_behind_it() -> None:
    files = {"devices.csv": "id,kind,gateway,address\nD1,smoke,G9,a\nG9,hub,,\n"}
    plan = _plan(files, AREA, HOME)
    assert {device.id: device.heartbeat_seconds for device in plan.added["devices"]} == {"D1": 90_000, "G9": 90}


@pytest.mark.parametrize(
    ("rows", "refused"),
    [
        ("D1,smoke,G1,\n", [(2, "address", "gateway_and_address")]),
        ("D1,smoke,,a\n", [(2, "gateway", "gateway_and_address")]),
        ("D1,smoke,G2,a\n", [(2, "gateway", "unknown_devices")]),
        ("D1,smoke,B1,a\n", [(2, "gateway", "no_gateway")]),
        ("D1,hub,G1,a\n", [(2, "gateway", "behind_nobody")]),
        ("D1,smoke,G1,a\nD2,gas,G1,a\n", [(3, "address", "address_taken")]),
    ],
)
def test_a_place_behind_a_gateway_that_cannot_be(rows: str, refused: list[tuple[int, str, str]]) -> None:
    button = Device(id="B1", kind="button", enrolled_at=NOW, mqtt_password_hash="x")
    decision = _decide({"devices.csv": "id,kind,gateway,address\n" + rows}, AREA, HOME, GATEWAY, button)
    assert _reasons(decision) == [("devices.csv", line, column, reason) for line, column, reason in refused]


def test_a_gateway_in_somebody_elses_area_is_not_adopted_from() -> None:
    other = Area(code="440704", name="江海区", level="district", parent="4407")
    mine = Home(id="H2", area="440704", address="x")
    rows = {"devices.csv": "id,kind,home,gateway,address\nD1,button,H2,G1,a\n"}
    decision = _decide(rows, AREA, HOME, other, mine, GATEWAY, scope="440704")
    assert [reason for *_, reason in _reasons(decision)] == ["outside_area"]
    of_the_city = Device(id="G1", kind="hub", enrolled_at=NOW, mqtt_password_hash="x")
    assert isinstance(_decide(rows, AREA, HOME, other, mine, of_the_city, scope="440704"), Plan)


def test_an_area_is_a_wall() -> None:
    district = Area(code="440703", name="蓬江区", level="district", parent="4407")
    other = Area(code="440704", name="江海区", level="district", parent="4407")
    inside, outside = Home(id="H2", area="440703", address="x"), Home(id="H3", area="440704", address="x")
    there = (
        AREA,
        district,
        other,
        inside,
        outside,
        Device(id="D0", kind="button", enrolled_at=NOW),
        _device(home="H3"),
    )

    def reasons(file: str, text: str) -> list[str]:
        decision = _decide({file: text}, *there, scope="440703")
        return [] if isinstance(decision, Plan) else [one.refusal.reason for one in decision]

    assert reasons("homes.csv", "id,address\nH2,y\n") == []
    assert reasons("homes.csv", "id,area,address\nH4,440703,y\n") == []
    assert reasons("homes.csv", "id,address\nH3,y\n") == ["outside_area"]
    assert reasons("homes.csv", "id,area,address\nH4,440704,y\n") == ["outside_area"]
    assert reasons("homes.csv", "id,area\nH2,440704\n") == ["outside_area"]
    assert reasons("homes.csv", "id,area\nH3,440703\n") == ["outside_area"]
    assert reasons("homes.csv", "id,area,address\nH4,4407,y\n") == ["outside_area"]
    assert reasons("people.csv", "id,home,name\nP1,H3,y\n") == ["outside_area"]
    assert reasons("devices.csv", "id,home\nD1,H2\n") == ["outside_area"]
    assert reasons("devices.csv", "id,home\nD0,H2\n") == ["outside_area"]
    assert reasons("devices.csv", "id,kind,home\nD9,button,H2\n") == []
    assert reasons("areas.csv", "code,name\n4407,y\n") == ["outside_area"]
    assert reasons("away.csv", "home,away_from,reason\nH3,2026-01-01,y\n") == ["outside_area"]


def test_a_record_given_by_hand_is_checked_like_a_row() -> None:
    contact = _contact(1, 0)
    with pytest.raises(Refused) as refused:
        one_row(contact)
    assert [(one.column, one.refusal.reason) for one in refused.value.bad] == [("rank", "out_of_range")]
    sheet = one_row(Person(id="P1", home="H1", name="  陈秀英 ", phone="138 0000 0101"))
    assert sheet.rows[0].values["name"] == "陈秀英"
    assert sheet.rows[0].values["phone"] == "+8613800000101"
    naive = one_row(Away(home="H1", away_from=datetime(2026, 1, 1, 8), reason="x"))  # noqa: DTZ001
    assert naive.rows[0].values["away_from"] == datetime(2026, 1, 1, 8, tzinfo=CHINA)
