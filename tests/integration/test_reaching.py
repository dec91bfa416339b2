"""Tests of whether people can be reached: by day, never beside a call for help, and what comes of them; letters."""

from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from device_sim.phone.people import Habit
from dispatch import incident as core
from dispatch import reaching, tasks, weekly
from pingan.clock import DrivenClock
from pingan.database import Database
from tests.conftest import Until
from tests.integration.dispatch_support import LI, WANG, ZHAO, Room, room

CHINA = ZoneInfo("Asia/Shanghai")
NAMES = {LI: "C1", WANG: "C2", ZHAO: "R1"}


def to_hour(this: Room, hour: int, weekday: int | None = None) -> None:
    """Move the clock on until it is that hour (of that day of the week, Monday is 1)."""
    now = this.clock.now().astimezone(CHINA)
    then = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    while then <= now or (weekday is not None and then.isoweekday() != weekday):
        then += timedelta(days=1)
    this.pass_seconds((then - now).total_seconds())


async def standings(this: Room, area: str | None = None) -> dict[str, str]:
    async with this.database.connection() as connection:
        return {one.id: how for one, how in await reaching.people(connection, this.clock.now(), CHINA, area)}


async def placed(this: Room) -> list[tuple[str, str, str]]:
    rows = await this.rows("select recipient, channel, state from sends where purpose = 'test' order by id")
    return [(row["recipient"], row["channel"], row["state"]) for row in rows]


async def test_people_are_tried_by_day_and_what_they_answer_is_known(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:

        async def look() -> int:
            return await reaching.begin(database, driven.now(), CHINA)

        async def picked_up(number: str) -> Any:
            await until(lambda: this.phone(number).state == "ringing")
            this.phone(number).call.answer()
            await until(lambda: this.phone(number).call and this.phone(number).call.record.heard)
            return this.phone(number).call

        await this.rows("delete from responders where id = 'R2' returning id")
        to_hour(this, 3)
        assert await look() == 0, "nobody at night"
        to_hour(this, 12)
        incident = await _pressed(this, until)
        assert await look() == 0, "somebody calls for help"
        await _closed(this, incident, until)
        assert await look() == 1
        assert await look() == 0, "they are spread over the day"
        first = await picked_up(LI)
        await first.press("1")

        async def said(person: str, how: str) -> bool:
            return (await standings(this))[person] == how

        await until(lambda: said("C1", "reached"))
        assert await standings(this) == {"C1": "reached", "C2": "untested", "R1": "untested"}

        to_hour(this, 19)
        this.phone(WANG).habit = Habit("busy")
        assert await look() == 0, "one a day is as many as three telephones need"
        to_hour(this, 12)
        assert await look() == 1
        await until(lambda: _state(this, "C2", "twilio_voice", "unanswered"))
        assert (await standings(this))["C2"] == "under_way"
        assert await look() == 1, "a text message follows"
        await until(lambda: _sent(this, "C2", "twilio_sms"))
        assert "tests our text messages" in this.phone(WANG).inbox[-1].body

        to_hour(this, 13)
        to_hour(this, 12)
        assert await look() == 1
        await (await picked_up(ZHAO)).press("2")
        await until(lambda: said("R1", "wrong_number"))
        this.pass_seconds(3600)
        assert await standings(this) == {"R1": "wrong_number", "C2": "unreached", "C1": "reached"}
        await reaching.judge(database, driven.now(), CHINA)
        async with database.connection() as connection:
            found = await tasks.open_ones(connection)
            assert [(one["kind"], one["name"] or one["home"]) for one in found] == [
                ("wrong_number", "赵志愿"), ("unreachable", "John Wang"), ("no_way_in_proven", "H002"),
                ("no_way_in_proven", "H001"),
            ]  # fmt: skip
            known = await reaching.people(connection, driven.now(), CHINA)
            assert [home.id for home in await reaching.without_anybody(connection, known)] == ["H002"], "no contact"

        to_hour(this, 12)
        assert await look() == 0, "everybody has had their turn within the thirty days"
        await this.rows("update responders set phone = '+8613800000299' where id = 'R1' returning id")
        await reaching.judge(database, driven.now(), CHINA)
        async with database.connection() as connection:
            assert "wrong_number" not in {one["kind"] for one in await tasks.open_ones(connection)}, "it is another now"


async def test_nobody_is_tried_while_a_provider_is_down(database: Database, driven: DrivenClock) -> None:
    async with room(database, driven) as this:
        to_hour(this, 12)
        down = (
            "insert into providers_down (process, channel, provider, since, seen_at, why)"
            " values ('other', %s, 'twilio2', %s, %s, 'away') returning process"
        )
        now = driven.now()
        await this.rows(down, "twilio_voice", now - timedelta(hours=1), now - timedelta(seconds=1))
        assert await reaching.begin(database, now, CHINA) == 0, "its silence would be taken for people's"
        # What was last said long ago was another time: whoever said it is gone.
        await this.rows("update providers_down set seen_at = %s returning process", now - timedelta(minutes=1))
        assert await reaching.begin(database, now, CHINA) == 1


async def test_a_test_that_is_asked_for_is_placed_at_once_and_once(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        to_hour(this, 22)
        async with database.connection() as connection:
            ((one, how),) = await reaching.people(connection, driven.now(), CHINA, person="C1")
            assert how == "untested"
            await reaching.test_now(connection, one, driven.now())
            with pytest.raises(reaching.UnderWay):
                await reaching.test_now(connection, one, driven.now())
            ((again, _),) = await reaching.people(connection, driven.now(), CHINA, person="C1")
            with pytest.raises(reaching.UnderWay):
                await reaching.test_now(connection, again, driven.now() + timedelta(minutes=1))
        await until(lambda: this.phone(LI).state == "ringing")
        assert len(await placed(this)) == 1


async def test_the_letter_of_the_week_comes_on_sunday_evening_once(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        await this.rows("update contacts set digest = true returning id")
        await this.rows("update contacts set quiet = '17:00-19:30' where id = 'C2' returning id")
        to_hour(this, 19, weekday=6)
        assert await weekly.write(database, driven.now(), CHINA) == 0, "it is Saturday"
        incident = await _pressed(this, until)
        await _closed(this, incident, until)
        to_hour(this, 18, weekday=7)
        assert await weekly.write(database, driven.now(), CHINA) == 2
        assert await weekly.write(database, driven.now(), CHINA) == 0
        week = "【平安通】陈秀英家上一周：求助1次，其中有人上门0次。没有做按钮测试。设备电量正常。"
        await until(lambda: week in [sms.body for sms in this.phone(LI).inbox])
        (row,) = await this.rows("select errand, due_at from sends where purpose = 'week' and recipient = 'C2'")
        assert row["errand"] == f"week/{driven.now().astimezone(CHINA):%G-W%V}"
        assert row["due_at"].astimezone(CHINA).time() == time(19, 30), "quiet until then"


async def _pressed(this: Room, until: Until) -> int:
    await this.press(f"e{this.clock.now_ms()}")
    opened: Any = await until(this.the_incident)
    await until(lambda: _nothing_waits(this))
    return int(opened["id"])


async def _closed(this: Room, incident: int, until: Until) -> None:
    await this.desk.act(incident, core.Contact("op", "陈"))
    version = (await this.desk.look(incident)).version
    close = core.Close("op", "陈", "sos", "accidental", as_of=version, reason="x")
    assert (await this.desk.act(incident, close)).name == "closed"
    await until(lambda: _nothing_waits(this))


async def _nothing_waits(this: Room) -> bool:
    return not await this.rows("select from sends where state in ('waiting', 'dialling') and channel <> 'device'")


async def _state(this: Room, person: str, channel: str, state: str) -> bool:
    return (person, channel, state) in await placed(this)


async def _sent(this: Room, person: str, channel: str) -> bool:
    found = {state for who, way, state in await placed(this) if (who, way) == (person, channel)}
    return bool(found & {"sent", "delivered"}) and bool(this.phone(WANG).inbox)
