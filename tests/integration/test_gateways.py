"""Gateways, from their publish to the durable record: each lane keeps its half, and nothing is lost or taken twice."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingest.bridge import ALARM, TELEMETRY, Bridge, House
from ingest.floods import BURST_MESSAGES, ROUNDS_BEHIND
from ingest.heard import STRANGERS_MAX, LastHeard
from ingest.rows import Row, row_of
from pingan.database import Database
from pingan.local.mosquitto import sign_in
from pingan.log import PARTITIONS
from pingan.messages import Event, Reading, Tick, partition_of
from tests.conftest import Broker, Until
from tests.integration.ingest_support import (
    Wire,
    admit_devices,
    entries,
    fetch,
    fill_register,
    messages,
    running,
    settings,
)
from tests.integration.test_ingest_bridge import log_locked, waits_for_the_log

AT = datetime(2026, 3, 1, 8, tzinfo=UTC)


@pytest.fixture
async def world(database: Database, broker: Broker) -> None:
    """`H001-hub` is a family's own gateway, `stranger` one that nobody has registered; `spare-hub` serves many."""
    await fill_register(database)
    async with database.transaction() as connection:
        await connection.execute(
            "insert into devices (id, home, kind, enrolled_at, gateway, address, enabled) values"
            " ('W-button', 'H001', 'button', '2026-01-01Z', 'H001-hub', '客厅/按钮', true),"
            " ('W-smoke', 'H002', 'smoke', '2026-01-01Z', 'H001-hub', '0x00158d0001', true),"
            " ('W-old', 'H002', 'button', '2026-01-01Z', 'H001-hub', 'old', false),"
            " ('W-spare', null, 'button', '2026-01-01Z', 'H001-hub', 'spare', true)"
        )
    admit_devices(broker)


@pytest.fixture
async def alarm_lane(world: None, broker: Broker, postgres_url: str, until: Until) -> AsyncIterator[House]:
    async with running(House(settings(broker, postgres_url, ALARM, "alarm-1"), ALARM)) as house:
        await until(lambda: house.state.ready and not house.state.describe()["detail"])
        yield house


@pytest.fixture
async def telemetry_lane(world: None, broker: Broker, postgres_url: str, until: Until) -> AsyncIterator[House]:
    async with running(House(settings(broker, postgres_url, TELEMETRY, "telemetry-1"), TELEMETRY)) as house:
        await until(lambda: house.state.ready and not house.state.describe()["detail"])
        yield house


class Gateway(Wire):
    async def tell(self, name: str, said: Any, *, retain: bool = False, family: str = "zigbee2mqtt") -> None:
        """As zigbee2mqtt does it; returns when the broker has it."""
        payload = said if isinstance(said, bytes) else json.dumps(said).encode()
        future = self.connection.publish(f"gw/{self.device}/{family}/{name}", payload, retain=retain)
        assert future is not None
        async with asyncio.timeout(60):
            await future


@pytest.fixture
async def hub(world: None, broker: Broker) -> AsyncIterator[Gateway]:
    async with Gateway(broker, "H001-hub") as gateway:
        yield gateway


async def counts(database: Database) -> dict[str, int]:
    return {row["reason"]: row["count"] for row in await fetch(database, "select reason, count from rejected_counts")}


async def events(database: Database) -> list[Event]:
    """Each once: what is repeated before it is durable is handed on again, the same, and is one alarm."""
    found = {(event.device, event.id): event for event in await messages(database, "urgent", Event)}
    return sorted(found.values(), key=lambda event: event.received_ms)


async def test_whoever_presses_behind_a_gateway_is_known_by_the_register_or_rings_all_the_same(
    alarm_lane: House, hub: Gateway, broker: Broker, database: Database, until: Until
) -> None:
    await hub.tell("客厅/按钮", {"action": "emergency", "battery": 80})
    await hub.tell("0x00158d0001", {"smoke": True})
    await hub.tell("never registered", {"action": "sos"})
    await hub.tell("spare", {"action": "sos"})
    await hub.tell("old", {"action": "sos"})
    async with Gateway(broker, "stranger") as stranger:
        await stranger.tell("button", {"action": "panic"})

    async def all_there() -> bool:
        return len(await events(database)) == 6

    await until(all_there)
    found = {(event.device, event.home, event.kind, event.family, event.clock) for event in await events(database)}
    assert found == {
        ("W-button", "H001", "sos", "zigbee2mqtt", None),
        ("W-smoke", "H002", "smoke", "zigbee2mqtt", None),
        ("H001-hub/never registered", "H001", "sos", "zigbee2mqtt", None),
        ("W-spare", "H001", "sos", "zigbee2mqtt", None),
        ("W-old", "H002", "sos", "zigbee2mqtt", None),
        ("stranger/button", None, "sos", "zigbee2mqtt", None),
    }
    for partition, _, event in await entries(database, "urgent"):
        assert isinstance(event, Event)
        assert partition == partition_of(event.home, event.device)
    assert [event.battery_percent for event in await events(database) if event.device == "W-button"] == [80]
    assert await messages(database, "readings", Reading) == [], "readings are the other lane's"

    async def counted() -> bool:
        return await counts(database) == {"unknown_device": 2, "disabled_device": 1}

    await until(counted)
    assert hub.heard == {}, "only a native device has a lamp"


async def test_the_register_s_changes_reach_whoever_is_behind_a_gateway(
    alarm_lane: House, hub: Gateway, database: Database, until: Until
) -> None:
    """Adopted, it is its home's from then on; a plain button's press is one when the register says button."""
    await hub.tell("plain", {"action": "single"})
    async with database.transaction() as connection:
        await connection.execute(
            "insert into devices (id, home, kind, enrolled_at, gateway, address)"
            " values ('W-plain', 'H002', 'button', '2026-01-01Z', 'H001-hub', 'plain')"
        )
    await until(lambda: alarm_lane.register.behind("H001-hub/plain"))
    await hub.tell("plain", {"action": "single"})

    async def there() -> bool:
        return [(event.device, event.home) for event in await events(database)] == [("W-plain", "H002")]

    await until(there)


async def test_what_holds_is_told_once_and_what_the_broker_kept_is_no_press(
    alarm_lane: House, telemetry_lane: House, hub: Gateway, broker: Broker, database: Database, until: Until
) -> None:
    async def told(*kinds: str) -> bool:
        return Counter(event.kind for event in await events(database)) == Counter(kinds)

    for smoke in (True, True, True):
        await hub.tell("0x00158d0001", {"smoke": smoke})
    await until(lambda: told("smoke"))
    for smoke in (False, True, True):
        await hub.tell("0x00158d0001", {"smoke": smoke})
    await until(lambda: told("smoke", "smoke"))
    await hub.tell("客厅/按钮", {"action": "sos"}, retain=True)
    await until(lambda: told("smoke", "smoke", "sos"))

    async def heard() -> list[tuple[str, Any]]:
        found = [message for _, _, message in await entries(database, "readings") if isinstance(message, Reading)]
        return sorted((one.kind, one.value) for one in found)

    holds = [("smoke", value) for value in (False, True, True, True, True, True)]

    async def all_heard() -> bool:
        return await heard() == [("button", "sos"), *holds]

    await until(all_heard)
    # Whoever subscribes anew is told what was left with the broker: the press of a while ago, and its reading.
    for client in ("ingest-alarm", "ingest-alarm-gateways", "ingest-telemetry"):
        user = client.removesuffix("-gateways")
        assert sign_in(broker.port, user, broker.password(user), 10, client=client) == 0  # it takes their place

    async def counted() -> bool:
        return (await counts(database)).get("retained_alarm", 0) >= 1

    await until(counted)
    await hub.tell("客厅/按钮", {"action": "sos"})

    await until(lambda: told("smoke", "smoke", "sos", "sos"))

    async def heard_again() -> bool:
        return await heard() == [("button", "sos"), ("button", "sos"), *holds]

    await until(heard_again)


async def test_nothing_of_a_gateway_is_acknowledged_before_the_append(
    world: None, hub: Gateway, broker: Broker, postgres_url: str, database: Database, until: Until
) -> None:
    """The lane that dies in its append leaves the press with the broker, for the next one; and smoke that was repeated
    meanwhile is not taken for told.
    """
    async with running(House(settings(broker, postgres_url, ALARM, "alarm-1"), ALARM)) as house:
        await until(lambda: house.state.ready and not house.state.describe()["detail"])
        with log_locked(postgres_url):
            for said in ({"smoke": True}, {"smoke": True}):
                await hub.tell("0x00158d0001", said)
            await hub.tell("客厅/按钮", {"action": "sos"})
            await until(lambda: waits_for_the_log(database))
            assert await events(database) == []
            await house.database.close()  # it dies before the log is free
    async with running(House(settings(broker, postgres_url, ALARM, "alarm-1"), ALARM)):

        async def there() -> bool:
            return {event.kind for event in await events(database)} == {"smoke", "sos"}

        await until(there)


async def test_a_press_at_qos_0_waits_for_a_lane_that_connects_anew(
    world: None, hub: Gateway, broker: Broker, postgres_url: str, database: Database, until: Until
) -> None:
    async with running(House(settings(broker, postgres_url, ALARM, "alarm-1"), ALARM)) as house:
        await until(lambda: house.state.ready and not house.state.describe()["detail"])
    hub.connection._client.publish("gw/H001-hub/zigbee2mqtt/客厅/按钮", b'{"action":"sos"}', qos=0)
    await hub.tell("客厅/按钮", {"temperature": 20})  # behind it
    async with running(House(settings(broker, postgres_url, ALARM, "alarm-1"), ALARM)):
        await until(lambda: events(database))


async def test_on_the_driven_clock_gateways_are_heard_too_and_no_second_limits_them(
    world: None, hub: Gateway, broker: Broker, postgres_url: str, database: Database, until: Until
) -> None:
    lanes = [House(settings(broker, postgres_url, lane, f"{lane}-1", "driven"), lane) for lane in (ALARM, TELEMETRY)]
    async with running(lanes[0]), running(lanes[1]):
        await until(lambda: all(one.state.ready and not one.state.describe()["detail"] for one in lanes))
        for _ in range(2):  # at the same time of day, and two all the same
            await hub.tell("客厅/按钮", {"action": "sos"})
        more = BURST_MESSAGES + 100
        await asyncio.gather(*(hub.tell("门", {"temperature": 20}) for _ in range(more)))

        async def all_there() -> bool:
            taken = {(one.device, one.seq) for one in await messages(database, "readings", Reading)}
            pressed = [event.device for event in await events(database)]
            return pressed == ["W-button", "W-button"] and len(taken) == more + 2

        await until(all_there)


async def test_after_the_driven_clock_no_gateway_stands_before_a_native_press(
    world: None, hub: Gateway, broker: Broker, postgres_url: str, database: Database, until: Until
) -> None:
    """There one connection hears both, and its session lasts: what came twice would be acknowledged on another."""
    async with running(House(settings(broker, postgres_url, ALARM, "alarm-1", "driven"), ALARM)) as house:
        await until(lambda: house.state.ready and not house.state.describe()["detail"])
    async with running(House(settings(broker, postgres_url, ALARM, "alarm-1"), ALARM)) as house:
        await until(lambda: house.state.ready and not house.state.describe()["detail"])
        await hub.tell("客厅/按钮", {"action": "sos"})
        async with Wire(broker, "H001-button") as button:  # behind it, on the line of native presses
            await button.say("alarm", b'{"id":"1","kind":"sos"}')
            await until(lambda: button.answers)
        await until(lambda: house.received.count == 2)


async def test_an_uplink_by_a_clock_forty_years_off_rings_now_and_is_counted(
    alarm_lane: House, telemetry_lane: House, hub: Gateway, database: Database, until: Until
) -> None:
    uplink = {"time": "1986-03-01T08:00:00Z", "object": {"sosFlag": 1}, "fCnt": 1, "deduplicationId": "d-1"}
    await hub.tell("application/1/device/24e124535b316056/event/up", uplink, family="chirpstack")

    async def counted() -> bool:
        return (await counts(database)).get("absurd_clock") == 2  # each lane what it takes

    await until(counted)
    (event,) = await events(database)
    assert (event.clock, event.at_ms, event.home) == ("absurd", event.received_ms, "H001")


async def test_what_cannot_be_understood_is_counted_once_and_kept(
    alarm_lane: House, telemetry_lane: House, hub: Gateway, database: Database, until: Until
) -> None:
    await hub.tell("a", b"{")
    await hub.tell("b", b"\xff\xfe")
    await hub.tell("c", {"x": 1}, family="homegrown")
    await hub.tell("客厅/按钮", {"action": "sos", "battery": "many"})
    await hub.tell("bridge/info", {"version": "2.1.0"})
    await hub.tell("客厅/按钮", {"temperature": 20.5})

    async def counted() -> bool:
        return await counts(database) == {"not_json": 1, "not_utf8": 1, "unknown_family": 1, "field_left_out": 1}

    await until(counted)
    kept = await fetch(database, "select * from rejected order by id")
    assert {row["device"] for row in kept} == {"H001-hub"}
    assert {row["topic"] for row in kept} >= {"gw/H001-hub/homegrown/c", "gw/H001-hub/zigbee2mqtt/a"}
    assert [event.kind for event in await events(database)] == ["sos"]

    async def taken() -> bool:
        found = await messages(database, "readings", Reading)
        return [(one.device, one.home) for one in found if one.kind == "temperature"] == [("W-button", "H001")]

    await until(taken)


async def test_a_gateway_that_floods_is_limited_and_its_alarms_never_are(
    alarm_lane: House, telemetry_lane: House, hub: Gateway, broker: Broker, database: Database, until: Until
) -> None:
    async def listening() -> bool:
        return len(await messages(database, "readings", Tick)) >= 3 * PARTITIONS

    await until(listening)
    flood = 3 * BURST_MESSAGES
    said = [hub.tell("客厅/按钮", {"temperature": 20 + number % 10}) for number in range(flood)]
    said.insert(flood - 10, hub.tell("客厅/按钮", {"action": "sos"}))
    await asyncio.gather(*said)
    async with Gateway(broker, "H002-hub") as other:
        await other.tell("door", {"contact": False})

    async def settled() -> bool:
        shed = (await counts(database)).get("flood", 0)
        found = await messages(database, "readings", Reading)
        doors = [one for one in found if one.home == "H002"]
        return bool(doors) and shed >= BURST_MESSAGES and shed + len(found) - len(doors) >= flood

    await until(settled)
    assert [(event.device, event.kind) for event in await events(database)] == [("W-button", "sos")]
    taken = [(one.device, one.seq) for one in await messages(database, "readings", Reading)]
    assert len(set(taken)) == len(taken), "many came in one millisecond, and each is one"
    kept = await fetch(database, "select * from rejected where reason = 'flood'")
    assert 1 <= len(kept) <= 20, "some of them, not all"


async def test_a_flood_that_fills_the_lane_is_limited_all_the_same(broker: Broker, postgres_url: str) -> None:
    """What waited while nothing could be appended is none; more than can be appended is."""
    bridge = Bridge(house := House(settings(broker, postgres_url, TELEMETRY, "telemetry-1"), TELEMETRY), 1)
    (line,) = bridge._lines

    def limited() -> bool:
        before = house.rejections.total["flood"]
        for _ in range(BURST_MESSAGES + 1_000):
            bridge.heard("gw/H001-hub/zigbee2mqtt/x", b'{"temperature":20}', 0, False)
        return house.rejections.total["flood"] > before

    assert not limited(), "the first may have waited for us"
    for _ in range(ROUNDS_BEHIND):
        bridge._floods.probe_came_back()
    assert limited()
    bridge.flow(line, False)
    bridge.flow(line, True)
    assert limited()
    bridge.say("log", line.name, "cannot append to the log")
    bridge.say("log", line.name, None)
    assert not limited()


def row(device: str, kind: str = "temperature", *, seconds: float = 0, value: Any = 20.0) -> Row:
    at_ms = int((AT + timedelta(seconds=seconds)).timestamp() * 1000)
    made = row_of(Reading(device=device, boot="", seq=1, at_ms=0, received_ms=at_ms, kind=kind, value=value))
    assert made is not None
    return made


async def test_what_was_heard_of_each_device_is_kept(database: Database) -> None:
    heard = LastHeard(database)
    heard.note(row("W-button", seconds=1))
    heard.note(row("W-button", "status", seconds=2, value={"battery_percent": 70, "rssi_dbm": -60, "firmware": "1.2"}))
    heard.note(row("W-button", "status", seconds=2, value={"config": 3}))
    heard.note(row("W-button", "availability", seconds=9, value=False))
    await heard.write()
    heard.note(
        row("W-button", "status", seconds=1.5, value={"battery_percent": 69, "rssi_dbm": "weak", "config": True})
    )
    heard.note(row("H001-hub/x", "motion", seconds=5, value=True))
    await heard.write()
    await heard.write()
    assert await fetch(database, "select * from device_heard order by device") == [
        {
            "device": "H001-hub/x",
            "first_at": AT + timedelta(seconds=5),
            "last_at": AT + timedelta(seconds=5),
            "messages": 1,
            "last_kind": "motion",
            "battery_percent": None,
            "rssi_dbm": None,
            "firmware": None,
            "config": None,
        },
        {
            "device": "W-button",
            "first_at": AT + timedelta(seconds=1),
            "last_at": AT + timedelta(seconds=2),
            "messages": 4,
            "last_kind": "status",
            "battery_percent": 69.0,
            "rssi_dbm": -60.0,
            "firmware": "1.2",
            "config": 3,
        },
    ]


async def test_a_gateway_may_invent_names_without_end(database: Database) -> None:
    heard = LastHeard(database)
    for part in range(3):
        for number in range(STRANGERS_MAX):
            heard.note(row(f"mad/{part}-{number:05}"))
        heard.note(row("mad/0-00000"))
        heard.note(row(f"well/{part}"))
        heard.note(row(f"registered-{part}"))
        await heard.write()
    found = await fetch(database, "select split_part(device, '/', 1) gateway, count(*) from device_heard group by 1")
    assert {one["gateway"]: one["count"] for one in found} == {
        "mad": STRANGERS_MAX,
        "well": 3,
        "registered-0": 1,
        "registered-1": 1,
        "registered-2": 1,
    }
    (first,) = await fetch(database, "select messages from device_heard where device = 'mad/0-00000'")
    assert first["messages"] == 4, "whoever is known goes on being heard"


async def test_while_the_database_is_away_what_was_heard_waits(database: Database, postgres_url: str) -> None:
    away = Database(postgres_url, connections=1, application="away")
    heard = LastHeard(away)
    heard.note(row("a", seconds=1))
    await heard.write()  # not open yet
    heard.note(row("a", "status", seconds=2, value={"battery_percent": 5}))
    await away.open()
    await away.wait()
    await heard.write()
    await away.close()
    (found,) = await fetch(database, "select * from device_heard")
    assert (found["messages"], found["first_at"], found["battery_percent"]) == (2, AT + timedelta(seconds=1), 5.0)
