"""The desk reads what is to be done and who cannot be reached, tries somebody now, and says what was done."""

import os
import re
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import expect

from dispatch import tasks, ways_in
from tests.stories.conftest import Sit
from tests.stories.support import NARROW, House
from tests.stories.test_pages import own_words


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return Path(os.environ.get("PINGAN_PICTURES", tmp_path))


async def test_an_operator_sees_who_cannot_be_reached_and_what_is_to_be_done(
    house: House, sit: Sit, pictures: Path
) -> None:
    async with house.database.connection() as connection:
        (contact,) = await (await connection.execute("select * from contacts where home = 'H001' limit 1")).fetchall()
        found = {"phone": contact["phone"], "code": "21211"}
        await tasks.open(connection, "bad_number", contact["id"], found, house.clock.now(), "outbox")
    seat = await sit("operator", language="en", viewport=NARROW)
    await seat.live()
    badge = seat.page.locator("#tasks-count")
    await expect(badge).to_have_text("1")

    await seat.open("/reach")
    assert not re.findall(r"[\u4e00-\u9fff]+", await own_words(seat.page))
    assert await seat.page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    row = seat.page.locator(f"#r-{contact['id']}")
    await expect(row).to_contain_text("No such number")
    await row.get_by_role("button", name="Test now").click()
    await expect(seat.page.locator("[role=status].refused")).to_have_text(
        "They are being tried. What comes of it is shown here."
    )
    async with house.database.connection() as connection:
        sends = await (await connection.execute("select recipient, address, purpose from sends")).fetchall()
    assert sends == [{"recipient": contact["id"], "address": contact["phone"], "purpose": "test"}]
    await seat.open("/register/homes/H001")
    await expect(seat.page.locator(f"#{contact['id']} .reached")).to_have_text("never tried")

    await seat.open("/tasks")
    assert not re.findall(r"[\u4e00-\u9fff]+", await own_words(seat.page))
    assert await seat.page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    task = seat.page.locator("#tasks .task")
    await expect(task).to_contain_text("There is no such number")
    await expect(task).to_contain_text("provider's code 21211")
    await seat.page.get_by_role("button", name="中文").click()
    await expect(task).to_contain_text("号码打不通")
    await task.locator("input[name=note]").fill("新号码已登记 <b>")
    await task.get_by_role("button", name="已办好").click()
    await expect(seat.page.locator("#tasks")).to_contain_text("没有待办。")
    await expect(seat.page.locator("#done")).to_contain_text("新号码已登记 <b>")
    await expect(badge).to_be_hidden()

    # What the sweep finds: homes of which nobody knows how to get in. The register's new date ends it by itself.
    china, today = ZoneInfo("Asia/Shanghai"), house.clock.now().date()
    async with house.database.connection() as connection:
        await connection.execute("update homes set way_in_proven_on = %s where id = 'H003'", (today,))
        await connection.execute("update homes set way_in_proven_on = '2020-01-05' where id = 'H001'")
        await ways_in.judge(connection, house.clock.now(), china)
    await seat.open("/tasks")
    first, second = seat.page.locator("#tasks .task").nth(0), seat.page.locator("#tasks .task").nth(1)
    await expect(first).to_contain_text("不知道能不能进门")
    await expect(first).to_contain_text("从来没有核实过")
    await expect(second).to_contain_text("晚晴路12号3栋402室")
    await expect(second).to_contain_text("最后一次核实：2020-01-05")
    await expect(badge).to_have_text("2")
    assert await seat.page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    await seat.page.screenshot(path=pictures / "tasks-zh.png", full_page=True)
    async with house.database.connection() as connection:
        await connection.execute("update homes set way_in_proven_on = %s", (today,))
        await ways_in.judge(connection, house.clock.now(), china)
    await seat.open("/tasks")
    await expect(seat.page.locator("#tasks")).to_contain_text("没有待办。")
    await expect(seat.page.locator("#done")).to_contain_text("进门方式已经核实")


async def test_who_comes_back_to_the_desk_is_told_what_came_meanwhile(house: House, sit: Sit) -> None:
    await house.press("H001")
    seat = await sit("operator")
    await seat.live()
    await expect(seat.page.locator("#unseen")).to_contain_text("有 1 个呼救来时没有一台接警屏幕在工作")
    await seat.page.keyboard.press("a")
    await expect(seat.page).to_have_url(re.compile("/incidents/"))
    await seat.open("/")
    await expect(seat.page.locator("#unseen")).to_be_hidden()


async def test_who_is_absent_who_stands_in_and_holidays_are_entered_and_ended_by_name(
    house: House, sit: Sit, pictures: Path
) -> None:
    async with house.database.connection() as connection:
        await connection.execute(
            "insert into responders (id, name, role, area, phone, consented_on, trained_on) values"
            " ('R2', '钱网格', 'grid_worker', '440703', '+8613800000202', '2026-01-01', '2026-01-01'),"
            " ('R3', '赵志愿', 'volunteer', '440703', '+8613800000203', '2026-01-01', null)"
        )
    boss = await sit("boss", viewport=NARROW)
    boss.tolerated.append("422")
    page, absence = boss.page, boss.page.locator("#enter-absence")
    await boss.open("/register")
    await page.get_by_role("link", name="缺勤、代班和节假日").click()
    await expect(page.locator("#absences")).to_contain_text("没有人缺勤。")

    # What is wrong is said at its field, with what to do; what was written stays.
    await absence.locator("[name=responder]").fill("赵志愿")
    await absence.locator("[name=stand_in]").fill("李四")
    await absence.locator("[name=absent_until]").fill("2020-01-01T08:00")
    await absence.get_by_role("button").click()
    await expect(absence.locator(".wrong")).to_have_text(
        ["有几位救援人员叫“赵志愿”；请写编号：R1, R3", "没有叫“李四”的救援人员；请从列表里选，或写编号"]
    )
    await expect(absence.locator("[name=stand_in]")).to_have_value("李四")
    await absence.locator("[name=responder]").fill("赵志愿 · R1")
    await absence.locator("[name=stand_in]").fill("")
    await absence.get_by_role("button").click()
    await expect(absence.locator(".wrong")).to_have_text("这段缺勤已经结束；请写将来的时间，或留空")
    await absence.locator("[name=absent_until]").fill("")
    await absence.locator("[name=stand_in]").fill("R3")
    await absence.get_by_role("button").click()
    await expect(page.locator("[role=status].refused")).to_have_text("已登记。")
    row = page.locator(".absence")
    for words in ("赵志愿", "现在缺勤", "直到回来", "代班的人未同意、未培训或不在岗，不会被叫", "周班长"):
        await expect(row).to_contain_text(words)
    # Entered twice it is one absence all the same: ended once, they are asked again.
    await absence.locator("[name=responder]").fill("R1")
    await absence.locator("[name=stand_in]").fill("R3")
    await absence.get_by_role("button").click()
    await expect(page.locator("[role=status].refused")).to_have_text("没有变化。")
    await expect(row).to_have_count(1)

    # Days by the dozen; who has one area enters none.
    holiday = page.locator("#enter-holiday")
    first = house.clock.now().astimezone(ZoneInfo("Asia/Shanghai")).date() + timedelta(days=3)
    await holiday.locator("[name=day]").fill(first.isoformat())
    await holiday.locator("[name=last]").fill((first - timedelta(days=1)).isoformat())
    await holiday.get_by_role("button").click()
    await expect(holiday.locator(".wrong")).to_have_text("最后一天早于第一天")
    await holiday.locator("[name=last]").fill((first + timedelta(days=2)).isoformat())
    await holiday.get_by_role("button").click()
    await expect(page.locator("#holidays li")).to_have_count(3)
    await page.locator(f"#d-{first}").get_by_role("button", name="删除").click()
    await expect(page.locator("#holidays li")).to_have_count(2)
    assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    await page.screenshot(path=pictures / "rotas-zh.png", full_page=True)

    # The operator looks, in English, and is refused; of another area nothing is seen.
    seat = await sit("operator", language="en")
    await seat.open("/rotas")
    assert not re.findall(r"[\u4e00-\u9fff]+", await own_words(seat.page))
    await expect(seat.page.locator(".absence")).to_contain_text("absent now")
    await expect(seat.page.locator("main form")).to_have_count(0)
    await seat.page.screenshot(path=pictures / "rotas-en.png", full_page=True)
    form: dict[str, str | float | bool] = {"responder": "R2", "absent_from": "", "absent_until": "", "stand_in": ""}
    same = {"origin": seat.url}
    assert (await seat.page.request.post(f"{seat.url}/rotas/absences", form=form, headers=same)).status == 403
    elsewhere = await sit("haijiang")
    await elsewhere.open("/rotas")
    await expect(elsewhere.page.locator(".absence")).to_have_count(0)
    await expect(elsewhere.page.locator("#holidays li")).to_have_count(2)

    # Back again: asked again, and who changed what stays.
    await page.get_by_role("button", name="回来了").click()
    await expect(page.locator("#absences")).to_contain_text("没有人缺勤。")
    await expect(page.locator("#changes tbody tr")).to_have_count(6)
    await expect(page.locator("#changes tbody tr").first).to_contain_text("周班长更改")
    async with house.database.connection() as connection:
        over = "select absent_until <= %s as over from responder_absences"
        assert await (await connection.execute(over, (house.clock.now(),))).fetchall() == [{"over": True}]
