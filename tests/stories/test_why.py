"""Why it rang, as the operator has it before them: in words, drawn, and for whoever cannot see it."""

from datetime import timedelta

from playwright.async_api import Page, expect

from alerting import alarms as detection
from pingan.messages import WITHDRAWN, Alarm
from tests.stories.conftest import Sit
from tests.stories.support import NARROW, WIDE, House
from tests.stories.test_devices_page import NAMELESS, UNREADABLE
from tests.stories.test_pages import own_words
from tests.unit.test_why_detectors import ZONE, falling
from tests.why_support import MINUTE, heard, lived, ms, raised, silence_evidence

DRAWN_OUTSIDE = """() => [...document.querySelectorAll('.why-figure svg.chart')].flatMap((svg) => {
    const all = svg.getBoundingClientRect();
    return [...svg.querySelectorAll('text')].filter((one) => {
        const box = one.getBoundingClientRect();
        return box.left < all.left - 2 || box.right > all.right + 2;
    }).map((one) => one.textContent);
})"""


async def taken(house: House) -> int:
    """Intake takes what was raised; the number of the only incident."""
    while await house.desk.take_alarms():
        pass
    async with house.database.connection() as connection:
        [row] = await (await connection.execute("select id from incidents")).fetchall()
    return int(row["id"])


async def fallen(house: House) -> tuple[int, Alarm]:
    """Somebody wears a sensor and falls, and the real detector says so: its own alarms, as alerting raises them."""
    now = house.clock.now()
    found = [Alarm(**{**_fields(one), "home": "H001"}) for one in falling(ms(now) - 70_000)]
    async with house.database.connection() as connection:
        await heard(connection, lived(now - 3 * MINUTE, ZONE))
        for one in found:
            await detection.insert(connection, [one], now)
    return await taken(house), found[-1]


def _fields(alarm: Alarm) -> dict[str, object]:
    return {name: getattr(alarm, name) for name in alarm.__struct_fields__}


async def fits(page: Page, width: int) -> None:
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    assert not await page.evaluate(UNREADABLE)
    assert not await page.evaluate(NAMELESS)
    assert not await page.evaluate(DRAWN_OUTSIDE)


async def test_a_fall_is_explained_and_what_is_taken_back_appears_by_itself(house: House, sit: Sit) -> None:
    number, fall = await fallen(house)
    seat = await sit(language="en", viewport=WIDE)
    page = seat.page
    await seat.open(f"/incidents/{number}")
    await seat.live()
    words = page.locator(".why-words")
    await expect(words).to_contain_text("at the wrist")
    await expect(words).to_contain_text("It lay still for")
    await expect(words).to_contain_text("% confidence; it rings from")
    await expect(page.locator(".stamps li").first).to_contain_text("Occurred")  # nobody has pressed anything
    await expect(page.get_by_role("img", name="The impact: acceleration over time")).to_be_in_viewport()
    await expect(page.locator("#home-day")).to_contain_text("Last movement before the alarm: 厨房")

    # The figures are unfolded by key, and Enter there answers no call.
    figures = page.locator(".why-panel details")
    await figures.locator("summary").focus()
    await page.keyboard.press("Enter")
    await expect(figures.get_by_role("row", name="Detector and version")).to_contain_text("fall/")
    assert "t3" not in await house.stamped(number)
    await fits(page, WIDE["width"])

    # Up and walking: told, live, and nothing is folded again or closed.
    evidence = {"source": "derived", "rule": "fall:withdrawn", "restores": str(fall.id), "reason": "got_up"}
    async with house.database.connection() as connection:
        await raised(connection, WITHDRAWN, house.clock.now(), evidence)
    while await house.desk.take_alarms():
        pass
    steps = page.locator(".why-steps li")
    await expect(steps).to_have_count(3)
    await expect(steps.last).to_contain_text("Taken back: got up and walks. The incident stays yours to close.")
    await expect(figures).to_have_attribute("open", "")
    await expect(page.locator("#incident")).not_to_have_attribute("data-state", "closed")


async def test_a_silence_is_explained_in_both_languages_and_on_any_screen(house: House, sit: Sit) -> None:
    now = house.clock.now()
    since = now - timedelta(hours=3, minutes=40)
    async with house.database.connection() as connection:
        await heard(connection, lived(since, ZONE))
        await raised(connection, "inactivity", now, silence_evidence(since, 3.667, learned={"strange": ["<b>", None]}))
    number = await taken(house)
    for language, viewport, said, last, table in (
        ("zh", WIDE, "已有3 小时 40 分没有活动", "报警前最后一次活动：厨房", "以表格显示"),
        ("en", NARROW, "No movement for 3 h 40 min", "Last movement before the alarm: 厨房", "The same as a table"),
    ):
        seat = await sit(language=language, viewport=viewport)
        page = seat.page
        await seat.open(f"/incidents/{number}")
        await seat.live()
        await expect(page.locator(".why-words")).to_contain_text(said)
        await expect(page.locator("#home-day")).to_contain_text(last)
        day = page.locator("svg.day[role=img]")
        for drawn in (".limit", ".usual", ".signal", ".moved", ".moment"):
            await expect(day.locator(drawn).first).to_be_attached()
        await fits(page, viewport["width"])
        # Whoever sees no drawing has it as a table.
        await page.locator("#day-table").get_by_text(table).click()
        rows = page.locator("#day-table tbody tr")
        await expect(rows).to_have_count(5)
        await expect(rows.filter(has_text="入户门")).to_contain_text(":")
        await page.locator(".why-panel details summary").click()
        await expect(page.locator(".why-panel table")).to_contain_text("<b>")
        if language == "en":
            assert not [one for one in await own_words(page) if "\u4e00" <= one <= "\u9fff"]


async def test_a_press_has_the_homes_day_below_its_journal(house: House, sit: Sit) -> None:
    async with house.database.connection() as connection:
        await heard(connection, lived(house.clock.now() - 7 * MINUTE, ZONE))
    number = await house.press()
    seat = await sit(language="en")
    await seat.open(f"/incidents/{number}")
    await expect(seat.page.locator(".why-panel")).to_have_count(0)
    await expect(seat.page.locator("[data-part=day] svg.day[role=img]")).to_be_attached()
    await expect(seat.page.locator(".journal")).to_be_in_viewport()
