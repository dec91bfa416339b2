"""What a journal says that the stamps must be, is what they are, whatever happened; and what was changed shows."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch import incident as core
from dispatch.auditing import anchor_hash, findings, stamps_of
from dispatch.journal import entry_hash
from tests.unit.test_incident import EVENTS, NOON, PEOPLE, close, opened

ALARM = UUID(int=1)


def lived(history: list[tuple[core.Event, float]]) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """An incident's row, its journal and its alarms, as the desk would have written them."""
    incident, now, before = opened().incident, NOON, b""
    entries: list[dict[str, Any]] = []

    def write(event: str, decision: str, detail: dict[str, Any]) -> None:
        nonlocal before
        number = len(entries) + 1
        before = entry_hash(before, 1, number, now, event, decision, "somebody", detail)
        entries.append(
            {
                "incident": 1, "number": number, "at": now, "event": event, "decision": decision, "actor": "somebody",
                "detail": detail, "hash": before,
            }
        )  # fmt: skip

    write("opened", "opened", {"kind": "sos", "alarm": str(ALARM)})
    for event, seconds in history:
        now += timedelta(seconds=seconds)
        decision = core.decide(incident, event, PEOPLE, now)
        incident = decision.incident
        if decision.refused and isinstance(event, core.Due | core.Shown):
            continue
        told = msgspec.to_builtins(event)
        write(core.tag(event), decision.name, {key: value for key, value in told.items() if key != "type"})
    row = {
        "id": 1, "state": incident.state.value, "danger": True, "test": False,
        "body": msgspec.to_builtins(incident), **{stamp: incident.stamps.get(stamp) for stamp in core.STAMPS},
    }  # fmt: skip
    alarm = {"id": ALARM, "kind": "sos", "at": NOON, "raised_at": NOON, "evidence": {"source": "reported"}}
    return row, entries, [alarm]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.floats(0, 4000)), max_size=30))
def test_whatever_happened_the_journal_alone_gives_every_stamp(history: list[tuple[core.Event, float]]) -> None:
    row, entries, alarms = lived(history)
    assert stamps_of(entries, alarms) == {stamp: row[stamp] for stamp in core.STAMPS if row[stamp]}
    assert findings(row, entries, alarms) == []


WHOLE = [
    (core.Answer("op", "陈"), 20.0),
    (core.Contact("op", "陈"), 5.0),
    (core.Raised("sos", alarm=str(UUID(int=2))), 5.0),
    (close(as_of=9), 30.0),
]
AGAIN = {"id": UUID(int=2), "kind": "sos", "at": NOON, "raised_at": NOON, "evidence": {"source": "reported"}}


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda row, entries, alarms: row.update(t3=NOON), "stamp_differs"),
        (lambda row, entries, alarms: row.update(t8=NOON), "stamp_differs"),
        (lambda row, entries, alarms: row.update(state="safe"), "state_differs"),
        (lambda row, entries, alarms: entries.clear(), "journal_missing"),
        (lambda row, entries, alarms: entries.pop(2), "journal_broken"),
        (lambda row, entries, alarms: entries[1].update(actor="somebody else"), "journal_broken"),
        (lambda row, entries, alarms: alarms.append({**AGAIN, "id": UUID(int=3)}), "alarm_not_told"),
        (lambda row, entries, alarms: alarms.pop(), "alarm_of_another"),
        (lambda row, entries, alarms: row["body"]["closing"].update(operator=""), "closed_by_nobody"),
        (lambda row, entries, alarms: row["body"]["absent"].pop("t8"), "stamp_without_reason"),
    ],
)
def test_what_was_changed_shows(change: Any, name: str) -> None:
    row, entries, alarms = lived(WHOLE)
    alarms.append(AGAIN)
    assert findings(row, entries, alarms) == []
    change(row, entries, alarms)
    assert name in [one.name for one in findings(row, entries, alarms)]


def forged(entries: list[dict[str, Any]], **changes: Any) -> None:
    """The last entry as somebody wrote it who may write everything: its hash is right."""
    last = entries[-1]
    last.update(changes)
    before = entries[-2]["hash"]
    fields = [last[name] for name in ("incident", "number", "at", "event", "decision", "actor", "detail")]
    last["hash"] = entry_hash(before, *fields)


@pytest.mark.parametrize(
    ("history", "changes", "names"),
    [
        # It was never answered and nobody went; what closed it was no person, whatever the body says of it.
        ([], {"actor": core.SYSTEM}, ["accepted_by_nobody"]),
        ([], {"actor": ""}, ["accepted_by_nobody"]),
        ([], {"event": "due", "decision": "restored_itself"}, ["accepted_by_nobody"]),
        # Whoever closes at once what rings has taken it themselves.
        ([], {}, []),
        ([(core.Answer("op", "陈"), 20.0)], {"actor": core.SYSTEM}, []),
        ([(core.Accept(core.Helper("C1", "李梅", "family")), 20.0)], {"actor": core.SYSTEM}, []),
    ],
)
def test_a_danger_that_no_person_took_shows(
    history: list[tuple[core.Event, float]], changes: dict[str, Any], names: list[str]
) -> None:
    row, entries, alarms = lived([*history, (close(as_of=9), 30.0)])
    forged(entries, **changes)
    assert [one.name for one in findings(row, entries, alarms)] == names


def test_an_anchor_covers_the_one_before_it_and_every_head() -> None:
    one = anchor_hash(b"", [(1, 2, b"\1"), (2, 1, b"\2")])
    others = [
        anchor_hash(b"\0", [(1, 2, b"\1"), (2, 1, b"\2")]),
        anchor_hash(b"", [(1, 2, b"\1")]),
        anchor_hash(b"", [(1, 3, b"\1"), (2, 1, b"\2")]),
    ]
    assert one not in others
    assert len(one) == 32


def test_who_is_rung_for_by_hand_has_no_alarm_and_contradicts_nothing() -> None:
    row, entries, alarms = lived([(core.Raised("sos", alarm=None, operator="op"), 5.0), (close(as_of=9), 30.0)])
    assert findings(row, entries, alarms) == []
    alarms.append({**AGAIN, "id": UUID(int=3)})
    assert [one.name for one in findings(row, entries, alarms)] == ["alarm_not_told"], "of the others it is still asked"


def test_what_an_operator_opened_before_the_journal_said_so_contradicts_nothing() -> None:
    row, entries, alarms = lived([(close(as_of=9), 30.0)])
    alarms.clear()
    row["body"]["stamps"] |= {"t0": NOON, "t1": NOON}
    assert findings(row, entries, alarms) == []


def test_a_group_began_with_what_it_was_opened_for_whatever_joined_later() -> None:
    opening = {"number": 1, "at": NOON, "event": "opened", "decision": "opened", "detail": {"by": "area", "of": "44"}}
    first = {"id": ALARM, "at": NOON - timedelta(30), "raised_at": NOON - timedelta(20), "taken_at": NOON}
    # It had been raised as well, and was held with others of its own.
    later = {**first, "at": NOON - timedelta(60), "raised_at": NOON - timedelta(50), "taken_at": NOON + timedelta(1)}
    assert stamps_of([opening], [first, later]) == {"t0": first["at"], "t1": first["raised_at"]}
