"""What an incident's journal says that its stamps must be, and what must be true of both. PURE.

The stamps are worked out from the entries alone, by other rules than those that set them: an entry names what was
decided, and of each kind the first counts.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from dispatch.incident import SYSTEM, Incident
from dispatch.journal import broken_at
from dispatch.policy import is_danger
from pingan.messages import ANSWERS, NOTES, SUSPICIONS, WITHDRAWN

Row = dict[str, Any]

HELD = {"answer", "contact", "no_contact", "assign"}
"""Events by which an operator has it."""
HELD_BY = {"answered", "contact_made", "no_contact", "no_contact_escalates", "assigned", "test_passed"}
TAKEN_BY = {"accepted", "moving", "on_scene", "safe"}
"""Decisions by which whoever acts has it, whoever they are: they go, they are there, they say how it is."""
NOBODY = {"", SYSTEM}
"""Actors that are no person."""
CLOSED_BY = {"closed", "test_passed", "restored_itself"}

QUIET = frozenset({*SUSPICIONS, WITHDRAWN, *NOTES, *ANSWERS})
"""These open nothing: an incident that they speak of may know them all the same."""

TOLD = {"opened", "opened_desk_empty", "rang_again", "arrival_proven"}
"""Decisions on an alarm: each names the alarm that it is on."""

_canonical = msgspec.json.Encoder(order="deterministic")


class Finding(NamedTuple):
    """Something that is not as it must be: its name, where, and what was found."""

    name: str
    where: str
    what: str = ""


def anchor_hash(before: bytes, heads: Iterable[tuple[int, int, bytes]]) -> bytes:
    """SHA-256 over the anchor before and (incident, number, hash) of each head, in a form that has one spelling."""
    return hashlib.sha256(
        before + _canonical.encode([[one, number, head.hex()] for one, number, head in heads])
    ).digest()


def stamps_of(entries: Iterable[Row], alarms: Sequence[Row]) -> dict[str, datetime]:
    """The stamps t0 to t9 by an incident's entries, and the alarms that opened it."""
    found: dict[str, datetime] = {}
    for entry in entries:
        for stamp in _stamped(entry):
            found.setdefault(stamp, entry["at"])
        if entry["number"] == 1:
            found |= _begun(entry, alarms)
    return found


def _begun(entry: Row, alarms: Sequence[Row]) -> dict[str, datetime]:
    first = entry["detail"].get("alarm")
    if entry["detail"].get("by"):  # a group: of the devices that it began with
        times = [alarm for alarm in alarms if alarm["taken_at"] and alarm["taken_at"] <= entry["at"]]
    else:
        times = [alarm for alarm in alarms if str(alarm["id"]) == first]
    if not times:  # an operator opened it: that is when it began
        return {"t0": entry["at"], "t1": entry["at"]}
    return {"t0": min(alarm["at"] for alarm in times), "t1": min(alarm["raised_at"] for alarm in times)}


def _stamped(entry: Row) -> list[str]:
    event, decision = entry["event"], entry["decision"]
    stamps = []
    if event == "shown" and decision in ("shown", "test_passed"):
        stamps.append("t2")
    if event in HELD and decision in HELD_BY:
        stamps.append("t3")
    if decision in ("contact_made", "no_contact", "no_contact_escalates"):
        stamps.append("t4")
    if decision in ("accepted", "moving"):
        stamps.append("t5")
    if decision == "moving":
        stamps.append("t6")
    if decision == "on_scene":
        stamps.append("t7")
    if decision == "safe":
        stamps.append("t8")
    if decision in CLOSED_BY:
        stamps.append("t9")
    return stamps


def findings(row: Row, entries: Sequence[Row], alarms: Sequence[Row]) -> list[Finding]:
    """Everything about one incident that its journal and its alarms contradict."""
    where = f"incident {row['id']}"
    if not entries:
        return [Finding("journal_missing", where)]
    if (number := broken_at(entries)) is not None:
        return [Finding("journal_broken", where, f"entry {number}")]
    known = msgspec.convert(row["body"], Incident)
    found = [*_stamps_differ(row, known, stamps_of(entries, alarms), where), *_alarms_differ(entries, alarms, where)]
    closed = entries[-1]["decision"] in CLOSED_BY or any(entry["decision"] in CLOSED_BY for entry in entries)
    if closed != (row["state"] == "closed"):
        found.append(Finding("state_differs", where, f"the journal says {'closed' if closed else 'open'}"))
    if row["state"] == "closed" and row["danger"] and not row["test"]:
        found += _by_a_person(known, entries, where)
    return found


def _stamps_differ(row: Row, known: Incident, told: Mapping[str, datetime], where: str) -> Iterable[Finding]:
    for number in range(10):
        stamp = f"t{number}"
        mine = told.get(stamp)
        if not mine == row[stamp] == known.stamps.get(stamp):
            says = f"{stamp}: the journal {mine}, the row {row[stamp]}, the body {known.stamps.get(stamp)}"
            yield Finding("stamp_differs", where, says)
        if row["state"] == "closed" and row[stamp] is None and stamp not in known.absent:
            yield Finding("stamp_without_reason", where, stamp)


def _alarms_differ(entries: Sequence[Row], alarms: Sequence[Row], where: str) -> Iterable[Finding]:
    """Each alarm that rang has one entry, and each entry that names one is of this incident."""
    named = [
        entry["detail"]["alarm"] for entry in entries if entry["decision"] in TOLD and entry["detail"].get("alarm")
    ]
    for alarm in sorted(set(named)):
        if named.count(alarm) > 1:
            yield Finding("alarm_told_twice", where, alarm)
    mine = {str(alarm["id"]): alarm for alarm in alarms}
    rang = {one for one, alarm in mine.items() if is_danger(alarm["kind"]) and alarm["kind"] not in QUIET}
    told = [entry for entry in entries if entry["decision"] in TOLD and entry["event"] == "raised"]
    rest = [entry for entry in told if not entry["detail"].get("operator")]  # rung by hand: there is no alarm
    if all(entry["detail"].get("alarm") for entry in rest):  # before the journal named them nobody can tell
        yield from (Finding("alarm_not_told", where, one) for one in sorted(rang - set(named)))
    # Before the journal said what chose the policy, it gave what an operator opened by hand the name of an alarm, too.
    old = {entry["detail"].get("alarm") for entry in entries[:1] if "chosen_by" not in entry["detail"]}
    yield from (Finding("alarm_of_another", where, one) for one in sorted(set(named) - mine.keys() - old))


def _by_a_person(known: Incident, entries: Sequence[Row], where: str) -> Iterable[Finding]:
    closing = known.closing
    if closing is None or not closing.operator or closing.operator == SYSTEM:
        yield Finding("closed_by_nobody", where)
    # By the journal, whatever the body has as a reason: whoever closes at once what rings has taken it themselves.
    if not any(_took(entry) for entry in entries):
        yield Finding("accepted_by_nobody", where)


def _took(entry: Row) -> bool:
    """Whether it is a person's act by which they have it."""
    event, decision = entry["event"], entry["decision"]
    acts = (event in HELD and decision in HELD_BY) or decision in TAKEN_BY or (event, decision) == ("close", "closed")
    return acts and entry["actor"] not in NOBODY
