"""The journal, as the desk writes it: `pingan.journal` has what every room that reads it must know. PURE."""

from pingan.journal import broken_at, entry_hash

__all__ = ["broken_at", "entry_hash"]
