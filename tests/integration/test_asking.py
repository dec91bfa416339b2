"""The resident is asked before anybody is rung; detection takes back; notes wait. With a real database and broker."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from psycopg.errors import DeadlockDetected
from psycopg.types.json import Jsonb

from device_sim.wire.button import Button
from dispatch import asking, views
from dispatch.configuring import Configuring
from dispatch.desk import Desk
from dispatch.incident import Answer
from dispatch.service import intake
from pingan.clock import DrivenClock, SystemClock, to_ms
from pingan.database import Bell, Database, Listener
from pingan.messages import derived_alarm_id, reported_alarm_id
from pingan.settings import Mqtt
from pingan.tasks import end
from tests.conftest import Broker, Until
from tests.integration.dispatch_support import REGISTER
from tests.integration.ingest_support import PASSWORD, admit_devices
from tests.integration.web_support import site

BUTTON = "H001-button"
MORE = """
insert into devices (id, home, kind, gateway, address, enabled, enrolled_at) values
    ('H001-hub', 'H001', 'hub', null, null, true, '2026-01-01Z'),
    ('H001-smoke', 'H001', 'smoke', null, null, true, '2026-01-01Z'),
    ('H001-off', 'H001', 'pendant', null, null, false, '2026-01-01Z'),
    ('H001-zigbee', 'H001', 'button', 'H001-hub', '0x01', true, '2026-01-01Z')
"""
EPISODE = "H001-hub/b1/7"
MINUTES = 300


class Room:
    """A desk, and what detection and the home bring to it, by hand."""

    def __init__(self, database: Database, clock: DrivenClock | SystemClock) -> None:
        self.database, self.clock = database, clock
        self.desk = Desk(database, clock)

    async def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        async with self.database.connection() as connection:
            cursor = await connection.execute(query, parameters)
            return await cursor.fetchall() if cursor.description else []

    async def insert(self, alarm: UUID, kind: str, device: str | None, evidence: dict[str, Any]) -> UUID:
        now = self.clock.now()
        await self.rows(
            "insert into alarms (id, kind, home, device, at, received_at, raised_at, test, evidence)"
            " values (%s, %s, 'H001', %s, %s, %s, %s, false, %s) on conflict do nothing",
            alarm, kind, device, now, now, now, Jsonb(evidence),
        )  # fmt: skip
        return alarm

    async def found(
        self, kind: str, rule: str, *, restores: str | None = None, follows: str | None = None, **evidence: Any
    ) -> UUID:
        """Detection finds something of the one episode, as the watch writes it."""
        named = {"restores": restores, "follows": follows}
        ids = {name: str(derived_alarm_id("H001", other, EPISODE)) for name, other in named.items() if other}
        alarm = derived_alarm_id("H001", rule, EPISODE)
        return await self.insert(alarm, kind, None, {"source": "derived", "rule": rule, **ids, **evidence})

    async def suspect(self, seconds: float = MINUTES) -> UUID:
        until = to_ms(self.clock.now() + timedelta(seconds=seconds))
        return await self.found("inactivity_suspected", "suspected", until_ms=until)

    async def confirm(self) -> UUID:
        return await self.found("inactivity", "silent", follows="suspected", threshold=3, value=3.1)

    async def withdraw(self, restores: str, reason: str = "room_movement") -> UUID:
        return await self.found("withdrawn", f"withdrawn/{restores}", restores=restores, reason=reason)

    async def press(self, kind: str, event: str = "e1") -> UUID:
        evidence = {"source": "reported", "event": event}
        return await self.insert(reported_alarm_id(BUTTON, event), kind, BUTTON, evidence)

    async def take(self) -> None:
        while await self.desk.take_alarms():
            pass

    async def asking(self) -> dict[str, Any]:
        async with self.database.connection() as connection:
            (one,) = await asking.of_home(connection, "H001")
        return one

    async def under_way(self, scope: str | None = None) -> list[dict[str, Any]]:
        async with self.database.connection() as connection:
            return await asking.under_way(connection, self.clock.now(), scope)

    async def incidents(self) -> list[dict[str, Any]]:
        async with self.database.connection() as connection:
            return await views.board(connection)

    async def incident(self, alarm: UUID) -> dict[str, Any]:
        (row,) = await self.rows("select incident from alarms where id = %s", alarm)
        async with self.database.connection() as connection:
            found = await views.incident(connection, row["incident"], self.clock.now())
        assert found is not None
        return found

    def later(self, seconds: float) -> None:
        assert isinstance(self.clock, DrivenClock)
        self.clock.advance(self.clock.now_ms() + round(seconds * 1000))


def told(incident: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["event"], one["decision"]) for one in incident["journal"]]


@pytest.fixture
async def room(database: Database, driven: DrivenClock) -> Room:
    async with database.connection() as connection:
        await connection.execute(REGISTER + MORE)
    return Room(database, driven)


async def test_a_suspicion_asks_the_devices_that_can_ask_and_rings_nobody(room: Room) -> None:
    suspicion = await room.suspect()
    await room.take()
    one = await room.asking()
    assert one["devices"] == [BUTTON, "H001-hub"], "neither what cannot ask, nor what is off or behind a gateway"
    assert (one["alarm"], one["not_asked"], one["ended_at"]) == (suspicion, None, None)
    assert one["until"] == room.clock.now() + timedelta(seconds=MINUTES)
    assert await room.incidents() == []
    (row,) = await room.rows("select taken_at, incident from alarms")
    assert (row["taken_at"], row["incident"]) == (room.clock.now(), None)
    assert [row["person"] for row in await room.under_way("44")] == ["陈秀英"]
    assert await room.under_way("45") == [], "nobody sees another area's"
    room.later(MINUTES)
    assert await room.under_way() == [], "its time is up"


async def test_a_fall_that_detection_confirms_is_not_merged_with_the_watchs_own_word(room: Room) -> None:
    """Both wait in one turn, of one device and of one kind. The second ends a question, and the first knows of none."""
    suspicion = await room.found(
        "fall_suspected", "blow", until_ms=to_ms(room.clock.now() + timedelta(seconds=MINUTES))
    )
    await room.take()
    await room.withdraw("fell", "motion")
    await room.take()
    await room.press("fall")
    room.later(1)
    confirmed = derived_alarm_id("H001", "fell", EPISODE)
    await room.insert(confirmed, "fall", BUTTON, {"source": "derived", "rule": "fell", "follows": str(suspicion)})
    await room.rows("update alarms set raised_at = %s where kind = 'withdrawn'", room.clock.now())
    await room.take()
    one = await room.asking()
    assert (one["reason"], one["danger"]) == ("confirmed", confirmed)
    events = [event for event, _ in told(await room.incident(confirmed))]
    assert events == ["opened", "raised", "resident_asked", "withdrawn"]


async def test_an_answer_is_recorded_ends_nothing_and_what_detection_takes_back_ends_it(room: Room) -> None:
    suspicion = await room.suspect()
    await room.take()
    room.later(20)
    await room.press("ok")
    await room.take()
    one = await room.asking()
    assert (one["answer"], one["answered_by"], one["answered_at"]) == ("ok", BUTTON, room.clock.now())
    assert one["ended_at"] is None, "only detection ends a suspicion"
    assert len(await room.under_way()) == 1
    room.later(1)
    await room.withdraw("suspected", "answered")
    await room.take()
    one = await room.asking()
    assert (one["ended_at"], one["reason"], one["danger"]) == (room.clock.now(), "answered", None)
    (row,) = await room.rows("select restored_at from alarms where id = %s", suspicion)
    assert row["restored_at"] == room.clock.now()
    assert await room.under_way() == []
    assert await room.incidents() == []


async def test_the_danger_that_follows_says_that_nobody_answered(room: Room) -> None:
    await room.suspect()
    await room.take()
    await room.rows("update askings set asked_at = %s", room.clock.now())
    room.later(MINUTES)
    danger = await room.confirm()
    await room.take()
    incident = await room.incident(danger)
    assert (incident["cause"], incident["ringing"], incident["withdrawn"]) == ("inactivity", True, None)
    assert told(incident) == [("opened", "opened"), ("resident_asked", "recorded")]
    detail = incident["journal"][1]["detail"]
    assert (detail["devices"], "answer" in detail, "not_asked" in detail) == (2, False, False)
    assert datetime.fromisoformat(detail["until"]) == room.clock.now()
    (one,) = incident["askings"]
    assert (one["reason"], one["danger"], one["answer"]) == ("confirmed", danger, None)
    room.later(20)
    await room.press("ok", "late")
    await room.take()
    assert (await room.asking())["answer"] == "ok", "an answer as the question ends is one"
    room.later(asking.ANSWER_LATE_SECONDS)
    await room.press("cancel", "later")
    await room.take()
    assert (await room.asking())["answer"] == "ok", "the first counts"
    incident = await room.incident(danger)
    assert told(incident)[2:] == [("resident_answered", "recorded")] * 2
    assert incident["state"] == "waiting", "an answer closes nothing"


async def test_what_is_taken_back_after_it_rang_is_told_and_closes_nothing(room: Room) -> None:
    await room.suspect()
    danger = await room.confirm()
    await room.take()
    before = await room.incident(danger)
    withdrawal = await room.withdraw("silent", "late_reading")
    await room.take()
    incident = await room.incident(danger)
    assert told(incident)[-1] == ("withdrawn", "withdrawn")
    assert incident["journal"][-1]["detail"] == {"kind": "inactivity", "reason": "late_reading"}
    assert (incident["withdrawn"], incident["ringing"], incident["wake_at"]) == (
        "late_reading",
        True,
        before["wake_at"],
    )
    assert incident["version"] > before["version"], "every screen looks again"
    (row,) = await room.rows("select incident from alarms where id = %s", withdrawal)
    assert row["incident"] == incident["id"]
    (row,) = await room.rows("select restored_at from alarms where id = %s", danger)
    assert row["restored_at"] == room.clock.now()
    await room.press("sos")
    await room.take()
    assert (await room.incident(danger))["withdrawn"] is None, "a press since is another matter"


async def test_a_withdrawal_of_the_suspicion_that_comes_after_the_danger_is_told_to_its_incident(room: Room) -> None:
    await room.suspect()
    danger = await room.confirm()
    await room.take()
    room.later(1)
    await room.withdraw("suspected", "room_movement")
    await room.take()
    incident = await room.incident(danger)
    assert (incident["withdrawn"], told(incident)[-1]) == ("room_movement", ("withdrawn", "withdrawn"))
    assert (await room.asking())["reason"] == "confirmed", "that it was confirmed stays"


@pytest.mark.parametrize("order", ["alarms first", "withdrawals first"])
async def test_the_order_in_which_waiting_alarms_are_taken_changes_nothing(room: Room, order: str) -> None:
    """Detection came back and brought an episode at once: its rows have one time, and any of them may be the first."""
    alarms = [await room.suspect(), await room.confirm()]
    withdrawal = await room.withdraw("silent", "got_up")
    first = [withdrawal, *alarms] if order == "withdrawals first" else [*alarms, withdrawal]
    for one in first:
        await room.desk._take_turn([one])
    assert await room.desk.take_alarms() == []
    incident = await room.incident(alarms[1])
    assert incident["withdrawn"] == "got_up"
    assert [event for event, _ in told(incident)].count("withdrawn") == 1, "it is said once"
    assert (await room.asking())["reason"] == "confirmed"


async def test_a_suspicion_that_was_taken_back_before_it_was_taken_asks_nobody(room: Room) -> None:
    withdrawal, suspicion = await room.withdraw("suspected", "moved_on"), await room.suspect()
    await room.desk._take_turn([withdrawal])
    await room.desk._take_turn([suspicion])
    one = await room.asking()
    assert (one["not_asked"], one["reason"], one["ended_at"]) == ("over_already", "moved_on", room.clock.now())


@pytest.mark.parametrize(
    ("evidence", "why"),
    [({"until_ms": 1_000}, "too_late"), ({}, "no_time_given"), ({"until_ms": 1e300}, "no_time_given")],
)
async def test_a_suspicion_that_nobody_can_be_asked_about_says_why(
    room: Room, evidence: dict[str, Any], why: str
) -> None:
    await room.found("fall_suspected", "suspected", **evidence)
    await room.take()
    assert (await room.asking())["not_asked"] == why
    danger = await room.found("fall", "fell", follows="suspected")
    await room.take()
    incident = await room.incident(danger)
    assert incident["ringing"]
    assert incident["journal"][1]["detail"]["not_asked"] == why


async def test_a_home_without_a_device_that_can_ask_is_said_to_be_so(room: Room) -> None:
    await room.rows("update devices set kind = 'motion' where home = 'H001'")
    await room.suspect()
    await room.take()
    one = await room.asking()
    assert (one["not_asked"], one["devices"]) == ("no_device", [])


@pytest.mark.parametrize("kind", ["fall_suspected", "withdrawn", "routine_drift"])
async def test_only_detection_may_be_quiet_from_a_device_every_kind_rings(room: Room, kind: str) -> None:
    alarm = await room.press(kind)
    await room.take()
    assert (await room.incident(alarm))["ringing"]


async def test_notes_wait_for_the_visit_until_a_named_person_takes_note(room: Room) -> None:
    note = await room.found("routine_drift", "drift", value=1.4, unit="hours later up than usual")
    await room.take()
    assert await room.incidents() == []
    async with room.database.connection() as connection:
        (one,) = await asking.notes(connection, home="H001")
        assert (one["id"], one["person"], one["evidence"]["value"]) == (note, "陈秀英", 1.4)
        assert await asking.notes(connection, "45") == []
        assert await asking.acknowledge(connection, note, "王芳", room.clock.now(), "45") is None
        assert await asking.acknowledge(connection, note, "王芳", room.clock.now()) == "H001"
        assert await asking.acknowledge(connection, note, "林志强", room.clock.now())
        assert await asking.notes(connection) == []
        (one,) = await asking.notes(connection, every=True)
    assert one["acknowledged_by"] == "王芳", "whoever was first stays named"


async def test_a_danger_never_waits_behind_what_rings_nobody(room: Room) -> None:
    await room.suspect()
    copy = "insert into alarms (id, kind, home, at, received_at, raised_at, test, evidence)"
    same = "select gen_random_uuid(), kind, %s, at, received_at, raised_at, false, evidence from alarms"
    await room.rows(f"{copy} {same}", "H002")
    room.later(5)
    press = await room.press("sos", "after them")
    await room.rows("update alarms set home = 'H003' where id = %s", press)
    assert (await room.desk.take_alarms())[0] == "H003"


async def test_askings_and_notes_by_api_and_on_the_pages(room: Room, postgres_url: str) -> None:
    note = await room.found("routine_drift", "drift", measure="rising", was=6.5, value=8.75, unit="o'clock")
    room.clock.advance(to_ms(SystemClock().now()))  # type: ignore[union-attr]
    suspicion = await room.suspect()
    await room.take()
    async with site(postgres_url) as one:
        async with await one.machine("operator") as client:
            (asked,) = (await client.get("/api/v1/askings")).json()
            assert (asked["alarm"], asked["person"]) == (str(suspicion), "陈秀英")
            assert (await client.get("/api/v1/askings", params={"home": "H002"})).json() == []
            (found,) = (await client.get("/api/v1/notes", params={"home": "H001"})).json()
            assert (found["id"], found["acknowledged_by"]) == (str(note), None)
        async with await one.machine("auditor") as client:
            assert (await client.get("/api/v1/askings")).status_code == 403
        async with await one.signed_in("operator") as client:
            assert "陈秀英" in (await client.get("/asking")).text
            page = (await client.get("/register/homes/H001")).text
            assert "下次上门时留意" in page
            assert "起床 6:30 → <b>8:45</b>" in page
            done = await client.post(f"/notes/{note}/acknowledge")
            assert done.headers["location"] == "/register/homes/H001#notes"
            assert (await client.post(f"/notes/{suspicion}/acknowledge")).status_code == 404
            assert "operator 已知" in (await client.get("/register/homes/H001")).text
        async with await one.signed_in("supervisor") as client:
            assert (await client.post(f"/api/v1/notes/{note}/acknowledge")).status_code == 204
            (found,) = (await client.get("/api/v1/notes", params={"every": True})).json()
            assert found["acknowledged_by"] == "operator", "whoever was first stays named"


@pytest.fixture
async def telling(database: Database, broker: Broker, postgres_url: str) -> AsyncIterator[Room]:
    """The same beside a broker, as `pingan dispatch` runs it, on our own clock."""
    async with database.connection() as connection:
        await connection.execute(REGISTER)
    admit_devices(broker)
    room = Room(database, SystemClock())
    settings = Mqtt(
        database_url=postgres_url, name="dispatch-1", mqtt_host=broker.host, mqtt_port=broker.port,
        mqtt_user="dispatch", mqtt_password=broker.password("dispatch"),
    )  # fmt: skip
    listener = Listener(database)
    questions = listener.bell("asking")
    configuring = Configuring(settings, database, room.clock, ZoneInfo("Asia/Shanghai"))
    tasks = [asyncio.create_task(listener.run()), asyncio.create_task(configuring.run(Bell(), questions))]
    try:
        yield room
        for task in tasks:
            assert not task.done(), task.exception()
    finally:
        await end(tasks)


async def test_a_button_asks_is_answered_and_stops_asking(telling: Room, broker: Broker, until: Until) -> None:
    button = Button(BUTTON, PASSWORD, host=broker.host, port=broker.port)
    button.open()
    try:
        suspicion = await telling.suspect()
        await telling.take()
        await until(lambda: len(button.prompts) == 1)
        question = button.prompts[0]
        assert (question["id"], question["ask"]) == (str(suspicion), "are_you_all_right")
        assert datetime.fromisoformat(question["until"]) > telling.clock.now()

        async def asked() -> bool:
            return (await telling.asking())["asked_at"] is not None

        await until(asked)
        await telling.withdraw("suspected")
        await telling.take()
        await until(lambda: len(button.prompts) > 1)
        back = button.prompts[-1]
        assert (back["id"], back["ask"]) == (str(suspicion), "are_you_all_right")
        assert datetime.fromisoformat(back["until"]) <= telling.clock.now(), "the question is over"
        assert button.question is None
    finally:
        await button.close()


async def test_a_press_while_the_question_stands_is_an_answer(telling: Room, until: Until) -> None:
    await telling.suspect()
    await telling.take()
    await telling.press("sos")
    await telling.take()

    async def answer() -> object:
        return (await telling.asking())["answer"]

    assert await until(answer) == "sos"
    (incident,) = await telling.incidents()
    await telling.desk.act(incident["id"], Answer("op", "王芳"))
    assert (await telling.asking())["ended_at"] is None


async def test_of_two_desks_that_wait_for_each_other_one_begins_again_and_nothing_is_lost(
    database: Database, room: Room, until: Until
) -> None:
    """One has the incident and wants an alarm, the other the alarm and wants the incident: PostgreSQL ends one of them
    after a second. Whichever it is, everything that was taken back is told, once."""
    silent = await room.found("inactivity", "silent")
    suspected = await room.found("fall_suspected", "lies", until_ms=to_ms(room.clock.now() + timedelta(minutes=5)))
    await room.take()
    down = await room.found("fall", "down", follows="lies")
    await room.take()
    taken_back = [await room.withdraw("silent")]
    room.later(1)
    taken_back += [await room.withdraw("lies"), await room.withdraw("down")]
    other = Desk(database, room.clock)
    bell = Listener(database).bell("alarm")
    running: list[asyncio.Task[None]] = []

    async def waits() -> bool:
        query = "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        return len(await room.rows(query)) == 1

    with contextlib.suppress(DeadlockDetected):
        async with database.transaction() as connection:
            rows = await connection.execute("select * from alarms where id = %s for update", [taken_back[-1]])
            (alarm,) = await rows.fetchall()
            quiet = await asking.take(connection, alarm, room.clock.now())
            assert quiet.incident is not None
            assert quiet.event is not None
            running.append(asyncio.create_task(intake(room.desk, room.clock, bell)))
            await until(waits)
            await other._act(connection, quiet.incident, quiet.event)
            await other._taken(connection, [alarm], quiet.incident, room.clock.now())

    async def all_taken() -> bool:
        return not await room.rows("select id from alarms where taken_at is null")

    await until(all_taken)
    assert not running[0].done()
    await end(running)
    over = await room.rows("select id from alarms where restored_at is not null")
    assert {row["id"] for row in over} >= {silent, suspected, down}
    events = [event for event, _ in told(await room.incident(down))]
    assert events.count("withdrawn") == 2, "of each danger, once"
