"""An old person with nothing but a telephone on the wall: no button, no mobile, and everything that others have."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from dispatch import helping
from dispatch import incident as core
from dispatch.anchoring import anchor
from dispatch.audit_command import audit
from tests.conftest import Until
from tests.stories.phones import OPENED, Telephones


async def test_who_has_only_a_landline_is_served_from_the_call_to_the_closing(
    telephones: Telephones, until: Until
) -> None:
    async with telephones.story(until) as story:
        home = await story.home(button=False)
        async with story.this.database.connection() as connection:
            code = await helping.new_code(connection, home.id, "operator", story.this.clock.now())

        # She calls our number from the telephone on the wall, and the desk does not take it.
        call = await home.elder.calls_us().hears("已经收到您的来电", "正在为您接通")
        await story.desk.expect_call().declines()
        await call.hears("我们会继续联系人", "120").listens_to_the_end()
        await home.taken()
        opened = await home.now()
        assert (opened["ringing"], opened["person"], opened["named_by"]) == (True, home.elder.name, None)
        await home.daughter.expect_sms(OPENED)

        # Nobody at the desk has seen it within ten seconds: whom the register names is called.
        await story.passes(10)
        await (
            home.daughter.expect_call(home.elder.name, "求助", "门卫有钥匙", "2026-01-05")
            .press("1")
            .press("8#")
            .hangs_up()
        )
        message = await home.daughter.expect_sms("幸福路").opens_link()
        await home.neighbour.expect_no_call()

        # The operator is there now, and rings her back: their own telephone first, then the one on the wall.
        assert (await home.operator("answer"))["decision"] == "answered"
        await story.on_shift(story.desk)
        assert (await story.operator.post(f"/incidents/{home.incident}/call")).status_code in (200, 303)
        operator = await story.desk.expect_call(home.elder.name).press("1")
        await home.on_the_line(1)
        await story.passes(2)
        elder = await home.elder.expect_call()
        await home.on_the_line(2)
        assert (await home.operator("contact"))["decision"] == "contact_made"
        await elder.hangs_up()
        await operator.hangs_up()

        # Her daughter is there, which the code beside her telephone shows.
        await message.looks_again().taps("我到了").sees("验证码").taps("确定", code=code).sees("已经证实您到了")
        await message.taps("平安，或已交接")
        assert (await home.closes("family_attended"))["decision"] == "closed"

        row = await home.complete()
        assert {stamp for stamp in core.STAMPS if row["stamps"][stamp]["at"]} == {
            f"t{number}" for number in range(10)
        } - {"t2"}
        assert row["stamps"]["t2"]["absent"] == "no_screen_confirmed"
        assert not row["stamps"]["t7"]["reported"]
        line: dict[str, list[str]] = {}
        for entry in await home.journal("bridged"):
            line.setdefault(entry["detail"]["what"], []).append(entry["detail"]["person"])
        both = [core.DESK, core.HOME]
        assert line == {"asked": [core.HOME], "rung": [core.HOME], "joined": both, "left": [*reversed(both)]}
    now = telephones.this.clock.now() + timedelta(days=1)
    assert await anchor(telephones.this.database, now, ZoneInfo("Asia/Shanghai"))
    async with telephones.this.database.connection() as connection:
        told = await audit(connection, now - timedelta(days=2), now, now)
    assert not told["findings"], "a call by telephone stands as a press does"
