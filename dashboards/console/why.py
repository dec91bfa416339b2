"""Why an alarm rang, on the incident's page: in words first, then drawn, then in figures.

Evidence comes from detectors of any version and from devices: what is not understood is shown as a plain table, and
nothing that stands in it can keep the page from being drawn.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dispatch.home_day import Day
from pingan.messages import ANSWERS, SUSPICIONS, WITHDRAWN
from pingan.rollups import VitalDay

from . import evidence as read
from . import why_drawings as drawn
from .language import known, named, say
from .times import Times

Row = Mapping[str, Any]

PANELS = 3
"""Alarms that are explained in full, those of a detector first and the newest of them; the list below names all."""
DAYS = 14
LATE = timedelta(minutes=5)
"""The day is drawn up to a whole five minutes: a page that is looked at again says nothing new each second."""
MINUTE, SHORTLY = timedelta(minutes=1), timedelta(hours=2)
"""A sign within it before the beginning is told by how long before."""
MOVERS = frozenset({"motion", "door", "bed", "vibration"})
"""Kinds of device in the register without which a home's silence says nothing."""
SILENCES = frozenset({"inactivity", "inactivity_suspected"})
FALLS = frozenset({"fall", "fall_suspected"})
SCORES = frozenset({"score", "confidence", "probability"})
SHARES = frozenset({"stillness", "moving"})
"""Signs whose number is a share of the time after the impact."""
METRES = frozenset({"m", "metre", "metres", "meters"})

EXPLAINED = frozenset({
    "detector", "rule", "threshold", "value", "unit", "since_ms", "until_ms", "readings", "confidence", "usual",
    "supports", "opposes", "trace", "band", "restores", "follows", "reason", "source", "caller", "event_id", "attempt",
    "battery_percent", "media", "opened_by", "measure",
})  # fmt: skip
"""What the panel, or the list of evidence, says elsewhere."""


class Fact(NamedTuple):
    name: str
    value: str


class Panel(NamedTuple):
    """One alarm, explained."""

    id: str
    kind: str
    at: datetime
    sentences: list[str]
    supports: list[str]
    opposes: list[str]
    facts: list[Fact]
    trace: drawn.TraceDrawing | None
    vitals: drawn.VitalsDrawing | None
    vital: str
    distance: drawn.DistanceDrawing | None


class Step(NamedTuple):
    """Of a suspicion's way to a danger, or out of it."""

    at: datetime
    text: str


class Why(NamedTuple):
    panels: list[Panel]
    steps: list[Step]
    day: drawn.DayDrawing | None
    day_sentences: list[str]
    day_rows: list[tuple[str, str]]
    """The day as a table: sensors, and when each heard somebody move."""
    lanes: list[str]
    """The names of the day's lanes."""
    silent: str
    day_first: bool
    """Whether the day itself is what rang: then it stands above the journal."""
    by_hour: bool
    times: Times
    """By the home's own clock."""


class Needs(NamedTuple):
    """What is to be read for an incident's page."""

    until: datetime
    """The end of the home's day."""
    vital_days: tuple[date, date] | None
    """Of vital signs, if one of its alarms is about them."""


def needs(row: Row, times: Times) -> Needs:
    """What `explain` will want to know, before it is read."""
    until = _whole(row["stamps"]["t9"]["at"] or times.now)
    if not any(one["kind"] == "vitals" for one in row["alarms"]):
        return Needs(until, None)
    last = until.astimezone(times.zone).date()
    return Needs(until, (last - timedelta(days=DAYS - 1), last))


def _whole(at: datetime) -> datetime:
    begun = at.replace(minute=at.minute - at.minute % 5, second=0, microsecond=0)
    return begun if begun == at else begun + LATE


def _vital(evidence: read.Given) -> str:
    """Which vital sign, or other measure."""
    return read.text(evidence, "measure")


def explain(row: Row, day: Day | None, vitals: Sequence[VitalDay], language: str, times: Times) -> Why:
    """Everything that the page says of why, by the home's own clock (`times`)."""
    return _Teller(row, day, vitals, language, times).why()


class _Teller:
    def __init__(self, row: Row, day: Day | None, vitals: Sequence[VitalDay], language: str, times: Times) -> None:
        self._row, self._day, self._vitals = row, day, vitals
        self._language, self._times, self._t = language, times, say(language)
        self._until = needs(row, times).until
        self._ends: datetime = row["stamps"]["t9"]["at"] or times.now
        self._alarms = [one for one in row["alarms"] if isinstance(one["evidence"], Mapping)]

    def why(self) -> Why:
        confirmed = {read.text(one["evidence"], "follows") for one in self._alarms}
        shown = [one for one in self._alarms if self._is_explained(one) and str(one["id"]) not in confirmed]
        shown.sort(key=lambda one: (not read.text(one["evidence"], "rule"), -one["raised_at"].timestamp()))
        silent = next((one for one in shown if one["kind"] in SILENCES), None)
        rang = silent or (self._alarms[0] if self._alarms else None)
        day = self._drawn_day(silent, rang)
        return Why(
            panels=[self._panel(one) for one in shown[:PANELS]],
            steps=self._steps(),
            day=day,
            day_sentences=self._day_sentences(rang),
            day_rows=self._day_rows(day),
            lanes=[self._lane(one) for one in day.lanes] if day else [],
            silent=self._lasting(day.silence.seconds) if day and day.silence else "",
            day_first=silent is not None,
            by_hour=self._day is not None and self._day.by_hour,
            times=self._times,
        )

    def _is_explained(self, alarm: Row) -> bool:
        """A press is what it is. Whatever a rule found, or a device says more of, is explained."""
        if alarm["kind"] == WITHDRAWN or alarm["kind"] in ANSWERS:
            return False
        evidence = alarm["evidence"]
        return bool(read.text(evidence, "rule")) or any(name in evidence for name in ("trace", "threshold", "usual"))

    def _panel(self, alarm: Row) -> Panel:
        evidence = alarm["evidence"]
        trace = read.trace(evidence)
        picture = drawn.draw_trace(trace, self._threshold_g(evidence)) if trace else None
        vitals = self._drawn_vitals(alarm) if alarm["kind"] == "vitals" else None
        return Panel(
            id=str(alarm["id"]),
            kind=alarm["kind"],
            at=alarm["at"],
            sentences=self._sentences(alarm, trace, picture),
            supports=self._signs(evidence, "supports"),
            opposes=self._signs(evidence, "opposes"),
            facts=self._facts(evidence, picture),
            trace=picture,
            vitals=vitals,
            vital=self._measured(_vital(evidence)) if vitals else "",
            distance=self._drawn_distance(evidence),
        )

    # In words.

    def _sentences(self, alarm: Row, trace: read.Trace | None, picture: drawn.TraceDrawing | None) -> list[str]:
        evidence, kind = alarm["evidence"], alarm["kind"]
        if kind in SILENCES:
            said = self._of_silence(alarm)
        elif trace is not None and picture is not None:
            said = self._of_impact(trace, picture)
        elif kind == "wandering":
            said = self._of_wandering(evidence)
        else:
            said = []
        if not said:
            said = self._of_measure(evidence)
        if kind not in SILENCES:
            said += self._of_usual(alarm)
        said += self._of_confidence(evidence, kind)
        return said

    def _of_silence(self, alarm: Row) -> list[str]:
        evidence = alarm["evidence"]
        unit = read.text(evidence, "unit")
        silent = read.seconds(read.number(evidence, "value"), unit)
        since = read.moment(evidence, "since_ms")
        if silent is None and since is not None:
            silent = (alarm["at"] - since).total_seconds()
        if silent is None or silent < 0:
            return []
        key = "why.silence" if since is not None else "why.silence_only"
        said = [self._t(key, lasting=self._lasting(silent), since=self._minute(since)), *self._of_usual(alarm)]
        limit = read.seconds(read.number(evidence, "threshold"), unit)
        if limit is not None and limit > 0:
            said.append(self._t("why.silence_limit", limit=self._lasting(limit)))
        return said

    def _of_impact(self, trace: read.Trace, picture: drawn.TraceDrawing) -> list[str]:
        t = self._t
        place = named(self._language, "position", trace.position) if trace.position else t("position.unknown")
        at = read.from_ms(picture.peak_at_ms)
        key = "why.impact_beyond" if picture.saturated else "why.impact"
        ends = _short(trace.range_g) if trace.range_g is not None else ""
        said = [t(key, position=place, g=_short(picture.peak_g), at=self._times.clock(at), range=ends)]
        if picture.still is None:
            said.append(t("why.not_still"))
        else:
            said.append(t("why.still", lasting=self._lasting(picture.still_seconds)))
        return said

    def _of_wandering(self, evidence: read.Given) -> list[str]:
        value, unit = read.number(evidence, "value"), read.text(evidence, "unit")
        threshold = read.number(evidence, "threshold")
        if unit.split(" ")[0] in METRES and value is not None and threshold is not None:
            return [self._t("why.distance", distance=_short(value), radius=_short(threshold))]
        out, since = read.seconds(value, unit), read.moment(evidence, "since_ms")
        if out is not None and out >= 0 and since is not None:
            return [self._t("why.out", since=self._minute(since), lasting=self._lasting(out))]
        return []

    def _measured(self, measure: str) -> str:
        """The word for what was measured: of the detectors' measures, or of the readings' kinds."""
        word = named(self._language, "measure", measure)
        return named(self._language, "reading", measure) if word == measure.replace("_", " ") else word

    def _of_measure(self, evidence: read.Given) -> list[str]:
        vital = _vital(evidence)
        if evidence.get("value") is True:
            return [self._t("why.said_itself")]
        value, threshold = read.number(evidence, "value"), read.number(evidence, "threshold")
        unit = read.text(evidence, "unit")
        if value is None or unit.split(" ")[0] in SCORES:
            return []
        values = {
            "what": self._measured(vital) if vital else self._t("why.value"),
            "value": self._amount(value, unit),
            "threshold": self._amount(threshold, unit) if threshold is not None else "",
        }
        return [self._t("why.measured" if threshold is not None else "why.measured_only", **values)]

    def _of_usual(self, alarm: Row) -> list[str]:
        usual = read.usual(alarm["evidence"])
        if usual is None:
            return []
        most = next((one for one in (usual.p99, usual.p90) if one is not None), None)
        days = self._t("why.from_days", n=usual.days) if usual.days and usual.days > 0 else ""
        if alarm["kind"] in SILENCES and most is not None:
            return [self._t("why.usual_silence", most=self._amount(most, usual.unit), days=days)]
        if usual.p50 is not None:
            return [self._t("why.usual", half=self._amount(usual.p50, usual.unit), days=days)]
        return []

    def _of_confidence(self, evidence: read.Given, kind: str) -> list[str]:
        sure = read.number(evidence, "confidence")
        if sure is None or not 0 <= sure <= 1:
            return []
        threshold = read.number(evidence, "threshold")
        values = {"n": _whole_percent(sure), "what": named(self._language, "kind", SUSPICIONS.get(kind, kind))}
        if read.text(evidence, "unit").split(" ")[0] in SCORES and threshold is not None and 0 <= threshold <= 1:
            return [self._t("why.sure_from", threshold=_whole_percent(threshold), **values)]
        return [self._t("why.sure", **values)]

    def _signs(self, evidence: read.Given, name: str) -> list[str]:
        since = read.moment(evidence, "since_ms")
        return [self._sign(one, since) for one in read.signs(evidence, name)]

    def _sign(self, sign: read.Sign, since: datetime | None) -> str:
        what = named(self._language, "sign", sign.what)
        if isinstance(sign.value, str) and sign.value:
            what = self._t("pair", name=what, value=sign.value[: read.TEXT_MAX])
        elif (value := read.number({"value": sign.value}, "value")) is not None:
            shown = self._signed(sign.what, value)
            what = self._t("pair", name=what, value=shown) if shown else what
        if sign.at is None:
            return what
        at = self._times.clock(sign.at)
        if since is not None and MINUTE <= since - sign.at <= SHORTLY:
            before = self._lasting((since - sign.at).total_seconds())
            return self._t("why.at_before", what=what, at=at, before=before)
        return self._t("why.at", what=what, at=at)

    def _signed(self, what: str, value: float) -> str:
        """A sign's number in its own unit, where its code has one; empty where nobody at the desk needs it."""
        key = f"signed.{what}"
        if not known(self._language, key) or (what in SHARES and not 0 <= value <= 1):
            return _short(value)
        return self._t(key, n=_short(value), share=_whole_percent(value))

    # In figures.

    def _facts(self, evidence: read.Given, picture: drawn.TraceDrawing | None) -> list[Fact]:
        t, unit = self._t, read.text(evidence, "unit")
        found = [(name, read.text(evidence, name)) for name in ("detector", "rule")]
        for name in ("threshold", "value"):
            value = read.number(evidence, name)
            if value is None and evidence.get(name) is not None and not isinstance(evidence[name], bool):
                found += [(name, one) for _, one in read.plain({name: evidence[name]})]
            elif value is not None:
                found.append((name, self._amount(value, unit)))
        found.append(("since", self._times.clock(read.moment(evidence, "since_ms"))))
        if (sure := read.number(evidence, "confidence")) is not None and 0 <= sure <= 1:
            found.append(("confidence", t("why.percent", n=_whole_percent(sure))))
        if (usual := read.usual(evidence)) is not None:
            found += [(name, self._amount(level, usual.unit)) for name, level in drawn.usual_limits(usual).items()]
        if picture is not None:
            found += [("peak", f"{_short(picture.peak_g)} g"), ("least", f"{_short(picture.least_g)} g")]
            if picture.still is not None:
                found.append(("still", self._lasting(picture.still_seconds)))
        ids = read.readings(evidence)
        if ids:
            more = f" … ({len(ids)})" if len(ids) > READINGS else ""
            found.append(("readings", t("comma").join(ids[:READINGS]) + more))
        drawn_too = {"peak_g"} if picture is not None else set()
        found += read.plain(evidence, (EXPLAINED | drawn_too) - read.unread(evidence))
        said = {"True": t("yes"), "False": t("no"), "None": t("none")}
        return [Fact(named(self._language, "fact", name), said.get(value, value)) for name, value in found if value]

    def _amount(self, value: float, unit: str) -> str:
        """A number with its unit; a duration as people say it."""
        lasting = read.seconds(value, unit)
        if lasting is not None and 0 <= lasting < 1e12:
            return self._lasting(lasting)
        if unit.split(" ")[0] in SCORES and 0 <= value <= 1:
            return self._t("why.percent", n=_whole_percent(value))
        return f"{_short(value)} {named(self._language, 'unit', unit)}".strip()

    def _lasting(self, seconds: float) -> str:
        """What took minutes is not told to the second."""
        if seconds < 10:
            return self._t("why.seconds", s=f"{seconds:.1f}")
        return self._times.lasting(seconds if seconds < 600 else seconds // 60 * 60)

    def _minute(self, at: datetime | None) -> str:
        return self._times.minute(at)

    # Its way.

    def _steps(self) -> list[Step]:
        """Suspected, asked, confirmed or withdrawn; nothing where there was never a suspicion nor a withdrawal."""
        every = {one["id"]: one for one in (*self._row.get("related", ()), *self._alarms)}
        told = [one for one in every.values() if isinstance(one["evidence"], Mapping)]
        if not any(one["kind"] in SUSPICIONS or one["kind"] == WITHDRAWN for one in told):
            return []
        steps = [self._step(one) for one in told if one["kind"] not in ANSWERS]
        return sorted(step for step in steps if step is not None)

    def _step(self, alarm: Row) -> Step | None:
        t, evidence, kind = self._t, alarm["evidence"], alarm["kind"]
        word = named(self._language, "kind", kind)
        if kind == WITHDRAWN:
            reason = named(self._language, "because", read.text(evidence, "reason") or "unnamed")
            key = "why.step_withdrawn" if self._row["state"] == "closed" else "why.step_withdrawn_yours"
            return Step(alarm["at"], t(key, reason=reason))
        if kind in SUSPICIONS:
            until = read.moment(evidence, "until_ms")
            key = "why.step_asked" if until is not None else "why.step_suspected"
            return Step(alarm["at"], t(key, kind=word, until=self._times.clock(until)))
        if read.text(evidence, "follows"):
            return Step(alarm["at"], t("why.step_confirmed", kind=word))
        return Step(alarm["at"], t("why.step_rang", kind=word)) if read.text(evidence, "rule") else None

    # The home's day.

    def _drawn_day(self, silent: Row | None, rang: Row | None) -> drawn.DayDrawing | None:
        if self._day is None or not self._day.movements:
            return None
        silence, band, limit = None, None, None
        if silent is not None:
            evidence = silent["evidence"]
            band = read.band(evidence)
            limit_seconds = read.seconds(read.number(evidence, "threshold"), read.text(evidence, "unit"))
            if limit_seconds is not None and 0 < limit_seconds <= 72 * 3600:
                limit = limit_seconds / 3600
            since = read.moment(evidence, "since_ms")
            if since is not None and since < self._ends:
                silence = since, self._moved_again(silent) or self._ends
        return drawn.draw_day(
            self._day.movements, until=self._until, zone=self._times.zone, rang=rang["at"] if rang else None,
            silence=silence, band=band, limit_hours=limit,
        )  # fmt: skip

    def _moved_again(self, alarm: Row) -> datetime | None:
        if self._day is None:
            return None
        return min((one.first for one in self._day.movements if one.first > alarm["at"]), default=None)

    def _day_sentences(self, rang: Row | None) -> list[str]:
        """The last movement before the alarm, and whether there was any after it."""
        if self._day is None:
            return [self._t("why.not_in_time")]
        if rang is None:
            return []
        before = max((one for one in self._day.movements if one.first <= rang["at"]), key=_last, default=None)
        if before is None:
            devices = self._row["card"]["devices"] if self._row["card"] else ()
            heard = any(one["kind"] in MOVERS for one in devices)
            return [self._t("why.no_movement_before")] if heard else []
        at = min(before.last, rang["at"])
        said = [
            self._t(
                "why.last_movement", where=self.sensor(before.sensor or before.device or "", before.kind),
                at=self._minute(at), before=self._lasting((rang["at"] - at).total_seconds()),
            )
        ]  # fmt: skip
        after = max((one for one in self._day.movements if one.first > rang["at"]), key=_last, default=None)
        if after is None:
            return [*said, self._t("why.none_since")]
        where = self.sensor(after.sensor or after.device or "", after.kind)
        return [*said, self._t("why.moved_since", where=where, at=self._minute(after.last))]

    def _lane(self, lane: drawn.Lane) -> str:
        return self._t("why.others", n=lane.rest) if lane.rest else self.sensor(lane.name, lane.kind)

    def _day_rows(self, day: drawn.DayDrawing | None) -> list[tuple[str, str]]:
        """The newest movements of each lane, by the minute."""
        rows = []
        for lane in day.lanes if day else ():
            told = [self._times.hour(at) for at in lane.times[-TOLD:]]
            if len(lane.times) > TOLD:
                told.append(self._t("why.more", n=len(lane.times) - TOLD))
            rows.append((self._lane(lane), self._t("comma").join(told)))
        return rows

    def sensor(self, name: str, kind: str) -> str:
        return sensor_named(self._language, name, kind)

    # Vital signs and distances.

    def _drawn_vitals(self, alarm: Row) -> drawn.VitalsDrawing | None:
        evidence = alarm["evidence"]
        kind = _vital(evidence)
        days = [one for one in self._vitals if one.kind == kind]
        limits = {}
        if (threshold := read.number(evidence, "threshold")) is not None:
            limits["threshold"] = threshold
        for name, level in drawn.usual_limits(read.usual(evidence)).items():
            if name == "p50":
                limits[name] = level
        last: date = self._until.astimezone(self._times.zone).date()
        value = read.number(evidence, "value")
        return drawn.draw_vitals(days, value, limits, last - timedelta(days=DAYS - 1), last)

    def _drawn_distance(self, evidence: read.Given) -> drawn.DistanceDrawing | None:
        value, threshold = read.number(evidence, "value"), read.number(evidence, "threshold")
        if value is None or threshold is None or read.text(evidence, "unit").split(" ")[0] not in METRES:
            return None
        return drawn.draw_distance(value, threshold)

    @staticmethod
    def _threshold_g(evidence: read.Given) -> float | None:
        return read.number(evidence, "threshold") if read.text(evidence, "unit").split(" ")[0] == "g" else None


ROOMS = frozenset({"motion", "occupancy"})
TOLD = 24
"""Movements of a sensor that the table names."""
READINGS = 3
"""Ids of readings that are named; how many there are, is."""


def sensor_named(language: str, name: str, kind: str) -> str:
    """Kitchen · front (door): what else but movement it hears is said, and what has no name."""
    told = named(language, "reading", kind)
    if not name:
        return told
    return name if kind in ROOMS else say(language)("why.sensor", name=name, kind=told)


def home_zone(row: Row, centre: ZoneInfo) -> ZoneInfo:
    """The home's own zone where the register has one."""
    name = (row["card"] or {}).get("timezone")
    try:
        return ZoneInfo(name) if name else centre
    except (ZoneInfoNotFoundError, ValueError):
        return centre


def _last(movement: Any) -> datetime:
    last: datetime = movement.last
    return last


def _short(value: float) -> str:
    """3.4, 82, 0.25: as many digits as anybody reads."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _whole_percent(share: float) -> int:
    return round(share * 100)
