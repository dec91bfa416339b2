"""Incidents of the past, as the desk leaves them behind: written down at once, with any stamps that a test wants."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
from psycopg.types.json import Jsonb

from dispatch import incident as core
from dispatch.desk import Desk, policies
from dispatch.desk import sql as desk_sql
from dispatch.policy import is_danger
from pingan.database import Connection

POLICIES = policies()
HELPER = core.Helper("C1", "李梅", "family")


@dataclass(frozen=True, slots=True)
class Call:
    """One incident. The seconds are counted from its arrival (t1); None: there is no such stamp."""

    arrived: datetime
    home: str | None = "H001"
    cause: str = "sos"
    press: float | None = -1.0
    answer: float | None = 10.0
    helper: float | None = None
    moved: float | None = None
    door: float | None = None
    reported: bool = False
    closed: float | None = 3600.0
    outcome: str = "resolved_by_voice"
    reason: str = ""
    test: bool = False
    presses: int = 1
    """Alarms on it."""

    @property
    def danger(self) -> bool:
        return is_danger(self.cause)

    def at(self, seconds: float | None) -> datetime | None:
        return None if seconds is None else self.arrived + timedelta(seconds=seconds)


async def put(connection: Connection, calls: Iterable[Call]) -> list[int]:
    """Write them down with their alarms; their numbers."""
    numbers = []
    for call in calls:
        row: dict[str, Any] = Desk._row(_incident(call))
        found = await (await connection.execute(desk_sql.open, row)).fetchone()
        assert found is not None, "another of this home is open"
        numbers.append(int(found["id"]))
        for number in range(call.presses):
            at = call.arrived + timedelta(seconds=number)
            alarm = {
                "id": uuid4(), "kind": call.cause, "home": call.home, "at": at, "raised_at": at, "test": call.test,
                "received_at": at - timedelta(milliseconds=8), "incident": numbers[-1], "taken_at": at,
                "evidence": Jsonb({"source": "derived" if call.cause == "inactivity" else "reported"}),
            }  # fmt: skip
            await connection.execute(ALARM, alarm)
    return numbers


ALARM = """
insert into alarms (id, kind, home, device, at, received_at, raised_at, test, evidence, incident, taken_at)
values (%(id)s, %(kind)s, %(home)s, %(home)s::text || '-button', %(at)s, %(received_at)s, %(raised_at)s, %(test)s,
        %(evidence)s, %(incident)s, %(taken_at)s)
"""


def _incident(call: Call) -> core.Incident:
    offsets = {"t0": call.press, "t1": 0.0, "t3": call.answer, "t5": call.helper, "t6": call.moved, "t7": call.door}
    stamps = {name: at for name, seconds in offsets.items() if (at := call.at(seconds)) is not None}
    opened = core.Incident(
        home=call.home,
        device=f"{call.home}-button",
        cause=call.cause,
        danger=call.danger,
        test=call.test,
        policy=POLICIES["danger" if call.danger else "technical"],
        state=core.State.WAITING if call.answer is None else core.State.ANSWERED,
        version=1,
        opened_at=call.arrived,
        wake_at=call.arrived + timedelta(hours=1),
        helper=HELPER if call.helper is not None else None,
        reported=("t7",) if call.reported else (),
        stamps=stamps,
    )
    if call.closed is None:
        return opened
    cause = call.cause if call.cause in core.CAUSES else "technical"
    # The desk takes no late answer without a reason; a test may want one from before that rule.
    close = core.Close("operator", "王芳", cause, call.outcome, 99, call.reason or "-")
    end = call.at(call.closed)
    assert end is not None
    closed = core.decide(opened, close, (), end).incident
    assert closed.closing is not None
    return msgspec.structs.replace(closed, closing=msgspec.structs.replace(closed.closing, reason=call.reason))


def month(now: datetime, homes: list[str], days: int = 30, seed: int = 1) -> list[Call]:
    """A month at a desk of some 400 homes: nine in a hundred calls are an emergency, most are not, a few go wrong."""
    chance = random.Random(seed)
    calls = []
    for day in range(days):
        for _ in range(chance.randint(7, 14) + (4 if day % 7 in (1, 2) else 0)):
            arrived = now - timedelta(days=day, seconds=chance.uniform(4000, 80_000))
            calls.append(_one(chance, arrived, chance.choice(homes)))
    return sorted(calls, key=lambda call: call.arrived)


def _one(chance: random.Random, arrived: datetime, home: str) -> Call:
    cause = chance.choices(
        ("sos", "fall", "inactivity", "smoke", "wandering", "battery_low", "mains_lost"), (70, 9, 8, 1, 2, 7, 3)
    )[0]
    answer = min(175.0, 3 + chance.lognormvariate(1.6, 0.7))
    call = Call(
        arrived,
        home,
        cause,
        press=-chance.uniform(0.2, 1.5),
        answer=answer,
        presses=chance.choices((1, 2, 3), (8, 2, 1))[0],
    )
    if not call.danger:
        return replace(call, answer=chance.uniform(60, 9000), outcome="technical_visit_booked", closed=20_000)
    fate = chance.random()
    if fate < 0.006:
        return replace(
            call,
            answer=None,
            closed=700,
            outcome="cancelled_by_person",
            reason="值班员正在处理另一起火警；本人已取消。",
        )
    if fate < 0.012:
        return replace(
            call, answer=chance.uniform(185, 420), reason=chance.choice(("同时来了三个呼叫。", "交接班时耽误。", ""))
        )
    if fate < 0.66:
        outcome = chance.choices(("wanted_to_talk", "accidental", "resolved_by_voice", "advice"), (4, 4, 3, 2))[0]
        return replace(call, outcome=outcome, closed=answer + chance.uniform(60, 900))
    helper = answer + min(2000.0, chance.lognormvariate(3.2, 0.6))
    door = helper + min(5000.0, 240 + chance.lognormvariate(6.3, 0.6))
    outcome = chance.choices(
        ("family_attended", "responder_attended", "ambulance", "no_contact_visited"), (6, 4, 1, 1)
    )[0]
    if chance.random() < 0.05:
        return replace(call, helper=helper, moved=helper + 60, outcome="cancelled_by_person", closed=helper + 900)
    return replace(
        call, helper=helper, moved=helper + 60, door=door, reported=chance.random() < 0.6, outcome=outcome,
        closed=door + chance.uniform(600, 3600),
    )  # fmt: skip
