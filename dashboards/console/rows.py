"""A row of the board, ready to be read: what the view gives, and how it looks now."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .sentences import Sentence, Tone, due, status, tone

_RANK = {"alarm": 0, "soon": 1, "calm": 1}


@dataclass(frozen=True, slots=True)
class Shown:
    """An incident as the board shows it."""

    row: Mapping[str, Any]
    tone: Tone
    status: str
    due: Sentence

    @property
    def to_confirm(self) -> bool:
        """Whether a screen that draws it shall say so."""
        return bool(self.row["ringing"]) and self.row["stamps"]["t2"]["at"] is None

    @property
    def key(self) -> str:
        """Changes with every ring: a press that rings again is something new to be heard."""
        return f"{self.row['id']}.{self.row['raised_version']}"


def shown(row: Mapping[str, Any], now: datetime, language: str) -> Shown:
    return Shown(row, tone(row, now), status(row), due(row, language))


def ordered(rows: Iterable[Shown]) -> list[Shown]:
    """What rings first, the longest first; then the rest, the longest first: a row moves only when its state does."""
    return sorted(
        rows,
        key=lambda one: (not one.row["ringing"], not one.row["danger"], one.row["opened_at"], one.row["id"]),
    )
