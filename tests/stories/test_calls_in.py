"""Somebody calls whom nobody knows: heard, shown, and named by the operator, by keys alone."""

import re
from uuid import uuid4

from playwright.async_api import expect

from dispatch import views
from dispatch.channels.twilio_in.heard import read
from dispatch.incident import Caller
from tests.conftest import Until
from tests.stories.conftest import Sit
from tests.stories.support import House

STRANGER = "+8613900000000"


async def calls(house: House, number: str, text: str | None = None) -> None:
    """Somebody rings us up or writes, as the provider's webhook and intake would bring it."""
    source, field = ("telephone", "CallSid") if text is None else ("sms", "MessageSid")
    sid = ("CA" if text is None else "SM") + uuid4().hex
    heard = read(source, {field: sid, "From": number, "Body": text or ""})  # type: ignore[arg-type]
    caller = Caller(heard.source, heard.number, text=heard.text)
    assert await house.desk.hear(heard.alarm, None, heard.stranger, caller, heard.more)
    assert await house.desk.take_alarms()


async def test_a_caller_whom_nobody_knows_is_named_by_keys(house: House, sit: Sit, until: Until) -> None:
    seat = await sit()
    page, keys = seat.page, seat.page.keyboard
    await seat.sound_on()
    await calls(house, STRANGER)
    row = page.locator(".row")
    await expect(row).to_contain_text("来电 139 0000 0000")
    await expect(row).to_have_attribute("data-tone", "alarm")
    number = int(await row.get_attribute("data-id") or 0)
    await calls(house, STRANGER, "<b>我妈摔倒了</b>\u202e")
    await expect(row).to_contain_text("第 2 次呼叫")

    await keys.press("a")
    await page.wait_for_url(f"**/incidents/{number}**")
    await seat.live()
    await expect(page.locator("#said")).to_have_text("您已接听。")
    await expect(page.locator(".callers .tel")).to_have_text("139 0000 0000")
    await expect(page).to_have_title(re.compile("139 0000 0000"))
    await expect(page.locator(".evidence")).not_to_contain_text("tel:")
    await expect(page.locator(".journal")).to_contain_text("再次发来短信：<b>我妈摔倒了</b>\ufffd")
    assert await page.locator(".journal b, .evidence small b").count() == 0
    await expect(page.locator(".people")).to_have_count(0)

    await keys.press("i")
    await page.wait_for_url(f"**/incidents/{number}/identify")
    await seat.live()
    await expect(page.locator(".hits li")).to_have_count(0)
    await keys.type("秀英")
    await keys.press("Enter")
    await expect(page.locator(".hits li")).to_have_count(1)
    await expect(page.locator(".hits button")).to_be_focused()
    await keys.press("Enter")
    await page.wait_for_url(f"**/incidents/{number}?said=**")
    await seat.live()
    await expect(page.locator("#said")).to_have_text("已指明：陈秀英家。")
    await expect(page.locator(".title h1")).to_contain_text("陈秀英")
    await expect(page.locator(".way")).to_have_text("门口密码盒，密码 2580")
    await expect(page.locator(".people").first).to_contain_text("李梅")
    await expect(page.locator("#identify")).to_contain_text("改正")

    await keys.press("x")
    await expect(page.locator(".people .asked")).to_contain_text("李梅")
    async with house.database.connection() as connection:
        asked = "select name, body->>'way_in' as way_in from sends where purpose = 'help'"
        rows = await (await connection.execute(asked)).fetchall()
    assert {(row["name"], row["way_in"]) for row in rows} == {("李梅", "门口密码盒，密码 2580")}


async def test_a_home_that_rings_already_is_pointed_to(house: House, sit: Sit) -> None:
    seat = await sit(language="en")
    other = await house.press("H003")
    await calls(house, STRANGER)
    async with house.database.connection() as connection:
        (number,) = [row["id"] for row in await views.board(connection) if row["caller"] == STRANGER]
    await seat.open(f"/incidents/{number}/identify?words=Margaret")
    await expect(seat.page.locator(".hits a")).to_have_attribute("href", f"/incidents/{other}")
    await seat.page.locator(".hits button").click()
    await expect(seat.page.locator("#said")).to_contain_text(f"no. {other} open")
    assert (await house.incident(number))["home"] is None
