"""Detection's tests are lists of messages. This writes them, feeds them, and keeps them to be fed again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from alerting.partition import Partition, Time
from alerting.watch import VERSION, Watch
from pingan.messages import Alarm, Away, DeviceSettings, HomeSettings, Message, Tick

START_MS = 1_790_000_000_000
HUB = DeviceSettings("H1-hub", "hub", 90)


def settings(
    *devices: DeviceSettings, hours: float | None = None, away: Sequence[Away] = (), revision: int = 1, home: str = "H1"
) -> HomeSettings:
    """A home as the register tells of it; its silence is judged by the plain rule, whose hours a test can count."""
    plain = {"inactivity": "fixed-1"}
    return HomeSettings(
        home=home, revision=revision, devices=devices, away=tuple(away), inactivity_hours=hours, live=plain
    )


@dataclass
class Timeline:
    """One partition, and everything that it was told."""

    partition: Partition = field(default_factory=Partition)
    told: list[Message] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    at_ms: int = START_MS
    epoch: int = 1

    def hear(self, *messages: Message) -> list[Alarm]:
        raised = [alarm for message in messages for alarm in self.partition.feed(message)]
        self.told += messages
        self.alarms += raised
        return raised

    def tick(self, seconds: float, heard: float | None = None) -> list[Alarm]:
        """One tick, `seconds` later, all of them heard unless told otherwise."""
        self.at_ms += int(seconds * 1000)
        heard_ms = int((seconds if heard is None else heard) * 1000)
        return self.hear(Tick(at_ms=self.at_ms, heard_ms=heard_ms, epoch=self.epoch))

    def ticks(self, seconds: float, every: float = 1) -> list[Alarm]:
        return [alarm for _ in range(int(seconds / every)) for alarm in self.tick(every)]


class Kept(Partition):
    """A partition that came out of a checkpoint, and what stands in the table of routines."""

    routines: dict[str, dict[tuple[str, str], bytes]]


def restarted(partition: Partition) -> Partition:
    """What a checkpoint of `partition` makes when it is loaded."""
    now = partition.now
    routines = {home: dict(known) for home, known in getattr(partition, "routines", {}).items()}
    watches = {}
    for home, watch in partition.watches.items():
        known = routines.setdefault(home, {})
        known.update(watch.learned(now))
        watch.unstored.clear()
        watches[home] = Watch.restore(home, VERSION, watch.snapshot(), now, known)
    kept = Kept(Time(*partition.time), watches)
    kept.routines = routines
    return kept


def replay(messages: Sequence[Message]) -> list[Alarm]:
    partition = Partition()
    return [alarm for message in messages for alarm in partition.feed(message)]


def ids(alarms: Sequence[Alarm]) -> set[tuple[UUID, str]]:
    return {(alarm.id, alarm.kind) for alarm in alarms}


def kinds(alarms: Sequence[Alarm]) -> list[str]:
    return [alarm.kind for alarm in alarms]
