"""Readings a second, one to a message: through the broker, the log, the archive and the watches, everything stored.

The broker takes messages faster than we do and keeps them; so what counts is the time from the first message sent until
the last row is committed.
"""

import json
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pingan.local.mosquitto import Mosquitto
from pingan.local.mosquitto_password import hash_password
from pingan.local.postgres import Postgres
from tests.bench.machine import Box, cpu_seconds, others_share
from tests.bench.pipe import Pipe
from tests.bench.platform import Bench, BenchError, end, free_ports, measured

CONNECTIONS = 50
WINDOW = 40
DRAIN_SECONDS = 60.0
LOOK_SECONDS = 0.1
LISTENER = "ingest-telemetry"


@dataclass
class Flood:
    """One flood of readings, until the last was stored."""

    sent: int
    stored: int
    send_seconds: float
    drain_seconds: float
    watched_seconds: float | None
    """After the last was sent, until the watches' checkpoints had passed it (they are written each ten seconds)."""
    generator_cpu: float
    cpu: dict[str, float]
    others_share: float
    """How much of the machine somebody else used meanwhile."""

    @property
    def stored_per_second(self) -> float:
        return self.stored / (self.send_seconds + self.drain_seconds)

    @property
    def cpu_per_message(self) -> float:
        """Microseconds of processor time of all processes, the generator's too."""
        return (sum(self.cpu.values()) + self.generator_cpu) / self.sent * 1e6

    def as_json(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in ("sent", "stored", "send_seconds", "drain_seconds")},
            "watched_seconds": self.watched_seconds,
            "stored_per_second": round(self.stored_per_second),
            "others_share": round(self.others_share, 3),
            "cpu_us_per_message": {
                "generator": round(self.generator_cpu / self.sent * 1e6, 1),
                **{name: round(used / self.sent * 1e6, 1) for name, used in self.cpu.items()},
            },
        }


def flood(bench: Bench, seconds: float, *, watched: bool) -> Flood:
    """Send for `seconds` as fast as the broker takes them, wait until all is stored, and watched if that is asked."""
    with bench.pipe as pipe:
        return _flood(bench, pipe, seconds, watched=watched)


def _flood(bench: Bench, pipe: Pipe, seconds: float, *, watched: bool) -> Flood:
    [(rows_before,)] = bench.query("select count(*) from readings where kind = 'motion'")
    box, cpu = Box.now(), bench.cpu()
    command = bench.load(max=True, seconds=seconds, connections=CONNECTIONS, window=WINDOW, linger_seconds=30)
    result = measured(command, bench.environment, seconds + 60)
    sent, ended = result["readings"]["puback"], time.monotonic()
    stored, watched_seconds = 0, None
    while stored < sent and time.monotonic() - ended < DRAIN_SECONDS:
        time.sleep(LOOK_SECONDS)
        if pipe.lag()["archive"] == 0:
            [(rows,)] = bench.query("select count(*) from readings where kind = 'motion'")
            stored = rows - rows_before
    drained = time.monotonic()
    end_of_log = pipe.end()
    used = {name: value - cpu.get(name, 0.0) for name, value in bench.cpu().items()}
    generator = result["generator_cpu_seconds"]
    others = others_share(box, sum(used.values()) + generator)
    while watched and time.monotonic() - ended < DRAIN_SECONDS:
        # The end first: what is appended between the two makes the watches look later, never sooner.
        if pipe.end() - pipe.lag()["alerting"] >= end_of_log:
            watched_seconds = time.monotonic() - ended
            break
        time.sleep(0.5)
    send_seconds = result["seconds"]
    return Flood(
        sent=sent,
        stored=stored,
        send_seconds=send_seconds,
        drain_seconds=drained - ended,
        watched_seconds=watched_seconds,
        generator_cpu=generator,
        cpu=used,
        others_share=others,
    )


@dataclass
class Peers:
    """The reference programs, with a broker and a database of their own that are set up like ours."""

    folder: Path
    port: int = field(default_factory=lambda: free_ports(1)[0])

    def __post_init__(self) -> None:
        self.folder.mkdir(mode=0o711)
        self._broker, self._postgres = Mosquitto(self.folder, self.port), Postgres(self.folder)
        self._broker.prepare()
        self._postgres.prepare()
        names = [f"P{number:03}-hub" for number in range(CONNECTIONS)]
        hashed = hash_password("peer")
        self._broker.write_users(dict.fromkeys(names, hashed))
        devices = [{"id": name, "password": "peer", "home": name[:4], "kind": "hub"} for name in names]
        self.access = self.folder / "access.json"
        self.access.write_text(json.dumps({"mqtt": {"host": "127.0.0.1", "port": self.port}, "devices": devices}))
        self.started = [self._broker.start(), self._postgres.start()]
        self._postgres.ready()
        self.dsn, self.password = self._postgres.dsn, self._broker.password(LISTENER)

    def close(self) -> None:
        end(self.started[0])
        self._postgres.remove()
        end(self.started[1])
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, mode: str, count: int, bench: Bench) -> dict[str, float]:
        """`count` readings to the peer: how many a second it took, and what it cost, in microseconds of processor."""
        more = [self.dsn] if mode == "insert" else []
        peer = subprocess.Popen(
            (sys.executable, "-P", "-m", "tests.bench.peers", mode, str(self.port), LISTENER, str(count), *more),
            env={**bench.environment, "PEER_PASSWORD": self.password},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert peer.stdout is not None
            if peer.stdout.readline() != "ready\n":
                raise BenchError(f"the peer {mode} does not start")
            before = [cpu_seconds(one.pid, with_children=True) for one in self.started]
            self._send(count, bench)
            output, _ = peer.communicate(timeout=60)
        finally:
            end(peer)
        result = json.loads(output)
        broker, database = (
            cpu_seconds(one.pid, with_children=True) - then for one, then in zip(self.started, before, strict=True)
        )
        each = 1e6 / count
        return {
            "per_second": count / result["seconds"],
            "peer_us": result["cpu_seconds"] * each,
            "broker_us": broker * each,
            "database_us": database * each,
        }

    def _send(self, count: int, bench: Bench) -> None:
        command = (sys.executable, "-P", "-m", "tests.bench.send", str(self.access), str(count), str(WINDOW))
        subprocess.run(command, env=bench.environment, check=True, timeout=60)


def median(floods: list[Flood], name: str) -> float:
    return statistics.median(getattr(one, name) for one in floods)
