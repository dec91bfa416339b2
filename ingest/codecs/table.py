"""Rows of the families' tables: what a field of a device becomes. PURE."""

from collections.abc import Mapping
from typing import Any, NamedTuple

FLAG: Mapping[Any, Any] = {True: True, False: False, "ON": True, "OFF": False}
STRICT_FLAG: Mapping[Any, Any] = {True: True, False: False}
"""Where ON and OFF are a setting or a command of the same name."""


class Row(NamedTuple):
    """`values` gives our value for their text or truth value, or the least and the greatest number."""

    kind: str
    values: Mapping[Any, Any] | tuple[float, float]
    rings: str | None = None
    """The kind of alarm while our value is true; empty: only the register knows which."""
    other: Any = None
    """Our value for any other text."""
    doubtful: frozenset[Any] = frozenset()
    """Their values of which the device is not sure itself: half a confidence, and it rings."""
    press: bool = False
    """Each message that says so is a press. Otherwise it holds until it is said to be over."""
    numbers: Mapping[float, Any] = {}
    """Our value for their number; apart from `values`, where 1 would be true."""


def words(kind: str, *holding: str, rings: str | None = None, doubtful: tuple[str, ...] = ()) -> Row:
    """True while their text is one of those."""
    return Row(kind, {word: True for word in (*holding, *doubtful)}, rings, False, frozenset(doubtful))


def read(row: Row, value: Any) -> Any:
    """Our value for theirs; None if the row has none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if isinstance(row.values, tuple):
            low, high = row.values
            return value if low <= value <= high else None
        return row.numbers.get(value)
    if isinstance(row.values, tuple) or not isinstance(value, bool | str):
        return None
    ours = row.values.get(value)
    return row.other if ours is None and isinstance(value, str) else ours
