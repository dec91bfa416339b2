"""Count what `population.py` holds, from a recording of many homes.

`python -m alerting.routines.make_population ACTIVITY.csv.gz > alerting/routines/population.py`
"""

import sys
from base64 import b85encode
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from alerting.detectors import DAY_MS, HOUR_MS
from alerting.evaluate.movements import Home, activity, is_entrance
from alerting.routines.population import UNIT
from alerting.routines.silence import GAP_MS, HOURS, TAUS, exceeding, gap, gaps_of

BIN_MS = 180_000
"""As the detector's."""
OFFSET_MS = 8 * HOUR_MS
"""Recordings' wall clocks are taken as China's."""
LINE = 100
HEAD = '''"""How often silences last how long in homes that were recorded. PURE.

Written by `python -m alerting.routines.make_population` from TIHM (Palermo et al., *Scientific Data* 2023, CC BY 4.0;
Surrey and Borders Partnership NHS Foundation Trust and Howz): {homes} homes of people with dementia aged 70 and more,
England, 2019. What is new in a home is drawn towards it; it identifies nobody.
"""

from base64 import b85decode

import numpy as np
import numpy.typing as npt

UNIT = {unit}
SHAPE = {shape}
"""Rooms and doors; the hour in which a silence begins; the lengths `TAUS` of silence.py."""


def exceeding() -> npt.NDArray[np.float64]:
    """Silences a day that begin in an hour and last longer, in a place that has all of that hour's movements."""
    return _EXCEEDING


_TEXT = """
{text}
"""
_EXCEEDING = np.frombuffer(b85decode("".join(_TEXT.split())), "<u2").reshape(SHAPE) * UNIT
'''


def population(homes: Iterable[Home]) -> npt.NDArray[np.float64]:
    silences = np.zeros((2, HOURS, len(TAUS)))
    shares = np.zeros((2, HOURS))
    for home in homes:
        days = (home.end_ms - home.begin_ms) / DAY_MS
        found: tuple[list[bytes], list[bytes]] = ([], [])
        for one, after in pairwise(home.movements):
            if after.at_ms - one.at_ms >= GAP_MS:
                kept = gap(0, one.at_ms + OFFSET_MS, after.at_ms - one.at_ms, 0, rang=False)
                found[is_entrance(one.sensor)].append(kept.packed())
        moved = np.zeros((2, HOURS))
        for entrance, at_bin in {(is_entrance(one.sensor), one.at_ms // BIN_MS) for one in home.movements}:
            moved[int(entrance), (at_bin * BIN_MS + OFFSET_MS) % DAY_MS // HOUR_MS] += 1
        smooth = moved + 0.5 * (np.roll(moved, 1, 1) + np.roll(moved, -1, 1))
        shares += smooth / np.maximum(smooth.sum(0), 1)
        for door in (0, 1):
            if found[door]:
                gaps = gaps_of(b"".join(found[door]))
                silences[door] += exceeding(gaps, np.full(len(gaps), 1 / days))
    rates: npt.NDArray[np.float64] = silences / np.maximum(shares, 0.01)[:, :, None]
    return rates


def main(path: str) -> None:
    homes = activity(Path(path)).homes
    counted = np.minimum(np.round(population(homes) / UNIT), 65_535).astype("<u2")
    text = b85encode(counted.tobytes()).decode()
    lines = "\n".join(text[at : at + LINE] for at in range(0, len(text), LINE))
    sys.stdout.write(HEAD.format(homes=len(homes), unit=UNIT, shape=counted.shape, text=lines))


if __name__ == "__main__":
    main(sys.argv[1])
