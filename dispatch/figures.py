"""Figures about incidents: how soon a human answered, a helper went, somebody was at the door. Reads only.

What they are measured by, and which incidents count, is the domain's: every alarm about a person but marked tests;
whoever gave up waiting stays in; an absent stamp is within no level and is counted, with its reason. Technical alarms
are counted beside, since nobody waits at their other end. The page, the API and the file all show what stands here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dispatch.asking import KINDS as QUIET
from dispatch.incident import ANSWER_LATE_SECONDS
from dispatch.policy import FINDINGS, is_danger, is_restore
from pingan.database import Connection, Queries
from pingan.messages import ANSWERS

sql = Queries(__file__, "figures.sql")

Row = dict[str, Any]

LATE_ROWS = 100
OVERDUE_SECONDS = 1.0
CONSOLE_SECONDS = 15.0
"""A page at the desk says every five seconds that it is there."""
LOOSE_DAYS = 30
HANDFUL = 5
"""Of fewer than these a percentage says nothing: only the counts are given."""

RANKS = ("p50", "p90", "p95", "max")
MEASURES = {
    "answer": "t3−t1",
    "press_to_answer": "t3−t0",
    "dispatch": "t5−t3",
    "to_scene": "t7−t5",
    "press_to_scene": "t7−t0",
}
"""Each duration and the stamps that it lies between. UK TSA counts the answer from t1, NFPA from t0: both are given."""


@dataclass(frozen=True, slots=True)
class Level:
    """A service level: of `of`, so many `within` `seconds`; `target` is the share that we are held to."""

    name: str
    seconds: int
    target: float
    within: str
    of: str
    pending: str | None = None
    stretch: bool = False


LEVELS = (
    Level("answer_15", 15, 0.90, "answered_15", "incidents", "ringing_15", stretch=True),
    Level("answer_20", 20, 0.95, "answered_20", "incidents", "ringing_20", stretch=True),
    Level("answer_60", 60, 0.985, "answered_60", "incidents", "ringing_60"),
    Level("answer_180", 180, 0.995, "answered_180", "incidents", "ringing_180"),
    Level("dispatch_60", 60, 0.90, "dispatched_60", "sent"),
    Level("arrival_1800", 1800, 0.90, "arrived_1800", "sent", "awaited_1800"),
    Level("arrival_2700", 2700, 0.90, "arrived_2700", "sent", "awaited_2700"),
    Level("arrival_3600", 3600, 1.0, "arrived_3600", "sent", "awaited_3600"),
)
"""15 and 20 s are NENA's, a stretch; 30 minutes are for a town, 45 for the country, 60 for all."""

_GROUPS = {0b1111: "total", 0b0111: "day", 0b1011: "place", 0b1101: "cause", 0b1110: "outcome"}
"""PostgreSQL's `grouping(day, place, cause, outcome)`: a bit is set where a column was summed over."""


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days of the centre, the first and the last of them included."""

    first: date
    last: date
    zone: ZoneInfo

    @property
    def since(self) -> datetime:
        return datetime.combine(self.first, time.min, self.zone)

    @property
    def until(self) -> datetime:
        """The first moment after the last day. A day of a change of the clocks has 23 or 25 hours."""
        return datetime.combine(self.last + timedelta(days=1), time.min, self.zone)

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]


async def people(
    connection: Connection, period: Period, now: datetime, scope: str | None = None, area: str | None = None
) -> Row:
    """The figures of a period for an area (None: all), as far as it lies within the asker's own `scope`."""
    parent = area or scope or await _common(connection)
    parameters = {
        "since": period.since, "until": period.until, "zone": period.zone.key, "now": now, "scope": scope, "area": area,
        "parent": parent, "late": timedelta(seconds=ANSWER_LATE_SECONDS), "limit": LATE_ROWS,
    }  # fmt: skip

    async def all_of(query: str) -> list[Row]:
        return await (await connection.execute(query, parameters)).fetchall()

    sums = _sums(await all_of(sql.counts))
    (durations,) = await all_of(sql.durations)
    alarms = await all_of(sql.alarms)
    calls = sums["total"].get(("call", None), _NOTHING)
    by_day = {key[1]: row for key, row in sums["day"].items() if key[0] == "call"}
    by_place = {key[1]: row for key, row in sums["place"].items() if key[0] == "call"}
    events = [row for row in alarms if _opens(row["kind"])]
    return {
        "alarms": sum(row["alarms"] for row in events if is_danger(row["kind"]) and not row["test"]),
        "incidents": calls["incidents"],
        "technical": sums["total"].get(("technical", None), _NOTHING)["incidents"],
        "tests": sums["total"].get(("test", None), _NOTHING)["incidents"],
        "test_alarms": sum(row["alarms"] for row in events if row["test"]),
        "unanswered": calls["incidents"] - calls["answered"],
        "levels": levels(calls),
        "durations": [_duration(name, durations) for name in MEASURES],
        "absences": await all_of(sql.absences),
        "arrivals": {name: calls[name] for name in ("sent", "arrived", "arrived_reported")},
        "causes": _causes(sums["cause"], events),
        "outcomes": [
            {"outcome": outcome, "incidents": row["incidents"]}
            for (sort, outcome), row in sorted(sums["outcome"].items(), key=lambda one: -one[1]["incidents"])
            if sort == "call"
        ],
        "late": [_late(row) for row in await all_of(sql.late)],
        "late_total": calls["incidents"] - calls["answered_180"] - calls["ringing_180"],
        "days": [{"day": day, **_shown(by_day.get(day, _NOTHING))} for day in period.days],
        "areas": await _areas(connection, parent, scope, by_place),
    }


async def place(connection: Connection, area: str, scope: str | None) -> list[Row] | None:
    """The areas from the top of what the asker may see down to `area`; None if there is none, or not for them."""
    path = await (await connection.execute(sql.path, {"area": area, "scope": scope})).fetchall()
    return path if path and path[-1]["code"] == area else None


async def waiting(connection: Connection, now: datetime) -> Row:
    """What of the response is late at this moment, and how many screens are at the desk."""
    parameters = {
        "now": now,
        "overdue": now - timedelta(seconds=OVERDUE_SECONDS),
        "seen": now - timedelta(seconds=CONSOLE_SECONDS),
        "since": now - timedelta(days=LOOSE_DAYS),
    }
    (row,) = await (await connection.execute(sql.waiting, parameters)).fetchall()
    loose = await (await connection.execute(sql.loose, parameters)).fetchall()
    lost = sum(one["alarms"] for one in loose if _opens(one["kind"]))
    return {**row, "alarms_without_incident": lost}


def levels(row: Mapping[str, int]) -> list[Row]:
    """Every level over one row of counts: `within` and `of`; `share` is None of fewer than a handful."""
    found = []
    for level in LEVELS:
        of = row[level.of] - (row[level.pending] if level.pending else 0)
        within = row[level.within]
        share = within / of if of >= HANDFUL else None
        met = None if share is None else share >= level.target
        found.append(
            {"name": level.name, "seconds": level.seconds, "within": within, "of": of, "share": share,
             "target": level.target, "met": met, "stretch": level.stretch}
        )  # fmt: skip
    return found


def _opens(kind: str) -> bool:
    """Whether an alarm of this kind opens or raises an incident."""
    return kind not in ANSWERS and kind not in FINDINGS and kind not in QUIET and not is_restore(kind)


_COUNTED = (
    "incidents", "answered", "answered_15", "answered_20", "answered_60", "answered_180", "ringing_15", "ringing_20",
    "ringing_60", "ringing_180", "sent", "dispatched", "dispatched_60", "arrived", "arrived_reported", "arrived_1800",
    "arrived_2700", "arrived_3600", "awaited_1800", "awaited_2700", "awaited_3600",
)  # fmt: skip
_NOTHING: Mapping[str, int] = dict.fromkeys(_COUNTED, 0)

_Sums = dict[str, dict[tuple[str, Any], Row]]


def _sums(rows: list[Row]) -> _Sums:
    """group → (sort, its value) → counts."""
    sums: _Sums = {name: {} for name in _GROUPS.values()}
    for row in rows:
        name = _GROUPS[row["level"]]
        sums[name][row["sort"], None if name == "total" else row[name]] = row
    return sums


def _shown(row: Mapping[str, Any]) -> Row:
    """The counts of a day or an area, with the part that is beyond every level."""
    names = ("incidents", "answered_60", "answered_180", "sent", "arrived", "arrived_reported", "arrived_1800",
             "arrived_2700", "arrived_3600")  # fmt: skip
    return {
        **{name: row[name] for name in names},
        "late": row["incidents"] - row["answered_180"] - row["ringing_180"],
        "ringing": row["ringing_180"],
        "unanswered": row["incidents"] - row["answered"],
    }


def _causes(sums: Mapping[tuple[str, Any], Row], events: list[Row]) -> list[Row]:
    """Alarms and incidents by what was reported, tests apart; what concerns a person first, the most frequent first."""
    found: dict[tuple[bool, bool, str], Row] = {}

    def row(test: bool, kind: str) -> Row:
        empty = {"cause": kind, "danger": is_danger(kind), "test": test, "alarms": 0, **_shown(_NOTHING)}
        return found.setdefault((test, not is_danger(kind), kind), empty)

    for event in events:
        row(event["test"], event["kind"])["alarms"] += event["alarms"]
    for (sort, cause), counts in sums.items():
        row(sort == "test", cause).update(_shown(counts))
    return [found[key] for key in sorted(found, key=lambda key: (key[0], key[1], -found[key]["incidents"], key[2]))]


def _duration(name: str, row: Row) -> Row:
    """A measure's values at RANKS, in seconds; `n` had both stamps, `absent` had not, `early` came before its start."""
    values = row[name] or [None] * len(RANKS)
    return {
        "name": name,
        "between": MEASURES[name],
        "n": row[f"{name}_n"],
        "absent": row["incidents"] - row[f"{name}_n"],
        "early": row[f"{name}_early"],
        **{rank: _seconds(value) for rank, value in zip(RANKS, values, strict=True)},
    }


def _late(row: Row) -> Row:
    """A call that waited too long. `reason_needed`: no helper had accepted either, and nobody has written why."""
    helper = _seconds(row["helper"])
    accepted = helper is not None and helper <= ANSWER_LATE_SECONDS
    reason = (row["reason"] or "").strip() or None
    return {
        **{name: row[name] for name in ("id", "opened_at", "cause", "state", "area_name", "absent")},
        "answer_seconds": _seconds(row["answer"]),
        "helper_seconds": helper,
        "reason": reason,
        "reason_written": reason is not None,
        "reason_needed": reason is None and not accepted,
    }


async def _areas(
    connection: Connection, parent: str | None, scope: str | None, by_place: Mapping[str | None, Row]
) -> list[Row]:
    """The areas below `parent`, each with its counts; then what lies in none of them, if anything does."""
    areas = await connection.execute(sql.areas, {"parent": parent, "scope": scope})
    below = {row["code"]: row["name"] for row in await areas.fetchall()}
    rows: list[Row] = [
        {"code": code, "name": name, **_shown(by_place.get(code, _NOTHING))} for code, name in below.items()
    ]
    beside = [row for code, row in by_place.items() if code not in below]
    if beside:
        summed = {name: sum(row[name] for row in beside) for name in _COUNTED}
        rows.append({"code": None, "name": None, **_shown(summed)})
    return rows


async def _common(connection: Connection) -> str | None:
    row = await (await connection.execute(sql.common)).fetchone()
    return row["code"] if row else None


def _seconds(value: timedelta | None) -> float | None:
    return None if value is None else value.total_seconds()
