"""Side by side: the same devices and messages to this platform and to what an engineer would build instead.

50 devices, 208 bytes of JSON, QoS 1, one message in twenty an SOS, answered on the device's own topic; latency from the
moment when a press was due. Each has a broker of its own under our configuration and, where it stores, a PostgreSQL of
its own under ours; they take turns at each rate. What each does for its answer differs, and the table says it:

- this platform: check, whose home, durable in the log, answer; then the alarm, its incident, calls, watches, archive;
- Node-RED: parse, a function, answer; nothing is stored;
- paho, INSERT: parse, one INSERT and commit a message, answer;
- paho, COPY: parse, whatever came during the last commit in one COPY, answer.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.bench.machine import cpu_seconds
from tests.bench.platform import Bench, BenchError, end, free_ports, measured
from tests.bench.table import Effort, Table
from tests.bench.throughput import DRAIN_SECONDS, LISTENER, Peers

HOMES = 2_500
"""Of two devices each."""
CROWD = 4_950
RATES = (1_000, 2_000, 5_000, 10_000, 20_000)
IDLE_RATE = 200
"""Some ten presses a second among a few readings: what "idle" means where a ratio to it is asked for."""
OVERLOAD_RATE, OVERLOAD_SOS_RATE = 50_000, 500
"""Readings at twice what two cores carry and more, and as many presses a second as at 10,000 messages: their lane is to
hold while readings pile up. Presses come from a generator of their own, or the flood's own lateness would be measured.
Only this platform is asked."""
ROOT = Path(__file__).parents[2]
NODE_RED = ROOT / ".venv/tools/node-red"
OURS, RED, INSERT, COPY = "this platform", "Node-RED", "paho, INSERT each", "paho, COPY"

Run = Callable[[float, float], dict[str, Any]]


def generated(access: Path, environment: dict[str, str], rate: float, seconds: float, *more: int) -> dict[str, Any]:
    """`more`: what the generator takes besides, in its order."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "tests.bench.side_generator",
        str(access),
        str(rate),
        str(seconds),
        *map(str, more),
    ]
    return measured(command, environment, 3 * seconds + 90)


def side(folder: Path, nice: int, table: Table, effort: Effort) -> None:
    bench = Bench(folder / "platform", HOMES, nice)
    found: dict[str, dict[str, Any]] = {}
    peers = Peers(folder / "peers")
    try:
        with bench.providing():
            bench.first_start()
            runs: dict[str, Run] = {
                OURS: lambda rate, seconds: _ours(bench, rate, seconds),
                RED: lambda rate, seconds: _node_red(peers, bench, rate, seconds),
                INSERT: lambda rate, seconds: _paho("insert", peers, bench, rate, seconds),
                COPY: lambda rate, seconds: _paho("copy", peers, bench, rate, seconds),
            }
            if not (NODE_RED / "node_modules/node-red/red.js").exists():
                table.word("Node-RED", "not here", "sh pingan/local/install.sh peers")
                del runs[RED]
            idle = _ours(bench, IDLE_RATE, effort.side_seconds)
            _say(table, OURS, IDLE_RATE, idle)
            found[f"{OURS} {IDLE_RATE}"] = idle
            dead: set[str] = set()
            for rate in RATES:
                for name, run in runs.items():
                    if name not in dead:
                        one = found[f"{name} {rate}"] = run(rate, effort.side_seconds)
                        _say(table, name, rate, one)
                        if (one["answer_ms"].get("p99") or 1e9) > 5_000:
                            dead.add(name)  # it is past its limit: more says nothing new
            many = found[f"{OURS} 10000 crowd"] = _ours(bench, 10_000, effort.side_seconds, CROWD)
            _say(table, f"{OURS}, {many['crowd'] + 50:,} devices connected", 10_000, many)
            over = found[f"{OURS} {OVERLOAD_RATE}"] = _overloaded(bench, effort.side_seconds)
            _say(table, OURS, OVERLOAD_RATE, over)
            busy = found[f"{OURS} 10000"]["answer_ms"].get("p99")
            table.at_most("SOS → answer, p99, at 10,000/s", busy, "ms", 25)
            table.add("  times idle", busy / idle["answer_ms"]["p99"] if busy else None, "")
            table.at_most("SOS → answer, p99, at 10,000/s, all connected", many["answer_ms"].get("p99"), "ms", 25)
            table.at_most("SOS → answer, p99, overload", over["answer_ms"].get("p99"), "ms", 100)
    finally:
        peers.close()
        bench.remove()
    table.found["side"] = found


def _say(table: Table, name: str, rate: float, one: dict[str, Any]) -> None:
    answer = one["answer_ms"]
    sent = one["sent"] / one["sent_seconds"]
    shown = f"p50 {answer['p50']:,.1f}, p99 {answer['p99']:,.1f} ms" if answer else "none answered"
    lost = one["sos"] - one["answered"]
    more = f"; {lost} of {one['sos']} unanswered" if lost else ""
    more += f"; {one['cpu_us']:,.0f} µs a message"
    table.word(f"{name}, {rate:,}/s (sent {sent:,.0f}/s)", shown + more)


def _ours(bench: Bench, rate: float, seconds: float, crowd: int = 0) -> dict[str, Any]:
    return _run(bench, lambda: generated(bench.data / "access.json", bench.environment, rate, seconds, crowd))


def _overloaded(bench: Bench, seconds: float) -> dict[str, Any]:
    """Presses while readings flood; what is sent of both."""
    access, environment = bench.data / "access.json", bench.environment

    def both() -> dict[str, Any]:
        with ThreadPoolExecutor() as pool:
            # The flood is there before the first press, and when the last one comes.
            [(before,)] = bench.query("select count(*) from readings where kind = 'motion'")
            flood = pool.submit(generated, access, environment, OVERLOAD_RATE, seconds + 4, 0, 0)
            while not flood.done() and bench.query("select count(*) from readings where kind = 'motion'") == [
                (before,)
            ]:
                time.sleep(0.2)
            presses = generated(access, environment, OVERLOAD_SOS_RATE, seconds, 0, 1, 50)
            readings = flood.result()
        return (
            presses
            | {name: presses[name] + readings[name] for name in ("sent", "skipped")}
            | {"sent_seconds": readings["sent_seconds"]}
        )

    return _run(bench, both)


def _run(bench: Bench, send: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    [(before,)] = bench.query("select count(*) from readings where kind in ('motion', 'alarm:sos')")
    cpu = bench.cpu()
    one = send()
    deadline = time.monotonic() + DRAIN_SECONDS
    stored = 0
    with bench.pipe as pipe:
        while time.monotonic() < deadline and stored < one["sent"]:
            time.sleep(0.2)
            if pipe.lag()["archive"] == 0:
                [(rows,)] = bench.query("select count(*) from readings where kind in ('motion', 'alarm:sos')")
                stored = rows - before
    while time.monotonic() < deadline and bench.query("select 1 from alarms where taken_at is null limit 1"):
        time.sleep(0.2)
    used = sum(bench.cpu().values()) - sum(cpu.values())
    return one | {"stored": stored, "cpu_us": used / max(1, one["sent"]) * 1e6}


def _paho(mode: str, peers: Peers, bench: Bench, rate: float, seconds: float) -> dict[str, Any]:
    command = (sys.executable, "-P", "-m", "tests.bench.side_peer", mode, str(peers.port), LISTENER, peers.dsn)
    peer = subprocess.Popen(
        command, env={**bench.environment, "PEER_PASSWORD": peers.password}, stdout=subprocess.PIPE, text=True
    )
    return _with(peer, "ready", peers, bench, rate, seconds)


def _node_red(peers: Peers, bench: Bench, rate: float, seconds: float) -> dict[str, Any]:
    folder = peers.folder / "node-red"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(Path(__file__).parent / "node_red/settings.js", folder)
    (folder / "flows.json").write_text(json.dumps(_flow(peers.port)))
    credentials = {"broker": {"user": LISTENER, "password": peers.password}}
    (folder / "flows_cred.json").write_text(json.dumps(credentials))
    peer = subprocess.Popen(
        ("node", str(NODE_RED / "node_modules/node-red/red.js"), "--userDir", str(folder)),
        env={**os.environ, "NODE_RED_PORT": str(free_ports(1)[0]), "NODE_ENV": "production"},
        stdout=subprocess.PIPE,
        text=True,
    )
    return _with(peer, "Connected to broker", peers, bench, rate, seconds)


def _flow(port: int) -> list[dict[str, Any]]:
    """MQTT in → function → MQTT out."""
    function = (
        "if (!msg.topic.endsWith('/alarm')) return null;\n"
        "const device = msg.topic.split('/')[2];\n"
        "return {topic: `pingan/v1/${device}/down/ack`, payload: {id: msg.payload.id, stage: 'received'}, qos: 1};"
    )
    broker = {
        "id": "broker", "type": "mqtt-broker", "broker": "127.0.0.1", "port": port, "clientid": "side-node-red",
        "protocolVersion": "4", "keepalive": "60", "cleansession": True, "autoConnect": True, "usetls": False,
    }  # fmt: skip
    place = {"z": "tab", "x": 100, "y": 100}  # what has no place on the page is taken for a setting, and hears nothing
    incoming = [
        {"id": f"in-{channel}", "type": "mqtt in", "topic": f"pingan/v1/+/up/{channel}", "qos": "1",
         "datatype": "json", "broker": "broker", "wires": [["answer"]], **place}
        for channel in ("reading", "alarm")
    ]  # fmt: skip
    return [
        {"id": "tab", "type": "tab", "label": "flow"},
        broker,
        *incoming,
        {"id": "answer", "type": "function", "func": function, "outputs": 1, "wires": [["out"]], **place},
        {"id": "out", "type": "mqtt out", "topic": "", "qos": "", "broker": "broker", "wires": [], **place},
    ]


def _with(
    peer: "subprocess.Popen[str]", ready: str, peers: Peers, bench: Bench, rate: float, seconds: float
) -> dict[str, Any]:
    """One run against `peer`, which has said what it says when it is ready."""
    output = ""
    try:
        assert peer.stdout is not None
        while ready not in (line := peer.stdout.readline()):
            if not line:
                raise BenchError(f"a peer does not start: {output[-300:]}")
            output += line
        pids = [one.pid for one in (*peers.started, peer)]
        before = [cpu_seconds(pid, with_children=True) for pid in pids]
        one = generated(peers.access, bench.environment, rate, seconds)
        used = sum(cpu_seconds(pid, with_children=True) for pid in pids) - sum(before)
        peer.send_signal(signal.SIGTERM)
        rest, _ = peer.communicate(timeout=30)
    finally:
        end(peer)
    stored = json.loads(rest)["stored"] if rest.startswith("{") else None
    return one | {"stored": stored, "cpu_us": used / max(1, one["sent"]) * 1e6}
