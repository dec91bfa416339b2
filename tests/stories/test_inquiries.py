"""Three deaths were looked into, and each inquiry wrote a rule. Each rule is a story here, under its name.

MacAuley (Fatal Accident Inquiry, Scotland, 2012): silence on the line is no nuisance. Volante (2015): what is known of
the patient goes with the first hand-over, and whatever changes goes again. Reeves (2018): the way in stands in the
first message, and one open call stands in nobody else's way. `tests/faults/mutants.py` takes each rule away and sees
its story fail.
"""

from playwright.async_api import expect

from dispatch import incident as core
from dispatch.links import Links
from dispatch.packet import Packets
from tests.conftest import Until
from tests.integration.dispatch_support import LINK_SECRET
from tests.integration.web_support import HOST
from tests.stories.conftest import Sit
from tests.stories.phones import OPENED, Telephones
from tests.stories.support import House


async def test_macauley_silence_on_the_line_is_no_nuisance(telephones: Telephones, until: Until) -> None:
    async with telephones.story(until) as story:
        home = await story.home()
        await home.presses()
        await home.daughter.expect_sms(OPENED)
        assert (await home.operator("answer"))["decision"] == "answered"
        await home.daughter.expect_no_call()

        # The operator hears nothing. Nobody has to decide anything: people are called at once.
        before = story.this.clock.now()
        assert (await home.operator("no_contact"))["decision"] == "no_contact_escalates"
        await home.daughter.expect_call(home.elder.name, "求助").declines()
        assert story.this.clock.now() == before, "at once"
        await home.daughter.expect_sms("求助")

        # It is not closed for being silent: somebody must know something.
        for outcome in ("accidental", "resolved_by_voice", "no_contact_visited"):
            assert (await home.closes(outcome))["refused"] == "no_contact_needs_reason"
        assert (await home.closes("accidental", positive="nothing_heard"))["refused"] == "unknown_reason"
        assert (await home.now())["state"] != "closed"

        # Nor does it end because nobody takes a call: the next is asked, and goes to the door.
        await home.nobody_is_heard_from()
        await home.neighbour.expect_call("求助").press("1").press("5#").hangs_up()
        page = await home.neighbour.expect_sms("求助").opens_link()
        assert (await home.closes("responder_attended"))["refused"] == "no_contact_needs_reason"
        for words in ("答应", "路上"):
            await home.daughter.expect_sms(words)
        await page.looks_again().taps("我到了")
        await home.daughter.expect_sms("已经到了")
        await page.taps("平安，或已交接")
        assert (await home.closes("no_contact_visited"))["decision"] == "closed"
        await home.daughter.expect_sms("处理完毕")
        await home.complete()


async def test_macauley_the_screen_asks_what_is_known_before_it_closes(house: House, sit: Sit, until: Until) -> None:
    number = await house.press()
    operator = ("operator", "王芳")
    await house.desk.act(number, core.Answer(*operator))
    await house.desk.act(number, core.NoContact(*operator))
    seat = await sit()
    await seat.open(f"/incidents/{number}")
    await seat.live()
    page = seat.page
    await page.keyboard.press("z")
    form = page.locator("#ask-close")
    await form.locator("[name=outcome][value=accidental]").check()
    await expect(form.locator("[name=positive]")).to_have_count(len(core.POSITIVE))
    assert not await form.locator("form").evaluate("form => form.checkValidity()"), "the browser asks first"
    await form.locator("form").evaluate("form => form.noValidate = true")
    await form.get_by_role("button").last.click()
    await expect(page.locator("#close-refused")).to_contain_text("没有联系到本人")
    assert (await house.incident(number))["state"] != "closed", "and the desk has the last word"
    await seat.open(f"/incidents/{number}")
    await page.keyboard.press("z")
    await form.locator("[name=positive][value=seen_well]").check()
    await form.locator("[name=outcome][value=accidental]").check()
    await form.get_by_role("button").last.click()

    async def closed() -> bool:
        return (await house.incident(number))["state"] == "closed"

    await until(closed)


async def test_volante_the_history_goes_with_the_first_word_and_each_change_goes_again(
    telephones: Telephones, until: Until
) -> None:
    async with telephones.story(until) as story:
        home = await story.home()
        await home.presses()
        await home.daughter.expect_sms(OPENED)
        await home.operator("answer")
        await home.operator("contact")
        await story.this.desk.act(home.incident, core.Changed("operator", "她说胸口疼，左手发麻"))
        await home.operator("assign", person=home.doctor.id)

        # The first hand-over has what is known of her, and what she has said.
        call = await home.doctor.expect_call(home.elder.name, "门卫有钥匙").press("1").press("9#")
        await call.listens_to_the_end()
        page = await home.doctor.expect_sms("幸福路").opens_link()
        await page.sees("冠心病", "硝酸甘油", "她说胸口疼，左手发麻", "2026").taps("我看到了")
        for words in ("答应", "路上"):
            await home.daughter.expect_sms(words)
        packets = Packets(story.this.database, story.this.clock, story.this.desk, Links(LINK_SECRET, HOST))
        crew = story.person("+8613700009000", "急救车组")
        await packets.issue(home.incident, "operator", crew.name, crew.number, "zh")
        sheet = await crew.expect_sms("交接单").opens_link().sees("冠心病", "硝酸甘油", "她说胸口疼，左手发麻")

        # She says another thing; another alarm comes; then the line is dead. Each is told to the doctor, in every way.
        await story.this.desk.act(home.incident, core.Changed("operator", "她说不出话了"))
        await home.doctor.expect_call("她说不出话了").press("1").listens_to_the_end()
        await home.doctor.expect_sms("她说不出话了")
        await home.alarms("fall")
        await home.doctor.expect_call("跌倒").declines()
        await home.doctor.expect_sms("跌倒")
        await home.operator("no_contact")
        await home.doctor.expect_call("联系不上本人").declines()
        await home.doctor.expect_sms("联系不上本人")

        # What has been confirmed is known, and what has not been is seen.
        changes = (await home.now())["changes"]
        assert [(one["kind"], one["confirmed"]) for one in changes] == [
            ("text", (home.doctor.id,)), ("text", (home.doctor.id,)), ("alarm", ()), ("no_contact", ()),
        ]  # fmt: skip
        screen = await story.operator.get(f"/incidents/{home.incident}")
        assert "2条变化未确认" in screen.text
        await page.looks_again().sees("跌倒").taps("我看到了")
        assert "变化已确认" in (await story.operator.get(f"/incidents/{home.incident}")).text
        await packets.current(home.incident)
        await crew.expect_sms("交接单有变化")
        await sheet.looks_again().sees("她说不出话了")
        await home.daughter.expect_no_call()


async def test_reeves_the_way_in_is_in_the_first_word_and_no_home_waits_for_another(
    telephones: Telephones, until: Until
) -> None:
    async with telephones.story(until) as story:
        first = await story.home(way_in="门禁4821，三楼左手")
        second = await story.home(helper=first.daughter, way_in="钥匙在物业")
        third = await story.home(way_in="密码盒2580")
        way_in = ("门禁4821，三楼左手", "2026-01-05")

        # Of whoever is asked, everybody hears and reads the way in, with the day on which it was last proven.
        await first.presses()
        await first.daughter.expect_sms(OPENED)
        await story.passes(10)
        line = await first.daughter.expect_call(*way_in).press("3")
        await first.daughter.expect_sms(*way_in)
        desk = await story.desk.expect_call().press("1")

        # She speaks with the desk, which is engaged by that, when two more homes call: her aunt's, and a stranger's.
        call = third.elder.calls_us()
        await second.presses()
        await second.daughter.expect_sms(OPENED)
        await call
        await story.desk.expect_busy()
        await call.hears("我们会继续联系人").listens_to_the_end()
        await third.taken()
        await third.daughter.expect_sms(OPENED)
        assert [(await home.now())["state"] for home in (first, second, third)] == ["waiting"] * 3
        await story.passes(10)

        # Her telephone is engaged, and is written down as that; the third home's people ring all the same.
        await second.daughter.expect_busy()
        await second.daughter.expect_sms("钥匙在物业", "2026-01-05")
        await third.daughter.expect_call("密码盒2580", "2026-01-05").press("1").press("6#").hangs_up()
        await third.daughter.expect_sms("密码盒2580", "2026-01-05")
        await desk.hangs_up()
        await line.press("1").press("4#").hangs_up()
        await second.nobody_is_heard_from()
        await second.neighbour.expect_call("钥匙在物业", "2026-01-05").press("1").press("3#").hangs_up()
        await second.neighbour.expect_sms("钥匙在物业", "2026-01-05")
        for words in ("答应", "路上"):
            await second.daughter.expect_sms(words)
        going = [(await home.now())["helper"]["id"] for home in (first, second, third)]
        assert going == [first.daughter.id, second.neighbour.id, third.daughter.id]
        assert len({first.incident, second.incident, third.incident}) == 3
