"""One cell of the register: text from a file, a form or an API into a value, and back. PURE.

For each kind `read(write(value)) == value` for every value that `read` can give: that is what makes an export import
back to the same state, and it lets one way of checking serve files and the API alike.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from care import phones
from care.refusal import Refusal
from pingan.hours import NoHours, plain, rota, span
from pingan.notices import PLAIN, SECURE

Value = str | int | float | bool | date | datetime | None

CHINA = timezone(timedelta(hours=8))
"""What a time without an offset is taken for: all of China has kept one time since 1991."""

_ROUNDED = re.compile(r"\d(\.\d+)?e\+?\d+", re.IGNORECASE)
_DAY = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?\s*(Z|[+-]\d{2}:?\d{2})?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Kind:
    """How a column is read and written. `read` gets text that is not empty, and raises Refusal."""

    read: Callable[[str], Value]
    write: Callable[[Value, str], str]
    """The value, and the language its words are wanted in."""
    form: str
    """What may be written, by name: `care.words` has `form_…` for each, with `limits` in its blanks."""
    limits: Mapping[str, Any] = field(default_factory=dict)
    choices: tuple[Value, ...] = ()
    """Every value, where there are few."""


def _plain(value: Value, _language: str) -> str:
    return str(value)


def text(limit: int, *, lines: bool = False) -> Kind:
    """Up to `limit` characters; line ends only where `lines` says so; no other control characters."""

    def read(cell: str) -> str:
        cell = cell.replace("\r\n", "\n").replace("\r", "\n").strip()
        if "\n" in cell and not lines:
            raise Refusal("line_break")
        for character in cell:
            category = unicodedata.category(character)
            if category == "Cs" or (category == "Cc" and not (character in "\n\t" and lines)):
                raise Refusal("control_character", code=f"U+{ord(character):04X}")
        if len(cell) > limit:
            raise Refusal("too_long", limit=limit, length=len(cell))
        return cell

    return Kind(read, _plain, "story" if lines else "text", {"limit": limit})


def pattern(expression: str, form: str) -> Kind:
    """Text of one shape; what is not is refused as `no_` and the shape's name."""
    shape = re.compile(expression)

    def read(cell: str) -> str:
        cell = unicodedata.normalize("NFKC", cell).strip()
        if not shape.fullmatch(cell):
            raise Refusal("rounded" if _ROUNDED.fullmatch(cell) else f"no_{form}", text=cell[:80])
        return cell

    return Kind(read, _plain, form)


def choice(words: Mapping[str, str]) -> Kind:
    """One of `words`: its key, or the Chinese word for it."""
    known = {**{key: key for key in words}, **{chinese: key for key, chinese in words.items()}}

    def read(cell: str) -> str:
        cell = unicodedata.normalize("NFKC", cell).strip()
        found = known.get(cell) or known.get(cell.lower().replace(" ", "_").replace("-", "_"))
        if found is None:
            raise Refusal("not_one_of", text=cell[:80], choices=", ".join(f"{key} {zh}" for key, zh in words.items()))
        return found

    def write(value: Value, language: str) -> str:
        return words[str(value)] if language == "zh" else str(value)

    return Kind(read, write, "choice", choices=tuple(words))


def exact(words: Mapping[str, str]) -> Kind:
    """One of `words` as it is written: names that are the same in every language, with their own capitals."""
    lowered = {key.lower(): key for key in words}

    def read(cell: str) -> str:
        found = lowered.get(unicodedata.normalize("NFKC", cell).strip().lower())
        if found is None:
            raise Refusal("not_one_of", text=cell[:80], choices=", ".join(words))
        return found

    return Kind(read, _plain, "choice", choices=tuple(words))


def number(lowest: float, highest: float) -> Kind:
    def read(cell: str) -> float:
        try:
            value = float(unicodedata.normalize("NFKC", cell))
        except ValueError:
            raise Refusal("no_number", text=cell[:80]) from None
        if math.isnan(value) or not lowest <= value <= highest:
            raise Refusal("out_of_range", text=cell[:80], lowest=lowest, highest=highest)
        return value

    return Kind(read, lambda value, _language: repr(value), "number", {"lowest": lowest, "highest": highest})


def whole(lowest: int, highest: int) -> Kind:
    def read(cell: str) -> int:
        cell = unicodedata.normalize("NFKC", cell).strip()
        # Spreadsheets like to write 1 as 1.0.
        if not re.fullmatch(r"-?\d{1,9}(\.0+)?", cell):
            raise Refusal("no_whole_number", text=cell[:80])
        value = int(cell.partition(".")[0])
        if not lowest <= value <= highest:
            raise Refusal("out_of_range", text=cell, lowest=lowest, highest=highest)
        return value

    return Kind(read, _plain, "whole", {"lowest": lowest, "highest": highest})


@cache
def _zones() -> set[str]:
    return available_timezones()


def _read_zone(cell: str) -> str:
    cell = unicodedata.normalize("NFKC", cell).strip()
    if cell not in _zones():
        raise Refusal("no_zone", text=cell[:80])
    return cell


zone = Kind(_read_zone, _plain, "zone")


def _read_span(cell: str) -> str:
    try:
        span(cell)
    except NoHours as error:
        raise Refusal("no_span", text=error.part[:80]) from None
    return plain(cell)


hours = Kind(_read_span, _plain, "span")


def _read_rota(cell: str) -> str:
    try:
        rota(cell)
    except NoHours as error:
        raise Refusal("no_rota", text=error.part[:80]) from None
    return plain(cell)


shifts = Kind(_read_rota, _plain, "rota")

_ADDRESS = re.compile(r"[a-z][a-z0-9+]{1,19}://[!-~]{3,480}")


def _read_address(cell: str) -> str:
    """As Apprise writes it, of a service that notices go to: in the night it would be too late to find out. What is
    refused is not repeated, it may be half a secret; but for the service's name.
    """
    cell = cell.strip()
    scheme = cell.partition("://")[0].lower()
    cell = scheme + cell[len(scheme) :]
    if not _ADDRESS.fullmatch(cell):
        raise Refusal("no_address")
    if scheme not in SECURE | PLAIN:
        raise Refusal("unknown_service", service=scheme, choices=", ".join(sorted(SECURE | PLAIN)))
    return cell


address = Kind(_read_address, _plain, "address")


def one_of(*numbers: int) -> Kind:
    within = whole(min(numbers), max(numbers))

    def read(cell: str) -> Value:
        value = within.read(cell)
        if value not in numbers:
            raise Refusal("not_one_of", text=cell[:80], choices=", ".join(map(str, numbers)))
        return value

    return Kind(read, _plain, "choice", choices=numbers)


_TRUE = {"yes", "true", "1", "y", "是", "有", "对"}
_FALSE = {"no", "false", "0", "n", "否", "无", "没有"}


def _read_flag(cell: str) -> bool:
    word = unicodedata.normalize("NFKC", cell).strip().lower()
    if word not in _TRUE | _FALSE:
        raise Refusal("no_flag", text=cell[:80])
    return word in _TRUE


def _write_flag(value: Value, language: str) -> str:
    if language == "zh":
        return "是" if value else "否"
    return "yes" if value else "no"


flag = Kind(_read_flag, _write_flag, "choice", choices=(True, False))


def _read_day(cell: str) -> date:
    found = _DAY.fullmatch(unicodedata.normalize("NFKC", cell).strip())
    if not found:
        raise Refusal("no_date", text=cell[:80])
    year, month, day = map(int, found.groups())
    return _date(year, month, day, cell)


def _date(year: int, month: int, day: int, cell: str) -> date:
    try:
        value = date(year, month, day)
    except ValueError:
        raise Refusal("no_date", text=cell[:80]) from None
    if not 1880 <= year <= 2200:
        raise Refusal("no_date", text=cell[:80])
    return value


day = Kind(_read_day, lambda value, _language: value.isoformat() if isinstance(value, date) else str(value), "day")


def _read_moment(cell: str) -> datetime:
    cell = unicodedata.normalize("NFKC", cell).strip()
    found = _DAY.match(cell)
    if not found:
        raise Refusal("no_time", text=cell[:80])
    year, month, day = map(int, found.groups())
    _date(year, month, day, cell)
    rest = cell[found.end() :].lstrip(" T\tt")
    clock = _TIME.fullmatch(rest) if rest else None
    if rest and clock is None:
        raise Refusal("no_time", text=cell[:80])
    hour, minute, second, fraction, offset = clock.groups() if clock else ("0", "0", None, None, None)
    try:
        at = datetime(
            year,
            month,
            day,
            int(hour),
            int(minute),
            int(second or 0),
            int((fraction or "0").ljust(6, "0")),
            tzinfo=_offset(offset),
        )
    except ValueError:
        raise Refusal("no_time", text=cell[:80]) from None
    _date(at.astimezone(CHINA).year, 1, 1, cell)
    return at.astimezone(UTC)


def _offset(word: str | None) -> timezone:
    if word is None:
        return CHINA
    if word in "Zz":
        return UTC
    hours, minutes = int(word[1:3]), int(word[-2:])
    east = timedelta(hours=hours, minutes=minutes)
    return timezone(-east if word[0] == "-" else east)


def _write_moment(value: Value, _language: str) -> str:
    if not isinstance(value, datetime):
        return str(value)
    # One without a zone is China's, as in a file: Python would take the machine's.
    return (value.astimezone(CHINA) if value.tzinfo else value).isoformat(sep=" ")


moment = Kind(_read_moment, _write_moment, "moment")
phone = Kind(phones.normalise, _plain, "phone")
