"""The register's tables into one Excel workbook: a page that explains, and a sheet for each with its rules in it."""

import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Literal

from care.cells import CHINA, Kind, Value
from care.records import ENTITIES, Column, Entity
from care.tables import Table, entity_for, heading, looks_protected
from care.words import say

if TYPE_CHECKING:
    from openpyxl.cell import Cell as ExcelCell
    from openpyxl.worksheet.worksheet import Worksheet

LAST_ROW = 2**20
FIRST_REAL_DAY = date(1906, 1, 1)
"""Days before are written as text: the numbers that stand for 1905 are taken for years when read, and before March 1900
Excel counts a 29 February that never was."""

WIDTHS = {
    "id": 16, "area_code": 16, "password_hash": 16, "phone": 18, "day": 12, "moment": 20, "choice": 12, "number": 12,
    "whole": 8, "text": 20, "story": 40, "zone": 20, "limits": 40, "span": 14, "rota": 40, "address": 24,
}  # fmt: skip
"""Characters (a Chinese one counts for two), by the columns' forms."""

NUMBER_FORMATS = {"day": "yyyy-mm-dd", "moment": "yyyy-mm-dd hh:mm:ss", "number": "General", "whole": "0"}
TEXT = "@"

_TO_ESCAPE = re.compile("_(?=x[0-9A-Fa-f]{4}_)|[\ufffe\uffff]")
"""What XML cannot hold, and what would be taken for it."""


@dataclass(frozen=True, slots=True)
class Book:
    """What is to be written: one table of each entity, and who reads it."""

    tables: Sequence[Table]
    language: Literal["zh", "en"]
    now: datetime


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
        cell.alignment = Alignment(vertical="top", wrap_text=form in ("text", "story", "limits"))
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
    """Days, times and numbers as what they are; but what a spreadsheet cannot hold exactly stays text.

    Consents and absences are known by their times, and an import of what was exported must change nothing.
    """
    value = kind.read(text) if text and kind.form in NUMBER_FORMATS else text or None
    if isinstance(value, datetime):
        local = value.astimezone(CHINA).replace(tzinfo=None)
        value = local if local.microsecond == 0 and local.date() >= FIRST_REAL_DAY else text
    elif isinstance(value, date):
        value = value if value >= FIRST_REAL_DAY else text
    elif isinstance(value, float):
        value = value if float(f"{value:.15g}") == value else text
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
    sheet.append([_written(sheet, say("explain_private", language, at=at))])
    for what in ("rows", "text", "dates", "columns", "import"):
        sheet.append([_written(sheet, say(f"explain_{what}", language))])
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
