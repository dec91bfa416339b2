"""The desk reads what is to be done and who cannot be reached, tries somebody now, and says what was done."""

import re

from playwright.async_api import expect

from dispatch import tasks
from tests.stories.conftest import Sit
from tests.stories.support import NARROW, House
from tests.stories.test_pages import own_words


async def test_an_operator_sees_who_cannot_be_reached_and_what_is_to_be_done(house: House, sit: Sit) -> None:
    async with house.database.connection() as connection:
        (contact,) = await (await connection.execute("select * from contacts where home = 'H001' limit 1")).fetchall()
        found = {"phone": contact["phone"], "code": "21211"}
        await tasks.open(connection, "bad_number", contact["id"], found, house.clock.now(), "outbox")
    seat = await sit("operator", language="en", viewport=NARROW)
    await seat.live()
    badge = seat.page.locator("#tasks-count")
    await expect(badge).to_have_text("1")

    await seat.open("/reach")
    assert not re.findall(r"[\u4e00-\u9fff]+", await own_words(seat.page))
    assert await seat.page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    row = seat.page.locator(f"#r-{contact['id']}")
    await expect(row).to_contain_text("No such number")
    await row.get_by_role("button", name="Test now").click()
    await expect(seat.page.locator("[role=status].refused")).to_have_text(
        "They are being tried. What comes of it is shown here."
    )
    async with house.database.connection() as connection:
        sends = await (await connection.execute("select recipient, address, purpose from sends")).fetchall()
    assert sends == [{"recipient": contact["id"], "address": contact["phone"], "purpose": "test"}]
    await seat.open("/register/homes/H001")
    await expect(seat.page.locator(f"#{contact['id']} .reached")).to_have_text("never tried")

    await seat.open("/tasks")
    assert not re.findall(r"[\u4e00-\u9fff]+", await own_words(seat.page))
    assert await seat.page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    task = seat.page.locator("#tasks .task")
    await expect(task).to_contain_text("There is no such number")
    await expect(task).to_contain_text("provider's code 21211")
    await seat.page.get_by_role("button", name="中文").click()
    await expect(task).to_contain_text("号码打不通")
    await task.locator("input[name=note]").fill("新号码已登记 <b>")
    await task.get_by_role("button", name="已办好").click()
    await expect(seat.page.locator("#tasks")).to_contain_text("没有待办。")
    await expect(seat.page.locator("#done")).to_contain_text("新号码已登记 <b>")
    await expect(badge).to_be_hidden()


async def test_who_comes_back_to_the_desk_is_told_what_came_meanwhile(house: House, sit: Sit) -> None:
    await house.press("H001")
    seat = await sit("operator")
    await seat.live()
    await expect(seat.page.locator("#unseen")).to_contain_text("有 1 个呼救来时没有一台接警屏幕在工作")
    await seat.page.keyboard.press("a")
    await expect(seat.page).to_have_url(re.compile("/incidents/"))
    await seat.open("/")
    await expect(seat.page.locator("#unseen")).to_be_hidden()
