"""The journal's chain: whatever is changed, removed or put in afterwards shows, even by one who can make hashes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from dispatch.journal import broken_at, entry_hash

AT = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
EVENTS = ("opened", "raised", "accept", "close")


def chain(events: tuple[str, ...] = EVENTS) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    before = b""
    for number, event in enumerate(events, 1):
        fields = {"incident": 7, "number": number, "at": AT, "event": event, "decision": event, "actor": "李梅"}
        before = entry_hash(before, 7, number, AT, event, event, "李梅", {"step": number})
        entries.append({**fields, "detail": {"step": number}, "hash": before})
    return entries


def hashed_anew(entry: dict[str, Any], before: bytes) -> dict[str, Any]:
    """The same entry with a hash that fits what it says now."""
    fields = (entry["incident"], entry["number"], entry["at"], entry["event"], entry["decision"], entry["actor"])
    return {**entry, "hash": entry_hash(before, *fields, entry["detail"])}


def test_a_chain_that_was_written_is_whole() -> None:
    assert broken_at(chain()) is None
    assert broken_at([]) is None


@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("field", "value"), [("event", "note"), ("actor", "王强"), ("detail", {}), ("at", AT.replace(hour=9))]
)
def test_a_changed_entry_shows(number: int, field: str, value: Any) -> None:
    entries = chain()
    entries[number - 1][field] = value
    assert broken_at(entries) == number


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_missing_entry_shows(number: int) -> None:
    entries = chain()
    del entries[number - 1]
    assert broken_at(entries) == number


def test_an_entry_changed_by_one_who_hashes_it_anew_breaks_the_next() -> None:
    entries = chain()
    entries[1] = hashed_anew({**entries[1], "actor": "nobody"}, entries[0]["hash"])
    assert broken_at(entries) == 3
