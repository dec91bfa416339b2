"""What the detectors really find is understood by the page that explains it: their own alarms, through the watch."""

import math
import random
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

import msgspec
import pytest

from alerting.detectors import beyond, fall, hazards, inactivity_learned, vitals, wandering
from alerting.detectors.table import DETECTORS
from alerting.partition import Partition
from dashboards.console import why
from dashboards.console.language import LANGUAGES, say, words
from dashboards.console.times import Times
from dispatch.asking import UNNAMED
from dispatch.home_day import Day, Movement
from pingan.messages import Alarm, DeviceSettings, Fence, HomeSettings, Limit, Reading
from tests.alerting_support import reading
from tests.timeline import START_MS, Timeline

ZONE = ZoneInfo("Asia/Shanghai")
REASONS = {
    UNNAMED, beyond.LATE_READING, hazards.CLEARED, vitals.WITHIN_LIMITS, vitals.BACK_TO_USUAL, wandering.CAME_BACK,
    *fall.REASONS, *get_args(inactivity_learned.Reason),
}  # fmt: skip


def home(**more: Any) -> HomeSettings:
    devices = tuple(DeviceSettings(one, "motion", 90_000) for one in ("H1-hub", "H1-watch"))
    return HomeSettings(home="H1", revision=1, devices=devices, **more)


def explained(alarms: list[Alarm], language: str) -> why.Why:
    """As the page has it: stored as JSON, and read back."""
    shown = []
    for one in alarms:
        at = datetime.fromtimestamp(one.received_ms / 1000, UTC)
        evidence = msgspec.json.decode(msgspec.json.encode(one.evidence))
        shown.append({"id": one.id, "kind": one.kind, "at": at, "raised_at": at, "evidence": evidence})
    now = max(one["raised_at"] for one in shown) + timedelta(minutes=1)
    row = {"alarms": shown, "related": [], "state": "waiting", "stamps": {"t9": {"at": None}}, "card": None}
    at = now - timedelta(hours=9)
    day = Day(now - timedelta(hours=36), now, (Movement(at, at, at, "H1-hub", "kitchen", "motion", 1),))
    return why.explain(row, day, [], language, Times(ZONE, say(language), now))


def understood(one: why.Why, language: str) -> None:
    """Nothing that a detector says is shown as its bare code."""
    for panel in one.panels:
        assert panel.sentences
        for sign in (*panel.supports, *panel.opposes):
            assert "_" not in sign
            assert language == "en" or any("\u4e00" <= letter <= "\u9fff" for letter in sign), sign
        names = {fact.name for fact in panel.facts}
        assert language == "en" or all(any("\u4e00" <= letter <= "\u9fff" for letter in name) for name in names), names


def silent_at_last() -> list[Alarm]:
    """Four weeks of a person who is up from seven to ten, and then nothing from eleven in the morning on."""
    line = Timeline()
    line.hear(home(inactivity_hours=14, live={"inactivity": "learned-1"}))
    line.tick(1)
    drawn = random.Random(5)
    begin = line.at_ms
    seq = 0
    end = begin + 28 * 86_400_000
    while line.at_ms < end or datetime.fromtimestamp(line.at_ms / 1000, ZONE).hour != 11:
        hour = datetime.fromtimestamp(line.at_ms / 1000, ZONE).hour
        if 7 <= hour < 22 or drawn.random() < 0.03:
            seq += 1
            line.hear(reading(seq, sensor="kitchen", at_ms=line.at_ms, received_ms=line.at_ms))
        line.tick(600 + drawn.randrange(600))
    line.alarms.clear()
    line.ticks(15 * 3600, every=60)
    return [one for one in line.alarms if one.kind in ("inactivity", "inactivity_suspected")]


def burst(seq: int, at_ms: int, samples: list[tuple[float, float, float]]) -> Reading:
    raw = b"".join(round(axis * 2000).to_bytes(2, "little", signed=True) for sample in samples for axis in sample)
    value = {"rate_hz": 50, "range_g": 8, "position": "wrist", "samples": b64encode(raw).decode()}
    return reading(seq, "accel", device="H1-watch", at_ms=at_ms, received_ms=at_ms + 1000, value=value)


def falling(at_ms: int = START_MS) -> list[Alarm]:
    """Walking, half a second of falling, an impact at second 20, and lying still on another side.

    The detector is the real one, at a low threshold: which made-up fall a model believes is another test's matter.
    """
    drawn = random.Random(1)

    def sample(t: float) -> tuple[float, float, float]:
        x, y, z = (drawn.gauss(0, 0.1) for _ in range(3))
        if t < 19.5:
            return x + 0.3 * math.sin(11 * t), y + 0.2 * math.cos(11 * t), z + 1 + 0.3 * math.sin(22 * t)
        if t < 20:
            return x, y, z + 0.3
        if t < 20.08:
            return x + 4.2, y + 2.4, z + 3
        fading = math.exp(-(t - 20) * 3)
        shaken = fading * math.sin(47 * t) if t < 21.2 else 0
        return x / 10 + 0.98 + 2 * shaken, y / 10 + 0.15 + 1.5 * shaken, z / 10 + 0.1 + shaken

    sensitive = {"trees-1": fall.with_model(fall.Fall.model.at(threshold=0.001))}
    line = Timeline(Partition(table={**DETECTORS, "fall": sensitive}), at_ms=at_ms)
    line.hear(home())
    line.tick(1)
    begin = line.at_ms
    for second in range(50):
        samples = [sample(second + place / 50) for place in range(50)]
        line.hear(burst(second + 1, begin + second * 1000, samples))
        line.tick(1)
    return [one for one in line.alarms if one.kind.startswith("fall")]


def beyond_limits() -> list[Alarm]:
    line = Timeline()
    fence = Fence(22.6, 113.1, 300)
    line.hear(home(limits=(Limit("heart_rate", high=110),), fence=fence))
    line.tick(1)
    for seq in range(1, 60):
        at = {"at_ms": line.at_ms, "received_ms": line.at_ms}
        line.hear(reading(2 * seq, "heart_rate", device="H1-watch", value=131, **at))
        value = {"lat": 22.62, "lon": 113.1, "accuracy_m": 8}
        line.hear(reading(2 * seq + 1, "location", device="H1-watch", value=value, **at))
        line.tick(60)
    return [one for one in line.alarms if one.kind in ("vitals", "wandering")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_for_which_something_is_taken_back_has_words(language: str) -> None:
    assert not {f"because.{reason}" for reason in REASONS} - words(language).keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_learned_silence_is_explained(language: str) -> None:
    alarms = silent_at_last()
    assert [one.kind for one in alarms] == ["inactivity_suspected", "inactivity"]
    one = explained(alarms, language)
    understood(one, language)
    [panel] = one.panels
    assert len(panel.sentences) == 3  # how long, what is usual, from when on it rings
    assert one.day is not None
    assert one.day.curve is not None
    assert one.day.curve.limits
    assert len(one.steps) == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_detected_fall_is_explained(language: str) -> None:
    alarms = falling()
    assert [one.kind for one in alarms] == ["fall_suspected", "fall"]
    one = explained(alarms, language)
    understood(one, language)
    [panel] = one.panels
    assert panel.trace is not None
    assert panel.trace.peak_g > 4
    assert panel.trace.still is not None
    assert panel.supports
    assert len(panel.sentences) == 3  # the impact, the stillness after it, how sure


@pytest.mark.parametrize("language", LANGUAGES)
def test_limits_and_fences_are_explained(language: str) -> None:
    alarms = beyond_limits()
    assert {one.kind for one in alarms} == {"vitals", "wandering"}
    one = explained(alarms, language)
    understood(one, language)
    assert {panel.kind for panel in one.panels if panel.distance} == {"wandering"}
    assert {panel.kind for panel in one.panels if panel.vitals} == {"vitals"}
