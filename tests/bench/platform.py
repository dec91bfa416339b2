"""The benchmark's own platform: its folder, ports, processes and load. Whatever is started here is ended here."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from pingan.local.places import remove_kept
from pingan.local.platform import PYTHON
from pingan.local.postgres import Postgres
from pingan.local.supervisor import identity, recorded
from tests.bench.machine import cpu_seconds
from tests.bench.pipe import Pipe
from tests.kafka import Kafka

FOREIGN = ("postgres", "mosquitto", "sim")
"""What the supervisor starts that is not our Python."""
UP_SECONDS = 90
ANSWER_SECONDS = 0.02


class BenchError(Exception):
    """The measurement cannot be made. The text says why."""


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in found]


def prefer(pid: int, nice: int) -> None:
    """Give a process and its session that priority. Linux shares its cores among sessions first, then within each."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(nice), encoding="ascii")
    with contextlib.suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, pid, nice)


@dataclass
class Bench:
    """A platform in `data`, with a register of `homes` homes."""

    data: Path
    homes: int
    nice: int = 0
    """The priority of everything started here, where other work shares the machine: see `prefer`."""
    kafka: Kafka | None = None
    """Where its log is, in topics of its own; None: in its database. Whoever gives it starts and ends it."""
    tree: Path | None = None
    """Another version of the platform to run; None: this one."""

    def __post_init__(self) -> None:
        self.http, self.mqtt, sim, self.telephone, sos_access = free_ports(5)
        self._own = {
            "PINGAN_DATA": str(self.data),
            "PINGAN_HTTP_PORT": str(self.http),
            "PINGAN_MQTT_PORT": str(self.mqtt),
            "PINGAN_SIM_PORT": str(sim),
            "PINGAN_SOS_ACCESS_PORT": str(sos_access),
            "PINGAN_SIM": "0",
            "PINGAN_TELEPHONE_TESTS": "off",
            "PINGAN_TWILIO_BASE_URL": f"http://127.0.0.1:{self.telephone}",
            "PINGAN_TWILIO_ACCOUNT_SID": "AC" + secrets.token_hex(16),
            "PINGAN_TWILIO_AUTH_TOKEN": secrets.token_hex(16),
            "PINGAN_TWILIO_FROM": "+15005550006",
            "BENCH_HOMES": str(self.homes),
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PINGAN_")}
        self.environment = inherited | self._own
        if self.kafka is not None:
            self.environment |= self.kafka.environ()
        if self.tree is not None:
            self.environment["PYTHONPATH"] = str(self.tree)

    def up(self, command: tuple[str, ...]) -> float:
        """Start it; seconds until the console answered `/healthz` with 200. BenchError when it does not."""
        began = time.monotonic()
        output = self.data.parent / "up.txt"
        with output.open("w") as file:
            process = subprocess.Popen(command, env=self.environment, stdout=file, stderr=file)
        answered = None
        while time.monotonic() - began < UP_SECONDS:
            if answered is None and self._well():
                answered = time.monotonic() - began
            if process.poll() is not None:
                break
            time.sleep(ANSWER_SECONDS)
        else:
            process.kill()
        if process.wait() != 0 or answered is None:
            raise BenchError(f"the platform does not start:\n{output.read_text()}")
        if self.nice:
            for pid in self.processes().values():
                prefer(pid, self.nice)
        return answered

    def _well(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.http), 0.5) as connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
                return b" 200 " in connection.recv(64)
        except OSError:
            return False

    def first_start(self) -> float:
        return self.up((sys.executable, "-P", "-m", "tests.bench.supervise", "up"))

    def next_start(self) -> float:
        return self.up((*PYTHON, "up"))

    def down(self) -> None:
        subprocess.run((*PYTHON, "down"), env=self.environment, stdout=subprocess.DEVNULL, check=False, timeout=60)

    def remove(self) -> None:
        self.down()
        remove_kept(self.data)
        shutil.rmtree(self.data, ignore_errors=True)

    @property
    def access(self) -> dict[str, Any]:
        return json.loads((self.data / "access.json").read_text(encoding="utf-8"))

    @property
    def dsn(self) -> str:
        postgres = Postgres(self.data)
        postgres.prepare()
        return postgres.dsn

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(statement, parameters or None).fetchall()

    @property
    def pipe(self) -> Pipe:
        """Its log "readings"."""
        return Pipe({**self.environment, "PINGAN_DATABASE_URL": self.dsn})

    def processes(self) -> dict[str, int]:
        """Name → pid of everything that runs of it."""
        state = recorded(self.data)
        children = {child["name"]: int(child["pid"]) for child in state["children"] if identity(child)}
        return {"supervisor": int(state["pid"]), **children}

    def python(self) -> dict[str, int]:
        return {name: pid for name, pid in self.processes().items() if name not in FOREIGN}

    def cpu(self) -> dict[str, float]:
        found = {name: cpu_seconds(pid, with_children=name == "postgres") for name, pid in self.processes().items()}
        for broker in self.kafka.brokers if self.kafka else ():
            found[f"kafka-{broker.number}"] = cpu_seconds(broker.process.pid) if broker.process else 0.0
        return found

    @contextlib.contextmanager
    def providing(self) -> Iterator[None]:
        """While the telephone provider answers."""
        with running("tests.bench.telephone", str(self.telephone)):
            yield

    def load(self, **options: float | str | bool) -> list[str]:
        """The command of the simulator's load generator, a process of its own."""
        command = [*PYTHON, "sim", "load", "--access", str(self.data / "access.json")]
        for name, value in options.items():
            command.append(f"--{name.replace('_', '-')}")
            if value is not True:
                command.append(str(value))
        return command

    @contextlib.contextmanager
    def background(self, readings: float, seconds: float) -> Iterator[None]:
        """While `readings` a second come in, at most for `seconds`."""
        if not readings:
            yield
            return
        process = subprocess.Popen(
            self.load(readings=readings, seconds=seconds, connections=20),
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            time.sleep(1.5)
            if process.poll() is not None:
                raise BenchError("the load generator does not run")
            yield
        finally:
            end(process)


def measured(command: list[str], environment: dict[str, str], timeout: float) -> dict[str, Any]:
    """Run a program that prints JSON. BenchError when it fails."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=timeout)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command)}: {done.stderr.strip()[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@contextlib.contextmanager
def running(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A program of this folder, ended with the block."""
    process = subprocess.Popen((sys.executable, "-P", "-m", module, *arguments), stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        end(process)


def end(process: "subprocess.Popen[Any]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
