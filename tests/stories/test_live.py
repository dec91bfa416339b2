"""The page is live, or says that it is not in the largest type on the screen."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.stories.conftest import Sit
from tests.stories.support import House

CUT = r"ERR_(CONNECTION|EMPTY|INCOMPLETE|NETWORK)|Failed to load resource|/live"
"""What a browser says of connections that the story itself cuts."""


async def largest_type(page: Page) -> str:
    """The text that is set in the largest type of all that can be seen."""
    found = await page.evaluate(
        """() => [...document.querySelectorAll('body *')]
            .filter((e) => e.checkVisibility()
                && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()))
            .sort((a, b) => parseFloat(getComputedStyle(b).fontSize) - parseFloat(getComputedStyle(a).fontSize))[0]
            .textContent"""
    )
    return str(found)


@pytest.mark.parametrize("path", ["/", "/incidents/{number}"])
async def test_a_page_that_hears_nothing_says_so_and_is_current_again_at_once(
    house: House, sit: Sit, path: str
) -> None:
    seat = await sit()
    seat.tolerated.append(CUT)
    number = await house.press("H001")
    await seat.open(path.format(number=number))
    await seat.live()
    stale = seat.page.locator("#stale")
    await expect(stale).to_be_hidden()
    house.web.hold()
    await expect(stale).to_be_visible()
    await expect(seat.page.locator("#live")).to_have_attribute("data-live", "no")
    assert "画面已断开" in await largest_type(seat.page)
    second = await house.press("H003")  # missed by the page, not by the platform
    house.web.go_on()
    await expect(stale).to_be_hidden()
    await expect(seat.page.locator(f"#i-{second}, #e-{second}")).to_be_visible()


async def test_a_restart_of_the_web_process_is_survived_by_the_page_and_the_session(house: House, sit: Sit) -> None:
    seat = await sit()
    seat.tolerated.append(CUT)
    await house.web.stop()
    number = await house.press()
    await house.web.restart()
    await expect(seat.page.locator(f"#i-{number}")).to_be_visible()
    await seat.live()


async def test_connections_that_the_database_drops_cost_nothing(house: House, sit: Sit) -> None:
    seat = await sit()
    async with house.database.connection() as connection:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name like 'console%' and datname = current_database()"
        )
    number = await house.press()
    await expect(seat.page.locator(f"#i-{number}")).to_be_visible()
    await expect(seat.page.locator("#stale")).to_be_hidden()


async def test_clocks_count_by_themselves_and_amber_comes_by_itself(house: House, sit: Sit) -> None:
    seat = await sit(language="en")
    number = await house.press("H001", "battery_low")
    row = seat.page.locator(f"#i-{number}")
    await expect(row).to_have_attribute("data-tone", "soon")  # it wants to be looked at
    await expect(row.locator(".up")).to_have_text(re.compile("0:0[2-9]"))
    await expect(row.locator(".due")).to_contain_text(re.compile(r"^in \d"))


async def test_a_session_that_ended_leads_back_to_signing_in(house: House, sit: Sit) -> None:
    seat = await sit()
    seat.tolerated.append("401")
    async with house.database.connection() as connection:
        await connection.execute("delete from sessions")
    await house.press()
    await seat.page.wait_for_url("**/sign-in**")
