"""The telephone's keys, with real signatures and TwiML: who goes, who cannot, who wants the desk, and machines."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from device_sim.phone.people import Habit, Phone
from dispatch import incident as core
from tests.conftest import Until
from tests.integration.dispatch_support import Room
from tests.integration.phone_support import Home, heard, post, rooms

DESK = "+867503000000"


@pytest.fixture(scope="module")
async def shared(shared_url: str) -> AsyncIterator[Room]:
    async for this in rooms(shared_url, desk_phone=DESK):
        this.neighbourhood.network.add(Phone(DESK))
        yield this


async def errand(this: Room, phone: str, language: str = "zh") -> int:
    """A call that tests whether somebody can be reached, as whoever plans such calls puts it into the outbox."""
    now = this.clock.now()
    rows = await this.rows(
        "insert into sends (errand, step, purpose, channel, recipient, name, address, language, body, due_at,"
        " deadline_at) values ('reach/' || %s, 0, 'test', 'twilio_voice', %s, 'x', %s, %s, %s, %s, %s) returning id",
        phone, phone, phone, language, Jsonb({}), now, now + timedelta(seconds=60),
    )  # fmt: skip
    return int(rows[0]["id"])


async def test_one_key_goes_another_says_when_and_who_is_asked_again_hears_that_we_know(
    shared: Room, until: Until
) -> None:
    async with Home(shared, until) as home:
        await home.press()
        call = await home.answered(home.li, "9", "1", "0", "#")
        assert heard(call).count("幸福路9号") >= 2, "9 says it again"
        assert "稍后再问您几分钟" in heard(call)
        row = await home.row()
        assert (row["state"], row["helper"]["name"], row["helper"]["eta"]) == ("accepted", "林小梅", None)
        shared.pass_seconds(3_600)  # nobody has heard from her: everybody is asked, and she too
        again = await home.answered(home.li, "1", "1", "5", "#")
        assert "您之前已经答应要去" in heard(again)
        row = await home.row()
        assert row["state"] == "moving"
        assert row["helper"]["eta"] - shared.clock.now() == timedelta(minutes=15)


async def test_two_is_no_and_after_a_yes_it_takes_it_back(shared: Room, until: Until) -> None:
    async with Home(shared, until) as home:
        await home.press()
        await home.answered(home.li, "2")
        assert (await home.told("declined_by_all"))["actor"] in (home.people[home.li], "林小梅")
        call = await home.answered(home.wang, "1", "8", "#")
        assert "About 8 minutes" in heard(call)
        change = core.Changed("陈", "she is on the stairs <b>&")
        assert (await shared.desk.act(home.incident, change)).name == "changed"
        told = await home.answered(home.wang, "2")
        assert "she is on the stairs <b>&" in heard(told)
        assert "somebody else" in heard(told)
        assert (await home.told("resigned"))["detail"]["person"] == home.people[home.wang]
        row = await home.row()
        assert (row["state"], row["ringing"], row["helper"]) == ("waiting", True, None)


async def test_news_is_said_in_words_and_one_says_that_it_was_heard(shared: Room, until: Until) -> None:
    async with Home(shared, until) as home:
        await home.press()
        await home.answered(home.li, "1", "5", "#")
        for number, (event, words) in enumerate(
            [
                (core.NoContact("op", "陈"), "联系不上本人"),
                (core.Contact("op", "陈"), "已经和本人通上话"),
                (core.Raised("smoke"), "家中烟雾报警"),
            ],
            1,
        ):
            assert (await shared.desk.act(home.incident, event)).tell is not None
            call = await home.answered(home.li, "1")
            assert words in heard(call)
            assert (await home.told("confirmed"))["detail"] == {"person": home.people[home.li], "number": number}
        assert {send["result"] for send in await home.sends("change") if send["channel"] == "twilio_voice"} == {
            "key_heard"
        }


@pytest.mark.parametrize("taken", [True, False])
async def test_three_speaks_with_the_desk_and_may_still_say_yes(shared: Room, until: Until, taken: bool) -> None:
    async with Home(shared, until) as home:
        desk = shared.phone(DESK)
        desk.habit = Habit("manual" if taken else "busy")
        await home.press()
        call = await home.calls(home.li)
        call.answer()
        assert await call.press("3")
        if taken:
            await until(lambda: desk.state == "ringing")
            desk.call.answer()
            assert await desk.call.press("1")
            assert (await home.told("recorded", "connected"))["actor"] == "林小梅"
            desk.call.hang_up()
        else:
            assert (await home.told("recorded", "unreached"))["detail"]["why"] == "twilio_voice: busy"
        assert await call.press("1")
        await call.press("#")
        await call.settled()
        assert ("没有接通" in heard(call)) == (not taken)
        assert (await home.row())["state"] == "accepted"
        assert (await home.send_ended("help", home.people[home.li]))["result"] == "key_going"


async def test_a_machine_is_told_nothing_and_is_nobody(shared: Room, until: Until) -> None:
    async with Home(shared, until) as home:
        home.phone(home.li).habit = Habit("voicemail", after_seconds=0)
        await home.press()
        shared.pass_seconds(50)
        ended = await home.send_ended("help", home.people[home.li])
        assert (ended["state"], ended["result"]) == ("unanswered", "voicemail")
        call = shared.calls_to(home.li)[-1]
        assert call.record.answered_by == "machine_start"
        left = heard(call).split("这里是平安通，", 1)[1]
        assert not [secret for secret in ("林奶奶", "幸福路", "门卫", "求助") if secret in left]
        assert (await home.told("recorded", "unreached"))["detail"]["why"] == "twilio_voice: voicemail"
        assert (await home.row())["state"] == "waiting"


async def test_a_person_who_is_taken_for_a_machine_hears_all_of_it(shared: Room, until: Until) -> None:
    async with Home(shared, until) as home:
        await home.press()
        call = await home.calls(home.li)
        call.answer(by_machine=True)
        await until(lambda: "如果您本人在听" in heard(call))
        for key in ("9", "1", "#"):
            assert await call.press(key)
        await call.settled()
        assert heard(call).rstrip().count("幸福路9号") >= 2
        assert (await home.row())["state"] == "accepted"
        assert (await home.send_ended("help", home.people[home.li]))["result"] == "key_going"


@pytest.mark.parametrize(("habit", "state", "result"), [
    (Habit("accept", after_seconds=0), "answered", "key_reached"),
    (Habit("decline", after_seconds=0), "answered", "key_stranger"),
    (Habit("accept", after_seconds=0, digits=""), "unanswered", "no_key"),
    (Habit("voicemail", after_seconds=0), "unanswered", "voicemail"),
    (Habit("busy"), "unanswered", "busy"),
])  # fmt: skip
async def test_a_test_call_says_whether_somebody_can_be_reached_and_no_incident_hears_of_it(
    shared: Room, until: Until, habit: Habit, state: str, result: str
) -> None:
    number = f"+86139999900{len(shared.neighbourhood.network.phones):02}"
    shared.neighbourhood.network.add(Phone(number, habit=habit))
    before = await shared.rows("select count(*) from journal")
    send = await errand(shared, number)
    shared.pass_seconds(1)

    async def ended() -> Any:
        return await shared.rows("select state, result from sends where id = %s and finished_at is not null", send)

    rows: Any = await until(ended)
    assert rows == [{"state": state, "result": result}]
    assert await shared.rows("select count(*) from journal") == before
    call = shared.calls_to(number)[-1]
    await call.settled()
    assert not call.record.errors
    if result != "busy":
        assert "没有人需要帮助" in heard(call)


async def test_what_is_told_twice_late_or_out_of_order_has_no_effect(shared: Room, until: Until) -> None:
    async with Home(shared, until) as home:
        await home.press()
        call = await home.answered(home.li, "1", "7", "#")
        send = await home.send_ended("help", home.people[home.li])
        sid, base = call.record.sid, f"/webhooks/twilio/voice/{send['id']}"
        before = (await home.row())["journal"]
        form = {"CallSid": sid, "AnsweredBy": "human"}
        replays = [
            ("keys", {**form, "Digits": "1"}), ("minutes", {**form, "Digits": "99"}),
            ("status", {**form, "CallStatus": "busy"}), ("status", {**form, "CallStatus": "ringing"}),
            ("status", {**form, "CallStatus": "completed"}), ("machine", {**form, "AnsweredBy": "machine_start"}),
        ]  # fmt: skip
        for _ in range(2):
            for path, told in replays:
                assert (await post(shared, f"{base}/{path}", told)).is_success
                assert (await post(shared, f"{base}/{path}", told, "guessed")).status_code == 403
        assert (await home.row())["journal"] == before
        assert (await home.send_ended("help", home.people[home.li]))["result"] == "key_going"
        # She has taken it back since; her old yes, replayed, does not send her again.
        assert (await shared.desk.act(home.incident, core.Resigned(home.people[home.li]))).name == "resigned"
        again = await post(shared, f"{base}/keys", {**form, "Digits": "1"})
        assert "处理完毕" in again.text
        assert (await home.row())["helper"] is None


async def test_an_old_no_that_is_told_again_does_not_take_back_a_later_yes(shared: Room, until: Until) -> None:
    async with Home(shared, until) as home:
        await home.press()
        call = await home.answered(home.li, "2")
        send = await home.send_ended("help", home.people[home.li])
        li = core.Helper(home.people[home.li], "林小梅", "family")
        assert (await shared.desk.act(home.incident, core.Accept(li))).name == "accepted"
        form = {"CallSid": call.record.sid, "Digits": "2", "CallStatus": "in-progress"}
        assert (await post(shared, f"/webhooks/twilio/voice/{send['id']}/keys", form)).is_success
        row = await home.row()
        assert (row["state"], row["helper"]["name"]) == ("accepted", "林小梅")


async def test_two_keys_told_at_once_are_one(shared: Room, until: Until) -> None:
    async with Home(shared, until) as home:
        await home.press()
        call = await home.calls(home.li)
        (send,) = [one for one in await home.sends("help") if one["channel"] == "twilio_voice"]
        form = {"CallSid": call.record.sid, "Digits": "1", "CallStatus": "in-progress"}
        path = f"/webhooks/twilio/voice/{send['id']}/keys"
        answers = await asyncio.gather(*(post(shared, path, form) for _ in range(4)))
        assert {answer.status_code for answer in answers} == {200}
        assert all("minutes" in answer.text for answer in answers), "each goes on to ask how long"
        assert len(await home.journal("accept")) == 1
