"""Of which areas nothing is heard: what must be seen, and what must never be taken for it."""

import math
import random
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.coverage import DAYS_LEAST, HOURS, LONGEST, SOON, SUPERVISED, WINDOWS, Coverage, Member, Usual

BEGIN = 1_790_000_000_000 // 86_400_000 * 86_400_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
SLOW = 90_000


def members(area: str, homes: int, level: int = SLOW) -> list[Member]:
    return [Member(f"{area}/{number}", f"{area}/{number}", area, level) for number in range(homes)]


def learned(share: float = 0.9) -> Usual:
    """Long known, and the same at every hour."""
    days, shares = [[14] * HOURS for _ in range(SUPERVISED + 1)], [[share] * HOURS for _ in range(SUPERVISED + 1)]
    return Usual(days, shares)


class Line:
    """Minutes, and who is heard in each."""

    def __init__(self, coverage: Coverage, now_ms: int = BEGIN + 10 * HOUR) -> None:
        self.coverage, self.now_ms = coverage, now_ms
        coverage.deaf(now_ms)

    def minutes(self, count: int, devices: Iterable[str] = (), heard: bool = True) -> list[tuple[str, ...]]:
        some, found = list(devices), []
        for _ in range(count):
            for device in some:
                self.coverage.heard(device, self.now_ms)
            self.now_ms += MINUTE
            found.append(self.coverage.deaf(self.now_ms, MINUTE if heard else 0))
        return found


def names(some: Iterable[Member]) -> list[str]:
    return [member.device for member in some]


def line(*areas: list[Member], share: float = 0.9, codes: Iterable[str] = (), level: int = 0) -> Line:
    every = [member for area in areas for member in area]
    codes = {*codes, *(member.area for member in every)}
    found = Line(Coverage(every, codes, {code: learned(share) for code in codes}))
    found.minutes(LONGEST, names(every))
    return found


@pytest.mark.parametrize(("homes", "share", "within"), [(1000, 0.9, 10), (40, 0.9, 10), (8, 0.9, 10), (1000, 0.1, 10)])
def test_a_silence_of_all_is_known_soon(homes: int, share: float, within: int) -> None:
    area = members("110", homes)
    watched = line(area, share=share)
    said = watched.minutes(within)
    assert said[0] == ()
    assert said[-1] == ("110",)
    why = watched.coverage.why("110")
    assert why is not None
    assert (why.homes, why.minutes) == (homes, WINDOWS[0])
    assert why.heard < why.usual / 2


def test_a_few_homes_or_one_that_goes_on_alone_make_no_area_deaf() -> None:
    watched = line(members("110", 4))
    assert set(watched.minutes(3 * LONGEST)) == {()}
    area = members("110", 5)
    assert set(line(area).minutes(2 * LONGEST, names(area[:3]))) == {()}


def test_what_chance_can_do_is_no_fault() -> None:
    """Of ten homes half are usually heard; that two are is a quiet hour, of a thousand it is none."""
    few, many = members("110", 10), members("120", 1000)
    watched = line(few, many, share=0.5)
    said = watched.minutes(WINDOWS[-1], names(few[:2]) + names(many[:200]))
    assert said[-1] == ("120",)


def test_what_is_not_known_yet_is_not_judged() -> None:
    area = members("110", 100)
    watched = Line(Coverage(area))
    watched.minutes(DAYS_LEAST * 24 * 60 - 2 * 60, names(area))
    assert set(watched.minutes(60)) == {()}, "by what should it be judged?"
    watched = Line(Coverage(area))
    watched.minutes((DAYS_LEAST + 1) * 24 * 60, names(area))
    assert watched.minutes(60)[-1] == ("110",)


AWAKE = [5, 5, 5, 5, 10, 25, 50, 70, 85, 90, 90, 90, 85, 80, 85, 90, 90, 90, 85, 70, 50, 25, 10, 5]
"""Homes of a hundred that are heard in each hour."""


def test_hours_differ() -> None:
    """By night next to nobody is heard, and that is as ever; by day it is not."""
    area = names(members("110", 100))
    watched = Line(Coverage(members("110", 100)), BEGIN)
    for _ in range(DAYS_LEAST + 2):
        for awake in AWAKE:
            assert set(watched.minutes(60, area[:awake])) == {()}
    assert set(watched.minutes(4 * 60, area[:5])) == {()}
    assert watched.minutes(12 * 60, area[:5])[-1] == ("110",)


def test_our_own_outage_is_no_silence() -> None:
    area = members("110", 100)
    watched = line(area)
    assert set(watched.minutes(10 * LONGEST, heard=False)) == {()}
    assert set(watched.minutes(5)) == {()}
    assert watched.minutes(WINDOWS[0])[-1] == ("110",)


def test_it_ends_when_enough_are_heard_again_and_not_when_a_few_are() -> None:
    area = members("110", 100)
    watched = line(area)
    watched.minutes(LONGEST)
    assert set(watched.minutes(2 * LONGEST, names(area[:60]))) == {("110",)}, "between the two nothing changes"
    said = watched.minutes(WINDOWS[0], names(area[:80]))
    assert said[-1] == ()
    assert watched.coverage.why("110") is None


def test_what_was_heard_before_it_fell_silent_is_no_sign_of_its_return() -> None:
    area = members("110", 12)
    watched = line(area, share=0.7)
    said = watched.minutes(58 * 60)
    first = said.index(("110",))
    assert set(said[first:]) == {("110",)}


def test_heartbeats_are_missed_soon_though_nobody_moves_at_night() -> None:
    area = members("110", 40, 90)
    quiet = learned(0.0)
    quiet.shares[SUPERVISED] = [1.0] * HOURS
    watched = Line(Coverage(area, (), {"110": quiet}))
    watched.minutes(SOON, names(area))
    said = watched.minutes(6)
    assert said[2:] == [(), (), ("110",), ("110",)], "three of 90 s are missed"
    hubs = [*members("110", 40, 90), *(Member(f"slow{n}", f"110/{n}", "110", 900) for n in range(40))]
    watched = Line(Coverage(hubs, (), {"110": quiet}))
    watched.minutes(SOON, names(hubs))
    assert set(watched.minutes(40)) == {()}, "of each home something may still come in time"
    assert watched.minutes(8)[-1] == ("110",)


def test_heartbeats_need_no_days_to_be_known() -> None:
    area = members("110", 40, 90)
    watched = Line(Coverage(area))
    watched.minutes(LONGEST + 120, names(area))
    assert watched.minutes(10)[-1] == ("110",)
    # A register that says 90 s of sensors that have no heartbeat changes nothing.
    watched = Line(Coverage(area))
    for _ in range((LONGEST + 120) // 30):
        watched.minutes(1, names(area))
        watched.minutes(29)
    assert set(watched.minutes(40)) == {()}


def test_the_widest_is_named_unless_a_part_of_it_is_heard() -> None:
    east, west, south = members("11001", 40), members("11002", 40), members("12001", 40)
    watched = line(east, west, south, codes=("110", "120"))
    assert watched.minutes(LONGEST, names(south))[-1] == ("110",)
    watched = line(east, west, south, codes=("110", "120"))
    assert watched.minutes(LONGEST, names(south) + names(west))[-1] == ("11001",)
    watched = line(east, west, south, codes=("110", "120", "1"))
    assert watched.minutes(LONGEST)[-1] == ("1",)


def test_a_small_village_is_seen_with_its_town() -> None:
    villages = [members(f"1100{number}", 4) for number in range(5)]
    watched = line(*villages, codes=("110",))
    assert watched.minutes(LONGEST)[-1] == ("110",)


def test_homes_that_are_not_in_use_are_not_expected() -> None:
    used, registered = members("110", 40), members("110", 90)
    watched = line(registered)
    watched.coverage = Coverage(registered, (), {"110": learned()})
    assert set(watched.minutes(3 * LONGEST, names(used))) == {()}, "new ones are registered before they speak"
    watched = line(registered)
    watched.minutes(LONGEST, names(registered))
    for _ in range(6 * 24 * 6):
        watched.minutes(10, names(used))
    assert watched.coverage.deaf(watched.now_ms) == ("110",), "most of them have gone all at once"
    for _ in range(2 * 24 * 6):
        watched.minutes(10, names(used))
    assert watched.coverage.deaf(watched.now_ms) == (), "who is gone for a week is out of use"


def test_a_silence_of_all_does_not_end_by_being_long() -> None:
    watched = line(members("110", 40))
    watched.minutes(LONGEST)
    for _ in range(10 * 24):
        watched.now_ms += HOUR
        assert watched.coverage.deaf(watched.now_ms) == ("110",)


def restarted(coverage: Coverage, some: list[Member], now_ms: int) -> Coverage:
    """What was kept, and when each device was last heard."""
    return Coverage([one._replace(last_ms=now_ms) for one in some], (), dict(coverage.changes()))


def test_a_restart_neither_makes_an_area_deaf_nor_hides_that_it_is() -> None:
    area = members("110", 40)
    watched = line(area)
    watched.coverage = Coverage([one._replace(last_ms=watched.now_ms) for one in area], (), {"110": learned()})
    watched.coverage.deaf(watched.now_ms)
    assert set(watched.minutes(9)) == {()}, "nothing was missed yet"
    assert set(watched.minutes(60, names(area))) == {()}
    watched.minutes(30)
    assert watched.coverage.deaf(watched.now_ms) == ("110",)
    watched.coverage = restarted(watched.coverage, area, watched.now_ms - HOUR)
    assert watched.coverage.deaf(watched.now_ms) == ("110",)
    assert set(watched.minutes(60)) == {("110",)}
    assert watched.minutes(15, names(area))[-1] == ()


def test_what_is_kept_is_what_has_changed() -> None:
    area = members("110", 40)
    watched = Line(Coverage(area, (), {"110": learned()}))
    assert watched.coverage.changes() == {}
    watched.minutes(LONGEST + 180, names(area))
    assert set(watched.coverage.changes()) == {"110"}
    assert watched.coverage.changes() == {}
    watched.minutes(30)
    assert watched.coverage.changes()["110"].deaf


def test_an_hour_in_which_it_was_deaf_teaches_nothing() -> None:
    area = members("110", 40)
    watched = line(area)
    watched.minutes(LONGEST, names(area))
    before = watched.coverage.changes()["110"].shares[0][:]
    for _ in range(3 * 24):
        watched.minutes(60)
    assert min(watched.coverage._known["110"].shares[0]) >= min(before) * 0.9


def test_the_register_may_change_at_any_moment() -> None:
    east, west = members("11001", 40), members("11002", 40)
    watched = line(east, codes=("110", "11002"))
    watched.coverage.place([*east, *west], ("110",))
    assert set(watched.minutes(60, names(east))) == {()}
    assert set(watched.minutes(60, names(east) + names(west))) == {()}
    watched.minutes(LONGEST)
    watched.coverage.place([*east, *west], ("110",))
    assert watched.minutes(1) == [("110",)]
    moved = [one._replace(area="11002") for one in east]
    watched.coverage.place(moved, ("110", "11001"))
    assert set(watched.minutes(2)) == {("110",)}
    watched.coverage.place([], ())
    assert watched.minutes(1) == [()]
    watched.coverage.heard("11001/1", watched.now_ms)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_the_counts_are_those_of_a_plain_look(seed: int, place_again: bool) -> None:
    """Whatever is heard when, the homes within each window are those that were heard in it."""
    chance = random.Random(seed)
    some = [*members("1101", 7, 900), *members("1102", 6, 90), *members("12", 5)]
    coverage = Coverage(some, ("11",))
    last: dict[str, int] = {}
    until: dict[str, int] = {}
    now = minute = 0
    coverage.deaf(now)
    for _ in range(chance.randrange(5, 60)):
        step = chance.choice([1, 1, 2, 7, 30, 100])
        minute += step
        for member in chance.sample(some, chance.randrange(len(some))):
            coverage.heard(member.device, now)
            last[member.home] = minute - 1
            if member.heartbeat_seconds <= 900:
                missed = minute - 1 + math.ceil(member.heartbeat_seconds * 3 / 60)
                until[member.home] = max(until.get(member.home, 0), missed)
        if place_again and chance.random() < 0.2:
            coverage.place(some, ("11",))
        now += step * MINUTE
        coverage.deaf(now)
        for code, area in coverage._areas.items():
            mine = [one.home for one in some if one.area.startswith(code)]
            expected = sum(home in last for home in mine)
            found = [(sum(minute - last[one] < window for one in mine if one in last), expected) for window in WINDOWS]
            assert area.counts()[:SUPERVISED] == found
            assert area.counts()[SUPERVISED][0] == sum(until.get(one, -1) >= minute for one in mine)


def test_what_is_heard_within_a_long_tick_may_have_been_heard_at_its_end() -> None:
    """As on the driven clock, which stands still while devices speak."""
    area = members("110", 40, 90)
    watched = line(area)
    for _ in range(20):
        for device in names(area):
            watched.coverage.heard(device, watched.now_ms)
        watched.now_ms += HOUR
        assert watched.coverage.deaf(watched.now_ms) == ()
    watched.now_ms += HOUR
    assert watched.coverage.deaf(watched.now_ms) == ("110",)


def test_ten_thousand_messages_of_strangers_cost_nothing_and_say_nothing() -> None:
    watched = line(members("110", 40))
    hear: Callable[[str, int], None] = watched.coverage.heard
    for number in range(10_000):
        hear(f"stranger{number}", watched.now_ms)
    assert watched.minutes(LONGEST)[-1] == ("110",)
