"""The hand-over packet: given by the desk, opened by a link, made anew when something has changed, and written down."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from psycopg.types.json import Jsonb

from dispatch import incident as core
from dispatch.channels import Send
from dispatch.channels.twilio_sms.send import text
from dispatch.desk import Desk
from dispatch.links import Links
from dispatch.packet import DRAWN_AGAIN, WORTH, Packets
from pingan.clock import DrivenClock
from pingan.database import Database
from tests.integration.web_support import HOST, Site, site
from tests.stories.support import LINK_SECRET, REGISTER

LINKS = Links(LINK_SECRET, HOST)
ZHAO = core.Helper("R1", "赵志愿", "volunteer")
NURSE = "急诊科 刘护士"


class Ward:
    """An incident of H001, and the packets of it."""

    def __init__(self, database: Database, clock: DrivenClock) -> None:
        self.database, self.clock, self.desk = database, clock, Desk(database, clock)
        self.packets = Packets(database, clock, self.desk, LINKS)
        self.incident = 0

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        async with self.database.connection() as connection:
            cursor = await connection.execute(query, values)
            return await cursor.fetchall() if cursor.description else []

    async def press(self) -> None:
        now, alarm = self.clock.now(), uuid4()
        await self.rows(
            "insert into alarms (id, kind, home, device, at, received_at, raised_at, test, evidence)"
            " values (%s, 'sos', 'H001', 'H001-button', %s, %s, %s, false, %s)",
            alarm, now, now, now, Jsonb({"event": str(alarm)}),
        )  # fmt: skip
        assert await self.desk.take_alarms()
        self.incident = int((await self.rows("select incident from alarms where id = %s", alarm))[0]["incident"])

    async def handed(self) -> list[tuple[str, int, list[str]]]:
        rows = await self.rows("select detail from journal where event = 'handed' order by number")
        return [(one["detail"]["what"], one["detail"]["version"], one["detail"]["parts"]) for one in rows]

    async def messages(self) -> list[tuple[str, int]]:
        rows = await self.rows("select address, step from sends where purpose = 'packet' order by id")
        return [(one["address"], one["step"]) for one in rows]


@pytest.fixture
async def ward(database: Database, driven: DrivenClock) -> Ward:
    async with database.connection() as connection:
        await connection.execute(REGISTER)
        await connection.execute("update people set medication = '阿司匹林' where id = 'P001'")
    one = Ward(database, driven)
    await one.press()
    return one


async def test_history_goes_with_the_first_and_every_change_again(ward: Ward) -> None:
    packet = await ward.packets.issue(ward.incident, "王芳", NURSE, "+8613800000999", "zh")
    await ward.packets.issue(ward.incident, "王芳", "ward 3", None, "en")
    assert await ward.messages() == [("+8613800000999", 1)], "the other was copied"
    await ward.rows("update people set medication = '华法林' where id = 'P001'")
    assert (await ward.packets.current(ward.incident)).number == 2
    await ward.desk.act(ward.incident, core.Accept(ZHAO))
    await ward.desk.act(ward.incident, core.Changed("王芳", "跌倒在浴室"))
    assert (await ward.packets.current(ward.incident)).number == 3
    assert (await ward.packets.current(ward.incident)).number == 3, "nothing is new"
    assert await ward.messages() == [("+8613800000999", number) for number in (1, 2, 3)]
    assert await ward.handed() == [
        ("issued", 1, []), ("issued", 1, []), ("reissued", 2, ["medication"]), ("reissued", 3, ["going", "happened"]),
    ]  # fmt: skip
    sheet = await ward.packets.opened(packet)
    assert sheet is not None
    assert (sheet.version.number, sheet.seen, sheet.changed) == (3, None, ())
    assert sheet.content["persons"][0]["medication"] == "华法林"


async def test_what_is_new_is_told_from_what_was_opened_or_printed(ward: Ward) -> None:
    packet = await ward.packets.issue(ward.incident, "王芳", NURSE, None, "zh")
    await ward.packets.opened(packet)
    await ward.packets.opened(packet)
    await ward.rows("update homes set way_in = '钥匙在邻居家' where id = 'H001'")
    sheet = await ward.packets.opened(packet)
    assert sheet is not None
    assert (sheet.version.number, sheet.seen, sheet.changed) == (2, 1, ("way_in",))
    await ward.rows("update people set conditions = '糖尿病' where id = 'P001'")
    sheet = await ward.packets.opened(packet, seen=1)
    assert sheet is not None
    assert (sheet.seen, sheet.changed) == (1, ("conditions", "way_in")), "since what is on paper"
    sheet = await ward.packets.opened(packet, seen=3)
    assert sheet is not None
    assert sheet.changed == ()
    assert [one for one in await ward.handed() if one[0] == "opened"] == [("opened", n, []) for n in (1, 2, 3)]


async def test_only_what_has_changed_is_drawn_again(ward: Ward) -> None:
    await ward.packets.issue(ward.incident, "王芳", NURSE, "+8613800000999", "zh")
    until = ward.clock.now() + timedelta(minutes=1)
    await ward.rows("insert into consents values ('P001', 'share_with_medical', '2020-01-01', %s)", until)
    looks = [await ward.packets.look(), await ward.packets.look(), await ward.packets.look()]
    assert looks == [1, 0, 0]
    for change in (
        "update people set medication = '华法林' where id = 'P001'",
        "update homes set way_in = '钥匙在邻居家' where id = 'H001'",
        "update contacts set phone = '+8613800000888' where home = 'H001' and rank = 1",
        "update contacts set relation = '女婿' where home = 'H001' and rank = 1",
        "delete from contacts where home = 'H001' and rank = (select max(rank) from contacts where home = 'H001')",
    ):
        before = await ward.packets.current(ward.incident)
        await ward.rows(change)
        assert await ward.packets.look() == 1, change
        assert (await ward.packets.current(ward.incident)).number == before.number + 1
        # That a new one was made is written down, which is a change, too: it is drawn once more, and is the same.
        assert [await ward.packets.look(), await ward.packets.look()] == [1, 0]
    await ward.desk.act(ward.incident, core.Accept(ZHAO))
    assert [await ward.packets.look(), await ward.packets.look(), await ward.packets.look()] == [1, 1, 0]
    # Time alone ends a consent; and now and then each is drawn whatever shows.
    before = await ward.packets.current(ward.incident)
    ward.clock.advance(ward.clock.now_ms() + 61_000)
    assert await ward.packets.look() == 1
    assert (await ward.packets.current(ward.incident)).number == before.number + 1
    assert [await ward.packets.look(), await ward.packets.look()] == [1, 0]
    ward.clock.advance(ward.clock.now_ms() + int(DRAWN_AGAIN / timedelta(milliseconds=1)))
    assert [await ward.packets.look(), await ward.packets.look()] == [1, 0]


async def test_many_at_once_make_one_version(ward: Ward) -> None:
    await ward.packets.issue(ward.incident, "王芳", NURSE, "+8613800000999", "zh")
    await ward.rows("update people set medication = '华法林' where id = 'P001'")
    versions = await asyncio.gather(*(ward.packets.current(ward.incident) for _ in range(6)))
    assert {version.number for version in versions} == {2}
    assert await ward.messages() == [("+8613800000999", 1), ("+8613800000999", 2)]


async def test_a_packet_is_worth_twelve_hours(ward: Ward) -> None:
    packet = await ward.packets.issue(ward.incident, "王芳", NURSE, "+8613800000999", "zh")
    ward.clock.advance(ward.clock.now_ms() + int(WORTH / timedelta(milliseconds=1)))
    assert await ward.packets.opened(packet) is not None
    ward.clock.advance(ward.clock.now_ms() + 1000)
    assert await ward.packets.opened(packet) is None
    assert [one["link"] for one in await ward.packets.issued(ward.incident)] == [None]
    await ward.rows("update people set medication = '华法林' where id = 'P001'")
    await ward.packets.current(ward.incident)
    assert len(await ward.messages()) == 1, "whoever held it is told no more"


async def test_what_is_kept_of_a_version_cannot_be_read(ward: Ward) -> None:
    await ward.packets.issue(ward.incident, "王芳", NURSE, None, "zh")
    (row,) = await ward.rows("select parts::text as parts from packet_versions")
    assert "medication" in row["parts"]
    assert not re.search(r"[\u4e00-\u9fff]|\+86", row["parts"])


async def test_consent_that_was_taken_back_is_kept_to_and_said(ward: Ward) -> None:
    await ward.rows("insert into consents values ('P001', 'share_with_medical', '2020-01-01', '2020-02-01')")
    packet = await ward.packets.issue(ward.incident, "王芳", NURSE, None, "zh")
    sheet = await ward.packets.opened(packet)
    assert sheet is not None
    assert sheet.content["withheld"]
    assert "medication" not in sheet.content["persons"][0]


def test_the_message_has_the_packets_own_link(driven: DrivenClock) -> None:
    now = driven.now()
    send = Send(7, 1, "packet", "packet:3", NURSE, "+8613800000999", "zh", {"packet": 3, "version": 1}, now, now)
    again = send._replace(body={"packet": 3, "version": 2})
    assert "交接单" in text(send)
    assert text(send) != text(again)


@pytest.fixture
async def web(postgres_url: str) -> AsyncIterator[Site]:
    async with site(postgres_url) as one:
        await one.furnish()
        yield one


async def test_over_the_web_from_the_desk_to_the_ward(web: Site) -> None:
    operator = await web.signed_in("operator")
    elsewhere = await web.signed_in("operator", "440704")
    async with operator, elsewhere, web.client(accept="text/html") as ward:
        opened = await operator.post("/open", data={"home": "H001", "cause": "sos"})
        path = opened.headers["location"].partition("?")[0] + "/packet"
        assert (await elsewhere.get(path)).status_code == 404
        assert (await elsewhere.post(path, data={"name": "x"})).status_code == 404
        assert "请写明交给谁" in (await operator.post(path, data={"name": " "})).text
        assert "这不是电话号码" in (await operator.post(path, data={"name": NURSE, "phone": "12"})).text
        assert (await operator.post(path, data={"name": NURSE, "phone": "138 0000 0999"})).status_code == 303
        (link,) = set(re.findall(re.escape(HOST) + r"/m/[\w.-]+", (await operator.get(path)).text))
        page = await ward.get(link)
        assert page.status_code == 200
        for words in ("陈秀英", "高血压", "晚晴路12号3栋402室", "门口密码盒", "李梅", "第1版"):
            assert words in page.text
        assert page.headers["referrer-policy"] == "no-referrer"
        assert "第1版" in (await operator.get(path)).text, "the desk sees that it was opened"
        pdf = await ward.get(f"{link}/packet.pdf")
        assert pdf.content.startswith(b"%PDF-")
        assert len(re.findall(rb"/Type /Page\b", pdf.content)) == 1
        token = link.rpartition("/")[2]
        for wrong in (f"/h/{token}", f"/m/{token[:-1]}", "/m/1.aaaaaaaaaaaaaaaa/packet.pdf"):
            assert (await ward.get(wrong)).status_code == 404
        async with web.process.database.connection() as connection:
            await connection.execute("update packets set issued_at = issued_at - interval '13 hours'")
        over: httpx.Response = await ward.get(link)
        assert "已经结束" in over.text
        assert "陈秀英" not in over.text
