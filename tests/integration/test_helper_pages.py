"""The helper's page over HTTP: whom it lets in, what it refuses and counts, and what its answers tell a browser."""

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest
from psycopg.types.json import Jsonb

from dashboards.console.helper import FORGED_A_MINUTE, OPENED_A_MINUTE
from dispatch import shifts
from dispatch.desk import Desk
from dispatch.links import Links
from dispatch.shifts import Shift
from pingan import metrics
from tests.integration.web_support import HOST, Site, site
from tests.stories.support import LINK_SECRET

LINKS = Links(LINK_SECRET, HOST)


class Door:
    """The web process, and a press of H001 for which 李梅 was sent a message."""

    def __init__(self, web: Site) -> None:
        self.web, self.desk = web, Desk(web.process.database, web.process.clock)
        self.incident = self.send = 0

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        async with self.web.process.database.connection() as connection:
            cursor = await connection.execute(query, values)
            return await cursor.fetchall() if cursor.description else []

    async def press(self) -> None:
        now, alarm = self.web.process.clock.now(), uuid4()
        await self.rows(
            "insert into alarms (id, kind, home, device, at, received_at, raised_at, test, evidence)"
            " values (%s, 'sos', 'H001', 'H001-button', %s, %s, %s, false, %s)",
            alarm, now, now, now, Jsonb({"event": str(alarm)}),
        )  # fmt: skip
        assert await self.desk.take_alarms()
        self.incident = int((await self.rows("select incident from alarms where id = %s", alarm))[0]["incident"])
        (row,) = await self.rows(
            "insert into sends (incident, step, purpose, channel, recipient, name, address, language, body, due_at,"
            " deadline_at) values (%s, 900, 'help', 'twilio_sms', 'C1', '李梅', '+8613800000101', 'zh', %s, %s, %s)"
            " returning id",
            self.incident, Jsonb({"role": "family"}), now, now,
        )  # fmt: skip
        self.send = int(row["id"])

    @property
    def path(self) -> str:
        return LINKS.for_send(self.send).removeprefix(HOST)

    def telephone(self, **headers: str) -> httpx.AsyncClient:
        """An old one: it says nothing of where a form comes from."""
        return self.web.client(accept="text/html", **headers)


@pytest.fixture
async def door(postgres_url: str) -> AsyncIterator[Door]:
    async with site(postgres_url) as web:
        await web.furnish()
        one = Door(web)
        await one.press()
        yield one


def refused(reason: str) -> float:
    return float(metrics.LINKS_REFUSED.labels(reason)._value.get())


async def test_whoever_holds_the_link_sees_the_way_in_and_acts(door: Door) -> None:
    async with door.telephone() as client:
        page = await client.get(door.path)
        assert page.status_code == 200
        assert "晚晴路12号3栋402室" in page.text
        assert "门口密码盒，密码 2580" in page.text
        assert "2026-01-05核实过" in page.text
        assert (await client.post(door.path, data={"act": "going.10"})).status_code == 303
        assert (await client.post(door.path, data={"act": "there"})).status_code == 303
        (row,) = await door.rows("select state, t5, t7 from incidents")
        assert (row["state"], bool(row["t5"]), bool(row["t7"])) == ("on_scene", True, True)
        for nonsense in ("", "going.", "going.7", "going.-5", "close", "答", "__class__"):
            assert (await client.post(door.path, data={"act": nonsense})).status_code == 303
        assert (await door.rows("select state from incidents"))[0]["state"] == "on_scene"


async def test_words_as_long_as_the_field_takes_are_kept_whole(door: Door) -> None:
    words = "\r\n".join(["已"] * 500)
    async with door.telephone() as client:
        assert (await client.post(door.path, data={"act": "words", "text": words})).status_code == 303
        (row,) = await door.rows("select detail from journal where event = 'note'")
        assert row["detail"]["text"] == words


async def test_a_tap_on_all_is_well_says_which_alarms_it_knows(door: Door) -> None:
    async with door.telephone() as client:
        await client.post(door.path, data={"act": "there"})
        assert (
            '<input type="hidden" name="number" value="1"><button name="act" value="safe"'
            in (await client.get(door.path)).text
        )
        old = await client.post(door.path, data={"act": "safe"})
        assert "再看看本人" in (await client.get(old.headers["location"])).text
        assert (await client.post(door.path, data={"act": "safe", "number": "1"})).headers["location"].endswith("=safe")


async def test_a_link_is_told_to_nobody_else(door: Door) -> None:
    async with door.telephone() as client:
        for path in (door.path, "/h/1.aaaaaaaaaaaaaaaa", "/h/at/ABC234"):
            headers = (await client.get(path)).headers
            assert headers.get_list("referrer-policy") == ["no-referrer"], path
            assert headers["cache-control"] == "no-store"
            assert "noindex" in headers["x-robots-tag"]
            assert headers.get_list("permissions-policy") == ["camera=(), geolocation=(self), microphone=()"]
            assert "default-src 'none'" in headers["content-security-policy"]
        headers = (await client.get("/sign-in")).headers
        assert headers["permissions-policy"] == "camera=(), geolocation=(), microphone=()"


async def test_a_forged_link_is_not_found_and_counted(door: Door) -> None:
    before = refused("forged")
    other = Links("another secret of thirty-two characters", HOST).token("h", door.send)
    tokens = [other, LINKS.token("m", door.send), LINKS.token("h", door.send)[:-1], "1", "x" * 100, "ü"]
    async with door.telephone() as client:
        for token in tokens:
            for method in ("GET", "POST"):
                answer = await client.request(method, f"/h/{token}", data={"act": "going.10"})
                assert answer.status_code == 404, token
                assert "晚晴路" not in answer.text
    assert refused("forged") == before + 2 * len(tokens)
    assert (await door.rows("select state from incidents"))[0]["state"] == "waiting"


async def test_a_link_of_what_is_gone_is_not_found(door: Door) -> None:
    before = refused("not_found")
    async with door.telephone() as client:
        assert (await client.get(f"/h/{LINKS.token('h', 10**12)}")).status_code == 404
    assert refused("not_found") == before + 1


async def test_who_guesses_is_told_to_wait_and_a_genuine_link_opens_all_the_same(door: Door) -> None:
    async with door.telephone() as client:
        said = [(await client.get("/h/1.aaaaaaaaaaaaaaaa")).status_code for _ in range(FORGED_A_MINUTE + 1)]
        assert said == [404] * FORGED_A_MINUTE + [429]
        assert (await client.get(door.path)).status_code == 200, "behind a proxy everybody has one address"
        said = [(await client.get(door.path)).status_code for _ in range(OPENED_A_MINUTE)]
        assert said[-2:] == [200, 429], "one link, over and over"


async def test_when_it_is_over_nothing_of_anybody_is_shown(door: Door) -> None:
    await door.rows("update sends set due_at = due_at - interval '25 hours'")
    async with door.telephone() as client:
        page = await client.get(door.path)
        assert page.status_code == 200
        assert "已经结束" in page.text
        assert not re.search(r"晚晴路|陈秀英|李梅|2580|\+86", page.text)
        assert "已经结束" in (await client.post(door.path, data={"act": "going.10"})).text
    assert (await door.rows("select state from incidents"))[0]["state"] == "waiting"


async def test_times_are_the_homes_own(door: Door) -> None:
    await door.rows("update homes set timezone = 'Asia/Urumqi' where id = 'H001'")
    async with door.telephone() as client:
        await client.post(door.path, data={"act": "going.60"})
        (row,) = await door.rows("select body #>> '{helper,eta}' as eta from incidents")
        promised = datetime.fromisoformat(row["eta"])
        status = re.search(r'id="status">(.*?)</p>', (await client.get(door.path)).text)
    assert status is not None
    assert f"{promised.astimezone(ZoneInfo('Asia/Urumqi')):%H:%M}" in status[1]


async def test_the_language_is_theirs_and_can_be_switched(door: Door) -> None:
    async with door.telephone(**{"accept-language": "en"}) as client:
        assert "您能去吗" in (await client.get(door.path)).text, "as they were written to"
        assert (await client.get(door.path, params={"language": "en"})).status_code == 303
        assert "Can you go?" in (await client.get(door.path)).text


async def test_the_code_on_the_wall_leads_back_to_their_own_page(door: Door) -> None:
    boss, operator = await door.web.signed_in("supervisor"), await door.web.signed_in("operator")
    async with boss, operator, door.telephone() as client, door.telephone() as stranger:
        assert (await operator.get("/register/homes/H001/code")).status_code == 403, "the desk shows no arrival itself"
        assert "还没有验证码" in (await boss.get("/register/homes/H001/code")).text
        assert (await boss.post("/register/homes/H001/code")).status_code == 303
        sticker = (await boss.get("/register/homes/H001/code")).text
        (row,) = await door.rows("select code from home_codes")
        assert row["code"] in sticker
        assert "<svg" in sticker
        assert (await boss.get("/register/homes/H999/code")).status_code == 404
        await client.get(door.path)
        back = await client.get(f"/h/at/{row['code']}")
        assert back.headers["location"] == f"{door.path}?code={row['code']}"
        await client.post(door.path, data={"act": "there"})
        assert f'value="{row["code"]}"' in (await client.get(back.headers["location"])).text
        assert row["code"] in (await stranger.get(f"/h/at/{row['code']}")).text
        done = await client.post(door.path, data={"act": "code", "code": row["code"].lower()})
        assert done.headers["location"].endswith("said=arrival_proven")


async def test_where_is_taken_from_who_goes_and_nonsense_from_nobody(door: Door) -> None:
    fix = {"latitude": "22.6", "longitude": "113.08", "accuracy": "12"}
    async with door.telephone() as client:
        await client.post(door.path, data={"act": "going.10"})
        for wrong in ({"latitude": "91"}, {"longitude": "x"}, {"accuracy": "-1"}, {"latitude": "nan"}):
            assert (await client.post(f"{door.path}/where", data={**fix, **wrong})).status_code == 422
        assert (await client.post(f"{door.path}/where", data=fix)).status_code == 204
        assert (await door.rows("select helper from helper_locations")) == [{"helper": "C1"}]
        await client.post(door.path, data={"act": "forget"})
        assert not await door.rows("select helper from helper_locations")


async def test_the_desks_number_is_that_of_the_shift_that_is_on(door: Door) -> None:
    now = door.web.process.clock.now()
    await door.web.session("operator")
    await door.web.session("operator", "440704")

    async def shown() -> list[str]:
        async with door.telephone() as client:
            page = (await client.get(door.path)).text
        return re.findall(r'href="tel:(\+86138000009\d\d)"', page)

    async def on_shift(account: str, phone: str) -> None:
        async with door.web.process.database.transaction() as connection:
            await shifts.begin(connection, account, Shift(phone, None, now, now + timedelta(hours=8)))

    assert await shown() == []
    await on_shift("operator-440704", "+8613800000902")
    assert await shown() == [], "who does not see the home is not rung for it"
    await on_shift("operator-all", "+8613800000901")
    assert await shown() == ["+8613800000901"]
    async with door.web.process.database.transaction() as connection:
        await shifts.end(connection, "operator-all", door.web.process.clock.now())
    assert await shown() == [], "and the shift is over"
