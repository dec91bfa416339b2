"""What a watch on a wrist feels while its wearer walks, falls, and lies there or gets up again, in g. Pure.

Drawn, not recorded, so that anybody can try detection out. To measure a detector, replay the recordings.
"""

import math
import random

RATE_HZ = 50

Sample = tuple[float, float, float]

UPRIGHT: Sample = (0.05, -0.15, 0.98)
LYING: Sample = (0.3, 0.9, 0.2)
STRUCK: Sample = (0.8, 0.3, 0.52)
"""From where the ground strikes."""
STEPS_PER_SECOND = 1.9
IMPACT_G, REBOUND_G = 5.0, 1.1
SETTLES_SECONDS, SETTLES_G = 1.0, 0.25
"""A body that has struck the ground still stirs, less and less."""

WALKS_SECONDS = 5.0
LIES_SECONDS = 24.0
LIES_BEFORE_SECONDS = 9.0
"""Whoever gets up lies longer than detection takes to ring: so one sees the alarm, and then that it is taken back."""
RISES_SECONDS = 2.0
WALKS_ON_SECONDS = 30.0
UP_AGAIN_SECONDS = WALKS_SECONDS + 1 + LIES_BEFORE_SECONDS + RISES_SECONDS
"""From the beginning of a fall until whoever gets up stands."""


def resting(drawn: random.Random, seconds: float) -> list[Sample]:
    """An arm at rest: one g and a little tremor."""
    return [_trembling(drawn, (0.0, 0.0, 1.0), 0.02) for _ in range(_samples(seconds))]


def fall(drawn: random.Random, gets_up: bool) -> list[Sample]:
    """Somebody walks, falls, and lies still; or gets up after a while and walks on."""
    begins = [*_walking(drawn, WALKS_SECONDS), *_striking(drawn)]
    if not gets_up:
        return [*begins, *_lying(drawn, LIES_SECONDS)]
    rises = [
        _trembling(drawn, _between(LYING, UPRIGHT, number / _samples(RISES_SECONDS)), 0.06)
        for number in range(_samples(RISES_SECONDS))
    ]
    return [*begins, *_lying(drawn, LIES_BEFORE_SECONDS), *rises, *_walking(drawn, WALKS_ON_SECONDS)]


def _walking(drawn: random.Random, seconds: float) -> list[Sample]:
    felt: list[Sample] = []
    for number in range(_samples(seconds)):
        turn = 2 * math.pi * STEPS_PER_SECOND * number / RATE_HZ
        pull = 1 + 0.22 * math.sin(turn) + 0.08 * math.sin(2 * turn)
        x, y, z = _trembling(drawn, UPRIGHT, 0.05)
        felt.append((x * pull, y * pull, z * pull))
    return felt


def _striking(drawn: random.Random) -> list[Sample]:
    """One second: the body grows light and turns, strikes the ground, strikes it once more, and settles."""
    felt: list[Sample] = []
    for number in range(RATE_HZ):
        at = number / RATE_HZ
        light = 0.35 if 0.15 < at < 0.5 else 1.0
        strike = IMPACT_G * _blow(at, 0.56, 0.05) + REBOUND_G * _blow(at, 0.74, 0.04)
        turned = _between(UPRIGHT, LYING, min(max((at - 0.1) / 0.5, 0.0), 1.0))
        x, y, z = (light * pull + strike * part for pull, part in zip(turned, STRUCK, strict=True))
        felt.append(_trembling(drawn, (x, y, z), 0.08))
    return felt


def _lying(drawn: random.Random, seconds: float) -> list[Sample]:
    felt: list[Sample] = []
    for number in range(_samples(seconds)):
        stirs_g = SETTLES_G * math.exp(-3 * number / _samples(SETTLES_SECONDS))
        felt.append(_trembling(drawn, LYING, 0.008 + stirs_g))
    return felt


def _blow(at: float, strikes_at: float, width_seconds: float) -> float:
    return math.exp(-(((at - strikes_at) / width_seconds) ** 2))


def _between(start: Sample, end: Sample, share: float) -> Sample:
    (a, b, c), (d, e, f) = start, end
    return a + (d - a) * share, b + (e - b) * share, c + (f - c) * share


def _trembling(drawn: random.Random, around: Sample, deviation_g: float) -> Sample:
    x, y, z = around
    return drawn.gauss(x, deviation_g), drawn.gauss(y, deviation_g), drawn.gauss(z, deviation_g)


def _samples(seconds: float) -> int:
    return round(seconds * RATE_HZ)
