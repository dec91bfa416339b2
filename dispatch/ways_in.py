"""Homes of which nobody knows that whoever comes gets in: a task for each, before the night on which it is needed.

A key that was tried half a year ago may be another neighbour's by now. The task ends by itself when the register has a
newer date, and also when nobody lives there any more.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dispatch import tasks
from pingan.database import Connection, Queries

sql = Queries(__file__, "ways_in.sql")

PROVEN_DAYS = 180
"""A way in that was proven before is not known to be one now (chosen)."""
AGAIN_DAYS = 30
"""So long what a person has marked as done is not asked for again, although the register has no new date."""
OPEN_IN_AN_AREA = 20
"""So many are open at once in one area: a list that nobody can walk off is a list that nobody reads (chosen)."""
FOUND_BY = "reaching"


async def judge(connection: Connection, now: datetime, zone: ZoneInfo) -> None:
    """Open what is to be proven, and end what is proven. `zone`: the centre's, whose day it is."""
    values = {
        "now": now,
        "before": now.astimezone(zone).date() - timedelta(days=PROVEN_DAYS),
        "again": now - timedelta(days=AGAIN_DAYS),
        "many": OPEN_IN_AN_AREA,
        "system": tasks.SYSTEM,
    }
    await connection.execute(sql.end, {**values, "by": tasks.SYSTEM})
    await connection.execute(sql.open, {**values, "by": FOUND_BY})
