"""The journal of an incident: append-only, each entry's hash covering the one before it. PURE.

What an entry said of a person may be erased at their request. Its hash stays, so that the chain goes on from it; what
is left of the entry is sealed by a further entry of the same journal, which is in the chain itself. So an erasure
shows, can be made for nothing else, and what was left cannot be changed afterwards. What was erased cannot be known
again from it but by guessing all of it.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

ERASED = "erased"
"""The event of an entry that seals others, and the mark in their detail: the number of the erasure."""

_canonical = msgspec.json.Encoder(order="deterministic")


def entry_hash(
    before: bytes, incident: int, number: int, at: datetime, event: str, decision: str, actor: str, detail: Any
) -> bytes:
    """SHA-256 over the previous entry's hash and this entry's fields, in a form that has only one spelling."""
    fields = [incident, number, at.isoformat(), event, decision, actor, detail]
    return hashlib.sha256(before + _canonical.encode(fields)).digest()


def seal(entry: dict[str, Any]) -> str:
    """What holds an entry to what was left of it: over its old hash too, in hexadecimal."""
    return entry_hash(entry["hash"], *_fields(entry), entry["detail"]).hex()


def broken_at(entries: Iterable[dict[str, Any]]) -> int | None:
    """The number of the first entry of an incident's journal that is neither what was written nor what an erasure left;
    None: it is whole.

    Each entry is a row of the table, in order from number 1.
    """
    rows = list(entries)
    sealed = {
        int(number): found
        for entry in rows
        if entry["event"] == ERASED
        for number, found in entry["detail"].get("sealed", {}).items()
        if int(number) < entry["number"]
    }
    before, expected = b"", 1
    for entry in rows:
        if entry["number"] != expected:
            return expected
        written = entry["hash"] == entry_hash(before, *_fields(entry), entry["detail"])
        if not written and sealed.get(expected) != seal(entry):
            return expected
        before, expected = entry["hash"], expected + 1
    return None


def _fields(entry: dict[str, Any]) -> tuple[int, int, datetime, str, str, str]:
    return entry["incident"], entry["number"], entry["at"], entry["event"], entry["decision"], entry["actor"]
