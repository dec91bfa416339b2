"""Which model judges which trial: the shipped one, one trained on other trials, or one for each fold of people."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from alerting.detectors.table import DETECTORS, Table
from alerting.evaluate import falls
from alerting.evaluate.falls import Outcome
from alerting.evaluate.trials import BadRecording, Trial, for_training
from alerting.evaluate.wearing import Sensor
from alerting.falls.model import Model

SHIPPED = Path(__file__).parents[1] / "falls" / "model.npz"
EVERYTHING = 0.0
"""The threshold that lets everything pass that was looked at."""


class Task(NamedTuple):
    """Trials for one model: to train it first (bytes: a model that there is already), then to test it."""

    train: list[Trial] | bytes
    test: list[Trial]
    sensor: Sensor
    seed: int


def with_fall(version: type) -> Table:
    """The live table, with another version of the fall detector in the place of its own."""
    rest: Mapping[str, Mapping[str, type]] = {name: {**versions} for name, versions in DETECTORS.items()}
    return {**rest, "fall": {"evaluated": version}}


def judged(task: Task) -> list[Outcome]:
    """Train if that is asked, and test by the production contract. ImportError without what training needs."""
    # Here, so that what needs no model needs none of its libraries.
    from alerting.detectors.fall import with_model

    if isinstance(task.train, bytes):
        model = Model.load(task.train)
    else:
        from alerting.falls.train import train

        recordings = for_training(task.train)
        model = train(recordings, range(len(recordings)), seed=task.seed)
    table, lowered = with_fall(with_model(model)), with_fall(with_model(model.at(threshold=EVERYTHING)))
    return falls.assess(task.test, task.sensor, table, lowered)


def by_folds(trials: Sequence[Trial], train: Sequence[Trial], folds: int, sensor: Sensor, seed: int) -> list[Task]:
    """A task for each fold of `trials`; `train` is what may be trained on, of other people."""
    tasks = []
    for fold in falls.folds(trials, folds, seed):
        test = [trials[place] for place in fold]
        people = {falls.person(trial) for trial in test}
        tasks.append(Task([trial for trial in train if falls.person(trial) not in people], test, sensor, seed))
    return tasks


def run(tasks: Sequence[Task], jobs: int) -> Iterator[list[Outcome]]:
    """Each task's outcomes, in the order of the tasks."""
    if jobs <= 1 or len(tasks) <= 1:
        yield from map(judged, tasks)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(judged, tasks)


def shipped() -> bytes:
    """The model that runs where nobody has trained another. BadRecording when there is none."""
    try:
        return SHIPPED.read_bytes()
    except OSError as error:
        raise BadRecording(f"{SHIPPED} cannot be read: {error}") from None
