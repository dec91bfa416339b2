"""A fall, from what somebody wears. PURE.

A hard moment is a candidate. The first look, 0.7 s later, may suspect a fall and have the resident asked. The second,
at the 4 s that follow, rings or withdraws the suspicion. Once it has rung, getting up and walking is told, and closes
nothing. What the home's other sensors say, and a device that decides by itself, make it a little likelier or less.

What is said in the end depends on what was heard, not on the order: bursts, movements and reports that come up to ten
minutes late are judged as if they had come in time, and what they contradict is withdrawn with its reason.
"""

import zlib
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import msgspec
import numpy as np

from alerting.detectors import Finding, Heard, Now, reading_id, sooner
from alerting.falls import features, signal, told
from alerting.falls.candidates import ALONE, CANDIDATE_G, candidates
from alerting.falls.features import AFTER, BEFORE, FIRST_LOOK
from alerting.falls.model import FIRST, SECOND, Model, Thresholds
from alerting.falls.shipped import MODEL
from alerting.falls.signal import COUNTS_PER_G, SLOT_MS, SLOTS_PER_SECOND, STUCK_SENSOR, Unusable
from alerting.falls.stream import BLOCK, Chunk, Stream
from alerting.falls.told import Said
from pingan.messages import ANSWERS, WITHDRAWN, HomeSettings, Reading

ACCEL = "accel"
FALL = "fall"
FALL_SUSPECTED = "fall_suspected"
FALL_AFTER_ALL = "fall_after_all"
"""The rule of a fall that was withdrawn, and is one again after something late: it rings under an id of its own."""
MOVEMENTS = frozenset({"motion", "occupancy", "door", "contact", "bed", "vibration"})
KINDS = MOVEMENTS | ANSWERS | {ACCEL, FALL}

ANSWERED = "answered"
GOT_UP = "got_up"
ROOM_MOVEMENT = "room_movement"
CANNOT_HEAR = "cannot_hear"
LATE_READING = "late_reading"
MOVED_ON = "moved_on"
REASONS = frozenset({ANSWERED, GOT_UP, ROOM_MOVEMENT, STUCK_SENSOR, CANNOT_HEAR, LATE_READING, MOVED_ON})
"""Why a suspicion or an alarm is withdrawn."""

LATE_MS = 600_000
WAIT_MS = 12_000
"""So long (heard) the rest of an aftermath is waited for, then it is judged by what there is. Chosen: a burst that is
sent a second time comes within it, and a fall is still confirmed or withdrawn in half a minute."""
ASKED_MS = 30_000
"""At the latest so long after the impact a suspicion is over."""
ALONE_SLOTS = SLOTS_PER_SECOND
"""Of the aftermath must be heard for the second look to mean anything."""
WALKED_BLOCKS = 3
"""So many blocks of 4 s of walking are getting up. Chosen: whoever cannot rise may still crawl with a rhythm."""
SATURATED = 0.98
"""Of its range: a peak beyond it was perhaps harder."""
STREAMS_MAX = 4
CANDIDATES_MAX = 24
MOMENTS_MAX = 120
CLOCK_AHEAD_MS = LATE_MS

ZLIB = b"\x78"
"""What compressed bytes begin with, and no packed state does."""

NONE, SUSPECTED, CLEARED, RANG, TAKEN_BACK, RANG_AGAIN = range(6)
"""How far a candidate has come, as others were told."""


class Candidate(msgspec.Struct, array_like=True):
    slot: int
    boot: str
    seq: int
    range_g: float
    position: str
    opened: int
    """heard_ms when it was found."""
    first: float | None = None
    """The model's score at the first look."""
    score: float | None = None
    """The score that counts in the end; None until the aftermath was heard, or waited for."""
    alone: bool = False
    """That of the first look is all there is."""
    whole: bool = False
    """Nothing of its window is missing: no burst can change it any more."""
    waits: int | None = None
    """heard_ms from which the rest is waited for; None until the tick after it was found."""
    stage: int = NONE

    @property
    def impact_ms(self) -> int:
        return self.slot * SLOT_MS


class Worn(msgspec.Struct, array_like=True):
    """One sensor that somebody wears."""

    stream: Stream = msgspec.field(default_factory=Stream)
    candidates: list[Candidate] = []
    unusable: dict[str, int] = {}
    """Bursts that said nothing, by reason."""


class State(msgspec.Struct, array_like=True):
    worn: dict[str, Worn] = {}
    moved: list[int] = []
    """Seconds in which something else of the home heard a movement, of the last ten minutes."""
    moved_first_ms: int | None = None
    """The first movement ever: since then the home has a sensor that hears one."""
    reported: list[int] = []
    """When devices that decide by themselves reported a fall."""
    answered: list[int] = []


class Fall:
    """One home's falls."""

    name: ClassVar[str] = "fall"
    version: ClassVar[int] = 1
    kinds: ClassVar[frozenset[str] | None] = KINDS
    model: ClassVar[Model] = MODEL

    def __init__(self, state: State | None = None) -> None:
        self._state = state or State()
        self._deadline: int | None = None
        self._look()

    @property
    def deadline(self) -> int | None:
        return self._deadline

    def on_settings(self, settings: HomeSettings, now: Now) -> None:
        """Whose sensor is no longer the home's tells nothing of it."""
        mine = {device.id for device in settings.devices}
        self._state.worn = {device: worn for device, worn in self._state.worn.items() if device in mine}
        self._look()

    def on_reading(self, heard: Heard, now: Now) -> list[Finding]:
        if heard.kind not in KINDS:
            return []
        if heard.kind == ACCEL and isinstance(heard, Reading):
            return list(self._burst(heard, now))
        if not self._state.worn:
            if heard.kind in MOVEMENTS and self._state.moved_first_ms is None and _moves(heard):
                self._state.moved_first_ms = heard.at_ms
            return []
        if not self._note(heard):
            return []
        found = [finding for device, worn in self._state.worn.items() for finding in self._told(device, worn)]
        self._look()
        return found

    def _note(self, heard: Heard) -> bool:
        """Keep what was said, if it may matter to a candidate; whether it is anything new."""
        state, at_ms = self._state, heard.at_ms
        if heard.kind in MOVEMENTS:
            if not _moves(heard) or heard.device in state.worn:
                return False
            if state.moved_first_ms is None or at_ms < state.moved_first_ms:
                state.moved_first_ms = at_ms
            return _remember(state.moved, at_ms // 1000, LATE_MS // 1000)
        if heard.kind in ANSWERS:
            return _remember(state.answered, at_ms, 2 * LATE_MS)
        # A test is no fall.
        return not getattr(heard, "test", False) and _remember(state.reported, at_ms, 2 * LATE_MS)

    def _burst(self, reading: Reading, now: Now) -> Iterator[Finding]:
        worn = self._state.worn.get(reading.device)
        if worn is None:
            if len(self._state.worn) >= STREAMS_MAX:
                return
            worn = self._state.worn[reading.device] = Worn()
        try:
            burst = signal.decode(reading.value)
        except Unusable as unusable:
            worn.unusable[unusable.reason] = worn.unusable.get(unusable.reason, 0) + 1
            return
        if burst.stuck:
            worn.unusable[STUCK_SENSOR] = worn.unusable.get(STUCK_SENSOR, 0) + 1
        at_ms = reading.at_ms
        if at_ms > reading.received_ms + CLOCK_AHEAD_MS:
            # Such a clock would make everything that comes after it is set right look too old.
            at_ms = reading.received_ms - int(1000 * len(burst.g) / burst.rate_hz)
        slots = signal.slots(burst, at_ms)
        if slots is None:
            return
        stream, before = worn.stream, worn.stream.end
        chunk = stream.add(slots, reading.boot, reading.seq, burst.stuck)
        if chunk is None:
            return
        yield from self._find(reading.device, worn, chunk, burst, before, now)
        stream.walk(chunk)
        yield from self._told(reading.device, worn)
        stream.forget()
        self._tidy(worn, now)
        self._look()

    def _find(
        self, device: str, worn: Worn, chunk: Chunk, burst: signal.Burst, before: int, now: Now
    ) -> Iterator[Finding]:
        """Open the candidates that `chunk` brings or makes whole, and end those than which it is harder."""
        stream = worn.stream
        late = chunk.first < before - SLOTS_PER_SECOND
        hard = bool(chunk.peaks) and int(signal.peaks_of(chunk.peaks).max()) >= CANDIDATE_G * COUNTS_PER_G
        if not hard and not late:
            return
        # A late burst may belong to what was judged without it.
        first, end = (chunk.first - AFTER, chunk.end + BEFORE) if late else (chunk.first - ALONE, chunk.end)
        line = stream.line(first - ALONE, end + ALONE)
        found = {place + first - ALONE for place in candidates(line.peaks)}
        for known in list(worn.candidates):
            if first <= known.slot < end and known.slot not in found:
                worn.candidates.remove(known)
                yield from self._end(device, worn, known, LATE_READING)
        known_slots = {known.slot for known in worn.candidates}
        for slot in sorted(found - known_slots):
            holder = stream.at(slot) if first <= slot < end else None
            if holder is not None:
                worn.candidates.append(
                    Candidate(slot, holder.boot, holder.seq, burst.range_g, burst.position, now.heard_ms)
                )
        worn.candidates.sort(key=lambda one: one.slot)
        for known in worn.candidates:
            if known.score is not None and not known.whole and first <= known.slot < end:
                self._judge(worn, known)

    def _told(self, device: str, worn: Worn) -> Iterator[Finding]:
        """Take each candidate as far as it can be taken now, and say what changed."""
        for candidate in worn.candidates:
            end = worn.stream.end
            if candidate.first is None and end > candidate.slot + FIRST_LOOK:
                table = features.table(worn.stream.window(candidate.slot), aftermath=False)
                candidate.first = self._score(candidate, FIRST, table)
            if (
                candidate.score is None
                and end > candidate.slot + AFTER
                and worn.stream.covered(candidate.slot, candidate.slot + AFTER + 1)
            ):
                self._judge(worn, candidate)
            yield from self._say(device, worn, candidate)

    def _judge(self, worn: Worn, candidate: Candidate) -> None:
        """The second look; the first, where nothing came after it."""
        slot, stream = candidate.slot, worn.stream
        after = stream.line(slot + FIRST_LOOK, slot + AFTER + 1).peaks
        candidate.alone = int(np.isfinite(after).sum()) < ALONE_SLOTS
        table = features.table(stream.window(slot), aftermath=True)
        candidate.first = self._score(candidate, FIRST, table[:, : features.FIRST_COUNT])
        candidate.score = candidate.first if candidate.alone else self._score(candidate, SECOND, table)
        candidate.whole = stream.covered(slot - BEFORE, slot + AFTER + 1)

    def _score(self, candidate: Candidate, look: str, table: features.Floats) -> float:
        return round(float(self.model.score(candidate.position, look, table, candidate.range_g)[0]), 4)

    def _thresholds(self, candidate: Candidate) -> Thresholds:
        return self.model.thresholds(candidate.position, candidate.range_g)

    def _threshold(self, candidate: Candidate) -> float:
        thresholds = self._thresholds(candidate)
        return thresholds.alone if candidate.alone else thresholds.ring

    def _say(self, device: str, worn: Worn, candidate: Candidate) -> Iterator[Finding]:
        stage, impact_ms = candidate.stage, candidate.impact_ms
        answered = any(impact_ms <= at_ms <= impact_ms + LATE_MS for at_ms in self._state.answered)
        if candidate.score is None:
            if stage == SUSPECTED and answered:
                yield from self._end(device, worn, candidate, ANSWERED)
            elif (
                stage == NONE
                and not answered
                and candidate.first is not None
                and candidate.first >= self._thresholds(candidate).suspect
            ):
                candidate.stage = SUSPECTED
                yield self._finding(device, worn, candidate, FALL_SUSPECTED, FALL_SUSPECTED)
            return
        said = self._said(candidate)
        threshold = self._threshold(candidate)
        falls = told.fused(candidate.score, said) >= threshold
        if falls and not answered and not self._got_up(worn, candidate):
            if stage in (NONE, SUSPECTED, CLEARED):
                candidate.stage = RANG
                follows = FALL_SUSPECTED if stage == SUSPECTED else None
                yield self._finding(device, worn, candidate, FALL, FALL, follows=follows)
            elif stage == TAKEN_BACK:
                candidate.stage = RANG_AGAIN
                yield self._finding(device, worn, candidate, FALL, FALL_AFTER_ALL)
        elif stage in (SUSPECTED, RANG, RANG_AGAIN):
            yield from self._end(device, worn, candidate, self._reason(worn, candidate, answered, falls, threshold))

    def _reason(self, worn: Worn, candidate: Candidate, answered: bool, falls: bool, threshold: float) -> str:
        score = candidate.score or 0.0
        if answered:
            return ANSWERED
        if falls:
            return GOT_UP
        if score >= threshold:
            return ROOM_MOVEMENT
        if worn.stream.stuck(candidate.slot, candidate.slot + AFTER):
            return STUCK_SENSOR
        if candidate.alone:
            return CANNOT_HEAR
        return MOVED_ON if candidate.stage == SUSPECTED else LATE_READING

    def _got_up(self, worn: Worn, candidate: Candidate) -> bool:
        first, last = (candidate.slot + AFTER) // BLOCK + 1, (candidate.slot + LATE_MS // SLOT_MS) // BLOCK
        return worn.stream.walked_blocks(first, last) >= WALKED_BLOCKS

    def _said(self, candidate: Candidate) -> Said:
        state, impact_ms = self._state, candidate.impact_ms
        first, last = (impact_ms + after_ms for after_ms in told.ROOM_AFTER_MS)
        return Said(
            tuple(second * 1000 for second in state.moved if first <= second * 1000 <= last),
            state.moved_first_ms is not None and state.moved_first_ms < impact_ms,
            tuple(at_ms for at_ms in state.reported if abs(at_ms - impact_ms) <= told.REPORT_WITHIN_MS),
        )

    def _end(self, device: str, worn: Worn, candidate: Candidate, reason: str) -> Iterator[Finding]:
        """Withdraw whatever was said of a candidate."""
        restores = {SUSPECTED: FALL_SUSPECTED, RANG: FALL, RANG_AGAIN: FALL_AFTER_ALL}.get(candidate.stage)
        if restores is None:
            return
        candidate.stage = CLEARED if restores == FALL_SUSPECTED else TAKEN_BACK
        rule = f"{restores}:{WITHDRAWN}"
        yield self._finding(device, worn, candidate, WITHDRAWN, rule, restores=restores, reason=reason)

    def _finding(
        self,
        device: str,
        worn: Worn,
        candidate: Candidate,
        kind: str,
        rule: str,
        *,
        follows: str | None = None,
        restores: str | None = None,
        reason: str | None = None,
    ) -> Finding:
        said = self._said(candidate)
        slot, after = candidate.slot, candidate.score is not None and not candidate.alone
        score = candidate.score if candidate.score is not None else candidate.first or 0.0
        confidence = round(told.fused(score, said), 4)
        suspicion = kind == FALL_SUSPECTED
        threshold = self._thresholds(candidate).suspect if suspicion else self._threshold(candidate)
        evidence: dict[str, Any] = {
            "threshold": threshold,
            "value": confidence,
            "unit": "score of the fall model, 0 to 1",
            "since_ms": candidate.impact_ms,
            "readings": worn.stream.readings(device, slot - BEFORE, slot + AFTER + 1),
            "confidence": confidence,
            "looks": {"first": candidate.first, "second": candidate.score if after else None},
            **told.looks(worn.stream, slot, said, after),
        }
        if kind in (FALL, FALL_SUSPECTED):
            evidence["saturated"] = evidence["peak_g"] >= SATURATED * candidate.range_g
            evidence["trace"] = told.trace(worn.stream, slot, candidate.range_g, candidate.position)
        if suspicion:
            evidence["until_ms"] = candidate.impact_ms + ASKED_MS
        if reason is not None:
            evidence["reason"] = reason
        if worn.unusable:
            evidence["unusable"] = dict(worn.unusable)
        return Finding(
            kind=kind,
            rule=rule,
            episode=reading_id(device, candidate.boot, candidate.seq),
            device=device,
            evidence=evidence,
            restores=restores,
            follows=follows,
        )

    def on_deadline(self, now: Now) -> list[Finding]:
        """Judge what has waited long enough by what there is."""
        found: list[Finding] = []
        for device, worn in self._state.worn.items():
            for candidate in worn.candidates:
                if candidate.score is None:
                    if candidate.waits is None:
                        candidate.waits = now.heard_ms
                    elif now.heard_ms - candidate.waits >= WAIT_MS:
                        self._judge(worn, candidate)
                        found += self._say(device, worn, candidate)
            self._tidy(worn, now)
        self._look()
        return found

    def _tidy(self, worn: Worn, now: Now) -> None:
        """Keep the candidates of which something may still be said."""
        kept = []
        for one in worn.candidates:
            if one.score is not None:
                open_stage = one.stage in (SUSPECTED, RANG, RANG_AGAIN)
                could_rise = told.fused(one.score, Said(reported_ms=(0,), room_known=True)) >= self._threshold(one)
                too_old = now.heard_ms - one.opened > 2 * LATE_MS
                if too_old or not (open_stage or could_rise or one.stage != NONE):
                    continue
            kept.append(one)
        # Of too many those that nobody was told of go first.
        while len(kept) > CANDIDATES_MAX:
            kept.remove(min(kept, key=lambda one: (one.stage != NONE, one.slot)))
        worn.candidates = kept

    def _look(self) -> None:
        self._deadline = None
        for worn in self._state.worn.values():
            for candidate in worn.candidates:
                if candidate.score is not None:
                    due = candidate.opened + 2 * LATE_MS + 1
                elif candidate.waits is None:
                    due = candidate.opened
                else:
                    due = candidate.waits + WAIT_MS
                self._deadline = sooner(self._deadline, due)

    def snapshot(self) -> bytes:
        packed = msgspec.msgpack.encode(self._state)
        # Only what somebody wears makes it large, and a sensor at rest says nearly the same each time.
        return zlib.compress(packed, 1) if self._state.worn else packed

    @classmethod
    def restore(cls, state: bytes) -> Self:
        if state[:1] == ZLIB:
            try:
                state = zlib.decompress(state)
            except zlib.error as error:
                raise msgspec.DecodeError(str(error)) from error
        return cls(msgspec.msgpack.decode(state, type=State))


def with_model(model: Model) -> type[Fall]:
    """The detector with another model: to measure it, or to run it in shadow."""

    class WithModel(Fall):
        pass

    WithModel.model = model
    return WithModel


def _moves(heard: Heard) -> bool:
    return bool(getattr(heard, "value", True))


def _remember(moments: list[int], moment: int, span: int) -> bool:
    """Keep a moment among those of the last `span`; False if it is known or too old."""
    if moment in moments or (moments and moment < moments[-1] - span):
        return False
    moments.append(moment)
    moments.sort()
    while moments[0] < moments[-1] - span or len(moments) > MOMENTS_MAX:
        del moments[0]
    return True
