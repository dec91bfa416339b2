"""`pingan up`, `down`, `status` and `access`: what a person does with the platform on this machine."""

import argparse
import http.client
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from pingan.settings import SettingsError

from . import access as access_file
from . import platform as installations
from .logs import log_file, open_log
from .mosquitto import HOST
from .places import PlaceError, data_folder, make_data_folder, read_json
from .platform import PYTHON, REMEMBERED, Platform
from .processes import Identity, end
from .services import SIM
from .supervisor import AlreadyRunning, Lock, end_left_over, identity, recorded
from .words import WORDS, say, words

PATIENCE_SECONDS = 60
DOWN_PATIENCE_SECONDS = 40
LOOK_EVERY_SECONDS = 0.1
WELL = ("ready", "standby")
"""States of a process that has nothing to wait for. A standby waits for work, which is its work."""
SUPERVISE = (*PYTHON, "supervise")


def up(argv: Sequence[str] = ()) -> int:
    """`pingan up`: start the platform if it does not run, wait until it is well, say how to reach it."""
    argparse.ArgumentParser(prog="pingan up", description=up.__doc__).parse_args(argv)
    return bring_up(data_folder(), SUPERVISE)


def bring_up(data: Path, supervise: Sequence[str]) -> int:
    """Start what `supervise` runs for this data folder. The exit status: 0 well, 1 not (yet)."""
    try:
        make_data_folder(data)
        platform = installations.load(data)
        running = supervisor(data)
        if running and running.stopped():
            say(words("held"))
            running.send(signal.SIGKILL)
            running.wait_gone(5)
            running = None
        if running:
            say(words("already", data=data))
            platform = _as_started(data)
            process = None
        else:
            process = _start(data, platform, supervise)
    except (PlaceError, SettingsError, PortTaken) as error:
        say(str(error))
        return 1
    if not _wait(platform, process):
        return 1
    _introduce(platform)
    return 0


def supervisor(data: Path) -> Identity | None:
    """The running supervisor of this data folder."""
    return identity(recorded(data))


class PortTaken(Exception):
    """A port that we want is somebody else's."""


def _start(data: Path, platform: Platform, supervise: Sequence[str]) -> subprocess.Popen[bytes] | None:
    """Start the supervisor; None when somebody else is doing so at this very moment."""
    try:
        lock = Lock(data)
    except AlreadyRunning:
        return None
    try:
        say(words("starting", data=data))
        _say_what_is_kept(data)
        end_left_over(data)
        _check_ports(platform)
        installations.remember(platform)
    finally:
        lock.release()
    with open_log(data, "supervisor") as log:
        return subprocess.Popen(
            supervise,
            cwd="/",
            env={**os.environ, "PINGAN_DATA": str(data)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _as_started(data: Path) -> Platform:
    """The installation as it runs; says so when this shell asks for something else."""
    running = installations.load(data, {})
    wanted = installations.load(data)
    names = [
        f"PINGAN_{field.name.upper()}"
        for field in msgspec.structs.fields(running.settings)
        if getattr(running.settings, field.name) != getattr(wanted.settings, field.name)
    ]
    if names:
        say(words("already_other", names=", ".join(names)))
    return running


def _say_what_is_kept(data: Path) -> None:
    defaults = msgspec.structs.asdict(installations.PlatformSettings())
    kept = [
        # Only the name of what may hold a password.
        f"{name}={value}" if isinstance(defaults[name.removeprefix("PINGAN_").lower()], int) else name
        for name, value in read_json(data / REMEMBERED).items()
        if name in installations.NAMES
        and name not in os.environ
        and str(_plain(defaults[name.removeprefix("PINGAN_").lower()])) != value
    ]
    if kept:
        say(words("kept", settings=", ".join(kept)))


def _plain(value: object) -> object:
    return int(value) if isinstance(value, bool) else value


def wanted_ports(platform: Platform) -> dict[str, int]:
    """The ports that it listens on, by the setting that changes each."""
    wanted = {
        "PINGAN_HTTP_PORT": platform.settings.http_port,
        "PINGAN_MQTT_PORT": platform.settings.mqtt_port,
        "PINGAN_SOS_ACCESS_PORT": platform.settings.sos_access_port,
    }
    if platform.settings.sim:
        wanted["PINGAN_SIM_PORT"] = platform.settings.sim_port
    for setting in ("mqtt_tls_port", "mqtt_certificate_port"):
        if (port := getattr(platform.settings, setting)) is not None:
            wanted[f"PINGAN_{setting.upper()}"] = port
    return wanted


def _check_ports(platform: Platform) -> None:
    for setting, port in wanted_ports(platform).items():
        if not port_free(port):
            raise PortTaken(words("port_taken", port=port, setting=setting))


def port_free(port: int) -> bool:
    """Whether we could listen there."""
    with socket.socket() as probe:
        # Connections that have just ended linger on the port and do no harm.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def unready(data: Path) -> dict[str, str]:
    """The processes that are not well, each with the reason; empty when all is well."""
    state = recorded(data)
    if identity(state) is None:
        return {words("supervisor"): ""}
    if state["phase"] != "running":
        # Nothing else can be well before this; one line says more than fourteen.
        step, _, why = state["detail"].partition(": ")
        return {words(step) if step in WORDS else words("preparation"): why}
    found = {}
    for child in state["children"]:
        if identity(child) is None:
            found[child["name"]] = child["trouble"]
        elif child["watched"]:
            said = read_json(data / "run" / f"{child['name']}.json")
            if said.get("pid") != child["pid"] or said.get("state") not in WELL:
                found[child["name"]] = str(said.get("detail", ""))
    return found


def console_answers(platform: Platform) -> bool:
    """Whether `/healthz` says 200."""
    connection = http.client.HTTPConnection(platform.console_host, platform.settings.http_port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _wait(platform: Platform, process: subprocess.Popen[bytes] | None) -> bool:
    """Wait until everything is well, saying what is not."""
    data = platform.data
    deadline = time.monotonic() + PATIENCE_SECONDS
    said: set[str] = set()
    while time.monotonic() < deadline:
        missing = unready(data)
        if not missing and not console_answers(platform):
            missing = {words("console_page"): ""}
        if not missing and platform.settings.sim and port_free(platform.settings.sim_port):
            missing = {SIM: ""}
        if not missing:
            return True
        if process and process.poll() not in (None, 3):
            log = log_file(data, "supervisor").read_text(encoding="utf-8", errors="replace").strip()
            say(words("failed", reason=log.rpartition("\n")[2]))
            return False
        # The reasons change as things are tried; the terminal shows only who is waited for.
        if set(missing) - said:
            what = ", ".join(f"{name} ({why})" if why else name for name, why in sorted(missing.items()))
            say(words("waiting", what=what))
        said = set(missing)
        time.sleep(LOOK_EVERY_SECONDS)
    say(words("late", seconds=PATIENCE_SECONDS, log=data / "log"))
    return False


def _introduce(platform: Platform) -> None:
    """How to reach what runs."""
    found = read_json(platform.data / access_file.FILE)
    say(words("ready"))
    say(words("console", url=found["console"]))
    if found.get("operator"):
        say(words("sign_in", **found["operator"]))
    say(words("mqtt", **found["mqtt"]))
    if platform.settings.sim:
        say(words("simulator", url=found["simulator"]))
    if found.get("homes"):
        say(words("try", home=found["homes"][0]["id"], pingan=_command(platform.data)))


def _command(data: Path) -> str:
    """What to type in a fresh shell to reach this very platform."""
    here = Path(sys.executable).with_name("pingan")
    found = shutil.which("pingan")
    command = "pingan" if found and Path(found).resolve() == here.resolve() else str(here)
    return command if data == data_folder({}) else f"PINGAN_DATA={shlex.quote(str(data))} {command}"


def down(argv: Sequence[str] = ()) -> int:
    """`pingan down`: stop the platform. Its data stays."""
    argparse.ArgumentParser(prog="pingan down", description=down.__doc__).parse_args(argv)
    data = data_folder()
    running = supervisor(data)
    if running:
        say(words("stopping"))
        if end([running], signal.SIGTERM, DOWN_PATIENCE_SECONDS):
            say(words("killed"))
    left = _end_left_over(data)
    say(words("stopped" if running or left else "not_running", data=data))
    return 0


def _end_left_over(data: Path) -> list[str]:
    if not (data / "run").exists():
        return []
    try:
        lock = Lock(data)
    except AlreadyRunning:  # started again by somebody else meanwhile
        return []
    try:
        return end_left_over(data)
    finally:
        lock.release()


def status(argv: Sequence[str] = ()) -> int:
    """`pingan status`: each process, and how it is. Exit status 1 when something is not well."""
    argparse.ArgumentParser(prog="pingan status", description=status.__doc__).parse_args(argv)
    data = data_folder()
    if supervisor(data) is None:
        say(words("not_running", data=data))
        return 1
    for child in recorded(data)["children"]:
        say(_line(data, child))
    return 1 if unready(data) else 0


def _line(data: Path, child: Mapping[str, Any]) -> str:
    if identity(dict(child)) is None:
        how, pid = f"{words('not_started')} {child['trouble']}", ""
    else:
        said = read_json(data / "run" / f"{child['name']}.json")
        how, pid = f"{said.get('state') or words('running')} {said.get('detail', '')}", str(child["pid"])
    return f"{child['name']:<20} {pid:>8}  {words('started_times', count=child['starts'])}  {how}".rstrip()


def access(argv: Sequence[str] = ()) -> int:
    """`pingan access [--json]`: how to reach what runs."""
    parser = argparse.ArgumentParser(prog="pingan access", description=access.__doc__)
    parser.add_argument("--json", action="store_true", help="the whole access file")
    wants_json = parser.parse_args(argv).json
    data = data_folder()
    path = data / access_file.FILE
    if not path.exists():
        sys.stderr.write(words("no_access") + "\n")
        return 1
    if wants_json:
        sys.stdout.write(path.read_text(encoding="utf-8"))
        return 0
    _introduce(installations.load(data, {}))
    return 0
