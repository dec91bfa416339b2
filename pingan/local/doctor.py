"""`pingan doctor`: what is wrong, in plain words, each with the command that mends it."""

import argparse
import importlib.metadata
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from pingan.clock import SystemClock, wall_minus_boottime
from pingan.migrate import missing
from pingan.settings import SettingsError

from . import mosquitto, places, up
from . import platform as installations
from .doctor_words import WORDS
from .logs import log_file
from .platform import Platform
from .postgres import Postgres
from .supervisor import CERTIFICATES_EXPIRE, identity, recorded
from .words import say, words

DISK_NEEDED_MIB = 1024
"""Twice what PostgreSQL may want for its write-ahead log on one machine."""
CERTIFICATE_DAYS_NEEDED = 30
"""A device's is made anew in somebody's home, which wants weeks."""
CLOCK_STEP_TOLERATED_SECONDS = 2
RESTLESS_STARTS = 3
"""Once is an accident, and after a stop of the database everyone may need a second start."""
UP, DOWN = "make up", "pingan down"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence. `wrong` is None for what should be known but is no fault."""

    wrong: bool | None
    text: str
    mend: str = ""


def _well(key: str, **values: object) -> Finding:
    return Finding(False, words(key, WORDS, **values))


def _wrong(key: str, mend: str, **values: object) -> Finding:
    return Finding(True, words(key, WORDS, **values), mend)


def _note(key: str, mend: str = "", **values: object) -> Finding:
    return Finding(None, words(key, WORDS, **values), mend)


def main(argv: Sequence[str] = ()) -> int:
    """`pingan doctor`. Exit status 1 when something is wrong."""
    argparse.ArgumentParser(prog="pingan doctor", description=main.__doc__).parse_args(argv)
    wrong = 0
    for finding in examine(places.data_folder()):
        mark = {True: "✗", False: "✓", None: "·"}[finding.wrong]
        say(f"  {mark} {finding.text}")
        if finding.mend:
            say(words("mend", WORDS, command=finding.mend))
        wrong += finding.wrong is True
    say(words("wrong", WORDS, count=wrong) if wrong else words("well", WORDS))
    return 1 if wrong else 0


def examine(data: Path) -> Iterator[Finding]:
    """Everything, from the ground up: what a later check needs has been looked at before it."""
    yield from _machine()
    yield from _folder(data)
    yield from _left_behind()
    running = up.supervisor(data)
    try:
        # What runs is examined as it was started; what does not, as it would be started now.
        platform = installations.load(data, {} if running else None)
    except SettingsError as error:
        yield Finding(True, words("settings_refused", WORDS, why=error))
        return
    if running is None:
        yield _wrong("supervisor_missing", UP)
        yield from _ports(platform)
        return
    if running.stopped():
        yield _wrong("supervisor_held", f"kill -CONT {running.pid}")
        return
    yield _well("supervisor")
    state = recorded(data)
    yield from _clock(state)
    yield from _processes(data, state)
    yield from _database(platform)
    yield from _broker(platform)
    yield from _certificates(state)
    yield from _outside(platform)


def _machine() -> Iterator[Finding]:
    # An older Python cannot have come this far: the package asks for its version itself.
    yield _well("python", version=".".join(map(str, sys.version_info[:3])))
    absent = _absent_packages()
    if absent:
        yield _wrong("packages_missing", "make clean up", names=", ".join(absent))
    else:
        yield _well("packages")
    if mosquitto.program():
        yield _well("mosquitto")
    else:
        yield _wrong("mosquitto_missing", "sudo apt-get install -y mosquitto")


def _absent_packages() -> list[str]:
    """What pyproject.toml asks for (extras apart) and is not installed."""
    try:
        wanted = importlib.metadata.requires("pingan") or []
    except importlib.metadata.PackageNotFoundError:
        return ["pingan"]
    absent = []
    for line in wanted:
        if "extra ==" in line:
            continue
        name = re.split(r"[\[<>=!~; ]", line, maxsplit=1)[0]
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            absent.append(name)
    return absent


def _folder(data: Path) -> Iterator[Finding]:
    if not data.exists():
        yield _note("data_missing", UP, data=data)
        return
    try:
        with tempfile.TemporaryFile(dir=data):
            pass
        yield _well("data", data=data)
    except OSError as error:
        yield _wrong("data_closed", f"sudo chown -R {os.geteuid()} {shlex.quote(str(data))}", data=data,
                     why=error.strerror)  # fmt: skip
    yield from _disks([data, places.lies_in(data, "postgres")])


def _disks(folders: Sequence[Path]) -> Iterator[Finding]:
    """The room on each disk on which one of `folders` lies. The database may lie on another than the rest."""
    disks = {folder.stat().st_dev: folder for folder in reversed(folders) if folder.exists()}
    for folder in reversed(disks.values()):
        free = shutil.disk_usage(folder).free // 2**20
        if free < DISK_NEEDED_MIB:
            mend = f"df -h {shlex.quote(str(folder))}"
            yield _wrong("disk_full", mend, folder=folder, free=free, needed=DISK_NEEDED_MIB)
        else:
            yield _well("disk", folder=folder, free=free)


def _left_behind() -> Iterator[Finding]:
    """Databases of data folders that were deleted. Only a person knows whether a disk is merely not mounted."""
    for folder, data in places.kept_without_owner():
        yield _note("orphan", f"rm -rf {shlex.quote(str(folder))}", folder=folder, data=data)


def _ports(platform: Platform) -> Iterator[Finding]:
    taken = [(setting, port) for setting, port in up.wanted_ports(platform).items() if not up.port_free(port)]
    for setting, port in taken:
        yield _wrong("port_taken", f"{setting}={port + 1000} make up", port=port)
    if not taken:
        yield _well("ports")


def _clock(state: dict[str, Any]) -> Iterator[Finding]:
    step = wall_minus_boottime() - float(state.get("wall_minus_boottime", wall_minus_boottime()))
    if abs(step) > CLOCK_STEP_TOLERATED_SECONDS:
        yield _wrong("clock_moved", f"{DOWN} && {UP}", seconds=round(step))
    else:
        yield _well("clock")


def _processes(data: Path, state: dict[str, Any]) -> Iterator[Finding]:
    if state.get("phase") != "running":
        name = str(state.get("detail", "")).partition(":")[0]
        path = log_file(data, {"migrate": "migrate", "sample register": "register"}.get(name, "supervisor"))
        yield _wrong("preparing", words("log", WORDS, path=path), why=state.get("detail"))
    unwell = 0
    for child in state.get("children", []):
        for finding in _process(data, child):
            unwell += finding.wrong is True
            yield finding
    if not unwell:
        yield _well("processes", count=len(state.get("children", [])))
    yield from _standby(state)


def _process(data: Path, child: dict[str, Any]) -> Iterator[Finding]:
    name, why = child["name"], child["trouble"]
    log = words("log", WORDS, path=log_file(data, name))
    if identity(child) is None:
        yield _wrong("process_down", log, name=name, why=why or "—")
        return
    said = places.read_json(data / "run" / f"{name}.json")
    if child["watched"] and (said.get("pid") != child["pid"] or said.get("state") not in up.WELL):
        yield _wrong("process_waits", log, name=name, why=said.get("detail") or why or "—")
    elif child["starts"] >= RESTLESS_STARTS and why:
        yield _wrong("process_restless", log, name=name, count=child["starts"], why=why)


def _standby(state: dict[str, Any]) -> Iterator[Finding]:
    lanes: dict[str, int] = {}
    for child in state.get("children", []):
        lane = re.fullmatch(r"(ingest-\w+)-\d+", child["name"])
        if lane:
            lanes[lane[1]] = lanes.get(lane[1], 0) + (identity(child) is not None)
    alone = [name for name, count in lanes.items() if count < 2]
    for name in alone:
        yield _wrong("standby_missing", "pingan status", lane=name)
    if lanes and not alone:
        yield _well("standby")


def _database(platform: Platform) -> Iterator[Finding]:
    try:
        url = platform.settings.database_url
        if url is None:
            postgres = Postgres(platform.data)
            postgres.prepare()
            url = postgres.dsn
        absent = missing(url)
    except psycopg.Error as error:
        why = str(error).strip().partition("\n")[0]
        yield _wrong("database_away", words("log", WORDS, path=log_file(platform.data, "postgres")), why=why)
        return
    if absent:
        yield _wrong("database_old", f"{DOWN} && {UP}", count=len(absent))
    else:
        yield _well("database")


def _broker(platform: Platform) -> Iterator[Finding]:
    port = platform.settings.mqtt_port
    password = places.Secrets(platform.data).text("mqtt-dispatch")
    code = mosquitto.sign_in(port, "dispatch", password, 3)
    if code == 0:
        yield _well("broker", port=port)
    elif code is None:
        yield _wrong("broker_away", words("log", WORDS, path=log_file(platform.data, "mosquitto")), port=port)
    else:
        yield _wrong("broker_refuses", f"{DOWN} && {UP}", port=port)


def _certificates(state: dict[str, Any]) -> Iterator[Finding]:
    """How long they hold, as the supervisor says; nothing where there are none."""
    expire: dict[str, float] = state.get(CERTIFICATES_EXPIRE, {})
    now = SystemClock().now().timestamp()
    days = {name: int((at - now) // 86_400) for name, at in expire.items()}
    for name in sorted(days):
        if days[name] < CERTIFICATE_DAYS_NEEDED:
            mend = {"device": "pingan device list", "authority": "pingan ca show"}.get(name, f"{DOWN} && {UP}")
            yield _wrong("certificate_ends", mend, what=words(f"certificate_{name}", WORDS), days=days[name])
    if days and min(days.values()) >= CERTIFICATE_DAYS_NEEDED:
        yield _well("certificates", days=min(days.values()))


def _outside(platform: Platform) -> Iterator[Finding]:
    if up.console_answers(platform):
        yield _well("console")
    else:
        yield _wrong("console_away", f"curl {platform.console}/healthz")
    if platform.settings.sim:
        yield _note("sim")
    elif platform.twilio():
        yield _note("sim_off")
    else:
        yield _note("phones_missing", f"{DOWN}; PINGAN_TWILIO_ACCOUNT_SID=… PINGAN_TWILIO_AUTH_TOKEN_FILE=… "
                    "PINGAN_TWILIO_FROM=… make up")  # fmt: skip
