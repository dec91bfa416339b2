"""Which moments are worth a look, by a rule that costs next to nothing. PURE."""

import numpy as np
from numpy.typing import NDArray

from alerting.falls.features import FIRST_LOOK

Floats = NDArray[np.float64]

CANDIDATE_G = 1.6
"""Of 1,522 acted falls in three sets none shows less, also clipped to 2 g; a person who sits still shows 1.05."""
ALONE = FIRST_LOOK
"""Slots on either side in which a candidate is the hardest moment: no harder one can come once it is looked at."""


def candidates(peaks: Floats) -> list[int]:
    """Places of the hardest moments, in g, that are at least CANDIDATE_G; what was not heard is NaN.

    Whether a place is one depends on its `ALONE` neighbours alone. Of equal ones the first counts.
    """
    line = np.nan_to_num(peaks, nan=0.0)
    found = []
    for place in np.flatnonzero(line >= CANDIDATE_G):
        earlier, later = line[max(0, place - ALONE) : place], line[place + 1 : place + 1 + ALONE]
        if (earlier < line[place]).all() and (later <= line[place]).all():
            found.append(int(place))
    return found
