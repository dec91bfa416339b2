"""What a set of rows would change in the register, or everything that forbids it. PURE.

Files, forms and the API all come through here: one row saved by hand is a file of one line.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from care.cells import Value
from care.records import (
    CONTACTS,
    DEVICES,
    ENTITIES,
    HOMES,
    PEOPLE,
    RESPONDERS,
    Absence,
    Area,
    Away,
    Contact,
    Device,
    Entity,
    Home,
    Key,
    Person,
    Record,
    Responder,
    entity_of,
    heartbeat_seconds,
)
from care.refusal import Refusal
from care.tables import BadRow, Row, Sheet, read_cell, write_cell

Present = Mapping[str, Mapping[Key, Any]]
"""By entity: the records that are there now, as far as `wanted` names them (areas: all of them)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `decide` must be shown: these keys of each entity, and all contacts of these homes."""

    keys: Mapping[str, frozenset[Key]]
    contact_homes: frozenset[str]


@dataclass(slots=True)
class Plan:
    """What is to be written. `raised`: homes of which detection must hear; `without_password`: devices to be given
    one."""

    added: dict[str, list[Any]] = field(default_factory=dict)
    changed: dict[str, list[Any]] = field(default_factory=dict)
    unchanged: dict[str, int] = field(default_factory=dict)
    raised: set[str] = field(default_factory=set)
    without_password: set[str] = field(default_factory=set)

    def writes(self, entity: str) -> list[Any]:
        return [*self.added.get(entity, ()), *self.changed.get(entity, ())]


def in_scope(area: str | None, scope: str | None) -> bool:
    """Whether somebody who may see `scope` (None: everything) may see what lies in `area` (None: in no area)."""
    return scope is None or (area is not None and area.startswith(scope))


def wanted(sheets: Sequence[Sheet]) -> Wanted:
    """What the rows name, whether it is there or not."""
    keys: dict[str, set[Key]] = {name: set() for name in ENTITIES}
    homes: set[str] = set()
    for sheet in sheets:
        entity = sheet.entity
        for row in sheet.rows:
            if all(name in row.values for name in entity.key):
                keys[entity.name].add(tuple(row.values[name] for name in entity.key))
            for column, target in entity.refers.items():
                if row.values.get(column) is not None:
                    keys[target].add((row.values[column],))
            if entity is CONTACTS and isinstance(home := row.values.get("home"), str):
                homes.add(home)
    return Wanted({name: frozenset(found) for name, found in keys.items()}, frozenset(homes))


def decide(sheets: Sequence[Sheet], present: Present, now: datetime, scope: str | None = None) -> Plan | list[BadRow]:
    """The changes, or all that forbids them. `now` is when new devices are enrolled; `scope` the asker's area.

    `sheets` are those of `read_files`; a bad row of theirs still counts as there for the rows that refer to it, so that
    one mistake is said once.
    """
    decision = _Decision(present, now, scope)
    for sheet in sheets:
        decision.sheet(sheet)
    decision.ranks()
    decision.gateways()
    return decision.bad or decision.plan


class _Decision:
    def __init__(self, present: Present, now: datetime, scope: str | None) -> None:
        self.plan = Plan()
        self.bad: list[BadRow] = []
        self._present = present
        self._now = now
        self._scope = scope
        self._after: dict[str, dict[Key, Any]] = {name: dict(present.get(name, {})) for name in ENTITIES}
        self._named: dict[str, set[Key]] = {name: set() for name in ENTITIES}
        self._rows: dict[tuple[str, Key], Row] = {}

    def sheet(self, sheet: Sheet) -> None:
        entity = sheet.entity
        for row in sheet.rows:
            if all(name in row.values for name in entity.key):
                self._named[entity.name].add(tuple(row.values[name] for name in entity.key))
        for row in sheet.rows:
            if not row.bad:
                self._row(entity, row)

    def _refuse(self, row: Row, column: str | None, refusal: Refusal) -> None:
        self.bad.append(BadRow(row.file, row.line, column, refusal))

    def _row(self, entity: Entity, row: Row) -> None:
        key = tuple(row.values[name] for name in entity.key)
        before = self._present.get(entity.name, {}).get(key)
        missing = [name for name, column in entity.columns.items() if column.required and name not in row.values]
        if before is None and missing:
            for name in missing:
                self._refuse(row, name, Refusal("required"))
            return
        record = replace(before, **row.values) if before is not None else entity.record(**row.values)
        if isinstance(record, Device) and record.enrolled_at is None:
            record = replace(record, enrolled_at=self._now)
        if before is None and isinstance(record, Device) and "heartbeat_seconds" not in row.values:
            record = replace(record, heartbeat_seconds=heartbeat_seconds(record.gateway))
        refused = [*self._unknown(entity, record)]
        if (wrong := entity.check(record)) is not None:
            refused.append(wrong)
        if not refused:
            refused = [*self._outside(entity, before, record)]
        for column, refusal in refused:
            self._refuse(row, column, refusal)
        if not refused:
            self._after[entity.name][key] = record
            self._note(entity, before, record)
            if entity in (CONTACTS, DEVICES):
                self._rows[entity.name, key] = row

    def _unknown(self, entity: Entity, record: Any) -> Iterable[tuple[str, Refusal]]:
        for column, target in entity.refers.items():
            value: Value = getattr(record, column)
            if value is None or (value,) in self._after[target] or (value,) in self._named[target]:
                continue
            yield column, Refusal(f"unknown_{target}", id=value)

    def _outside(self, entity: Entity, before: Any, record: Any) -> Iterable[tuple[str, Refusal]]:
        if self._scope is None:
            return
        for one in (before, record):
            if one is not None and not in_scope(self._area(one), self._scope):
                yield entity.key[0], Refusal("outside_area", scope=self._scope)
                return

    def _area(self, record: Record) -> str | None:
        """The area in which a record lies; None: in none, or its home stands in a row that was refused."""
        if isinstance(record, Area):
            return record.code
        if entity_of(record) in (HOMES, RESPONDERS):
            return str(getattr(record, "area", ""))
        if isinstance(record, Absence):
            responder = self._after[RESPONDERS.name].get((record.responder,))
            return responder.area if isinstance(responder, Responder) else None
        home: str | None = getattr(record, "home", None)
        if home is None and (person := getattr(record, "person", None)) is not None:
            found = self._after[PEOPLE.name].get((person,))
            home = found.home if isinstance(found, Person) else None
        lives = self._after[HOMES.name].get((home,))
        return lives.area if isinstance(lives, Home) else None

    def _note(self, entity: Entity, before: Any, record: Any) -> None:
        keyless = isinstance(record, Device) and record.mqtt_password_hash is None and record.gateway is None
        if keyless:
            self.plan.without_password.add(record.id)
        if before is None:
            self.plan.added.setdefault(entity.name, []).append(record)
        elif before != record or keyless:
            self.plan.changed.setdefault(entity.name, []).append(record)
        else:
            self.plan.unchanged[entity.name] = self.plan.unchanged.get(entity.name, 0) + 1
        self.plan.raised |= raises(before, record)

    def ranks(self) -> None:
        """No two contacts of a home may be called in the same place."""
        places: dict[tuple[str, int], list[Key]] = {}
        for key, contact in self._after[CONTACTS.name].items():
            if isinstance(contact, Contact):
                places.setdefault((contact.home, contact.rank), []).append(key)
        for (_, rank), keys in places.items():
            for key in keys if len(keys) > 1 else ():
                if (row := self._rows.get((CONTACTS.name, key))) is not None:
                    other = next(one for one in keys if one != key)
                    self._refuse(row, "rank", Refusal("rank_taken", rank=rank, id=other[0]))
        self.bad.sort(key=_order)

    def gateways(self) -> None:
        """Whatever is behind a gateway is behind a hub, and two devices are never at one address."""
        at: dict[tuple[str, str], str] = {}
        for key, device in self._after[DEVICES.name].items():
            if not isinstance(device, Device) or device.gateway is None or device.address is None:
                continue
            first = at.setdefault((device.gateway, device.address), device.id)
            if (row := self._rows.get((DEVICES.name, key))) is None:
                continue
            hub = self._after[DEVICES.name].get((device.gateway,))
            if isinstance(hub, Device) and hub.kind != "hub":
                self._refuse(row, "gateway", Refusal("no_gateway", id=device.gateway))
            elif isinstance(hub, Device) and hub.home is not None and not in_scope(self._area(hub), self._scope):
                self._refuse(row, "gateway", Refusal("outside_area", scope=self._scope))
            if first != device.id:
                self._refuse(row, "address", address_taken(device))
        self.bad.sort(key=_order)


def address_taken(device: Device) -> Refusal:
    return Refusal("address_taken", gateway=device.gateway, address=device.address)


_FILES = {entity.name: place for place, entity in enumerate(ENTITIES.values())}


def _order(bad: BadRow) -> tuple[str, int]:
    return bad.file, bad.line


def raises(before: Record | None, after: Record | None) -> set[str]:
    """The homes of which detection must hear when `before` becomes `after` (None: not there)."""
    homes: set[str] = set()
    if isinstance(before, Device | None) and isinstance(after, Device | None):
        seen = [(one.home, one.kind, one.heartbeat_seconds, one.enabled) if one else None for one in (before, after)]
        if seen[0] != seen[1]:
            homes = {one.home for one in (before, after) if one is not None and one.home is not None}
    elif isinstance(before, Away | None) and isinstance(after, Away | None):
        span = [(one.away_from, one.away_until) if one else None for one in (before, after)]
        if span[0] != span[1]:
            homes = {one.home for one in (before, after) if one is not None}
    elif isinstance(before, Home) and isinstance(after, Home) and _watched(before) != _watched(after):
        homes = {after.id}
    return homes


def _watched(home: Home) -> tuple[Value, ...]:
    """What detection is told of a home itself."""
    place = (home.latitude, home.longitude, home.coordinates) if home.fence_m is not None else ()
    hours = (home.inactivity_hours, home.inactivity_floor_hours)
    return (home.area, home.timezone, home.fence_m, home.limits, *hours, *place)


def one_row(record: Record) -> Sheet:
    """A record that was given by hand, as the sheet that it would be. Raises Refused when a cell of it is refused."""
    entity = entity_of(record)
    values: dict[str, Value] = {}
    bad = []
    for name, column in entity.columns.items():
        try:
            value = read_cell(column, write_cell(column, getattr(record, name)))
        except Refusal as refusal:
            bad.append(BadRow("", 0, name, refusal))
        else:
            if value is not None or not column.kept_when_empty:
                values[name] = value
    if bad:
        raise Refused(bad)
    return Sheet(entity, [Row("", 0, values)])


class Refused(Exception):
    """Nothing was written. `bad` is all that is wrong."""

    def __init__(self, bad: Sequence[BadRow]) -> None:
        super().__init__("; ".join(f"{one.file}:{one.line} {one.column}: {one.refusal}" for one in bad[:5]))
        self.bad = list(bad)
