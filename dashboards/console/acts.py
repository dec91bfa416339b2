"""What an operator can do with an incident: one key each, always in the same place, and why not when not. PURE."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from dispatch import incident as core

KEYS = {
    "answer": "A",
    "contact": "C",
    "no_contact": "X",
    "assign": "S",
    "accept": "Y",
    "moving": "M",
    "on_scene": "O",
    "safe": "F",
    "close": "Z",
    "note": "N",
}
"""The acts in the order of the bar, which is the order in which an incident goes."""

ASKING_FOR = {"assign": "person", "accept": "person", "close": "form", "note": "form"}
"""Acts that need more than one key."""


@dataclass(frozen=True, slots=True)
class Act:
    """`why_not` is the name of the refusal it would meet; None: it can be done. `who`: of whom the refusal speaks."""

    name: str
    key: str
    why_not: str | None
    who: str
    asks: str | None
    next: bool


@cache
def _rules() -> dict[tuple[str, str], str]:
    """(event, state) → rule, from the incident's own table."""
    header, *rows = (line.split() for line in core.TABLE.strip().splitlines())
    return {(row[0], state): rule for row in rows for state, rule in zip(header[1:], row[1:], strict=True)}


def acts(row: Mapping[str, Any], me: str) -> list[Act]:
    """Every act, with what it would be refused for as far as the page can tell; the desk has the last word."""
    todo = next_act(row)
    found = []
    for name, key in KEYS.items():
        why_not, who = _why_not(row, name, me)
        asks = ASKING_FOR.get(name)
        if name in ("moving", "on_scene") and not row["helper"]:
            asks = "person"
        found.append(Act(name, key, why_not, who, asks, name == todo and why_not is None))
    return found


def next_act(row: Mapping[str, Any]) -> str | None:
    """The next sensible act; None: wait for what is under way."""
    state = row["state"]
    if state == "closed":
        return None
    if row["ringing"]:
        return "answer"
    if state == "answered":
        if row["contact"] is None:
            return "contact"
        return None if row["calling"] else "assign"
    return {"waiting": "answer", "accepted": "moving", "moving": "on_scene", "on_scene": "safe", "safe": "close"}[state]


def _why_not(row: Mapping[str, Any], name: str, me: str) -> tuple[str | None, str]:
    helper = row["helper"]["name"] if row["helper"] else ""
    if _rules()[name, row["state"]] == "too_late":
        if row["state"] == "closed":
            return "already_closed", row["closing"]["name"] if row["closing"] else ""
        return f"already_{row['state']}", helper
    if name == "on_scene" and row["state"] == "on_scene":
        return "already_on_scene", helper
    if name == "answer" and row["operator"] is not None and not row["ringing"]:
        return ("already_yours" if row["operator"] == me else "already_answered"), row["operator_name"]
    if name in ("assign", "accept") and not row["home"]:
        return "unknown_home", ""
    return None, ""
