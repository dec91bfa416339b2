"""Which model judges which trial: the shipped one, one trained on other trials, or one for each fold of people."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

from alerting.detectors.fall import Fall, with_model
from alerting.detectors.table import DETECTORS, Table
from alerting.evaluate import falls
from alerting.evaluate.falls import Outcome
from alerting.evaluate.trials import BadRecording, Trial, for_training
from alerting.evaluate.wearing import Sensor
from alerting.falls.model import Model
from alerting.falls.recordings import Recordings

EVERYTHING = 0.0
"""The threshold that lets everything pass that was looked at."""
TAUGHT = {
    "sisfall": frozenset({*(f"SA{n:02d}" for n in range(1, 16)), *(f"SE{n:02d}" for n in (1, 2, 3, 4, 5, 7, 8))}),
    "weda": frozenset({*(f"U{n:02d}" for n in range(1, 10)), *(f"U{n:02d}" for n in range(21, 27))}),
    "umafall": frozenset(f"{n:02d}" for n in range(1, 20)),
}
"""Whose recordings the shipped model was trained on, by set."""


class Exam(NamedTuple):
    """Trials, as a sensor would have measured them."""

    trials: list[Trial]
    sensor: Sensor = Sensor()


class Task(NamedTuple):
    """One model and what it is tested on. `train`: rows of the training's recordings; None: the shipped model."""

    train: tuple[int, ...] | None
    tests: tuple[Exam, ...]
    seed: int


Judged = list[list[Outcome]]
"""The outcomes of each of a task's tests."""


def with_fall(version: type[Fall]) -> Table:
    """The live table, with another version of the fall detector in the place of its own."""
    return {**DETECTORS, Fall.name: {"evaluated": version}}


def seen(trials: Sequence[Trial]) -> int:
    """How many of these people the shipped model knows."""
    people = {falls.anywhere(*falls.person(trial)) for trial in trials}
    taught = {falls.anywhere(dataset, name) for dataset, names in TAUGHT.items() for name in names}
    return len(people & taught)


def judged(task: Task, recordings: Recordings | None) -> Judged:
    """Train if that is asked, and test by the production contract. ModuleNotFoundError without what training needs."""
    model = Fall.model if task.train is None or recordings is None else _trained(recordings, task)
    live, lowered = (with_fall(with_model(one)) for one in (model, model.at(threshold=EVERYTHING)))
    return [falls.assess(test.trials, test.sensor, live, lowered) for test in task.tests]


def _trained(recordings: Recordings, task: Task) -> Model:
    # Here, so that what trains nothing needs no library of training.
    from alerting.falls.train import train

    return train(recordings, task.train or (), seed=task.seed)


def by_folds(tests: Sequence[Exam], teaching: Sequence[Trial], folds: int, seed: int) -> list[Task]:
    """A task for each fold of the people of `tests`, taught by those of `teaching` that are of other people."""
    every = [trial for test in tests for trial in test.trials]
    tasks = []
    for fold in falls.folds(every, folds, seed):
        people = {falls.person(every[place]) for place in fold}
        train = tuple(row for row, trial in enumerate(teaching) if falls.person(trial) not in people)
        chosen = [Exam([trial for trial in one.trials if falls.person(trial) in people], one.sensor) for one in tests]
        tasks.append(Task(train, tuple(chosen), seed))
    return tasks


def in_parts(test: Exam, parts: int) -> list[Task]:
    """The same trials for several processes, by the shipped model."""
    return [Task(None, (Exam(test.trials[part::parts], test.sensor),), 0) for part in range(parts)]


def run(tasks: Sequence[Task], teaching: Sequence[Trial], jobs: int) -> Iterator[Judged]:
    """What came of each task, in their order."""
    for task in tasks:
        if task.train is not None and {teaching[row].fall for row in task.train} != {True, False}:
            raise BadRecording("a model needs falls and other trials, of people other than those whom it judges")
    recordings = for_training(list(teaching)) if teaching else None
    if jobs <= 1 or len(tasks) <= 1:
        yield from (judged(task, recordings) for task in tasks)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_prepare, initargs=(recordings,)) as pool:
        yield from pool.map(_judged_there, tasks)


def joined(parts: Iterable[Judged]) -> Judged:
    """The outcomes of each test over all tasks."""
    return [[outcome for part in parts for outcome in part] for parts in zip(*parts, strict=True)]


_recordings: Recordings | None = None
"""What a process of the pool trains with: given to it once, since what they teach is worked out once."""


def _prepare(recordings: Recordings | None) -> None:
    global _recordings
    _recordings = recordings


def _judged_there(task: Task) -> Judged:
    return judged(task, _recordings)
