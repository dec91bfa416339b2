"""The page of versions: what rings, what a comparison says and does not know, and a decision that is recorded."""

import pytest
from playwright.async_api import expect

from tests.stories.conftest import Sit
from tests.stories.support import NARROW, House

VERSION = "inactivity/fixed-1"


@pytest.mark.parametrize(
    ("language", "title", "promote", "everywhere", "never"),
    [
        ("zh", "检测器版本", "启用：正式报警", "全部区域", "旁路运行过"),
        ("en", "Detectors", "Promote: let it ring", "everywhere", "has not run in shadow"),
    ],
)
async def test_a_supervisor_compares_and_decides(
    house: House, sit: Sit, language: str, title: str, promote: str, everywhere: str, never: str
) -> None:
    seat = await sit("boss", language=language, viewport=NARROW)
    await seat.open("/suggestions")
    await seat.live()  # until then bands may come and go above what is pressed
    await seat.page.locator("main a[href='/detectors']").click()
    await expect(seat.page.locator("h1")).to_have_text(title)
    row = seat.page.locator("#versions tr", has_text=VERSION)
    await row.get_by_role("link").click()
    await expect(seat.page.locator("#doubts")).to_contain_text(never)
    assert await seat.page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]

    await seat.page.locator("[name=reason]").fill("四周没有误报")
    await seat.page.get_by_role("button", name=promote).click()
    act = seat.page.locator("#acts tbody tr")
    await expect(act).to_have_count(1)
    for text in (VERSION, everywhere, "四周没有误报"):
        await expect(act).to_contain_text(text)
    async with house.database.connection() as connection:
        [kept] = await (await connection.execute("select state, scope from detector_promotions")).fetchall()
    assert kept == {"state": "live", "scope": None}
