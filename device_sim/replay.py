"""Recordings of real people as devices over MQTT, in real time or on the driven clock as fast as the platform drains.

On the driven clock a step goes: publish its readings and heartbeats, wait for every PUBACK, publish the time, wait for
the platform's answer (`docs/simulator-contract.md`).
"""

import asyncio
import heapq
import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from device_sim.access import Access, AccessError
from device_sim.client import NotRunning
from device_sim.operator import Operator
from device_sim.recordings import Recorded, Recording
from device_sim.wire import protocol
from device_sim.wire.connection import Connection
from device_sim.wire.device import Device

PATIENCE_SECONDS = 60.0
DEFAULT_STEP = timedelta(minutes=10)
FALL_STEP = timedelta(seconds=1)
MAX_STEP = timedelta(hours=1)
HEARTBEAT = timedelta(seconds=90)
"""How often a device is heard at least; on the driven clock once in every step is enough, for time passes in steps."""
WEEK = timedelta(weeks=1)
SAY_SECONDS = 10.0
STATUS = "status"

log = logging.getLogger(__name__)


class ReplayError(Exception):
    """The replay cannot go on. The message is for people."""


class ClockRefused(ReplayError):
    """The platform does not take this time; `platform_at` is its own, where it says so."""

    def __init__(self, error: str, platform_at: datetime | None) -> None:
        super().__init__(f"the platform refuses the time: {error} (let the recording begin later with --start)")
        self.platform_at = platform_at


@dataclass
class Result:
    """What a replay has done; `sent` counts readings by kind and heartbeats as `status`."""

    recording: str
    home: str
    device: str
    boot: str
    since: datetime
    until: datetime
    sent: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    seconds: float = 0.0
    incidents: dict[str, int] = field(default_factory=dict)
    """Those that the operator has closed, by what they were opened for."""

    def as_json(self) -> dict[str, Any]:
        readings = sum(count for kind, count in self.sent.items() if kind != STATUS)
        return {
            "recording": self.recording,
            "home": self.home,
            "device": self.device,
            "boot": self.boot,
            "from": protocol.timestamp(self.since),
            "until": protocol.timestamp(self.until),
            "sent": dict(sorted(self.sent.items())),
            "readings": readings,
            "steps": self.steps,
            "seconds": round(self.seconds, 3),
            "incidents": dict(sorted(self.incidents.items())),
        }


@dataclass(frozen=True)
class _Due:
    """A reading or heartbeat in the order of saying: at one moment heartbeats come last."""

    at: datetime
    device: Device
    recorded: Recorded | None

    def __lt__(self, other: "_Due") -> bool:
        return (self.at, self.recorded is None) < (other.at, other.recorded is None)


@dataclass
class _Part:
    """One recording, and the device that plays it."""

    recording: Recording
    home: str
    player: Device


class DrivenClock:
    """The platform's time, in our hands."""

    def __init__(self, access: Access) -> None:
        if access.clock is None:
            raise AccessError("the access file has no clock: the platform does not run with PINGAN_CLOCK=driven")
        self._device = access.clock.id
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        # Steps of another run may still be answered into our session: ours begin elsewhere (and fit 31 bits).
        self._step = int(time.time()) % 1_000_000 * 1000
        self.connection = Connection(
            host=access.mqtt.host,
            port=access.mqtt.port,
            user=access.clock.id,
            password=access.clock.password,
            client_id=access.clock.id,
            subscribe=protocol.down(access.clock.id, "clock"),
            on_message=self._message,
        )

    async def advance(self, at: datetime) -> None:
        """Makes it `at`, and waits until the platform has done all that was due. ClockRefused, ReplayError."""
        self._step += 1
        answer = self._answers[self._step] = asyncio.get_running_loop().create_future()
        try:
            self.connection.publish(protocol.up(self._device, "clock"), protocol.clock(at=at, step=self._step))
            async with asyncio.timeout(PATIENCE_SECONDS):
                payload = await answer
        except TimeoutError:
            raise ReplayError(
                f"the platform has not answered step {self._step} ({at:%Y-%m-%d %H:%M:%S%z}) for {PATIENCE_SECONDS:g} s"
            ) from None
        finally:
            del self._answers[self._step]
        if "error" in payload:
            raise ClockRefused(str(payload["error"]), _read_time(payload.get("at")))

    def _message(self, topic: str, body: bytes) -> None:
        payload = protocol.decode(body) or {}
        waiting = self._answers.get(payload.get("step", -1))
        if waiting is not None and not waiting.done():
            waiting.set_result(payload)


class Replay:
    """Recordings played each into a home, with the heartbeats of all of the homes' devices on the recordings' time.

    `everybody`: the heartbeats of every device of the access file, so that no other home's device is missed.
    `desk`: who answers and closes what the recording opens; None: nobody, and the platform asks helper after helper.
    `movable`: a clock that is elsewhere gets the recordings there; else it is walked to where they begin.
    """

    def __init__(
        self,
        access: Access,
        played: Sequence[tuple[Recording, str]],
        *,
        boot: str | None = None,
        heartbeat: timedelta | None = None,
        everybody: bool = False,
        movable: bool = True,
        desk: Operator | None = None,
    ) -> None:
        self._desk = desk
        self._heartbeat = heartbeat
        self._movable = movable
        players = [access.device(home, recording.device_kind) for recording, home in played]
        homes = {home for _, home in played}
        entries = [entry for entry in access.devices if everybody or entry.home in homes]
        self._devices = {
            # A client id of its own: the neighbourhood's device of the same name may be connected.
            entry.id: Device(
                entry.id,
                entry.password,
                host=access.mqtt.host,
                port=access.mqtt.port,
                client_id=f"{entry.id}-replay",
                boot=boot,
                lasting=False,
            )
            for entry in entries
        }
        self._parts = [
            _Part(recording, home, self._devices[player.id])
            for (recording, home), player in zip(played, players, strict=True)
        ]
        # Each home is heard from where its recording begins; the others, from where the first one does.
        begins = {entry.home: self._start for entry in entries} | {
            part.home: part.recording.start for part in self._parts
        }
        self._heard_after = {entry.id: begins[entry.home] - self._start for entry in entries}
        self.result = Result(
            ", ".join(part.recording.name for part in self._parts),
            ", ".join(part.home for part in self._parts),
            ", ".join(part.player.id for part in self._parts),
            self._parts[0].player.boot if boot is None else boot,
            self._start,
            max(part.recording.start + part.recording.length for part in self._parts),
        )

    @property
    def _start(self) -> datetime:
        return min(part.recording.start for part in self._parts)

    async def drive(self, clock: DrivenClock, step: timedelta) -> Result:
        """Plays all of it on the driven clock. ReplayError."""
        if not timedelta(0) < step <= MAX_STEP:
            raise ReplayError("a step is longer than nothing and at most an hour")
        self._heartbeat = self._heartbeat or max(step, HEARTBEAT)
        began = time.monotonic()
        await self._connect([*(device.connection for device in self._devices.values()), clock.connection])
        try:
            await self._begin(clock)
            await self._steps(clock, step)
        finally:
            await self._close([clock.connection])
        self.result.seconds = time.monotonic() - began
        if self._desk is not None:
            self.result.incidents = dict(self._desk.closed)
        return self.result

    async def play(self, speed: float) -> Result:
        """Plays it in real time, `speed` times as fast; each reading bears the time of its sending. ReplayError."""
        self._heartbeat = self._heartbeat or HEARTBEAT * speed
        began = time.monotonic()
        await self._connect([device.connection for device in self._devices.values()])
        try:
            for due in self._due():
                wait_seconds = (due.at - self._start).total_seconds() / speed - (time.monotonic() - began)
                if wait_seconds > 0:
                    await asyncio.sleep(wait_seconds)
                await self._acknowledged([self._send(due, datetime.now(UTC))])
        finally:
            await self._close([])
        self.result.seconds = time.monotonic() - began
        return self.result

    async def _begin(self, clock: DrivenClock) -> None:
        """Brings the clock and the recording's start together, where the platform says what its own time is."""
        try:
            await clock.advance(self._start)
        except ClockRefused as refused:
            now = refused.platform_at
            if now is None:
                raise
            if self._movable:
                self._move(_start_after(now, self._start, self._parts[0].recording.device_kind))
            log.info("the platform's clock is at %s, the recording begins at %s", now, self._start)
            await self._walk(clock, now)

    async def _walk(self, clock: DrivenClock, now: datetime) -> None:
        """Lets time pass until the recording begins, with heartbeats, in the longest steps."""
        while now < self._start:
            now = min(now + MAX_STEP, self._start)
            await self._acknowledged([self._send(_Due(now, device, None), now) for device in self._devices.values()])
            await clock.advance(now)

    def _move(self, start: datetime) -> None:
        shift = start - self._start
        for part in self._parts:
            part.recording = part.recording.moved_to(part.recording.start + shift)
        self.result.since, self.result.until = start, self.result.until + shift

    async def _steps(self, clock: DrivenClock, step: timedelta) -> None:
        now, said = self._start, time.monotonic()
        due = self._due()
        following = next(due, None)
        while now < self.result.until:
            now = min(now + step, self.result.until)
            sent = []
            while following is not None and following.at <= now:
                sent.append(self._send(following, following.recorded.at if following.recorded else following.at))
                following = next(due, None)
            await self._acknowledged(sent)
            await clock.advance(now)
            if self._desk is not None:
                try:
                    await asyncio.to_thread(self._desk.attend)
                except NotRunning:
                    raise ReplayError(f"the console at {self._desk.console} does not answer") from None
            self.result.steps += 1
            if time.monotonic() - said > SAY_SECONDS:
                said = time.monotonic()
                log.info("%s until %s: %s", now, self.result.until, dict(self.result.sent))

    def _due(self) -> Iterator[_Due]:
        """All readings and heartbeats, in the order of saying."""
        said = [_said(part) for part in self._parts]
        beats = [self._beats(device, self._heard_after[name]) for name, device in self._devices.items()]
        return heapq.merge(*said, *beats)

    def _beats(self, device: Device, after: timedelta) -> Iterator[_Due]:
        at = self._start + after
        while at <= self.result.until:
            yield _Due(at, device, None)
            at += self._heartbeat or HEARTBEAT

    def _send(self, due: _Due, at: datetime) -> asyncio.Future[None] | None:
        """Say it; `at`: the time that it bears."""
        self.result.sent[STATUS if due.recorded is None else due.recorded.kind] += 1
        if due.recorded is None:
            return due.device.send_status(at)
        reading = due.recorded
        return due.device.send_reading(reading.kind, reading.value, sensor=reading.sensor, at=at, **reading.more)

    async def _acknowledged(self, sent: Iterable[asyncio.Future[None] | None]) -> None:
        waiting = [future for future in sent if future is not None]
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(*waiting)
        except TimeoutError:
            raise ReplayError(f"the broker has not acknowledged a reading for {PATIENCE_SECONDS:g} s") from None

    async def _connect(self, connections: list[Connection]) -> None:
        for connection in connections:
            connection.open()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(*(connection.connected.wait() for connection in connections))
        except TimeoutError:
            refused = {connection.user: connection.refused for connection in connections if connection.refused}
            reason = ", ".join(f"{user}: {why}" for user, why in refused.items())
            raise ReplayError(f"no connection for {PATIENCE_SECONDS:g} s {reason}") from None

    async def _close(self, more: list[Connection]) -> None:
        await asyncio.gather(
            *(device.close() for device in self._devices.values()), *(connection.close() for connection in more)
        )


def _said(part: _Part) -> Iterator[_Due]:
    for reading in part.recording.readings:
        yield _Due(reading.at + reading.ready, part.player, reading)


def _start_after(now: datetime, start: datetime, device_kind: str) -> datetime:
    """The first time from `now` on at which what was to begin at `start` may.

    A home's is moved by whole weeks, so that hours and weekdays stay what they were; trials have none to keep.
    """
    if device_kind == "watch":
        return now
    return start - (start - now) // WEEK * WEEK


def default_step(recording: Recording) -> timedelta:
    """2 s for a watch, whose bursts are so long; 10 min for a home."""
    return FALL_STEP if recording.device_kind == "watch" else DEFAULT_STEP


async def replay_driven(
    access: Access, recording: Recording, home: str, *, step: timedelta | None = None, **how: Any
) -> Result:
    """Plays `recording` into `home` on the driven clock; `how` as Replay takes it. ReplayError, AccessError."""
    return await Replay(access, [(recording, home)], **how).drive(DrivenClock(access), step or default_step(recording))


async def replay_together(
    access: Access, played: Sequence[tuple[Recording, str]], *, step: timedelta, **how: Any
) -> Result:
    """Plays several recordings on one driven clock, each into a home of its own; each begins at its own time."""
    return await Replay(access, played, **how).drive(DrivenClock(access), step)


async def replay_live(access: Access, recording: Recording, home: str, *, speed: float = 1.0, **how: Any) -> Result:
    """Plays it in real time, `speed` times as fast; `how` as Replay takes it. ReplayError, AccessError."""
    return await Replay(access, [(recording, home)], **how).play(speed)


def _read_time(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo else None
