"""The letter of the week, for whoever of a home's contacts wants it: calls, tests, batteries, and nothing of health."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dispatch import errands
from dispatch.following import WEEK, Row
from pingan.database import Database, Queries
from pingan.hours import NoHours, span, within

sql = Queries(__file__, "weekly.sql")

FROM_HOUR, UNTIL_HOUR = 18, 21
"""Of Sunday, by the home's clock. Who has asked for quiet then gets it when that is over."""
LETTER_SECONDS = 12 * 3_600
"""A letter that could not be sent by then is not sent on Monday's morning."""
AT_ONCE = 50


async def write(database: Database, now: datetime, zone: ZoneInfo) -> int:
    """Send the letters whose hour it is, some of them; how many. `zone`: the clock of whatever home has no other."""
    values = {"now": now, "zone": zone.key, "from_hour": FROM_HOUR, "until_hour": UNTIL_HOUR, "limit": AT_ONCE}
    written = 0
    async with database.transaction() as connection:
        for one in await (await connection.execute(sql.due, values)).fetchall():
            channel, address = ("apprise", one["notify"]) if one["notify"] else ("twilio_sms", one["phone"])
            week = {"home": one["home"], "since": now - timedelta(days=7)}
            figures = await (await connection.execute(sql.week, week)).fetchone()
            assert figures is not None
            body = {"home": one["home"], "person": one["person"], **figures}
            due_at = now + timedelta(seconds=_quiet_seconds(one["quiet"], one["local"]))
            row = Row(
                0, WEEK, channel, one["id"], one["name"], address, one["language"], body, due_at,
                due_at + timedelta(seconds=LETTER_SECONDS),
            )  # fmt: skip
            written += await errands.send(connection, f"week/{one['local']:%G-W%V}", [row])
    return written


def _quiet_seconds(quiet: str | None, local: datetime) -> int:
    """How long it is until their quiet hours are over; 0 where these are none."""
    try:
        hours = span(quiet) if quiet else None
    except NoHours:
        hours = None
    if hours is None or not within(hours, local):
        return 0
    return (hours.end * 60 - (local.hour * 60 + local.minute) * 60) % 86_400
