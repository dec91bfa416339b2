"""A helper on a telephone of 360 px: from the text message to "safe" in four taps, with a script and without one.

`PINGAN_PICTURES=docs/images` takes the pictures of docs/helpers.md anew.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect
from psycopg.types.json import Jsonb

from dispatch import incident as core
from dispatch.channels import Send
from dispatch.channels.twilio_sms.send import text
from dispatch.links import Links
from tests.stories.conftest import Sit
from tests.stories.support import LINK_SECRET, NARROW, House

WANG = ("operator", "王芳")

Opened = Callable[..., Awaitable["Phone"]]


@dataclass
class Phone:
    """Somebody's telephone, with what they were sent open on it. Every tap is counted."""

    page: Page
    troubles: list[str]
    pictures: Path
    taps: int = 0

    async def tap(self, words: str) -> None:
        await self.page.get_by_role("button", name=words, exact=True).tap()
        self.taps += 1

    async def picture(self, name: str) -> None:
        """As somebody sees it who has not scrolled, and nothing beyond the edge."""
        assert await self.page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
        await self.page.screenshot(path=self.pictures / f"{name}.png")


async def sent(house: House, number: int, person: str) -> Send:
    """The text message that asks somebody of H001 to come, as the outbox has it."""
    async with house.database.connection() as connection:
        found = await connection.execute(
            "insert into sends (incident, step, purpose, channel, recipient, name, address, language, body, due_at,"
            " deadline_at) select %s, 900, 'help', 'twilio_sms', id, name, phone, language,"
            " jsonb_build_object('role', role, 'cause', 'sos'), %s, %s from contacts where id = %s returning *",
            (number, house.clock.now(), house.clock.now(), person),
        )
        row: dict[str, Any] = await found.fetchone() or {}
    return Send(**{**{name: row[name] for name in Send._fields}, "dialled_at": row["due_at"]})


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return Path(os.environ.get("PINGAN_PICTURES", tmp_path))


@pytest.fixture
async def opened(browser: Browser, house: House, pictures: Path) -> AsyncIterator[Opened]:
    """`await opened(message)`: the link of a text message, tapped."""
    async with AsyncExitStack() as stack:
        troubles: list[str] = []

        async def tap_link(message: str, *, script: bool = True, at: dict[str, float] | None = None) -> Phone:
            context = await browser.new_context(
                viewport=NARROW,  # type: ignore[arg-type]
                device_scale_factor=2, has_touch=True, is_mobile=True, java_script_enabled=script, locale="de-DE",
                geolocation=at, permissions=["geolocation"] if at else [],  # type: ignore[arg-type]
            )  # fmt: skip
            stack.push_async_callback(context.close)
            phone = Phone(await context.new_page(), troubles, pictures)
            phone.page.on("pageerror", lambda error: troubles.append(str(error)))
            (link,) = re.findall(r"https?://\S+", message)
            await phone.page.goto(link)
            phone.taps += 1
            return phone

        yield tap_link
    assert not troubles


@pytest.fixture
async def pressed(house: House) -> int:
    """A press with nobody at the desk: the contacts are asked at once. One of them reads English."""
    async with house.database.connection() as connection:
        await connection.execute("update contacts set language = 'en', name = 'Mei Li' where id = 'C2'")
        await connection.execute(
            "update homes set latitude = 22.5789, longitude = 113.0815, coordinates = 'GCJ-02' where id = 'H001'"
        )
        await connection.execute("update people set note = '耳背，请大声说' where id = 'P001'")
    return await house.press()


def message(house: House, send: Send) -> str:
    return f"{text(send)}\n{Links(LINK_SECRET, house.web.url).for_send(send.id)}"


@dataclass(frozen=True)
class Walk:
    """One way through the page: who goes, and what they tap."""

    name: str
    person: str
    taps: tuple[str, str, str]
    words: tuple[str, str, str]
    """The end of the page's thanks, closing words, and what sends them."""
    script: bool = True


CHINESE = (("10分钟", "我到了", "平安，或已交接"), ("谢谢", "已扶起，喝了茶", "发送"))
ENGLISH = (("10 min", "I’m there", "All is well, or handed over"), ("Thank you", "Up again, tea made.", "Send"))
WALKS = (
    Walk("zh", "C1", *CHINESE),
    Walk("en", "C2", *ENGLISH),
    Walk("without-script", "C1", *CHINESE, script=False),
)


async def test_from_the_message_to_safe_in_four_taps(house: House, pressed: int, opened: Opened) -> None:
    """In Chinese, in English, and on a telephone that runs no scripts."""
    number = pressed
    for walk in WALKS:
        await walked(house, number, walk, await opened(message(house, await sent(house, number, walk.person)),
                                                       script=walk.script))  # fmt: skip
        as_of = (await core_of(house, number)).version
        await house.desk.act(number, core.Close(*WANG, "sos", "family_attended", as_of))
        number = await house.press()


async def walked(house: House, number: int, walk: Walk, phone: Phone) -> None:
    page, (ten, there, safe), (thanks, closing, send) = phone.page, walk.taps, walk.words
    await expect(page.locator(".way")).to_have_text("门口密码盒，密码 2580")
    await expect(page.locator("body")).to_contain_text("2026-01-05")
    for words in (ten, "晚晴路12号3栋402室"):
        await expect(page.get_by_text(words).first).to_be_in_viewport()
    await phone.picture(f"helper-asked-{walk.name}")
    await phone.tap(ten)
    await expect(page.locator("#status")).to_contain_text(":")
    await phone.picture(f"helper-going-{walk.name}")
    await phone.tap(there)
    await expect(page.get_by_role("button", name=safe)).to_be_visible()
    await phone.picture(f"helper-there-{walk.name}")
    # The home's own button, as it was asked for: t7 is shown, and nobody rings.
    await press_own(house)
    incident = await core_of(house, number)
    assert (incident.proof, incident.reported, incident.ringing) == ("press", (), False)
    await phone.tap(safe)
    await expect(page.locator("#status")).to_contain_text(thanks)
    assert phone.taps == 4
    assert {"t5", "t6", "t7", "t8"} <= await house.stamped(number)
    await page.locator("#words").fill(closing)
    await phone.tap(send)
    await expect(page.locator(".said")).to_be_visible()
    await phone.picture(f"helper-safe-{walk.name}")
    assert (await house.incident(number))["journal"][-1]["event"] == "note"  # type: ignore[index]


async def press_own(house: House) -> None:
    """The button on the wall of H001, as its device says it."""
    now, alarm = house.clock.now(), uuid4()
    async with house.database.connection() as connection:
        await connection.execute(
            "insert into alarms (id, kind, home, device, at, received_at, raised_at, test, evidence)"
            " values (%s, 'sos', 'H001', 'H001-button', %s, %s, %s, false, %s)",
            (alarm, now, now, now, Jsonb({"event": str(alarm)})),
        )
    assert await house.desk.take_alarms()


async def core_of(house: House, number: int) -> core.Incident:
    return (await house.desk.act(number, core.Note("test", ""))).incident


async def test_the_desk_and_the_helper_see_each_other(
    house: House, pressed: int, opened: Opened, sit: Sit, pictures: Path
) -> None:
    """Double taps, a change that is confirmed, the code on the wall, where they are: both sides, as it happens."""
    phone = await opened(
        message(house, await sent(house, pressed, "C1")), at={"latitude": 22.62, "longitude": 113.09, "accuracy": 12}
    )
    page = phone.page
    await page.get_by_role("button", name="20分钟").dblclick()
    await expect(page.locator("#status")).to_contain_text("您正在去")
    await page.locator("#share-start").tap()
    await expect(page.locator("#share")).to_contain_text("值班台能看到")
    second = await opened(message(house, await sent(house, pressed, "C2")))
    await expect(second.page.locator("#status")).to_have_text("李梅 is going.")
    await second.tap("30 min")  # whoever is there sooner stays the first
    await expect(page.locator(".goes")).to_contain_text("Mei Li")  # it follows by itself
    seat = await sit()
    await expect(page.get_by_role("link", name="打电话给值班台")).to_have_count(0)
    await seat.open("/shift")
    await seat.page.fill("[name=phone]", "138 0000 0901")
    await seat.page.get_by_role("button", name="开始本班").click()
    await expect(page.locator('a[href="tel:+8613800000901"]')).to_be_visible()  # whoever is on shift now
    await seat.open(f"/incidents/{pressed}")
    await seat.live()
    goers = seat.page.locator(".goers li")
    await expect(goers.first).to_contain_text(re.compile(r"还有\d+米"))
    await seat.page.keyboard.press("g")
    await seat.page.locator("#ask-changed textarea").fill("屋里有煤气味，先开窗")
    await seat.page.keyboard.press("Control+Enter")
    await expect(goers.first).to_contain_text("1条变化未确认")
    await seat.page.screenshot(path=pictures / "incident-goers-zh.png")
    await expect(page.locator(".changed")).to_contain_text("屋里有煤气味，先开窗")
    await phone.picture("helper-changed-zh")
    await phone.tap("我看到了")
    await expect(page.locator(".changed")).to_have_count(0)
    await expect(goers.first).to_contain_text("变化已确认")
    await expect(goers.nth(1)).to_contain_text("1条变化未确认")
    await phone.tap("我到了")
    await expect(page.locator("#status")).to_have_text("您到了。")
    boss = await sit("boss")
    await boss.open("/register/homes/H001")
    await boss.page.get_by_role("link", name="到场验证码").click()
    await boss.page.get_by_role("button", name="生成验证码").click()
    code = await boss.page.locator(".letters").inner_text()
    await boss.page.locator(".sticker").screenshot(path=pictures / "home-code-zh.png")
    await page.goto(f"{house.web.url}/h/at/{code}")
    await expect(page.locator("[name=code]")).to_have_value(code)
    await phone.tap("确定")
    await expect(page.locator(".said")).to_contain_text("已经证实您到了")
    assert (await core_of(house, pressed)).proof == "code"
    await expect(seat.page.locator(".stamps")).to_contain_text("门上的代码")
    await asyncio.gather(phone.tap("需要更多人手"), expect(page.locator(".said")).to_contain_text("正在通知下一批人"))


async def test_the_packet_goes_from_the_desk_to_the_ward_and_says_what_is_new(
    house: House, pressed: int, opened: Opened, sit: Sit
) -> None:
    async with house.database.connection() as connection:
        await connection.execute(
            "update people set medication = '氨氯地平 5 mg 早；阿司匹林 100 mg', hospital = '江门市中心医院'"
            " where id = 'P001'"
        )
        now = house.clock.now()
        await connection.execute("select readings_day(%s)", (now.date(),))
        await connection.cursor().executemany(
            "insert into readings (at, received_at, device, home, boot, seq, kind, value, detail)"
            " values (%s, %s, 'H001-watch', 'H001', 'b', %s, %s, %s, %s)",
            [(now, now, 1, "heart_rate", 96, None), (now, now, 2, "spo2", 91, None),
             (now, now, 3, "blood_pressure", None, Jsonb({"systolic": 168, "diastolic": 95}))],
        )  # fmt: skip
    await house.desk.act(pressed, core.Answer(*WANG))
    await house.desk.act(pressed, core.NoContact(*WANG))
    await house.desk.act(pressed, core.Accept(core.Helper("C1", "李梅", "family")))
    seat = await sit()
    await seat.open(f"/incidents/{pressed}")
    await seat.page.keyboard.press("p")
    await seat.page.fill("[name=name]", "急诊科 刘护士")
    await seat.page.get_by_role("button", name="交出交接单").click()
    link = await seat.page.locator(".issued .link").input_value()
    phone = await opened(link)
    page = phone.page
    for words in ("陈秀英", "氨氯地平", "168/95 mmHg", "李梅", "门口密码盒"):
        await expect(page.locator("#page")).to_contain_text(words)
    await phone.picture("packet-zh")
    await house.desk.act(pressed, core.Changed("王芳", "病人在浴室地上，神志不清"))
    await expect(page.locator("#news")).to_contain_text("第1版之后有变化：经过")
    await expect(page.locator("#page")).to_contain_text("神志不清")
    await seat.open(f"/incidents/{pressed}/packet")
    await expect(seat.page.locator(".issued")).to_contain_text("第2版")
    await seat.open(f"/incidents/{pressed}")
    await expect(seat.page.locator(".journal")).to_contain_text("急诊科 刘护士打开了交接单第2版。")
    await expect(seat.page.locator(".journal")).to_contain_text("交接单更新为第2版：经过。")
