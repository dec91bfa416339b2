"""The machine that is measured on, and what its processes use of it. Read from /proc: Linux only."""

import os
import platform
import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")
SYNCS = 300
BLOCK = bytes(8192)
"""What PostgreSQL writes at the least."""


def describe(folder: Path) -> dict[str, Any]:
    """Cores, model, kernel, memory, and how long `folder`'s disk takes to keep 8 KiB (milliseconds)."""
    model = _field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()
    memory = int((_field("/proc/meminfo", "MemTotal") or "0 kB").split()[0]) // 1024
    waits = sorted(_syncs(folder))
    return {
        "cores": len(os.sched_getaffinity(0)),
        "model": model,
        "kernel": platform.release(),
        "memory_mb": memory,
        "python": platform.python_version(),
        "fdatasync_ms": {"p50": round(statistics.median(waits), 3), "p99": round(waits[int(0.99 * SYNCS)], 3)},
        "load_average": round(os.getloadavg()[0], 1),
    }


def _field(path: str, name: str) -> str | None:
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return None


def _syncs(folder: Path) -> Iterable[float]:
    path = folder / "fdatasync"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for _ in range(SYNCS):
            os.write(descriptor, BLOCK)
            began = time.perf_counter()
            os.fdatasync(descriptor)
            yield (time.perf_counter() - began) * 1000
    finally:
        os.close(descriptor)
        path.unlink()


def _stat(pid: int) -> list[str] | None:
    try:
        # The name stands in brackets and may hold anything.
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None


def cpu_seconds(pid: int, *, with_children: bool = False) -> float:
    """Processor time of a process; with its children, those that have ended too. 0 when it is gone."""
    found = _stat(pid)
    if found is None:
        return 0.0
    used = sum(map(int, found[11:15] if with_children else found[11:13])) / TICKS
    if with_children:
        used += sum(cpu_seconds(child) for child in _children(pid))
    return used


def _children(pid: int) -> list[int]:
    every = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [one for one in every if (found := _stat(one)) is not None and int(found[1]) == pid]


def descendants(pid: int) -> list[int]:
    """Every process that it has started, and those that they have."""
    return [below for child in _children(pid) for below in (child, *descendants(child))]


def memory_mb(pid: int) -> tuple[float, float]:
    """Resident, and proportional: what is shared with others is divided among them."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    found = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in text.splitlines()[1:]}
    return found["Rss"], found["Pss"]


@dataclass(frozen=True, slots=True)
class Box:
    """What all cores together have done since the machine started, in seconds."""

    busy: float
    idle: float

    @classmethod
    def now(cls) -> "Box":
        fields = [
            int(part) / TICKS for part in Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:9]
        ]
        idle = fields[3] + fields[4]
        return cls(sum(fields) - idle, idle)

    @property
    def all(self) -> float:
        return self.busy + self.idle

    def since(self, before: "Box") -> "Box":
        return Box(self.busy - before.busy, self.idle - before.idle)


def others_share(before: Box, ours: float) -> float:
    """How much of the machine somebody else has used since `before`, `ours` being our own processor seconds."""
    since = Box.now().since(before)
    return max(0.0, since.busy - ours) / since.all
