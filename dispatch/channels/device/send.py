"""The button itself is a way of reaching somebody: it shows who has accepted, and who is on the way."""

import asyncio
from collections.abc import Sequence

import msgspec

from dispatch.channels import SEND_SECONDS, Send, TryAgain, Unclear
from pingan.mqtt import Mqtt
from pingan.process import State
from pingan.settings import Mqtt as MqttSettings


class DeviceChannel:
    """Publishes the stages of a press on its device's own topic. A stage said twice is the same stage."""

    repeatable = True

    def __init__(self, settings: MqttSettings, state: State) -> None:
        self._settings = settings
        self._state = state
        self._mqtt: Mqtt | None = None
        state.expect("broker")

    async def run(self) -> None:
        """Stay connected until cancelled."""
        self._mqtt = Mqtt(
            host=self._settings.mqtt_host,
            port=self._settings.mqtt_port,
            user=self._settings.mqtt_user,
            password=self._settings.mqtt_password,
            client_id=self._settings.name,
            on_state=self._heard,
            clean_session=True,
        )
        await self._mqtt.run()

    def _heard(self, reason: str | None) -> None:
        if reason is None:
            self._state.well("broker")
        else:
            self._state.waiting("broker", reason)

    async def send(self, send: Send) -> None:
        if self._mqtt is None or not self._mqtt.connected:
            raise TryAgain("the broker is away")
        payload = {key: value for key, value in send.body.items() if value is not None}
        published = self._mqtt.publish(f"pingan/v1/{send.address}/down/ack", msgspec.json.encode(payload))
        try:
            async with asyncio.timeout(SEND_SECONDS / 2):
                await published
        except TimeoutError as error:
            raise Unclear("the broker has not confirmed it") from error
        except ConnectionError as error:
            raise TryAgain(str(error)) from error

    async def find(self, send: Send) -> Sequence[str]:
        """Not asked: a repeat is harmless."""
        return ()
