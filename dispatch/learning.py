"""Learning from closures: how often alarms were false, by home and by device, and what might be set otherwise.

What the desk chose when it closed an incident labels the incident's alarms (view `labelled_alarms`). From the labels
come figures, and now and then a suggestion with everything that speaks for it. Nothing is ever changed by itself: a
named person accepts or declines, that is recorded, and only what is accepted is set.

A suggestion needs enough to go by: at least `LEAST` closures that say anything, of which more than half were false even
at the lower end of what so few can show (one-sided 90 % bound of Clopper and Pearson). What a decision was made on does
not count again.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from math import comb, exp, lgamma, log
from typing import Any, Literal, Protocol

from psycopg.types.json import Jsonb

from pingan.database import Connection, Queries

sql = Queries(__file__, "learning.sql")

LEAST = 5
"""Closures that say whether the alarm was right. Of fewer, chance alone makes four of four."""
SHARE = 0.5
"""More than half must have been false."""
DOUBT = 0.1
"""So unlikely may it be that they seem to be more than half and are not."""
Rule = Literal["hold_seconds", "inactivity_floor_hours"]
HOLD: Rule = "hold_seconds"
FLOOR: Rule = "inactivity_floor_hours"
DAYS = {HOLD: 60, FLOOR: 30}
"""How far back each rule looks: long enough for five presses in error, short enough to be the life that is led now."""
HOLD_PROPOSED = 3
"""Seconds. What an alarm unit's own manual setting is, where it has one; one longer is hard for a weak hand."""
FLOOR_STEP_HOURS = 1.0
FLOOR_MAX_HOURS = 8.0
"""Beyond it nothing is suggested: who waits longer for a collapse decides that without us."""
FIGURE_DAYS = 60
ROWS = 200
INCIDENTS_NAMED = 50
ROUNDS = 60
WEEK = timedelta(days=7)
OF_THE_HOME = ("person", "address")
KEY = 0x6C656172
"""Names the lock under which a decision is made; nothing else takes it."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`rule` names the setting. `evidence` is what is shown, and what is kept with the decision."""

    id: str
    rule: Rule
    home: str
    device: str | None
    was: float
    proposed: float
    evidence: Row


class Apply(Protocol):
    """Sets what was accepted, in the transaction in which it is recorded. `by`: the account that did it."""

    def __call__(
        self, connection: Connection, accepted: Suggestion, now: datetime, scope: str | None, *, by: str
    ) -> Awaitable[None]: ...


class NotSuggested(Exception):
    """Nothing is decided; `name` says why: no_longer_suggested, suggested_otherwise."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(detail)
        self.name = name


async def figures(connection: Connection, now: datetime, scope: str | None = None, home: str | None = None) -> Row:
    """False alarms per person-week of the last `FIGURE_DAYS` days, by home and by device, the most first."""
    since = now - timedelta(days=FIGURE_DAYS)
    parameters = {"since": since, "now": now, "scope": scope, "home": home, "limit": ROWS}
    homes = await (await connection.execute(sql.by_home, parameters)).fetchall()
    devices = await (await connection.execute(sql.by_device, parameters)).fetchall()
    return {"days": FIGURE_DAYS, "homes": _rated(homes), "devices": _rated(devices)}


async def suggestions(connection: Connection, now: datetime, scope: str | None = None) -> list[Suggestion]:
    """Everything that the closures suggest now, most false alarms first."""
    held = await _counted(connection, sql.presses, HOLD, now, scope)
    silent = await _counted(connection, sql.silences, FLOOR, now, scope)
    found = [one for one in (*map(_hold, held), *map(_floor, silent)) if one is not None]
    return sorted(found, key=lambda one: (-one.evidence["false"], one.id))


async def decisions(connection: Connection, scope: str | None = None, home: str | None = None) -> list[Row]:
    """Who decided what, the latest first."""
    parameters = {"scope": scope, "home": home, "limit": ROWS}
    return await (await connection.execute(sql.decisions, parameters)).fetchall()


async def decide(
    connection: Connection,
    suggestion: str,
    proposed: float,
    *,
    accept: bool,
    by: str,
    account: str,
    now: datetime,
    scope: str | None,
    apply: Apply,
) -> Suggestion:
    """A named person decides on what they saw; what is accepted is set in the same transaction. NotSuggested."""
    async with connection.transaction():
        await connection.execute(sql.alone, {"key": KEY})
        found = next((one for one in await suggestions(connection, now, scope) if one.id == suggestion), None)
        if found is None:
            raise NotSuggested("no_longer_suggested", f"{suggestion} is suggested no longer")
        if found.proposed != proposed:
            raise NotSuggested("suggested_otherwise", f"{found.proposed} is suggested now, and not {proposed}")
        await connection.execute(
            sql.decided,
            {
                "rule": found.rule,
                "home": found.home,
                "device": found.device,
                "decision": "accepted" if accept else "declined",
                "now": now,
                "by": by,
                "account": account,
                "was": Jsonb(found.was),
                "proposed": Jsonb(found.proposed),
                # Who lives where stands in the register, and in nothing that outlives it.
                "evidence": Jsonb({name: value for name, value in found.evidence.items() if name not in OF_THE_HOME}),
            },
        )
        if accept:
            await apply(connection, found, now, scope, by=account)
    return found


def shown(suggestion: Suggestion) -> Row:
    """A suggestion as the API gives it."""
    return asdict(suggestion)


def enough(false: int, true: int) -> bool:
    """Whether so many closures are more than chance."""
    said = false + true
    return said >= LEAST and share_at_least(false, said) > SHARE


def share_at_least(false: int, of: int) -> float:
    """The lower end of the share of which `false` of `of` are seen: with a smaller one so many are rarer than DOUBT."""
    if false == 0:
        return 0.0
    return _bisected(lambda share: _or_more(false, of, share) > DOUBT, 0.0, 1.0)


def rate_interval(count: int) -> tuple[float, float]:
    """The exact 95 % interval of the number that is expected where `count` were counted (Garwood, 1936)."""
    low = 0.0 if count == 0 else _bisected(lambda mean: 1 - _poisson(count - 1, mean) > 0.025, 0.0, count + 1.0)
    return low, _bisected(lambda mean: _poisson(count, mean) <= 0.025, float(count), count + 10 * (count + 4) ** 0.5)


def _or_more(false: int, of: int, share: float) -> float:
    return sum(comb(of, n) * share**n * (1 - share) ** (of - n) for n in range(false, of + 1))


def _poisson(count: int, mean: float) -> float:
    """How likely `count` or fewer are."""
    if mean <= 0:
        return 1.0
    return min(1.0, sum(exp(n * log(mean) - mean - lgamma(n + 1)) for n in range(count + 1)))


def _bisected(beyond: Callable[[float], bool], low: float, high: float) -> float:
    """Where `beyond` begins to hold."""
    for _ in range(ROUNDS):
        middle = (low + high) / 2
        low, high = (low, middle) if beyond(middle) else (middle, high)
    return (low + high) / 2


async def _counted(connection: Connection, query: str, rule: Rule, now: datetime, scope: str | None) -> list[Row]:
    parameters = {
        "rule": rule, "since": now - timedelta(days=DAYS[rule]), "now": now, "scope": scope, "least": LEAST,
        "named": INCIDENTS_NAMED,
    }  # fmt: skip
    return await (await connection.execute(query, parameters)).fetchall()


def _hold(row: Row) -> Suggestion | None:
    """A button that is mostly pressed in error: held for a while it is pressed on purpose."""
    if row["hold_seconds"] >= HOLD_PROPOSED or not enough(row["false"], row["true"]):
        return None
    return Suggestion(
        f"{HOLD}:{row['device']}", HOLD, row["home"], row["device"], row["hold_seconds"], HOLD_PROPOSED,
        _evidence(row, HOLD),
    )  # fmt: skip


def _floor(row: Row) -> Suggestion | None:
    """A home whose silences were nothing: it rings an hour later at the soonest. Never where one was something."""
    if row["true"] or not enough(row["false"], row["true"]) or row["least_threshold"] is None:
        return None
    was = row["floor_hours"] if row["floor_hours"] is not None else row["least_threshold"]
    proposed = round(2 * (was + FLOOR_STEP_HOURS)) / 2
    ceiling = row["ceiling_hours"]
    if ceiling is None or proposed > min(FLOOR_MAX_HOURS, ceiling):
        return None
    evidence = _evidence(row, FLOOR)
    evidence["rang_sooner"] = sum(1 for hours in row["thresholds"] if hours < proposed)
    if not evidence["rang_sooner"]:
        return None
    return Suggestion(f"{FLOOR}:{row['home']}", FLOOR, row["home"], None, was, proposed, evidence)


def _evidence(row: Row, rule: Rule) -> Row:
    said = row["false"] + row["true"]
    return {
        "days": DAYS[rule],
        "since": row["counted_since"].isoformat(),
        **{name: row[name] for name in ("false", "true", "neither", "unknown", "incidents")},
        "of": said,
        "share_at_least": round(share_at_least(row["false"], said), 3),
        "person": row["person"],
        "address": row["address"],
    }


def _rated(rows: Iterable[Row]) -> list[Row]:
    rated = []
    for row in rows:
        weeks = row["person_weeks"]
        low, high = rate_interval(row["false"])
        rates = (row["false"] / weeks, low / weeks, high / weeks) if weeks else (None, None, None)
        names = ("false_per_person_week", "false_per_person_week_low", "false_per_person_week_high")
        rated.append({**row, **dict(zip(names, rates, strict=True))})
    return rated
