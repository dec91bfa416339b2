"""A comparison as people read it, on a terminal and on a page. PURE."""

from collections.abc import Mapping
from typing import Any

from alerting.shadow_words import say

SIDES = ("live", "shadow")
COUNTS = ("rang", "false", "undecided", "withdrawn", "asked")
SHARES = ("false_per_person_week", "asked_per_person_week", "sensitivity")
WAITS = "minutes_to_detect"


def head(found: Mapping[str, Any], language: str) -> str:
    """Of what, where, and over what time."""
    days = {key: f"{found[key]:%Y-%m-%d}" for key in ("first", "until")}
    return say("head", language, **{**found, **days, "weeks": f"{found['person_weeks']:.1f}"})


def table(found: Mapping[str, Any], language: str) -> list[list[str]]:
    """What is counted, then the live version's, then the shadow's."""

    def share(one: Mapping[str, float] | None) -> str:
        if one is None:
            return say("none", language)
        return say("interval", language, **{key: f"{value:.3g}" for key, value in one.items()})

    def waits(one: Mapping[str, Any]) -> str:
        return " / ".join(say("none", language) if one[key] is None else str(one[key]) for key in ("p50", "p90"))

    rows = [(name, [str(found[side][name]) for side in SIDES]) for name in COUNTS]
    rows += [(name, [share(found[side][name]) for side in SIDES]) for name in SHARES]
    rows.append((WAITS, [waits(found[side][WAITS]) for side in SIDES]))
    return [[say(f"row_{name}", language), *cells] for name, cells in rows]


def both(found: Mapping[str, Any], language: str) -> str | None:
    """How much sooner the shadow was; None when nothing was found by both."""
    if not found["found_by_both"]:
        return None
    return say("both", language, n=found["found_by_both"], minutes=found["minutes_sooner_median"])


def doubts(found: Mapping[str, Any], language: str) -> list[str]:
    """What the comparison cannot know."""
    return [
        say(one["what"], language, **{key: value for key, value in one.items() if key != "what"})
        for one in found["cannot_know"]
    ]


def lines(found: Mapping[str, Any], language: str) -> list[str]:
    """All of it, for a terminal."""
    columns = ["", *(say(f"column_{side}", language) for side in SIDES)]
    said = [head(found, language)]
    said += ["  ".join(f"{cell:<28}" for cell in row).rstrip() for row in [columns, *table(found, language)]]
    said.append(say("intervals", language))
    if (sooner := both(found, language)) is not None:
        said.append(sooner)
    return [*said, say("cannot_know", language), *(f"  {doubt}" for doubt in doubts(found, language))]
