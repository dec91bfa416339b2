"""Excel workbooks (.xlsx), a format of the register's tables: bytes into tables, and tables into bytes.

A workbook is a zip of XML that anybody may have made. It is looked through before anything is built from it, and the
platform does both in a process of their own (`care.aside`), with bounded time and memory: this module is that process's
program too. openpyxl is loaded there and nowhere else.
"""

import io
import os
import re
import resource
import sys
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal
from xml.parsers import expat
from zlib import error as ZlibError

import msgspec

from care.cells import CHINA, Kind, Value
from care.records import ENTITIES, Column, Entity
from care.refusal import Refusal
from care.tables import ROWS_LIMIT, BadRow, Cell, Table, Typed, entity_for, heading, is_blank, looks_protected
from care.words import say

if TYPE_CHECKING:
    from openpyxl.cell import Cell as ExcelCell
    from openpyxl.worksheet.worksheet import Worksheet

UNPACKED_BYTES_LIMIT = 512 * 1024 * 1024
PARTS_LIMIT = 1_000
CELLS_LIMIT = 6_000_000
COLUMNS_LIMIT = 100
LAST_ROW = 2**20
"""Excel's own; a row said to be further down would be waited for."""
CHARACTERS_LIMIT = 64 * 1024 * 1024
"""Of all cells together: a few kilobytes of shared text can stand in a million of them."""

SECONDS_LIMIT = 120
MEMORY_BYTES_LIMIT = 1024 * 1024 * 1024
"""Of the process that reads or writes one workbook."""
NICE = 10
"""A press goes before a workbook."""

SUFFIXES = (".xlsx", ".xlsm", ".xltx", ".xltm", ".xlsb", ".xls", ".et")
"""What people call a workbook. All but the first are refused, each with what to do."""

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How the container of old and of encrypted Office files begins."""
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")

EXACT = 10**15
"""A spreadsheet keeps 15 digits of a number; from here on, the last ones are made up."""
SERIAL_DAYS = (10_000, 120_000)
"""Which bare numbers may be days in a column of days: 1927 to 2228. A smaller one is more likely a year."""
FIRST_REAL_DAY = date(1900, 3, 1)
"""Before, Excel counts a 29 February 1900 that never was; such days are written as text."""

_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")
_TO_ESCAPE = re.compile("_(?=x[0-9A-Fa-f]{4}_)|[\ufffe\uffff]")
_WPS_OWN = "wpsreserved"
"""Sheets that WPS keeps for itself."""

WIDTHS = {
    "id": 16, "area_code": 16, "password_hash": 16, "phone": 18, "day": 12, "moment": 20, "choice": 12, "number": 12,
    "whole": 8, "text": 20, "story": 40,
}  # fmt: skip
"""Characters (a Chinese one counts for two), by the columns' forms."""

NUMBER_FORMATS = {"day": "yyyy-mm-dd", "moment": "yyyy-mm-dd hh:mm:ss", "number": "General", "whole": "0"}
TEXT = "@"


@dataclass(frozen=True, slots=True)
class Book:
    """What is to be written: one table of each entity, and who reads it."""

    tables: Sequence[Table]
    language: Literal["zh", "en"]
    now: datetime


def is_workbook(file: str, content: bytes) -> bool:
    """Whether `content` is, or is called, a workbook: what it is goes before what it is called."""
    if content.startswith(OLE):
        return True
    if content.startswith(b"PK"):
        return b"[Content_Types].xml" in content
    return PurePath(file).suffix.lower() in SUFFIXES


# Reading.


def read(file: str, content: bytes) -> tuple[list[Table], list[BadRow]]:
    """The tables of a workbook, named `file/sheet`, and all that is wrong with it."""
    tables: list[Table] = []
    bad: list[BadRow] = []
    try:
        if PurePath(file).suffix.lower() in (".xlsm", ".xltm", ".xlsb"):
            raise Refusal("macros")
        for found in _sheets(file, content):
            if isinstance(found, Table):
                tables.append(found)
            else:
                bad += found
    except Refusal as refusal:
        return [], [BadRow(file, 0, None, refusal)]
    if not tables and not bad:
        bad.append(BadRow(file, 0, None, Refusal("no_sheets", expected=_expected())))
    return tables, bad


def _sheets(file: str, content: bytes) -> Iterator[Table | list[BadRow]]:
    if content.startswith(OLE):
        raise Refusal("encrypted") if _ENCRYPTED in content else Refusal("old_workbook")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            merged = _look_through(archive)
    except (zipfile.BadZipFile, ZlibError, NotImplementedError, EOFError) as error:
        raise Refusal("no_workbook") from error

    from openpyxl import load_workbook

    try:
        book = load_workbook(io.BytesIO(content), read_only=True, keep_links=False)
        left = CHARACTERS_LIMIT
        for sheet in book.worksheets:
            name = f"{file}/{sheet.title}"
            # Its own word for a sheet's part; nothing public leads from a sheet to its merged cells when streaming.
            ranges = merged.get(str(getattr(sheet, "_worksheet_path", "")), [])
            sheet.reset_dimensions()  # what a sheet says of its size is not to be believed
            lines: list[tuple[int, Sequence[Cell]]] = []
            for line, row in enumerate(sheet.iter_rows(), 1):
                cells = [_cell(cell, book.epoch) for cell in row]
                while cells and is_blank(cells[-1]):
                    cells.pop()
                if cells:
                    lines.append((line, cells))
                    left -= sum(len(cell if isinstance(cell, str) else cell.text) for cell in cells)
                if len(lines) > ROWS_LIMIT or left < 0:
                    raise Refusal("workbook_too_large")
            if wrong := _not_ours(sheet.title, sheet.sheet_state, lines):
                yield [BadRow(name, 0, None, wrong)]
            elif ranges and entity_for(sheet.title):
                yield [BadRow(name, _first_row(one), None, Refusal("merged", range=one)) for one in ranges]
            elif lines and entity_for(sheet.title):
                yield Table(name, lines)
    except (Refusal, MemoryError):
        raise
    except Exception as error:
        # A broken file makes the reader stumble anywhere: over a missing part, a number that is none, a bad style …
        raise Refusal("no_workbook") from error


def _not_ours(title: str, state: str, lines: Sequence[object]) -> Refusal | None:
    """Why a sheet cannot be taken. What is empty, our own page of explanation or WPS's own is passed over."""
    name = unicodedata.normalize("NFKC", title).strip().lower()
    if not lines or name in _explanations() or name.startswith(_WPS_OWN):
        return None
    if state != "visible":
        # Whoever sends the file may not know of it; whoever hid it may want it.
        return Refusal("hidden_sheet")
    return None if entity_for(title) else Refusal("unknown_sheet", expected=_expected())


def _explanations() -> set[str]:
    return {say("sheet_explanation", language).lower() for language in ("zh", "en")}


def _expected() -> str:
    return ", ".join(f"{entity.chinese} {name}" for name, entity in ENTITIES.items())


def _first_row(cells: str) -> int:
    found = re.search(r"\d+", cells)
    return int(found[0]) if found else 0


def _look_through(archive: zipfile.ZipFile) -> dict[str, list[str]]:
    """The merged cells of each part. Refusal: something in the archive is dangerous, or more than is ever needed."""
    merged: dict[str, list[str]] = {}
    cells = 0

    def declared(*_: object) -> None:
        # No workbook has a document type. Its entities would unfold in memory, or be fetched from elsewhere.
        raise Refusal("document_type")

    entries = archive.infolist()
    if len(entries) > PARTS_LIMIT or sum(entry.file_size for entry in entries) > UNPACKED_BYTES_LIMIT:
        # zipfile unpacks no more of an entry than it says it has.
        raise Refusal("workbook_too_large")
    for entry in entries:
        if entry.flag_bits & 1:
            raise Refusal("encrypted")
        if entry.filename.lower().endswith("vbaproject.bin"):
            raise Refusal("macros")
        ranges = merged.setdefault(entry.filename, [])

        def begins(name: str, attributes: dict[str, str], ranges: list[str] = ranges) -> None:
            nonlocal cells
            name = name.rpartition(":")[2]
            if name in ("c", "si"):
                cells += 1
                if cells > CELLS_LIMIT or _column(attributes.get("r", "")) > COLUMNS_LIMIT:
                    raise Refusal("workbook_too_large")
            elif name == "row":
                number = attributes.get("r", "1")
                if not (number.isascii() and number.isdigit() and int(number[:8]) <= LAST_ROW):
                    raise Refusal("no_workbook")
            elif name == "mergeCell":
                ranges.append(attributes.get("ref", "")[:40])
            elif "macroEnabled" in attributes.get("ContentType", ""):
                raise Refusal("macros")

        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = declared
        parser.StartElementHandler = begins
        with archive.open(entry) as part:
            try:
                while chunk := part.read(64 * 1024):
                    parser.Parse(chunk, False)
            except expat.ExpatError:
                continue  # a picture, say; if it is needed, the reader will stumble over it
    return merged


def _column(reference: str) -> int:
    """`AB12` → 28."""
    number = 0
    for letter in reference[:4].upper():
        if "A" <= letter <= "Z":
            number = number * 26 + ord(letter) - 64
    return number


def _cell(cell: Any, epoch: datetime) -> Cell:
    value = cell.value
    if value is None:
        return ""
    if cell.data_type == "f":
        text = str(getattr(value, "text", value))[:80]
        return Typed(text, None, None, Refusal("formula", text=text))
    if cell.data_type == "e":
        return Typed(str(value), None, None, Refusal("cell_error", text=str(value)[:80]))
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, (date, time, timedelta)):
        text = _date_text(value)
        return Typed(text, None, text, Refusal("made_date", text=text))
    if isinstance(value, (int, float)):
        return _number(value, str(cell.number_format), epoch)
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), str(value))


def _date_text(value: date | time | timedelta) -> str:
    if isinstance(value, datetime):
        return str(value if value.time() != time.min else value.date())
    return str(value)


def _number(value: int | float, number_format: str, epoch: datetime) -> Cell:
    from openpyxl.utils.datetime import from_excel

    if not isfinite(value) or abs(value) >= EXACT:
        text = f"{value:.14E}"
        return Typed(text, None, None, Refusal("rounded", text=text))
    plain = str(int(value)) if value == int(value) else format(Decimal(repr(value)), "f")
    if re.fullmatch("0+", number_format) and plain.isdigit():
        plain = plain.zfill(len(number_format))  # what people see in the cell
    dated = plain
    if SERIAL_DAYS[0] <= value < SERIAL_DAYS[1]:
        dated = _date_text(from_excel(value, epoch))
    return plain if dated == plain else Typed(plain, plain, dated)


# Writing.


def write(book: Book) -> bytes:
    """The workbook of `book`: a page that explains, and a sheet for each table, with its rules in it."""
    from openpyxl import Workbook

    workbook = Workbook(write_only=True)
    workbook.properties.creator = "Ping An Tong 平安通"
    workbook.properties.created = book.now.astimezone(UTC).replace(tzinfo=None)
    _explain(workbook.create_sheet(say("sheet_explanation", book.language)), book)
    for table in book.tables:
        if (entity := entity_for(table.name)) is None:
            raise ValueError(f"{table.name} is no table of the register")
        title = entity.chinese if book.language == "zh" else entity.name
        _fill(workbook.create_sheet(title), entity, table, book.language)
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


def _fill(sheet: "Worksheet", entity: Entity, table: Table, language: str) -> None:
    from openpyxl.styles import Alignment
    from openpyxl.utils import get_column_letter

    columns = list(entity.columns.values())
    one_for_all = [_written(sheet) for _ in columns]  # appending writes at once, so a column needs one cell
    for place, (column, cell) in enumerate(zip(columns, one_for_all, strict=True), 1):
        form = column.kind.form
        cell.number_format = _number_format(column)
        cell.alignment = Alignment(vertical="top", wrap_text=form in ("text", "story"))
        shape = sheet.column_dimensions[get_column_letter(place)]
        shape.number_format = cell.number_format  # for the rows that people will add
        shape.width = max(WIDTHS[form], _width(heading(column, language)) + 4)
        if column.kind.choices:
            _offer(sheet, column, get_column_letter(place), language)
    last = get_column_letter(len(columns))
    sheet.freeze_panes = "B2"
    sheet.auto_filter.ref = f"A1:{last}{max(len(table.lines), 2)}"
    sheet.append(_heading_cells(sheet, columns, language))
    for _, cells in table.lines[1:]:
        for column, cell, text in zip(columns, one_for_all, cells, strict=True):
            _put(cell, column.kind, str(text))
        sheet.append(one_for_all)


def _number_format(column: Column) -> str:
    """Everything that is not counted or dated is text, also in cells that are empty yet."""
    if column.kind.form == "choice" and all(type(value) is int for value in column.kind.choices):
        return "0"
    return NUMBER_FORMATS.get(column.kind.form, TEXT)


def _put(cell: "ExcelCell", kind: Kind, text: str) -> None:
    value = kind.read(text) if text and kind.form in NUMBER_FORMATS else text or None
    if isinstance(value, datetime):
        # What a date of Excel cannot hold exactly stays text: consents and absences are known by their times.
        local = value.astimezone(CHINA).replace(tzinfo=None)
        value = local if local.microsecond == 0 and local.date() >= FIRST_REAL_DAY else text
    elif isinstance(value, date) and value < FIRST_REAL_DAY:
        value = text
    elif kind.form == "choice" and text.isdigit():
        value = int(text)
    if isinstance(value, str):
        _put_text(cell, value)
    else:
        _put_value(cell, value)


def _put_value(cell: "ExcelCell", value: Value) -> None:
    number_format = cell.number_format
    cell.value = value
    cell.number_format = number_format  # openpyxl gives dates one of its own


def _put_text(cell: "ExcelCell", text: str) -> None:
    """Text as text: never a formula, and read back as it was.

    A text cell is no formula to a spreadsheet, whatever it begins with, so that no apostrophe is put before it; one
    that looks as if a CSV export had put it there gets another, because reading takes one away.
    """
    cell.value = _TO_ESCAPE.sub(lambda found: f"_x{ord(found[0]):04X}_", "'" + text if looks_protected(text) else text)
    cell.data_type = "s"


def _written(sheet: "Worksheet", text: str | None = None) -> "ExcelCell":
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(sheet)
    if text is not None:
        _put_text(cell, text)
    return cell


def _heading_cells(sheet: "Worksheet", columns: Iterable[Column], language: str) -> list["ExcelCell"]:
    """Bold; what must be given is darker."""
    from openpyxl.styles import Alignment, Font, PatternFill

    cells = []
    for column in columns:
        cell = _written(sheet, heading(column, language))
        cell.font = Font(bold=True)
        cell.fill = PatternFill("solid", fgColor="FFBFCBD6" if column.required else "FFE9EEF2")
        cell.alignment = Alignment(vertical="center")
        cell.number_format = TEXT
        cells.append(cell)
    return cells


def _offer(sheet: "Worksheet", column: Column, letter: str, language: str) -> None:
    """A list to choose from, in every row but the heading."""
    from openpyxl.worksheet.datavalidation import DataValidation

    offered = DataValidation(
        type="list",
        formula1='"' + ",".join(_choices(column, language)) + '"',
        allow_blank=not column.required,
        showErrorMessage=True,
        errorTitle=heading(column, language),
        error=say("choose_from_list", language),
    )
    offered.add(f"{letter}2:{letter}{LAST_ROW}")
    sheet.data_validations.append(offered)


def _choices(column: Column, language: str) -> list[str]:
    return [column.kind.write(value, language) for value in column.kind.choices]


def _explain(sheet: "Worksheet", book: Book) -> None:
    """The first page: what the workbook is, how to fill it in, and what each column takes."""
    from openpyxl.styles import Alignment, Font

    language = book.language
    for letter, width in zip("ABCD", (18, 24, 12, 76), strict=True):
        sheet.column_dimensions[letter].width = width
    title = _written(sheet, say("explain_title", language))
    title.font = Font(bold=True, size=16)
    sheet.append([title])
    at = book.now.astimezone(CHINA).strftime("%Y-%m-%d %H:%M")
    for key in (
        "explain_private",
        "explain_rows",
        "explain_text",
        "explain_dates",
        "explain_columns",
        "explain_import",
    ):
        sheet.append([_written(sheet, say(key, language, at=at) if key == "explain_private" else say(key, language))])
    sheet.append([])
    names = [_written(sheet, say(f"explain_{name}", language)) for name in ("sheet", "column", "required", "allowed")]
    for cell in names:
        cell.font = Font(bold=True)
    sheet.append(names)
    for entity in ENTITIES.values():
        title_said = entity.chinese if language == "zh" else entity.name
        for column in entity.columns.values():
            needed = say("explain_needed", language) if column.required else ""
            allowed = say(f"form_{column.kind.form}", language, **column.kind.limits)
            if column.kind.choices:
                allowed += " / ".join(_choices(column, language))
            row = [_written(sheet, text) for text in (title_said, heading(column, language), needed, allowed)]
            row[-1].alignment = Alignment(vertical="top", wrap_text=True)
            sheet.append(row)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


# The program of the process beside.


def encode(value: object) -> bytes:
    return msgspec.msgpack.encode(value, enc_hook=_packed)


def decode(content: bytes, kind: Any) -> Any:
    """ValidationError when it is not of that `kind`."""
    return msgspec.msgpack.decode(content, type=kind, dec_hook=_unpacked)


def _packed(value: object) -> object:
    if isinstance(value, Refusal):
        return [value.reason, value.values]
    raise NotImplementedError


def _unpacked(kind: type, value: Any) -> object:
    if kind is Refusal:
        return Refusal(value[0], **value[1])
    raise NotImplementedError


def main(verb: str) -> int:
    """`read`: a file's name and content on standard input, what `read` gives on standard output. `write`: a Book, its
    bytes."""
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_LIMIT, SECONDS_LIMIT))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_LIMIT, MEMORY_BYTES_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    given = sys.stdin.buffer.read()
    made = encode(read(*decode(given, tuple[str, bytes]))) if verb == "read" else write(decode(given, Book))
    sys.stdout.buffer.write(made)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
