"""An administrator changes who is called at night, tries it first, and an operator reads what holds."""

import re

from playwright.async_api import Browser, expect

from care.accounts import Accounts
from tests.stories.support import NARROW, PASSWORD, House, seat

PLAIN = {"width": 1280, "height": 900}


async def test_the_night_goes_to_the_neighbours_first(shown: House, browser: Browser) -> None:
    accounts = Accounts(shown.database, memory_kib=1024, passes=1)
    await accounts.add("admin", "管理员", "administrator", PASSWORD)
    one = await seat(browser, shown.web, language="en", viewport=PLAIN)
    one.tolerated.append("422")  # what is refused comes back with its reasons
    await one.sign_in("admin")
    page = one.page
    await one.open("/policies")
    await page.locator("#policy-direct").get_by_role("link", name="Copy").click()
    await page.get_by_label("Name").fill("night")
    await page.get_by_label("Shown in Chinese as").fill("夜里先叫邻居")
    await page.get_by_label("Shown in English as").fill("Neighbours first")
    first = page.locator("#step-1")
    await first.get_by_label("Wait (s)").fill("5")
    await first.get_by_label("neighbour").check()
    await first.get_by_label("From place").fill("1")
    await first.get_by_label("To place").fill("9")
    await page.get_by_label("Home or person (id)").fill("P001")
    await page.get_by_label("When (03:10)").fill("03:10")
    # A mistake is said at its field, and what was written is still there; the dry run shows it all the same.
    await page.get_by_role("button", name="Try", exact=True).last.click()
    await expect(page.locator("#step-1 .wrong")).to_have_text("must be between 10 and 900")
    await expect(page.get_by_label("Name")).to_have_value("night")
    await expect(page.locator("#run .asked").first).to_contain_text("王强")
    await page.locator("#step-1").get_by_label("Wait (s)").fill("30")
    await page.get_by_role("button", name="Save as a new version").click()
    await expect(page.locator("#save .wrong")).to_contain_text("Say why")
    await page.get_by_label("Why it is changed").fill("Neighbours are nearer")
    await page.get_by_role("button", name="Save as a new version").click()
    await expect(page.get_by_role("status").filter(has_text="version 1 holds")).to_be_visible()

    await page.get_by_role("link", name="Edit the rules").click()
    await page.get_by_role("button", name="Add a rule").click()
    await page.get_by_label("Policy").select_option("night")
    await page.get_by_label("Hours (22:00-07:00)").fill("22:00-07:00")
    await page.get_by_label("Why it is changed").fill("Nobody at the desk")
    await page.get_by_role("button", name="Save as a new version").click()
    await expect(page.locator(".rules")).to_contain_text("every call for help · 22:00-07:00 → “Neighbours first”")
    await expect(page.locator("#policy-night h3")).to_have_text("Neighbours first night")

    # By night the neighbour, by day the desk.
    for clock, whom in (("03:10", "contacts"), ("12:00", "the desk")):
        await page.get_by_label("Home or person (id)").fill("P001")
        await page.get_by_label("When (03:10)").fill(clock)
        await page.get_by_role("button", name="Try", exact=True).click()
        await expect(page.locator("#run .tiers > li").first).to_contain_text(whom)
    await one.context.close()
    one.check()


async def test_an_operator_reads_it_on_a_narrow_screen_and_changes_nothing(shown: House, browser: Browser) -> None:
    one = await seat(browser, shown.web, language="zh", viewport=NARROW)
    await one.sign_in("operator")
    page = one.page
    await one.open("/policies?whose=H001&cause=fall&at=12:00")
    await expect(page.locator("#run .tiers > li").nth(1)).to_contain_text("李梅")
    await expect(page.locator("#policy-station li").first).to_contain_text("值班台，等待 20 秒")
    # Each is called what people call it, in their language.
    await expect(page.locator("#run")).to_contain_text("预案“呼救”")
    await expect(page.locator("#policy-danger h3")).to_have_text("呼救 danger")
    await expect(page.locator("#policy-night h3")).to_have_text("夜里先叫邻居 night")
    await expect(page.locator(".rules")).to_contain_text("→ “夜里先叫邻居”")
    assert await page.get_by_role("link", name="修改").count() == 0
    assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    assert not re.search(r"[a-z]+_[a-z]+", await page.locator("main").inner_text())
    await one.context.close()
    one.check()
