"""What a device can be told to go by: how often it says that it is there, how loud it is, when it reminds of a test.

Only devices that speak our own protocol can be told: what stands behind a gateway is set up at the gateway. The
dispatch room publishes what stands here; each change is a new revision, and the device says which one it runs.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from care import register, registrar
from care.records import DEVICES
from care.refusal import Refusal
from pingan.database import Connection, Queries

sql = Queries(__file__, "device_config.sql")

HEARTBEAT_LEVELS = (90, 180, 900, 18000, 90000)
"""Seconds: domain §4.6."""
VOLUMES = range(11)
HOLD_SECONDS = range(6)
"""How long a button is held before it is a press. Longer than this nobody with a stroke may be asked to hold."""
WEEKDAYS = range(1, 8)
"""Monday is 1."""
HOURS = range(24)


@dataclass(frozen=True, slots=True)
class Reminder:
    """When the device reminds its person each week to press it for a test, in the centre's time."""

    weekday: int
    hour: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants a device to go by."""

    heartbeat_seconds: int
    volume: int
    reminder: Reminder | None = None
    hold_seconds: int = 0


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """`state`: `waiting` (the broker has not got it yet), `sent` (it has) or `in_force` (the device says so)."""

    device: str
    revision: int
    heartbeat_seconds: int
    volume: int
    reminder: Reminder | None
    hold_seconds: int
    published_at: datetime | None
    reported_revision: int | None
    """Which one the device says it runs; None: it has never said."""
    state: Literal["waiting", "sent", "in_force"]


async def read(connection: Connection, device: str, scope: str | None = None) -> DeviceConfig | None:
    """A device's configuration; None: no such device in `scope`. Refusal: it cannot be told anything."""
    row = await (await connection.execute(sql.read, {"device": device, "scope": scope})).fetchone()
    if row is None:
        return None
    if row["gateway"] is not None:
        raise Refusal("config_behind_gateway", device=device, gateway=row["gateway"])
    if row["revision"] is None:
        raise Refusal("config_not_native", device=device, kind=row["kind"])
    return _config(row)


async def change(
    connection: Connection, device: str, wanted: Wanted, now: datetime, scope: str | None = None
) -> DeviceConfig | None:
    """Have a device go by something else; what stands then. None: no such device in `scope`. Refusal: it cannot be."""
    _check(wanted)
    async with connection.transaction():
        if await read(connection, device, scope) is None:
            return None
        record: Any = await register.one(connection, DEVICES, device, scope)
        # Through the register: detection must hear of another level.
        await registrar.save(connection, replace(record, heartbeat_seconds=wanted.heartbeat_seconds), now, scope)
        reminder = wanted.reminder
        await connection.execute(
            sql.change,
            {
                "device": device,
                "volume": wanted.volume,
                "weekday": reminder.weekday if reminder else None,
                "hour": reminder.hour if reminder else None,
                "hold": wanted.hold_seconds,
            },
        )
        return await read(connection, device, scope)


def _check(wanted: Wanted) -> None:
    if wanted.heartbeat_seconds not in HEARTBEAT_LEVELS:
        choices = ", ".join(map(str, HEARTBEAT_LEVELS))
        raise Refusal("not_one_of", text=wanted.heartbeat_seconds, choices=choices)
    bounded = [(wanted.volume, VOLUMES), (wanted.hold_seconds, HOLD_SECONDS)]
    if wanted.reminder is not None:
        bounded += [(wanted.reminder.weekday, WEEKDAYS), (wanted.reminder.hour, HOURS)]
    for value, allowed in bounded:
        if value not in allowed:
            raise Refusal("out_of_range", text=value, lowest=allowed[0], highest=allowed[-1])


def _config(row: dict[str, Any]) -> DeviceConfig:
    weekday, hour = row["reminder_weekday"], row["reminder_hour"]
    sent = row["published_revision"] == row["revision"]
    state: Literal["waiting", "sent", "in_force"] = "sent" if sent else "waiting"
    if row["reported_revision"] == row["revision"]:
        state = "in_force"
    return DeviceConfig(
        device=row["device"],
        revision=row["revision"],
        heartbeat_seconds=row["heartbeat_seconds"],
        volume=row["volume"],
        reminder=None if weekday is None else Reminder(weekday, hour),
        hold_seconds=row["hold_seconds"],
        published_at=row["published_at"],
        reported_revision=row["reported_revision"],
        state=state,
    )
