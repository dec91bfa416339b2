"""Bursts become slots: whatever the rate, the side up, or the places at which the stream is cut."""

from base64 import b64encode
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.falls import features
from alerting.falls.candidates import candidates
from alerting.falls.features import LENGTH, MISSING, Windows
from alerting.falls.model import SECOND
from alerting.falls.shipped import MODEL
from alerting.falls.signal import (
    BAD_SAMPLES,
    RANGE_OUTSIDE,
    RATE_OUTSIDE,
    SLOTS_PER_SECOND,
    Burst,
    Slots,
    Unusable,
    decode,
    slots,
)
from tests.falls_support import RATE_HZ, UP, accel, fall, still

GOOD: dict[str, Any] = accel(still(1))[0].value
AT_MS = 1_790_000_000_000


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"samples": "no base64!"}, BAD_SAMPLES),
        ({"samples": ""}, BAD_SAMPLES),
        ({"samples": b64encode(b"12345").decode()}, BAD_SAMPLES),
        ({"samples": None}, BAD_SAMPLES),
        ({"rate_hz": float("nan")}, RATE_OUTSIDE),
        ({"rate_hz": 0}, RATE_OUTSIDE),
        ({"rate_hz": 5000}, RATE_OUTSIDE),
        ({"rate_hz": "fast"}, BAD_SAMPLES),
        ({"range_g": float("inf")}, RANGE_OUTSIDE),
        ({"range_g": -2}, RANGE_OUTSIDE),
    ],
)
def test_a_burst_that_says_nothing_has_a_reason(wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unusable) as refused:
        decode(GOOD | wrong)
    assert refused.value.reason == reason


@pytest.mark.parametrize("value", [None, 3, "x", [], {}])
def test_what_is_no_burst_at_all_is_refused(value: Any) -> None:
    with pytest.raises(Unusable):
        decode(value)


def test_a_constant_is_stuck_and_a_still_person_is_not() -> None:
    constant = np.tile([2000, 0, 0], (50, 1)).astype("<i2").tobytes()
    assert decode(GOOD | {"samples": b64encode(constant).decode()}).stuck
    assert not decode(GOOD).stuck


def test_an_unknown_position_is_unknown() -> None:
    assert decode(GOOD | {"position": "ankle"}).position == "unknown"


def test_200_hz_a_second_are_as_many_slots_as_20() -> None:
    for rate_hz in (20, 25, 31.25, 50, 64, 100, 200):
        at = np.arange(round(10 * rate_hz)) / rate_hz
        g = np.column_stack([np.sin(at), np.zeros_like(at), np.cos(at)])
        line = slots(Burst(g, rate_hz, 16, "waist"), AT_MS)
        assert line is not None
        assert len(line.peaks) in (10 * SLOTS_PER_SECOND - 1, 10 * SLOTS_PER_SECOND)
        assert np.abs(line.peaks / 2000 - 1).max() < 0.02
        middle = (line.first * 40 + 20 - AT_MS) / 1000 + np.arange(len(line.peaks)) / SLOTS_PER_SECOND
        assert np.abs(line.vectors[:, 0] / 2000 - np.sin(middle)).max() < 0.06


def test_a_burst_shorter_than_a_slot_is_none() -> None:
    assert slots(Burst(UP[None], 400, 16, "waist"), AT_MS + 25) is None


def joined(parts: list[Slots]) -> tuple[int, np.ndarray[Any, Any]]:
    first = parts[0].first
    line = np.zeros(parts[-1].first + len(parts[-1].peaks) - first)
    for part in parts:
        assert not line[part.first - first : part.first - first + len(part.peaks)].any(), "two bursts for one slot"
        line[part.first - first : part.first - first + len(part.peaks)] = part.peaks
    return first, line


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(5, 120), min_size=2, max_size=8), st.integers(0, 39))
def test_wherever_the_stream_is_cut_no_slot_is_told_twice_and_none_is_lost(lengths: list[int], shift_ms: int) -> None:
    g = fall()[: sum(lengths)]
    parts, at = [], 0
    for length in lengths:
        line = slots(Burst(g[at : at + length], RATE_HZ, 8, "wrist"), AT_MS + shift_ms + at * 20)
        assert line is not None
        parts.append(line)
        at += length
    whole = slots(Burst(g[:at], RATE_HZ, 8, "wrist"), AT_MS + shift_ms)
    assert whole is not None
    first, line_of_parts = joined(parts)
    assert first == whole.first
    assert len(line_of_parts) == len(whole.peaks)
    assert (line_of_parts > 0).all()


def rotation(seed: int) -> np.ndarray[Any, Any]:
    turned, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return turned


def windows(g: np.ndarray[Any, Any]) -> Windows:
    line = slots(Burst(g, RATE_HZ, 16, "wrist"), AT_MS)
    assert line is not None
    peaks = line.peaks / 2000
    place = max(candidates(peaks), key=lambda one: peaks[one])
    first = place - features.BEFORE
    return Windows(line.vectors[None, first : first + LENGTH] / 2000, peaks[None, first : first + LENGTH])


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_no_feature_knows_which_side_is_up(seed: int) -> None:
    # Below the cap: a sensor that saturates does so along its own axes.
    g = np.clip(fall(), -2.2, 2.2)
    upright = features.table(windows(g), aftermath=True)
    turned = features.table(windows(g @ rotation(seed).T), aftermath=True)
    # What counts slots beyond a limit may tip at a rounding to whole counts; the rest, and the score, may not.
    assert (np.abs(upright - turned) < 0.35).mean() > 0.95
    scores = MODEL.score("wrist", SECOND, np.concatenate([upright, turned]))
    assert abs(scores[0] - scores[1]) < 0.1


def test_the_first_look_sees_nothing_of_what_follows() -> None:
    seen = windows(fall())
    blind = Windows(seen.vectors.copy(), seen.peaks.copy())
    end = features.BEFORE + features.FIRST_LOOK + 1
    blind.vectors[:, end:], blind.peaks[:, end:] = np.nan, np.nan
    assert (features.table(seen, aftermath=False) == features.table(blind, aftermath=False)).all()
    whole, partial = features.table(seen, aftermath=True), features.table(blind, aftermath=True)
    assert (partial[:, : features.FIRST_COUNT] == whole[:, : features.FIRST_COUNT]).all()
    assert (partial[:, features.FIRST_COUNT :] == MISSING).any()


def test_a_candidate_is_the_hardest_of_its_neighbours_and_of_equals_the_first() -> None:
    peaks = np.ones(200)
    peaks[[50, 52, 60, 150]] = 3.0, 3.0, 2.0, 2.5
    peaks[100:103] = np.nan
    assert candidates(peaks) == [50, 150]
    assert candidates(np.full(50, np.nan)) == []
