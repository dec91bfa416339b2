"""Dispatch against a real database and real phones: alarms become incidents, incidents become calls, calls answers."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import httpx
import pytest

from device_sim.phone.people import Habit
from device_sim.phone.signature import sign
from dispatch import incident as core
from dispatch.channels import Channel, Send, Unclear
from dispatch.desk import ACTS_AT_ONCE, ALARMS_AT_ONCE, Desk, StuckAlarm, StuckIncident
from dispatch.outbox import Outbox
from dispatch.sends import SendsTable
from dispatch.sends import sql as outbox_sql
from pingan.clock import DrivenClock
from pingan.database import Database
from tests.conftest import Until
from tests.integration.dispatch_support import LI, TOKEN, WANG, ZHAO, Room, room


async def journal(this: Room, incident: int) -> list[str]:
    return [entry["decision"] for entry in (await this.incident(incident))["journal"]]


async def test_each_press_is_one_event_on_one_incident_and_rings_again(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        for event in ("e1", "e1", "e2", "e3"):
            await this.press(event)

        async def three() -> Any:
            rows = await this.incidents()
            return rows if rows and rows[0]["raised"] == 3 else None

        (only,) = await until(three)  # type: ignore[misc]
        alarms = (await this.incident(only["id"]))["alarms"]
        assert sorted(alarm["evidence"]["event"] for alarm in alarms) == ["e1", "e2", "e3"]


async def test_two_alarms_that_race_to_open_meet_on_one_incident(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        await this.stop()
        for number in range(40):
            await this.press(f"e{number}")
        desks = [Desk(database, driven) for _ in range(4)]

        async def drain(desk: Desk) -> None:
            while await desk.take_alarms():
                pass

        await asyncio.gather(*(drain(desk) for desk in desks))
        (only,) = await this.incidents()
        assert only["raised"] == 40


async def test_technical_alarms_absorb_no_alarm_and_restores_open_nothing(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        await this.raise_alarm(uuid4(), "battery_low", "H001-button", "H001", {})
        await until(this.the_incident)
        await this.raise_alarm(uuid4(), "mains_restored", "H001-button", "H001", {})
        await this.raise_alarm(uuid4(), "sequence_gap", "H001-button", "H001", {})
        await this.press()

        async def both() -> Any:
            rows = await this.incidents()
            return rows if len(rows) == 2 else None

        danger, technical = await until(both)  # type: ignore[misc]
        assert (danger["cause"], technical["cause"]) == ("sos", "battery_low")

        async def all_taken() -> bool:
            return not await this.rows("select id from alarms where taken_at is null")

        await until(all_taken)
        assert len(await this.incidents()) == 2


async def test_an_unbound_device_and_a_home_that_the_register_forgot_still_ring(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        await this.press("e1", device="stray", home=None)
        await this.press("e2", device="stray", home=None)
        await this.press("e1", device="ghost", home="H999")
        await this.press("e2", device="ghost", home="H999")

        async def both() -> Any:
            rows = await this.incidents()
            return rows if sorted(row["raised"] for row in rows) == [2, 2] else None

        rows: Any = await until(both)
        assert {row["device"] for row in rows} == {"stray", "ghost"}


async def test_voicemail_never_counts_and_the_next_is_called(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        this.phone(LI).habit = Habit("voicemail", after_seconds=0)
        await this.press()
        opened: Any = await until(this.the_incident)
        this.pass_seconds(10)

        async def over() -> bool:
            return any(
                "no_key" in str(entry["detail"]) or "voicemail" in str(entry["detail"])
                for entry in (await this.incident(opened["id"]))["journal"]
            )

        await until(over)
        assert (await this.incident(opened["id"]))["state"] == "waiting"
        this.pass_seconds(40)
        await until(lambda: this.phone(WANG).state == "ringing")
        this.phone(WANG).call.answer()
        await until(lambda: this.phone(WANG).call and this.phone(WANG).call.record.heard)
        assert "is calling for help" in this.phone(WANG).call.record.heard[0][-1]
        await this.phone(WANG).call.press("2")
        await until(lambda: this.phone(ZHAO).state == "ringing")


@pytest.mark.parametrize(
    ("fault", "calls"),
    [
        pytest.param({"respond": "429", "code": 20429, "count": 1, "resource": "Calls"}, 1, id="busy, then not"),
        pytest.param({"respond": "ambiguous", "count": 1, "resource": "Calls"}, 1, id="placed, but nobody said so"),
        pytest.param({"respond": "500", "count": 1, "resource": "Calls"}, 1, id="failed and not placed: repeated"),
    ],
)
async def test_the_provider_falters_and_the_daughter_is_called_once(
    database: Database, driven: DrivenClock, until: Until, fault: dict[str, Any], calls: int
) -> None:
    async with room(database, driven) as this:
        async with httpx.AsyncClient(base_url=this.settings.twilio_base_url, trust_env=False) as control:
            assert (await control.post("/sim/faults", json=fault)).is_success
        await this.press()
        await until(this.the_incident)
        this.pass_seconds(10)

        await until(lambda: this.neighbourhood.network.faults.count == 0)
        query = "select state, repeat from sends where channel = 'twilio_voice' order by repeat"

        async def placed() -> Any:
            this.pass_seconds(0.1)
            rows = await this.rows(query)
            return rows if rows[-1]["state"] in ("sent", "unanswered", "answered") else None

        rows: Any = await until(placed)
        assert len(this.calls_to(LI)) == calls
        if fault["respond"] == "500":
            assert [row["repeat"] for row in rows] == [0, 1], "a repeat is declared"


async def test_a_number_that_does_not_exist_is_a_line_in_the_journal(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        this.phone(LI).habit = Habit("invalid")
        await this.press()
        opened: Any = await until(this.the_incident)
        this.pass_seconds(10)

        async def told() -> bool:
            entries = (await this.incident(opened["id"]))["journal"]
            return any(entry["event"] == "unreached" and "21211" in entry["detail"]["why"] for entry in entries)

        await until(told)


async def test_dispatch_dies_between_dialling_and_recording_and_the_call_is_found(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        await this.press()
        await until(this.the_incident)
        this.pass_seconds(10)

        async def over() -> bool:
            rows = await this.rows("select state from sends where channel = 'twilio_voice'")
            return [row["state"] for row in rows] == ["unanswered"]

        await until(over)
        await this.stop()
        await this.rows(
            "update sends set state = 'dialling', provider_id = null, finished_at = null, worker = 'dispatch-1#gone'"
            " where channel = 'twilio_voice' returning id"
        )
        this.pass_seconds(6)
        this.start()

        async def found() -> Any:
            rows = await this.rows("select result from sends where channel = 'twilio_voice' and state = 'sent'")
            return rows and rows[0]["result"] == "found_by_lookup"

        await until(found)
        assert len(this.calls_to(LI)) == 1


async def test_a_provider_that_cannot_be_looked_up_holds_up_nobody_and_is_asked_again(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    """The SDK's list raises what its other calls do not: it once ended the whole process, alarm clock and all."""
    async with room(database, driven) as this:
        faults = {"respond": "500", "resource": "Calls", "methods": ["POST", "GET"], "count": 3}
        async with httpx.AsyncClient(base_url=this.settings.twilio_base_url, trust_env=False) as control:
            assert (await control.post("/sim/faults", json=faults)).is_success
        await this.press()
        await until(this.the_incident)
        this.pass_seconds(10)

        async def called() -> bool:
            this.pass_seconds(0.1)
            return bool(this.calls_to(LI))

        await until(called)
        assert not any(task.done() for task in this.tasks.values())


class Hanging:
    """A channel that cannot say what became of a call, and whose lookup takes as long as the test wants."""

    repeatable = False

    def __init__(self) -> None:
        self.asked, self.let_go = asyncio.Event(), asyncio.Event()
        self.calls = 0

    async def send(self, send: Send) -> str | None:
        self.calls += 1
        raise Unclear("nobody knows")

    async def find(self, send: Send) -> Sequence[str]:
        self.asked.set()
        await self.let_go.wait()
        return ()


async def test_a_key_that_is_pressed_waits_for_no_lookup_and_ends_the_calling(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        hanging = this.channels["twilio_voice"] = Hanging()
        await this.press()
        opened: Any = await until(this.the_incident)
        this.pass_seconds(10)
        await until(lambda: hanging.calls)
        this.pass_seconds(13)
        await hanging.asked.wait()
        (send,) = await this.rows("select id from sends where channel = 'twilio_voice'")
        url = f"{this.settings.public_url}/webhooks/twilio/voice/{send['id']}/keys"
        form = {"CallSid": "CA1", "Digits": "1"}
        signed = sign(TOKEN, url, list(form.items()))
        async with asyncio.timeout(60), httpx.AsyncClient(trust_env=False) as client:
            assert (await client.post(url, data=form, headers={"X-Twilio-Signature": signed})).status_code == 200
        assert (await this.incident(opened["id"]))["state"] == "accepted"
        await this.rows("update sends set state = 'dialling' where channel = 'twilio_voice' returning id")
        hanging.let_go.set()
        query = "select state, result from sends where channel = 'twilio_voice'"

        async def concluded() -> Any:
            rows = await this.rows(query)
            return rows[0]["state"] == "unclear" and rows

        assert await until(concluded) == [{"state": "unclear", "result": "unknown_not_repeated"}]
        assert hanging.calls == 1, "it was answered: nobody is called for it once more"


async def test_an_attempt_whose_process_slept_before_it_began_is_left_to_whoever_looks_it_up(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        await this.press()
        await until(this.the_incident)
        await this.stop()
        this.pass_seconds(10)
        assert await this.desk.wake_due()
        slept = Outbox(SendsTable(database), driven, this.desk, this.channels, "dispatch-2")
        async with database.transaction() as connection:
            sends = await (await connection.execute(outbox_sql.claim, CLAIM | {"now": driven.now()})).fetchall()
        this.pass_seconds(13)
        await slept._attempt(sends[0])
        assert not this.calls_to(LI), "another process may have placed it again by now"


async def test_an_incident_that_cannot_be_woken_holds_up_no_other(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        await this.press("e1", device="H002-button", home="H002")
        await until(this.the_incident)
        await this.press("e2")

        async def both_opened() -> bool:
            return len(await this.incidents()) == 2

        await until(both_opened)
        await this.rows("update incidents set body = body || '{\"step\": \"third\"}' where home = 'H002' returning id")
        this.pass_seconds(10)
        await until(lambda: this.calls_to(LI))
        assert not any(task.done() for task in this.tasks.values())


async def test_a_device_that_says_test_rings_like_any_other(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        await this.stop()
        alarm = await this.press()
        await this.rows("update alarms set test = true where id = %s returning id", alarm)
        this.start()
        opened: Any = await until(this.the_incident)
        assert not opened["test"], "no window is open: it must not ring softly"
        assert (await this.incident(opened["id"]))["alarms"][0]["test"], "but what it said is shown"


async def test_a_stuck_button_holds_up_no_other_home(database: Database, driven: DrivenClock) -> None:
    """Taken in their order, five thousand presses of one home kept the next home's waiting for a minute."""
    async with room(database, driven) as this:
        await this.stop()
        for number in range(2 * ALARMS_AT_ONCE):
            await this.press(f"stuck-{number}")
        this.pass_seconds(1)
        await this.press("e1", device="H002-button", home="H002")
        await this.press("e2", device="unbound", home=None)
        assert await this.desk.take_alarms() == ["H001", "H002", "unbound"], "each has a turn before one has a second"
        await this.press("e3", device="H002-button", home="H002")
        assert await this.desk.take_alarms(served={"H001"}) == ["H002", "H001"]
        assert not await this.desk.take_alarms()
        raised = {incident["home"]: incident["raised"] for incident in await this.incidents()}
        assert raised == {"H001": 2 * ALARMS_AT_ONCE, "H002": 2, None: 1}


async def test_a_turn_is_short_whatever_waits_in_a_home(database: Database, driven: DrivenClock) -> None:
    async with room(database, driven) as this:
        await this.stop()
        for number in range(2 * ACTS_AT_ONCE):
            await this.press(f"e{number}", ("sos", "fall")[number % 2])
            this.pass_seconds(1)
        await this.press("e", device="H002-button", home="H002")
        assert await this.desk.take_alarms() == ["H001", "H002"]
        assert {one["home"]: one["raised"] for one in await this.incidents()} == {"H001": ACTS_AT_ONCE, "H002": 1}
        assert await this.desk.take_alarms() == ["H001"]
        assert not await this.desk.take_alarms()
        assert {one["home"]: one["raised"] for one in await this.incidents()} == {"H001": 2 * ACTS_AT_ONCE, "H002": 1}


async def test_an_alarm_that_cannot_be_taken_is_not_tried_again_for_every_press(
    database: Database, driven: DrivenClock, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    """A hundred such kept each press waiting for a hundred refusals."""
    presses = 10
    async with room(database, driven) as this:
        await this.raise_alarm(uuid4(), "sos", "H001-button", "H001", {"caller": "nobody knows this shape"})

        async def waiting() -> Any:
            (row,) = await this.rows("select count(*) from alarms where taken_at is null")
            return row["count"] == 1

        for number in range(presses):
            await this.press(f"e{number}", device="H002-button", home="H002")
            await until(waiting)
        assert 0 < sum("could not be taken" in record.message for record in caplog.records) < presses


async def test_an_alarm_that_cannot_be_taken_holds_up_no_press_beside_it(
    database: Database, driven: DrivenClock
) -> None:
    async with room(database, driven) as this:
        await this.stop()
        await this.press("e1")
        broken = uuid4()
        await this.raise_alarm(broken, "sos", "H001-button", "H001", {"caller": "nobody knows this shape"})
        await this.press("e2")
        with pytest.raises(StuckAlarm) as stuck:
            await this.desk.take_alarms()
        assert stuck.value.alarm == broken
        assert await this.desk.take_alarms(beside=[broken]) in (["H001"], [])
        (only,) = await this.incidents()
        waiting = await this.rows("select id from alarms where taken_at is null")
        assert (only["raised"], [row["id"] for row in waiting]) == (2, [broken])


CLAIM = {"worker": "dispatch-2#1", "limit": 16, "channels": ["twilio_voice"], "late": None}


class Witness:
    """A channel beside which somebody looks into the database at the moment of the request."""

    def __init__(self, channel: Channel, this: Room) -> None:
        self._channel, self._this = channel, this
        self.repeatable = channel.repeatable
        self.seen: list[str] = []

    async def send(self, send: Send) -> str | None:
        rows = await self._this.rows("select state from sends where id = %s", send.id)
        self.seen += [row["state"] for row in rows]
        return await self._channel.send(send)

    async def find(self, send: Send) -> Sequence[str]:
        return await self._channel.find(send)


async def test_about_to_send_is_committed_before_the_request(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    """Were it recorded after the request, a death between the two would call again without anyone's knowing."""
    async with room(database, driven) as this:
        witness = Witness(this.channels["twilio_voice"], this)
        this.channels["twilio_voice"] = witness
        await this.press()
        await until(this.the_incident)
        this.pass_seconds(10)
        await until(lambda: this.calls_to(LI))
        assert witness.seen == ["dialling"]


async def test_a_deadline_outlives_the_process_that_set_it(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    """A timer in memory would begin anew with the process, and whoever restarts it often enough is never called."""
    async with room(database, driven) as this:
        await this.press()
        await until(this.the_incident)
        for _ in range(3):
            await this.stop()
            this.pass_seconds(3)
            this.desk = Desk(database, driven)
            this.start()
        assert not this.calls_to(LI), "nine seconds of ten"
        this.pass_seconds(1)
        await until(lambda: this.calls_to(LI))


async def test_two_homes_share_a_helper_and_each_finds_its_own_call_again(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    """By number and time the calls of both look the same; taken for one another, one would never be made."""
    async with room(database, driven) as this:
        shared = "insert into contacts values ('C9', 'H002', 1, '李梅', '邻居', 'neighbour', %s) returning id"
        await this.rows(shared, LI)
        this.phone(LI).habit = Habit("busy")
        await this.press("e1")
        await this.press("e2", device="H002-button", home="H002")
        query = "select state, provider_id from sends where channel = 'twilio_voice' order by id"

        async def both_opened() -> bool:
            return len(await this.incidents()) == 2

        await until(both_opened)
        this.pass_seconds(10)

        async def both_over() -> bool:
            return [row["state"] for row in await this.rows(query)] == ["unanswered"] * 2

        await until(both_over)
        await this.stop()
        await this.rows(
            "update sends set state = 'dialling', provider_id = null, finished_at = null, worker = 'dispatch-1#gone'"
            " where channel = 'twilio_voice' returning id"
        )
        this.pass_seconds(6)
        this.start()

        async def both_found() -> Any:
            return [row["state"] for row in await this.rows(query)] == ["sent"] * 2

        await until(both_found)
        assert len({row["provider_id"] for row in await this.rows(query)}) == 2
        assert len(this.calls_to(LI)) == 2


async def test_a_send_that_woke_too_late_is_abandoned_before_the_request(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        await this.press()
        await until(this.the_incident)
        await this.stop()
        this.pass_seconds(10)
        assert await this.desk.wake_due()
        this.pass_seconds(41)
        await this.rows("update incidents set wake_at = wake_at + interval '1 hour' returning id")
        this.start()

        async def abandoned() -> bool:
            rows = await this.rows("select state from sends where purpose = 'help'")
            return bool(rows) and all(row["state"] == "abandoned" for row in rows)

        await until(abandoned)
        assert not this.calls_to(LI)


async def test_one_that_cannot_be_woken_holds_up_none_of_those_that_are_woken_with_it(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        await this.press()
        for device in ("stray-1", "stray-2"):
            await this.press(device=device, home=None)

        async def opened() -> bool:
            return len(await this.incidents()) == 3

        await until(opened)
        await this.stop()
        await this.rows("update incidents set body = body - 'policy' where device = 'stray-1' returning id")
        this.pass_seconds(20)
        with pytest.raises(StuckIncident):
            await this.desk.wake_due()
        assert not await this.rows("select from journal where event = 'due'"), "they are woken together, or not at all"
        this.start()

        async def woken() -> bool:
            rows = await this.rows(
                "select device from journal join incidents on incidents.id = incident where event = 'due'"
            )
            return {row["device"] for row in rows} >= {"H001-button", "stray-2"}

        await until(woken)
        await until(lambda: this.phone(LI).state == "ringing")


async def test_an_answer_withdraws_calls_that_still_wait(database: Database, driven: DrivenClock, until: Until) -> None:
    async with room(database, driven) as this:
        await this.press()
        opened: Any = await until(this.the_incident)
        await this.stop()
        this.pass_seconds(10)
        assert await this.desk.wake_due()
        await this.desk.act(opened["id"], core.Answer("op", "陈班长"))
        states = await this.rows("select distinct state from sends where purpose = 'help'")
        assert [row["state"] for row in states] == ["withdrawn"]
        this.start()
        await until(lambda: ("accepted", "陈班长") in this.lamp.stages)
        assert not this.calls_to(LI)


async def test_two_operators_at_once_and_exactly_one_has_it(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        await this.press()
        opened: Any = await until(this.the_incident)
        names = ("陈", "林", "何", "吴")
        answers = [this.desk.act(opened["id"], core.Answer(name, name)) for name in names]
        decisions = await asyncio.gather(*answers)
        winners = [decision for decision in decisions if not decision.refused]
        assert len(winners) == 1
        winner = winners[0].incident.operator_name
        assert {decision.who for decision in decisions if decision.refused} == {winner}


async def test_forged_and_stray_webhooks_have_no_effect(database: Database, driven: DrivenClock, until: Until) -> None:
    async with room(database, driven) as this:
        await this.press()
        opened: Any = await until(this.the_incident)
        this.pass_seconds(10)
        await until(lambda: this.calls_to(LI))
        (send,) = await this.rows("select id from sends where channel = 'twilio_voice'")
        url = f"{this.settings.public_url}/webhooks/twilio/voice/{send['id']}/keys"
        form = {"CallSid": "CA1", "Digits": "1"}
        async with httpx.AsyncClient(trust_env=False) as client:
            for signed in ("", "x", sign("wrong", url, list(form.items()))):
                answer = await client.post(url, data=form, headers={"X-Twilio-Signature": signed})
                assert answer.status_code == 403
            other = url.replace(f"/{send['id']}/", "/999999/")
            signed = sign(TOKEN, other, list(form.items()))
            assert (await client.post(other, data=form, headers={"X-Twilio-Signature": signed})).status_code == 404
            assert (await this.incident(opened["id"]))["state"] == "waiting"
            signed = sign(TOKEN, url, list(form.items()))
            for _ in range(3):
                answer = await client.post(url, data=form, headers={"X-Twilio-Signature": signed})
                assert answer.status_code == 200
        assert (await journal(this, opened["id"])).count("accepted") == 1


async def test_an_incident_that_cannot_be_read_hides_no_other(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        await this.press()
        await this.press(device="H002-button", home="H002")

        async def both() -> Any:
            rows = await this.incidents()
            return rows if len(rows) == 2 else None

        rows: Any = await until(both)
        shape = set(rows[0])
        await this.stop()
        await this.rows("update incidents set body = body - 'policy' where home = 'H001' returning id")
        rows = await this.incidents()
        assert {row["home"] for row in rows} == {"H001", "H002"}
        assert all(row["ringing"] and set(row) == shape for row in rows)


async def test_after_a_restart_on_a_clock_put_back_an_hour_the_daughter_is_called_at_once(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    later = DrivenClock(driven.now_ms() + 3_600_000)
    async with room(database, later) as this:
        await this.press()
        await until(this.the_incident)
    async with database.connection() as connection:
        desk = Desk(database, driven)
        assert await desk.wake_due(put_back=True)
        assert not await desk.wake_due(put_back=True)
        sends = await (await connection.execute("select name from sends where purpose = 'help'")).fetchall()
    assert {send["name"] for send in sends} == {"李梅"}
