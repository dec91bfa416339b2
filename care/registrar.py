"""The register, to be written: what `care.changes` decides, done in one transaction.

Functions on a connection; each is a transaction of its own, or part of the caller's. `Refused` says all that is wrong,
and nothing is written. Changes that detection must know of raise the home's revision in the same transaction.
"""

import asyncio
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from psycopg.errors import ForeignKeyViolation

from care import register, rotas
from care.changes import Plan, Refused, address_taken, decide, in_scope, one_row, raises, wanted
from care.limits import parse
from care.records import (
    ABSENCES,
    AREAS,
    AWAY,
    CONSENTS_GIVEN,
    CONTACTS,
    DEVICES,
    ENTITIES,
    HOLIDAYS,
    HOMES,
    PEOPLE,
    RESPONDERS,
    Absence,
    Device,
    Entity,
    Home,
    Key,
    Record,
    entity_of,
)
from care.refusal import Refusal
from care.tables import BadRow, Sheet
from pingan.database import Connection
from pingan.local.mosquitto_password import hash_password

DEVICE_PASSWORD_BYTES = 24
"""So long that the broker's quick hash gives nothing away."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was (or, in a dry run, would be) written, by entity."""

    added: Mapping[str, int]
    changed: Mapping[str, int]
    unchanged: Mapping[str, int]
    without_password: int
    """Devices that get a password by this."""
    passwords: Mapping[str, str] = field(default_factory=dict)
    """Device → the password made for it, shown this once; empty in a dry run."""


@dataclass(frozen=True, slots=True)
class Saved:
    """`password`: a new device's, shown this once."""

    what: Literal["added", "changed", "unchanged"]
    record: Any
    password: str | None = None


async def apply(
    connection: Connection,
    sheets: Sequence[Sheet],
    now: datetime,
    scope: str | None = None,
    *,
    bad: Iterable[BadRow] = (),
    dry_run: bool = False,
    by: str | None = None,
) -> Report:
    """Write what the sheets say, or raise Refused with `bad` and all else that is wrong. `by`: whose account writes."""
    async with connection.transaction():
        plan = await _plan(connection, sheets, now, scope, bad)
        passwords: dict[str, str] = {}
        if not dry_run:
            passwords = {device: new_device_password() for device in sorted(plan.without_password)}
            await _write(connection, plan, passwords, now, by)
    return Report(
        {name: len(records) for name, records in plan.added.items()},
        {name: len(records) for name, records in plan.changed.items()},
        plan.unchanged,
        len(plan.without_password),
        passwords,
    )


async def save(
    connection: Connection, record: Record, now: datetime, scope: str | None = None, *, by: str | None = None
) -> Saved:
    """Write one record, new or not. Refused: `bad` names each column that is wrong. A new device gets a password."""
    entity = entity_of(record)
    async with connection.transaction():
        plan = await _plan(connection, [one_row(record)], now, scope, ())
        passwords = {device: new_device_password() for device in plan.without_password}
        await _write(connection, plan, passwords, now, by)
    if plan.added:
        return Saved("added", _shown(plan.added[entity.name][0]), next(iter(passwords.values()), None))
    if plan.changed:
        return Saved("changed", _shown(plan.changed[entity.name][0]), next(iter(passwords.values()), None))
    return Saved("unchanged", record)


async def delete(
    connection: Connection, entity: Entity, key: Key, scope: str | None = None, *, now: datetime | None = None,
    by: str | None = None,
) -> bool:  # fmt: skip
    """Remove one record. False: there is none in `scope`. Refused: something needs it (its devices, incidents).

    Of absences and holidays it is noted who removed them and when (`now`).
    """
    async with connection.transaction():
        await connection.execute(register.sql.lock)
        present = await _present(connection, {entity.name: {key}}, ())
        record = present[entity.name].get(key)
        if record is None or not in_scope(_area_of(present, record), scope):
            return False
        values = dict(zip(entity.key, key, strict=True))
        try:
            await connection.execute(getattr(register.sql, f"delete_{entity.name}"), values)
        except ForeignKeyViolation as error:
            refusal = Refusal("in_use", by=error.diag.table_name)
            raise Refused([BadRow("", 0, entity.key[0], refusal)]) from error
        if now is not None:
            await rotas.note(connection, "removed", record, now, by)
        await _raise(connection, raises(record, None))
    return True


async def renew_device_password(connection: Connection, device: str, scope: str | None = None) -> str | None:
    """A new password for a device whose old one is lost or known: the old one ends. None: no such device in `scope`."""
    async with connection.transaction():
        await connection.execute(register.sql.lock)
        present = await _present(connection, {DEVICES.name: {(device,)}}, ())
        record = present[DEVICES.name].get((device,))
        if record is None or not in_scope(_area_of(present, record), scope):
            return None
        password = new_device_password()
        renewed = replace(record, mqtt_password_hash=hash_password(password))
        await connection.execute(register.sql.write_devices, asdict(renewed))
    return password


async def come_back(connection: Connection, home: str, now: datetime, scope: str | None = None) -> bool:
    """Somebody who was away is at home again: what lasts now ends now. False: nobody was, or no such home."""
    async with connection.transaction():
        card = await register.home_card(connection, home, now, scope)
        ended = [one for one in card.away if one.away_from < now] if card else []
        for one in ended:
            await save(connection, replace(one, away_until=now), now, scope)
    return bool(ended)


def new_device_password() -> str:
    return secrets.token_urlsafe(DEVICE_PASSWORD_BYTES)


async def _plan(
    connection: Connection, sheets: Sequence[Sheet], now: datetime, scope: str | None, bad: Iterable[BadRow]
) -> Plan:
    await connection.execute(register.sql.lock)
    names = wanted(sheets)
    present = await _present(connection, names.keys, names.contact_homes)
    # Off the loop: a whole register takes seconds to look at.
    decision = await asyncio.to_thread(decide, sheets, present, now, scope)
    wrong = [*bad, *(decision if isinstance(decision, list) else ())]
    if wrong or isinstance(decision, list):
        raise Refused(sorted(wrong, key=lambda one: (one.file, one.line)))
    return decision


async def _present(
    connection: Connection, keys: Mapping[str, Iterable[Key]], contact_homes: Iterable[str]
) -> dict[str, dict[Key, Any]]:
    """The records of those keys, the homes in which they lie, and every area."""
    found: dict[str, dict[Key, Any]] = {name: {} for name in ENTITIES}
    homes = {str(key[0]) for key in keys.get(HOMES.name, ())}

    async def look(entity: Entity, names: set[str]) -> None:
        if names or (entity is CONTACTS and contact_homes):
            for record in await register.some(connection, entity, sorted(names), sorted(contact_homes)):
                found[entity.name][entity.key_of(record)] = record

    people = {str(key[0]) for name in (PEOPLE.name, CONSENTS_GIVEN.name) for key in keys.get(name, ())}
    await look(PEOPLE, people)
    responders = {str(key[0]) for name in (RESPONDERS.name, ABSENCES.name) for key in keys.get(name, ())}
    await look(RESPONDERS, responders)
    for entity in (CONTACTS, DEVICES, CONSENTS_GIVEN, AWAY, ABSENCES, HOLIDAYS):
        await look(entity, {str(key[0]) for key in keys.get(entity.name, ())})
    for entity in (PEOPLE, CONTACTS, DEVICES, AWAY):
        homes |= {record.home for record in found[entity.name].values() if record.home is not None}
    await look(HOMES, homes)
    for area in await register.some(connection, AREAS, None):
        found[AREAS.name][AREAS.key_of(area)] = area
    return found


def _area_of(present: Mapping[str, Mapping[Key, Any]], record: Any) -> str | None:
    if (area := getattr(record, "area", None) or getattr(record, "code", None)) is not None:
        return str(area)
    if (person := getattr(record, "person", None)) is not None:
        record = present[PEOPLE.name][(person,)]
    if isinstance(record, Absence):
        return str(present[RESPONDERS.name][(record.responder,)].area)
    home = present[HOMES.name].get((getattr(record, "home", None),))
    return home.area if home is not None else None


async def _write(
    connection: Connection, plan: Plan, passwords: Mapping[str, str], now: datetime, by: str | None
) -> None:
    for name, entity in ENTITIES.items():
        records = plan.writes(name)
        if entity is DEVICES:
            records = [_with_password(record, passwords) for record in records]
            records.sort(key=lambda device: device.gateway is not None)  # gateways before what is behind them
        if entity is AREAS:
            records.sort(key=lambda area: len(area.code))  # those above are there before those below
        if entity is DEVICES:
            await _free(connection, records)
        if records:
            async with connection.cursor() as cursor:
                await cursor.executemany(getattr(register.sql, f"write_{name}"), [asdict(record) for record in records])
        if entity is HOMES and records:
            await _write_limits(connection, records, now, by)
        if entity is ABSENCES or entity is HOLIDAYS:
            for record in plan.added.get(name, ()):
                await rotas.note(connection, "added", record, now, by)
            for record in plan.changed.get(name, ()):
                await rotas.note(connection, "changed", record, now, by)
    await _raise(connection, plan.raised)


async def _write_limits(connection: Connection, homes: Sequence[Home], now: datetime, by: str | None) -> None:
    limits = [(home.id, *limit) for home in homes for limit in parse(home.limits or "")]
    ids, kinds, lows, highs = (list(column) for column in zip(*limits, strict=True)) if limits else ([], [], [], [])
    given = {"written": [home.id for home in homes], "homes": ids, "kinds": kinds, "lows": lows, "highs": highs}
    await connection.execute(register.sql.write_limits, {**given, "by": by, "now": now})


async def _free(connection: Connection, devices: Sequence[Device]) -> None:
    """Nobody else is where these devices are. Refused: somebody is."""
    behind = [device for device in devices if device.gateway is not None]
    asked = {
        "devices": [device.id for device in devices],
        "gateways": [device.gateway for device in behind],
        "addresses": [device.address for device in behind],
    }
    taken = await (await connection.execute(register.sql.addresses_taken, asked)).fetchall()
    if taken:
        at = {(row["gateway"], row["address"]) for row in taken}
        wrong = [device for device in behind if (device.gateway, device.address) in at]
        raise Refused([BadRow("", 0, "address", address_taken(device)) for device in wrong])


async def _raise(connection: Connection, homes: set[str]) -> None:
    if homes:
        await connection.execute(register.sql.raise_homes, {"homes": sorted(homes)})


def _with_password(device: Device, passwords: Mapping[str, str]) -> Device:
    if device.id not in passwords:
        return device
    return replace(device, mqtt_password_hash=hash_password(passwords[device.id]))


def _shown(record: Any) -> Any:
    return replace(record, mqtt_password_hash=None) if isinstance(record, Device) else record
