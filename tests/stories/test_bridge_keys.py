"""The telephone keys of the incident's page: K brings desk and home together, J whoever goes there, too.

`PINGAN_PICTURES=docs/images` takes the pictures anew.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
import uvicorn
from playwright.async_api import Browser, expect

from dashboards.console.access import COOKIE
from pingan.web import Server
from tests.conftest import Until
from tests.integration.web_support import Site
from tests.stories.phones import OPENED, Story, Telephones
from tests.stories.support import Seat, seat
from tests.support import free_port


class Address(NamedTuple):
    url: str


@contextlib.asynccontextmanager
async def served(site: Site) -> AsyncIterator[Address]:
    """Where a browser finds the web process's application, which goes by the same clock as the telephones."""
    port = free_port()
    server = Server(uvicorn.Config(site.app, port=port, lifespan="off", log_config=None, access_log=False))
    serving = asyncio.create_task(server.serve())
    yield Address(f"http://127.0.0.1:{port}")
    server.should_exit = True
    await serving


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return Path(os.environ.get("PINGAN_PICTURES", tmp_path))


@contextlib.asynccontextmanager
async def at_the_desk(browser: Browser, story: Story, **how: object) -> AsyncIterator[Seat]:
    """The operator of the story sits down at a screen; nothing goes wrong on it."""
    async with served(story.site) as address:
        one = await seat(browser, address, **how)  # type: ignore[arg-type]
        await one.context.add_cookies([{"name": COOKIE, "value": story.operator.cookies[COOKIE], "url": address.url}])
        yield one
        await one.context.close()
    one.check()


async def test_one_key_brings_the_desk_the_home_and_whoever_goes_on_one_line(
    telephones: Telephones, until: Until, browser: Browser, pictures: Path
) -> None:
    async with telephones.story(until) as story:
        home = await story.home()
        await home.presses()
        await home.daughter.expect_sms(OPENED)
        await story.on_shift(story.desk)
        async with at_the_desk(browser, story) as one:
            page = one.page
            await one.open(f"/incidents/{home.incident}")
            await one.live()
            await page.keyboard.press("a")
            await expect(page.locator(".title-held")).to_contain_text("operator")
            assert (await home.operator("call_both"))["refused"] == "nobody_goes"

            # K: the operator's own telephone rings, and the home's only when a person has taken that.
            await page.keyboard.press("k")
            await expect(page.locator("#said")).to_have_text("您的电话马上响：接起后按 1，就拨打家里。")
            assert (await home.operator("call"))["refused"] == "already_calling"
            await page.keyboard.press("k")
            await expect(page.locator("#said")).to_have_text("正在拨打值班电话")
            desk = await story.desk.expect_call(home.elder.name).press("1")
            await home.on_the_line(1)
            await story.passes(2)
            elder = await home.elder.expect_call()
            await home.on_the_line(2)
            await page.keyboard.press("c")
            await expect(page.locator(".stamps .has")).to_have_count(5)
            await elder.hangs_up()
            await desk.hangs_up()

            # J is there as soon as somebody goes.
            await expect(page.locator("#act-call_both")).to_have_count(0)
            await home.operator("assign", person=home.daughter.id)
            await home.daughter.expect_call("求助").press("1").press("8#").hangs_up()
            await home.daughter.expect_sms("幸福路")
            await expect(page.locator("#act-call_both")).to_contain_text(home.daughter.name)
            await page.screenshot(path=pictures / "incident-calls-zh.png")
            await page.keyboard.press("j")
            await expect(page.locator("#said")).to_contain_text("您的电话马上响")
            desk = await story.desk.expect_call(home.elder.name).press("1")
            await home.on_the_line(1)
            await story.passes(2)
            elder, daughter = await home.elder.expect_call(), await home.daughter.expect_call()
            await home.on_the_line(3)
            for call in (daughter, elder, desk):
                await call.hangs_up()
            assert (await home.closes("family_attended"))["decision"] == "closed"
            assert (await home.operator("call"))["refused"] == "already_closed"
            await expect(page.locator("#act-call")).to_have_count(0)
