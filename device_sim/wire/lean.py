"""A publisher of MQTT 3.1.1 that does nothing else, for load: QoS 1 out, PUBACK in, some 100,000 messages a second.

A generator built on a full client would be measured in place of the platform: on two cores they share the machine.
"""

import asyncio
import struct
from collections.abc import Callable

CONNECT, CONNACK, PUBACK, PINGRESP = 0x10, 0x20, 0x40, 0xD0
PUBLISH_QOS1, DUPLICATE = 0x32, 0x08
PING, DISCONNECT = b"\xc0\x00", b"\xe0\x00"
KEEPALIVE_SECONDS = 60
CONNECT_TIMEOUT_SECONDS = 5.0
FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 0.1, 2.0
MAX_PACKET_ID = 65_535


def connect_packet(client_id: str, user: str, password: str) -> bytes:
    """A CONNECT with a clean session: nothing is sent down to a publisher."""
    body = b"\x00\x04MQTT\x04\xc2" + struct.pack(">H", KEEPALIVE_SECONDS)
    return _packet(CONNECT, body + b"".join(_text(part) for part in (client_id, user, password)))


def publish_packet(topic: bytes, packet_id: int, payload: bytes) -> bytes:
    """A PUBLISH at QoS 1."""
    body = b"".join((struct.pack(">H", len(topic)), topic, struct.pack(">H", packet_id), payload))
    return _packet(PUBLISH_QOS1, body)


def _packet(kind: int, body: bytes) -> bytes:
    length, header = len(body), bytearray([kind])
    while True:
        length, digit = divmod(length, 128)
        header.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(header) + body


def _text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack(">H", len(encoded)) + encoded


class LeanPublisher:
    """Publishes on one topic and reconnects by itself; what was not acknowledged is then sent again.

    `on_puback(tag)` is told of every acknowledged message by the tag it was published with.
    """

    def __init__(
        self, *, host: str, port: int, user: str, password: str, client_id: str, topic: str,
        on_puback: Callable[[float], None],
    ) -> None:  # fmt: skip
        self.connected = asyncio.Event()
        self.refused: int | None = None
        self.in_flight: dict[int, tuple[bytes, float]] = {}
        self._host, self._port = host, port
        self._hello = connect_packet(client_id, user, password)
        self._topic = topic.encode()
        self._on_puback = on_puback
        self._packet_id = 0
        self._wire: asyncio.Transport | None = None
        self._lost = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        self._task = asyncio.create_task(self._stay_connected())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._wire is not None:
            self._wire.write(DISCONNECT)
            self._wire.close()

    def publish(self, payload: bytes, tag: float) -> None:
        """Sends at once, or when the line is back. The caller bounds what is in flight."""
        self._packet_id = self._packet_id % MAX_PACKET_ID + 1
        packet = publish_packet(self._topic, self._packet_id, payload)
        self.in_flight[self._packet_id] = (packet, tag)
        if self._wire is not None and self.connected.is_set():
            self._wire.write(packet)

    async def _stay_connected(self) -> None:
        loop = asyncio.get_running_loop()
        backoff = FIRST_BACKOFF_SECONDS
        while True:
            self._lost.clear()
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                    self._wire, _ = await loop.create_connection(lambda: _Receiver(self), self._host, self._port)
                    self._wire.write(self._hello)
                    await self.connected.wait()
                backoff = FIRST_BACKOFF_SECONDS
                await self._keep_alive()
            except OSError:
                pass
            self._hang_up()
            await asyncio.sleep(backoff)
            backoff = min(MAX_BACKOFF_SECONDS, backoff * 2)

    async def _keep_alive(self) -> None:
        while not self._lost.is_set():
            try:
                async with asyncio.timeout(KEEPALIVE_SECONDS / 2):
                    await self._lost.wait()
            except TimeoutError:
                if self._wire is not None:
                    self._wire.write(PING)

    def _hang_up(self) -> None:
        self.connected.clear()
        if self._wire is not None:
            self._wire.abort()
            self._wire = None

    # What the receiver tells.

    def accepted(self, code: int) -> None:
        self.refused = code or None
        if code or self._wire is None:
            return
        for packet, _tag in self.in_flight.values():
            self._wire.write(bytes([packet[0] | DUPLICATE]) + packet[1:])
        self.connected.set()

    def acknowledged(self, packet_id: int) -> None:
        _packet_bytes, tag = self.in_flight.pop(packet_id, (b"", 0.0))
        if tag:
            self._on_puback(tag)

    def line_lost(self) -> None:
        self.connected.clear()
        self._lost.set()


class _Receiver(asyncio.Protocol):
    """Reads CONNACK and PUBACK, both of four bytes, and PINGRESP of two: nothing else comes to a publisher."""

    def __init__(self, publisher: LeanPublisher) -> None:
        self._publisher = publisher
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        data, position = self._rest + data, 0
        while position + 2 <= len(data):
            kind = data[position]
            if kind == PINGRESP:
                position += 2
                continue
            if position + 4 > len(data):
                break
            if kind == PUBACK:
                self._publisher.acknowledged(data[position + 2] << 8 | data[position + 3])
            elif kind == CONNACK:
                self._publisher.accepted(data[position + 3])
            position += 4
        self._rest = data[position:]

    def connection_lost(self, exc: Exception | None) -> None:
        self._publisher.line_lost()
