"""The register, to be read: who lives where, how to get in, whom to call, which device is whose.

Functions on a connection. `scope` is the area of whoever asks (None: everywhere): what lies outside is not there for
them. No device comes with its password hash, but for `whole`, which is for export. `care.registrar` writes.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Generic, TypeVar

from care import phones
from care.records import (
    AREAS,
    AWAY,
    CONSENTS_GIVEN,
    CONTACTS,
    DEVICES,
    ENTITIES,
    HOMES,
    PEOPLE,
    RESPONDERS,
    Area,
    Away,
    Consent,
    Contact,
    Device,
    Entity,
    Home,
    Person,
    Responder,
)
from care.refusal import Refusal
from pingan.database import Connection, Queries

sql = Queries(__file__, "register.sql")

PAGE_LIMIT = 200
LATELY = timedelta(days=30)
SEARCH_CHARACTERS = 100
SEARCH_DIGITS = 3
"""Fewer digits than this are in almost every phone number."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LimitSet:
    """Who set a limit of a vital sign. `set_by` None: a file that was imported on the machine itself."""

    kind: str
    set_by: str | None
    set_at: datetime


@dataclass(frozen=True, slots=True)
class HomeCard:
    """All that one screen shows of a home."""

    home: Home
    areas: tuple[Area, ...]
    """From the city down to the home's own."""
    people: tuple[Person, ...]
    contacts: tuple[Contact, ...]
    """In the order in which they are called."""
    devices: tuple[Device, ...]
    consents: tuple[Consent, ...]
    away: tuple[Away, ...]
    """Those that have not ended yet, the earliest first."""
    away_now: Away | None
    incidents_lately: int
    """In the last 30 days, tests not counted."""
    last_incident_at: datetime | None
    limits_set: tuple[LimitSet, ...] = ()

    @property
    def area_path(self) -> str:
        return "—".join(area.name for area in self.areas)


@dataclass(frozen=True, slots=True)
class Hit:
    """What a search finds: a person in their home, or a home in which nobody is registered (`person` None)."""

    home: str
    area: str
    address: str
    home_phone: str | None
    person: str | None
    name: str | None
    born_on: date | None
    language: str | None
    category: str | None
    phone: str | None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`next`: what to give as `after` for what follows; None: nothing does."""

    items: list[T]
    next: str | None


async def home_card(connection: Connection, home: str, now: datetime, scope: str | None = None) -> HomeCard | None:
    """The full picture of one home. None: there is no such home in `scope`."""
    found = await _select(connection, HOMES, scope, keys=[home])
    if not found:
        return None
    area = found[0].area
    above = [area[:length] for length in range(1, len(area) + 1)]
    incidents = await (await connection.execute(sql.incidents, {"home": home, "since": now - LATELY})).fetchone()
    away = [
        one
        for one in await _select(connection, AWAY, None, home=home)
        if one.away_until is None or one.away_until > now
    ]
    return HomeCard(
        home=found[0],
        areas=tuple(await _select(connection, AREAS, None, keys=above)),
        people=tuple(await _select(connection, PEOPLE, None, home=home)),
        contacts=tuple(sorted(await _select(connection, CONTACTS, None, home=home), key=lambda one: one.rank)),
        devices=tuple(_without_hash(one) for one in await _select(connection, DEVICES, None, home=home)),
        consents=tuple(await _select(connection, CONSENTS_GIVEN, None, home=home)),
        away=tuple(away),
        away_now=next((one for one in away if one.away_from <= now), None),
        incidents_lately=incidents["lately"] if incidents else 0,
        last_incident_at=incidents["last_at"] if incidents else None,
        limits_set=tuple(
            LimitSet(**row) for row in await (await connection.execute(sql.limits_set, {"home": home})).fetchall()
        ),
    )


async def search(
    connection: Connection, text: str, scope: str | None = None, *, after: str | None = None, limit: int = 50
) -> Page[Hit]:
    """People and homes by any part of a name, an address, an id or a phone number (a contact's too), as typed."""
    text = unicodedata.normalize("NFKC", text).replace("\0", "").strip().lower()[:SEARCH_CHARACTERS]
    after_home, _, after_person = (after or "").partition(" ")
    limit = max(1, min(limit, PAGE_LIMIT))
    values = {
        "text": text,
        "digits": _digits(text),
        "scope": scope or "",
        "after_home": after_home,
        "after_person": after_person,
        "limit": limit + 1,
    }
    rows = await (await connection.execute(sql.search, values)).fetchall()
    hits = [Hit(**row) for row in rows[:limit]]
    return Page(hits, f"{hits[-1].home} {hits[-1].person or ''}" if len(rows) > limit else None)


def _digits(text: str) -> str:
    """What to look for in phone numbers, which are kept as E.164; empty when `text` is none."""
    try:
        return phones.normalise(text)
    except Refusal:
        digits = re.sub(r"[\s\-+().]", "", text)
        return digits.lstrip("0") if digits.isascii() and digits.isdigit() and len(digits) >= SEARCH_DIGITS else ""


async def areas(connection: Connection, scope: str | None = None) -> list[Area]:
    """Every area in `scope` and those above it, parents before children."""
    return await _select(connection, AREAS, scope)


async def homes(
    connection: Connection, scope: str | None = None, *, after: str | None = None, limit: int = 50
) -> Page[Home]:
    return await _page(connection, HOMES, scope, after, limit)


async def people(
    connection: Connection,
    scope: str | None = None,
    *,
    home: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Page[Person]:
    return await _page(connection, PEOPLE, scope, after, limit, home)


async def responders(
    connection: Connection, scope: str | None = None, *, after: str | None = None, limit: int = 50
) -> Page[Responder]:
    return await _page(connection, RESPONDERS, scope, after, limit)


async def devices(
    connection: Connection,
    scope: str | None = None,
    *,
    home: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Page[Device]:
    page: Page[Device] = await _page(connection, DEVICES, scope, after, limit, home)
    return Page([_without_hash(one) for one in page.items], page.next)


async def one(connection: Connection, entity: Entity, key: str, scope: str | None = None) -> Any | None:
    """The record of `entity` whose id (or area code) is `key`, or None. Not for consents and away: see the card."""
    found = await _select(connection, entity, scope, keys=[key])
    record = found[0] if found else None
    return _without_hash(record) if isinstance(record, Device) else record


async def is_empty(connection: Connection) -> bool:
    """Whether nothing has ever been registered: no area, home, device or account."""
    row = await (await connection.execute(sql.is_empty)).fetchone()
    return row is not None and bool(row["empty"])


async def whole(connection: Connection, scope: str | None = None) -> dict[str, list[Any]]:
    """Every record in `scope` by entity, for export: with password hashes, as of one moment."""
    async with connection.transaction():
        await connection.execute(sql.one_snapshot)
        return await everything(connection, scope)


async def everything(connection: Connection, scope: str | None = None) -> dict[str, list[Any]]:
    """As `whole`, but as the caller's transaction sees it."""
    return {name: await _select(connection, entity, scope) for name, entity in ENTITIES.items()}


async def some(
    connection: Connection, entity: Entity, keys: Sequence[str] | None, contact_homes: Sequence[str] = ()
) -> list[Any]:
    """Records of `entity` everywhere, with hashes, for `care.registrar`.

    `keys` (None: all) are ids; for consents those of people, for absences those of homes.
    """
    return await _select(connection, entity, None, keys=keys, homes=contact_homes)


async def _page(
    connection: Connection, entity: Entity, scope: str | None, after: str | None, limit: int, home: str | None = None
) -> Page[Any]:
    limit = max(1, min(limit, PAGE_LIMIT))
    found = await _select(connection, entity, scope, home=home, after=after or "", limit=limit + 1)
    return Page(found[:limit], found[limit - 1].id if len(found) > limit else None)


async def _select(
    connection: Connection,
    entity: Entity,
    scope: str | None,
    *,
    keys: Sequence[str] | None = None,
    homes: Sequence[str] = (),
    home: str | None = None,
    after: str = "",
    limit: int | None = None,
) -> list[Any]:
    values = {
        "scope": scope or "",
        "keys": None if keys is None else list(keys),
        "homes": list(homes),
        "home": home,
        "after": after,
        "limit": limit,
    }
    rows = await (await connection.execute(getattr(sql, entity.name), values)).fetchall()
    return [entity.record(**row) for row in rows]


def _without_hash(device: Device) -> Device:
    return replace(device, mqtt_password_hash=None)
