"""Why something is refused: a named reason and what it is about. `care.words` says it to people. PURE."""

from typing import Any


class Refusal(Exception):
    """`reason` is a key of `care.words.WORDS`; `values` fill its blanks."""

    def __init__(self, reason: str, **values: Any) -> None:
        super().__init__(f"{reason} {values}" if values else reason)
        self.reason = reason
        self.values = values
