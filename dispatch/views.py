"""What people and machines see of incidents: plain dicts, as the API and the console show them. Reads only."""

import logging
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from dispatch import asking, choosing
from dispatch import incident as core
from dispatch.desk import sql as desk_sql
from dispatch.incident import Incident
from dispatch.policy import Person
from dispatch.silence import ENDING
from pingan.database import Connection, Queries
from pingan.messages import SUSPICIONS, WITHDRAWN

log = logging.getLogger(__name__)
sql = Queries(__file__, "views.sql")

BOARD_ROWS = 500
RECENT_ROWS = 50
CALLER = "tel:"
"""Begins what stands in a device's place where somebody called."""
GROUP_ROWS = 500
"""Devices of a group that are shown, those that are silent first; how many there are in all, the group says."""
GROUP_ALARMS = 20
RELATED = [*SUSPICIONS, WITHDRAWN]
RELATED_ROWS = 50

Row = dict[str, Any]


async def board(connection: Connection, area: str | None = None) -> list[Row]:
    """Every open incident of an area (None: everywhere), in the order of the board."""
    return await _rows(connection, opened=True, area=area, limit=BOARD_ROWS)


async def recent(connection: Connection, area: str | None = None) -> list[Row]:
    """The incidents closed last."""
    return await _rows(connection, opened=False, area=area, limit=RECENT_ROWS)


async def came_to_nobody(connection: Connection, area: str | None = None) -> Row:
    """`calls` for help that are open, came while no screen was live, and nobody at the desk has taken; `since` when."""
    found = await (await connection.execute(sql.came_to_nobody, {"area": area})).fetchone()
    assert found is not None
    return found


async def row(connection: Connection, incident_id: int, area: str | None = None) -> Row | None:
    """One incident as the board shows it; None if there is none, or not in this area."""
    found = await (await connection.execute(sql.state, {"incident": incident_id})).fetchone()
    if found is None:
        return None
    rows = await _rows(connection, opened=found["open"], area=area, limit=1, incident=incident_id)
    return rows[0] if rows else None


async def visible(connection: Connection, incident_id: int, area: str | None) -> bool:
    """Whether an incident exists and lies within an area."""
    found = await connection.execute(sql.visible, {"incident": incident_id, "area": area})
    return await found.fetchone() is not None


async def concerns(connection: Connection, incident_id: int, area: str | None) -> bool:
    """Whether whoever sees an area is to look at an incident that has changed."""
    if await visible(connection, incident_id, area):
        return True
    return await (await connection.execute(sql.was_anybodys, {"incident": incident_id})).fetchone() is not None


async def incident(
    connection: Connection, incident_id: int, now: datetime, area: str | None = None, zone: str = "Asia/Shanghai"
) -> Row | None:
    """Everything about one incident: stamps, alarms with their evidence, journal, sends, who can be asked, the card.

    `related` are alarms that are of no incident: suspicions that were confirmed by one of these, and what withdrew any.
    `zone` is the centre's: the clock of a home that has no other.
    """
    shown = await row(connection, incident_id, area)
    if shown is None:
        return None
    one: Row = {"incident": incident_id, "home": shown["home"], "now": now}
    grouped = shown["group"] is not None
    # Of many homes everyone sees those that they may see alone.
    scope = area if grouped and shown["home"] is None else None

    async def all_of(query: str, **more: Any) -> list[Row]:
        return await (await connection.execute(query, {**one, **more})).fetchall()

    return {
        **shown,
        "alarms": await all_of(sql.alarms, scope=scope, alarms=GROUP_ALARMS if grouped else None),
        "related": [] if grouped else await all_of(sql.related, kinds=RELATED, rows=RELATED_ROWS),
        "rows": await _rows_of_group(all_of, scope) if grouped else [],
        "askings": await asking.of_incident(connection, incident_id),
        "journal": await all_of(sql.journal),
        "sends": await all_of(sql.sends),
        "people": await _people(all_of, now, zone) if shown["home"] else [],
        "history": await all_of(sql.history) if shown["home"] else [],
        "card": await _card(all_of, shown["home"]),
    }


async def _people(all_of: Any, now: datetime, zone: str) -> list[Row]:
    return [_person(one) for one in choosing.people(await all_of(desk_sql.people), now, ZoneInfo(zone))]


def _person(one: Person) -> Row:
    """Who can be asked, and why in this place. An address of Apprise may hold a secret: only its kind is shown."""
    return {**msgspec.structs.asdict(one), "notify": one.notify.partition("://")[0]}


async def _rows_of_group(all_of: Any, scope: str | None) -> list[Row]:
    """Its devices; of an area that is not heard, and whose devices nobody misses yet, its homes."""
    devices: list[Row] = await all_of(sql.rows, scope=scope, ending=list(ENDING), rows=GROUP_ROWS)
    return devices or await all_of(sql.unheard_homes, scope=scope, rows=GROUP_ROWS)


async def _card(all_of: Any, home: str | None) -> Row | None:
    """The home as it is needed in an emergency: who lives there, the way in, whom to call."""
    if home is None:
        return None
    (card,) = await all_of(sql.home)
    path = [area["name"] for area in await all_of(sql.area_path, area=card["area"])]
    shown = ("id", "address", "phone", "way_in", "way_in_proven_on", "latitude", "longitude", "coordinates", "timezone")
    return {
        **{name: card[name] for name in shown},
        "area_path": path,
        "persons": await all_of(sql.persons),
        "contacts": await all_of(sql.contacts),
        "devices": await all_of(sql.devices),
        "away": await all_of(sql.away),
    }


async def _rows(
    connection: Connection, *, opened: bool, area: str | None, limit: int, incident: int | None = None
) -> list[Row]:
    parameters = {"open": opened, "area": area, "limit": limit, "incident": incident}
    rows = await (await connection.execute(sql.board, parameters)).fetchall()
    return [_shown(row) for row in rows]


def _shown(row: Row) -> Row:
    names = row.pop("names") or {}
    try:
        known = msgspec.convert(row.pop("body"), Incident)
    except msgspec.ValidationError:
        # Of another version, perhaps. One incident that cannot be read hides no other, and rings till somebody looks.
        log.exception("incident %s cannot be read", row["id"])
        return {**row, **_UNREADABLE, "caller": _caller(row["device"])}
    step = known.policy.step(known.step)
    return {
        **row,
        "ringing": known.ringing,
        "calling": known.calling,
        "raised": known.raised,
        "raised_version": known.raised_version,
        "step": known.step,
        "step_who": step.who,
        "next_who": known.policy.step(known.step + 1).who,
        "awaited": [names.get(person, person) for person in known.awaited],
        "operator": known.operator,
        "operator_name": known.operator_name,
        "helper": msgspec.structs.asdict(known.helper) if known.helper else None,
        "helpers_beside": [msgspec.structs.asdict(helper) for helper in known.seconds],
        "caller": _caller(row["device"]),
        "named_by": known.named_by,
        "contact": known.contact,
        "withdrawn": known.withdrawn,
        "proof": known.proof,
        "there_at": known.there_at,
        "changes": msgspec.to_builtins(known.changes),
        "group": {**msgspec.structs.asdict(known.group), "name": row.get("group_name")} if known.group else None,
        "stamps": {stamp: _stamp(known, stamp) for stamp in core.STAMPS},
        "closing": msgspec.to_builtins(known.closing) if known.closing else None,
        "presses": [msgspec.structs.asdict(press) for press in known.presses],
    }


_UNREADABLE: Row = {
    "ringing": True,
    "calling": True,
    "raised": 1,
    "raised_version": 1,
    "step": 0,
    "step_who": "desk",
    "next_who": "desk",
    "awaited": [],
    "operator": None,
    "operator_name": None,
    "helper": None,
    "helpers_beside": [],
    "named_by": None,
    "contact": None,
    "withdrawn": None,
    "proof": None,
    "there_at": None,
    "changes": [],
    "group": None,
    "stamps": {stamp: {"at": None, "absent": None, "reported": False} for stamp in core.STAMPS},
    "closing": None,
    "presses": [],
}


def _caller(device: str | None) -> str | None:
    """The number of a caller whom the register knows of no home, as far as it is shown; None: a device raised it."""
    if device is None or not device.startswith(CALLER):
        return None
    number = device.removeprefix(CALLER)
    return number if number.startswith("+") else ""


def _stamp(known: Incident, stamp: str) -> Row:
    """A stamp's time; or, once the incident is closed, the named reason for its absence."""
    at = known.stamps.get(stamp)
    return {"at": at, "absent": known.absent.get(stamp), "reported": stamp in known.reported}
