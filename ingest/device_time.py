"""What a device's clock is worth: measured, corrected, or clamped. Pure.

A message may be *late* (it waited in the device, or in the broker, for a minute or a week) and a clock may be *wrong*;
in one message the two look alike. Three facts tell them apart:

- Nothing comes from the future. A time after its own receipt proves a clock that is ahead.
- A heartbeat is never stored: the protocol forbids it. So the difference between a heartbeat's `at` and its receipt is
  the clock's error plus the way here, and the least of the last few is the error. Readings and alarms are not used to
  measure, because they may be late.
- A device that has boot anew may have another error: measuring begins again.

So what no heartbeat has contradicted is believed for up to a week: a press of yesterday evening that comes in this
morning is a press of yesterday evening.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

CORRECTED = "corrected"
ABSURD = "absurd"

OFFSET_TOLERATED_MS = 5_000
"""A smaller error is left alone: nobody is helped by moving a reading about by two seconds."""
FUTURE_TOLERATED_MS = 2_000
FUTURE_ABSURD_MS = 3_600_000
PAST_ABSURD_MS = 7 * 86_400_000
HEARTBEATS_NEEDED = 3
HEARTBEATS_KEPT = 8


class Placed(NamedTuple):
    """`at_ms` to go by, and why it is not what the device said (None, `corrected`, `absurd`)."""

    at_ms: int
    clock: str | None


def place(at_ms: int, received_ms: int, offset_ms: int = 0) -> Placed:
    """The time of something that the device says happened at `at_ms`, its clock being `offset_ms` behind ours."""
    moved = at_ms + offset_ms
    ahead_ms = moved - received_ms
    if -PAST_ABSURD_MS <= ahead_ms <= FUTURE_TOLERATED_MS:
        return Placed(moved, CORRECTED if offset_ms else None)
    if 0 < ahead_ms <= FUTURE_ABSURD_MS:
        return Placed(received_ms, CORRECTED)
    if offset_ms:
        # The clock has been set since it was measured: then what it says now is better than what we knew.
        return place(at_ms, received_ms)
    return Placed(received_ms, ABSURD)


def place_driven(at_ms: int, received_ms: int) -> Placed:
    """The same where the clock is driven: it stands at the last step (0: before the first), and what belongs to the
    next comes before that step's time does.
    """
    if received_ms == 0 or 0 < at_ms - received_ms <= FUTURE_ABSURD_MS:
        return Placed(at_ms, None)
    return place(at_ms, received_ms)


@dataclass(slots=True)
class _Measured:
    boot: str
    differences_ms: deque[int] = field(default_factory=lambda: deque(maxlen=HEARTBEATS_KEPT))


class DeviceClocks:
    """How far each device's clock is behind ours, in milliseconds (negative: ahead), 0 while it is nearly right."""

    def __init__(self) -> None:
        self._offsets: dict[str, int] = {}
        self._measured: dict[str, _Measured] = {}
        self._changed: set[str] = set()

    def know(self, offsets_ms: dict[str, int]) -> None:
        """Take over what was measured before this process began, or by another."""
        self._offsets = dict(offsets_ms)

    def offset_ms(self, device: str) -> int:
        return self._offsets.get(device, 0)

    def measure(self, device: str, boot: str, at_ms: int, received_ms: int) -> None:
        """A heartbeat has come, and came straight here."""
        measured = self._measured.get(device)
        if measured is None or measured.boot != boot:
            measured = self._measured[device] = _Measured(boot)
        measured.differences_ms.append(received_ms - at_ms)
        if len(measured.differences_ms) < HEARTBEATS_NEEDED:
            return
        # The way here only ever adds to the difference: the least of them is nearest to the clock's error.
        least_ms = min(measured.differences_ms)
        offset_ms = least_ms if abs(least_ms) > OFFSET_TOLERATED_MS else 0
        if abs(offset_ms - self.offset_ms(device)) > OFFSET_TOLERATED_MS or (
            offset_ms == 0 and device in self._offsets
        ):
            self._changed.add(device)
            if offset_ms:
                self._offsets[device] = offset_ms
            else:
                self._offsets.pop(device, None)

    def changes(self) -> dict[str, int]:
        """device → offset, for those that changed since the last call: what others must know."""
        changed, self._changed = self._changed, set()
        return {device: self.offset_ms(device) for device in sorted(changed)}
