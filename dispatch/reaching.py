"""Tests of whether people can be reached: begun by day, a few at a time, so that nobody learns it in the night.

1. While anybody is called for help, or a provider is down or does not do what it is asked, nothing is begun.
2. Whoever's turn it is gets a call that asks for a key; nobody twice within thirty days.
3. Where no key was pressed, a text message follows that asks for a word.
4. Who answered neither, or does not know us, is a task for a person. They are called for help all the same.
5. So is a home whose way in was never proven, or long ago (`ways_in.py`).
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from dispatch import errands, tasks, ways_in, weekly
from dispatch.following import TEST, Row
from dispatch.providers import LATE_SECONDS
from dispatch.reachable import (
    AGAIN_DAYS,
    HOURS,
    TEST_DAYS,
    TEXT_HOURS,
    UNREACHABLE,
    Reachable,
    Standing,
    allowed,
    due,
    nobody,
    reachable,
    suits,
    takes_text,
    worst_first,
)
from pingan.clock import Clock
from pingan.database import LOST, Bell, Connection, Database, Queries

log = logging.getLogger(__name__)
sql = Queries(__file__, "reaching.sql")

VOICE, TEXT = "twilio_voice", "twilio_sms"

LOOK_SECONDS = 300.0
AT_ONCE = 5
"""Tests that one look begins: sixty an hour, as many as 15,000 telephones need; a call for help goes before them."""
CALL_SECONDS = 600
"""A test that could not be placed by then is abandoned: it may be dinner time."""
LATELY_SECONDS = 600
FAILURES = 3
"""So many sends that failed lately are the provider's trouble, and not people's."""
TEXTS_AT_ONCE = 20
TURNS = 200
"""Candidates that are looked at for a turn: for some it is not the time of day."""
SLICE = 500
"""Rows that are made at once, some milliseconds' work."""
FOUND_BY = "reaching"
JUDGE_SECONDS = 600
"""Everybody's standing is looked at so often; whoever opens the page sees it as it is."""


class UnderWay(Exception):
    """Somebody is being tried already."""


class Home(NamedTuple):
    """A home of which nobody at all can be reached, as far as is known."""

    id: str
    address: str
    person: str
    contacts: int


async def people(
    connection: Connection, now: datetime, zone: ZoneInfo, area: str | None = None, *, home: str | None = None,
    person: str | None = None, amiss: bool = False,
) -> list[tuple[Reachable, Standing]]:  # fmt: skip
    """Whoever may be called, of an area, of a home, or one of them; each with their standing, the worst first.

    `amiss`: only those of whom something may have to be done.
    """
    values = {
        "now": now, "zone": zone.key, "area": area, "home": home, "person": person, "amiss": amiss,
        "texts": now - timedelta(hours=TEXT_HOURS), "calls": now - timedelta(seconds=CALL_SECONDS),
    }  # fmt: skip
    found: list[Reachable] = []
    cursor = await connection.execute(sql.people, values)
    while rows := await cursor.fetchmany(SLICE):
        found += [reachable(row) for row in rows]
        await asyncio.sleep(0)  # of a city these are thousands, and somebody's press must not wait for them
    return worst_first(found, now)


async def without_anybody(
    connection: Connection, known: Sequence[tuple[Reachable, Standing]], area: str | None = None
) -> list[Home]:
    """Homes of which none of `known`, all of an area, can be reached."""
    of_home: dict[str, list[tuple[Reachable, Standing]]] = {}
    for one in known:
        if one[0].home is not None:
            of_home.setdefault(one[0].home, []).append(one)
    homes = await (await connection.execute(sql.homes, {"area": area})).fetchall()
    return [
        Home(row["id"], row["address"], row["person"], len(of_home.get(row["id"], ())))
        for row in homes
        if nobody(of_home.get(row["id"], []))
    ]


async def test_now(connection: Connection, one: Reachable, now: datetime) -> None:
    """Somebody at the desk asks for a test: at once, whatever the hour. UnderWay if there is one."""
    if one.under_way or not await errands.send(connection, f"reach/{now:%Y-%m-%dT%H:%M}", [_call(one, now)]):
        raise UnderWay(one.id)


async def begin(database: Database, now: datetime, zone: ZoneInfo) -> int:
    """Begin the tests whose turn it is; how many calls and text messages. `zone`: the centre's."""
    local = now.astimezone(zone)
    async with database.transaction() as connection:
        turn = await (await connection.execute(sql.turn)).fetchone()
        if turn is None or not turn["mine"] or not await _calm(connection, now):
            return 0
        begun = await _texts(connection, now, zone)
        values = {"now": now, "midnight": datetime.combine(local.date(), time(), zone)}
        count = await (await connection.execute(sql.telephones, values)).fetchone()
        assert count is not None
        many = min(AT_ONCE, allowed(count["telephones"], count["begun"], local)) if _by_day(local) else 0
        if many:
            for one in due(await _turns(connection, now, zone), many, now):
                begun += await errands.send(connection, f"reach/{local:%Y-%m-%d}", [_call(one, now)])
    return begun


async def judge(database: Database, now: datetime, zone: ZoneInfo) -> None:
    """Make tasks of who cannot be reached and of whom nobody could get in to; end those that are over."""
    async with database.transaction() as connection:
        await connection.execute(sql.end_tasks, {"now": now, "by": tasks.SYSTEM})
        known = await people(connection, now, zone, amiss=True)
        reached = [one.id for one, how in known if how == "reached"]
        await connection.execute(sql.end_unreachable, {"now": now, "by": tasks.SYSTEM, "reached": reached})
        for one, how in known:
            if how == "wrong_number":
                await tasks.open(connection, "wrong_number", one.id, {"phone": one.phone}, now, FOUND_BY)
            elif how == "unreached":
                assert one.tested_at is not None
                found = {"phone": one.phone, "tested_at": one.tested_at.isoformat()}
                await tasks.open(connection, "unreachable", one.id, found, now, FOUND_BY)
        await ways_in.judge(connection, now, zone)


async def keep_reaching(database: Database, clock: Clock, bell: Bell, zone: ZoneInfo, *, tests: bool = True) -> None:
    """Begin `tests` and send the letters of the week, until cancelled."""
    judge_at = now = clock.now()
    while True:
        try:
            now = clock.now()
            if tests:
                await begin(database, now, zone)
            if now >= judge_at:
                await judge(database, now, zone)
                judge_at = now + timedelta(seconds=JUDGE_SECONDS)
            while await weekly.write(database, now, zone):
                pass
        except LOST as error:
            log.debug("tests of telephones wait for the database: %s", error)
        except Exception:
            # Beside it stand those who call for help: they go on, whatever is wrong here.
            log.exception("it cannot be tested who is reached; it is tried again")
        await bell.wait(LOOK_SECONDS)


async def _turns(connection: Connection, now: datetime, zone: ZoneInfo) -> list[Reachable]:
    values = {
        "now": now, "zone": zone.key, "calls": now - timedelta(seconds=CALL_SECONDS),
        "tested": now - timedelta(days=TEST_DAYS), "tried": now - timedelta(days=AGAIN_DAYS), "limit": TURNS,
    }  # fmt: skip
    return [reachable(row) for row in await (await connection.execute(sql.due, values)).fetchall()]


async def _calm(connection: Connection, now: datetime) -> bool:
    values = {
        "now": now, "lately": now - timedelta(seconds=LATELY_SECONDS), "failures": FAILURES,
        "said": now - timedelta(seconds=LATE_SECONDS),
    }  # fmt: skip
    row = await (await connection.execute(sql.calm, values)).fetchone()
    return row is not None and bool(row["calm"])


async def _texts(connection: Connection, now: datetime, zone: ZoneInfo) -> int:
    """A text message to whoever was called today and pressed no key."""
    values = {"since": now - timedelta(hours=HOURS[1] - HOURS[0]), "limit": TEXTS_AT_ONCE}
    begun = 0
    for call in await (await connection.execute(sql.no_key, values)).fetchall():
        found = await people(connection, now, zone, person=call["recipient"])
        if found and found[0][0].phone == call["address"] and takes_text(call["address"]) and suits(found[0][0]):
            until = now + timedelta(hours=1)
            row = _row(found[0][0], TEXT, now, until)
            begun += await errands.send(connection, call["errand"], [row])
    return begun


def _by_day(local: datetime) -> bool:
    return HOURS[0] <= local.hour < HOURS[1]


def _call(one: Reachable, now: datetime) -> Row:
    return _row(one, VOICE, now, now + timedelta(seconds=CALL_SECONDS))


def _row(one: Reachable, channel: str, now: datetime, until: datetime) -> Row:
    body: dict[str, Any] = {}
    return Row(0, TEST, channel, one.id, one.name, one.phone, one.language, body, now, until)


__all__ = [
    "UNREACHABLE",
    "Home",
    "UnderWay",
    "begin",
    "judge",
    "keep_reaching",
    "people",
    "test_now",
    "without_anybody",
]
