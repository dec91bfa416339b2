"""What people write back: the same events as the keys, answered with what was understood; anything else rings."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from device_sim.phone.people import Phone
from dispatch import incident as core
from dispatch.channels import Refused, Send
from dispatch.channels.twilio_sms.send import TwilioSms, text
from dispatch.links import Links
from tests.conftest import Until
from tests.integration.dispatch_support import LI, LINK_SECRET, OURS, Room
from tests.integration.phone_support import Home, heard, post, rooms

DESK = "+867503000000"


@pytest.fixture(scope="module")
async def shared(shared_url: str) -> AsyncIterator[Room]:
    async for this in rooms(shared_url, desk_phone=DESK):
        this.neighbourhood.network.add(Phone(DESK))
        yield this


async def asked(home: Home, number: str) -> None:
    """Somebody is called, and does not take it; the message is there."""
    call = await home.calls(number)
    call.hang_up()
    await home.send_ended("help", home.people[number], "twilio_sms")


async def test_words_are_the_same_as_keys_from_the_first_yes_to_safe(shared: Room, until: Until) -> None:
    async with Home(shared, until) as home:
        await home.press()
        await asked(home, home.li)
        (body,) = [sms.body for sms in home.phone(home.li).inbox if "地址" in sms.body]
        for said in ("林奶奶", "求助", "幸福路9号", "钥匙在门卫", "2026-01-05", "1去，2不能去，3请回电"):
            assert said in body
        (sms,) = [one for one in await home.sends("help") if one["provider_id"] and one["channel"] == "twilio_sms"]
        assert body.endswith("\n" + Links(LINK_SECRET, shared.settings.public_url).for_send(sms["id"]))
        assert "已记下：您去" in await home.writes(home.li, "我去！")
        row = await home.row()
        assert (row["state"], row["helper"]["name"]) == ("accepted", "林小梅")
        assert "15分钟" in await home.writes(home.li, "十五分钟")
        row = await home.row()
        assert row["helper"]["eta"] - shared.clock.now() == timedelta(minutes=15)
        assert "10分钟" in await home.writes(home.li, "10"), "a bare number of somebody who goes is minutes"
        assert (await shared.desk.act(home.incident, core.Changed("陈", "她在楼梯上"))).tell is not None
        await until(lambda: any("她在楼梯上" in sms.body for sms in home.phone(home.li).inbox))
        assert "看到了新情况" in await home.writes(home.li, "1")
        assert (await home.told("confirmed"))["detail"]["number"] == 1
        for early in ("没事", "安全"):
            assert "您到了请回" in await home.writes(home.li, early), "on the way they have seen nobody"
        assert [one["detail"]["text"] for one in await home.journal("note")][-2:] == ["没事", "安全"]
        assert (await home.row())["state"] == "moving"
        assert "求助按钮" in await home.writes(home.li, "到了。")
        row = await home.row()
        assert (row["state"], row["stamps"]["t7"]["reported"]) == ("on_scene", True)
        await shared.press("e2", device=home.button, home=home.id)
        await home.told("arrival_proven")
        assert "已记下：人安全" in await home.writes(home.li, "安全")
        assert "处理完毕" in await home.writes(home.li, "没事了")
        assert (await home.row())["state"] == "safe"
        assert (await home.row())["raised"] == 1, "no plain answer is a call for help"


async def test_who_cannot_and_who_cannot_after_all(shared: Room, until: Until) -> None:
    async with Home(shared, until) as home:
        await home.press()
        await asked(home, home.li)
        assert "您不能去" in await home.writes(home.li, "不能去")
        await home.told("declined_by_all")
        await asked(home, home.wang)
        assert "about 20 minutes" in await home.writes(home.wang, "Going in 20 minutes")
        assert "cannot come after all" in await home.writes(home.wang, "Can’t")
        assert (await home.told("resigned"))["detail"]["person"] == home.people[home.wang]


async def test_who_cannot_is_told_what_still_follows_from_it_and_was_reached_by_their_message(
    shared: Room, until: Until
) -> None:
    async with Home(shared, until) as home:
        await home.press()
        await asked(home, home.li)
        ringing = await home.calls(home.wang)
        ringing.answer()
        assert "已记下：您去" in await home.writes(home.li, "我去")
        assert "Somebody is going already" in await home.writes(home.wang, "2")
        assert "求助按钮" in await home.writes(home.li, "到了")
        assert "已记下：人安全" in await home.writes(home.li, "安全")
        assert "need not come" in await home.writes(home.wang, "2")
        assert "您不用去了" in await home.writes(home.li, "2")
        assert await ringing.press("2")
        await ringing.settled()
        assert "The person is safe" in heard(ringing)
        assert (await home.row())["state"] == "safe", "nobody is looked for any more"
        # Their newest message is answered: that is the call for help, or news that came behind it.
        texts = [*await home.sends("help"), *await home.sends("family")]
        read = {one["recipient"] for one in texts if (one["state"], one["result"]) == ("answered", "key_word")}
        assert read == {home.people[home.li], home.people[home.wang]}
        voice = [one["result"] for one in await home.sends("help") if one["channel"] == "twilio_voice"]
        assert "key_word" not in voice, "that a message was answered says nothing of a call"


async def test_what_is_no_plain_answer_rings_with_its_words(shared: Room, until: Until) -> None:
    async with Home(shared, until) as home:
        await home.press()
        await asked(home, home.li)
        for number, written in enumerate(("我去不了，她在流血", "安全", "15"), 2):
            answer = await home.writes(home.li, written)
            assert "马上与您联系" in answer
            assert "没有看懂" in answer, "and says so"

            async def rung(times: int = number) -> bool:
                return bool((await home.row())["raised"] == times)

            await until(rung)
        texts = [one["detail"]["caller"]["text"] for one in await home.journal("raised")]
        assert texts == ["我去不了，她在流血", "安全", "15"], "nor is safe from somebody who is not there"
        assert (await home.row())["state"] == "waiting"


async def test_three_is_called_back_from_the_desk(shared: Room, until: Until) -> None:
    async with Home(shared, until) as home:
        await home.press()
        await asked(home, home.li)
        assert "请接听马上打来的电话" in await home.writes(home.li, "请回电")
        await until(lambda: shared.phone(DESK).state == "ringing")
        operator = shared.phone(DESK).call
        operator.answer()
        assert await operator.press("1")
        await home.brought_in(home.li)
        home.phone(home.li).call.answer()

        async def joined() -> Any:
            found = [
                one["detail"]["person"] for one in await home.journal("bridged") if one["detail"]["what"] == "joined"
            ]
            return len(found) == 2 and found

        assert set(await until(joined)) == {core.DESK, home.people[home.li]}  # type: ignore[call-overload]
        operator.hang_up()


async def test_who_is_asked_for_two_homes_is_asked_which_and_nobody_guesses(shared: Room, until: Until) -> None:
    async with Home(shared, until) as first, Home(shared, until) as second:
        await shared.rows(
            "update contacts set phone = %s where home = %s and rank = 1 returning id", first.li, second.id
        )
        second.li = first.li
        second.people[first.li] = f"{second.id}-li"
        await first.press()
        await asked(first, first.li)
        await second.press()
        await asked(second, first.li)
        which = await first.writes(first.li, "我去，12分钟")
        assert "2处" in which
        assert which.count("林奶奶，幸福路9号") == 2
        assert [(await home.row())["state"] for home in (first, second)] == ["waiting", "waiting"]
        assert "12分钟" in await first.writes(first.li, "2")
        assert [(await home.row())["state"] for home in (first, second)] == ["waiting", "moving"]
        assert "2处" in await first.writes(first.li, "2"), "a number alone answers one question"
        assert "没有看懂" in await first.writes(first.li, "9") or "2处" in await first.writes(first.li, "9")
        assert (await first.row())["helper"] is None


async def test_a_message_told_twice_or_too_late_has_no_effect(shared: Room, until: Until) -> None:
    async with Home(shared, until) as home:
        await home.press()
        await asked(home, home.li)
        form = {"MessageSid": "SM" + "7" * 32, "From": home.li, "To": OURS, "Body": "我去", "NumMedia": "0"}
        path = "/webhooks/twilio/in/sms"
        answers = await asyncio.gather(*(post(shared, path, form) for _ in range(4)))
        assert {answer.status_code for answer in answers} == {200}
        assert (await post(shared, path, form, "guessed")).status_code == 403
        assert len(await home.journal("accept")) == 1
        await shared.desk.act(home.incident, core.Resigned(home.people[home.li]))
        assert "已经收到并处理" in (await post(shared, path, form)).text
        assert (await home.row())["helper"] is None
        help_ = {**form, "MessageSid": "SM" + "8" * 32, "Body": "救命"}
        before = (await home.row())["raised"]
        for _ in range(3):
            assert (await post(shared, path, help_)).is_success

        async def rung() -> bool:
            return bool((await home.row())["raised"] == before + 1)

        await until(rung)
        await home.close()
        assert "处理完毕" in await home.writes(home.li, "到了")
        assert (await post(shared, path, form)).is_success
        assert await shared.rows("select id from incidents where home = %s and state <> 'closed'", home.id) == []
        assert len(await home.journal("raised")) == before + 1 - 1
        for _ in range(2):
            answer = await post(shared, path, {**form, "MessageSid": "SM" + "9" * 32, "Body": "请回电"})
            assert "马上与您联系" in answer.text, "who wants to speak with somebody is never told that it is over"
        await until(lambda: shared.rows("select id from incidents where home = %s and state <> 'closed'", home.id))


@pytest.mark.parametrize(("word", "result"), [("收到", "key_reached"), ("2", "key_stranger")])
async def test_an_answer_to_a_test_is_no_call_for_help(shared: Room, until: Until, word: str, result: str) -> None:
    number, now = f"+86139999912{len(result)}", shared.clock.now()
    phone = shared.neighbourhood.network.add(Phone(number))
    await shared.rows(
        "insert into sends (errand, step, purpose, channel, recipient, name, address, language, body, due_at,"
        " deadline_at) values ('reach/' || %s, 0, 'test', 'twilio_sms', 'x', 'x', %s, 'zh', %s, %s, %s) returning id",
        number, number, Jsonb({}), now, now + timedelta(seconds=60),
    )  # fmt: skip
    shared.pass_seconds(1)
    await until(lambda: phone.inbox)
    assert "没有人需要帮助" in phone.inbox[0].body
    alarms = await shared.rows("select count(*) from alarms")
    assert await shared.neighbourhood.network.reply(phone, OURS, word) == 200
    assert "谢谢您" in phone.inbox[-1].body
    assert await shared.rows("select state, result from sends where address = %s", number) == [
        {"state": "answered", "result": result}
    ]
    assert await shared.rows("select count(*) from alarms") == alarms
    assert await shared.neighbourhood.network.reply(phone, OURS, "不行") == 200
    assert "马上与您联系" in phone.inbox[-1].body, "a test is no reason to take that for an answer"
    assert await shared.rows("select count(*) from alarms") != alarms


def test_each_purpose_has_its_words_and_the_link_is_never_cut(shared: Room) -> None:
    links = Links(LINK_SECRET, "https://p.example")
    now = shared.clock.now()
    body = {
        "person": "林奶奶", "cause": "fall", "address": "幸福路9号" * 400, "way_in": "钥匙在门卫", "change": "alarm",
        "text": "gas", "news": "moving", "by": "李梅", "packet": 3,
    }  # fmt: skip
    for language in ("zh", "en"):
        for purpose in ("help", "change", "family", "packet", "test"):
            send = Send(7, 1, purpose, "C1", "x", LI, language, body, now, now)
            whole = TwilioSms(shared.settings, links)._whole(send)
            assert len(whole) <= 1_600
            link = links.for_packet(3) if purpose == "packet" else links.for_send(7)
            assert whole.endswith(f"\n{link}") == (purpose != "test")
            assert "{" not in whole
        with pytest.raises(Refused):
            text(Send(7, None, "nothing", "C1", "x", LI, language, body, now, now))
