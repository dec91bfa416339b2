"""A measured value beyond a limit: told by the minute, whatever the order in which its readings come. PURE.

A *track* judges one limit of one sensor. Readings count by the minute in which they were taken, and a minute is beyond
when more than half of its readings are: one odd value among sixty is none. Minutes beyond that nothing contradicts are
a *run*. A run is believed by its rule: a second reading, or so long a duration, or that nobody measured anything else
for a while. What is believed is worked out anew from the same minutes at every tick, so that a reading that comes ten
minutes late makes no difference in the end: what it contradicts is withdrawn, and says so. Nothing is withdrawn before
whatever may be late has come, so that nothing is withdrawn twice.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import msgspec

from alerting.detectors import Now, reading_id, sooner

MINUTE_MS = 60_000
LATE_MS = 10 * MINUTE_MS
"""So late a reading may come and still change what is believed."""
SETTLE_MS = LATE_MS + 6 * MINUTE_MS
"""So long (heard) after a minute was first heard of all that it says is known: late readings, and the longest wait for
a repeat."""
STALE_MS = 6 * 3_600_000
"""What was measured so long before it came tells of no danger now. Chosen: it is kept in the archive for the visit."""
MINUTES_MAX = 32

LATE_READING = "late_reading"


class Rule(NamedTuple):
    """When a run is believed."""

    least: int = 1
    """So many readings of it are needed."""
    hold_ms: int = 0
    """So long from its first to its last."""
    alone_ms: int | None = None
    """A run of fewer readings is believed all the same when nothing else was measured for so long; None: never."""
    gap_ms: int = 30 * MINUTE_MS
    """Minutes further apart than this are two runs."""
    over_ms: int = 10 * MINUTE_MS
    """It is over when nothing beyond was measured for so long, and something else was."""
    again_ms: int = 12 * 60 * MINUTE_MS
    """What is beyond anew after so long without a word of it is told anew, though nothing else was measured."""


class Minute(msgspec.Struct, array_like=True):
    minute: int
    since: int
    """heard_ms of the tick before it was first heard of."""
    n: int = 0
    beyond: int = 0
    first: tuple[int, str, int] | None = None
    """at_ms, boot and seq of its first reading beyond."""
    value: float | None = None
    """Of that reading."""

    @property
    def is_beyond(self) -> bool:
        return 2 * self.beyond > self.n


class Run(msgspec.Struct, array_like=True):
    first: tuple[int, str, int]
    value: float
    last: tuple[int, str, int]
    last_value: float
    first_minute: int
    last_minute: int
    beyond: int
    since: int
    """heard_ms of its newest minute."""


class Told(msgspec.Struct, array_like=True):
    """What was raised and stands."""

    episode: str
    heard: int
    last_minute: int
    settled: bool = False


class Track(msgspec.Struct, array_like=True):
    minutes: list[Minute] = []
    carried: Run | None = None
    """The run that goes on from before the minutes."""
    before: int = -1
    """The last minute that is no longer kept: nothing can be added up to here."""
    told: Told | None = None
    done: int = -1
    """The last minute of what was raised and is over."""
    deadline: int | None = None


class Step(NamedTuple):
    what: Literal["raised", "over", "contradicted"]
    episode: str
    run: Run | None = None


def add(
    track: Track, reading: tuple[int, str, int], received_ms: int, value: float, beyond: bool, now: Now
) -> int | None:
    """Take a reading, named by its time, boot and seq. The heard_ms at which the track wants to be judged."""
    at_ms = min(reading[0], received_ms)
    minute = at_ms // MINUTE_MS
    if received_ms - at_ms > STALE_MS or minute <= track.before:
        return track.deadline
    minutes = track.minutes
    if not minutes or minute > minutes[-1].minute:
        found = Minute(minute, now.heard_ms)
        minutes.append(found)
        _trim(track, now)
    else:
        found = _find(minutes, minute, now)
    found.n += 1
    if beyond:
        found.beyond += 1
        if found.first is None or reading < found.first:
            found.first, found.value = reading, value
    if beyond or track.told is not None or track.deadline is not None:
        track.deadline = sooner(track.deadline, now.heard_ms)
    return track.deadline


def _find(minutes: list[Minute], minute: int, now: Now) -> Minute:
    for place in range(len(minutes) - 1, -1, -1):
        if minutes[place].minute == minute:
            return minutes[place]
        if minutes[place].minute < minute:
            break
    else:
        place = -1
    found = Minute(minute, now.heard_ms)
    minutes.insert(place + 1, found)
    return found


def _trim(track: Track, now: Now) -> None:
    """Forget minutes about which all is known, but for the newest, and for what goes on from them."""
    minutes = track.minutes
    while len(minutes) > MINUTES_MAX or (len(minutes) > 1 and now.heard_ms - minutes[0].since >= SETTLE_MS):
        gone = minutes.pop(0)
        track.before = gone.minute
        track.carried = _joined(track.carried, gone) if gone.is_beyond else None


def _joined(run: Run | None, minute: Minute, gap_ms: int | None = None) -> Run:
    assert minute.first is not None, "it is beyond"
    assert minute.value is not None, "a reading has one"
    if run is None or (gap_ms is not None and (minute.minute - run.last_minute) * MINUTE_MS > gap_ms):
        first, number, beyond = minute.first, minute.minute, 0
        value = minute.value
    else:
        first, value, number, beyond = run.first, run.value, run.first_minute, run.beyond
    return Run(first, value, minute.first, minute.value, number, minute.minute, beyond + minute.beyond, minute.since)


def _runs(track: Track, rule: Rule) -> Iterator[tuple[Run, Minute | None]]:
    """Every run, with the minute that ended it."""
    run = track.carried
    for minute in track.minutes:
        if not minute.is_beyond:
            if run is not None:
                yield run, minute
            run = None
            continue
        joined = _joined(run, minute, rule.gap_ms)
        if run is not None and joined.first_minute != run.first_minute:
            yield run, None
        run = joined
    if run is not None:
        yield run, None


def _believed(run: Run, ended: Minute | None, rule: Rule, now: Now) -> bool:
    if (run.last_minute - run.first_minute) * MINUTE_MS < rule.hold_ms:
        return False
    if run.beyond >= rule.least:
        return True
    if rule.alone_ms is None:
        return False
    if ended is not None and (ended.minute - run.last_minute) * MINUTE_MS <= rule.alone_ms:
        return False
    # A minute more: what was measured within the wait is then known, to the minute.
    return ended is not None or now.heard_ms - run.since > rule.alone_ms + MINUTE_MS


def judge(track: Track, device: str, rule: Rule, now: Now) -> list[Step]:
    """What is to be said at this tick."""
    runs = [(run, ended) for run, ended in _runs(track, rule) if run.last_minute > track.done]
    believed = [run for run, ended in runs if _believed(run, ended, rule, now)]
    steps = []
    told = track.told
    if believed and told is None:
        run = believed[-1]
        told = track.told = Told(reading_id(device, *run.first[1:]), now.heard_ms, run.last_minute)
        steps.append(Step("raised", told.episode, run))
    elif told is not None:
        if believed and (believed[-1].first_minute - told.last_minute) * MINUTE_MS >= rule.again_ms:
            run = believed[-1]
            told = track.told = Told(reading_id(device, *run.first[1:]), now.heard_ms, run.last_minute)
            steps.append(Step("raised", told.episode, run))
        elif believed:
            # Not the latest that it ever was: of a minute a later reading may say that it was not beyond.
            told.last_minute = believed[-1].last_minute
        if not told.settled and now.heard_ms - told.heard >= SETTLE_MS:
            told.settled = bool(believed)
            if not believed:
                steps.append(Step("contradicted", told.episode))
                track.told, track.done = None, told.last_minute
        if told.settled and _over(track, told, rule, now):
            steps.append(Step("over", told.episode))
            track.told, track.done = None, told.last_minute
    _trim(track, now)
    track.deadline = _deadline(track, rule, now)
    return steps


def _over(track: Track, told: Told, rule: Rule, now: Now) -> bool:
    """Whether at any moment since, so long after what was beyond, something else was measured, and all late is in."""
    last = told.last_minute
    for minute in track.minutes:
        if minute.minute <= last:
            continue
        if minute.is_beyond:
            last = minute.minute
        elif (minute.minute - last) * MINUTE_MS >= rule.over_ms and now.heard_ms - minute.since >= LATE_MS:
            return True
    return False


def _deadline(track: Track, rule: Rule, now: Now) -> int | None:
    """The next moment at which something may have to be said though nothing new is heard."""
    told, found = track.told, None
    if told is not None and not told.settled:
        found = told.heard + SETTLE_MS
    if told is not None and told.settled:
        for minute in track.minutes:
            if not minute.is_beyond and now.heard_ms - minute.since < LATE_MS:
                found = sooner(found, minute.since + LATE_MS)
    if told is None and rule.alone_ms is not None:
        for run, _ in _runs(track, rule):
            due = run.since + rule.alone_ms + MINUTE_MS + 1
            if run.beyond < rule.least and due > now.heard_ms:
                found = sooner(found, due)
    return found
