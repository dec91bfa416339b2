"""The lines on which presses are answered, against a real broker."""

import asyncio
import json

from ingest.answers import Answers
from pingan.tasks import end
from tests.conftest import Broker, Until
from tests.integration.ingest_support import Wire, admit_devices, settings

NOWHERE = "postgresql:///nobody"


async def test_answers_take_lines_of_their_own_in_order_and_the_main_one_while_those_are_not_there(
    broker: Broker, until: Until
) -> None:
    admit_devices(broker)
    main: list[tuple[str, bytes]] = []
    answers = Answers(
        settings(broker, NOWHERE, "alarm", "test"), "ingest-alarm", lambda topic, payload: main.append((topic, payload))
    )
    topics = {device: f"pingan/v1/{device}/down/ack" for device in ("H001-button", "H002-button")}
    answers.send(topics["H001-button"], b"before")
    assert main == [(topics["H001-button"], b"before")]
    async with Wire(broker, "H001-button") as first, Wire(broker, "H002-button") as second:
        lines = [asyncio.create_task(line.run()) for line in answers.lines]
        try:
            await until(lambda: all(line.connected for line in answers.lines))
            for number in range(50):
                for topic in topics.values():
                    answers.send(topic, json.dumps({"id": str(number)}).encode())
            await until(lambda: len(first.answers) == len(second.answers) == 50)
        finally:
            await end(lines)
        for wire in (first, second):
            assert [answer["id"] for answer in wire.answers] == [str(number) for number in range(50)]
        assert len(main) == 1
