"""The desk, a home and whoever goes on one line of ordinary telephones."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from device_sim.phone.people import Habit, Phone
from dispatch import incident as core
from dispatch import shifts
from dispatch.bridging import Bridging
from dispatch.sends import Outcome, SendsTable
from dispatch.shifts import Shift
from tests.conftest import Until
from tests.integration.dispatch_support import OURS, SID, TOKEN, Room
from tests.integration.phone_support import Home, heard, post, rooms

DESK, OWN, FALLBACK = "+867503000000", "+8613800000901", "+8613800000902"


@pytest.fixture(scope="module")
async def shared(shared_url: str) -> AsyncIterator[Room]:
    async for this in rooms(shared_url, desk_phone=DESK):
        for number in (DESK, OWN, FALLBACK):
            this.neighbourhood.network.add(Phone(number))
        yield this


async def on_shift(this: Room, phone: str, fallback: str | None = None) -> None:
    """The operator says which telephone is theirs."""
    now = this.clock.now()
    async with this.database.transaction() as connection:
        await shifts.begin(connection, "desk", Shift(phone, fallback, now, now + timedelta(hours=8)))


async def ask(this: Room, home: Home, *, with_helper: bool = False) -> core.Decision:
    bridging = Bridging(this.database, this.clock, this.desk, DESK)
    return await bridging.ask(home.incident, "desk", "陈班长", with_helper=with_helper)


async def takes(this: Room, until: Until, number: str, *keys: str) -> Any:
    """Whoever has this telephone takes it and presses keys; the call, which goes on."""
    await until(lambda: this.phone(number).state == "ringing")
    call = this.phone(number).call
    call.answer()
    for key in keys:
        assert await call.press(key)
    return call


def line(this: Room, home: Home) -> Any:
    return this.neighbourhood.network.conference(f"incident-{home.incident}")


async def on_the_line(this: Room, home: Home, until: Until, count: int) -> Any:
    await until(lambda: line(this, home) and sum(one.inside for one in line(this, home).participants.values()) == count)
    return line(this, home)


async def lines(home: Home, what: str) -> list[str]:
    return [one["detail"]["person"] for one in await home.journal("bridged") if one["detail"]["what"] == what]


async def test_the_operators_telephone_rings_first_then_the_home_and_all_is_written(shared: Room, until: Until) -> None:
    async with Home(shared, until) as home:
        await on_shift(shared, OWN)
        await home.press()
        assert (await shared.desk.act(home.incident, core.Answer("desk", "陈班长"))).name == "answered"
        assert (await ask(shared, home)).name == "calling_home"
        assert (await ask(shared, home)).name == "already_calling", "one key pressed twice is one call"
        assert not shared.calls_to(home.resident), "nobody else rings before a person has taken it"
        operator = await takes(shared, until, OWN, "1")
        assert "林奶奶" in heard(operator)
        await home.brought_in(home.resident)
        resident = await takes(shared, until, home.resident)
        await on_the_line(shared, home, until, 2)
        assert (await home.row())["stamps"]["t4"]["at"] is None, "that they speak, only the operator can say"
        resident.hang_up()
        await until(lambda: lines(home, "left"))
        operator.hang_up()
        await operator.settled()
        await line_over(shared, home, until)
        assert await lines(home, "asked") == [core.HOME]
        assert await lines(home, "rung") == [core.HOME]
        assert set(await lines(home, "joined")) == {core.DESK, core.HOME}
        assert await lines(home, "left") == [core.HOME, core.DESK]
        assert not [call for call in (operator, resident) if call.record.errors]
        results = [(send["recipient"], send["result"]) for send in await home.sends("bridge")]
        assert results == [("desk", "key_connected"), ("home", "connected")]


async def line_over(this: Room, home: Home, until: Until) -> None:
    """Everything that was told of the line has been heard."""
    sid = next(
        sid
        for sid, one in this.neighbourhood.network.conferences.items()
        if one.record.friendly_name == f"incident-{home.incident}"
    )
    conference = this.neighbourhood.network.conferences[sid]
    await until(lambda: conference.over)
    await conference.settled()


async def test_whoever_goes_is_on_the_line_too_and_speaks_on_when_the_desk_leaves(shared: Room, until: Until) -> None:
    async with Home(shared, until) as home:
        await on_shift(shared, OWN)
        await home.press()
        await home.answered(home.li, "1", "9", "#")
        assert (await ask(shared, home, with_helper=True)).name == "calling_home"
        operator = await takes(shared, until, OWN, "1")
        await home.brought_in(home.resident)
        await takes(shared, until, home.resident)
        await takes(shared, until, home.li)
        conference = await on_the_line(shared, home, until, 3)
        operator.hang_up()
        await operator.settled()
        await on_the_line(shared, home, until, 2)
        assert not conference.over
        shared.phone(home.li).call.hang_up()
        shared.phone(home.resident).call.hang_up()
        await line_over(shared, home, until)
        assert set(await lines(home, "joined")) == {core.DESK, core.HOME, home.people[home.li]}


@pytest.mark.parametrize(("habit", "why"), [("no_answer", "no-answer"), ("invalid", "21211")])
async def test_the_fallback_rings_when_nobody_takes_the_first(shared: Room, until: Until, habit: Any, why: str) -> None:
    async with Home(shared, until) as home:
        await on_shift(shared, OWN, FALLBACK)
        shared.phone(OWN).habit = Habit(habit)
        await home.press()
        await ask(shared, home)
        operator = await takes(shared, until, FALLBACK, "1")
        (missed,) = await home.journal("unreached")
        assert missed["detail"]["person"] == core.DESK
        assert why in missed["detail"]["why"]
        assert all(call.record.request.timeout_seconds == 20 for call in shared.calls_to(OWN))
        await home.brought_in(home.resident)
        operator.hang_up()
        shared.phone(OWN).habit = Habit("manual")


async def test_the_fallback_rings_though_we_died_before_it_was_written_down(shared: Room, until: Until) -> None:
    async with Home(shared, until) as home:
        await on_shift(shared, OWN, FALLBACK)
        await home.press()
        await shared.desk.act(home.incident, core.Answer("desk", "陈班长"))
        await ask(shared, home)
        await until(lambda: shared.phone(OWN).state == "ringing")
        call = shared.phone(OWN).call
        (send,) = await home.sends("bridge")
        ended = Outcome("unanswered", "no-answer", call.record.sid, finished_at=shared.clock.now())
        assert await SendsTable(shared.database).progress(send["id"], ended)
        told = {"CallSid": call.record.sid, "CallStatus": "no-answer"}
        for _ in range(2):
            assert (await post(shared, f"/webhooks/twilio/voice/{send['id']}/status", told)).is_success
        assert [one["address"] for one in await home.sends("bridge")] == [OWN, FALLBACK]
        assert len(await home.journal("unreached")) == 1
        call.hang_up()
        operator = await takes(shared, until, FALLBACK, "1")
        await home.brought_in(home.resident)
        operator.hang_up()


async def test_a_machine_at_the_desk_calls_nobody_and_the_next_telephone_rings(shared: Room, until: Until) -> None:
    async with Home(shared, until) as home:
        await on_shift(shared, OWN)  # and the installation's own telephone after it
        shared.phone(OWN).habit = Habit("voicemail", after_seconds=0)
        await home.press()
        await ask(shared, home)
        operator = await takes(shared, until, DESK, "9")
        assert (await home.journal("unreached"))[0]["detail"]["why"] == "twilio_voice: no_key"
        operator.hang_up()
        await operator.settled()
        assert not shared.calls_to(home.resident), "nobody rings before a person has taken it"
        shared.phone(OWN).habit = Habit("manual")


async def test_a_home_that_is_engaged_is_said_to_be_and_stands_in_nobodys_way(shared: Room, until: Until) -> None:
    async with Home(shared, until) as first, Home(shared, until) as second:
        shared.phone(first.resident).habit = Habit("busy")
        await first.press()
        await second.press()
        await on_shift(shared, OWN)
        await ask(shared, first)
        one = await takes(shared, until, OWN, "1")
        await first.brought_in(first.resident)
        await until(lambda: first.journal("unreached"))
        assert (await first.journal("unreached"))[0]["detail"] == {"person": core.HOME, "why": "twilio_voice: busy"}
        await on_the_line(shared, first, until, 1)
        # The operator still holds the first line: the second home is reached by the desk's other telephone.
        await ask(shared, second)
        two = await takes(shared, until, DESK, "1")
        await second.brought_in(second.resident)
        await takes(shared, until, second.resident)
        await on_the_line(shared, second, until, 2)
        assert line(shared, first).record.sid != line(shared, second).record.sid
        for call in (one, two):
            call.hang_up()
        await line_over(shared, first, until)
        await line_over(shared, second, until)
        assert await lines(first, "joined") == [core.DESK], "who never came has not left"
        assert await lines(first, "left") == [core.DESK]


async def test_what_cannot_be_called_is_said_and_what_is_told_of_a_line_is_heard_once(
    shared: Room, until: Until
) -> None:
    async with Home(shared, until) as home:
        await home.press()
        await shared.rows("update people set phone = null where home = %s returning id", home.id)
        refused = await ask(shared, home)
        assert (refused.refused, refused.name) == (True, "no_home_phone")
        bridging = Bridging(shared.database, shared.clock, shared.desk, None)
        await shared.rows("update people set phone = %s where home = %s returning id", home.resident, home.id)
        async with shared.database.transaction() as connection:
            await shifts.end(connection, "desk", shared.clock.now())
        assert (await bridging.ask(home.incident, "desk", "陈班长")).name == "no_desk_phone"
        await ask(shared, home)
        await takes(shared, until, DESK, "1")
        await on_the_line(shared, home, until, 1)
        await until(lambda: lines(home, "joined"))
        (send, *_) = await home.sends("bridge")
        path = f"/webhooks/twilio/conference/{home.incident}"
        told = {"ConferenceSid": "CF1", "SequenceNumber": "7", "ParticipantLabel": str(send["id"])}
        left = {**told, "StatusCallbackEvent": "participant-leave"}
        for _ in range(3):
            assert (await post(shared, path, left)).status_code == 204
        assert await lines(home, "left") == [core.DESK]
        assert (await post(shared, path, left, "guessed")).status_code == 403
        assert (await post(shared, path, {**left, "ParticipantLabel": "1; drop"})).status_code == 404
        assert (await post(shared, "/webhooks/twilio/conference/999999", left)).status_code == 404
        shared.phone(DESK).call.hang_up()
        await home.close()
        assert (await ask(shared, home)).name == "already_closed"


async def test_the_simulated_line_holds_and_mutes_as_the_real_one(shared: Room, until: Until) -> None:
    base = f"{shared.settings.twilio_base_url}/2010-04-01/Accounts/{SID}/Conferences"
    async with httpx.AsyncClient(auth=(SID, TOKEN), trust_env=False) as client:
        number = "+8613800000903"
        shared.neighbourhood.network.add(Phone(number, habit=Habit("manual")))
        asked = {"To": number, "From": OURS, "Label": "x", "EndConferenceOnExit": "true"}
        made = (await client.post(f"{base}/a-line/Participants.json", data=asked)).json()
        assert (made["status"], made["label"]) == ("queued", "x")
        await takes(shared, until, number)
        await until(lambda: shared.neighbourhood.network.conference("a-line").participants[made["call_sid"]].inside)
        inside = f"{base}/{made['conference_sid']}/Participants/x.json"
        assert (await client.post(inside, data={"Hold": "true", "Muted": "true"})).json()["hold"] is True
        held = (await client.get(f"{base}/a-line/Participants.json", params={"Hold": "true"})).json()["participants"]
        assert [one["call_sid"] for one in held] == [made["call_sid"]]
        assert (await client.get(inside)).json()["muted"] is True
        going_on = await client.get(f"{base}.json", params={"FriendlyName": "a-line", "Status": "init"})
        assert len(going_on.json()["conferences"]) == 1
        assert (await client.delete(inside)).status_code == 204
        await until(lambda: shared.phone(number).state == "idle")
        over = (await client.get(f"{base}/{made['conference_sid']}.json")).json()
        assert (over["status"], over["call_sid_ending_conference"]) == ("completed", made["call_sid"])
        assert (await client.get(f"{base}/a-line.json")).status_code == 404, "a name is one line's while it lasts"
