"""What the platform adds to what a device said: whose home it is, and how its clock goes.

Pure but for the memory of clocks that it was given.
"""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from ingest.codecs import Remark
from ingest.device_time import DeviceClocks, Placed, place, place_driven
from ingest.register import Known
from pingan.messages import Event, Reading

LIVE_AFTER_MS = 10_000
"""After a connection, what comes may have waited in the broker: no clock is measured by it."""


class Whose(NamedTuple):
    """Who speaks at an address behind a gateway."""

    device: str
    """The registered device's own id; the address itself where none is registered there."""
    home: str | None
    remark: Remark | None
    """What is odd about it. What it says is taken all the same: a press of anyone is a press."""


class Settler:
    """`find` and `behind` are the register's. A driven clock stands still within a step: there devices are believed,
    not measured.
    """

    def __init__(
        self,
        find: Callable[[str], Known | None],
        behind: Callable[[str], str | None],
        clocks: DeviceClocks,
        *,
        driven: bool,
    ) -> None:
        self._find, self._behind, self._clocks, self._driven = find, behind, clocks, driven
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

    def whose(self, address: str) -> Whose:
        """Whoever is at `address`: a gateway's id alone is the gateway itself.

        What is bound to no home belongs to its gateway's: whoever presses an unregistered button behind a family's own
        gateway is best looked for at that family's address.
        """
        gateway, _, name = address.partition("/")
        device = (self._behind(address) or address) if name else gateway
        known, through = self._find(device), self._find(gateway)
        home = (known and known.home) or (through and through.home) or None
        if known is None:
            return Whose(device, home, Remark.UNKNOWN_DEVICE)
        return Whose(device, home, None if known.enabled else Remark.DISABLED_DEVICE)

    def kind_of(self, address: str) -> str | None:
        """The register's kind of the device at `address`."""
        known = self._find(self.whose(address).device)
        return known.kind if known is not None else None

    def gateway_reading(self, reading: Reading) -> Reading:
        """A reading by a gateway's word, whose clock no heartbeat measures."""
        device, home, _ = self.whose(reading.device)
        at_ms, clock = self._place_gateways(reading.at_ms, reading.received_ms)
        if clock is None:
            return msgspec.structs.replace(reading, device=device, home=home)
        return msgspec.structs.replace(
            reading, device=device, home=home, at_ms=at_ms, clock=clock, device_at_ms=reading.at_ms
        )

    def gateway_event(self, event: Event) -> Event:
        """An event by a gateway's word. What bears no time of its own happened when it came."""
        device, home, _ = self.whose(event.device)
        at_ms, clock = self._place_gateways(event.at_ms, event.received_ms)
        said_ms = event.device_at_ms if clock is None else event.at_ms
        return msgspec.structs.replace(event, device=device, home=home, at_ms=at_ms, clock=clock, device_at_ms=said_ms)

    def _place_gateways(self, at_ms: int, received_ms: int) -> Placed:
        return place_driven(at_ms, received_ms) if self._driven else place(at_ms, received_ms)

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
