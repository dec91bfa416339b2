"""Where each message goes: what is understood into the lane, what is not to the rejections. Nothing waits here."""

import functools
import re
from collections.abc import Callable
from typing import Any

import msgspec

from ingest.codecs import Rejected, Remark, Remarked
from ingest.codecs.native import decode
from ingest.covering import Covering
from ingest.device_time import ABSURD
from ingest.lane import Lane
from ingest.rejections import Rejections
from ingest.settle import Settler
from ingest.waiting import Waiting
from pingan.clock import Clock
from pingan.log import Record
from pingan.messages import Event, Reading, encode, partition_of
from pingan.metrics import Tally

_DEVICE = re.compile(r"pingan/v1/([A-Za-z0-9_-]{1,64})/up/")


class Reception:
    """`ack` gives the broker's message up; `answer(topic, payload)` publishes; `received` counts what came;
    `covering` is told of every reading.
    """

    def __init__(
        self,
        clock: Clock,
        settler: Settler,
        lane: Lane,
        rejections: Rejections,
        received: Tally,
        *,
        ack: Callable[[int], object],
        answer: Callable[[str, bytes], None],
        covering: Covering | None = None,
    ) -> None:
        self._clock, self._settler, self._lane, self._rejections = clock, settler, lane, rejections
        self._received = received
        self._ack, self._publish, self._covering = ack, answer, covering

    def hear(self, topic: str, payload: bytes, ticket: int) -> None:
        self._received.count += 1
        came_at = self._clock.monotonic()
        decoded = decode(topic, payload, self._clock.now_ms())
        if isinstance(decoded, Rejected):
            self._refuse(decoded, topic, payload, ticket)
            return
        if isinstance(decoded, Remarked):
            self._remark(decoded.remark, decoded.detail, topic, payload)
            decoded = decoded.taken
        if isinstance(decoded, Event):
            event = self._settler.event(decoded)
            self._take_event(event, payload, ticket, came_at)
            device: str | None = event.device
            absurd = event.clock == ABSURD and event.device_at_ms is not None
        else:
            readings = list(map(self._settler.reading, decoded))
            if self._covering is not None:
                self._covering.heard(readings)
            self._take_readings(readings, payload, ticket, came_at)
            device = readings[0].device if readings else None
            absurd = any(reading.clock == ABSURD for reading in readings)
        if absurd and device is not None:
            self._remark(Remark.ABSURD_CLOCK, device, topic, payload)
        if device is not None and (remark := self._settler.remark(device)) is not None:
            self._remark(remark, device, topic, payload)

    def _take_event(self, event: Event, payload: bytes, ticket: int, came_at: float) -> None:
        record = Record(partition_of(event.home, event.device), encode(event))
        then = functools.partial(self._answer_received, event.device, event.id)
        self._lane.put(event.home or event.device, Waiting([record], ticket, len(payload), then, came_at))

    def _take_readings(self, readings: list[Reading], payload: bytes, ticket: int, came_at: float) -> None:
        records = [Record(partition_of(reading.home, reading.device), encode(reading)) for reading in readings]
        self._lane.put("", Waiting(records, ticket, len(payload), came_at=came_at))

    def _answer_received(self, device: str, event_id: str) -> None:
        self._answer(device, {"id": event_id, "stage": "received", "at": self._clock.now()})

    def _refuse(self, rejected: Rejected, topic: str, payload: bytes, ticket: int) -> None:
        found = _DEVICE.match(topic)
        device = found[1] if found else None

        def then() -> None:
            self._ack(ticket)
            if device is not None:
                self._answer(device, {"id": rejected.id, "error": rejected.reason, "detail": rejected.detail})

        self._rejections.add(rejected.reason, rejected.detail, topic=topic, device=device, payload=payload, then=then)

    def _remark(self, remark: Remark, detail: str, topic: str, payload: bytes) -> None:
        found = _DEVICE.match(topic)
        self._rejections.add(remark, detail, topic=topic, device=found[1] if found else None, payload=payload)

    def _answer(self, device: str, answer: dict[str, Any]) -> None:
        given = {name: value for name, value in answer.items() if value is not None}
        self._publish(f"pingan/v1/{device}/down/ack", msgspec.json.encode(given))
