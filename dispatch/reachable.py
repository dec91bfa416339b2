"""Who can be reached by telephone, as far as is known, and whose turn it is to be tried. PURE.

A test is a call that asks for a key and, where nobody presses one, a text message that asks for an answer. It says
something of a person only if the telephone rang: what our provider could not place is no fault of theirs.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Literal

import msgspec

from pingan.hours import NoHours, span, within

TEST_DAYS = 30
"""Nobody is tried more often than this without being asked for."""
SPREAD_DAYS = 25
"""All are tried within so many days: a few are left for days on which nobody can be."""
AGAIN_DAYS = 1
"""A test that could not be placed is placed on another day."""
HOURS = (10, 20)
"""From and until, by the clock of whoever is called (chosen): neither early nor at night."""
TEXT_HOURS = 24
"""So long a text message waits for its answer."""
LONG_DAYS = 60
"""Whoever was reached before this is not known to be reached now."""

Standing = Literal["wrong_number", "bad_number", "unreached", "untested", "long_ago", "under_way", "reached"]
STANDINGS: tuple[Standing, ...] = (
    "wrong_number", "bad_number", "unreached", "untested", "long_ago", "under_way", "reached",
)  # fmt: skip
"""The worst first."""
UNREACHABLE = frozenset({"wrong_number", "bad_number", "unreached"})
"""They are called all the same; but somebody should know before the night on which they are needed."""


class Reachable(msgspec.Struct, frozen=True):
    """Somebody who may be called in the night, and what is known of their telephone."""

    id: str
    group: Literal["contacts", "responders"]
    name: str
    role: str
    phone: str
    language: str
    local: datetime
    """The time by their own clock, as far as we know it: the home's, or the centre's."""
    area: str | None = None
    home: str | None = None
    rank: int = 0
    quiet: str | None = None
    absent: bool = False
    reached_at: datetime | None = None
    reached_by: str | None = None
    """The channel by which they answered last, whatever it was about."""
    wrong_at: datetime | None = None
    """When whoever answered said that they do not know us."""
    tested_at: datetime | None = None
    """When the telephone last rang for a test."""
    tried_at: datetime | None = None
    """When a test was last begun, whatever came of it."""
    under_way: bool = False
    bad: bool = False
    """The provider says that there is no such number, and nobody has seen to it yet."""


def reachable(row: Mapping[str, Any]) -> Reachable:
    """Of a row of `-- name: people`."""
    return msgspec.convert(dict(row), Reachable)


def standing(one: Reachable, now: datetime) -> Standing:
    """How it is with somebody."""
    reached = one.reached_at
    if one.wrong_at is not None and (reached is None or one.wrong_at > reached):
        return "wrong_number"
    if one.bad:
        return "bad_number"
    if one.under_way:
        return "under_way"
    if reached is not None and (one.tested_at is None or reached >= one.tested_at):
        return "reached" if now - reached <= timedelta(days=LONG_DAYS) else "long_ago"
    if one.tested_at is None:
        return "untested"
    # The text message that follows a call without a key may not have been sent yet.
    waits = takes_text(one.phone) and now - one.tested_at < timedelta(hours=TEXT_HOURS)
    return "under_way" if waits else "unreached"


def worst_first(people: Iterable[Reachable], now: datetime) -> list[tuple[Reachable, Standing]]:
    """Everybody with their standing; among equals whoever was heard of longest ago."""
    never = datetime.min.replace(tzinfo=now.tzinfo)
    found = [(one, standing(one, now)) for one in people]
    return sorted(found, key=lambda pair: (STANDINGS.index(pair[1]), pair[0].reached_at or never, pair[0].id))


def nobody(people: Sequence[tuple[Reachable, Standing]]) -> bool:
    """Whether nobody at all of these can be reached, as far as is known. Of no people that is so."""
    return all(known in UNREACHABLE for _, known in people)


def suits(one: Reachable) -> bool:
    """Whether it is a time of day at which they may be called for no reason of theirs."""
    if one.absent or not HOURS[0] <= one.local.hour < HOURS[1]:
        return False
    try:
        return not (one.quiet and within(span(one.quiet), one.local))
    except NoHours:  # what nobody can read asks for quiet, whatever its hours are
        return False


def allowed(telephones: int, begun_today: int, local: datetime) -> int:
    """How many tests may begin now, so that they are spread over the days and over each day. `local`: the centre's."""
    minutes = (HOURS[1] - HOURS[0]) * 60
    gone = min(max((local.hour - HOURS[0]) * 60 + local.minute + 1, 0), minutes)
    return max(0, ceil(ceil(telephones / SPREAD_DAYS) * gone / minutes) - begun_today)


def due(people: Sequence[Reachable], many: int, now: datetime) -> list[Reachable]:
    """Whom to try now, at most `many`, whoever was tried longest ago first. A telephone is tried once for all."""
    never = datetime.min.replace(tzinfo=now.tzinfo)
    by_phone: dict[str, list[Reachable]] = {}
    for one in people:
        by_phone.setdefault(one.phone, []).append(one)
    turn = [
        min(of_one, key=lambda one: one.id)
        for of_one in by_phone.values()
        if all(suits(one) and _due(one, now) for one in of_one)
    ]
    return sorted(turn, key=lambda one: (one.tested_at or never, one.tried_at or never, one.id))[:many]


def takes_text(phone: str) -> bool:
    """Whether a text message can be sent there. Of China's numbers only mobile ones, which begin with 1."""
    return not phone.startswith("+86") or (phone.startswith("+861") and len(phone) == len("+8613800000000"))


def _due(one: Reachable, now: datetime) -> bool:
    if one.under_way or (one.tried_at is not None and now - one.tried_at < timedelta(days=AGAIN_DAYS)):
        return False
    return one.tested_at is None or now - one.tested_at >= timedelta(days=TEST_DAYS)
