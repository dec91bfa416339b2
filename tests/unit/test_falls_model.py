"""The model: what was trained is what is read, and training twice gives the same bytes."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.falls import features, train
from alerting.falls.model import BELT, FIRST, SECOND, Damaged, Model, Trees
from alerting.falls.recordings import Recordings, Refused
from alerting.falls.shipped import MODEL
from tests.falls_support import fall, falling, still, walking

SIZE_MAX = 300_000


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Six people, each of whom falls four times and does other things four times."""
    folder = tmp_path_factory.mktemp("falls")
    rows, lines, at = [], [], 0
    for person in range(6):
        for number in range(8):
            seed = 10 * person + number
            jump = np.concatenate([walking(4, seed=seed), falling(seed), walking(6, seed=seed + 1)])
            g = fall(still(7, seed=seed), 4, seed) if number % 2 else jump
            counts = np.rint(g * 2000).astype(np.int16)
            position = "wrist" if person % 2 else "waist"
            rows.append(f"drawn,{position},P{person},A{number},R1,{bool(number % 2)},{at},{len(counts)}")
            lines.append(counts)
            at += len(counts)
    index, npz = folder / "index.csv", folder / "accel_50hz.npz"
    index.write_text("dataset,position,subject,activity,trial,fall,offset,n\n" + "\n".join(rows) + "\n", "utf-8")
    np.savez(npz, acc=np.concatenate(lines))
    return index, npz


def test_training_twice_gives_the_same_and_reads_back_the_same(recorded: tuple[Path, Path]) -> None:
    pytest.importorskip("lightgbm", reason="training needs lightgbm (pip install '.[train]')")
    first, second = (train.train(read, range(len(read)), seed=3) for read in (Recordings.read(*recorded) for _ in "ab"))
    assert first.dump() == second.dump()
    again = Model.load(first.dump())
    table = np.random.default_rng(1).normal(1, 2, (50, len(features.names(aftermath=True))))
    for position in ("wrist", "pendant", "unknown"):
        assert (again.score(position, SECOND, table) == first.score(position, SECOND, table)).all()
        assert again.thresholds(position) == first.thresholds(position)


def test_the_arrays_say_what_the_library_says(recorded: tuple[Path, Path]) -> None:
    lightgbm = pytest.importorskip("lightgbm", reason="training needs lightgbm (pip install '.[train]')")
    known = train.examples(Recordings.read(*recorded))
    use = known.label >= 0
    booster = lightgbm.train(
        train.PARAMETERS, lightgbm.Dataset(known.second[use], known.label[use]), num_boost_round=20
    )
    ours = train.exported(booster.dump_model()).score(known.second)
    assert np.abs(ours - booster.predict(known.second)).max() < 1e-6


def test_the_shipped_model_is_small_and_fits_the_features() -> None:
    assert train.SHIPPED.stat().st_size < SIZE_MAX
    for look in (FIRST, SECOND):
        table = np.ones((2, len(features.names(aftermath=look == SECOND))))
        for position in ("wrist", "waist", "pendant", "pocket", "unknown"):
            scores = MODEL.score(position, look, table)
            assert ((scores > 0) & (scores < 1)).all()
            assert 0 < MODEL.threshold(position, look) < 1


@pytest.mark.parametrize(
    ("position", "range_g", "group"),
    [
        ("waist", 16.0, BELT),
        ("waist", 4.0, BELT),
        ("waist", 2.0, "body"),
        ("waist", 0.0, "body"),
        ("pendant", 16.0, "body"),
        ("pocket", 16.0, "body"),
        ("wrist", 16.0, "wrist"),
        ("unknown", 16.0, "any"),
    ],
)
def test_only_a_belt_that_measures_enough_is_judged_by_how_hard_it_was(
    position: str, range_g: float, group: str
) -> None:
    table = np.random.default_rng(2).normal(1, 2, (50, len(features.names(aftermath=True))))
    assert (MODEL.score(position, SECOND, table, range_g) == MODEL.trees[group, SECOND].score(table)).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=400))
def test_what_nearly_all_falls_reach_is_the_highest_such_score_that_is_kept(falls: list[float]) -> None:
    scores = np.array(falls)
    reached = train._reached(scores)
    assert (scores >= reached).mean() >= train.RING_SHARE
    assert reached == round(reached, 4)
    assert (scores >= reached + 2e-4).mean() < train.RING_SHARE + 1 / len(scores)


def drawn_trees(seed: int) -> Trees:
    """Two trees of one limit each."""
    random = np.random.default_rng(seed)
    return Trees(
        random.integers(0, 3, 6).astype(np.int16),
        random.normal(size=6),
        np.array([1, 1, 2, 4, 4, 5], np.int32),
        np.array([2, 1, 2, 5, 4, 5], np.int32),
        random.normal(size=6),
        np.array([0, 3], np.int32),
        1,
    )


def test_averaged_trees_say_the_mean_of_what_each_says() -> None:
    some = [drawn_trees(seed) for seed in range(3)]
    table = np.random.default_rng(4).normal(size=(20, 3))
    odds = [np.log(trees.score(table) / (1 - trees.score(table))) for trees in some]
    said = train.averaged(some).score(table)
    assert np.abs(np.log(said / (1 - said)) - np.mean(odds, axis=0)).max() < 1e-5


def test_lowered_thresholds_lower_everything_that_rings() -> None:
    lowered = MODEL.at(0.05)
    assert lowered.threshold("wrist") == 0.05
    assert lowered.threshold("wrist", FIRST) == 0.05


@pytest.mark.parametrize("data", [b"", b"nothing", train.SHIPPED.read_bytes()[:5000]])
def test_a_damaged_model_says_so(data: bytes) -> None:
    with pytest.raises(Damaged):
        Model.load(data)


def test_what_an_unknown_set_can_measure_is_what_it_shows(recorded: tuple[Path, Path]) -> None:
    read = Recordings.read(*recorded)
    assert {trial.range_g for trial in read.trials} <= {4.0, 8.0}
    assert read.samples(3).shape == (read.trials[3].n, 3)
    assert not read.trials[0].older


@pytest.mark.parametrize(
    ("index", "says"),
    [
        ("dataset,position\nx,wrist\n", "no column"),
        ("dataset,position,subject,activity,trial,fall,offset,n\nx,wrist,P,A,R,True,0,999999999\n", "points outside"),
        ("dataset,position,subject,activity,trial,fall,offset,n\nx,wrist,P,A,R,True,here,5\n", "here"),
    ],
)
def test_an_index_that_is_none_is_refused(recorded: tuple[Path, Path], tmp_path: Path, index: str, says: str) -> None:
    path = tmp_path / "index.csv"
    path.write_text(index, "utf-8")
    with pytest.raises(Refused, match=says):
        Recordings.read(path, recorded[1])
