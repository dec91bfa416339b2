"""Time, as messages: how much of it ingest has heard. The decision is pure; see bridge.py for who asks it.

Each second the bridge sends itself a message through the broker. When it comes back, the connection carries both ways,
and everything that the broker had for us before it has been received: that is the moment of a tick.
"""

from pingan.messages import Tick

SETTLE_MS = 10_000
"""After a connection nothing counts as heard for so long: the devices, too, must find the broker again."""
HEARD_MAX_MS = 5_000
"""One tick tells of no more: what was longer was a stop of ours or of the broker's, not listening."""
PROBE_SECONDS = 1.0


class Hearing:
    """Turns probes that came back into ticks; their times are ingest's own, in milliseconds."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch
        self._last_ms: int | None = None
        self._counts_from_ms = 0

    def lost(self) -> None:
        """The connection is gone, or new: what lies between was not heard."""
        self._last_ms = None

    def probe_returned(self, at_ms: int) -> Tick:
        if self._last_ms is None:
            self._counts_from_ms = at_ms + SETTLE_MS
            heard_ms = 0
        else:
            heard_ms = min(max(0, at_ms - max(self._last_ms, self._counts_from_ms)), HEARD_MAX_MS)
        self._last_ms = at_ms
        return Tick(at_ms=at_ms, heard_ms=heard_ms, epoch=self._epoch)
