"""Against what the contracts were really held, said at the end of every run: a skipped one is seen to be missing."""

_seen: dict[str, None] = {}


def held_against(what: str) -> None:
    """Note that a contract's tests have run against `what`: a name and its version."""
    _seen[what] = None


def lines() -> list[str]:
    return sorted(_seen)
