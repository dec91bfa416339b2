"""What is sent for no incident: tests of whether somebody can be reached, and letters of the week."""

from collections.abc import Sequence

from psycopg.types.json import Jsonb

from dispatch.following import Row
from pingan.database import Connection, Queries

sql = Queries(__file__, "errands.sql")


async def send(connection: Connection, errand: str, rows: Sequence[Row]) -> int:
    """Put into the outbox what has not been sent for this errand yet; how many rows."""
    sent = 0
    for row in rows:
        values = {**row._asdict(), "errand": errand, "body": Jsonb(row.body)}
        sent += (await connection.execute(sql.send, values)).rowcount
    return sent
