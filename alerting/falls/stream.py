"""What one sensor's bursts add up to, in the device's own time, whatever the order in which they came. PURE.

Bursts in order need only the last seconds. What stands beside a hole is kept until the hole is filled or is too old to
be filled, so that a late burst finds its neighbours.
"""

from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from alerting.detectors import reading_id
from alerting.falls.features import AFTER, BEFORE, LENGTH, Windows
from alerting.falls.signal import COUNTS_PER_G, SLOTS_PER_SECOND, Slots

Floats = NDArray[np.float64]

LATE_SLOTS = 600 * SLOTS_PER_SECOND
"""Bursts may come so late: ten minutes."""
KEPT_SLOTS = BEFORE + AFTER + 50
"""Of what was heard last: a window, and a burst or two."""
REACH = BEFORE + AFTER + 1
"""So far from a hole a late burst can change what is seen."""
SLOTS_MAX = 64 * SLOTS_PER_SECOND
"""Kept at most, however many holes there are; the oldest go first."""
SPANS_MAX = 32
BLOCK = 4 * SLOTS_PER_SECOND
"""Walking is looked for in blocks of 4 s."""
BLOCKS_KEPT = LATE_SLOTS // BLOCK * 2
WORD = 60
STEP_LAGS = range(8, 32)
"""Slots between two steps, or from one step to the next of the same foot: 0.32 to 1.24 s."""
STEP_RHYTHM = 0.4
STEP_DEVIATION_G = (0.05, 0.7)
STEP_SIZE_G = (0.7, 1.5)


class Chunk(msgspec.Struct, array_like=True):
    """A burst at the inner rate."""

    first: int
    count: int
    boot: str
    seq: int
    vectors: bytes
    """Little-endian int16; empty: the sensor was stuck, so that nothing is known of these slots."""
    peaks: bytes

    @property
    def end(self) -> int:
        return self.first + self.count

    @property
    def order(self) -> tuple[int, str, int]:
        return self.first, self.boot, self.seq


class Line(NamedTuple):
    """A stretch of a stream; what is not known is NaN."""

    vectors: Floats
    peaks: Floats


class Stream(msgspec.Struct, array_like=True):
    chunks: list[Chunk] = []
    """In the order of time."""
    spans: list[tuple[int, int]] = []
    """What was heard in the last ten minutes, from slot to slot, whether or not it is still kept."""
    walked: dict[int, int] = {}
    """Blocks in which the person walked: a bit each, by words of `WORD` blocks."""

    @property
    def end(self) -> int:
        return self.spans[-1][1] if self.spans else 0

    def add(self, slots: Slots, boot: str, seq: int, stuck: bool) -> Chunk | None:
        """Take a burst in; None if it is too old to matter."""
        count = len(slots.peaks)
        if slots.first + count < self.end - LATE_SLOTS:
            if self.chunks and boot == self.chunks[-1].boot and seq < self.chunks[-1].seq:
                return None
            # Younger by its number and much older by its time: the device's clock was put back.
            self.chunks, self.spans, self.walked = [], [], {}
        vectors, peaks = slots.vectors.astype("<i2").tobytes(), slots.peaks.astype("<u2").tobytes()
        chunk = Chunk(slots.first, count, boot, seq, b"" if stuck else vectors, b"" if stuck else peaks)
        self.chunks.append(chunk)
        if len(self.chunks) > 1 and chunk.order < self.chunks[-2].order:
            self.chunks.sort(key=lambda one: one.order)
        self._note(chunk.first, chunk.end)
        return chunk

    def _note(self, first: int, end: int) -> None:
        spans = self.spans
        if spans and spans[-1][0] <= first <= spans[-1][1] + 1:  # one slot may fall between two bursts' edges
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            return
        merged: list[tuple[int, int]] = []
        for span in sorted([*spans, (first, end)]):
            if merged and span[0] <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(span[1], merged[-1][1]))
            else:
                merged.append(span)
        self.spans = merged

    def forget(self) -> None:
        """Let go of what no burst that may still come can make matter again."""
        oldest = self.end - LATE_SLOTS
        if self.spans[0][1] < oldest:
            self.spans = [span for span in self.spans if span[1] >= oldest]
        del self.spans[:-SPANS_MAX]
        recent = self.end - KEPT_SLOTS
        if self.chunks[0].end > recent and len(self.chunks) <= 2 * KEPT_SLOTS // SLOTS_PER_SECOND:
            return
        edges = [edge for span in self.spans for edge in span if oldest <= edge < self.end]
        self.chunks = [
            one
            for one in self.chunks
            if one.end > recent or any(one.first - REACH < edge < one.end + REACH for edge in edges)
        ]
        kept = sum(one.count for one in self.chunks)
        while kept > SLOTS_MAX and len(self.chunks) > 1:
            kept -= self.chunks.pop(0).count
        oldest_word = (self.end // BLOCK - BLOCKS_KEPT) // WORD
        if self.walked and min(self.walked) < oldest_word:
            self.walked = {word: bits for word, bits in self.walked.items() if word >= oldest_word}

    def line(self, first: int, end: int) -> Line:
        """The slots from `first` to before `end`. Of bursts that overlap the later one counts."""
        vectors, peaks = np.full((end - first, 3), np.nan), np.full(end - first, np.nan)
        for one in self.chunks:
            if one.first >= end or one.end <= first or not one.peaks:
                continue
            begin, until = max(first, one.first), min(end, one.end)
            part = slice(begin - one.first, until - one.first)
            vectors[begin - first : until - first] = np.frombuffer(one.vectors, "<i2").reshape(-1, 3)[part]
            peaks[begin - first : until - first] = np.frombuffer(one.peaks, "<u2")[part]
        return Line(_bridged(vectors) / COUNTS_PER_G, _bridged(peaks[:, None])[:, 0] / COUNTS_PER_G)

    def window(self, slot: int) -> Windows:
        """What the features look at, about the candidate at `slot`."""
        line = self.line(slot - BEFORE, slot - BEFORE + LENGTH)
        return Windows(line.vectors[None], line.peaks[None])

    def at(self, slot: int) -> Chunk | None:
        """The burst that holds `slot`."""
        return next((one for one in reversed(self.chunks) if one.first <= slot < one.end and one.peaks), None)

    def readings(self, device: str, first: int, end: int) -> list[str]:
        """The ids of the bursts between two slots."""
        return [reading_id(device, one.boot, one.seq) for one in self.chunks if one.first < end and one.end > first]

    def covered(self, first: int, end: int) -> bool:
        """Whether all from `first` to before `end` was heard."""
        return any(span[0] <= first and end <= span[1] for span in self.spans)

    def stuck(self, first: int, end: int) -> bool:
        """Whether the sensor gave a constant anywhere between."""
        return any(not one.peaks and one.first < end and one.end > first for one in self.chunks)

    def walk(self, chunk: Chunk) -> None:
        """Look at the blocks that `chunk` completes: whether the person walked in them."""
        for block in range(chunk.first // BLOCK, (chunk.end - 1) // BLOCK + 1):
            if self.covered(block * BLOCK, (block + 1) * BLOCK) and _walks(
                self.line(block * BLOCK, (block + 1) * BLOCK)
            ):
                word, bit = divmod(block, WORD)
                self.walked[word] = self.walked.get(word, 0) | 1 << bit

    def walked_blocks(self, first: int, last: int) -> int:
        """In how many of the blocks from `first` to `last` the person walked."""
        return sum(
            bits >> bit & 1
            for word, bits in self.walked.items()
            for bit in range(WORD)
            if first <= word * WORD + bit <= last
        )


def _bridged(values: Floats) -> Floats:
    """A single slot that fell between two bursts is as the one before it."""
    lone = np.isnan(values[1:-1, 0]) & ~np.isnan(values[:-2, 0]) & ~np.isnan(values[2:, 0])
    if lone.any():
        where = np.flatnonzero(lone) + 1
        values[where] = values[where - 1]
    return values


def _walks(line: Line) -> bool:
    """Steps: a rhythm of the magnitude, neither faint nor violent, about 1 g."""
    size = np.sqrt((line.vectors**2).sum(axis=1))
    if np.isnan(size).any():
        return False
    mean, deviation = float(size.mean()), float(size.std())
    if not (STEP_SIZE_G[0] <= mean <= STEP_SIZE_G[1] and STEP_DEVIATION_G[0] <= deviation <= STEP_DEVIATION_G[1]):
        return False
    centred = size - mean
    power = float(centred @ centred)
    best = max(float(centred[lag:] @ centred[:-lag]) * len(size) / (len(size) - lag) for lag in STEP_LAGS)
    return best >= STEP_RHYTHM * power
