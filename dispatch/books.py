"""The books of policies that are kept: which holds, which held, and saving another. Functions on a connection."""

import logging
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from dispatch.book import REQUIRED, Book, Fault, faults
from pingan.database import Connection, Queries

log = logging.getLogger(__name__)
sql = Queries(__file__, "books.sql")

VERSIONS_SHOWN = 200
WHY_CHARACTERS = 1_000


class Faulty(Exception):
    """This book is not saved."""

    def __init__(self, found: list[Fault]) -> None:
        super().__init__(", ".join(fault.name for fault in found))
        self.faults = found


class SavedMeanwhile(Exception):
    """Somebody else has saved another since this one was looked at."""

    def __init__(self, version: int) -> None:
        super().__init__(f"version {version} holds")
        self.version = version


@cache
def shipped() -> Book:
    """Version 0: what holds until somebody saves another."""
    return msgspec.json.decode(resources.files("dispatch").joinpath("policies.json").read_bytes(), type=Book)


async def current(connection: Connection, known: Book | None = None) -> Book:
    """The book that holds. `known` is one that was read before: it is read again only if another holds by now.

    One that cannot be read holds up no call: what was known goes on, or what is shipped.
    """
    parameters = {"known": known.version if known is not None else 0}
    row = await (await connection.execute(sql.current, parameters)).fetchone()
    if row is None:
        return shipped()
    if row["body"] is None and known is not None:
        return known
    try:
        book = _book(row["version"], row["body"])
    except msgspec.ValidationError as error:
        log.error("version %s of the policies cannot be read: %s", row["version"], error)
        return known or shipped()
    if any(name not in book.policies for name in REQUIRED):
        log.error("version %s of the policies lacks one of %s", row["version"], ", ".join(REQUIRED))
        return known or shipped()
    return book


async def version(connection: Connection, number: int) -> Book | None:
    """One that held. None: there is none."""
    if number == 0:
        return shipped()
    row = await (await connection.execute(sql.version, {"version": number})).fetchone()
    return _book(number, row["body"]) if row else None


async def versions(connection: Connection) -> list[dict[str, Any]]:
    """Who saved which and why, the latest first; what is shipped is not among them."""
    return await (await connection.execute(sql.versions, {"limit": VERSIONS_SHOWN})).fetchall()


async def named(connection: Connection) -> list[str]:
    """The policies that homes have as their own."""
    return [row["policy"] for row in await (await connection.execute(sql.named)).fetchall()]


async def save(connection: Connection, book: Book, by: str, why: str, now: datetime) -> Book:
    """Keep a book; from now on it holds. `book.version` is the one that it was made from.

    Faulty; SavedMeanwhile if another holds by now. Within the caller's transaction.
    """
    await connection.execute(sql.lock)
    held = await current(connection)
    if held.version != book.version:
        raise SavedMeanwhile(held.version)
    if found := faults(book, {*await named(connection)} & {*held.policies}):
        raise Faulty(found)
    last = await (await connection.execute(sql.last)).fetchone()
    saved = msgspec.structs.replace(book, version=(last["version"] if last else 0) + 1)
    body = {**msgspec.to_builtins(saved), "version": saved.version}
    row = {"version": saved.version, "now": now, "by": by, "why": why.strip()[:WHY_CHARACTERS], "body": Jsonb(body)}
    await connection.execute(sql.add, row)
    return saved


def _book(number: int, body: Any) -> Book:
    return msgspec.structs.replace(msgspec.convert(body, Book), version=number)
