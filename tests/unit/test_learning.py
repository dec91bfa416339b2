"""What so few closures can show: the bounds by which a suggestion is made or not, and by which a rate is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch import learning


@pytest.mark.parametrize(
    ("false", "of", "share"),
    # 0.1 quantiles of the beta distribution (false, of - false + 1), as in tables of Clopper and Pearson's bound.
    [(5, 5, 0.6310), (9, 10, 0.6632), (5, 6, 0.4897), (8, 8, 0.7499), (0, 9, 0.0)],
)
def test_the_least_share_is_that_of_the_tables(false: int, of: int, share: float) -> None:
    assert learning.share_at_least(false, of) == pytest.approx(share, abs=1e-4)


@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (5, 1.6235, 11.6683), (30, 20.2409, 42.8269)]
)
def test_the_interval_of_a_count_is_that_of_the_tables(count: int, low: float, high: float) -> None:
    assert learning.rate_interval(count) == pytest.approx((low, high), abs=2e-4)


@pytest.mark.parametrize(
    ("false", "true", "suggested"),
    [
        (9, 1, True),
        (5, 0, True),
        (4, 0, False),
        (5, 1, False),
        (6, 1, True),
        (6, 3, False),
        (30, 29, False),
        (0, 9, False),
    ],
)
def test_noise_suggests_nothing(false: int, true: int, suggested: bool) -> None:
    assert learning.enough(false, true) is suggested


@given(st.integers(0, 60), st.integers(0, 60))
def test_one_more_that_was_right_never_speaks_for_a_change(false: int, true: int) -> None:
    assert learning.enough(false, true) or not learning.enough(false, true + 1)
    assert learning.enough(false + 1, true) or not learning.enough(false, true)
