"""A press, until its row stands on the board of a real browser: Chromium, headless, driven by Playwright."""

import asyncio
import os
import time
from typing import Any

from playwright.async_api import Page, async_playwright

from device_sim.access import Access
from device_sim.load import LoadButton
from device_sim.wire.press import RetryPlan
from tests.bench.machine import descendants
from tests.bench.platform import Bench, prefer
from tests.bench.press import Timed

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-gpu", "--mute-audio"]
SECONDS_BETWEEN = 0.3
WITHIN_SECONDS = 5.0

OBSERVE = """() => {
  window.seen = {};
  const look = () => {
    const now = performance.timeOrigin + performance.now();
    const fresh = [...document.querySelectorAll("#board .row")].filter((row) => !(row.dataset.id in window.seen));
    for (const row of fresh) window.seen[row.dataset.id] = { placed: now };
    if (fresh.length) requestAnimationFrame(() => {
      const drawn = performance.timeOrigin + performance.now();
      for (const row of fresh) window.seen[row.dataset.id].drawn = drawn;
    });
  };
  look();
  new MutationObserver(look).observe(document.getElementById("board"), { childList: true });
}"""
"""A row's times: when it was put into the page, and when the frame that shows it was begun. Wall clock, ms."""

WHERE = "select evidence->>'event', incident from alarms where evidence->>'event' = any(%s)"


async def _sign_in(page: Page, bench: Bench) -> None:
    access = bench.access
    await page.goto(access["console"] + "/sign-in")
    await page.fill("input[name=account]", access["operator"]["user"])
    await page.fill("input[name=password]", access["operator"]["password"])
    await page.click("form[action='/sign-in'] button")
    await page.wait_for_selector("#board", state="attached")


async def _press(bench: Bench, access: Access, homes: list[str], presses: Timed) -> dict[str, Any]:
    plan = RetryPlan(first_seconds=30.0, then_seconds=30.0)
    buttons = [LoadButton(access.device(home, "button"), presses, access, plan) for home in homes]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            if bench.nice:  # the browser has sessions of its own
                for pid in descendants(os.getpid()):
                    prefer(pid, bench.nice)
            page = await browser.new_page(viewport={"width": 1366, "height": 1800})
            await _sign_in(page, bench)
            for button in buttons:
                button.connection.open()
            async with asyncio.timeout(20):
                await asyncio.gather(*(button.connection.connected.wait() for button in buttons))
            await page.evaluate(OBSERVE)
            before = len(await page.evaluate("window.seen"))
            await asyncio.sleep(1.0)
            began = time.monotonic()
            for number, button in enumerate(buttons):
                intended = began + number * SECONDS_BETWEEN
                await asyncio.sleep(max(0.0, intended - time.monotonic()))
                presses.made_one(button, button.press(), intended)
            deadline = time.monotonic() + WITHIN_SECONDS
            seen: dict[str, Any] = {}
            while len(seen) < before + len(buttons) and time.monotonic() < deadline:
                await asyncio.sleep(0.2)
                seen = await page.evaluate("window.seen")
            return seen
        finally:
            await asyncio.gather(*(button.close() for button in buttons))
            await browser.close()


def rows(bench: Bench, access: Access, homes: list[str], readings: float) -> tuple[list[float], list[float]]:
    """Milliseconds from each press until its row was in the page, and until a frame was drawn with it."""
    presses = Timed(None)
    wall_minus_monotonic = time.time() - time.monotonic()
    with bench.background(readings, len(homes) * SECONDS_BETWEEN + 90):
        seen = asyncio.run(_press(bench, access, homes, presses))
    placed, drawn = [], []
    for event, incident in bench.query(WHERE, list(presses.due)):
        row = seen.get(str(incident), {})
        due_ms = (presses.due[event] + wall_minus_monotonic) * 1000
        if "drawn" in row:
            placed.append(row["placed"] - due_ms)
            drawn.append(row["drawn"] - due_ms)
    return placed, drawn
