"""The services' MQTT connection, against a real broker."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from pingan.mqtt import Mqtt
from tests.conftest import Broker, Until

TOPIC = "pingan/v1/ingest-alarm/up/test"


class Heard:
    """An `Mqtt` of user ingest-alarm that listens to itself, and what it has been told."""

    def __init__(self, broker: Broker, **more: Any) -> None:
        self.messages: list[tuple[bytes, int]] = []
        self.states: list[str | None] = []
        self.mqtt = Mqtt(
            host=broker.host,
            port=broker.port,
            user="ingest-alarm",
            password=more.pop("password", broker.password("ingest-alarm")),
            client_id="test",
            subscriptions=[TOPIC],
            on_message=lambda _topic, payload, ticket: self.messages.append((payload, ticket)),
            on_state=self.states.append,
            manual_ack=True,
            **more,
        )


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
