"""A whole neighbourhood over a real broker, driven by its control interface and its command line."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from device_sim.server import ServerError
from device_sim.wire.press import RetryPlan
from tests.integration.sim_support import Broker, Platform, broker, eventually, free_port, until

KINDS = ("button", "hub", "watch")


def write_access(folder: Path, server: Broker, port: int) -> Path:
    path = folder / "access.json"
    homes = ("H001", "H002")
    path.write_text(
        json.dumps(
            {
                "console": "http://127.0.0.1:1",
                "mqtt": {"host": server.host, "port": server.port},
                "devices": [
                    {"id": f"{home}-{kind}", "password": "", "home": home, "kind": kind}
                    for home in homes
                    for kind in KINDS
                ],
                "homes": [
                    {"id": home, "person": "陈秀英", "language": "zh", "seed": 1, "area": f"44{home}"} for home in homes
                ],
                "phones": [{"number": "+8613800000101", "name": "李梅", "home": "H001", "role": "family"}],
                "twilio": {"base_url": "x", "account_sid": "AC", "auth_token": "t", "from": "+867500000000"},
                "simulator": f"http://127.0.0.1:{port}",
            }
        )
    )
    return path


@contextlib.asynccontextmanager
async def simulator(folder: Path, server: Broker) -> AsyncIterator[httpx.AsyncClient]:
    """`python -m device_sim run` as a process of its own."""
    port = free_port()
    path = write_access(folder, server, port)
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "device_sim", "run", "--access", str(path))
    client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)
    try:
        await eventually(lambda: connected(client), "the neighbourhood")
        yield client
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
        await client.aclose()


async def connected(client: httpx.AsyncClient) -> bool:
    try:
        health = (await client.get("/sim/health")).json()
    except httpx.TransportError:
        return False
    return bool(health["connected"] == health["devices"] == 6)


async def command(folder: Path, *words: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "device_sim",
        *words,
        env=os.environ | {"PINGAN_DATA": str(folder), "PINGAN_LANGUAGE": "en"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_the_command_line_presses_and_pulls(tmp_path: Path) -> None:
    def answer(topic: str, payload: dict[str, Any]) -> None:
        if topic.endswith("/up/alarm"):
            for stage, more in (("received", {}), ("accepted", {"by": "李梅"}), ("on_the_way", {"eta": "08:10"})):
                platform.tell(topic.split("/")[2], "ack", id=payload["id"], stage=stage, **more)

    async with broker(tmp_path) as server, Platform(server) as platform, simulator(tmp_path, server) as client:
        platform.on_frame = answer
        status, output = await command(tmp_path, "press", "--home", "H001", "--wait", "on_the_way")
        assert status == 0, output
        assert "accepted by 李梅" in output
        assert "08:10" in output
        home = (await client.get("/sim/homes")).json()[0]
        assert home["presses"][0]["shows"] == "on_the_way"
        assert (await command(tmp_path, "cable", "--home", "H001", "pull"))[0] == 0
        health = (await client.get("/sim/health")).json()
        assert (health["devices"], health["connected"]) == (6, 3)
        status, output = await command(tmp_path, "press", "--home", "H001", "--wait-seconds", "0.3")
        assert status == 1
        assert "pressed" in output
        await command(tmp_path, "cable", "--home", "H001", "plug")

        async def on_the_way() -> bool:
            presses = (await client.get("/sim/homes")).json()[0]["presses"]
            return bool(presses[-1]["shows"] == "on_the_way")

        await eventually(on_the_way, "the press made while the cable was out")
        assert len({alarm["id"] for alarm in platform.on("alarm")}) == 2

        status, output = await command(tmp_path, "power", "cut", "--area", "44H002")
        assert (status, "1 homes, 3 devices" in output) == (0, True), output
        assert (await client.get("/sim/health")).json()["connected"] == 3
        assert (await command(tmp_path, "power", "cut", "--count", "1"))[0] == 0
        assert (await client.get("/sim/health")).json()["connected"] == 0
        assert (await command(tmp_path, "power", "restore"))[0] == 0
        await eventually(lambda: connected(client), "the power")
        assert (await command(tmp_path, "power", "cut", "--homes", "H999"))[0] == 1
        assert "李梅" in (await command(tmp_path, "phones"))[1]
        assert "[voicemail]" in (await command(tmp_path, "phone", "+8613800000101", "habit", "voicemail"))[1]
        assert (await command(tmp_path, "phone", "+8613800000101", "answer"))[0] == 1
        assert (await command(tmp_path, "press", "--home", "H999"))[0] == 1


def worn(platform: Platform) -> list[dict[str, Any]]:
    """What a wearer's movement has become."""
    return [reading for reading in platform.on("reading", "H002-watch") if reading["kind"] == "accel"]


async def test_things_happen_in_homes(tmp_path: Path) -> None:
    async with broker(tmp_path) as server, Platform(server) as platform, simulator(tmp_path, server) as client:
        assert "模拟社区" in (await client.get("/")).text
        assert len((await client.get("/sim/state")).json()["homes"]) == 2
        await until(lambda: len(platform.on("status")) == 6, "six heartbeats")
        assert (await client.post("/sim/homes/H002/leave_home", json={"seconds": 60})).is_success
        await until(lambda: len(platform.on("reading", "H002-hub")) >= 2, "the entrance")
        assert [r["value"] for r in platform.on("reading", "H002-hub") if r["kind"] == "door"][:2] == ["open", "closed"]
        assert (await client.post("/sim/homes/H002/fall")).is_success
        assert (await client.post("/sim/homes/H002/fall")).status_code == 409
        await until(lambda: len(worn(platform)) >= 2, "the fall")
        first, second = worn(platform)[:2]
        assert (first["kind"], first["rate_hz"], first["position"]) == ("accel", 50, "wrist")
        lasts = datetime.fromisoformat(second["at"]) - datetime.fromisoformat(first["at"])
        assert lasts == timedelta(seconds=1), "a stream has neither holes nor two bursts at once"
        assert (await command(tmp_path, "measure", "--home", "H001", "spo2", "84"))[0] == 0
        await until(
            lambda: [r for r in platform.on("reading", "H001-watch") if r.get("value") == 84], "the measurement"
        )
        for path, body, status in (
            ("/sim/homes/H999/press", {}, 404),
            ("/sim/homes/H001/press", {"knd": "sos"}, 400),
            ("/sim/homes/H001/cable", {}, 400),
            ("/sim/phones/+1/answer", {}, 404),
            ("/sim/phones/+8613800000101/answer", {}, 409),
            ("/sim/faults", {"respond": "sometimes"}, 400),
        ):
            assert (await client.post(path, json=body)).status_code == status, path
        assert (await client.get("/sim/events/nothing")).status_code == 404


async def test_everybody_returns_when_the_broker_does(tmp_path: Path) -> None:
    async with broker(tmp_path) as server, simulator(tmp_path, server) as client:
        server.stop(signal.SIGKILL)

        async def alone() -> bool:
            return (await client.get("/sim/health")).json()["connected"] == 0

        await eventually(alone, "everybody to notice")
        await server.start()
        await eventually(lambda: connected(client), "everybody to return")


async def test_a_taken_port_is_said(tmp_path: Path) -> None:
    from device_sim.access import read_access
    from device_sim.neighbourhood import neighbourhood

    async with broker(tmp_path) as server:
        access = read_access(write_access(tmp_path, server, server.port))
        with pytest.raises(ServerError, match=str(server.port)):
            async with neighbourhood(access, plan=RetryPlan()):
                pass
