"""What family is told, through the desk and the outbox to their telephones; and an empty desk, where nobody waits."""

import asyncio
from typing import Any

from device_sim.phone.people import Phone
from dispatch import incident as core
from dispatch import views
from dispatch.incident import Helper
from pingan.clock import DrivenClock
from pingan.database import Database
from tests.conftest import Until
from tests.integration.dispatch_support import LI, OURS, WANG, Room, room

CONSENT = "insert into consents values ('P001', 'share_with_family', '2026-01-01', null)"
VOLUNTEER = Helper("R1", "赵志愿", "volunteer")


async def told(this: Room, name: str) -> list[tuple[str, str]]:
    rows = await this.rows(
        "select body->>'news' as news, state from sends where purpose = 'family' and name = %s order by id", name
    )
    return [(row["news"], row["state"]) for row in rows]


async def test_family_are_told_each_stage_by_text_message(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        await this.rows("with c as (update contacts set told = (id = 'C2')) " + CONSENT + " returning person")
        await this.press()
        opened: Any = await until(this.the_incident)

        async def inbox(count: int) -> list[str]:
            await until(lambda: len(this.phone(WANG).inbox) == count)
            return [sms.body for sms in this.phone(WANG).inbox]

        (first,) = await inbox(1)
        assert "陈秀英 is calling for help" in first
        assert "门卫" not in first, "who is told may not be who goes: the way in is for them"
        moving = core.Moving(Helper("R1", "赵志愿", "volunteer", eta=this.clock.now()))
        await this.desk.act(opened["id"], core.Accept(VOLUNTEER))
        assert "赵志愿 has agreed to go" in (await inbox(2))[-1]
        await this.desk.act(opened["id"], moving)
        clock = f"{this.clock.now().astimezone(this.desk.zone):%H:%M}"
        assert f"should be there at about {clock}" in (await inbox(3))[-1]
        await this.desk.act(opened["id"], moving)
        await this.desk.act(opened["id"], core.OnScene(VOLUNTEER, "赵志愿"))
        assert "is with 陈秀英" in (await inbox(4))[-1], "the same promise again is no news"
        await this.desk.act(opened["id"], core.Safe("赵志愿"))
        await inbox(5)
        incident = await this.desk.look(opened["id"])
        await this.desk.act(
            opened["id"], core.Close("op", "陈", "sos", "responder_attended", as_of=incident.version, reason="x")
        )
        assert "one of our helpers has been there" in (await inbox(6))[-1]
        assert not this.phone(LI).inbox, "she does not want to be told"


async def test_news_that_is_overtaken_is_never_sent_and_health_is_told_by_consent_only(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        await this.press()
        opened: Any = await until(this.the_incident)
        await until(lambda: len(this.phone(LI).inbox) == 1)
        assert "正在求助" not in this.phone(LI).inbox[0].body, "only that somebody called"
        await this.stop()
        for event in (core.Accept(VOLUNTEER), core.Moving(VOLUNTEER), core.OnScene(VOLUNTEER, "赵志愿")):
            await this.desk.act(opened["id"], event)
        await this.desk.act(opened["id"], core.Safe("赵志愿"))
        assert [one[0] for one in await told(this, "李梅")] == ["opened", "accepted", "moving", "on_scene"]
        assert [one[1] for one in await told(this, "李梅")][1:] == ["withdrawn", "withdrawn", "waiting"]


async def test_nobody_waits_for_an_empty_desk(database: Database, driven: DrivenClock, until: Until) -> None:
    async with room(database, driven) as this:
        await this.rows("delete from consoles returning id")
        await this.press()
        opened: Any = await until(this.the_incident)
        await until(lambda: this.phone(LI).state == "ringing")
        journal = (await this.incident(opened["id"]))["journal"]
        assert journal[0]["decision"] == "opened_desk_empty"
        assert await told(this, "李梅") == [], "she is asked: that tells her"
        async with database.connection() as connection:
            assert await views.came_to_nobody(connection, "4401") == {"calls": 1, "since": opened["opened_at"]}
            assert (await views.came_to_nobody(connection, "4402"))["calls"] == 0
            await this.desk.act(opened["id"], core.Answer("op", "陈"))
            assert (await views.came_to_nobody(connection))["calls"] == 0, "somebody is back, and has it"


async def test_a_desk_that_shows_nothing_has_ten_seconds(database: Database, driven: DrivenClock, until: Until) -> None:
    async with room(database, driven) as this:
        await this.press()
        opened: Any = await until(this.the_incident)
        assert (opened["wake_at"] - opened["opened_at"]).total_seconds() == 10
        assert not this.calls_to(LI)
        this.pass_seconds(10)
        await until(lambda: this.phone(LI).state == "ringing")


async def test_whoever_has_the_number_now_is_told_of_nobody(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        await this.rows(
            "insert into desk_tasks (kind, subject, detail, opened_at, opened_by)"
            " values ('wrong_number', 'C1', '{}', '2026-01-01Z', 'telephone') returning id"
        )
        await this.press()
        opened: Any = await until(this.the_incident)
        await this.desk.act(opened["id"], core.NoContact("op", "陈"))
        await until(lambda: this.phone(LI).inbox)
        (said,) = [sms.body for sms in this.phone(LI).inbox]
        assert not [word for word in ("陈秀英", "幸福路", "门卫") if word in said]
        assert not await told(this, "李梅")
        shown = (await this.incident(opened["id"]))["people"]
        assert "wrong_number" in next(one for one in shown if one["id"] == "C1")["why"]


async def test_a_home_s_family_hear_that_it_was_not_theirs_after_all(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        phone = this.neighbourhood.network.add(Phone(LI))
        call = this.neighbourhood.network.incoming(phone, OURS)
        async with asyncio.timeout(60):
            await call.settled()
        opened: Any = await until(this.the_incident)
        assert opened["home"] == "H001", "by her number"
        await until(lambda: len(this.phone(LI).inbox) == 1)
        assert (await this.desk.identify(opened["id"], "H002", "op", "陈班长")).name == "identified"
        await until(lambda: len(this.phone(LI).inbox) == 2)
        assert "更正" in this.phone(LI).inbox[-1].body
        assert "陈秀英" in this.phone(LI).inbox[-1].body
        assert await told(this, "王强") == [], "who has heard nothing is told nothing"


async def test_who_goes_hears_of_changes_though_their_shift_is_over(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        await this.press()
        opened: Any = await until(this.the_incident)
        (volunteer,) = await this.rows("select id, name from responders order by id limit 1")
        await this.desk.act(opened["id"], core.Accept(Helper(volunteer["id"], volunteer["name"], "volunteer")))
        await this.rows("insert into areas values ('11', '北京市', 'city', null) returning code")
        await this.rows("update responders set area = '11' returning id")
        await this.desk.act(opened["id"], core.Changed("陈", "门从里面锁上了"))
        rows = await this.rows("select channel, body->>'text' as text from sends where purpose = 'change' order by 1")
        assert [(row["channel"], row["text"]) for row in rows] == [
            ("twilio_sms", "门从里面锁上了"), ("twilio_voice", "门从里面锁上了"),
        ]  # fmt: skip
