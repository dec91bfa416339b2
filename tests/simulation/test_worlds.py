"""The response in two thousand worlds: `make check-deep` lives a hundred thousand."""

import pytest

from tests.simulation.__main__ import broken_of, smallest
from tests.simulation.plan import draw
from tests.simulation.planted import PLANTED, Planted
from tests.simulation.world import World

WORLDS, AT_ONCE = 2000, 500


@pytest.mark.parametrize("first", range(0, WORLDS, AT_ONCE))
def test_every_promise_is_kept(first: int) -> None:
    failed = broken_of(range(first, first + AT_ONCE))
    assert not failed, "python -m tests.simulation --seed N tells how: " + "; ".join(
        f"seed {seed} {how}" for seed, how in failed
    )


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_a_planted_fault_is_found(planted: Planted) -> None:
    broken = World(draw(planted.seed), planted.parts).run()
    found = broken.promise if broken else "nothing"
    assert found == planted.promise, "python -m tests.simulation --find finds the seeds anew"
    assert World(draw(planted.seed)).run() is None, "and nothing else is wrong there"


def test_a_world_is_lived_again_as_it_was() -> None:
    stories: list[list[str]] = [[], []]
    for story in stories:
        World(draw(2), story=story).run()
    assert stories[0]
    assert stories[0] == stories[1]


def test_a_world_that_fails_is_made_smaller_and_fails_alike() -> None:
    planted = next(one for one in PLANTED if one.name == "the deadline is not looked at before the request")
    plan = draw(planted.seed)
    broken = World(plan, planted.parts).run()
    assert broken is not None
    less = smallest(plan, planted.parts, broken)
    assert less.size() < plan.size()
    again = World(less, planted.parts).run()
    assert again is not None
    assert again.promise == broken.promise
