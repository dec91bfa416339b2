"""A fall trial as its wearer's device says it: bursts of one second, and the time before and after.

What came before and after a trial was not recorded, and nothing is invented: the device is silent, as one that sends
while it is moved, and the clock goes on for a minute. A detector decides with what it has.
"""

import base64
from collections.abc import Iterator
from typing import NamedTuple

from alerting.detectors.table import Table
from alerting.evaluate.playing import Raised, Said, failures_of, play, readings
from alerting.evaluate.trials import Trial, as_measured
from alerting.partition import Partition
from pingan.messages import DeviceSettings, HomeSettings

BEGIN_MS = 1_767_574_800_000
"""Monday, 5 January 2026, 9 o'clock in China: by day, when people wear it."""
BURST_SECONDS = 1
TICK_MS = 1_000
HEARTBEAT_SECONDS = 90
AFTER_SECONDS = 60
"""How long the clock goes on after a trial: longer than any second look."""


class Sensor(NamedTuple):
    """A lesser sensor than the one that recorded, if any."""

    clip_g: float | None = None
    rate_hz: float | None = None


def device_of(home: str) -> str:
    return f"{home}-watch"


def bursts(trial: Trial, sensor: Sensor) -> Iterator[Said]:
    samples, rate_hz, range_g = as_measured(trial, *sensor)
    each = round(rate_hz * BURST_SECONDS)
    packed = samples.astype("<i2")
    for begin in range(0, len(packed), each):
        burst = packed[begin : begin + each]
        at_ms = BEGIN_MS + round(1000 * begin / rate_hz)
        value = {
            "rate_hz": rate_hz,
            "range_g": range_g,
            "position": trial.named.position,
            "samples": base64.b64encode(burst.tobytes()).decode("ascii"),
        }
        yield Said(BEGIN_MS + round(1000 * (begin + len(burst)) / rate_hz), at_ms, "accel", value)


def settings(home: str) -> HomeSettings:
    device = DeviceSettings(device_of(home), "watch", HEARTBEAT_SECONDS)
    return HomeSettings(home=home, revision=1, devices=(device,))


def run(trial: Trial, sensor: Sensor, table: Table) -> tuple[list[Raised], list[str]]:
    """Everything that detection says of a trial, and what failed meanwhile."""
    home = trial.named.home
    length_ms = round(1000 * trial.seconds) + 1000 * AFTER_SECONDS
    end_ms = BEGIN_MS + length_ms
    placed = readings(home, device_of(home), bursts(trial, sensor), BEGIN_MS, end_ms, 1000 * HEARTBEAT_SECONDS, TICK_MS)
    partition = Partition(table=table)
    raised = list(play(partition, [settings(home)], placed, BEGIN_MS, end_ms, TICK_MS))
    return raised, failures_of(partition)


def impact_ms(trial: Trial) -> int:
    return BEGIN_MS + round(1000 * trial.impact_s)
