"""Which implementation of the log this installation uses: the only place that knows both."""

from typing import TYPE_CHECKING

from pingan.clock import Clock
from pingan.database import Database, Listener
from pingan.log import Log
from pingan.postgres_log import PostgresLog
from pingan.settings import Common, SettingsError

if TYPE_CHECKING:
    from pingan.kafka_log import Cluster


def open_log(
    name: str,
    settings: Common,
    database: Database,
    clock: Clock,
    listener: Listener | None = None,
    *,
    patience_seconds: float = 3.0,
) -> Log:
    """The log `name` ("readings", "urgent") where `settings` say it is. SettingsError when they do not say enough."""
    if settings.log == "postgres":
        return PostgresLog(name, database, clock, listener, patience_seconds=patience_seconds)
    where = cluster(settings)
    from pingan.kafka_log import KafkaLog

    return KafkaLog(name, database, clock, where, listener, patience_seconds=patience_seconds)


def cluster(settings: Common) -> "Cluster":
    """Where Kafka is. SettingsError when it is not said, or when its client is not installed."""
    if settings.kafka is None:
        raise SettingsError("PINGAN_LOG=kafka needs PINGAN_KAFKA: the brokers, as host:port,host:port.")
    try:
        from pingan.kafka_log import Cluster
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"PINGAN_LOG=kafka needs the package {error.name}, which one machine does not carry: install what "
            "requirements/city.txt lists into this environment (pip install --require-hashes -r requirements/city.txt)."
        ) from error
    return Cluster(settings.kafka, settings.kafka_prefix, settings.kafka_replication)
