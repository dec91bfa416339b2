"""A helper without an account: what they see by their link, and what they may do with it.

Everything that they do goes through the desk, as one who has been asked; a tap that comes twice finds the incident
further and changes nothing. What they see is as much as whoever goes needs: the person's health only where role or
consent says so, and nothing once they have declined or it is over.
"""

import hmac
import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

import msgspec

from dispatch import following, places
from dispatch import incident as core
from dispatch.desk import Desk
from dispatch.incident import Helper, Incident, State
from dispatch.places import Place
from pingan.clock import Clock
from pingan.database import Connection, Database, Queries

sql = Queries(__file__, "helping.sql")

Row = dict[str, Any]
Standing = Literal["asked", "going", "there", "declined"]

PURPOSES = (following.HELP, following.CHANGE, following.FAMILY)
"""What a link may have been sent with."""

AFTER_CLOSING = timedelta(hours=2)
AFTER_SENDING = timedelta(hours=24)
"""So long a link is worth anything: until two hours after the end, and never longer than a day."""

MINUTES = (5, 10, 20, 30, 45, 60)
"""One tap each. Who needs longer says so on the telephone."""
SAME_ETA_SECONDS = 60
"""A second tap on the same minutes is no new promise."""

CODE_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""No 0 and O, no 1 and I: it is read off a wall."""
CODE_LENGTH = 6
CODE_TRIES = 10
"""Of everybody together within ten minutes: of 32^6 codes, ten guesses find one once in 10^8."""
CODE_WINDOW = timedelta(minutes=10)

ACCURACY_METRES = 100
"""A fix that is less sure than this shows nothing: it may be the next mast's."""
FRESH = timedelta(minutes=2)
"""A fix that is older says where somebody was."""

MEDICAL = frozenset({"medical"})
FAMILY = frozenset({"family"})
HEALTH = ("conditions", "medication", "hospital")
PLAIN = ("note",)
"""What everybody who is asked may know of a person: how to speak with them."""

SHORT = frozenset(
    {
        "opened", "opened_desk_empty", "rang_again", "answered", "contact_made", "no_contact", "no_contact_escalates",
        "accepted", "accepted_second", "moving", "minutes", "minutes_second", "on_scene", "there_too",
        "arrival_proven", "resigned", "resigned_second", "resigned_next_goes", "more_help", "changed", "safe", "closed",
    }
)  # fmt: skip
"""Decisions that are told to whoever goes; the desk's own business is not."""


SAYING = frozenset({"assign", "accept", "decline", "moving", "on_scene", "proven", "resigned"})
"""Events by which somebody says whether they come."""


class Visit(NamedTuple):
    """A link that was opened: by whom, for what, and how they stand to it."""

    send: int
    incident_id: int
    me: Helper
    language: str
    incident: Incident
    home: str | None
    journal: Sequence[Row]
    standing: Standing
    over: bool
    """It is over, or not theirs any more: nothing of anybody is shown, and nothing can be done."""


class Helping:
    """What links can see and do."""

    def __init__(self, database: Database, clock: Clock, desk: Desk) -> None:
        self._database, self._clock, self._desk = database, clock, desk

    async def visit(self, send_id: int) -> Visit | None:
        """Whoever a send went to, and its incident as it is now. None: it was sent for no incident, or to no helper."""
        async with self._database.connection() as connection:
            parameters = {"send": send_id, "purposes": list(PURPOSES)}
            row = await (await connection.execute(sql.visit, parameters)).fetchone()
            if row is None:
                return None
            journal = await (await connection.execute(sql.journal, row)).fetchall()
        incident = msgspec.convert(row["body"], Incident)
        me = Helper(row["recipient"], row["name"], row["role"] or "")
        standing = stands(incident, me.id, journal)
        now, closed_at = self._clock.now(), row["closed_at"]
        over = (
            now > row["sent_at"] + AFTER_SENDING
            or (closed_at is not None and now > closed_at + AFTER_CLOSING)
            or not (row["theirs"] or standing in ("going", "there"))
        )
        return Visit(send_id, row["incident"], me, row["language"], incident, row["home"], journal, standing, over)

    async def card(self, visit: Visit) -> Row:
        """The home as this helper may see it."""
        async with self._database.connection() as connection:
            values: Row = {"home": visit.home, "now": self._clock.now()}
            home = await (await connection.execute(sql.home, values)).fetchone()
            persons = await (await connection.execute(sql.persons, values)).fetchall()
            values = {"incident": visit.incident_id, "helper": visit.me.id}
            sharing = await (await connection.execute(sql.location, values)).fetchone()
        return {"home": home, "persons": [seen(person, visit.me.role) for person in persons], "sharing": bool(sharing)}

    async def going(self, visit: Visit, minutes: int) -> str:
        """They go, and will be there in so many minutes; the name of what was decided."""
        eta = self._clock.now() + timedelta(minutes=minutes)
        on_the_way = Helper(visit.me.id, visit.me.name, visit.me.role, eta)
        decision = await self._desk.act(visit.incident_id, core.Accept(on_the_way))
        incident = decision.incident
        mine = next((one for one in following.going(incident) if one.id == visit.me.id), None)
        if mine is None or incident.state in (State.SAFE, State.CLOSED) or (decision.refused and _promised(mine, eta)):
            return decision.name
        told = (await self._desk.act(visit.incident_id, core.Moving(on_the_way))).name
        return decision.name if decision.name == "accepted_second" else told

    async def there(self, visit: Visit) -> str:
        """They say that they are there; a fix of theirs that is fresh shows it."""
        me = _as_known(visit)
        decision = await self._desk.act(visit.incident_id, core.OnScene(me, reported_by=me.name))
        async with self._database.connection() as connection:
            values = {"incident": visit.incident_id, "helper": me.id}
            fix = await (await connection.execute(sql.location, values)).fetchone()
        if fix is not None and self._clock.now() - fix["at"] <= FRESH:
            place = Place(fix["latitude"], fix["longitude"])
            if (shown := await self._shown_by(visit, decision.incident, place, fix["accuracy_m"])) is not None:
                await self.forget(visit)
                return shown
        return decision.name

    async def safe(self, visit: Visit, raised: int) -> str:
        """All is well, says whoever is there. `raised`: how often it had rung when their page was drawn. Of an alarm
        that they have not seen they say nothing: it rings on until they have.
        """
        if visit.standing != "there":
            return "not_there"
        if raised != visit.incident.raised:
            return "rang_again"
        decision = await self._desk.act(visit.incident_id, core.Safe(visit.me.name, visit.me.id, raised))
        if decision.refused:
            return "rang_again" if decision.name == "pressed_again" else decision.name
        await self.forget(visit)
        return decision.name

    async def more_help(self, visit: Visit, text: str) -> str:
        return (await self._desk.act(visit.incident_id, core.MoreHelp(visit.me.name, text))).name

    async def cannot(self, visit: Visit) -> str:
        """They cannot come, or cannot after all."""
        if visit.standing == "declined":
            return "recorded"
        await self.forget(visit)
        goes = visit.standing == "going"
        event = core.Resigned(visit.me.id) if goes else core.Decline(visit.me.id)
        return (await self._desk.act(visit.incident_id, event)).name

    async def read(self, visit: Visit, number: int) -> str:
        """They have read every change up to this one."""
        unread = [one for one in visit.incident.changes if one.number <= number and visit.me.id not in one.confirmed]
        if not unread:
            return "recorded"
        return (await self._desk.act(visit.incident_id, core.Confirmed(visit.me.id, number))).name

    async def say(self, visit: Visit, text: str) -> str:
        """Words for whoever reads the journal; the same words at once again are one tap too many."""
        mine = [one for one in visit.journal if one["event"] == "note" and one["actor"] == visit.me.name]
        if not text or (mine and mine[-1]["detail"].get("text") == text):
            return "recorded"
        return (await self._desk.act(visit.incident_id, core.Note(visit.me.name, text))).name

    async def code(self, visit: Visit, code: str) -> str:
        """What stands on the wall of the home: whoever knows it has been inside. Few tries."""
        if visit.home is None:
            return "code_none"
        now = self._clock.now()
        async with self._database.connection() as connection:
            values = {"incident": visit.incident_id, "helper": visit.me.id, "now": now}
            await connection.execute(sql.try_code, values)
            since = {"incident": visit.incident_id, "since": now - CODE_WINDOW}
            tried = await (await connection.execute(sql.tries, since)).fetchone()
            known = await (await connection.execute(sql.code, {"home": visit.home})).fetchone()
        if known is None:
            return "code_none"
        if tried is None or tried["tries"] > CODE_TRIES:
            return "code_too_often"
        if not hmac.compare_digest(as_printed(code).encode(), known["code"].encode()):
            return "code_wrong"
        return (await self._desk.act(visit.incident_id, core.Proven(_as_known(visit), "code"))).name

    async def where(self, visit: Visit, place: Place, accuracy: float) -> str | None:
        """Keep where they are while they go; what it has shown, if it shows that they are there."""
        if visit.standing not in ("going", "there") or visit.incident.state is State.SAFE:
            return None
        if (shown := await self._shown_by(visit, visit.incident, place, accuracy)) is not None:
            await self.forget(visit)
            return shown
        values = {
            "incident": visit.incident_id, "helper": visit.me.id, "now": self._clock.now(),
            "latitude": place.latitude, "longitude": place.longitude, "accuracy": accuracy,
        }  # fmt: skip
        async with self._database.connection() as connection:
            await connection.execute(sql.put_location, values)
        return None

    async def forget(self, visit: Visit) -> None:
        async with self._database.connection() as connection:
            await connection.execute(sql.forget_location, {"incident": visit.incident_id, "helper": visit.me.id})

    async def _shown_by(self, visit: Visit, incident: Incident, fix: Place, accuracy: float) -> str | None:
        """What a fix at the home shows of somebody who has said that they are there: whoever drives past has not."""
        if incident.state is not State.ON_SCENE or incident.proof is not None or accuracy > ACCURACY_METRES:
            return None
        async with self._database.connection() as connection:
            home = await (await connection.execute(sql.home, {"home": visit.home})).fetchone()
        if home is None or home["latitude"] is None:
            return None
        if not places.near(fix, Place(home["latitude"], home["longitude"]), home["coordinates"]):
            return None
        return (await self._desk.act(visit.incident_id, core.Proven(_as_known(visit), "location"))).name


async def code_of(connection: Connection, home: str, area: str | None) -> Row | None:
    """A home's code (None in it: it has none yet), if the home lies in `area`."""
    return await (await connection.execute(sql.code_of, {"home": home, "area": area})).fetchone()


async def new_code(connection: Connection, home: str, by: str, now: datetime) -> str:
    """Draw a home another code; the one before shows nothing from now on."""
    code = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
    await connection.execute(sql.set_code, {"home": home, "code": code, "by": by, "now": now})
    return code


async def distances(connection: Connection, incident_id: int) -> dict[str, tuple[float, datetime]]:
    """Helper → how many metres from the home, and when that was: of those who have agreed to it."""
    found: dict[str, tuple[float, datetime]] = {}
    async for row in await connection.execute(sql.locations, {"incident": incident_id}):
        fix, home = Place(row["latitude"], row["longitude"]), Place(row["home_latitude"], row["home_longitude"])
        if row["coordinates"] == places.GCJ_02:
            fix = places.to_gcj_02(fix)
        found[row["helper"]] = (places.metres(fix, home), row["at"])
    return found


def stands(incident: Incident, me: str, journal: Sequence[Mapping[str, Any]]) -> Standing:
    """How somebody stands to an incident: what they said last, as far as it still holds."""
    goes = any(helper.id == me for helper in following.going(incident))
    if goes:
        return "there" if is_there(incident.state, me, journal) else "going"
    said = _said(me, journal)
    return "declined" if said and said[-1] in ("decline", "resigned") else "asked"


def is_there(state: str, helper: str, journal: Sequence[Mapping[str, Any]]) -> bool:
    """Whether somebody who goes has said, or shown, that they are there."""
    arrived = {"on_scene", "proven"} & set(_said(helper, _since_safe(journal)))
    return bool(arrived) and state in (State.ON_SCENE, State.SAFE, State.CLOSED)


def _since_safe(journal: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """What has happened since it rang again, or others went, after it had been called safe: who was there has gone."""
    begun, safe = 0, False
    for place, one in enumerate(journal):
        if one["decision"] in ("safe", "more_help"):
            safe = one["decision"] == "safe"
        elif safe and one["decision"] in ("rang_again", "accepted"):
            begun, safe = place, False
    return journal[begun:]


def _said(who: str, journal: Sequence[Mapping[str, Any]]) -> list[str]:
    return [one["event"] for one in journal if one["event"] in SAYING and _of(one) == who and not _refused(one)]


def seen(person: Row, role: str) -> Row:
    """A person as somebody of a role may know them."""
    known = (*PLAIN, *(HEALTH if knows_health(role, person["given"], person["withdrawn"]) else ()))
    return {name: person[name] for name in ("name", "born_on", "sex", "language", "phone", *known)}


def knows_health(role: str, given: Collection[str], withdrawn: Collection[str]) -> bool:
    """Medical staff know what an emergency asks for, unless the person has taken that back; family, if they agreed."""
    if role in MEDICAL:
        return "share_with_medical" in given or "share_with_medical" not in withdrawn
    return role in FAMILY and "share_with_family" in given


def as_printed(code: str) -> str:
    """A code as it stands on the wall, however it was typed."""
    return "".join(letter for letter in code.upper() if letter.isalnum())


def _refused(entry: Mapping[str, Any]) -> bool:
    return str(entry["decision"]).startswith("already_")


def _of(entry: Mapping[str, Any]) -> str | None:
    """Whom an entry of the journal is about, of those who were asked."""
    detail = entry["detail"]
    helper = detail.get("helper") or {}
    return detail.get("person") or helper.get("id")


def _as_known(visit: Visit) -> Helper:
    """They, with the time that they have promised."""
    return next((helper for helper in following.going(visit.incident) if helper.id == visit.me.id), visit.me)


def _promised(helper: Helper | None, eta: datetime) -> bool:
    return helper is not None and helper.eta is not None and abs((helper.eta - eta).total_seconds()) < SAME_ETA_SECONDS
