"""The figures as lines for people."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from alerting.evaluate.homes import AFTER_SILENCE_HOURS, LEARNING_DAYS, PATIENCE_HOURS, Plan
from alerting.evaluate.movements import CHINA
from alerting.evaluate.trials import FILE_RATE_HZ
from alerting.evaluate.wearing import AFTER_SECONDS, Sensor
from alerting.evaluate.words import say

NOTHING = "–"
Row = dict[str, Any]


def falls(table: Sequence[Row], said: Sequence[str], sensor: Sensor) -> list[str]:
    lines = [say("how_falls", rate=sensor.rate_hz or FILE_RATE_HZ, after=AFTER_SECONDS), *said, ""]
    # An age that is the only one of its set would be the same line twice.
    whole = {(row["dataset"], row["position"], row["falls"], row["daily"]) for row in table if row["age"] == "all"}
    rows = [
        row
        for row in table
        if row["age"] == "all" or (row["dataset"], row["position"], row["falls"], row["daily"]) not in whole
    ]
    return lines + _table(say("fall_heads"), [_fall_cells(row) for row in rows])


def _fall_cells(row: Row) -> list[str]:
    between = row["intervals"]
    soon, done = row["impact_to_suspected_s"], row["impact_to_settled_s"]
    return [
        row["dataset"],
        row["position"],
        say(row["age"]),
        str(row["subjects"]),
        f"{row['falls']}/{row['daily']}",
        _share(row["se"], between["se"]),
        _share(row["sp"], between["sp"]),
        _share(row["f1"], between["f1"]),
        _false(row),
        _number(row["fa_per_person_week"], 0),
        _share(row["se_at_1_fa_per_hour"], between["se_at_1_fa_per_hour"]),
        f"{_number(soon['median'], 2)} ({_number(soon['p90'], 2)}) s",
        f"{_number(done['median'], 1)} ({_number(done['p90'], 1)}) s",
    ]


def _false(row: Row) -> str:
    if row["fa_per_hour_poisson"] is None:
        return NOTHING
    low, high = row["fa_per_hour_poisson"]
    return f"{row['false_alarms']}/{row['daily_hours']:.2f} h = {row['fa_per_hour']:.2f} [{low:.2f}–{high:.2f}]"


def failures(found: Mapping[str, int]) -> list[str]:
    """What failed is a fault of ours, and the figures are worth less."""
    return [say("failed", what=what, count=count) for what, count in sorted(found.items())]


def homes(found: Row, plan: Plan) -> list[str]:
    lines = [say("how_homes", tick=plan.tick_ms / 1000, days=LEARNING_DAYS, patience=PATIENCE_HOURS), *found["said"]]
    lines.append(say("deaf", hours=found["deaf_hours"]))
    lines += failures(found["detector_failures"])
    if (together := found.get("silent_together")) is not None:
        lines.append(
            say(
                "silent_together",
                at=datetime.fromtimestamp(together["from_ms"] / 1000, CHINA).isoformat(timespec="minutes"),
                hours=together["hours"],
                after=AFTER_SILENCE_HOURS,
                person=together["person"],
                areas=together["areas"],
                known=_number(together["known_after_hours"], 1),
                during=_kinds(together["during"]),
                later=_kinds(together["after"]),
            )
        )
    return [*lines, "", *_table(say("home_heads"), [_home_cells(found)]), *_hours(found["collapses"])]


def _kinds(counts: dict[str, int]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in counts.items()) or NOTHING


def _home_cells(found: Row) -> list[str]:
    fell = found["collapses"]
    cells = [
        str(found["homes"]),
        f"{found['home_months']:.1f}",
        str(found["false_alerts"]),
        _share(found["fa_per_home_month"], found["fa_per_home_month_by_home"]),
        _number(found["asked_per_home_month"], 2),
        str(fell["count"]),
    ]
    if not fell["count"]:
        return [*cells, NOTHING, NOTHING, NOTHING]
    between = fell["intervals"]
    three = " / ".join(_share(fell[name], between[name], 1) for name in ("median", "mean", "p90"))
    doors = " / ".join(_number(fell["after_a_door"][name], 1) for name in ("median", "mean", "p90"))
    return [*cells, three, f"{100 * fell['never_raised']:.1f} %", doors]


def _hours(fell: Row) -> list[str]:
    rows = [
        [f"{int(hour):02d}", str(one["count"]), *(_number(one[name], 1) for name in ("median", "mean", "p90"))]
        for hour, one in fell.get("by_hour", {}).items()
    ]
    return ["", *_table(say("hour_heads"), rows)] if rows else []


def _number(value: float | None, digits: int) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}"


def _share(value: float | None, between: Sequence[float] | None, digits: int = 3) -> str:
    """A figure and how sure it is."""
    if value is None or between is None:
        return _number(value, digits)
    return f"{value:.{digits}f} [{between[0]:.{digits}f}–{between[1]:.{digits}f}]"


def _table(heads: str, rows: Sequence[Sequence[str]]) -> list[str]:
    """A table that Markdown shows too."""
    names = heads.split("|")
    lines = [names, ["---"] * len(names), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]
