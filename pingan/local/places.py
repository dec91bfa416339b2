"""Where things lie: the data folder, its secrets, and a place which a program that isn't us can reach.

PostgreSQL refuses to run as root and Mosquitto gives root up, so their files belong to other users. Such a user cannot
pass through a folder that only we may enter (0700). We never open a folder which isn't ours to open: what they need is
then kept below /var/lib/pingan, and a note in the data folder says where.
"""

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from .processes import Owner, working_in

SHARED = Path("/var/lib/pingan")
NOTE = "kept-elsewhere.json"
SOCKET_FOLDER_LIMIT = 90
"""Bytes. A socket's whole path must fit into 107; PostgreSQL adds `/.s.PGSQL.5432`."""


class PlaceError(Exception):
    """A folder isn't usable. The text says which and what to do."""


def data_folder(environ: dict[str, str] | None = None) -> Path:
    """PINGAN_DATA, or the usual place: below /var/lib for root, below the home folder for others."""
    environ = dict(os.environ) if environ is None else environ
    if environ.get("PINGAN_DATA"):
        return Path(environ["PINGAN_DATA"]).absolute()
    if os.geteuid() == 0:
        return SHARED / "data"
    return Path.home() / ".local/share/pingan"


def make_data_folder(data: Path) -> None:
    """Make it and its usual sub-folders. One that is there keeps the permissions it has."""
    try:
        if not data.exists():
            data.parent.mkdir(parents=True, exist_ok=True)
            # As root, others may pass through (PostgreSQL's user must) but not look.
            data.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700)
        for name in ("log", "run", "secrets"):
            (data / name).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise PlaceError(f"{error.filename} cannot be made: {error.strerror}") from error


def write_private(path: Path, text: str, owner: Owner | None = None, *, durable: bool = False) -> None:
    """Replace a file whole: a reader sees the old text or the new one. Only its owner may read it.

    `durable`: on disk before this returns; for what cannot be made again.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    if owner:
        owner.give(beside)
    beside.rename(path)
    if durable:
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def read_json(path: Path) -> dict[str, Any]:
    """An object from a file of ours; empty when there is none, or when it's torn."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class Secrets:
    """Generated once, kept in `secrets/`, one file each, readable by us alone."""

    def __init__(self, data: Path) -> None:
        self._folder = data / "secrets"

    @classmethod
    def within(cls, folder: Path) -> "Secrets":
        """Those of a folder of somebody else's making, such as /run/secrets."""
        secrets = cls(folder)
        secrets._folder = folder
        return secrets

    def file(self, name: str, *, prefix: str = "", hexadecimal_bytes: int = 24) -> Path:
        """The file of the secret `name`, made now if it isn't there."""
        path = self._folder / name
        if not path.exists():
            write_private(path, prefix + secrets.token_hex(hexadecimal_bytes), durable=True)
        return path

    def text(self, name: str, *, prefix: str = "", hexadecimal_bytes: int = 24) -> str:
        path = self.file(name, prefix=prefix, hexadecimal_bytes=hexadecimal_bytes)
        return path.read_text(encoding="utf-8").strip()


def reachable(path: Path, owner: Owner) -> bool:
    """Whether `owner` may enter (or execute) `path`. Tried, not computed: ACLs and odd file systems count too."""
    # The file system refuses a change of folder as well, so the check starts from the root.
    tried = subprocess.run(["test", "-x", str(path)], cwd="/", check=False, **owner.arguments)
    return tried.returncode == 0


def place_for(data: Path, part: str, owner: Owner) -> Path:
    """The folder for `part` of this installation, which belongs to `owner`; made if need be. May lie outside `data`."""
    noted = read_json(data / NOTE).get("folder")
    if noted is None and reachable(data, owner):
        return _own(data / part, owner)
    kept = Path(noted) if noted else SHARED / "kept" / secrets.token_hex(6)
    belongs_to = kept / "belongs-to"
    if not noted:
        _sweep()
        SHARED.mkdir(mode=0o755, exist_ok=True)
        kept.parent.mkdir(mode=0o711, exist_ok=True)
        kept.mkdir(mode=0o711)
        belongs_to.write_text(f"{data}\n", encoding="utf-8")
        note = {
            "folder": str(kept),
            "why": "The database's and the broker's users may not pass through a folder above this one. "
            "Their files are kept there; back up and delete both together.",
        }
        write_private(data / NOTE, json.dumps(note, indent=2) + "\n", durable=True)
    try:
        whose = belongs_to.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise PlaceError(f"{data / NOTE} says that the database is in {kept}, which is not there any more.") from error
    if whose != str(data):
        # A copied data folder must not open the original's database beside it.
        raise PlaceError(
            f"{data} was moved or copied from {whose}, whose database is in {kept}. "
            f"If it was moved, write the new path into {belongs_to}."
        )
    return _own(kept / part, owner)


def lies_in(data: Path, part: str) -> Path:
    """Where `part` of this installation lies, once `place_for` has made it a place."""
    return Path(read_json(data / NOTE).get("folder") or data) / part


def remove_kept(data: Path) -> None:
    """Delete what is kept elsewhere for this data folder; the folder itself is the caller's to delete."""
    kept = Path(read_json(data / NOTE).get("folder") or "")
    with contextlib.suppress(OSError):
        if (kept / "belongs-to").read_text(encoding="utf-8").strip() == str(data):
            shutil.rmtree(kept)


def _sweep() -> None:
    """Delete what was kept for data folders in the temporary folder that are gone: tests that were cut short.

    Nothing else is ever deleted by itself: a data folder may be on a disk that's merely not mounted.
    """
    temporary = Path(tempfile.gettempdir()).resolve()
    for folder, data in kept_without_owner():
        if temporary in Path(data).resolve().parents and not working_in(folder / "postgres", "postgres"):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(_socket_path(Path(data)), ignore_errors=True)


def kept_without_owner() -> list[tuple[Path, str]]:
    """The folders kept elsewhere whose data folder is gone, with the path that it had."""
    found = []
    for belongs_to in (SHARED / "kept").glob("*/belongs-to"):
        with contextlib.suppress(OSError):
            data = belongs_to.read_text(encoding="utf-8").strip()
            if not Path(data).exists():
                found.append((belongs_to.parent, data))
    return found


def _own(folder: Path, owner: Owner) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    owner.give(folder)
    return folder


def _socket_path(data: Path) -> Path:
    name = "pingan-" + hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:12]
    if os.geteuid() == 0:
        return Path("/run" if os.access("/run", os.W_OK) else "/tmp") / name  # noqa: S108 - see socket_folder
    if len(os.fsencode(data / "socket")) <= SOCKET_FOLDER_LIMIT:
        return data / "socket"
    return Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp") / name  # noqa: S108 - see socket_folder


def socket_folder(data: Path, owner: Owner) -> Path:
    """A short, private folder for the database's socket, which belongs to `owner`."""
    folder = _socket_path(data)
    folder.mkdir(mode=0o700, exist_ok=True)
    # In /tmp a stranger could have been there first.
    if folder.is_symlink() or folder.stat().st_uid not in (os.geteuid(), owner.uid):
        raise PlaceError(f"{folder} belongs to somebody else. Remove it.")
    folder.chmod(0o700)
    owner.give(folder)
    return folder
