"""The press of a simulated button as timelines: what is sent when, and what the lamp shows."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_sim.wire.press import STAGES, Press, RetryPlan

NOW = datetime(2025, 3, 1, 8, tzinfo=UTC)


def pressed(plan: RetryPlan | None = None) -> Press:
    return Press("e1", "sos", 1, NOW, 100.0, plan or RetryPlan())


def live(press: Press, until_seconds: float) -> list[float]:
    """Acts at every deadline until then; returns when it was sent, in seconds after the press."""
    sent = []
    while (due := press.next_due()) is not None and due <= until_seconds:
        if press.act(due, NOW + timedelta(seconds=due - 100)):
            press.sent(due)
            sent.append(due - 100)
    return sent


def test_without_an_answer_it_is_sent_as_the_protocol_says() -> None:
    sent = live(pressed(), 100 + 30 * 16 + 600 * 2)
    assert sent == [30.0 * n for n in range(17)] + [480.0 + 600, 480.0 + 1200]


def test_the_lamp_shows_failure_once_after_eight_seconds() -> None:
    press = pressed()
    live(press, 1000)
    assert [(lamp.stage, (lamp.at - NOW).total_seconds()) for lamp in press.lamp] == [("pressed", 0), ("failed", 8)]
    assert press.shows == "failed"
    assert press.failed_due() is None


def test_an_acknowledgement_ends_the_retries() -> None:
    press = pressed()
    live(press, 131)
    assert press.heard("received", NOW)
    assert press.next_due() is None
    assert not press.act(1e9, NOW)
    assert press.shows == "received"


@pytest.mark.parametrize("stage", STAGES)
def test_any_stage_acknowledges(stage: str) -> None:
    press = pressed()
    press.heard(stage, NOW, "李梅", "08:10")
    assert press.acknowledged
    assert press.shows == stage
    assert press.closed == (stage == "closed")


def test_a_repeated_answer_is_shown_once_and_another_name_is_news() -> None:
    press = pressed()
    assert press.heard("received", NOW)
    assert not press.heard("received", NOW)
    assert press.heard("accepted", NOW, "李梅")
    assert not press.heard("accepted", NOW, "李梅")
    assert press.heard("accepted", NOW, "王强")
    assert not press.heard("nonsense", NOW)


def test_a_late_stage_does_not_set_the_lamp_back() -> None:
    press = pressed()
    press.heard("accepted", NOW, "李梅")
    press.heard("received", NOW)
    assert press.shows == "accepted"


@given(
    st.builds(
        RetryPlan,
        first_seconds=st.floats(0.1, 60),
        first_count=st.integers(0, 20),
        then_seconds=st.floats(0.1, 600),
        failed_after_seconds=st.floats(0.1, 60),
    ),
    st.lists(st.sampled_from([*STAGES, "other"]), max_size=6),
)
def test_until_it_is_acknowledged_something_is_always_due(plan: RetryPlan, stages: list[str]) -> None:
    press = pressed(plan)
    for stage in stages:
        due = press.next_due()
        assert (due is None) == press.acknowledged
        if due is not None and press.act(due, NOW):
            press.sent(due)
            assert (following := press.next_due()) is not None
            assert following > due or press.has_shown("failed") is False
        press.heard(stage, NOW)
    assert press.acknowledged == any(stage in STAGES for stage in stages)
