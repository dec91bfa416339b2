"""The load generator against a real broker and a stand-in that acknowledges as the platform would."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from device_sim.access import Access, Device, Mqtt
from device_sim.load import LoadError, Plan, run_load
from tests.integration.sim_support import Broker, Platform, broker, until

HOMES = ("H001", "H002")


def access_to(server: Broker) -> Access:
    devices = tuple(Device(f"{home}-{kind}", "", home, kind) for home in HOMES for kind in ("button", "hub"))
    return Access(mqtt=Mqtt(server.host, server.port), devices=devices)


async def test_readings_and_presses_are_counted_and_timed(tmp_path: Path) -> None:
    def answer(topic: str, payload: dict[str, Any]) -> None:
        # Every second attempt only: the button must come again, and the press still counts once.
        if topic.endswith("/up/alarm") and payload["attempt"] == 2:
            platform.tell(topic.split("/")[2], "ack", id=payload["id"], stage="received")

    file = tmp_path / "acknowledged.jsonl"
    async with broker(tmp_path) as server, Platform(server) as platform:
        platform.on_frame = answer
        plan = Plan(2, 200, 20, seconds=1, retry_seconds=0.1, linger_seconds=10, acknowledged=file)
        result = await run_load(access_to(server), plan)
        assert result["readings"]["sent"] == result["readings"]["puback"] == len(platform.on("reading")) == 200
        assert result["presses"]["made"] == result["presses"]["acknowledged"] == 20
        assert result["presses"]["first_attempt_failures"] == 20
        assert result["presses"]["received_milliseconds"]["p50"] >= 100
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        assert {row["id"] for row in rows} == {alarm["id"] for alarm in platform.on("alarm")}
        assert {row["home"] for row in rows} == set(HOMES)
        for device in ("H001-hub", "H002-hub"):
            assert [r["seq"] for r in platform.on("reading", device)] == list(range(1, 101))


async def test_unacknowledged_presses_are_said_to_be(tmp_path: Path) -> None:
    async with broker(tmp_path) as server:
        result = await run_load(access_to(server), Plan(presses_per_second=10, seconds=0.5, linger_seconds=0.1))
        assert (result["presses"]["made"], result["presses"]["unacknowledged"]) == (5, 5)


async def test_readings_outlive_the_broker(tmp_path: Path) -> None:
    async with broker(tmp_path) as server:
        plan = Plan(2, 100, seconds=2, linger_seconds=10)
        load = asyncio.create_task(run_load(access_to(server), plan))
        async with Platform(server) as platform:
            await until(lambda: len(platform.on("reading")) >= 20, "the load to flow")
        server.stop()
        await server.start()
        result = await load
        assert result["readings"]["puback"] == result["readings"]["sent"] == 200


async def test_as_fast_as_possible_keeps_a_window(tmp_path: Path) -> None:
    async with broker(tmp_path) as server:
        plan = Plan(2, seconds=0.5, as_fast_as_possible=True, window=50)
        result = await run_load(access_to(server), plan)
        assert result["readings"]["puback"] == result["readings"]["sent"] > 1000


async def test_more_connections_than_hubs_is_an_error(tmp_path: Path) -> None:
    async with broker(tmp_path) as server:
        with pytest.raises(LoadError):
            await run_load(access_to(server), Plan(3, 10))
