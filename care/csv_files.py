"""CSV files, a format of the register's tables: bytes into a table, and a table into bytes. PURE.

A file is taken as spreadsheets in China write it: UTF-8 with or without its mark, or GB18030.
"""

import csv
import io
from collections.abc import Mapping, Sequence

from care.refusal import Refusal
from care.tables import FILE_BYTES_LIMIT, ROWS_LIMIT, BadRow, Cell, Sheet, Table, protect, read_tables


def read_files(files: Mapping[str, bytes]) -> tuple[list[Sheet], list[BadRow]]:
    """The sheets of `files` (name → content) in the order they can be written, and all that is wrong in them."""
    tables, unread = read_bytes(files)
    sheets, bad = read_tables(tables)
    return sheets, [*unread, *bad]


def read_bytes(files: Mapping[str, bytes]) -> tuple[list[Table], list[BadRow]]:
    """The tables of `files`, and those that are none."""
    tables: list[Table] = []
    bad: list[BadRow] = []
    for file, content in files.items():
        try:
            tables.append(Table(file, _lines(_decode(content))))
        except Refusal as refusal:
            bad.append(BadRow(file, refusal.values.get("line", 0), None, refusal))
    return tables, bad


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


def _lines(text: str) -> list[tuple[int, Sequence[Cell]]]:
    """Each row that is not blank, with the number of the line where it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[tuple[int, Sequence[Cell]]] = []
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


def write(table: Table) -> bytes:
    """The file of `table`. It begins with UTF-8's mark: without it Excel in China takes it for GBK."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    for _, cells in table.lines:
        writer.writerow([protect(str(cell)) for cell in cells])
    return out.getvalue().encode("utf-8-sig")
