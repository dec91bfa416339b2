"""Which steps the driven clock takes."""

import pytest

from ingest.driven import STEP_MAX_MS, Step, read_step, refusal

NOW = 1_790_000_000_000


def test_a_step_is_read() -> None:
    assert read_step(b'{"at":"2026-09-21T14:13:20Z","step":3}') == Step(NOW, 3)


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b'{"at":"noon","step":1}', b'{"at":1,"step":1}', b"[" * 10_000])
def test_what_is_no_step_is_named(payload: bytes) -> None:
    assert isinstance(read_step(payload), str)


def test_time_does_not_go_backward_nor_further_than_an_hour() -> None:
    assert refusal(Step(NOW - 1, 1), NOW) == "time does not go backward"
    assert refusal(Step(NOW + STEP_MAX_MS + 1, 1), NOW) == "a step is at most one hour"
    assert refusal(Step(NOW + STEP_MAX_MS, 1), NOW) is None
    assert refusal(Step(NOW, 1), NOW) is None


def test_the_first_step_may_begin_anywhere() -> None:
    assert refusal(Step(NOW, 1), 0) is None
