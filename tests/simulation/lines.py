"""One line for the desk, a home and whoever goes: what `dispatch.bridging` reads, out of memory, and what must hold.

The order in which telephones ring is the real one's; the register and the shifts that it asks are a few fields here.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from dispatch import shifts
from dispatch.bridging import sql
from dispatch.following import BRIDGE, BRIDGE_SECONDS
from dispatch.incident import DESK
from tests.simulation.memory import Gate, Kept, Table

DESK_PHONES = ("+861085000001", "+861085000002")
"""The shift's telephone, and the one that rings when that is not taken."""

BEGUN = ("dialling", "sent")


class Register:
    """One process's sight of what a line is made of: stands where the database does, and knows two of its queries."""

    def __init__(self, kept: Kept, table: Table, gate: Gate) -> None:
        self._kept, self._table, self._gate = kept, table, gate
        self._found: dict[str, Any] | None = None

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator["Register"]:
        await self._gate.enter()
        yield self

    async def execute(self, query: str, parameters: Mapping[str, Any]) -> "Register":
        answers = {sql.whom: self._whom, shifts.sql.now: self._shift}
        self._found = answers[query](parameters)
        return self

    async def fetchone(self) -> dict[str, Any] | None:
        return self._found

    def _shift(self, _parameters: Mapping[str, Any]) -> dict[str, Any]:
        return dict(zip(("phone", "fallback"), DESK_PHONES, strict=True))

    def _whom(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        number = parameters["incident"]
        incident = self._kept.incidents[number]
        lines = [row for row in self._table.rows.values() if row["incident"] == number and row["purpose"] == BRIDGE]
        place = self._kept.homes[incident.home]
        return {
            "home": incident.home,
            "person": place.get("person"),
            "phone": place.get("phone"),
            "people": [
                {"id": person.id, "name": person.name, "phone": person.phone}
                for person in self._kept.people[incident.home]
                if incident.helper is not None and incident.helper.id == person.id
            ],
            "language": "zh",
            "step": max((row["step"] for row in lines), default=0) + 10,
            "under_way": any(self._rings(row, parameters["lately"]) for row in lines),
        }

    def _rings(self, row: dict[str, Any], lately: datetime) -> bool:
        """Whether a telephone of the desk rings, or is about to."""
        return row["recipient"] == DESK and row["state"] in ("waiting", *BEGUN) and bool(row["due_at"] > lately)


class Lines:
    """A part of the judge. `fail` takes the promise and how it was broken."""

    def __init__(self, fail: Callable[[str, str], None], table: Table) -> None:
        self._fail, self._table = fail, table
        self._taken: set[tuple[int, int]] = set()
        """Incident and step of each call to the desk that a human has taken."""

    def taken(self, row: dict[str, Any]) -> None:
        """An operator has pressed the key that says that they are there."""
        self._taken.add((row["incident"], row["step"]))

    def missed(self, row: dict[str, Any]) -> None:
        """It was heard that nobody has taken a telephone."""
        if row["purpose"] != BRIDGE or row["recipient"] != DESK or row["body"]["number"] + 1 >= len(DESK_PHONES):
            return
        line = (row["incident"], BRIDGE, row["step"] + 1)
        if all((one["incident"], one["purpose"], one["step"]) != line for one in self._table.rows.values()):
            self._fail("the desk's next telephone rings", f"send {row['id']} of incident {row['incident']}")

    def requested(self, row: dict[str, Any], now: datetime) -> None:
        if row["purpose"] != BRIDGE:
            return
        if row["recipient"] != DESK:
            if (row["incident"], row["step"]) not in self._taken:
                self._fail("nobody is rung before the desk is there", f"send {row['id']} to {row['recipient']}")
            return
        if row["body"]["number"]:  # the next one of a wish may ring beside a newer wish: docs/faults.md
            return
        lately = now - timedelta(seconds=BRIDGE_SECONDS)
        for other in self._table.rows.values():
            same = (other["incident"], other["purpose"], other["recipient"]) == (row["incident"], BRIDGE, DESK)
            first = same and other is not row and not other["body"]["number"]
            if first and other["state"] in BEGUN and other["due_at"] > lately:
                self._fail("one telephone of the desk rings at a time", f"sends {other['id']} and {row['id']}")
