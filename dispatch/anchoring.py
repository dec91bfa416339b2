"""Once a day the heads of all journals that were written in are anchored, each anchor covering the one before it.

A journal's own chain shows a changed entry. That a whole journal is gone, or was written anew from its beginning, only
somebody who has kept its head can tell: the anchors do, and whoever keeps the newest anchor elsewhere can tell of them.
"""

import asyncio
import logging
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from dispatch.auditing import anchor_hash
from pingan.clock import Clock
from pingan.database import LOST, Bell, Database, Queries

log = logging.getLogger(__name__)
sql = Queries(__file__, "audit.sql")

LOOK_SECONDS = 60.0
AFTER = timedelta(minutes=10)
"""After midnight: whoever wrote an entry before it has committed it by then."""
AGAIN = timedelta(hours=1)


async def keep_anchoring(database: Database, clock: Clock, bell: Bell, zone: ZoneInfo) -> None:
    """Anchor each day that is over, until cancelled."""
    while True:
        try:
            while await anchor(database, clock.now(), zone):
                pass
        except LOST as error:
            log.debug("nothing can be anchored: %s", error)
        except Exception:
            log.exception("the journals could not be anchored; it is tried again")
            await asyncio.sleep(LOOK_SECONDS)
        await bell.wait(LOOK_SECONDS)


async def anchor(database: Database, now: datetime, zone: ZoneInfo) -> bool:
    """Anchor what was written since the last anchor and before the last midnight of the centre's; whether there was a
    day to anchor. Days on which nobody wrote anything are anchored with the next on which somebody did.
    """
    midnight = datetime.combine((now - AFTER).astimezone(zone).date(), time(), zone)
    async with database.transaction() as connection:
        turn = await (await connection.execute(sql.my_turn)).fetchone()
        if turn is None or not turn["mine"]:
            return False
        last = await (await connection.execute(sql.last_anchor)).fetchone()
        if last is not None and last["through"] >= midnight:
            return False
        since = last["through"] - AGAIN if last else datetime.min.replace(tzinfo=zone)
        looked = {"since": max(since, datetime(1970, 1, 2, tzinfo=zone)), "through": midnight}
        heads = await (await connection.execute(sql.new_heads, looked)).fetchall()
        if not heads:
            return False
        number, before = (last["number"], last["hash"]) if last else (0, b"")
        head = anchor_hash(before, ((row["incident"], row["number"], row["hash"]) for row in heads))
        made = {"number": number + 1, "now": now, "through": midnight, "heads": len(heads), "hash": head}
        await connection.execute(sql.anchor, made)
        async with connection.cursor() as cursor:
            await cursor.executemany(sql.head, [{**row, "anchor": number + 1} for row in heads])
    log.info("journals anchored through %s: anchor %d, %d heads, %s", midnight, number + 1, len(heads), head.hex())
    return True
