"""Asking the resident before anybody is rung, and what detection takes back.

A suspicion opens no incident: whoever lives there is asked on every device of the home that can ask. The answer is
recorded, and heard by detection as everything else is; it closes nothing. Detection alone ends a suspicion: it takes it
back (`withdrawn`), or confirms it with a danger, which rings whether anybody could be asked or not.

What is taken back after it has rung is told to its incident, and closes nothing there either.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from dispatch.incident import ResidentAsked, Withdrawn
from dispatch.policy import is_danger
from pingan.clock import Clock
from pingan.database import LOST, Bell, Connection, Database, Queries
from pingan.messages import NOTES, SUSPICIONS, WITHDRAWN
from pingan.mqtt import Mqtt

log = logging.getLogger(__name__)
sql = Queries(__file__, "asking.sql")

KINDS = (*SUSPICIONS, WITHDRAWN, *NOTES)
"""What detection says that rings nobody. A danger never waits behind it."""
QUESTION = "are_you_all_right"
ASKING_KINDS = ("button", "pendant", "hub", "watch", "tracker")
"""Kinds of device that can ask somebody. A smoke detector cannot."""
ANSWER_LATE_SECONDS = 60
"""An answer that is pressed as the question ends is still one. What comes later is told to the incident alone."""
CONFIRM_SECONDS = 5.0
"""How long the broker may take to confirm a batch of questions."""
LOOK_SECONDS = 1.0
"""A new question rings; this is for a ring that was lost, and for presses that answer one."""
AT_ONCE = 200
SHOWN = 100
"""Questions and notes that one list shows."""
UNTIL_MS_MAX = 253_402_300_799_000
"""The year 9999: a time that the database can hold."""

DERIVED = "derived"
"""The source of what detection says itself."""
CONFIRMED = "confirmed"
UNNAMED = "unnamed"
"""Why something was taken back by who did not say why."""

Row = dict[str, Any]


class Quiet(NamedTuple):
    """What became of something quiet: the incident that it concerns, and what that is to be told."""

    incident: int | None = None
    event: ResidentAsked | Withdrawn | None = None


def is_quiet(alarm: Row) -> bool:
    """Whether this opens no incident and rings nobody. Only detection's own word does: from a device any kind rings."""
    return alarm["kind"] in KINDS and alarm["evidence"].get("source") == DERIVED and alarm["home"] is not None


async def take(connection: Connection, alarm: Row, now: datetime) -> Quiet:
    """Take what is quiet."""
    if alarm["kind"] in SUSPICIONS:
        return await _begin(connection, alarm, now)
    if alarm["kind"] in NOTES:
        await connection.execute(sql.note, alarm)
        return Quiet()
    return await _withdraw(connection, alarm, now)


async def answered(connection: Connection, alarm: Row) -> None:
    """The resident pressed *ok* or *cancel*: it answers every question of their home that waits for one."""
    await connection.execute(
        sql.answered,
        {
            "home": alarm["home"],
            "device": alarm["device"],
            "kind": alarm["kind"],
            "at": alarm["received_at"],
            "late": timedelta(seconds=ANSWER_LATE_SECONDS),
        },
    )


async def follow(connection: Connection, alarm: Row, now: datetime) -> list[ResidentAsked | Withdrawn]:
    """An alarm has been taken to its incident: what that is to be told of the time before. Of a press, nothing."""
    evidence = alarm["evidence"]
    if evidence.get("source") != DERIVED or not is_danger(alarm["kind"]):
        return []
    told: list[ResidentAsked | Withdrawn] = []
    suspicion = _uuid(evidence.get("follows"))
    if suspicion is not None:
        parameters = {"suspicion": suspicion, "danger": alarm["id"], "reason": CONFIRMED, "now": now}
        asked = await (await connection.execute(sql.confirm, parameters)).fetchone()
        if asked is not None:
            told.append(_asked(asked))
    # What takes it back may have come before it, or be the next that is taken: it is told once.
    over = [str(alarm["id"]), *([str(suspicion)] if suspicion else [])]
    found = await connection.execute(sql.withdrawal_of, {"alarms": over, "since": alarm["raised_at"]})
    withdrawal = await found.fetchone()
    if withdrawal is not None:
        await connection.execute(sql.restore, {"alarms": [alarm["id"]], "now": now})
        told.append(Withdrawn(alarm["kind"], withdrawal["reason"] or UNNAMED))
    return told


async def under_way(connection: Connection, now: datetime, scope: str | None = None) -> list[Row]:
    """Who is being asked now, whose time is up soonest first."""
    parameters = {"now": now, "scope": scope, "limit": SHOWN}
    return await (await connection.execute(sql.under_way, parameters)).fetchall()


async def of_home(connection: Connection, home: str, scope: str | None = None) -> list[Row]:
    """The questions of a home, the newest first."""
    parameters = {"home": home, "scope": scope, "limit": SHOWN}
    return await (await connection.execute(sql.of_home, parameters)).fetchall()


async def of_incident(connection: Connection, incident: int) -> list[Row]:
    """What was asked before the dangers of an incident."""
    return await (await connection.execute(sql.of_incident, {"incident": incident})).fetchall()


async def notes(
    connection: Connection, scope: str | None = None, home: str | None = None, *, every: bool = False
) -> list[Row]:
    """Notes for the visit that nobody has taken note of yet (`every`: all), the newest first."""
    parameters = {"scope": scope, "home": home, "every": every, "limit": SHOWN}
    return await (await connection.execute(sql.notes, parameters)).fetchall()


async def acknowledge(
    connection: Connection, note: UUID, by: str, now: datetime, scope: str | None = None
) -> str | None:
    """Somebody takes note; the note's home. Whoever was first stays named. None: there is no such note in `scope`."""
    parameters = {"note": note, "by": by, "now": now, "scope": scope}
    row = await (await connection.execute(sql.acknowledge, parameters)).fetchone()
    return row["home"] if row else None


async def keep_asking(mqtt: Mqtt, database: Database, clock: Clock, bell: Bell) -> None:
    """Put the questions to the devices, and take them back, until cancelled. Asked twice is asked once."""
    while True:
        try:
            async with database.connection() as connection:
                await connection.execute(sql.pressed, {"now": clock.now()})
            if mqtt.connected:
                await _tell(mqtt, database, clock)
        except (*LOST, TimeoutError) as error:
            log.debug("nobody is asked yet: %s", error or type(error).__name__)
        except Exception:
            # Beside it stand those who tell people: they go on, whatever is wrong here.
            log.exception("nobody can be asked; it is tried again")
        await bell.wait(LOOK_SECONDS)


async def _begin(connection: Connection, alarm: Row, now: datetime) -> Quiet:
    until = _until(alarm["evidence"].get("until_ms"))
    found = await connection.execute(sql.askable, {"home": alarm["home"], "kinds": list(ASKING_KINDS)})
    devices = [row["id"] for row in await found.fetchall()]
    reason, danger = await _ended(connection, alarm)
    parameters = {
        "alarm": alarm["id"], "kind": alarm["kind"], "home": alarm["home"], "now": now, "until": until,
        "devices": devices, "not_asked": _why_not(until, devices, now, over=reason is not None),
        "ended_at": now if reason is not None else None, "reason": reason, "danger": danger["id"] if danger else None,
    }  # fmt: skip
    begun = await (await connection.execute(sql.begin, parameters)).fetchone()
    if begun is None or danger is None or danger["incident"] is None:
        return Quiet()
    return Quiet(danger["incident"], _asked(begun))


def _why_not(until: datetime | None, devices: Sequence[str], now: datetime, *, over: bool) -> str | None:
    if over:
        return "over_already"
    if until is None:
        return "no_time_given"
    if until <= now:
        return "too_late"
    return None if devices else "no_device"


async def _ended(connection: Connection, alarm: Row) -> tuple[str | None, Row | None]:
    """Why a suspicion is over that has just come, and the danger that followed it: a danger is taken first, and what
    takes it back may be.
    """
    followed = {"home": alarm["home"], "alarm": str(alarm["id"]), "since": alarm["raised_at"]}
    danger = await (await connection.execute(sql.danger_of, followed)).fetchone()
    over = {"alarms": [str(alarm["id"])], "since": alarm["raised_at"]}
    withdrawal = await (await connection.execute(sql.withdrawal_of, over)).fetchone()
    if danger is not None:
        return CONFIRMED, danger
    return (None, None) if withdrawal is None else (withdrawal["reason"] or UNNAMED, None)


async def _withdraw(connection: Connection, alarm: Row, now: datetime) -> Quiet:
    restored = _uuid(alarm["evidence"].get("restores"))
    if restored is None:
        log.error("alarm %s takes nothing back that has a name", alarm["id"])
        return Quiet()
    reason = _reason(alarm)
    # In this order: whoever takes the suspicion at this moment has its row, and is waited for.
    quiet = await _restore(connection, restored, reason, now)
    asking = await (await connection.execute(sql.end, {"alarm": restored, "reason": reason, "now": now})).fetchone()
    if asking is not None and asking["danger"] is not None:
        quiet = await _restore(connection, asking["danger"], reason, now)
    return quiet


async def _restore(connection: Connection, restored: UUID, reason: str, now: datetime) -> Quiet:
    """An alarm is over; its incident is told once."""
    row = await (await connection.execute(sql.lock, {"alarm": restored})).fetchone()
    if row is None:
        return Quiet()
    await connection.execute(sql.restore, {"alarms": [restored], "now": now})
    tell = row["incident"] is not None and row["restored_at"] is None
    return Quiet(row["incident"], Withdrawn(row["kind"], reason) if tell else None)


def _asked(asking: Row) -> ResidentAsked:
    return ResidentAsked(
        devices=len(asking["devices"]),
        asked_at=asking["asked_at"],
        until=asking["until"],
        answer=asking["answer"],
        not_asked=asking["not_asked"] or ("not_told" if asking["asked_at"] is None else None),
    )


async def _tell(mqtt: Mqtt, database: Database, clock: Clock) -> None:
    now = clock.now()
    async with database.connection() as connection:
        rows = await (await connection.execute(sql.to_tell, {"now": now, "limit": AT_ONCE})).fetchall()
    if not rows:
        return
    published = [
        mqtt.publish(f"pingan/v1/{device}/down/prompt", _prompt(row)) for row in rows for device in row["devices"]
    ]
    async with asyncio.timeout(CONFIRM_SECONDS):
        await asyncio.gather(*published)
    async with database.connection() as connection:
        asked = [row["alarm"] for row in rows if not row["over"]]
        back = [row["alarm"] for row in rows if row["over"]]
        await connection.execute(sql.told, {"asked": asked, "back": back, "now": clock.now()})


def _prompt(row: Row) -> bytes:
    """The question; or, where it is over, the same with a time that has passed."""
    until = row["over"] or row["until"]
    return msgspec.json.encode({"id": str(row["alarm"]), "ask": QUESTION, "until": until.isoformat()})


def _reason(alarm: Row) -> str:
    reason = alarm["evidence"].get("reason")
    return reason if isinstance(reason, str) and reason else UNNAMED


def _until(until_ms: Any) -> datetime | None:
    if isinstance(until_ms, bool) or not isinstance(until_ms, int | float) or not 0 <= until_ms <= UNTIL_MS_MAX:
        return None
    return datetime.fromtimestamp(until_ms / 1000, UTC)


def _uuid(text: Any) -> UUID | None:
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None
