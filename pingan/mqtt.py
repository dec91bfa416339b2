"""One MQTT connection of a service: paho driven by the process's own event loop, for as long as the process lives.

paho's thread uses `select()`, which cannot see descriptors beyond 1,024, and hands messages over to another thread;
here its socket stands in the loop. MQTT 3.1.1, because Mosquitto 2.0.11 loses MQTT 5 sessions at every restart.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from paho.mqtt.client import MQTT_ERR_QUEUE_SIZE, Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from pingan.packet_socket import PacketSocket

log = logging.getLogger(__name__)

KEEPALIVE_SECONDS = 5
CONNECT_SECONDS = 3.0
BACKOFF_SECONDS = (0.05, 1.0)
"""The first wait before connecting again, doubled up to the last."""
PACKETS_AT_ONCE = 100
"""How many packets one turn of the loop reads at most: acknowledgements and the rest of the process want their turn."""
TURN_BYTES = 262_144
"""And how many bytes: a message of so many takes tens of milliseconds to understand."""
INFLIGHT_MAX = 0
"""No bound: with one, paho goes through all that is under way at each of the broker's answers, and twenty thousand
answers to presses took ten seconds of its processor. A 65,536th beside all others is refused by paho: whoever waits
for it is told, and a press stays unanswered until its device repeats it."""


class _Client(Client):
    def _create_socket_connection(self) -> socket.socket:
        return PacketSocket(super()._create_socket_connection())


class Mqtt:
    """A connection that is made again whenever it is lost. All methods belong to the loop's thread.

    `on_message(topic, payload, ticket, retained)`: with `manual_ack` the broker keeps the message until `ack(ticket)`.
    A ticket is worth nothing on a later connection: the broker sends the message again there, with a new one.
    `retained`: nobody says this now; the broker repeats to a new subscription what was left with it at some time.
    `on_state(None)` once connected and every subscription is granted; `on_state(reason)` while not.
    `before_connect` is asked before each attempt; False: do not connect now.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        user: str,
        password: str,
        client_id: str,
        subscriptions: Sequence[str] = (),
        on_message: Callable[[str, bytes, int, bool], None] | None = None,
        on_state: Callable[[str | None], None] | None = None,
        before_connect: Callable[[], Awaitable[bool]] | None = None,
        manual_ack: bool = False,
        clean_session: bool = False,
    ) -> None:
        self.connected = False
        self.connections = 0
        self._host, self._port = host, port
        self._subscriptions = list(subscriptions)
        self._on_message, self._on_state, self._before_connect = on_message, on_state, before_connect
        self._client_id, self._user, self._password = client_id, user, password
        self._manual_ack, self._clean_session = manual_ack, clean_session
        self._loop = asyncio.get_running_loop()
        self._socket: PacketSocket | None = None
        self._welcome = False
        self._heard_at = 0.0
        self._watched: int | None = None
        self._paused = False
        self._check_after = 0.0
        self._packets = 0
        self._payload_bytes = 0
        self._reads_on = False
        self._failure: Exception | None = None
        self._lost = asyncio.Event()
        self._published: dict[int, asyncio.Future[None]] = {}
        self._client = self._make_client()

    async def run(self) -> None:
        """Connect, and connect again, until cancelled; then say goodbye to the broker."""
        wait_seconds = BACKOFF_SECONDS[0]
        try:
            while True:
                self._lost.clear()
                if (self._before_connect is None or await self._before_connect()) and await self._connect():
                    wait_seconds = BACKOFF_SECONDS[0]
                    await self._stay()
                await asyncio.sleep(wait_seconds)
                wait_seconds = min(2 * wait_seconds, BACKOFF_SECONDS[1])
        finally:
            self._leave()

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> asyncio.Future[None]:
        """Publish; the future is done when the broker has it. What cannot go now goes after the next connection.

        ConnectionError in the future where too much waits already: this one never goes.
        """
        info = self._client.publish(topic, payload, qos=qos, retain=retain)
        future: asyncio.Future[None] = self._loop.create_future()
        if info.rc == MQTT_ERR_QUEUE_SIZE:
            # Its number is another's, who still waits for the broker to have theirs.
            future.set_exception(ConnectionError("too many messages wait for the broker to confirm them"))
        else:
            self._published[info.mid] = future
        return future

    def send(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Publish without asking what becomes of it."""
        self._client.publish(topic, payload, qos=qos, retain=retain)

    def ack(self, ticket: int) -> bool:
        """Tell the broker that the message is safe. False: its connection is gone, and it will come again."""
        connection, mid = divmod(ticket, 65536)
        # Not `connected`: what waited in the broker comes before its answer to the subscription.
        if connection != self.connections or not self._welcome:
            return False
        if mid:
            self._client.ack(mid, 1)
        return True

    def pause(self) -> None:
        """Stop reading: what comes waits in the broker."""
        self._paused = True
        self._read(False)

    def resume(self) -> None:
        self._paused = False
        # What the broker answered while we did not read stands behind the messages: it gets time to be read.
        self._check_after = self._loop.time() + KEEPALIVE_SECONDS
        self._read(True)
        self._read_on()

    def drop(self, reason: str) -> None:
        """Close the line at once, without a goodbye; it will be made again."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._unwatch()
        self._welcome = False
        self._state(reason)

    def _make_client(self) -> Client:
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=self._clean_session,
            protocol=MQTTv311,
            manual_ack=self._manual_ack,
        )
        client.username_pw_set(self._user, self._password)
        client.connect_timeout = CONNECT_SECONDS
        client.max_inflight_messages_set(INFLIGHT_MAX)
        client.max_queued_messages_set(0)
        client.connect_async(self._host, self._port, keepalive=KEEPALIVE_SECONDS)
        client.on_socket_open = self._opened
        client.on_socket_close = self._closed
        client.on_socket_register_write = self._want_write
        client.on_socket_unregister_write = self._written
        client.on_connect = self._welcomed
        client.on_subscribe = self._granted
        client.on_disconnect = self._disconnected
        client.on_message = self._message
        client.on_publish = self._broker_has
        return client

    async def _connect(self) -> bool:
        try:
            # Opening the socket blocks, for seconds if the broker's machine is away.
            self._welcome = False
            await asyncio.to_thread(self._client.reconnect)
        except OSError as error:
            self._state(f"waiting for the broker at {self._host}:{self._port}: {error.strerror or error}")
            return False
        self.connections += 1
        self._watch()
        return True

    async def _stay(self) -> None:
        """Return when the connection is lost, or has not become one in time. Raises what `on_message` raised."""
        self._heard_at = self._loop.time()
        while not self._lost.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._lost.wait()
            if self._lost.is_set():
                break
            if self._paused:
                # We do not read, so paho must not count the broker's answers as missing; but it must hear from us.
                self.send(f"pingan/v1/{self._user}/up/alive", b"", qos=0)
                continue
            if self._loop.time() > self._check_after:
                self._client.loop_misc()
            # Counted from what was last heard: two thousand messages may stand before the broker's answer, and whoever
            # gives up meanwhile, on a slow machine, will hear the same ones again, for ever.
            if not self.connected and self._loop.time() - self._heard_at > CONNECT_SECONDS:
                self.drop(f"waiting for the broker at {self._host}:{self._port}: it does not answer")
        if self._failure is not None:
            raise self._failure

    def _leave(self) -> None:
        if self._socket is not None:
            self._client.disconnect()
            self._client.loop_write()
        self._unwatch()
        self._welcome = False
        self.connected = False

    def _state(self, reason: str | None) -> None:
        self.connected = reason is None
        if reason is not None:
            self._lost.set()
        if self._on_state is not None:
            self._on_state(reason)

    # The socket in the loop. `_opened` and the first `_want_write` come in the connecting thread: they only remember.

    def _opened(self, _client: Client, _data: Any, opened: Any) -> None:
        # Without it a small packet behind another waits for the broker's delayed acknowledgement: 40 ms.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = opened

    def _closed(self, _client: Client, _data: Any, closed: Any) -> None:
        if closed is self._socket:
            self._unwatch()

    def _watch(self) -> None:
        assert self._socket is not None
        self._watched = self._socket.fileno()
        self._read(not self._paused)
        self._loop.add_writer(self._watched, self._writable)

    def _unwatch(self) -> None:
        if self._watched is not None:
            self._loop.remove_reader(self._watched)
            self._loop.remove_writer(self._watched)
            self._watched = None
        self._socket = None

    def _read(self, on: bool) -> None:
        if self._watched is not None:
            if on:
                self._ask(self._loop.add_reader, self._readable)
            else:
                self._loop.remove_reader(self._watched)

    def _want_write(self, _client: Client, _data: Any, _socket: Any) -> None:
        if self._watched is not None:
            self._ask(self._loop.add_writer, self._writable)

    def _ask(self, add: Callable[[int, Callable[[], None]], None], then: Callable[[], None]) -> None:
        """Have the loop watch our line. One that was reset is lost here and now.

        uvloop closes its watch with the reset and tells the reader a turn later, or never while nobody reads: whoever
        acknowledges in between would be told that the handler is closed, and the process would end for it.
        """
        assert self._watched is not None
        try:
            add(self._watched, then)
        except RuntimeError:
            self.drop("the broker's connection was lost: it was reset")

    def _written(self, _client: Client, _data: Any, _socket: Any) -> None:
        if self._watched is not None:
            self._loop.remove_writer(self._watched)

    def _readable(self) -> None:
        reading = self._socket
        if reading is None or self._paused:
            return
        self._heard_at = self._loop.time()
        self._payload_bytes = 0
        try:
            for _ in range(PACKETS_AT_ONCE):
                before = self._packets
                self._client.loop_read()
                if self._socket is not reading or self._paused:
                    return
                if self._packets == before and not reading.ahead:
                    return
                if self._payload_bytes >= TURN_BYTES:
                    break
        except Exception as error:
            # In a callback of the loop it would only be logged, and the message be gone until the next connection.
            self._failure = error
            self._lost.set()
            return
        if reading.ahead:
            self._read_on()

    def _read_on(self) -> None:
        """Read in the next turn, too, what no event will tell of; once, or every event would add one more a turn."""
        if not self._reads_on:
            self._reads_on = True
            self._loop.call_soon(self._ahead)

    def _ahead(self) -> None:
        self._reads_on = False
        self._readable()

    def _writable(self) -> None:
        self._client.loop_write()
        # What a lost line did not take, reading will tell.
        with contextlib.suppress(OSError):
            if self._socket is not None and not self._socket.flush() and self._watched is not None:
                self._ask(self._loop.add_writer, self._writable)

    # What the broker says.

    def _welcomed(
        self, client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._welcome = not reason.is_failure
        if reason.is_failure:
            self.drop(f"the broker refuses {self._user}: {reason}")
        elif self._subscriptions:
            client.subscribe([(topic, 1) for topic in self._subscriptions])
        else:
            self._state(None)

    def _granted(
        self, _client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self.drop(f"the broker refuses {self._user} a subscription: {', '.join(map(str, reasons))}")
        else:
            self._state(None)

    def _disconnected(
        self, _client: Client, _data: Any, _flags: DisconnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._welcome = False
        self._state(f"the broker's connection was lost: {reason}")

    def _message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self._packets += 1
        self._payload_bytes += len(message.payload)
        if self._on_message is not None:
            ticket = self.connections * 65536 + message.mid
            self._on_message(message.topic, bytes(message.payload), ticket, message.retain)

    def _broker_has(
        self, _client: Client, _data: Any, mid: int, _reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._packets += 1
        future = self._published.pop(mid, None)
        if future is not None and not future.done():
            future.set_result(None)
