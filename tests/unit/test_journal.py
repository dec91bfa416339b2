"""The journal's chain: whatever is changed, removed or put in afterwards shows, even by one who can make hashes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from dispatch.journal import broken_at, entry_hash
from pingan.journal import ERASED, seal

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


def erased(entries: list[dict[str, Any]], number: int) -> list[dict[str, Any]]:
    """The same journal after an erasure of one entry, sealed by a further one."""
    left = [
        {**entry, "actor": "□", "detail": {"erased": 1}} if entry["number"] == number else entry for entry in entries
    ]
    fields = (7, len(left) + 1, AT, ERASED, ERASED, "system")
    detail = {"erasure": 1, "sealed": {str(number): seal(left[number - 1])}}
    written = entry_hash(left[-1]["hash"], *fields, detail)
    names = ("incident", "number", "at", "event", "decision", "actor")
    return [*left, {**dict(zip(names, fields, strict=True)), "detail": detail, "hash": written}]


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_what_was_erased_and_sealed_leaves_the_chain_whole(number: int) -> None:
    entries = erased(chain(), number)
    assert broken_at(entries) is None
    assert broken_at(entries[:-1]) == number, "an erasure that nothing seals is a change"


@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("field", "value"), [("event", "note"), ("detail", {"erased": 2}), ("at", AT.replace(hour=9)), ("hash", b"x")]
)
def test_what_an_erasure_left_cannot_be_changed(number: int, field: str, value: Any) -> None:
    entries = erased(chain(), number)
    entries[number - 1] = {**entries[number - 1], field: value}
    assert broken_at(entries) == number


def test_a_seal_holds_only_what_stood_before_it() -> None:
    entries = erased(chain(), 4)
    entries[3] = {**entries[3], "event": ERASED, "detail": {"sealed": {"4": "00"}}}
    assert broken_at(entries) == 4
