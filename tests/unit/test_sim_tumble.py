"""Whoever falls in the simulated neighbourhood is found by the detection that ships, and whoever gets up is seen to."""

import random

import numpy as np
import pytest

from alerting.detectors.fall import Fall
from device_sim.household.tumble import fall, resting
from tests.falls_support import accel, kinds, play, reasons


@pytest.mark.parametrize("seed", range(5))
def test_a_drawn_fall_rings(seed: int) -> None:
    found = play(Fall(), accel(np.array(fall(random.Random(seed), gets_up=False))))
    assert kinds(found) == ["fall_suspected", "fall"]


@pytest.mark.parametrize("seed", range(5))
def test_whoever_gets_up_is_seen_to(seed: int) -> None:
    found = play(Fall(), accel(np.array(fall(random.Random(seed), gets_up=True))))
    assert kinds(found) == ["fall_suspected", "fall", "withdrawn"]
    assert [reason for _, reason in reasons(found)] == ["got_up"]


def test_an_arm_at_rest_is_no_fall() -> None:
    assert not play(Fall(), accel(np.array(resting(random.Random(1), 60))))
