"""`/api/v1/policies`: who is asked when. The desk reads and tries; administrators save, by name."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Protocol
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, Field

from dispatch import books, explaining
from dispatch import policy_sentences as sentences
from dispatch.api.incidents import READERS, Line, Text
from dispatch.book import CAUSES, Book
from dispatch.explaining import BadTime, Unknown
from pingan.clock import Clock
from pingan.database import Database
from pingan.problem import Problem

EDITORS = frozenset({"administrator"})


class Asker(Protocol):
    """Whoever asks: the web process says who it is."""

    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def area(self) -> str | None: ...
    @property
    def machine(self) -> bool: ...


class Saving(BaseModel):
    version: int
    """The one that it was made from: if another holds by now, nothing is saved."""
    why: Annotated[Text, Field(min_length=1)]
    policies: dict[str, Any]
    rules: list[dict[str, Any]] = []


class Trying(BaseModel):
    home: Line | None = None
    person: Line | None = None
    cause: Line = "sos"
    at: AwareDatetime | None = None
    """None: now."""
    policies: dict[str, Any] | None = None
    """A draft that is tried, unsaved; None: the book that holds."""
    rules: list[dict[str, Any]] = []


def router(database: Database, clock: Clock, zone: ZoneInfo, principal: Callable[..., Asker]) -> APIRouter:
    """The routes. `zone` is the centre's; `principal` is a dependency that says who asks, or refuses."""
    routes = APIRouter(prefix="/api/v1", tags=["policies"])

    def reader(who: Annotated[Asker, Depends(principal)]) -> Asker:
        if who.role not in READERS:
            raise Problem(403, "not_allowed", f"the role {who.role} may not do this")
        return who

    Reader = Annotated[Asker, Depends(reader)]

    @routes.get("/policies")
    async def show(who: Reader, version: Annotated[int | None, Query(ge=0)] = None) -> dict[str, Any]:
        """The book that holds, or one that held; and who saved which version, and why."""
        async with database.connection() as connection:
            book = await books.current(connection) if version is None else await books.version(connection, version)
            saved = await books.versions(connection)
        if book is None:
            raise Problem(404, "not_found", f"there is no version {version}")
        return {**msgspec.to_builtins(book), "versions": saved}

    @routes.post("/policies", status_code=201)
    async def save(body: Saving, who: Reader) -> dict[str, Any]:
        """Save a whole book as the next version. 409 if another holds by now, 422 with every fault."""
        may_save(who)
        book = read(body.version, body.policies, body.rules)
        return msgspec.to_builtins(await saved(database, book, who.name, body.why, clock.now()))  # type: ignore[no-any-return]

    @routes.post("/policies/dry-run")
    async def dry_run(body: Trying, who: Reader) -> dict[str, Any]:
        """Who would be called when, if nobody answered. Nobody is called, and nothing is saved."""
        if body.cause not in CAUSES:
            raise Problem(422, "unknown_cause", f"the cause is one of {', '.join(CAUSES)}")
        try:
            async with database.connection() as connection:
                book = await books.current(connection)
                if body.policies is not None:
                    book = read(book.version, body.policies, body.rules)
                home = body.home or await explaining.home_of(connection, body.person or "")
                at = body.at or clock.now()
                return await explaining.explain(connection, book, home, body.cause, at, zone, who.area)
        except Unknown as unknown:
            # As it was asked for: of a person of another area nobody is told the home.
            asked_for = body.home or body.person or "home without an id"
            raise Problem(404, "unknown_home", f"the register has no {asked_for}") from unknown
        except BadTime as bad:
            raise Problem(422, "bad_time", f"{bad} is no time that is tried") from bad
        except (KeyError, IndexError) as missing:
            raise Problem(422, "faulty_policies", f"the draft lacks {missing}") from missing

    return routes


def may_save(who: Asker) -> None:
    """Problem unless an administrator, by name, of the whole installation."""
    if who.role not in EDITORS or who.area is not None:
        raise Problem(403, "not_allowed", "policies are an administrator's of the whole installation")
    if who.machine:
        raise Problem(403, "for_people", "a policy is a named person's decision: machines may read")


async def saved(database: Database, book: Book, by: str, why: str, now: datetime) -> Book:
    """Save it. Problem: 422 with every fault, 409 when another holds by now."""
    try:
        async with database.transaction() as connection:
            return await books.save(connection, book, by, why, now)
    except books.Faulty as faulty:
        wrong = [sentences.fault_shown(one, "en") for one in faulty.faults]
        raise Problem(422, "faulty_policies", wrong[0]["said"], faults=wrong) from faulty
    except books.SavedMeanwhile as other:
        detail = f"version {other.version} holds by now: look at it, then save"
        raise Problem(409, "saved_meanwhile", detail, version=other.version) from other


def read(version: int, policies: dict[str, Any], rules: list[dict[str, Any]]) -> Book:
    """A book as a program sends it. Problem when it has another shape."""
    try:
        named = {name: {**one, "name": name, "version": version} for name, one in policies.items()}
        return msgspec.convert({"version": version, "policies": named, "rules": rules}, Book)
    except (msgspec.ValidationError, TypeError) as error:
        raise Problem(422, "no_book", str(error)) from error
