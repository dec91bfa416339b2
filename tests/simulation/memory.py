"""Everything that must not be lost, in memory: a second implementation of the outbox's rows and of the desk.

It is held to the same promises as PostgreSQL (tests/integration/test_sends_contract.py). What a transaction is there
is here a function that awaits nothing. `Gate` stands before and after each: there a process may be held, die, or lose
sight of what is kept, before it is done or when it has been done and nobody has told it.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from dispatch import acting, family, following
from dispatch import incident as core
from dispatch.acting import Act, Entry
from dispatch.book import Book, Situation, choose
from dispatch.following import FAMILY, HELP, Row, rank
from dispatch.grouping import CAUSES, RESTORES
from dispatch.incident import Decision, Event, Incident, Press, Raised, State
from dispatch.policy import Person, is_danger
from dispatch.sends import FINAL, LATELY_SECONDS, Outcome, Turns, Wrong
from pingan.clock import Clock

HELD = frozenset({*CAUSES, *RESTORES})
"""What falls silent, and what ends that."""


class Gate(Protocol):
    async def enter(self) -> None: ...

    async def leave(self, *changed: str) -> None:
        """`changed`: who is to be told: `incident`, `outbox`, `dialling`."""
        ...


class OpenGate:
    """Nothing ever happens here."""

    async def enter(self) -> None: ...

    async def leave(self, *changed: str) -> None: ...


class Table:
    """The rows of the outbox.

    Who finds nothing to do there passes no gate: looking in vain changes nothing, and is most of what a process does.
    """

    def __init__(self, incidents: Mapping[int, Incident]) -> None:
        self.incidents = incidents
        self.rows: dict[int, dict[str, Any]] = {}
        self.turns: dict[str, datetime] = {}
        self.begun: dict[int, dict[str, Any]] = {}
        """Those that wait or are being dialled."""
        self.claimed: Callable[[dict[str, Any]], None] = lambda _row: None
        """Called for each row that is about to be sent."""
        self.wrong: dict[tuple[str, str], Wrong] = {}
        """What a person has to put right, one of a kind and subject."""
        self.more = False
        """Something waits that did not before: whoever looks next tells everybody."""
        self._keys: set[tuple[Any, ...]] = set()
        self._by_provider: dict[str, int] = {}

    def add(self, incident: int, rows: Sequence[Row]) -> int:
        """How many were new."""
        return sum([self._insert({"incident": incident, "errand": None, "repeat": 0, **row._asdict()}) for row in rows])

    def _insert(self, row: dict[str, Any]) -> bool:
        key = tuple(row[name] for name in ("incident", "step", "repeat", "purpose", "channel", "recipient"))
        if key in self._keys:
            return False
        self._keys.add(key)
        row |= {
            "id": len(self.rows) + 1, "state": "waiting", "dialled_at": None, "finished_at": None,
            "provider_id": None, "result": None, "worker": None, "tries": 0,
        }  # fmt: skip
        self.rows[row["id"]] = self.begun[row["id"]] = row
        self.more = True
        return True

    def withdraw(self, incident: int, now: datetime) -> tuple[str, ...]:
        over = [
            row
            for row in self.begun.values()
            if row["incident"] == incident and row["purpose"] == HELP and row["state"] == "waiting"
        ]
        for row in over:
            self._set(row, "withdrawn", finished_at=now)
        return tuple(row["channel"] for row in over)

    def tell(self, incident: int, rows: Sequence[Row], now: datetime) -> None:
        """As `dispatch.sends.tell`: what still waits of an earlier stage is withdrawn, nobody hears the same again."""
        if not rows:
            return
        (version,) = {row.step for row in rows}
        told = [row for row in self.rows.values() if row["incident"] == incident and row["purpose"] == FAMILY]
        told.sort(key=lambda row: (row["step"], row["repeat"]))
        last = {
            (row["recipient"], row["channel"]): row["body"]
            for row in told
            if row["state"] not in ("withdrawn", "abandoned")
        }
        again = {(row.recipient, row.channel) for row in rows if self._known(row, last)}
        for row in told:
            if row["step"] < version and (row["recipient"], row["channel"]) not in again:
                self._overtake(row, now)
        self.add(incident, [row for row in rows if (row.recipient, row.channel) not in again])

    def heard_of(self, incident: int, home: str, now: datetime, version: int) -> set[str]:
        """As `dispatch.sends.heard_of`."""
        for row in list(self.begun.values()):
            if row["incident"] == incident and row["purpose"] == FAMILY and row["step"] < version:
                self._overtake(row, now)
        never = ("waiting", "withdrawn", "abandoned", "failed")
        return {
            row["recipient"]
            for row in self.rows.values()
            if row["incident"] == incident
            and row["purpose"] in (HELP, FAMILY)
            and row["state"] not in never
            and row["body"]["home"] == home
            and row["body"].get("news") != family.NOT_THEIRS
        }

    def _known(self, row: Row, last: Mapping[tuple[str, str], Mapping[str, Any]]) -> bool:
        return family.known(row, last)

    def _overtake(self, row: dict[str, Any], now: datetime) -> None:
        if row["state"] == "waiting":
            self._set(row, "withdrawn", finished_at=now)

    def rings(self) -> tuple[str, ...]:
        """Whom a commit tells, as the database's trigger does: nobody, unless something waits now."""
        more, self.more = self.more, False
        return ("outbox",) if more else ()

    def due(self, channel: str, now: datetime) -> bool:
        return any(
            row["state"] == "waiting" and row["due_at"] <= now and row["channel"] == channel
            for row in self.begun.values()
        )

    def dialling(self) -> bool:
        return any(row["state"] == "dialling" for row in self.begun.values())

    def claim(
        self, channel: str, now: datetime, worker: str, limit: int, rate: float | None = None
    ) -> list[dict[str, Any]]:
        due = [
            row
            for row in self.begun.values()
            if row["state"] == "waiting" and row["due_at"] <= now and row["channel"] == channel
            if not any(self._stands_before(other, row, now) for other in self.begun.values())
        ]
        due.sort(key=self._turn)
        if rate is None:
            due = due[:limit]
        else:
            late = [row for row in due if row["deadline_at"] <= now]
            turns = Turns(self.turns.get(channel, now), now, rate)
            if due := [row for row in due if row["deadline_at"] > now][: min(limit, turns.free)]:
                self.turns[channel] = turns.after(len(due))
            due += late[: limit - len(due)]
        for row in due:
            row.update(state="dialling", dialled_at=now, worker=worker)
            self.claimed(row)
        return [dict(row) for row in due]

    def _rank(self, row: dict[str, Any]) -> int:
        incident = self.incidents.get(row["incident"])
        return rank(row["purpose"], self._danger(row), incident.cause if incident else "")

    def _turn(self, row: dict[str, Any]) -> tuple[int, datetime, int]:
        return (self._rank(row), row["due_at"], row["id"])

    def _stands_before(self, other: dict[str, Any], row: dict[str, Any], now: datetime) -> bool:
        """One attempt at a time for each number, in the order of the turns."""
        if other is row or other["channel"] != row["channel"] or other["address"] != row["address"]:
            return False
        if other["purpose"] != HELP or row["purpose"] != HELP:
            return False
        return other["state"] == "dialling" or (other["due_at"] <= now and self._turn(other) < self._turn(row))

    def settle(self, send: int, outcome: Outcome) -> bool:
        row = self.rows[send]
        if row["state"] != "dialling":
            return False
        self._told(row, outcome.provider_id)
        row["due_at"] = outcome.due_at or row["due_at"]
        self._set(row, outcome.state, result=outcome.result, finished_at=outcome.finished_at)
        self._for_a_person(outcome)
        return True

    def again(self, send: int, why: str, at: datetime, now: datetime) -> str | None:
        row = self.rows[send]
        if row["state"] != "dialling":
            return None
        still = self._still(row)
        row["due_at"], row["tries"] = at, row["tries"] + 1
        self._set(row, "waiting" if still else "withdrawn", result=why, finished_at=None if still else now)
        return str(row["state"])

    def _still(self, row: dict[str, Any]) -> bool:
        """Whether what was not sent is to be tried again."""
        if row["purpose"] == HELP:
            return self._asking(row)
        same = ("incident", "purpose", "recipient", "channel")
        return row["purpose"] != FAMILY or not any(
            other["step"] > row["step"] and all(other[name] == row[name] for name in same)
            for other in self.rows.values()
        )

    def _asking(self, row: dict[str, Any]) -> bool:
        one = self.incidents.get(row["incident"])
        return one is not None and one.calling and one.step == row["step"] and row["recipient"] in one.awaited

    def progress(self, send: int, outcome: Outcome) -> bool:
        row = self.rows[send]
        if row["state"] in FINAL:
            return False
        self._told(row, row["provider_id"] or outcome.provider_id)
        self._set(
            row, outcome.state, result=outcome.result,
            finished_at=outcome.finished_at if outcome.state in FINAL else None,
        )  # fmt: skip
        self._for_a_person(outcome)
        return True

    def _for_a_person(self, outcome: Outcome) -> None:
        if (wrong := outcome.wrong) is not None:
            self.wrong.setdefault((wrong.kind, wrong.subject), wrong)

    def _told(self, row: dict[str, Any], provider_id: str | None) -> None:
        if provider_id is not None and self._by_provider.setdefault(provider_id, row["id"]) == row["id"]:
            row["provider_id"] = provider_id

    def _set(self, row: dict[str, Any], state: str, **more: Any) -> None:
        row.update(state=state, **more)
        if state in ("waiting", "dialling"):
            self.begun[row["id"]] = row
            self.more = self.more or state == "waiting"
        else:
            self.begun.pop(row["id"], None)

    def unclear(
        self, before: datetime, long_before: datetime, ahead: datetime, name: str, worker: str
    ) -> list[dict[str, Any]]:
        found = []
        for row in self.begun.values():
            if row["state"] == "dialling":
                at, by = row["dialled_at"], row["worker"]
                earlier_life = by.split("#")[0] == name and by != worker
                if (earlier_life and at < before) or at < long_before or at > ahead:
                    found.append(row)
        found.sort(key=lambda row: (not self._danger(row), row["id"]))
        return [dict(row) for row in found[:20]]

    def unknown(self, send: int, ids: Sequence[str]) -> str | None:
        asked = self.rows[send]
        unknown = [one for one in ids if one not in self._by_provider]
        others = sum(self._may_be_its_call(other, asked) for other in self.rows.values())
        return unknown[0] if len(unknown) > others else None

    @staticmethod
    def _may_be_its_call(other: dict[str, Any], asked: dict[str, Any]) -> bool:
        one = ("incident", "purpose", "step", "recipient")
        if (other["channel"], other["address"]) != (asked["channel"], asked["address"]) or other["provider_id"]:
            return False
        if all(other[name] == asked[name] for name in one):
            return False
        given_up = other["state"] == "unclear" and other["finished_at"]
        lately = asked["dialled_at"] - timedelta(seconds=LATELY_SECONDS)
        return bool(other["state"] == "dialling" or (given_up and other["finished_at"] > lately))

    def repeat(self, send: int, now: datetime) -> None:
        row = self.rows[send]
        self._insert({**row, "repeat": row["repeat"] + 1, "due_at": now})

    def held(self, send: int, dialled_at: datetime) -> tuple[bool, bool] | None:
        """Whether its incident is a danger, and whoever is asked still awaited; None: it has become clear."""
        row = self.rows[send]
        if row["state"] != "dialling" or row["dialled_at"] != dialled_at:
            return None
        return self._danger(row), self._asking(row)

    def _danger(self, row: dict[str, Any]) -> bool:
        incident = self.incidents.get(row["incident"])
        return incident is not None and incident.danger


class MemorySends:
    """One process's sight of the rows: as `dispatch.sends.Sends` promises."""

    def __init__(self, table: Table, gate: Gate) -> None:
        self._table, self._gate = table, gate

    async def claim(
        self, channel: str, now: datetime, worker: str, limit: int, rate: float | None = None
    ) -> list[dict[str, Any]]:
        if not self._table.due(channel, now):
            return []
        await self._gate.enter()
        rows = self._table.claim(channel, now, worker, limit, rate)
        if rows:
            await self._gate.leave("dialling")
        return rows

    async def settle(self, send: int, outcome: Outcome) -> bool:
        await self._gate.enter()
        settled = self._table.settle(send, outcome)
        await self._gate.leave(*self._table.rings())
        return settled

    async def again(self, send: int, why: str, at: datetime, now: datetime) -> str | None:
        await self._gate.enter()
        state = self._table.again(send, why, at, now)
        await self._gate.leave(*self._table.rings())
        return state

    async def unclear(
        self, before: datetime, long_before: datetime, ahead: datetime, name: str, worker: str
    ) -> list[dict[str, Any]]:
        if not self._table.dialling():
            return []
        await self._gate.enter()
        return self._table.unclear(before, long_before, ahead, name, worker)

    @contextlib.asynccontextmanager
    async def conclude(self, send: int, dialled_at: datetime) -> AsyncIterator["_Held | None"]:
        await self._gate.enter()
        found = self._table.held(send, dialled_at)
        case = _Held(self._table, send, *found) if found else None
        yield case
        for do in case.todo if case else ():  # on an error nothing of it is done
            do()
        await self._gate.leave(*self._table.rings())

    async def progress(self, send: int, outcome: Outcome) -> bool:
        await self._gate.enter()
        recorded = self._table.progress(send, outcome)
        await self._gate.leave()
        return recorded


class _Held:
    def __init__(self, table: Table, send: int, danger: bool, asking: bool) -> None:
        self._table, self._send = table, send
        self.danger, self.asking = danger, asking
        self.todo: list[Callable[[], object]] = []

    async def unknown(self, ids: Sequence[str]) -> str | None:
        return self._table.unknown(self._send, ids)

    async def repeat(self, now: datetime) -> None:
        self.todo.append(lambda: self._table.repeat(self._send, now))

    async def settle(self, outcome: Outcome) -> None:
        self.todo.append(lambda: self._table.settle(self._send, outcome))


@dataclass(slots=True)
class Alarm:
    """A row of `alarms`: whoever raised it has been told that it is kept."""

    id: str
    kind: str
    home: str | None
    device: str
    event: str | None
    raised_at: datetime
    at: float
    """The world's time, in seconds."""
    incident: int | None = None
    restores: str | None = None
    """The alarm that this one ends."""
    restored: bool = False
    alone: bool = False
    """It belongs to nothing, and goes to its own home's incident."""
    taken: bool = False
    """Of one that ends another: that has been told."""

    @property
    def waits(self) -> bool:
        return self.incident is None and not self.taken

    @property
    def held(self) -> bool:
        """Whether it waits for its fellows, and not for intake."""
        return self.waits and not self.alone and self.kind in HELD


@dataclass
class Kept:
    """All that outlives every process."""

    people: dict[str | None, tuple[Person, ...]]
    """Of each home; of None, whose nobody knows, nobody."""
    homes: dict[str | None, dict[str, Any]]
    book: Book
    incidents: dict[int, Incident] = field(default_factory=dict)
    journals: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    alarms: dict[str, Alarm] = field(default_factory=dict)
    heard: set[str] = field(default_factory=set)
    manned: bool = True
    """Whether a console is live."""


class Witness(Protocol):
    """Who sees each transaction once it has been committed."""

    def acted(
        self, incident: int, events: Sequence[Event], acts: Sequence[Act], added: tuple[int, int], now: datetime
    ) -> None:
        """`added`: rows that were to be sent, and how many of them were new."""
        ...


class MemoryDesk:
    """The desk over what is kept in memory: the same deciding and following, the same order of things."""

    def __init__(self, kept: Kept, table: Table, clock: Clock, gate: Gate, witness: Witness) -> None:
        self._kept, self._table, self._clock, self._gate, self._witness = kept, table, clock, gate, witness

    async def act(
        self, incident_id: int, event: Event, *, once: str | None = None, send: Sequence[Row] = ()
    ) -> Decision:
        await self._gate.enter()
        if once is not None and once in self._kept.heard:
            return Decision("heard_already", self._kept.incidents[incident_id])
        if once is not None:
            self._kept.heard.add(once)
        act = self._act(incident_id, event)
        self._beside(incident_id, event, send)
        await self._gate.leave("incident", *self._table.rings())
        return act.decision

    def _beside(self, incident_id: int, event: Event, send: Sequence[Row]) -> None:
        self._table.add(incident_id, send)

    async def look(self, incident_id: int) -> Incident:
        await self._gate.enter()
        return self._kept.incidents[incident_id]

    async def identify(self, incident_id: int, home: str, operator: str, name: str) -> Decision:
        await self._gate.enter()
        incident = self._kept.incidents[incident_id]
        others = [
            number
            for number, one in self._kept.incidents.items()
            if number != incident_id and one.home == home and one.danger and one.state is not State.CLOSED
        ]
        policy = choose(self._kept.book, Situation(incident.cause, self._clock.now(), home=home))
        event = core.Identify(operator, name, home, home, policy, elsewhere=others[0] if others else None)
        act = self._act(incident_id, event)
        await self._gate.leave("incident", *self._table.rings())
        return act.decision

    async def take_alarms(self, beside: Collection[Any] = (), served: Collection[str] = ()) -> list[str]:
        if not self._waiting():
            return []
        await self._gate.enter()
        waiting = self._waiting()
        waiting.sort(key=lambda alarm: alarm.raised_at)
        homes = list(dict.fromkeys(alarm.home or alarm.device for alarm in waiting))
        for home in homes:
            await self._gate.enter()
            for alarm in waiting:
                if (alarm.home or alarm.device) == home and alarm.incident is None:
                    self._take(alarm)
            await self._gate.leave("incident", *self._table.rings())
        return homes

    def _waiting(self) -> list[Alarm]:
        return [alarm for alarm in self._kept.alarms.values() if alarm.waits and not alarm.held]

    async def wake_due(self, beside: Collection[int] = (), *, put_back: bool = False) -> bool:
        find = self._put_back if put_back else self._due
        if find(self._clock.now()) is None:
            return False
        await self._gate.enter()
        found = find(self._clock.now())
        if found is None:
            return False
        self._act(found, core.Due())
        await self._gate.leave("incident", *self._table.rings())
        return True

    async def soonest(self, beside: Collection[int] = ()) -> datetime | None:
        return self.next_due()

    def next_due(self) -> datetime | None:
        return min((one.wake_at for one in self._kept.incidents.values() if one.wake_at), default=None)

    def _due(self, now: datetime) -> int | None:
        return self._first(lambda one: one.wake_at is not None and one.wake_at <= now)

    def _put_back(self, now: datetime) -> int | None:
        late = now + timedelta(seconds=core.PUT_BACK_SECONDS)
        return self._first(
            lambda one: one.wake_at is not None and one.wake_at > now and bool(one.step_at and one.step_at > late)
        )

    def _first(self, fits: Callable[[Incident], bool]) -> int | None:
        found = [(not one.danger, one.wake_at, number) for number, one in self._kept.incidents.items() if fits(one)]
        return min(found)[-1] if found else None

    def _take(self, alarm: Alarm) -> None:
        now = self._clock.now()
        press = Press(alarm.device, alarm.event) if alarm.event else None
        danger = is_danger(alarm.kind)
        joined = self._find(alarm, danger)
        if joined is not None:
            raised = Raised(alarm.kind, press, own=alarm.home is not None, manned=self._manned(danger), alarm=alarm.id)
            self._act(joined, raised, alarm.device)
            alarm.incident = joined
            return
        situation = Situation(alarm.kind, now, home=alarm.home)
        decision = core.open_incident(
            home=alarm.home, device=alarm.device, cause=alarm.kind, danger=danger, test=False,
            policy=choose(self._kept.book, situation), press=press, t0=alarm.raised_at, t1=alarm.raised_at,
            people=self._kept.people[alarm.home], now=now, manned=self._manned(danger),
        )  # fmt: skip
        entry = Entry("opened", decision, alarm.device, {"kind": alarm.kind, "alarm": alarm.id})
        alarm.incident = number = self._begin(decision, entry, now)
        added = self._follow(number, decision, now)
        self._witness.acted(number, [], [Act(decision.incident, decision)], added, now)

    def _begin(self, decision: Decision, entry: Entry, now: datetime) -> int:
        number = len(self._kept.incidents) + 1
        self._kept.incidents[number] = decision.incident
        self._kept.journals[number] = []
        self._write(number, [entry], now)
        return number

    def _find(self, alarm: Alarm, danger: bool) -> int | None:
        """The open incident of its home, or of its device where no home is known, of the same sort."""
        for number, one in self._kept.incidents.items():
            unknown = one.device == alarm.device and (one.home is None or one.named_by is not None)
            same = one.home == alarm.home if alarm.home is not None else unknown
            if same and one.danger == danger and one.state is not State.CLOSED:
                return number
        return None

    def _manned(self, danger: bool) -> bool:
        return not danger or self._kept.manned

    def _act(self, incident_id: int, event: Event, by: str | None = None) -> Act:
        before, now = self._kept.incidents[incident_id], self._clock.now()
        home = event.home if isinstance(event, core.Identify) else before.home
        acts, entries = self._happen(before, event, by, self._kept.people[home], now)
        self._kept.incidents[incident_id] = acts[-1].decision.incident
        self._write(incident_id, entries, now)
        added = self._follow(incident_id, acts[-1].decision, now)
        self._take_back(incident_id, acts[-1], now)
        self._witness.acted(incident_id, [event], acts, added, now)
        return acts[-1]

    def _take_back(self, incident_id: int, act: Act, now: datetime) -> None:
        """As the desk's own."""
        home, after = act.before.home, act.decision.incident
        if home is None or home == after.home:
            return
        heard = self._table.heard_of(incident_id, home, now, after.version)
        rows = family.mistaken(after, heard, self._kept.people[home], self._kept.homes[home], now)
        self._table.add(incident_id, rows)

    def _happen(
        self, before: Incident, event: Event, by: str | None, people: tuple[Person, ...], now: datetime
    ) -> tuple[list[Act], list[Entry]]:
        return acting.happen(before, [(event, by)], people, now)

    def _write(self, incident_id: int, entries: Sequence[Entry], now: datetime) -> None:
        journal = self._kept.journals[incident_id]
        number, before = (journal[-1]["number"], journal[-1]["hash"]) if journal else (0, b"")
        journal += acting.chain(incident_id, number, before, entries, now)

    def _follow(self, incident_id: int, decision: Decision, now: datetime) -> tuple[int, int]:
        if decision.stop_calling:
            self._table.withdraw(incident_id, now)
        home = decision.incident.home
        place, people = self._kept.homes[home], self._kept.people[home]
        rows = self._rows(decision, place, people, now)
        added = self._table.add(incident_id, rows)
        if home is not None and family.news(decision) is not None:
            self._table.tell(incident_id, self._news(decision, place, people, now), now)
        return len(rows), added

    def _news(self, decision: Decision, home: Mapping[str, Any], people: Sequence[Person], now: datetime) -> list[Row]:
        return family.rows(decision, people, home, now)

    def _rows(self, decision: Decision, home: Mapping[str, Any], people: Sequence[Person], now: datetime) -> list[Row]:
        return following.follows(decision, home, people, now)
