"""The page of figures: both languages, paper, keys, who may read it, and that it stays new."""

import re
from datetime import timedelta

import pytest
from playwright.async_api import expect

from care.accounts import Accounts
from tests.figures_support import Call, month, put
from tests.stories.conftest import Sit
from tests.stories.support import NARROW, PASSWORD, WIDE, House

A4_PIXELS = 703
"""The width of A4 between its margins, at 96 pixels to the inch."""


@pytest.fixture(scope="module")
async def house(shown: House) -> House:
    return shown


@pytest.fixture(scope="module")
async def past(house: House) -> House:
    """A house with a month behind it, and one call that was answered too late."""
    now = house.clock.now()
    late = Call(now - timedelta(days=1), home="H003", answer=240, reason="交接班时耽误。")
    async with house.database.connection() as connection:
        await put(connection, [*month(now, ["H001", "H002", "H003"]), late])
    return house


@pytest.mark.parametrize(
    ("language", "title", "level"), [("zh", "数据", "60 秒内接听"), ("en", "Figures", "Answered within 60 s")]
)
async def test_a_supervisor_reads_a_month(past: House, sit: Sit, language: str, title: str, level: str) -> None:
    seat = await sit("boss", language=language)
    await seat.page.get_by_role("link", name=title, exact=True).click()
    await expect(seat.page.locator("h1")).to_have_text(title)
    await seat.open("/figures?days=30")
    await expect(seat.page.locator("nav [aria-current=page]")).to_have_text(title)
    row = seat.page.locator("#people-levels tr", has_text=level)
    await expect(row).to_contain_text("%")
    await expect(seat.page.locator("#people-days tbody tr")).to_have_count(30)
    assert await seat.page.locator(".chart > .soon").count() > 20
    # From the list of the late ones to the incident itself.
    late = seat.page.locator("#people-late tr", has_text="交接班时耽误。")
    await late.first.get_by_role("link").click()
    await expect(seat.page).to_have_url(re.compile(r"/incidents/\d+$"))


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_a_full_page_stays_within_its_edges(
    past: House, sit: Sit, language: str, viewport: dict[str, int]
) -> None:
    seat = await sit("boss", language=language, viewport=viewport)
    await seat.open("/figures?days=30")
    assert await seat.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    small = await seat.page.evaluate(
        """() => [...document.querySelectorAll('#figures *')].filter((e) => e.checkVisibility()
            && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())
            && parseFloat(getComputedStyle(e).fontSize) < 16).map((e) => e.textContent.trim())"""
    )
    assert not small
    # Every table says what it is of, and every cell of a head which way it reads.
    unnamed = await seat.page.evaluate(
        """() => [...document.querySelectorAll('#figures table')].filter((t) => !t.caption
            && !t.closest('[aria-labelledby]')).map((t) => t.id)"""
    )
    assert not unnamed
    assert await seat.page.locator("#figures th:not([scope])").count() == 0


async def test_on_paper_there_is_all_of_it_and_nothing_to_press(past: House, sit: Sit) -> None:
    seat = await sit("boss", viewport={"width": A4_PIXELS, "height": 1000})
    await seat.open("/figures?days=30")
    await seat.page.emulate_media(media="print")
    for gone in (".head", ".choose-period", "#sound-band"):
        await expect(seat.page.locator(gone)).to_be_hidden()
    assert await seat.page.evaluate("document.documentElement.scrollWidth") <= A4_PIXELS
    for table in ("#people-days", "#people-late", "#machines-tables"):
        await expect(seat.page.locator(table)).to_be_visible()
    hidden = await seat.page.evaluate(
        "[...document.querySelectorAll('.scroll')].filter((e) => e.scrollHeight > e.clientHeight + 1).length"
    )
    assert hidden == 0
    paper = await seat.page.pdf(prefer_css_page_size=True)
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", paper)) <= 7
    assert re.search(rb"/MediaBox\s*\[\s*0 0 59[45](\.\d+)? 84[12](\.\d+)?\s*\]", paper), "A4"


async def test_a_period_is_chosen_by_keys_and_a_wrong_one_is_refused_in_words(past: House, sit: Sit) -> None:
    seat = await sit("boss", language="en")
    seat.tolerated.append("422")
    await seat.open("/figures")
    await expect(seat.page.locator("[aria-current=true]")).to_have_text("Today")
    await seat.page.get_by_role("link", name="7 days").focus()
    await seat.page.keyboard.press("Enter")
    await expect(seat.page.locator("#people-days tbody tr")).to_have_count(7)
    today = past.clock.now().astimezone().date()
    await seat.page.fill("#first", str(today - timedelta(days=3)))
    await seat.page.fill("#last", str(today - timedelta(days=2)))
    await seat.page.keyboard.press("Enter")
    await expect(seat.page.locator("#people-days tbody tr")).to_have_count(2)
    await seat.page.fill("#last", str(today - timedelta(days=9)))
    await seat.page.keyboard.press("Enter")
    await expect(seat.page.get_by_role("alert").filter(has_text="must not be after the last")).to_be_visible()


async def test_the_page_stays_new_beneath_whoever_reads_it(past: House, sit: Sit) -> None:
    seat = await sit("boss", language="en")
    await seat.page.clock.install()
    await seat.open("/figures")
    shown = seat.page.locator("#line-now .tile").filter(has_text="Alarms not yet on an incident").locator("b")
    await expect(shown).to_have_text("0")
    await seat.page.locator("#people-late, #machines-title").first.scroll_into_view_if_needed()
    async with past.database.connection() as connection:
        await connection.execute(
            "insert into alarms (id, kind, home, at, received_at, raised_at, test, evidence)"
            " values (gen_random_uuid(), 'sos', 'H001', %(at)s, %(at)s, %(at)s, false, '{}')",
            {"at": past.clock.now()},
        )
    await seat.page.clock.run_for(15_000)
    await expect(shown).to_have_text("1")


async def test_an_auditor_reads_figures_and_nothing_else(past: House, sit: Sit) -> None:
    seat = await sit(None)
    seat.tolerated.append("403")
    await seat.open("/")
    await seat.page.fill("[name=account]", "checker")
    await seat.page.fill("[name=password]", PASSWORD)
    await seat.page.keyboard.press("Enter")
    await expect(seat.page).to_have_url(re.compile("/figures$"))
    await expect(seat.page.locator("header nav a")).to_have_count(1)
    await seat.open("/figures?days=7")
    await expect(seat.page.locator("#people-late a")).to_have_count(0)
    await expect(seat.page.locator("#people-late")).not_to_contain_text("交接班")
    await expect(seat.page.locator("#people-late")).to_contain_text("已写明")
    answer = await seat.page.goto(f"{seat.url}/register")
    assert answer is not None
    assert answer.status == 403
    await expect(seat.page.locator("#main a")).to_have_attribute("href", "/figures")


async def test_an_operator_of_one_area_sees_its_people_and_no_machines(past: House, sit: Sit) -> None:
    seat = await sit("haijiang")
    await seat.open("/figures?days=30")
    await expect(seat.page.locator("#people-levels")).to_be_visible()
    await expect(seat.page.locator("#line, #machines")).to_have_count(0)
    await expect(seat.page.locator("#main")).not_to_contain_text("蓬江区")


async def test_a_helper_is_shown_no_figures(house: House, sit: Sit) -> None:
    accounts = Accounts(house.database, memory_kib=1024, passes=1)
    await accounts.add("helper", "赵志愿", "responder", PASSWORD)
    seat = await sit(None)
    seat.tolerated.append("403")
    await seat.open("/")
    await seat.page.fill("[name=account]", "helper")
    await seat.page.fill("[name=password]", PASSWORD)
    await seat.page.keyboard.press("Enter")
    await expect(seat.page.locator("#main")).to_contain_text("您的角色不能打开这个页面。")
    answer = await seat.page.goto(f"{seat.url}/figures")
    assert answer is not None
    assert answer.status == 403
