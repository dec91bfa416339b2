"""Who would be called when: for a home, a cause and a time, by the book that holds or by a draft. Reads only."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dispatch import books, choosing
from dispatch.book import Book, Choice, Situation, chosen
from dispatch.desk import sql as desk_sql
from dispatch.dry_run import Asked, Passed, Tier, never, timeline
from dispatch.policy import Person, Policy
from pingan.database import Connection
from pingan.hours import zone_of

FIRST_YEAR, LAST_YEAR = 1970, 2200
"""No policy holds beyond them, and no clock goes there."""


class Unknown(Exception):
    """The register has no such home, or no such person, or not for whoever asks."""


class BadTime(Exception):
    """It is no time; the text is what was written."""


def moment(text: str | None, now: datetime) -> datetime:
    """03:10 of today, or a whole time, by the clock of `now`. BadTime."""
    if not text or not text.strip():
        return now
    text = text.strip()
    whole = f"{now:%Y-%m-%d} {text.zfill(5)}" if len(text) <= 5 else text
    try:
        at = datetime.fromisoformat(whole)
    except ValueError:
        raise BadTime(text) from None
    return at if at.tzinfo is not None else at.replace(tzinfo=now.tzinfo)


async def home_of(connection: Connection, person: str) -> str:
    """Where somebody lives. Unknown."""
    row = await (await connection.execute(books.sql.home_of, {"person": person})).fetchone()
    if row is None:
        raise Unknown(person)
    return str(row["home"])


async def home_named(connection: Connection, text: str, scope: str | None = None) -> str:
    """The home of that id, or of whoever has that id. Unknown."""
    parameters = {"home": text, "scope": scope or ""}
    row = await (await connection.execute(books.sql.situation, parameters)).fetchone()
    return str(row["id"]) if row is not None else await home_of(connection, text)


async def home_zone(connection: Connection, home: str, zone: ZoneInfo, scope: str | None = None) -> ZoneInfo:
    """By which clock a home lives; `zone`: the centre's. Unknown."""
    known = (await _home(connection, home, scope))["timezone"]
    return zone_of(known, zone)


async def explain(
    connection: Connection,
    book: Book,
    home: str,
    kind: str,
    at: datetime,
    zone: ZoneInfo,
    scope: str | None = None,
    draft: Policy | None = None,
) -> dict[str, Any]:
    """The timeline, as the API gives it. `draft` runs in place of the policy that the book chooses.

    Unknown, BadTime.
    """
    known = await _home(connection, home, scope)
    if not FIRST_YEAR <= at.year < LAST_YEAR:
        raise BadTime(at.isoformat())
    local = at.astimezone(zone_of(known["timezone"], zone))
    situation = Situation(kind, local, home, known["area"], tuple(known["people"]), known["policy"])
    choice = chosen(book, situation)
    policy = choice.policy if draft is None else draft
    rows = await (await connection.execute(desk_sql.people, {"home": home, "now": at})).fetchall()
    people = choosing.people(rows, at, zone)
    tiers = timeline(policy, people, kind, at)
    return {
        "home": home,
        "person": known["person"],
        "address": known["address"],
        "cause": kind,
        "at": at,
        "local": f"{local:%Y-%m-%d %H:%M}",
        "policy": policy.name,
        "titles": (policy.title, policy.title_en),
        **_by(choice),
        "own_unknown": known["policy"] if known["policy"] not in {None, *book.policies} else None,
        "draft": draft is not None,
        "tiers": [_tier(tier) for tier in tiers],
        "never": [_passed(one) for one in never(policy, people, tiers)],
    }


async def _home(connection: Connection, home: str, scope: str | None) -> dict[str, Any]:
    row = await (await connection.execute(books.sql.situation, {"home": home, "scope": scope or ""})).fetchone()
    if row is None:
        raise Unknown(home)
    return row


def _by(choice: Choice) -> dict[str, Any]:
    rule = None if choice.rule is None else choice.rule + 1
    return {
        "chosen": choice.policy.name,
        "chosen_titles": (choice.policy.title, choice.policy.title_en),
        "version": choice.policy.version,
        "chosen_by": choice.by,
        "rule": rule,
    }


def _tier(tier: Tier) -> dict[str, Any]:
    return {
        "at_seconds": tier.at_seconds,
        "step": tier.number + 1,
        "who": tier.step.who,
        "wait_seconds": tier.step.wait_seconds,
        "unseen_seconds": tier.step.unseen_seconds,
        "asked": [_asked(one) for one in tier.asked],
        "passed": [_passed(one) for one in tier.passed],
        "skipped": tier.skipped,
        "repeats": tier.repeats,
    }


def _asked(one: Asked) -> dict[str, Any]:
    return {**_person(one.person), "channels": list(one.channels), "unreached": list(one.unreached)}


def _passed(one: Passed) -> dict[str, Any]:
    return {**_person(one.person), "passed": one.why}


def _person(person: Person) -> dict[str, Any]:
    return {
        "id": person.id, "name": person.name, "group": person.group, "role": person.role, "rank": person.rank,
        "why": list(person.why),
    }  # fmt: skip
