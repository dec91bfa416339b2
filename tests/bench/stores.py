"""PostgreSQL and Kafka without a platform, for what is measured of the log and of its readers alone."""

import asyncio
import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from pingan.local.postgres import Postgres
from pingan.migrate import migrate
from tests import kafka
from tests.bench.machine import cpu_seconds
from tests.bench.platform import end, prefer
from tests.kafka import Kafka

POSTGRES, KAFKA = "PostgreSQL", "Kafka"
BROKERS = int(os.environ.get("BENCH_KAFKA_BROKERS", "1"))
"""A lone broker flushes every append to disk; three keep it in two memories, and want a machine each."""


def sides() -> tuple[str, ...]:
    """The logs that can be measured here. Kafka needs what `install.sh tools` brings."""
    return (POSTGRES, KAFKA) if kafka.version() else (POSTGRES,)


@contextlib.contextmanager
def brokers(folder: Path, nice: int) -> Iterator[Kafka]:
    """A Kafka of BROKERS brokers, while the block lasts."""
    cluster = Kafka(folder, BROKERS)
    try:
        cluster.start()
        if nice:
            for pid in pids(cluster):
                prefer(pid, nice)
        yield cluster
    finally:
        cluster.stop()


def pids(cluster: Kafka) -> list[int]:
    return [broker.process.pid for broker in cluster.brokers if broker.process is not None]


@dataclass
class Stores:
    """One server of each kind, in `folder`; every measurement gets a database and topics of its own."""

    folder: Path
    nice: int = 0
    kafka: Kafka | None = None

    def __enter__(self) -> "Stores":
        self.folder.mkdir(mode=0o711)
        with contextlib.ExitStack() as started:
            started.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self._postgres = Postgres(self.folder)
            self._postgres.prepare()
            self._server = self._postgres.start()
            started.callback(end, self._server)
            started.callback(self._postgres.remove)
            if self.nice:
                prefer(self._server.pid, self.nice)
            self._postgres.ready()
            if KAFKA in sides():
                self.kafka = started.enter_context(brokers(self.folder / "kafka", self.nice))
            self._open = started.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @contextlib.contextmanager
    def fresh(self, side: str) -> Iterator[dict[str, str]]:
        """An empty log on that side and an empty database: the environment of whoever shall use them."""
        name = f"bench_{uuid.uuid4().hex[:12]}"
        dsn = self._postgres.dsn
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f"create database {name}")
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PINGAN_")}
        environment |= {"PINGAN_DATABASE_URL": dsn.replace("/pingan?", f"/{name}?"), "PINGAN_LOG": "postgres"}
        if side == KAFKA:
            assert self.kafka is not None
            environment |= self.kafka.environ()
        try:
            migrate(environment["PINGAN_DATABASE_URL"])
            yield environment
        finally:
            if side == KAFKA:
                asyncio.run(kafka.forget(environment["PINGAN_KAFKA"], environment["PINGAN_KAFKA_PREFIX"]))
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute(f"drop database if exists {name} with (force)")

    def cpu(self) -> float:
        """Processor seconds of the servers."""
        used = cpu_seconds(self._server.pid, with_children=True)
        return used + sum(map(cpu_seconds, pids(self.kafka) if self.kafka else []))
