"""Who a device is: it is enrolled with one credential of its own, a password or a certificate, and may lose it again.

An enrolment makes a new credential and ends every older one; the broker follows the register within a second or two.
Functions on a connection; each is a transaction of its own, or part of the caller's.
"""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from care import register, registrar
from care.records import DEVICES, Device, heartbeat_seconds
from care.refusal import Refusal
from pingan.authority import Authority, AuthorityError, Issued
from pingan.database import Connection, Queries

sql = Queries(__file__, "devices.sql")

MADE_ID_BYTES = 4


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What is asked for. `id` None: one is made. What else is None stays as it is, or takes its default."""

    id: str | None = None
    kind: str | None = None
    home: str | None = None
    model: str | None = None
    gateway: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Enrolled:
    """One of `password` and `issued` is the device's credential; neither for one that speaks through a gateway."""

    device: Device
    password: str | None
    issued: Issued | None


@dataclass(frozen=True, slots=True)
class Certificate:
    """One that our authority has issued."""

    device: str
    serial: str
    issued_at: datetime
    expires_at: datetime
    revoked: bool
    revoked_at: datetime | None


async def enrol(
    connection: Connection, asked: Enrolment, now: datetime, authority: Authority | None = None
) -> Enrolled:
    """A device with a new credential: a certificate of `authority` if it is given, else a password.

    The register gives every device a password. Where that is not its credential nobody ever sees it.
    """
    async with connection.transaction():
        await connection.execute(register.sql.lock)
        before = await _find(connection, asked.id) if asked.id is not None else None
        device = _wanted(before, asked)
        if authority is not None and device.gateway is not None:
            raise Refusal("certificate_behind_gateway")
        saved = await registrar.save(connection, device, now)
        password = saved.password or await registrar.renew_device_password(connection, device.id)
        await connection.execute(sql.end_certificates, {"device": device.id, "now": now})
        issued = await _issue(connection, authority, device.id, now) if authority is not None else None
        enrolled = await _find(connection, device.id)
    if enrolled is None:
        raise Refusal("no_device", id=device.id)
    told = issued is None and enrolled.gateway is None
    return Enrolled(replace(enrolled, mqtt_password_hash=None), password if told else None, issued)


async def revoke(connection: Connection, device: str, now: datetime) -> None:
    """End every credential of a device. It stays registered, and may be enrolled again. Refusal: there is none."""
    async with connection.transaction():
        if await registrar.renew_device_password(connection, device) is None:
            raise Refusal("no_device", id=device)
        await connection.execute(sql.end_certificates, {"device": device, "now": now})


async def enable(connection: Connection, device: str, enabled: bool, now: datetime) -> None:
    """Let it in or keep it out, with the credential that it has. Refusal: there is none."""
    async with connection.transaction():
        await connection.execute(register.sql.lock)
        found = await _find(connection, device)
        if found is None:
            raise Refusal("no_device", id=device)
        await registrar.save(connection, replace(found, enabled=enabled), now)


async def all_devices(connection: Connection) -> list[Device]:
    found = await register.some(connection, DEVICES, None)
    return [replace(one, mqtt_password_hash=None) for one in found]


async def one_device(connection: Connection, device: str) -> Device:
    """Refusal: there is none."""
    found = await _find(connection, device)
    if found is None:
        raise Refusal("no_device", id=device)
    return replace(found, mqtt_password_hash=None)


async def certificates(connection: Connection, device: str | None = None) -> list[Certificate]:
    """Of one device, or of all; each device's newest first."""
    devices = None if device is None else [device]
    rows = await (await connection.execute(sql.certificates, {"devices": devices})).fetchall()
    return [Certificate(**row) for row in rows]


async def _issue(connection: Connection, authority: Authority, device: str, now: datetime) -> Issued:
    try:
        issued = authority.device(device, now)
    except AuthorityError as error:
        raise Refusal("authority", error=error) from error
    values = {"serial": issued.serial, "device": device, "now": now, "expires_at": issued.expires_at}
    await connection.execute(sql.add_certificate, values)
    return issued


async def _find(connection: Connection, device: str) -> Device | None:
    found = await register.some(connection, DEVICES, [device])
    return found[0] if found else None


def _wanted(before: Device | None, asked: Enrolment) -> Device:
    given: dict[str, Any] = {
        name: value
        for name in ("kind", "home", "model", "gateway", "address")
        if (value := getattr(asked, name)) is not None
    }
    if before is not None:
        return replace(before, **given)
    if asked.kind is None:
        raise Refusal("kind_needed", id=asked.id or "—")
    # A name that is taken would be somebody's device; of 2³² nobody meets the same twice by chance.
    made = asked.id or f"{asked.kind}-{secrets.token_hex(MADE_ID_BYTES)}"
    return Device(id=made, heartbeat_seconds=heartbeat_seconds(asked.gateway), **given)
