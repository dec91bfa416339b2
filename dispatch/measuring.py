"""What the response counts and measures: how soon people were there, how sends end, and what is open now."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from prometheus_client.registry import Collector

from dispatch.channels import CHANNELS
from dispatch.incident import Incident, State
from pingan import metrics
from pingan.clock import Clock
from pingan.database import LOST, Database, Queries

log = logging.getLogger(__name__)
sql = Queries(__file__, "measuring.sql")

LOOK_SECONDS = 2.0
DEVICES_SECONDS = 60.0
"""How each of 5,000 devices is costs the database 0.4 s, after years of alarms; nobody's life hangs on that minute."""
PATIENCE_SECONDS = 5.0
OVERDUE_SECONDS = 1.0
CONSOLE_SECONDS = 15
"""A page says every five seconds that it is there."""

UNSEEN_SECONDS = 10
"""A screen has so long to show a call for help: as long as the policies that are shipped wait for it."""

BETWEEN = (
    (metrics.SHOWN_SECONDS, "t1", "t2"),
    (metrics.ANSWER_SECONDS, "t1", "t3"),
    (metrics.PRESS_TO_ANSWER_SECONDS, "t0", "t3"),
    (metrics.DISPATCH_SECONDS, "t3", "t5"),
    (metrics.ARRIVAL_SECONDS, "t5", "t7"),
)
"""Each is observed once: when the second of its two stamps is first set."""

OPEN = tuple(state.value for state in State if state is not State.CLOSED)
LOOKED_AT = (
    metrics.INCIDENTS,
    metrics.UNANSWERED_SECONDS,
    metrics.ALARMS_WAITING,
    metrics.CONSOLES,
    metrics.CALLS_UNSEEN,
    metrics.SENDS_OVERDUE,
    metrics.SENDS_WAITING,
    metrics.SENDS_WAITING_SECONDS,
    metrics.DEADLINES_OVERDUE,
)
DEVICE_STATES = ("silent", "faulty", "low_battery", "never_heard", "unbound", "disabled", "well")
DEVICES_LOOKED_AT = (metrics.DEVICES, metrics.DEVICES_UNADOPTED)


def show() -> None:
    """Whoever acts at a desk shows what comes of it, from the beginning: a level is counted from nought."""
    for histogram, _, _ in BETWEEN:
        metrics.show(histogram)
    metrics.show(metrics.CLOSED)
    metrics.show(metrics.SENDS)


def happened(before: Incident, after: Incident) -> None:
    """An act has been committed. Only dangers are timed, and no tests: nobody waits at a flat battery's other end."""
    if "t9" in after.stamps and "t9" not in before.stamps and after.closing is not None:
        metrics.CLOSED.labels(after.closing.cause, after.closing.outcome).inc()
    if not after.danger or after.test:
        return
    for histogram, first, second in BETWEEN:
        pair = {first, second}
        if pair <= after.stamps.keys() and not pair <= before.stamps.keys():
            # A helper may accept before anybody answers, and a device's clock may be ahead: that took no time.
            histogram.observe(max(0.0, (after.stamps[second] - after.stamps[first]).total_seconds()))


def ended(channel: str, state: str) -> None:
    """A call or message has come to an end, and nothing follows from it any more."""
    metrics.SENDS.labels(metrics.bounded(channel, CHANNELS), state).inc()


async def keep_looking(database: Database, clock: Clock) -> None:
    """Look every two seconds at what is open, until cancelled. While the database is away nothing of it is shown."""
    await _keep(lambda: look(database, clock), LOOK_SECONDS, LOOKED_AT)


async def keep_looking_at_devices(database: Database) -> None:
    """Look every minute at how the devices are, until cancelled. It waits for nobody who looks at what is open."""
    await _keep(lambda: look_at_devices(database), DEVICES_SECONDS, DEVICES_LOOKED_AT)


async def _keep(one_look: Callable[[], Awaitable[None]], seconds: float, gauges: Sequence[Collector]) -> None:
    while True:
        wait = seconds
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await one_look()
        except (*LOST, TimeoutError) as error:
            metrics.hide(*gauges)
            wait = LOOK_SECONDS  # it is shown again as soon as it can be known
            log.debug("nobody knows how it is: %s", error)
        await asyncio.sleep(wait)


async def look_at_devices(database: Database) -> None:
    """One look at how the devices are. Raises one of LOST."""
    async with database.connection() as connection:
        row = await (await connection.execute(sql.look_at_devices)).fetchone()
    assert row is not None
    for state in DEVICE_STATES:
        metrics.DEVICES.labels(state).set(row["states"].get(state, 0))
    metrics.DEVICES_UNADOPTED.set(row["unadopted"])
    for gauge in DEVICES_LOOKED_AT:
        metrics.show(gauge)


async def look(database: Database, clock: Clock) -> None:
    """One look. Raises one of LOST."""
    now = clock.now()
    parameters = {
        "now": now,
        "overdue": now - timedelta(seconds=OVERDUE_SECONDS),
        "there": now - timedelta(seconds=CONSOLE_SECONDS),
        "unseen": now - timedelta(seconds=UNSEEN_SECONDS),
    }
    async with database.connection() as connection:
        row = await (await connection.execute(sql.look, parameters)).fetchone()
    assert row is not None
    counts = {(state, danger): count for state, danger, count in row["incidents"]}
    # Every pair each time: one that is no longer there says 0.
    for state in OPEN:
        for danger in (True, False):
            count = counts.get((state, danger), 0)
            metrics.INCIDENTS.labels(state, str(danger).lower()).set(count)
    metrics.UNANSWERED_SECONDS.set(max(0.0, row["unanswered_seconds"] or 0.0))
    metrics.ALARMS_WAITING.set(row["alarms_waiting"])
    metrics.CONSOLES.set(row["consoles"])
    metrics.CALLS_UNSEEN.set(row["calls_unseen"])
    metrics.SENDS_OVERDUE.set(row["sends_overdue"])
    for channel in CHANNELS:
        waiting, seconds = row["lines"].get(channel, (0, 0.0))
        metrics.SENDS_WAITING.labels(channel).set(waiting)
        metrics.SENDS_WAITING_SECONDS.labels(channel).set(max(0.0, seconds))
    metrics.DEADLINES_OVERDUE.set(row["deadlines_overdue"])
    for gauge in LOOKED_AT:
        metrics.show(gauge)
