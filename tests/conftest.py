"""What every test may ask for: a real PostgreSQL with our schema, and a real Mosquitto with our rules."""

import asyncio
import contextlib
import itertools
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pingan.clock import DrivenClock, SystemClock
from pingan.database import Database
from pingan.local.mosquitto import Mosquitto
from pingan.local.places import remove_kept
from pingan.local.postgres import SETTINGS, Postgres
from pingan.migrate import migrate
from tests import contracts, kafka
from tests.support import free_port

_numbers = itertools.count()

MEMORY, IN_MEMORY = Path("/dev/shm"), "pingan-test-"
MEMORY_BYTES = 4 * 2**30
"""What has to be free there, so that several runs have room beside each other."""


@pytest.fixture(scope="session")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory, for what makes thousands of small files that no test outlives; without room there, on disk.

    What a killed process loses is the same in both. Whatever is said to survive more is tried on the disk.
    """
    for left in MEMORY.glob(f"{IN_MEMORY}*"):  # by a run that was killed: memory is not cleaned by itself
        if not Path(f"/proc/{left.name.removeprefix(IN_MEMORY)}").exists():
            shutil.rmtree(left, ignore_errors=True)
    if not MEMORY.exists() or shutil.disk_usage(MEMORY).free < MEMORY_BYTES:
        yield tmp_path_factory.mktemp("memory")
        return
    folder = MEMORY / f"{IN_MEMORY}{os.getpid()}"
    folder.mkdir(mode=0o711)
    yield folder
    shutil.rmtree(folder)


class SharedPostgres(Postgres):
    """As in production, but that nothing waits for the disk: hundreds of databases are made and dropped here. Whatever
    starts a whole platform, or kills its database, does so with our own settings.
    """

    settings: ClassVar = {**SETTINGS, "fsync": "off"}


@pytest.fixture(scope="session")
def postgres(memory: Path) -> Iterator[Postgres]:
    """One server for the whole run."""
    server = SharedPostgres(memory / "postgres")
    server.prepare()
    process = server.start()
    try:
        server.ready(60)
        with psycopg.connect(server.superuser_dsn, autocommit=True) as connection:
            connection.execute("create database template_pingan")
        migrate(make_conninfo(server.superuser_dsn, dbname="template_pingan"))
        yield server
    finally:
        server.remove()
        process.wait(30)


@contextlib.contextmanager
def migrated(postgres: Postgres) -> Iterator[str]:
    """A database of one's own, as the migrations make it."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres.superuser_dsn, autocommit=True) as connection:
        # Copied as files: its thousand small ones are dear to write to the WAL page by page.
        connection.execute(f"create database {name} template template_pingan strategy file_copy")
    yield make_conninfo(postgres.superuser_dsn, dbname=name)
    # Dropped before its files are written back to the disk, whoever is still connected.
    with psycopg.connect(postgres.superuser_dsn, autocommit=True) as connection:
        connection.execute(f"drop database if exists {name} with (force)")


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """A database of this test's own."""
    with migrated(postgres) as url:
        yield url


@pytest.fixture(scope="module")
def shared_url(postgres: Postgres) -> Iterator[str]:
    """A database for those tests of a file that change nothing in it, or nothing that another one of them asks."""
    with migrated(postgres) as url:
        yield url


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    database = Database(postgres_url, connections=8, application="test")
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


@pytest.fixture
def driven() -> DrivenClock:
    return DrivenClock(1_790_000_000_000)


@dataclass
class Broker:
    """A running Mosquitto under our configuration."""

    mosquitto: Mosquitto
    process: subprocess.Popen[bytes]
    host: str
    port: int

    def password(self, user: str) -> str:
        return self.mosquitto.password(user)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    mosquitto = Mosquitto(tmp_path / "broker-data", port=free_port())
    mosquitto.prepare()
    running = Broker(mosquitto, mosquitto.start(), "127.0.0.1", mosquitto.port)
    try:
        mosquitto.ready(20)
        yield running
    finally:
        # A test may have put another in its place.
        running.process.terminate()
        running.process.wait(10)
        remove_kept(tmp_path / "broker-data")


@pytest.fixture(scope="session")
def kafka_broker(memory: Path) -> Iterator[kafka.Kafka]:
    """One broker of Apache Kafka for the whole run."""
    kafka.need()
    cluster = kafka.Kafka(memory / "kafka")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


LogEnviron = Callable[[], dict[str, str]]


@pytest.fixture(scope="module", params=["postgres", "kafka"])
def log_environ(request: pytest.FixtureRequest) -> LogEnviron:
    """What a platform is told so that its log is in PostgreSQL; and again, in Kafka: each time in topics of its own."""
    if request.param == "postgres":
        return dict
    cluster: kafka.Kafka = request.getfixturevalue("kafka_broker")
    contracts.held_against(f"the stories: Apache Kafka {kafka.need()}")
    return cluster.environ


@dataclass(frozen=True)
class Topics:
    """Names for topics of one test's own."""

    version: str
    servers: str
    prefix: str


@pytest.fixture
async def topics(kafka_broker: kafka.Kafka) -> AsyncIterator[Topics]:
    prefix = f"test{next(_numbers)}"
    yield Topics(kafka.need(), kafka_broker.servers, prefix)
    await kafka.forget(kafka_broker.servers, prefix)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Of several processes each tells the one that sums up; that one leaves word of how the run ended."""
    if (told := getattr(session.config, "workeroutput", None)) is not None:
        told["held_against"] = contracts.lines()
    elif (cache := getattr(session.config, "cache", None)) is not None:
        cache.set("pingan/exit", int(exitstatus))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    for line in getattr(node, "workeroutput", {}).get("held_against", ()):
        contracts.held_against(line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if lines := contracts.lines():
        terminalreporter.section("contracts were held against")
        for line in lines:
            terminalreporter.line(line)


Until = Callable[[Callable[[], Awaitable[object] | object]], Awaitable[object]]


@pytest.fixture
def until() -> Until:
    """Wait for a condition: `await until(lambda: …)` returns its first true answer, or fails after a minute.

    A loaded machine is slow, not wrong.
    """

    async def wait(condition: Callable[[], Awaitable[object] | object]) -> object:
        async with asyncio.timeout(60):
            while True:
                answer = condition()
                if isinstance(answer, Awaitable):
                    answer = await answer
                if answer:
                    return answer
                await asyncio.sleep(0.01)

    return wait
