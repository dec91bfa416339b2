"""Readings a second through the watches of one, two and four alerting processes, with the log on either side.

The log is filled first, then the processes start on an empty database and share the partitions between them. How far
they have come is read from the marks' alarms (`backlog.py`), which are committed at once; a stored position would be up
to ten seconds old. The rate is that between a quarter and 95 % of the marks: before, partitions still change hands.
"""

import os
import signal
import statistics
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import psycopg

from pingan.local.platform import PYTHON
from pingan.log import Record
from tests.bench.backlog import MARK, MARKS, backlog
from tests.bench.machine import Box, cpu_seconds, others_share
from tests.bench.pipe import Pipe
from tests.bench.platform import BenchError, end, prefer
from tests.bench.stores import KAFKA, POSTGRES, Stores, sides
from tests.bench.table import Effort, Table

PROCESSES = (1, 2, 4)
AT_ONCE = {POSTGRES: 1_000, KAFKA: 20_000}
"""Records to an append. In PostgreSQL an append is what a poll reads at once, so they are as a busy bridge's; in Kafka
it makes no difference to the reader, and a lone broker flushes each partition of each append."""
WITHIN_SECONDS = 120.0
FROM, TO = 0.25, 0.95


@dataclass(frozen=True)
class Run:
    per_second: float
    """Entries, between FROM and TO of the marks."""
    seconds: float
    """From the start of the processes until the last mark's alarm."""
    cpu_us: float
    """Processor microseconds of an entry, in the alerting processes, from FROM on."""
    left: int
    """Entries behind the stored positions after a clean stop."""
    others_share: float


def alerting(folder: Path, nice: int, table: Table, effort: Effort) -> None:
    entries = backlog(effort.backlog_readings)
    found: dict[str, dict[int, list[Run]]] = {side: {count: [] for count in PROCESSES} for side in sides()}
    with Stores(folder / "stores", nice) as stores:
        for _ in range(max(1, effort.turns - 1)):
            for count in PROCESSES:
                for side, runs in found.items():
                    with stores.fresh(side) as environment:
                        runs[count].append(_run(stores, side, environment, entries, count, folder, nice))
    for side, runs in found.items():
        rates = {f"{count} processes": [run.per_second for run in runs[count]] for count in PROCESSES}
        table.compare(f"alerting, {side}: entries through the watches", "/s", rates)
        for count in PROCESSES:
            cost = statistics.median(run.cpu_us for run in runs[count])
            table.add(f"  processor time an entry, {count} processes", cost, "µs")
    every = [run for runs in found.values() for taken in runs.values() for run in taken]
    table.add("  cores of this machine, which the servers share", len(os.sched_getaffinity(0)), "")
    left = sum(run.left for run in every)
    table.add("  entries behind the positions after a clean stop", left, "", "0", left == 0)
    table.add("  of the machine others used meanwhile, at most", 100 * max(run.others_share for run in every), "%")
    table.found["alerting"] = {
        "entries": len(entries),
        **{side: {count: [asdict(run) for run in taken] for count, taken in runs.items()}
           for side, runs in found.items()},
    }  # fmt: skip


def _run(
    stores: Stores,
    side: str,
    environment: Mapping[str, str],
    entries: list[Record],
    count: int,
    folder: Path,
    nice: int,
) -> Run:
    with Pipe(environment) as pipe:
        pipe.append(entries, AT_ONCE[side])
        box, servers, began = Box.now(), stores.cpu(), time.time()
        started: list[subprocess.Popen[bytes]] = []
        try:
            with (folder / "alerting.txt").open("wb") as output:
                for number in range(1, count + 1):
                    named = {**environment, "PINGAN_NAME": f"alerting-{number}"}
                    started.append(subprocess.Popen((*PYTHON, "alerting"), env=named, stdout=output, stderr=output))
            for one in started if nice else ():
                prefer(one.pid, nice)
            dsn = environment["PINGAN_DATABASE_URL"]
            marked = len(_marks(dsn, int(FROM * MARKS)))
            if marked > TO * MARKS:
                raise BenchError(f"{len(entries)} entries are too few for {count} processes here")
            before = sum(cpu_seconds(one.pid) for one in started)
            marks = [at.timestamp() for at in _marks(dsn, MARKS)]
            cpu = sum(cpu_seconds(one.pid) for one in started)
            others = others_share(box, cpu + stores.cpu() - servers)
            for one in started:
                one.send_signal(signal.SIGTERM)
            for one in started:
                one.wait(20)
            left = pipe.lag()["alerting"]
        finally:
            for one in started:
                end(one)
    first, last = int(FROM * MARKS), int(TO * MARKS)
    rate = (TO - FROM) * len(entries) / (marks[last] - marks[first])
    cost = (cpu - before) / (len(entries) * (1 - marked / MARKS)) * 1e6
    return Run(rate, marks[-1] - began, cost, left, others)


def _marks(dsn: str, count: int) -> list[datetime]:
    """When each mark was raised, in that order, as soon as `count` have been. BenchError when they are not in time."""
    until = time.monotonic() + WITHIN_SECONDS
    with psycopg.connect(dsn, autocommit=True) as connection:
        while time.monotonic() < until:
            time.sleep(0.1)
            rows = connection.execute("select raised_at from alarms where kind = %s order by 1", (MARK,)).fetchall()
            if len(rows) >= count:
                return [row[0] for row in rows]
    raise BenchError(f"after {WITHIN_SECONDS:g} s {len(rows)} of {MARKS} marks have been watched")
