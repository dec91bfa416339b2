"""Speed and size, on this machine: `make bench`; `BENCH=quick make bench` for a first look.

Starts platforms of its own (own folder, free ports, 1,000 homes), measures them, prints the machine and one table,
writes `/var/tmp/pingan-bench.json` (or `BENCH_JSON`), and stops everything. Never longer than half an hour.

On a machine that others use, `BENCH_NICE=-10` (root) puts all that is measured before them.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

import psycopg

from pingan.local.postgres import PostgresError
from tests.bench import bench_alerting, bench_escalation, codecs, log_alone, machine, rebalance, side, turns
from tests.bench.platform import Bench, BenchError, prefer
from tests.bench.sections import SECTIONS
from tests.bench.table import FULL, QUICK, Effort, Table, say

LIMIT_SECONDS = 1_700
"""Then whatever is not measured yet is left out, and everything is stopped."""

COMPARISONS: dict[str, Callable[[Path, int, Table, Effort], None]] = {
    "log": log_alone.log,
    "codecs": codecs.codecs,
    "logs": turns.logs,
    "alerting": bench_alerting.alerting,
    "rebalance": rebalance.rebalance,
    "escalation": bench_escalation.escalation,
    "before": turns.before,
    "side": side.side,
}
"""What starts its own servers and platforms, in a folder and at a priority; nothing else of ours runs meanwhile."""

EXPECTED = (BenchError, PostgresError, TimeoutError, psycopg.Error, subprocess.SubprocessError, RuntimeError, OSError)
"""What costs one section and not the others."""


class TooLong(Exception):
    """The time is over."""


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise TooLong


def _stopped(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(143)


def _section(name: str, table: Table, measure: Callable[[], None]) -> None:
    began = time.monotonic()
    try:
        measure()
    except EXPECTED as error:
        reason = (str(error).strip() or "it says no more").splitlines()[-1]
        table.word(f"{name}: {type(error).__name__}", reason[-120:], "", False)
    say(f"  {name}: {time.monotonic() - began:.0f} s")


def _on_one_platform(folder: Path, nice: int, table: Table, effort: Effort, wanted: Sequence[str]) -> None:
    bench = Bench(folder / "data", turns.HOMES, nice)
    try:
        with bench.providing():
            words = f"first start, {turns.HOMES:,} homes loaded, until the console answers"
            table.add(words, bench.first_start(), "s")
            for name in wanted:
                _section(name, table, lambda name=name: SECTIONS[name](bench, table, effort))  # type: ignore[misc]
    except BenchError as error:
        table.add("cannot measure", None, str(error), "", False)
    finally:
        bench.remove()


def run(effort: Effort, wanted: Sequence[str]) -> Table:
    table = Table()
    folder = Path(tempfile.mkdtemp(prefix="pingan-bench-", dir="/var/tmp"))
    folder.chmod(0o711)
    nice = int(os.environ.get("BENCH_NICE", "0"))
    if nice:
        prefer(os.getpid(), nice)
    signal.signal(signal.SIGALRM, _too_long)
    signal.signal(signal.SIGTERM, _stopped)
    signal.alarm(LIMIT_SECONDS)
    try:
        table.found["machine"] = {**machine.describe(folder), "nice": nice}
        say(json.dumps(table.found["machine"], ensure_ascii=False))
        if here := [name for name in wanted if name in SECTIONS]:
            _on_one_platform(folder, nice, table, effort, here)
        for name in wanted:
            if name in COMPARISONS:
                place = folder / name
                place.mkdir(mode=0o711)
                _section(name, table, lambda: COMPARISONS[name](place, nice, table, effort))  # noqa: B023 - called here
    except TooLong:
        table.add(f"stopped after {LIMIT_SECONDS} s: what is missing was not measured", None, "", "", False)
    finally:
        signal.alarm(0)
        shutil.rmtree(folder, ignore_errors=True)
    return table


def main(arguments: Sequence[str]) -> int:
    """The sections named, or all."""
    effort = QUICK if os.environ.get("BENCH") == "quick" else FULL
    every = [*SECTIONS, *COMPARISONS]
    if unknown := set(arguments) - set(every):
        say(f"no such section: {', '.join(sorted(unknown))}; there are {', '.join(every)}")
        return 2
    table = run(effort, arguments or every)
    say("\n" + table.text())
    path = Path(os.environ.get("BENCH_JSON", "/var/tmp/pingan-bench.json"))
    heads = ("what", "measured", "target", "holds")
    table.found["table"] = [dict(zip(heads, line, strict=True)) for line in table.lines]
    path.write_text(json.dumps(table.found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    say(f"\n{path}")
    return 1 if any(line[3] == "NO" for line in table.lines) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
