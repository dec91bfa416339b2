"""`make evaluate`: every figure of docs/detection.md from the folder of recordings: the table there, and its JSON."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from alerting.evaluate import falls, homes, movements, report, training, trials
from alerting.evaluate.homes import Plan, Silence
from alerting.evaluate.movements import CHINA, Home
from alerting.evaluate.training import Exam, Task
from alerting.evaluate.trials import BadRecording, Trial
from alerting.evaluate.wearing import Sensor
from alerting.evaluate.words import say
from pingan.clock import to_ms

FOLDS = 10
SEED = 0
AS_RECORDED, POOR = Sensor(), Sensor(clip_g=2.0, rate_hz=25.0)
SETS = (("weda", "wrist"), ("umafall", "wrist"))
SILENCE = Silence(to_ms(datetime(2019, 6, 1, 12, tzinfo=CHINA)), 58.0)
FIXED_HOURS = (4.0, 8.0, 12.0)
"""The plain rule, to compare with: what is published of TIHM was counted on other homes of it as well."""
LEARNED = "learned-1"
BEGIN, END = "<!-- make evaluate -->", "<!-- /make evaluate -->"

Cover = Callable[[Sequence[Home]], homes.Coverage]


class Part(NamedTuple):
    name: str
    found: dict[str, Any]
    lines: list[str]
    version: str = ""
    """Of the detector, where several are measured."""

    @property
    def title(self) -> str:
        return f"### {say(self.name)}" + (f" ({self.version})" if self.version else "")


def main(argv: list[str], cover: Cover) -> int:
    """0: written. 1: what is needed is not there, with the reason on standard error."""
    parser = argparse.ArgumentParser(prog="make evaluate", description=say("everything"))
    parser.add_argument("data", type=Path, help=say("folder"))
    parser.add_argument("--page", type=Path, required=True, help=say("page"))
    parser.add_argument("--jobs", type=int, default=2, help=say("jobs"))
    arguments = parser.parse_args(argv)
    try:
        page = Page(arguments.page)
        parts = []
        for part in every_part(arguments.data, cover, arguments.jobs):
            parts.append(part)
            sys.stdout.write("\n".join(["", part.title, "", *part.lines, ""]))
            sys.stdout.flush()
        page.write(parts)
    except BadRecording as bad:
        sys.stderr.write(f"make evaluate: {say('bad', reason=bad)}\n")
        return 1
    except ModuleNotFoundError as missing:
        if missing.name != "lightgbm":
            raise
        sys.stderr.write(f"make evaluate: {say('no_training')}\n")
        return 1
    return 0


def every_part(data: Path, cover: Cover, jobs: int) -> Iterator[Part]:
    index = data / "falls" / "index.csv"
    some = trials.read(index, data / "falls" / "accel_50hz.npz", trials.beside(index))
    yield from across(some.trials, jobs)
    yield from over_folds(some.trials, jobs)
    tihm = movements.activity(data / "homes" / "tihm_activity.csv.gz").homes
    for hours in FIXED_HOURS:
        yield silent("tihm", tihm, Plan(ceiling_hours=hours, version="fixed-1"), cover)
    yield silent("tihm", tihm, Plan(version=LEARNED), cover)
    yield silent("tihm_silent", tihm, Plan(version=LEARNED, silence=SILENCE, collapses_an_hour=0), cover)
    houses = movements.single_residents(data / "homes" / "single_residents").homes
    house = movements.casas(data / "homes" / "casas_home_30days.txt").homes
    yield silent("single_houses", houses, Plan(version=LEARNED), cover)
    yield silent("casas_home", house, Plan(version=LEARNED), cover)


def over_folds(some: list[Trial], jobs: int) -> Iterator[Part]:
    """Cross-validated by person: all sets as recorded, and the waist as a poor sensor measures it."""
    waist = [trial for trial in some if trial.named.position == "waist"]
    tests = [Exam(some, AS_RECORDED), Exam(waist, POOR)]
    tasks = training.by_folds(tests, some, FOLDS, SEED)
    judged = training.joined(training.run(tasks, some, jobs))
    for name, test, outcomes in zip(("over_folds", "over_folds_poor"), tests, judged, strict=True):
        yield _of_falls(name, outcomes, [say("trained_folds", folds=len(tasks))], test.sensor)


def across(some: list[Trial], jobs: int) -> Iterator[Part]:
    """Trained on the wrists of one set, tested on those of the other."""
    of = {named: [trial for trial in some if (trial.named.dataset, trial.named.position) == named] for named in SETS}
    outcomes = []
    for taught, tested in (SETS, SETS[::-1]):
        rows = tuple(range(len(of[taught])))
        half = len(of[tested]) // 2
        tasks = [Task(rows, (Exam(part),), SEED) for part in (of[tested][:half], of[tested][half:])]
        (found,) = training.joined(training.run(tasks, of[taught], jobs))
        outcomes += found
    yield _of_falls("across", outcomes, [say("trained_across")], AS_RECORDED)


def _of_falls(name: str, outcomes: list[falls.Outcome], said: list[str], sensor: Sensor) -> Part:
    table, failures = falls.table_of(outcomes), falls.failures_of(outcomes)
    lines = report.falls(table, [*said, *report.failures(failures)], sensor)
    return Part(name, {"sets": table, "sensor": sensor._asdict(), "detector_failures": failures}, lines)


def silent(name: str, some: list[Home], plan: Plan, cover: Cover) -> Part:
    walked = homes.Walked()
    for part in homes.together(some):
        walked.add(homes.walk(part, plan, coverage=cover(part)))
    found: dict[str, Any] = {"said": [], **homes.figures_of(some, walked, plan)}
    if plan.silence is not None:
        found["silent_together"] = homes.silent_together(walked, plan.silence)
    return Part(name, found, report.homes(found, plan), f"{plan.version}, {plan.ceiling_hours:g} h")


class Page:
    """The page whose table is written anew between two marks. BadRecording when it has none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._before, rest = path.read_text(encoding="utf-8").split(BEGIN)
            _, self._after = rest.split(END)
        except (OSError, ValueError):
            raise BadRecording(f"{path} has no place for the table: {BEGIN} … {END}") from None

    def write(self, parts: Sequence[Part]) -> None:
        lines = [line for part in parts for line in ("", part.title, "", *part.lines)]
        text = "\n".join([self._before + BEGIN, *lines, "", END + self._after])
        self._path.write_text(text, encoding="utf-8")
        found = {"/".join(filter(None, (part.name, part.version))): part.found for part in parts}
        self._path.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
