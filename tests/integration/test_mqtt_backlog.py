"""A backlog comes before the broker's answer to the subscription, and its acknowledgements must count all the same."""

import asyncio

from pingan.mqtt import Mqtt
from tests.conftest import Broker, Until

TOPIC = "pingan/v1/ingest-alarm/up/backlog"
MESSAGES = 3_000
"""More than the broker has in flight: it sends the rest only when what came first is acknowledged."""


async def test_what_comes_before_the_subscription_is_granted_can_be_acknowledged(broker: Broker, until: Until) -> None:
    heard: list[bytes] = []
    before_granted = 0

    def make(client_id: str, *, listens: bool) -> Mqtt:
        return Mqtt(
            host=broker.host,
            port=broker.port,
            user="ingest-alarm",
            password=broker.password("ingest-alarm"),
            client_id=client_id,
            subscriptions=[TOPIC] if listens else [],
            on_message=hear,
            manual_ack=True,
            clean_session=not listens,
        )

    def hear(_topic: str, payload: bytes, ticket: int, _retained: bool) -> None:
        nonlocal before_granted
        before_granted += not mqtt.connected
        heard.append(payload)
        assert mqtt.ack(ticket)

    async def stop(run: "asyncio.Task[None]") -> None:
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)

    mqtt = make("backlog", listens=True)
    run = asyncio.create_task(mqtt.run())
    await until(lambda: mqtt.connected)
    await stop(run)

    other = make("other", listens=False)
    run = asyncio.create_task(other.run())
    await until(lambda: other.connected)
    await asyncio.gather(*(other.publish(TOPIC, b"%d" % number) for number in range(MESSAGES)))
    await stop(run)

    mqtt = make("backlog", listens=True)
    run = asyncio.create_task(mqtt.run())
    await until(lambda: len(heard) >= MESSAGES)
    assert before_granted
    assert heard == [b"%d" % number for number in range(MESSAGES)]
    await stop(run)
