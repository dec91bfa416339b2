"""The log's contract, asked of every implementation (see log_implementations.py)."""

import asyncio
import contextlib
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import psycopg
import pytest

from pingan.database import LOST, Database, Listener
from pingan.local.postgres import Postgres
from pingan.log import GROUPS, PARTITIONS, Consumer, Fenced, Log, Polled, Record
from tests.conftest import Topics, Until
from tests.contracts import held_against
from tests.integration.log_implementations import IMPLEMENTATIONS, Maker

PATIENCE_SECONDS = 1.0


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def implementation(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def where(implementation: str, request: pytest.FixtureRequest) -> str:
    """Where this test's own log is."""
    if implementation == "postgres":
        postgres: Postgres = request.getfixturevalue("postgres")
        with psycopg.connect(postgres.superuser_dsn) as connection:
            held_against(f"the log: PostgreSQL {connection.info.parameter_status('server_version')}")
        return ""
    topics: Topics = request.getfixturevalue("topics")
    held_against(f"the log: Apache Kafka {topics.version}")
    return f"{topics.servers}/{topics.prefix}"


@pytest.fixture
def make(implementation: str, where: str) -> Maker:
    return IMPLEMENTATIONS[implementation](where)


@pytest.fixture
async def readings(make: Maker, database: Database) -> AsyncIterator[Log]:
    log = make("readings", database, None, PATIENCE_SECONDS)
    yield log
    await log.close()


class Member:
    """One consumer of a group, with connections of its own, that keeps what it read."""

    def __init__(self, make: Maker, url: str, name: str, group: str = "archive", log: str = "readings") -> None:
        self.database = Database(url, application=name)
        self.log = make(log, self.database, None, PATIENCE_SECONDS)
        self.consumer: Consumer = self.log.consumer(group, name)
        self.held: dict[int, int] = {}
        self.read: dict[int, list[tuple[int, bytes]]] = {}
        self._run: asyncio.Task[None] | None = None

    async def start(self) -> "Member":
        await self.database.open()
        self._run = asyncio.create_task(self.consumer.run())
        return self

    async def leave(self) -> None:
        """Go in good order: what was held is free at once."""
        assert self._run is not None
        self._run.cancel()
        await asyncio.gather(self._run, return_exceptions=True)
        await self.log.close()
        await self.database.close()

    async def die(self) -> None:
        """Go as a killed process goes: its connections are cut, and nothing is given back."""
        await self.database.close()
        assert self._run is not None
        self._run.cancel()
        await asyncio.gather(self._run, return_exceptions=True)

    async def poll(self) -> Polled:
        polled = await self.consumer.poll(0.05)
        for partition in polled.lost:
            self.held.pop(partition, None)
        for lease in polled.taken:
            self.held[lease.partition] = lease.position
        for batch in polled.batches:
            told = [(entry.position, entry.body) for entry in batch.entries]
            self.read.setdefault(batch.partition, []).extend(told)
        return polled

    async def holds(self, count: int) -> bool:
        await self.poll()
        return len(self.held) == count

    def bodies(self, partition: int) -> list[bytes]:
        return [body for _, body in self.read.get(partition, [])]

    async def store(self, partition: int, position: int) -> None:
        async with self.database.transaction() as connection:
            await self.consumer.store(connection, partition, position)


Join = Callable[..., Awaitable[Member]]


@pytest.fixture
async def join(make: Maker, postgres_url: str) -> AsyncIterator[Join]:
    """Start a member of a group; those still there at the end leave."""
    members: list[Member] = []

    async def start(name: str, **more: Any) -> Member:
        member = await Member(make, postgres_url, name, **more).start()
        members.append(member)
        return member

    yield start
    for member in members:
        with contextlib.suppress(*LOST):
            await member.leave()


async def test_what_is_appended_is_read_in_its_order_with_positions_without_gaps(
    readings: Log, join: Join, until: Until
) -> None:
    for number in range(30):
        await readings.append([Record(3, b"%d" % number), Record(4, b"x"), Record(3, b"%d!" % number)])
    member = await join("a")
    await until(lambda: _polled(member, 3, 60))
    assert member.bodies(3) == [b"%d%s" % (n, mark) for n in range(30) for mark in (b"", b"!")]
    assert [position for position, _ in member.read[3]] == list(range(1, 61))
    assert (await readings.ends())[3] == 60


async def _polled(member: Member, partition: int, count: int) -> bool:
    await member.poll()
    return len(member.read.get(partition, ())) >= count


async def test_an_append_that_has_returned_is_there_for_everyone_and_nothing_is_appended_by_nothing(
    readings: Log, database: Database
) -> None:
    await readings.append([])
    assert set((await readings.ends()).values()) == {0}
    await readings.append([Record(0, b"x")])
    assert (await readings.ends())[0] == 1


async def test_who_dies_while_appending_holds_up_nobody(
    make: Maker, postgres_url: str, readings: Log, join: Join, until: Until
) -> None:
    """Of what it had under way any part may be there, in its order; what others append is there as ever."""
    other = Database(postgres_url, connections=1, application="dying")
    await other.open()
    log = make("readings", other, None, PATIENCE_SECONDS)
    records = [Record(p, b"%d" % number + b"x" * 100_000) for number in range(20) for p in range(PARTITIONS)]
    appending = asyncio.create_task(log.append(records))
    await asyncio.sleep(0)
    appending.cancel()
    await asyncio.gather(appending, return_exceptions=True)
    await log.close()
    await other.close()
    await readings.append([Record(p, b"y") for p in range(PARTITIONS)])
    member = await join("reader")

    async def all_read() -> bool:
        await member.poll()
        return all(member.bodies(p)[-1:] == [b"y"] for p in range(PARTITIONS))

    await until(all_read)
    for partition in range(PARTITIONS):
        left = [int(body.partition(b"x")[0]) for body in member.bodies(partition)[:-1]]
        assert left == list(range(len(left)))


@pytest.mark.parametrize("seed", range(4))
async def test_order_holds_under_appenders_who_do_not_wait_for_each_other(
    seed: int, make: Maker, postgres_url: str, join: Join, until: Until
) -> None:
    """Whoever reads while many append sees every position once, in order, and each appender's records in theirs."""
    rng = random.Random(seed)
    database = Database(postgres_url, connections=6, application="appenders")
    await database.open()
    log = make("readings", database, None, PATIENCE_SECONDS)
    plans = [
        [[rng.randrange(PARTITIONS) for _ in range(rng.randint(1, 40))] for _ in range(rng.randint(5, 25))]
        for _ in range(6)
    ]

    async def appender(number: int) -> None:
        count = 0
        for batch in plans[number]:
            records = []
            for partition in batch:
                count += 1
                records.append(Record(partition, b"%d %d" % (number, count)))
            await log.append(records)

    member = await join("reader")
    appending = asyncio.gather(*(appender(number) for number in range(6)))
    total = sum(len(batch) for plan in plans for batch in plan)

    async def everything() -> bool:
        await member.poll()
        return sum(map(len, member.read.values())) >= total

    await until(everything)
    await appending
    await log.close()
    await database.close()
    assert sum(map(len, member.read.values())) == total, seed
    for partition, entries in member.read.items():
        assert [position for position, _ in entries] == list(range(1, len(entries) + 1)), (seed, partition)
        for number in range(6):
            own = [int(body.split()[1]) for _, body in entries if body.startswith(b"%d " % number)]
            assert own == sorted(own), (seed, partition)


async def test_groups_read_independently(readings: Log, join: Join, until: Until) -> None:
    await readings.append([Record(1, b"a"), Record(1, b"b")])
    archive, alerting = await join("m", group="archive"), await join("m", group="alerting")
    await until(lambda: _polled(archive, 1, 2))
    await archive.store(1, 2)
    await until(lambda: _polled(alerting, 1, 2))
    assert alerting.held[1] == 0


async def test_an_unknown_group_is_refused(readings: Log) -> None:
    with pytest.raises(ValueError, match="stranger"):
        readings.consumer("stranger", "m")


async def test_reading_goes_on_behind_the_stored_position(readings: Log, join: Join, until: Until) -> None:
    await readings.append([Record(1, b"%d" % number) for number in range(1, 6)])
    first = await join("a")
    await until(lambda: _polled(first, 1, 5))
    await first.store(1, 3)
    await first.leave()
    second = await join("b")
    await until(lambda: _polled(second, 1, 2))
    assert second.held[1] == 3
    assert second.read[1] == [(4, b"4"), (5, b"5")]


async def test_two_consumers_share_the_partitions_and_none_has_two_owners(
    readings: Log, join: Join, until: Until
) -> None:
    first = await join("a")
    await until(lambda: first.holds(PARTITIONS))
    second = await join("b")

    async def halves() -> bool:
        await first.poll()
        await second.poll()
        return len(first.held) == len(second.held) == PARTITIONS // 2

    await until(halves)
    assert not set(first.held) & set(second.held)
    await readings.append([Record(p, b"x") for p in range(PARTITIONS)])

    async def all_read() -> bool:
        await first.poll()
        await second.poll()
        return len(first.read) + len(second.read) == PARTITIONS

    await until(all_read)


async def test_who_has_died_is_taken_over_from_its_stored_positions(readings: Log, join: Join, until: Until) -> None:
    await readings.append([Record(p, b"1") for p in range(PARTITIONS)])
    dying, heir = await join("dying"), await join("heir")

    async def both() -> bool:
        await dying.poll()
        await heir.poll()
        return len(dying.held) == len(heir.held) == PARTITIONS // 2 and len(dying.read) >= PARTITIONS // 2

    await until(both)
    stored = sorted(dying.held)[:5]
    for partition in stored:
        await dying.store(partition, 1)
    await dying.die()
    await until(lambda: heir.holds(PARTITIONS))
    assert {partition for partition, position in heir.held.items() if position == 1} >= set(stored)

    async def heard_everything_unstored() -> bool:
        await heir.poll()
        return set(heir.read) >= set(range(PARTITIONS)) - set(stored)

    await until(heard_everything_unstored)


async def test_a_forerunner_of_the_same_name_is_taken_over_at_once(
    make: Maker, postgres_url: str, database: Database, until: Until
) -> None:
    """A restarted process need not wait out the patience that others would give its former self."""
    log = make("readings", database, None, 3_600.0)
    former = Member(make, postgres_url, "archive-1")
    await former.start()
    await until(lambda: former.holds(PARTITIONS))
    await former.die()
    consumer = log.consumer("archive", "archive-1")
    run = asyncio.create_task(consumer.run())
    taken: set[int] = set()

    async def all_taken() -> bool:
        nonlocal taken
        taken |= {lease.partition for lease in (await consumer.poll(0.05)).taken}
        return len(taken) == PARTITIONS

    await until(all_taken)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    await log.close()


async def test_a_stopped_consumer_is_taken_over_and_can_do_no_harm_when_it_wakes(
    implementation: str, where: str, postgres_url: str, join: Join, until: Until
) -> None:
    stopped = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.log_member", implementation, where),
        *(postgres_url, "sleeper", str(PATIENCE_SECONDS)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert stopped.stdout is not None
    assert stopped.stdin is not None
    try:
        assert await stopped.stdout.readline() == b"holds %d\n" % PARTITIONS
        os.kill(stopped.pid, signal.SIGSTOP)
        heir = await join("heir")
        await until(lambda: heir.holds(PARTITIONS))
        stopped.stdin.write(b"store\n")  # the first thing that it will do
        os.kill(stopped.pid, signal.SIGCONT)
        assert await stopped.stdout.readline() == b"stored 0 fenced %d\n" % PARTITIONS
    finally:
        stopped.kill()
        await stopped.wait()
    await heir.store(0, 1)


async def test_whoever_has_lost_a_partition_is_fenced_and_lets_go_of_it(
    readings: Log, join: Join, until: Until
) -> None:
    first = await join("a")
    await until(lambda: first.holds(PARTITIONS))
    second = await join("b")

    async def halves() -> bool:
        await first.poll()
        return await second.holds(PARTITIONS // 2)

    await until(halves)
    (foreign, *_) = second.held
    async with first.database.connection() as connection:
        with pytest.raises(Fenced):
            await first.consumer.store(connection, foreign, 1)
        with pytest.raises(Fenced):
            await first.consumer.fence(connection, foreign)
    assert first.consumer.epoch(foreign) is None
    assert second.consumer.epoch(foreign) is not None


async def test_a_position_stands_and_falls_with_its_effect(readings: Log, join: Join, until: Until) -> None:
    await readings.append([Record(1, b"x")])
    member = await join("a")
    await until(lambda: _polled(member, 1, 1))

    async def store_and_fail() -> None:
        async with member.database.transaction() as connection:
            await member.consumer.store(connection, 1, 1)
            await connection.execute("insert into no_such_table values (1)")

    with pytest.raises(psycopg.errors.UndefinedTable):
        await store_and_fail()
    await member.leave()
    again = await join("b")
    await until(lambda: _polled(again, 1, 1))
    assert again.held[1] == 0


async def test_a_fenced_effect_leaves_nothing_behind(readings: Log, join: Join, until: Until) -> None:
    member = await join("a")
    await until(lambda: member.holds(PARTITIONS))
    member.consumer.drop(5)

    async def act_in_vain() -> None:
        async with member.database.transaction() as connection:
            await connection.execute("insert into driven_clock (at, step) values ('2026-01-01Z', 1)")
            await member.consumer.fence(connection, 5)

    with pytest.raises(Fenced):
        await act_in_vain()
    async with member.database.connection() as connection:
        assert (await (await connection.execute("select from driven_clock")).fetchall()) == []


async def test_a_partition_that_was_dropped_by_mistake_comes_back(readings: Log, join: Join, until: Until) -> None:
    """A fence that failed because an answer was lost on the way must not leave a partition to nobody."""
    member = await join("a")
    await until(lambda: member.holds(PARTITIONS))
    member.consumer.drop(5)

    async def back() -> bool:
        return 5 in {lease.partition for lease in (await member.poll()).taken}

    await until(back)


async def test_a_stored_position_never_goes_back(readings: Log, join: Join, until: Until) -> None:
    member = await join("a")
    await until(lambda: member.holds(PARTITIONS))
    await member.store(1, 7)
    await member.store(1, 3)
    await member.leave()
    again = await join("b")
    await until(lambda: again.holds(PARTITIONS))
    assert again.held[1] == 7


async def test_rewound_is_read_again(readings: Log, join: Join, until: Until) -> None:
    await readings.append([Record(1, b"%d" % number) for number in range(1, 6)])
    member = await join("a")
    await until(lambda: _polled(member, 1, 5))
    member.consumer.rewind(1, 2)
    await until(lambda: _polled(member, 1, 8))
    assert [position for position, _ in member.read[1]] == [1, 2, 3, 4, 5, 3, 4, 5]


async def test_poison_is_parked_once_and_what_stands_behind_it_goes_on(readings: Log, join: Join, until: Until) -> None:
    await readings.append([Record(1, b"poison"), Record(1, b"good")])
    member = await join("a")
    polled = await member.poll()
    while not polled.batches:
        polled = await member.poll()
    entry = polled.batches[0].entries[0]
    await member.consumer.park(1, entry, "it is poison")
    await member.consumer.park(1, entry, "it is poison")
    async with member.database.connection() as connection:
        rows = await (await connection.execute("select partition, position, reason, body from parked")).fetchall()
    assert rows == [{"partition": 1, "position": 1, "reason": "it is poison", "body": b"poison"}]
    await until(lambda: _polled(member, 1, 2))


async def test_lag_counts_what_a_group_has_not_stored(readings: Log, join: Join, until: Until) -> None:
    await readings.append([Record(1, b"a"), Record(1, b"b"), Record(2, b"c")])
    assert await readings.lag() == {"archive": 3, "alerting": 3}  # nobody has ever started
    archive = await join("m", group="archive")
    await until(lambda: _polled(archive, 1, 2))
    assert await readings.lag() == {"archive": 3, "alerting": 3}  # read is not done
    await archive.store(1, 1)
    assert await readings.lag() == {"archive": 2, "alerting": 3}
    await archive.store(1, 2)
    await archive.store(2, 1)
    assert await readings.lag() == {"archive": 0, "alerting": 3}


async def test_trimming_waits_for_every_group_even_before_its_first_start(
    readings: Log, join: Join, until: Until
) -> None:
    await readings.append([Record(1, b"old")])
    await readings.append([Record(1, b"older than nothing")])
    assert await readings.trim(0) == 0  # nobody has ever started
    archive = await join("m", group="archive")
    await until(lambda: _polled(archive, 1, 2))
    await archive.store(1, 2)
    assert await readings.trim(0) == 0  # alerting has not
    alerting = await join("m", group="alerting")
    await until(lambda: _polled(alerting, 1, 2))
    await alerting.store(1, 1)
    assert await readings.trim(3_600) == 0  # not old enough
    assert await readings.trim(0) == 1
    assert await readings.trim(0) == 0
    await alerting.leave()
    again = await join("n", group="alerting")
    await until(lambda: _polled(again, 1, 1))
    assert again.read[1] == [(2, b"older than nothing")]
    assert set(GROUPS["readings"]) == {"archive", "alerting"}


async def test_a_waiting_consumer_hears_of_an_append(
    make: Maker, postgres_url: str, readings: Log, until: Until
) -> None:
    """With somebody who listens, a poll that waits ends with the append and not with its patience."""
    database = Database(postgres_url, application="listener")
    await database.open()
    listener = Listener(database)
    log = make("readings", database, listener, PATIENCE_SECONDS)
    consumer = log.consumer("archive", "m")
    run, hear = asyncio.create_task(consumer.run()), asyncio.create_task(listener.run())
    held = 0

    async def holds_all() -> bool:
        nonlocal held
        held += len((await consumer.poll(0.05)).taken)
        return held == PARTITIONS

    await until(holds_all)
    await consumer.poll(0)
    polling = asyncio.create_task(consumer.poll(3_600))
    await asyncio.sleep(0)
    await readings.append([Record(1, b"x")])
    async with asyncio.timeout(60):
        while not (polled := await polling).batches:
            polling = asyncio.create_task(consumer.poll(3_600))
    assert [batch.partition for batch in polled.batches] == [1]
    for task in (run, hear):
        task.cancel()
    await asyncio.gather(run, hear, return_exceptions=True)
    await log.close()
    await database.close()
