"""What was refused, or taken with a remark: counted all of it, kept some of it, in one transaction now and then.

It has its own task: a flood of rubbish must not hold up the append of what is good.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ingest.codecs import REASONS
from pingan import metrics
from pingan.clock import Clock
from pingan.database import LOST, Database, Queries

sql = Queries(__file__, "ingest.sql")

SAMPLE_BYTES = 4096
SAMPLES_A_MINUTE = 5
"""For each reason: the first of them show the mistake, the rest only its size, which is counted."""
DETAIL_CHARACTERS = 500
FLUSH_SECONDS = 0.2


class Rejections:
    def __init__(self, database: Database, clock: Clock, lane: str) -> None:
        self._database, self._clock, self._lane = database, clock, lane
        metrics.show(metrics.REJECTED)
        self._counts: Counter[str] = Counter()
        self._samples: list[dict[str, Any]] = []
        self._then: list[Callable[[], None]] = []
        self._minute: datetime | None = None
        self._sampled: Counter[str] = Counter()
        self._some = asyncio.Event()
        self.total: Counter[str] = Counter()

    def __len__(self) -> int:
        """How many wait to be recorded."""
        return self._counts.total()

    def add(
        self,
        reason: str,
        detail: str,
        *,
        topic: str,
        device: str | None,
        payload: bytes,
        then: Callable[[], None] | None = None,
    ) -> None:
        """Record it soon, and then call `then`."""
        self._counts[reason] += 1
        self.total[reason] += 1
        if then is not None:
            self._then.append(then)
        now = self._clock.now()
        if self._minute != (minute := now.replace(second=0, microsecond=0)):
            self._minute = minute
            self._sampled.clear()
        if self._sampled[reason] < SAMPLES_A_MINUTE:
            self._sampled[reason] += 1
            self._samples.append(
                {
                    "received_at": now,
                    "device": device,
                    "topic": topic,
                    "reason": reason,
                    "detail": detail[:DETAIL_CHARACTERS],
                    "payload": payload[:SAMPLE_BYTES],
                    "payload_bytes": len(payload),
                }
            )
        self._some.set()

    async def run(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            counts, self._counts = self._counts, Counter()
            samples, self._samples = self._samples, []
            then, self._then = self._then, []
            for reason, count in counts.items():
                metrics.REJECTED.labels(self._lane, metrics.bounded(reason, REASONS)).inc(count)
            await self._record(counts, samples)
            for act in then:
                act()
            await asyncio.sleep(FLUSH_SECONDS)

    async def _record(self, counts: Counter[str], samples: list[dict[str, Any]]) -> None:
        parameters = {"day": self._clock.now().date(), "reasons": list(counts), "counts": list(counts.values())}
        while True:
            try:
                async with self._database.transaction() as connection:
                    await connection.execute(sql.count_rejected, parameters)
                    if samples:
                        await connection.cursor().executemany(sql.keep_rejected, samples)
                return
            except LOST:
                await asyncio.sleep(0.3)
