"""What falls silent together is one incident with rows: held, grouped, joined later, and given back."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5
from zoneinfo import ZoneInfo

import msgspec
import pytest
from psycopg.types.json import Jsonb

from dispatch import incident as core
from dispatch import measuring, views
from dispatch.desk import Desk
from dispatch.figures import Period, people, waiting
from dispatch.grouping import CAUSES, HOLD_SECONDS
from dispatch.incident import Incident
from dispatch.service import losses
from pingan import metrics
from pingan.clock import DrivenClock
from pingan.database import Bell, Database
from pingan.tasks import end
from tests.conftest import Until

CHINA = ZoneInfo("Asia/Shanghai")
HOMES = 40
"""In each of two villages."""

REGISTER = f"""
insert into areas values ('44', '江门市', 'city', null), ('4401', '蓬江区', 'district', '44'),
    ('440101', '棠下镇', 'town', '4401'), ('44010101', '东村', 'village', '440101'),
    ('44010102', '西村', 'village', '440101'), ('4402', '江海区', 'district', '44');
insert into homes (id, area, address) select 'E' || n, '44010101', '东' || n from generate_series(1, {HOMES}) n;
insert into homes (id, area, address) select 'W' || n, '44010102', '西' || n from generate_series(1, {HOMES}) n;
insert into homes (id, area, address) values ('far', '4402', '江海路');
insert into people (id, home, name) values ('P1', 'E1', '陈秀英');
insert into devices (id, home, kind, model, enrolled_at)
    select id || '-hub', id, 'hub', case when id = 'far' then 'old' else 'new' end, '2026-01-01Z' from homes;
insert into devices (id, home, kind, gateway, address, enrolled_at)
    select 'W1-sensor' || n, 'W1', 'motion', 'W1-hub', 's' || n, '2026-01-01Z' from generate_series(1, 3) n;
"""


class Desks:
    """A desk of dispatch, whose loops the test itself turns."""

    def __init__(self, database: Database, clock: DrivenClock) -> None:
        self.database, self.clock = database, clock
        self.desk = Desk(database, clock)

    async def furnish(self) -> None:
        async with self.database.connection() as connection:
            await connection.execute(REGISTER)

    def alarm_id(self, device: str, kind: str, episode: int = 1) -> UUID:
        return uuid5(NAMESPACE_OID, f"{device} {kind} {episode}")

    async def lost(
        self, devices: Sequence[str], kind: str = "heartbeat_lost", silent: float = 270, episode: int = 1
    ) -> None:
        await self._raise(devices, kind, episode, {"value": silent, "unit": "seconds"})

    async def back(self, devices: Sequence[str], of: str = "heartbeat_lost", episode: int = 1) -> None:
        kind = {"heartbeat_lost": "device_restored", "tamper": "tamper_restored"}.get(of, "battery_restored")
        for device in devices:
            await self._raise([device], kind, episode, {"restores": str(self.alarm_id(device, of, episode))})

    async def _raise(self, devices: Sequence[str], kind: str, episode: int, evidence: dict[str, Any]) -> None:
        now = self.clock.now()
        async with self.database.connection() as connection, connection.cursor() as cursor:
            await cursor.executemany(
                "insert into alarms (id, kind, home, device, at, received_at, raised_at, test, evidence)"
                " values (%s, %s, %s, %s, %s, %s, %s, false, %s)",
                [
                    (
                        self.alarm_id(device, kind, episode), kind, device.partition("-")[0], device, now, now, now,
                        Jsonb(evidence),
                    )
                    for device in devices
                ],
            )  # fmt: skip

    def after(self, seconds: float) -> None:
        self.clock.advance(self.clock.now_ms() + round(seconds * 1000))

    async def waits(self) -> Any:
        """Whether anybody waits for what another transaction holds."""
        return await self.scalar("select count(*) from pg_locks where not granted")

    async def settle(self) -> None:
        """Everything that can be done now is done."""
        while await self.desk.take_losses() or await self.desk.take_alarms():
            pass

    async def board(self, area: str | None = None) -> list[dict[str, Any]]:
        async with self.database.connection() as connection:
            return await views.board(connection, area)

    async def one(self, number: int, area: str | None = None) -> dict[str, Any]:
        async with self.database.connection() as connection:
            found = await views.incident(connection, number, self.clock.now(), area)
        assert found is not None
        return found

    async def scalar(self, query: str) -> Any:
        async with self.database.connection() as connection:
            row = await (await connection.execute(query)).fetchone()
        assert row is not None
        return next(iter(row.values()))


@pytest.fixture
async def desks(database: Database, driven: DrivenClock) -> Desks:
    desks = Desks(database, driven)
    await desks.furnish()
    return desks


def closed_by_itself() -> float:
    labels = {"cause": "technical", "outcome": "restored"}
    samples = [sample for metric in metrics.CLOSED.collect() for sample in metric.samples]
    return sum(sample.value for sample in samples if sample.name.endswith("_total") and sample.labels == labels)


def hubs(village: str, count: int = HOMES) -> list[str]:
    return [f"{village}{number}-hub" for number in range(1, count + 1)]


async def test_a_power_cut_of_a_village_is_one_incident_and_who_is_alone_elsewhere_has_their_own(desks: Desks) -> None:
    await desks.lost([*hubs("E"), "far-hub"])
    await desks.settle()
    assert await desks.board() == [], "held"
    desks.after(HOLD_SECONDS)
    await desks.settle()
    group, alone = sorted(await desks.board(), key=lambda row: row["home"] is not None)
    assert (group["cause"], group["danger"], group["home"], group["area_name"]) == (
        "heartbeat_lost",
        False,
        None,
        "东村",
    )
    assert (group["group"]["by"], group["group"]["of"], group["group"]["devices"]) == ("area", "44010101", HOMES)
    assert (alone["home"], alone["group"], alone["ringing"]) == ("far", None, True)
    shown = await desks.one(group["id"])
    assert len(shown["rows"]) == HOMES
    assert {row["restored_at"] for row in shown["rows"]} == {None}
    assert await desks.scalar("select count(*) from alarms where incident is null") == 0
    assert [entry["decision"] for entry in shown["journal"]] == ["opened"], "one entry, not one a device"


async def test_later_ones_join_and_ring_nobody_and_what_falls_silent_much_later_is_news(desks: Desks) -> None:
    await desks.lost(hubs("E", 20))
    desks.after(HOLD_SECONDS)
    await desks.settle()
    (group,) = await desks.board()
    await desks.desk.act(group["id"], core.Answer("op", "陈"))
    desks.after(600)
    await desks.lost(["E21-hub"], silent=540)
    await desks.settle()
    (joined,) = await desks.board()
    assert (joined["group"]["devices"], joined["ringing"]) == (21, False)
    desks.after(3600)
    await desks.lost(["E22-hub"])
    desks.after(HOLD_SECONDS)
    await desks.settle()
    assert sorted(row["home"] or "" for row in await desks.board()) == ["", "E22"]
    await desks.lost(hubs("E", 40)[30:])
    desks.after(HOLD_SECONDS)
    await desks.settle()
    again = next(row for row in await desks.board() if row["group"])
    assert (again["group"]["devices"], again["ringing"]) == (31, True), "many again: it rings again"


async def test_all_restore_by_themselves_and_the_incident_closes_by_itself(desks: Desks) -> None:
    await desks.lost([*hubs("E"), "far-hub"])
    desks.after(HOLD_SECONDS)
    await desks.settle()
    group = next(row for row in await desks.board() if row["group"])
    await desks.back(hubs("E")[:-1])
    await desks.settle()
    shown = await desks.one(group["id"])
    assert (shown["state"], shown["group"]["back"]) == ("waiting", HOMES - 1)
    assert sum(row["restored_at"] is None for row in shown["rows"]) == 1
    closed = closed_by_itself()
    await desks.back([*hubs("E")[-1:], "far-hub"])
    await desks.settle()
    assert await desks.board() == []
    shown = await desks.one(group["id"])
    assert (shown["state"], shown["closing"]["outcome"]) == ("closed", "restored")
    assert closed_by_itself() == closed + 2
    assert shown["journal"][-1]["decision"] == "restored_itself"
    assert shown["journal"][-1]["actor"] == hubs("E")[-1]
    assert shown["stamps"]["t3"]["absent"] == "closed_unanswered"


async def test_what_somebody_has_taken_is_told_and_left_to_them(desks: Desks) -> None:
    await desks.lost(["far-hub"])
    desks.after(HOLD_SECONDS)
    await desks.settle()
    (row,) = await desks.board()
    await desks.desk.act(row["id"], core.Answer("op", "陈"))
    await desks.back(["far-hub"])
    await desks.settle()
    (row,) = await desks.board()
    assert (row["state"], row["ringing"]) == ("answered", False)
    assert (await desks.one(row["id"]))["journal"][-1]["decision"] == "all_restored"


async def test_what_is_back_before_its_time_is_written_down_and_rings_nobody(desks: Desks) -> None:
    await desks.lost([*hubs("E", 8), "far-hub"])
    desks.after(30)
    await desks.back([*hubs("E", 8), "far-hub"])
    await desks.settle()
    desks.after(30)
    await desks.settle()
    assert await desks.board() == []
    assert await desks.scalar("select count(*) from incidents where state = 'closed'") == 2
    assert await desks.scalar("select count(*) from alarms where incident is null and kind = 'heartbeat_lost'") == 0


async def test_a_battery_that_was_changed_closes_its_incident_unless_something_else_is_wrong(desks: Desks) -> None:
    await desks.lost(["far-hub"], "battery_low")
    await desks.lost(["far-hub"], "tamper")
    await desks.settle()
    (row,) = await desks.board()
    await desks.back(["far-hub"], "battery_low")
    await desks.settle()
    assert [one["id"] for one in await desks.board()] == [row["id"]], "tampered with, still"
    await desks.back(["far-hub"], "tamper")
    await desks.settle()
    assert await desks.board() == []


async def test_a_hub_that_is_gone_takes_what_is_behind_it_along(desks: Desks) -> None:
    await desks.lost(["W1-sensor1", "W1-hub", "W1-sensor2"])
    desks.after(HOLD_SECONDS)
    await desks.settle()
    (group,) = await desks.board()
    assert (group["group"]["by"], group["group"]["of"], group["home"]) == ("gateway", "W1-hub", "W1")
    assert group["group"]["devices"] == 3


async def test_what_else_is_wrong_in_the_home_of_a_group_is_one_more_device_of_it(desks: Desks) -> None:
    await desks.lost(["W1-sensor1", "W1-hub"])
    desks.after(HOLD_SECONDS)
    await desks.settle()
    await desks.lost(["W1-button"], "battery_low")
    await desks.settle()
    await desks.back(["W1-sensor1", "W1-hub"])
    await desks.settle()
    (group,) = await desks.board()
    assert (group["group"]["devices"], group["group"]["back"]) == (3, 2)
    await desks.back(["W1-button"], "battery_low")
    await desks.settle()
    assert await desks.board() == []


async def test_a_group_is_counted_in_its_area(desks: Desks) -> None:
    await desks.lost(hubs("E"))
    desks.after(HOLD_SECONDS)
    await desks.settle()
    today = desks.clock.now().astimezone(CHINA).date()
    async with desks.database.connection() as connection:
        for area, expected in (("440101", 1), ("4402", 0)):
            found = await people(connection, Period(today, today, CHINA), desks.clock.now(), None, area)
            assert found["technical"] == expected


async def test_a_power_cut_is_one_incident_whether_its_devices_say_so_or_fall_silent(desks: Desks) -> None:
    await desks.lost(hubs("E", 10), "mains_lost")
    desks.after(HOLD_SECONDS)
    await desks.settle()
    desks.after(210)
    await desks.lost(hubs("E", 20), silent=270)
    await desks.settle()
    (group,) = await desks.board()
    assert (group["cause"], group["group"]["devices"]) == ("mains_lost", 20)


async def test_a_press_is_never_held_and_passes_every_row(desks: Desks) -> None:
    await desks.lost(hubs("E"))
    await desks.lost(["E1-button"], "sos")
    assert await desks.desk.take_alarms()
    (danger,) = await desks.board()
    assert (danger["cause"], danger["home"]) == ("sos", "E1")
    desks.after(HOLD_SECONDS)
    await desks.settle()
    assert [row["cause"] for row in await desks.board()] == ["sos", "heartbeat_lost"]
    await desks.lost(["E1-button"], "sos", episode=2)
    await desks.settle()
    danger, group = await desks.board()
    assert (danger["raised"], group["group"]["devices"]) == (2, HOMES), "and joins its own home's danger"


async def test_desks_that_group_side_by_side_make_one_incident(desks: Desks) -> None:
    await desks.lost([*hubs("E"), *hubs("W")])
    desks.after(HOLD_SECONDS)

    async def drain(desk: Desk) -> None:
        while await desk.take_losses() or await desk.take_alarms():
            pass

    await asyncio.gather(*(drain(Desk(desks.database, desks.clock)) for _ in range(4)))
    (group,) = await desks.board()
    assert (group["group"]["of"], group["group"]["devices"]) == ("440101", 2 * HOMES), "two villages are their town"


async def test_what_is_held_is_not_late_and_what_was_let_go_is(desks: Desks) -> None:
    async def said() -> tuple[float, int]:
        await measuring.look(desks.database, desks.clock)
        async with desks.database.connection() as connection:
            found = await waiting(connection, desks.clock.now())
        (sample,) = next(iter(metrics.ALARMS_WAITING.collect())).samples
        return sample.value, found["alarms_waiting"]

    await desks.lost(["far-hub"])
    assert await said() == (0, 0)
    desks.after(HOLD_SECONDS)
    assert await said() == (1, 1)
    await desks.desk.take_losses()
    assert await said() == (1, 1)
    await desks.settle()
    assert await said() == (0, 0)


async def test_a_clock_that_was_put_back_holds_nothing_for_an_hour(desks: Desks) -> None:
    await desks.lost(["far-hub"])
    async with desks.database.connection() as connection:
        await connection.execute("update alarms set raised_at = raised_at + interval '1 hour'")
    await desks.settle()
    assert [row["home"] for row in await desks.board()] == ["far"]


async def test_the_database_holds_what_the_grouping_says(desks: Desks) -> None:
    now = desks.clock.now()
    parameters: dict[str, Any] = {"now": now}
    for seconds, expected in ((HOLD_SECONDS - 0.001, set(CAUSES)), (HOLD_SECONDS, set())):
        parameters["raised_at"] = now - timedelta(seconds=seconds)
        async with desks.database.connection() as connection:
            found = await connection.execute(
                "select kind from unnest(%(kinds)s::text[]) kind where held(kind, false, %(raised_at)s, %(now)s)",
                {**parameters, "kinds": [*CAUSES, "sos", "fall", "battery_low", "device_restored"]},
            )
            assert {row["kind"] async for row in found} == expected


async def test_whoever_sees_one_of_its_homes_sees_the_incident_and_only_their_own_rows(desks: Desks) -> None:
    await desks.lost([*hubs("E"), *hubs("W")])
    desks.after(HOLD_SECONDS)
    await desks.settle()
    (group,) = await desks.board("44010102")
    shown = await desks.one(group["id"], "44010102")
    assert {row["home"][0] for row in shown["rows"]} == {"W"}
    assert {alarm["device"][0] for alarm in shown["alarms"]} <= {"W"}
    assert await desks.board("4402") == []
    async with desks.database.connection() as connection:
        assert await views.incident(connection, group["id"], desks.clock.now(), "4402") is None
        assert not await views.visible(connection, group["id"], "4402")


async def test_what_joins_at_the_moment_in_which_all_else_is_well_again_is_not_closed_with_it(
    desks: Desks, until: Until
) -> None:
    await desks.lost(["far-hub"], "battery_low")
    await desks.settle()
    (row,) = await desks.board()
    await desks.lost(["far-hub"], "tamper")
    await desks.back(["far-hub"], "battery_low")
    async with desks.database.transaction() as connection:
        # Another desk has the incident, and takes what is new to it.
        await connection.execute("select from incidents where id = %s for update", (row["id"],))
        taken = "update alarms set incident = %s, taken_at = raised_at where kind = 'tamper'"
        await connection.execute(taken, (row["id"],))
        told = asyncio.create_task(desks.desk.take_alarms())
        await until(desks.waits)
    assert await told
    assert [one["id"] for one in await desks.board()] == [row["id"]], "tampered with, still"


async def test_what_would_join_a_group_that_is_closed_at_this_moment_is_not_closed_with_it(
    desks: Desks, until: Until
) -> None:
    await desks.lost(hubs("E", 20))
    desks.after(HOLD_SECONDS)
    await desks.settle()
    (group,) = await desks.board()
    await desks.lost(["E21-hub"])
    async with desks.database.transaction() as connection:
        query = "select body from incidents where id = %s for update"
        row = await (await connection.execute(query, (group["id"],))).fetchone()
        assert row is not None
        joins = asyncio.create_task(desks.desk.take_losses())
        await until(desks.waits)
        closing = core.Close("op", "陈", "technical", "restored", 1)
        now = desks.clock.now()
        closed = core.decide(msgspec.convert(row["body"], Incident), closing, (), now).incident
        await connection.execute(
            "update incidents set state = 'closed', wake_at = null, t9 = %s, body = %s where id = %s",
            (now, Jsonb(msgspec.to_builtins(closed)), group["id"]),
        )
    await joins
    desks.after(HOLD_SECONDS)
    await desks.settle()
    assert [one["home"] for one in await desks.board()] == ["E21"], "somebody is told of it"


async def test_devices_whose_home_has_left_the_register_are_grouped_and_hold_up_nobody(desks: Desks) -> None:
    async with desks.database.connection() as connection:
        await connection.execute("update devices set home = null where home = 'W1'")
        await connection.execute("delete from homes where id = 'W1'")
    await desks.lost(["W1-sensor1", "W1-sensor2", "far-hub"])
    desks.after(HOLD_SECONDS)
    await desks.settle()
    gone, far = sorted(await desks.board(), key=lambda row: row["home"] is not None)
    assert (gone["group"]["of"], gone["home"], far["home"]) == ("W1-hub", None, "far")


async def test_what_cannot_be_grouped_is_taken_home_by_home(desks: Desks, until: Until) -> None:
    await desks.lost(hubs("E", 20))
    desks.after(HOLD_SECONDS)
    await desks.settle()
    async with desks.database.connection() as connection:
        await connection.execute("update incidents set body = body - 'group'")
    await desks.lost(["far-hub"])
    desks.after(HOLD_SECONDS)
    bell = Bell()

    async def let_go() -> Any:
        bell.ring()
        return await desks.scalar("select count(*) from alarms where alone")

    grouping = asyncio.create_task(losses(desks.desk, bell))
    await until(let_go)
    await end([grouping])
    await desks.settle()
    assert "far" in [row["home"] for row in await desks.board()], "a group that cannot be read holds up nobody"


async def test_an_area_that_is_not_heard_is_one_incident_and_what_is_lost_there_joins_it(desks: Desks) -> None:
    deaf, over = uuid5(NAMESPACE_OID, "deaf"), uuid5(NAMESPACE_OID, "over")

    async def said(alarm: UUID, kind: str, evidence: dict[str, Any]) -> None:
        now = desks.clock.now()
        async with desks.database.connection() as connection:
            await connection.execute(
                "insert into alarms (id, kind, at, received_at, raised_at, test, evidence)"
                " values (%s, %s, %s, %s, %s, false, %s)",
                (alarm, kind, now, now, now, Jsonb(evidence)),
            )

    lack = {"rule": "area_deaf", "area": "440101", "homes": 2 * HOMES, "heard": 1, "usually": 71.5, "minutes": 30}
    await said(deaf, "cannot_hear", {**lack, "value": 0.014})
    await desks.settle()
    assert await desks.board() == [], "held, for what else may come of it"
    desks.after(HOLD_SECONDS)
    await desks.settle()
    [row] = await desks.board()
    assert (row["cause"], row["danger"], row["area_name"], row["home"]) == ("cannot_hear", False, "棠下镇", None)
    assert (row["group"]["of"], row["group"]["devices"], row["group"]["back"]) == ("440101", 2 * HOMES, 0)
    assert len(await desks.board("44010102")) == len(await desks.board("44")) == 1
    assert await desks.board("4402") == []
    shown = await desks.one(row["id"], "44010102")
    assert {one["home"][0] for one in shown["rows"]} == {"W"}, "each sees the homes that they may see alone"
    assert ({one["area_name"] for one in shown["rows"]}, shown["rows"][0]["restored_at"]) == ({"西村"}, None)
    await desks.lost(["E1-hub", "W1-hub"])
    await desks.settle()
    [row] = await desks.board()
    assert row["group"]["devices"] == 2
    await desks.back(["E1-hub", "W1-hub"])
    await desks.settle()
    assert len(await desks.board()) == 1, "the area is not heard again"
    await said(over, "hearing_restored", {"rule": "area_heard", "area": "440101", "restores": str(deaf)})
    await desks.settle()
    assert await desks.board() == [], "it ends by itself"
