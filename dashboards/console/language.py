"""The console's words: one file a language, one key a phrase. No page and no script holds words of its own."""

import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES = ("zh", "en")
FOLDER = Path(__file__).with_name("words")

Say = Callable[..., str]


@cache
def words(language: str) -> Mapping[str, str]:
    """Every phrase of a language: `table.key` → text with `{blanks}`."""
    return _flat(tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8")))


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    phrases: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            phrases.update(_flat(value, f"{prefix}{key}."))
        else:
            phrases[prefix + key] = str(value)
    return phrases


def say(language: str) -> Say:
    """`t("key", name=value)`: the phrase with its blanks filled. KeyError for a phrase that nobody wrote."""
    phrases = words(language)

    def t(key: str, **values: object) -> str:
        return phrases[key].format(**values) if values else phrases[key]

    return t


def known(t_language: str, key: str) -> bool:
    return key in words(t_language)


def named(language: str, table: str, name: str) -> str:
    """The word for a name that comes from outside (a kind, a role): the name itself if it is new to us."""
    return words(language).get(f"{table}.{name}", name.replace("_", " "))


def reading_named(language: str, kind: str) -> str:
    """The word for a stored reading's kind. An alarm is stored beside the readings, as `alarm:` and its own kind."""
    told, _, alarm = kind.partition(":")
    return named(language, "kind", alarm) if alarm else named(language, "reading", told)


def script_words(language: str) -> dict[str, str]:
    """What the scripts say."""
    return {key.removeprefix("script."): text for key, text in words(language).items() if key.startswith("script.")}


def preferred(cookie: str | None, accept: str, otherwise: str = "zh") -> str:
    """The language of somebody of whom we know a cookie and what their browser asks for."""
    if cookie in LANGUAGES:
        return cookie
    for part in accept.split(","):
        primary = part.split(";")[0].strip().lower()[:2]
        if primary in LANGUAGES:
            return primary
    return otherwise
