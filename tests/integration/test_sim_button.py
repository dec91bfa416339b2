"""The simulated button against a real broker: it believes only the platform, and gives up on nothing."""

import signal
from pathlib import Path
from typing import Any

from device_sim.wire.button import Button
from device_sim.wire.press import RetryPlan
from tests.integration.sim_support import Broker, Platform, broker, until

QUICK = RetryPlan(first_seconds=0.2, first_count=3, then_seconds=0.4, failed_after_seconds=0.1)


def button_of(server: Broker, plan: RetryPlan = QUICK) -> Button:
    button = Button("H001-button", "", plan=plan, host=server.host, port=server.port)
    button.open()
    return button


async def test_the_lamp_follows_the_stages(tmp_path: Path) -> None:
    async with broker(tmp_path) as server, Platform(server) as platform:
        button = button_of(server, RetryPlan())
        await until(button.connection.connected.is_set, "the button's connection")
        press = button.press()
        await until(lambda: platform.on("alarm"), "the alarm")
        alarm = platform.on("alarm")[0]
        assert alarm["id"] == press.event_id
        assert (alarm["kind"], alarm["attempt"], alarm["boot"]) == ("sos", 1, button.boot)
        platform.tell(button.id, "ack", id=press.event_id, stage="received", at="2025-01-01T00:00:00Z")
        await button.wait_for(press, "received")
        platform.tell(button.id, "ack", id=press.event_id, stage="accepted", by="李梅", at="2025-01-01T00:00:05Z")
        platform.tell(button.id, "ack", id=press.event_id, stage="on_the_way", by="李梅", eta="2025-01-01T00:10:00Z")
        platform.tell(button.id, "ack", id=press.event_id, stage="closed", at="2025-01-01T00:20:00Z")
        await button.wait_for(press, "closed")
        assert [(lamp.stage, lamp.by) for lamp in press.lamp] == [
            ("pressed", None),
            ("received", None),
            ("accepted", "李梅"),
            ("on_the_way", "李梅"),
            ("closed", None),
        ]
        assert len(platform.on("alarm")) == 1
        await button.close()


async def test_a_puback_is_no_acknowledgement(tmp_path: Path) -> None:
    async with broker(tmp_path) as server, Platform(server) as platform:
        button = button_of(server)
        await until(button.connection.connected.is_set, "the button's connection")
        press = button.press()
        await button.wait_for(press, "failed")
        await until(lambda: len(platform.on("alarm")) >= 6, "six attempts")
        alarms = platform.on("alarm")
        assert {(alarm["id"], alarm["seq"], alarm["boot"]) for alarm in alarms} == {
            (press.event_id, press.seq, button.boot)
        }
        assert [alarm["attempt"] for alarm in alarms] == list(range(1, len(alarms) + 1))
        platform.tell(button.id, "ack", id=press.event_id, stage="received")
        await button.wait_for(press, "received")
        assert press.next_due() is None
        await button.close()


async def test_a_press_outlives_the_broker(tmp_path: Path) -> None:
    def answer(topic: str, payload: dict[str, Any]) -> None:
        if topic.endswith("/up/alarm"):
            platform.tell(topic.split("/")[2], "ack", id=payload["id"], stage="received")

    async with broker(tmp_path) as server, Platform(server) as platform:
        button = button_of(server, RetryPlan())
        await until(button.connection.connected.is_set, "the button's connection")
        server.stop(signal.SIGKILL)
        await until(lambda: not button.connection.connected.is_set(), "the button to notice")
        press, second = button.press(), button.press()
        assert press.event_id != second.event_id
        platform.on_frame = answer
        await server.start()
        await button.wait_for(press, "received")
        await button.wait_for(second, "received")
        await button.close()


async def test_a_pulled_cable_fails_and_recovers(tmp_path: Path) -> None:
    async with broker(tmp_path) as server, Platform(server) as platform:
        button = button_of(server)
        await until(button.connection.connected.is_set, "the button's connection")
        button.connection.unplug()
        press = button.press()
        await button.wait_for(press, "failed")
        assert platform.on("alarm") == []
        button.connection.plug()
        await until(lambda: platform.on("alarm"), "the alarm after the cable is back")
        platform.tell(button.id, "ack", id=press.event_id, stage="received")
        await button.wait_for(press, "received")
        await button.close()


async def test_the_heartbeat_takes_its_level_from_config(tmp_path: Path) -> None:
    async with broker(tmp_path) as server, Platform(server) as platform:
        button = button_of(server)
        await until(lambda: platform.on("status"), "the first heartbeat")
        platform.tell(button.id, "config", heartbeat_seconds=0.05)
        await until(lambda: len(platform.on("status")) > 5, "heartbeats at the new level")
        seqs = [beat["seq"] for beat in platform.on("status")]
        assert seqs == list(range(1, len(seqs) + 1))
        await button.close()
