"""The receiver's socket: connections of transmitters, each with bounded time, bytes and number.

A transmitter connects, asks, waits for the answer, and most then go; whoever stays may ask again. Nothing here knows
what is asked: bytes go through a `Stream`, and what it makes of them to the `Reception`.
"""

import asyncio
import contextlib
import functools
import logging
import socket
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from ingest.codecs import Refusal
from ingest.lane import Lane
from ingest.rejections import Rejections
from ingest.sos_access.protocol import Refused, Request, Stream
from ingest.sos_access.reception import Reception
from ingest.waiting import InTurn, Waiting
from pingan import metrics, process
from pingan.exposition import Taken
from pingan.settings import Common, Port, Text
from pingan.tasks import end

log = logging.getLogger(__name__)

LANE = "receiver"
LOGS = {"urgent": "log", "readings": "log_readings"}
"""Each log that is written to, and by which name the process says that it cannot."""
BATCH_MESSAGES = 200
READ_BYTES = 16_384
BACKLOG = 512


class Settings(Common, frozen=True, kw_only=True):
    sos_access_host: Text = "127.0.0.1"
    sos_access_port: Port = 8364
    sos_access_certificate: Path | None = None
    """With it, and its key, TLS is spoken here and nothing else."""
    sos_access_key: Path | None = None
    timezone: Text = "Asia/Shanghai"
    """The zone of the transmitters' clocks; their protocol names none."""


class Bounds(NamedTuple):
    handshake_seconds: float = 5.0
    idle_seconds: float = 30.0
    """A connection that asks nothing is ended."""
    message_seconds: float = 10.0
    """From a request's first byte to its last."""
    answer_seconds: float = 4.0
    """The published client waits five seconds for an answer, and takes the other receiver then."""
    take_seconds: float = 5.0
    """For whoever asked to take the answer."""
    linger_seconds: float = 2.0
    """What still comes after an answer that ends the connection is read for so long: otherwise the answer is lost."""
    connections: int = 500
    handled: int = 200
    """Requests that may wait for the log at once: so many alarms, and apart from them so many of all else."""


class Connection:
    """One transmitter's, for as long as it lasts. `waits_since` is None while a request of it is being handled."""

    def __init__(self, number: int, since: float) -> None:
        self.number = number
        self.waits_since: float | None = since
        self.task: asyncio.Task[None] | None = None
        self.crowded_out = False


class Server:
    def __init__(
        self,
        reception: Reception,
        rejections: Rejections,
        *,
        context: ssl.SSLContext | None,
        bounds: Bounds,
        connected: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._reception, self._rejections = reception, rejections
        self._context, self._bounds, self._connected = context, bounds, connected
        self._connections: dict[int, Connection] = {}
        self._numbers = 0

    async def run(self, listening: socket.socket) -> None:
        """Accept until cancelled; then whoever is connected loses the line, and what was not answered is repeated."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    accepted, _ = await loop.sock_accept(listening)
                except OSError as error:  # too many open files, or a line that was gone before we came to it
                    log.warning("no connection could be accepted: %s", error)
                    await asyncio.sleep(0.1)
                    continue
                self._begin(accepted)
        finally:
            await end([one.task for one in self._connections.values() if one.task])

    def _begin(self, accepted: socket.socket) -> None:
        if len(self._connections) >= self._bounds.connections:
            self._make_room()
        self._numbers += 1
        connection = Connection(self._numbers, asyncio.get_running_loop().time())
        self._connections[connection.number] = connection
        connection.task = asyncio.create_task(self._converse(connection, accepted))
        connection.task.add_done_callback(lambda task: self._ended(connection, task))
        self._connected(len(self._connections))

    def _make_room(self) -> None:
        """Whoever has kept us waiting for longest goes: a crowd that says nothing keeps no alarm out."""
        waiting = [one for one in self._connections.values() if one.waits_since is not None and not one.crowded_out]
        if waiting:
            longest = min(waiting, key=lambda one: one.waits_since or 0.0)
            longest.crowded_out = True
            assert longest.task is not None
            longest.task.cancel()

    def _ended(self, connection: Connection, task: asyncio.Task[None]) -> None:
        del self._connections[connection.number]
        self._connected(len(self._connections))
        if connection.crowded_out:
            self._refuse(Refusal.CROWDED_OUT, f"more than {self._bounds.connections} connections")
        elif not task.cancelled() and (error := task.exception()) is not None:
            log.error("a connection ended badly", exc_info=error)

    def _refuse(self, reason: Refusal, detail: str) -> None:
        self._rejections.add(reason, detail, topic="sos-access", device=None, payload=b"")

    async def _converse(self, connection: Connection, accepted: socket.socket) -> None:
        reader = asyncio.StreamReader(limit=READ_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        loop = asyncio.get_running_loop()
        handshake = {"ssl_handshake_timeout": self._bounds.handshake_seconds} if self._context else {}
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, accepted, ssl=self._context, **handshake
            )
        except (OSError, EOFError) as error:  # ssl.SSLError and TimeoutError are OSErrors
            accepted.close()
            if self._context:
                self._refuse(Refusal.HANDSHAKE, str(error).strip() or type(error).__name__)
            return
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            with contextlib.suppress(OSError, TimeoutError):
                await self._ask_and_answer(connection, reader, writer)
                await self._linger(reader, writer)
        except asyncio.CancelledError:
            writer.close()  # what was said last still goes out
            raise
        transport.abort()

    async def _ask_and_answer(
        self, connection: Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        loop, bounds = asyncio.get_running_loop(), self._bounds
        stream = Stream()
        until = loop.time() + bounds.idle_seconds
        why = ""
        while not (stream.ended or why):
            begun = stream.begun
            try:
                async with asyncio.timeout_at(until):
                    data = await reader.read(READ_BYTES)
            except TimeoutError:
                data, why = b"", "nothing came for too long"
            except OSError as error:
                data, why = b"", str(error)
            if not data:
                why = why or "the line was closed"
            connection.waits_since = None
            answered = False
            for request in stream.feed(data):
                await self._give(writer, await self._heard(request, writer))
                answered = True
            connection.waits_since = loop.time()
            if answered or begun != stream.begun:
                until = loop.time() + (bounds.message_seconds if stream.begun else bounds.idle_seconds)
        if (refused := stream.close(why)) is not None:
            await self._give(writer, await self._heard(refused, writer))

    async def _heard(self, request: Request | Refused, writer: asyncio.StreamWriter) -> bytes:
        try:
            return await self._reception.hear(request)
        except asyncio.CancelledError:
            # We are told to stop. Not every transmitter takes a broken line for a reason to try the other receiver.
            writer.write(self._reception.not_treated(request))
            raise

    async def _give(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        writer.write(answer)
        async with asyncio.timeout(self._bounds.take_seconds):
            await writer.drain()

    async def _linger(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Say that we have said all, and hear the other out. To close on unread bytes would take our answer back."""
        if writer.can_write_eof():
            writer.write_eof()
        async with asyncio.timeout(self._bounds.linger_seconds):
            while await reader.read(READ_BYTES):
                pass


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there and does not block. OSError when it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=False)
    listening.setblocking(False)
    return listening


def tls(settings: Settings) -> ssl.SSLContext | None:
    """None: nothing is encrypted. SystemExit with a sentence when the certificate cannot be used."""
    if settings.sos_access_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.sos_access_certificate, settings.sos_access_key)
    except OSError as error:
        raise SystemExit(
            f"{settings.name}: PINGAN_SOS_ACCESS_CERTIFICATE={settings.sos_access_certificate} cannot be used: {error}"
        ) from error
    return context


class Receiver:
    """The parts of a receiver's process, wired."""

    def __init__(self, settings: Settings, bounds: Bounds | None = None) -> None:
        bounds = bounds or Bounds()
        self.settings = settings
        self._context = tls(settings)
        self.process = process.Process(settings, connections=8)
        self.process.state.expect("listening")
        self.clock, self.database, self.state = self.process.clock, self.process.database, self.process.state
        self.rejections = Rejections(self.database, self.clock, LANE)
        received = metrics.Tally(metrics.show(metrics.RECEIVED).labels(LANE))
        self.process.exposition.look(received.hand_over)
        self._acknowledge_seconds = metrics.show(metrics.ACKNOWLEDGE_SECONDS).labels(LANE)
        self.listening = asyncio.Event()
        """Set when transmitters may come."""
        self.urgent, self.readings = self._lane("urgent"), self._lane("readings")
        self.reception = Reception(
            self.database,
            self.clock,
            self.urgent,
            self.readings,
            self.rejections,
            received,
            zone=ZoneInfo(settings.timezone),
            answer_seconds=bounds.answer_seconds,
            handled_max=bounds.handled,
        )
        self.server = Server(
            self.reception,
            self.rejections,
            context=self._context,
            bounds=bounds,
            connected=metrics.show(metrics.RECEIVER_CONNECTIONS).set,
        )

    async def run(self) -> None:
        """Until the process is told to stop."""
        await self.process.run(*self.parts())

    def parts(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """What has to run for as long as the process does."""
        return [self.urgent.run, self.readings.run, self.rejections.run, self.serve]

    async def serve(self) -> None:
        settings = self.settings
        try:
            listening = listen(settings.sos_access_host, settings.sos_access_port)
        except OSError as error:
            place = f"{settings.sos_access_host}:{settings.sos_access_port}"
            raise Taken(f"cannot listen at {place}: {error.strerror}") from error
        self.state.well("listening")
        self.listening.set()
        with listening:
            await self.server.run(listening)

    def _lane(self, name: str) -> Lane:
        return Lane(
            self.process.log(name),
            InTurn(),
            done=self._appended,
            flow=functools.partial(self._flow, name),
            trouble=functools.partial(self._trouble, LOGS[name]),
            batch_messages=BATCH_MESSAGES,
        )

    def _appended(self, items: list[Waiting]) -> None:
        now = self.clock.monotonic()
        for item in items:
            if item.came_at is not None:
                self._acknowledge_seconds.observe(now - item.came_at)

    def _flow(self, name: str, on: bool) -> None:
        lane = self.urgent if name == "urgent" else self.readings
        if on:
            self.reception.full.discard(lane)
        else:
            self.reception.full.add(lane)

    def _trouble(self, part: str, reason: str | None) -> None:
        if reason is None:
            self.state.well(part)
        else:
            self.state.waiting(part, reason)
