"""The campaign's checkers, each shown what it must not let pass: a checker that sees nothing proves nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from dispatch.journal import entry_hash
from tests.faults import checkers
from tests.faults.checkers import Window

START = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
ALARM, OTHER = UUID(int=1), UUID(int=2)
POLICY = {
    "steps": [
        {"who": "desk", "wait_seconds": 20, "unseen_seconds": 10},
        {"who": "contacts", "wait_seconds": 40},
        {"who": "everyone", "wait_seconds": 120},
    ],
    "contact_seconds": 120,
    "move_seconds": 300,
}
PRESS = {"id": "e1", "device": "b", "home": "H1"}


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def alarm(**other: Any) -> dict[str, Any]:
    return {"id": ALARM, "device": "b", "event": "e1", "incident": 1, "home": "H1"} | other


def incident(**other: Any) -> dict[str, Any]:
    return {"id": 1, "home": "H1", "state": "waiting", "danger": True, "wake_at": at(10), "policy": POLICY} | other


def journal(*told: tuple[float, str, str, dict[str, Any]], number: int = 1) -> list[dict[str, Any]]:
    """A whole chain of (seconds, event, decision, detail), the opening before them."""
    entries: list[dict[str, Any]] = []
    before = b""
    opening = (0.0, "opened", "opened", {"alarm": str(ALARM)})
    for index, (seconds, event, decision, detail) in enumerate((opening, *told), 1):
        before = entry_hash(before, number, index, at(seconds), event, decision, "x", detail)
        entries.append(
            {"incident": number, "number": index, "at": at(seconds), "event": event, "decision": decision,
             "actor": "x", "detail": detail, "hash": before}
        )  # fmt: skip
    return entries


RAISED = (3.0, "raised", "rang_again", {"press": {"device": "b", "event_id": "e2"}})


def test_one_press_one_alarm_one_incident_one_line() -> None:
    second = alarm(id=OTHER, event="e2")
    assert not checkers.every_press_is_one_event(
        [PRESS, {**PRESS, "id": "e2"}], [alarm(), second], [incident()], journal(RAISED)
    )


@pytest.mark.parametrize(
    ("alarms", "incidents", "entries"),
    [
        pytest.param([], [incident()], journal(), id="lost"),
        pytest.param([alarm(), alarm(id=OTHER)], [incident()], journal(), id="two alarms"),
        pytest.param([alarm(incident=None)], [incident()], journal(), id="on no incident"),
        pytest.param([alarm()], [incident(home="H2")], journal(), id="another home's"),
        pytest.param([alarm(id=OTHER)], [incident()], journal(), id="told in no journal"),
        pytest.param([alarm()], [incident()], journal() + journal(number=2), id="opened twice"),
    ],
)
def test_a_press_that_is_not_one_event_is_named(
    alarms: list[dict[str, Any]], incidents: list[dict[str, Any]], entries: list[dict[str, Any]]
) -> None:
    (sentence,) = checkers.every_press_is_one_event([PRESS], alarms, incidents, entries)
    assert "press e1 of b" in sentence


def send(number: int = 1, state: str = "unanswered", repeat: int = 0, **other: Any) -> dict[str, Any]:
    return {
        "id": number, "incident": 1, "step": 1, "repeat": repeat, "purpose": "help", "channel": "twilio_voice",
        "recipient": "C1", "name": "李梅", "state": state, "due_at": START, "dialled_at": START,
    } | other  # fmt: skip


def call(number: int = 1) -> dict[str, Any]:
    return {"request": {"status_callback": f"http://127.0.0.1:1/webhooks/twilio/voice/{number}/status"}}


def test_one_call_a_send_and_a_declared_repeat_are_as_promised() -> None:
    sends = [send(1, "unclear"), send(2, repeat=1)]
    assert not checkers.nobody_is_contacted_twice(sends, [call(1), call(2)], [])
    assert checkers.repeated_though_placed(sends, [call(1), call(2)], []) == 1
    assert checkers.repeated_though_placed(sends, [call(2)], []) == 0


@pytest.mark.parametrize(
    ("sends", "calls"),
    [
        pytest.param([send()], [call(), call()], id="twice for one send"),
        pytest.param([send()], [call(9)], id="for no send"),
        pytest.param([send(state="withdrawn")], [call()], id="withdrawn, and called"),
        pytest.param([send(state="waiting")], [call()], id="called before it was recorded"),
        pytest.param([send(1, "waiting"), send(2, repeat=1)], [], id="a repeat of what was never tried"),
        pytest.param([send(2, repeat=1)], [], id="a repeat of nothing"),
    ],
)
def test_a_contact_too_many_is_named(sends: list[dict[str, Any]], calls: list[dict[str, Any]]) -> None:
    assert len(checkers.nobody_is_contacted_twice(sends, calls, [])) == 1


def test_what_is_stuck_is_named() -> None:
    sends = [send(1, "dialling"), send(2, "waiting"), send(3, "sent"), send(4, "waiting", due_at=at(100))]
    assert len(checkers.no_send_is_stuck(sends, at(30))) == 2


def test_a_changed_or_missing_journal_is_named() -> None:
    entries = journal(RAISED)
    assert not checkers.journals_are_whole([incident()], entries)
    entries[0] = {**entries[0], "actor": "y"}
    assert checkers.journals_are_whole([incident()], entries) == ["the journal of incident 1 is broken at entry 1"]
    assert checkers.journals_are_whole([incident()], []) == ["incident 1 has no journal"]


def test_an_open_one_without_a_waking_and_two_dangers_of_a_home_are_named() -> None:
    assert not checkers.open_ones_wake([incident(), incident(state="closed", wake_at=None)])
    assert len(checkers.open_ones_wake([incident(wake_at=None)])) == 1
    assert len(checkers.open_ones_wake([incident(state="closed")])) == 1
    assert len(checkers.open_ones_wake([incident(), incident(id=2)])) == 1


def in_time(*told: tuple[float, str, str, dict[str, Any]], windows: tuple[Window, ...] = (), now: float = 0) -> int:
    return len(checkers.escalations_are_in_time([incident()], journal(*told), windows, at(now)))


def due(seconds: float, step: int, decision: str = "next_step") -> tuple[float, str, str, dict[str, Any]]:
    return (seconds, "due", decision, {"step": step})


ACCEPTED = (12.0, "accept", "accepted", {})
AGAIN = (15.0, "raised", "rang_again", {"press": {"device": "b", "event_id": "e2"}})


def test_steps_that_come_when_they_are_due_are_right() -> None:
    assert in_time(due(10, 1), due(50.9, 2), due(170.9, 3)) == 0
    assert in_time((5.0, "shown", "shown", {}), due(20, 1)) == 0
    assert in_time(due(10, 1), ACCEPTED, due(312, 2, "stalled")) == 0
    assert in_time(due(10, 1), ACCEPTED, AGAIN, due(35, 2)) == 0
    assert in_time((11.0, "decline", "declined_by_all", {"step": 2}), due(131, 3)) == 0
    assert in_time(due(10, 1), (11.0, "decline", "declined_by_all", {}), due(50, 2)) == 0, "nobody else is left"
    unmanned = (AGAIN[0], AGAIN[1], AGAIN[2], {**AGAIN[3], "manned": False})
    assert in_time(due(10, 1), ACCEPTED, unmanned, due(AGAIN[0] + 0.1, 2)) == 0, "nobody waits for an empty desk"
    assert in_time(due(10, 1), ACCEPTED, unmanned, due(35, 2)) == 1


def test_early_late_and_missing_steps_are_named() -> None:
    assert in_time(due(9.9, 1)) == 1
    assert in_time(due(11.1, 1)) == 1
    assert in_time(due(10, 1), due(40, 2)) == 1
    assert in_time(due(10, 1), now=52) == 1, "nobody woke it"
    assert in_time((2.0, "close", "closed", {}), now=500) == 0, "closed ones need no waking"


def test_a_fault_explains_its_own_length_and_no_more() -> None:
    held = Window("stop 5 s dispatch", at(8), at(14))
    assert in_time(due(14.5, 1), windows=(held,)) == 0
    assert in_time(due(18.0, 1), windows=(held,)) == 1
    assert in_time(due(9.0, 1), windows=(held,)) == 1, "early is early whatever was held"
    assert in_time(due(16.0, 1), windows=(Window("another", at(60), at(90)),)) == 1
