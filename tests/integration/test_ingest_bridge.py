"""From a device's publish to the durable record and back, through a real broker and a real database."""

import asyncio
import contextlib
import json
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from device_sim.wire import protocol
from ingest.bridge import ALARM, TELEMETRY, House
from pingan.database import Database
from pingan.log import PARTITIONS
from pingan.messages import Event, HomeSettings, Reading, Tick, partition_of
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
    start_bridge,
)


@pytest.fixture
async def world(database: Database, broker: Broker) -> None:
    await fill_register(database)
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


@pytest.fixture
async def button(world: None, broker: Broker) -> AsyncIterator[Wire]:
    async with Wire(broker, "H001-button") as wire:
        yield wire


@pytest.fixture
async def hub(world: None, broker: Broker) -> AsyncIterator[Wire]:
    async with Wire(broker, "H001-hub") as wire:
        yield wire


def press(event_id: str, **more: Any) -> bytes:
    fields: dict[str, Any] = {"boot": "b1", "seq": 1, "at": datetime.now(UTC), "kind": "sos", "attempt": 1}
    return protocol.alarm(event_id=event_id, **(fields | more))


def reading(seq: int, kind: str = "motion", value: Any = True, **more: Any) -> bytes:
    fields: dict[str, Any] = {"boot": "b1", "at": datetime.now(UTC)} | more
    return protocol.reading(seq=seq, kind=kind, value=value, **fields)


async def test_a_press_is_recorded_and_then_acknowledged(
    alarm_lane: House, button: Wire, database: Database, until: Until
) -> None:
    await button.say("alarm", press("e1", battery_percent=80))
    await until(lambda: button.answers)
    (answer,) = button.answers
    assert (answer["id"], answer["stage"]) == ("e1", "received")
    assert abs(datetime.fromisoformat(answer["at"]) - datetime.now(UTC)) < timedelta(seconds=5)
    ((partition, _, event),) = await entries(database, "urgent")
    assert isinstance(event, Event)
    assert (event.id, event.kind, event.home, event.clock) == ("e1", "sos", "H001", None)
    assert partition == partition_of("H001", "H001-button")


@contextlib.contextmanager
def log_locked(url: str) -> Iterator[psycopg.Connection]:
    """Nobody can append, as on a machine whose disk has stopped."""
    with psycopg.connect(url) as connection:
        connection.execute("lock table log_heads in exclusive mode")
        yield connection


async def waits_for_the_log(database: Database) -> bool:
    rows = await fetch(database, "select 1 from pg_locks where relation = 'log_heads'::regclass and not granted")
    return bool(rows)


async def test_nothing_is_acknowledged_before_the_append(
    world: None, broker: Broker, postgres_url: str, button: Wire, database: Database, until: Until, tmp_path: Path
) -> None:
    """Neither to the device nor to the broker: a bridge killed in its append has lost nothing."""
    first = start_bridge(broker, postgres_url, ALARM, "alarm-1", tmp_path)
    try:
        await until(lambda: _state(tmp_path, "alarm-1") == ("ready", ""))
        with log_locked(postgres_url):
            await button.say("alarm", press("e1"))
            await until(lambda: waits_for_the_log(database))
            async with Wire(broker, "H002-button") as other:  # time enough for a wrong answer to arrive
                await other.say("alarm", b"{}")
            assert button.answers == []
            first.kill()
            first.wait(10)
    finally:
        first.kill()
        first.wait(10)
    # Had the broker been told, it would have nothing to give to the next one.
    await until(lambda: _no_other_appender(database))
    before = await messages(database, "urgent", Event)
    second = House(settings(broker, postgres_url, ALARM, "alarm-1"), ALARM)
    async with running(second):
        await until(lambda: [answer for answer in button.answers if answer.get("id") == "e1"])
        after = await messages(database, "urgent", Event)
    assert len(after) == len(before) + 1
    assert {event.id for event in after} == {"e1"}


async def _no_other_appender(database: Database) -> bool:
    return not await fetch(database, "select 1 from pg_stat_activity where application_name = 'alarm-1'")


def _state(data: Path, name: str) -> tuple[str, str] | None:
    try:
        state = json.loads((data / "run" / f"{name}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return state["state"], state["detail"]


async def test_the_same_event_gets_the_same_answer_and_a_new_press_is_a_new_event(
    alarm_lane: House, button: Wire, database: Database, until: Until
) -> None:
    for event_id in ("e1", "e1", "e2"):
        await button.say("alarm", press(event_id))
    await until(lambda: len(button.answers) == 3)
    assert [(answer["id"], answer["stage"]) for answer in button.answers] == [
        ("e1", "received"),
        ("e1", "received"),
        ("e2", "received"),
    ]


async def test_an_alarm_of_an_unknown_device_and_of_an_unknown_kind_is_taken_and_counted(
    alarm_lane: House, broker: Broker, database: Database, until: Until
) -> None:
    async with Wire(broker, "stranger") as stranger:
        await stranger.say("alarm", press("e1", kind="meteor"))
        await until(lambda: stranger.answers)
    (event,) = await messages(database, "urgent", Event)
    assert (event.device, event.home, event.kind) == ("stranger", None, "meteor")

    async def counted() -> bool:
        return await _counts(database) == {"unknown_device": 1, "unknown_kind": 1}

    await until(counted)


async def _counts(database: Database) -> dict[str, int]:
    return {row["reason"]: row["count"] for row in await fetch(database, "select reason, count from rejected_counts")}


async def test_what_is_malformed_is_answered_counted_and_kept_and_disturbs_nobody(
    alarm_lane: House, button: Wire, database: Database, until: Until
) -> None:
    for _ in range(8):
        await button.say("alarm", b'{"id":"e1","kind":"sos"' + b" " * 5_000)
    await button.say("alarm", b"\xff" * 20)
    await button.say("alarm", press("good"))
    await until(lambda: len(button.answers) == 10)
    assert [answer["id"] for answer in button.answers if answer.get("stage") == "received"] == ["good"]
    errors = [answer for answer in button.answers if "error" in answer]
    assert Counter((error["error"], error.get("id")) for error in errors) == {
        ("not_json", "e1"): 8,
        ("not_utf8", None): 1,
    }
    assert await _counts(database) == {"not_json": 8, "not_utf8": 1}
    kept = await fetch(database, "select * from rejected order by id")
    assert Counter(row["reason"] for row in kept) == {"not_json": 5, "not_utf8": 1}
    assert kept[0]["device"] == "H001-button"
    assert (len(kept[0]["payload"]), kept[0]["payload_bytes"]) == (4096, 5_023)


async def test_readings_and_heartbeats_are_recorded_in_their_order(
    telemetry_lane: House, hub: Wire, database: Database, until: Until
) -> None:
    for seq in range(1, 40):
        await hub.say("reading", reading(seq, sensor="kitchen_motion"))
    at = datetime.now(UTC)
    await hub.say("status", protocol.status(boot="b1", seq=40, at=at, battery_percent=50, mains=True, rssi_dbm=-60))
    await hub.say("reading", b"[" + reading(41) + b"," + reading(42) + b"]")

    async def all_there() -> bool:
        return len(await messages(database, "readings", Reading)) == 42

    await until(all_there)
    found = await messages(database, "readings", Reading)
    assert [one.seq for one in found] == list(range(1, 43))
    assert {one.home for one in found} == {"H001"}
    assert found[39].kind == "status"
    assert found[39].value["battery_percent"] == 50


async def test_an_absurd_time_is_clamped_and_a_late_reading_keeps_its_time(
    telemetry_lane: House, hub: Wire, database: Database, until: Until
) -> None:
    yesterday = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    await hub.say("reading", reading(1, at=datetime(1970, 1, 1, tzinfo=UTC)))
    await hub.say("reading", reading(2, at=yesterday))

    async def both() -> bool:
        return len(await messages(database, "readings", Reading)) == 2

    await until(both)
    absurd, late = await messages(database, "readings", Reading)
    assert (absurd.at_ms, absurd.clock, absurd.device_at_ms) == (absurd.received_ms, "absurd", 0)
    assert (late.at_ms, late.clock) == (int(yesterday.timestamp()) * 1000, None)

    async def counted() -> bool:
        return await _counts(database) == {"absurd_clock": 1}

    await until(counted)


async def test_a_press_by_a_clock_forty_years_off_rings_now_and_is_counted(
    alarm_lane: House, button: Wire, database: Database, until: Until
) -> None:
    for years in (-40, 40):
        await button.say("alarm", press(f"e{years}", at=datetime.now(UTC) + timedelta(days=365 * years)))
    await until(lambda: len(button.answers) == 2)
    assert {answer["stage"] for answer in button.answers} == {"received"}
    found = await messages(database, "urgent", Event)
    assert [(event.clock, event.at_ms == event.received_ms) for event in found] == [("absurd", True)] * 2

    async def counted() -> bool:
        return await _counts(database) == {"absurd_clock": 2}

    await until(counted)


async def test_ticks_come_from_the_lease_s_epoch_into_every_partition_behind_what_was_received(
    telemetry_lane: House, hub: Wire, database: Database, until: Until
) -> None:
    await hub.say("reading", reading(1))

    async def two_rounds() -> bool:
        return len(await messages(database, "readings", Tick)) >= 2 * PARTITIONS

    await until(two_rounds)
    found = await entries(database, "readings")
    ticks = [(partition, message) for partition, _, message in found if isinstance(message, Tick)]
    assert {partition for partition, _ in ticks} == set(range(PARTITIONS))
    assert {tick.epoch for _, tick in ticks} == {telemetry_lane.leases.held[0]}
    assert {tick.heard_ms for _, tick in ticks} == {0}  # the devices have not had time to come back
    of_home = [message for partition, _, message in found if partition == partition_of("H001", "")]
    heard_at = next(message.received_ms for message in of_home if isinstance(message, Reading))
    for index, message in enumerate(of_home):
        if isinstance(message, Tick) and message.at_ms > heard_at:
            assert any(isinstance(before, Reading) for before in of_home[:index])


async def test_the_register_s_changes_reach_detection_and_the_bridge(
    telemetry_lane: House, hub: Wire, database: Database, until: Until
) -> None:
    async def announced(count: int) -> bool:
        return len(await messages(database, "readings", HomeSettings)) == count

    await until(lambda: announced(2))
    first = {home.home: home for home in await messages(database, "readings", HomeSettings)}["H001"]
    assert [device.id for device in first.devices] == ["H001-button", "H001-hub"]
    async with database.transaction() as connection:
        await connection.execute(
            "insert into away (home, away_from, reason) values ('H001', '2026-05-01Z', 'hospital')"
        )
        await connection.execute("update devices set home = 'H002' where id = 'H001-hub'")
        await connection.execute("update homes set revision = revision + 1, inactivity_hours = 8 where id = 'H001'")
    await until(lambda: announced(3))
    (second,) = [one for one in await messages(database, "readings", HomeSettings) if one.revision == 2]
    assert (second.home, second.inactivity_hours) == ("H001", 8)
    assert [device.id for device in second.devices] == ["H001-button"]
    assert [(one.from_ms, one.until_ms) for one in second.away] == [(1_777_593_600_000, None)]

    async def noted() -> bool:
        return not await fetch(database, "select from homes where announced <> revision")

    await until(noted)
    seq = 0

    async def moved() -> bool:
        nonlocal seq
        seq += 1
        await hub.say("reading", reading(seq))
        return any(one.home == "H002" for one in await messages(database, "readings", Reading))

    await until(moved)


async def test_while_the_database_is_away_the_bridge_keeps_its_place_and_says_what_it_waits_for(
    alarm_lane: House, button: Wire, postgres_url: str, postgres: Any, database: Database, until: Until
) -> None:
    with psycopg.connect(postgres.superuser_dsn, autocommit=True) as admin:
        name = psycopg.conninfo.conninfo_to_dict(postgres_url)["dbname"]
        admin.execute(f"alter database {name} allow_connections false")
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))
        await button.say("alarm", press("e1"))
        await until(lambda: "cannot append" in alarm_lane.state.describe()["detail"])
        assert button.answers == []
        admin.execute(f"alter database {name} allow_connections true")
    await until(lambda: button.answers)
    await until(lambda: alarm_lane.state.ready)
    assert [event.id for event in await messages(database, "urgent", Event)] == ["e1"]


async def test_the_bridge_outlives_the_broker(
    alarm_lane: House, broker: Broker, button: Wire, database: Database, until: Until
) -> None:
    broker.process.terminate()
    broker.process.wait(10)
    await until(lambda: not alarm_lane.state.ready)
    broker.process = broker.mosquitto.start()
    try:
        await until(lambda: alarm_lane.state.ready and button.connection.connected.is_set())
        await button.say("alarm", press("e1"))
        await until(lambda: button.answers)
    finally:
        broker.process.terminate()
        broker.process.wait(10)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_the_standby_takes_over_and_whoever_wakes_does_no_harm(
    how: signal.Signals,
    world: None,
    broker: Broker,
    postgres_url: str,
    button: Wire,
    database: Database,
    until: Until,
    tmp_path: Path,
) -> None:
    bridges: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name in ("alarm-1", "alarm-2"):
            bridges[name] = start_bridge(broker, postgres_url, ALARM, name, tmp_path)
        await until(lambda: {_state(tmp_path, name) for name in bridges} == {("ready", ""), ("ready", "standby")})
        active = next(name for name in bridges if _state(tmp_path, name) == ("ready", ""))
        other = next(name for name in bridges if name != active)
        await button.say("alarm", press("before"))
        await until(lambda: button.answers)
        bridges[active].send_signal(how)
        await button.say("alarm", press("between"))
        await until(lambda: _state(tmp_path, other) == ("ready", ""))
        await until(lambda: {answer["id"] for answer in button.answers} == {"before", "between"})
        if how == signal.SIGSTOP:
            bridges[active].send_signal(signal.SIGCONT)
            await until(lambda: _state(tmp_path, active) == ("ready", "standby"))
        await button.say("alarm", press("after"))
        await until(lambda: "after" in {answer["id"] for answer in button.answers})
        assert _state(tmp_path, other) == ("ready", "")
    finally:
        for process in bridges.values():
            process.kill()
            process.wait(10)
    assert {event.id for event in await messages(database, "urgent", Event)} == {"before", "between", "after"}


async def test_a_wrong_clock_is_measured_by_heartbeats_and_the_alarm_lane_knows(
    world: None, alarm_lane: House, button: Wire, database: Database, until: Until
) -> None:
    """The measuring itself is in the unit tests; here: what one lane has saved the other goes by."""
    async with database.connection() as connection:
        await connection.execute("insert into device_clocks values ('H001-button', 86400000, '2026-01-01Z')")
        await connection.execute("notify device_clocks")
    await until(lambda: alarm_lane.clocks.offset_ms("H001-button"))
    await button.say("alarm", press("e1", at=datetime.now(UTC) - timedelta(days=1)))
    await until(lambda: button.answers)
    (event,) = await messages(database, "urgent", Event)
    assert event.clock == "corrected"
    assert abs(event.at_ms - event.received_ms) < 5_000
    assert event.device_at_ms is not None
    assert abs(event.device_at_ms + 86_400_000 - event.received_ms) < 5_000


async def test_one_stuck_button_starves_nobody(
    alarm_lane: House, button: Wire, broker: Broker, postgres_url: str, database: Database, until: Until
) -> None:
    """With a thousand presses of one home waiting, another home's press is in the very next append."""
    async with Wire(broker, "H002-button") as quiet:
        with log_locked(postgres_url):
            stuck = [asyncio.ensure_future(button.say("alarm", press(f"stuck-{n}"))) for n in range(1_000)]
            await asyncio.gather(*stuck)
            await until(lambda: waits_for_the_log(database))
            await quiet.say("alarm", press("quiet"))
            # The broker has given everything to the bridge when nothing is left to be sent: a probe comes behind it.
            await button.say("alarm", b"the last one")
            await until(lambda: alarm_lane.rejections.total["not_json"])
        await until(lambda: quiet.answers)
        await until(lambda: len(button.answers) == 1_001)
    batches = await fetch(
        database,
        "select partition, appended_at, count from log_batches where log = 'urgent' order by appended_at",
    )
    (own,) = [row for row in batches if row["partition"] == partition_of("H002", "")]
    behind = sum(row["count"] for row in batches if row["appended_at"] > own["appended_at"])
    assert behind >= 500
