"""A device's MQTT connection: paho driven by the one asyncio loop of the process.

paho's own thread uses `select()`, which never connects beyond 1,024 descriptors and stops at some 340 clients; here
its socket stands in the loop's selector instead. MQTT 3.1.1 with a lasting session: Mosquitto 2.0.11 loses MQTT 5
sessions and their queues at every restart.
"""

import asyncio
import logging
import random
import socket
from collections.abc import Callable
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from device_sim.weather import Weather

KEEPALIVE_SECONDS = 30
CONNECT_TIMEOUT_SECONDS = 2.0
CONNACK_TIMEOUT_SECONDS = 5.0
FIRST_BACKOFF_SECONDS = 0.1
MAX_BACKOFF_SECONDS = 2.0
MAX_INFLIGHT = 200
MAX_QUEUED = 10_000
"""Frames kept while the line is down; beyond that the newest are refused, as a device's small memory would."""

log = logging.getLogger(__name__)


class Connection:
    """One client with its credentials. `on_message(topic, payload)` and `on_connected()` run on the loop.

    `lasting`: the broker keeps our session and what comes for us; not for visitors who would never fetch it.
    It reconnects by itself for as long as it is open, at most every two seconds. All its methods belong to the loop's
    thread.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        user: str,
        password: str,
        client_id: str,
        subscribe: str | None = None,
        on_message: Callable[[str, bytes], None] | None = None,
        on_connected: Callable[[], None] | None = None,
        weather: Weather | None = None,
        lasting: bool = True,
    ) -> None:
        self.user = user
        self.connected = asyncio.Event()
        self.plugged = True
        self.connects = 0
        self.refused: str | None = None
        """Why the broker last refused us, in its own words."""
        self._host, self._port = host, port
        self._subscribe = subscribe
        self._on_message, self._on_connected = on_message, on_connected
        self._weather = weather
        self._loop = asyncio.get_running_loop()
        self._watched: socket.socket | None = None
        self._opened: socket.socket | None = None
        self._lost = asyncio.Event()
        self._answered = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._acks: dict[int, asyncio.Future[None]] = {}
        self._client = self._make_client(client_id, password, lasting)

    def _make_client(self, client_id: str, password: str, lasting: bool) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=not lasting, protocol=MQTTv311)
        client.username_pw_set(self.user, password)
        client.connect_timeout = CONNECT_TIMEOUT_SECONDS
        client.max_inflight_messages_set(MAX_INFLIGHT)
        client.max_queued_messages_set(MAX_QUEUED)
        client.connect_async(self._host, self._port, keepalive=KEEPALIVE_SECONDS)
        client.on_socket_open = self._socket_open
        client.on_socket_close = self._socket_close
        client.on_socket_register_write = self._want_write
        client.on_socket_unregister_write = self._written
        client.on_connect = self._connack
        client.on_disconnect = self._disconnected
        client.on_message = self._message
        client.on_publish = self._puback
        return client

    def open(self) -> None:
        """Begins to connect, and to reconnect whenever the line is lost."""
        if self._task is None:
            self._task = asyncio.create_task(self._stay_connected())

    async def close(self) -> None:
        """Says goodbye to the broker and stops. The session stays there, so that nothing sent meanwhile is lost."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self.connected.is_set():
            self._client.disconnect()
            self._client.loop_write()
        self._unwatch()
        self.connected.clear()
        for waiting in self._acks.values():
            waiting.cancel()
        self._acks.clear()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> asyncio.Future[None] | None:
        """Publishes at QoS 1; the future is done at the broker's PUBACK (which acknowledges nothing but the hop).

        While the line is down the frame waits in the client. None when weather has lost it or the queue is full.
        """
        if self._weather is None:
            return self._hand_over(topic, payload, retain)
        delays = self._weather.fate(self._loop.time())
        for delay in delays:
            self._loop.call_later(delay, self._hand_over, topic, payload, retain)
        return None

    def unplug(self) -> None:
        """Pulls the cable: no goodbye, the broker sees a half-open line until its keepalive runs out."""
        self.plugged = False
        self._unwatch()
        self._line_lost()

    def plug(self) -> None:
        """Puts the cable back; the client reconnects at once."""
        self.plugged = True
        self._lost.set()

    def _hand_over(self, topic: str, payload: bytes, retain: bool) -> asyncio.Future[None] | None:
        try:
            info = self._client.publish(topic, payload, qos=1, retain=retain)
        except ValueError:
            log.warning("%s: the queue of the client is full, a frame is dropped", self.user)
            return None
        future: asyncio.Future[None] = self._loop.create_future()
        self._acks[info.mid] = future
        return future

    async def _stay_connected(self) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        while True:
            self._lost.clear()
            self._answered.clear()
            if self.plugged and await self._connect():
                backoff = FIRST_BACKOFF_SECONDS
                await self._keep_alive()
            elif not self.plugged:
                await self._lost.wait()
                continue
            # Jitter, so that a thousand devices of one restarted broker do not knock at the same moment.
            await asyncio.sleep(backoff * random.uniform(0.5, 1.0))
            backoff = min(MAX_BACKOFF_SECONDS, backoff * 2)

    async def _connect(self) -> bool:
        try:
            # Opening the socket blocks, for seconds when the broker is frozen: it must not hold up the other devices.
            await asyncio.to_thread(self._client.reconnect)
        except OSError as error:
            log.debug("%s: no connection: %s", self.user, error)
            return False
        if not self.plugged:
            return False
        self._watch()
        try:
            async with asyncio.timeout(CONNACK_TIMEOUT_SECONDS):
                await self._answered.wait()
        except TimeoutError:
            self._unwatch()
        return self.connected.is_set()

    async def _keep_alive(self) -> None:
        while not self._lost.is_set():
            try:
                async with asyncio.timeout(KEEPALIVE_SECONDS / 4):
                    await self._lost.wait()
            except TimeoutError:
                self._client.loop_misc()

    # paho's callbacks. `_socket_open` and the first `_want_write` run in the connecting thread, so they only remember;
    # `_watch` then does the same on the loop's own thread.

    def _socket_open(self, _client: Client, _data: Any, sock: Any) -> None:
        self._opened = sock

    def _watch(self) -> None:
        if self._opened is None:
            return
        self._watched = self._opened
        # A button sends a few bytes and waits: Nagle's algorithm would hold them back for 40 ms.
        self._watched.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop.add_reader(self._watched, self._readable)
        if self._client.want_write():
            self._loop.add_writer(self._watched, self._writable)

    def _unwatch(self) -> None:
        if self._watched is not None:
            self._loop.remove_reader(self._watched)
            self._loop.remove_writer(self._watched)
            self._watched = None

    def _socket_close(self, _client: Client, _data: Any, sock: Any) -> None:
        if sock is self._watched:
            self._unwatch()

    def _want_write(self, _client: Client, _data: Any, sock: Any) -> None:
        if self._watched is not None and sock is self._watched:
            try:
                self._loop.add_writer(sock, self._writable)
            except RuntimeError:
                # uvloop closes its watch when the line is reset, and tells the reader later or not at all: a button
                # that presses in between must take the line for lost, and not lose its timer.
                self._unwatch()
                self._line_lost()

    def _written(self, _client: Client, _data: Any, sock: Any) -> None:
        if self._watched is not None and sock is self._watched:
            self._loop.remove_writer(sock)

    def _readable(self) -> None:
        self._client.loop_read()

    def _writable(self) -> None:
        self._client.loop_write()

    def _connack(
        self, client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            if self.refused != str(reason):
                log.warning("%s: the broker refuses us: %s", self.user, reason)
            self.refused = str(reason)
            self._line_lost()
            return
        self.refused = None
        self.connects += 1
        if self._subscribe:
            client.subscribe(self._subscribe, qos=1)
        self.connected.set()
        self._answered.set()
        log.debug("%s: connected", self.user)
        if self._on_connected:
            self._on_connected()

    def _disconnected(
        self, _client: Client, _data: Any, _flags: DisconnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        log.debug("%s: the line is lost: %s", self.user, reason)
        self._line_lost()

    def _line_lost(self) -> None:
        self.connected.clear()
        self._lost.set()
        self._answered.set()

    def _message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        if self._on_message:
            self._on_message(message.topic, bytes(message.payload))

    def _puback(
        self, _client: Client, _data: Any, mid: int, _reason: ReasonCode, _properties: Properties | None
    ) -> None:
        future = self._acks.pop(mid, None)
        if future is not None and not future.done():
            future.set_result(None)
