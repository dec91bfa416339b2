"""Speed and size, on this machine: `make bench`; `BENCH=quick make bench` for a first look.

Starts a platform of its own (own folder, free ports, 1,000 homes), measures it, prints the machine and one table,
writes `/var/tmp/pingan-bench.json` (or `BENCH_JSON`), and stops everything. Never longer than five minutes or so.

On a machine that others use, `BENCH_NICE=-10` (root) puts all that is measured before them.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg

from device_sim.access import read_access
from pingan.migrate import migrate
from tests.bench import browser, machine, press, throughput
from tests.bench.platform import Bench, BenchError, measured, prefer
from tests.bench.press import Round

LIMIT_SECONDS = 300
"""Then whatever is not measured yet is left out, and everything is stopped."""
HOMES = 1_000
BACKGROUND_READINGS = 500.0


@dataclass(frozen=True)
class Effort:
    presses: int
    """Of one round; there are two of each kind, in turn, so that a busy minute of the machine falls on both."""
    rows: int
    flood_seconds: float
    floods: int
    peer_messages: int
    watch_readings: int


FULL = Effort(presses=500, rows=50, flood_seconds=5.0, floods=3, peer_messages=20_000, watch_readings=20_000)
QUICK = Effort(presses=100, rows=10, flood_seconds=2.0, floods=1, peer_messages=5_000, watch_readings=5_000)


@dataclass
class Table:
    """What was found, a line each: what, how much, and what it should be."""

    lines: list[tuple[str, str, str, str]] = field(default_factory=list)
    found: dict[str, Any] = field(default_factory=dict)

    def add(self, what: str, value: float | None, unit: str, target: str = "", holds: bool | None = None) -> None:
        shown = "—" if value is None else f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"
        verdict = "" if holds is None else "yes" if holds else "NO"
        self.lines.append((what, f"{shown} {unit}", target, verdict))

    def at_most(self, what: str, value: float | None, unit: str, most: float) -> None:
        self.add(what, value, unit, f"≤ {most:,g}", value is not None and value <= most)

    def at_least(self, what: str, value: float, unit: str, least: float) -> None:
        self.add(what, value, unit, f"≥ {least:,g}", value >= least)

    def text(self) -> str:
        heads = ("what", "measured", "target", "holds")
        rows = [heads, *self.lines]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def percentile(values: Sequence[float], part: float) -> float | None:
    """Nearest rank. None of nothing."""
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * part // 100) - 1)] if ordered else None


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def presses(bench: Bench, table: Table, effort: Effort) -> None:
    access = read_access(bench.data / "access.json")
    press.round_of(bench, access, press.BUTTONS, 0)  # opens the incidents, and warms up
    kinds = {"idle": 0.0, "busy": BACKGROUND_READINGS}
    rounds: dict[str, list[Round]] = {name: [] for name in kinds}
    box, cpu = machine.Box.now(), bench.cpu()
    for _ in range(2):
        for name, readings in kinds.items():
            rounds[name].append(press.round_of(bench, access, effort.presses, readings))
    others = machine.others_share(box, sum(bench.cpu().values()) - sum(cpu.values()))
    for name, words in (("idle", "nothing else"), ("busy", f"{BACKGROUND_READINGS:g} readings/s")):
        made = sum(one.made for one in rounds[name])
        acknowledged = [value for one in rounds[name] for value in one.acknowledged]
        told = [value for one in rounds[name] for value in one.told]
        table.at_most(f"press → received, p50, {words}", percentile(acknowledged, 50), "ms", 10)
        table.at_most(f"press → received, p99, {words}", percentile(acknowledged, 99), "ms", 50)
        table.add(f"press → stream, p50, {words}", percentile(told, 50), "ms")
        table.at_most(f"press → stream, p99, {words}", percentile(told, 99), "ms", 100)
        table.add("  presses made", made, "")
        table.add("  of them lost on the way", 2 * made - len(acknowledged) - len(told), "", "0", made == len(told))
        table.found[f"presses_{name}"] = [
            {
                "made": one.made,
                "received_ms": {f"p{part}": percentile(one.acknowledged, part) for part in (50, 90, 99, 100)},
                "stream_ms": {f"p{part}": percentile(one.told, part) for part in (50, 90, 99, 100)},
            }
            for one in rounds[name]
        ]
    table.add("  of the machine others used meanwhile, at most", 100 * others, "%")


def board(bench: Bench, table: Table, effort: Effort) -> None:
    access = read_access(bench.data / "access.json")
    homes = [home.id for home in access.homes[100 : 100 + effort.rows]]
    placed, drawn = browser.rows(bench, access, homes, BACKGROUND_READINGS)
    words = f"{BACKGROUND_READINGS:g} readings/s"
    table.add(f"press → row in Chromium, p50, {words}", percentile(drawn, 50), "ms")
    table.at_most(f"press → row in Chromium, p99, {words}", percentile(drawn, 99), "ms", 250)
    table.add("  rows seen", len(drawn), "", str(len(homes)), len(drawn) == len(homes))
    table.found["browser_ms"] = {"placed": sorted(placed), "drawn": sorted(drawn)}


def floods(bench: Bench, table: Table, effort: Effort) -> None:
    peers = throughput.Peers(bench.data.parent / "peers")
    found: list[throughput.Flood] = []
    compared: dict[str, list[dict[str, float]]] = {"loop": [], "insert": []}
    try:
        for number in range(1, effort.floods + 1):
            found.append(throughput.flood(bench, effort.flood_seconds, watched=number == effort.floods))
            for mode, runs in compared.items():
                runs.append(peers.run(mode, effort.peer_messages, bench))
    finally:
        peers.close()
    ours = throughput.median(found, "stored_per_second")
    table.at_least("readings stored, one a message", ours, "/s", 5_000)
    table.add("  drained after the last was sent", throughput.median(found, "drain_seconds"), "s")
    table.add("  watched, and checkpointed, after the last was sent", found[-1].watched_seconds, "s")
    lost = sum(one.sent - one.stored for one in found)
    table.add("  acknowledged and not stored", lost, "", "0", lost == 0)
    cost = throughput.median(found, "cpu_per_message")
    table.add("  processor time a message, all processes", cost, "µs")
    table.add("  that is, with the whole machine", bench_cores() / cost * 1e6, "/s")
    table.add("  used by others meanwhile", 100 * throughput.median(found, "others_share"), "%")
    costs = {
        name: statistics.median(one.cpu[name] / one.sent * 1e6 for one in found if name in one.cpu)
        for name in found[0].cpu
    }
    for name, each in sorted(costs.items(), key=lambda item: -item[1])[:6]:
        table.add(f"  {name}", each, "µs a message")
    for mode, words in (("loop", "paho's loop, nothing stored"), ("insert", "paho, one INSERT a message")):
        rate = statistics.median(run["per_second"] for run in compared[mode])
        table.add(words, rate, "/s")
        table.add("  ours is", ours / rate, "times that")
        table.add("  its process", statistics.median(run["peer_us"] for run in compared[mode]), "µs a message")
    table.found["throughput"] = [one.as_json() for one in found]
    table.found["peers"] = compared


def logs(bench: Bench, table: Table, effort: Effort) -> None:
    name = "pingan_bench"
    with psycopg.connect(bench.dsn, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    dsn = bench.dsn.replace("/pingan?", f"/{name}?")
    try:
        migrate(dsn)
        result = measured([sys.executable, "-P", "-m", "tests.bench.bench_log", dsn], bench.environment, 60)
    finally:
        with psycopg.connect(bench.dsn, autocommit=True) as connection:
            connection.execute(f"drop database if exists {name} with (force)")
    table.add("log: append durable, p50", result["append_p50_ms"], "ms")
    table.add("log: append durable, p99", result["append_p99_ms"], "ms")
    table.add("log: append → read, p50", result["append_read_p50_ms"], "ms")
    table.add("log: append → read, p99", result["append_read_p99_ms"], "ms")
    table.add("log: messages in large appends", result["bulk_messages_per_second"], "/s")
    table.add("native codec: messages decoded, one core", result["codec_decodes_per_second"], "/s")
    table.found["log"] = result


def watches(bench: Bench, table: Table, effort: Effort) -> None:
    command = [sys.executable, "-P", "-m", "tests.bench.bench_watch", str(effort.watch_readings)]
    result = measured(command, bench.environment, 120)
    table.add("watches: readings decoded and watched, one core", result["decode_and_watch_readings_per_second"], "/s")
    table.found["watch"] = result


def memory(bench: Bench, table: Table, effort: Effort) -> None:
    found = {name: machine.memory_mb(pid) for name, pid in bench.python().items()}
    resident, proportional = (sum(values) for values in zip(*found.values(), strict=True))
    table.at_most(f"our {len(found)} processes at {HOMES:,} homes, resident", resident, "MB", 600)
    table.add("  the same, what is shared counted once (PSS)", proportional, "MB")
    for name, (rss, _) in sorted(found.items(), key=lambda item: -item[1][0])[:3]:
        table.add(f"  {name}", rss, "MB")
    table.found["memory_mb"] = {name: {"rss": round(one[0], 1), "pss": round(one[1], 1)} for name, one in found.items()}


def second_start(bench: Bench, table: Table, effort: Effort) -> None:
    bench.down()
    table.at_most("second start, until the console answers", bench.next_start(), "s", 15)


def bench_cores() -> int:
    return len(os.sched_getaffinity(0))


SECTIONS: dict[str, Callable[[Bench, Table, Effort], None]] = {
    "browser": board,
    "presses": presses,
    "throughput": floods,
    "log": logs,
    "watches": watches,
    "memory": memory,
    "start": second_start,
}


class TooLong(Exception):
    """The time is over."""


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise TooLong


def _stopped(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(143)


def run(effort: Effort, wanted: Sequence[str]) -> Table:
    table = Table()
    folder = Path(tempfile.mkdtemp(prefix="pingan-bench-", dir="/var/tmp"))
    folder.chmod(0o711)
    nice = int(os.environ.get("BENCH_NICE", "0"))
    bench = Bench(folder / "data", HOMES, nice)
    if nice:
        prefer(os.getpid(), nice)
    signal.signal(signal.SIGALRM, _too_long)
    signal.signal(signal.SIGTERM, _stopped)
    signal.alarm(LIMIT_SECONDS)
    try:
        table.found["machine"] = {**machine.describe(folder), "nice": nice}
        say(json.dumps(table.found["machine"], ensure_ascii=False))
        with bench.providing():
            table.add(f"first start, {HOMES:,} homes loaded, until the console answers", bench.first_start(), "s")
            for name in wanted:
                began = time.monotonic()
                try:
                    SECTIONS[name](bench, table, effort)
                except (BenchError, TimeoutError, psycopg.Error, subprocess.SubprocessError) as error:
                    table.add(f"{name}: {type(error).__name__}", None, str(error).splitlines()[0][:80], "", False)
                say(f"  {name}: {time.monotonic() - began:.0f} s")
    except TooLong:
        table.add(f"stopped after {LIMIT_SECONDS} s: what is missing was not measured", None, "", "", False)
    except BenchError as error:
        table.add("cannot measure", None, str(error), "", False)
    finally:
        signal.alarm(0)
        bench.remove()
        folder.joinpath("up.txt").unlink(missing_ok=True)
        folder.rmdir()
    return table


def main(arguments: Sequence[str]) -> int:
    """The sections named, or all."""
    effort = QUICK if os.environ.get("BENCH") == "quick" else FULL
    if unknown := set(arguments) - set(SECTIONS):
        say(f"no such section: {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
        return 2
    table = run(effort, arguments or list(SECTIONS))
    say("\n" + table.text())
    path = Path(os.environ.get("BENCH_JSON", "/var/tmp/pingan-bench.json"))
    heads = ("what", "measured", "target", "holds")
    table.found["table"] = [dict(zip(heads, line, strict=True)) for line in table.lines]
    path.write_text(json.dumps(table.found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    say(f"\n{path}")
    return 1 if any(line[3] == "NO" for line in table.lines) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
