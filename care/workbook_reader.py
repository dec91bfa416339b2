"""Excel workbooks (.xlsx) into the register's tables.

A workbook is a zip of XML that anybody may have made: it is looked through before anything is built from it, and the
platform reads it in a process of its own (`care.aside`), the only place where openpyxl is loaded.
"""

import io
import re
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from pathlib import PurePath
from typing import Any
from xml.parsers import expat
from zlib import error as ZlibError

from care.records import ENTITIES
from care.refusal import Refusal
from care.tables import ROWS_LIMIT, BadRow, Cell, Table, Typed, entity_for, is_blank
from care.words import say

UNPACKED_BYTES_LIMIT = 512 * 1024 * 1024
PARTS_LIMIT = 1_000
CELLS_LIMIT = 6_000_000
COLUMNS_LIMIT = 100
LAST_ROW = 2**20
"""Excel's own; a row said to be further down would be waited for."""
CHARACTERS_LIMIT = 64 * 1024 * 1024
"""Of all cells together: a few kilobytes of shared text can stand in a million of them."""

SUFFIXES = (".xlsx", ".xlsm", ".xltx", ".xltm", ".xlsb", ".xls", ".et")
"""What people call a workbook. Most are refused, each with what to do."""
WITH_MACROS = (".xlsm", ".xltm", ".xlsb")

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How the container of old and of encrypted Office files begins."""
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")

EXACT = 10**15
"""A spreadsheet keeps 15 digits of a number; from here on, the last ones are made up."""
SERIAL_DAYS = (10_000, 120_000)
"""Which bare numbers may be days in a column of days: 1927 to 2228. A smaller one is more likely a year."""
YEARS = range(1880, 2101)
"""A date cell that holds one of these numbers was given a year alone, and shows a day of 1905."""

_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
"""How a workbook writes a character that XML cannot hold."""
_WPS_OWN = "wpsreserved"
"""Sheets that WPS keeps for itself."""


def is_workbook(file: str, content: bytes) -> bool:
    """Whether `content` is, or is called, a workbook: what it is goes before what it is called."""
    if content.startswith(OLE):
        return True
    if content.startswith(b"PK"):
        return b"[Content_Types].xml" in content
    return PurePath(file).suffix.lower() in SUFFIXES


def read(file: str, content: bytes) -> tuple[list[Table], list[BadRow]]:
    """The tables of a workbook, named `file/sheet`, and all that is wrong with it."""
    tables: list[Table] = []
    bad: list[BadRow] = []
    try:
        if PurePath(file).suffix.lower() in WITH_MACROS:
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
    cells = column = 0

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
            nonlocal cells, column
            name = name.rpartition(":")[2]
            if name in ("c", "si"):
                cells += 1
                column = _column(attributes.get("r", "")) or column + (name == "c")
                if cells > CELLS_LIMIT or column > COLUMNS_LIMIT:
                    raise Refusal("workbook_too_large")
            elif name == "row":
                column = 0
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
        if isinstance(value, datetime) and (year := (value - epoch).days) in YEARS:
            return Typed(text, None, None, Refusal("year_alone", year=year, text=text))
        return Typed(text, None, text, Refusal("made_date", text=text))
    if isinstance(value, (int, float)):
        return _number(value, str(cell.number_format), epoch)
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), str(value))


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
