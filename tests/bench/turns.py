"""Two platforms by turns, A B A B: the same presses and the same floods, so that a busy minute falls on both."""

import contextlib
import os
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from device_sim.access import read_access
from tests.bench import press, throughput
from tests.bench.machine import Box, others_share
from tests.bench.platform import Bench, BenchError
from tests.bench.press import Round
from tests.bench.stores import KAFKA, POSTGRES, brokers, sides
from tests.bench.table import Effort, Table, percentile

HOMES = 1_000
BACKGROUND_READINGS = 500.0
BEFORE = os.environ.get("BENCH_BEFORE", "3d03bf3")
"""The commit that `before` compares with: the last one that had the log in PostgreSQL only."""
OLD, NEW = "before", "now"
REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Turn:
    """What one platform did between its start and its stop."""

    idle: Round
    busy: Round
    flood: throughput.Flood
    press_others: float
    """How much of the machine somebody else used during the presses."""


def logs(folder: Path, nice: int, table: Table, effort: Effort) -> None:
    """The platform with its log in PostgreSQL, and in Kafka."""
    if KAFKA not in sides():
        raise BenchError("Apache Kafka is not here: `sh pingan/local/install.sh tools` brings it, given Java and Maven")
    with brokers(folder / "kafka", nice) as kafka:
        first, second = Bench(folder / "postgres", HOMES, nice), Bench(folder / "kafka-log", HOMES, nice, kafka)
        _compare("platform", {POSTGRES: first, KAFKA: second}, table, effort)


def before(folder: Path, nice: int, table: Table, effort: Effort) -> None:
    """The log in PostgreSQL, as it was and as it is."""
    with _tree(folder / "tree") as tree:
        _compare(
            "PostgreSQL", {OLD: Bench(folder / "old", HOMES, nice, tree=tree), NEW: Bench(folder / "new", HOMES, nice)},
            table, effort,
        )  # fmt: skip


@contextlib.contextmanager
def _tree(folder: Path) -> Iterator[Path]:
    """The files of BEFORE, in `folder`. BenchError where the history does not reach back so far."""
    told = subprocess.run(["git", "-C", str(REPOSITORY), "archive", BEFORE], capture_output=True, check=False)
    if told.returncode != 0:
        raise BenchError(f"{BEFORE} is not in this copy of the history: {told.stderr.decode().strip()}")
    with tarfile.open(fileobj=BytesIO(told.stdout)) as archive:
        archive.extractall(folder, filter="data")
    yield folder


def _compare(what: str, platforms: Mapping[str, Bench], table: Table, effort: Effort) -> None:
    turns: dict[str, list[Turn]] = {name: [] for name in platforms}
    with contextlib.ExitStack() as stack:
        for bench in platforms.values():
            stack.callback(bench.remove)
            stack.enter_context(bench.providing())
        for number in range(effort.turns):
            for name, bench in platforms.items():
                if number == 0:
                    bench.first_start()
                else:
                    bench.next_start()
                turns[name].append(_turn(bench, effort))
                bench.down()
    _show(what, turns, table)
    key = what.lower()
    table.found[f"turns_{key}"] = {name: [_as_json(turn) for turn in taken] for name, taken in turns.items()}


def _turn(bench: Bench, effort: Effort) -> Turn:
    access = read_access(bench.data / "access.json")
    press.round_of(bench, access, press.BUTTONS, 0)  # opens the incidents, and warms up
    box, cpu = Box.now(), sum(bench.cpu().values())
    busy = press.round_of(bench, access, effort.turn_presses, BACKGROUND_READINGS)
    # The idle one second: what is left of the background is stored meanwhile, and not counted to the flood.
    idle = press.round_of(bench, access, effort.turn_presses, 0)
    others = others_share(box, sum(bench.cpu().values()) - cpu)
    return Turn(idle, busy, throughput.flood(bench, effort.flood_seconds, watched=False), others)


def _show(what: str, turns: Mapping[str, list[Turn]], table: Table) -> None:
    every = [turn for taken in turns.values() for turn in taken]
    for kind, words in (("idle", "nothing else"), ("busy", f"{BACKGROUND_READINGS:g} readings/s")):
        rounds = {name: [getattr(turn, kind) for turn in taken] for name, taken in turns.items()}
        for part in (50, 99):
            found = {name: _percentiles(taken, part) for name, taken in rounds.items()}
            if all(found.values()):
                table.compare(f"{what}: press → received, p{part}, {words}", "ms", found)
    made = sum(one.made for turn in every for one in (turn.idle, turn.busy))
    received = sum(len(one.acknowledged) for turn in every for one in (turn.idle, turn.busy))
    table.add("  presses made and not acknowledged", made - received, "", "0", made == received)
    rates = {name: [turn.flood.stored_per_second for turn in taken] for name, taken in turns.items()}
    table.compare(f"{what}: readings stored, one a message", "/s", rates)
    costs = {name: [turn.flood.cpu_per_message for turn in taken] for name, taken in turns.items()}
    table.compare(f"{what}: processor time a message, all processes", "µs", costs)
    lost = sum(turn.flood.sent - turn.flood.stored for turn in every)
    table.add("  readings acknowledged and not stored", lost, "", "0", lost == 0)
    others = [share for turn in every for share in (turn.press_others, turn.flood.others_share)]
    table.add("  of the machine others used meanwhile, at most", 100 * max(others), "%")


def _percentiles(rounds: list[Round], part: int) -> list[float]:
    """Of each round: the median of several is less one bad minute's than the percentile of all together."""
    return [value for one in rounds if (value := percentile(one.acknowledged, part)) is not None]


def _as_json(turn: Turn) -> dict[str, Any]:
    found: dict[str, Any] = {"flood": turn.flood.as_json(), "press_others_share": round(turn.press_others, 3)}
    for name, one in (("idle", turn.idle), ("busy", turn.busy)):
        found[f"received_ms_{name}"] = {f"p{part}": percentile(one.acknowledged, part) for part in (50, 90, 99, 100)}
        found[f"stream_ms_{name}"] = {f"p{part}": percentile(one.told, part) for part in (50, 90, 99, 100)}
    return found
