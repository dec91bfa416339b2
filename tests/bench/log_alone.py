"""The log by itself, in PostgreSQL and in Kafka by turns."""

import sys
from pathlib import Path

from tests.bench.machine import Box, others_share
from tests.bench.platform import measured
from tests.bench.stores import Stores, sides
from tests.bench.table import Effort, Table

MEASURES = {
    "append durable, p50": ("append_p50_ms", "ms"),
    "append durable, p99": ("append_p99_ms", "ms"),
    "append → read, p50": ("append_read_p50_ms", "ms"),
    "append → read, p99": ("append_read_p99_ms", "ms"),
    "messages in large appends": ("bulk_messages_per_second", "/s"),
}


def log(folder: Path, nice: int, table: Table, effort: Effort) -> None:
    found: dict[str, list[dict[str, float]]] = {side: [] for side in sides()}
    box = Box.now()
    with Stores(folder / "stores", nice) as stores:
        for _ in range(effort.turns):
            for side, runs in found.items():
                with stores.fresh(side) as environment:
                    runs.append(measured([sys.executable, "-P", "-m", "tests.bench.bench_log"], environment, 90))
        others = others_share(box, stores.cpu() + sum(run["cpu_seconds"] for runs in found.values() for run in runs))
    for what, (name, unit) in MEASURES.items():
        table.compare(f"log: {what}", unit, {side: [run[name] for run in runs] for side, runs in found.items()})
    decodes = {"one core": [run["codec_decodes_per_second"] for runs in found.values() for run in runs]}
    table.compare("native codec: messages decoded", "/s", decodes)
    table.add("  of the machine others used meanwhile, at most", 100 * others, "%")
    table.found["log"] = found
