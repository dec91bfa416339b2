"""Shares, rates and their intervals, against what can be told without them."""

import math
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.evaluate import figures
from alerting.evaluate.figures import Scored, Tally


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(0, 0.0, 3.689), (1, 0.025, 5.572), (2, 0.242, 7.225), (5, 1.623, 11.668), (10, 4.795, 18.390)],
)
def test_the_exact_interval_of_a_count(count: int, low: float, high: float) -> None:
    """As Garwood's table has it (Biometrika 28, 1936)."""
    assert figures.poisson_interval(count) == pytest.approx((low, high), abs=0.001)


def daily(who: str, *scores: float, alarms: int = 0, hours: float = 0.5) -> Scored:
    return Scored(who, False, hours, alarms, scores)


def fall(who: str, *scores: float, alarms: int = 1) -> Scored:
    return Scored(who, True, 0.1, alarms, scores)


SOME = [
    fall("a", 0.9), fall("a", 0.2, 0.7), fall("b", 0.4, alarms=0), fall("b", alarms=0),
    daily("a", 0.5, 0.45, alarms=2), daily("a", 0.1), daily("b", 0.8, alarms=1), daily("b"),
]  # fmt: skip


def test_rates_are_what_can_be_counted_by_hand() -> None:
    rates = Tally(SOME).rates()
    assert rates["se"] == 2 / 4
    assert rates["sp"] == 2 / 4
    assert rates["f1"] == 2 * 2 / (2 * 2 + 2 + 2)
    assert rates["fa_per_hour"] == 3 / 2
    # Two hours allow two false alarms: .8 and .5. What scores above .45 rings.
    assert rates["se_at_1_fa_per_hour"] == 2 / 4


def test_what_scores_as_the_first_false_alarm_too_many_is_not_found() -> None:
    tied = [fall("a", 0.5), fall("b", 0.6), daily("a", 0.5, hours=0.5)]
    assert Tally(tied).rates()["se_at_1_fa_per_hour"] == 0.5


def test_of_what_there_is_none_there_is_no_rate() -> None:
    falls_only = Tally([fall("a", 0.9)]).rates()
    assert (falls_only["se"], falls_only["sp"], falls_only["fa_per_hour"]) == (1.0, None, None)
    daily_only = Tally([daily("a"), daily("b")])
    assert daily_only.rates() | {"sp": None, "fa_per_hour": None} == dict.fromkeys(figures.RATES)
    assert daily_only.intervals()["se"] is None
    assert Tally([fall("a", 0.9), daily("a")]).intervals() == dict.fromkeys(figures.RATES), "of one person: unknown"


def test_people_are_drawn_and_not_trials() -> None:
    """Two people, one of whom is always found and one never: the share could be anything."""
    apart = [fall("a", 1.0) for _ in range(50)] + [fall("b", alarms=0) for _ in range(50)]
    assert Tally(apart).intervals()["se"] == (0.0, 1.0)


numbers = st.floats(0, 1, allow_nan=False).map(lambda number: round(number, 2))
trials = st.lists(
    st.builds(
        Scored,
        st.sampled_from("abcd"),
        st.booleans(),
        st.floats(0.01, 2),
        st.integers(0, 3),
        st.lists(numbers, max_size=3).map(tuple),
    ),
    min_size=1,
    max_size=30,
)


@given(trials)
def test_the_curve_agrees_with_the_figure_that_is_read_off_it(scored: Sequence[Scored]) -> None:
    tally = Tally(scored)
    curve, found = tally.curve(), tally.rates()["se_at_1_fa_per_hour"]
    for before, after in pairwise(curve):
        assert before["se"] <= after["se"] <= 1
        assert before["fa_per_hour"] <= after["fa_per_hour"]
    allowed = math.floor(tally.hours + 1e-9)
    fitting = [point["se"] for point in curve if round(point["fa_per_hour"] * tally.hours) <= allowed]
    if found is not None:
        assert found == pytest.approx(max(fitting, default=0.0))


@given(trials)
def test_an_interval_holds_only_shares(scored: Sequence[Scored]) -> None:
    for name, interval in Tally(scored).intervals().items():
        if interval is not None:
            assert 0 <= interval.low <= interval.high
            assert name == "fa_per_hour" or interval.high <= 1


def test_the_fewest_false_alarms_at_a_sensitivity() -> None:
    curve = Tally(SOME).curve()
    assert figures.fa_per_hour_at(curve, 0.5) == 0.5
    assert figures.fa_per_hour_at(curve, 0.9) is None
