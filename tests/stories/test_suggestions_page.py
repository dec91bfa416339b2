"""A supervisor reads what closures suggest, in both languages and on a narrow screen, and accepts it."""

import re

from playwright.async_api import expect

from dispatch.incident import Answer, Close
from tests.stories.conftest import Sit
from tests.stories.support import NARROW, House
from tests.stories.test_pages import own_words


async def test_a_supervisor_reads_and_accepts(house: House, sit: Sit) -> None:
    for _ in range(5):
        number = await house.press()
        await house.desk.act(number, Answer("op", "王芳"))
        await house.desk.act(number, Close("op", "王芳", "sos", "accidental", 99))
    seat = await sit("boss", language="en", viewport=NARROW)
    await seat.open("/suggestions")
    await seat.live()
    assert not re.findall(r"[\u4e00-\u9fff]+", await own_words(seat.page))
    assert await seat.page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    await expect(seat.page.locator(".suggestion")).to_contain_text("of 5 calls that were judged 5 were accidental")
    await seat.page.get_by_role("button", name="中文").click()
    await expect(seat.page.locator(".suggestion h2")).to_have_text("按住时间：0 秒 → 3 秒？")
    await seat.page.get_by_role("button", name="采纳", exact=True).click()
    await expect(seat.page.locator("[role=status].refused")).to_have_text("已采纳，并已设定。")
    await expect(seat.page.locator("#decided")).to_contain_text("周班长")
    await expect(seat.page.locator(".suggestion")).to_have_count(0)
    await seat.open("/devices/H001-button")
    await expect(seat.page.locator("select[name=hold_seconds]")).to_have_value("3")
