"""What must hold of what is told, beside being asked: family of each stage, whoever goes of each change."""

from collections.abc import Callable
from typing import Any

import msgspec

from dispatch.acting import Act
from dispatch.family import NOT_THEIRS, SAME
from dispatch.following import CHANGE, FAMILY, HELP, going
from dispatch.incident import Confirmed, Event, Raised, State, Withdrawn
from tests.simulation.memory import Kept, Table

HEARD = ("closed", "closed_called")
"""With these it is over."""

TOLD = frozenset({HELP, FAMILY, CHANGE})
"""Purposes that name somebody's home."""

NEVER = ("withdrawn", "abandoned")
"""States in which nobody has been told."""

UNKNOWN = ("abandoned", "unclear")
"""The provider was away for all its time; or nobody knows whether it was told, and news is not repeated."""

CALLED = ("twilio_voice", "twilio_sms")
"""Ways in which whoever goes is reached here."""

Key = tuple[int, str, str]


class Telling:
    """A part of the judge. `fail` takes the promise and how it was broken."""

    def __init__(self, fail: Callable[[str, str], None], kept: Kept, table: Table) -> None:
        self._fail, self._kept, self._table = fail, kept, table
        self._newest: dict[Key, dict[str, Any]] = {}
        """Of each incident, person and channel: the last news that the provider was asked to take."""

    def acted(self, incident: int, act: Act, event: Event | None) -> None:
        before, after = act.before, act.decision.incident
        if act.decision.tell is not None:
            self._reaches(incident, act)
        for change, known in zip(after.changes, before.changes, strict=False):
            new = {*change.confirmed} - {*known.confirmed}
            if new and (not isinstance(event, Confirmed) or new != {event.person}):
                self._fail("who has read a change says so themselves", f"incident {incident}: {new}")
        if isinstance(event, Confirmed) and before.state is not State.CLOSED:
            missing = [one.number for one in after.changes[: event.number] if event.person not in one.confirmed]
            if missing:
                self._fail(
                    "who has read a change says so themselves", f"incident {incident}: {missing} of {event.person}"
                )
        if isinstance(event, Withdrawn) and before.state is not State.CLOSED:
            shown = msgspec.structs.replace(before, withdrawn=event.reason, version=after.version)
            if after != shown or act.decision.stop_calling:
                self._fail("what is taken back is shown, and calls nobody back", f"incident {incident}")
        if isinstance(event, Raised) and not act.decision.refused and after.withdrawn and after.raised > before.raised:
            self._fail("what is taken back is shown, and calls nobody back", f"incident {incident} rang again")

    def _reaches(self, incident: int, act: Act) -> None:
        change, after = act.decision.tell, act.decision.incident
        assert change is not None
        known = {person.id for person in self._kept.people[after.home] if person.phone}
        sent = {
            (row["recipient"], row["channel"])
            for row in self._table.rows.values()
            if row["incident"] == incident and row["purpose"] == CHANGE and row["step"] == change.number
        }
        wanted = {(helper.id, channel) for helper in going(after) if helper.id in known for channel in CALLED}
        if missing := sorted(wanted - sent):
            self._fail("a change reaches everybody who goes", f"incident {incident}, change {change.number}: {missing}")

    def claimed(self, row: dict[str, Any]) -> None:
        if row["purpose"] not in TOLD or row["body"].get("news") == NOT_THEIRS:
            return
        home = self._kept.incidents[row["incident"]].home
        if all(person.id != row["recipient"] for person in self._kept.people[home]):
            how = f"send {row['id']} ({row['purpose']}) to {row['recipient']} of incident {row['incident']}, of {home}"
            self._fail("nobody hears of another's home", how)

    def requested(self, row: dict[str, Any]) -> None:
        if row["purpose"] != FAMILY:
            return
        key = (row["incident"], row["recipient"], row["channel"])
        newest = self._newest.get(key)
        if newest is not None and newest["id"] != row["id"]:
            if newest["step"] > row["step"]:
                self._fail("news is told in its order", f"send {row['id']} after {newest['id']}")
            same = all(newest["body"].get(name) == row["body"].get(name) for name in SAME)
            # Named theirs, another's and theirs again, they were asked in between.
            heard = newest["state"] not in NEVER and row["body"]["news"] != NOT_THEIRS
            if same and heard and not self._between(newest, row):
                self._fail("nobody hears the same again", f"send {row['id']} after {newest['id']}")
        if newest is None or newest["step"] <= row["step"]:
            self._newest[key] = row

    def _between(self, newest: dict[str, Any], row: dict[str, Any]) -> bool:
        """Whether something else was told, or to be told, between these two."""
        return any(
            newest["step"] < one["step"] < row["step"] and one["state"] not in NEVER
            for one in self._table.rows.values()
            if all(one[name] == row[name] for name in ("incident", "purpose", "recipient", "channel"))
        )

    def comes(self, incident: int, home: str | None, helper: str) -> None:
        """Somebody has said that they come, having been asked to come to `home`; that was believed."""
        where = self._kept.incidents[incident].home
        if home != where:
            self._fail("who comes goes where it is", f"incident {incident} of {where}: {helper} goes to {home}")

    def end(self) -> None:
        """Whoever wants to be told of a home has heard last that it is over."""
        for number, one in self._kept.incidents.items():
            if not one.danger or one.home is None:
                continue
            self._mistaken(number, {person.id for person in self._kept.people[one.home]})
            for person in self._kept.people[one.home]:
                if person.told and not (one.helper is not None and one.helper.id == person.id):
                    self._heard(number, person.id)

    def _mistaken(self, incident: int, theirs: set[str]) -> None:
        """Whoever heard that a home calls which did not has heard that, too."""
        for (number, person, channel), newest in self._newest.items():
            if number != incident or person in theirs or newest["body"]["news"] == NOT_THEIRS:
                continue
            if newest["state"] in (*NEVER, "failed"):  # the provider did not take it
                continue
            told = [
                row["state"]
                for row in self._table.rows.values()
                if row["incident"] == incident and row["recipient"] == person and row["channel"] == channel
                and row["purpose"] == FAMILY and row["body"]["news"] == NOT_THEIRS
            ]  # fmt: skip
            if not {*told} & {*UNKNOWN, "failed"}:
                self._fail("who heard of a home that did not call hears so", f"incident {incident}: {person}")

    def _heard(self, incident: int, person: str) -> None:
        last: dict[str, Any] | None = None
        for row in self._table.rows.values():
            if row["incident"] == incident and row["purpose"] == FAMILY and row["recipient"] == person:
                last = row if last is None or row["step"] >= last["step"] else last
        newest = self._newest.get((incident, person, "twilio_sms"))
        if last is not None and last["state"] in UNKNOWN:
            return
        if newest is None or newest["body"]["news"] not in HEARD:
            heard = newest["body"]["news"] if newest else "nothing"
            self._fail("family hears how it ended", f"incident {incident}: {person} heard {heard} last")
