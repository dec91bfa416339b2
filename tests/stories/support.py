"""A web process of our own, a browser, and what a person at the desk does with them."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import httpx
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, expect
from psycopg.types.json import Jsonb

from care.accounts import Accounts
from dispatch import views
from dispatch.desk import Desk
from pingan.clock import SystemClock
from pingan.database import Database
from tests.support import free_port

ROOT = Path(__file__).parents[2]
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
PASSWORD = "lamps over the lake"
LINK_SECRET = "a secret of the stories, 32 characters"
WIDE, NARROW = {"width": 1366, "height": 768}, {"width": 360, "height": 740}

REGISTER = """
insert into areas values ('4407', '江门市', 'city', null), ('440703', '蓬江区', 'district', '4407'),
    ('440704', '江海区', 'district', '4407');
insert into homes (id, area, address, phone, way_in, way_in_proven_on) values
    ('H001', '440703', '晚晴路12号3栋402室', '+8613800000141', '门口密码盒，密码 2580', '2026-01-05'),
    ('H002', '440703', '湖边巷6号', null, null, null),
    ('H003', '440704', '江海路1号', null, 'Key at the gate', null);
insert into people (id, home, name, born_on, sex, phone, conditions, language) values
    ('P001', 'H001', '陈秀英', '1941-03-02', 'female', '+8613800000149', '高血压', 'zh'),
    ('P002', 'H002', '<script>alert(1)</script>', null, null, null, '<b>bold</b>', 'en'),
    ('P003', 'H003', 'Margaret Wilson', '1938-11-30', 'female', null, null, 'en');
insert into contacts (id, home, rank, name, relation, role, phone, has_key) values
    ('C1', 'H001', 1, '李梅', '女儿', 'family', '+8613800000101', true),
    ('C2', 'H001', 2, '王强', '邻居', 'neighbour', '+8613800000102', false),
    ('C3', 'H002', 1, '<img src=x onerror=alert(2)>', '子', 'family', '+8613800000103', false);
insert into responders (id, name, role, area, phone, consented_on, trained_on) values
    ('R1', '赵志愿', 'volunteer', '4407', '+8613800000201', '2026-01-01', '2026-01-01');
insert into devices (id, home, kind, enrolled_at) values ('H001-button', 'H001', 'button', '2026-01-01Z');
"""

ACCOUNTS = (
    ("operator", "王芳", "operator", None),
    ("second", "林志强", "operator", None),
    ("boss", "周班长", "supervisor", None),
    ("haijiang", "江海坐席", "operator", "440704"),
    ("checker", "审计员", "auditor", None),
)


class Web:
    """`python -m pingan console`, as the supervisor starts it."""

    def __init__(self, database_url: str, data: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = data / "console.log"
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("PINGAN_")},
            "PINGAN_DATABASE_URL": database_url,
            "PINGAN_HTTP_PORT": str(self.port),
            "PINGAN_NAME": "console",
            "PINGAN_DATA": str(data),
            "PINGAN_PUBLIC_URL": self.url,
            "PINGAN_LINK_SECRET": LINK_SECRET,
        }
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "pingan", "console"], cwd=ROOT, env=self._environment, stderr=log
            )

    async def ready(self) -> None:
        async with httpx.AsyncClient() as client, asyncio.timeout(60):
            while True:
                if self.process.poll() is not None:
                    raise AssertionError(f"the web process ended:\n{self.log()}")
                try:
                    if (await client.get(f"{self.url}/healthz", timeout=5)).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def hold(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    async def restart(self) -> None:
        await self.stop()
        self.process = self._start()
        await self.ready()

    async def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            await asyncio.to_thread(self.process.wait, 60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


@dataclass
class House:
    """The platform behind the pages: what happens outside of them."""

    database: Database
    web: Web
    clock: SystemClock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        self.desk = Desk(self.database, self.clock)

    async def furnish(self) -> None:
        async with self.database.connection() as connection:
            await connection.execute(REGISTER)
        accounts = Accounts(self.database, memory_kib=1024, passes=1)
        for account, name, role, area in ACCOUNTS:
            await accounts.add(account, name, role, PASSWORD, area=area)  # type: ignore[arg-type]

    async def press(self, home: str = "H001", kind: str = "sos") -> int:
        """A press comes in, as alerting and intake would bring it; the incident's number."""
        now = self.clock.now()
        alarm: UUID = uuid4()
        async with self.database.connection() as connection:
            await connection.execute(
                "insert into alarms (id, kind, home, device, at, received_at, raised_at, test, evidence)"
                " values (%s, %s, %s, %s, %s, %s, %s, false, %s)",
                (alarm, kind, home, f"{home}-button", now, now, now, Jsonb({"event_id": str(alarm)})),
            )
        assert await self.desk.take_alarms()
        async with self.database.connection() as connection:
            row = await (await connection.execute("select incident from alarms where id = %s", (alarm,))).fetchone()
        assert row is not None
        return int(row["incident"])

    async def incident(self, number: int) -> dict[str, object]:
        async with self.database.connection() as connection:
            found = await views.incident(connection, number, self.clock.now())
        assert found is not None
        return found

    async def stamped(self, number: int) -> set[str]:
        found = await self.incident(number)
        stamps = found["stamps"]
        assert isinstance(stamps, dict)
        return {name for name, stamp in stamps.items() if stamp["at"]}


@dataclass
class Seat:
    """Somebody at the desk: one browser window, and everything that went wrong in it."""

    context: BrowserContext
    page: Page
    url: str
    troubles: list[str] = field(default_factory=list)
    tolerated: list[str] = field(default_factory=list)

    def watch(self) -> None:
        def heard(message: ConsoleMessage) -> None:
            if message.type == "error":
                self.troubles.append(f"console: {message.text} ({message.location.get('url', '')})")

        self.page.on("console", heard)
        self.page.on("pageerror", lambda error: self.troubles.append(f"page: {error}"))
        self.page.on("dialog", lambda dialog: self.troubles.append(f"dialog: {dialog.message}"))

    def check(self) -> None:
        """Nothing went wrong that the story did not make itself."""
        wrong = [one for one in self.troubles if not any(re.search(pattern, one) for pattern in self.tolerated)]
        assert not wrong, "\n".join(wrong)

    async def sign_in(self, account: str = "operator", password: str = PASSWORD) -> None:
        await self.page.goto(f"{self.url}/")
        await self.page.fill("[name=account]", account)
        await self.page.fill("[name=password]", password)
        await self.page.keyboard.press("Enter")
        await expect(self.page.locator("#sign-out, .who")).to_have_count(1)
        await self.live()

    async def live(self) -> None:
        """Wait until the page hears the platform."""
        await expect(self.page.locator("#live")).to_have_attribute("data-live", "yes")

    async def sound_on(self) -> None:
        """Touch the page, as often as it takes: a browser under load may miss the first."""
        async with asyncio.timeout(60):
            while await self.page.locator("#sound").get_attribute("data-sound") != "on":
                await self.page.keyboard.press("Shift")
                await asyncio.sleep(0.1)

    async def open(self, path: str) -> None:
        await self.page.goto(f"{self.url}{path}")

    def row(self, number: int) -> object:
        return self.page.locator(f"#i-{number}")


async def seat(
    browser: Browser, web: Web, *, language: str = "zh", viewport: dict[str, int] | None = None, theme: str = "light"
) -> Seat:
    context = await browser.new_context(
        viewport=viewport or WIDE,  # type: ignore[arg-type]
        locale="zh-CN" if language == "zh" else "en-GB",
        color_scheme=theme,  # type: ignore[arg-type]
    )
    await context.add_cookies([{"name": "pingan_language", "value": language, "url": web.url}])
    page = await context.new_page()
    one = Seat(context, page, web.url)
    one.watch()
    return one
