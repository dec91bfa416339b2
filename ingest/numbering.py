"""Numbers for readings of devices that number nothing themselves. PURE.

Their codec numbers them by the millisecond in which they came. What waited in the broker comes many to a millisecond:
two readings of one device would be one, and the archive would keep the first.
"""

from collections import OrderedDict

import msgspec

from ingest.codecs.gathering import MESSAGES_MAX
from pingan.messages import Reading

DEVICES_MAX = 100_000
"""Then the one heard longest ago is forgotten: its millisecond has long passed."""


class Numbering:
    """Each reading with a number of its own; what bears its family's own number keeps it, so that a repeat is one."""

    def __init__(self, devices_max: int = DEVICES_MAX) -> None:
        self._most = devices_max
        self._last: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._last)

    def numbered(self, reading: Reading) -> Reading:
        if reading.boot or reading.seq // MESSAGES_MAX != reading.received_ms:
            return reading
        seq = max(reading.seq, self._last.pop(reading.device, -1) + 1)
        self._last[reading.device] = seq
        if len(self._last) > self._most:
            self._last.popitem(last=False)
        return reading if seq == reading.seq else msgspec.structs.replace(reading, seq=seq)
