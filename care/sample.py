"""The sample neighbourhood: invented people in invented streets, for trying the platform out and for its tests.

It is loaded only into a register that is empty, and its credentials are made at random, so that a real installation
never holds an account that somebody else knows.
"""

import asyncio
import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from care import neighbourhood, register
from care.accounts import TOKEN_BYTES, Accounts, new_password, token_hash
from care.accounts import sql as accounts_sql
from care.changes import one_row
from care.csv_files import read_files
from care.principals import Role
from care.records import Device, Record, entity_of
from care.refusal import Refusal
from care.registrar import apply
from care.tables import Sheet
from care.transfer import read_source, write_private
from pingan.clock import SystemClock
from pingan.database import Connection, Database

FOLDER = Path(__file__).with_name("sample_data")
FILE = "sample.json"
HOMES = 20
SEED = 7
CLOCK = "sim-clock"
ACCOUNTS: tuple[tuple[str, str, Role], ...] = (
    ("operator", "王芳", "operator"),
    ("supervisor", "林志强", "supervisor"),
    ("admin", "管理员", "administrator"),
)


def load_sample(url: str, folder: Path, *, homes: int = HOMES) -> bool:
    """Load the sample into an empty register and write its credentials to `folder`/sample.json (0600).

    False: something is registered already, and nothing was touched. `homes` beyond the sample's 20 are generated;
    Refusal: not that many. Blocks; not to be called where an event loop runs.
    """
    if not HOMES <= homes <= neighbourhood.HOMES_LIMIT:
        raise Refusal("sample_homes", lowest=HOMES, highest=neighbourhood.HOMES_LIMIT)
    return asyncio.run(_load(url, folder, homes))


async def _load(url: str, folder: Path, homes: int) -> bool:
    database = Database(url, connections=1, application="pingan register sample")
    await database.open()
    try:
        hashed = await _accounts(Accounts(database))
        async with database.transaction() as connection:
            await connection.execute(register.sql.lock)
            if not await register.is_empty(connection):
                return False
            now = SystemClock().now()
            credentials = await _fill(connection, homes, now)
            token = await _enter(connection, hashed, now)
            described = await _describe(connection, credentials, hashed, token)
            # Before the commit: a file without its register is written again, a register without its file is locked.
            write_private(folder / FILE, msgspec.json.format(msgspec.json.encode(described), indent=1) + b"\n")
        return True
    finally:
        await database.close()


async def _accounts(accounts: Accounts) -> list[tuple[str, str, Role, str, str]]:
    """Id, name, role, a new password and its hash of each account."""
    made = []
    for account, name, role in ACCOUNTS:
        password = new_password()
        made.append((account, name, role, password, await accounts.hash(password)))
    return made


async def _fill(connection: Connection, homes: int, now: datetime) -> dict[str, str]:
    sheets, bad = read_files(read_source(FOLDER))
    report = await apply(connection, sheets, now, bad=bad)
    passwords = dict(report.passwords)
    if homes > HOMES:
        more = [_sheet(records) for records in neighbourhood.homes(HOMES + 1, homes, SEED)]
        passwords |= (await apply(connection, more, now)).passwords
    return passwords


def _sheet(records: Sequence[Record]) -> Sheet:
    return Sheet(entity_of(records[0]), [row for record in records for row in one_row(record).rows])


async def _enter(connection: Connection, accounts: list[tuple[str, str, Role, str, str]], now: datetime) -> str:
    values: dict[str, object]
    for account, name, role, _, hashed in accounts:
        values = {"id": account, "name": name, "role": role, "area": None, "language": "zh", "password_hash": hashed}
        await connection.execute(accounts_sql.add_account, values)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    values = {"token_hash": token_hash(token), "name": "sample", "role": "operator", "area": None, "now": now}
    await connection.execute(accounts_sql.add_token, values)
    return token


async def _describe(
    connection: Connection,
    credentials: dict[str, str],
    accounts: list[tuple[str, str, Role, str, str]],
    token: str,
) -> dict[str, Any]:
    records = await register.everything(connection)
    first: dict[str, Any] = {}
    for person in records["people"]:
        first.setdefault(person.home, person)
    gateways = _gateways(records["devices"], credentials)
    devices = [
        {"id": device.id, "password": credentials[device.id], "home": device.home, "kind": device.kind}
        for device in records["devices"]
        if device.id != CLOCK and device.gateway is None and device.id not in gateways
    ]
    homes = [
        {
            "id": home.id,
            "person": first[home.id].name,
            "language": first[home.id].language,
            "seed": place,
            "area": home.area,
        }
        for place, home in enumerate(records["homes"], 1)
    ]
    signs_in = {account: {"user": account, "password": password} for account, _, _, password, _ in accounts}
    return {
        **signs_in,
        "token": token,
        "devices": devices,
        "gateways": list(gateways.values()),
        "homes": homes,
        "phones": _phones(records),
        "clock": {"id": CLOCK, "password": credentials[CLOCK]},
    }


def _gateways(devices: Sequence[Device], credentials: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The hubs that speak for others, by their ids, each with its family (its model's name) and what is behind it."""
    found: dict[str, dict[str, Any]] = {}
    for device in devices:
        if device.gateway is not None:
            gateway = found.setdefault(device.gateway, {"id": device.gateway, "devices": []})
            gateway["devices"].append({"id": device.id, "address": device.address, "kind": device.kind})
    for device in devices:
        if device.id in found:
            found[device.id] |= {"password": credentials[device.id], "family": str(device.model).lower()}
    return found


def _phones(records: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Every number once, with whoever comes first: somebody may be a contact of two homes, or a helper as well."""
    found: dict[str, dict[str, Any]] = {}

    def add(number: str | None, name: str, home: str | None, role: str, language: str) -> None:
        if number is not None:
            found.setdefault(number, {"number": number, "name": name, "home": home, "role": role, "language": language})

    for contact in records["contacts"]:
        add(contact.phone, contact.name, contact.home, contact.role, contact.language)
    for responder in records["responders"]:
        add(responder.phone, responder.name, None, responder.role, responder.language)
    for person in records["people"]:
        add(person.phone, person.name, person.home, "resident", person.language)
    for home in records["homes"]:
        add(home.phone, home.address, home.id, "resident", "zh")
    return list(found.values())
