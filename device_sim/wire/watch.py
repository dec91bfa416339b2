"""A watch: heart rate and short bursts of acceleration; its wearer can also fall."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from device_sim.household.tumble import RATE_HZ, Sample, fall, resting
from device_sim.wire import protocol
from device_sim.wire.device import Device

MEASURE_SECONDS = 300.0
RANGE_G = 8
RESTING_SECONDS = 2.0
BURST_SECONDS = 1.0
"""While it streams: each burst is said when it is over."""


class Watch(Device):
    """Worn on the wrist. Measures every `measure_seconds`; the battery lasts some five days and is then charged."""

    def __init__(
        self, device_id: str, password: str, *, seed: int, measure_seconds: float = MEASURE_SECONDS, **device: Any
    ) -> None:
        super().__init__(device_id, password, **device)
        self._random = random.Random(f"watch:{seed}")
        self._measure_seconds = measure_seconds
        self._measuring: asyncio.Task[None] | None = None
        self._streaming: asyncio.Task[None] | None = None
        switched_on = datetime.now(UTC)
        full = self._random.randint(50, 100)
        self.battery_percent = lambda at: round(full - (at - switched_on).total_seconds() / 4320) % 101

    def open(self) -> None:
        super().open()
        if self._measuring is None:
            self._measuring = asyncio.create_task(self._measure())

    async def close(self) -> None:
        tasks = [task for task in (self._measuring, self._streaming) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._measuring = self._streaming = None
        await super().close()

    def fall(self, gets_up: bool = False) -> bool:
        """The wearer falls, and the watch streams until they have lain a while or walked on; false while it does."""
        if self._streaming is not None and not self._streaming.done():
            return False
        self._streaming = asyncio.create_task(self._stream(fall(self._random, gets_up)))
        return True

    async def _stream(self, samples: list[Sample]) -> None:
        size = round(BURST_SECONDS * RATE_HZ)
        clock, began_at = asyncio.get_running_loop(), self.now()
        began = clock.time()
        for number, first in enumerate(range(0, len(samples), size)):
            await asyncio.sleep(began + (number + 1) * BURST_SECONDS - clock.time())
            self._send_accel(samples[first : first + size], began_at + timedelta(seconds=number * BURST_SECONDS))

    def _send_accel(self, burst: list[Sample], at: datetime) -> None:
        fields = protocol.accel_fields(burst, rate_hz=RATE_HZ, range_g=RANGE_G, position="wrist")
        self.send_reading("accel", at=at, **fields)

    async def _measure(self) -> None:
        # The first comes at a moment of the watch's own, so that a neighbourhood does not measure in chorus.
        await asyncio.sleep(self._random.uniform(0, self._measure_seconds))
        while True:
            self.send_reading("heart_rate", round(self._random.gauss(72, 6)))
            if self._streaming is None or self._streaming.done():
                self._send_accel(
                    resting(self._random, RESTING_SECONDS), self.now() - timedelta(seconds=RESTING_SECONDS)
                )
            await asyncio.sleep(self._measure_seconds)
