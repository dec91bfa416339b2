"""Recordings through a real broker to a stand-in that answers the driven clock."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from device_sim.access import Access, Clock, Device, Mqtt
from device_sim.recordings import Recorded, Recording
from device_sim.replay import ClockRefused, replay_driven, replay_live
from tests.integration.sim_support import Broker, Platform, broker

START = datetime(2025, 3, 1, 8, tzinfo=UTC)
READINGS = [
    Recorded(START + timedelta(minutes=minutes), "motion", True, f"room {minutes % 3}") for minutes in range(1, 90, 2)
]
MORNING = Recording("a morning", "hub", START, timedelta(minutes=95), READINGS)


def access_to(server: Broker) -> Access:
    devices = (Device("H001-hub", "", "H001", "hub"), Device("H001-button", "", "H001", "button"))
    return Access(mqtt=Mqtt(server.host, server.port), devices=devices, clock=Clock("sim-clock", ""))


def time_of(payload: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(payload["at"])


async def test_every_reading_comes_before_the_time_that_covers_it(tmp_path: Path) -> None:
    def answer(topic: str, payload: dict[str, Any]) -> None:
        if topic.endswith("/up/clock"):
            platform.tell("sim-clock", "clock", at=payload["at"], step=payload["step"])

    async with broker(tmp_path) as server, Platform(server) as platform:
        platform.on_frame = answer
        result = (await replay_driven(access_to(server), MORNING, "H001", boot="b1")).as_json()
        assert result["readings"] == len(READINGS) == len(platform.on("reading", "H001-hub"))
        # Heartbeats of both devices, one in every step: at 0, 10, … 90.
        assert result["sent"]["status"] == 20 == len(platform.on("status"))
        assert result["steps"] == 10
        clock = START - timedelta(hours=1)
        for topic, payload in platform.heard:
            if topic.endswith("/up/clock"):
                clock = time_of(payload)
            else:
                assert clock <= time_of(payload) <= clock + timedelta(minutes=10)
        assert clock == START + MORNING.length
        hub = [payload for topic, payload in platform.heard if "H001-hub" in topic]
        assert [payload["seq"] for payload in hub] == list(range(1, len(hub) + 1))
        assert {payload["boot"] for payload in hub} == {"b1"}


@pytest.mark.parametrize(
    ("platform_at", "begins"),
    [
        (START + timedelta(days=13), START + timedelta(weeks=2)),
        (START - timedelta(days=20), START - timedelta(weeks=2)),
    ],
    ids=["ahead", "far behind"],
)
async def test_a_platform_that_is_elsewhere_gets_the_recording_there(
    tmp_path: Path, platform_at: datetime, begins: datetime
) -> None:
    clock = platform_at

    def answer(topic: str, payload: dict[str, Any]) -> None:
        nonlocal clock
        if not topic.endswith("/up/clock"):
            return
        at = time_of(payload)
        if clock <= at <= clock + timedelta(hours=1):
            clock = at
            platform.tell("sim-clock", "clock", at=payload["at"], step=payload["step"])
        else:
            platform.tell("sim-clock", "clock", error="no", step=payload["step"], at=clock.isoformat())

    async with broker(tmp_path) as server, Platform(server) as platform:
        platform.on_frame = answer
        result = await replay_driven(access_to(server), MORNING, "H001")
        assert result.since == begins
        assert [time_of(payload) - begins for payload in platform.on("reading")] == [r.at - START for r in READINGS]
        assert clock == begins + MORNING.length


async def test_a_refused_time_stops_the_replay(tmp_path: Path) -> None:
    def answer(topic: str, payload: dict[str, Any]) -> None:
        if topic.endswith("/up/clock"):
            platform.tell("sim-clock", "clock", error="backward", step=payload["step"])

    async with broker(tmp_path) as server, Platform(server) as platform:
        platform.on_frame = answer
        with pytest.raises(ClockRefused, match="backward"):
            await replay_driven(access_to(server), MORNING, "H001")
        assert platform.on("reading") == []


async def test_live_readings_bear_the_time_of_their_sending(tmp_path: Path) -> None:
    async with broker(tmp_path) as server, Platform(server) as platform:
        began = datetime.now(UTC) - timedelta(seconds=1)
        result = await replay_live(access_to(server), MORNING, "H001", speed=10_000)
        assert result.as_json()["readings"] == len(platform.on("reading")) == len(READINGS)
        assert all(began <= time_of(payload) <= datetime.now(UTC) for payload in platform.on("reading"))
