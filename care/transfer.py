"""Files in and out: a folder or a zip of the register's CSV files."""

import asyncio
import io
import os
import zipfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from zlib import error as ZlibError

from care import register
from care.changes import Refused
from care.csv_files import FILE_BYTES_LIMIT, BadRow, read_files, write_sheet
from care.records import ENTITIES
from care.refusal import Refusal
from care.registrar import Report, apply
from pingan.database import Connection

FILES_LIMIT = 50


def read_source(path: Path) -> dict[str, bytes]:
    """The CSV files of a folder, a zip, or a single file. Refused when it is none of these or cannot be read."""
    try:
        if path.is_dir():
            found = sorted(one for one in path.iterdir() if one.suffix.lower() == ".csv" and one.is_file())
            return {one.name: one.read_bytes() for one in found}
        if path.suffix.lower() == ".csv":
            return {path.name: path.read_bytes()}
        return unzip(path.read_bytes())
    except OSError as error:
        refusal = Refusal("unreadable", error=error.strerror)
        raise Refused([BadRow(str(path), 0, None, refusal)]) from error


def unzip(content: bytes) -> dict[str, bytes]:
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
                    raise Refused([BadRow("", 0, None, Refusal("too_many_files", limit=FILES_LIMIT))])
                with archive.open(entry) as file:
                    # What the entry says of its own size is not to be believed.
                    files[entry.filename] = file.read(FILE_BYTES_LIMIT + 1)
    except (zipfile.BadZipFile, ZlibError, NotImplementedError, RuntimeError, EOFError) as error:
        raise Refused([BadRow("", 0, None, Refusal("no_zip"))]) from error
    return files


def zipped(files: Mapping[str, bytes], now: datetime) -> bytes:
    """`files` as one zip, their time stamped `now`."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            stamp = (now.year, now.month, now.day, now.hour, now.minute, now.second)
            archive.writestr(zipfile.ZipInfo(name, stamp), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


async def import_files(
    connection: Connection,
    files: Mapping[str, bytes],
    now: datetime,
    scope: str | None = None,
    *,
    dry_run: bool = False,
) -> Report:
    """Import `files` (name → content) in one transaction. Refused names every bad row; then nothing is written."""
    # Off the loop: beside a large file, the web process goes on answering.
    sheets, bad = await asyncio.to_thread(read_files, files)
    return await apply(connection, sheets, now, scope, bad=bad, dry_run=dry_run)


async def export_files(connection: Connection, scope: str | None = None, *, language: str = "en") -> dict[str, bytes]:
    """All of the register in `scope` as CSV files, which import back to the same state."""
    records = await register.whole(connection, scope)
    return {f"{name}.csv": write_sheet(entity, records[name], language) for name, entity in ENTITIES.items()}


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
