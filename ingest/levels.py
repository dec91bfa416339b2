"""What gateways repeat for as long as it holds, told once. PURE.

A smoke detector behind a gateway says "smoke" with every message until the air is clear. Only the first is news; a
press is news each time. Whatever is in doubt rings: after a restart, after an hour in which a condition was not
repeated, and when there are too many conditions to remember.

    for event in levels.news(heard):  # of each message, in its order, as the codec gave it
        append(settled(event), then=partial(levels.told, event))  # told once it is durable, and not before

An event that was handed out but not yet told is handed out again, the same one, with every repeat: an append that never
came to pass loses nothing, and an event that is appended twice is one alarm.
"""

from collections import OrderedDict

import msgspec

from ingest.codecs import Heard, Level
from pingan.messages import Event

LEVELS_MAX = 100_000
"""Of all gateways together; then the one that was not repeated for longest is forgotten."""
FORGOTTEN_AFTER_MS = 3_600_000
"""That a condition is over may have been lost on the way. What was not repeated for so long rings anew."""


class _Held(msgspec.Struct):
    event: Event
    said_ms: int
    """When it was last repeated."""
    told: bool = False


class Levels:
    """Which conditions hold and were told: one for each process that hands out events."""

    def __init__(self, most: int = LEVELS_MAX) -> None:
        self._most = most
        self._held: OrderedDict[tuple[str, str], _Held] = OrderedDict()
        self._untold: dict[tuple[str, str], tuple[str, str]] = {}
        """Device and id of each event that was handed out, to the device and field of its condition."""

    def __len__(self) -> int:
        return len(self._held)

    def news(self, heard: Heard) -> list[Event]:
        """The events of a message that somebody must be told, in their order."""
        if not heard.levels:
            return heard.events
        holding: dict[str, Level] = {}
        for level in heard.levels:
            if level.event_id is None:
                self._forget((level.device, level.field))
            else:
                holding[level.event_id] = level
        news = [
            self._new((holding[event.id].device, holding[event.id].field), event) if event.id in holding else event
            for event in heard.events
        ]
        return [event for event in news if event is not None]

    def told(self, event: Event) -> None:
        """`event`, as `news` handed it out, is durable. Of a press or of what is over by now this changes nothing."""
        key = self._untold.pop((event.device, event.id), None)
        if key is not None:
            self._held[key].told = True

    def _new(self, key: tuple[str, str], event: Event) -> Event | None:
        """The event to tell: none if it was told; the first again if that is not durable yet."""
        held = self._held.get(key)
        if held is None or event.received_ms - held.said_ms >= FORGOTTEN_AFTER_MS:
            self._forget(key)
            if len(self._held) >= self._most:
                self._forget(next(iter(self._held)))
            held = self._held[key] = _Held(event, event.received_ms)
            self._untold[event.device, event.id] = key
            return event
        held.said_ms = event.received_ms
        self._held.move_to_end(key)
        return None if held.told else held.event

    def _forget(self, key: tuple[str, str]) -> None:
        held = self._held.pop(key, None)
        if held is not None:
            self._untold.pop((held.event.device, held.event.id), None)
