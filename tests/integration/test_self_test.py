"""Self-tests at the desk: believed once, within their window only; they call nobody, absorb nothing, and end."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from fastapi import FastAPI, Request
from psycopg.types.json import Jsonb

from care.principals import Principal
from device_sim.wire.button import Button
from dispatch import figures, self_test, views
from dispatch.api.devices import router
from dispatch.configuring import Configuring
from dispatch.desk import Desk
from dispatch.figures import Period
from dispatch.incident import Answer, Close, Shown
from dispatch.self_test import NotTested
from pingan import problem
from pingan.clock import DrivenClock, SystemClock, to_ms
from pingan.database import Bell, Database
from pingan.messages import reported_alarm_id
from pingan.settings import Mqtt
from pingan.tasks import end
from tests.conftest import Broker, Until
from tests.integration.dispatch_support import REGISTER
from tests.integration.ingest_support import PASSWORD, admit_devices

SHANGHAI = ZoneInfo("Asia/Shanghai")
BUTTON = "H001-button"
MORE = """
insert into devices (id, home, kind, gateway, address, enabled, enrolled_at) values
    ('H001-hub', 'H001', 'hub', null, null, true, '2026-01-01Z'),
    ('H002-button', 'H002', 'button', null, null, true, '2026-01-01Z'),
    ('H001-second', 'H001', 'pendant', null, null, true, '2026-01-01Z'),
    ('zigbee', 'H001', 'button', 'H001-hub', '0x01', true, '2026-01-01Z'),
    ('off', 'H001', 'button', null, null, false, '2026-01-01Z')
"""


class Room:
    """A desk, and what comes to it, by hand: nothing moves but what the test moves."""

    def __init__(self, database: Database, clock: DrivenClock) -> None:
        self.database, self.clock = database, clock
        self.desk = Desk(database, clock)

    async def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        async with self.database.connection() as connection:
            cursor = await connection.execute(query, parameters)
            return await cursor.fetchall() if cursor.description else []

    async def open(self, device: str = BUTTON, scope: str | None = None) -> dict[str, Any]:
        async with self.database.connection() as connection:
            return await self_test.open_window(connection, device, "王芳", self.clock.now(), scope)

    async def windows(self, device: str = BUTTON) -> list[dict[str, Any]]:
        async with self.database.connection() as connection:
            return await self_test.windows(connection, device)

    async def alarm(self, event: str, *, test: bool = True, device: str = BUTTON, kind: str = "sos") -> None:
        """A press becomes durable. Intake has not taken it yet."""
        now = self.clock.now()
        evidence = Jsonb({"source": "reported", "event": event})
        await self.rows(
            "insert into alarms (id, kind, home, device, at, received_at, raised_at, test, evidence)"
            " values (%s, %s, 'H001', %s, %s, %s, %s, %s, %s)",
            reported_alarm_id(device, event), kind, device, now, now, now, test, evidence,
        )  # fmt: skip

    async def press(self, event: str, **how: Any) -> dict[str, Any]:
        """Press and take it; the incident that it is of."""
        await self.alarm(event, **how)
        await self.take()
        device = how.get("device", BUTTON)
        (row,) = await self.rows("select incident from alarms where id = %s", reported_alarm_id(device, event))
        async with self.database.connection() as connection:
            found = await views.row(connection, row["incident"])
        assert found is not None
        return found

    async def take(self) -> None:
        while await self.desk.take_alarms():
            pass

    async def show(self, incident: dict[str, Any]) -> None:
        await self.desk.act(incident["id"], Shown("console-1"))

    async def end_windows(self) -> None:
        async with self.database.transaction() as connection:
            await self_test.end_windows(connection, self.clock.now())
        await self.take()

    async def open_incidents(self) -> list[dict[str, Any]]:
        async with self.database.connection() as connection:
            return await views.board(connection)

    def later(self, seconds: float) -> None:
        self.clock.advance(self.clock.now_ms() + round(seconds * 1000))


@pytest.fixture
async def room(database: Database, driven: DrivenClock) -> Room:
    async with database.connection() as connection:
        await connection.execute(REGISTER + MORE)
    return Room(database, driven)


async def test_a_test_walks_the_whole_way_calls_nobody_and_closes_when_it_is_seen(room: Room) -> None:
    opened = await room.open()
    assert (opened["state"], opened["opened_by"], opened["until"]) == (
        "open", "王芳", room.clock.now() + timedelta(seconds=self_test.WINDOW_SECONDS),
    )  # fmt: skip
    room.later(5)
    incident = await room.press("t1")
    assert (incident["test"], incident["danger"], incident["cause"], incident["state"]) == (
        True,
        True,
        "sos",
        "waiting",
    )
    room.later(120)
    while await room.desk.wake_due():
        pass
    assert await room.rows("select 1 from sends where purpose = 'help'") == [], "nobody of the family is called"
    await room.show(incident)
    assert await room.open_incidents() == []
    (closed,) = await room.rows("select state, body from incidents")
    assert closed["body"]["closing"]["cause"] == "test"
    assert closed["body"]["closing"]["outcome"] == "test_confirmed"
    (told,) = await room.rows("select address, body from sends")
    assert (told["address"], told["body"]["id"], told["body"]["stage"]) == (BUTTON, "t1", "closed")
    (window,) = await room.windows()
    assert (window["state"], window["incident"]) == ("passed", incident["id"])
    assert window["opened_at"] < window["pressed_at"] == window["durable_at"] < window["shown_at"]
    journal = await room.rows("select event, decision, actor from journal order by number")
    assert [(one["event"], one["decision"]) for one in journal] == [("opened", "opened"), ("shown", "test_passed")]
    assert journal[1]["actor"] == "system", "no person is said to have closed it"


async def test_without_a_window_after_it_and_a_second_time_it_rings_as_a_call(room: Room) -> None:
    assert not (await room.press("t0"))["test"], "nobody has asked for it"
    await room.desk.act((await room.open_incidents())[0]["id"], Close("op", "陈", "sos", "accidental", 99))
    await room.open()
    assert not (await room.press("t1", device="H001-second"))["test"], "another device was asked"
    assert (await room.press("t2"))["test"]
    assert not (await room.press("t3"))["test"], "a window believes one press"
    await room.open("H001-second")
    room.later(self_test.WINDOW_SECONDS + 1)
    assert not (await room.press("t4", device="H001-second"))["test"], "its time is up"


async def test_a_test_and_a_call_never_absorb_each_other(room: Room) -> None:
    await room.open()
    test = await room.press("t1")
    real = await room.press("real", test=False)
    assert (real["test"], real["ringing"]) == (False, True)
    assert real["id"] != test["id"]
    again = await room.press("again", test=False)
    assert (again["id"], again["raised"]) == (real["id"], 2)
    await room.open("H001-second")
    second = await room.press("t2", device="H001-second")
    assert (second["test"], second["raised"]) == (True, 1), "tests of two devices are two"
    answered = await room.press("ok", test=False, kind="ok")
    assert answered["id"] == real["id"], "the resident's answer is the call's"
    await room.show(test)
    assert {row["id"] for row in await room.open_incidents()} == {real["id"], second["id"]}
    sends = await room.rows("select 1 from sends where incident = %s and purpose = 'help'", test["id"])
    assert sends == []


async def test_a_press_that_intake_takes_late_was_in_time(room: Room) -> None:
    """The dispatch was away while the window ended."""
    await room.open()
    await room.alarm("t1")
    room.later(self_test.WINDOW_SECONDS + 100)
    async with room.database.transaction() as connection:
        assert await self_test.end_windows(connection, room.clock.now()) == 0, "its answer waits to be taken"
    await room.take()
    (incident,) = await room.open_incidents()
    assert incident["test"]
    await room.show(incident)
    assert [window["state"] for window in await room.windows()] == ["passed"]


async def test_no_answer_is_a_technical_fault_that_the_next_test_restores(room: Room) -> None:
    await room.open()
    room.later(self_test.WINDOW_SECONDS + self_test.ANSWER_SECONDS)
    await room.end_windows()
    (window,) = await room.windows()
    assert (window["state"], window["reason"]) == ("failed", "not_asked"), "no dispatch process has asked it"
    (fault,) = await room.open_incidents()
    assert (fault["danger"], fault["test"], fault["cause"]) == (False, False, "self_test")
    await room.end_windows()
    assert len(await room.rows("select 1 from alarms")) == 1, "once"
    await room.open()
    await room.rows("update test_windows set prompted_at = opened_at where state = 'open'")
    room.later(self_test.WINDOW_SECONDS + self_test.ANSWER_SECONDS)
    await room.end_windows()
    assert [window["reason"] for window in await room.windows()] == ["no_answer", "not_asked"]
    await room.open()
    await room.show(await room.press("t1"))
    await room.take()
    restores = await room.rows("select evidence->>'restores' as of, incident from alarms where kind = 'fault_restored'")
    faults = await room.rows("select id::text, incident from alarms where kind = 'self_test' order by raised_at")
    assert {row["of"] for row in restores} == {row["id"] for row in faults}, "each fault is over"
    assert {row["incident"] for row in restores} == {fault["id"]}
    assert await room.open_incidents() == [], "what mended itself, and nobody had taken, closes by itself"
    await room.open()
    await room.show(await room.press("t2"))
    await room.take()
    assert len(await room.rows("select 1 from alarms where kind = 'fault_restored'")) == 2, "and once"


async def test_a_test_that_no_screen_draws_has_failed_and_waits_to_be_seen(room: Room) -> None:
    await room.open()
    incident = await room.press("t1")
    room.later(self_test.WINDOW_SECONDS + self_test.SEEN_SECONDS)
    await room.end_windows()
    assert [(window["state"], window["reason"]) for window in await room.windows()] == [("failed", "not_shown")]
    assert {row["cause"] for row in await room.open_incidents()} == {"sos", "self_test"}
    await room.desk.act(incident["id"], Answer("op", "陈"))
    (window,) = await room.windows()
    assert (window["state"], window["reason"]) == ("passed", None), "a person has it: it has come through, if late"
    await room.take()
    assert await room.rows("select 1 from alarms where kind = 'fault_restored'")


async def test_who_may_not_be_tested_is_refused_by_name(room: Room) -> None:
    await room.open()
    for device, scope, reason in (
        ("nobody", None, "unknown_device"), (BUTTON, "55", "unknown_device"), ("zigbee", None, "behind_gateway"),
        ("off", None, "disabled"), (BUTTON, None, "test_under_way"),
    ):  # fmt: skip
        with pytest.raises(NotTested) as refused:
            await room.open(device, scope)
        assert refused.value.name == reason


async def test_figures_do_not_count_tests(room: Room) -> None:
    await room.open()
    await room.show(await room.press("t1"))
    today = room.clock.now().astimezone(SHANGHAI).date()
    async with room.database.connection() as connection:
        shown = await figures.people(connection, Period(today, today, SHANGHAI), room.clock.now())
    assert (shown["alarms"], shown["tests"], shown["test_alarms"], shown["unanswered"]) == (0, 1, 1, 0)


async def remind(room: Room, at: datetime) -> int:
    room.clock.advance(to_ms(at))
    async with room.database.connection() as connection:
        return await self_test.remind(connection, room.clock.now(), SHANGHAI)


async def due(room: Room) -> list[str]:
    async with room.database.connection() as connection:
        return [row["device"] for row in await self_test.tests_due(connection, None, room.clock.now())]


async def test_a_weekly_reminder_opens_its_hour_and_what_is_missed_is_due(room: Room) -> None:
    await room.rows(
        "update device_configs set reminder_weekday = 3, reminder_hour = 10, revision = revision + 1 where device = %s",
        BUTTON,
    )
    wednesday = datetime(2027, 1, 6, 2, tzinfo=UTC)  # ten o'clock in Shanghai
    assert await remind(room, wednesday - timedelta(days=1)) == 0
    assert await remind(room, wednesday - timedelta(minutes=6)) == 0
    assert await due(room) == [BUTTON], "it was never tested"
    assert await remind(room, wednesday - timedelta(minutes=5)) == 1, "a device's clock may be ahead"
    assert await remind(room, wednesday + timedelta(minutes=1)) == 0, "once in its hour"
    await room.show(await room.press("t1"))
    assert [window["state"] for window in await room.windows()] == ["passed"]
    assert await remind(room, wednesday + timedelta(minutes=30)) == 0
    assert await due(room) == []
    assert await remind(room, wednesday + timedelta(days=7)) == 1
    assert (await room.open())["opened_by"] == "王芳", "who asks for a test now does not wait for the hour's end"
    await room.show(await room.press("t2"))
    assert await remind(room, wednesday + timedelta(days=14)) == 1
    room.later(self_test.REMINDED_SECONDS + self_test.ANSWER_SECONDS)
    await room.end_windows()
    states = [(window["state"], window["reason"]) for window in await room.windows()]
    assert states == [("missed", "no_answer"), ("passed", None), ("missed", "replaced"), ("passed", None)]
    assert await room.open_incidents() == [], "who was out that day has no fault"
    room.later(86_400 * 2)
    assert await due(room) == [BUTTON]


async def test_over_http(room: Room) -> None:
    app = FastAPI()
    problem.install(app)

    def who(request: Request) -> Principal:
        return Principal("u1", "王芳", request.headers["x-role"], request.headers.get("x-area"))  # type: ignore[arg-type]

    app.include_router(router(room.database, room.clock, who))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers={"x-role": "operator"}) as client:
        path = f"/api/v1/devices/{BUTTON}/self-test"
        started = await client.post(path)
        assert (started.status_code, started.json()["state"]) == (201, "open")
        again = await client.post(path)
        assert (again.status_code, again.json()["title"]) == (409, "test_under_way")
        assert (await client.post("/api/v1/devices/nobody/self-test")).status_code == 404
        assert (await client.post(path, headers={"x-role": "auditor"})).status_code == 403
        elsewhere = {"x-area": "55"}
        assert (await client.post(path, headers=elsewhere)).status_code == 404
        assert (await client.get(f"{path}s", headers=elsewhere)).json() == []
        assert [one["id"] for one in (await client.get(f"{path}s")).json()] == [started.json()["id"]]
        assert (await client.get("/api/v1/tests-due")).json() == [], "no device here reminds"


async def test_a_simulated_button_is_asked_at_a_real_broker_and_answers(
    database: Database, broker: Broker, postgres_url: str, until: Until
) -> None:
    async with database.connection() as connection:
        await connection.execute(REGISTER + MORE)
    admit_devices(broker)
    clock, bell = SystemClock(), Bell()
    settings = Mqtt(
        database_url=postgres_url, name="dispatch-1", mqtt_host=broker.host, mqtt_port=broker.port,
        mqtt_user="dispatch", mqtt_password=broker.password("dispatch"),
    )  # fmt: skip
    telling = asyncio.create_task(Configuring(settings, database, clock, SHANGHAI).run(bell, Bell()))
    button = Button(BUTTON, PASSWORD, host=broker.host, port=broker.port)
    button.open()
    try:
        await until(button.connection.connected.is_set)
        async with database.connection() as connection:
            window = await self_test.open_window(connection, BUTTON, "王芳", clock.now())
        bell.ring()
        await until(lambda: button.presses)
        (press,) = button.presses.values()
        assert (press.kind, press.test) == ("sos", True)
        (prompt,) = button.prompts
        assert (prompt["ask"], datetime.fromisoformat(prompt["until"])) == ("self_test", window["until"])

        async def prompted() -> bool:
            async with database.connection() as connection:
                (one,) = await self_test.windows(connection, BUTTON)
            return one["prompted_at"] is not None

        await until(prompted)
        button.heard("prompt", prompt)
        assert len(button.presses) == 1, "told twice is asked once: a second test would ring as a call"
        button.heard("prompt", {**prompt, "id": "another", "until": "2026-01-01T00:00:00Z"})
        assert len(button.presses) == 1, "too late: it would ring as a call"
    finally:
        await end([telling])
        await button.close()


async def test_a_device_that_was_moved_while_nobody_saw_its_test_is_tested_again_and_holds_up_nobody(
    room: Room,
) -> None:
    await room.open()
    first = await room.press("e1")
    room.later(self_test.WINDOW_SECONDS + self_test.SEEN_SECONDS)
    await room.end_windows()
    await room.rows("update devices set home = 'H002' where id = %s", BUTTON)
    await room.open()
    await room.alarm("e2")
    await room.rows("update alarms set home = 'H002' where id = %s", reported_alarm_id(BUTTON, "e2"))
    await room.alarm("e3", device="H001-second", test=False)
    async with asyncio.timeout(30):
        await room.take()
    raised = {row["id"]: (row["test"], row["raised"]) for row in await room.open_incidents() if row["danger"]}
    assert raised.pop(first["id"]) == (True, 2), "the test that nobody has seen yet"
    assert list(raised.values()) == [(False, 1)], "and whoever pressed behind it was heard"
