"""A home gateway: publishes what the motion, door and bed sensors of its home report while somebody lives there."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from device_sim.household.life import CHINA
from device_sim.household.sensors import ENTRANCE, SensorReading, readings_from
from device_sim.wire.device import Device


class Hub(Device):
    """Lives its home's seeded day in real time. `fall_silent` and `leave_home` overrule the life."""

    def __init__(self, device_id: str, password: str, *, seed: int, **device: Any) -> None:
        super().__init__(device_id, password, **device)
        self.mains = True
        self.last_reading: SensorReading | None = None
        self._seed = seed
        self._silent_until: datetime | None = None
        self._living: asyncio.Task[None] | None = None

    def open(self) -> None:
        super().open()
        if self._living is None:
            self._living = asyncio.create_task(self._live(readings_from(self._seed, datetime.now(CHINA))))

    async def close(self) -> None:
        if self._living is not None:
            self._living.cancel()
            await asyncio.gather(self._living, return_exceptions=True)
            self._living = None
        await super().close()

    def fall_silent(self, seconds: float) -> None:
        """The person lies somewhere and moves no sensor, for so long."""
        self._silent_until = datetime.now(UTC) + timedelta(seconds=seconds)

    def leave_home(self, seconds: float) -> None:
        """The person goes out by the entrance and stays away for so long."""
        self.send_reading("door", "open", sensor=ENTRANCE)
        self.send_reading("door", "closed", sensor=ENTRANCE)
        self.fall_silent(seconds)

    async def _live(self, readings: Iterator[SensorReading]) -> None:
        for reading in readings:
            wait_seconds = (reading.at - datetime.now(UTC)).total_seconds()
            if wait_seconds > 0:
                await asyncio.sleep(wait_seconds)
            if self._silent_until is None or datetime.now(UTC) >= self._silent_until:
                self.last_reading = reading
                self.send_reading(reading.kind, reading.value, sensor=reading.sensor)
