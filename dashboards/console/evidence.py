"""An alarm's evidence, read with care: it is written by many detectors, and by devices of which nobody knows. PURE.

Whatever is not as the contract says reads as absent. Nothing here raises for what stands in an evidence.
"""

import binascii
import math
from base64 import b64decode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

Given = Mapping[str, Any]

SAMPLES_MAX = 400
"""Of a trace; what comes beyond is not drawn."""
G_PER_COUNT = 1 / 1000
ROWS_MAX = 40
"""Of the plain table: an evidence may hold anything."""
TEXT_MAX = 200
DEPTH_MAX = 4
SIGNS_MAX = 12

_SECONDS = {
    "ms": 0.001, "millisecond": 0.001, "milliseconds": 0.001,
    "s": 1, "second": 1, "seconds": 1,
    "min": 60, "minute": 60, "minutes": 60,
    "h": 3600, "hour": 3600, "hours": 3600,
    "d": 86_400, "day": 86_400, "days": 86_400,
}  # fmt: skip


class Trace(NamedTuple):
    """The magnitude of the acceleration about an impact."""

    start_ms: float
    rate_hz: float
    range_g: float | None
    position: str
    g: list[float]
    """0 where nothing was heard."""


class Usual(NamedTuple):
    """What is usual for this home at this hour, each as far as it is known."""

    p50: float | None
    p90: float | None
    p99: float | None
    unit: str
    days: int | None
    hour: int | None


class Sign(NamedTuple):
    """What another sensor says for it or against it."""

    what: str
    at: datetime | None
    value: Any


class Band(NamedTuple):
    """By hour of the day: what silence is usual, and from which on it is too long; both in hours."""

    usual: list[float] | None
    """None: not known of every hour."""
    limits: list[float]


def number(given: Given, name: str) -> float | None:
    """A finite number, or None."""
    value = given.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def whole(given: Given, name: str) -> int | None:
    found = number(given, name)
    return None if found is None else int(found)


def text(given: Given, name: str) -> str:
    value = given.get(name)
    return value[:TEXT_MAX] if isinstance(value, str) else ""


def inner(given: Given, name: str) -> Given:
    value = given.get(name)
    return value if isinstance(value, Mapping) else {}


def moment(given: Given, name: str) -> datetime | None:
    """A time in milliseconds since 1970, if it lies within what a clock can show."""
    ms = number(given, name)
    return None if ms is None else from_ms(ms)


def from_ms(ms: float) -> datetime | None:
    # Beyond these years a time zone's difference would leave what a datetime can hold.
    if not -62_000_000_000_000 < ms < 253_000_000_000_000:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC)


def seconds(value: float | None, unit: str) -> float | None:
    """A duration in seconds, by the first word of its unit (`hours heard without a movement`); None: it is none."""
    first = unit.split(maxsplit=1)[0] if unit.strip() else ""
    factor = _SECONDS.get(first.lower())
    return None if value is None or factor is None else value * factor


def trace(given: Given) -> Trace | None:
    """The trace of an impact; None where there is none that can be drawn."""
    part = inner(given, "trace")
    rate, start = number(part, "rate_hz"), number(part, "start_ms")
    raw = part.get("g")
    if rate is None or not 1 <= rate <= 10_000 or start is None or from_ms(start) is None or not isinstance(raw, str):
        return None
    try:
        counts = b64decode(raw[: SAMPLES_MAX * 4], validate=True)
    except (binascii.Error, ValueError):
        return None
    counts = counts[: min(len(counts) // 2, SAMPLES_MAX) * 2]
    magnitudes = _magnitudes(counts)
    if sum(g > 0 for g in magnitudes) < 2:
        return None
    range_g = number(part, "range_g")
    return Trace(start, rate, range_g if range_g and range_g > 0 else None, text(part, "position"), magnitudes)


def _magnitudes(counts: bytes) -> list[float]:
    return [(low | high << 8) * G_PER_COUNT for low, high in zip(counts[::2], counts[1::2], strict=True)]


def usual(given: Given) -> Usual | None:
    part = inner(given, "usual")
    if not part:
        return None
    hour = whole(part, "hour")
    return Usual(
        number(part, "p50"), number(part, "p90"), number(part, "p99"), text(part, "unit"),
        whole(part, "days"), hour if hour is not None and 0 <= hour < 24 else None,
    )  # fmt: skip


def band(given: Given) -> Band | None:
    part = inner(given, "band")
    hours, limits = _hours(part.get("hours")), _hours(part.get("limits"))
    return None if limits is None else Band(hours, limits)


def _hours(value: Any) -> list[float] | None:
    """24 lengths in hours, none negative; longer than three days is shown as three days."""
    if not isinstance(value, list) or len(value) != 24:
        return None
    found = [number({"": one}, "") for one in value]
    return None if any(one is None or one < 0 for one in found) else [min(72.0, one or 0.0) for one in found]


def signs(given: Given, name: str) -> list[Sign]:
    """What `supports` or `opposes`, as far as it can be read."""
    value = given.get(name)
    if not isinstance(value, list):
        return []
    found = [
        Sign(text(one, "what"), moment(one, "at_ms"), one.get("value"))
        for one in value[:SIGNS_MAX]
        if isinstance(one, Mapping)
    ]
    return [one for one in found if one.what]


def readings(given: Given) -> list[str]:
    value = given.get("readings")
    return [one[:TEXT_MAX] for one in value if isinstance(one, str)] if isinstance(value, list) else []


def unread(given: Given) -> frozenset[str]:
    """Parts that are there and cannot be read as what they should be: they are shown as they came."""
    parts = {"trace": trace(given), "usual": usual(given), "band": band(given), "since_ms": moment(given, "since_ms")}
    found = {name for name, part in parts.items() if given.get(name) is not None and part is None}
    found |= {name for name in ("supports", "opposes") if given.get(name) and not signs(given, name)}
    if given.get("readings") and not readings(given):
        found.add("readings")
    return frozenset(found)


def plain(given: Given, beside: frozenset[str] = frozenset()) -> list[tuple[str, str]]:
    """Everything that it holds, but what stands `beside`, as names and texts: what no page knows is readable too."""
    found: list[tuple[str, str]] = []
    every = (one for key, value in given.items() if key not in beside for one in _flat(value, str(key), 1))
    for name, value in every:
        if len(found) == ROWS_MAX:
            found.append(("…", ""))
            break
        found.append((name, value))
    return found


def _flat(value: Any, name: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value and depth < DEPTH_MAX:
        for key, one in value.items():
            yield from _flat(one, f"{name}.{key}", depth + 1)
    else:
        shown = value if isinstance(value, str) else _told(value)
        yield name[:TEXT_MAX], shown if len(shown) <= TEXT_MAX else shown[: TEXT_MAX - 1] + "…"


def _told(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value[:ROWS_MAX]):
        return ", ".join(_told(one) if not isinstance(one, str) else one for one in value[:ROWS_MAX])
    if isinstance(value, float):
        return f"{value:.6g}"
    try:
        return str(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits; a nest of thousands of lists
        return "…"
