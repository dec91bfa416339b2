"""A home's limits of vital signs, in one cell: "heart_rate 50–110; spo2 90–", or in Chinese. PURE."""

import re
import unicodedata
from typing import NamedTuple

from care.cells import Kind, Value
from care.refusal import Refusal

LIMITED = {
    "heart_rate": ("心率", 20.0, 300.0),
    "spo2": ("血氧", 40.0, 100.0),
    "systolic": ("收缩压", 50.0, 280.0),
    "diastolic": ("舒张压", 25.0, 200.0),
    "body_temperature": ("体温", 30.0, 44.0),
    "weight": ("体重", 20.0, 300.0),
    "room_temperature": ("室温", 0.0, 50.0),
}
"""What a limit can be set for: its Chinese name, and between what it must lie."""

_ONE = re.compile(r"([a-z_0-9]+?|[\u4e00-\u9fff]+)[ :]*([0-9.]*) ?(?:[-–—~]|至|到) ?([0-9.]*)")
_NAMES = {**{name: name for name in LIMITED}, **{chinese: name for name, (chinese, _, _) in LIMITED.items()}}


class Limit(NamedTuple):
    kind: str
    low: float | None
    high: float | None


def parse(cell: str) -> list[Limit]:
    """The limits that a cell sets, by kind. Refusal."""
    found: dict[str, Limit] = {}
    for part in re.split(r"[;\n；，,]", unicodedata.normalize("NFKC", cell).lower()):
        if not (part := part.strip()):
            continue
        one = _ONE.fullmatch(part)
        kind = _NAMES.get(one[1].strip()) if one is not None else None
        if one is None or kind is None or not (one[2] or one[3]) or kind in found:
            raise Refusal(
                "no_limits", text=part[:80], choices=", ".join(f"{name} {zh[0]}" for name, zh in LIMITED.items())
            )
        low, high = (_number(kind, text) for text in (one[2], one[3]))
        if low is not None and high is not None and low >= high:
            raise Refusal("limits_reversed", text=part[:80])
        found[kind] = Limit(kind, low, high)
    return [found[kind] for kind in sorted(found)]


def _number(kind: str, text: str) -> float | None:
    if not text:
        return None
    _, lowest, highest = LIMITED[kind]
    try:
        value = round(float(text), 1)
    except ValueError:
        raise Refusal("no_number", text=text[:80]) from None
    if not lowest <= value <= highest:
        raise Refusal("out_of_range", text=text, lowest=lowest, highest=highest)
    return value


def text(limits: list[Limit]) -> str:
    """As the register keeps it; the database writes the same of its rows."""
    return "; ".join(f"{one.kind} {_shown(one.low)}–{_shown(one.high)}" for one in limits)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _write(value: Value, language: str) -> str:
    if language != "zh":
        return str(value)
    parts = [part.partition(" ") for part in str(value).split("; ")]
    return "；".join(f"{LIMITED[kind][0]} {rest}" if kind in LIMITED else kind + rest for kind, _, rest in parts)


limits = Kind(lambda cell: text(parse(cell)), _write, "limits")
