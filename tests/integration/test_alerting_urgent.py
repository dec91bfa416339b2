"""The SOS lane on a real PostgreSQL: an event is an alarm at once, exactly once, whatever dies between."""

import asyncio
from typing import Any

import msgspec
import psycopg

from pingan.clock import SystemClock, from_ms
from pingan.database import Database
from pingan.log import Record
from pingan.messages import decode, partition_of, reported_alarm_id
from pingan.postgres_log import PostgresLog
from tests import alerting_support as support
from tests.alerting_support import START_MS, event, place, reading
from tests.conftest import Until

HOME = partition_of("H1", "")


async def context(database: Database) -> list[Any]:
    rows = await support.rows(database, "select body from log_batches where log = 'readings' order by last_position")
    return [decode(body) for row in rows for body in msgspec.msgpack.decode(row["body"], type=list[bytes])]


async def test_a_press_becomes_an_alarm_and_then_context(database: Database, clock: SystemClock, until: Until) -> None:
    press = event(7, location={"lat": 22.6, "lon": 113.1}, battery_percent=64.0, attempt=2, device_at_ms=START_MS - 900)
    async with await psycopg.AsyncConnection.connect(database.url, autocommit=True) as bell:
        await bell.execute("listen alarm")
        async with support.urgent(database.url, clock):
            await PostgresLog("urgent", database, clock).append([place(press)])
            await until(lambda: support.alarms(database))
            await until(lambda: support.position(database, "urgent", "urgent", HOME))
        assert [heard.channel async for heard in bell.notifies(timeout=1, stop_after=1)] == ["alarm"]

    [alarm] = await support.alarms(database)
    assert alarm["id"] == reported_alarm_id("H1-button", "e1")
    assert (alarm["kind"], alarm["home"], alarm["device"], alarm["test"]) == ("sos", "H1", "H1-button", False)
    assert alarm["at"] == from_ms(START_MS)
    assert alarm["received_at"] == from_ms(START_MS + 40)
    assert alarm["device_at"] == from_ms(START_MS - 900)
    assert alarm["evidence"] == {
        "source": "reported",
        "device": "H1-button",
        "event": "e1",
        "boot": "b1",
        "seq": 7,
        "attempt": 2,
        "location": {"lat": 22.6, "lon": 113.1},
        "battery_percent": 64.0,
        "device_at_ms": START_MS - 900,
    }
    assert await context(database) == [press]


async def test_every_press_is_its_own_alarm_and_a_retry_is_none(
    database: Database, clock: SystemClock, until: Until
) -> None:
    log = PostgresLog("urgent", database, clock)
    presses = [
        event(1, "a"),
        event(1, "a", attempt=2),
        event(2, "b"),
        event(3, "c", kind="ok"),
        event(4, "d", test=True),
    ]
    unbound = event(1, "a", device="stray", home=None)
    async with support.urgent(database.url, clock):
        await log.append([place(message) for message in (*presses, unbound)])
        await until(lambda: support.position(database, "urgent", "urgent", HOME))
        await until(lambda: support.position(database, "urgent", "urgent", partition_of(None, "stray")))
    found = await support.alarms(database)
    assert sorted((row["device"], row["kind"], row["test"]) for row in found) == [
        ("H1-button", "ok", False),
        ("H1-button", "sos", False),
        ("H1-button", "sos", False),
        ("H1-button", "sos", True),
        ("stray", "sos", False),
    ]


async def test_mutant_position_before_the_effect_would_lose_this_press(
    database: Database, clock: SystemClock, until: Until
) -> None:
    """The runner dies while the alarm waits for its table. Had the position been stored first, the press were gone."""
    async with support.urgent(database.url, clock, "first") as runner, support.locked(database, "alarms"):
        await PostgresLog("urgent", database, clock).append([place(event(1))])
        await until(lambda: support.blocked(database, "alarms"))
        await runner.kill()
    assert await support.position(database, "urgent", "urgent", HOME) == 0
    assert not await support.alarms(database)

    async with support.urgent(database.url, clock, "second"):
        await until(lambda: support.position(database, "urgent", "urgent", HOME))
    assert len(await support.alarms(database)) == 1


async def test_dying_between_the_alarm_and_the_position_repeats_harmlessly(
    database: Database, clock: SystemClock, until: Until
) -> None:
    async with support.urgent(database.url, clock, "first") as runner:
        await until(lambda: support.rows(database, "select 1 from leases where owner is not null"))
        # The context cannot be appended, so that the runner stands between its first and its last step.
        async with database.transaction() as connection:
            await connection.execute("select 1 from log_heads where log = 'readings' for update")
            await PostgresLog("urgent", database, clock).append([place(event(1))])
            await until(lambda: support.alarms(database))
            await runner.kill()
    assert await support.position(database, "urgent", "urgent", HOME) == 0

    async with support.urgent(database.url, clock, "second"):
        await until(lambda: support.position(database, "urgent", "urgent", HOME))
    assert len(await support.alarms(database)) == 1
    assert len(await context(database)) == 1


async def test_poison_is_parked_and_holds_nobody(database: Database, clock: SystemClock, until: Until) -> None:
    poison = [Record(HOME, b"\xffnot json"), place(reading(1)), place(event(1, "nul", kind="sos\0", home="H1"))]
    huge = place(event(2, "far", at_ms=10**17, device_at_ms=-(10**17)))
    async with support.urgent(database.url, clock):
        await PostgresLog("urgent", database, clock).append([*poison, huge, place(event(3, "good"))])
        await until(lambda: support.position(database, "urgent", "urgent", HOME))
    parked = await support.rows(database, "select position, reason from parked order by position")
    assert [row["position"] for row in parked] == [1, 2]
    assert "no event" in parked[1]["reason"]
    assert {row["evidence"]["event"] for row in await support.alarms(database)} == {"nul", "far", "good"}


async def test_two_runners_share_and_one_takes_over(database: Database, clock: SystemClock, until: Until) -> None:
    log = PostgresLog("urgent", database, clock)

    async def owners() -> bool:
        found = await support.rows(
            database, "select count(distinct owner) owners, count(owner) held from leases where name = 'urgent/urgent'"
        )
        return (found[0]["owners"], found[0]["held"]) == (2, 64)

    async with support.urgent(database.url, clock, "a") as first, support.urgent(database.url, clock, "b"):
        await until(owners)
        await log.append([place(event(n, f"x{n}", home=f"H{n}")) for n in range(40)])
        await asyncio.sleep(0)
        await first.kill()
        await log.append([place(event(n, f"y{n}", home=f"H{n}")) for n in range(40)])

        async def all_there() -> bool:
            return len(await support.alarms(database)) == 80

        await until(all_there)
