"""What production asks of Twilio, and what it hears from it, against Twilio's published document.

A fake that drifts tests nothing: every request that our SDK makes is documented, with every parameter; every answer has
the documented fields; and every callback that production subscribes to was sent, and was answered well.
"""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from device_sim.phone.people import Habit, Phone
from dispatch.bridging import Bridging
from dispatch.channels import Send
from dispatch.channels.twilio_sms.answers import STATES
from dispatch.channels.twilio_sms.send import TwilioSms
from dispatch.channels.twilio_voice.answers import ENDED, ORDER
from dispatch.channels.twilio_voice.send import CALLBACKS, CONFERENCE_EVENTS, TwilioVoice
from dispatch.following import TEST, Row
from dispatch.sends import add
from tests.conftest import Until
from tests.integration.dispatch_support import OURS, Room
from tests.integration.phone_support import Home, post, rooms
from tests.unit.test_sim_twilio_openapi import BASE, SCHEMAS, SPEC, answered, check, form_of

DESK = "+867503000000"
CALL_KINDS = frozenset(CALLBACKS) | {"detection"}
MESSAGE_KINDS = frozenset({"sent", "delivered", "undelivered"})
NAMES = {"join": "participant-join", "leave": "participant-leave", "start": "conference-start", "end": "conference-end"}
SUBSCRIBED = ("StatusCallbackEvent", "ConferenceStatusCallbackEvent")


@pytest.fixture(scope="module")
async def shared(shared_url: str) -> AsyncIterator[Room]:
    async for this in rooms(shared_url, desk_phone=DESK):
        this.neighbourhood.network.add(Phone(DESK))
        yield this


def documented(path: str) -> str:
    """A path of the simulator as Twilio's document writes it: it differs in the names of what stands in braces."""

    def plain(one: str) -> str:
        return re.sub(r"\{\w+\}", "{}", one)

    (found,) = [one for one in SPEC["paths"] if plain(one) == plain(BASE + path)]
    return str(found).removeprefix(BASE)


async def everything(shared: Room, until: Until) -> None:
    """All that production asks the provider for, and all that it is told: from the first call to the common line."""
    async with Home(shared, until) as home:
        home.phone(home.wang).habit = Habit("failed")
        await home.press()
        call = await home.calls(home.li)
        call.answer(by_machine=True)
        await until(lambda: call.record.answered_by)  # it is told to be a machine, and given other words
        await call.settled()
        shared.pass_seconds(3_600)
        await home.answered(home.li, "1", "9", "#")
        await home.send_ended("help", home.people[home.wang], "twilio_sms")
        bridging = Bridging(shared.database, shared.clock, shared.desk, DESK)
        await bridging.ask(home.incident, "desk", "陈班长")
        await until(lambda: shared.phone(DESK).state == "ringing")
        operator = shared.phone(DESK).call
        operator.answer()
        assert await operator.press("1")
        await home.brought_in(home.resident)
        home.phone(home.resident).call.answer()
        line = shared.neighbourhood.network.conference(f"incident-{home.incident}")
        assert line is not None
        await until(lambda: line.record.status == "in-progress")
        operator.hang_up()
        await until(lambda: line.over)
        await line.settled()
        await operator.settled()
        since = shared.clock.now() - timedelta(days=3_650)
        for channel in (TwilioVoice(shared.settings), TwilioSms(shared.settings)):
            send = Send(1, home.incident, "test", "x", "x", home.li, "zh", {}, since, since)
            await channel.find(send)
        for one in shared.neighbourhood.network.calls.values():
            one.end("completed")
            await one.settled()
        for message in shared.neighbourhood.network.messages.values():
            await message.settled()


async def test_what_we_ask_is_documented_and_what_we_subscribe_to_is_told_and_heard(shared: Room, until: Until) -> None:
    await everything(shared, until)
    network = shared.neighbourhood.network
    asked = {(one.method.lower(), documented(one.path)) for one in network.requests}
    assert asked == {
        ("post", "/Calls.json"), ("get", "/Calls.json"), ("post", "/Calls/{Sid}.json"),
        ("post", "/Messages.json"), ("get", "/Messages.json"),
        ("post", "/Conferences/{ConferenceSid}/Participants.json"),
    }  # fmt: skip
    for one in network.requests:
        method, path = one.method.lower(), documented(one.path)
        undocumented = one.parameters - form_of(path, method)
        assert not undocumented, f"{one.method} {path} has no {undocumented}"
        check(answered(path, method, str(one.status)), one.body, f"{one.method} {path}")

    calls = [call.record for call in network.calls.values()]
    assert not [call.request.unknown_parameters for call in calls if call.request.unknown_parameters]
    assert {event for call in calls for event in call.request.status_callback_events} <= CALL_KINDS
    told = [callback for call in calls for callback in call.callbacks]
    assert {event for _, event, _ in told} == CALL_KINDS, "each kind was seen"
    assert {call.answered_by for call in calls} >= {"machine_start", "human"}
    assert {call.status for call in calls} >= {"completed", "failed"}
    messages = [message.record for message in network.messages.values()]
    sent = [callback for message in messages for callback in message.callbacks]
    assert {kind for _, kind, _ in sent} == MESSAGE_KINDS
    lines = [event for line in network.conferences.values() for event in line.record.events]
    assert {name for _, name, _, _ in lines} == {NAMES[event] for event in CONFERENCE_EVENTS}
    statuses = [*(status for *_, status in told), *(status for *_, status in sent), *(status for *_, status in lines)]
    assert set(statuses) == {204}, "and each was heard"
    fetched = [status for call in calls for _, _, status in call.webhooks]
    assert set(fetched) == {200}, "each document that was asked for was had"
    assert not [call.errors for call in calls if call.errors]


async def test_every_state_that_is_published_is_one_of_ours(shared: Room, until: Until) -> None:
    calls = set(SCHEMAS["call_enum_status"]["enum"])
    assert calls <= {*ENDED, *ORDER, "completed"}
    # A message of ours is never received, read, scheduled or sent in part; what is told of it is said to be nothing.
    published = set(SCHEMAS["message_enum_status"]["enum"])
    assert set(STATES) <= published
    unused = {"receiving", "received", "scheduled", "read", "partially_delivered", "canceled"}
    assert published - set(STATES) == unused & published
    async with Home(shared, until) as home:
        await home.press()
        call = await home.calls(home.li)
        (voice,) = [send for send in await home.sends("help") if send["channel"] == "twilio_voice"]
        text = await home.send_ended("help", home.people[home.li], "twilio_sms")
        for status in (*sorted(published), "unheard-of", ""):
            form = {"MessageSid": "SM" + "1" * 32, "MessageStatus": status, "From": OURS}
            assert (await post(shared, f"/webhooks/twilio/sms/{text['id']}/status", form)).status_code == 204
        for status in ("unheard-of", "", *sorted(calls - {"completed", *ENDED})):
            form = {"CallSid": call.record.sid, "CallStatus": status}
            assert (await post(shared, f"/webhooks/twilio/voice/{voice['id']}/status", form)).status_code == 204
        assert (await home.send_ended("help", home.people[home.li], "twilio_sms"))["state"] == "delivered"
        whys = [one["detail"]["why"] for one in await home.journal("unreached")]
        assert not [why for why in whys if why.startswith("twilio_sms")], "late words change nothing"


async def test_a_telephone_that_is_off_was_not_reached_and_is_no_wrong_number(shared: Room, until: Until) -> None:
    async with Home(shared, until) as home:
        home.phone(home.li).habit = Habit("failed")
        await home.press()
        shared.pass_seconds(10)
        text = await home.send_ended("help", home.people[home.li], "twilio_sms")
        assert (text["state"], text["result"]) == ("failed", "undelivered 30003")
        now, codes = shared.clock.now(), ("30003", "30008", "", "30006", "30005", "30007")
        rows = [
            Row(1, TEST, "twilio_sms", f"{home.id}-{code}", "-", home.wang, "zh", {}, now, now + timedelta(hours=1))
            for code in codes
        ]
        async with shared.database.transaction() as connection:
            await add(connection, home.incident, rows)

        async def gone() -> Any:
            query = "select id, recipient from sends where recipient = any(%s) and state = 'delivered' order by id"
            found = await shared.rows(query, [row.recipient for row in rows])
            return found if len(found) == len(rows) else None

        # Whatever it has said before: of one that is not over yet.
        sends: Any = await until(gone)
        under_way = [one["id"] for one in sends]
        await shared.rows("update sends set state = 'sent' where id = any(%s) returning id", under_way)
        for one in sends:
            code = one["recipient"].rpartition("-")[2]
            form = {"MessageSid": "SM" + "2" * 32, "MessageStatus": "undelivered", "ErrorCode": code}
            assert (await post(shared, f"/webhooks/twilio/sms/{one['id']}/status", form)).status_code == 204
        tasks = await shared.rows(
            "select kind, subject, detail->>'code' as code from desk_tasks where detail->>'channel' = 'twilio_sms'"
            " and (subject like %s or kind = 'provider_account') order by kind", f"{home.id}%",
        )  # fmt: skip
        assert tasks == [
            {"kind": "bad_number", "subject": f"{home.id}-30005", "code": "30005"},
            {"kind": "provider_account", "subject": "twilio", "code": "30007"},
        ]
        whys = [one["detail"]["why"] for one in await home.journal("unreached")]
        assert "twilio_sms: undelivered 30003" in whys, "the operator reads it"
