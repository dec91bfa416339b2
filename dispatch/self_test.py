"""Self-tests: a press that walks the whole way, from a device's button to the desk's screen and back, and is no call.

Somebody opens a window; the device is asked on `down/prompt`; its answer, an alarm with `test: true`, is believed once
while the window is open. Its incident rings softly, calls nobody, and closes by itself when a screen has drawn it.
What does not come in time is a technical fault. A window that a weekly reminder opens asks nobody: the device does, and
nobody need be at home.
"""

import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5
from zoneinfo import ZoneInfo

from psycopg.types.json import Jsonb

from dispatch.policy import is_danger
from pingan.clock import Clock
from pingan.database import LOST, Bell, Connection, Database, Queries

log = logging.getLogger(__name__)
sql = Queries(__file__, "self_test.sql")

WINDOW_SECONDS = 600
"""Chosen: time to walk to the button from the next room, and no longer than a real press may be taken for a test."""
ANSWER_SECONDS = 5
"""What was pressed in the last moment is on its way for so long."""
SEEN_SECONDS = 60
"""A screen has so long to draw what was pressed in the last moment."""
REMINDED_SECONDS = 3600
"""A reminder's hour."""
EARLY_SECONDS = 300
"""A device whose clock is ahead reminds before the hour: its test must not ring as a call."""
DUE_SECONDS = 8 * 86400
"""A week, and a day's grace: who pressed on a Monday morning need not press earlier on the next."""
LOOK_SECONDS = 1.0
REMIND_SECONDS = 30
AT_ONCE = 100
WINDOWS_SHOWN = 50
REMINDER = "reminder"
"""Who opened the window of a weekly reminder."""
NOT_TESTED = ("panel", "clock")
"""Kinds that do not speak our protocol, or have nobody to press them."""

FAULT, RESTORED = "self_test", "fault_restored"
_ALARMS = UUID("0e0b2a35-4a3c-4c0e-8f0e-7a1d0f6f9b52")

Row = dict[str, Any]


class NotTested(Exception):
    """No window is opened; `name` says why: unknown_device, behind_gateway, not_native, disabled, test_under_way."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(detail)
        self.name = name


async def open_window(connection: Connection, device: str, by: str, now: datetime, scope: str | None = None) -> Row:
    """Open a window of ten minutes, in which the device is asked; the window. NotTested if that cannot be."""
    known = await (await connection.execute(sql.device, {"device": device, "scope": scope})).fetchone()
    if known is None:
        raise NotTested("unknown_device", f"the register has no device {device}")
    if known["gateway"] is not None:
        raise NotTested("behind_gateway", f"{device} speaks through the gateway {known['gateway']}: nothing can ask it")
    if known["kind"] in NOT_TESTED:
        raise NotTested("not_native", f"a {known['kind']} cannot be asked")
    if not known["enabled"]:
        raise NotTested("disabled", f"{device} is switched off in the register")
    async with connection.transaction():
        window = {
            "device": device, "home": known["home"], "by": by, "prompt": uuid4(), "now": now,
            "until": now + timedelta(seconds=WINDOW_SECONDS),
        }  # fmt: skip
        await connection.execute(sql.give_way, window)
        opened = await (await connection.execute(sql.open, window)).fetchone()
        if opened is None:
            raise NotTested("test_under_way", f"a test of {device} is under way already")
    (shown,) = await windows(connection, device, scope, window=opened["id"])
    return shown


async def windows(
    connection: Connection, device: str, scope: str | None = None, *, window: int | None = None
) -> list[Row]:
    """A device's tests, the newest first, with when it was pressed, durable, shown and told; or one of them."""
    parameters = {"device": device, "scope": scope, "window": window, "limit": WINDOWS_SHOWN}
    return await (await connection.execute(sql.windows, parameters)).fetchall()


async def tests_due(connection: Connection, scope: str | None, now: datetime) -> list[Row]:
    """The devices that are to be tested weekly and have not been: device, home, kind, last_passed_at (or None)."""
    parameters = {"scope": scope, "since": now - timedelta(seconds=DUE_SECONDS)}
    return await (await connection.execute(sql.due, parameters)).fetchall()


async def window_of(connection: Connection, alarm: Row) -> int | None:
    """The window within which the centre received this test. None: it is no test, or nobody asked for one: it rings."""
    if not alarm["test"] or alarm["device"] is None or not is_danger(alarm["kind"]):
        return None
    row = await (await connection.execute(sql.window_of, alarm)).fetchone()
    return row["id"] if row else None


async def taken(connection: Connection, window: int, alarm: Row, incident: int) -> None:
    """A window's one press has come, and is this incident's."""
    await connection.execute(
        sql.taken,
        {
            "window": window,
            "alarm": alarm["id"],
            "incident": incident,
            "at": alarm["at"],
            "raised_at": alarm["raised_at"],
        },
    )


async def passed(connection: Connection, incident: int, now: datetime) -> None:
    """A test's incident is over: it was seen. What failed before and was not restored is restored by it."""
    windows = await (await connection.execute(sql.passed, {"incident": incident, "now": now})).fetchall()
    for window in windows:
        for failed in window["failed"] or ():
            evidence = {"source": FAULT, "restores": str(_alarm_id(failed, FAULT))}
            await _raise(connection, failed, RESTORED, window, evidence, now)


async def end_windows(connection: Connection, now: datetime) -> int:
    """End the windows whose time is up; how many. Each that failed raises a technical alarm."""
    parameters = {
        "now": now, "limit": AT_ONCE,
        "answered": now - timedelta(seconds=ANSWER_SECONDS), "seen": now - timedelta(seconds=SEEN_SECONDS),
    }  # fmt: skip
    rows = await (await connection.execute(sql.over, parameters)).fetchall()
    for row in rows:
        if row["state"] == "failed":
            evidence = {
                "source": FAULT,
                "reason": row["reason"],
                "opened_by": row["opened_by"],
                "since_ms": round(row["opened_at"].timestamp() * 1000),
            }
            await _raise(connection, row["id"], FAULT, row, evidence, now)
    return len(rows)


async def remind(connection: Connection, now: datetime, zone: ZoneInfo) -> int:
    """Open the windows of the devices that remind somebody in this hour of the centre's; how many."""
    early = timedelta(seconds=EARLY_SECONDS)
    hour = (now + early).astimezone(zone).replace(minute=0, second=0, microsecond=0)
    parameters = {
        "by": REMINDER, "weekday": hour.isoweekday(), "hour": hour.hour, "now": now, "began": hour - early,
        "until": hour + timedelta(seconds=REMINDED_SECONDS),
    }  # fmt: skip
    return (await connection.execute(sql.remind, parameters)).rowcount


async def keep_testing(database: Database, clock: Clock, bell: Bell, zone: ZoneInfo) -> None:
    """End windows when their time is up, and open those of the weekly reminders, until cancelled."""
    next_look = now = clock.now()
    while True:
        try:
            now = clock.now()
            async with database.transaction() as connection:
                while await end_windows(connection, now) == AT_ONCE:
                    pass
            if now >= next_look:
                async with database.connection() as connection:
                    await remind(connection, now, zone)
                next_look = now + timedelta(seconds=REMIND_SECONDS)
        except LOST as error:
            log.debug("self-tests wait for the database: %s", error)
        except Exception:
            # Beside it stand those who tell people: they go on, whatever is wrong here.
            log.exception("self-tests cannot be looked after; it is tried again")
        await bell.wait(LOOK_SECONDS)


async def _raise(connection: Connection, window: int, kind: str, of: Row, evidence: Row, now: datetime) -> None:
    await connection.execute(
        sql.raise_alarm,
        {
            "alarm": _alarm_id(window, kind),
            "kind": kind,
            "home": of["home"],
            "device": of["device"],
            "now": now,
            "evidence": Jsonb(evidence),
        },
    )


def _alarm_id(window: int, kind: str) -> UUID:
    """Of one window there is one fault, and one restore, however often it is said."""
    return uuid5(_ALARMS, f"{kind} {window}")
