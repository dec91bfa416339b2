"""Everything that a process counts and measures for Prometheus, each with its one name. docs/metrics.md explains them.

Names end in their unit. Labels are bounded: kinds, reasons, states and names of ours, never a device, a home or a
person. A process shows only what it has taken with `show`, and what it cannot know at present it hides: a gauge that
nobody looks after would say 0, and one whose source is away would go on saying what was.
"""

from collections.abc import Container
from typing import TypeVar

from prometheus_client import PROCESS_COLLECTOR, CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.registry import Collector

# `…_created` lines are a third more, and Prometheus makes nothing of them.
disable_created_metrics()  # type: ignore[no-untyped-call]

SHOWN = CollectorRegistry()
"""What this process shows. All that there could be is in prometheus_client's own registry, for whoever wants names."""
_shown: set[Collector] = set()

M = TypeVar("M", bound=Collector)


def show(metric: M) -> M:
    """From now on this process shows `metric`. Showing it twice is showing it once. Not for threads."""
    if metric not in _shown:
        _shown.add(metric)
        SHOWN.register(metric)
    return metric


def hide(*metrics: Collector) -> None:
    """What cannot be known at present: a scrape must find nothing rather than what was."""
    for metric in metrics:
        if metric in _shown:
            _shown.remove(metric)
            SHOWN.unregister(metric)


show(PROCESS_COLLECTOR)  # memory, processor time, open files: `process_…`, as every Prometheus client names them

_MS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
_RESPONSE = (5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 180.0, 300.0, 600.0, 1_200.0, 1_800.0, 2_700.0, 3_600.0)
"""Seconds. The levels that we are held to are among them: 15, 20, 60, 180, 1 800, 2 700, 3 600."""

# The line: is every press heard?
RECEIVED = Counter("pingan_received_total", "Messages that came from the broker, or from transmitters.", ["lane"])
REJECTED = Counter("pingan_rejected_total", "Messages refused, or taken with a remark, by reason.", ["lane", "reason"])
ACKNOWLEDGE_SECONDS = Histogram(
    "pingan_acknowledge_seconds", "From the arrival of a message to its acknowledgement.", ["lane"], buckets=_MS
)
APPEND_SECONDS = Histogram("pingan_append_seconds", "One durable append to a log.", ["log"], buckets=_MS)
RECEIVER_CONNECTIONS = Gauge("pingan_receiver_connections", "Alarm transmitters that are connected.")
RECEIVER_ANSWERS = Counter(
    "pingan_receiver_answers_total", "Answers to alarm transmitters, by the protocol's own names.", ["answer", "status"]
)
HEARD = Gauge("pingan_heard", "1 while this process hears the broker as the active bridge of its lane.", ["lane"])
AREAS_DEAF = Gauge("pingan_areas_deaf", "Areas of which next to nothing is heard, though the broker is.")
LAG = Gauge("pingan_lag_entries", "Entries of a log on which a group has not yet acted for good.", ["log", "group"])
TICK_AGE_SECONDS = Gauge(
    "pingan_tick_age_seconds", "How far detection's time is behind, in the partition that is furthest behind."
)
ALARMS = Counter("pingan_alarms_total", "Alarms raised, by kind and where they come from.", ["kind", "source"])
RAISE_SECONDS = Histogram("pingan_raise_seconds", "From the arrival of a reported alarm to its commit.", buckets=_MS)
PARKED = Counter(
    "pingan_parked_total", "Entries set aside because they cannot be acted on, by why.", ["log", "group", "reason"]
)
PARTITIONS = Gauge("pingan_partitions", "Partitions of a log that this process owns in a group.", ["log", "group"])
DEVICES = Gauge("pingan_devices", "Registered devices, each in the worst state that holds.", ["state"])
DEVICES_UNADOPTED = Gauge("pingan_devices_unadopted", "What is heard and bound to no home.")
ARCHIVED = Counter("pingan_archived_rows_total", "Readings stored in the archive.")

# The people: does somebody come?
SHOWN_SECONDS = Histogram(
    "pingan_shown_seconds", "t2−t1: from durable to drawn on a visible, sounding console.", buckets=(*_MS, 30.0, 60.0)
)
ANSWER_SECONDS = Histogram("pingan_answer_seconds", "t3−t1: from durable to a human's answer.", buckets=_RESPONSE)
PRESS_TO_ANSWER_SECONDS = Histogram(
    "pingan_press_to_answer_seconds", "t3−t0: from the press or detection to a human's answer.", buckets=_RESPONSE
)
DISPATCH_SECONDS = Histogram(
    "pingan_dispatch_seconds", "t5−t3: from the answer to the first helper.", buckets=_RESPONSE
)
ARRIVAL_SECONDS = Histogram("pingan_arrival_seconds", "t7−t5: from the first helper to the door.", buckets=_RESPONSE)
CLOSED = Counter("pingan_closed_total", "Incidents closed.", ["cause", "outcome"])
INCIDENTS = Gauge("pingan_incidents", "Open incidents.", ["state", "danger"])
UNANSWERED_SECONDS = Gauge(
    "pingan_unanswered_seconds", "For how long the danger that has waited longest has had no human; 0: none waits."
)
ALARMS_WAITING = Gauge("pingan_alarms_waiting", "Alarms that are not on an incident yet.")
CONSOLES = Gauge("pingan_consoles", "Console pages that are visible and can sound.")
CALLS_UNSEEN = Gauge(
    "pingan_calls_unseen", "Open calls for help that nobody at the desk has answered and no screen has shown in 10 s."
)
SENDS = Counter("pingan_sends_total", "Calls and messages that have come to an end, by how.", ["channel", "result"])
SEND_LATE_SECONDS = Histogram(
    "pingan_send_late_seconds", "How long after it was due a call or message was begun.", ["channel"], buckets=_MS
)
WEBHOOKS_REFUSED = Counter(
    "pingan_webhooks_refused_total", "What claimed to come from the telephone provider and was refused.", ["reason"]
)
LINKS_REFUSED = Counter(
    "pingan_links_refused_total", "Links to a helper's page or a hand-over packet that were refused.", ["reason"]
)
SENDS_OVERDUE = Gauge("pingan_sends_overdue", "Calls and messages that are due for over a second and have not begun.")
PROVIDER_DOWN = Gauge(
    "pingan_provider_down", "1 while nobody can be reached through this provider.", ["channel", "provider"]
)
SENDS_WAITING = Gauge("pingan_sends_waiting", "Calls and messages that are due and wait for their turn.", ["channel"])
SENDS_WAITING_SECONDS = Gauge(
    "pingan_sends_waiting_seconds",
    "For how long the one that has waited longest for its turn has been due.",
    ["channel"],
)
SENDS_PER_SECOND = Gauge(
    "pingan_sends_per_second",
    "How many the provider begins in a second, of a channel that has such a rate.",
    ["channel"],
)
DEADLINES_OVERDUE = Gauge("pingan_deadlines_overdue", "Open incidents whose deadline passed over a second ago.")

# The machines
READY = Gauge("pingan_ready", "1 when the process is well, 0 while it waits for something.")
WAITING = Gauge("pingan_waiting", "1 for each part of the process that is not well.", ["part"])
DATABASE_SECONDS = Gauge("pingan_database_seconds", "How long the database took for its last sign of life.")
CLOCK_STEP_SECONDS = Gauge("pingan_clock_step_seconds", "How far the wall clock has been moved since the start.")
BROKER_REFUSED = Counter("pingan_broker_refused_total", "Connections that the broker refused, by reason.", ["reason"])
CERTIFICATE_EXPIRES_SECONDS = Gauge(
    "pingan_certificate_expires_seconds", "Until a certificate, or the list of revoked ones, expires.", ["certificate"]
)
DATABASE_BYTES = Gauge("pingan_database_bytes", "Size of the database.")
DISK_BYTES = Gauge("pingan_disk_bytes", "Size of the disk on which this lies.", ["disk"])
DISK_FREE_BYTES = Gauge("pingan_disk_free_bytes", "What may still be written on the disk on which this lies.", ["disk"])
TIMESCALE_JOB_FAILURES = Gauge("pingan_timescale_job_failures", "Failed runs of TimescaleDB's background jobs.")

OTHER = "other"


def bounded(value: str, known: Container[str]) -> str:
    """`value` if it is one of ours; else the one label that stands for all that strangers may think of."""
    return value if value in known else OTHER


class Tally:
    """Counts for the price of an addition, where thousands a second are counted, and hands over at each scrape."""

    __slots__ = ("_counter", "count")

    def __init__(self, counter: Counter) -> None:
        self.count = 0
        self._counter = counter

    def hand_over(self) -> None:
        count, self.count = self.count, 0
        self._counter.inc(count)
