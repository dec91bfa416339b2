"""Who can be asked for a home, in which order, and why. PURE.

Contacts keep the order that the register gives them. Responders go by how near they are, those who know the home before
those who do not, and whoever goes elsewhere already last. Each place has its reasons, by name, and so has not being
asked at all: the operator sees both, and may send anybody.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from math import asin, cos, radians, sin, sqrt
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from dispatch.policy import Person
from pingan.hours import WEEKDAYS, NoHours, on_shift, rota, span, within, zone_of

LOAD_MAX = 2
"""Whoever goes to so many others already is asked last."""
BANDS_METRES = (500, 1_500, 5_000, 15_000, 60_000)
"""Five minutes' walk, a quarter of an hour's, by bicycle, by car, in the same city: within one of them, knowing the
home counts for more (chosen)."""
AREA_METRES = {12: 1_000, 9: 4_000, 6: 15_000, 4: 60_000}
"""How far somebody may be of whom only the area is known, by the digits of the area that both are in (chosen)."""
FAR_METRES = 200_000
EARTH_METRES = 6_371_000
LEVELS_KEPT = 4_096
"""Pairs of areas of which it is known what they share: of a home's responders most stand in a few areas."""


class Candidate(msgspec.Struct, frozen=True):
    """A contact, or a responder, and the home they would go to, at one time."""

    id: str
    name: str
    group: str
    role: str
    phone: str
    language: str
    local: datetime
    """The time at the home, by its own clock."""
    rank: int = 0
    notify: str | None = None
    told: bool = False
    quiet: str | None = None
    has_key: bool = False
    stranger: bool = False
    """Somebody else has their number now, and has said so."""
    home_area: str = ""
    home_latitude: float | None = None
    home_longitude: float | None = None
    home_coordinates: str | None = None
    area: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    coordinates: str | None = None
    on_duty: bool = True
    consented_on: date | None = None
    trained_on: date | None = None
    hours: str | None = None
    counts_as: int | None = None
    """The day of the week that this day counts as, Monday is 0: None: no holiday."""
    yesterday_counts_as: int | None = None
    absent: bool = False
    stands_in: tuple[str, ...] = ()
    """Ids of those who are absent and whose stand-in this is."""
    going_to: int = 0
    """Other homes that they go to now."""
    attended: bool = False
    """They have been at this home before."""


class Reach(NamedTuple):
    """How far it is: `metres` as far as is known, `measured` if they are no guess by the area.

    `level`: the digits of the smallest area within which both lie.
    """

    metres: int
    measured: bool
    level: int


def people(rows: Iterable[Mapping[str, Any]], now: datetime, zone: ZoneInfo) -> tuple[Person, ...]:
    """Those of `-- name: people`, in their order. `zone` is the centre's.

    All are asked for one home: its clock is read once.
    """
    found = list(rows)
    clock = _clock(found[0], now, zone) if found else {}
    return ranked([{**row, **clock} for row in found])


def _clock(row: Mapping[str, Any], now: datetime, zone: ZoneInfo) -> dict[str, Any]:
    local = now.astimezone(zone_of(row["timezone"], zone))
    days = {day: WEEKDAYS.index(counts_as) for day, counts_as in (row["holidays"] or {}).items()}
    yesterday = local.date() - timedelta(days=1)
    return {
        "local": local,
        "counts_as": days.get(local.date().isoformat()),
        "yesterday_counts_as": days.get(yesterday.isoformat()),
    }


def ranked(rows: Iterable[Mapping[str, Any]]) -> tuple[Person, ...]:
    """Everybody who may be asked, contacts before responders; then whoever is passed over: `passed` says why."""
    found = [msgspec.convert(row, Candidate) for row in rows]
    contacts = sorted((one for one in found if one.group == "contacts"), key=lambda one: (one.rank, one.id))
    responders = [one for one in found if one.group != "contacts"]
    by_id = {one.id: one for one in responders}
    reasons = {one.id: passed_over(one, by_id) for one in responders}
    near = {one.id: reach(one) for one in responders}
    order = sorted(responders, key=lambda one: (bool(reasons[one.id]), *_place(one, near[one.id])))
    return (
        *(_contact(one) for one in contacts),
        *(_responder(one, rank, reasons[one.id], near[one.id], by_id) for rank, one in enumerate(order, 1)),
    )


def passed_over(one: Candidate, others: Mapping[str, Candidate]) -> str:
    """The named reason for which a responder is not asked; empty: they may be."""
    if one.consented_on is None or one.consented_on > one.local.date():
        return "not_consented"
    if one.trained_on is None or one.trained_on > one.local.date():
        return "not_trained"
    if not one.on_duty:
        return "off_duty"
    if one.absent:
        return "absent"
    if on_rota(one) or any(on_rota(others[absent]) for absent in one.stands_in if absent in others):
        return ""
    return "off_rota"


def on_rota(one: Candidate) -> bool:
    """Whether it is somebody's shift. Without hours it always is; hours that nobody can read keep nobody from help."""
    if not one.hours:
        return True
    today = one.local.weekday() if one.counts_as is None else one.counts_as
    before = (one.local.weekday() - 1) % 7 if one.yesterday_counts_as is None else one.yesterday_counts_as
    try:
        return on_shift(rota(one.hours), one.local, today, before)
    except NoHours:
        return True


def reach(one: Candidate) -> Reach:
    """How far somebody is from the home: measured where both places are known in the same system of coordinates."""
    level = _level(one.area or "", one.home_area)
    if (
        one.coordinates is not None
        and one.coordinates == one.home_coordinates
        and one.latitude is not None
        and one.longitude is not None
        and one.home_latitude is not None
        and one.home_longitude is not None
    ):
        far = metres(one.latitude, one.longitude, one.home_latitude, one.home_longitude)
        return Reach(round(far), measured=True, level=level)
    return Reach(AREA_METRES.get(level, FAR_METRES), measured=False, level=level)


def metres(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Along the surface of a sphere: within half a percent of the way as the crow flies."""
    north, east = radians(other_latitude - latitude), radians(other_longitude - longitude)
    half = sin(north / 2) ** 2 + cos(radians(latitude)) * cos(radians(other_latitude)) * sin(east / 2) ** 2
    return 2 * EARTH_METRES * asin(min(1.0, sqrt(half)))


def _contact(one: Candidate) -> Person:
    quiet = _quiet(one)
    also = (("has_key", one.has_key), ("wrong_number", one.stranger), ("quiet_hours", quiet))
    why = ("contact_of_home", *(name for name, holds in also if holds))
    return Person(
        one.id, one.name, "contacts", one.rank, one.role, one.phone, one.language, notify=one.notify or "",
        told=one.told and not one.stranger, quiet=quiet, why=why, stranger=one.stranger,
    )  # fmt: skip


def _responder(one: Candidate, rank: int, passed: str, near: Reach, others: Mapping[str, Candidate]) -> Person:
    why = [f"metres:{near.metres}" if near.measured else f"area:{near.level}"]
    if one.attended:
        why.append("attended_before")
    if one.has_key:
        why.append("has_key")
    why += [f"stands_in:{others[absent].name}" for absent in one.stands_in if absent in others]
    if one.stranger:
        why.append("wrong_number")
    if one.going_to:
        why.append(f"going_to:{one.going_to}")
    return Person(
        one.id, one.name, "responders", rank, one.role, one.phone, one.language, notify=one.notify or "",
        why=tuple(why), passed=passed, stranger=one.stranger,
    )  # fmt: skip


def _place(one: Candidate, near: Reach) -> tuple[bool, int, bool, int, int, str]:
    band = bisect_left(BANDS_METRES, near.metres)
    known = one.attended or one.has_key
    return (one.going_to >= LOAD_MAX, band, not known, one.going_to, near.metres, one.id)


def _quiet(one: Candidate) -> bool:
    try:
        return bool(one.quiet) and within(span(one.quiet or ""), one.local)
    except NoHours:
        return False


@lru_cache(LEVELS_KEPT)
def _level(first: str, other: str) -> int:
    """The digits of the smallest area within which both lie."""
    apart = (place for place, (one, two) in enumerate(zip(first, other, strict=False)) if one != two)
    shared = next(apart, min(len(first), len(other)))
    return max((digits for digits in AREA_METRES if digits <= shared), default=0)
