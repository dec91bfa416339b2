"""What is measured on one platform of 1,000 homes."""

import os
import statistics
import sys
from collections.abc import Callable

from device_sim.access import read_access
from tests.bench import browser, machine, press, throughput
from tests.bench.platform import Bench, measured
from tests.bench.press import Round
from tests.bench.table import Effort, Table, percentile
from tests.bench.turns import BACKGROUND_READINGS, HOMES


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
    "watches": watches,
    "memory": memory,
    "start": second_start,
}
