"""A recording as a platform on the driven clock hears it: message for message, so that its alarms have the same ids.

The rules that this and the simulator's replay share (docs/evaluate.md; neither imports the other):

- The home and its one device are named after the recording, the boot is `recording`.
- The device says its status at the beginning and then at a fixed pace until the end. What it measured is said when it
  is complete: a burst of 1 s at its end, a movement at once. All that it says is counted in one sequence, from 1, in
  the order of saying; at the same moment measurements come before the status.
- Time begins with a tick at the recording's start of which nothing was heard, and goes on in equal steps. Whatever was
  said up to a step comes before its tick, and is received at the time of the tick before.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from alerting.partition import Partition
from pingan.messages import Alarm, Message, Reading, Tick

BOOT = "recording"
EPOCH = 1
STATUS = "status"
STATUS_VALUE = {"faults": [], "battery_percent": 100, "rssi_dbm": -60, "firmware": "sim-1"}


class Said(NamedTuple):
    """Something measured: when it was said, and the reading's own time."""

    said_ms: int
    at_ms: int
    kind: str
    value: Any
    sensor: str | None = None


class Raised(NamedTuple):
    """An alarm, and when whoever measures learned of it: the end of the burst that brought it, or the tick."""

    raised_ms: int
    alarm: Alarm


class Placed(NamedTuple):
    """A reading at its place in time. Statuses come last of what is said at a moment."""

    said_ms: int
    last: bool
    reading: Reading


def readings(
    home: str,
    device: str,
    measured: Iterable[Said],
    begin_ms: int,
    end_ms: int,
    beat_ms: int,
    tick_ms: int,
    silent: Callable[[int], bool] = lambda at_ms: False,
    clock_ms: int | None = None,
) -> Iterator[Placed]:
    """What the device of `home` says, in order; `measured` is in the order of saying. What it would have said while
    it is `silent` was never said. `clock_ms`: where the platform's clock began, whose steps all homes share; None:
    with this recording.
    """
    clock_ms = begin_ms if clock_ms is None else clock_ms
    beats = ((at_ms, True, Said(at_ms, at_ms, STATUS, STATUS_VALUE)) for at_ms in range(begin_ms, end_ms + 1, beat_ms))
    said = ((one.said_ms, False, one) for one in measured)
    every = (one for one in heapq.merge(said, beats, key=lambda entry: entry[:2]) if not silent(one[0]))
    for seq, (said_ms, last, one) in enumerate(every, 1):
        reading = Reading(
            device=device,
            boot=BOOT,
            seq=seq,
            at_ms=one.at_ms,
            received_ms=tick_before(said_ms, clock_ms, tick_ms),
            kind=one.kind,
            value=one.value,
            home=home,
            sensor=one.sensor,
        )
        yield Placed(said_ms, last, reading)


def tick_before(said_ms: int, clock_ms: int, tick_ms: int) -> int:
    """The time that a platform whose clock goes in steps has when it hears what was said at `said_ms`."""
    return clock_ms + max(0, -(-(said_ms - clock_ms) // tick_ms) - 1) * tick_ms


def failures_of(partition: Partition) -> list[str]:
    """Which detectors failed on what they were fed. A platform goes on without them, so here it must be said."""
    failed = [f"{one.version}: {type(one.error).__name__}" for one in partition.failures]
    partition.failures.clear()
    return failed


def play(
    partition: Partition, first: Iterable[Message], placed: Iterable[Placed], begin_ms: int, end_ms: int, tick_ms: int
) -> Iterator[Raised]:
    """Feed a recording from `begin_ms` to `end_ms`: the register's word first, then the time and what is said."""
    for message in first:
        for alarm in partition.feed(message):
            yield Raised(begin_ms, alarm)
    for alarm in partition.feed(Tick(begin_ms, 0, EPOCH)):
        yield Raised(begin_ms, alarm)
    waiting = iter(placed)
    upcoming = next(waiting, None)
    before_ms = begin_ms
    while before_ms < end_ms:
        now_ms = min(before_ms + tick_ms, end_ms)
        while upcoming is not None and upcoming.said_ms <= now_ms:
            for alarm in partition.feed(upcoming.reading):
                yield Raised(upcoming.said_ms, alarm)
            upcoming = next(waiting, None)
        for alarm in partition.feed(Tick(now_ms, now_ms - before_ms, EPOCH)):
            yield Raised(now_ms, alarm)
        before_ms = now_ms
