"""A call comes in, is heard, answered, followed and closed: by keys alone."""

import re

from playwright.async_api import expect

from dispatch.incident import Answer
from tests.conftest import Until
from tests.stories.conftest import Sit
from tests.stories.support import House


async def test_a_call_appears_by_itself_rings_and_is_confirmed_as_drawn(house: House, sit: Sit, until: Until) -> None:
    seat = await sit()
    await seat.sound_on()
    await expect(seat.page.locator("#empty")).to_be_visible()
    number = await house.press()
    row = seat.page.locator(f"#i-{number}")
    await expect(row).to_be_visible()
    await expect(row).to_have_attribute("data-tone", "alarm")
    await expect(row).to_contain_text("陈秀英")
    await expect(row).to_contain_text("晚晴路12号3栋402室")
    await expect(row).to_contain_text("无人")
    await expect(seat.page).to_have_title(re.compile(r"（1）"))
    await expect(seat.page.locator("#announce")).to_contain_text("陈秀英")

    async def drawn() -> bool:
        return "t2" in await house.stamped(number)

    await until(drawn)
    async with house.database.connection() as connection:
        present = await (await connection.execute("select account from consoles where visible and sound")).fetchall()
    assert [row["account"] for row in present] == ["operator"]


async def test_a_screen_without_sound_says_so_and_confirms_nothing_until_it_is_touched(
    house: House, sit: Sit, until: Until
) -> None:
    seat = await sit()
    await seat.open("/")  # typed into the address bar: no gesture that would allow sound
    await seat.live()
    await expect(seat.page.locator("#sound-band")).to_be_visible()
    number = await house.press()
    await expect(seat.page.locator(f"#i-{number}")).to_be_visible()
    assert "t2" not in await house.stamped(number)
    await seat.sound_on()
    await expect(seat.page.locator("#sound-band")).to_be_hidden()

    async def drawn() -> bool:
        return "t2" in await house.stamped(number)

    await until(drawn)


async def test_who_presses_again_is_heard_louder_wherever_the_operator_looks(house: House, sit: Sit) -> None:
    seat = await sit()
    await seat.sound_on()
    number = await house.press()
    await expect(seat.page.locator(f"#i-{number}")).to_be_visible()
    await expect(seat.page.locator("#sound")).to_have_attribute("data-loud", "1")
    await house.press()
    await expect(seat.page.locator("#sound")).to_have_attribute("data-loud", "2")
    await seat.open(f"/incidents/{number}")
    await expect(seat.page.locator("#sound")).to_have_attribute("data-loud", "2")
    await house.press()
    await expect(seat.page.locator("#sound")).to_have_attribute("data-loud", "3")
    await house.press()
    await expect(seat.page.locator("#incident")).to_have_attribute("data-times", "4")
    await expect(seat.page.locator("#sound")).to_have_attribute("data-loud", "3")


async def test_everything_is_done_by_one_key_each(house: House, sit: Sit) -> None:
    seat = await sit()
    page, keys = seat.page, seat.page.keyboard
    await seat.sound_on()
    number = await house.press()
    await expect(page.locator(f"#i-{number}")).to_be_visible()

    await keys.press("a")
    await page.wait_for_url(f"**/incidents/{number}**")
    await seat.live()
    await expect(page.locator("#sound")).to_have_attribute("data-sound", "on")
    await expect(page.locator("#said")).to_have_text("您已接听。")
    await expect(page.locator(".title-status")).to_contain_text("已接听")

    await keys.press("c")
    await expect(page.locator(".stamps li").nth(4)).to_have_class("has")
    await expect(page.locator(".instruction")).to_contain_text("决定派谁去")

    await keys.press("s")
    await expect(page.locator("#ask-person")).to_be_visible()
    await expect(page.locator("#ask-person-title")).to_have_text("派谁去？")
    await keys.press("1")
    await expect(page.locator("#said")).to_have_text("正在呼叫李梅。")
    await expect(page.locator(".people .asked")).to_contain_text("李梅")

    await keys.press("y")
    await expect(page.locator("#ask-person-title")).to_have_text("谁答应前往？")
    await keys.press("1")
    await expect(page.locator(".title-status")).to_contain_text("有人前往")
    await expect(page.locator(".title-held")).to_contain_text("李梅")

    await keys.press("m")
    await expect(page.locator(".title-status")).to_contain_text("在路上")
    await keys.press("o")
    await expect(page.locator(".title-status")).to_contain_text("到现场")
    await expect(page.locator(".stamps li").nth(7)).to_contain_text("口头报告")

    await keys.press("n")
    await keys.type("女儿说老人没有受伤")
    await keys.press("Control+Enter")
    await expect(page.locator(".journal li").first).to_have_text(re.compile("王芳：女儿说老人没有受伤"))

    await keys.press("f")
    await expect(page.locator(".title-status")).to_contain_text("已平安")

    # What comes next stands under Enter: here it is closing.
    await keys.press("Enter")
    await expect(page.locator("#ask-close")).to_be_visible()
    await keys.press("Tab")
    await keys.press("Space")  # the first outcome
    for _ in range(4):
        await keys.press("ArrowDown")
    await keys.press("Control+Enter")
    await expect(page.locator(".title-status")).to_contain_text("已结案")
    await expect(page.locator(".closing")).to_contain_text("紧急呼叫，家属到场")

    incident = await house.incident(number)
    assert incident["state"] == "closed"
    assert await house.stamped(number) == {f"t{n}" for n in range(10)}
    closing = incident["closing"]
    assert isinstance(closing, dict)
    assert (closing["cause"], closing["outcome"], closing["operator"]) == ("sos", "family_attended", "operator")

    await keys.press("Escape")
    await expect(page.locator("#board")).to_be_attached()
    await expect(page.locator("#empty")).to_be_visible()
    await expect(page.locator(".recent:not(.asking)")).to_contain_text("陈秀英")


async def test_an_act_that_is_not_for_now_is_grey_and_says_why(house: House, sit: Sit) -> None:
    seat = await sit()
    number = await house.press()
    await seat.open(f"/incidents/{number}")
    await seat.live()
    await seat.page.keyboard.press("a")
    answer = seat.page.locator("#act-answer")
    await expect(answer).to_have_attribute("aria-disabled", "true")
    await expect(answer).to_have_attribute("title", "您已经接听。")
    await seat.page.keyboard.press("a")
    await expect(seat.page.locator("#said")).to_have_text("您已经接听。")


async def test_no_contact_calls_people_by_itself_and_closing_it_needs_a_reason(house: House, sit: Sit) -> None:
    seat = await sit(language="en")
    page, keys = seat.page, seat.page.keyboard
    number = await house.press()
    await seat.open(f"/incidents/{number}")
    await seat.live()
    await keys.press("a")
    await expect(page.locator(".title-status")).to_contain_text("Answered")
    await keys.press("x")
    await expect(page.locator(".instruction")).to_have_text("The person does not answer. Calling 李梅 now.")
    await expect(page.locator("#ask-close .positive")).to_contain_text("what is known all the same?")
    await keys.press("z")
    await page.locator("#ask-close [value=accidental]").check()
    await page.locator("#ask-close textarea").fill("nuisance")
    for one in await page.locator("#ask-close [name=positive]").all():
        await one.evaluate("e => e.required = false")  # the desk has the last word
    await keys.press("Control+Enter")
    await expect(page.locator("#close-refused")).to_contain_text("Say what is known all the same")
    await page.locator("#ask-close [value=with_family]").check()
    await page.locator("#ask-close textarea").fill("The daughter rang: she is at home with her")
    await keys.press("Control+Enter")
    await expect(page.locator(".title-status")).to_contain_text("Closed")


async def test_two_at_once_and_the_second_reads_who_has_it(house: House, sit: Sit) -> None:
    first, second = await sit("operator"), await sit("second", language="en")
    number = await house.press()
    for seat in (first, second):
        await seat.open(f"/incidents/{number}")
        await seat.live()
    await first.page.keyboard.press("a")
    await expect(second.page.locator(".title-held")).to_contain_text("王芳")
    await expect(second.page.locator("#act-answer")).to_have_attribute("title", "王芳 has already answered.")
    # A page that does not know yet gets the same words from the desk.
    answer = await second.page.request.post(
        f"{second.url}/incidents/{number}/answer",
        headers={"Accept": "application/json", "Origin": second.url},
    )
    assert await answer.json() == {
        "said": "王芳 has already answered.", "refused": True, "name": "already_answered", "state": "answered",
        "version": (await house.incident(number))["version"],
    }  # fmt: skip


async def test_a_press_while_somebody_is_closing_must_be_seen_first(house: House, sit: Sit) -> None:
    seat = await sit()
    page, keys = seat.page, seat.page.keyboard
    number = await house.press()
    await seat.open(f"/incidents/{number}")
    await seat.live()
    await keys.press("a")
    await keys.press("c")
    await expect(page.locator(".stamps li").nth(4)).to_have_class("has")
    await keys.press("z")
    await page.locator("#ask-close [value=resolved_by_voice]").check()
    assert await house.press() == number
    await expect(page.locator(".title h1")).to_contain_text("第 2 次呼叫")
    await keys.press("Control+Enter")
    await expect(page.locator("#close-refused")).to_contain_text("您打开之后又有呼叫")
    await keys.press("Escape")
    await expect(page.locator("#ask-close")).to_be_hidden()
    await keys.press("a")
    await expect(page.locator(".title-status")).to_contain_text("已接听")
    await keys.press("z")
    await page.locator("#ask-close [value=resolved_by_voice]").check()
    await keys.press("Control+Enter")
    await expect(page.locator(".title-status")).to_contain_text("已结案")


async def test_other_calls_ring_at_the_edge_of_the_incident_page(house: House, sit: Sit, until: Until) -> None:
    seat = await sit()
    first = await house.press("H001")
    await expect(seat.page.locator(f"#i-{first}")).to_be_visible()
    await seat.page.keyboard.press("a")
    await seat.page.wait_for_url("**/incidents/*")
    await seat.live()
    await seat.sound_on()
    second = await house.press("H003", "smoke")
    chip = seat.page.locator(f"#e-{second}")
    await expect(chip).to_contain_text("Margaret Wilson")

    async def drawn() -> bool:
        return "t2" in await house.stamped(second)

    await until(drawn)
    await chip.click()
    await expect(seat.page.locator(".title h1")).to_contain_text("烟雾")


async def test_nothing_jumps_while_a_hand_is_moving(house: House, sit: Sit) -> None:
    seat = await sit()
    page = seat.page
    first = await house.press("H001")
    row = page.locator(f"#i-{first}")
    await expect(row).to_be_visible()
    await house.desk.act(first, Answer("operator", "王芳"))
    await expect(row).to_have_attribute("data-ringing", "0")
    before = await row.bounding_box()
    # A hand that goes on moving over the row while a new call comes in.
    await page.evaluate(
        """() => { let n = 0;
            const move = () => document.body.dispatchEvent(
                new PointerEvent('pointermove', { bubbles: true, clientX: 600, clientY: 150 + (n++ % 3) }));
            move();
            window.hand = setInterval(move, 50); }"""
    )
    second = await house.press("H003")
    await expect(page.locator(f"#e-{second}")).to_contain_text("Margaret Wilson")
    assert await row.bounding_box() == before
    await page.evaluate("() => clearInterval(window.hand)")
    await expect(page.locator(".row").first).to_have_id(f"i-{second}")
    await expect(page.locator("#edge")).to_be_empty()


async def test_a_resident_named_script_is_text_everywhere(house: House, sit: Sit) -> None:
    seat, home = await sit("boss"), "H002"
    number = await house.press(home)
    name = "<script>alert(1)</script>"
    await expect(seat.page.locator(f"#i-{number}")).to_contain_text(name)
    for path in (f"/incidents/{number}", "/open?words=script", "/register?words=script", f"/register/homes/{home}"):
        await seat.open(path)
        await expect(seat.page.locator("#main")).to_contain_text(name)
        await seat.live()
    assert await seat.page.locator("#main script, #main img").count() == 0
