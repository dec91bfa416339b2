"""The runner on a real PostgreSQL and a driven clock: alarms at once, checkpoints after, and nothing lost between."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest

from alerting import checkpoint
from alerting.checkpoint import Slot
from alerting.partition import Partition
from alerting.watch import VERSION
from pingan.clock import DrivenClock, SystemClock, from_ms
from pingan.database import Database
from pingan.log import PARTITIONS, Fenced, Record
from pingan.messages import DeviceSettings, Message, Tick, decode, encode, partition_of
from pingan.postgres_log import PostgresLog
from tests import alerting_support as support
from tests.alerting_support import START_MS, event, place, reading, status
from tests.conftest import Until
from tests.detector_versions import FAILING
from tests.timeline import HUB, Timeline, ids, replay, settings

HOME = partition_of("H1", "")


def silent_home(steps: int = 70) -> list[Message]:
    """A home that moves once, and whose hub falls silent: lost in the 5th minute; after an hour the home is unheard."""
    line = Timeline()
    line.hear(settings(HUB, hours=1), status(1, battery_percent=10), reading(2))
    line.ticks(60 * steps, every=60)
    return line.told


def records(messages: Sequence[Message]) -> list[Record]:
    return [place(message, HOME) for message in messages]


async def caught_up(database: Database) -> bool:
    query = "select position from log_heads where log = 'readings' and partition = %(p)s"
    [end] = await support.rows(database, query, p=HOME)
    return bool(await support.position(database, "readings", "alerting", HOME) == end["position"])


async def raised(database: Database) -> set[Any]:
    return {(row["id"], row["kind"]) for row in await support.alarms(database)}


async def test_silence_becomes_an_alarm_and_the_checkpoint_holds_all_of_it(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    messages = silent_home()
    log = PostgresLog("readings", database, driven)
    async with support.watching(database.url, driven):
        await log.append(records(messages))
        await until(lambda: caught_up(database))
    found = await support.alarms(database)
    assert [row["kind"] for row in found] == ["battery_low", "heartbeat_lost", "cannot_hear"]
    assert await raised(database) == ids(replay(messages))
    assert found[2]["at"] == found[2]["received_at"] == from_ms(START_MS + 61 * 60_000)
    assert (found[2]["home"], found[2]["device"]) == ("H1", None)
    assert found[2]["evidence"]["readings"] == ["H1-hub/b1/2"]

    [time] = await support.rows(database, "select * from detection_partitions where partition = %(p)s", p=HOME)
    assert (time["heard_ms"], time["at_ms"], time["epoch"]) == (70 * 60_000, START_MS + 70 * 60_000, 1)
    [home] = await support.rows(database, "select * from detection_homes")
    assert (home["home"], home["partition"], home["version"]) == ("H1", HOME, VERSION)


async def test_an_area_that_is_deaf_is_one_alarm_of_all_partitions_and_a_restart_forgets_it_not(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    log = PostgresLog("readings", database, driven)

    async def tick(number: int, *deaf: str) -> None:
        body = encode(Tick(START_MS + number * 1000, 1000, 1, deaf, {"35": (25, 0, 22.5, 10)} if deaf else {}))
        await log.append([Record(partition, body) for partition in range(PARTITIONS)])

    async def all_caught_up() -> bool:
        return (await log.lag()).get("alerting") == 0

    async with support.watching(database.url, driven, "first"):
        await tick(1)
        await tick(2, "35")
        await until(all_caught_up)
    [said] = await support.alarms(database)
    assert (said["kind"], said["home"], said["evidence"]["area"]) == ("cannot_hear", None, "35")
    kept = await support.rows(database, "select distinct deaf from detection_partitions")
    assert kept == [{"deaf": {"35": START_MS + 2000}}]
    async with support.watching(database.url, driven, "second"):
        await tick(3, "35")
        await tick(4)
        await until(all_caught_up)
    [again, over] = sorted(await support.alarms(database), key=lambda row: row["kind"])
    assert (again["id"], over["kind"]) == (said["id"], "hearing_restored")
    assert over["evidence"]["restores"] == str(said["id"])


async def test_mutant_a_timer_in_memory_would_forget_this_silence(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    """A new runner every ten minutes: each goes on counting where the one before it stopped."""
    messages = silent_home()
    log = PostgresLog("readings", database, driven)
    for first in range(0, len(messages), 10):
        async with support.watching(database.url, driven, "w") as runner:
            await log.append(records(messages[first : first + 10]))
            await until(lambda: caught_up(database))
            await runner.kill()
    assert await raised(database) == ids(replay(messages))


async def test_mutant_position_before_the_effect_would_lose_this_alarm(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    """The runner dies while its alarm waits for the table: the checkpoint may not have passed what it had fed."""
    messages = silent_home()
    log = PostgresLog("readings", database, driven)
    async with support.watching(database.url, driven, "first") as runner:
        await log.append(records(messages[:3]))
        await until(lambda: caught_up(database))
        async with support.locked(database, "alarms"):
            await log.append(records(messages[3:]))
            await until(lambda: support.blocked(database, "alarms"))
            await runner.stop()  # told to stop: it tries a last checkpoint
    assert await support.position(database, "readings", "alerting", HOME) == 3
    assert not await support.alarms(database)

    async with support.watching(database.url, driven, "second"):
        await until(lambda: caught_up(database))
    assert await raised(database) == ids(replay(messages))


async def test_dying_between_the_alarm_and_the_checkpoint_repeats_the_same_alarms(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    messages = silent_home()
    log = PostgresLog("readings", database, driven)
    async with support.watching(database.url, driven, "first") as runner:
        await log.append(records(messages[:3]))
        await until(lambda: caught_up(database))
        async with support.locked(database, "detection_partitions"):
            await log.append(records(messages[3:]))
            await until(lambda: support.alarms(database))
            await until(lambda: support.blocked(database, "detection_partitions"))
            await runner.kill()
    before = await support.alarms(database)
    assert await support.position(database, "readings", "alerting", HOME) == 3
    async with support.watching(database.url, driven, "second"):
        await until(lambda: caught_up(database))
    assert await support.alarms(database) == before
    assert await raised(database) == ids(replay(messages))


async def test_told_to_stop_it_leaves_a_checkpoint_and_free_partitions(
    database: Database, clock: SystemClock, until: Until
) -> None:
    """On the system's clock a checkpoint is seconds away; stopping does not wait for it and does not lose it."""
    log = PostgresLog("readings", database, clock)
    async with support.watching(database.url, clock):
        await log.append(records([*silent_home(5), status(3, battery_percent=3), Tick(START_MS + 10**6, 1000, 1)]))
        await until(lambda: support.rows(database, "select 1 from alarms where kind = 'battery_critical'"))
    assert await caught_up(database)
    assert not await support.rows(database, "select 1 from leases where owner is not null")


@contextlib.contextmanager
def process(url: str, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """`pingan alerting`, as it runs in production."""
    environ = os.environ | {"PINGAN_DATABASE_URL": url, "PINGAN_NAME": name, "PINGAN_CLOCK": "driven"}
    started = subprocess.Popen([sys.executable, "-m", "pingan", "alerting"], env=environ)
    try:
        yield started
    finally:
        started.send_signal(signal.SIGCONT)
        started.terminate()
        assert started.wait(10) == 0


async def test_a_stopped_runner_that_wakes_does_no_harm(database: Database, driven: DrivenClock, until: Until) -> None:
    """SIGSTOP until another has taken over and gone ahead, then SIGCONT: the alarms are those that should be."""
    messages = silent_home()
    log = PostgresLog("readings", database, driven)

    async def held_by(name: str) -> bool:
        query = "select 1 from leases where name = 'readings/alerting' and partition = %(p)s and owner like %(owner)s"
        return bool(await support.rows(database, query, p=HOME, owner=f"{name}#%"))

    with process(database.url, "a") as first:
        await until(lambda: held_by("a"))
        await log.append(records(messages[:4]))
        await until(lambda: caught_up(database))
        first.send_signal(signal.SIGSTOP)
        await log.append(records(messages[4:6]))
        with process(database.url, "b"):
            await until(lambda: held_by("b"))
            await until(lambda: caught_up(database))
            first.send_signal(signal.SIGCONT)
            await log.append(records(messages[6:]))
            await until(lambda: caught_up(database))
    assert await raised(database) == ids(replay(messages))
    [home] = await support.rows(database, "select version, state from detection_homes")
    line = Timeline()
    line.hear(*(decode(encode(message)) for message in messages))
    assert home["state"] == line.partition.watches["H1"].snapshot()


async def test_a_checkpoint_of_a_partition_that_was_lost_is_refused(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    """Also when it has been taken again since: what was known before is not what the database holds by now."""
    consumer = PostgresLog("readings", database, driven).consumer("alerting", "a")
    keeping = asyncio.create_task(consumer.run())

    async def kept() -> list[dict[str, Any]]:
        return [*await support.rows(database, "select * from detection_partitions, detection_homes")]

    try:
        await until(lambda: consumer.epoch(HOME))
        slot = Slot(HOME, consumer.epoch(HOME) or 0, Partition(), 0, 0, 0.0)
        for slot.position, message in enumerate(silent_home()[:6], 1):
            slot.detection.feed(message)
        await checkpoint.save(database, consumer, [slot])
        before = await kept()
        assert before
        assert await support.position(database, "readings", "alerting", HOME) == 6

        slot.detection.feed(silent_home()[6])
        slot.position = 7
        async with database.connection() as connection:
            await connection.execute("update leases set epoch = epoch + 1, owner = 'another'")
        with pytest.raises(Fenced):
            await checkpoint.save(database, consumer, [slot])
        async with database.connection() as connection:
            await connection.execute("update leases set owner = null")
        await until(lambda: (consumer.epoch(HOME) or 0) > slot.epoch)
        with pytest.raises(Fenced):
            await checkpoint.save(database, consumer, [slot])
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
    assert await kept() == before
    assert await support.position(database, "readings", "alerting", HOME) == 6


async def test_two_runners_share_and_one_takes_over(database: Database, driven: DrivenClock, until: Until) -> None:
    homes = [f"H{number}" for number in range(60)]
    log = PostgresLog("readings", database, driven)

    async def everywhere(messages: Sequence[Message]) -> None:
        await log.append([place(message, p) for message in messages for p in range(64)])

    async def shared() -> bool:
        query = "select count(*) n from leases where name = 'readings/alerting' and owner is not null group by owner"
        return [row["n"] for row in await support.rows(database, query)] == [32, 32]

    async def alarms_of_all() -> bool:
        return {row["home"] for row in await support.alarms(database)} == set(homes)

    async with support.watching(database.url, driven, "a") as first, support.watching(database.url, driven, "b"):
        await until(shared)
        await log.append([place(settings(DeviceSettings(f"{home}-hub", "hub"), home=home)) for home in homes])
        await log.append([place(status(1, device=f"{home}-hub", home=home)) for home in homes])
        await everywhere([Tick(START_MS + 1000 * n, 1000, 1) for n in range(0, 100)])
        await first.kill()
        await everywhere([Tick(START_MS + 1000 * n, 1000, 1) for n in range(100, 300)])
        await until(alarms_of_all)
    assert len(await support.alarms(database)) == len(homes)


async def test_poison_is_parked_and_the_watch_goes_on(database: Database, driven: DrivenClock, until: Until) -> None:
    messages = silent_home()
    log = PostgresLog("readings", database, driven)
    async with support.watching(database.url, driven):
        poison = [Record(HOME, b'{"type":"reading/9"}'), *records([reading(2**70)])]
        await log.append([*records(messages[:4]), *poison, *records(messages[4:])])
        await until(lambda: caught_up(database))
    parked = await support.rows(database, "select position, reason from parked order by position")
    assert [row["position"] for row in parked] == [5, 6]
    assert [row["reason"].split(":")[0] for row in parked] == ["not a message", "ValueError"]
    assert await raised(database) == ids(replay(messages))


async def test_a_detector_that_fails_is_kept_for_looking_at_and_the_others_ring(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    log = PostgresLog("readings", database, driven)
    ticks: list[Message] = [Tick(START_MS + 60_000 * minute, 60_000, 1) for minute in range(12)]
    async with support.watching(database.url, driven, table=FAILING):
        await log.append(records([reading(1), *ticks]))
        await until(lambda: caught_up(database))
    assert [row["kind"] for row in await support.alarms(database)] == ["inactivity"]
    parked = await support.rows(database, "select position, reason from parked order by position")
    assert [row["reason"].split(":")[0] for row in parked] == ["failing/1 of home H1"] * 2


async def test_state_that_cannot_be_read_begins_anew_and_asks_for_its_settings(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with database.transaction() as connection:
        await connection.execute("insert into areas (code, name, level) values ('44', '江门市', 'city')")
        await connection.execute("insert into homes (id, area, address, announced) values ('H1', '44', '-', 1)")
        await connection.execute(
            "insert into detection_homes values ('H1', %(p)s, 1, 'noise'), ('H2', %(p)s, 99, 'noise')", {"p": HOME}
        )
    async with support.watching(database.url, driven):
        await PostgresLog("readings", database, driven).append(records(silent_home()))
        await until(lambda: caught_up(database))
    assert await raised(database) == ids(replay(silent_home()))
    [home] = await support.rows(database, "select revision > announced as asked from homes")
    assert home["asked"], "ingest will announce it again"


async def test_connections_break_and_nothing_is_lost(database: Database, driven: DrivenClock, until: Until) -> None:
    messages = silent_home()
    log = PostgresLog("readings", database, driven)
    async with support.watching(database.url, driven):
        for first in range(0, len(messages), 8):
            await log.append(records(messages[first : first + 8]))
            async with await psycopg.AsyncConnection.connect(database.url, autocommit=True) as connection:
                await connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where datname = current_database() and pid <> pg_backend_pid()"
                )
        await until(lambda: caught_up(database))
    assert await raised(database) == ids(replay(messages))


async def test_a_press_is_context_for_the_watch(database: Database, driven: DrivenClock, until: Until) -> None:
    """The two lanes together: the alarm comes from one, the sign of life goes to the other."""
    log = PostgresLog("readings", database, driven)
    button = DeviceSettings("H1-button", "button", 90)
    async with support.urgent(database.url, driven), support.watching(database.url, driven):
        await log.append([place(settings(button)), *records([Tick(START_MS + n * 1000, 1000, 1) for n in range(260)])])
        await until(lambda: caught_up(database))
        await PostgresLog("urgent", database, driven).append([place(event(1))])
        await until(lambda: support.position(database, "urgent", "urgent", HOME))
        await until(lambda: caught_up(database))
        await log.append(records([Tick(START_MS + n * 1000, 1000, 1) for n in range(260, 500)]))
        await until(lambda: caught_up(database))
    assert [row["kind"] for row in await support.alarms(database)] == ["sos"]
