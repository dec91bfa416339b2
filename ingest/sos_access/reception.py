"""What a request of a transmitter becomes, and how it is answered.

    whole request ──► whose ──► what it says ──► remembered ──► append ──► status 0

An alarm is answered with 0 only when its event is durable. Whatever prevents that within the time for which a
transmitter waits is answered so that it tries the other receiver, and again.
"""

import asyncio
import functools
import logging
from collections import Counter
from datetime import timedelta, tzinfo
from typing import Any
from uuid import uuid4

import msgspec

from ingest.codecs import Reason, Refusal, Remark
from ingest.device_time import ABSURD, place
from ingest.lane import Lane
from ingest.rejections import Rejections
from ingest.sos_access import transmitters
from ingest.sos_access.event_codes import Matter, Meaning, meaning
from ingest.sos_access.protocol import (
    STATUSES,
    Kind,
    Refused,
    Request,
    Status,
    answer,
    position,
    transmitter_time,
)
from ingest.sos_access.transmitters import Counted, Transmitter
from ingest.waiting import Waiting
from pingan import metrics
from pingan.clock import Clock, to_ms
from pingan.database import LOST, Database
from pingan.log import Record
from pingan.messages import Event, Reading, encode, partition_of
from pingan.metrics import Tally

log = logging.getLogger(__name__)

FAMILY = "sos_access"
REPEAT_SECONDS = 120
"""An alarm that says the same again within it is the same: its answer was lost. A transmitter tries both receivers
three times each, and waits at most ten seconds for each. Later it is a new press, even where a panel gives every press
the same reference: it rings once too often rather than once too seldom."""
REPEATS_TOLD = 6
"""So often a repeat is answered like the first; then the transmitter is told that it repeats itself."""
PINGS_MAX = 12
"""Heartbeats within one period of the line's level. The protocol recommends three to six; each may be tried twice."""
PLACE_FIELDS = ("transmitterarea", "section", "sectiontext", "detector", "detectortext")
REPORT = "panel_report"
"""The kind of reading in which an alarm's code and texts are kept as they came."""


class _No(Exception):
    """The request is answered with no; it is counted and kept by its reason."""

    def __init__(self, reason: Reason | Refusal, detail: str) -> None:
        self.reason, self.detail = reason, detail


class Reception:
    """`urgent` and `readings` are lanes of the logs of those names. `received` counts what came."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        urgent: Lane,
        readings: Lane,
        rejections: Rejections,
        received: Tally,
        *,
        zone: tzinfo,
        answer_seconds: float,
        handled_max: int,
    ) -> None:
        self._database, self._clock = database, clock
        self._urgent, self._readings = urgent, readings
        self._rejections, self._received = rejections, received
        self._zone, self._answer_seconds, self._handled_max = zone, answer_seconds, handled_max
        self._handled: Counter[bool] = Counter()
        """How many are being handled: of what rings, and apart from it of all else."""
        self.full: set[Lane] = set()
        """The lanes that have as much waiting as they may."""
        self._answers = metrics.show(metrics.RECEIVER_ANSWERS)
        for kind in Kind:
            self._answers.labels(kind.answer, Status.OK.name)

    async def hear(self, request: Request | Refused) -> bytes:
        """The answer to what one connection has said. Raises nothing: whoever asks gets an answer."""
        self._received.count += 1
        came_at = self._clock.monotonic()
        device = None
        new_authentication = None
        try:
            if isinstance(request, Refused):
                raise _No(request.reason, request.detail)
            rings = _rings(request)
            if self._is_full(rings) or self._handled[rings] >= self._handled_max:
                raise _No(Refusal.TOO_BUSY, "more is being handled than can be")
            self._handled[rings] += 1
            try:
                async with asyncio.timeout(self._answer_seconds):
                    transmitter = await self._whose(request)
                    device = transmitter.device
                    new_authentication = await self._act(request, transmitter, came_at)
            finally:
                self._handled[rings] -= 1
            status = Status.OK
        except _No as no:
            status = STATUSES[no.reason]
            self._keep(no.reason, no.detail, request, device)
        except (*LOST, TimeoutError) as error:
            status = Status.NOT_TREATED_NOT_DISTRIBUTED
            self._keep(Refusal.NOT_RECORDED, str(error).strip() or type(error).__name__, request, device)
        except Exception:
            log.exception("a request of a transmitter could not be handled")
            # The other receiver may not make the same mistake: an alarm is sent there, which 98 would not do.
            status = Status.OTHER_ERROR if request.kind is Kind.ALARM else STATUSES[Refusal.FAILED]
            self._keep(Refusal.FAILED, "our log says why", request, device)
        return self._answer(request, status, new_authentication)

    def _is_full(self, rings: bool) -> bool:
        """What rings waits for the log of alarms and for nothing else, however much else waits."""
        return self._urgent in self.full if rings else bool(self.full)

    def not_treated(self, request: Request | Refused) -> bytes:
        """The answer where there is no time left: it may have been recorded, and nobody has promised it."""
        return self._answer(request, Status.NOT_TREATED_NOT_DISTRIBUTED)

    def _answer(self, request: Request | Refused, status: Status, new_authentication: str | None = None) -> bytes:
        self._answers.labels(request.kind.answer, status.name).inc()
        return answer(
            request.kind,
            status,
            self._clock.now().astimezone(self._zone),
            reference=request.reference,
            new_authentication=new_authentication,
        )

    async def _whose(self, request: Request) -> Transmitter:
        async with self._database.connection() as connection:
            transmitter = await transmitters.find(connection, request.code, request.authentication)
        if transmitter is None:
            raise _No(Refusal.NOT_AUTHORIZED, f"{request.code} is no transmitter, or the authentication is another's")
        return transmitter

    async def _act(self, request: Request, transmitter: Transmitter, came_at: float) -> str | None:
        """Do what is asked; returns when it is durable. The text is a new authentication, if that was asked."""
        if not transmitter.enabled:
            self._remark(Remark.DISABLED_DEVICE, transmitter.device, request, transmitter)
        match request.kind:
            case Kind.ALARM:
                await self._alarm(request, transmitter, came_at)
            case Kind.PING:
                await self._ping(transmitter, came_at)
            case Kind.NEW_AUTHENTICATION:
                async with self._database.transaction() as connection:
                    return await transmitters.give_next(connection, transmitter.code)
        return None

    async def _ping(self, transmitter: Transmitter, came_at: float) -> None:
        if not transmitter.monitored:
            raise _No(Refusal.NOT_MONITORED, f"the line of {transmitter.code} is not watched")
        now = self._clock.now()
        before = now - timedelta(seconds=transmitter.heartbeat_seconds)
        async with self._database.connection() as connection:
            beat = await transmitters.ping(connection, transmitter.code, now, before)
        if beat.pings > PINGS_MAX:
            # It was heard often enough in this time to be known to be there.
            raise _No(Refusal.TOO_OFTEN, f"more than {PINGS_MAX} in {transmitter.heartbeat_seconds} s")
        await self._status(transmitter, beat.counted, {}, came_at)

    async def _alarm(self, request: Request, transmitter: Transmitter, came_at: float) -> None:
        means = meaning(request.event_code, restore=request.restore)
        if not means.known:
            self._remark(Remark.UNKNOWN_KIND, request.event_code, request, transmitter)
        if _rings(request):
            await self._ring(request, transmitter, means, came_at)
        elif means.matter is Matter.RINGS:
            await self._over(request, transmitter, means, came_at)
        else:
            await self._technical(transmitter, means, came_at)

    async def _ring(self, request: Request, transmitter: Transmitter, means: Meaning, came_at: float) -> None:
        now = self._clock.now()
        async with self._database.connection() as connection:
            heard = await transmitters.alarm(
                connection,
                transmitter.code,
                _said(request),
                _event_id(request),
                now,
                now - timedelta(seconds=REPEAT_SECONDS),
            )
        event = self._event(request, transmitter, means, heard)
        recorded = self._append(self._urgent, event, came_at)
        if self._readings in self.full:
            self._remark(Remark.FIELD_LEFT_OUT, f"{REPORT}: readings cannot be recorded", request, transmitter)
        else:
            texts = {name: text for name in (*PLACE_FIELDS, "additionalinfo") if (text := request.fields.get(name))}
            report = {"eventcode": request.event_code, **texts}
            self._append(self._readings, self._reading(transmitter, heard.seq, REPORT, report))
        await recorded
        if heard.times > REPEATS_TOLD:
            raise _No(Refusal.REPEATED, f"heard {heard.times} times, and recorded")

    def _event(self, request: Request, transmitter: Transmitter, means: Meaning, heard: transmitters.Alarm) -> Event:
        left_out = list(request.left_out)
        received_ms = self._clock.now_ms()
        event = Event(
            device=transmitter.device,
            id=heard.event,
            boot="",
            seq=heard.seq,
            at_ms=received_ms,
            received_ms=received_ms,
            kind=means.name,
            home=transmitter.home,
            test=means.matter is Matter.TEST,
            attempt=heard.times,
            family=FAMILY,
        )
        if (text := request.fields.get("transmittertime")) is not None:
            at = transmitter_time(text, self._zone)
            if at is None:
                left_out.append("transmittertime")
                event = msgspec.structs.replace(event, clock=ABSURD)
            else:
                at_ms, clock = place(to_ms(at), received_ms)
                event = msgspec.structs.replace(event, at_ms=at_ms, clock=clock, device_at_ms=to_ms(at))
        if (text := request.fields.get("pos")) is not None:
            if (location := position(text)) is None:
                left_out.append("position")
            event = msgspec.structs.replace(event, location=location)
        if left_out:
            self._remark(Remark.FIELD_LEFT_OUT, ", ".join(left_out), request, transmitter)
        return event

    async def _over(self, request: Request, transmitter: Transmitter, means: Meaning, came_at: float) -> None:
        """What rang is over, by the panel's own word: a reading beside the incident, which only a person closes."""
        async with self._database.connection() as connection:
            counted = await transmitters.count(connection, transmitter.code)
        sensor = request.fields.get("detector") or request.fields.get("section")
        reading = self._reading(transmitter, counted.seq, means.name, False, sensor)
        await self._append(self._readings, reading, came_at)

    async def _technical(self, transmitter: Transmitter, means: Meaning, came_at: float) -> None:
        async with self._database.connection() as connection:
            if means.matter is Matter.FAULT:
                counted = await transmitters.fault(connection, transmitter.code, means.name, means.holds)
            else:
                counted = await transmitters.count(connection, transmitter.code)
        said: dict[str, Any] = {}
        if means.matter is Matter.MAINS:
            said["mains"] = not means.holds
        elif means.matter is Matter.BATTERY:
            said["battery_low"] = means.holds
        await self._status(transmitter, counted, said, came_at)

    async def _status(self, transmitter: Transmitter, counted: Counted, said: dict[str, Any], came_at: float) -> None:
        value = {"faults": counted.faults, **said}
        await self._append(self._readings, self._reading(transmitter, counted.seq, "status", value), came_at)

    def _reading(self, transmitter: Transmitter, seq: int, kind: str, value: Any, sensor: str | None = None) -> Reading:
        now_ms = self._clock.now_ms()
        return Reading(
            device=transmitter.device,
            boot="",
            seq=seq,
            at_ms=now_ms,
            received_ms=now_ms,
            kind=kind,
            value=value,
            home=transmitter.home,
            sensor=sensor,
        )

    def _append(self, lane: Lane, message: Event | Reading, came_at: float | None = None) -> "asyncio.Future[None]":
        """Done when it is durable; it becomes so even if nobody waits any more. `came_at`: None where nobody did."""
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        record = Record(partition_of(message.home, message.device), encode(message))
        waiting = Waiting([record], 0, len(record.body), functools.partial(_settle, durable), came_at)
        lane.put(message.home or message.device, waiting)
        return durable

    def _keep(self, reason: Reason | Refusal, detail: str, request: Request | Refused, device: str | None) -> None:
        self._rejections.add(reason, detail, topic=f"sos-access/{request.kind}", device=device, payload=request.payload)

    def _remark(self, remark: Remark, detail: str, request: Request, transmitter: Transmitter) -> None:
        self._rejections.add(
            remark, detail, topic=f"sos-access/{request.kind}", device=transmitter.device, payload=request.payload
        )


def _settle(durable: "asyncio.Future[None]") -> None:
    if not durable.done():
        durable.set_result(None)


def _rings(request: Request) -> bool:
    """Whether somebody waits for help: that is neither counted with heartbeats nor held up by them."""
    if request.kind is not Kind.ALARM:
        return False
    means = meaning(request.event_code, restore=request.restore)
    return means.holds and means.matter in (Matter.RINGS, Matter.TEST)


def _said(request: Request) -> str | None:
    """What is the same in a repeat; None where nothing tells a repeat from another press."""
    if request.reference is None and "transmittertime" not in request.fields:
        return None
    names = ("eventcode", "alarmtype", "transmittertime", *PLACE_FIELDS)
    return msgspec.json.encode([request.reference, *(request.fields.get(name) for name in names)]).decode()


def _event_id(request: Request) -> str:
    """For a new event; with the panel's own reference, by which its maker finds it in the panel's log."""
    return f"{request.reference}:{uuid4().hex}" if request.reference else uuid4().hex
