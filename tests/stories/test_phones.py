"""Telephones as people use them: keys, words, pages, machines, and whatever the provider tells of them."""

import logging
import re
from datetime import timedelta
from typing import Any

import pytest

from device_sim.phone.people import Habit
from dispatch.api import webhooks
from dispatch.channels.twilio_voice.send import CALLBACKS, CONFERENCE_EVENTS
from tests.conftest import Until
from tests.integration.phone_support import heard
from tests.stories.phones import DESK, OPENED, Telephones


async def test_a_press_rings_the_desk_then_the_daughter_who_goes_by_key_and_says_so_on_her_page(
    telephones: Telephones, until: Until
) -> None:
    async with telephones.story(until) as story:
        home = await story.home()
        await home.presses()
        await home.daughter.expect_sms(OPENED)
        await home.daughter.expect_no_call()
        await story.passes(10)
        await (
            home.daughter.expect_call(home.elder.name, "求助", "幸福路", "门卫有钥匙", "2026-01-05")
            .press("1")
            .press("12#")
            .hears("大约12分钟")
            .hangs_up()
        )
        row = await home.now()
        assert (row["state"], row["helper"]["name"]) == ("moving", home.daughter.name)
        assert row["helper"]["eta"] - story.this.clock.now() == timedelta(minutes=12)
        page = await home.daughter.expect_sms(home.elder.name, "门卫有钥匙").opens_link().taps("我到了")
        await home.presses()  # as the page has asked for: it shows who is there
        await page.looks_again().taps("平安，或已交接")
        await home.neighbour.expect_no_call()
        assert (await home.closes("family_attended")).get("decision") == "closed"
        row = await home.complete()
        assert (row["stamps"]["t7"]["reported"], row["raised"]) == (False, 1)
        await story.quiet()
        stages = [stage for stage, by in story.this.lamp.stages if by == home.daughter.name]
        assert stages[:2] == ["accepted", "on_the_way"], "which the button shows"


async def test_voicemail_never_counts_and_who_cannot_is_no_end(telephones: Telephones, until: Until) -> None:
    async with telephones.story(until) as story:
        home = await story.home()
        await home.presses()
        await home.daughter.expect_sms(OPENED)
        await story.passes(10)
        await home.daughter.expect_call().is_a_machine()
        await home.daughter.expect_sms("求助")
        assert (await home.now())["state"] == "waiting"
        await home.nobody_is_heard_from()
        await home.neighbour.expect_call("求助").press("2").listens_to_the_end()
        await home.neighbour.expect_sms("求助")
        await home.doctor.expect_call("求助").press("1").press("9#").listens_to_the_end()
        await home.doctor.expect_sms("求助")
        await home.daughter.expect_sms("周医生", "答应")
        await home.daughter.expect_sms("周医生", "路上")


@pytest.mark.parametrize("befalls", [["cut", 502, 503], ["cut"] * 3, [503] * 5])
async def test_a_key_that_is_pressed_while_the_web_process_is_replaced_counts_and_counts_once(
    telephones: Telephones, until: Until, befalls: list[Any]
) -> None:
    async with telephones.story(until) as story:
        home = await story.home()
        await home.presses()
        await home.daughter.expect_sms(OPENED)
        await story.passes(10)
        asked = await home.daughter.expect_call("求助").takes_it()
        await until(lambda: asked.call.record.callbacks[-1:] and asked.call.record.callbacks[-1][1] == "detection")
        tried, told = len(story.this.neighbourhood.network.tried), len(story.told())
        story.this.front.befalls[:] = befalls
        await asked.press("1").hears("请按键输入大约几分钟能到")
        assert not story.this.front.befalls
        assert len(story.told()) - told == 1, "one key"
        attempts = [status for _, status in story.this.neighbourhood.network.tried][tried:]
        assert attempts == [*(0 if one == "cut" else one for one in befalls), 200]
        story.this.front.befalls[:] = befalls
        await asked.press("9#").hears("大约9分钟").hangs_up()
        assert [one["decision"] for one in await home.journal("accept")] == ["accepted"]
        assert len(await home.journal("moving")) == 1
        await home.daughter.expect_sms("求助")


async def test_a_voicemail_at_the_desk_is_not_the_desk(telephones: Telephones, until: Until) -> None:
    """For whoever calls us, and for whoever was called and presses 3: the next telephone rings."""
    async with telephones.story(until) as story:
        home = await story.home()
        mobile = story.person("+8613900000077", "值班手机")
        await story.on_shift(mobile)
        call = await home.elder.calls_us()
        await mobile.expect_call().is_a_machine()
        await story.desk.expect_call("接听请按1", "Press 1").press("1")
        await home.taken()
        assert [one["actor"] for one in await home.journal("connected")] == [DESK]
        await call.hangs_up()
        await home.daughter.expect_sms(OPENED)
        await story.passes(10)
        asks = await home.daughter.expect_call("求助").press("3")
        await mobile.expect_call().is_a_machine()
        await story.desk.expect_call().is_a_machine()
        await asks.hears("值班台的电话没有接通").hangs_up()
        await home.daughter.expect_sms("求助")
        assert len(await home.journal("connected")) == 1, "no machine is the desk"
        assert [one["detail"]["why"] for one in await home.journal("unreached")] == [
            "twilio_in: no_key", "twilio_voice: no_key", "twilio_voice: no_key",
        ]  # fmt: skip
        said = heard(story.calls()[1])
        assert not [secret for secret in (home.elder.name, "幸福路", "求助") if secret in said]


async def test_whoever_accepts_second_is_told_who_was_first(telephones: Telephones, until: Until) -> None:
    async with telephones.story(until) as story:
        home = await story.home()
        await home.presses()
        await home.daughter.expect_sms(OPENED)
        await story.passes(10)
        await home.daughter.expect_call().declines()
        await home.daughter.expect_sms("求助")
        await home.nobody_is_heard_from()
        ringing = home.neighbour.expect_call("求助")
        await home.daughter.says("我去")
        await ringing.press("1").hears(home.daughter.name)
        assert [one["decision"] for one in await home.journal("accept")] == ["accepted", "accepted_second"]
        await home.neighbour.expect_sms("求助")


@pytest.mark.parametrize(
    ("planted", "noticed"),
    [
        ("call", "nobody expected\na call to 林小梅"),
        ("message", "nobody expected\na message to 林小梅"),
        ("step", "never awaited: .*expects a call"),
        ("error", "something went wrong"),
        ("webhook", "was answered with 404|11200"),
    ],
)
async def test_a_story_notices_what_nobody_expected(
    telephones: Telephones, until: Until, planted: str, noticed: str
) -> None:
    """Whatever these stories prove, they prove because each of these fails."""
    with pytest.raises(AssertionError, match=noticed):
        await _planted(telephones, until, planted)


async def _planted(telephones: Telephones, until: Until, planted: str) -> None:
    async with telephones.story(until) as story:
        home = await story.home()
        network = story.this.neighbourhood.network
        match planted:
            case "call":
                await home.presses()
                await home.daughter.expect_sms(OPENED)
                home.daughter.phone.habit = Habit("busy")
                await story.passes(10)
                await home.daughter.expect_sms("求助")
            case "message":
                await home.presses()
            case "step":
                home.daughter.expect_call().press("1")
            case "error":
                logging.getLogger("dispatch.test").error("something went wrong")
            case "webhook":
                network.voice_webhook, right = f"{network.voice_webhook}/nowhere", network.voice_webhook
                await home.elder.calls_us().listens_to_the_end()
                network.voice_webhook = right


def routes(telephones: Telephones) -> set[str]:
    """Every address at which production is told anything."""
    room = telephones.this
    return {
        route.path  # type: ignore[attr-defined]
        for route in webhooks.router(room.database, room.clock, room.desk, room.settings).routes
    }


async def test_every_kind_of_word_that_production_asks_the_provider_for_is_told_and_taken(
    telephones: Telephones, until: Until
) -> None:
    """A night in which everything happens. A callback that nobody sends would be missed by all other tests."""
    async with telephones.story(until) as story:
        home = await story.home()
        story.desk.phone.habit = Habit("busy")
        await home.elder.calls_us().hears("值班员正在处理别的来电").listens_to_the_end()
        await story.desk.expect_missed()
        story.desk.phone.habit = Habit()
        await home.taken()
        await home.daughter.expect_sms(OPENED)
        again = await home.elder.calls_us()
        await story.desk.expect_call().press("1").hangs_up()
        await again.listens_to_the_end()
        await home.taken()
        home.neighbour.phone.habit = Habit("failed")  # out of service: it is no mobile, and takes no message either
        await story.passes(10)
        await home.daughter.expect_call().is_a_machine()
        await home.daughter.expect_sms("求助")
        await home.nobody_is_heard_from()
        await home.neighbour.expect_missed()
        await home.nobody_is_heard_from()
        asks = await home.doctor.expect_call("求助").press("3")
        await story.desk.expect_call().press("1").hangs_up()
        await asks.press("1").press("7#").listens_to_the_end()
        await home.doctor.expect_sms("求助")
        for words in ("答应", "路上"):
            await home.daughter.expect_sms(words)
        await home.doctor.says("到了")
        await home.daughter.expect_sms("已经到了")
        await story.on_shift(story.desk)
        await story.operator.post(f"/incidents/{home.incident}/call")
        operator = await story.desk.expect_call(home.elder.name).press("1")
        await story.passes(2)
        resident = await home.elder.expect_call()
        await home.on_the_line(2)
        await resident.hangs_up()
        await operator.hangs_up()
    told, kinds = story.told(), story.kinds()
    paths = [re.sub(r"\?.*", "", url).removeprefix(telephones.this.settings.public_url) for url, _ in told]
    missed = [
        route
        for route in routes(telephones)
        if not any(re.fullmatch(re.sub(r"{\w+}", "[^/]+", route), path) for path in paths)
    ]
    assert not missed, "production waits there, and nothing comes"
    assert {*CALLBACKS} <= kinds["call"]
    assert {"human", "machine_start"} <= kinds["detection"]
    assert {"sent", "delivered", "undelivered"} <= kinds["message"]
    assert {f"conference-{one}" if one in ("start", "end") else f"participant-{one}" for one in CONFERENCE_EVENTS} <= (
        kinds["conference"]
    )
