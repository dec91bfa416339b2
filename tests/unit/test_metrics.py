"""The names of what is measured: documented, bounded, shown by whoever looks after them."""

import re
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Counter, Gauge
from prometheus_client.metrics import MetricWrapperBase

from alerting import alarms
from dispatch import channels, measuring
from dispatch.desk import policies
from dispatch.incident import (
    CAUSES,
    OUTCOMES,
    Accept,
    Answer,
    Assign,
    Close,
    Connected,
    Contact,
    Decline,
    Due,
    Event,
    Helper,
    Identify,
    Incident,
    Moving,
    NoContact,
    Note,
    OnScene,
    Press,
    Raised,
    ResidentAnswered,
    Restored,
    Safe,
    Shown,
    Unreached,
    decide,
    open_incident,
)
from dispatch.policy import TECHNICAL, Person
from pingan import metrics
from pingan.clock import from_ms
from pingan.messages import NOTES, SUSPICIONS, WITHDRAWN, Alarm

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `(pingan_\w+)` \| (\w+)((?:, `\w+`)*) \|", re.MULTILINE)
NOW = from_ms(1_790_000_000_000)
PEOPLE = tuple(Person(f"C{n}", f"Name {n}", "contacts", n, "family", f"+8613800000{n:03}", "zh") for n in (1, 2))


def registry() -> dict[str, tuple[str, tuple[str, ...]]]:
    """name → its type and labels, of everything in pingan/metrics.py."""
    found = {}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found[name] = (family.type, tuple(metric._labelnames))
    return found


def test_the_page_lists_what_there_is_with_its_type_and_labels() -> None:
    page = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    told = {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in ROW.findall(page)}
    assert told == registry()
    assert len(told) > 30


def values(metric: MetricWrapperBase, label: str) -> set[str]:
    return {sample.labels[label] for family in metric.collect() for sample in family.samples}


@given(st.lists(st.text(), max_size=50))
def test_whatever_kinds_devices_invent_the_labels_stay_ours(invented: list[str]) -> None:
    alarms.count(
        Alarm(id=uuid4(), kind=kind, home=None, device=None, at_ms=0, received_ms=0, evidence={"source": source})
        for kind, source in [*((kind, kind) for kind in invented), ("sos", "reported")]
    )
    for kind in invented:
        measuring.ended(kind, "failed")
    assert values(metrics.ALARMS, "kind") <= alarms.KINDS | {metrics.OTHER}
    assert values(metrics.ALARMS, "source") <= {"reported", "derived", "telephone", "sms", metrics.OTHER}
    assert values(metrics.SENDS, "channel") <= {*channels.CHANNELS, metrics.OTHER}


def test_every_kind_that_we_derive_is_counted_by_its_name() -> None:
    assert alarms.KINDS.issuperset({"sos", "fall", "ok", "inactivity", "heartbeat_lost", "battery_low", "fault"})
    dangers = alarms.FOUND - TECHNICAL - NOTES - set(SUSPICIONS) - {WITHDRAWN}
    assert dangers == {
        "fall", "inactivity", "smoke", "gas", "co", "water", "vitals", "wandering", "home_heat", "home_cold",
    }  # fmt: skip


def test_every_channel_has_its_name() -> None:
    folders = {path.parent.name for path in (ROOT / "dispatch/channels").glob("*/send.py")}
    assert folders == set(channels.CHANNELS)


def shown() -> set[str]:
    return {family.name for family in metrics.SHOWN.collect()}


def test_a_process_shows_what_it_has_taken_and_nothing_that_it_cannot_know() -> None:
    gauge = Gauge("test_gauge", "A gauge.", registry=None)
    assert "test_gauge" not in shown()
    assert metrics.show(gauge) is metrics.show(gauge)
    assert "test_gauge" in shown()
    metrics.hide(gauge)
    metrics.hide(gauge)
    assert "test_gauge" not in shown()


def test_a_tally_hands_each_over_once() -> None:
    counter = Counter("test_tally", "Counted.", registry=None)
    tally = metrics.Tally(counter)
    for total in (3, 5):
        tally.count = total
        tally.hand_over()
        tally.hand_over()
        assert tally.count == 0
    assert value(counter) == 8


def value(metric: MetricWrapperBase, suffix: str = "_total", **labels: str) -> float:
    found = [
        sample.value
        for family in metric.collect()
        for sample in family.samples
        if sample.name.endswith(suffix) and labels.items() <= sample.labels.items()
    ]
    return sum(found)


def opened(*, danger: bool = True, test: bool = False) -> Incident:
    return open_incident(
        home="H001",
        device="H001-button",
        cause="sos",
        danger=danger,
        test=test,
        policy=policies()["danger" if danger else "technical"],
        press=Press("H001-button", "e1"),
        t0=NOW - timedelta(seconds=2),
        t1=NOW,
        people=PEOPLE,
        now=NOW,
    ).incident


HELPER = Helper("C1", "Name 1", "family")
ACTS: list[Event] = [
    Raised("sos", Press("H001-button", "e2")), ResidentAnswered("ok"), Restored("battery_restored"), Due(),
    Shown("page"), Answer("op", "Op"), Contact("op", "Op"), NoContact("op", "Op"), Assign("op", "Op", "C2"),
    Accept(HELPER), Decline("C1"), Unreached("C2", "busy"), Moving(HELPER), OnScene(HELPER, reported_by="Op"),
    Safe("Op"), Close("op", "Op", "sos", "family_attended", 10_000, "late"), Note("Op", "a note"),
    Identify("op", "Op", "H002", "Name 3", policies()["danger"]), Connected("Name 1"),
]  # fmt: skip


def follow(incident: Incident, chosen: list[tuple[int, int]]) -> list[Incident]:
    """The incident after each act, `seconds` after the one before, each measured as the desk measures it."""
    now, story = NOW, [incident]
    for number, seconds in chosen:
        now += timedelta(seconds=seconds)
        after = decide(story[-1], ACTS[number], PEOPLE, now).incident
        measuring.happened(story[-1], after)
        story.append(after)
    return story


def observed() -> dict[str, tuple[float, float]]:
    return {
        first + second: (value(metric, "_count"), value(metric, "_sum")) for metric, first, second in measuring.BETWEEN
    }


acts = st.lists(st.tuples(st.integers(0, len(ACTS) - 1), st.integers(0, 400)), max_size=40)


@given(acts)
def test_each_stamp_is_observed_exactly_once_whatever_happens(chosen: list[tuple[int, int]]) -> None:
    before, closed = observed(), value(metrics.CLOSED)
    last = follow(opened(), chosen)[-1]
    for key, (count, total) in observed().items():
        first, second = key[:2], key[2:]
        there = first in last.stamps and second in last.stamps
        assert count - before[key][0] == there
        took = max(0.0, (last.stamps[second] - last.stamps[first]).total_seconds()) if there else 0.0
        assert total - before[key][1] == pytest.approx(took)
    assert value(metrics.CLOSED) - closed == ("t9" in last.stamps)


@given(acts, st.sampled_from([{"danger": False}, {"test": True}]))
def test_only_dangers_are_timed(chosen: list[tuple[int, int]], how: dict[str, bool]) -> None:
    before = observed()
    follow(opened(**how), chosen)
    assert observed() == before


@given(acts, st.sampled_from(range(4)))
def test_no_alarm_and_no_deadline_sets_a_stamp_or_withdraws_a_call(chosen: list[tuple[int, int]], last: int) -> None:
    """What the desk relies on when it measures acts alone."""
    incident = follow(opened(), chosen)[-1]
    decision = decide(incident, ACTS[last], PEOPLE, NOW + timedelta(days=1))
    assert decision.incident.stamps == incident.stamps
    assert not decision.stop_calling


def test_causes_and_outcomes_are_a_closed_set() -> None:
    follow(opened(), [(ACTS.index(one), 1) for one in ACTS if isinstance(one, Close)])
    assert values(metrics.CLOSED, "cause") <= set(CAUSES)
    assert values(metrics.CLOSED, "outcome") <= set(OUTCOMES)
