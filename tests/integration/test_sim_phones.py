"""The simulated Twilio, driven by Twilio's own SDK over real HTTP, with a real receiver of its webhooks."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from fastapi import Request, Response
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from device_sim.access import Access, Mqtt, PhoneEntry, TwilioAccount
from device_sim.neighbourhood import Neighbourhood, neighbourhood
from device_sim.server import Transports, bare_app, serving
from tests.integration.sim_support import free_port, until

SID, TOKEN, OURS, LI_MEI = "AC" + "0" * 32, "a-token", "+867500000000", "+8613800000101"
ASK = (
    '<Response><Gather numDigits="1" timeout="20" action="/answer"><Say language="zh-CN">陈秀英按了呼叫按钮。'
    "接受请按一。</Say></Gather><Redirect>/voice?again=1</Redirect></Response>"
)


class Receiver:
    """The platform's side of the telephone: answers TwiML and keeps every webhook, its signature checked."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.got: list[tuple[str, dict[str, str]]] = []
        self.twiml: dict[str, str] = {"/voice": ASK, "/answer": "<Response><Say>谢谢。</Say></Response>"}
        self.app = bare_app()
        self.app.add_api_route("/{path:path}", self._receive, methods=["POST", "GET"])

    async def _receive(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        signature = request.headers["x-twilio-signature"]
        assert RequestValidator(TOKEN).validate(str(request.url), form, signature), request.url
        self.got.append((request.url.path, form | dict(request.query_params)))
        body = self.twiml.get(request.url.path)
        return Response(body or "", 200 if body or request.url.path == "/status" else 404, media_type="text/xml")

    def statuses(self) -> list[str]:
        return [form["CallStatus"] for path, form in self.got if path == "/status"]


class _Loopback(TwilioHttpClient):
    def __init__(self, base_url: str) -> None:
        super().__init__(timeout=5.0)
        self._base_url = base_url

    def request(self, method: str, url: str, *args: Any, **more: Any) -> Any:
        return super().request(method, url.replace("https://api.twilio.com", self._base_url), *args, **more)


class World:
    def __init__(self, running: Neighbourhood, receiver: Receiver, base_url: str) -> None:
        self.network, self.receiver, self.base_url = running.network, receiver, base_url
        self.twilio = Client(SID, TOKEN, http_client=_Loopback(base_url))
        self.control = httpx.AsyncClient(base_url=base_url, timeout=60, trust_env=False)

    async def sdk(self, call: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """The SDK blocks: it runs beside the loop that serves it."""
        return await asyncio.to_thread(call, *args, **named)

    async def call(self, to: str = LI_MEI, **named: Any) -> Any:
        named.setdefault("url", f"{self.receiver.url}/voice")
        named.setdefault("status_callback", f"{self.receiver.url}/status")
        named.setdefault("status_callback_event", ["initiated", "ringing", "answered", "completed"])
        return await self.sdk(self.twilio.calls.create, to=to, from_=OURS, **named)

    async def post(self, path: str, **body: Any) -> Any:
        answer = await self.control.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    async def status(self, sid: str) -> Any:
        return (await self.sdk(self.twilio.calls(sid).fetch)).status

    async def settled(self, sid: str) -> None:
        async with asyncio.timeout(60):
            await self.network.calls[sid].settled()


@contextlib.asynccontextmanager
async def world() -> AsyncIterator[World]:
    base_url = f"http://127.0.0.1:{free_port()}"
    access = Access(
        mqtt=Mqtt("127.0.0.1", free_port()),
        phones=(PhoneEntry(LI_MEI, "李梅", "H001", "family"),),
        twilio=TwilioAccount(base_url, SID, TOKEN, OURS),
        simulator=base_url,
    )
    receiver = Receiver()
    async with serving(receiver.app, receiver.port, Transports()), neighbourhood(access, pace=0.02) as running:
        yield World(running, receiver, base_url)


async def test_a_call_is_answered_heard_and_accepted() -> None:
    async with world() as w:
        call = await w.call()
        assert call.status == "queued"
        phone = w.network.phones[LI_MEI]
        await until(lambda: phone.state == "ringing", "the phone to ring")
        await w.post(f"/sim/phones/{LI_MEI}/answer")
        await w.post(f"/sim/phones/{LI_MEI}/press", digits="1")
        await w.settled(call.sid)
        answers = [form for path, form in w.receiver.got if path == "/answer"]
        assert [form["Digits"] for form in answers] == ["1"]
        assert answers[0]["CallStatus"] == "in-progress"
        record = (await w.control.get("/sim/calls")).json()[0]
        assert [text for _, _, text in record["heard"]] == ["陈秀英按了呼叫按钮。接受请按一。", "谢谢。"]
        assert w.receiver.statuses() == ["initiated", "ringing", "in-progress", "completed"]
        callbacks = [form for path, form in w.receiver.got if path == "/status"]
        assert [form["SequenceNumber"] for form in callbacks] == ["0", "1", "2", "3"]
        assert int(callbacks[-1]["CallDuration"]) >= 1
        fetched = await w.sdk(w.twilio.calls(call.sid).fetch)
        assert (fetched.status, fetched.to, fetched._from) == ("completed", LI_MEI, OURS)
        assert phone.state == "idle"


async def test_nobody_answers_and_nobody_presses() -> None:
    async with world() as w:
        rung = await w.call(timeout=60)
        await w.settled(rung.sid)
        assert await w.status(rung.sid) == "no-answer"
        w.receiver.twiml["/voice"] = (
            '<Response><Gather timeout="1" action="/answer"><Say>?</Say></Gather><Pause length="1"/></Response>'
        )
        await w.post(f"/sim/phones/{LI_MEI}/habit", kind="voicemail", after_seconds=0)
        taken = await w.call(machine_detection="Enable")
        await w.settled(taken.sid)
        assert await w.status(taken.sid) == "completed"
        voice = [form for path, form in w.receiver.got if path == "/voice"]
        assert voice[-1]["AnsweredBy"] == "machine_start"
        assert not [path for path, _ in w.receiver.got if path == "/answer"]


@pytest.mark.parametrize(
    ("habit", "status", "digits"),
    [
        ({"kind": "accept", "after_seconds": 0.01}, "completed", ["1"]),
        ({"kind": "decline", "after_seconds": 0.01}, "completed", ["2"]),
        ({"kind": "busy"}, "busy", []),
        ({"kind": "failed"}, "failed", []),
        ({"kind": "no_answer"}, "no-answer", []),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else None,
)
async def test_habits(habit: dict[str, Any], status: str, digits: list[str]) -> None:
    async with world() as w:
        await w.post(f"/sim/phones/{LI_MEI}/habit", **habit)
        call = await w.call(timeout=60)
        await w.settled(call.sid)
        assert await w.status(call.sid) == status
        assert [form["Digits"] for path, form in w.receiver.got if path == "/answer"] == digits
        assert w.receiver.statuses()[-1] == status


async def test_hanging_up_and_declining() -> None:
    async with world() as w:
        phone = w.network.phones[LI_MEI]
        declined = await w.call()
        await until(lambda: phone.state == "ringing", "the phone to ring")
        busy = await w.call()
        await w.settled(busy.sid)
        assert await w.status(busy.sid) == "busy"
        await w.post(f"/sim/phones/{LI_MEI}/hangup")
        await w.settled(declined.sid)
        assert await w.status(declined.sid) == "busy"
        call = await w.call()
        await until(lambda: phone.state == "ringing", "the phone to ring")
        await w.post(f"/sim/phones/{LI_MEI}/answer")
        await w.post(f"/sim/phones/{LI_MEI}/hangup")
        await w.settled(call.sid)
        assert await w.status(call.sid) == "completed"


async def test_the_api_ends_and_redirects_calls() -> None:
    async with world() as w:
        phone = w.network.phones[LI_MEI]
        call = await w.call()
        await until(lambda: phone.state == "ringing", "the phone to ring")
        assert (await w.sdk(w.twilio.calls(call.sid).update, status="canceled")).status == "canceled"
        assert phone.state == "idle"
        with pytest.raises(TwilioRestException) as refused:
            await w.sdk(w.twilio.calls(call.sid).update, status="completed")
        assert (refused.value.status, refused.value.code) == (400, 21220)
        call = await w.call()
        await until(lambda: phone.state == "ringing", "the phone to ring")
        await w.post(f"/sim/phones/{LI_MEI}/answer")
        document = "<Response><Say>已有人受理。</Say><Hangup/></Response>"
        await w.sdk(w.twilio.calls(call.sid).update, twiml=document)
        await w.settled(call.sid)
        assert w.network.calls[call.sid].record.heard[-1][2] == "已有人受理。"


async def test_lists_filter_and_page() -> None:
    async with world() as w:
        await w.post("/sim/phones", number="+8613800000102", name="王强", habit={"kind": "busy"})
        await w.post(f"/sim/phones/{LI_MEI}/habit", kind="busy")
        before = datetime.now(UTC)
        calls = [await w.call(to) for to in (LI_MEI, "+8613800000102", LI_MEI)]
        for call in calls:
            await w.settled(call.sid)
        listed = await w.sdk(w.twilio.calls.list, to=LI_MEI, start_time_after=before - timedelta(seconds=1))
        assert [call.sid for call in listed] == [calls[2].sid, calls[0].sid]
        assert await w.sdk(w.twilio.calls.list, start_time_after=before + timedelta(hours=1)) == []
        assert await w.sdk(w.twilio.calls.list, start_time_before=before - timedelta(hours=1)) == []
        assert len(await w.sdk(w.twilio.calls.list, status="busy", from_=OURS)) == 3
        assert len(await w.sdk(w.twilio.calls.list, start_time=before.date())) == 3
        assert [call.sid for call in await w.sdk(w.twilio.calls.list, page_size=1)] == [c.sid for c in calls[::-1]]


async def test_text_messages_and_an_answer() -> None:
    async with world() as w:
        w.receiver.twiml["/sms"] = "<Response><Message>收到了。</Message></Response>"
        sent = await w.sdk(
            w.twilio.messages.create,
            to=LI_MEI,
            from_=OURS,
            body="陈秀英需要帮助",
            status_callback=f"{w.receiver.url}/status",
        )
        assert sent.status == "queued"
        await w.network.messages[sent.sid].settled()
        assert (await w.sdk(w.twilio.messages(sent.sid).fetch)).status == "delivered"
        assert [sms.body for sms in w.network.phones[LI_MEI].inbox] == ["陈秀英需要帮助"]
        assert [form["MessageStatus"] for path, form in w.receiver.got if path == "/status"] == ["sent", "delivered"]
        assert [message.sid for message in await w.sdk(w.twilio.messages.list, to=LI_MEI)] == [sent.sid]
        await w.post("/sim/sms_webhook", url=f"{w.receiver.url}/sms")
        assert (await w.post(f"/sim/phones/{LI_MEI}/reply", body="1"))["webhook_status"] == 200
        assert [form["Body"] for path, form in w.receiver.got if path == "/sms"] == ["1"]
        assert [(sms.body, sms.outgoing) for sms in w.network.phones[LI_MEI].inbox[1:]] == [
            ("1", True),
            ("收到了。", False),
        ]
        lost = await w.sdk(w.twilio.messages.create, to="+8613899999999", from_=OURS, body="x")
        await w.network.messages[lost.sid].settled()
        fetched = await w.sdk(w.twilio.messages(lost.sid).fetch)
        assert (fetched.status, fetched.error_code) == ("undelivered", 30005)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"to": "110"}, 400, 21211),
        ({"from_": "+15005550006"}, 400, 21210),
        ({"url": None}, 400, 21205),
        ({"status_callback_event": ["answred"]}, 400, 21626),
    ],
)
async def test_refusals(change: dict[str, Any], status: int, code: int) -> None:
    async with world() as w:
        asked = {"to": LI_MEI, "from_": OURS, "url": f"{w.receiver.url}/voice"} | change
        asked = {name: value for name, value in asked.items() if value is not None}
        with pytest.raises(TwilioRestException) as refused:
            await w.sdk(w.twilio.calls.create, **asked)
        assert (refused.value.status, refused.value.code) == (status, code)
        assert w.network.calls == {}


async def test_strangers_and_unknown_calls_are_refused() -> None:
    async with world() as w:
        stranger = Client(SID, "guessed", http_client=_Loopback(w.base_url))
        with pytest.raises(TwilioRestException) as refused:
            await w.sdk(stranger.calls("CA" + "f" * 32).fetch)
        assert (refused.value.status, refused.value.code) == (401, 20003)
        with pytest.raises(TwilioRestException) as missing:
            await w.sdk(w.twilio.calls("CA" + "f" * 32).fetch)
        assert (missing.value.status, missing.value.code) == (404, 20404)
        # A web page elsewhere reaches loopback under its own name (DNS rebinding): it is turned away.
        assert (await w.control.get("/sim/homes", headers={"Host": "evil.example"})).status_code == 400


@pytest.mark.parametrize(("respond", "status", "code"), [("429", 429, 20429), ("500", 500, 20500), ("400", 400, 20001)])
async def test_a_failing_provider_has_called_nobody(respond: str, status: int, code: int) -> None:
    async with world() as w:
        await w.post("/sim/faults", respond=respond, count=1)
        with pytest.raises(TwilioRestException) as refused:
            await w.call()
        assert (refused.value.status, refused.value.code) == (status, code)
        assert w.network.calls == {}
        assert (await w.call()).status == "queued"


async def test_an_ambiguous_provider_has_called_and_not_said_so() -> None:
    async with world() as w:
        await w.post("/sim/faults", respond="ambiguous", count=1)
        with pytest.raises(OSError, match="Connection"):
            await w.call()
        await until(lambda: w.network.phones[LI_MEI].state == "ringing", "the phone to ring")
        assert len(await w.sdk(w.twilio.calls.list, to=LI_MEI)) == 1


async def test_a_hanging_provider_does_not_answer() -> None:
    async with world() as w:
        await w.post("/sim/faults", respond="hang")
        with pytest.raises(httpx.ReadTimeout):
            await w.control.post(
                f"/2010-04-01/Accounts/{SID}/Calls.json",
                timeout=0.3,
                headers={"Authorization": "Basic " + base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()},
            )
        assert w.network.calls == {}


async def test_calls_wait_their_turn_and_callbacks_repeat() -> None:
    async with world() as w:
        await w.post(f"/sim/phones/{LI_MEI}/habit", kind="busy")
        await w.post("/sim/faults", calls_per_second=5, callback_repeats=2)
        calls = [await w.call() for _ in range(3)]
        for call in calls:
            await w.settled(call.sid)
        queued = [w.network.calls[call.sid].record.queue_milliseconds for call in calls]
        assert queued[2] > queued[1] > queued[0]
        assert w.receiver.statuses().count("busy") == 6


NURSE, STRANGER = "+8613800000301", "+8613900000000"
PUT_THROUGH = (
    f'<Response><Say language="zh-CN">请稍候。</Say><Dial timeout="30" action="/over"><Number statusCallback="/status"'
    f' statusCallbackEvent="answered">{NURSE}</Number></Dial></Response>'
)


@pytest.mark.parametrize("taken", [True, False])
async def test_a_person_calls_and_is_put_through_or_not(taken: bool) -> None:
    async with world() as w:
        w.receiver.twiml |= {"/in": PUT_THROUGH.replace('"/status"', f'"{w.receiver.url}/status"')}
        w.receiver.twiml["/over"] = "<Response><Say>再见。</Say></Response>"
        await w.post("/sim/voice_webhook", url=f"{w.receiver.url}/in")
        for number in (NURSE, STRANGER):
            await w.post("/sim/phones", number=number)
        call = w.network.calls[(await w.post(f"/sim/phones/{STRANGER}/call"))["sid"]]
        if taken:
            await until(lambda: w.network.phones[NURSE].state == "ringing", "the desk to ring")
            assert w.network.phones[NURSE].call.record.request.from_number == STRANGER  # type: ignore[union-attr]
            await w.post(f"/sim/phones/{NURSE}/answer")
            await until(lambda: w.receiver.statuses() == ["in-progress"], "the answer to be told")
            assert w.network.phones[STRANGER].state == "in_call"
            await w.post(f"/sim/phones/{NURSE}/hangup")
        await w.settled(call.record.sid)
        asked = {path: form for path, form in w.receiver.got}
        told = asked["/in"]
        assert (told["From"], told["To"], told["Direction"]) == (STRANGER, OURS, "inbound")
        assert (told["CallStatus"], asked["/over"]["CallStatus"]) == ("ringing", "in-progress")
        assert asked["/over"]["DialCallStatus"] == ("completed" if taken else "no-answer")
        assert ("DialCallDuration" in asked["/over"]) == taken
        assert [text for _, _, text in call.record.heard] == ["请稍候。", "再见。"]
        fetched = await w.sdk(w.twilio.calls(call.record.sid).fetch)
        assert (fetched.direction, fetched.status) == ("inbound", "completed")


async def test_whoever_hangs_up_stops_the_desk_from_ringing() -> None:
    async with world() as w:
        w.receiver.twiml["/in"] = f"<Response><Dial>{NURSE}</Dial></Response>"
        await w.post("/sim/voice_webhook", url=f"{w.receiver.url}/in")
        for number in (NURSE, STRANGER):
            await w.post("/sim/phones", number=number)
        call = await w.post(f"/sim/phones/{STRANGER}/call", withheld=True)
        assert call["request"]["from_number"] == "+266696687"
        await until(lambda: w.network.phones[NURSE].state == "ringing", "the desk to ring")
        await w.post(f"/sim/phones/{STRANGER}/hangup")
        await until(lambda: w.network.phones[NURSE].state == "idle", "the desk to be quiet")
        assert {one.record.status for one in w.network.calls.values()} == {"completed", "canceled"}


async def test_a_broken_platform_ends_the_call() -> None:
    async with world() as w:
        await w.post(f"/sim/phones/{LI_MEI}/habit", kind="accept", after_seconds=0)
        w.receiver.twiml["/voice"] = "<Response><Record/></Response>"
        for url in (f"{w.receiver.url}/missing", f"{w.receiver.url}/voice"):
            call = await w.call(url=url)
            await w.settled(call.sid)
            record = w.network.calls[call.sid].record
            assert record.status == "completed"
            assert record.errors
        assert json.dumps((await w.control.get("/sim/calls")).json())
