"""Files in and out: CSV files (alone, in a folder or a zip) and Excel workbooks, all as the register's tables."""

import asyncio
import io
import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol
from zlib import error as ZlibError

from care import aside, csv_files, register
from care.changes import Refused
from care.records import ENTITIES
from care.refusal import Refusal
from care.registrar import Report, apply
from care.tables import FILE_BYTES_LIMIT, BadRow, Sheet, Table, read_tables, write_table
from care.workbook_reader import is_workbook
from care.workbook_writer import Book
from pingan.database import Connection

FILES_LIMIT = 50
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Upload(Protocol):
    """A file as a web form brings it."""

    filename: str | None

    async def read(self, size: int = -1) -> bytes: ...


def read_source(path: Path) -> dict[str, bytes]:
    """The CSV files of a folder or a zip, or a single file. Refused when it is none of these or cannot be read."""
    try:
        if path.is_dir():
            found = sorted(one for one in path.iterdir() if one.suffix.lower() == ".csv" and one.is_file())
            return {one.name: one.read_bytes() for one in found}
        return unpacked([(path.name, path.read_bytes())])
    except OSError as error:
        refusal = Refusal("unreadable", error=error.strerror)
        raise Refused([BadRow(str(path), 0, None, refusal)]) from error


async def uploaded(uploads: Sequence[Upload]) -> dict[str, bytes]:
    """The files that were uploaded, zips unpacked. Refused: one is too large, or no zip."""
    given: list[tuple[str, bytes]] = []
    for one in uploads:
        if len(given) >= FILES_LIMIT:
            raise Refused([BadRow("", 0, None, Refusal("too_many_files", limit=FILES_LIMIT))])
        if one.filename:
            # One byte beyond what is taken is enough to say so; whoever sends more need not fill our memory.
            given.append((one.filename, await one.read(FILE_BYTES_LIMIT + 1)))
    return await asyncio.to_thread(unpacked, given)


def unpacked(given: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    """Files by their names, zips unpacked; what a file is goes before what it is called."""
    files: dict[str, bytes] = {}
    for name, content in given:
        if len(content) > FILE_BYTES_LIMIT:
            raise Refused([BadRow(name, 0, None, Refusal("file_too_large", limit_mib=FILE_BYTES_LIMIT // 2**20))])
        zipped_csv = content.startswith(b"PK") or name.lower().endswith(".zip")
        found = unzip(content, name) if zipped_csv and not is_workbook(name, content) else {name: content}
        for file, inside in found.items():
            # A second one of the same name must not take the first one's place unseen.
            files[file if file not in files else f"{len(files)}/{file}"] = inside
    return files


def unzip(content: bytes, file: str = "") -> dict[str, bytes]:
    """The CSV files of a zip. Refused when it is no zip, or would unpack to more than it should."""
    files: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.infolist():
                name = Path(entry.filename).name
                # macOS and Windows leave their own small files in a zip.
                if entry.is_dir() or not name.lower().endswith(".csv") or name.startswith((".", "~")):
                    continue
                if entry.filename.startswith("__MACOSX/"):
                    continue
                if len(files) >= FILES_LIMIT:
                    raise Refused([BadRow(file, 0, None, Refusal("too_many_files", limit=FILES_LIMIT))])
                with archive.open(entry) as inside:
                    # What the entry says of its own size is not to be believed.
                    files[entry.filename] = inside.read(FILE_BYTES_LIMIT + 1)
    except (zipfile.BadZipFile, ZlibError, NotImplementedError, RuntimeError, EOFError) as error:
        raise Refused([BadRow(file, 0, None, Refusal("no_zip"))]) from error
    return files


def zipped(files: Mapping[str, bytes], now: datetime) -> bytes:
    """`files` as one zip, their time stamped `now`."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            stamp = (now.year, now.month, now.day, now.hour, now.minute, now.second)
            archive.writestr(zipfile.ZipInfo(name, stamp), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


async def read_sheets(files: Mapping[str, bytes]) -> tuple[list[Sheet], list[BadRow]]:
    """What `files` (name → content, CSV or workbook) say, and all that is wrong in them; for `registrar.apply`.

    It may take a minute and needs no database: to be done before a connection is taken.
    """
    tables: list[Table] = []
    bad: list[BadRow] = []
    if not files:
        bad.append(BadRow("", 0, None, Refusal("no_files")))
    for name, content in files.items():
        # Off the loop: beside a large file, the web process goes on answering.
        if is_workbook(name, content):
            found, wrong = await aside.read(name, content)
        else:
            found, wrong = await asyncio.to_thread(csv_files.read_bytes, {name: content})
        tables += found
        bad += wrong
    sheets, wrong = await asyncio.to_thread(read_tables, tables)
    return sheets, [*bad, *wrong]


async def import_files(
    connection: Connection,
    files: Mapping[str, bytes],
    now: datetime,
    scope: str | None = None,
    *,
    dry_run: bool = False,
) -> Report:
    """Import `files` (name → content) in one transaction. Refused names every bad row; then nothing is written."""
    sheets, bad = await read_sheets(files)
    return await apply(connection, sheets, now, scope, bad=bad, dry_run=dry_run)


async def export_tables(connection: Connection, scope: str | None = None, *, language: str = "en") -> list[Table]:
    """All of the register in `scope`, as it is at one moment."""
    records = await register.whole(connection, scope)

    def written() -> list[Table]:
        return [write_table(entity, records[name], language) for name, entity in ENTITIES.items()]

    return await asyncio.to_thread(written)


async def export_files(connection: Connection, scope: str | None = None, *, language: str = "en") -> dict[str, bytes]:
    """All of the register in `scope` as CSV files, which import back to the same state."""
    return as_files(await export_tables(connection, scope, language=language))


def as_files(tables: Iterable[Table]) -> dict[str, bytes]:
    return {f"{table.name}.csv": csv_files.write(table) for table in tables}


async def packed(
    tables: Sequence[Table], form: Literal["zip", "xlsx"], language: Literal["zh", "en"], now: datetime
) -> bytes:
    """`tables` as one file to hand over. Refused: a workbook of them cannot be made within its limits."""
    if form == "zip":
        return await asyncio.to_thread(lambda: zipped(as_files(tables), now))
    try:
        return await aside.write(Book(tables, language, now))
    except Refusal as refusal:
        raise Refused([BadRow("", 0, None, refusal)]) from refusal


def write_private(path: Path, content: bytes) -> None:
    """A file whole and for our eyes only: a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
