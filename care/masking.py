"""Finding a person in texts: names, telephone numbers and addresses are replaced by a mark. PURE."""

import re
from collections.abc import Iterable
from typing import Any

MARK = "□"
FREE = frozenset({"text", "reason"})
"""Fields in which somebody wrote what they liked: a name is not all that such a text may tell."""
SHORTEST_PART = 3
"""A part of a Latin name that is shorter stands in too many other words."""

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_BETWEEN = r"[\s\-.()（）]*"


class Mask:
    """Whom and what to find. Each name and number is found however it is spaced; a Latin name by its parts too."""

    def __init__(self, names: Iterable[str | None], numbers: Iterable[str | None], texts: Iterable[str | None]) -> None:
        found = [_text(one) for one in texts if one and one.strip()]
        found += [_number(one) for one in numbers if one]
        for name in names:
            if name and name.strip():
                found += _name(name.strip())
        # The longest first: what is part of something longer goes with it.
        patterns = sorted(set(found), key=lambda one: (-len(one), one))
        self._pattern = re.compile("|".join(patterns), re.IGNORECASE) if patterns else None

    def text(self, text: str) -> str:
        return self._pattern.sub(MARK, text) if self._pattern is not None else text

    def value(self, value: Any, *, free: bool) -> Any:
        """The same of every text within JSON. `free`: fields of free text go whole, and so does who called."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(one, free=free) for one in value]
        if isinstance(value, dict):
            return {key: self._field(key, one, free) for key, one in value.items()}
        return value

    def _field(self, key: str, value: Any, free: bool) -> Any:
        if free and key in FREE and isinstance(value, str) and value:
            return MARK
        if free and key == "caller" and isinstance(value, dict):
            return {name: one if name in ("source", "role") else MARK for name, one in value.items()}
        return self.value(value, free=free)


def _text(text: str) -> str:
    return r"\s+".join(re.escape(part) for part in text.split())


def _name(name: str) -> list[str]:
    if _HAN.search(name):
        return [r"\s*".join(re.escape(letter) for letter in name if not letter.isspace())]
    parts = [part for part in re.split(r"[\s,.]+", name) if len(part) >= SHORTEST_PART]
    return [rf"(?<!\w){_text(name)}(?!\w)", *(rf"(?<!\w){re.escape(part)}(?!\w)" for part in parts)]


def _number(number: str) -> str:
    """With or without what stands before it in its own country, in groups or not."""
    digits = re.sub(r"\D", "", number)
    national = digits.removeprefix("86") if number.startswith("+86") else digits
    spaced = _BETWEEN.join(national)
    return rf"(?<!\d)(?:(?:\+|00)?{_BETWEEN}86{_BETWEEN}|0)?{spaced}(?!\d)"
