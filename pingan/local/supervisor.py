"""Keeps the platform's processes running: the database, the broker and every service.

It has a session of its own and no terminal, and its children have none of it: they outlive it when it is killed, and
the next one, which finds them in `run/supervisor.json`, replaces them. It speaks to nobody and is spoken to by signals
only, so that there's little in it that can fail.
"""

import contextlib
import fcntl
import json
import logging
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from pingan.clock import wall_minus_boottime
from pingan.settings import SettingsError

from . import logs, platform, processes
from .child import Child
from .places import PlaceError, data_folder, make_data_folder, read_json, write_private
from .platform import Platform
from .postgres import Postgres, PostgresError
from .preparation import Preparation
from .processes import Identity, boot_id
from .refusals import Refusals
from .services import Preparations, Service, services
from .watchdog import Limits

log = logging.getLogger(__name__)

FILE = "supervisor.json"
TURN_SECONDS = 0.2
STATE_EVERY_SECONDS = 1.0
BOUND_LOGS_EVERY_SECONDS = 10.0
OPEN_FILES = 65_536
"""Each device is a connection of the broker, and the usual limit is 1,024."""
IN_LINE = 1024
"""So many connections wait for a web process that is being replaced."""
SERVICES_PATIENCE_SECONDS = 5
BROKER_PATIENCE_SECONDS = 5

POSTGRES, BROKER = "postgres", "mosquitto"
BROKER_REFUSED, CERTIFICATES_EXPIRE = "broker_refused", "certificates_expire"


class AlreadyRunning(Exception):
    """Another supervisor looks after this data folder."""


class Lock:
    """One supervisor per data folder. The kernel lets go of it whatever way its holder ends."""

    def __init__(self, data: Path) -> None:
        self._descriptor = os.open(data / "run/supervisor.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._descriptor)
            raise AlreadyRunning(str(data)) from error

    def release(self) -> None:
        os.close(self._descriptor)


def recorded(data: Path) -> dict[str, Any]:
    """What the last supervisor wrote, if it was on this boot of the machine; else nothing of it is true any more."""
    state = read_json(data / "run" / FILE)
    return state if state.get("boot") == boot_id() else {}


def identity(entry: dict[str, Any]) -> Identity | None:
    """The process of an entry in the state file, if it still runs."""
    try:
        found = Identity(int(entry["pid"]), int(entry["started"]))
    except (KeyError, TypeError, ValueError):
        return None
    return found if found.alive() else None


def end_left_over(data: Path) -> list[str]:
    """End what a supervisor that was killed has left running: services first, the database last. Their names.

    Call it with the lock held: nobody looks after them then, so nobody starts them again.
    """
    left = {entry["name"]: found for entry in recorded(data).get("children", []) if (found := identity(entry))}
    servers = {name: left.pop(name) for name in (BROKER, POSTGRES) if name in left}
    names = [*left, *servers]
    processes.end(left.values(), signal.SIGTERM, SERVICES_PATIENCE_SECONDS)
    if BROKER in servers:
        processes.end([servers[BROKER]], signal.SIGTERM, BROKER_PATIENCE_SECONDS)
    if POSTGRES in servers:
        processes.end([servers[POSTGRES]], signal.SIGINT, 20)
    return names


class Supervisor:
    """Runs until SIGTERM or SIGINT."""

    def __init__(
        self,
        platform: Platform,
        table: Sequence[Service],
        *,
        commands: Preparations | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._platform = platform
        self._data = platform.data
        self._limits = limits or Limits()
        self._broker = platform.broker()
        self._refusals = Refusals(logs.log_file(self._data, BROKER))
        self._postgres = None if platform.settings.database_url else Postgres(self._data)
        self._table = table
        self._commands = commands or Preparations()
        self._phase = "starting"
        self._stop_requested = False
        self._woken, self._waker = socket.socketpair()
        self._listening: socket.socket | None = None
        self._last_state = self._last_bound = 0.0
        # The last supervisor's, if that was killed: what waits by its time must not wait an hour longer by ours.
        self._wall_minus_boottime = float(recorded(self._data).get("wall_minus_boottime", wall_minus_boottime()))

    def run(self) -> None:
        """Prepare, start everything, look after it, stop everything. PlaceError, PostgresError when it cannot begin."""
        self._broker.prepare()
        if self._postgres:
            self._postgres.prepare()
        url = self._platform.settings.database_url or (self._postgres.dsn if self._postgres else "")
        self._preparation = Preparation(
            self._platform, url, self._broker, self._broker_process, self._ensure_database, self._commands
        )
        self._children = self._make_children(url)
        self._catch_signals()
        self._preparation.start()
        last_turn = time.monotonic()
        while not self._stop_requested:
            now = time.monotonic()
            if now - last_turn > self._limits.gap:
                log.warning("the supervisor was away for %.1f s: everybody gets a fresh start", now - last_turn)
                for child in self._children:
                    child.grant(now)
            last_turn = now
            self._turn(now)
            self._wait()
        self._stop()

    def _make_children(self, url: str) -> list[Child]:
        children = []
        if self._postgres:
            children.append(Child(POSTGRES, self._postgres.start, limits=self._limits))
        children.append(Child(BROKER, self._broker.start, limits=self._limits))
        for service in self._table:
            children.append(
                Child(
                    service.name,
                    self._starter(service, url),
                    gate=self._gate(service),
                    state_file=self._data / "run" / f"{service.name}.json" if service.watched else None,
                    limits=self._limits,
                )
            )
        return children

    def _starter(self, service: Service, url: str) -> Callable[[], subprocess.Popen[bytes]]:
        def start() -> subprocess.Popen[bytes]:
            port = self._port() if service.listens else None
            held = {} if port is None else {"PINGAN_HTTP_LISTENING": str(port)}
            with logs.open_log(self._data, service.name) as output:
                return subprocess.Popen(
                    service.command,
                    cwd="/",
                    env={
                        **self._platform.environment(service.name, url, service.mqtt_user),
                        "PINGAN_WALL_MINUS_BOOTTIME": repr(self._wall_minus_boottime),
                        "PINGAN_NICE": str(service.nice),
                        **held,
                    },
                    pass_fds=() if port is None else (port,),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )

        return start

    def _port(self) -> int | None:
        """The console's port, held from the first start on. None: it cannot be had, and the console says why."""
        if self._listening is None:
            where = (self._platform.settings.http_host, self._platform.settings.http_port)
            try:
                self._listening = socket.create_server(where, backlog=IN_LINE, reuse_port=False)
            except OSError as error:
                log.warning("port %s cannot be held: %s", where[1], error.strerror)
                return None
        return self._listening.fileno()

    def _gate(self, service: Service) -> Callable[[], bool]:
        if service.needs_access_file:
            return self._preparation.done.is_set
        return lambda: self._preparation.services_may_start

    def _ensure_database(self) -> None:
        if self._postgres:
            self._postgres.ready(timeout_seconds=2)

    def _broker_process(self) -> subprocess.Popen[bytes] | None:
        return next(child.process for child in self._children if child.name == BROKER)

    def _catch_signals(self) -> None:
        def request_stop(_number: int, _frame: FrameType | None) -> None:
            self._stop_requested = True

        signal.signal(signal.SIGTERM, request_stop)
        signal.signal(signal.SIGINT, request_stop)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        # A child's end wakes the loop, by way of a socket: it is started again within milliseconds.
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)

    def _wait(self) -> None:
        select.select([self._woken], [], [], TURN_SECONDS)
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(4096)

    def _turn(self, now: float) -> None:
        # Written at once after each start: were we killed now, the next supervisor must know of this child.
        for child in self._children:
            if child.turn(now):
                self._write_state()
        self._phase = "running" if self._preparation.done.is_set() else "starting"
        if now - self._last_state >= STATE_EVERY_SECONDS:
            with contextlib.suppress(OSError):
                self._refusals.look()
            self._write_state()
        if now - self._last_bound >= BOUND_LOGS_EVERY_SECONDS:
            self._last_bound = now
            with contextlib.suppress(OSError):
                logs.bound(self._data)

    def _write_state(self) -> None:
        self._last_state = time.monotonic()
        me = Identity.of(os.getpid())
        state = {
            # These two as every process says them, for /healthz.
            "name": "supervisor",
            "state": "ready" if self._phase == "running" else "waiting",
            "boot": boot_id(),
            # A later difference between these two is a step of the wall clock; `pingan doctor` looks.
            "wall_minus_boottime": self._wall_minus_boottime,
            "pid": os.getpid(),
            "started": me and me.started,
            "phase": self._phase,
            "detail": self._preparation.detail,
            "at_monotonic": self._last_state,
            # What it knows and others show: it has no metrics of its own.
            BROKER_REFUSED: self._refusals.counts,
            CERTIFICATES_EXPIRE: self._broker.expire(),
            "children": [
                {
                    "name": child.name,
                    "pid": child.identity and child.identity.pid,
                    "started": child.identity and child.identity.started,
                    "starts": child.starts,
                    "watched": child.watched,
                    "trouble": child.trouble,
                }
                for child in self._children
            ],
        }
        try:
            write_private(self._data / "run" / FILE, json.dumps(state, indent=1))
        except OSError as error:  # a full disk must not stop the looking after
            log.error("cannot write %s: %s", FILE, error)

    def _stop(self) -> None:
        """Services first, while broker and database can still take what they have in hand; then these two."""
        self._phase = "stopping"
        self._write_state()
        log.info("stopping")
        self._preparation.stop()
        by_name = {child.name: child for child in self._children if child.identity}
        broker, database = by_name.pop(BROKER, None), by_name.pop(POSTGRES, None)
        self._end(list(by_name.values()), SERVICES_PATIENCE_SECONDS)
        self._end([broker] if broker else [], BROKER_PATIENCE_SECONDS)
        if database and self._postgres:
            self._postgres.stop("fast")
            database.collect()
        for path in (self._data / "run").glob("*.json"):
            path.unlink(missing_ok=True)
        log.info("stopped")

    def _end(self, children: list[Child], patience_seconds: float) -> None:
        killed = processes.end(
            [child.identity for child in children if child.identity], signal.SIGTERM, patience_seconds
        )
        for child in children:
            if child.identity in killed:
                log.warning("%s did not stop in %s s and was killed", child.name, patience_seconds)
            child.collect()


def supervise(data: Path, make: Callable[[Platform], Supervisor]) -> int:
    """Take the lock, end what is left over, and supervise. The exit status: 0 stopped, 1 cannot, 3 already running."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)-7s supervisor: %(message)s"
    )
    try:
        make_data_folder(data)
        lock = Lock(data)
    except PlaceError as error:
        log.error("%s", error)
        return 1
    except AlreadyRunning:
        log.error("another supervisor looks after %s", data)
        return 3
    for name in end_left_over(data):
        log.warning("%s was left over from a supervisor that was killed; it was ended", name)
    _raise_open_files()
    try:
        make(platform.load(data)).run()
    except (PlaceError, PostgresError, SettingsError, OSError) as error:
        log.error("%s", error)
        return 1
    finally:
        lock.release()
    return 0


def _raise_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main(_argv: Sequence[str] = ()) -> int:
    """`pingan supervise`: what `pingan up` starts; also what a service manager may start itself."""
    return supervise(data_folder(), lambda found: Supervisor(found, services(found)))
