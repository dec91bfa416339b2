"""The hand-over packet: what medical staff need of an incident, on one page, and again whenever it has changed.

Volante (2015): the history goes with the first hand-over, and every later change goes again. So a packet is no file but
a page that is drawn when it is opened; what it says is numbered, and each number knows which parts are new in it. Kept
are fingerprints of the parts, not what they say. Who was given one by text message is written to with each version.
"""

import asyncio
import json
import logging
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from dispatch import following, helping, sends, views
from dispatch import incident as core
from dispatch.desk import Desk
from dispatch.links import Links
from pingan.clock import Clock
from pingan.database import LOST, Connection, Database, Queries

log = logging.getLogger(__name__)
sql = Queries(__file__, "packet.sql")

Row = dict[str, Any]

WORTH = timedelta(hours=12)
"""So long a link is worth anything: an ambulance, an admission, a ward round."""
READINGS = timedelta(hours=24)
VITALS = ("heart_rate", "blood_pressure", "spo2", "body_temperature", "weight")
MEDICAL = "medical"

LOOK_SECONDS = 3.0
"""How soon a change is seen, and those who hold a packet are written to."""
DRAWN_AGAIN = timedelta(minutes=5)
"""So often each is drawn though nothing shows that it has changed: whatever `-- name: live` may not know of."""
AFTER_CLOSING = timedelta(hours=2)
"""So long that is looked for by itself; whoever opens a packet later sees what is new then."""

ABOUT = ("conditions", "medication", "hospital", "note")
PARTS = ("person", *ABOUT, "contacts", "way_in", "going", "happened")
"""What a version can differ in. Readings stand with their times, and are new all the time: they make no version."""


class Version(NamedTuple):
    number: int
    made_at: datetime
    parts: dict[str, str]


class Drawn(NamedTuple):
    """Of which state of the database a packet was drawn last, and when."""

    mark: str
    at: datetime


class Sheet(NamedTuple):
    """A packet as it is opened now. `changed`: the parts that are new since `seen`, which whoever holds it has seen."""

    packet: Row
    content: Row
    version: Version
    seen: int | None
    changed: tuple[str, ...]


class _Changed(Exception):
    """Another was faster: look again."""


class Packets:
    """Gives packets out, draws them, and makes them anew."""

    def __init__(self, database: Database, clock: Clock, desk: Desk, links: Links) -> None:
        self._database, self._clock, self._desk, self._links = database, clock, desk, links
        self._drawn: dict[int, Drawn] = {}

    async def issue(self, incident_id: int, by: str, name: str, phone: str | None, language: str) -> int:
        """Give the packet of an incident to somebody, by text message if there is a number; the packet's own."""
        version = await self.current(incident_id)
        packets: list[int] = []

        async def give(connection: Connection) -> None:
            values = {
                "incident": incident_id, "now": self._clock.now(), "by": by, "name": name, "phone": phone,
                "language": language,
            }  # fmt: skip
            row = await (await connection.execute(sql.issue, values)).fetchone()
            assert row is not None
            packets.append(row["id"])
            if phone is not None:
                holder = {"id": row["id"], "name": name, "phone": phone, "language": language}
                await sends.add(connection, incident_id, [self._message(holder, version.number)])

        await self._desk.act(incident_id, core.Handed("issued", by, name, version.number), also=give)
        return packets[0]

    async def issued(self, incident_id: int) -> list[Row]:
        """What was given out, each with its link as long as that is worth anything."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(sql.issued, {"incident": incident_id})).fetchall()
        now = self._clock.now()
        return [
            {**row, "link": self._links.for_packet(row["id"]) if now <= row["issued_at"] + WORTH else None}
            for row in rows
        ]

    async def opened(self, packet_id: int, seen: int | None = None) -> Sheet | None:
        """What the packet says now, written down as opened. None: there is none, or it is worth nothing any more.

        `seen`: the version that whoever opens it has in print.
        """
        async with self._database.connection() as connection:
            packet = await (await connection.execute(sql.packet, {"packet": packet_id})).fetchone()
        if packet is None or self._clock.now() > packet["issued_at"] + WORTH:
            return None
        version = await self.current(packet["incident"])
        values: Row = {"incident": packet["incident"], "packet": packet_id, "number": version.number}
        async with self._database.connection() as connection:
            content = await gather(connection, packet["incident"], self._clock.now())
            if seen is None:
                last = await (await connection.execute(sql.last_opened, values)).fetchone()
                seen = last["number"] if last else None
            changed: set[str] = set()
            if seen is not None:
                rows = await connection.execute(sql.changed, {**values, "seen": seen})
                changed = {row["part"] async for row in rows}
        await self._open(packet, version.number)
        return Sheet(packet, content, version, seen, tuple(part for part in PARTS if part in changed))

    async def current(self, incident_id: int) -> Version:
        """The version that says what is now: a new one, if anything has changed; its holders are written to."""
        while True:
            async with self._database.connection() as connection:
                now = self._clock.now()
                parts = self._sealed(await gather(connection, incident_id, now))
                last = await _last(connection, incident_id)
            if last is not None and last.parts == parts:
                return last
            try:
                return await self._renew(incident_id, last, parts, now)
            except _Changed:
                continue

    async def keep_current(self) -> None:
        """Make anew what has changed of every incident whose packet somebody holds, until cancelled."""
        while True:
            try:
                await self.look()
            except LOST as error:
                log.debug("nobody can tell whether a hand-over packet has changed: %s", error)
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> int:
        """Draw every packet that somebody holds and that may have changed since it was drawn last; how many those were.

        Raises one of LOST. What they are drawn from is looked at in one query, before they are drawn: what changes
        meanwhile is seen by the next look.
        """
        async with self._database.connection() as connection:
            now = self._clock.now()
            times = {"since": now - WORTH, "ended": now - AFTER_CLOSING, "now": now}
            live = await (await connection.execute(sql.live, times)).fetchall()
        known, self._drawn, drawn = self._drawn, {}, 0
        for row in live:
            last = known.get(row["incident"])
            if last is not None and last.mark == row["mark"] and now - last.at < DRAWN_AGAIN:
                self._drawn[row["incident"]] = last
                continue
            try:
                await self.current(row["incident"])
            except LOST:
                raise
            except Exception:  # one that cannot be drawn holds up no other
                log.exception("the hand-over packet of incident %s cannot be made anew", row["incident"])
                continue
            self._drawn[row["incident"]] = Drawn(row["mark"], now)
            drawn += 1
        return drawn

    async def _renew(self, incident_id: int, last: Version | None, parts: dict[str, str], now: datetime) -> Version:
        before = last.parts if last else {}
        changed = tuple(part for part in PARTS if parts.get(part) != before.get(part)) if last else ()
        version = Version(last.number + 1 if last else 1, now, parts)

        async def add(connection: Connection) -> None:
            # The incident is locked by now: whoever numbers versions does so one after the other.
            if (await _last(connection, incident_id)) != last:
                raise _Changed
            values = {
                "incident": incident_id, "number": version.number, "now": now, "parts": Jsonb(parts),
                "changed": list(changed),
            }  # fmt: skip
            await connection.execute(sql.add_version, values)
            since = {"incident": incident_id, "since": now - WORTH}
            holders = await (await connection.execute(sql.holders, since)).fetchall()
            await sends.add(connection, incident_id, [self._message(one, version.number) for one in holders])

        if last is None:  # nobody holds it yet: its being given is what is written down
            async with self._database.transaction() as connection:
                await connection.execute(sql.lock, {"incident": incident_id})
                await add(connection)
        else:
            event = core.Handed("reissued", core.SYSTEM, "", version.number, changed)
            await self._desk.act(incident_id, event, also=add)
        return version

    async def _open(self, packet: Row, number: int) -> None:
        values = {"packet": packet["id"], "number": number, "now": self._clock.now()}
        async with self._database.connection() as connection:
            first = (await connection.execute(sql.open, values)).rowcount == 1
        if first:
            await self._desk.act(packet["incident"], core.Handed("opened", packet["name"], "", number))

    def _message(self, holder: Row, number: int) -> following.Row:
        now = self._clock.now()
        return following.Row(
            number, following.PACKET, "twilio_sms", f"packet:{holder['id']}", holder["name"], holder["phone"],
            holder["language"], {"packet": holder["id"], "version": number}, now, now + WORTH,
        )  # fmt: skip

    def _sealed(self, content: Row) -> dict[str, str]:
        """Part → the fingerprint of what it says."""
        return {part: self._links.seal(part, _text(_says(content, part))) for part in PARTS}


async def gather(connection: Connection, incident_id: int, now: datetime) -> Row:
    """Everything that a packet says, as it is now."""
    row = await views.incident(connection, incident_id, now)
    assert row is not None, "whoever asks has seen the incident"
    values: Row = {"home": row["home"], "now": now, "since": now - READINGS, "kinds": list(VITALS)}
    persons = await (await connection.execute(helping.sql.persons, values)).fetchall()
    readings = await (await connection.execute(sql.readings, values)).fetchall()
    order = {kind: place for place, kind in enumerate(VITALS)}
    return {
        "row": row,
        "persons": [helping.seen(one, MEDICAL) for one in persons],
        "withheld": any(not helping.knows_health(MEDICAL, one["given"], one["withdrawn"]) for one in persons),
        "readings": sorted(readings, key=lambda one: order[one["kind"]]),
        "going": [
            {**one, "there": helping.is_there(row["state"], one["id"], row["journal"])}
            for one in (row["helper"], *row["helpers_beside"])
            if one is not None
        ],
        "story": [one for one in row["journal"] if one["decision"] in helping.SHORT],
    }


def _says(content: Row, part: str) -> Any:
    """What a part says, as far as a change of it is news."""
    row, card = content["row"], content["row"]["card"] or {}
    if part == "person":
        facts = ("name", "born_on", "sex", "language", "phone")
        return [[one[fact] for fact in facts] for one in content["persons"]], card.get("address"), card.get("phone")
    if part in ABOUT:
        return [one.get(part) for one in content["persons"]]
    if part == "contacts":
        return [[one[fact] for fact in ("name", "relation", "phone", "has_key")] for one in card.get("contacts", ())]
    if part == "way_in":
        return card.get("way_in"), card.get("way_in_proven_on")
    if part == "going":
        return [(one["id"], one["there"]) for one in content["going"]]
    told = [(one["number"], one["kind"], one["text"]) for one in row["changes"]]
    return row["raised"], row["contact"], row["withdrawn"], told, row["state"] in ("safe", "closed")


def _text(said: Any) -> str:
    return json.dumps(said, ensure_ascii=False, default=str)


async def _last(connection: Connection, incident_id: int) -> Version | None:
    row = await (await connection.execute(sql.version, {"incident": incident_id})).fetchone()
    return Version(row["number"], row["made_at"], row["parts"]) if row else None
