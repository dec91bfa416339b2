"""The services' MQTT connection, against a real broker."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import uvloop

from device_sim.wire.connection import Connection
from pingan.mqtt import TURN_BYTES, Mqtt
from tests.conftest import Broker, Until

TOPIC = "pingan/v1/ingest-alarm/up/test"


class Heard:
    """An `Mqtt` of user ingest-alarm that listens to itself, and what it has been told."""

    def __init__(self, broker: Broker, **more: Any) -> None:
        self.messages: list[tuple[bytes, int]] = []
        self.retained: list[bytes] = []
        self.states: list[str | None] = []
        self.mqtt = Mqtt(
            host=broker.host,
            port=broker.port,
            user="ingest-alarm",
            password=more.pop("password", broker.password("ingest-alarm")),
            client_id="test",
            subscriptions=[TOPIC],
            on_message=self._message,
            on_state=self.states.append,
            manual_ack=True,
            **more,
        )

    def _message(self, _topic: str, payload: bytes, ticket: int, retained: bool) -> None:
        self.messages.append((payload, ticket))
        if retained:
            self.retained.append(payload)


@contextlib.asynccontextmanager
async def connected(heard: Heard, until: Until) -> AsyncIterator[Heard]:
    run = asyncio.create_task(heard.mqtt.run())
    await until(lambda: heard.mqtt.connected)
    yield heard
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


async def test_what_was_not_acknowledged_comes_again_and_what_was_does_not(broker: Broker, until: Until) -> None:
    async with connected(Heard(broker), until) as first:
        await asyncio.gather(*(first.mqtt.publish(TOPIC, b"%d" % number) for number in range(3)))
        await until(lambda: len(first.messages) == 3)
        assert first.mqtt.ack(first.messages[1][1])
        await first.mqtt.publish(TOPIC, b"3")  # behind the acknowledgement, so that the broker has it
    async with connected(Heard(broker), until) as second:
        await until(lambda: len(second.messages) == 3)
        assert [payload for payload, _ in second.messages] == [b"0", b"2", b"3"]


async def test_what_the_broker_repeats_from_its_store_is_told_from_what_is_said_now(
    broker: Broker, until: Until
) -> None:
    async with connected(Heard(broker), until) as heard:
        await heard.mqtt.publish(TOPIC, b"now, and kept", retain=True)
        await until(lambda: heard.messages)
        assert heard.retained == []
        heard.mqtt.drop("a test")
        await until(lambda: heard.retained)
        # Not acknowledged, it comes again as what it was; beside it the broker repeats what it keeps.
        await until(lambda: len(heard.messages) == 3 and heard.mqtt.connected)
        assert heard.retained == [b"now, and kept"]


async def test_one_more_than_there_are_numbers_is_refused_and_takes_nobody_elses(broker: Broker, until: Until) -> None:
    mqtt = Mqtt(
        host=broker.host, port=broker.port, user="ingest-alarm", password=broker.password("ingest-alarm"),
        client_id="numbers", clean_session=True,
    )  # fmt: skip
    waiting = mqtt.publish(TOPIC, b"")
    for _ in range(65_534):  # all other numbers: nobody waits for these
        mqtt.send(TOPIC, b"", qos=0)
    refused = mqtt.publish(TOPIC, b"")
    assert isinstance(refused.exception() if refused.done() else None, ConnectionError)
    run = asyncio.create_task(mqtt.run())
    await until(waiting.done)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


async def test_a_ticket_of_a_lost_connection_acknowledges_nothing(broker: Broker, until: Until) -> None:
    """The broker may have given its number to another message by then, which would be lost unread."""
    async with connected(Heard(broker), until) as heard:
        await heard.mqtt.publish(TOPIC, b"0")
        await until(lambda: heard.messages)
        (_, stale) = heard.messages[0]
        heard.mqtt.drop("a test")
        assert not heard.mqtt.ack(stale)
        await until(lambda: len(heard.messages) == 2 and heard.mqtt.connected)
        assert not heard.mqtt.ack(stale)
        assert heard.mqtt.ack(heard.messages[1][1])


async def test_large_messages_are_read_a_few_a_turn(broker: Broker, until: Until) -> None:
    """Whoever is told may need milliseconds for each, and on another connection of the process somebody presses."""
    loop, turns, came = asyncio.get_running_loop(), 0, Counter[int]()

    def turn() -> None:
        nonlocal turns
        turns += 1
        if came.total() < 10:
            loop.call_soon(turn)

    heard = Heard(broker)
    heard.mqtt._on_message = lambda *_: came.update([turns])
    async with connected(heard, until):
        heard.mqtt.pause()
        other = Mqtt(
            host=broker.host,
            port=broker.port,
            user="ingest-alarm",
            password=broker.password("ingest-alarm"),
            client_id="other",
            clean_session=True,
        )
        run = asyncio.create_task(other.run())
        await until(lambda: other.connected)
        await asyncio.gather(*(other.publish(TOPIC, bytes(TURN_BYTES)) for _ in range(10)))
        turn()
        heard.mqtt.resume()
        await until(lambda: came.total() == 10)
        # One when the line says that there is something, and one because some of it was read ahead.
        assert max(came.values()) <= 2
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)


async def test_paused_nothing_is_heard_and_the_place_is_kept(broker: Broker, until: Until) -> None:
    async with connected(Heard(broker), until) as heard:
        heard.mqtt.pause()
        other = Mqtt(
            host=broker.host,
            port=broker.port,
            user="ingest-alarm",
            password=broker.password("ingest-alarm"),
            client_id="other",
            clean_session=True,
        )
        run = asyncio.create_task(other.run())
        await until(lambda: other.connected)
        await asyncio.gather(*(other.publish(TOPIC, b"x" * 1_000) for _ in range(1_500)))
        assert heard.messages == []
        heard.mqtt.resume()
        await until(lambda: len(heard.messages) == 1_500)
        assert heard.states == [None]
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)


async def test_a_refusal_is_named_and_tried_again(broker: Broker, until: Until) -> None:
    heard = Heard(broker, password="wrong")
    run = asyncio.create_task(heard.mqtt.run())
    await until(lambda: len(heard.states) >= 2)
    assert all(state is not None and "refuses ingest-alarm" in state for state in heard.states[:1])
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


async def test_what_on_message_raises_is_not_swallowed(broker: Broker, until: Until) -> None:
    heard = Heard(broker)
    heard.messages = None  # type: ignore[assignment]
    run = asyncio.create_task(heard.mqtt.run())
    await until(lambda: heard.mqtt.connected)
    heard.mqtt.send(TOPIC, b"x")
    await until(run.done)
    assert isinstance(run.exception(), AttributeError)


async def test_it_connects_only_when_it_may(broker: Broker, until: Until) -> None:
    may = asyncio.Event()
    asked = 0

    async def before() -> bool:
        nonlocal asked
        asked += 1
        return may.is_set()

    heard = Heard(broker, before_connect=before)
    run = asyncio.create_task(heard.mqtt.run())
    await until(lambda: asked == 3)
    assert heard.mqtt.connections == 0
    may.set()
    await until(lambda: heard.mqtt.connected)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


CONNACK, SUBACK = b"\x20\x02\x00\x00", b"\x90\x03\x00\x01\x01"


class ResettingBroker:
    """Grants a first subscription and resets the line with it, as one that is killed; the second line it keeps."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.asked, self.cut = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "ResettingBroker":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(20)
        self._listening.close()

    def _serve(self) -> None:
        with self._welcomed() as first:
            first.sendall(SUBACK)
            first.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.cut.set()
        with self._welcomed() as second:
            second.sendall(SUBACK)
            second.settimeout(20)
            while second.recv(4096):
                pass

    def _welcomed(self) -> socket.socket:
        line, _ = self._listening.accept()
        line.recv(4096)
        line.sendall(CONNACK)
        line.recv(4096)
        self.asked.set()
        return line


async def grant_and_reset_at_once(broker: ResettingBroker) -> None:
    """The loop stands still in between, so that both are there when it looks: it hears of the grant alone."""
    while not broker.asked.is_set():  # noqa: ASYNC110 - set by a thread
        await asyncio.sleep(0)
    assert broker.cut.wait(10)
    await asyncio.sleep(0.1)


def test_a_line_that_was_reset_unheard_is_made_again_by_whoever_speaks() -> None:
    """On the loop of our processes: uvloop then watches no more, and says so to whoever wants to write."""

    async def live(broker: ResettingBroker) -> None:
        mqtt = Mqtt(host="127.0.0.1", port=broker.port, user="u", password="p", client_id="c", subscriptions=["t"])
        run = asyncio.create_task(mqtt.run())
        await grant_and_reset_at_once(broker)
        mqtt.send("t", b"x", qos=0)
        async with asyncio.timeout(60):
            while not (mqtt.connections == 2 and mqtt.connected):  # noqa: ASYNC110 - a counter of another's
                await asyncio.sleep(0.01)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)

    with ResettingBroker() as broker:
        uvloop.run(live(broker))


def test_a_simulated_device_s_line_too() -> None:
    async def live(broker: ResettingBroker) -> None:
        line = Connection(host="127.0.0.1", port=broker.port, user="u", password="p", client_id="c", subscribe="t")
        line.open()
        await grant_and_reset_at_once(broker)
        line.publish("t", b"x")
        async with asyncio.timeout(60):
            while line.connects < 2:  # noqa: ASYNC110 - a counter of another's
                await asyncio.sleep(0.01)
        await line.close()

    with ResettingBroker() as broker:
        uvloop.run(live(broker))
