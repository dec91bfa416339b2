"""What the platform adds to what a device said: whose home it is, and how its clock goes.

Pure but for the memory of clocks that it was given.
"""

from collections.abc import Callable

import msgspec

from ingest.codecs import Remark
from ingest.device_time import DeviceClocks, Placed, place, place_driven
from ingest.register import Known
from pingan.messages import Event, Reading

LIVE_AFTER_MS = 10_000
"""After a connection, what comes may have waited in the broker: no clock is measured by it."""


class Settler:
    """`find` is the register's. A driven clock stands still within a step: there devices are believed, not measured."""

    def __init__(self, find: Callable[[str], Known | None], clocks: DeviceClocks, *, driven: bool) -> None:
        self._find, self._clocks, self._driven = find, clocks, driven
        self._live_from_ms: int | None = None

    def connected(self, now_ms: int | None) -> None:
        """The broker has us since `now_ms`; None: it has not."""
        self._live_from_ms = None if now_ms is None else now_ms + LIVE_AFTER_MS

    def remark(self, device: str) -> Remark | None:
        """What is odd about whoever speaks. What it says is taken all the same: a press of anyone is a press."""
        known = self._find(device)
        if known is None:
            return Remark.UNKNOWN_DEVICE
        return None if known.enabled else Remark.DISABLED_DEVICE

    def reading(self, reading: Reading) -> Reading:
        if reading.kind == "status" and self._live_from_ms is not None and reading.received_ms >= self._live_from_ms:
            self._measure(reading)
        at_ms, clock = self._place(reading.device, reading.at_ms, reading.received_ms)
        home = self._home(reading.device)
        if clock is None:
            return msgspec.structs.replace(reading, home=home)
        return msgspec.structs.replace(reading, home=home, at_ms=at_ms, clock=clock, device_at_ms=reading.at_ms)

    def event(self, event: Event) -> Event:
        home = self._home(event.device)
        if event.device_at_ms is None:  # unreadable: it happened, as far as we know, when it came
            return msgspec.structs.replace(event, home=home, clock="absurd")
        at_ms, clock = self._place(event.device, event.device_at_ms, event.received_ms)
        return msgspec.structs.replace(event, home=home, at_ms=at_ms, clock=clock)

    def _home(self, device: str) -> str | None:
        known = self._find(device)
        return known.home if known is not None else None

    def _measure(self, status: Reading) -> None:
        if not self._driven:
            self._clocks.measure(status.device, status.boot, status.at_ms, status.received_ms)

    def _place(self, device: str, at_ms: int, received_ms: int) -> Placed:
        if self._driven:
            return place_driven(at_ms, received_ms)
        return place(at_ms, received_ms, self._clocks.offset_ms(device))
