"""Planted faults: each is a part of a world that is wrong in one thing, with a seed of which the world shows it.

python -m tests.simulation --planted NAME --seed N
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from dispatch.acting import Act, Entry
from dispatch.bridging import Bridging
from dispatch.following import CHANGE, Row, going
from dispatch.grouping import Cluster, Loss
from dispatch.incident import (
    Accept,
    Confirmed,
    Decision,
    Event,
    Identify,
    Incident,
    Resigned,
    State,
    Unreached,
    Withdrawn,
)
from dispatch.outbox import Outbox
from dispatch.policy import Person
from tests.simulation.lines import Register
from tests.simulation.losses import WholeDesk
from tests.simulation.memory import Alarm, Table
from tests.simulation.world import Parts


class TimersInMemory(WholeDesk):
    """What was set before this process began is not known to it."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._born = self._clock.now()

    def _known(self, incident: int) -> bool:
        return bool(self._kept.journals[incident][-1]["at"] >= self._born)

    def next_due(self) -> datetime | None:
        mine = [one.wake_at for number, one in self._kept.incidents.items() if one.wake_at and self._known(number)]
        return min(mine, default=None)

    def _due(self, now: datetime) -> int | None:
        due = [n for n, one in self._kept.incidents.items() if one.wake_at and one.wake_at <= now and self._known(n)]
        return min(due, default=None)


class PressesMerged(WholeDesk):
    """Another press of a home within a minute is taken for the same."""

    def _take(self, alarm: Alarm) -> None:
        for before in self._kept.alarms.values():
            soon = before.incident is not None and before.home == alarm.home and abs(alarm.at - before.at) < 60
            if soon and before.incident and self._kept.incidents[before.incident].state is not State.CLOSED:
                alarm.incident = before.incident
                return
        super()._take(alarm)


class TakenBeforeDone(WholeDesk):
    """An alarm is marked as taken, then the process may die, then it is taken."""

    async def take_alarms(self, beside: Any = (), served: Any = ()) -> list[str]:
        waiting = self._waiting()
        for alarm in waiting:
            alarm.incident = 0
        await self._gate.enter()
        for alarm in waiting:
            alarm.incident = None
            self._take(alarm)
        await self._gate.leave("incident", *self._table.rings())
        return [alarm.device for alarm in waiting]


class WithdrawForgotten(Table):
    def withdraw(self, incident: int, now: datetime) -> tuple[str, ...]:
        return ()


class RepeatUndeclared(Table):
    """What is unclear is sent once more, and nothing says that it is once more."""

    def repeat(self, send: int, now: datetime) -> None:
        self._set(self.rows[send], "waiting", due_at=now)


class DeadlineIgnored(Table):
    """Whoever sends believes that there is an hour more."""

    def claim(
        self, channel: str, now: datetime, worker: str, limit: int, rate: float | None = None
    ) -> list[dict[str, Any]]:
        rows = super().claim(channel, now, worker, limit, rate)
        return [{**row, "deadline_at": row["deadline_at"] + timedelta(hours=1)} for row in rows]


class AnybodysCall(Table):
    """The first call to the number is taken for ours, whosever it is."""

    def unknown(self, send: int, ids: Sequence[str]) -> str | None:
        return ids[0] if ids else None


class TriedAfterTheAnswer(Table):
    """What the provider had no time for is tried again, whoever has answered meanwhile."""

    def _asking(self, row: dict[str, Any]) -> bool:
        return True


class OvertakenIsTold(Table):
    """What waits of an earlier stage is sent after the later one."""

    def _overtake(self, row: dict[str, Any], now: datetime) -> None:
        """It stays."""


class ToldAgain(Table):
    """Nobody looks what somebody has been told."""

    def _known(self, row: Row, last: Mapping[tuple[str, str], Mapping[str, Any]]) -> bool:
        return False


class NeverLooksUp(Outbox):
    async def recover(self) -> None:
        """What is unclear stays unclear."""


class _Deciding(WholeDesk):
    """A desk that decides something else now and then."""

    def _happen(
        self, before: Incident, event: Event, by: str | None, people: tuple[Person, ...], now: datetime
    ) -> tuple[list[Act], list[Entry]]:
        acts, entries = super()._happen(self._seen(before, event), event, by, people, now)
        act = acts[-1]._replace(before=before)
        changed = self._decided(act, event)
        return [changed], [entry._replace(decision=changed.decision) for entry in entries]

    def _seen(self, before: Incident, event: Event) -> Incident:
        return before

    def _decided(self, act: Act, event: Event) -> Act:
        return act


class NoDeadlineAfterResigning(_Deciding):
    def _decided(self, act: Act, event: Event) -> Act:
        if not isinstance(event, Resigned) or act.decision.incident is act.before:
            return act
        asleep = msgspec.structs.replace(act.decision.incident, wake_at=None)
        return act._replace(decision=msgspec.structs.replace(act.decision, incident=asleep))


class LastStepOnce(_Deciding):
    """Past the policy's end nobody is asked any more."""

    def _decided(self, act: Act, event: Event) -> Act:
        after = act.decision.incident
        if after.step < len(after.policy.steps):
            return act
        return act._replace(decision=msgspec.structs.replace(act.decision, asks=()))


class ClosedIsWoken(_Deciding):
    """Who accepts when it is over opens it again."""

    def _seen(self, before: Incident, event: Event) -> Incident:
        if before.state is State.CLOSED and isinstance(event, Accept):
            return msgspec.structs.replace(before, state=State.WAITING)
        return before


class WrongHomeIsAsked(WholeDesk):
    """When it turns out to be another's home, the people of the first are asked to come."""

    def _act(self, incident_id: int, event: Event, by: str | None = None) -> Act:
        if isinstance(event, Identify) and (taken_for := self._kept.incidents[incident_id].home) is not None:
            people = self._kept.people
            self._kept.people = {**people, event.home: people[taken_for]}
            act = super()._act(incident_id, event, by)
            self._kept.people = people
            return act
        return super()._act(incident_id, event, by)


class ConfirmedForAll(_Deciding):
    """One has read it, and all who go are taken to have."""

    def _decided(self, act: Act, event: Event) -> Act:
        after = act.decision.incident
        if not isinstance(event, Confirmed) or after is act.before:
            return act
        all_of_them = tuple(helper.id for helper in going(after))
        changes = tuple(msgspec.structs.replace(change, confirmed=all_of_them) for change in after.changes)
        after = msgspec.structs.replace(after, changes=changes)
        return act._replace(decision=msgspec.structs.replace(act.decision, incident=after))


class TakenBackCallsBack(_Deciding):
    """Detection has taken back what it rang for, and the screens fall silent."""

    def _decided(self, act: Act, event: Event) -> Act:
        after = act.decision.incident
        if not isinstance(event, Withdrawn) or after is act.before:
            return act
        silent = msgspec.structs.replace(after, ringing=False)
        return act._replace(decision=msgspec.structs.replace(act.decision, incident=silent))


class FirstIsTold(WholeDesk):
    """A change is told to the first who goes."""

    def _rows(self, decision: Decision, home: Mapping[str, Any], people: Sequence[Person], now: datetime) -> list[Row]:
        first = decision.incident.helper
        rows = super()._rows(decision, home, people, now)
        return [row for row in rows if row.purpose != CHANGE or (first is not None and row.recipient == first.id)]


class EndIsNoNews(WholeDesk):
    """Family are told who comes, and not that it is over."""

    def _news(self, decision: Decision, home: Mapping[str, Any], people: Sequence[Person], now: datetime) -> list[Row]:
        return [] if decision.incident.state is State.CLOSED else super()._news(decision, home, people, now)


class NoFallback(WholeDesk):
    """Nobody takes the desk's telephone, and no other rings."""

    def _beside(self, incident_id: int, event: Event, send: Sequence[Row]) -> None:
        if not isinstance(event, Unreached):
            super()._beside(incident_id, event, send)


class HomeIsRungAtOnce(Bridging):
    """An old person answers, and nobody is there yet."""

    async def ask(self, incident_id: int, operator: str, name: str, *, with_helper: bool = False) -> Decision:
        decision = await super().ask(incident_id, operator, name, with_helper=with_helper)
        if not decision.refused:
            body = {"person": decision.incident.home, "home": "+862180000000"}
            send = {"incident": incident_id, "step": 10, "name": name, "language": "zh", "body": body}
            await self.ring(send, f"at once/{incident_id}/{decision.incident.version}")
        return decision


class LineForgotten(Register):
    """That the desk's telephone rings already is not known."""

    def _rings(self, row: dict[str, Any], lately: datetime) -> bool:
        return False


class EachForItself(WholeDesk):
    """A village without power is five thousand incidents."""

    def _grouped(self, losses: Sequence[Loss]) -> tuple[list[Cluster], list[Loss]]:
        return [], list(losses)


class OneIsBack(WholeDesk):
    """One is back, and all are taken to be."""

    def _left(self, alarms: Collection[Alarm]) -> int:
        return 0


class DeskAlwaysManned(WholeDesk):
    def _manned(self, danger: bool) -> bool:
        return True


class JournalBegunAnew(WholeDesk):
    """A process that starts does not know the last hash."""

    def _write(self, incident_id: int, entries: Sequence[Entry], now: datetime) -> None:
        journal = self._kept.journals[incident_id]
        before, self._kept.journals[incident_id] = journal, []
        super()._write(incident_id, entries, now)
        self._kept.journals[incident_id] = before + [
            {**entry, "number": len(before) + entry["number"]} for entry in self._kept.journals[incident_id]
        ]


class Planted(NamedTuple):
    name: str
    parts: Parts
    promise: str
    """The one that it breaks."""
    seed: int
    """Of a world in which it does."""


PLANTED = (
    Planted("timers are lost with their process", Parts(desk=TimersInMemory),
            "the next is due in time", 21),
    Planted("presses of one minute are merged", Parts(desk=PressesMerged),
            "an alarm finds its incident", 1),
    Planted("an alarm is marked before it is taken", Parts(desk=TakenBeforeDone),
            "an alarm finds its incident", 39),
    Planted("calls are not withdrawn after an answer", Parts(table=WithdrawForgotten),
            "nothing is sent after an answer", 20),
    Planted("what was busy is tried after an answer", Parts(table=TriedAfterTheAnswer),
            "nothing is sent after an answer", 61),
    Planted("a repeat is not declared", Parts(table=RepeatUndeclared),
            "nobody is called twice for one step", 109),
    Planted("the deadline is not looked at before the request", Parts(table=DeadlineIgnored),
            "nothing is sent after its deadline", 6),
    Planted("another's call is taken for ours", Parts(table=AnybodysCall),
            "who is said to be called is called", 811),
    Planted("what is unclear is never looked up", Parts(outbox=NeverLooksUp),
            "what is sent comes to an end", 10),
    Planted("no deadline after a helper has resigned", Parts(desk=NoDeadlineAfterResigning),
            "open means a deadline", 0),
    Planted("the last step does not repeat", Parts(desk=LastStepOnce),
            "a step asks whom it can", 3),
    Planted("a closed incident is woken", Parts(desk=ClosedIsWoken),
            "closed never stirs", 3),
    Planted("an empty desk is waited for", Parts(desk=DeskAlwaysManned),
            "nobody waits for an empty desk", 0),
    Planted("the journal's chain begins anew", Parts(desk=JournalBegunAnew),
            "the journal is whole", 0),
    Planted("family is not told that it is over", Parts(desk=EndIsNoNews),
            "family hears how it ended", 0),
    Planted("news that is overtaken is sent", Parts(table=OvertakenIsTold),
            "news is told in its order", 135),
    Planted("nobody looks what somebody has been told", Parts(table=ToldAgain),
            "nobody hears the same again", 54),
    Planted("who is asked are the people of another's home", Parts(desk=WrongHomeIsAsked),
            "nobody hears of another's home", 4),
    Planted("a change is told to the first who goes", Parts(desk=FirstIsTold),
            "a change reaches everybody who goes", 4),
    Planted("one has read it for all", Parts(desk=ConfirmedForAll),
            "who has read a change says so themselves", 4),
    Planted("what is taken back falls silent", Parts(desk=TakenBackCallsBack),
            "what is taken back is shown, and calls nobody back", 29),
    Planted("the desk has one telephone only", Parts(desk=NoFallback),
            "the desk's next telephone rings", 4),
    Planted("the home is rung with the desk", Parts(bridging=HomeIsRungAtOnce),
            "nobody is rung before the desk is there", 0),
    Planted("whether the desk is rung already is not known", Parts(register=LineForgotten),
            "one telephone of the desk rings at a time", 9),
    Planted("a village is many incidents", Parts(desk=EachForItself),
            "who falls silent together is one incident", 35),
    Planted("one is back, and all are taken to be", Parts(desk=OneIsBack),
            "what closes by itself is over", 42),
)  # fmt: skip
