"""The invariants, as questions that stand outside: rows of the database, the phones' own record, and the load's file.

Nothing here asks the platform's code what it meant, but for the journal's hash, which has one definition. Each checker
returns sentences about what is wrong; none means that the invariant holds. PURE: a checker is tested by a list.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from dispatch.journal import broken_at

Row = Mapping[str, Any]

TOLERATED_SECONDS = 1.0
"""How late an escalation may be by promise, beside the length of the fault that held it up."""

CLOCKS_SECONDS = 0.005
"""Two processes' clocks are taken from the same machine's; they differ by the moment of their start, in whole ms."""


@dataclass(frozen=True, slots=True)
class Window:
    """From a fault's hit until all was well again."""

    fault: str
    since: datetime
    until: datetime


def every_press_is_one_event(
    acknowledged: Sequence[Row], alarms: Sequence[Row], incidents: Sequence[Row], journal: Sequence[Row]
) -> list[str]:
    """I1: each acknowledged press is one alarm, on one incident of its home, told of once in one journal."""
    wrong = []
    rows: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for alarm in alarms:
        rows[alarm["device"], alarm["event"]].append(alarm)
    home_of = {incident["id"]: incident["home"] for incident in incidents}
    told = _told(journal)
    for press in acknowledged:
        name = f"press {press['id']} of {press['device']}"
        found = rows[press["device"], press["id"]]
        if len(found) != 1:
            wrong.append(f"{name} was acknowledged and is {len(found)} alarms")
            continue
        (alarm,) = found
        if alarm["incident"] is None:
            wrong.append(f"{name} is on no incident")
            continue
        if home_of.get(alarm["incident"]) != press["home"]:
            wrong.append(f"{name} is on an incident of {home_of.get(alarm['incident'])}, not of {press['home']}")
        entries = told[press["id"]] + told[str(alarm["id"])]
        if entries != [alarm["incident"]]:
            wrong.append(f"{name} is on incident {alarm['incident']} and in the journals of {entries}")
    return wrong


def _told(journal: Iterable[Row]) -> dict[str, list[int]]:
    """Event or alarm → the incident of each journal entry that tells of it: the first by alarm, others by event."""
    told: dict[str, list[int]] = defaultdict(list)
    for entry in journal:
        if entry["event"] == "opened":
            told[entry["detail"]["alarm"]].append(entry["incident"])
        elif (
            entry["event"] == "raised" and not entry["decision"].startswith("already") and entry["detail"].get("press")
        ):
            told[entry["detail"]["press"]["event_id"]].append(entry["incident"])
    return told


def nobody_is_contacted_twice(sends: Sequence[Row], calls: Sequence[Row], messages: Sequence[Row]) -> list[str]:
    """I2: at most one call or message for each row of the outbox; a repeat is declared, and follows an unclear one."""
    wrong = []
    by_id = {send["id"]: send for send in sends}
    placed = Counter(send_of(record) for record in [*calls, *messages])
    for send_id, count in placed.items():
        send = by_id.get(send_id)
        if send is None:
            wrong.append(f"somebody was contacted for send {send_id}, which there is not")
        elif count > 1:
            wrong.append(f"{_who(send)} was contacted {count} times by {send['channel']} for one send ({send_id})")
        elif send["state"] in ("waiting", "withdrawn", "abandoned"):
            wrong.append(f"{_who(send)} was contacted, and send {send_id} says {send['state']}")
    keys = {_key(send): send for send in sends}
    for send in sends:
        if send["repeat"] and (before := keys.get(_key(send, send["repeat"] - 1))) is not None:
            if before["state"] not in ("unclear", "sent", "answered", "unanswered", "delivered", "failed"):
                wrong.append(f"send {send['id']} repeats send {before['id']}, which was {before['state']}")
        elif send["repeat"]:
            wrong.append(f"send {send['id']} repeats one that there is not")
    return wrong


def repeated_though_placed(sends: Sequence[Row], calls: Sequence[Row], messages: Sequence[Row]) -> int:
    """How many declared repeats were needless: the forerunner had reached the provider, and was not found there."""
    placed = {send_of(record) for record in [*calls, *messages]}
    keys = {_key(send): send for send in sends}
    before = [keys.get(_key(send, send["repeat"] - 1)) for send in sends if send["repeat"]]
    return sum(one is not None and one["id"] in placed for one in before)


def send_of(record: Row) -> int | None:
    """Which send a call or message was placed for: its callback names it, and the phone network keeps that."""
    callback = record["request"]["status_callback"]
    number = urlsplit(callback or "").path.rpartition("/status")[0].rpartition("/")[2]
    return int(number) if number.isdigit() else None


def _key(send: Row, repeat: int | None = None) -> tuple[object, ...]:
    wanted = send["repeat"] if repeat is None else repeat
    return (send["incident"], send["step"], wanted, send["purpose"], send["channel"], send["recipient"])


def _who(send: Row) -> str:
    return f"{send['name']} (incident {send['incident']}, step {send['step']})"


def no_send_is_stuck(sends: Sequence[Row], now: datetime) -> list[str]:
    """What is to be sent is sent, or said not to be: nothing waits or is being dialled long past its time."""
    late = now - timedelta(seconds=20)
    return [
        f"send {send['id']} ({send['channel']}) is {send['state']} since {since:%H:%M:%S}"
        for send in sends
        if send["state"] in ("waiting", "dialling")
        and (since := send["dialled_at"] if send["state"] == "dialling" else send["due_at"]) < late
    ]


def journals_are_whole(incidents: Sequence[Row], journal: Sequence[Row]) -> list[str]:
    """I6: every incident has a journal, and its chain verifies."""
    entries = _by_incident(journal)
    wrong = []
    for incident in incidents:
        if not entries[incident["id"]]:
            wrong.append(f"incident {incident['id']} has no journal")
        elif (number := broken_at(dict(entry) for entry in entries[incident["id"]])) is not None:
            wrong.append(f"the journal of incident {incident['id']} is broken at entry {number}")
    return wrong


def open_ones_wake(incidents: Sequence[Row]) -> list[str]:
    """Open ⇔ there is a time at which it wakes; and one danger a home is open at a time."""
    wrong = [
        f"incident {incident['id']} is {incident['state']} and wakes at {incident['wake_at']}"
        for incident in incidents
        if (incident["state"] != "closed") != (incident["wake_at"] is not None)
    ]
    homes = Counter(incident["home"] for incident in incidents if incident["state"] != "closed" and incident["danger"])
    return wrong + [f"{count} dangers are open in {home}" for home, count in homes.items() if count > 1]


def escalations_are_in_time(
    incidents: Sequence[Row], journal: Sequence[Row], windows: Sequence[Window], now: datetime
) -> list[str]:
    """I4: nothing escalates before it is due, or later than promised plus the faults on the way."""
    entries = _by_incident(journal)
    wrong = []
    for incident in incidents:
        timer = _Timer(incident["policy"])
        for entry in entries[incident["id"]]:
            if entry["event"] == "due" and timer.due is not None:
                wrong += _judge(incident["id"], entry["decision"], timer.due, entry["at"], windows)
            timer.follow(entry)
        if timer.due is not None and timer.due < now:
            wrong += _judge(incident["id"], "what should have followed", timer.due, now, windows)
    return wrong


def _judge(incident: int, what: str, due: datetime, at: datetime, windows: Sequence[Window]) -> list[str]:
    early = (due - at).total_seconds()
    if early > CLOCKS_SECONDS:
        return [f"incident {incident}: {what} came {early:.3f} s early"]
    late = -early
    if late <= TOLERATED_SECONDS:
        return []
    excused = _covered(windows, due, at)
    if late > TOLERATED_SECONDS + excused:
        return [f"incident {incident}: {what} came {late:.1f} s late, of which faults explain {excused:.1f} s"]
    return []


def _covered(windows: Sequence[Window], since: datetime, until: datetime) -> float:
    """How many seconds of faults lie between two moments; a fault that began before counts from its beginning."""
    return sum(
        (min(window.until, until) - window.since).total_seconds()
        for window in windows
        if window.since < until and window.until > since
    )


class _Timer:
    """When an incident is next due, by its journal and its policy alone: a second opinion on `dispatch.incident`.

    It knows what a campaign can bring about; what only a desk does (assign, contact) makes it forget until the next
    step.
    """

    def __init__(self, policy: Mapping[str, Any]) -> None:
        self._policy = policy
        self._step = 0
        self._shown = False
        self._accepted = False
        self._calling = True
        self.due: datetime | None = None

    def follow(self, entry: Row) -> None:
        at, detail = entry["at"], entry["detail"]
        match entry["decision"]:
            case "opened":
                self._run(at, detail.get("step", 0))
            case "opened_desk_empty":
                self._run(at, detail.get("step", len(self._policy["steps"]) - 1))
            case "declined_by_all" if "step" not in detail:
                pass  # nobody else is left: the step's time goes on
            case "next_step" | "stalled" | "declined_by_all":
                self._run(at, detail.get("step", self._step + 1))
            case "shown":
                self._shown = True
                if self._calling and self._wait(self._step)["who"] == "desk":
                    self._run(self._began, self._step)
            case "rang_again":
                if not self._calling:
                    manned = detail.get("manned", True) and self._wait(0)["who"] == "desk"
                    waits = manned or self._policy.get("name") == "technical"
                    soon = at + timedelta(seconds=self._wait(0)["wait_seconds"] if waits else 0)
                    self.due = soon if self.due is None else min(self.due, soon)
                    self._calling = True
            case "answered":
                # Who has said that they come has their time already: that an operator looks gives them no more.
                promised = self.due if self._accepted and not self._calling else None
                self._promise(at, "move_seconds" if self._accepted else "contact_seconds")
                self.due = min(filter(None, (promised, self.due)))
            case "accepted":
                self._accepted = True
                self._promise(at, "move_seconds")
            case "closed" | "restored_itself":
                self.due, self._calling = None, False
            case "moving" | "on_scene" | "safe" | "reminded" | "contact_made" | "no_contact" | "assigned":
                self.due, self._calling = None, False

    def _run(self, at: datetime, number: int) -> None:
        step = self._wait(number)
        unseen = step["who"] == "desk" and step.get("unseen_seconds") and not self._shown
        self._step, self._began, self._calling = number, at, True
        self.due = at + timedelta(seconds=step["unseen_seconds"] if unseen else step["wait_seconds"])

    def _wait(self, number: int) -> Mapping[str, Any]:
        steps: Sequence[Mapping[str, Any]] = self._policy["steps"]
        return steps[min(number, len(steps) - 1)]

    def _promise(self, at: datetime, name: str) -> None:
        self.due, self._calling = at + timedelta(seconds=self._policy[name]), False


def _by_incident(journal: Iterable[Row]) -> dict[int, list[Row]]:
    entries: dict[int, list[Row]] = defaultdict(list)
    for entry in journal:
        entries[entry["incident"]].append(entry)
    return entries
