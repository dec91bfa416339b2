"""Numbers for what devices say that number nothing themselves. PURE.

Their codec numbers it by the millisecond in which it came. What waited in the broker comes many to a millisecond, and
on the driven clock whatever is said within a step: two readings of one device would be one, and the archive would keep
the first; two presses would be one alarm, and the second would ring nowhere.
"""

from collections import OrderedDict

import msgspec

from ingest.codecs import Heard
from ingest.codecs.gathering import MESSAGES_MAX
from pingan.messages import Event, Reading

DEVICES_MAX = 100_000
"""Then the one heard longest ago is forgotten: its millisecond has long passed."""


class Numbering:
    """Each with a number of its own; what bears its family's own number keeps it, so that a repeat is one."""

    def __init__(self, devices_max: int = DEVICES_MAX) -> None:
        self._most = devices_max
        self._last: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._last)

    def numbered(self, reading: Reading) -> Reading:
        seq = self._seq(reading)
        return reading if seq == reading.seq else msgspec.structs.replace(reading, seq=seq)

    def told_apart(self, heard: Heard) -> Heard:
        """Each event with a number, and an id, that no earlier one of its device has."""
        if not (heard.events or heard.unnamed):
            return heard
        events, unnamed = ([self._apart(event) for event in some] for some in (heard.events, heard.unnamed))
        pairs = zip((*heard.events, *heard.unnamed), (*events, *unnamed), strict=True)
        ids = {before.id: after.id for before, after in pairs if before is not after}
        if not ids:
            return heard
        levels = tuple(level._replace(event_id=ids.get(level.event_id or "", level.event_id)) for level in heard.levels)
        return heard._replace(events=events, unnamed=tuple(unnamed), levels=levels)

    def _apart(self, event: Event) -> Event:
        seq = self._seq(event)
        return event if seq == event.seq else msgspec.structs.replace(event, seq=seq, id=f"{event.id}-{seq}")

    def _seq(self, said: Reading | Event) -> int:
        if said.boot or said.seq // MESSAGES_MAX != said.received_ms:
            return said.seq
        seq = max(said.seq, self._last.pop(said.device, -1) + 1)
        self._last[said.device] = seq
        if len(self._last) > self._most:
            self._last.popitem(last=False)
        return seq
