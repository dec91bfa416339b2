"""The audit on a real database: what a night of calls wrote contradicts nothing, and whatever is taken out shows."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.types.json import Jsonb

from dispatch import incident as core
from dispatch.anchoring import anchor
from dispatch.audit_command import NAMED_MAX, audit
from pingan.clock import DrivenClock
from pingan.database import Database
from tests.conftest import Until
from tests.integration.dispatch_support import Room, room

SHANGHAI = ZoneInfo("Asia/Shanghai")


async def archived(this: Room, event: str, device: str = "H001-button") -> None:
    """The archive's row of a press."""
    now = this.clock.now()
    async with this.database.connection() as connection:
        await connection.execute("select readings_day(%s)", (now.date(),))
        await connection.execute(
            "insert into readings (at, received_at, device, home, boot, seq, kind, detail)"
            " values (%s, %s, %s, 'H001', %s, 1, 'alarm:sos', %s)",
            (now, now, device, event, Jsonb({"id": event, "attempt": 1, "test": False})),
        )


async def names(this: Room, ahead: timedelta = timedelta(days=1)) -> list[str]:
    now = this.clock.now() + ahead
    async with this.database.connection() as connection:
        told = await audit(connection, now - timedelta(days=30), now, now)
    return [one["name"] for one in told["findings"]]


async def changed(this: Room, *statements: str) -> None:
    """What nobody may do: the triggers are taken away meanwhile."""
    async with this.database.transaction() as connection:
        await connection.execute("set local session_replication_role = replica")
        for statement in statements:
            await connection.execute(statement)


async def a_night(this: Room, until: Until) -> int:
    """Two presses, a daughter who accepts, an operator who closes; the incident's number."""
    await archived(this, "e1")
    await this.press("e1")
    await until(this.the_incident)
    row: Any = await this.the_incident()
    await archived(this, "e2")
    await this.press("e2")

    async def pressed_twice() -> bool:
        return (await this.incident(row["id"]))["raised"] == 2

    await until(pressed_twice)
    await this.desk.act(row["id"], core.Answer("desk", "值班"))
    await this.desk.act(row["id"], core.Accept(core.Helper("C1", "李梅", "family")))
    await this.desk.act(row["id"], core.OnScene(core.Helper("C1", "李梅", "family"), "李梅"))
    await this.desk.act(row["id"], core.Close("desk", "值班", "sos", "family_attended", 99))
    return int(row["id"])


async def test_a_night_of_calls_contradicts_nothing_and_what_is_taken_out_shows(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        night = await a_night(this, until)
        assert await names(this) == []

        this.pass_seconds(86_400)
        assert await anchor(database, driven.now(), SHANGHAI)
        assert not await anchor(database, driven.now(), SHANGHAI), "a day is anchored once"
        assert await names(this) == []

        await changed(this, f"update incidents set t5 = t5 - interval '1 minute' where id = {night}")
        assert await names(this) == ["stamp_differs"]
        await changed(this, f"update incidents set t5 = t5 + interval '1 minute' where id = {night}")

        await changed(this, "delete from readings where detail->>'id' = 'e2'")
        assert await names(this) == ["alarm_without_press"]
        await archived(this, "e2")
        await archived(this, "e3")
        assert await names(this) == ["press_without_alarm"]
        await changed(this, "delete from readings where detail->>'id' = 'e3'")

        # A whole night, gone: its own chain cannot show it.
        gone = [f"delete from {one} where incident = {night}" for one in ("sends", "journal")]
        await changed(this, *gone, f"update alarms set incident = null, taken_at = null where incident = {night}",
                      f"delete from incidents where id = {night}")  # fmt: skip
        assert set(await names(this)) == {"journal_gone", "danger_without_incident"}

        await changed(this, "delete from journal_heads")
        assert "anchor_broken" in await names(this)


async def test_days_are_anchored_in_a_chain(database: Database, driven: DrivenClock, until: Until) -> None:
    async with room(database, driven) as this:
        first = await a_night(this, until)
        this.pass_seconds(86_400)
        assert await anchor(database, driven.now(), SHANGHAI)
        this.pass_seconds(3 * 86_400)
        assert not await anchor(database, driven.now(), SHANGHAI), "nobody wrote anything"
        await this.press("e9")
        await until(this.the_incident)
        this.pass_seconds(86_400)
        assert await anchor(database, driven.now(), SHANGHAI)
        rows = await this.rows("select number, heads from journal_anchors order by number")
        assert [tuple(row.values()) for row in rows] == [(1, 1), (2, 1)], "each covers what was written since"
        (kept,) = await this.rows("select incident from journal_heads where anchor = 1")
        assert kept["incident"] == first
        assert await names(this, timedelta(0)) == ["alarm_without_press"], "this test archived nothing of e9"


async def test_a_call_that_an_operator_opens_and_one_whose_caller_was_erased_contradict_nothing(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        night = await a_night(this, until)
        mine = await this.desk.open("H002", "sos", "desk", "值班")
        assert await this.desk.open("H002", "fall", "desk", "值班") == mine, "rung again by hand"
        assert await names(this) == []
        await changed(
            this, "delete from readings",
            f"update alarms set evidence = (evidence - 'event') || '{{\"erased\": 1}}' where incident = {night}",
        )  # fmt: skip
        assert await names(this) == []


async def test_of_much_that_is_amiss_all_is_counted_and_some_is_named(database: Database, driven: DrivenClock) -> None:
    now = driven.now()
    async with database.connection() as connection:
        await connection.execute("select readings_day(%s)", (now.date(),))
        await connection.execute(
            "insert into readings (at, received_at, device, home, boot, seq, kind, detail)"
            " select %(now)s, %(now)s, 'd', 'H001', 'b', n, 'alarm:sos', jsonb_build_object('id', 'e' || n)"
            " from generate_series(1, %(many)s) n",
            {"now": now, "many": NAMED_MAX + 5},
        )
        told = await audit(connection, now - timedelta(days=1), now + timedelta(days=1), now + timedelta(days=1))
    assert (told["found"], len(told["findings"])) == ({"press_without_alarm": NAMED_MAX + 5}, NAMED_MAX)
    assert told["looked_at"]["presses"] == NAMED_MAX + 5


def test_the_command_says_it_to_people_and_to_programs(postgres_url: str) -> None:
    def said(*arguments: str) -> tuple[int, str]:
        environment = {**os.environ, "PINGAN_DATABASE_URL": postgres_url, "PINGAN_LANGUAGE": "en"}
        command = [sys.executable, "-m", "pingan", "audit", *arguments]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
        return ran.returncode, ran.stdout

    code, text = said("--json")
    assert (code, json.loads(text)["findings"]) == (0, [])
    code, text = said("--anchor", "00ff")
    assert code == 1
    assert "the anchor kept elsewhere is not here: 00ff" in text
