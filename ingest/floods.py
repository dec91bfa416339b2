"""How much telemetry may be taken from one gateway: a bucket of messages each, which fills again by the second. PURE.

Only gateways are limited. A native device speaks for one home, holds up nobody but itself, and is told by its protocol
to bring everything after an outage, two weeks of it if need be. A gateway may stand for a thousand devices, and one of
them gone mad, or a gateway in a loop, would take the place of a whole town's readings. Alarms are never limited:
another lane hears them.

What waited in the broker while we did not listen is no flood: until all of it has come, nothing is limited.
"""

from collections import OrderedDict

MESSAGES_A_SECOND = 100.0
"""Ten times what a home of a hundred Zigbee devices says that each report every ten seconds; a LoRaWAN server with
20,000 devices that report every five minutes says 67 a second."""
BURST_MESSAGES = 3_000
"""A gateway that starts says at once all that it knows: of each device its state, and whether it is there."""
GATEWAYS_MAX = 10_000
"""Then the one that was silent for longest is forgotten, and begins with a full bucket."""
ROUNDS_BEHIND = 2
"""So many probes must come back until what waited before them has come: the first may have been said before."""


class Floods:
    """`admit` each message of a gateway; times are of one process's monotonic clock, in seconds."""

    def __init__(
        self,
        messages_a_second: float = MESSAGES_A_SECOND,
        burst_messages: float = BURST_MESSAGES,
        gateways_max: int = GATEWAYS_MAX,
    ) -> None:
        self._rate, self._burst, self._most = messages_a_second, float(burst_messages), gateways_max
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Of each gateway: how many messages it had left, and when; the one heard last at the end."""
        self._rounds = ROUNDS_BEHIND

    def __len__(self) -> int:
        return len(self._left)

    def behind(self) -> None:
        """What comes now may have waited in the broker: we were not connected, or could not append."""
        self._rounds = ROUNDS_BEHIND

    def probe_came_back(self) -> None:
        """What we told the broker to tell us has come, and so has everything that stood before it."""
        self._rounds = max(0, self._rounds - 1)

    def admit(self, gateway: str, at: float) -> bool:
        """Whether this message may be taken; if not, it counts as little as if it had not been said."""
        if self._rounds:
            return True
        left, since = self._left.pop(gateway, (self._burst, at))
        left = min(self._burst, left + self._rate * (at - since))
        taken = left >= 1.0
        self._left[gateway] = (left - taken, at)
        if len(self._left) > self._most:
            self._left.popitem(last=False)
        return taken
