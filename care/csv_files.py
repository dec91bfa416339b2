"""The register's CSV files: bytes into rows of checked values, and records into bytes. PURE.

A file is taken as spreadsheets in China write it: UTF-8 with or without its mark, or GB18030; column names in English
or Chinese. Everything that is wrong is said at once, by file, line and column.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from care.cells import Value
from care.records import ENTITIES, Column, Entity, Record
from care.refusal import Refusal

FILE_BYTES_LIMIT = 32 * 1024 * 1024
ROWS_LIMIT = 500_000
BAD_ROWS_LIMIT = 1_000
"""More than this is not read by anybody: the file is another file."""

_DANGEROUS = "=+\\-@＝＋－＠\t\r"
_TO_PROTECT = re.compile(f"'*[{_DANGEROUS}]")
_PROTECTED = re.compile(f"'+[{_DANGEROUS}]")


@dataclass(frozen=True, slots=True)
class BadRow:
    """One thing that is wrong. `line` counts from 1, the heading; 0: the file as a whole."""

    file: str
    line: int
    column: str | None
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Row:
    """The values that a row gives; columns that the file lacks are absent. `bad`: something in it was refused."""

    file: str
    line: int
    values: Mapping[str, Value]
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    entity: Entity
    rows: Sequence[Row]


def protect(cell: str) -> str:
    """Keep a spreadsheet from taking `cell` for a formula: an apostrophe before what would start one."""
    return "'" + cell if _TO_PROTECT.match(cell) else cell


def unprotect(cell: str) -> str:
    """What `protect` was given."""
    return cell[1:] if _PROTECTED.match(cell) else cell


def entity_for(file: str) -> Entity | None:
    """Whose file this is, by its name: `homes.csv`, `家庭.csv`; None: none of the register's."""
    stem = unicodedata.normalize("NFC", file.rpartition("/")[2].removesuffix(".csv"))
    return next((entity for entity in ENTITIES.values() if stem in (entity.name, entity.chinese)), None)


def read_files(files: Mapping[str, bytes]) -> tuple[list[Sheet], list[BadRow]]:
    """The sheets of `files` (name → content) in the order they can be written, and all that is wrong in them."""
    sheets: dict[str, Sheet] = {}
    bad: list[BadRow] = []
    for file, content in files.items():
        entity = entity_for(file)
        if entity is None:
            expected = ", ".join(f"{name}.csv" for name in ENTITIES)
            bad.append(BadRow(file, 0, None, Refusal("unknown_file", expected=expected)))
        elif entity.name in sheets:
            bad.append(BadRow(file, 0, None, Refusal("second_file", entity=entity.name)))
        else:
            sheet, wrong = read_sheet(entity, file, content)
            sheets[entity.name] = sheet
            bad += wrong
    if not files:
        bad.append(BadRow("", 0, None, Refusal("no_files")))
    return [sheets[name] for name in ENTITIES if name in sheets], bad


def read_sheet(entity: Entity, file: str, content: bytes) -> tuple[Sheet, list[BadRow]]:
    rows: list[Row] = []
    bad: list[BadRow] = []
    try:
        lines = _lines(_decode(content))
        if not lines:
            raise Refusal("empty_file")
        columns, wrong = _headings(entity, file, lines[0][1])
        bad += wrong
        # Under headings that were misread every row would be wrong.
        for line, cells in [] if wrong else lines[1:]:
            row, refused = _row(columns, file, line, cells)
            rows.append(row)
            bad += refused
        if not wrong:
            bad += _repeated(entity, rows)
    except Refusal as refusal:
        bad.append(BadRow(file, refusal.values.get("line", 0), None, refusal))
    return Sheet(entity, rows), bad


def _decode(content: bytes) -> str:
    if len(content) > FILE_BYTES_LIMIT:
        raise Refusal("file_too_large", limit_mib=FILE_BYTES_LIMIT // 2**20)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Refusal("encoding_utf16")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Refusal("encoding")


def _lines(text: str) -> list[tuple[int, list[str]]]:
    """Each row that is not blank, with the number of the line where it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[tuple[int, list[str]]] = []
    begins = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found.append((begins, cells))
                if len(found) > ROWS_LIMIT:
                    raise Refusal("too_many_rows", limit=ROWS_LIMIT)
            begins = reader.line_num + 1
    except csv.Error as error:
        raise Refusal("broken_csv", line=begins, error=str(error)) from error
    return found


def _word(heading: str) -> str:
    return re.sub(r"[\s_]+", "_", unicodedata.normalize("NFKC", unprotect(heading)).strip().lower())


def _headings(entity: Entity, file: str, cells: Sequence[str]) -> tuple[list[Column | None], list[BadRow]]:
    words = {**{name: column for name, column in entity.columns.items()}}
    words |= {_word(column.chinese): column for column in entity.columns.values()}
    columns: list[Column | None] = []
    bad = []
    for cell in cells:
        column = words.get(_word(cell))
        if cell.strip() and column is None:
            known = ", ".join(f"{name} {column.chinese}" for name, column in entity.columns.items())
            bad.append(BadRow(file, 1, cell.strip()[:80], Refusal("unknown_column", known=known)))
        elif column is not None and column in columns:
            bad.append(BadRow(file, 1, column.name, Refusal("second_column")))
        columns.append(column)
    for name in entity.key:
        if entity.columns[name] not in columns and not bad:
            bad.append(BadRow(file, 1, name, Refusal("missing_column")))
    return columns, bad


def _row(columns: Sequence[Column | None], file: str, line: int, cells: Sequence[str]) -> tuple[Row, list[BadRow]]:
    values: dict[str, Value] = {}
    bad: list[BadRow] = []
    for position, cell in enumerate(cells):
        column = columns[position] if position < len(columns) else None
        if column is None:
            if cell.strip():
                bad.append(BadRow(file, line, None, Refusal("cell_without_column", text=cell.strip()[:80])))
            continue
        try:
            value = read_cell(column, unprotect(cell.strip()))
        except Refusal as refusal:
            bad.append(BadRow(file, line, column.name, refusal))
        else:
            if value is not None or not column.kept_when_empty:
                values[column.name] = value
    # A row that ends early has left its last cells empty.
    for column in columns[len(cells) :]:
        if column is not None and column.required:
            bad.append(BadRow(file, line, column.name, Refusal("required")))
        elif column is not None and not column.kept_when_empty:
            values[column.name] = column.default
    return Row(file, line, values, bool(bad)), bad


def read_cell(column: Column, cell: str) -> Value:
    """The value of a cell; the column's default where it is empty. Refusal."""
    value = column.kind.read(cell) if cell.strip() else ""
    if value != "":
        return value
    if column.required:
        raise Refusal("required")
    return column.default


def write_cell(column: Column, value: Value, language: str = "en") -> str:
    """The text of a value, before it is protected."""
    return "" if value is None else column.kind.write(value, language)


def _repeated(entity: Entity, rows: Iterable[Row]) -> list[BadRow]:
    first: dict[tuple[Value, ...], int] = {}
    bad = []
    for row in rows:
        if not all(name in row.values for name in entity.key):
            continue
        key = tuple(row.values[name] for name in entity.key)
        if key in first:
            bad.append(BadRow(row.file, row.line, entity.key[0], Refusal("repeated", line=first[key])))
        first.setdefault(key, row.line)
    return bad


def write_sheet(entity: Entity, records: Iterable[Record], language: str = "en") -> bytes:
    """The file of `records`. It begins with UTF-8's mark: without it Excel in China takes it for GBK."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    columns = entity.columns.values()
    writer.writerow([column.chinese if language == "zh" else column.name for column in columns])
    for record in records:
        cells = (write_cell(column, getattr(record, column.name), language) for column in columns)
        writer.writerow([protect(cell) for cell in cells])
    return out.getvalue().encode("utf-8-sig")
