"""Apache Kafka itself, for the tests: brokers as plain Java processes in KRaft mode, from the project's own pom.

They are durable as in production: nothing is relaxed for speed but the size of their index files.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pingan import kafka_log
from tests.support import free_port

JARS = Path(sys.prefix) / "tools/kafka"
HEAP = "-Xmx384m"
READY_SECONDS = 60.0


def version() -> str | None:
    """The version of the Kafka that is installed for the tests; None when there is none, or no Java."""
    found = [re.fullmatch(r"kafka_[\d.]+-(\d[\d.]*)\.jar", jar.name) for jar in JARS.glob("kafka_*.jar")]
    return next((match[1] for match in found if match), None) if shutil.which("java") else None


def need() -> str:
    """The version. Without a Kafka the test is skipped on a user's machine, and fails in CI."""
    if found := version():
        return found
    reason = "Apache Kafka is not here: it needs Java 17 and Maven; `sh pingan/local/install.sh tools` says why not"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass
class Broker:
    """One broker. It may be killed and started again on its own data."""

    number: int
    folder: Path
    port: int
    controller_port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def properties(self) -> Path:
        return self.folder / "server.properties"

    def start(self) -> None:
        with (self.folder / "broker.log").open("ab") as output:
            self.process = subprocess.Popen(
                [*_java(self.folder), "kafka.Kafka", str(self.properties)],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        if number == signal.SIGSTOP:  # until all of its threads have stopped it may still answer
            os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def kill(self) -> None:
        """As a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def again(self) -> None:
        """After a kill: start it on what it has left, when the killed one is gone."""
        assert self.process is not None
        self.process.wait()
        self.start()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@dataclass
class Kafka:
    """A cluster of `count` brokers, each its own controller as well, in `folder`."""

    folder: Path
    count: int = 1
    brokers: list[Broker] = field(default_factory=list)

    @property
    def servers(self) -> str:
        return ",".join(broker.address for broker in self.brokers)

    @property
    def replication(self) -> int:
        return min(3, self.count)

    def environ(self) -> dict[str, str]:
        """What a platform is told so that its log is here, in topics of its own."""
        return {
            "PINGAN_LOG": "kafka",
            "PINGAN_KAFKA": self.servers,
            "PINGAN_KAFKA_REPLICATION": str(self.replication),
            "PINGAN_KAFKA_PREFIX": f"t{uuid.uuid4().hex[:12]}",
        }

    def start(self) -> None:
        """Start it, and wait until every broker takes connections and knows of the others."""
        for number in range(1, self.count + 1):
            folder = self.folder / f"kafka-{number}"
            folder.mkdir(parents=True)
            self.brokers.append(Broker(number, folder, free_port(), free_port()))
        cluster = uuid.uuid4().hex[:22]
        for broker in self.brokers:
            broker.properties.write_text(self._properties(broker), encoding="utf-8")
            tool = [*_java(broker.folder), "kafka.tools.StorageTool"]
            arguments = ["format", "-t", cluster, "-c", str(broker.properties)]
            subprocess.run([*tool, *arguments], check=True, capture_output=True, timeout=READY_SECONDS)
        for broker in self.brokers:
            broker.start()
        self.ready()

    def _properties(self, broker: Broker) -> str:
        voters = ",".join(f"{one.number}@127.0.0.1:{one.controller_port}" for one in self.brokers)
        settings = {
            "process.roles": "broker,controller",
            "node.id": broker.number,
            "controller.quorum.voters": voters,
            "listeners": f"PLAINTEXT://{broker.address},CONTROLLER://127.0.0.1:{broker.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{broker.address}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": broker.folder / "data",
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": self.replication,
            "log.index.size.max.bytes": 65_536,
            "num.io.threads": 2,
            "num.network.threads": 2,
            # A broker that has died is missed soon; the defaults are for machines that are never busy.
            "broker.session.timeout.ms": 3_000,
            "broker.heartbeat.interval.ms": 500,
            "replica.lag.time.max.ms": 5_000,
            "controlled.shutdown.enable": "true",
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())

    def ready(self, timeout_seconds: float = READY_SECONDS) -> None:
        """Wait until every broker says that it has started. RuntimeError with the end of its log when it does not."""
        until = time.monotonic() + timeout_seconds
        for broker in self.brokers:
            assert broker.process is not None
            while not _answers(broker):
                if time.monotonic() > until or broker.process.poll() is not None:
                    told = (broker.folder / "broker.log").read_text(encoding="utf-8", errors="replace")
                    raise RuntimeError(f"{broker.address} did not start:\n{told[-3000:]}")
                time.sleep(0.05)

    def stop(self) -> None:
        """End it and delete what it has: nothing of it has to be kept in order."""
        for broker in self.brokers:
            if broker.process is not None:
                broker.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


async def forget(servers: str, prefix: str) -> None:
    """Delete the topics with this prefix: open files and memory are a broker's cost of a partition."""
    async with kafka_log.admin(kafka_log.Cluster(servers)) as client:
        if ours := [topic for topic in await client.list_topics() if topic.startswith(f"{prefix}.")]:
            await client.delete_topics(ours)


LOGGING = """\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""


def _java(folder: Path) -> list[str]:
    config = folder / "log4j2.properties"
    config.write_text(LOGGING, encoding="utf-8")
    return [
        "java", HEAP, "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile={config}", "-cp", f"{JARS}/*",
    ]  # fmt: skip


def _answers(broker: Broker) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", broker.port)) == 0
