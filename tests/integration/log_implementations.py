"""The implementations of the log that the contract is asked of: a second one is one more line here."""

from collections.abc import Callable

from pingan.clock import SystemClock
from pingan.database import Database, Listener
from pingan.log import Log
from pingan.postgres_log import PostgresLog

Maker = Callable[[str, Database, Listener | None, float], Log]
"""name of the log, the database of positions and effects, who hears it, how long a silent member is waited for."""


def postgres(name: str, database: Database, listener: Listener | None, patience_seconds: float) -> Log:
    return PostgresLog(name, database, SystemClock(), listener, patience_seconds=patience_seconds)


IMPLEMENTATIONS: dict[str, Maker] = {"postgres": postgres}
