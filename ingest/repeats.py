"""A door that is still shut has not been moved. PURE.

Gateways repeat a door's or a bed's state with whatever else they have to say, a battery's level at three in the morning
for instance; detection takes each reading of these kinds for a movement of the person. So what is as it was before gets
a kind of its own: it is archived, and the device was heard, but nobody has moved.
"""

from collections import OrderedDict
from typing import Any

import msgspec

from pingan.messages import Reading

STILL = {"door": "door_still", "bed": "bed_still"}
"""The kinds whose every reading is a movement, and what they are called when nothing has changed."""
STATES_MAX = 100_000
"""Then the one that was not heard for longest is forgotten; what it says next is a movement."""


class Repeats:
    """The state that each device told last. After a restart the first of each is a movement: the one price of it."""

    def __init__(self, most: int = STATES_MAX) -> None:
        self._most = most
        self._last: OrderedDict[tuple[str, str, str | None], Any] = OrderedDict()

    def __len__(self) -> int:
        return len(self._last)

    def marked(self, reading: Reading) -> Reading:
        """The reading, of another kind if it says what was said before."""
        still = STILL.get(reading.kind)
        if still is None:
            return reading
        key = (reading.device, reading.kind, reading.sensor)
        before = self._last.pop(key, None)
        if before is None and len(self._last) >= self._most:
            self._last.popitem(last=False)
        self._last[key] = reading.value
        return msgspec.structs.replace(reading, kind=still) if before == reading.value else reading
