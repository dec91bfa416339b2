"""What must hold after every step of every world, said in terms of what happened and not of how it is brought about."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from dispatch.acting import Act
from dispatch.following import HELP
from dispatch.grouping import CAUSES, HOLD_SECONDS
from dispatch.incident import (
    PUT_BACK_SECONDS,
    Accept,
    Answer,
    Close,
    Due,
    Event,
    Identify,
    Incident,
    Moving,
    OnScene,
    Proven,
    Raised,
    Safe,
    State,
)
from dispatch.journal import broken_at, entry_hash
from dispatch.policy import asked
from tests.simulation.lines import Lines
from tests.simulation.loop import NOON
from tests.simulation.memory import Kept, Table
from tests.simulation.telling import Telling

LATE_SECONDS = 1.0
"""So soon after its deadline the next step is decided, where nothing is wrong."""
WAITS_SECONDS = 3.0
"""So soon an alarm that was acknowledged is on an incident."""

ANSWERS = (Answer, Accept, Moving, OnScene, Proven, Safe, Close)
"""With these somebody has it: whoever was to be asked and has not been is left in peace."""

RUNS = ("opened", "opened_desk_empty", "next_step", "stalled", "declined_by_all", "resigned", "more_help")
"""Decisions with which a step begins, or goes on."""


class Broken(Exception):
    """A promise that was not kept."""

    def __init__(self, promise: str, how: str) -> None:
        super().__init__(f"{promise}: {how}")
        self.promise = promise


class Judge:
    """Looks on. The first promise that is broken is kept, and the world ends."""

    def __init__(self, kept: Kept, table: Table, time: Callable[[], float], trouble: "Trouble") -> None:
        self.kept, self.table, self.time, self.trouble = kept, table, time, trouble
        self.broken: Broken | None = None
        self._due: dict[int, tuple[datetime, float, float]] = {}
        """Of each open incident: its deadline, the world's time of that, and when it was set."""
        self._answered: dict[int, int] = {}
        """Of each incident: the last row that there was when somebody had it."""
        self._rung: dict[str, int] = {}
        self._placed: dict[int, int] = {}
        self._first: dict[tuple[Any, ...], int] = {}
        self.telling = Telling(self.fail, kept, table)
        self.lines = Lines(self.fail, table)

    def fail(self, promise: str, how: str) -> None:
        if self.broken is None:
            self.broken = Broken(promise, how)

    def acted(
        self,
        incident: int,
        events: Sequence[Event],
        acts: Sequence[Act],
        added: tuple[int, int],
        now: datetime,
        offset: float,
    ) -> None:
        """One transaction has been committed, by a process whose clock is `offset` seconds off."""
        act = acts[-1]
        before, decision, after = act.before, act.decision, act.decision.incident
        event = events[-1] if events else None
        self._deadlines(incident, before, event, decision.name, decision.refused, now)
        self._is_whole(incident, before, after, decision.refused, event)
        self._is_asked(incident, act, added, now)
        self._is_written(incident)
        self.telling.acted(incident, act, event)
        if decision.refused:
            return
        if isinstance(event, ANSWERS) and not after.calling:
            self._answered[incident] = len(self.table.rows)
        self._is_over(incident, act)
        if after.group is not None:
            self._counts(incident, after)
        elif event is None or isinstance(event, Raised):
            self._rang(incident, event)
        if after.danger and after.home is not None and (event is None or isinstance(event, Identify)):
            others = [n for n, one in self.kept.incidents.items() if n != incident and one.home == after.home]
            if any(self.kept.incidents[n].danger and self.kept.incidents[n].state is not State.CLOSED for n in others):
                self.fail("one open call a home", f"incident {incident} and another of {after.home}")
        if after.wake_at is None:
            self._due.pop(incident, None)
        elif self._due.get(incident, (None,))[0] != after.wake_at:
            self._due[incident] = (after.wake_at, (after.wake_at - NOON).total_seconds() - offset, self.time())

    def _is_whole(self, incident: int, before: Incident, after: Incident, refused: bool, event: Event | None) -> None:
        if (after.state is State.CLOSED) != (after.wake_at is None):
            self.fail("open means a deadline", f"incident {incident} is {after.state} and wakes at {after.wake_at}")
        if before.state is State.CLOSED and after is not before:
            self.fail("closed never stirs", f"incident {incident} is {after.state} after {type(event).__name__}")
        if refused and after is not before:
            self.fail("a refusal changes nothing", f"incident {incident}")
        closes = after.state is State.CLOSED and before.state is not State.CLOSED
        if closes and after.danger and (after.closing is None or not after.closing.operator):
            self.fail("a person closes a danger", f"incident {incident}")

    def _deadlines(
        self, incident: int, before: Incident, event: Event | None, name: str, refused: bool, now: datetime
    ) -> None:
        if incident not in self._due:
            return
        _, due, since = self._due[incident]
        late = self._late(due, since)
        if late > LATE_SECONDS and before.state is not State.CLOSED:
            self.fail("the next is due in time", f"incident {incident} is {late:.2f} s late ({name})")
        if isinstance(event, Due) and not refused and before.wake_at is not None and now < before.wake_at:
            step_at = before.step_at
            if step_at is None or (step_at - now).total_seconds() <= PUT_BACK_SECONDS:
                early = (before.wake_at - now).total_seconds()
                self.fail("nobody is asked early", f"incident {incident} {early:.2f} s before its deadline")

    def _late(self, due: float, since: float) -> float:
        """How late it is by nobody's fault. A deadline may lie in the past when it is set: then it is due at once."""
        begin = max(due, since)
        if begin > self.time():
            return 0.0
        return self.time() - begin - self.trouble.between(begin, self.time()) - self.trouble.jumped(since)

    def _is_asked(self, incident: int, act: Act, added: tuple[int, int], now: datetime) -> None:
        decision, after = act.decision, act.decision.incident
        wanted, new = added
        if new < wanted:
            self.fail("whoever is asked is called", f"incident {incident}, step {after.step}: {wanted - new} not sent")
        if act.before.state is State.CLOSED and wanted and after is act.before:
            self.fail("closed never stirs", f"incident {incident} sends {wanted}")
        if decision.name not in RUNS or not after.calling or after.step_at != now:
            return
        everybody = self.kept.people[after.home]
        danger = after.danger and not after.test
        if asked(after.policy, after.step, everybody, danger=danger).persons and not decision.asks:
            self.fail("a step asks whom it can", f"incident {incident}, step {after.step} asks nobody")
        anyone = any(asked(after.policy, number, everybody, danger=danger).persons for number in range(20))
        empty = decision.name.startswith("opened") and after.danger and not self.kept.manned
        if empty and anyone and not decision.asks:
            self.fail("nobody waits for an empty desk", f"incident {incident} asks nobody")

    def _is_written(self, incident: int) -> None:
        """Every step's entries hold on to those before them."""
        journal = self.kept.journals[incident]
        if not journal:
            self.fail("the journal is whole", f"incident {incident} has none")
            return
        entry = journal[-1]
        number, before = (len(journal), journal[-2]["hash"] if len(journal) > 1 else b"")
        fields = (entry["incident"], entry["number"], entry["at"], entry["event"], entry["decision"], entry["actor"])
        if entry["number"] != number or entry["hash"] != entry_hash(before, *fields, entry["detail"]):
            self.fail("the journal is whole", f"incident {incident}, entry {number}")

    def _rang(self, incident: int, event: Event | None) -> None:
        alarm = event.alarm if isinstance(event, Raised) else self.kept.journals[incident][-1]["detail"]["alarm"]
        if alarm is None or alarm in self._rung:
            self.fail("an alarm rings once", f"{alarm}: incidents {self._rung.get(alarm or '')} and {incident}")
        else:
            self._rung[alarm] = incident

    # What falls silent.

    def _is_over(self, incident: int, act: Act) -> None:
        if act.decision.name == "restored_itself":
            left = [one.id for one in self.kept.alarms.values() if one.incident == incident and not one.restored]
            if left:
                self.fail("what closes by itself is over", f"incident {incident}: {left}")

    def _counts(self, incident: int, after: Incident) -> None:
        mine = [one for one in self.kept.alarms.values() if one.incident == incident]
        for alarm in mine:
            if self._rung.setdefault(alarm.id, incident) != incident:
                self.fail("an alarm finds its incident", f"{alarm.id}: incidents {self._rung[alarm.id]} and {incident}")
        devices = len({alarm.device for alarm in mine})
        if after.group is not None and after.group.devices != devices:
            self.fail("a group counts its devices", f"incident {incident}: {after.group.devices} of {devices}")

    def together(self, alarms: Sequence[str]) -> None:
        """These fell silent so soon after each other that they are one thing to see to."""
        incidents = {self.kept.alarms[one].incident for one in alarms if one in self.kept.alarms}
        if len(incidents) > 1:
            self.fail("who falls silent together is one incident", f"incidents {incidents}")

    # What is sent.

    def claimed(self, row: dict[str, Any]) -> None:
        self.telling.claimed(row)
        if row["purpose"] != HELP:
            return
        thing = (row["incident"], row["step"], row["channel"], row["recipient"])
        first = self._first.setdefault(thing, row["id"])
        if first != row["id"]:
            original = next(
                one for one in reversed(self.table.rows.values())
                if one["id"] < row["id"] and one["purpose"] == HELP
                and (one["incident"], one["step"], one["channel"], one["recipient"]) == thing
            )  # fmt: skip
            if row["repeat"] != original["repeat"] + 1 or original["result"] != "unknown_repeated":
                self.fail("a repeat is declared", f"send {row['id']} after {original['id']}")
        if first <= self._answered.get(row["incident"], 0):
            self.fail("nothing is sent after an answer", f"send {row['id']} of incident {row['incident']}")

    def requested(self, send: int, now: datetime) -> None:
        """The provider is asked to send."""
        row = self.table.rows[send]
        if now >= row["deadline_at"]:
            late = (now - row["deadline_at"]).total_seconds()
            self.fail("nothing is sent after its deadline", f"send {send} {late:.1f} s late")
        if row["state"] == "waiting":
            self.fail("about to send is recorded first", f"send {send}")
        self.telling.requested(row)
        self.lines.requested(row, now)

    def placed(self, send: int) -> None:
        """The provider has taken it: somebody's telephone rings."""
        self._placed[send] = self._placed.get(send, 0) + 1
        if self._placed[send] > 1:
            self.fail("nobody is called twice for one step", f"send {send}")

    # What nobody touches is looked at from time to time, and in the end.

    def look(self) -> None:
        for alarm in self.kept.alarms.values():
            if alarm.waits:
                waits = self.time() - alarm.at - self.trouble.between(alarm.at, self.time())
                if waits > WAITS_SECONDS + (HOLD_SECONDS if alarm.kind in CAUSES else 0):
                    self.fail("an alarm finds its incident", f"{alarm.id} waits since {waits:.1f} s")
            elif alarm.incident is not None and self._rung.get(alarm.id) != alarm.incident:
                self.fail("an alarm finds its incident", f"{alarm.id} did not ring incident {alarm.incident}")
        for incident, (_, due, since) in self._due.items():
            late = self._late(due, since)
            if late > LATE_SECONDS:
                self.fail("the next is due in time", f"incident {incident} is {late:.2f} s late")

    def calm(self, calm_at: float, bound: float) -> bool:
        """Whether everything has come to its end; it must have within the bound."""
        left = [n for n, one in self.kept.incidents.items() if one.state is not State.CLOSED]
        waiting = [alarm.id for alarm in self.kept.alarms.values() if alarm.waits]
        if self.time() > calm_at + bound and (left or waiting):
            states = ", ".join(f"{n} {self.kept.incidents[n].state}" for n in left)
            self.fail("in calm every incident is closed", f"{states}; alarms {waiting}")
        return not left and not waiting

    def end(self) -> None:
        for incident, journal in self.kept.journals.items():
            if number := broken_at(journal):
                self.fail("the journal is whole", f"incident {incident}, entry {number}")
        for row in self.table.begun.values():
            self.fail("what is sent comes to an end", f"send {row['id']} ({row['purpose']}) is {row['state']}")
        self.telling.end()
        for row in self.table.rows.values():
            if row["result"] == "found_by_lookup" and row["purpose"] == HELP and not self._called(row):
                self.fail("who is said to be called is called", f"send {row['id']}")

    def _called(self, row: dict[str, Any]) -> bool:
        """Whether their telephone has rung for this step; or for news of the same, which nobody can tell from it."""
        placed = [self.table.rows[send] for send in self._placed]
        return any(
            all(one[name] == row[name] for name in ("incident", "channel", "recipient"))
            and (one["step"] == row["step"] or one["purpose"] != HELP)
            for one in placed
        )


class Trouble:
    """When what was wrong, so that nobody is blamed for a fault's own length. Times are the world's, in seconds."""

    def __init__(self) -> None:
        self._spans: list[tuple[float, float]] = []
        self._began: float | None = None
        self._jumps: list[tuple[float, float]] = []

    def begins(self, at: float) -> None:
        if self._began is None:
            self._began = at

    def ends(self, at: float) -> None:
        if self._began is not None:
            self._spans.append((self._began, at))
            self._began = None

    def jump(self, at: float, back_seconds: float) -> None:
        """The clock was put back."""
        self._jumps.append((at, back_seconds))

    def between(self, begin: float, end: float) -> float:
        """How much of this time nobody could have done anything."""
        spans = [*self._spans, *([(self._began, end)] if self._began is not None else [])]
        return sum(max(0.0, min(end, to) - max(begin, since)) for since, to in spans)

    def jumped(self, since: float) -> float:
        """By how much deadlines that were set then have come later."""
        return sum(seconds for at, seconds in self._jumps if at >= since)
