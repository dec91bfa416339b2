"""What gateways say, heard by both lanes, of which each keeps its half.

The alarm lane takes the events and gives everything else up at once, so that no gateway's alarm stands behind anybody's
telemetry. It hears every message, and is never limited: so it is the one that counts what is refused or odd. The
telemetry lane takes the readings, and counts only what it sheds.
"""

import functools
from collections.abc import Callable, Iterable

from ingest.codecs import Heard, Reason, Rejected, Remark
from ingest.covering import Covering
from ingest.device_time import ABSURD
from ingest.families import decode, named
from ingest.floods import Floods
from ingest.lane import Lane
from ingest.levels import Levels
from ingest.numbering import Numbering
from ingest.rejections import Rejections
from ingest.repeats import Repeats
from ingest.settle import Settler
from ingest.waiting import Waiting
from pingan.clock import Clock
from pingan.log import Record
from pingan.messages import Event, encode, partition_of
from pingan.metrics import Tally

ROOT = "gw/"
"""How the topics of all gateways begin; the gateway's own user name follows, and the broker sees to that."""


def gateway_of(topic: str) -> str:
    return topic.split("/", 2)[1]


class Events:
    """The alarm lane's half. `ack` gives the broker's message up."""

    def __init__(
        self,
        clock: Clock,
        settler: Settler,
        lane: Lane,
        rejections: Rejections,
        received: Tally,
        *,
        ack: Callable[[int], object],
    ) -> None:
        self._clock, self._settler, self._lane, self._rejections = clock, settler, lane, rejections
        self._received, self._ack = received, ack
        self._levels, self._numbering = Levels(), Numbering()

    def interrupted(self) -> None:
        """The connection was lost, and with it perhaps that a condition is over: whatever holds is told anew."""
        self._levels = Levels()

    def hear(self, topic: str, payload: bytes, ticket: int, retained: bool) -> None:
        self._received.count += 1
        came_at = self._clock.monotonic()
        heard = decode(topic, payload, self._clock.now_ms())
        if isinstance(heard, Rejected):
            self._refuse(heard.reason, heard.detail, topic, payload, functools.partial(self._give_up, ticket))
            return
        self._remark(heard, topic, payload)
        heard = named(self._numbering.told_apart(heard), self._settler.kind_of)
        if retained:
            # Left with the broker at some time, and repeated to whoever subscribes: it is nobody's press of now.
            if heard.events:
                kinds = ", ".join(sorted({event.kind for event in heard.events}))
                self._refuse(Reason.RETAINED_ALARM, kinds, topic, payload)
            self._ack(ticket)
        elif news := self._levels.news(heard):
            settled = [self._settler.gateway_event(event) for event in news]
            if any(event.clock == ABSURD for event in settled):
                self._refuse(Remark.ABSURD_CLOCK, settled[0].device, topic, payload)
            self._take(news, settled, ticket, came_at)
        else:
            self._ack(ticket)

    def _take(self, news: list[Event], settled: list[Event], ticket: int, came_at: float) -> None:
        records = [Record(partition_of(event.home, event.device), encode(event)) for event in settled]
        told = functools.partial(_tell, self._levels, news)
        waiting = Waiting(records, ticket, _size(records), told, came_at)
        self._lane.put(settled[0].home or settled[0].device, waiting)

    def _remark(self, heard: Heard, topic: str, payload: bytes) -> None:
        for remark, detail in heard.remarks:
            self._refuse(remark, detail, topic, payload)
        addresses = [reading.device for reading in heard.readings]
        addresses += [event.device for event in (*heard.events, *heard.unnamed)]
        for address in dict.fromkeys(addresses):
            if (odd := self._settler.whose(address).remark) is not None:
                self._refuse(odd, address, topic, payload)

    def _refuse(
        self, reason: str, detail: str, topic: str, payload: bytes, then: Callable[[], None] | None = None
    ) -> None:
        self._rejections.add(reason, detail, topic=topic, device=gateway_of(topic), payload=payload, then=then)

    def _give_up(self, ticket: int) -> None:
        self._ack(ticket)


def _size(records: Iterable[Record]) -> int:
    """What waits, and not what came: each field of a message may be a record ten times as long."""
    return sum(len(record.body) for record in records)


def _tell(levels: Levels, news: Iterable[Event]) -> None:
    for event in news:
        levels.told(event)


class Readings:
    """The telemetry lane's half. `floods`: None where the clock is driven, and a second is no measure."""

    def __init__(
        self,
        clock: Clock,
        settler: Settler,
        lane: Lane,
        rejections: Rejections,
        received: Tally,
        floods: Floods | None,
        *,
        ack: Callable[[int], object],
        covering: Covering | None = None,
    ) -> None:
        self._clock, self._settler, self._lane, self._rejections = clock, settler, lane, rejections
        self._received, self._floods, self._ack, self._covering = received, floods, ack, covering
        self._repeats, self._numbering = Repeats(), Numbering()

    def interrupted(self) -> None:
        """The connection was lost: what comes on the next one may have waited in the broker."""
        if self._floods is not None:
            self._floods.behind()

    def hear(self, topic: str, payload: bytes, ticket: int, retained: bool) -> None:
        self._received.count += 1
        came_at = self._clock.monotonic()
        if retained:
            # A state of some time ago, without that time: taken for a reading, a dead sensor would be heard now.
            self._ack(ticket)
            return
        gateway = gateway_of(topic)
        if self._floods is not None and not self._floods.admit(gateway, came_at):
            detail = "it says more than may be taken from one gateway"
            self._rejections.add(Reason.FLOOD, detail, topic=topic, device=gateway, payload=payload)
            self._ack(ticket)
            return
        heard = decode(topic, payload, self._clock.now_ms())
        if isinstance(heard, Rejected) or not heard.readings:
            self._ack(ticket)
            return
        own = [self._numbering.numbered(self._repeats.marked(reading)) for reading in heard.readings]
        settled = list(map(self._settler.gateway_reading, own))
        if self._covering is not None:
            self._covering.heard(settled)
        if any(reading.clock == ABSURD for reading in settled):
            detail = settled[0].device
            self._rejections.add(Remark.ABSURD_CLOCK, detail, topic=topic, device=gateway, payload=payload)
        records = [Record(partition_of(reading.home, reading.device), encode(reading)) for reading in settled]
        self._lane.put("", Waiting(records, ticket, _size(records), came_at=came_at))
