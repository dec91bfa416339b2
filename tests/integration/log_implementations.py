"""The implementations of the log that the contract is asked of: a second one is one more line here."""

from collections.abc import Callable

from pingan.clock import SystemClock
from pingan.database import Database, Listener
from pingan.kafka_log import Cluster, KafkaLog
from pingan.log import Log
from pingan.postgres_log import PostgresLog

Maker = Callable[[str, Database, Listener | None, float], Log]
"""name of the log, the database of positions and effects, who hears it, how long a silent member is waited for."""


def postgres(_where: str) -> Maker:
    def make(name: str, database: Database, listener: Listener | None, patience_seconds: float) -> Log:
        return PostgresLog(name, database, SystemClock(), listener, patience_seconds=patience_seconds)

    return make


def kafka(where: str) -> Maker:
    servers, prefix = where.split("/")

    def make(name: str, database: Database, listener: Listener | None, patience_seconds: float) -> Log:
        cluster = Cluster(servers, prefix, replication=1)
        return KafkaLog(name, database, SystemClock(), cluster, listener, patience_seconds=patience_seconds)

    return make


IMPLEMENTATIONS: dict[str, Callable[[str], Maker]] = {"postgres": postgres, "kafka": kafka}
"""Each is told where its log is: for Kafka "host:port/prefix of the topics"; PostgreSQL's is in the database."""
