"""The journal of an incident: append-only, each entry's hash covering the one before it."""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

_canonical = msgspec.json.Encoder(order="deterministic")


def entry_hash(
    before: bytes, incident: int, number: int, at: datetime, event: str, decision: str, actor: str, detail: Any
) -> bytes:
    """SHA-256 over the previous entry's hash and this entry's fields, in a form that has only one spelling."""
    fields = [incident, number, at.isoformat(), event, decision, actor, detail]
    return hashlib.sha256(before + _canonical.encode(fields)).digest()


def broken_at(entries: Iterable[dict[str, Any]]) -> int | None:
    """The number of the first entry of an incident's journal that is not what was written; None: it is whole.

    Each entry is a row of the table, in order from number 1.
    """
    before, expected = b"", 1
    for entry in entries:
        fields = (entry["incident"], entry["number"], entry["at"], entry["event"], entry["decision"], entry["actor"])
        if entry["number"] != expected or entry["hash"] != entry_hash(before, *fields, entry["detail"]):
            return expected
        before, expected = entry["hash"], expected + 1
    return None
