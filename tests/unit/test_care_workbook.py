"""The register's workbook: what we write reads back as it was, and whatever a file does is said in words."""

import asyncio
import io
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from care import aside, csv_files
from care.cells import CHINA
from care.records import CONTACTS, ENTITIES, PEOPLE, Person
from care.sample import FOLDER
from care.tables import BadRow, Row, Table, column_said, read_tables, write_table
from care.transfer import read_source
from care.words import explain
from care.workbook_reader import OLE, is_workbook, read
from care.workbook_writer import Book, write
from tests.records import RECORDS

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
PERSON = {"人员编号": "P1", "家庭编号": "H1", "姓名": "陈秀英"}


def _written(tables: list[Table], language: Any = "zh") -> bytes:
    return write(Book(tables, language, NOW))


def _read(content: bytes, file: str = "r.xlsx") -> tuple[dict[str, list[Row]], list[tuple[str, int, str | None, str]]]:
    """Rows by entity; what is wrong as table, line, column and reason."""
    tables, unread = read(file, content)
    sheets, bad = read_tables(tables)
    wrong = [(one.file, one.line, one.column, one.refusal.reason) for one in [*unread, *bad]]
    return {sheet.entity.name: list(sheet.rows) for sheet in sheets}, wrong


def _reasons(content: bytes, file: str = "r.xlsx") -> list[str]:
    return [reason for _, _, _, reason in _read(content, file)[1]]


def _saved(workbook: Workbook) -> bytes:
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


def _made(rows: list[list[Any]], title: str = "服务对象", change: Callable[[Any], object] = id) -> bytes:
    """A workbook as somebody might have made it: one sheet; `change` may do something more to it."""
    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.title = title
    for row in rows:
        sheet.append(row)
    change(sheet)
    return _saved(workbook)


def _person(column: str, value: Any, change: Callable[[Any], object] = id) -> bytes:
    """A workbook of one person, with `value` in one more column."""
    given = {**PERSON, column: value}
    return _made([list(given), list(given.values())], change=change)


Change = Callable[[bytes], bytes]


def _repacked(content: bytes, parts: Mapping[str, Change], added: Mapping[str, bytes] | None = None) -> bytes:
    """The same archive with some of its parts changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, parts.get(name, bytes)(old.read(name)))
        for name, part in (added or {}).items():
            new.writestr(name, part)
    return out.getvalue()


def _shared(content: bytes) -> bytes:
    """The same workbook with its text in a table of its own, as Excel and WPS save it."""
    strings: list[str] = []

    def share(found: re.Match[str]) -> str:
        strings.append(found[2])
        return f'<c r="{found[1]}" t="s"><v>{len(strings) - 1}</v></c>'

    def change(part: bytes) -> bytes:
        return re.sub(r'<c r="(\w+)" t="inlineStr"><is>(.*?)</is></c>', share, part.decode()).encode()

    def typed(part: bytes) -> bytes:
        main = "application/vnd.openxmlformats-officedocument.spreadsheetml"
        one = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{main}.sharedStrings+xml"/></Types>'
        return part.replace(b"</Types>", one.encode())

    changed = _repacked(content, {"xl/worksheets/sheet1.xml": change, "[Content_Types].xml": typed})
    listed = "".join(f"<si>{text}</si>" for text in strings)
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return _repacked(changed, {}, {"xl/sharedStrings.xml": f'<sst xmlns="{space}">{listed}</sst>'.encode()})


@pytest.mark.parametrize("name", list(ENTITIES))
@pytest.mark.parametrize("language", ["en", "zh"])
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_what_is_exported_imports_back_as_it_was_and_as_csv_does(name: str, language: str, data: st.DataObject) -> None:
    entity = ENTITIES[name]
    records = data.draw(st.lists(RECORDS[name], min_size=1, max_size=5, unique_by=entity.key_of))
    table = write_table(entity, records, language)
    rows, bad = _read(_written([table], language))
    assert bad == []
    assert [entity.record(**row.values) for row in rows[name]] == records
    [sheet], _ = csv_files.read_files({f"{name}.csv": csv_files.write(table)})
    assert [row.values for row in sheet.rows] == [row.values for row in rows[name]]


@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_no_cell_of_an_export_is_a_formula(data: st.DataObject) -> None:
    tables = [write_table(entity, data.draw(st.lists(RECORDS[name], max_size=2))) for name, entity in ENTITIES.items()]
    for sheet in load_workbook(io.BytesIO(_written(tables))).worksheets:
        assert not [cell.coordinate for row in sheet.iter_rows() for cell in row if cell.data_type in "fe"]


def _sample(language: str) -> list[Table]:
    sheets, bad = csv_files.read_files(read_source(FOLDER))
    assert bad == []
    return [
        write_table(sheet.entity, [sheet.entity.record(**row.values) for row in sheet.rows], language)
        for sheet in sheets
    ]


def test_the_workbook_is_ready_to_be_filled_in() -> None:
    workbook = load_workbook(io.BytesIO(_written(_sample("zh"))))
    assert workbook.sheetnames == ["说明", *(entity.chinese for entity in ENTITIES.values())]
    contacts = workbook["联系人"]
    assert (contacts.freeze_panes, contacts.auto_filter.ref) == ("B2", "A1:M48")
    assert [cell.value for cell in contacts[1]] == [column.chinese for column in CONTACTS.columns.values()]
    phone = contacts["G2"]
    assert (phone.value, phone.data_type, phone.number_format) == ("+8613800000101", "s", "@")
    assert contacts.column_dimensions["G"].number_format == "@"
    assert contacts.column_dimensions["G"].width >= len(phone.value)
    offered = {str(one.sqref): one.formula1 for one in contacts.data_validations.dataValidation}
    assert offered["F2:F1048576"] == '"家属,邻居,朋友,物业,护理员"'
    assert offered["I2:I1048576"] == '"是,否"'
    born = workbook["服务对象"]["D2"]
    assert (born.value, born.is_date, born.number_format) == (datetime(1941, 3, 8), True, "yyyy-mm-dd")  # noqa: DTZ001
    given = workbook["同意书"]["C2"]
    assert (given.value, given.number_format) == (datetime(2026, 2, 2, 9), "yyyy-mm-dd hh:mm:ss")  # noqa: DTZ001
    explained = [[cell.value for cell in row] for row in workbook["说明"].iter_rows()]
    assert ["联系人", "角色", "是", "选一：家属 / 邻居 / 朋友 / 物业 / 护理员"] in explained


def test_a_list_to_choose_from_is_no_longer_than_a_spreadsheet_takes() -> None:
    for language in ("zh", "en"):
        for sheet in load_workbook(io.BytesIO(_written(_sample(language), language))).worksheets:
            assert all(len(one.formula1) <= 255 for one in sheet.data_validations.dataValidation)


@pytest.mark.parametrize(
    ("column", "value", "number_format", "taken"),
    [
        ("电话", 13800000101, "General", "+8613800000101"),
        ("电话", 13800000101.0, "0.00E+00", "+8613800000101"),
        ("电话", "１３８ ００００ ０１０１", "@", "+8613800000101"),
        ("电话", "'+8613800000101", "@", "+8613800000101"),
        ("家庭编号", 12, "00000", "00012"),
        ("家庭编号", 12, "General", "12"),
        ("备注", 3.5, "General", "3.5"),
        ("备注", 0.00001, "General", "0.00001"),
        ("备注", "甲_x000D_\n乙", "General", "甲\n乙"),
        ("出生日期", datetime(1941, 3, 8), "yyyy-mm-dd", date(1941, 3, 8)),  # noqa: DTZ001
        ("出生日期", "１９４１年３月８日", "General", date(1941, 3, 8)),
        ("出生日期", 15043, "General", date(1941, 3, 8)),
        ("性别", "女", "General", "female"),
    ],
)
def test_cells_as_people_type_them(column: str, value: Any, number_format: str, taken: Any) -> None:
    def change(sheet: Any) -> None:
        place = list({**PERSON, column: value}).index(column) + 1
        sheet.cell(2, place).number_format = number_format

    rows, bad = _read(_person(column, value, change))
    assert bad == []
    name = next(name for name, one in PEOPLE.columns.items() if one.chinese == column)
    assert rows["people"][0].values[name] == taken


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("电话", 1380000010112345, "rounded"),
        ("电话", 1.38000001011234e17, "rounded"),
        ("电话", "1.38E+10", "phone_rounded"),
        ("电话", 7503123456, "phone_length"),
        ("备注", 10**15, "rounded"),
        ("备注", "=1+1", "formula"),
        ("姓名", "=HYPERLINK(A1)", "formula"),
        ("备注", "#N/A", "cell_error"),
        ("家庭编号", date(2026, 3, 1), "made_date"),
        ("备注", time(8, 30), "made_date"),
        ("出生日期", 1941, "no_date"),
        ("出生日期", 19410308, "no_date"),
        ("出生日期", datetime(1941, 3, 8, 9, 30), "no_date"),  # noqa: DTZ001
        ("出生日期", time(8, 30), "no_date"),
        ("姓名", True, None),
        ("性别", "unknown", "not_one_of"),
    ],
)
def test_cells_that_cannot_be_taken(column: str, value: Any, reason: str | None) -> None:
    name = next(name for name, one in PEOPLE.columns.items() if one.chinese == column)
    assert _read(_person(column, value))[1] == ([("r.xlsx/服务对象", 2, name, reason)] if reason else [])


@pytest.mark.parametrize("epoch_1904", [False, True])
@pytest.mark.parametrize("bare", [False, True])
def test_days_and_times_of_both_calendars(epoch_1904: bool, bare: bool) -> None:
    workbook = Workbook()
    if epoch_1904:
        workbook.epoch = CALENDAR_MAC_1904
    sheet = workbook.active
    assert sheet is not None
    sheet.title = "Consents"
    sheet.append(["person", "kind", "given_at"])
    sheet.append(["P1", "emergency", datetime(2026, 3, 1, 8, 30)])  # noqa: DTZ001
    if bare:
        sheet["C2"].number_format = "General"
    rows, bad = _read(_saved(workbook))
    assert bad == []
    assert rows["consents"][0].values["given_at"] == datetime(2026, 3, 1, 8, 30, tzinfo=CHINA)


def test_text_as_excel_and_wps_save_it() -> None:
    rich = "<r><t>陈</t></r><r><rPr><b/></rPr><t>秀英</t></r><rPh sb='0' eb='1'><t>chen</t></rPh>"
    content = _repacked(
        _shared(_person("备注", "x")),
        {"xl/sharedStrings.xml": lambda part: part.replace("<t>陈秀英</t>".encode(), rich.encode())},
    )
    rows, bad = _read(content)
    assert bad == []
    assert rows["people"][0].values == {"id": "P1", "home": "H1", "name": "陈秀英", "note": "x"}


def test_a_year_alone_is_no_day() -> None:
    """The cell is a date already, so a spreadsheet makes 24 April 1905 of 1941."""

    def change(sheet: Any) -> None:
        sheet["D2"].number_format = "yyyy-mm-dd"

    assert _read(_person("出生日期", 1941, change))[1] == [("r.xlsx/服务对象", 2, "born_on", "year_alone")]
    person = Person(id="P1", home="H1", name="x", born_on=date(1905, 4, 24))
    rows, bad = _read(_written([write_table(PEOPLE, [person])]))
    assert (rows["people"][0].values["born_on"], bad) == (date(1905, 4, 24), [])


def test_every_bad_row_is_named_by_sheet_line_and_reason() -> None:
    content = _made([[*PERSON, "电话"], ["P1", "H1", "陈", "110"], [], ["P 2", "H1", None, ""], ["P1", "H1", "陈", ""]])
    tables, _ = read("登记册.xlsx", content)
    _, bad = read_tables(tables)
    said = [(one.file, one.line, column_said(one, "zh"), explain(one.refusal, "zh")) for one in bad]
    assert said == [
        ("登记册.xlsx/服务对象", 2, "电话", "“110” 太短；紧急和服务号码不能作为个人号码"),
        ("登记册.xlsx/服务对象", 4, "人员编号", "“P 2” 不是编号：只能用字母、数字、- 和 _"),
        ("登记册.xlsx/服务对象", 4, "姓名", "不能为空"),
        ("登记册.xlsx/服务对象", 5, "人员编号", "与第 2 行重复"),
    ]
    assert column_said(bad[0], "en") == "phone"


def test_rows_of_nothing_are_passed_over() -> None:
    def blank(sheet: Any) -> None:
        for row in (3, 4, 900):
            sheet.cell(row, 1).number_format = "@"
            sheet.cell(row, 2, "  ")

    rows, bad = _read(_person("备注", None, blank))
    assert bad == []
    assert len(rows["people"]) == 1


def test_merged_cells_are_named_each() -> None:
    rows = [list(PERSON), ["P1", "H1", "陈"], ["P2", None, "黄"]]
    content = _made(rows, change=lambda sheet: sheet.merge_cells("B2:B3"))
    assert _read(content) == ({}, [("r.xlsx/服务对象", 2, None, "merged")])


def test_sheets_that_are_none_of_ours() -> None:
    def more(sheet: Any) -> None:
        book = sheet.parent
        book.create_sheet("Sheet1")
        book.create_sheet("说明")["A1"] = "whatever"
        book.create_sheet("WpsReserved_CellImgList")["A1"] = "x"
        book.create_sheet("People (2)")["A1"] = "id"
        hidden = book.create_sheet("家庭")
        hidden.sheet_state = "hidden"
        hidden["A1"] = "id"

    rows, bad = _read(_person("备注", None, more))
    assert len(rows["people"]) == 1
    assert bad == [
        ("r.xlsx/People (2)", 0, None, "unknown_sheet"),
        ("r.xlsx/家庭", 0, None, "hidden_sheet"),
    ]
    assert _reasons(_saved(Workbook())) == ["no_sheets"]
    assert _reasons(_made([["a"]], title="人员")) == ["unknown_sheet"]
    assert _reasons(_made([list(PERSON), [1]], title=" PEOPLE ")) == ["required", "required"]


def test_what_is_no_workbook_or_may_not_be_one() -> None:
    fine = _person("备注", None)
    types = {"[Content_Types].xml": lambda part: part.replace(b"sheet.main+xml", b"sheet.macroEnabled.main+xml")}
    locked = bytearray(fine)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = locked.find(signature)
        locked[at + offset] |= 1
    assert _reasons(fine) == []
    assert _reasons(fine, "r.xlsm") == ["macros"]
    assert _reasons(_repacked(fine, types)) == ["macros"]
    assert _reasons(_repacked(fine, {}, {"xl/vbaProject.bin": b"x"})) == ["macros"]
    assert _reasons(OLE + b"\0" * 512) == ["old_workbook"]
    assert _reasons(OLE + b"\0" * 512 + "EncryptedPackage".encode("utf-16-le")) == ["encrypted"]
    assert _reasons(bytes(locked)) == ["encrypted"]
    for content in (b"", b"id,home\n", b"PK\x03\x04 [Content_Types].xml", fine[: len(fine) // 2]):
        assert _reasons(content) == ["no_workbook"]
    assert is_workbook("homes.csv", fine)
    assert is_workbook("r.xlsx", b"id,home\n")
    assert is_workbook("homes.csv", OLE)
    assert not is_workbook("homes.csv", b"id,home\n")
    assert not is_workbook("x.zip", _repacked(fine, {})[:0] + b"PK\x05\x06" + b"\0" * 18)


SECRET = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
BOMB = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'


def _declared(declaration: bytes) -> Callable[[bytes], bytes]:
    def change(part: bytes) -> bytes:
        part = part.replace("陈秀英".encode(), b"&a;")
        if part.startswith(b"<?xml"):
            part = part.partition(b"?>")[2]
        return declaration + part

    return change


@pytest.mark.parametrize("declaration", [SECRET, BOMB])
@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml", "_rels/.rels"])
def test_no_entity_is_unfolded_and_none_is_fetched(part: str, declaration: bytes) -> None:
    fine = _shared(_person("备注", None))
    assert _reasons(_repacked(fine, {part: _declared(declaration)})) == ["document_type"]
    wide = _repacked(fine, {part: lambda one: _declared(declaration)(one).decode().encode("utf-16")})
    assert _reasons(wide) == ["document_type"]


def _sheet(cells: str) -> Callable[[bytes], bytes]:
    def change(part: bytes) -> bytes:
        head, _, rest = part.partition(b"<sheetData>")
        return head + b"<sheetData>" + cells.encode() + b"</sheetData>" + rest.partition(b"</sheetData>")[2]

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_sheet('<row r="2000000"><c r="A2000000"><v>1</v></c></row>'), "no_workbook"),
        (_sheet('<row r="1"><c r="XFD1"><v>1</v></c></row>'), "workbook_too_large"),
        (_sheet(f'<row r="1">{"<c/>" * 101}</row>'), "workbook_too_large"),
        (_sheet('<row r="1"><c r="A1" t="s"><v>99999</v></c></row>'), "no_workbook"),
        (_sheet('<row r="1"><c r="A1"><v>1e999</v></c></row>'), "unknown_column"),
        (_sheet(f'<row r="1"><c r="A1"><v>{"9" * 5000}</v></c></row>'), "no_workbook"),
        (lambda part: part[: len(part) // 2], "no_workbook"),
    ],
)
def test_sheets_that_lie(change: Callable[[bytes], bytes], reason: str) -> None:
    fine = _person("备注", None)
    found = _reasons(_repacked(fine, {"xl/worksheets/sheet1.xml": change}))
    assert found[:1] == [reason]


def test_a_sheet_that_says_it_is_huge_costs_nothing() -> None:
    def huge(part: bytes) -> bytes:
        head, _, rest = part.partition(b'<dimension ref="')
        return head + b'<dimension ref="A1:XFD1048576"' + rest.partition(b'"')[2]

    rows, bad = _read(_repacked(_person("备注", None), {"xl/worksheets/sheet1.xml": huge}))
    assert bad == []
    assert len(rows["people"]) == 1


def test_a_little_text_many_times_is_too_much() -> None:
    rows = [list(PERSON), *([["x" * 32_000] * 30] * 80)]
    assert _reasons(_made(rows)) == ["workbook_too_large"]


def test_a_zip_that_would_fill_the_memory_is_not_unpacked() -> None:
    fine = _person("备注", None)
    out = io.BytesIO(fine)
    with (
        zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("xl/media/zeros.bin", "w") as part,
    ):
        for _ in range(513):
            part.write(bytes(2**20))
    assert _reasons(out.getvalue()) == ["workbook_too_large"]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_damaged_workbook_is_read_or_refused(data: st.DataObject) -> None:
    parts = ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml", "xl/sharedStrings.xml", "_rels/.rels"]
    part = data.draw(st.sampled_from([*parts, "[Content_Types].xml"]))

    def damage(content: bytes) -> bytes:
        at, length = data.draw(st.integers(0, len(content))), data.draw(st.integers(0, 40))
        return content[:at] + data.draw(st.binary(max_size=10)) + content[at + length :]

    read("r.xlsx", _repacked(FINE, {part: damage}))


FINE = _shared(_person("备注", "x"))


async def test_the_process_beside_gives_what_the_reader_gives() -> None:
    for language in ("zh", "en"):
        tables = _sample(language)
        content = await aside.write(Book(tables, language, NOW))  # type: ignore[arg-type]
        found, bad = await aside.read("r.xlsx", content)
        assert bad == []
        given, _ = csv_files.read_files({f"{table.name}.csv": csv_files.write(table) for table in tables})
        assert [[row.values for row in sheet.rows] for sheet in read_tables(found)[0]] == [
            [row.values for row in sheet.rows] for sheet in given
        ]
    _, [bad_row] = await aside.read("r.xlsx", _person("备注", "=1+1")[:100])
    assert isinstance(bad_row, BadRow)
    assert bad_row.refusal.reason == "no_workbook"
    [table], _ = await aside.read("r.xlsx", _person("备注", "=1+1"))
    assert [one.refusal.values["text"] for one in read_tables([table])[1]] == ["=1+1"]


async def test_what_takes_more_memory_than_there_may_be_is_refused() -> None:
    space = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    with zipfile.ZipFile(io.BytesIO(FINE)) as old:
        parts = {name: old.read(name) for name in old.namelist() if name != "xl/sharedStrings.xml"}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
        with archive.open("xl/sharedStrings.xml", "w") as strings:
            strings.write(b'<sst xmlns="' + space + b'"><si><t>')
            for _ in range(500):
                strings.write(b"x" * 2**20)
            strings.write(b"</t></si></sst>")
    found, [bad] = await aside.read("r.xlsx", out.getvalue())
    assert (found, bad.line, bad.refusal.reason) == ([], 0, "workbook_too_heavy")


async def test_others_are_served_while_a_workbook_is_read() -> None:
    reading = asyncio.create_task(aside.read("r.xlsx", FINE))
    served = 0
    while not reading.done():
        await asyncio.sleep(0)
        served += 1
    tables, bad = await reading
    assert (len(tables), bad) == (1, [])
    assert served > 100


def test_the_platform_does_not_carry_the_library() -> None:
    code = "import sys, care.api, care.commands, dashboards.console.app; sys.exit('openpyxl' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
