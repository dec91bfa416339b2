"""Train the fall model anew: `python -m alerting.falls.train FOLDER`, where FOLDER has the recordings of falls.

The same recordings and seed give the same model, to the byte. It learns from each trial as recorded and from copies as
poorer sensors would have given them: fewer samples, a smaller range, a gain that is a little off, another moment at
which slots begin, an aftermath that breaks off. Thresholds come from people whom the judging trees have not seen.
"""

import argparse
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from alerting.falls import features
from alerting.falls.candidates import candidates
from alerting.falls.features import AFTER, BEFORE, LENGTH, PLAIN_COUNT, Windows
from alerting.falls.model import BELT, FIRST, GROUPS, REACHES_G, SECOND, Model, Thresholds, Trees, group_of
from alerting.falls.recordings import COUNTS_PER_G, RATE_HZ, Recordings, Trial
from alerting.falls.signal import SLOT_MS, Burst, slots

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SHIPPED = Path(__file__).with_name("model.npz")


class Copy(NamedTuple):
    """As which sensor a trial is heard: no more than `range_g`, `rate_hz` samples a second. None: as recorded."""

    range_g: float | None
    rate_hz: float | None
    knocked: bool = False
    """With blows to the sensor, where nobody falls."""


COPIES = (
    Copy(None, None),
    Copy(2.0, 25.0),
    Copy(4.0, None),
    Copy(2.0, None),
    Copy(8.0, 20.0),
    Copy(None, None, knocked=True),
)
BELT_COPIES = (0, 2)
"""What teaches the trees of a belt: as recorded, and the least that such a sensor measures. The places in `COPIES`."""
HEARD_AS = {"body": 1}
"""As which copy the thresholds of a group judge people: of a waist, the trees of the body hear what is clipped. Others:
as recorded."""
KNOCKS_EVERY_SECONDS = 6.0
KNOCK_G = (1.5, 8.0)
KNOCK_SECONDS = (0.03, 0.1)
KNOCK_RINGS_HZ, KNOCK_FADES_SECONDS = (6.0, 15.0), (0.04, 0.12)
SWING_G, SWING_SECONDS = (0.0, 1.2), (0.1, 0.35)
"""A blow as it is when a hand strikes a table or a pendant swings against it: a swing towards it, a push, and what
rings after. Most published sets have hardly any, and without them every hard moment followed by rest is a fall."""
GAIN_DEVIATION = 0.02
CUT_SHARE = 0.3
"""Of the copies end this many seconds after the impact, so that the end of a trial tells nothing: chosen."""
CUT_SECONDS = (1.5, 3.5)
NEAR_SECONDS = 0.3
"""Candidates so near to the hardest of a fall are the fall, too; others of it teach nothing."""
LEAD_SECONDS = 2.5
"""Before a fall without a written time: what is earlier is daily activity, what is later is left out."""
TOLD_BEFORE_SECONDS, TOLD_AFTER_SECONDS = 0.3, 0.7
"""Around a fall's written times: the impact may lie a little outside."""

PARAMETERS: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 12,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.35,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "use_missing": False,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
ROUNDS = 150


class Recipe(NamedTuple):
    """How boosters of one kind are grown. What trees of one set say is the mean over all of its boosters."""

    changed: Mapping[str, Any]
    """Of `PARAMETERS`."""
    rounds: int
    boosters: int = 1
    course: bool = False
    """They are shown how the impact went, too."""


PLAIN = (Recipe({}, ROUNDS),)
RANDOM = {"learning_rate": 0.1, "num_leaves": 8, "feature_fraction": 0.3, "extra_trees": True}
WRIST = (
    Recipe({"learning_rate": 0.1, "num_leaves": 6}, 70, 2, course=True),
    Recipe(RANDOM, 90, 2, course=True),
    Recipe(RANDOM, 90, 2),
)
"""The second look at a wrist. A hand does so much that one booster's word depends on its seed; boosters that differ in
their limits and in what they are shown differ in their mistakes."""
INNER_FOLDS = 5
SUSPECT_SHARE = 0.97
"""Of the falls of unseen people reach the threshold of suspicion: it rings nobody."""
RING_SHARE = 0.985
"""Of the falls of unseen people reach the threshold at which it rings, where that is no less than what F1 asks for:
false alarms that cost hardly a fall are not made. Asked are 0.98; the rest is a margin for how people are dealt out."""


class Examples(NamedTuple):
    """Candidates of all trials and copies, each with its features."""

    row: Ints
    copy: Ints
    label: Ints
    """1: a fall; 0: daily activity; -1: neither is certain."""
    first: Floats
    second: Floats


_made: "WeakKeyDictionary[Recordings, dict[int, Examples]]" = WeakKeyDictionary()


def examples(recordings: Recordings, seed: int = 0) -> Examples:
    """What all trials teach. Made once for each seed."""
    known = _made.setdefault(recordings, {})
    if seed not in known:
        known[seed] = _examples(recordings, seed)
    return known[seed]


def _examples(recordings: Recordings, seed: int) -> Examples:
    rows: list[int] = []
    copies: list[int] = []
    labels: list[int] = []
    lines: list[Windows] = []
    for row, trial in recordings:
        for number, copy in enumerate(COPIES):
            if copy.knocked and trial.fall:
                continue
            random = np.random.default_rng((seed, row, number))
            found, places, peaks = _windows(recordings.samples(row) / COUNTS_PER_G, trial, copy, number > 0, random)
            if not places:
                continue
            rows += [row] * len(places)
            copies += [number] * len(places)
            labels += _labels(trial, np.array(places) * SLOT_MS / 1000, peaks)
            lines.append(found)
    if not lines:
        raise ValueError("no recording has a single candidate")
    joined = Windows(*(np.concatenate(parts) for parts in zip(*lines, strict=True)))
    size = 4000
    tables = [
        features.table(Windows(*(part[at : at + size] for part in joined)), aftermath=True)
        for at in range(0, len(rows), size)
    ]
    second = np.concatenate(tables)
    return Examples(np.array(rows), np.array(copies), np.array(labels), second[:, : features.FIRST_COUNT], second)


def _windows(
    g: Floats, trial: Trial, copy: Copy, blurred: bool, random: np.random.Generator
) -> tuple[Windows, list[int], Floats]:
    """Each candidate's window, its place, and its peak."""
    rate_hz, at_ms = RATE_HZ, 0
    if blurred:
        g = g * random.normal(1.0, GAIN_DEVIATION)
        at_ms = int(random.integers(0, SLOT_MS))
    if copy.rate_hz is not None:
        rate_hz = copy.rate_hz
        wanted = np.arange(int(len(g) * rate_hz / RATE_HZ)) * RATE_HZ / rate_hz
        g = np.column_stack([np.interp(wanted, np.arange(len(g)), g[:, axis]) for axis in range(3)])
    if copy.knocked:
        g = _knocked(g, random)
    range_g = min(trial.range_g, copy.range_g or trial.range_g)
    line = slots(Burst(np.clip(g, -range_g, range_g), rate_hz, range_g, trial.position), at_ms)
    none = Windows(np.empty((0, LENGTH, 3)), np.empty((0, LENGTH)))
    if line is None:
        return none, [], np.empty(0)
    peaks = line.peaks / COUNTS_PER_G
    places = candidates(peaks)
    if not places:
        return none, [], np.empty(0)
    padded = np.full((len(peaks) + BEFORE + AFTER, 4), np.nan)
    padded[BEFORE : BEFORE + len(peaks), :3] = line.vectors / COUNTS_PER_G
    padded[BEFORE : BEFORE + len(peaks), 3] = peaks
    cut = np.stack([padded[place : place + LENGTH] for place in places])
    if blurred:
        for one in cut:
            if random.random() < CUT_SHARE:
                one[BEFORE + int(random.uniform(*CUT_SECONDS) * 1000 / SLOT_MS) :] = np.nan
    return Windows(cut[:, :, :3], cut[:, :, 3]), places, peaks[places]


def _knocked(g: Floats, random: np.random.Generator) -> Floats:
    """The same with blows at chance moments, from chance sides."""
    result = g.copy()
    seconds = np.arange(len(g)) / RATE_HZ
    for _ in range(max(1, round(len(g) / RATE_HZ / KNOCKS_EVERY_SECONDS))):
        since = seconds - random.uniform(0.5, max(0.6, seconds[-1] - 0.5))
        side, swing_side = (one / np.linalg.norm(one) for one in random.normal(size=(2, 3)))
        length, swing = random.uniform(*KNOCK_SECONDS), random.uniform(*SWING_SECONDS)
        push = np.where((since >= 0) & (since <= length), np.sin(np.pi * np.clip(since / length, 0, 1)), 0.0)
        rings = np.where(
            since > length,
            0.5
            * np.exp(-np.clip(since - length, 0, None) / random.uniform(*KNOCK_FADES_SECONDS))
            * np.sin(2 * np.pi * random.uniform(*KNOCK_RINGS_HZ) * (since - length)),
            0.0,
        )
        towards = np.where((since < 0) & (since >= -swing), np.sin(np.pi * np.clip(-since / swing, 0, 1)), 0.0)
        result += random.uniform(*KNOCK_G) * (push - rings)[:, None] * side
        result += random.uniform(*SWING_G) * towards[:, None] * swing_side
    return result


def _labels(trial: Trial, seconds: Floats, peaks: Floats) -> list[int]:
    if not trial.fall:
        return [0] * len(seconds)
    if trial.fell is not None:
        begin = trial.fell[0] - TOLD_BEFORE_SECONDS
        inside = (seconds >= begin) & (seconds <= trial.fell[1] + TOLD_AFTER_SECONDS)
    else:
        begin = float(seconds[peaks.argmax()]) - LEAD_SECONDS
        inside = np.ones(len(seconds), dtype=bool)
    labels = np.where(seconds < begin, 0, -1)
    if inside.any():
        hardest = seconds[np.where(inside, peaks, 0.0).argmax()]
        labels[np.abs(seconds - hardest) < NEAR_SECONDS] = 1
    return [int(label) for label in labels]


def train(recordings: Recordings, rows: Sequence[int], *, seed: int = 0) -> Model:
    """The model that `rows` of the index teach. The same rows and seed give the same model."""
    known = examples(recordings, seed)
    trees: dict[tuple[str, str], Trees] = {}
    thresholds: dict[str, Thresholds] = {}
    for group in sorted({*GROUPS.values(), BELT}):
        mine = [row for row in rows if _taught_by(recordings.trials[row], group)]
        # Where nobody wore a sensor so, whatever there is must do.
        mine = mine if _teaches(recordings, mine) else list(rows)
        heard = _heard(known, BELT_COPIES) if group == BELT else known
        for look in (FIRST, SECOND):
            trees[group, look] = grow(heard, mine, look, seed, recipes(group, look))
        thresholds[group] = _thresholds(recordings, heard, mine, group, seed)
    return Model(trees, thresholds)


def _taught_by(trial: Trial, group: str) -> bool:
    position = trial.position if trial.position in GROUPS else "unknown"
    return group in ("any", GROUPS[position], group_of(position, trial.range_g))


def _heard(known: Examples, copies: Iterable[int]) -> Examples:
    """The examples of some copies alone."""
    use = np.isin(known.copy, list(copies))
    return Examples(known.row[use], known.copy[use], known.label[use], known.first[use], known.second[use])


def _teaches(recordings: Recordings, rows: Iterable[int]) -> bool:
    return {recordings.trials[row].fall for row in rows} == {True, False}


def recipes(group: str, look: str) -> tuple[Recipe, ...]:
    return WRIST if (group, look) == ("wrist", SECOND) else PLAIN


def grow(known: Examples, rows: Sequence[int], look: str, seed: int, kinds: Sequence[Recipe] = PLAIN) -> Trees:
    """Trees for one look from the candidates of `rows`."""
    import lightgbm

    use = np.isin(known.row, rows) & (known.label >= 0)
    table = (known.first if look == FIRST else known.second)[use]
    label = known.label[use]
    # A trial of jogging has a hundred candidates and tells little more than one of sitting down.
    key = np.stack([known.row[use], known.copy[use], label])
    _, where, counts = np.unique(key, axis=1, return_inverse=True, return_counts=True)
    weight = 1.0 / np.sqrt(counts[where.ravel()])
    grown = []
    for kind in kinds:
        shown = table if kind.course else table[:, :PLAIN_COUNT]
        for number in range(kind.boosters):
            parameters = PARAMETERS | dict(kind.changed) | {"seed": seed + number}
            data = lightgbm.Dataset(shown, label, weight=weight)
            grown.append(exported(lightgbm.train(parameters, data, num_boost_round=kind.rounds).dump_model()))
    return grown[0] if len(grown) == 1 else averaged(grown)


def averaged(some: Sequence[Trees]) -> Trees:
    """Trees that say the mean of what each of `some` says, before it is made a share."""
    begins = np.cumsum([0, *(len(trees.feature) for trees in some[:-1])])
    return Trees(
        np.concatenate([trees.feature for trees in some]),
        np.concatenate([trees.limit for trees in some]),
        np.concatenate([trees.left + begin for trees, begin in zip(some, begins, strict=True)]).astype(np.int32),
        np.concatenate([trees.right + begin for trees, begin in zip(some, begins, strict=True)]).astype(np.int32),
        # As exact as they are kept, so that a model that was read says what the trained one said.
        np.concatenate([trees.value / len(some) for trees in some]).astype(np.float32).astype(np.float64),
        np.concatenate([trees.roots + begin for trees, begin in zip(some, begins, strict=True)]).astype(np.int32),
        max(trees.depth for trees in some),
    )


def exported(dumped: Mapping[str, Any]) -> Trees:
    """A booster's trees as arrays."""
    nodes: list[tuple[int, float, int, int, float]] = []
    deepest = 0

    def add(node: Mapping[str, Any], depth: int) -> int:
        nonlocal deepest
        deepest = max(deepest, depth)
        place = len(nodes)
        if "leaf_value" in node:
            nodes.append((0, 0.0, place, place, float(node["leaf_value"])))
            return place
        nodes.append((0, 0.0, 0, 0, 0.0))
        left, right = add(node["left_child"], depth + 1), add(node["right_child"], depth + 1)
        nodes[place] = (int(node["split_feature"]), float(node["threshold"]), left, right, 0.0)
        return place

    roots = [add(tree["tree_structure"], 0) for tree in dumped["tree_info"]]
    feature, limit, left, right, value = zip(*nodes, strict=True)
    return Trees(
        np.array(feature, np.int16),
        np.array(limit, np.float64),
        np.array(left, np.int32),
        np.array(right, np.int32),
        np.array(value, np.float32).astype(np.float64),
        np.array(roots, np.int32),
        max(1, deepest),
    )


def _thresholds(recordings: Recordings, known: Examples, rows: Sequence[int], group: str, seed: int) -> Thresholds:
    """From what trees say of people whom they have not seen."""
    people = sorted({recordings.trials[row].person for row in rows})
    np.random.default_rng(seed).shuffle(people)
    best = {look: np.full(len(recordings), -1.0) for look in (FIRST, SECOND)}
    folds = min(INNER_FOLDS, len(people))
    for fold in range(folds):
        out = set(people[fold::folds])
        kept = [row for row in rows if recordings.trials[row].person not in out]
        judged = [row for row in rows if recordings.trials[row].person in out]
        if not _teaches(recordings, kept):
            continue
        for look in (FIRST, SECOND):
            trees = grow(known, kept, look, seed, recipes(group, look))
            use = np.isin(known.row, judged) & (known.copy == HEARD_AS.get(group, 0))
            table = known.first if look == FIRST else known.second
            np.maximum.at(best[look], known.row[use], trees.score(table[use]))
    falls = np.array([row for row in rows if recordings.trials[row].fall])
    others = np.array([row for row in rows if not recordings.trials[row].fall])
    suspect = float(np.quantile(best[FIRST][falls], 1 - SUSPECT_SHARE))
    balanced = {look: _balanced(best[look][falls], best[look][others]) for look in (FIRST, SECOND)}
    alone, ring = (max(balanced[look], _reached(best[look][falls])) for look in (FIRST, SECOND))
    # To ask the resident costs less than to ring.
    return Thresholds(round(min(suspect, balanced[FIRST]), 4), round(alone, 4), round(ring, 4))


NEARLY_BEST = 0.003


def _balanced(falls: Floats, others: Floats) -> float:
    """The middle of the scores at which F1 is at its best or nearly so."""
    scores = np.linspace(0.02, 0.98, 97)
    hits = (falls[:, None] >= scores).sum(axis=0)
    false = (others[:, None] >= scores).sum(axis=0)
    f1 = 2 * hits / (hits + false + len(falls))
    return float(np.median(scores[f1 >= f1.max() - NEARLY_BEST]))


def _reached(falls: Floats) -> float:
    """The highest score, as `Thresholds` keep it, that so great a share of the falls reaches."""
    return math.floor(1e4 * float(np.quantile(falls, 1 - RING_SHARE, method="lower"))) / 1e4


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the fall model anew.")
    parser.add_argument("folder", type=Path, help="where index.csv and accel_50hz.npz are")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    recordings = Recordings.read(arguments.folder / "index.csv", arguments.folder / "accel_50hz.npz")
    model = train(recordings, range(len(recordings)), seed=arguments.seed)
    data = model.dump()
    partial = arguments.out.with_suffix(".part")
    partial.write_bytes(data)
    os.replace(partial, arguments.out)
    for position, range_g in (("wrist", 0.0), ("waist", REACHES_G), ("waist", 0.0), ("unknown", 0.0)):
        print(group_of(position, range_g), model.thresholds(position, range_g))  # noqa: T201
    print(f"{arguments.out}: {len(data)} bytes")  # noqa: T201


if __name__ == "__main__":
    main()
