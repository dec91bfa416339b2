"""A version in shadow against the one that rings: false alarms, what was found of what was real, and how soon. PURE.

Both are counted by the same rules, over the same homes and the same time: those in which the shadow ran.

What is real is what people have said when they closed an incident. An alarm is *real* if it came while, or shortly
before, something real was under way in its home; *undecided* if what was under way there is open, or was closed by a
word that tells neither; and *false* otherwise. What a shadow finds and nobody looks at counts as false: that is the
careful reading, and the report says how many of them there are.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median, quantiles
from typing import Any, Literal, NamedTuple

from alerting import exact
from pingan.messages import NOTES, SUSPICIONS, WITHDRAWN

BEFORE = {"fall": timedelta(hours=1)}
BEFORE_OTHERWISE = timedelta(hours=24)
"""So long before an incident opens a version may have found what it is about: a collapse is silent for hours."""

FEW_EVENTS = 10
WEEK = timedelta(weeks=1)

Verdict = Literal["real", "undecided", "false"]
_VERDICTS: Mapping[str, Verdict] = {"true": "real", "false": "false"}
"""Of a talk or a test nobody can say whether an alarm was right."""

Span = tuple[datetime, datetime]


class Act(NamedTuple):
    scope: str | None
    state: str
    at: datetime


class Found(NamedTuple):
    """An alarm, of the live version or of the one in shadow."""

    id: str
    home: str
    area: str
    kind: str
    at: datetime
    since: datetime | None
    """The beginning of what it is about."""
    restores: str | None
    incident: int | None

    @property
    def rings(self) -> bool:
        return self.restores is None and self.kind not in SUSPICIONS and self.kind not in NOTES

    @property
    def asks(self) -> bool:
        return self.kind in SUSPICIONS


class Incident(NamedTuple):
    id: int
    home: str
    area: str
    opened_at: datetime
    closed_at: datetime | None
    cause: str | None
    closure: str | None
    """What its closing says of an alarm of this detector (`closure_verdict`); None: it is open."""

    @property
    def verdict(self) -> Verdict:
        return _VERDICTS.get(self.closure or "", "undecided")


class Watched(NamedTuple):
    """An area's homes and people that are watched."""

    homes: int
    people: int


class Asked(NamedTuple):
    detector: str
    label: str
    first: datetime
    until: datetime


def report(
    asked: Asked,
    acts: Sequence[Act],
    watched: Mapping[str, Watched],
    live: Sequence[Found],
    shadow: Sequence[Found],
    incidents: Sequence[Incident],
) -> dict[str, Any]:
    """What is known, and what is not. `acts` of this version, in their order."""
    spans = {area: in_shadow(acts, area, asked) for area in watched}
    weeks = {area: sum((end - begin) / WEEK for begin, end in parts) for area, parts in spans.items()}
    person_weeks = sum(weeks[area] * one.people for area, one in watched.items())
    at_home: dict[str, list[Incident]] = defaultdict(list)
    for incident in incidents:
        at_home[incident.home].append(incident)
    sides = {
        name: [one for one in found if _within(one.at, spans.get(one.area, ()))]
        for name, found in (("live", live), ("shadow", shadow))
    }
    ahead = BEFORE.get(asked.detector, BEFORE_OTHERWISE)
    causes = {one.kind for one in (*live, *shadow) if one.rings} | {asked.detector}
    rung_for = {one.incident for one in sides["live"] if one.incident is not None and one.rings}
    events = [
        one
        for one in incidents
        if one.verdict == "real"
        and (one.cause in causes or one.id in rung_for)
        and _within(one.opened_at, spans.get(one.area, ()))
    ]
    hits = {name: _hits(found, events, ahead) for name, found in sides.items()}
    verdicts = {
        name: {one.id: verdict(one, at_home[one.home], ahead) for one in found if one.rings}
        for name, found in sides.items()
    }
    both = sorted(set(hits["live"]) & set(hits["shadow"]))
    sooner = [(hits["live"][event].at - hits["shadow"][event].at) / timedelta(minutes=1) for event in both]
    unseen = sum(not _near(one, at_home[one.home], ahead) for one in sides["shadow"] if one.rings)
    return {
        "detector": asked.detector,
        "label": asked.label,
        "first": asked.first,
        "until": asked.until,
        "homes": sum(one.homes for area, one in watched.items() if weeks[area]),
        "people": sum(one.people for area, one in watched.items() if weeks[area]),
        "person_weeks": round(person_weeks, 3),
        "events": len(events),
        **{name: _side(found, verdicts[name], hits[name], len(events), person_weeks) for name, found in sides.items()},
        "found_by_both": len(both),
        "minutes_sooner_median": round(median(sooner), 1) if sooner else None,
        "cannot_know": _cannot_know(sides, verdicts, events, rung_for, unseen, person_weeks),
    }


def in_shadow(acts: Sequence[Act], area: str, asked: Asked) -> list[Span]:
    """When, in the time asked for, the version ran in shadow in the homes of `area`."""
    spans, since = [], None
    for act in acts:
        if act.scope is not None and not area.startswith(act.scope):
            continue
        if act.state == "shadow" and since is None:
            since = act.at
        elif act.state != "shadow" and since is not None:
            spans.append((since, act.at))
            since = None
    if since is not None:
        spans.append((since, asked.until))
    cut = [(max(begin, asked.first), min(end, asked.until)) for begin, end in spans]
    return [(begin, end) for begin, end in cut if begin < end]


def verdict(alarm: Found, incidents: Iterable[Incident], ahead: timedelta) -> Verdict:
    """What the home's incidents say of an alarm."""
    near = {one.verdict for one in incidents if one.id == alarm.incident or _about(alarm, one, ahead)}
    return "real" if "real" in near else "undecided" if "undecided" in near else "false"


def _side(
    found: Sequence[Found],
    verdicts: Mapping[str, Verdict],
    hits: Mapping[int, Found],
    events: int,
    person_weeks: float,
) -> dict[str, Any]:
    counts = {name: list(verdicts.values()).count(name) for name in ("real", "undecided", "false")}
    waits = sorted((one.at - one.since) / timedelta(minutes=1) for one in hits.values() if one.since is not None)
    return {
        "rang": len(verdicts),
        **counts,
        "asked": sum(one.asks for one in found),
        "withdrawn": sum(one.kind == WITHDRAWN for one in found),
        "false_per_person_week": _rate(counts["false"], person_weeks),
        "asked_per_person_week": _rate(sum(one.asks for one in found), person_weeks),
        "found": len(hits),
        "sensitivity": _share(len(hits), events),
        "minutes_to_detect": {
            "n": len(waits),
            "p50": round(median(waits), 1) if waits else None,
            "p90": round(quantiles(waits, n=10, method="inclusive")[-1], 1) if len(waits) > 1 else None,
        },
    }


def _rate(count: int, exposure: float) -> dict[str, float] | None:
    if not exposure:
        return None
    low, high = exact.of_count(count)
    return {"value": count / exposure, "low": low / exposure, "high": high / exposure}


def _share(count: int, of: int) -> dict[str, float] | None:
    if not of:
        return None
    low, high = exact.of_share(count, of)
    return {"value": count / of, "low": low, "high": high}


def _cannot_know(
    sides: Mapping[str, Sequence[Found]],
    verdicts: Mapping[str, Mapping[str, Verdict]],
    events: Sequence[Incident],
    rung_for: set[int],
    unseen: int,
    person_weeks: float,
) -> list[dict[str, Any]]:
    """By the names of sentences, each with its numbers."""
    said: list[dict[str, Any]] = []
    if not person_weeks:
        said.append({"what": "never_ran"})
    if len(events) < FEW_EVENTS:
        said.append({"what": "few_events", "n": len(events)})
    said.append({"what": "unnoticed"})
    if by_live := sum(one.id in rung_for for one in events):
        said.append({"what": "known_by_live", "n": by_live, "of": len(events)})
    if unseen:
        said.append({"what": "nobody_looked", "n": unseen})
    if undecided := sum(one == "undecided" for side in verdicts.values() for one in side.values()):
        said.append({"what": "undecided", "n": undecided})
    if any(one.asks for side in sides.values() for one in side):
        said.append({"what": "nobody_asked"})
    return said


def _hits(found: Sequence[Found], events: Iterable[Incident], ahead: timedelta) -> dict[int, Found]:
    """The first alarm about each event, by the event."""
    by_home: dict[str, list[Found]] = defaultdict(list)
    for one in found:
        if one.rings:
            by_home[one.home].append(one)
    hits = {}
    for event in events:
        about = [one for one in by_home[event.home] if one.incident == event.id or _about(one, event, ahead)]
        if about:
            hits[event.id] = min(about, key=lambda one: one.at)
    return hits


def _about(alarm: Found, incident: Incident, ahead: timedelta) -> bool:
    return incident.opened_at - ahead <= alarm.at and (incident.closed_at is None or alarm.at <= incident.closed_at)


def _near(alarm: Found, incidents: Iterable[Incident], ahead: timedelta) -> bool:
    return any(_about(alarm, one, ahead) for one in incidents)


def _within(moment: datetime, spans: Iterable[Span]) -> bool:
    return any(begin <= moment <= end for begin, end in spans)
