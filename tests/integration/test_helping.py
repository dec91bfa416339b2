"""What a helper may see and do by their link: by standing, by role, and until when."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from dispatch import helping
from dispatch import incident as core
from dispatch.desk import Desk
from dispatch.helping import CODE_TRIES, Helping, Visit
from dispatch.incident import State
from dispatch.places import Place, to_gcj_02
from pingan.clock import DrivenClock
from pingan.database import Database
from tests.stories.support import REGISTER

HOME = Place(22.5789, 113.0815)
AWAY = Place(22.6200, 113.0815)


@dataclass
class Helpers:
    """A press of H001, and whoever was asked for it."""

    database: Database
    clock: DrivenClock
    desk: Desk
    helping: Helping
    incident: int = 0

    async def press(self, home: str = "H001") -> int:
        now, alarm = self.clock.now(), uuid4()
        async with self.database.connection() as connection:
            await connection.execute(
                "insert into alarms (id, kind, home, device, at, received_at, raised_at, test, evidence)"
                " values (%s, 'sos', %s, %s, %s, %s, %s, false, %s)",
                (alarm, home, f"{home}-button", now, now, now, Jsonb({"event": str(alarm)})),
            )
        assert await self.desk.take_alarms()
        self.incident = int((await self.rows("select incident from alarms where id = %s", alarm))[0]["incident"])
        return self.incident

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        async with self.database.connection() as connection:
            cursor = await connection.execute(query, values)
            return await cursor.fetchall() if cursor.description else []

    async def send(self, person: str, role: str, purpose: str = "help") -> int:
        """A message to somebody, as the outbox would have it."""
        now = self.clock.now()
        (row,) = await self.rows(
            "insert into sends (incident, step, purpose, channel, recipient, name, address, language, body, due_at,"
            " deadline_at) values (%s, 900, %s, 'twilio_sms', %s, %s, '+8613800000000', 'zh', %s, %s, %s) returning id",
            self.incident, purpose, person, person, Jsonb({"role": role}), now, now + timedelta(minutes=10),
        )  # fmt: skip
        return int(row["id"])

    async def visit(self, send: int) -> Visit:
        visit = await self.helping.visit(send)
        assert visit is not None
        return visit

    async def state(self) -> core.Incident:
        return (await self.desk.act(self.incident, core.Shown("test"))).incident

    def later(self, **time: float) -> None:
        self.clock.advance(self.clock.now_ms() + int(timedelta(**time).total_seconds() * 1000))


@pytest.fixture
async def helpers(database: Database, driven: DrivenClock) -> Helpers:
    async with database.connection() as connection:
        await connection.execute(REGISTER)
        await connection.execute(
            "update homes set latitude = %s, longitude = %s, coordinates = 'WGS-84' where id = 'H001'", (*HOME,)
        )
        await connection.execute("update people set medication = '阿司匹林', note = '耳背' where id = 'P001'")
    desk = Desk(database, driven)
    one = Helpers(database, driven, desk, Helping(database, driven, desk))
    await one.press()
    return one


async def test_the_first_goes_arrives_and_says_that_all_is_well(helpers: Helpers) -> None:
    li = await helpers.send("C1", "family")
    assert (await helpers.visit(li)).standing == "asked"
    assert await helpers.helping.going(await helpers.visit(li), 10) == "moving"
    visit = await helpers.visit(li)
    assert visit.standing == "going"
    assert visit.incident.helper is not None
    assert visit.incident.helper.eta == helpers.clock.now() + timedelta(minutes=10)
    entries = len(visit.journal)
    assert await helpers.helping.going(visit, 10) == "already_yours", "a second tap"
    assert len((await helpers.visit(li)).journal) == entries + 1, "which is written down, and moves nothing"
    helpers.later(minutes=2)
    assert await helpers.helping.going(await helpers.visit(li), 20) == "moving", "another time is"
    assert await helpers.helping.there(await helpers.visit(li)) == "on_scene"
    visit = await helpers.visit(li)
    assert (visit.standing, visit.incident.reported) == ("there", ("t7",))
    assert await helpers.helping.safe(visit, 1) == "safe"
    assert await helpers.helping.say(visit, "已扶起") == "recorded"
    visit = await helpers.visit(li)
    assert [one["event"] for one in visit.journal[-2:]] == ["safe", "note"]
    await helpers.helping.say(visit, "已扶起")
    assert len((await helpers.visit(li)).journal) == len(visit.journal), "the same words are said once"


async def test_that_all_is_well_is_said_by_who_is_there_and_has_seen_every_alarm(helpers: Helpers) -> None:
    li = await helpers.send("C1", "family")
    assert await helpers.helping.safe(await helpers.visit(li), 1) == "not_there", "who was only asked cannot know"
    await helpers.helping.there(await helpers.visit(li))
    page = await helpers.visit(li)
    helpers.later(minutes=5)
    await helpers.press()
    assert await helpers.helping.safe(await helpers.visit(li), page.incident.raised) == "rang_again"
    incident = (await helpers.visit(li)).incident
    assert (incident.state, incident.ringing, incident.calling) == (State.ON_SCENE, True, True)
    assert await helpers.helping.safe(await helpers.visit(li), incident.raised) == "safe"
    await helpers.press()
    visit = await helpers.visit(li)
    assert await helpers.helping.safe(visit, visit.incident.raised) == "not_there", "a tap that comes late"
    assert ((incident := (await helpers.visit(li)).incident).state, incident.ringing) == (State.WAITING, True)


async def test_who_had_left_when_it_rang_again_is_there_when_they_say_so(helpers: Helpers) -> None:
    li, wang = await helpers.send("C1", "family"), await helpers.send("C2", "neighbour")
    await helpers.helping.there(await helpers.visit(li))
    await helpers.helping.safe(await helpers.visit(li), 1)
    await helpers.press()
    await helpers.helping.there(await helpers.visit(wang))
    assert ((await helpers.visit(li)).standing, (await helpers.visit(wang)).standing) == ("going", "there")
    assert await helpers.helping.there(await helpers.visit(li)) == "there_too"
    assert (await helpers.visit(li)).standing == "there"


async def test_a_press_of_the_homes_button_shows_the_arrival(helpers: Helpers) -> None:
    li = await helpers.send("C1", "family")
    await helpers.helping.there(await helpers.visit(li))
    helpers.later(seconds=100)
    await helpers.press()
    incident = (await helpers.visit(li)).incident
    assert (incident.state, incident.proof, incident.reported) == (State.ON_SCENE, "press", ())


async def test_a_second_sees_the_first_and_goes_beside_them(helpers: Helpers) -> None:
    li, wang = await helpers.send("C1", "family"), await helpers.send("C2", "neighbour")
    await helpers.helping.going(await helpers.visit(li), 30)
    visit = await helpers.visit(wang)
    assert (visit.standing, visit.incident.helper and visit.incident.helper.id) == ("asked", "C1")
    assert await helpers.helping.going(visit, 45) == "accepted_second"
    visit = await helpers.visit(wang)
    assert visit.standing == "going"
    assert (visit.incident.helper and visit.incident.helper.id, visit.incident.seconds[0].id) == ("C1", "C2")
    assert visit.incident.seconds[0].eta == helpers.clock.now() + timedelta(minutes=45)
    assert await helpers.helping.going(visit, 5) == "moving"
    visit = await helpers.visit(wang)
    assert (visit.incident.helper and visit.incident.helper.id, visit.incident.seconds[0].id) == ("C2", "C1"), "sooner"


async def test_who_cannot_come_says_so_once_and_sees_no_more(helpers: Helpers) -> None:
    li = await helpers.send("C1", "family")
    await helpers.helping.cannot(await helpers.visit(li))
    visit = await helpers.visit(li)
    assert visit.standing == "declined"
    await helpers.helping.cannot(visit)
    assert len((await helpers.visit(li)).journal) == len(visit.journal)
    await helpers.helping.going(visit, 10)
    assert (await helpers.visit(li)).standing == "going", "they can after all"
    assert await helpers.helping.cannot(await helpers.visit(li)) == "resigned"
    visit = await helpers.visit(li)
    assert (visit.standing, visit.incident.helper, visit.incident.ringing) == ("declined", None, True)


async def test_changes_are_confirmed_by_who_goes(helpers: Helpers) -> None:
    li = await helpers.send("C1", "family")
    await helpers.helping.going(await helpers.visit(li), 10)
    await helpers.desk.act(helpers.incident, core.Changed("王芳", "有煤气味"))
    visit = await helpers.visit(li)
    assert await helpers.helping.read(visit, 1) == "confirmed"
    assert (await helpers.visit(li)).incident.changes[0].confirmed == ("C1",)
    assert await helpers.helping.read(await helpers.visit(li), 1) == "recorded"


async def test_a_link_ends_two_hours_after_closing(helpers: Helpers) -> None:
    li = await helpers.send("C1", "family")
    version = (await helpers.visit(li)).incident.version
    await helpers.desk.act(helpers.incident, core.Close("a", "王芳", "sos", "family_attended", version, "late"))
    helpers.later(minutes=119)
    assert not (await helpers.visit(li)).over
    helpers.later(minutes=2)
    assert (await helpers.visit(li)).over


async def test_a_link_ends_a_day_after_it_was_sent(helpers: Helpers) -> None:
    li = await helpers.send("C1", "family")
    helpers.later(hours=23, minutes=59)
    assert not (await helpers.visit(li)).over
    helpers.later(minutes=2)
    assert (await helpers.visit(li)).over


async def test_who_stands_in_for_a_helper_of_the_area_sees_what_they_are_asked_to(helpers: Helpers) -> None:
    now = helpers.clock.now()
    await helpers.rows("insert into areas values ('99', '远方', 'city', null)")
    await helpers.rows("insert into responders (id, name, role, area, phone)"
                       " values ('RX', '代班', 'volunteer', '99', '+8613800000999')")  # fmt: skip
    assert (await helpers.visit(await helpers.send("RX", "volunteer", purpose="family"))).over, "of elsewhere"
    await helpers.rows("insert into responder_absences values ('R1', %s, %s, 'RX')",
                       now - timedelta(hours=1), now + timedelta(hours=1))  # fmt: skip
    asked = await helpers.send("RX", "volunteer")
    assert not (await helpers.visit(asked)).over
    helpers.later(hours=2)
    assert not (await helpers.visit(asked)).over, "who was asked before the other is back may still say that they come"
    assert (await helpers.visit(await helpers.send("RX", "volunteer", purpose="change"))).over


async def test_a_link_is_theirs_alone_who_still_belong_to_that_home(helpers: Helpers) -> None:
    li, passer_by = await helpers.send("C1", "family"), await helpers.send("C3", "family")
    assert (await helpers.visit(passer_by)).over, "a contact of another home"
    await helpers.rows("delete from contacts where id = 'C1'")
    assert (await helpers.visit(li)).over
    device = await helpers.send("H001-button", "", purpose="stage")
    assert await helpers.helping.visit(device) is None
    assert await helpers.helping.visit(10**9) is None


@pytest.mark.parametrize(
    ("role", "consents", "known"),
    [
        ("volunteer", "share_with_medical share_with_family", False),
        ("neighbour", "share_with_family", False),
        ("family", "", False),
        ("family", "share_with_family", True),
        ("family", "share_with_family -share_with_family", False),
        ("medical", "", True),
        ("medical", "-share_with_medical", False),
        ("medical", "-share_with_medical share_with_medical", True),
    ],
)
async def test_health_is_seen_by_role_and_consent(helpers: Helpers, role: str, consents: str, known: bool) -> None:
    for days, kind in enumerate(consents.split()):
        if kind.startswith("-"):
            await helpers.rows(
                "insert into consents values ('P001', %s, '2020-01-01', '2020-02-01')"
                " on conflict do nothing", kind[1:],
            )  # fmt: skip
            await helpers.rows(
                "update consents set withdrawn_at = '2021-01-01' where kind = %s and withdrawn_at is null", kind[1:]
            )
        else:
            await helpers.rows("insert into consents values ('P001', %s, %s)", kind, f"2020-03-0{days + 1}")
    card = await helpers.helping.card(await helpers.visit(await helpers.send("C1", role)))
    (person,) = card["persons"]
    assert person["note"] == "耳背", "how to speak with them, everybody knows"
    assert ("medication" in person) is known
    assert ("conditions" in person) is known


async def test_the_code_on_the_wall_shows_who_is_inside(helpers: Helpers) -> None:
    li = await helpers.send("C1", "family")
    assert await helpers.helping.code(await helpers.visit(li), "ABC234") == "code_none"
    async with helpers.database.connection() as connection:
        code = await helping.new_code(connection, "H001", "boss", helpers.clock.now())
        again = await helping.new_code(connection, "H001", "boss", helpers.clock.now())
    assert await helpers.helping.code(await helpers.visit(li), code if code != again else "222222") == "code_wrong"
    assert (
        await helpers.helping.code(await helpers.visit(li), f" {again[:3].lower()}-{again[3:].lower()} ") == "on_scene"
    )
    incident = (await helpers.visit(li)).incident
    assert (incident.proof, incident.reported, incident.helper and incident.helper.id) == ("code", (), "C1")


async def test_codes_are_not_guessed(helpers: Helpers) -> None:
    li = await helpers.send("C1", "family")
    async with helpers.database.connection() as connection:
        code = await helping.new_code(connection, "H001", "boss", helpers.clock.now())
    visit = await helpers.visit(li)
    said = {await helpers.helping.code(visit, "000000") for _ in range(CODE_TRIES)}
    assert said == {"code_wrong"}
    assert await helpers.helping.code(visit, code) == "code_too_often"
    helpers.later(minutes=11)
    assert await helpers.helping.code(visit, code) == "on_scene"


@pytest.mark.parametrize("coordinates", ["WGS-84", "GCJ-02"])
async def test_a_fix_at_the_home_shows_whoever_said_that_they_are_there(helpers: Helpers, coordinates: str) -> None:
    li = await helpers.send("C1", "family")
    place = HOME if coordinates == "WGS-84" else to_gcj_02(HOME)
    await helpers.rows("update homes set latitude = %s, longitude = %s, coordinates = %s where id = 'H001'",
                       *place, coordinates)  # fmt: skip
    assert await helpers.helping.where(await helpers.visit(li), HOME, 10) is None
    assert not await helpers.rows("select helper from helper_locations"), "who does not go tells nobody where they are"
    await helpers.helping.going(await helpers.visit(li), 10)
    assert await helpers.helping.where(await helpers.visit(li), HOME, 10) is None, "driving past shows nothing"
    async with helpers.database.connection() as connection:
        metres, _ = (await helping.distances(connection, helpers.incident))["C1"]
    assert metres < 5
    assert await helpers.helping.where(await helpers.visit(li), AWAY, 10) is None
    assert await helpers.helping.there(await helpers.visit(li)) == "on_scene"
    assert (await helpers.visit(li)).incident.reported == ("t7",)
    assert await helpers.helping.where(await helpers.visit(li), AWAY, 10) is None
    assert await helpers.helping.where(await helpers.visit(li), HOME, 5_000) is None, "that may be anywhere"
    assert await helpers.helping.where(await helpers.visit(li), HOME, 20) == "arrival_proven"
    incident = (await helpers.visit(li)).incident
    assert (incident.proof, incident.reported) == ("location", ())
    assert not await helpers.rows("select helper from helper_locations"), "it is asked for nothing more"


async def test_a_fix_that_was_told_before_shows_it_too_while_it_is_fresh(helpers: Helpers) -> None:
    li = await helpers.send("C1", "family")
    await helpers.helping.going(await helpers.visit(li), 10)
    await helpers.helping.where(await helpers.visit(li), HOME, 10)
    helpers.later(minutes=3)
    assert await helpers.helping.there(await helpers.visit(li)) == "on_scene", "three minutes ago is not now"
    await helpers.helping.where(await helpers.visit(li), AWAY, 10)
    await helpers.rows("update helper_locations set latitude = %s, longitude = %s", *HOME)
    assert await helpers.helping.there(await helpers.visit(li)) == "arrival_proven"
    assert not await helpers.rows("select helper from helper_locations"), "it has shown what it was asked for"


async def test_whoever_has_said_that_all_is_well_is_followed_home_by_nobody(helpers: Helpers) -> None:
    li = await helpers.send("C1", "family")
    await helpers.helping.going(await helpers.visit(li), 10)
    await helpers.helping.there(await helpers.visit(li))
    visit = await helpers.visit(li)
    await helpers.helping.where(visit, AWAY, 10)
    assert await helpers.helping.safe(visit, 1) == "safe"
    assert not await helpers.rows("select helper from helper_locations")
    for late in (visit, await helpers.visit(li)):
        await helpers.helping.where(late, AWAY, 10)
        assert not await helpers.rows("select helper from helper_locations")


async def test_where_somebody_is_ends_with_the_incident(helpers: Helpers) -> None:
    li = await helpers.send("C1", "family")
    await helpers.helping.going(await helpers.visit(li), 10)
    visit = await helpers.visit(li)
    await helpers.helping.where(visit, AWAY, 10)
    assert await helpers.rows("select helper from helper_locations")
    version = visit.incident.version
    await helpers.desk.act(helpers.incident, core.Close("a", "王芳", "sos", "family_attended", version, "late"))
    assert not await helpers.rows("select helper from helper_locations")
    await helpers.helping.where(visit, AWAY, 10)
    assert not await helpers.rows("select helper from helper_locations"), "one that was on its way is too late"
