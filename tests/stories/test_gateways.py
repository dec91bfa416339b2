"""Devices from the shop behind gateways, on the whole platform: what they press is on the desk, whoever floods."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sos_access.client import SOSAccessClient
from sos_access.exceptions import NotAuthorized

from device_sim.wire.button import Button
from device_sim.wire.gateway import Behind, Gateway, LoraGateway, ZigbeeGateway
from tests.conftest import Until
from tests.faults.house import RealHouse

PENDANT, STRANGER = "24e124535b316056", "24e124535b316057"
REGISTER = f"""id,kind,home,gateway,address
H001-sos,button,H001,H001-hub,卧室/紧急按钮
H001-smoke,smoke,H001,H001-hub,0x00158d0001a2b3c4
H002-sos,button,H002,H001-hub,邻居/按钮
H004-pendant,pendant,H004,H003-hub,{PENDANT}
H007-sos,button,H007,H006-hub,sos
H010-panel,panel,H010,,
"""
FLOOD = 6_000


@pytest.fixture(scope="module")
def house(memory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealHouse]:
    house = RealHouse(memory)
    try:
        house.rise()
        folder = tmp_path_factory.mktemp("register")
        (folder / "devices.csv").write_text(REGISTER, encoding="utf-8")
        house.pingan("register", "import", str(folder / "devices.csv"))
        yield house
    finally:
        house.fall(keep=False)


def line(house: RealHouse, device: str) -> dict[str, Any]:
    password = next(one["password"] for one in house.access["devices"] if one["id"] == device)
    # The simulated neighbourhood is there too, with a connection of that name.
    return {
        "client_id": f"{device}-story",
        "password": password,
        "host": house.access["mqtt"]["host"],
        "port": house.access["mqtt"]["port"],
    }


@pytest.fixture
async def opened() -> AsyncIterator[Any]:
    gateways: list[Gateway | Button] = []

    async def open_one(one: Gateway | Button) -> Any:
        gateways.append(one)
        one.open()
        await one.connection.connected.wait()
        return one

    yield open_one
    await asyncio.gather(*(one.close() for one in gateways))


def incidents(house: RealHouse) -> set[tuple[str | None, str]]:
    """Home and cause of each that is open, as the console's own list has them."""
    return {(one["home"], one["cause"]) for one in house.api("/api/v1/incidents")}


async def test_a_stream_of_zigbee2mqtt_and_uplinks_of_chirpstack_raise_incidents(
    house: RealHouse, opened: Any, until: Until
) -> None:
    sos = {"action": "emergency"}
    zigbee = await opened(
        ZigbeeGateway(
            "H001-hub",
            devices=[
                Behind("卧室/紧急按钮", {"battery": 90}, sos),
                Behind("0x00158d0001a2b3c4", {"smoke": False, "battery_low": False, "tamper": False}),
                Behind("门", {"contact": True}),
                Behind("邻居/按钮", {"battery": 55}, {"action": "single"}),
                Behind("from the shop", {"battery": 100}, sos),
            ],
            **line(house, "H001-hub"),
        )
    )
    lora = await opened(
        LoraGateway(
            "H003-hub",
            devices=[
                Behind(PENDANT, {"battery": 80}, {"sosFlag": 1, "gpsLatitude": 22.6021, "gpsLongitude": 113.0713}),
                Behind(STRANGER, {"battery": 81}, {"sosFlag": 1}),
            ],
            **line(house, "H003-hub"),
        )
    )
    for address in ("卧室/紧急按钮", "邻居/按钮", "from the shop"):
        zigbee.press(address)
    zigbee.say("0x00158d0001a2b3c4", smoke=True)
    zigbee.say("0x00158d0001a2b3c4", temperature=31.0)
    zigbee.say("门", contact=False)
    lora.press(PENDANT)
    lora.press(STRANGER)
    # Smoke and the button are one incident of that home, which has its name of whichever was taken first.
    await until(lambda: {"H001", "H002", "H003", "H004"} <= {home for home, _ in incidents(house)})

    def alarms() -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for one in house.rows("select * from alarms where evidence->>'source' = 'reported'"):
            found.setdefault(one["device"], []).append(one)
        return found

    await until(lambda: len(alarms()) == 6)
    raised = alarms()
    assert {device: [one["kind"] for one in each] for device, each in raised.items()} == {
        "H001-sos": ["sos"],
        "H001-smoke": ["smoke"],
        "H002-sos": ["sos"],
        "H001-hub/from the shop": ["sos"],
        "H004-pendant": ["sos"],
        f"H003-hub/{STRANGER}": ["sos"],
    }
    assert raised["H001-hub/from the shop"][0]["home"] == "H001", "the gateway's own home: better than none"
    assert raised["H004-pendant"][0]["evidence"]["location"]["lat"] == 22.6021
    assert raised["H004-pendant"][0]["evidence"]["family"] == "chirpstack"
    assert house.rows("select * from sends where channel = 'device'") == [], "no button of these has a lamp"

    def heard() -> bool:
        found = {one["device"]: one for one in house.rows("select * from device_heard")}
        return {"H001-sos", "H001-hub/门", f"H003-hub/{STRANGER}"} <= {*found} and (
            found["H001-sos"]["battery_percent"] == 90 and found[f"H003-hub/{STRANGER}"]["battery_percent"] == 81
        )

    await until(heard)


async def test_a_gateway_that_floods_from_ever_new_names_holds_up_no_alarm(
    house: RealHouse, opened: Any, until: Until
) -> None:
    mad = await opened(
        ZigbeeGateway("H006-hub", devices=[Behind("sos", {}, {"action": "sos"})], **line(house, "H006-hub"))
    )
    button = await opened(Button("H008-button", **line(house, "H008-button")))
    said = []
    for number in range(FLOOD):
        said.append(mad.connection.publish(f"gw/H006-hub/zigbee2mqtt/new {number}", b'{"temperature":21.5}'))
        if number == FLOOD // 2:
            mad.press("sos")
            button.press()
    await asyncio.gather(*said)
    await until(lambda: {("H007", "sos"), ("H008", "sos")} <= incidents(house))
    await until(lambda: "received" in [lamp.stage for press in button.presses.values() for lamp in press.lamp])

    def counted() -> dict[str, int]:
        rows = house.rows("select reason, count from rejected_counts")
        return {row["reason"]: row["count"] for row in rows}

    def settled() -> bool:
        stored = house.rows("select count(*) from readings where device like 'H006-hub/new %%'")[0]["count"]
        return bool(stored + counted().get("flood", 0) >= FLOOD)

    await until(settled)
    assert counted()["flood"] > FLOOD / 4
    await until(lambda: counted()["unknown_device"] >= FLOOD)  # the alarm lane hears each
    kept = house.rows("select count(*) from rejected where device = 'H006-hub'")[0]["count"]
    assert kept <= 60, json.dumps(counted())

    def listed() -> int:
        return int(house.rows("select count(*) from device_heard where device like 'H006-hub/%%'")[0]["count"])

    await until(listed)
    assert listed() <= 1_000


async def test_no_gateway_speaks_for_another(house: RealHouse, opened: Any, until: Until) -> None:
    forger = await opened(ZigbeeGateway("H009-hub", devices=[], **line(house, "H009-hub")))
    await forger.connection.publish("gw/H001-hub/zigbee2mqtt/forged", b'{"action":"sos"}')
    await forger.connection.publish("pingan/v1/H001-button/up/alarm", b'{"id":"forged","kind":"sos"}')
    await forger.connection.publish("gw/H009-hub/zigbee2mqtt/its own", b'{"action":"sos"}')
    await until(lambda: ("H009", "sos") in incidents(house))
    forged = house.rows("select 1 from alarms where evidence->>'event' = 'forged' or device like '%%forged'")
    assert forged == []


async def test_the_sample_neighbourhoods_gateways_are_pressed_by_a_command(house: RealHouse, until: Until) -> None:
    for device in ("H005-sos", "H006-pendant"):
        assert device in house.pingan("sim", "press", "--device", device).stdout
    await until(lambda: {("H005", "sos"), ("H006", "sos")} <= incidents(house))
    assert house.pingan("sim", "press", "--device", "H005-nothing").returncode == 1


async def test_a_published_client_of_sos_access_raises_an_incident(house: RealHouse, until: Until) -> None:
    told = house.pingan("receiver", "add", "7654321", "--device", "H010-panel").stdout
    (authentication,) = re.findall(r"\b[A-Za-z0-9]{15}\b", told)
    receiver = ("127.0.0.1", int(house.environ["PINGAN_SOS_ACCESS_PORT"]))

    def panel(authentication: str) -> SOSAccessClient:
        return SOSAccessClient("7654321", "SV300", authentication, "42", receiver, use_single_receiver=True)

    assert (await asyncio.to_thread(panel(authentication).ping, reference="1")).reference == "1"
    answer = await asyncio.to_thread(panel(authentication).send_alarm, event_code="PA", reference="2")
    assert (answer.status, answer.info) == (0, "OK")
    await until(lambda: ("H010", "sos") in incidents(house))
    with pytest.raises(NotAuthorized):
        await asyncio.to_thread(panel("0" * 15).send_alarm, event_code="PA", reference="3")
