"""The lane's bounds: what waits for a database that is away is limited, and all of it comes through in the end."""

import asyncio

import psycopg

from ingest.lane import Lane
from ingest.waiting import InOrder, Waiting
from pingan.clock import SystemClock
from pingan.database import Database
from pingan.log import Record
from pingan.postgres_log import PostgresLog
from tests.conftest import Until


async def test_beyond_its_bound_it_asks_for_no_more_and_below_half_of_it_for_more(
    database: Database, postgres_url: str, until: Until
) -> None:
    done: list[int] = []
    flow: list[bool] = []
    trouble: list[str | None] = []
    log = PostgresLog("urgent", database, SystemClock())
    lane = Lane(
        log,
        InOrder(),
        done=lambda items: done.extend(item.ticket for item in items),
        flow=flow.append,
        trouble=trouble.append,
        batch_messages=7,
        messages_max=100,
    )
    run = asyncio.create_task(lane.run())
    with psycopg.connect(postgres_url) as connection:
        connection.execute("lock table log_heads in exclusive mode")
        for number in range(150):
            lane.put("", Waiting([Record(0, b"%d" % number)], number, 10))
            await asyncio.sleep(0)
        assert flow == [False]
        await until(lambda: trouble)  # an append that does not come back is said to be in trouble
        assert done == []
    await lane.idle()
    assert flow == [False, True]
    assert trouble[-1] is None
    assert done == list(range(150))
    assert (await log.ends())[0] == 150
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


async def test_large_messages_count_by_their_bytes(database: Database, until: Until) -> None:
    flow: list[bool] = []
    log = PostgresLog("urgent", database, SystemClock())
    lane = Lane(log, InOrder(), done=lambda _: None, flow=flow.append, batch_messages=7, bytes_max=1_000)
    for number in range(4):
        lane.put("", Waiting([Record(0, b"x")], number, 300))
    assert flow == [False]
    run = asyncio.create_task(lane.run())
    await until(lambda: flow == [False, True])
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
