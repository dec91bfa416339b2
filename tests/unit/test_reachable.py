"""Who is tried when, and what is known of whom: nobody too often, nobody at night, the worst first."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dispatch import reachable
from dispatch.reachable import Reachable, allowed, due, nobody, standing, suits, takes_text, worst_first

CHINA = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)
"""14:00 in China."""
LI = Reachable("C1", "contacts", "李梅", "family", "+8613800000101", "zh", NOW.astimezone(CHINA))


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({}, "untested"),
        ({"tried_at": ago(2)}, "untested"),  # what could not be placed says nothing of her
        ({"tested_at": ago(2), "tried_at": ago(2)}, "unreached"),
        ({"tested_at": ago(0.5), "tried_at": ago(0.5)}, "under_way"),  # a text message follows
        ({"tested_at": ago(0.5), "phone": "+867503200000"}, "unreached"),  # none can
        ({"tested_at": ago(2), "reached_at": ago(1.9)}, "reached"),
        ({"tested_at": ago(2), "reached_at": ago(3)}, "unreached"),
        ({"reached_at": ago(3)}, "reached"),
        ({"reached_at": ago(61)}, "long_ago"),
        ({"tested_at": ago(2), "reached_at": ago(3), "under_way": True}, "under_way"),
        ({"tested_at": ago(2), "reached_at": ago(1), "wrong_at": ago(1.5)}, "reached"),
        ({"tested_at": ago(2), "reached_at": ago(3), "wrong_at": ago(1.5)}, "wrong_number"),
        ({"reached_at": ago(3), "bad": True}, "bad_number"),
    ],
)
def test_what_is_known_of_somebody(known: dict[str, object], expected: str) -> None:
    assert standing(replace(LI, **known), NOW) == expected


def test_the_worst_stand_first_and_a_home_where_nobody_answers_is_known() -> None:
    silent = replace(LI, id="C2", tested_at=ago(2))
    stranger = replace(LI, id="C3", wrong_at=ago(2))
    well = replace(LI, id="C4", reached_at=ago(2))
    found = worst_first([well, LI, silent, stranger], NOW)
    assert [one.id for one, _ in found] == ["C3", "C2", "C1", "C4"]
    assert nobody(found[:2])
    assert nobody([])
    assert not nobody(found[1:]), "an untested one may well answer"


@pytest.mark.parametrize(
    ("hour", "quiet", "fits"),
    [
        (9, None, False), (10, None, True), (19, None, True), (20, None, False), (3, None, False),
        (13, "12:00-14:00", False), (15, "12:00-14:00", True), (15, "whenever", False),
    ],
)  # fmt: skip
def test_nobody_is_tried_at_night_or_in_their_quiet_hours(hour: int, quiet: str | None, fits: bool) -> None:
    one = replace(LI, local=LI.local.replace(hour=hour), quiet=quiet)
    assert suits(one) == fits
    assert bool(due([one], 9, NOW)) == fits
    assert not suits(replace(one, absent=True))


def test_a_telephone_is_tried_once_whoever_it_belongs_to() -> None:
    again = replace(LI, id="C9", home="H2")
    assert [one.id for one in due([again, LI], 9, NOW)] == ["C1"]
    assert due([again, replace(LI, quiet="13:00-15:00")], 9, NOW) == [], "the quiet hours of either"


@pytest.mark.parametrize(
    ("known", "turn"),
    [
        ({"tested_at": ago(29), "tried_at": ago(29)}, False),
        ({"tested_at": ago(30), "tried_at": ago(30)}, True),
        ({"tried_at": ago(0.5)}, False),
        ({"tried_at": ago(1)}, True),
        ({"tested_at": ago(40), "under_way": True}, False),
    ],
)
def test_nobody_is_tried_too_often(known: dict[str, object], turn: bool) -> None:
    assert bool(due([replace(LI, **known)], 9, NOW)) == turn


def test_whoever_was_tried_longest_ago_has_the_first_turn() -> None:
    never = replace(LI, id="A", phone="+8613800000001")
    old = replace(LI, id="B", phone="+8613800000002", tested_at=ago(90), tried_at=ago(90))
    older = replace(LI, id="C", phone="+8613800000003", tested_at=ago(91), tried_at=ago(91))
    assert [one.id for one in due([old, older, never], 2, NOW)] == ["A", "C"]


@given(telephones=st.integers(0, 20_000), begun=st.integers(0, 100), minute=st.integers(0, 1439))
def test_tests_are_spread(telephones: int, begun: int, minute: int) -> None:
    at = datetime(2026, 11, 22, minute // 60, minute % 60, tzinfo=CHINA)
    a_day = -(-telephones // reachable.SPREAD_DAYS)
    many = allowed(telephones, begun, at)
    assert 0 <= many <= a_day
    if at.hour < 10:
        assert many == 0
    if at.hour >= 20:
        assert many == max(0, a_day - begun)
    assert allowed(telephones, begun + many, at) == 0


@pytest.mark.parametrize(
    ("phone", "takes"),
    [("+8613800000101", True), ("+867503200000", False), ("+862012345678", False), ("+447700900123", True)],
)
def test_a_landline_takes_no_text(phone: str, takes: bool) -> None:
    assert takes_text(phone) == takes
