"""What a version in shadow is held against: which alarm is false, what was real, and what nobody can know."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting import exact
from alerting.shadow_report import Act, Asked, Found, Incident, Watched, in_shadow, report
from alerting.shadow_words import WORDS

DAY = timedelta(days=1)
UNTIL = datetime(2026, 10, 1, tzinfo=UTC)
FIRST = UNTIL - 28 * DAY
ASKED = Asked("inactivity", "new-1", FIRST, UNTIL)
ACTS = [Act("4407", "shadow", FIRST - DAY)]
WATCHED = {"440703": Watched(10, 12), "4408": Watched(5, 5)}


def found(day: float, home: str = "H1", kind: str = "inactivity", **more: Any) -> Found:
    at = FIRST + day * DAY
    given: dict[str, Any] = {"area": "440703", "since": at - timedelta(hours=4), "restores": None, "incident": None}
    return Found(id=f"{home}/{day}/{kind}", home=home, kind=kind, at=at, **(given | more))


def incident(number: int, day: float, closure: str | None, home: str = "H1", cause: str = "inactivity") -> Incident:
    opened = FIRST + day * DAY
    closed = None if closure is None else opened + timedelta(hours=2)
    return Incident(number, home, "440703", opened, closed, cause, closure)


def made(live: list[Found], shadow: list[Found], incidents: list[Incident], acts: list[Act] = ACTS) -> dict[str, Any]:
    return report(ASKED, acts, WATCHED, live, shadow, incidents)


def said(one: dict[str, Any]) -> dict[str, Any]:
    return {what["what"]: what for what in one["cannot_know"]}


def test_both_are_counted_over_the_homes_in_which_the_shadow_ran() -> None:
    one = made([found(1), found(2, "H9", area="4408")], [found(1)], [])
    assert (one["homes"], one["people"], one["person_weeks"]) == (10, 12, 48.0)
    assert (one["live"]["rang"], one["shadow"]["rang"]) == (1, 1), "the other home knew no shadow"


def test_an_alarm_is_real_false_or_undecided_as_people_have_closed_it() -> None:
    incidents = [
        incident(1, 1, "true"), incident(2, 3, "false"), incident(3, 20, None), incident(4, 7, "neither")
    ]  # fmt: skip
    live = [found(1, incident=1), found(3, incident=2), found(20, incident=3), found(7, incident=4)]
    shadow = [found(0.9), found(3), found(7.01), found(9), found(9.5, kind="inactivity_suspected")]
    one = made(live, shadow, incidents)
    assert [one["live"][name] for name in ("real", "false", "undecided")] == [1, 1, 2]
    assert [one["shadow"][name] for name in ("real", "false", "undecided", "asked")] == [1, 2, 1, 1]
    assert (one["events"], one["live"]["found"], one["shadow"]["found"]) == (1, 1, 1)
    assert (one["found_by_both"], one["minutes_sooner_median"]) == (1, 144.0)
    assert one["shadow"]["minutes_to_detect"] == {"n": 1, "p50": 240.0, "p90": None}
    assert said(one)["nobody_looked"]["n"] == 1
    assert said(one)["undecided"]["n"] == 3
    assert said(one)["known_by_live"] == {"what": "known_by_live", "n": 1, "of": 1}
    assert "nobody_asked" in said(one)


def test_what_a_button_brought_counts_for_both_when_its_cause_is_theirs() -> None:
    one = made([], [found(1)], [incident(1, 1.1, "true"), incident(2, 8, "true", "H2", cause="sos")])
    assert one["events"] == 1
    assert one["live"]["sensitivity"]["value"] == 0
    assert one["shadow"]["sensitivity"]["value"] == 1
    assert one["shadow"]["sensitivity"]["low"] == pytest.approx(0.025)


def test_a_fall_before_its_incident_by_a_day_is_another_fall() -> None:
    asked = ASKED._replace(detector="fall")
    fall = [incident(1, 2, "true", cause="fall")]
    one = report(asked, ACTS, WATCHED, [], [found(1.5, kind="fall"), found(1.99, kind="fall")], fall)
    assert (one["shadow"]["real"], one["shadow"]["false"]) == (1, 1)


def test_it_says_that_it_has_never_run() -> None:
    one = made([found(1)], [], [], acts=[])
    assert (one["person_weeks"], one["homes"], one["live"]["false_per_person_week"]) == (0, 0, None)
    assert "never_ran" in said(one)


def test_every_doubt_has_its_sentence_in_both_languages() -> None:
    incidents = [incident(1, 1, "true"), incident(3, 5, None)]
    one = made([found(1, incident=1), found(5)], [found(9), found(9.5, kind="inactivity_suspected")], incidents)
    for what in one["cannot_know"] + made([], [], [], acts=[])["cannot_know"]:
        for text in WORDS[what["what"]]:
            assert text.format(**what)


@pytest.mark.parametrize(
    ("acts", "days"),
    [
        ([Act(None, "shadow", FIRST + 7 * DAY)], 21),
        ([Act(None, "shadow", FIRST - DAY), Act("44", "live", FIRST + 4 * DAY)], 4),
        ([Act(None, "shadow", FIRST), Act("4408", "off", FIRST + DAY)], 28),
        ([Act(None, "shadow", FIRST), Act(None, "shadow", FIRST + DAY), Act(None, "off", FIRST + 2 * DAY)], 2),
        ([Act(None, "live", FIRST)], 0),
        ([Act(None, "shadow", UNTIL + DAY)], 0),
    ],
)
def test_when_it_ran_in_shadow(acts: list[Act], days: int) -> None:
    assert sum((end - begin) / DAY for begin, end in in_shadow(acts, "440703", ASKED)) == days


@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (10, 4.7954, 18.3904), (100, 81.3636, 121.627)]
)
def test_the_interval_of_a_count_is_the_exact_one(count: int, low: float, high: float) -> None:
    """Garwood's, as tables print it."""
    assert exact.of_count(count) == pytest.approx((low, high), abs=1e-3)


@pytest.mark.parametrize(
    ("count", "of", "low", "high"), [(0, 10, 0.0, 0.3085), (10, 10, 0.6915, 1.0), (8, 10, 0.4439, 0.9748)]
)
def test_the_interval_of_a_share_is_the_exact_one(count: int, of: int, low: float, high: float) -> None:
    """Clopper and Pearson's, as tables print it."""
    assert exact.of_share(count, of) == pytest.approx((low, high), abs=1e-3)


@settings(deadline=None)
@given(st.integers(1, 400), st.data())
def test_an_interval_holds_what_was_counted(of: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, of))
    for interval, value in ((exact.of_share(count, of), count / of), (exact.of_count(count), count)):
        assert interval.low <= value <= interval.high
