"""What fell silent and waits to be grouped: read, marked and counted for the desk."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from dispatch.grouping import CAUSES, RESTORES, SHARE, Areas, Cluster, Loss, Open, clusters, to_be_sized
from dispatch.policy import FINDINGS, TECHNICAL, is_restore
from pingan.database import Connection, Queries

sql = Queries(__file__, "silence.sql")

Row = dict[str, Any]

AT_ONCE = 5000
"""Losses that one look takes: a power cut of a district. All are seen at once, for what they are is seen only so; the
process, in which presses are taken too, stands still for some 20 ms for so many."""
BACK_AT_ONCE = 500
"""Restores that one look takes: they need not be seen together."""

ENDING = tuple(sorted(kind for kind in TECHNICAL - FINDINGS if not is_restore(kind)))
"""Kinds that something can end."""


class Rows(NamedTuple):
    """An incident's alarms: how many are not over, of how many devices, and how many of those are back."""

    left: int
    devices: int
    back: int


class Silence(NamedTuple):
    """What waits at this moment, the groups that are open, and the areas that it lies in."""

    losses: list[Loss]
    times: dict[UUID, Row]
    groups: list[Open]
    areas: Areas


async def my_turn(connection: Connection) -> bool:
    """Whether nobody else groups now. Until the transaction ends it is ours."""
    row = await (await connection.execute(sql.turn)).fetchone()
    return row is not None and bool(row["mine"])


async def look(connection: Connection, now: datetime) -> Silence:
    parameters = {"causes": list(CAUSES), "now": now, "limit": AT_ONCE}
    rows = await (await connection.execute(sql.waiting, parameters)).fetchall()
    if not rows:
        return Silence([], {}, [], Areas({}))
    groups = await (await connection.execute(sql.open_groups)).fetchall()
    given = {"areas": list({row["area"] for row in rows if row["area"] is not None})}
    areas = await (await connection.execute(sql.areas, given)).fetchall()
    return Silence(
        [_loss(row) for row in rows],
        {row["id"]: row for row in rows},
        [_open(row) for row in groups],
        Areas({area["code"]: area["parent"] for area in areas}),
    )


async def grouped(connection: Connection, losses: Sequence[Loss], areas: Areas) -> tuple[list[Cluster], list[Loss]]:
    """What of `losses` belongs together, and what is alone."""
    in_areas, of_models = to_be_sized(losses, areas)
    return clusters(
        losses,
        areas,
        await _sizes(connection, sql.area_homes, "code", in_areas),
        await _sizes(connection, sql.model_devices, "model", of_models),
    )


async def restores(connection: Connection) -> list[Row]:
    """Waiting restores of what is held and grouped."""
    parameters = {"restores": list(RESTORES), "limit": BACK_AT_ONCE}
    return await (await connection.execute(sql.restores, parameters)).fetchall()


async def end(connection: Connection, ended: Iterable[UUID], now: datetime) -> dict[UUID, int | None]:
    """Alarms that are over from now on; of each that was not before, its incident (None: it is on none yet)."""
    rows = await (await connection.execute(sql.over, {"alarms": list(ended), "now": now})).fetchall()
    return {row["id"]: row["incident"] for row in rows}


async def taken(connection: Connection, alarms: Iterable[UUID], incident: int | None, now: datetime) -> None:
    await connection.execute(sql.taken, {"alarms": list(alarms), "incident": incident, "now": now})


async def let_go(connection: Connection, alarms: Iterable[UUID]) -> None:
    """They belong to no group: intake takes each to its own home's incident."""
    await connection.execute(sql.alone, {"alarms": list(alarms)})


async def let_all_go(connection: Connection, now: datetime) -> None:
    """The same of everything that has waited its time, whatever it might belong to."""
    await connection.execute(sql.all_alone, {"kinds": [*CAUSES, *RESTORES], "now": now})


async def rows_of(connection: Connection, incident: int) -> Rows:
    row = await (await connection.execute(sql.rows, {"incident": incident, "kinds": list(ENDING)})).fetchone()
    assert row is not None
    return Rows(row["left"], row["devices"], row["devices"] - row["silent"])


def ended_by(restores: str | None) -> UUID | None:
    """The alarm that a restore names."""
    try:
        return UUID(restores or "")
    except ValueError:
        return None


async def _sizes(connection: Connection, query: str, key: str, lost: dict[str, int]) -> dict[str, int]:
    if not lost:
        return {}
    parameters = {"codes": list(lost), "lost": list(lost.values()), "share": SHARE}
    return {row[key]: row["size"] for row in await (await connection.execute(query, parameters)).fetchall()}


def _loss(row: Row) -> Loss:
    value = row["value"]
    # By our own clock and by what was heard: the time that a device itself names may be anything.
    counted = (
        row["kind"] != "mains_lost" and not row["homes"] and type(value) in (int, float) and 0 <= value <= 366 * 86400
    )
    return Loss(
        id=row["id"],
        kind=row["kind"],
        device=row["device"],
        home=row["home"],
        gateway=row["gateway"],
        area=row["area"],
        model=row["model"],
        since=row["at"] - timedelta(seconds=value) if counted else row["at"],
        ripe=not row["held"],
        homes=row["homes"],
    )


def _open(row: Row) -> Open:
    group = row["body"]
    return Open(row["id"], group["by"], group["of"], datetime.fromisoformat(group["until"]))
