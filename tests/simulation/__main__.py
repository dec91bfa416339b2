"""Live many worlds, and say which break a promise.

    python -m tests.simulation --worlds 100000 [--from N] [--jobs 2]
    python -m tests.simulation --seed N [--planted NAME]
    python -m tests.simulation --find

The first is what `make check-deep` does: a line says how far it is, each seed that fails is printed, and `--from` goes
on where it was stopped. The second tells one world's story line by line; one that fails is made smaller before. The
third finds, for each planted fault, the first world that shows it.
"""

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

from tests.simulation.plan import Plan, draw
from tests.simulation.planted import PLANTED, Planted
from tests.simulation.promises import Broken
from tests.simulation.world import Parts, World

AT_ONCE = 100
"""Worlds of one task."""


def broken_of(seeds: range) -> list[tuple[int, str]]:
    """Each of these worlds that broke a promise, and how."""
    lived = ((seed, World(draw(seed)).run()) for seed in seeds)
    return [(seed, str(broken)) for seed, broken in lived if broken]


def smallest(plan: Plan, parts: Parts | None, broken: Broken) -> Plan:
    """The same world with as little in it as still breaks the same promise."""
    while True:
        for less in plan.smaller():
            found = World(less, parts).run()
            if found is not None and found.promise == broken.promise:
                plan = less
                break
        else:
            return plan


def tell(seed: int, planted: str) -> int:
    """One world's story; of one that fails, the smallest that fails alike."""
    parts = next((one.parts for one in PLANTED if planted and planted in one.name), None)
    plan = draw(seed)
    broken = World(plan, parts).run()
    if broken is not None:
        plan = smallest(plan, parts, broken)
    story: list[str] = []
    broken = World(plan, parts, story).run()
    for home in plan.homes:
        people = ", ".join(f"{person.id} {habit}" for person, habit in home.people) or "nobody"
        print(f"{home.id}: {people}; {'speaks' if home.speaks else 'says nothing'}")  # noqa: T201
    print("\n".join(story))  # noqa: T201
    print(f"BROKEN {broken}" if broken else "every promise was kept")  # noqa: T201
    return 1 if broken else 0


def live(first: int, worlds: int, jobs: int) -> int:
    """Whether all of them kept every promise; each that did not is printed."""
    begun, seen, failed = time.monotonic(), 0, Counter[str]()
    tasks: Iterator[range] = (
        range(seed, min(seed + AT_ONCE, first + worlds)) for seed in range(first, first + worlds, AT_ONCE)
    )
    with multiprocessing.Pool(jobs) as pool:
        while some := list(islice(tasks, jobs * 4)):
            for found in pool.imap(broken_of, some):
                for seed, how in found:
                    failed[how.split(":")[0]] += 1
                    print(f"\nseed {seed} {how}")  # noqa: T201
            seen = some[-1].stop - first
            pace = seen / (time.monotonic() - begun)
            line = f"{seen} of {worlds} worlds, {pace:.0f}/s, {failed.total()} failed, from here: --from {first + seen}"
            print(f"\r{line} ", end="", flush=True)  # noqa: T201
    print()  # noqa: T201
    for promise, count in failed.most_common():
        print(f"{count} × {promise}")  # noqa: T201
    return 1 if failed else 0


def find(most: int = 10_000) -> int:
    """The first seed that shows each planted fault."""
    for planted in PLANTED:
        seeds = (seed for seed in range(most) if _breaks(planted, seed))
        print(f"{next(seeds, None)} {planted.name}", flush=True)  # noqa: T201
    return 0


def _breaks(planted: Planted, seed: int) -> bool:
    broken = World(draw(seed), planted.parts).run()
    return broken is not None and broken.promise == planted.promise


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0 when every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--worlds", type=int, default=2000)
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, help="tell this world's story")
    parser.add_argument("--planted", default="", help="with --seed: the planted fault whose name has this in it")
    parser.add_argument("--find", action="store_true", help="the first seed that shows each planted fault")
    given = parser.parse_args(argv)
    if given.find:
        return find()
    if given.seed is not None:
        return tell(given.seed, given.planted)
    return live(given.first, given.worlds, given.jobs)


if __name__ == "__main__":
    sys.exit(main())
