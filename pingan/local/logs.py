"""Log files that stay small, written by children that outlive whoever started them.

A pipe through the supervisor would break when it is killed; so each child appends to a file of its own, and the
supervisor copies it aside and empties it when it has grown. Appending makes that safe: the next line lands at the new
end. What is written between the copy and the emptying is lost: a few lines, once in 8 MiB.
"""

import os
import shutil
from pathlib import Path
from typing import BinaryIO

LIMIT_BYTES = 8 * 1024 * 1024
KEPT = 2


def log_file(data: Path, name: str) -> Path:
    return data / "log" / f"{name}.log"


def open_log(data: Path, name: str) -> BinaryIO:
    """The log of `name`, for a child's standard output and error."""
    return os.fdopen(os.open(log_file(data, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb", buffering=0)


def bound(data: Path, limit_bytes: int = LIMIT_BYTES) -> None:
    """Move aside what has grown past the limit: `x.log` -> `x.log.1` -> `x.log.2`, and no more."""
    for path in (data / "log").glob("*.log"):
        if path.stat().st_size <= limit_bytes:
            continue
        for number in range(KEPT - 1, 0, -1):
            older = path.with_name(f"{path.name}.{number}")
            if older.exists():
                older.rename(path.with_name(f"{path.name}.{number + 1}"))
        shutil.copyfile(path, path.with_name(f"{path.name}.1"))
        os.truncate(path, 0)
