"""Pictures of the console for the README: `python -m tests.stories.screenshots [folder]`.

It starts a PostgreSQL, the sample register and the web process of its own, lets a night at the desk happen through
the desk, and photographs it in both languages, by day and by night, wide and narrow; then a month, and its figures.
Takes about a minute.
"""

import asyncio
import json
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import psycopg
from playwright.async_api import Browser, Page, async_playwright
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from care.sample import load_sample
from dispatch import incident as core
from dispatch.desk import Desk
from pingan.clock import SystemClock
from pingan.database import Database
from pingan.local.postgres import Postgres
from pingan.migrate import migrate
from tests.figures_support import month, put
from tests.stories.support import ARGUMENTS, CHROMIUM, NARROW, WIDE, Seat, Web, seat
from tests.why_support import fall_evidence, heard, lived, silence_evidence

FANG, LIN = ("operator", "王芳"), ("supervisor", "林志强")


class Night:
    """What has happened so far tonight."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._clock = SystemClock()
        self._desk = Desk(database, self._clock)

    async def press(self, home: str, kind: str = "sos", battery: int = 81, found: dict[str, Any] | None = None) -> int:
        """`found`: the evidence of a detector, where no device pressed."""
        now, alarm = self._clock.now(), uuid4()
        evidence = found or {"event_id": str(alarm), "battery_percent": battery}
        async with self._database.connection() as connection:
            await connection.execute(
                "insert into alarms (id, kind, home, device, at, received_at, raised_at, test, evidence)"
                " values (%s, %s, %s, %s, %s, %s, %s, false, %s)",
                (alarm, kind, home, f"{home}-button", now, now, now, Jsonb(evidence)),
            )
        assert await self._desk.take_alarms()
        async with self._database.connection() as connection:
            row = await (await connection.execute("select incident from alarms where id = %s", (alarm,))).fetchone()
        assert row is not None
        return int(row["incident"])

    async def contact(self, home: str, minutes: int | None = None) -> core.Helper:
        """The first contact of a home, arriving in so many minutes."""
        async with self._database.connection() as connection:
            query = "select id, name, role from contacts where home = %s order by rank limit 1"
            row: dict[str, Any] = await (await connection.execute(query, (home,))).fetchone() or {}
        eta = self._clock.now() + timedelta(minutes=minutes) if minutes else None
        return core.Helper(row["id"], row["name"], row["role"], eta)

    async def act(self, incident: int, *events: core.Event) -> None:
        for event in events:
            await self._desk.act(incident, event)

    async def found(self) -> tuple[int, int]:
        """The numbers of a fall and a silence that detection has found."""
        now = self._clock.now()
        since = now - timedelta(hours=3, minutes=40)
        async with self._database.connection() as connection:
            await heard(connection, lived(since, ZoneInfo("Asia/Shanghai")), home="H006")
        fall = await self.press("H004", "fall", found=fall_evidence(now - timedelta(seconds=22)))
        return fall, await self.press("H006", "inactivity", found=silence_evidence(since, 3.667))

    async def happen(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """The numbers of a ringing incident, and of one that somebody is on the way to; then those that were found."""
        talked = await self.press("H008")
        close = core.Close(*FANG, "sos", "wanted_to_talk", 99)
        await self.act(talked, core.Answer(*FANG), core.Contact(*FANG), core.Safe("王芳"), close)
        moving = await self.press("H005")
        helper = await self.contact("H005", 12)
        await self.act(moving, core.Answer(*LIN), core.NoContact(*LIN), core.Accept(helper), core.Moving(helper))
        fall, silence = await self.found()
        await self.act(fall, core.Answer(*FANG), core.Contact(*FANG))
        await self.act(silence, core.Answer(*LIN))
        await self.press("H009", "battery_low", 9)
        ringing = await self.press("H001")
        return (ringing, moving), (fall, silence)


async def figures(browser: Browser, web: Web, password: str, folder: Path) -> None:
    """What a supervisor reads of the last month."""
    for language in ("zh", "en"):
        one = await seat(browser, web, language=language, viewport={"width": 1180, "height": 1000})
        await one.sign_in("supervisor", password)
        await one.open("/figures?days=30")
        await one.live()
        await one.sound_on()
        await _still(one.page)
        top, end = await one.page.evaluate(
            "['people-levels', 'people-chart'].map((id, n) => document.getElementById(id).getBoundingClientRect()"
            "[['top', 'bottom'][n]] + scrollY)"
        )
        clip: Any = {"x": 0, "y": top - 8, "width": 1180, "height": end - top + 16}
        await one.page.screenshot(path=folder / f"figures-{language}.png", full_page=True, clip=clip)
        await _close(one)


async def photograph(browser: Browser, web: Web, password: str, folder: Path, numbers: tuple[int, int]) -> None:
    ringing, moving = numbers
    for language in ("zh", "en"):
        for shape, viewport, theme in (("wide", WIDE, "light"), ("night", WIDE, "dark"), ("narrow", NARROW, "light")):
            one = await seat(browser, web, language=language, viewport=viewport, theme=theme)
            await one.sign_in("operator", password)
            for name, path in (
                ("board", "/"),
                ("incident", f"/incidents/{ringing}"),
                ("on-the-way", f"/incidents/{moving}"),
                ("register", "/register/homes/H001"),
            ):
                await one.open(path)
                await one.live()
                await one.sound_on()
                await _still(one.page)
                await one.page.screenshot(path=folder / f"{name}-{language}-{shape}.png")
            await _close(one)


async def why(browser: Browser, web: Web, password: str, folder: Path, numbers: tuple[int, int]) -> None:
    """What the page says of a fall and of a silence."""
    for language in ("zh", "en"):
        one = await seat(browser, web, language=language, viewport={"width": 1366, "height": 1180})
        await one.sign_in("operator", password)
        for name, number in zip(("fall", "silence"), numbers, strict=True):
            await one.open(f"/incidents/{number}")
            await one.live()
            await one.sound_on()
            await _still(one.page)
            await one.page.locator("[data-part=why]").screenshot(path=folder / f"why-{name}-{language}.png")
        await _close(one)


async def _live_a_month(database: Database) -> None:
    async with database.connection() as connection:
        rows = await (await connection.execute("select id from homes order by id")).fetchall()
        await put(connection, month(SystemClock().now(), [row["id"] for row in rows], seed=10))


async def _still(page: Page) -> None:
    """Wait for the type, and hold the blinking at its bright moment."""
    await page.evaluate("document.fonts.ready")
    await page.emulate_media(reduced_motion="reduce")


async def _close(one: Seat) -> None:
    one.check()
    await one.context.close()


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pingan-screenshots-", ignore_cleanup_errors=True) as place:
        data = Path(place)
        data.chmod(0o755)
        server = Postgres(data)
        server.prepare()
        process = server.start()
        try:
            server.ready(60)
            with psycopg.connect(server.superuser_dsn, autocommit=True) as connection:
                connection.execute("create database pictures")
            url = make_conninfo(server.superuser_dsn, dbname="pictures")
            migrate(url)
            load_sample(url, data)
            accounts = json.loads((data / "sample.json").read_text(encoding="utf-8"))
            passwords = {name: accounts[name]["password"] for name in ("operator", "supervisor")}
            asyncio.run(_pictures(url, data, passwords, folder))
        finally:
            server.stop()
            process.wait(30)


async def _pictures(url: str, data: Path, passwords: dict[str, str], folder: Path) -> None:
    database = Database(url, connections=2, application="screenshots")
    await database.open()
    web = Web(url, data)
    try:
        await web.ready()
        numbers, found = await Night(database).happen()
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS])
            await photograph(browser, web, passwords["operator"], folder, numbers)
            await why(browser, web, passwords["operator"], folder, found)
            await _live_a_month(database)
            await figures(browser, web, passwords["supervisor"], folder)
            await browser.close()
    finally:
        await web.stop()
        await database.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"))
