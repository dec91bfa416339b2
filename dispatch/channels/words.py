"""What people hear and read, by language: one TOML file per channel and language, no word of it in code."""

import tomllib
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any

LANGUAGES = ("zh", "en")


LIKE = {"apprise": "twilio_sms"}
"""A channel that says what another says, but for the words that it has of its own."""


class Words:
    """The words of one channel in one language. A word that is missing is an error when the tests read all files."""

    def __init__(self, table: dict[str, Any]) -> None:
        self._table = table

    def __call__(self, key: str, **values: object) -> str:
        """The words `key`, with `{names}` filled in; `outer.inner` names an entry of a table."""
        found: Any = self._table
        for part in key.split("."):
            found = found[part]
        return str(found).format(**values).strip()

    def named(self, table: str, key: str | None) -> str:
        """An entry of a table, or its `other`: a cause that nobody foresaw is still said."""
        entries: dict[str, str] = self._table[table]
        return entries.get(key or "other", entries["other"])


@cache
def words(channel: str, language: str) -> Words:
    """The words of `channel`; an unknown language gets Chinese."""
    language = language if language in LANGUAGES else "zh"
    table = _table(channel, language)
    return Words(_over(_table(LIKE[channel], language), table) if channel in LIKE else table)


def _table(channel: str, language: str) -> dict[str, Any]:
    folder = resources.files("dispatch.channels").joinpath(channel, "words")
    return tomllib.loads(folder.joinpath(f"{language}.toml").read_text(encoding="utf-8"))


def _over(below: dict[str, Any], table: dict[str, Any]) -> dict[str, Any]:
    """A table over another, entry by entry."""
    merged = {**below, **table}
    return {
        key: _over(below[key], entry) if isinstance(entry, dict) and key in below else entry
        for key, entry in merged.items()
    }


def asked_for(body: dict[str, Any], said: Words) -> dict[str, str]:
    """The parts of a call for help, in words: who, what, where, the way in. What is unknown is said to be."""
    way_in = body.get("way_in")
    proven = body.get("way_in_proven_on")
    if way_in and proven:
        way_in = said("way_in_proven", way_in=way_in, proven=proven)
    return {
        "person": body.get("person") or said("unknown_person"),
        "what": said.named("causes", body.get("cause")),
        "address": body.get("address") or said("unknown_address"),
        "way_in": way_in or said("unknown_way_in"),
    }


def news(body: dict[str, Any], said: Words) -> str:
    """A change in words. What somebody has written is said as it is."""
    kind = body.get("change")
    if kind == "alarm":
        return said("news.alarm", what=said.named("causes", body.get("text")))
    return said(f"news.{kind}") if kind in ("no_contact", "contact_made") else str(body.get("text", ""))


def family_news(body: dict[str, Any], said: Words) -> str:
    """A stage of a call for help, for whoever is told of it."""
    key, eta = str(body["news"]), body.get("eta")
    if eta:
        key += "_at"
    elif body.get("outcome"):
        key += "_as"
    return said(
        f"family.{key}",
        **asked_for(body, said),
        by=body.get("by") or said("somebody"),
        at=f"{datetime.fromisoformat(eta):%H:%M}" if eta else "",
        outcome=said.named("outcomes", body.get("outcome")),
    )


def letter(body: dict[str, Any], said: Words) -> str:
    """The letter of the week: calls, tests and batteries, a sentence each."""
    calls = "calls" if body["calls"] else "no_calls"
    tests = "tests_failed" if body["tests_failed"] else "tests" if body["tests_passed"] else "no_tests"
    batteries = "batteries_low" if body["batteries_low"] else "batteries"
    parts = [said(f"week.{key}", **body) for key in ("head", calls, tests, batteries)]
    return str(said("week.joined", head=parts[0], calls=parts[1], tests=parts[2], batteries=parts[3]))
