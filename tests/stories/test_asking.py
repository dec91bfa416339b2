"""Asked before anybody is rung, on the whole platform: a button that answers, and one that nobody answers."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from pingan.messages import derived_alarm_id
from tests.conftest import Until
from tests.faults.house import RealHouse
from tests.stories.support import WIDE

HOME = "H001"
INSERT = """
insert into alarms (id, kind, home, at, received_at, raised_at, test, evidence)
values (%(id)s, %(kind)s, 'H001', %(now)s, %(now)s, %(now)s, false, jsonb_build_object(
    'source', 'derived', 'rule', %(rule)s::text, 'threshold', 3, 'value', 3.1, 'until_ms', %(until_ms)s::bigint,
    'restores', %(restores)s::text, 'follows', %(follows)s::text, 'reason', %(reason)s::text))
returning id
"""


@pytest.fixture(scope="module")
def house(memory: Path) -> Iterator[RealHouse]:
    house = RealHouse(memory)
    try:
        house.rise()
        yield house
    finally:
        house.fall(keep=False)


class Detection:
    """What detection finds of one episode, written as it writes it."""

    def __init__(self, house: RealHouse, episode: str) -> None:
        self._house, self._episode = house, episode

    def finds(self, kind: str, rule: str, seconds: float = 300, **named: str) -> str:
        now = datetime.now(UTC)
        ids = {
            name: str(derived_alarm_id(HOME, named[name], self._episode)) if name in named else None
            for name in ("restores", "follows")
        }
        until_ms = round((now + timedelta(seconds=seconds)).timestamp() * 1000)
        (row,) = self._house.rows(
            INSERT, id=derived_alarm_id(HOME, rule, self._episode), kind=kind, now=now, rule=rule, until_ms=until_ms,
            reason=named.get("reason"), **ids,
        )  # fmt: skip
        return str(row["id"])


def asked(house: RealHouse, alarm: str) -> dict[str, Any]:
    return next((one for one in house.api(f"/api/v1/askings?home={HOME}") if one["alarm"] == alarm), {})


def prompts(house: RealHouse, alarm: str) -> list[dict[str, Any]]:
    home = next(one for one in house.phones("/sim/homes") if one["id"] == HOME)
    return [prompt for prompt in home["prompts"] if prompt["id"] == alarm]


async def test_who_answers_is_left_in_peace_and_who_does_not_is_rung_for(
    house: RealHouse, browser: Browser, until: Until
) -> None:
    context = await browser.new_context(viewport=WIDE, locale="zh-CN")  # type: ignore[arg-type]
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
    await expect(page.locator("#asking")).to_be_hidden()

    first = Detection(house, "first")
    suspicion = first.finds("inactivity_suspected", "inactivity_suspected")
    await until(lambda: prompts(house, suspicion))
    assert prompts(house, suspicion)[0]["ask"] == "are_you_all_right"
    await expect(page.locator("#asking li")).to_have_count(1)
    house.pingan("sim", "answer", "--home", HOME, "ok")
    await until(lambda: asked(house, suspicion)["answer"] == "ok")
    await expect(page.locator("#asking li")).to_contain_text("我没事")
    first.finds("withdrawn", "withdrawn/answered", restores="inactivity_suspected", reason="answered")
    await until(lambda: asked(house, suspicion)["reason"] == "answered")
    await expect(page.locator("#asking")).to_be_hidden()
    assert house.api("/api/v1/incidents") == [], "nobody was rung"

    house.pingan("sim", "answer", "--home", HOME, "nobody")
    second = Detection(house, "second")
    suspicion = second.finds("inactivity_suspected", "inactivity_suspected", seconds=20)
    await until(lambda: asked(house, suspicion).get("asked_at"))
    second.finds("inactivity", "inactivity", follows="inactivity_suspected")
    await until(lambda: house.api("/api/v1/incidents"))
    row = house.api("/api/v1/incidents")[0]
    await expect(page.locator(f"#i-{row['id']}")).to_contain_text("长时间无活动")
    incident = house.api(f"/api/v1/incidents/{row['id']}")
    assert [one["reason"] for one in incident["askings"]] == ["confirmed"]
    await page.goto(f"{console}/incidents/{row['id']}")
    await expect(page.locator(".journal")).to_contain_text(re.compile("您还好吗.*无人回答"))

    second.finds("withdrawn", "withdrawn/silent", restores="inactivity", reason="late_reading")
    await expect(page.locator("h1 .taken-back")).to_contain_text("检测已撤回")
    assert house.api(f"/api/v1/incidents/{row['id']}")["state"] == "waiting", "it closes nothing"
    await context.close()
    assert not errors, errors
