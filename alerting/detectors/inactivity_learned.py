"""A home in which nobody has moved for longer than is usual there at that hour. PURE.

What is usual is learned (`alerting/routines/silence.py`), once a day at an hour of the night; until a week is known,
and wherever more is never allowed, the register's ceiling is the limit. The limit of a silence depends on the hour at
which it began and on the place that moved last.

Five minutes before the limit the resident is asked (`inactivity_suspected`); without an answer or a movement it rings
(`inactivity`). What speaks against either is said once, with its reason (`withdrawn`).

A movement counts when it was made, by the device's own time, if that is at most ten minutes before it came: so a
movement that comes late ends the silence when it ended, and begins the next where it began. One that came later still
counts as made ten minutes before, and none is made before it was made: a clock that is wrong delays or hastens by ten
minutes at most.

As with fixed hours, what nobody can hear is no silence: it stands still while all devices that hear movement are lost,
or while the home's whole area is deaf. A sensor that says *moved* every twenty minutes for half a day is stuck, or
hears something that is no person; until it is quiet once, it ends no silence. A home that for a week was never silent
for an hour (a dog, a fan) is said to be one in which silence finds nobody.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self
from zlib import crc32

import msgspec

from alerting.detectors import DAY_MS, HOUR_MS, Finding, Heard, Now, is_deaf, reading_id, sooner
from alerting.detectors.inactivity import (
    AWAY_LOOK_MS,
    CANNOT_HEAR,
    HEARING_RESTORED,
    INACTIVITY,
    MOVEMENTS,
    MOVERS_MAX,
    PRESENCES,
    away_episode,
    window_of,
)  # fmt: skip
from alerting.detectors.local_time import day_begins_ms, local_day, local_ms
from alerting.detectors.supervision import AVAILABILITY, MISSED_HEARTBEATS
from alerting.routines.silence import BLOCKS, GAP_MS, HOURS, PLACES_MAX, Place, Silence, gap
from pingan.messages import ANSWERS, WITHDRAWN, Away, Event, HomeSettings, Reading

SUSPECTED = "inactivity_suspected"
RULE = "inactivity_learned"
SUSPECTED_RULE = f"{RULE}:suspected"
WITHDRAWN_RULE = f"{RULE}:withdrawn"
NEVER_SILENT = "inactivity_never_silent"
SILENT_AGAIN = f"{NEVER_SILENT}:over"

ASKING_MS = 300_000
"""Between the question to the resident and the alarm. Chosen as telecare units do: time to get up and press."""
FLOOR_HOURS = 1.0
"""Where the register names no floor."""
FLOOR_LEAST_HOURS = 0.5
"""Below it a late movement could still be on its way when it rings."""
LATE_MS = 600_000
UPDATE_BEGINS_MS = 2 * HOUR_MS + 1_800_000
"""After midnight of the home's: the hour in which homes learn, each at a moment of its own."""
SPREAD_MS = HOUR_MS
BLOCK_MS = DAY_MS // BLOCKS
FIRST_BLOCK = UPDATE_BEGINS_MS // BLOCK_MS
"""In which the day of learning begins, and ends."""
MISSED_MS = 2 * HOUR_MS
"""Who was not heard for so long may have moved: how lively the day was is not known. Less changes a day hardly."""
BIN_MS = 180_000
"""Movements of a place within three minutes count as one: how often a sensor repeats itself is no matter, how long one
moves there is."""
BINS_KEPT = LATE_MS // BIN_MS + 2
"""So many of these three minutes a late movement may be made in: of each it is known whether it has counted."""
DAY_MAX = 65_535
"""Of days since 1970: two bytes."""
GAPS_A_DAY = 40
"""A silence of half an hour fits 48 times into a day."""
DAYS_KEPT = 2
"""So long the state keeps what a day taught: whoever stores the routine does so once a day."""
STUCK_MS = 12 * HOUR_MS
STUCK_PAUSE_MS = 20 * 60_000
RESTLESS_HOURS = 1.0
"""Not once in a week silent for so long: something else than a person moves there."""
RESTLESS_DAYS = 7
DOOR_KINDS = frozenset({"door", "contact"})
INDOORS = ("fridge", "freezer", "refrigerator", "cupboard", "cabinet", "drawer", "wardrobe", "冰箱", "柜", "抽屉")
"""In the name of what has a door and is no way out; names are what installers write."""
DOOR_BEFORE_MS = 600_000

JUST_HEARD = -1
"""Since the last tick: its silence begins at the next."""
ABSURD = "absurd"
"""Ingest's word on a device's time that cannot be."""

Reason = Literal["answered", "room_movement", "late_reading", "cannot_hear", "away", "not_watched"]
"""Why a suspicion or an alarm is over. `late_reading`: a movement or an answer of before, that came only now."""


Movement = tuple[int, int, str, str, int]
"""When it counts as made, its own time, device, boot and seq: what is later is greater, whatever came first."""


class Pending(msgspec.Struct, array_like=True):
    """A silence that is over, unless a late movement says that it was over before."""

    start: int
    """heard_ms, as `end`."""
    end: int
    start_ms: int
    end_ms: int
    place: int
    rang: int | None
    """heard_ms at which it was an alarm."""


class Over(msgspec.Struct, array_like=True):
    """What is to be said at the next tick of a suspicion or an alarm."""

    episode: str
    rule: str
    reason: Reason
    said: int
    """heard_ms at which it was suspected or raised."""
    at_ms: int
    movement: Movement | None = None
    after: Movement | None = None
    """The movement with which the silence began."""


class Learned(msgspec.Struct, array_like=True):
    """What a day has taught, as long as it may not be stored with the routine."""

    day: int
    gaps: bytes = b""
    seen: dict[int, bytes] = {}


class State(msgspec.Struct, array_like=True):
    ceiling_hours: float | None = None
    floor_hours: float = FLOOR_HOURS
    zone: str = "UTC"
    area: str = ""
    away: tuple[Away, ...] = ()
    shift_ms: int = 0
    """By which this home's day of learning begins later than the first home's."""
    heard: bool = False
    since: int | None = None
    """heard_ms from which silence counts; None: from the next tick."""
    since_ms: int = 0
    begun_ms: int = 0
    """When the silence that counts began: what stood still is left out of it."""
    last: Movement | None = None
    """None: silence begins with `episode`."""
    place: int = -1
    sensor: str = ""
    episode: str = ""
    broken: bool = False
    """Not all of this silence was heard: it teaches nothing."""
    door_ms: int | None = None
    asked: int | None = None
    asked_ms: int = 0
    raised: int | None = None
    limit_ms: int | None = None
    """Of this silence, by what was usual when it began; None: not looked up yet."""
    over: Over | None = None
    levels: dict[str, int] = {}
    movers: dict[str, int] = {}
    """Devices that have ever told of movement: heard_ms from which each one's silence counts, or JUST_HEARD."""
    unheard: bool = False
    deaf: bool = False
    frozen: int | None = None
    """heard_ms since which this silence stands still."""
    said: str = ""
    restless: str = ""
    pending: Pending | None = None
    places: list[Place] = []
    runs: list[tuple[int, int]] = []
    """Of each place: when the row of movements began that has no pause, and its last."""
    today: int | None = None
    """The day of learning that is not over."""
    taught: list[Learned] = []
    just_heard: bool = False
    due: int | None = None
    """When there is more to do than to note whom the last tick was after."""
    deadline: int | None = None
    moved: int = 0
    """heard_ms at which `last` counts as made: before the tick from which its silence counts."""
    placed: tuple[int, int] = (0, 0)
    """When the movement that `place` comes from counts as made, and its own time: an answer is made in no place."""
    bins: dict[int, int] = {}
    """By place, as bits: in which of the latest BINS_KEPT three minutes a movement has counted, the latest first."""
    whole_ms: int = 0
    """Since when nothing was missed of what a day is told by, and somebody was to be heard."""
    unticked_ms: int = 0
    """What the clock says more than the ticks have heard: it grows by the platform's own outages."""


class LearnedInactivity:
    """One home's silence, by what is usual there."""

    name: ClassVar[str] = "inactivity"
    version: ClassVar[int] = 1

    def __init__(self, state: State | None = None) -> None:
        self._state = state or State()
        self._places = {place.name: number for number, place in enumerate(self._state.places)}
        self._silence = Silence()
        self._unstored = False
        self._catch_up()

    @property
    def deadline(self) -> int | None:
        return self._state.deadline

    # What comes in.

    def on_settings(self, settings: HomeSettings, now: Now) -> None:
        state = self._state
        before = (state.ceiling_hours, state.floor_hours)
        zone_before = state.zone
        state.ceiling_hours = settings.inactivity_hours
        floor = FLOOR_HOURS if settings.inactivity_floor_hours is None else settings.inactivity_floor_hours
        state.floor_hours = max(FLOOR_LEAST_HOURS, floor)
        state.zone, state.area, state.away = settings.timezone, settings.area, settings.away
        state.shift_ms = crc32(settings.home.encode()) % SPREAD_MS
        state.levels = {device.id: device.heartbeat_seconds * 1000 for device in settings.devices}
        state.movers = {device: since for device, since in state.movers.items() if device in state.levels}
        if state.ceiling_hours is None:
            self._end("not_watched", now)
        elif before[0] is None:
            # Watching begins now, whatever was or was not heard before.
            self._begin(f"settings/{settings.revision}", now.at_ms)
        if state.today is None or zone_before != state.zone:
            state.today = self._day(now.at_ms)
        if (state.ceiling_hours, state.floor_hours) != before:
            state.limit_ms = None
            self._set_least()
        state.due = state.deadline = now.heard_ms

    def on_reading(self, heard: Heard, now: Now) -> tuple[()]:
        state = self._state
        kind, movers = heard.kind, state.movers
        if not state.heard:
            state.heard, state.due = True, now.heard_ms
        since = movers.get(heard.device)
        if since is not None:
            if kind != AVAILABILITY and since != JUST_HEARD:
                movers[heard.device], state.just_heard = JUST_HEARD, True
        elif kind in MOVEMENTS and len(movers) < MOVERS_MAX:
            movers[heard.device], state.just_heard = JUST_HEARD, True
        if state.unheard:
            state.due = now.heard_ms
        if kind in MOVEMENTS:
            value = getattr(heard, "value", None)
            # What is no number (NaN) differs from itself.
            if type(heard) is Reading and (kind not in PRESENCES or (bool(value) and value == value)):
                self._move(heard, kind, now)
        elif kind in ANSWERS and type(heard) is Event:
            self._answer(heard, now)
        state.deadline = now.heard_ms if state.just_heard else state.due
        return ()

    def _move(self, heard: Reading, kind: str, now: Now) -> None:
        state = self._state
        counts_ms = _counts_ms(heard, now)
        name = heard.sensor or heard.device
        place = self._places.get(_named(name))
        if place is None:
            place = self._new_place(name, kind, counts_ms)
        begun_ms, latest_ms = state.runs[place]
        if counts_ms > latest_ms:
            if counts_ms - latest_ms > STUCK_PAUSE_MS:
                begun_ms = counts_ms
            state.runs[place] = (begun_ms, counts_ms)
        later = counts_ms // BIN_MS - latest_ms // BIN_MS
        if later and self._counts_anew(place, later):
            self._see(place, counts_ms)
        if counts_ms - begun_ms >= STUCK_MS and self._others_rest(place):
            return
        if state.places[place].door and (state.door_ms is None or counts_ms > state.door_ms):
            state.door_ms = counts_ms
        movement = (counts_ms, heard.at_ms, heard.device, heard.boot, heard.seq)
        if self._end_silence(movement, "room_movement", now):
            state.place, state.sensor, state.placed = place, name, movement[:2]
        elif movement[:2] > state.placed:
            # An answer came before it and was given after it: the silence since then began where it was made.
            state.place, state.sensor, state.placed, state.limit_ms = place, name, movement[:2], None
            state.due = now.heard_ms

    def _counts_anew(self, place: int, later: int) -> bool:
        """Whether no movement there has counted for its three minutes, which are so many `later` than the latest's."""
        bins = self._state.bins
        known = bins.get(place, 0)
        if later > 0:
            bins[place] = (known << min(later, BINS_KEPT) | 1) & ((1 << BINS_KEPT) - 1)
            return True
        if -later >= BINS_KEPT or known >> -later & 1:
            return False
        bins[place] = known | 1 << -later
        return True

    def _others_rest(self, place: int) -> bool:
        """Whether there is a place that is not stuck: else there would be nothing left to hear by."""
        return any(
            latest_ms - begun_ms < STUCK_MS
            for other, (begun_ms, latest_ms) in enumerate(self._state.runs)
            if other != place
        )

    def _answer(self, heard: Event, now: Now) -> None:
        movement = (_counts_ms(heard, now), heard.at_ms, heard.device, heard.boot, heard.seq)
        self._end_silence(movement, "answered", now)

    def _end_silence(self, movement: Movement, reason: Reason, now: Now) -> bool:
        """Somebody has moved. Whether the silence that counts now begins with it."""
        state = self._state
        moved = now.heard_ms + min(0, movement[0] - now.at_ms)
        pending, last, over = state.pending, state.last, state.over
        said = state.raised if state.raised is not None else state.asked
        if over is not None:
            said = over.said
        if said is not None and moved < said:
            reason = "late_reading"
        if over is not None and over.movement is not None and (over.after is None or over.after < movement):
            # Between two ticks order has no meaning: of several the earliest is what ended the silence.
            over.reason, over.movement = min((over.movement, over.reason), (movement, reason))[::-1]
        if last is not None and movement <= last:
            if pending is not None and pending.start < moved < pending.end:
                pending.end, pending.end_ms = moved, movement[0]
            return False
        if state.since is not None and moved - state.since >= GAP_MS:
            # By the ticks before both: how long the step was to the one from which the silence counts is no matter.
            whole = last is not None and abs((movement[0] - last[0]) - (moved - state.moved)) <= LATE_MS
            if whole and last is not None and not state.broken and state.frozen is None:
                self._commit(now, due=False)
                state.pending = Pending(state.since, moved, last[0], movement[0], state.place, state.raised)
        self._end(reason, now, movement)
        state.last, state.since_ms, state.begun_ms, state.episode = movement, movement[1], movement[0], ""
        state.broken, state.asked, state.raised, state.limit_ms = False, None, None, None
        state.moved, state.since = moved, moved if movement[0] < now.at_ms else None
        state.just_heard = state.just_heard or state.since is None
        # Its own limit is looked up at the soonest moment at which any can matter: most silences end long before.
        due = moved + self._least_ms
        if state.due is None or due < state.due:
            state.due = due
        return True

    def _new_place(self, name: str, kind: str, counts_ms: int) -> int:
        state = self._state
        number = len(state.places)
        if number < PLACES_MAX:
            lower = name.lower()
            door = kind in DOOR_KINDS and not any(word in lower for word in INDOORS)
            state.places.append(Place(_named(name), door))
            state.runs.append((counts_ms, counts_ms - 2 * BIN_MS))
        self._places[_named(name)] = min(number, PLACES_MAX - 1)
        return min(number, PLACES_MAX - 1)

    def _see(self, place: int, counts_ms: int) -> None:
        state = self._state
        if state.today is None:
            return
        taught = self._taught_today(state.today)
        blocks = bytearray(taught.seen.get(place, bytes(BLOCKS)))
        block = local_ms(counts_ms, state.zone) % DAY_MS // BLOCK_MS
        blocks[block] = min(255, blocks[block] + 1)
        taught.seen[place] = bytes(blocks)

    def _taught_today(self, day: int) -> Learned:
        taught = self._state.taught
        if not taught or taught[-1].day != day:
            taught.append(Learned(day, b"", {}))
        return taught[-1]

    def _commit(self, now: Now, *, due: bool = True) -> None:
        """Keep a silence that no late movement can change any more."""
        state = self._state
        pending = state.pending
        if pending is None or (due and now.heard_ms < pending.end + LATE_MS):
            return
        state.pending = None
        if pending.end - pending.start < GAP_MS or state.today is None or pending.place < 0:
            return
        taught = self._taught_today(state.today)
        rang = pending.rang is not None and pending.rang <= pending.end
        start_ms = local_ms(pending.start_ms, state.zone)
        packed = gap(state.today, start_ms, pending.end - pending.start, pending.place, rang=rang).packed()
        if len(taught.gaps) < GAPS_A_DAY * len(packed):
            taught.gaps += packed

    # What comes out.

    def on_deadline(self, now: Now) -> list[Finding]:
        state = self._state
        if state.just_heard:
            movers = state.movers
            for device, since in movers.items():
                if since == JUST_HEARD:
                    movers[device] = now.heard_ms
            state.just_heard = False
        if state.since is None:
            state.since = now.heard_ms
        if state.due is not None and now.heard_ms < state.due and is_deaf(state.area, now) == state.deaf:
            state.deadline = state.due
            return []
        self._commit(now)
        unticked_ms = now.at_ms - now.heard_ms
        if unticked_ms - state.unticked_ms >= MISSED_MS:
            state.whole_ms = now.at_ms
        state.unticked_ms = unticked_ms
        findings = self._restless(now) if self._learn_day(now) else []
        findings += self._listen(now)
        if state.ceiling_hours is not None and state.heard:
            if (window := window_of(state.away, now)) is not None:
                self._end("away", now)
                self._begin(away_episode(window), now.at_ms)
                state.since = now.heard_ms
            else:
                findings += self._judge(now)
        if state.over is not None:
            findings.append(self._withdrawn(state.over))
            state.over = None
        state.due = state.deadline = self._next(now)
        return findings

    def _judge(self, now: Now) -> list[Finding]:
        state = self._state
        if state.since is None or state.raised is not None:
            return []
        limit_ms = self._limit_ms()
        silent_ms = now.heard_ms - state.since
        if state.frozen is not None:
            if state.unheard and not state.deaf and not state.said and silent_ms >= limit_ms:
                return [self._cannot_hear(now)]
            return []
        if state.asked is None:
            if silent_ms < limit_ms - ASKING_MS:
                return []
            state.asked, state.asked_ms = now.heard_ms, now.at_ms
            return [self._finding(SUSPECTED, SUSPECTED_RULE, limit_ms, now)]
        if now.heard_ms < state.asked + ASKING_MS:
            return []
        state.raised = now.heard_ms
        return [self._finding(INACTIVITY, RULE, limit_ms, now)]

    def _next(self, now: Now) -> int | None:
        state = self._state
        deadline = None
        if state.since is not None and state.ceiling_hours is not None and state.heard and state.raised is None:
            if state.frozen is None:
                limit = state.since + self._limit_ms()
                deadline = limit - ASKING_MS if state.asked is None else state.asked + ASKING_MS
            elif state.unheard and not state.said:
                deadline = state.since + self._limit_ms()
            if any(away.until_ms is None or away.until_ms > now.at_ms for away in state.away):
                deadline = sooner(deadline, now.heard_ms + AWAY_LOOK_MS)
        if not state.unheard:
            deadline = sooner(deadline, self._lost_at())
        if state.pending is not None:
            deadline = sooner(deadline, state.pending.end + LATE_MS)
        if state.today is not None and state.heard:
            turn_ms = day_begins_ms(state.today + 1, state.zone, UPDATE_BEGINS_MS + state.shift_ms)
            deadline = sooner(deadline, now.heard_ms + max(0, turn_ms - now.at_ms))
        return deadline

    # What is usual.

    def _limit_ms(self) -> int:
        state = self._state
        if state.ceiling_hours is None:
            return 0
        if state.limit_ms is None:
            hours = self._limit_hours()
            state.limit_ms = max(int(hours * HOUR_MS), 2 * ASKING_MS)
        return state.limit_ms

    def _limit_hours(self) -> float:
        """Limits are known for the middles of hours: between two they go over from one to the other."""
        state = self._state
        day_ms = local_ms(state.begun_ms, state.zone) - HOUR_MS // 2
        hour, part_ms = divmod(day_ms % DAY_MS, HOUR_MS)
        limits = self._limits((hour, (hour + 1) % HOURS))
        if limits is None:
            return state.ceiling_hours or 0.0
        before, after = limits
        return before + (after - before) * part_ms / HOUR_MS

    def _limits(self, hours: Sequence[int]) -> list[float] | None:
        """The limits of a silence after the last movement, by the hour at which it begins; None: nothing is known."""
        state = self._state
        if state.ceiling_hours is None or state.last is None or state.place < 0:
            return None
        limits = self._silence.limits(state.floor_hours, state.ceiling_hours, hours, self._lively())
        if limits is None or state.place >= len(limits):
            return None
        found: list[float] = limits[state.place].tolist()
        return found

    def _lively(self) -> float:
        """How much was moved in the day before this silence, of what is usual; 1 where not all of it could be heard."""
        state = self._state
        if state.begun_ms - state.whole_ms < DAY_MS:
            return 1.0
        day, part_ms = self._day(state.begun_ms), local_ms(state.begun_ms, state.zone) % DAY_MS
        block, passed_ms = divmod(part_ms, BLOCK_MS)
        row = (block - FIRST_BLOCK) % BLOCKS
        if row == 0 and part_ms < UPDATE_BEGINS_MS + state.shift_ms:
            # The day of learning ends within the block with which it began.
            row, passed_ms = BLOCKS, BLOCK_MS
        moved = 0
        for taught in state.taught:
            for blocks in taught.seen.values():
                if taught.day == day:
                    moved += sum(blocks)
                elif taught.day == day - 1:
                    moved += sum((blocks[FIRST_BLOCK:] + blocks[:FIRST_BLOCK])[row + 1 :])
        return self._silence.lively(moved, block, passed_ms / BLOCK_MS)

    def _begin_hour(self) -> int:
        return local_ms(self._state.begun_ms, self._state.zone) % DAY_MS // HOUR_MS

    def _day(self, at_ms: int) -> int:
        return min(max(0, local_day(at_ms, self._state.zone, UPDATE_BEGINS_MS + self._state.shift_ms)), DAY_MAX)

    def _learn_day(self, now: Now) -> bool:
        """Whether a day of learning is over, and has been learned."""
        state = self._state
        today = self._day(now.at_ms)
        if state.today is None:
            state.today = today
        if today <= state.today:
            return False
        state.today = today
        state.taught = [taught for taught in state.taught if taught.day >= today - DAYS_KEPT]
        self._catch_up()
        return True

    def _catch_up(self) -> None:
        """Learn what the days that are over have taught."""
        state, silence = self._state, self._silence
        for taught in state.taught:
            if state.today is not None and silence.through < taught.day < state.today:
                silence.take(taught.day, taught.gaps, taught.seen.items(), state.places)
                self._unstored = True
        self._set_least()

    def _set_least(self) -> None:
        """What the limit of a silence is takes a millisecond to say: nobody asks before the shortest that there can be,
        and of a home that has come out of a checkpoint nobody asks at all."""
        state = self._state
        least_hours = state.ceiling_hours or 0.0
        if self._silence.is_known:
            least_hours = min(state.floor_hours, least_hours)
        self._least_ms = max(0, int(least_hours * HOUR_MS) - ASKING_MS)

    def routine(self) -> bytes | None:
        if not self._unstored:
            return None
        self._unstored = False
        return self._silence.encode()

    def learn(self, routine: bytes) -> None:
        state, silence = self._state, Silence.decode(routine)
        if not state.places:
            # The state has begun anew: places are numbered on from what is known, or limits would be another room's.
            state.places = list(silence.places)
            state.runs = [(0, -2 * BIN_MS)] * len(silence.places)
            self._places = {place.name: number for number, place in enumerate(state.places)}
        elif state.places[: len(silence.places)] != silence.places[: len(state.places)]:
            raise msgspec.DecodeError("what was learned numbers the home's places otherwise")
        self._silence = silence
        self._unstored = False
        self._catch_up()

    # Whether anybody hears.

    def _lost_at(self) -> int | None:
        """When the last of those that hear movement is lost, if none is heard till then; None: one is never missed."""
        found = None
        for device, since in self._state.movers.items():
            level_ms = self._state.levels.get(device)
            if level_ms is None or since == JUST_HEARD:
                return None
            found = max(found or 0, since + MISSED_HEARTBEATS * level_ms)
        return found

    def _listen(self, now: Now) -> list[Finding]:
        """What nobody heard is no silence: it stands still meanwhile, and what had counted before is kept."""
        state, findings = self._state, []
        lost_at = self._lost_at()
        unheard, deaf = lost_at is not None and lost_at <= now.heard_ms, is_deaf(state.area, now)
        if state.since is None:
            return []
        if (unheard or deaf) and state.frozen is None:
            state.frozen = max(state.since, max(state.movers.values()) if unheard else now.heard_ms)
            if state.asked is not None and state.raised is None:
                self._end("cannot_hear", now)
                state.asked = None
        elif not (unheard or deaf) and state.frozen is not None:
            stood_ms = now.heard_ms - max(state.frozen, state.since)
            state.since, state.begun_ms = state.since + stood_ms, state.begun_ms + stood_ms
            state.broken, state.frozen, state.limit_ms = True, None, None
            if stood_ms >= MISSED_MS:
                state.whole_ms = now.at_ms
            if state.raised is None:
                # Whatever is said of it from now on is news.
                state.episode = f"{self._last()}/heard/{now.heard_ms}"
        if state.said and not unheard:
            findings.append(self._heard_again(now))
            state.said = ""
        state.unheard, state.deaf = unheard, deaf
        return findings

    # What is said.

    def _begin(self, episode: str, at_ms: int) -> None:
        """Silence counts anew, and not from a movement."""
        state = self._state
        state.since, state.since_ms, state.begun_ms, state.last = None, at_ms, at_ms, None
        state.episode, state.place, state.sensor = episode, -1, ""
        state.asked, state.raised, state.limit_ms, state.broken, state.whole_ms = None, None, None, True, at_ms

    def _end(self, reason: Reason, now: Now, movement: Movement | None = None) -> None:
        """What was suspected or raised is over."""
        state = self._state
        said = state.asked if state.raised is None else state.raised
        if said is None:
            return
        rule = SUSPECTED_RULE if state.raised is None else RULE
        state.over = Over(self._last(), rule, reason, said, now.at_ms, movement, state.last)
        state.asked, state.raised = None, None
        state.due = now.heard_ms

    def _last(self) -> str:
        """The episode: the reading after which nothing moved, or what it counts from."""
        state = self._state
        return state.episode or (reading_id(*state.last[2:]) if state.last else "")

    def _finding(self, kind: str, rule: str, limit_ms: int, now: Now) -> Finding:
        state = self._state
        silent_ms = now.heard_ms - (state.since or now.heard_ms)
        evidence: dict[str, Any] = {
            "threshold": round(limit_ms / HOUR_MS, 3),
            "value": round(silent_ms / HOUR_MS, 3),
            "unit": "hours heard without a movement",
            "since_ms": state.since_ms,
            "readings": [reading_id(*state.last[2:])] if state.last else [],
            "counted_from": "a movement" if state.last else self._last(),
            "learned_days": self._silence.days,
        }
        if state.sensor:
            evidence["place"] = state.sensor
        hour = self._begin_hour()
        if (usual := self._silence.usual(hour + 0.5)) is not None:
            evidence["usual"] = usual._asdict() | {"unit": "hours", "hour": hour}
        if (row := self._limits(range(24))) is not None:
            p50 = [known.p50 for known in map(self._silence.usual, (hour + 0.5 for hour in range(24))) if known]
            evidence["band"] = {"hours": p50, "limits": [round(limit, 2) for limit in row]}
            evidence["lively"] = round(self._lively(), 2)
        supports, opposes = self._speaks(now)
        evidence |= {"supports": supports, "opposes": opposes}
        if kind == SUSPECTED:
            evidence["until_ms"] = now.at_ms + ASKING_MS
        return Finding(
            kind=kind,
            rule=rule,
            episode=self._last(),
            evidence=evidence,
            follows=SUSPECTED_RULE if kind == INACTIVITY else None,
        )

    def _speaks(self, now: Now) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """What else the home's sensors say, for and against."""
        state = self._state
        supports: list[dict[str, Any]] = []
        opposes: list[dict[str, Any]] = []
        if state.last is not None and state.door_ms is not None and state.last[0] - state.door_ms <= DOOR_BEFORE_MS:
            opposes.append({"what": "door_before", "at_ms": state.door_ms})
        elif state.last is not None:
            supports.append({"what": "moved_inside_before", "at_ms": state.last[1], "value": state.sensor})
        if state.raised is not None:
            supports.append({"what": "no_answer", "at_ms": state.asked_ms})
        return supports, opposes

    def _withdrawn(self, over: Over) -> Finding:
        return Finding(
            kind=WITHDRAWN,
            rule=WITHDRAWN_RULE,
            episode=over.episode,
            restores=over.rule,
            evidence={
                "reason": over.reason,
                "since_ms": over.at_ms if over.movement is None else over.movement[1],
                "readings": [reading_id(*over.movement[2:])] if over.movement else [],
            },
        )

    def _cannot_hear(self, now: Now) -> Finding:
        state = self._state
        unheard = state.frozen or now.heard_ms
        state.said = f"{self._last()}/unheard/{unheard}"
        return Finding(
            kind=CANNOT_HEAR,
            rule=CANNOT_HEAR,
            episode=state.said,
            evidence={
                "threshold": max(state.levels[device] for device in state.movers) * MISSED_HEARTBEATS / 1000,
                "value": (now.heard_ms - unheard) / 1000,
                "unit": "seconds heard without a sign of whatever hears movement",
                "since_ms": now.at_ms - (now.heard_ms - unheard),
                "readings": [reading_id(*state.last[2:])] if state.last else [],
                "devices": sorted(state.movers),
            },
        )

    def _heard_again(self, now: Now) -> Finding:
        return Finding(
            kind=HEARING_RESTORED,
            rule=HEARING_RESTORED,
            episode=self._state.said,
            restores=CANNOT_HEAR,
            evidence={"since_ms": now.at_ms, "readings": []},
        )

    def _restless(self, now: Now) -> list[Finding]:
        """Where something moves all the time, nobody's silence is ever noticed; that must be said."""
        state, silence = self._state, self._silence
        restless = silence.days >= RESTLESS_DAYS and silence.longest_hours < RESTLESS_HOURS
        if restless and not state.restless and state.ceiling_hours is not None:
            state.restless = f"{self._last()}/restless/{state.today}"
            return [
                Finding(
                    kind=CANNOT_HEAR,
                    rule=NEVER_SILENT,
                    episode=state.restless,
                    evidence={
                        "threshold": RESTLESS_HOURS,
                        "value": round(silence.longest_hours, 1),
                        "unit": "hours of the longest silence in a week",
                        "since_ms": now.at_ms - RESTLESS_DAYS * DAY_MS,
                        "readings": [reading_id(*state.last[2:])] if state.last else [],
                    },
                )
            ]
        if state.restless and not restless:
            episode, state.restless = state.restless, ""
            evidence = {"since_ms": now.at_ms, "readings": []}
            return [Finding(HEARING_RESTORED, SILENT_AGAIN, episode, evidence, restores=NEVER_SILENT)]
        return []

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(self._state)

    @classmethod
    def restore(cls, state: bytes) -> Self:
        return cls(msgspec.msgpack.decode(state, type=State))


def _counts_ms(heard: Heard, now: Now) -> int:
    """When a movement counts as made: by the device's time, within the limits that lateness has."""
    at_ms, received_ms = heard.at_ms, heard.received_ms
    if received_ms < now.at_ms:
        received_ms = now.at_ms
    if at_ms >= received_ms or heard.clock == ABSURD:
        return received_ms
    earliest_ms = received_ms - LATE_MS
    return at_ms if at_ms > earliest_ms else earliest_ms


def _named(name: str) -> int:
    return crc32(name.encode())
