"""The register's tables: what a file holds, into rows of checked values, and records into what a file will hold. PURE.

A format is a reader and a writer of `Table`s (`care.csv_files`, `care.workbook`) and knows nothing of the register's
rules; the columns, their words and every refusal are the same for all. Everything that is wrong is said at once, by
table, line and column.
"""

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
class Typed:
    """A cell that a spreadsheet holds as more than text; `text` shows it to people.

    `dated` is what it says in a column of days or times, `plain` what in any other. None: nothing that could be taken,
    for `refusal`.
    """

    text: str
    plain: str | None
    dated: str | None
    refusal: Refusal | None = None


Cell = str | Typed


@dataclass(frozen=True, slots=True)
class Table:
    """What a file holds: `lines` that are not blank, the heading first, each with its number as people count (from 1).

    `name` ends in the name of an entity in either language: `homes.csv`, `x/家庭.csv`, `register.xlsx/家庭`.
    """

    name: str
    lines: Sequence[tuple[int, Sequence[Cell]]]


@dataclass(frozen=True, slots=True)
class BadRow:
    """One thing that is wrong. `file` names its table; `line` counts from 1, the heading; 0: the file as a whole."""

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


def looks_protected(cell: str) -> bool:
    """Whether `unprotect` would take something from `cell`."""
    return _PROTECTED.match(cell) is not None


def unprotect(cell: str) -> str:
    """What `protect` was given."""
    return cell[1:] if looks_protected(cell) else cell


def entity_for(name: str) -> Entity | None:
    """Whose table this is, by its name: `homes.csv`, `家庭.csv`, `x.xlsx/家庭`; None: none of the register's."""
    stem = unicodedata.normalize("NFKC", name.rpartition("/")[2]).strip().lower().removesuffix(".csv")
    return next((entity for entity in ENTITIES.values() if stem in (entity.name, entity.chinese)), None)


def column_said(bad: BadRow, language: str) -> str | None:
    """The column of `bad` as a reader of `language` knows it."""
    entity = entity_for(bad.file)
    column = entity.columns.get(bad.column or "") if entity is not None else None
    return heading(column, language) if column is not None else bad.column


def read_tables(tables: Iterable[Table]) -> tuple[list[Sheet], list[BadRow]]:
    """The sheets of `tables` in the order they can be written, and all that is wrong in them."""
    sheets: dict[str, Sheet] = {}
    bad: list[BadRow] = []
    for table in tables:
        entity = entity_for(table.name)
        if entity is None:
            expected = ", ".join(f"{name}.csv" for name in ENTITIES)
            bad.append(BadRow(table.name, 0, None, Refusal("unknown_file", expected=expected)))
        elif entity.name in sheets:
            bad.append(BadRow(table.name, 0, None, Refusal("second_file", entity=entity.name)))
        else:
            sheets[entity.name], wrong = read_table(entity, table)
            bad += wrong
    return [sheets[name] for name in ENTITIES if name in sheets], bad


def read_table(entity: Entity, table: Table) -> tuple[Sheet, list[BadRow]]:
    if not table.lines:
        return Sheet(entity, []), [BadRow(table.name, 0, None, Refusal("empty_file"))]
    first, cells = table.lines[0]
    columns, bad = _headings(entity, table.name, first, cells)
    if bad:
        # Under headings that were misread every row would be wrong.
        return Sheet(entity, []), bad
    rows: list[Row] = []
    for line, cells in table.lines[1:]:
        row, refused = _row(columns, table.name, line, cells)
        rows.append(row)
        bad += refused
    return Sheet(entity, rows), bad + _repeated(entity, rows)


def is_blank(cell: Cell) -> bool:
    return isinstance(cell, str) and not cell.strip()


def _shown(cell: Cell) -> str:
    return (cell if isinstance(cell, str) else cell.text).strip()[:80]


def _word(heading: str) -> str:
    return re.sub(r"[\s_]+", "_", unicodedata.normalize("NFKC", unprotect(heading)).strip().lower())


def _headings(entity: Entity, file: str, line: int, cells: Sequence[Cell]) -> tuple[list[Column | None], list[BadRow]]:
    words = {**{name: column for name, column in entity.columns.items()}}
    words |= {_word(column.chinese): column for column in entity.columns.values()}
    columns: list[Column | None] = []
    bad = []
    for cell in cells:
        column = words.get(_word(_shown(cell)))
        if column is None and not is_blank(cell):
            known = ", ".join(f"{name} {column.chinese}" for name, column in entity.columns.items())
            bad.append(BadRow(file, line, _shown(cell), Refusal("unknown_column", known=known)))
        elif column is not None and column in columns:
            bad.append(BadRow(file, line, column.name, Refusal("second_column")))
        columns.append(column)
    for name in entity.key:
        if entity.columns[name] not in columns and not bad:
            bad.append(BadRow(file, line, name, Refusal("missing_column")))
    return columns, bad


def _row(columns: Sequence[Column | None], file: str, line: int, cells: Sequence[Cell]) -> tuple[Row, list[BadRow]]:
    values: dict[str, Value] = {}
    bad: list[BadRow] = []
    for position, cell in enumerate(cells):
        column = columns[position] if position < len(columns) else None
        if column is None:
            if not is_blank(cell):
                bad.append(BadRow(file, line, None, Refusal("cell_without_column", text=_shown(cell))))
            continue
        try:
            value = read_cell(column, unprotect(_text(column, cell).strip()))
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


def _text(column: Column, cell: Cell) -> str:
    """What `cell` says in `column`. Refusal."""
    if isinstance(cell, str):
        return cell
    text = cell.dated if column.kind.form in ("day", "moment") else cell.plain
    if text is None:
        raise cell.refusal or Refusal("required")
    return text


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


def write_table(entity: Entity, records: Iterable[Record], language: str = "en") -> Table:
    """The table of `records` under its English name; its headings and its words are in `language`."""
    columns = entity.columns.values()
    lines: list[tuple[int, Sequence[Cell]]] = [(1, [heading(column, language) for column in columns])]
    for line, record in enumerate(records, 2):
        lines.append((line, [write_cell(column, getattr(record, column.name), language) for column in columns]))
    return Table(entity.name, lines)


def heading(column: Column, language: str) -> str:
    return column.chinese if language == "zh" else column.name
