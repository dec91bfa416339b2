"""The fall model: trees in plain arrays, read without any library of training. PURE."""

import io
from collections.abc import Mapping
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FORMAT = 1
FIRST, SECOND = "first", "second"
"""The two looks at a candidate: just after the impact, and at what came of it."""
GROUPS = {"wrist": "wrist", "waist": "body", "pendant": "body", "pocket": "body", "unknown": "any"}
"""Which trees judge a sensor, by where it is worn."""
BELT = "belt"
"""Those of the waist, of a sensor that measures `REACHES_G`: it shows how hard an impact was, where a lesser one is
clipped, and it is not swung against tables as a hand or a pendant is. So it need not be judged as if it were either."""
REACHES_G = 4.0
DEPTH_MAX = 64


class Damaged(Exception):
    """Bytes that are no model of this format."""


def group_of(position: str, range_g: float) -> str:
    """Whose trees judge a sensor that is worn so, and measures so much."""
    return BELT if position == "waist" and range_g >= REACHES_G else GROUPS[position]


class Trees(NamedTuple):
    """Boosted trees. A node that is a leaf leads to itself."""

    feature: NDArray[np.int16]
    limit: Floats
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: Floats
    roots: NDArray[np.int32]
    depth: int

    def score(self, features: Floats) -> Floats:
        """The share of falls among such, 0 to 1, for [n, features]."""
        at = np.broadcast_to(self.roots, (len(features), len(self.roots)))
        rows = np.arange(len(features))[:, None]
        for _ in range(self.depth):
            lower = features[rows, self.feature[at]] <= self.limit[at]
            at = np.where(lower, self.left[at], self.right[at])
        summed: Floats = self.value[at].sum(axis=1)
        return 1.0 / (1.0 + np.exp(-summed))


class Thresholds(NamedTuple):
    """Scores from which something is done."""

    suspect: float
    """First look: ask the resident."""
    alone: float
    """First look, where nothing more is heard of the sensor: it is a fall."""
    ring: float
    """Second look: it is a fall."""


class Model:
    """What was trained: trees and thresholds for each group of positions, and a name."""

    def __init__(
        self, trees: Mapping[tuple[str, str], Trees], thresholds: Mapping[str, Thresholds], name: str = ""
    ) -> None:
        self.trees = dict(trees)
        self._thresholds = dict(thresholds)
        self.name = name

    def score(self, position: str, look: str, features: Floats, range_g: float = 0.0) -> Floats:
        return self.trees[group_of(position, range_g), look].score(features)

    def threshold(self, position: str, look: str = SECOND, range_g: float = 0.0) -> float:
        """The score of the second look from which a fall rings; of the first, from which it is suspected."""
        thresholds = self.thresholds(position, range_g)
        return thresholds.ring if look == SECOND else thresholds.suspect

    def thresholds(self, position: str, range_g: float = 0.0) -> Thresholds:
        return self._thresholds[group_of(position, range_g)]

    def at(self, threshold: float) -> "Model":
        """The same with one threshold for all that rings: to draw curves."""
        lowered = {group: Thresholds(min(one.suspect, threshold), threshold, threshold) for group, one in
                   self._thresholds.items()}  # fmt: skip
        return Model(self.trees, lowered, self.name)

    def dump(self) -> bytes:
        arrays: dict[str, NDArray[np.generic]] = {"format": np.array(FORMAT), "name": np.array(self.name)}
        for (group, look), trees in self.trees.items():
            for field, array in trees._asdict().items():
                small = np.asarray(array, dtype=np.float32) if field == "value" else np.asarray(array)
                arrays[f"{group}/{look}/{field}"] = small
        for group, thresholds in self._thresholds.items():
            arrays[f"{group}/thresholds"] = np.array(thresholds)
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        return file.getvalue()

    @classmethod
    def load(cls, data: bytes) -> Self:
        """The model in `data`. Damaged if there is none."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                kept = {key: arrays[key] for key in arrays.files}
            if int(kept.pop("format")) != FORMAT:
                raise Damaged("a format that is not known here")
            name = str(kept.pop("name"))
            thresholds: dict[str, Thresholds] = {}
            parts: dict[tuple[str, str], dict[str, NDArray[np.generic]]] = {}
            for key, array in kept.items():
                if key.endswith("/thresholds"):
                    thresholds[key.partition("/")[0]] = Thresholds(*map(float, array))
                else:
                    group, look, field = key.split("/")
                    parts.setdefault((group, look), {})[field] = array
            trees = {key: _trees(fields) for key, fields in parts.items()}
        except Damaged:
            raise
        except Exception as error:  # whatever a damaged archive makes its reader raise
            raise Damaged(str(error)) from error
        return cls(trees, thresholds, name)


def _trees(fields: dict[str, NDArray[np.generic]]) -> Trees:
    depth = int(fields["depth"])
    count = len(fields["feature"])
    if not 0 < depth <= DEPTH_MAX or any(len(fields[key]) != count for key in ("limit", "left", "right", "value")):
        raise ValueError("trees that do not fit together")
    return Trees(
        np.asarray(fields["feature"], np.int16),
        np.asarray(fields["limit"], np.float64),
        np.asarray(fields["left"], np.int32),
        np.asarray(fields["right"], np.int32),
        np.asarray(fields["value"], np.float64),
        np.asarray(fields["roots"], np.int32),
        depth,
    )
