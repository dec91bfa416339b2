"""What must be done once at a start, beside the loop that looks after the processes.

In this order, since each step needs the one before: the database answers; the schema is current; the sample register
fills an empty one; the broker knows the devices; the access file tells the simulator where everything is. Then, for as
long as the supervisor runs: whoever changes the register is heard, and the broker learns of it.
"""

import logging
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import psycopg

from pingan.clock import SystemClock
from pingan.database import Queries

from . import access
from .logs import log_file, open_log
from .mosquitto import Mosquitto, MosquittoError
from .platform import Platform
from .postgres import PostgresError
from .services import Preparations

log = logging.getLogger(__name__)

PATIENCE_WITHOUT_DATABASE_SECONDS = 8
"""After that the services start all the same, so that they can say on their pages what is missing."""
RETRY_SECONDS = 1.0
LOOK_AGAIN_SECONDS = 60.0
"""A notification can be lost; a device must not stay locked out for longer than this."""
BURST_SECONDS = 0.1
BURST_ROUNDS = 10
"""An import rings once per statement: read the register when it has become quiet, or after ten rounds at the latest."""

REGISTER_CHANNEL = "register"
QUERIES = Queries(__file__, "register.sql")


class StepFailed(Exception):
    """A step did not succeed and will be tried again. The text says why."""


class Preparation(threading.Thread):
    """Takes the steps one after the other, each until it succeeds."""

    def __init__(
        self,
        platform: Platform,
        database_url: str,
        broker: Mosquitto,
        broker_process: Callable[[], subprocess.Popen[bytes] | None],
        ensure_database: Callable[[], None],
        commands: Preparations,
    ) -> None:
        super().__init__(name="preparation", daemon=True)
        self._platform = platform
        self._url = database_url
        self._broker = broker
        self._broker_process = broker_process
        self._ensure_database = ensure_database
        self._commands = commands
        self._clock = SystemClock()
        self._stale = False
        """Whether something is written for the broker that it has not read."""
        self._stopping = threading.Event()
        self._began = time.monotonic()
        self._running: subprocess.Popen[bytes] | None = None
        self.database_away = False
        self.migrated = threading.Event()
        self.done = threading.Event()
        self.detail = ""

    @property
    def services_may_start(self) -> bool:
        waited = time.monotonic() - self._began > PATIENCE_WITHOUT_DATABASE_SECONDS
        return self.migrated.is_set() or (self.database_away and waited)

    def stop(self) -> None:
        self._stopping.set()
        running = self._running
        if running:
            running.terminate()

    def run(self) -> None:
        steps: list[tuple[str, Callable[[], None]]] = [
            ("database", self._wait_for_database),
            ("migrate", self._migrate),
            ("sample register", self._fill_register),
            ("devices", self._tell_broker),
            ("access file", lambda: access.write(self._platform)),
        ]
        for name, step in steps:
            while not self._take(name, step):
                if self._stopping.wait(RETRY_SECONDS):
                    return
        self.detail = ""
        self.done.set()
        self._follow_register()

    def _take(self, name: str, step: Callable[[], None]) -> bool:
        self.detail = self.detail or name
        try:
            step()
        except (StepFailed, PostgresError, MosquittoError, psycopg.Error, OSError) as error:
            reason = f"{name}: {str(error).strip()}"
            if reason != self.detail:
                log.warning("waiting: %s", reason)
            self.detail = reason
            return False
        log.info("%s: done", name)
        self.detail = ""
        return True

    def _wait_for_database(self) -> None:
        try:
            self._ensure_database()
            psycopg.connect(self._url, connect_timeout=3).close()
        except Exception:
            self.database_away = True
            raise
        self.database_away = False

    def _migrate(self) -> None:
        self._command("migrate", self._commands.migrate)
        self.migrated.set()

    def _fill_register(self) -> None:
        """A register with anybody in it is real and is left alone."""
        with psycopg.connect(self._url, connect_timeout=3) as connection:
            if connection.execute(QUERIES.anybody).fetchone() == (True,):
                return
        self._command("register", self._commands.sample)

    def _command(self, name: str, command: tuple[str, ...]) -> None:
        with open_log(self._platform.data, name) as output:
            self._running = subprocess.Popen(
                command,
                cwd="/",
                env=self._platform.environment(name, self._url, None),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            status = self._running.wait()
        self._running = None
        if status != 0:
            lines = log_file(self._platform.data, name).read_text(encoding="utf-8", errors="replace").splitlines()
            raise StepFailed(lines[-1] if lines else f"exit status {status}")

    def _tell_broker(self) -> None:
        with psycopg.connect(self._url, connect_timeout=3, autocommit=True) as connection:
            self._write(connection)
        self._broker.ready(timeout_seconds=3)
        if not self._reload():
            raise StepFailed("the broker does not answer yet")
        self._stale = False

    def _write(self, connection: psycopg.Connection) -> None:
        """Write for the broker whom the register lets in.

        What is written is to be read, also when the rest cannot be written: the next time it is no change any more.
        """
        if self._broker.write_users(dict(connection.execute(QUERIES.devices).fetchall())):
            self._stale = True
        if self._broker.certificates is None:
            return
        refused: dict[str, str] = dict(
            connection.execute(QUERIES.refused_certificates, {"now": self._clock.now()}).fetchall()
        )
        first = connection.execute(QUERIES.first_to_expire).fetchone()
        if self._broker.refuse(refused, first[0] if first else None):
            self._stale = True

    def _reload(self) -> bool:
        process = self._broker_process()
        return process is not None and self._broker.reload(process)

    def _follow_register(self) -> None:
        reason = ""
        while not self._stopping.is_set():
            try:
                for _ in self._changes():
                    reason = ""
            except (psycopg.Error, OSError) as error:
                if str(error) != reason:
                    log.warning("cannot follow the register: %s", str(error).strip())
                reason = str(error)
                self._stopping.wait(RETRY_SECONDS)

    def _changes(self) -> Iterator[None]:
        """Bring the broker up to date at every change of the register, at every reconnection, and once a minute."""
        # Keepalives: a database that vanished with its machine says nothing, and would be listened to for ever.
        with psycopg.connect(
            self._url, autocommit=True, connect_timeout=3, application_name="supervisor", keepalives_idle=5
        ) as connection:
            connection.execute(f"listen {REGISTER_CHANNEL}")
            while not self._stopping.is_set():
                self._write(connection)
                if self._stale:
                    self._stale = not self._reload()
                    log.info("the register's devices have changed; the broker %s", "waits" if self._stale else "knows")
                yield
                rung = list(
                    connection.notifies(timeout=RETRY_SECONDS if self._stale else LOOK_AGAIN_SECONDS, stop_after=1)
                )
                for _ in range(BURST_ROUNDS if rung else 0):
                    if not list(connection.notifies(timeout=BURST_SECONDS)):
                        break
