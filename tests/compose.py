"""docker-compose.yml as Compose reads it, and its services as plain processes on this machine.

A process gets exactly the command and the environment of the file. What names a place in a container or on its networks
is mapped to a place here: each service sees only the secrets and volumes that the file gives it.
"""

import contextlib
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.support import free_port

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docker-compose.yml"

_VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?:(:?[-?])([^}]*))?\}")
UNITS = {"s": 1, "m": 60}


class Wrong(Exception):
    """Compose would refuse the file. The text says why."""


def dotenv(text: str, settings: Mapping[str, str]) -> dict[str, str]:
    """The variables of a `.env` or of an `env_file`."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {name: interpolate(value, settings) for name, _, value in (line.partition("=") for line in lines)}


def interpolate(text: str, settings: Mapping[str, str]) -> str:
    """`${NAME}`, `${NAME:-default}`, `${NAME:?message}` and `$$`, as Compose knows them."""

    def put(found: re.Match[str]) -> str:
        name, how, other = found.groups()
        if name is None:
            return "$"
        value = settings.get(name, "")
        if value or (how in ("-", "?") and name in settings):
            return value
        if how in (":?", "?"):
            raise Wrong(f"{name}: {other}")
        return other or ""

    return _VARIABLE.sub(put, text)


def _interpolated(value: Any, settings: Mapping[str, str]) -> Any:
    match value:
        case str():
            return interpolate(value, settings)
        case list():
            return [_interpolated(one, settings) for one in value]
        case dict():
            return {name: _interpolated(one, settings) for name, one in value.items()}
    return value


def read(settings: Mapping[str, str], file: Path = FILE) -> dict[str, Any]:
    """The whole file with its variables replaced and its anchors merged."""
    # Variables in what YAML has read, not in the text: a value may hold whatever YAML would mind.
    return dict(_interpolated(yaml.safe_load(file.read_text(encoding="utf-8")), settings))


def services(content: dict[str, Any], profile: str) -> dict[str, dict[str, Any]]:
    """The services that start with this profile, in the order of the file."""
    return {
        name: service
        for name, service in content["services"].items()
        if not service.get("profiles") or profile in service["profiles"]
    }


def is_ours(service: Mapping[str, Any]) -> bool:
    return str(service["image"]).startswith("pingan:")


def seconds(text: str) -> float:
    """`10s`, `2m`."""
    return float(text[:-1]) * UNITS[text[-1]]


@dataclass
class Replica:
    """One container's stand-in: its process, and how it is asked for its health."""

    service: str
    hostname: str
    environ: dict[str, str]
    process: subprocess.Popen[bytes]
    log: Path
    health: list[str]
    grace_seconds: float
    program: Path

    def ask(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the same "container"."""
        return subprocess.run(
            in_container(self.hostname, self.program, list(command)),
            env=self.environ, capture_output=True, text=True, check=False, timeout=60, cwd="/",
        )  # fmt: skip

    def healthy(self) -> bool:
        return self.ask(*self.health).returncode == 0

    def told(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


def in_container(hostname: str, program: Path, command: list[str]) -> list[str]:
    """A command under a host name of its own, as in a container, where the kernel lets us."""
    words = [sys.executable, str(program), *command[1:]] if command[0] == "pingan" else command
    if not own_hostnames():
        return words
    return ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', hostname, *words]


@functools.cache
def own_hostnames() -> bool:
    """Whether the kernel gives a process of ours a host name of its own. Tried: some roots may not."""
    if shutil.which("unshare") is None:
        return False
    command = ["unshare", "--uts", "hostname", "pingan"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@dataclass
class City:
    """The services of the file that are ours, run as plain processes."""

    folder: Path
    deploy: Path
    """What deploy/prepare.sh has made."""
    content: dict[str, Any]
    settings: dict[str, str]
    program: Path
    """The installed `pingan`."""
    overrides: dict[str, str]
    """What differs here: where Kafka is."""
    replicas: list[Replica] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)

    def port(self, where: str) -> int:
        """This machine's port for `service:port`."""
        if where not in self.ports:
            self.ports[where] = free_port()
        return self.ports[where]

    def environ(self, name: str, hostname: str) -> dict[str, str]:
        """A service's environment, with its places mapped to places here."""
        service = self.content["services"][name]
        given: dict[str, str] = {}
        for file in service.get("env_file", ()):
            given |= dotenv((ROOT / file).read_text(encoding="utf-8"), self.settings)
        given |= service.get("environment", {})
        given |= {key: value for key, value in self.overrides.items() if key in given}
        mapped = {key: self._here(key, str(value), name, hostname, given) for key, value in given.items()}
        path = f"{self.program.parent}:{os.environ['PATH']}"
        return mapped | {"PATH": path, "PYTHONPATH": str(self.program.parents[1]), "PYTHONUNBUFFERED": "1"}

    def _here(self, key: str, value: str, name: str, hostname: str, given: Mapping[str, str]) -> str:
        match key:
            case "PINGAN_METRICS_PORT":
                return str(self.port(f"{hostname}:{value}"))
            case "PINGAN_HTTP_PORT":
                return str(self.port(f"console:{value}" if hostname == "console-1" else f"{hostname}:{value}"))
            case "PINGAN_MQTT_PORT":
                return str(self.port(f"mosquitto:{value}"))
            case "PINGAN_SOS_ACCESS_PORT":
                return str(self.port(f"{hostname}:{value}"))
            case "PINGAN_MQTT_TLS_PORT" | "PINGAN_MQTT_CERTIFICATE_PORT":
                return str(self.port(f"mosquitto:{value}"))
            case _ if key.endswith("_HOST"):
                return "127.0.0.1"
        if found := re.fullmatch(r"http://(\w+):(\d+)", value):
            return f"http://127.0.0.1:{self.port(f'{found[1]}:{found[2]}')}"
        for place in ("/run/secrets", "/run/pingan", "/var/lib/pingan"):
            if value == place or value.startswith(f"{place}/"):
                return str(self.place(name, hostname, value))
        return value

    def place(self, name: str, hostname: str, path: str) -> Path:
        """Where a container's path is here. KeyError when the file gives this service nothing there."""
        service = self.content["services"][name]
        if path.startswith("/run/secrets"):
            return self._secrets(name) / path.removeprefix("/run/secrets").lstrip("/")
        if path in [mount.partition(":")[0] for mount in service.get("tmpfs", ())]:
            folder = self.folder / "tmpfs" / hostname / path.lstrip("/")
        else:
            volume = {mount.split(":")[1]: mount.split(":")[0] for mount in service["volumes"]}[path]
            folder = self.folder / "volumes" / volume
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _secrets(self, name: str) -> Path:
        """A folder with this service's secrets, and no others."""
        folder = self.folder / "secrets" / name
        folder.mkdir(parents=True, exist_ok=True)
        for secret in self.content["services"][name].get("secrets", ()):
            if not (folder / secret).exists():
                shutil.copy(self.deploy.parent / self.content["secrets"][secret]["file"], folder / secret)
        return folder

    def run(self, name: str) -> None:
        """A service that ends by itself. AssertionError with what it said when it did not succeed."""
        service = self.content["services"][name]
        command = [*(service.get("entrypoint") or ["pingan"]), *service["command"]]
        words = in_container(name, self.program, command)
        done = subprocess.run(
            words, env=self.environ(name, name), capture_output=True, text=True, check=False, timeout=120, cwd="/"
        )
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"

    def start(self, name: str) -> None:
        """Every replica of a service."""
        service = self.content["services"][name]
        for number in range(1, service.get("deploy", {}).get("replicas", 1) + 1):
            hostname = f"{name}-{number}"
            environ = self.environ(name, hostname)
            if not own_hostnames():
                environ["PINGAN_NAME"] = f"{service['command'][0]}-{hostname}"
            log = self.folder / f"{hostname}.log"
            with log.open("wb") as output:
                process = subprocess.Popen(
                    in_container(hostname, self.program, ["pingan", *service["command"]]),
                    env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/",
                    start_new_session=True,
                )  # fmt: skip
            test = service["healthcheck"]["test"]
            assert test[0] == "CMD"
            grace = seconds(service["stop_grace_period"])
            self.replicas.append(Replica(name, hostname, environ, process, log, test[1:], grace, self.program))

    def of(self, name: str) -> list[Replica]:
        return [replica for replica in self.replicas if replica.service == name]

    def end(self) -> None:
        """Whatever still runs, with all that it has started."""
        for replica in self.replicas:
            if replica.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    replica.process.terminate()
        for replica in self.replicas:
            with contextlib.suppress(subprocess.TimeoutExpired):
                replica.process.wait(10)
            if replica.process.poll() is None:
                os.killpg(replica.process.pid, signal.SIGKILL)
                replica.process.wait()


def copied_by_dockerfile(target: Path) -> Iterator[str]:
    """Copy what .dockerignore lets into an image's build to `target`, as `COPY . .` does. The names of what was."""
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line.startswith("!"):
            source, copy = ROOT / line[1:], target / line[1:]
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, copy)
            yield line[1:]
