"""The lines on which presses are answered: beside the one on which they come.

Mosquitto takes one packet of each connection in turn. While readings flood it a turn is long, and one connection that
acknowledges presses and answers them gets two packets through where it needs four: measured at twice what two cores
carry, answers came after 3.6 s. Each device's answers keep to one line, so they keep their order.
"""

from collections.abc import Callable, Sequence
from zlib import crc32

from pingan.mqtt import Mqtt
from pingan.settings import Mqtt as Settings

LINES = 4


class Answers:
    """`send` publishes on the line of the topic; on `main` while that one is not there."""

    def __init__(self, settings: Settings, client_id: str, main: Callable[[str, bytes], None]) -> None:
        self._main = main
        self.lines: Sequence[Mqtt] = [
            Mqtt(
                host=settings.mqtt_host,
                port=settings.mqtt_port,
                user=settings.mqtt_user,
                password=settings.mqtt_password,
                client_id=f"{client_id}-answers-{number}",
                clean_session=True,
            )
            for number in range(1, LINES + 1)
        ]

    def send(self, topic: str, payload: bytes) -> None:
        line = self.lines[crc32(topic.encode()) % LINES]
        if line.connected:
            line.send(topic, payload)
        else:
            self._main(topic, payload)
