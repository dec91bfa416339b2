"""The desk with what falls silent: held for its fellows, grouped by the real rules, told when it is back. In memory.

A transaction here is a function that awaits nothing, as in `memory.py`.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from dispatch import incident as core
from dispatch.acting import NOBODY_KNOWN, Act, Entry
from dispatch.book import Situation, choose
from dispatch.desk import RESTORE_OF
from dispatch.grouping import HOLD_SECONDS, Areas, Cluster, Loss, Open, cause_of, clusters, devices_of, joined
from dispatch.grouping import to_be_sized as to_size
from dispatch.incident import Joined, Raised, Restored
from tests.simulation.memory import Alarm, MemoryDesk

AREA = "village"
"""Where homes lie that can fall silent together."""

AHEAD_SECONDS = 5
"""What was raised so far in the future is not held: a clock was put back. As `held()` of the database has it."""


class WholeDesk(MemoryDesk):
    async def take_losses(self) -> bool:
        wait = self.soonest_loss()
        if wait is None or wait > 0:
            return False
        await self._gate.enter()
        done = [self._take_restores(), self._take_silence()]
        await self._gate.leave("incident", "alarm", *self._table.rings())
        return any(done)

    def soonest_loss(self) -> float | None:
        """In how many seconds there is something to group, or to end; None: nothing is held."""
        held = self._held()
        if not held:
            return None
        if any(alarm.restores for alarm in held) or self._groups():
            return 0.0
        now = self._clock.now()
        return min(
            0.0 if self._ripe(one, now) else HOLD_SECONDS - (now - one.raised_at).total_seconds() for one in held
        )

    def _ripe(self, alarm: Alarm, now: datetime) -> bool:
        since = now - alarm.raised_at
        return not -timedelta(seconds=AHEAD_SECONDS) <= since < timedelta(seconds=HOLD_SECONDS)

    def _held(self) -> list[Alarm]:
        return [alarm for alarm in self._kept.alarms.values() if alarm.held]

    def _groups(self) -> list[Open]:
        return [
            Open(number, one.group.by, one.group.of, one.group.until)
            for number, one in self._kept.incidents.items()
            if one.group is not None and one.wake_at is not None
        ]

    def _of(self, incident: int) -> list[Alarm]:
        return [alarm for alarm in self._kept.alarms.values() if alarm.incident == incident]

    def _take_restores(self) -> bool:
        told: dict[int, list[Alarm]] = {}
        restores = [alarm for alarm in self._held() if alarm.restores]
        for alarm in restores:
            ended = self._kept.alarms[alarm.restores or ""]
            alarm.taken, ended.restored = True, True
            if ended.incident is not None:
                told.setdefault(ended.incident, []).append(alarm)
        for incident, rows in told.items():
            self._over(incident, rows[0].kind, {row.device for row in rows})
        return bool(restores)

    def _left(self, alarms: Collection[Alarm]) -> int:
        return sum(not alarm.restored for alarm in alarms)

    def _over(self, incident: int, kind: str, devices: Collection[str]) -> None:
        mine = self._of(incident)
        everything, silent = {one.device for one in mine}, {one.device for one in mine if not one.restored}
        back = len(everything) - len(silent)
        event = Restored(kind, max(1, len(devices)), left=self._left(mine), back=back, all=len(everything))
        self._act(incident, event)

    def _take_silence(self) -> bool:
        now = self._clock.now()
        losses = [self._loss(alarm, now) for alarm in self._held() if not alarm.restores]
        mine, others = joined(losses, self._groups())
        for incident, some in mine.items():
            self._join(incident, some)
        if not any(loss.ripe for loss in others):
            return bool(mine)
        found, alone = self._grouped(others)
        for loss in alone:
            if loss.ripe:
                self._alarm(loss).alone = True
        for cluster in found:
            if any(loss.ripe for loss in cluster.losses):
                self._open_group(cluster, now)
        return True

    def _grouped(self, losses: Sequence[Loss]) -> tuple[list[Cluster], list[Loss]]:
        areas = Areas({AREA: None})
        sizes = {area: len(self._kept.homes) for area in to_size(losses, areas)[0]}
        return clusters(losses, areas, sizes, {})

    def _alarm(self, loss: Loss) -> Alarm:
        return self._kept.alarms[cast(str, loss.id)]

    def _loss(self, alarm: Alarm, now: datetime) -> Loss:
        area = self._kept.homes[alarm.home].get("area")
        ripe = self._ripe(alarm, now)
        return Loss(
            cast(UUID, alarm.id), alarm.kind, alarm.device, alarm.home, None, area, None, alarm.raised_at, ripe
        )  # fmt: skip

    def _join(self, incident: int, losses: Sequence[Loss], until: datetime | None = None) -> None:
        alarms = [self._alarm(loss) for loss in losses]
        for alarm in alarms:
            alarm.incident = incident
        kind = cause_of({loss.kind for loss in losses})
        everything = len({alarm.device for alarm in self._of(incident)})
        self._act(incident, Joined(kind, devices_of(losses), everything, AREA, until))
        if any(alarm.restored for alarm in alarms):
            self._over(incident, RESTORE_OF[kind], ())

    def _open_group(self, cluster: Cluster, now: datetime) -> None:
        kind = cause_of({loss.kind for loss in cluster.losses})
        for group in self._groups():
            if (group.by, group.of) == (cluster.by, cluster.of):
                self._join(group.incident, cluster.losses, cluster.until)
                self._act(group.incident, Raised(kind))
                return
        alarms = [self._alarm(loss) for loss in cluster.losses]
        first = min(alarm.raised_at for alarm in alarms)
        group_of = core.Group(cluster.by, cluster.of, AREA, cluster.until, devices_of(cluster.losses))
        decision = core.open_incident(
            home=None, device=None, cause=kind, danger=False, test=False, press=None, t0=first, t1=first, people=(),
            policy=choose(self._kept.book, Situation(kind, now)), now=now, group=group_of,
        )  # fmt: skip
        number = self._begin(decision, Entry("opened", decision, NOBODY_KNOWN, {"kind": kind}), now)
        for alarm in alarms:
            alarm.incident = number
        self._witness.acted(number, [], [Act(decision.incident, decision)], (0, 0), now)
        if any(alarm.restored for alarm in alarms):
            self._over(number, RESTORE_OF[kind], ())

    def _take(self, alarm: Alarm) -> None:
        super()._take(alarm)
        if alarm.restored and alarm.incident is not None:  # it was over before it was taken
            self._over(alarm.incident, RESTORE_OF[alarm.kind], {alarm.device})

    async def give_up_grouping(self) -> None:
        """What has waited its time is taken home by home."""
        now = self._clock.now()
        for alarm in self._held():
            alarm.alone = alarm.alone or self._ripe(alarm, now)
