"""Both languages, both widths, the register, and signing in and out."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from openpyxl import load_workbook
from playwright.async_api import Browser, Page, expect

from tests.stories.conftest import Sit
from tests.stories.support import NARROW, PASSWORD, WIDE, House, Seat, seat

PATHS = (
    "/", "/incidents/{number}", "/open", "/register", "/register/homes/H001", "/register/import", "/figures?days=30",
)  # fmt: skip


Look = Callable[[str, dict[str, int], str], Awaitable[Seat]]


@pytest.fixture(scope="module")
async def look(browser: Browser, shown: House) -> AsyncIterator[Look]:
    """`await look(language, viewport, path)`: a supervisor before one page of a house where two calls are open.

    Looking changes nothing: one house serves all who look, and each browser window stays signed in.
    """
    seats: dict[tuple[str, int], Seat] = {}
    number = await shown.press("H001")
    await shown.press("H002")

    async def at(language: str, viewport: dict[str, int], path: str) -> Seat:
        window = language, viewport["width"]
        if window not in seats:
            seats[window] = await seat(browser, shown.web, language=language, viewport=viewport)
            await seats[window].sign_in("boss")
        await seats[window].open(path.format(number=number))
        return seats[window]

    yield at
    for one in seats.values():
        await one.context.close()
        one.check()


async def own_words(page: Page) -> str:
    """The page's text without names, addresses and whatever else is not in the page's own language."""
    text = await page.evaluate(
        """() => { const copy = document.body.cloneNode(true);
            const own = document.documentElement.lang.slice(0, 2);
            for (const e of copy.querySelectorAll('[lang], input, option, #announce'))
                if (!e.lang || !e.lang.startsWith(own)) e.remove();
            return copy.textContent; }"""
    )
    return str(text)


@pytest.mark.parametrize("path", PATHS)
async def test_english_pages_speak_english_alone(look: Look, path: str) -> None:
    seat = await look("en", WIDE, path)
    assert not re.findall(r"[\u4e00-\u9fff]+", await own_words(seat.page))
    seat.check()


async def test_the_language_is_switched_and_stays(house: House, sit: Sit) -> None:
    seat = await sit(language="en")
    await expect(seat.page.locator("html")).to_have_attribute("lang", "en")
    await seat.page.get_by_role("button", name="中文").click()
    await expect(seat.page.locator("html")).to_have_attribute("lang", "zh-Hans")
    await expect(seat.page.locator("#empty")).to_contain_text("没有未结的呼叫")
    await seat.open("/register")
    await expect(seat.page.locator("h1")).to_have_text("档案")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_nothing_hangs_over_the_edge(look: Look, path: str, viewport: dict[str, int], language: str) -> None:
    seat = await look(language, viewport, path)
    await seat.live()
    width = await seat.page.evaluate("document.documentElement.scrollWidth")
    assert width <= viewport["width"]
    small = await seat.page.evaluate(
        """() => [...document.querySelectorAll('body *')].filter((e) => e.checkVisibility()
            && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())
            && parseFloat(getComputedStyle(e).fontSize) < 16).map((e) => e.textContent.trim())"""
    )
    assert not small
    nameless = await seat.page.evaluate(
        """() => [...document.querySelectorAll('a, button, input:not([type=hidden]), select, textarea, summary')]
            .filter((e) => e.checkVisibility() && !(e.textContent.trim() || e.ariaLabel || e.title || e.labels?.length
                || e.getAttribute('aria-labelledby')))
            .map((e) => e.outerHTML)"""
    )
    assert not nameless
    seat.check()


async def test_the_incident_is_one_screen(house: House, sit: Sit) -> None:
    number = await house.press()
    seat = await sit(viewport=WIDE)
    await seat.open(f"/incidents/{number}")
    await seat.sound_on()
    assert await seat.page.evaluate("document.documentElement.scrollHeight") <= WIDE["height"]
    for part in (".person-name", ".tel", ".way", ".proven", ".address", ".instruction", ".people", "#act-close"):
        await expect(seat.page.locator(part).first).to_be_in_viewport()


async def test_signing_in_and_out(house: House, sit: Sit) -> None:
    seat = await sit(None)
    seat.tolerated.append("401")
    await seat.open("/register?words=x")
    await expect(seat.page).to_have_url(re.compile("/sign-in"))
    await seat.page.fill("[name=account]", "operator")
    await seat.page.fill("[name=password]", "not the password")
    await seat.page.keyboard.press("Enter")
    await expect(seat.page.locator(".refused")).to_have_text("账号或密码不对。")
    await seat.page.fill("[name=password]", PASSWORD)
    await seat.page.keyboard.press("Enter")
    await expect(seat.page).to_have_url(re.compile("/register$"))
    [cookie] = [one for one in await seat.context.cookies() if one["name"] == "pingan_session"]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    await seat.page.get_by_role("button", name="退出").click()
    await expect(seat.page).to_have_url(re.compile("/sign-in"))
    await seat.open("/")
    await expect(seat.page).to_have_url(re.compile("/sign-in"))


async def test_an_operator_of_one_area_sees_nothing_of_another(house: House, sit: Sit) -> None:
    number = await house.press("H001")
    seat = await sit("haijiang")
    seat.tolerated.append("404")
    await expect(seat.page.locator("#empty")).to_be_visible()
    answer = await seat.page.goto(f"{seat.url}/incidents/{number}")
    assert answer is not None
    assert answer.status == 404
    await expect(seat.page.locator("#main")).not_to_contain_text("陈秀英")
    await seat.open("/")
    own = await house.press("H003")
    await expect(seat.page.locator(f"#i-{own}")).to_be_visible()
    await expect(seat.page.locator(".row")).to_have_count(1)


async def test_an_incident_is_opened_for_a_caller(house: House, sit: Sit) -> None:
    seat = await sit()
    await seat.open("/open")
    await seat.page.fill("#words", "0149")
    await seat.page.keyboard.press("Enter")
    await expect(seat.page.locator(".hits li")).to_have_count(1)
    await seat.page.select_option(".hits select", "fall")
    await seat.page.get_by_role("button", name="开立").click()
    await expect(seat.page.locator(".title h1")).to_contain_text("跌倒")
    await expect(seat.page.locator(".title-held")).to_contain_text("王芳")
    await expect(seat.page.locator(".journal")).to_contain_text("王芳代为报警：跌倒。")


async def test_the_register_is_searched_and_mended(house: House, sit: Sit) -> None:
    seat = await sit("boss", language="en")
    seat.tolerated.append("422")
    page = seat.page
    await seat.open("/register")
    await page.fill("#words", "陈")
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name="陈秀英").click()
    home = page.locator("#H001")
    await home.get_by_text("Edit").click()
    await home.locator("[name=way_in_proven_on]").fill("yesterday")
    await home.get_by_role("button", name="Save").click()
    await expect(home.locator(".wrong")).to_contain_text("no date")
    await expect(home.locator("[name=way_in_proven_on]")).to_have_value("yesterday")
    await home.locator("[name=way_in_proven_on]").fill("2026-02-01")
    await home.locator("[name=way_in]").fill("Ring twice")
    await home.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    await expect(home).to_contain_text("Ring twice")
    await expect(home).to_contain_text("2026-02-01")


async def test_an_operator_reads_the_register_and_changes_nothing(house: House, sit: Sit) -> None:
    seat = await sit("operator")
    seat.tolerated.append("403")
    await seat.open("/register/homes/H001")
    await expect(seat.page.locator("summary")).to_have_count(0)
    answer = await seat.page.goto(f"{seat.url}/register/import")
    assert answer is not None
    assert answer.status == 403
    await expect(seat.page.locator("#main")).to_contain_text("您的角色不能打开这个页面。")


async def test_a_file_with_a_bad_row_is_refused_by_line_and_reason(house: House, sit: Sit, tmp_path: Path) -> None:
    file = tmp_path / "contacts.csv"
    head = "id,home,rank,name,relation,role,phone\n"
    file.write_text(head + "C9,H001,3,陈明,儿子,family,13800000190\nC10,H999,1,赵,子,uncle,12\n", encoding="utf-8")
    seat = await sit("boss")
    seat.tolerated.append("422")
    page = seat.page
    await seat.open("/register/import")
    await page.set_input_files("#files", file)
    await page.get_by_role("button", name="导入").click()
    await expect(page.locator("[role=alert].refused")).to_contain_text("没有导入")
    await expect(page.locator("tbody tr").first).to_contain_text("contacts.csv")
    await expect(page.locator("tbody tr").first.locator("td").nth(1)).to_have_text("3")
    file.write_text(head + "C9,H001,3,陈明,儿子,family,13800000190\n", encoding="utf-8")
    await page.set_input_files("#files", file)
    await page.get_by_role("button", name="导入").click()
    await expect(page.locator("[role=status].refused")).to_contain_text("导入完成")
    await seat.open("/register/homes/H001")
    await expect(page.locator("#C9")).to_contain_text("陈明")
    async with page.expect_download() as download:
        await page.evaluate("location.assign('/register/export')")
    assert (await download.value).suggested_filename.endswith(".zip")


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("zh", ("导出 Excel", "只检查", "导入", "没有导入", "检查通过", "导入完成", "联系人", "电话")),
        (
            "en",
            (
                "Export Excel",
                "Only check",
                "Import",
                "Nothing was imported",
                "all right",
                "Imported",
                "contacts",
                "phone",
            ),
        ),
    ],
)
async def test_the_register_is_taken_out_mended_and_brought_back_as_a_workbook(
    house: House, sit: Sit, tmp_path: Path, language: str, said: tuple[str, ...]
) -> None:
    export, check, bring, refused, fine, done, sheet, column = said
    seat = await sit("boss", language=language)
    seat.tolerated.append("422")
    page = seat.page
    await seat.open("/register")
    async with page.expect_download() as download:
        await page.get_by_role("link", name=export).click()
    file = tmp_path / (await download.value).suggested_filename
    assert file.suffix == ".xlsx"
    await (await download.value).save_as(file)

    book = load_workbook(file)
    [phone] = [cell for cell in book[sheet][2] if cell.value == "+8613800000101"]
    phone.value = "120"
    book.save(file)
    await seat.open("/register/import")
    await page.set_input_files("#files", file)
    await page.get_by_role("button", name=bring, exact=True).click()
    await expect(page.locator("[role=alert].refused")).to_contain_text(refused)
    cells = page.locator("tbody tr").first.locator("td")
    await expect(cells.nth(0)).to_have_text(f"{file.name}/{sheet}")
    await expect(cells.nth(1)).to_have_text("2")
    await expect(cells.nth(2)).to_have_text(column)

    phone.value = "13800000199"
    book.save(file)
    for button, answer in ((check, fine), (bring, done)):
        await page.set_input_files("#files", file)
        await page.get_by_role("button", name=button, exact=True).click()
        await expect(page.locator("[role=status].refused")).to_contain_text(answer)
        row = page.locator("tbody tr").filter(has_text=sheet)
        await expect(row.locator("td")).to_have_text([sheet, "0", "1", "2"])
    await seat.open("/register/homes/H001")
    await expect(page.locator("#C1")).to_contain_text("138 0000 0199")
