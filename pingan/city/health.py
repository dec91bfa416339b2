"""`pingan health`: whether the processes of this data folder work. What a container's health check runs.

Docker says that a container is unhealthy, and leaves it so. With `--mend` we do what the supervisor does on one
machine: a process that has said nothing for long enough is killed, and Docker starts the container again.
"""

import argparse
import contextlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from pingan.clock import SystemClock
from pingan.said import said
from pingan.settings import SettingsError, load

SILENT_SECONDS = 15.0
"""They write each second. Longer than the supervisor's six: a container's limits may hold a process up for a while."""


class HealthSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of `pingan health`."""

    data: Path


def main(argv: Sequence[str]) -> int:
    """0: all are ready. 1: one is not, or none has said anything; what it says goes to standard output."""
    parser = argparse.ArgumentParser(prog="pingan health", description="Whether the processes here work.")
    parser.add_argument("--mend", action="store_true", help=f"kill what has been silent for {SILENT_SECONDS:.0f} s")
    mend = parser.parse_args(argv).mend
    try:
        data = load(HealthSettings).data
    except SettingsError as error:
        sys.stderr.write(f"pingan health: {error}\n")
        return 1
    now = SystemClock().monotonic()
    if mend:
        end_silent(data, now)
    found = said(data, now)
    for one in found:
        sys.stdout.write(" ".join(part for part in (f"{one['name']}: {one['state']}", one["detail"]) if part) + "\n")
    if not found:
        sys.stdout.write("no process has said anything yet\n")
    return 0 if found and all(one["state"] == "ready" for one in found) else 1


def end_silent(data: Path, monotonic: float) -> None:
    """Kill every process whose state file has stood still for `SILENT_SECONDS`. Its restart is somebody else's work."""
    for path in (data / "run").glob("*.json"):
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            pid, silent = int(state["pid"]), monotonic - float(state["at_monotonic"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if silent > SILENT_SECONDS and _is_ours(pid):
            sys.stdout.write(f"{state.get('name')} has said nothing for {silent:.0f} s: killed\n")
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def _is_ours(pid: int) -> bool:
    """Whether the number still is a process of ours: it may be anybody's by now."""
    try:
        return b"pingan" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
