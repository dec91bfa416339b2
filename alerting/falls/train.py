"""Train the fall model anew: `python -m alerting.falls.train FOLDER`."""

from collections.abc import Sequence

from alerting.falls.model import Model
from alerting.falls.recordings import Recordings


def train(recordings: Recordings, rows: Sequence[int], *, seed: int = 0) -> Model:
    """The model that `rows` of the index teach. The same rows and seed give the same model."""
    raise NotImplementedError("comes with the features")
