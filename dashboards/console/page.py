"""Rendering: what every page of the console needs to know of its reader, and the answer for a refusal."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import jinja2
from markupsafe import Markup
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, Response

from care.principals import Principal
from pingan.clock import Clock
from pingan.problem import Problem

from .access import DESK, FIGURES, for_people, start
from .language import LANGUAGES, Say, known, named, preferred, reading_named, say, script_words
from .sentences import Sentence
from .telephone import read_aloud
from .times import Times

HERE = Path(__file__).parent
LANGUAGE_COOKIE = "pingan_language"
THEME_COOKIE = "pingan_theme"
THEMES = ("auto", "day", "night")

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a page, and how."""

    language: str
    theme: str
    me: Principal | None


class Pages:
    """The templates of this process."""

    def __init__(self, clock: Clock, zone: ZoneInfo) -> None:
        self.clock = clock
        self.zone = zone
        self.gives_links = False
        """Whether there are pages for who has no account: without a secret for links there are none."""
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["lang"] = language_of
        self._templates.filters["tel"] = read_aloud

    def reader(self, connection: HTTPConnection) -> Reader:
        me = connection.scope.get("state", {}).get("principal")
        me = me if isinstance(me, Principal) else None
        cookie = connection.cookies.get(LANGUAGE_COOKIE)
        if cookie not in LANGUAGES and me is not None:
            cookie = me.language
        if cookie not in LANGUAGES:  # whoever has no account has been written to in theirs
            cookie = connection.scope.get("state", {}).get("language")
        theme = connection.cookies.get(THEME_COOKIE, "auto")
        return Reader(
            language=preferred(cookie, connection.headers.get("accept-language", "")),
            theme=theme if theme in THEMES else "auto",
            me=me,
        )

    def times(self, language: str, now: datetime | None = None, zone: ZoneInfo | None = None) -> Times:
        return Times(zone or self.zone, say(language), now or self.clock.now())

    def render(self, connection: HTTPConnection, template: str, status: int = 200, /, **values: Any) -> Response:
        """The page `template`, for whoever asks."""
        html = self._rendered(connection, template, values)
        return HTMLResponse(html, status, {"Cache-Control": "no-store", "Vary": "Cookie, Accept-Language"})

    def piece(self, connection: HTTPConnection, template: str, /, **values: Any) -> Markup:
        """A piece of a page, drawn by itself: what is wrong with it keeps no page from being drawn."""
        return Markup(self._rendered(connection, template, values))  # noqa: S704 (the template escapes what it is given)

    def _rendered(self, connection: HTTPConnection, template: str, values: Mapping[str, Any]) -> str:
        reader = self.reader(connection)
        t = say(reader.language)
        words = {
            "t": t,
            "word": lambda table, name: named(reader.language, table, name),
            "reading": lambda kind: reading_named(reader.language, kind),
            "has_word": lambda key: known(reader.language, key),
            "lang": reader.language,
            "theme": reader.theme,
            "me": reader.me,
            # Auditors read figures: what rings is not for them, and they are not there to hear it.
            "at_desk": reader.me is not None and reader.me.role in DESK,
            "figures_roles": FIGURES,
            "start": start(reader.me),
            "times": self.times(reader.language),
            "zone": self.zone.key,
            "gives_links": self.gives_links,
            # A name of its own for each page that is drawn: it says of itself whether it is visible and can sound.
            "console": uuid4(),
            "path": connection.url.path,
            "sentence": lambda one, row: _marked_up(one, row, t, self.times(reader.language)),
            "script_words": json.dumps(script_words(reader.language), ensure_ascii=False),
        }
        return self._templates.get_template(template).render({**words, **values})

    def refusal(self, connection: HTTPConnection, problem: Problem) -> Response:
        """A page in words for people, problem details for machines and scripts."""
        if not for_people(connection):
            return problem.response()
        return self.render(connection, "problem.html", problem.status, problem=problem)


def _marked_up(sentence: Sentence, row: Mapping[str, Any], t: Say, times: Times) -> Markup:
    """A sentence as HTML: names in their own language, durations that go on counting."""
    values: dict[str, Any] = dict(sentence.values)
    for name in ("helper", "operator"):
        values[name] = _name(values.get(name) or t("somebody"))
    values["names"] = Markup("").join(_separated([_name(name) for name in values.get("names", ())], t("comma")))
    if "then" in values:
        values["then"] = t(values["then"])
    opened = row["opened_at"]
    values["since"] = Markup('<time class="lasting" data-lasting="{}">{}</time>').format(
        times.ms(opened), times.since(opened)
    )
    # The phrase is ours; whatever stands in its blanks and is not markup itself is escaped here.
    return Markup(t(sentence.key)).format(**values)  # noqa: S704


def _separated(names: list[Markup], comma: str) -> list[Markup | str]:
    return [part for name in names for part in (comma, name)][1:]


def _name(name: str) -> Markup:
    return Markup('<span class="name" lang="{}">{}</span>').format(language_of(name), name)


def language_of(text: object) -> str:
    """The `lang` of a name or an address: Han characters are set as Chinese, whatever the page's own language."""
    return "zh" if _HAN.search(str(text)) else "en"
