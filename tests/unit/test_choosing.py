"""Who can be asked for a home, in which order, and for what reasons."""

from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.choosing import LOAD_MAX, metres, ranked

NOW = datetime.fromisoformat("2026-11-02T03:10:00")
"""A Monday."""
HOME = {"home_area": "440703901001", "home_latitude": 22.6, "home_longitude": 113.07, "home_coordinates": "WGS-84"}


def contact(name: str, rank: int, **more: Any) -> dict[str, Any]:
    return {
        "id": name, "name": name, "group": "contacts", "role": "family", "phone": "1", "language": "zh", "local": NOW,
        "rank": rank, **HOME, **more,
    }  # fmt: skip


def responder(name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": name, "name": name, "group": "responders", "role": "volunteer", "phone": "1", "language": "zh",
        "local": NOW, "area": "440703901001", "consented_on": date(2026, 1, 1), "trained_on": date(2026, 1, 1),
        **HOME, **more,
    }  # fmt: skip


def order(*rows: dict[str, Any]) -> list[str]:
    return [one.id for one in ranked(rows) if not one.passed]


def at(metres_north: float, **more: Any) -> dict[str, Any]:
    return {"latitude": 22.6 + metres_north / 111_195, "longitude": 113.07, "coordinates": "WGS-84", **more}


def test_contacts_keep_the_register_s_order_and_come_first() -> None:
    assert order(responder("R"), contact("B", 2, has_key=True), contact("A", 1)) == ["A", "B", "R"]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([responder("a", **at(900)), responder("b", **at(200))], ["b", "a"]),
        ([responder("a", area="440703"), responder("b", area="440703901001")], ["b", "a"]),
        # Measured and guessed stand in one order: a village is taken for a kilometre.
        ([responder("a"), responder("b", **at(300)), responder("c", **at(3_000))], ["b", "a", "c"]),
        # Within the same walk, knowing the home counts for more; not beyond it.
        ([responder("a", **at(100)), responder("b", **at(450), attended=True)], ["b", "a"]),
        ([responder("a", **at(100)), responder("b", **at(900), attended=True)], ["a", "b"]),
        ([responder("a", **at(100)), responder("b", **at(450), has_key=True)], ["b", "a"]),
        ([responder("a", **at(100), going_to=LOAD_MAX), responder("b", area="44")], ["b", "a"]),
        ([responder("a", **at(100), going_to=1), responder("b", **at(200))], ["b", "a"]),
        # In another system of coordinates the same figures are another place: the area says how far.
        ([responder("a", **at(10, coordinates="GCJ-02")), responder("b", **at(400))], ["b", "a"]),
    ],
)
def test_responders_by_nearness_knowledge_and_load(rows: list[dict[str, Any]], expected: list[str]) -> None:
    assert order(*rows) == expected
    assert order(*reversed(rows)) == expected


@pytest.mark.parametrize(
    ("more", "passed"),
    [
        ({}, ""),
        ({"consented_on": None}, "not_consented"),
        ({"consented_on": date(2026, 11, 3)}, "not_consented"),
        ({"trained_on": None}, "not_trained"),
        ({"on_duty": False}, "off_duty"),
        ({"absent": True}, "absent"),
        ({"hours": "08:00-20:00"}, "off_rota"),
        ({"hours": "20:00-08:00"}, ""),
        ({"hours": "sun 20:00-08:00"}, ""),
        ({"hours": "mon 20:00-08:00"}, "off_rota"),
        ({"hours": "mon 00:00-08:00", "counts_as": 6}, "off_rota"),
        ({"hours": "sun 00:00-08:00", "counts_as": 6}, ""),
        # What nobody can read keeps nobody from help.
        ({"hours": "whenever"}, ""),
    ],
)
def test_who_is_passed_over_and_why(more: dict[str, Any], passed: str) -> None:
    (found,) = ranked([responder("a", **more)])
    assert found.passed == passed


def test_who_stands_in_takes_the_shift_of_whoever_is_absent() -> None:
    absent = responder("a", absent=True, hours="20:00-08:00")
    stands_in = responder("b", hours="08:00-20:00", stands_in=("a",), area="440704")
    assert order(absent, stands_in) == ["b"]
    assert ranked([absent, stands_in])[0].why == ("area:4", "stands_in:a")
    by_day = responder("a", absent=True, hours="08:00-20:00")
    assert order(by_day, stands_in) == []
    assert order(absent, {**stands_in, "trained_on": None}) == []


def test_the_reasons_stand_in_words_of_one_list() -> None:
    near, home = ranked(
        [
            responder("a", **at(350, attended=True, has_key=True, going_to=1)),
            contact("c", 1, has_key=True, quiet="22:00-07:00"),
        ]
    )[::-1]
    assert near.why == ("metres:350", "attended_before", "has_key", "going_to:1")
    assert (home.why, home.quiet) == (("contact_of_home", "has_key", "quiet_hours"), True)


def test_metres_are_metres() -> None:
    # From the Arc de Triomphe to Notre-Dame, as the crow flies: 4.6 km.
    assert 4_550 < metres(48.8738, 2.2950, 48.8530, 2.3499) < 4_680
    assert metres(22.6, 113.07, 22.6, 113.07) == 0


_rows = st.lists(
    st.builds(
        lambda name, contacts, rank, more: (contact if contacts else responder)(
            name, **({"rank": rank} if contacts else {}), **more
        ),
        st.uuids().map(str),
        st.booleans(),
        st.integers(1, 9),
        st.fixed_dictionaries(
            {},
            optional={
                "area": st.sampled_from(["440703901001", "440703901", "440703", "4407", "44", "", None]),
                "going_to": st.integers(0, 4),
                "attended": st.booleans(),
                "has_key": st.booleans(),
                "on_duty": st.booleans(),
                "absent": st.booleans(),
                "hours": st.sampled_from([None, "20:00-08:00", "08:00-20:00", "?"]),
                "trained_on": st.sampled_from([None, date(2026, 1, 1), date(2027, 1, 1)]),
                "latitude": st.floats(22, 23),
            },
        ),
    ),
    max_size=8,
)


@given(_rows, st.randoms(use_true_random=False))
def test_the_order_is_the_rows_own_and_nobody_is_lost(rows: list[dict[str, Any]], random: Any) -> None:
    people = ranked(rows)
    mixed = list(rows)
    random.shuffle(mixed)
    assert ranked(mixed) == people
    assert {one.id for one in people} == {row["id"] for row in rows}
    asked = [one for one in people if not one.passed]
    assert people[: len(asked)] == tuple(asked)
    responders = [one for one in people if one.group == "responders"]
    assert [one.rank for one in responders] == [*range(1, len(responders) + 1)]
    loads = {row["id"]: row.get("going_to", 0) >= LOAD_MAX for row in rows if row["group"] == "responders"}
    overloaded = [loads[one.id] for one in responders if not one.passed]
    assert overloaded == sorted(overloaded)
    assert all(one.why for one in people)
