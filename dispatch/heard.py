"""What the telephone provider has told and was acted on: told again, late or replayed, it has no effect."""

from datetime import datetime

from pingan.database import Connection, Queries

sql = Queries(__file__, "heard.sql")


async def first(connection: Connection, key: str, now: datetime) -> bool:
    """Whether it is heard for the first time, by the transaction that acts on it. Who hears it at the same moment waits
    for that one's end."""
    return (await connection.execute(sql.first, {"key": key, "now": now})).rowcount == 1


async def before(connection: Connection, key: str) -> bool:
    """Whether it has been acted on."""
    return await (await connection.execute(sql.before, {"key": key})).fetchone() is not None
