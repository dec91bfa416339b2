"""A provider that fails, and a second one: who is called through whom, what is never called twice, what is shown."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from dashboards.console.live import DEAF_SECONDS
from dashboards.console.live import sql as live_sql
from device_sim.access import Access, Mqtt, PhoneEntry, TwilioAccount
from device_sim.neighbourhood import Neighbourhood, neighbourhood
from device_sim.phone.network import Faults
from device_sim.phone.people import Habit
from device_sim.phone.signature import sign
from dispatch.channels import Refused, Send, TryAgain, Unclear
from dispatch.channels.twilio import Twilio, TwilioSettings, genuine
from dispatch.channels.twilio_in.answers import CallsIn
from dispatch.channels.twilio_in.heard import read
from dispatch.channels.twilio_voice.answers import Answers
from dispatch.channels.twilio_voice.send import TwilioVoice
from dispatch.desk import Desk
from dispatch.errands import send as add
from dispatch.following import TEST, Row
from dispatch.outbox import Outbox
from dispatch.providers import Providers
from dispatch.sends import SendsTable
from pingan import metrics
from pingan.clock import DrivenClock
from pingan.database import Bell, Database, Listener
from pingan.settings import load
from pingan.tasks import end
from tests.conftest import Until
from tests.integration.dispatch_support import LI, OURS, room
from tests.support import free_port

FIRST, SECOND = ("AC" + "1" * 32, "one token"), ("AC" + "2" * 32, "another token")
OURS_THERE = "+867500000009"
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
CALL = Send(1, 1, "help", "C1", "李梅", LI, "zh", {"cause": "sos", "person": "陈秀英"}, NOW, NOW)


@dataclass
class Two:
    """A channel over two providers, each of which reaches the same telephones."""

    voice: TwilioVoice
    settings: TwilioSettings
    first: Neighbourhood
    second: Neighbourhood

    def placed(self) -> tuple[int, int]:
        return len(self.first.network.calls), len(self.second.network.calls)

    async def fails(self, times: int) -> None:
        for _ in range(times):
            with pytest.raises(Unclear):
                await self.voice.send(CALL)


def provider(account: tuple[str, str], number: str) -> tuple[str, Access]:
    url = f"http://127.0.0.1:{free_port()}"
    phones = (PhoneEntry(LI, "李梅", "H001", "family"),)
    twilio = TwilioAccount(url, *account, number)
    return url, Access(mqtt=Mqtt("127.0.0.1", free_port()), phones=phones, twilio=twilio, simulator=url)


@pytest.fixture
async def two() -> AsyncIterator[Two]:
    (one_url, one), (two_url, another) = provider(FIRST, OURS), provider(SECOND, OURS_THERE)
    settings = TwilioSettings(
        twilio_account_sid=FIRST[0], twilio_auth_token=FIRST[1], twilio_from=OURS, twilio_base_url=one_url,
        twilio2_account_sid=SECOND[0], twilio2_auth_token=SECOND[1], twilio2_from=OURS_THERE, twilio2_base_url=two_url,
        public_url="http://127.0.0.1:9",
    )  # fmt: skip
    async with neighbourhood(one, pace=0.02) as first, neighbourhood(another, pace=0.02) as second:
        for running in (first, second):
            running.network.phones[LI].habit = Habit("busy")
        yield Two(TwilioVoice(settings), settings, first, second)


async def test_a_busy_provider_has_not_called_and_the_second_does_at_once(two: Two) -> None:
    two.first.network.faults = Faults(respond="429")
    await two.voice.send(CALL)
    assert two.placed() == (0, 1)
    (call,) = two.second.network.calls.values()
    assert call.record.request.from_number == OURS_THERE, "people see the number of whoever calls"


async def test_what_is_unclear_is_not_called_through_the_second_and_found_where_it_was_placed(two: Two) -> None:
    two.first.network.faults = Faults(respond="ambiguous", count=1)
    await two.fails(1)
    assert two.placed() == (1, 0)
    found = await two.voice.find(CALL._replace(dialled_at=datetime.now(UTC)))
    assert found == list(two.first.network.calls)


async def test_after_three_failures_it_is_down_and_the_second_calls_until_a_trial_is_answered(two: Two) -> None:
    two.first.network.faults = Faults(respond="500", methods=("POST", "GET"))
    await two.fails(3)
    await two.voice.send(CALL)
    assert two.placed() == (0, 1)
    assert await two.voice.find(CALL._replace(dialled_at=datetime.now(UTC))) == list(two.second.network.calls), (
        "whoever is down is waited for by nobody"
    )
    (line, _) = two.voice.twilio.lines
    with pytest.raises(Unclear):
        await two.voice.probe(line)
    assert line.down is not None
    two.first.network.faults = Faults()
    with pytest.raises(Refused):
        await two.voice.probe(line)
    assert line.down is None
    assert two.placed() == (0, 1), "a trial calls nobody"
    await two.voice.send(CALL)
    assert two.placed() == (1, 1)


async def test_a_wrong_number_is_wrong_at_either(two: Two) -> None:
    with pytest.raises(Refused) as refused:
        await two.voice.send(CALL._replace(address="+86"))
    assert (refused.value.task, refused.value.code) == ("bad_number", "21211")
    assert [line.down for line in two.voice.twilio.lines] == [None, None]
    assert two.placed() == (0, 0)


async def test_both_are_down_and_each_attempt_is_a_trial_that_is_made_again_later(two: Two) -> None:
    for running in (two.first, two.second):
        running.network.faults = Faults(respond="429")
    waits = []
    for tries in range(6):
        with pytest.raises(TryAgain) as later:
            await two.voice.send(CALL)
        waits.append(later.value.after(tries))
    assert waits == [1, 2, 4, 8, 8, 8]
    two.second.network.faults = Faults()
    await two.voice.send(CALL)
    assert two.placed() == (0, 1)


def test_the_second_ones_webhooks_are_heard_and_nobody_elses(two: Two) -> None:
    form, path = {"CallSid": "CA1"}, "/webhooks/twilio/voice/1/status"
    url = two.settings.public_url + path
    heard = [
        genuine(two.settings, path, form, sign(token, url, list(form.items())))
        for token in (FIRST[1], SECOND[1], "forged", "")
    ]
    assert heard == [True, True, False, False]


async def test_an_account_in_trouble_is_down_at_once_and_a_task_and_is_shown_and_is_over(
    two: Two, database: Database, until: Until
) -> None:
    two.first.network.faults = Faults(respond="400", code=20005)
    clock = DrivenClock(1_790_000_000_000)
    providers = Providers(database, clock, {"twilio_voice": two.voice}, "dispatch-1")

    async def rows(query: str) -> list[dict[str, Any]]:
        async with database.connection() as connection:
            return await (await connection.execute(query)).fetchall()

    await two.voice.send(CALL)
    assert two.placed() == (0, 1)
    assert await beat(database, clock, until) == "now"
    await providers.say()
    await providers.say()
    assert await beat(database, clock, until) == "now telephone", "every console hears it with its next beat"
    down = "select process, channel, provider, since, seen_at from providers_down"
    assert await rows(down) == [
        {"process": "dispatch-1", "channel": "twilio_voice", "provider": "twilio", "since": clock.now(),
         "seen_at": clock.now()}
    ]  # fmt: skip
    (task,) = await rows("select kind, subject, detail from desk_tasks")
    assert (task["kind"], task["subject"], task["detail"]["code"]) == ("provider_account", "twilio", "20005")
    since = clock.now()
    clock.advance(clock.now_ms() + 2_000)
    await providers.say()
    (row,) = await rows(down)
    assert (row["since"], row["seen_at"]) == (since, since + timedelta(seconds=2))
    two.first.network.faults = Faults()
    await providers.probe()
    await providers.say()
    assert await rows(down) == []
    assert await beat(database, clock, until) == "now"


async def beat(database: Database, clock: DrivenClock, until: Until) -> str:
    """What every console hears each second."""
    heard: list[str] = []
    listener = Listener(database)
    listener.subscribe("console_beat", lambda payload: heard.append(payload) if payload else None)
    listening = asyncio.create_task(listener.run())
    late = clock.now() - timedelta(seconds=DEAF_SECONDS)
    try:

        async def said() -> bool:
            async with database.connection() as connection:
                await connection.execute(live_sql.beat, {"payload": "now", "late": late})
            return bool(heard)

        await until(said)
    finally:
        await end([listening])
    return heard[0]


async def test_a_number_that_does_not_exist_is_a_task_for_a_person(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        this.phone(LI).habit = Habit("invalid")
        await this.press()
        await until(this.the_incident)
        this.pass_seconds(10)

        async def opened() -> Any:
            return await this.rows("select kind, subject, detail from desk_tasks")

        rows: Any = await until(opened)
        (task,) = rows
        assert (task["kind"], task["subject"], task["detail"]["code"]) == ("bad_number", "C1", "21211")
        assert task["detail"]["phone"] == LI


@pytest.mark.parametrize("respond", ["429", "500"])
async def test_ten_minutes_without_the_provider_hold_up_no_message_and_lose_no_call(
    database: Database, driven: DrivenClock, until: Until, respond: Any
) -> None:
    async with room(database, driven) as this:
        began = driven.now()
        this.neighbourhood.network.faults = Faults(respond=respond, resource="Calls", methods=("POST", "GET"))
        await this.press()
        await until(this.the_incident)
        this.pass_seconds(10)
        await until(lambda: this.phone(LI).inbox)
        assert driven.now() - began == timedelta(seconds=10), "the message waited for no call"

        async def called() -> bool:
            this.pass_seconds(5)
            if driven.now() - began > timedelta(minutes=10):
                this.neighbourhood.network.faults = Faults()
            return bool(this.calls_to(LI))

        await until(called)
        assert driven.now() - began > timedelta(minutes=10)
        assert not any(task.done() for task in this.tasks.values())


class Counting:
    """A provider that takes everything, and how much."""

    repeatable = False

    def __init__(self) -> None:
        self.sent = 0

    async def send(self, send: Send) -> str | None:
        self.sent += 1
        return f"{send.id}"

    async def find(self, send: Send) -> Sequence[str]:
        return ()


async def test_fifty_calls_go_one_a_second_from_two_processes_and_messages_at_once(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    now, calls, messages = driven.now(), Counting(), Counting()
    rows = [
        Row(1, TEST, channel, f"C{number}", "-", f"+8613800{number:06}", "zh", {}, now, now + timedelta(hours=1))
        for number in range(50)
        for channel in ("twilio_voice", "twilio_sms")
    ]
    async with database.transaction() as connection:
        assert await add(connection, "reach/2026-11-22", rows) == len(rows)
    channels = {"twilio_voice": calls, "twilio_sms": messages}
    bells = (Bell(), Bell())
    working = [
        asyncio.create_task(
            Outbox(
                SendsTable(database),
                driven,
                Desk(database, driven),
                channels,
                f"dispatch-{number}",
                {"twilio_voice": 1},
            ).run(bell)
        )
        for number, bell in enumerate(bells)
    ]
    try:
        await until(lambda: messages.sent == 50)
        assert calls.sent == 1, "the first goes at once, the others wait for their turn"
        for second in range(1, 50):
            driven.advance(driven.now_ms() + 1_000)
            for bell in bells:
                bell.ring()

            async def called(second: int = second) -> bool:
                return calls.sent > second

            await until(called)
            assert calls.sent == second + 1
    finally:
        await end(working)


@pytest.mark.parametrize("missing", ["PINGAN_TWILIO2_FROM", "PINGAN_TWILIO2_AUTH_TOKEN"])
def test_a_second_account_without_a_number_of_its_own_is_down_and_the_first_goes_on(
    database: Database, driven: DrivenClock, missing: str
) -> None:
    environ = {
        "PINGAN_TWILIO_ACCOUNT_SID": FIRST[0], "PINGAN_TWILIO_AUTH_TOKEN": FIRST[1], "PINGAN_TWILIO_FROM": OURS,
        "PINGAN_PUBLIC_URL": "http://127.0.0.1:9", "PINGAN_TWILIO2_ACCOUNT_SID": SECOND[0],
        "PINGAN_TWILIO2_AUTH_TOKEN": SECOND[1], "PINGAN_TWILIO2_FROM": OURS_THERE,
    }  # fmt: skip
    assert load(TwilioSettings, environ).twilio2_from == OURS_THERE
    del environ[missing]
    voice = TwilioVoice(load(TwilioSettings, environ))
    assert [line.name for line in voice.twilio.lines] == ["twilio"]
    metrics.PROVIDER_DOWN.clear()
    Providers(database, driven, {"twilio_voice": voice}, "dispatch")
    assert metrics.PROVIDER_DOWN.labels("twilio_voice", "twilio2")._value.get() == 1


async def test_whoever_is_put_through_is_shown_as_the_number_of_the_account_that_has_the_call(
    two: Two, database: Database, driven: DrivenClock, until: Until
) -> None:
    """A provider passes on no other number than its own: with the first one's it would ring nobody."""
    async with room(database, driven) as this:
        await this.press()
        opened: Any = await until(this.the_incident)
        send = {
            "id": 1, "incident": opened["id"], "incident_state": "waiting", "purpose": "help", "result": None,
            "language": "zh", "body": {}, "recipient": "C1", "name": "李梅", "channel": "twilio_voice",
        }  # fmt: skip
        twilio = Twilio(msgspec.structs.replace(two.settings, desk_phone="+867503000000"))
        voice, calls_in = Answers(database, driven, this.desk, twilio), CallsIn(database, driven, this.desk, twilio)
        withheld = read("telephone", {"CallSid": "CA" + "3" * 32})
        for account, number in ((FIRST[0], OURS), (SECOND[0], OURS_THERE), ("", OURS)):
            form = {"CallSid": "CA" + "1" * 32, "AccountSid": account, "Digits": "3"}
            over = {**form, "DialCallStatus": "busy", "DialCallSid": "CA" + "2" * 32}
            assert f'callerId="{number}"' in await voice.keys(send, form)
            assert f'callerId="{number}"' in await calls_in.call(withheld, form)
            assert "没有接通" in await voice.desk_dialled(send, 0, over)
