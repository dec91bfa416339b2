"""Readings that come late: the same story told in order and out of order, and what stands in the end."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec

from alerting.partition import Partition
from pingan.messages import WITHDRAWN, Alarm, Event, HomeSettings, Message, Reading, Tick
from tests.timeline import START_MS, restarted

TICK_MS = 30_000
LATE_MS = 600_000
SILENCE_MS = 3_600_000
"""So long it is ticked after the last word: whatever can be late has come, whatever is waited for is over."""


class Told(NamedTuple):
    """What a device said, and how much later it came."""

    reading: Reading | Event
    delay_ms: int = 0


def play(
    settings: HomeSettings,
    story: Sequence[Told],
    detector: str,
    restarts: Collection[int] = (),
    silence_ms: int = SILENCE_MS,
) -> list[Alarm]:
    """What one detector finds of a home. Each reading comes when it was made and its delay later. Before the messages
    that `restarts` numbers the watch is stored and loaded.
    """
    arriving = sorted((one.reading.at_ms + one.delay_ms, number, one.reading) for number, one in enumerate(story))
    partition, alarms = Partition(), []
    partition.feed(settings)
    messages: list[Message] = []
    now_ms = START_MS
    end_ms = max([START_MS, *(when for when, _, _ in arriving)]) + silence_ms
    while now_ms < end_ms:
        messages.append(Tick(now_ms, TICK_MS if messages else 0, 1))
        now_ms += TICK_MS
        while arriving and arriving[0][0] < now_ms:
            when, _, reading = arriving.pop(0)
            messages.append(msgspec.structs.replace(reading, received_ms=when))
    for number, message in enumerate(messages):
        if number in restarts:
            partition = restarted(partition)
        alarms += partition.feed(message)
    return found_by(detector, alarms)


def found_by(detector: str, alarms: Sequence[Alarm]) -> list[Alarm]:
    return [alarm for alarm in alarms if alarm.evidence["detector"].startswith(f"{detector}/")]


def standing(alarms: Sequence[Alarm]) -> set[tuple[str, str | None]]:
    """Rule and device of what was raised and neither withdrawn nor restored. Each of these has a reason."""
    stands = {str(alarm.id): (alarm.evidence["rule"], alarm.device) for alarm in alarms if not _ends(alarm)}
    for alarm in alarms:
        if _ends(alarm):
            assert alarm.evidence["restores"] in stands, f"{alarm.evidence} ends what never began, or twice"
            del stands[alarm.evidence["restores"]]
            assert alarm.kind != WITHDRAWN or alarm.evidence["reason"], alarm
    return set(stands.values())


def _ends(alarm: Alarm) -> bool:
    return "restores" in alarm.evidence
