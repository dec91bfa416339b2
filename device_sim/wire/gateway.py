"""Gateways as the shop sells them: zigbee2mqtt and ChirpStack, each one user of the broker with several devices behind.

They speak their own protocols, as their documentation says: zigbee2mqtt publishes each device's whole state under its
friendly name, at QoS 0 unless it is told otherwise, and keeps its availability with the broker; ChirpStack publishes
each uplink once, with what the vendor's decoder made of it. Neither hears what becomes of a press.
"""

import asyncio
import json
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from device_sim.wire.connection import Connection

STATE_SECONDS = 60.0
"""How often each device is heard of without having anything to say."""


@dataclass
class Behind:
    """A device behind a gateway. `state` is what it says of itself each time; `press` what it adds when pressed."""

    address: str
    state: dict[str, Any] = field(default_factory=dict)
    press: Mapping[str, Any] | None = None
    count: int = 0


class Gateway:
    """`press(address)` is the finger on a button behind it; `say` any change of a device's state."""

    def __init__(
        self,
        user: str,
        password: str,
        devices: list[Behind],
        *,
        host: str,
        port: int,
        client_id: str | None = None,
        state_seconds: float = STATE_SECONDS,
    ) -> None:
        self.id = user
        self.devices = {device.address: device for device in devices}
        self._state_seconds = state_seconds
        self._telling: asyncio.Task[None] | None = None
        self.connection = Connection(
            host=host,
            port=port,
            user=user,
            password=password,
            client_id=client_id or user,
            on_connected=self._connected,
        )

    def open(self) -> None:
        self.connection.open()
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell_all())

    async def close(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)
            self._telling = None
        await self.connection.close()

    def press(self, address: str) -> asyncio.Future[None] | None:
        """KeyError: there is no such device; ValueError: it is no button."""
        device = self.devices[address]
        if device.press is None:
            raise ValueError(f"{address} has no button")
        return self._publish(device, {**device.state, **device.press})

    def say(self, address: str, **changes: Any) -> asyncio.Future[None] | None:
        """The device says something new, which from then on is its state."""
        device = self.devices[address]
        device.state |= changes
        return self._publish(device, device.state)

    def _connected(self) -> None:
        """The line is up (again)."""

    def _publish(self, device: Behind, said: dict[str, Any]) -> asyncio.Future[None] | None:
        raise NotImplementedError

    async def _tell_all(self) -> None:
        while True:
            await self.connection.connected.wait()
            for device in self.devices.values():
                self._publish(device, device.state)
            await asyncio.sleep(self._state_seconds)


class ZigbeeGateway(Gateway):
    """zigbee2mqtt with `base_topic: gw/{user}/zigbee2mqtt` and `qos: 1`."""

    def _topic(self, rest: str) -> str:
        return f"gw/{self.id}/zigbee2mqtt/{rest}"

    def _connected(self) -> None:
        self.connection.publish(self._topic("bridge/state"), b'{"state":"online"}', retain=True)
        for address in self.devices:
            self.connection.publish(self._topic(f"{address}/availability"), b'{"state":"online"}', retain=True)

    def _publish(self, device: Behind, said: dict[str, Any]) -> asyncio.Future[None] | None:
        payload = {"linkquality": random.randint(60, 200), **said}
        return self.connection.publish(self._topic(device.address), _json(payload))


class LoraGateway(Gateway):
    """A ChirpStack server with `event_topic: gw/{user}/chirpstack/application/…`; addresses are DevEUIs."""

    def _publish(self, device: Behind, said: dict[str, Any]) -> asyncio.Future[None] | None:
        device.count += 1
        uplink = {
            "deduplicationId": str(uuid.uuid4()),
            "time": datetime.now(UTC).isoformat(),
            "deviceInfo": {
                "tenantName": "ChirpStack",
                "applicationId": "1",
                "applicationName": "care",
                "deviceProfileName": "pendant",
                "deviceName": device.address,
                "devEui": device.address,
            },
            "devAddr": device.address[-8:],
            "adr": True,
            "dr": 5,
            "fCnt": device.count,
            "fPort": 85,
            "confirmed": True,
            "data": "/y4B",
            "object": said,
            "rxInfo": [{"gatewayId": "0016c001f153a14c", "rssi": random.randint(-120, -60), "snr": 7.2}],
        }
        topic = f"gw/{self.id}/chirpstack/application/1/device/{device.address}/event/up"
        return self.connection.publish(topic, _json(uplink))


def _json(payload: dict[str, Any]) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


Words = Mapping[str, tuple[dict[str, Any], dict[str, Any]]]
"""Kind of device → what it says of itself each time, and what it adds when it is made to say something."""

ZIGBEE: Words = {
    "button": ({"battery": 92}, {"action": "emergency"}),
    "smoke": ({"battery": 88, "smoke": False, "tamper": False, "battery_low": False}, {"smoke": True}),
    "door": ({"battery": 95, "contact": True}, {"contact": False}),
}
LORA: Words = {"pendant": ({"battery": 80}, {"Alarm": "TRUE"})}
FAMILIES: dict[str, tuple[type[Gateway], Words]] = {
    "zigbee2mqtt": (ZigbeeGateway, ZIGBEE),
    "chirpstack": (LoraGateway, LORA),
}
"""How the gateways of each family speak, and what their devices say."""


def gateway_of(
    family: str, user: str, password: str, devices: Mapping[str, str], *, host: str, port: int
) -> Gateway | None:
    """A gateway with these devices, address → kind. None: there is no simulated one of that family."""
    if family not in FAMILIES:
        return None
    make, kinds = FAMILIES[family]
    behind = [
        Behind(address, dict(kinds[kind][0]), kinds[kind][1]) for address, kind in devices.items() if kind in kinds
    ]
    return make(user, password, behind, host=host, port=port)
