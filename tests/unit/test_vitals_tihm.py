"""Vital signs of 25 people with dementia, against the alerts that clinicians validated. TIHM, when it is here.

`python -m tests.unit.test_vitals_tihm` prints the table of docs/detection-vitals.md.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from alerting.partition import Partition
from pingan.clock import to_ms
from pingan.messages import Alarm, DeviceSettings, HomeSettings, Limit, Reading, Tick

FOLDER = Path(__file__).parents[3] / "shared/data/homes"
MEASURED, LABELS = FOLDER / "tihm_physiology.csv", FOLDER / "tihm_labels.csv"
TICK_MS = 600_000
DAY_MS = 86_400_000
LABELLED = frozenset({"Blood pressure", "Pulse", "Weight", "Body temperature"})
"""What a clinician's alert was about; agitation and body water are nobody's vital signs here."""
KINDS = {"Heart rate": "heart_rate", "Body weight": "weight", "Body Temperature": "body_temperature"}
CUFF = {"Systolic blood pressure": "systolic", "Diastolic blood pressure": "diastolic"}
LIMITS = (
    Limit("systolic", 90, 160),
    Limit("diastolic", None, 100),
    Limit("heart_rate", 45, 110),
    Limit("body_temperature", None, 37.8),
)
"""One for all, as nobody's own are known: the stages at which guidelines have somebody look (NICE NG136, NEWS2)."""

pytestmark = pytest.mark.skipif(not MEASURED.exists(), reason=f"the recordings are not here: {FOLDER}")


class Figures(NamedTuple):
    labels: int
    found: int
    alarms: int
    false: int
    weeks: float

    def __str__(self) -> str:
        return (
            f"labels {self.labels}, found {self.found} ({self.found / self.labels:.0%}); "
            f"alarms {self.alarms}, beside no label {self.false} "
            f"({self.false / self.weeks:.2f} a person-week of {self.weeks:.0f})"
        )


def rows(path: Path) -> Iterable[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        yield from csv.DictReader(file)


def at_ms(text: str) -> int:
    return to_ms(datetime.fromisoformat(text).replace(tzinfo=UTC))


def measured() -> dict[str, list[Reading]]:
    """Each person's readings in the order of their times, a cuff's two values in one."""
    found: dict[str, dict[tuple[int, str], float | dict[str, float]]] = defaultdict(dict)
    for row in rows(MEASURED):
        when, value = at_ms(row["date"]), float(row["value"])
        if (part := CUFF.get(row["device_type"])) is not None:
            cuff = found[row["patient_id"]].setdefault((when, "blood_pressure"), {})
            assert isinstance(cuff, dict)
            cuff[part] = value
        elif (kind := KINDS.get(row["device_type"])) is not None:
            found[row["patient_id"]][when, kind] = value
    return {
        person: [
            Reading(f"{person}-{kind}", "b1", number, when, when, kind, value, person)
            for number, ((when, kind), value) in enumerate(sorted(said.items(), key=lambda one: one[0]))
        ]
        for person, said in found.items()
    }


def alarms(person: str, said: list[Reading], limits: tuple[Limit, ...]) -> list[Alarm]:
    """What the watch of this person raises of vital signs."""
    partition, raised = Partition(), []
    devices = tuple(DeviceSettings(device, "watch", 90_000) for device in sorted({one.device for one in said}))
    partition.feed(HomeSettings(person, 1, devices, timezone="Europe/London", limits=limits))
    now_ms = said[0].at_ms - said[0].at_ms % TICK_MS
    partition.feed(Tick(now_ms, 0, 1))
    upcoming = iter([*said, None])
    one = next(upcoming)
    end_ms = said[-1].at_ms + 2 * DAY_MS
    while now_ms < end_ms:
        now_ms += TICK_MS
        while one is not None and one.at_ms < now_ms:
            partition.feed(one)
            one = next(upcoming)
        raised += partition.feed(Tick(now_ms, TICK_MS, 1))
    return [alarm for alarm in raised if alarm.kind == "vitals"]


def figures(limits: tuple[Limit, ...], rules: str) -> Figures:
    """Against the labels: an alarm within a day of one has found it. Of the rules only those beginning with `rules`."""
    labels: dict[str, list[int]] = defaultdict(list)
    for row in rows(LABELS):
        if row["type"] in LABELLED:
            labels[row["patient_id"]].append(at_ms(row["date"]))
    found = count = false = 0
    weeks = 0.0
    people = measured()
    for person, said in people.items():
        raised = [alarm for alarm in alarms(person, said, limits) if alarm.evidence["rule"].startswith(rules)]
        times = [alarm.at_ms for alarm in raised]
        found += sum(any(abs(label - time) <= DAY_MS for time in times) for label in labels[person])
        false += sum(not any(abs(label - time) <= DAY_MS for label in labels[person]) for time in times)
        count += len(raised)
        weeks += (said[-1].at_ms - said[0].at_ms) / DAY_MS / 7
    return Figures(sum(len(labels[person]) for person in people), found, count, false, weeks)


def test_limits_find_most_of_what_clinicians_confirmed() -> None:
    one = figures(LIMITS, "vitals_limit")
    assert one.found / one.labels >= 0.6, one
    assert one.false / one.weeks <= 1.0, one


def test_a_change_from_the_person_s_own_baseline_is_rarely_told() -> None:
    one = figures((), "vitals_change")
    assert one.alarms > 0, one
    assert one.false / one.weeks <= 0.2, one


if __name__ == "__main__":
    for name, limits, rules in (
        ("limits", LIMITS, "vitals_limit"),
        ("change", (), "vitals_change"),
        ("both", LIMITS, ""),
    ):
        print(f"{name}: {figures(limits, rules)}")  # noqa: T201
