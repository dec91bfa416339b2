"""Whose transmitter it is: its device, its credentials, and what is remembered of it between two requests.

An authentication has 15 characters because the protocol says so; ours are drawn at random (89 bits), so that they are
hashed with a salt as devices' passwords are, and not slowly as people's. Each transmitter has its own.
"""

import base64
import hashlib
import hmac
import secrets
import string
from datetime import datetime
from typing import Any, NamedTuple

from ingest.sos_access.protocol import AUTHENTICATION_LENGTH
from pingan.database import Connection, Queries
from pingan.local.mosquitto_password import hash_password

sql = Queries(__file__, "sos_access.sql")

_ALPHABET = string.ascii_letters + string.digits
_NOBODY = hash_password("")
"""Compared with where there is no transmitter of that code, so that the time taken does not say so."""


def new_authentication() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(AUTHENTICATION_LENGTH))


def matches(authentication: str, stored: str) -> bool:
    """Whether `stored` is a hash of it. Takes as long whether or not."""
    salt = base64.b64decode(stored.split("$")[3])
    return hmac.compare_digest(hash_password(authentication, salt), stored)


class Transmitter(NamedTuple):
    code: str
    device: str
    home: str | None
    enabled: bool
    monitored: bool
    heartbeat_seconds: int


class Counted(NamedTuple):
    """`seq` orders what a transmitter says; `faults` are all that it has reported and not mended."""

    seq: int
    faults: list[str]


class Beat(NamedTuple):
    counted: Counted
    pings: int
    """How many heartbeats within its present window, this one included."""


class Alarm(NamedTuple):
    seq: int
    event: str
    times: int
    """How often this event was heard, this time included."""


async def find(connection: Connection, code: str, authentication: str) -> Transmitter | None:
    """The transmitter, if the authentication is its own. The first use of one that it was given ends the old one."""
    row = await (await connection.execute(sql.transmitter, {"code": code})).fetchone()
    if row is None:
        matches(authentication, _NOBODY)
        return None
    if row["next_hash"] is not None and matches(authentication, row["next_hash"]):
        await connection.execute(sql.first_use, {"code": code, "hash": row["next_hash"]})
    elif not matches(authentication, row["authentication_hash"]):
        return None
    return Transmitter(code, row["device"], row["home"], row["enabled"], row["monitored"], row["heartbeat_seconds"])


async def alarm(
    connection: Connection, code: str, said: str | None, event: str, now: datetime, before: datetime
) -> Alarm:
    """An alarm that says `said` (None: nothing by which a repeat could be told): known since `before`, or new."""
    digest = hashlib.sha256(said.encode()).digest() if said is not None else secrets.token_bytes(16)
    parameters = {"code": code, "digest": digest, "event": event, "now": now, "before": before}
    row = await _one(connection, sql.alarm, parameters)
    return Alarm(row["seq"], row["event"], row["times"])


async def count(connection: Connection, code: str) -> Counted:
    row = await _one(connection, sql.count, {"code": code})
    return Counted(row["seq"], row["faults"])


async def fault(connection: Connection, code: str, name: str, holds: bool) -> Counted:
    """A fault has begun, or is over."""
    row = await _one(connection, sql.fault, {"code": code, "fault": name, "holds": holds})
    return Counted(row["seq"], row["faults"])


async def ping(connection: Connection, code: str, now: datetime, before: datetime) -> Beat:
    row = await _one(connection, sql.ping, {"code": code, "now": now, "before": before})
    return Beat(Counted(row["seq"], row["faults"]), row["pings"])


async def give_next(connection: Connection, code: str) -> str:
    """An authentication for a transmitter that asks for one; valid when this has committed."""
    authentication = new_authentication()
    await connection.execute(sql.give_next, {"code": code, "hash": hash_password(authentication)})
    return authentication


async def add(connection: Connection, code: str, device: str, now: datetime, *, monitored: bool = True) -> str | None:
    """Make `device` of the register the transmitter `code`; its authentication, which is kept nowhere else.

    None: there is such a code already. psycopg.IntegrityError: no such device, or it is another transmitter.
    """
    authentication = new_authentication()
    given = {"code": code, "device": device, "monitored": monitored, "now": now, "hash": hash_password(authentication)}
    added = await connection.execute(sql.add_transmitter, given)
    return authentication if added.rowcount else None


async def renew(connection: Connection, code: str) -> str | None:
    """A new authentication at once, in place of what was; None: there is no such transmitter."""
    authentication = new_authentication()
    changed = await connection.execute(sql.renew, {"code": code, "hash": hash_password(authentication)})
    return authentication if changed.rowcount else None


async def remove(connection: Connection, code: str) -> bool:
    return bool((await connection.execute(sql.remove_transmitter, {"code": code})).rowcount)


async def listed(connection: Connection) -> list[dict[str, Any]]:
    return await (await connection.execute(sql.transmitters)).fetchall()


async def _one(connection: Connection, query: str, parameters: dict[str, Any]) -> dict[str, Any]:
    row = await (await connection.execute(query, parameters)).fetchone()
    if row is None:
        raise LookupError(f"the transmitter {parameters['code']} was removed meanwhile")
    return row
