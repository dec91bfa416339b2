"""The desk: the only writer of incidents.

Everything that happens to an incident comes through here: lock it, decide, and save the incident, its journal and
what is to be sent, in one transaction. Two who act at once are put in order by the lock, and the second is told.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import msgspec
from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from dispatch import asking, books, choosing, family, following, heard, measuring, self_test, sends, silence
from dispatch import incident as core
from dispatch.acting import NOBODY_KNOWN, Act, Entry, chain, happen
from dispatch.book import Book, Choice, Situation, chosen
from dispatch.grouping import CAUSES as HELD
from dispatch.grouping import RESTORES, Cluster, Loss, cause_of, devices_of, joined
from dispatch.incident import Caller, Decision, Event, Incident, Press, Raised, ResidentAnswered, Restored, State
from dispatch.policy import FINDINGS, TECHNICAL, Person, Policy, is_danger, is_restore
from pingan.clock import Clock
from pingan.database import LOST, Connection, Database, Queries
from pingan.hours import zone_of
from pingan.messages import ANSWERS, RINGING

sql = Queries(__file__, "desk.sql")

RACES_MAX = 20
"""So often an alarm may lose the race to open an incident. More is no race, and it is set aside for the others."""

HOMES_AT_ONCE = 16
"""Homes that have their turn between two looks at what waits: a look goes through all of it."""
ALARMS_AT_ONCE = 50
"""Of one home in one turn."""
ACTS_AT_ONCE = 5
"""And of these what does not merely press again: fifty calls and falls of one home, in turn, took 0.36 s. So much of
each home that is served stands before a new press."""

WAKES_AT_ONCE = 8
"""Incidents that are woken by one transaction: they share its commit, a third of the work. Whoever answers one of them
at that moment waits for all."""

HEARD_ALREADY = "heard_already"
"""In place of a decision, where the telephone provider tells again what has been acted on."""

RESTORE_OF = dict(zip(HELD, RESTORES, strict=True))
OTHER = "fault_restored"
RESIDENT = "resident"
"""The role of a caller who lives in the home that the register has under their number."""
WITHHELD = "withheld"
"""The actor where a caller shows no number."""


class NoIncident(Exception):
    """There is no such incident."""


CHINA = ZoneInfo("Asia/Shanghai")


def policies() -> dict[str, Policy]:
    """The policies that are shipped, by name."""
    return books.shipped().policies


class UnknownHome(Exception):
    """The register has no such home, or not for whoever asks."""


class StuckAlarm(Exception):
    """An alarm that could not be taken to an incident, by its id; the cause says why. It still waits."""

    def __init__(self, alarm: UUID) -> None:
        super().__init__(f"alarm {alarm} could not be taken")
        self.alarm = alarm


class StuckIncident(Exception):
    """An incident that could not be woken, by its number; the cause says why. It is still due."""

    def __init__(self, incident: int) -> None:
        super().__init__(f"incident {incident} could not be woken")
        self.incident = incident


class Desk:
    """Acts on incidents. Holds no state of its own: any number of them may work side by side.

    `zone` is the centre's: the clock of whatever home has no other.
    """

    def __init__(self, database: Database, clock: Clock, zone: ZoneInfo = CHINA) -> None:
        self._database = database
        self._clock = clock
        self.zone = zone
        self._book: Book | None = None
        """The one that was read last; it holds until another version is found."""
        measuring.show()

    async def act(
        self,
        incident_id: int,
        event: Event,
        *,
        once: str | None = None,
        send: Sequence[following.Row] = (),
        also: Callable[[Connection], Awaitable[None]] | None = None,
    ) -> Decision:
        """Let `event` happen to an incident. NoIncident if there is none. A refusal is an answer: see the decision.

        `once`: what the provider's word is known by. Of one that comes again nothing follows: HEARD_ALREADY. `send`:
        rows of the outbox beside those that follow from the decision. `also`: what stands or falls with it.
        """
        async with self._database.transaction() as connection:
            if once is not None and not await heard.first(connection, once, self._clock.now()):
                return Decision(HEARD_ALREADY, await self._read(connection, incident_id))
            act = await self._act(connection, incident_id, event)
            if send:
                await sends.add(connection, incident_id, send)
            if also is not None:
                await also(connection)
        # Only here: neither an alarm nor a deadline sets a stamp after t1, or withdraws a call.
        measuring.happened(act.before, act.decision.incident)
        for channel in act.withdrawn:
            measuring.ended(channel, "withdrawn")
        return act.decision

    async def look(self, incident_id: int) -> Incident:
        """An incident as it is now. NoIncident if there is none."""
        async with self._database.connection() as connection:
            return await self._read(connection, incident_id)

    async def _read(self, connection: Connection, incident_id: int) -> Incident:
        row = await (await connection.execute(sql.lock, {"incident": incident_id})).fetchone()
        if row is None:
            raise NoIncident(incident_id)
        return msgspec.convert(row["body"], Incident)

    async def open(self, home: str, cause: str, operator: str, name: str, area: str | None = None) -> int:
        """An operator opens an incident for a caller, or raises the open one again; the incident's number.

        UnknownHome unless the register has the home, within `area`.
        """
        now = self._clock.now()
        alarm: dict[str, Any] = {
            "id": uuid4(), "kind": cause, "home": home, "device": None, "at": now, "raised_at": now, "test": False,
            "evidence": {"opened_by": name, "operator": operator},
        }  # fmt: skip
        async with self._database.transaction() as connection:
            known = await self._home(connection, home)
            if known is None or not known["area"].startswith(area or ""):
                raise UnknownHome(home)
            incident_id = await self._raise(connection, alarm, now)
        return incident_id

    async def hear(
        self, alarm: UUID, home: str | None, device: str | None, caller: Caller, more: dict[str, Any]
    ) -> bool:
        """Somebody rings us up or writes. When this returns it is durable, and intake takes it; whether it is new.

        `alarm` is derived from the provider's own id, so that what it tells twice is one. `more`: further evidence.
        """
        evidence = {"source": caller.source, "caller": msgspec.to_builtins(caller), **more}
        row = {"id": alarm, "kind": "sos", "home": home, "device": device, "now": self._clock.now()}
        async with self._database.connection() as connection:
            told = await connection.execute(sql.told, {**row, "evidence": Jsonb(evidence)})
        return told.rowcount == 1

    async def incident_of(self, alarm: UUID) -> int | None:
        """The incident that an alarm was taken to; None while it waits."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(sql.incident_of, {"alarm": alarm})).fetchone()
        return row["incident"] if row else None

    async def identify(
        self, incident_id: int, home: str, operator: str, name: str, area: str | None = None
    ) -> Decision:
        """The operator says whose home an incident is of. NoIncident; UnknownHome unless the register has it in `area`.

        A home has one open danger at a time: of two that turn out to be the same, a person closes one.
        """
        while True:
            try:
                async with self._database.transaction() as connection:
                    event = await self._identifying(connection, incident_id, home, operator, name, area)
                    act = await self._act(connection, incident_id, event)
                break
            except UniqueViolation:
                continue  # a press of that home has opened its own at this moment: it is seen now
        for channel in act.withdrawn:
            measuring.ended(channel, "withdrawn")
        return act.decision

    async def _identifying(
        self, connection: Connection, incident_id: int, home: str, operator: str, name: str, area: str | None
    ) -> core.Identify:
        row = await (await connection.execute(sql.lock, {"incident": incident_id})).fetchone()
        if row is None:
            raise NoIncident(incident_id)
        known = await self._home(connection, home)
        if known is None or not known["area"].startswith(area or ""):
            raise UnknownHome(home)
        parameters = {"home": home, "incident": incident_id}
        other = await (await connection.execute(sql.open_danger, parameters)).fetchone()
        incident = msgspec.convert(row["body"], Incident)
        policy = (await self._choose(connection, incident.cause, known)).policy
        person = known["person"] or home
        return core.Identify(operator, name, home, person, policy, elsewhere=other["id"] if other else None)

    async def take_alarms(self, beside: Collection[UUID] = (), served: Collection[str] = ()) -> list[str]:
        """Take what waits, none of `beside`, to its incidents; the homes (or devices) that had a turn, none if nothing
        waits. Those of `served` come last.

        In a home's turn what waits of it is taken together: one look and one commit for many presses. StuckAlarm if one
        of them cannot be taken.
        """
        parameters = {
            "technical": [*TECHNICAL, *asking.KINDS], "grouped": [*HELD, *RESTORES], "beside": list(beside),
            "served": list(served), "homes": HOMES_AT_ONCE, "alarms": ALARMS_AT_ONCE,
        }  # fmt: skip
        async with self._database.connection() as connection:
            homes = await (await connection.execute(sql.waiting_homes, parameters)).fetchall()
        return [home["whose"] for home in homes if await self._take_turn(home["alarms"])]

    async def _take_turn(self, ids: Sequence[UUID]) -> int:
        """One home's turn: all together; what goes wrong is tried again one by one, so that it stays alone."""
        try:
            return await self._take_together(ids)
        except LOST:
            raise
        except Exception as error:
            if len(ids) == 1:
                raise StuckAlarm(ids[0]) from error
        return sum([await self._take_turn([one]) for one in ids])

    async def _take_together(self, ids: Sequence[UUID]) -> int:
        acts: list[Act] = []
        count = 0
        async with self._database.transaction() as connection:
            now = self._clock.now()
            alarms = await (await connection.execute(sql.waiting_alarms, {"alarms": list(ids)})).fetchall()
            for first, *again in _presses(alarms)[:ACTS_AT_ONCE]:
                incident_id = await self._take(connection, first, now, acts)
                await self._taken(connection, [first], incident_id, now)
                if first["restored_at"] is not None and incident_id is not None and not is_danger(first["kind"]):
                    # It was over before it was taken.
                    kind = RESTORE_OF.get(first["kind"], OTHER)
                    await self._over(connection, incident_id, kind, [first["device"]], acts)
                if again and incident_id is not None:
                    await self._press_again(connection, incident_id, again)
                    await self._taken(connection, again, incident_id, now)
                count += 1 + len(again)
        _count(acts)
        return count

    async def _taken(
        self, connection: Connection, alarms: Sequence[dict[str, Any]], incident_id: int | None, now: datetime
    ) -> None:
        parameters = {"alarms": [alarm["id"] for alarm in alarms], "incident": incident_id, "now": now}
        await connection.execute(sql.taken, parameters)

    async def _press_again(self, connection: Connection, incident_id: int, alarms: Sequence[dict[str, Any]]) -> None:
        """Further presses like the one that has just been taken there, by the same transaction: it is open."""
        known = await self._home(connection, alarms[0]["home"]) is not None
        events = [
            (Raised(alarm["kind"], _press(alarm), own=known, alarm=str(alarm["id"])), alarm["device"])
            for alarm in alarms
        ]
        await self._acts(connection, incident_id, events)

    async def take_losses(self) -> bool:
        """Group what fell silent and has waited its time, and tell groups of those that are back; False if there was
        nothing to do. One at a time does this, of however many desks; who has not the turn has nothing to do.
        """
        acts: list[Act] = []
        async with self._database.transaction() as connection:
            if not await silence.my_turn(connection):
                return False
            now = self._clock.now()
            back = await self._take_restores(connection, now, acts)
            waiting = await silence.look(connection, now)
            mine, others = joined(waiting.losses, waiting.groups)
            for incident_id, losses in mine.items():
                await self._join(connection, incident_id, losses, waiting, acts)
            found: list[Cluster] = []
            if any(loss.ripe for loss in others):
                found, alone = await silence.grouped(connection, others, waiting.areas)
                # Whatever may still find its fellows waits on.
                ripe = [loss.id for loss in alone if loss.ripe]
                found = [cluster for cluster in found if any(loss.ripe for loss in cluster.losses)]
                await silence.let_go(connection, ripe)
                for cluster in found:
                    await self._group(connection, cluster, waiting, acts)
        _count(acts)
        return back or bool(mine) or bool(found)

    async def give_up_grouping(self) -> None:
        """What has waited its time is taken home by home: too many incidents are better than none."""
        async with self._database.connection() as connection:
            await silence.let_all_go(connection, self._clock.now())

    async def _take_restores(self, connection: Connection, now: datetime, acts: list[Act]) -> bool:
        restores = await silence.restores(connection)
        ended = {row["id"]: silence.ended_by(row["restores"]) for row in restores}
        incidents = await silence.end(connection, {alarm for alarm in ended.values() if alarm}, now)
        told: dict[int | None, list[dict[str, Any]]] = {}
        for row in restores:
            if (alarm := ended[row["id"]]) in incidents:
                told.setdefault(incidents[alarm], []).append(row)
        for incident_id, rows in told.items():
            await silence.taken(connection, [row["id"] for row in rows], incident_id, now)
            if incident_id is not None:
                await self._over(connection, incident_id, rows[0]["kind"], [row["device"] for row in rows], acts)
        # What ends nothing that we know of is told to whatever is open in its home.
        await silence.let_go(connection, [row["id"] for row in restores if ended[row["id"]] not in incidents])
        return bool(told)

    async def _over(
        self, connection: Connection, incident_id: int, kind: str, devices: list[str | None], acts: list[Act]
    ) -> None:
        """Something of this incident is over; what follows is added to `acts`."""
        # Nothing joins it from here on: what is not counted now would be closed unseen.
        await connection.execute(sql.lock, {"incident": incident_id})
        left, devices_in_all, back = await silence.rows_of(connection, incident_id)
        known = {device for device in devices if device}
        actor = next(iter(known)) if len(known) == 1 else NOBODY_KNOWN
        event = Restored(kind, devices=max(1, len(known)), left=left, back=back, all=devices_in_all)
        acts.append(await self._act(connection, incident_id, event, actor=actor))

    async def _join(
        self,
        connection: Connection,
        incident_id: int,
        losses: Sequence[Loss],
        waiting: silence.Silence,
        acts: list[Act],
        until: datetime | None = None,
    ) -> bool:
        """Further devices of a group that is open. False if it has been closed meanwhile: they wait on."""
        row = await (await connection.execute(sql.lock, {"incident": incident_id})).fetchone()
        incident = msgspec.convert(row["body"], Incident) if row else None
        if incident is None or incident.group is None:
            raise NoIncident(incident_id)
        if incident.state is State.CLOSED:
            return False
        group = incident.group
        await silence.taken(connection, [loss.id for loss in losses], incident_id, self._clock.now())
        kind = cause_of({loss.kind for loss in losses})
        event = core.Joined(
            kind,
            devices=devices_of(losses),
            all=(await silence.rows_of(connection, incident_id)).devices,
            area=waiting.areas.widened(group.area, losses),
            until=until,
        )
        await self._act(connection, incident_id, event)
        if any(waiting.times[loss.id]["restored_at"] for loss in losses):
            await self._over(connection, incident_id, RESTORE_OF[kind], [], acts)
        return True

    async def _group(self, connection: Connection, cluster: Cluster, waiting: silence.Silence, acts: list[Act]) -> None:
        """Open the incident of what fell silent together; or ring it again, if it is open since an earlier silence."""
        for group in waiting.groups:
            if (group.by, group.of) == (cluster.by, cluster.of):
                if await self._join(connection, group.incident, cluster.losses, waiting, acts, cluster.until):
                    kind = cause_of({loss.kind for loss in cluster.losses})
                    await self._act(connection, group.incident, Raised(kind))
                return
        now = self._clock.now()
        homes = {loss.home for loss in cluster.losses}
        (alarmed,) = homes if len(homes) == 1 else (None,)
        known = await self._home(connection, alarmed)
        home = known["id"] if known else None
        times = [waiting.times[loss.id] for loss in cluster.losses]
        kind = cause_of({loss.kind for loss in cluster.losses})
        area = cluster.of if cluster.by == "area" else waiting.areas.common(cluster.losses)
        devices = devices_of(cluster.losses)
        decision = core.open_incident(
            home=home,
            device=cluster.of if cluster.by == "gateway" else None,
            cause=kind,
            danger=False,
            test=False,
            policy=(await self._choose(connection, kind, known)).policy,
            press=None,
            t0=min(time["at"] for time in times),
            t1=min(time["raised_at"] for time in times),
            people=await self._people(connection, home),
            now=now,
            group=core.Group(cluster.by, cluster.of, area, cluster.until, devices),
        )
        row = await (await connection.execute(sql.open, self._row(decision.incident))).fetchone()
        assert row is not None, "whoever has the turn has seen every open group"
        await silence.taken(connection, [loss.id for loss in cluster.losses], row["id"], now)
        policy = decision.incident.policy.name
        detail = {"kind": kind, "policy": policy, "devices": devices, "by": cluster.by, "of": cluster.of}
        await self._write(connection, row["id"], [Entry("opened", decision, NOBODY_KNOWN, detail)], now)
        await self._follow(connection, row["id"], decision, now, ())
        if any(time["restored_at"] for time in times):
            await self._over(connection, row["id"], RESTORE_OF[kind], [], acts)

    async def wake_due(self, beside: Collection[int] = (), *, put_back: bool = False) -> bool:
        """Wake incidents whose time has come, none of `beside`, a few by one transaction; False if none is due.

        StuckIncident if one of them cannot be woken: then none is, and all are still due. `put_back`: those whose last
        step lies in the future instead.
        """
        async with self._database.transaction() as connection:
            parameters = {
                "now": self._clock.now(), "beside": list(beside), "tolerated": core.PUT_BACK_SECONDS,
                "at_once": WAKES_AT_ONCE,
            }  # fmt: skip
            query = sql.put_back if put_back else sql.due
            rows = await (await connection.execute(query, parameters)).fetchall()
            for row in rows:
                try:
                    await self._act(connection, row["id"], core.Due())
                except LOST:
                    raise
                except Exception as error:
                    raise StuckIncident(row["id"]) from error
        return bool(rows)

    async def soonest(self, beside: Collection[int] = ()) -> datetime | None:
        """When the next incident, none of `beside`, is due."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(sql.soonest, {"beside": list(beside)})).fetchone()
        return row["at"] if row else None

    async def _take(self, connection: Connection, alarm: dict[str, Any], now: datetime, acts: list[Act]) -> int | None:
        kind = alarm["kind"]
        if kind in FINDINGS:
            return None
        if asking.is_quiet(alarm):
            quiet = await asking.take(connection, alarm, now)
            if quiet.incident is not None and quiet.event is not None:
                await self._act(connection, quiet.incident, quiet.event)
            return quiet.incident
        if is_restore(kind) and (alarm_id := silence.ended_by(alarm["evidence"].get("restores"))):
            incidents = await silence.end(connection, [alarm_id], now)
            if alarm_id in incidents:
                incident_id = incidents[alarm_id]
                if incident_id is not None:
                    await self._over(connection, incident_id, kind, [alarm["device"]], acts)
                return incident_id
        if kind in ANSWERS or is_restore(kind):
            open_one = await self._find(connection, alarm, danger=kind in ANSWERS)
            if open_one is not None:
                told: Event = ResidentAnswered(kind) if kind in ANSWERS else Restored(kind)
                await self._act(connection, open_one, told, actor=alarm["device"])
            if kind in ANSWERS:
                await asking.answered(connection, alarm)
            return open_one
        window = await self_test.window_of(connection, alarm)
        incident_id = await self._raise(connection, alarm, now, test=window is not None)
        for before in await asking.follow(connection, alarm, now):
            await self._act(connection, incident_id, before)
        if window is not None:
            await self_test.taken(connection, window, alarm, incident_id)
        return incident_id

    async def _find(
        self, connection: Connection, alarm: dict[str, Any], *, danger: bool, test: bool = False
    ) -> int | None:
        home = await self._home(connection, alarm["home"])
        parameters = {"home": home and home["id"], "device": alarm["device"], "danger": danger, "test": test}
        row = await (await connection.execute(sql.find_open, parameters)).fetchone()
        return row["id"] if row else None

    async def _raise(self, connection: Connection, alarm: dict[str, Any], now: datetime, *, test: bool = False) -> int:
        """Join the open incident, or open one. Whoever loses the race to open joins what the other opened.

        A device's word alone makes no test: `test` says that a window is open for it. A test rings softly and calls
        nobody, so neither joins the other.
        """
        danger = is_danger(alarm["kind"])
        press = _press(alarm)
        caller = _caller(alarm["evidence"])
        actor = alarm["device"] or alarm["evidence"].get("opened_by") or NOBODY_KNOWN
        if caller is not None:
            actor = caller.name or caller.number or WITHHELD
        # Somebody's daughter mostly calls for them, but may call for another: that can be put right.
        sure = caller is None or caller.role == RESIDENT
        manned = not danger or test or await self._manned(connection, alarm["home"])
        by_hand = alarm["evidence"].get("operator")
        of: dict[str, str] = {"operator": by_hand} if by_hand else {"alarm": str(alarm["id"])}
        for _ in range(RACES_MAX):
            home = await self._home(connection, alarm["home"])
            joined = await self._find(connection, alarm, danger=danger, test=test)
            if joined is not None:
                sure_of = home is not None and sure
                again = Raised(alarm["kind"], press, caller, sure_of, manned, **of)
                decision = (await self._act(connection, joined, again, actor=actor)).decision
                if not decision.refused:
                    return joined
            people = await self._people(connection, alarm["home"])
            choice = await self._choose(connection, alarm["kind"], home, test=test)
            decision = core.open_incident(
                home=home["id"] if home else None,
                device=alarm["device"],
                cause=alarm["kind"],
                danger=danger,
                test=test,
                policy=choice.policy,
                press=press,
                t0=alarm["at"],
                t1=alarm["raised_at"],
                people=people,
                now=now,
                named_by=actor if home and not sure else None,
                manned=manned,
            )
            row = await (await connection.execute(sql.open, self._row(decision.incident))).fetchone()
            if row is None:
                continue
            detail = {"kind": alarm["kind"], **of, **_chosen(choice)}
            if caller is not None:
                detail["caller"] = msgspec.to_builtins(caller)
            await self._write(connection, row["id"], [Entry("opened", decision, actor, detail)], now)
            await self._follow(connection, row["id"], decision, now, people, home)
            return int(row["id"])
        raise RuntimeError(f"alarm {alarm['id']} finds no incident to join and may open none")

    async def _act(self, connection: Connection, incident_id: int, event: Event, actor: str | None = None) -> Act:
        (act,) = await self._acts(connection, incident_id, [(event, actor)])
        return act

    async def _acts(
        self, connection: Connection, incident_id: int, events: Sequence[tuple[Event, str | None]]
    ) -> list[Act]:
        """Let events happen to an incident, one after the other, each with its entry; it is saved once."""
        row = await (await connection.execute(sql.lock, {"incident": incident_id})).fetchone()
        if row is None:
            raise NoIncident(incident_id)
        before = incident = msgspec.convert(row["body"], Incident)
        # The time is asked once the lock is ours: an act that waited happened when its turn came.
        now = self._clock.now()
        named = [event.home for event, _ in events if isinstance(event, core.Identify)]
        people = await self._people(connection, named[-1] if named else incident.home)
        acts, entries = happen(incident, events, people, now)
        incident = acts[-1].decision.incident
        if incident is not before:
            await connection.execute(sql.save, {**self._row(incident), "incident": incident_id})
        await self._write(connection, incident_id, entries, now)
        acts = [
            act._replace(withdrawn=await self._follow(connection, incident_id, act.decision, now, people))
            for act in acts
        ]
        for act in acts:
            await self._take_back(connection, incident_id, act, now)
        if before.test and before.state is not State.CLOSED and incident.state is State.CLOSED:
            await self_test.passed(connection, incident_id, now)
        return acts

    async def _follow(
        self,
        connection: Connection,
        incident_id: int,
        decision: Decision,
        now: datetime,
        people: Sequence[Person],
        home: dict[str, Any] | None = None,
    ) -> tuple[str, ...]:
        """Put what follows from what was decided into the outbox; the channels of what it withdrew.

        `people`, and `home` where it has been read already, are those of the incident.
        """
        withdrawn: tuple[str, ...] = ()
        if decision.stop_calling:
            withdrawn = await sends.withdraw(connection, incident_id, now)
        news = family.news(decision) is not None
        if home is None and (decision.asks or decision.tell or news):
            home = await self._home(connection, decision.incident.home)
        if decision.tell:
            people = await self._with_goers(connection, decision.incident, people)
        rows = following.follows(decision, home or {}, people, now)
        if rows:
            await sends.add(connection, incident_id, rows)
        if news and home is not None:
            place = {**home, "timezone": home["timezone"] or self.zone.key}
            await sends.tell(connection, incident_id, family.rows(decision, people, place, now), now)
        return withdrawn

    async def _take_back(self, connection: Connection, incident_id: int, act: Act, now: datetime) -> None:
        """Tell those who have heard of it that it was not their home's, when it is named another's."""
        before, after = act.before.home, act.decision.incident
        if before is None or before == after.home:
            return
        heard = await sends.heard_of(connection, incident_id, before, now, after.version)
        home = await self._home(connection, before)
        if heard and home is not None:
            people = await self._people(connection, before)
            await sends.add(connection, incident_id, family.mistaken(after, heard, people, home, now))

    async def _write(self, connection: Connection, incident_id: int, entries: Sequence[Entry], now: datetime) -> None:
        """Add entries to the incident's journal, each hash covering the one before it."""
        if not entries:
            return
        last = await (await connection.execute(sql.last_entry, {"incident": incident_id})).fetchone()
        number, before = (last["number"], last["hash"]) if last else (0, b"")
        rows = [{**row, "detail": Jsonb(row["detail"])} for row in chain(incident_id, number, before, entries, now)]
        async with connection.cursor() as cursor:
            await cursor.executemany(sql.write, rows)

    async def _manned(self, connection: Connection, home: str | None) -> bool:
        """Whether a console is live that sees this home."""
        parameters = {"home": home, "there": core.after(self._clock.now(), -measuring.CONSOLE_SECONDS)}
        return await (await connection.execute(sql.manned, parameters)).fetchone() is not None

    async def _home(self, connection: Connection, home: str | None) -> dict[str, Any] | None:
        if home is None:
            return None
        return await (await connection.execute(sql.home, {"home": home})).fetchone()

    async def _people(self, connection: Connection, home: str | None) -> tuple[Person, ...]:
        if home is None:
            return ()
        now = self._clock.now()
        rows = await (await connection.execute(sql.people, {"home": home, "now": now})).fetchall()
        return choosing.people(rows, now, self.zone)

    async def _with_goers(
        self, connection: Connection, incident: Incident, people: Sequence[Person]
    ) -> Sequence[Person]:
        """These, and whoever goes though this home could not ask them now: they were asked when it could."""
        missing = {helper.id for helper in following.going(incident)} - {person.id for person in people}
        if not missing:
            return people
        rows = await (await connection.execute(sql.goers, {"ids": list(missing)})).fetchall()
        return [*people, *(Person(**row, group="responders", rank=0) for row in rows)]

    async def _choose(
        self, connection: Connection, kind: str, home: dict[str, Any] | None, *, test: bool = False
    ) -> Choice:
        """The policy of the book that holds now. `home`: as `-- name: home` has it, or None."""
        self._book = await books.current(connection, self._book)
        zone = zone_of(home["timezone"], self.zone) if home else self.zone
        situation = Situation(kind, self._clock.now().astimezone(zone), test=test)
        if home is not None:
            situation = situation._replace(
                home=home["id"], area=home["area"], people=tuple(home["people"]), own=home["policy"]
            )
        return chosen(self._book, situation)

    @staticmethod
    def _row(incident: Incident) -> dict[str, Any]:
        """The incident as its row: what the database must see stands in columns, all of it in the body."""
        return {
            "home": incident.home,
            "device": incident.device,
            "cause": incident.cause,
            "danger": incident.danger,
            "test": incident.test,
            "state": incident.state.value,
            "version": incident.version,
            "wake_at": incident.wake_at,
            "opened_at": incident.opened_at,
            "body": Jsonb(msgspec.to_builtins(incident)),
            "grouped_by": incident.group and incident.group.by,
            "grouped_of": incident.group and incident.group.of,
            "area": incident.group and incident.group.area,
            **{stamp: incident.stamps.get(stamp) for stamp in core.STAMPS},
        }


def _chosen(choice: Choice) -> dict[str, Any]:
    """Which policy it was opened under and what chose it, for the journal."""
    told: dict[str, Any] = {"policy": choice.policy.name, "book": choice.policy.version, "chosen_by": choice.by}
    if choice.policy.title or choice.policy.title_en:
        told["titles"] = [choice.policy.title, choice.policy.title_en]
    return told if choice.rule is None else {**told, "rule": choice.rule + 1}


def _press(alarm: dict[str, Any]) -> Press | None:
    """What the device that was pressed waits to hear the stages of. One of another family has no lamp to show them."""
    event_id = alarm["evidence"].get("event")
    told = event_id and alarm["device"] and "family" not in alarm["evidence"]
    return Press(alarm["device"], event_id) if told else None


def _presses(alarms: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Alarms one by one, but that presses of one button which follow each other stand together."""
    groups: list[list[dict[str, Any]]] = []
    for alarm in alarms:
        if groups and _pressed_again(groups[-1][-1], alarm):
            groups[-1].append(alarm)
        else:
            groups.append([alarm])
    return groups


def _pressed_again(before: dict[str, Any], alarm: dict[str, Any]) -> bool:
    same = all(before[name] == alarm[name] for name in ("home", "device", "kind", "test", "restored_at"))
    plain = alarm["kind"] in RINGING and not alarm["test"] and alarm["restored_at"] is None
    # Detection's own finding may end a question, or have been taken back already: that is asked of each.
    said = alarm["evidence"].get("source") != asking.DERIVED and "caller" not in alarm["evidence"]
    return same and plain and said and alarm["device"] is not None


def _caller(evidence: dict[str, Any]) -> Caller | None:
    return msgspec.convert(evidence["caller"], Caller) if evidence.get("caller") else None


def _count(acts: Iterable[Act]) -> None:
    """Acts of no person that have been committed: what closed by itself is counted, too."""
    for act in acts:
        measuring.happened(act.before, act.decision.incident)
