"""A self-test on the whole platform: asked for, pressed, durable, drawn by a browser, told to the button, and over."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.conftest import Until
from tests.faults.house import RealHouse
from tests.stories.support import WIDE

BUTTON = "H001-button"


@pytest.fixture(scope="module")
def house(memory: Path) -> Iterator[RealHouse]:
    house = RealHouse(memory)
    try:
        house.rise()
        yield house
    finally:
        house.fall(keep=False)


def config(house: RealHouse) -> dict[str, Any]:
    told: dict[str, Any] = house.api(f"/api/v1/devices/{BUTTON}/config")
    return told


async def test_a_button_goes_by_what_it_is_told_and_a_self_test_walks_the_whole_way(
    house: RealHouse, browser: Browser, until: Until
) -> None:
    await until(lambda: config(house)["published_at"])
    before = config(house)["revision"]
    house.rows("update devices set heartbeat_seconds = 180 where id = 'H001-button' returning id")

    context = await browser.new_context(viewport=WIDE, locale="zh-CN")
    page = await context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    console, operator = house.access["console"], house.access["operator"]
    await page.goto(console)
    await page.fill("input[name=account]", operator["user"])
    await page.fill("input[type=password]", operator["password"])
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{console}/")
    await page.keyboard.press("Shift")  # a browser lets no page sound before somebody has touched it
    await expect(page.locator("#sound")).to_have_attribute("data-sound", "on")

    told = house.pingan("sim", "self-test", "--home", "H001").stdout
    assert len(re.findall(r"^  \d\d:\d\d:\d\d", told, re.MULTILINE)) >= 4, told
    (test, *earlier) = house.api(f"/api/v1/devices/{BUTTON}/self-tests")
    assert (test["state"], earlier) == ("passed", [])
    assert test["pressed_at"] < test["durable_at"] < test["shown_at"]
    await until(lambda: house.api(f"/api/v1/devices/{BUTTON}/self-tests")[0]["told_at"])

    incident = house.api(f"/api/v1/incidents/{test['incident']}")
    assert (incident["test"], incident["state"], incident["closing"]["outcome"]) == (True, "closed", "test_confirmed")
    assert [send for send in incident["sends"] if send["purpose"] == "help"] == [], "nobody was called"
    pressed = next(home for home in house.phones("/sim/homes") if home["id"] == "H001")["presses"][-1]
    await until(lambda: house.phones(f"/sim/events/{pressed['id']}")["shows"] == "closed")
    await page.goto(f"{console}/incidents/{test['incident']}")
    await expect(page.locator("h1 .tag")).to_have_text("测试")
    await expect(page.locator(".closing")).to_contain_text("自行结案")
    await context.close()
    assert not errors, errors

    await until(lambda: config(house)["state"] == "in_force")
    assert config(house)["revision"] > before
    assert config(house)["heartbeat_seconds"] == 180
