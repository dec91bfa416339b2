"""Which version of a detector rings where: recorded acts of named people, and what a version has done in shadow.

An act raises the revision of the homes that it covers, so that ingest tells them what runs there from now on. Of each
version the newest act that covers a home holds there; of two that were promoted the later one rings.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
from psycopg.types.json import Jsonb

from alerting import shadow_report
from alerting.detectors.table import DETECTORS, Table
from alerting.shadow_report import Act, Asked, Found, Incident, Watched
from pingan.clock import from_ms
from pingan.database import Connection, Queries

sql = Queries(__file__, "shadow.sql")

State = Literal["live", "shadow", "off"]

ACTS_SHOWN = 50
REPORT_DAYS = 28
"""What a report looks back on unless somebody asks for another time."""
REPORT_DAYS_MAX = 366
REASON_CHARACTERS = 1_000


class Refused(Exception):
    """An act that is not done. `reason` names why, and `values` are for its sentence."""

    def __init__(self, reason: str, **values: object) -> None:
        super().__init__(reason)
        self.reason, self.values = reason, values


class Wanted(msgspec.Struct, frozen=True):
    """An act that somebody wants done."""

    detector: str
    label: str
    state: State
    reason: str
    scope: str | None = None
    """An area and all within it; None: everywhere."""


async def act(
    connection: Connection, wanted: Wanted, by: str, within: str | None, now: datetime, table: Table = DETECTORS
) -> dict[str, Any]:
    """Record it, within the caller's transaction. `within`: the area whose homes are `by`'s to decide on. Refused."""
    _known(wanted.detector, wanted.label, table)
    reason = wanted.reason.replace("\0", "").strip()[:REASON_CHARACTERS]
    if not reason:
        raise Refused("no_reason")
    scope = await _area(connection, wanted.scope)
    if within is not None and (scope is None or not scope.startswith(within)):
        raise Refused("not_your_area", area=within)
    report = None
    if wanted.state == "live":
        report = await look_back(connection, wanted.detector, wanted.label, now, now, scope=scope, table=table)
    row = await (
        await connection.execute(
            sql.act,
            {
                "detector": wanted.detector, "label": wanted.label, "scope": scope, "state": wanted.state, "by": by,
                "reason": reason, "report": None if report is None else Jsonb(report, dumps=msgspec.json.encode),
                "now": now,
            },
        )
    ).fetchone()  # fmt: skip
    assert row is not None
    told = await connection.execute(sql.tell, {"scope": scope})
    return {"id": row["id"], "homes": told.rowcount, "ran": bool(report and report["person_weeks"])}


async def supervisor(connection: Connection, name: str) -> dict[str, Any]:
    """Who that is. Refused when nobody of that name may let a version ring, or two may."""
    rows = await (await connection.execute(sql.supervisor, {"name": name})).fetchall()
    if len(rows) != 1:
        raise Refused("no_supervisor" if not rows else "two_supervisors", name=name)
    return rows[0]


async def overview(connection: Connection, area: str | None, table: Table = DETECTORS) -> dict[str, Any]:
    """Every version that there is, in how many homes it rings or runs in shadow, and the acts that made it so."""
    parameters = {"area": area, "limit": ACTS_SHOWN}
    running = await (await connection.execute(sql.running, parameters)).fetchall()
    (homes,) = await (await connection.execute(sql.homes, parameters)).fetchall()
    acts = await (await connection.execute(sql.acts, parameters)).fetchall()
    counted = {(row["detector"], row["label"], row["state"]): row["homes"] for row in running}
    quiet = await (await connection.execute(sql.quiet, parameters)).fetchall()
    quieted = {(row["detector"], row["label"]): row["homes"] for row in quiet}
    detectors = []
    for name, labels in table.items():
        named = sum(counted.get((name, label, "live"), 0) for label in labels)
        first = next(iter(labels))
        # Where nobody has let any ring the table's first does, unless it was put into shadow there.
        otherwise = homes["homes"] - named - quieted.get((name, first), 0)
        versions = [
            {
                "label": label,
                "first": label == first,
                "live": counted.get((name, label, "live"), 0) + (otherwise if label == first else 0),
                "shadow": counted.get((name, label, "shadow"), 0),
            }
            for label in labels
        ]
        detectors.append({"detector": name, "versions": versions})
    return {"homes": homes["homes"], "detectors": detectors, "acts": acts}


async def look_back(
    connection: Connection,
    detector: str,
    label: str,
    until: datetime,
    now: datetime,
    *,
    days: int = REPORT_DAYS,
    scope: str | None = None,
    table: Table = DETECTORS,
) -> dict[str, Any]:
    """The version in shadow against what rang, over the `days` before `until`. Refused for one that there is not."""
    _known(detector, label, table)
    if not 1 <= days <= REPORT_DAYS_MAX:
        raise Refused("wrong_days", most=REPORT_DAYS_MAX)
    until = min(until, now)
    asked = Asked(detector, label, until - timedelta(days=days), until)
    values = {"detector": detector, "label": label, "area": await _area(connection, scope)}
    reach = max(shadow_report.BEFORE_OTHERWISE, *shadow_report.BEFORE.values())

    async def rows(query: str, first: datetime = asked.first) -> Sequence[dict[str, Any]]:
        return await (await connection.execute(query, {**values, "first": first, "until": until})).fetchall()

    return shadow_report.report(
        asked,
        [Act(**row) for row in await rows(sql.acts_of)],
        {row["area"]: Watched(row["homes"], row["people"]) for row in await rows(sql.people)},
        [_found(row) for row in await rows(sql.live_alarms)],
        [_found(row) for row in await rows(sql.shadow_alarms)],
        [Incident(**row) for row in await rows(sql.incidents, asked.first - reach)],
    )


def _known(detector: str, label: str, table: Table) -> None:
    if detector not in table:
        raise Refused("no_detector", detector=detector, known=", ".join(table))
    if label not in table[detector]:
        raise Refused("no_label", detector=detector, label=label, known=", ".join(table[detector]))


async def _area(connection: Connection, area: str | None) -> str | None:
    if area is None:
        return None
    if not area.isprintable():  # PostgreSQL has no text with a NUL
        raise Refused("no_area", area="?")
    if await (await connection.execute(sql.area, {"area": area})).fetchone() is None:
        raise Refused("no_area", area=area)
    return area


def _found(row: dict[str, Any]) -> Found:
    return Found(
        id=str(row["id"]),
        home=row["home"],
        area=row["area"],
        kind=row["kind"],
        at=row["raised_at"],
        since=_since(row["since_ms"]),
        restores=row["restores"],
        incident=row["incident"],
    )


def _since(since_ms: object) -> datetime | None:
    try:
        return from_ms(since_ms).astimezone(UTC) if isinstance(since_ms, int) else None
    except OverflowError:
        return None
