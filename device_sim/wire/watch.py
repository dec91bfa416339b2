"""A watch: heart rate and short bursts of acceleration; it can also go through a fall."""

import asyncio
import math
import random
from datetime import UTC, datetime
from typing import Any

from device_sim.wire import protocol
from device_sim.wire.device import Device

MEASURE_SECONDS = 300.0
RATE_HZ = 50
RANGE_G = 8
BURST_SECONDS = 2.0

Sample = tuple[float, float, float]


def resting(drawn: random.Random, seconds: float) -> list[Sample]:
    """An arm at rest: one g and a little tremor, in g at 50 Hz."""
    return [(drawn.gauss(0, 0.02), drawn.gauss(0, 0.02), drawn.gauss(1, 0.02)) for _ in range(round(seconds * RATE_HZ))]


def falling(drawn: random.Random) -> list[Sample]:
    """A plain fall of 4 s, in g at 50 Hz: weightless for 0.4 s, an impact beyond the sensor's range, then lying.

    It shows that the way is open; to measure a detector, replay the recordings.
    """
    before = resting(drawn, 1.0)
    drop = [(drawn.gauss(0, 0.05), drawn.gauss(0, 0.05), drawn.gauss(0.15, 0.05)) for _ in range(20)]
    impact = [
        (6.0 * math.exp(-i / 4), 3.0 * math.exp(-i / 4), -5.0 * math.exp(-i / 4)) for i in range(round(0.3 * RATE_HZ))
    ]
    lying = [(drawn.gauss(0.98, 0.01), drawn.gauss(0.1, 0.01), drawn.gauss(0.1, 0.01)) for _ in range(115)]
    return before + drop + impact + lying


class Watch(Device):
    """Worn on the wrist. Measures every `measure_seconds`; the battery lasts some five days and is then charged."""

    def __init__(
        self, device_id: str, password: str, *, seed: int, measure_seconds: float = MEASURE_SECONDS, **device: Any
    ) -> None:
        super().__init__(device_id, password, **device)
        self._random = random.Random(f"watch:{seed}")
        self._measure_seconds = measure_seconds
        self._measuring: asyncio.Task[None] | None = None
        switched_on = datetime.now(UTC)
        full = self._random.randint(50, 100)
        self.battery_percent = lambda at: round(full - (at - switched_on).total_seconds() / 4320) % 101

    def open(self) -> None:
        super().open()
        if self._measuring is None:
            self._measuring = asyncio.create_task(self._measure())

    async def close(self) -> None:
        if self._measuring is not None:
            self._measuring.cancel()
            await asyncio.gather(self._measuring, return_exceptions=True)
            self._measuring = None
        await super().close()

    def send_accel(self, samples: list[Sample]) -> None:
        """Publishes samples (g, 50 Hz) in bursts of 2 s."""
        size = round(BURST_SECONDS * RATE_HZ)
        for first in range(0, len(samples), size):
            burst = samples[first : first + size]
            fields = protocol.accel_fields(burst, rate_hz=RATE_HZ, range_g=RANGE_G, position="wrist")
            self.send_reading("accel", **fields)

    def fall(self) -> None:
        """The wearer falls."""
        self.send_accel(falling(self._random))

    async def _measure(self) -> None:
        # The first comes at a moment of the watch's own, so that a neighbourhood does not measure in chorus.
        await asyncio.sleep(self._random.uniform(0, self._measure_seconds))
        while True:
            self.send_reading("heart_rate", round(self._random.gauss(72, 6)))
            self.send_accel(resting(self._random, BURST_SECONDS))
            await asyncio.sleep(self._measure_seconds)
