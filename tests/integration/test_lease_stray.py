"""A lease taken or released in a statement whose answer was lost must not stay nobody's for ever."""

import pytest

from pingan.clock import SystemClock
from pingan.database import Database
from pingan.lease import Fenced, Leases


async def test_what_bears_our_name_and_is_not_held_is_taken_again(database: Database, clock: SystemClock) -> None:
    leases = Leases(database, "stray", "a", clock, partitions=4)
    await leases.look()
    leases.held.clear()  # the update was committed; its answer never came

    await leases.look()

    assert sorted(leases.held) == [0, 1, 2, 3]
    assert set(leases.held.values()) == {2}, "taken again under a new epoch"
    async with database.transaction() as connection:
        await leases.fence(connection, 3)


async def test_a_stray_beyond_our_share_is_released(database: Database, clock: SystemClock) -> None:
    ours = Leases(database, "stray", "a", clock, partitions=4)
    await ours.look()
    theirs = Leases(database, "stray", "b", clock, partitions=4)
    await theirs.look()
    del ours.held[3]  # as if a release had not reached the database

    await ours.look()
    await theirs.look()

    assert sorted(ours.held) == [0, 1]
    assert sorted(theirs.held) == [2, 3]


async def test_whoever_does_not_know_yet_that_it_has_lost_a_partition_is_fenced(
    database: Database, clock: SystemClock
) -> None:
    """As one that was stopped and wakes in the middle of its work: it believes in its epoch, the database does not."""
    sleeper = Leases(database, "stray", "a", clock)
    await sleeper.look()
    before = dict(sleeper.held)
    heir = Leases(database, "stray", "a", clock)  # of the same name, so that it need not wait for the silence
    await heir.look()
    assert list(heir.held) == [0]
    assert sleeper.held == before
    for act in (sleeper.fence, lambda connection, partition: sleeper.store(connection, partition, 7)):
        with pytest.raises(Fenced):
            async with database.transaction() as connection:
                await act(connection, 0)
    async with database.transaction() as connection:
        await heir.fence(connection, 0)
