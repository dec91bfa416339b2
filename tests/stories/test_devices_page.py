"""The devices' page, as somebody at the desk has it before them: read, followed and used by keyboard alone."""

import pytest
from playwright.async_api import expect

from tests.integration.test_devices_page import NASTY, REGISTER, Field
from tests.stories.conftest import Sit
from tests.stories.support import NARROW, WIDE, House
from tests.stories.test_pages import own_words

STRANGE = f"H001-hub/{NASTY}"
PATHS = (
    "/devices", "/devices/list/silent", "/devices/rejected", "/devices/adoption", "/devices/H001-button",
    f"/devices/adopt?device=H001-hub/{NASTY}",
)  # fmt: skip
UNREADABLE = """() => [...document.querySelectorAll('main *')].filter((e) => e.checkVisibility()
    && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())
    && parseFloat(getComputedStyle(e).fontSize) < 16).map((e) => e.textContent.trim())"""
NAMELESS = """() => [...document.querySelectorAll('main :is(a, button, input:not([type=hidden]), select, textarea)')]
    .filter((e) => e.checkVisibility() && !(e.textContent.trim() || e.ariaLabel || e.title || e.labels?.length))
    .map((e) => e.outerHTML)"""


@pytest.fixture
async def field(house: House) -> Field:
    """A day in which something of everything has happened."""
    async with house.database.connection() as connection:
        await connection.execute(REGISTER)
    one = Field(house.database, house.clock.now())
    await one.heard("H001-button", "H001-hub")
    await one.heard("H003-watch", ago=900, battery=9)
    await one.heard(STRANGE, kind="sos")
    await one.raised("heartbeat_lost", "H003-watch", "H003", 600)
    await one.raised("battery_low", "H003-watch", "H003", 900)
    await one.raised("tamper", "H001-hub", "H001", 600)
    await one.raised("sos", "H001-button", "H001", 600, source="reported", attempt=2)
    await one.refused("not_json", "H001-button", f"{NASTY}{'x' * 600}".encode())
    return one


async def test_what_is_nobodys_is_adopted_by_keyboard_alone(house: House, sit: Sit, field: Field) -> None:
    seat = await sit("boss", language="en")
    page = seat.page
    await seat.open("/devices")
    await expect(page.locator("#silent tbody tr")).to_have_count(1)
    await expect(page.locator("#states .tile").filter(has_text="Silent").locator(".big")).to_have_text("1")
    await expect(page.locator("#rejected pre")).to_contain_text(NASTY)
    await page.locator("#adoption").get_by_role("link", name=f"Adopt {STRANGE}").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_contain_text(NASTY)
    await expect(page.get_by_role("radio")).to_be_focused()  # the home of its gateway
    await page.keyboard.press("Tab")
    await page.keyboard.type("H001-sos")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").filter(has_text="It is adopted.")).to_be_visible()
    await expect(page.locator("h1")).to_contain_text("H001-sos")
    await seat.open("/devices/adoption")
    await expect(page.locator("#rows")).to_contain_text("None.")


async def test_it_is_read_in_both_languages_and_on_any_screen(house: House, sit: Sit, field: Field) -> None:
    for language, viewport in (("zh", WIDE), ("zh", NARROW), ("en", WIDE), ("en", NARROW)):
        seat = await sit("boss", language=language, viewport=viewport)
        for path in PATHS:
            await seat.open(path)
            await seat.live()
            told = f"{path} {language} {viewport['width']}"
            assert await seat.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], told
            assert not await seat.page.evaluate(UNREADABLE), told
            assert not await seat.page.evaluate(NAMELESS), told
            if language == "en":
                words = await own_words(seat.page)
                assert not [one for one in words if "\u4e00" <= one <= "\u9fff"], told
