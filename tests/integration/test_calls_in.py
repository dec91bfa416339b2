"""Calls and messages to our own number, with real signatures and TwiML, into a real database, to the desk."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from device_sim.phone.call import IncomingCall
from device_sim.phone.people import Habit, Phone
from device_sim.phone.signature import sign
from dispatch import incident as core
from dispatch.channels.twilio_in.heard import read
from dispatch.desk import Desk, UnknownHome
from pingan import metrics
from pingan.clock import DrivenClock
from pingan.database import Database
from tests.conftest import Until
from tests.integration.dispatch_support import LI, OURS, TOKEN, WANG, Room, room
from tests.integration.web_support import site

CHEN, STRANGER, DESK_PHONE = "+8613800000149", "+8613900000000", "+867503000000"
SID = "CA" + "7" * 32


async def rings(this: Room, number: str, *, withheld: bool = False) -> IncomingCall:
    """Somebody calls our number; the call once everything has been said."""
    phone = this.neighbourhood.network.add(Phone(number))
    call = this.neighbourhood.network.incoming(phone, OURS, withheld=withheld)
    async with asyncio.timeout(60):
        await call.settled()
    return call


def said(call: IncomingCall) -> list[tuple[str, str]]:
    return [(language, text) for _, language, text in call.record.heard]


async def writes(this: Room, number: str, body: str) -> list[str]:
    """Somebody writes to our number; what they are answered."""
    phone = this.neighbourhood.network.add(Phone(number))
    assert await this.neighbourhood.network.reply(phone, OURS, body) == 200
    return [sms.body for sms in phone.inbox if not sms.outgoing]


async def open_with(this: Room, until: Until, *raised: int) -> list[dict[str, Any]]:
    """The open incidents, oldest first, once each was raised so often."""

    async def there() -> Any:
        rows = sorted(await this.incidents(), key=lambda row: row["id"])
        return rows if [row["raised"] for row in rows] == list(raised) else None

    rows: Any = await until(there)
    return list(rows)


async def post(this: Room, path: str, form: dict[str, str], token: str = TOKEN) -> httpx.Response:
    url = this.settings.public_url + path
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(url, data=form, headers={"X-Twilio-Signature": sign(token, url, list(form.items()))})


def refused(reason: str) -> float:
    return float(metrics.WEBHOOKS_REFUSED.labels(reason)._value.get())


async def test_whoever_lives_there_calls_and_each_call_is_a_press(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        await this.rows("update people set phone = %s where id = 'P001' returning id", CHEN)
        counted = metrics.ALARMS.labels("sos", "telephone")._value.get()
        call = await rings(this, CHEN)
        ((language, text),) = said(call)
        assert language == "cmn-CN"
        assert "已经收到" in text
        (opened,) = await open_with(this, until, 1)
        assert (opened["home"], opened["person"], opened["cause"], opened["ringing"]) == ("H001", "陈秀英", "sos", True)
        assert (opened["named_by"], opened["device"]) == (None, None), "her own telephone says so"
        told = dict(call._common("ringing"))
        assert (await post(this, "/webhooks/twilio/in/voice", told)).status_code == 200
        await rings(this, CHEN)
        await open_with(this, until, 2)
        assert (await writes(this, CHEN, "我摔倒了"))[0].startswith("【平安通】已经收到")
        (opened,) = await open_with(this, until, 3)
        assert metrics.ALARMS.labels("sos", "telephone")._value.get() - counted == 2, "told again is not called again"
        found = await this.incident(opened["id"])
        entries = [(entry["event"], entry["detail"]["caller"]) for entry in found["journal"]]
        telephone = {"source": "telephone", "number": CHEN, "name": "陈秀英", "role": "resident"}
        message = {**telephone, "source": "sms", "text": "我摔倒了"}
        assert entries == [("opened", telephone), ("raised", telephone), ("raised", message)]
        assert found["stamps"]["t0"]["at"] == found["stamps"]["t1"]["at"] == driven.now()
        this.pass_seconds(10)
        await until(lambda: this.calls_to(LI))


async def test_a_daughter_calls_about_her_mother_which_may_be_put_right(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        await rings(this, LI)
        (opened,) = await open_with(this, until, 1)
        assert (opened["home"], opened["named_by"]) == ("H001", "李梅")
        found = await this.incident(opened["id"])
        assert found["journal"][0]["detail"]["caller"]["role"] == "family"
        assert (await this.desk.identify(opened["id"], "H002", "op", "陈班长")).name == "identified"
        assert (await this.incident(opened["id"]))["person"] == "<script>"
        (row,) = await this.rows("select person, home from incidents")
        assert row == {"person": "P002", "home": "H002"}
        await this.press("e1", device="H002-button", home="H002")
        await open_with(this, until, 2)
        moved = await this.desk.identify(opened["id"], "H001", "op", "陈班长")
        assert (moved.refused, moved.name) == (True, "home_known"), "somebody at H002 has pressed"


async def test_one_who_is_a_contact_of_several_homes_is_asked_whose(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        await this.rows(
            "insert into contacts (id, home, rank, name, relation, role, phone, language)"
            " values ('C9', 'H002', 1, 'John Wang', '物业', 'property', %s, 'en') returning id", WANG,
        )  # fmt: skip
        call = await rings(this, WANG)
        assert [language for language, _ in said(call)] == ["en-GB"]
        (opened,) = await open_with(this, until, 1)
        assert (opened["home"], opened["caller"]) == (None, WANG)
        caller = (await this.incident(opened["id"]))["journal"][0]["detail"]["caller"]
        assert (caller["name"], "role" in caller) == ("John Wang", False), "what is not certain is not said"


async def test_strangers_are_kept_apart_named_and_known_from_then_on(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        call = await rings(this, STRANGER)
        assert [language for language, _ in said(call)] == ["cmn-CN", "en-GB"]
        await rings(this, "+8613900000001", withheld=True)
        await rings(this, "+8613900000001", withheld=True)
        assert len((await writes(this, STRANGER, "<b>救命</b>\0"))[0].splitlines()) == 2
        first, *others = await open_with(this, until, 2, 1, 1)
        assert [row["caller"] for row in (first, *others)] == [STRANGER, "", ""]
        assert {row["home"] for row in (first, *others)} == {None}
        entries = (await this.incident(first["id"]))["journal"]
        assert entries[1]["detail"]["caller"]["text"] == "<b>救命</b>\ufffd"
        this.pass_seconds(10)

        async def all_asked() -> bool:
            return [row["step"] for row in await this.incidents()] == [5, 5, 5]

        await until(all_asked)
        assert not this.calls_to(LI), "nobody knows whom to call"
        with pytest.raises(UnknownHome):
            await this.desk.identify(first["id"], "H404", "op", "陈班长")
        assert (await this.desk.identify(first["id"], "H001", "op", "陈班长")).name == "identified"
        await until(lambda: this.calls_to(LI))
        found = await this.incident(first["id"])
        assert (found["person"], found["card"]["way_in"], found["named_by"]) == ("陈秀英", "门卫有钥匙", "陈班长")
        second = await this.desk.identify(others[0]["id"], "H001", "op", "陈班长")
        assert (second.name, second.refused, second.who) == ("home_has_incident", True, str(first["id"]))
        await rings(this, STRANGER)
        await open_with(this, until, 3, 1, 1)


async def test_two_who_name_the_same_home_at_once_name_one(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        for number in range(6):
            await rings(this, f"+861390000001{number}")
        rows = await open_with(this, until, *[1] * 6)
        desks = [Desk(database, driven) for _ in rows]
        await this.press()
        decisions = await asyncio.gather(
            *(desk.identify(row["id"], "H001", "op", "陈班长") for desk, row in zip(desks, rows, strict=True))
        )

        async def of_the_home() -> Any:
            return [row for row in await this.incidents() if row["home"] == "H001"]

        of_it: Any = await until(of_the_home)
        assert len(of_it) == 1
        assert {decision.name for decision in decisions} <= {"identified", "home_has_incident"}
        assert sum(decision.name == "identified" for decision in decisions) <= 1


@pytest.mark.parametrize("taken", [True, False])
async def test_the_caller_is_put_through_to_the_desk_and_neither_way_ends_it(
    database: Database, driven: DrivenClock, until: Until, taken: bool
) -> None:
    async with room(database, driven, desk_phone=DESK_PHONE) as this:
        desk = this.neighbourhood.network.add(Phone(DESK_PHONE, habit=Habit("manual" if taken else "busy")))
        calling = asyncio.create_task(rings(this, CHEN, withheld=True))
        event = "connected" if taken else "unreached"
        if taken:
            await until(lambda: desk.state == "ringing")
            assert desk.call is not None
            assert desk.call.record.request.from_number == OURS, "one who shows no number is passed on under ours"
            opened: Any = await until(this.the_incident)
            desk.call.answer()
            assert await desk.call.press("1")
        else:
            opened = await until(this.the_incident)

        async def written() -> Any:
            return [entry for entry in (await this.incident(opened["id"]))["journal"] if entry["event"] == event]

        entries: Any = await until(written)
        if taken:
            assert desk.call is not None
            desk.call.hang_up()
        else:
            assert entries[0]["detail"] == {"person": core.DESK, "why": "twilio_in: busy"}
        call = await calling
        assert any("继续联系人" in text for _, text in said(call)) == (not taken)
        assert not call.record.errors
        row = await this.the_incident()
        assert row is not None
        assert (row["state"], row["ringing"]) == ("waiting", True)


async def in_parts(this: Room, path: str, form: bytes) -> httpx.Response:
    """A form whose length nobody says."""

    async def parts() -> AsyncIterator[bytes]:
        yield form

    async with httpx.AsyncClient(trust_env=False) as client:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return await client.post(this.settings.public_url + path, content=parts(), headers=headers)


async def test_what_is_forged_or_names_no_call_is_refused_and_counted(database: Database, driven: DrivenClock) -> None:
    async with room(database, driven) as this:
        before = {reason: refused(reason) for reason in ("forged", "no_call_id", "too_large", "database_away")}
        voice, sms = "/webhooks/twilio/in/voice", "/webhooks/twilio/in/sms"
        form = {"CallSid": SID, "From": STRANGER, "To": OURS, "CallStatus": "ringing"}
        assert (await post(this, voice, form, "guessed")).status_code == 403
        assert (await post(this, f"{voice}?x=1", form, "guessed")).status_code == 403
        answer = await post(this, voice, {"From": STRANGER})
        assert (answer.status_code, answer.json()["title"]) == (422, "no_call_id")
        assert (await post(this, sms, {**form, "MessageSid": SID})).status_code == 422
        longest = {"Body": "救" * 1_600} | {
            f"MediaUrl{number}": "https://provider/" + "x" * 240 for number in range(10)
        }
        assert (await post(this, sms, longest)).status_code == 422, "no message is too long"
        assert (await post(this, sms, {"Body": "x" * 70_000})).status_code == 413
        assert (await in_parts(this, sms, b"Body=" + b"x" * 70_000)).status_code == 413, "nor where none is said"
        assert await this.rows("select id from alarms") == []
        await this.stop()
        await database.close()
        away = await post(this, voice, form)
        assert (away.status_code, away.json()["title"]) == (503, "database_away")
        assert "<Say" not in away.text, "nobody is told that they were heard"
        after = {reason: refused(reason) - count for reason, count in before.items()}
        assert after == {"forged": 2, "no_call_id": 3, "too_large": 2, "database_away": 1}


async def test_nobodys_caller_is_everybodys_until_they_are_named(postgres_url: str, until: Until) -> None:
    async with site(postgres_url) as web:
        await web.furnish()
        desk, caller = Desk(web.process.database, web.process.clock), core.Caller("telephone", STRANGER)
        heard = read("telephone", {"CallSid": SID, "From": STRANGER})
        assert await desk.hear(heard.alarm, None, heard.stranger, caller, heard.more)
        assert not await desk.hear(heard.alarm, None, heard.stranger, caller, heard.more)
        assert await desk.take_alarms()
        there, machine = await web.signed_in("operator", "440704"), await web.machine("operator")
        seen: list[str] = []

        async def listen() -> None:
            async for text in web.live.stream("440704"):
                seen.append(text)

        listening = asyncio.create_task(listen())
        async with there, machine:
            assert "139 0000 0000" in (await there.get("/rows")).text
            path = "/api/v1/incidents/1/identify"
            assert (await machine.post(path, json={"home": "H404"})).status_code == 404
            named = await machine.post(path, json={"home": "H001"})
            assert (named.status_code, named.json()["incident"]["person"]) == (200, "陈秀英")
            again = await machine.post(path, json={"home": "H001"})
            assert (again.status_code, again.json()["title"]) == (409, "already_named")
            await until(lambda: any("1 2" in text for text in seen))
            assert "139 0000 0000" not in (await there.get("/rows")).text, "and is one area's from then on"
            assert (await there.get("/incidents/1")).status_code == 404
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_who_was_called_for_a_home_that_it_was_not_is_told_not_to_go(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        await rings(this, STRANGER)
        (opened,) = await open_with(this, until, 1)
        await this.desk.act(opened["id"], core.Answer("op", "陈班长"))
        await this.desk.act(opened["id"], core.NoContact("op", "陈班长"))
        assert (await this.desk.identify(opened["id"], "H001", "op", "陈班长")).name == "identified"
        await until(lambda: this.phone(LI).inbox)
        assert (await this.desk.identify(opened["id"], "H002", "op", "陈班长")).name == "identified"
        assert "另一家" in (await writes(this, LI, "1"))[-1]
        incident = await this.desk.look(opened["id"])
        assert (incident.home, incident.helper) == ("H002", None), "nobody goes to the wrong door and is counted on"
