"""Two weeks of a real home, as the platform would hear them. TIHM (Palermo et al. 2023, CC BY 4.0), when it is here."""

import csv
import gzip
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from pingan.clock import to_ms
from pingan.messages import Message, Reading, Tick
from tests.timeline import kinds, replay, settings

RECORDING = Path(__file__).parents[3] / "shared/data/homes/tihm_activity.csv.gz"
HOMES = ("0d5ef", "16f4b", "2f54b")
"""One that is often still for long, one that hardly ever is, and the stillest of all."""
DAYS = 14
TICK_MS = 600_000

pytestmark = pytest.mark.skipif(not RECORDING.exists(), reason=f"the recordings are not here: {RECORDING}")


def movements(home: str) -> list[tuple[int, str]]:
    with gzip.open(RECORDING, "rt", encoding="utf-8") as file:
        rows = [
            (to_ms(datetime.fromisoformat(row["t"]).replace(tzinfo=UTC)), row["location"])
            for row in csv.DictReader(file)
            if row["id"] == home
        ]
    return sorted(rows)


def as_messages(home: str, moved: list[tuple[int, str]], hours: float) -> list[Message]:
    """The first two weeks, with a tick each ten minutes."""
    at_ms = moved[0][0] - moved[0][0] % TICK_MS
    end_ms = at_ms + DAYS * 86_400_000
    messages: list[Message] = [settings(hours=hours, home=home), Tick(at_ms, 0, 1)]
    upcoming = iter(enumerate(moved))
    seq, (moment, where) = next(upcoming)
    while at_ms < end_ms:
        at_ms += TICK_MS
        while moment < at_ms:
            messages.append(Reading(f"{home}-hub", "b1", seq, moment, moment, "motion", True, home, where))
            seq, (moment, where) = next(upcoming)
        messages.append(Tick(at_ms, TICK_MS, 1))
    return messages


def silences(moved: list[tuple[int, str]], hours: float) -> int:
    """How many gaps of the first two weeks reach `hours`, told without any detector."""
    times = [at_ms for at_ms, _ in moved if at_ms < moved[0][0] + DAYS * 86_400_000]
    return sum(b - a >= hours * 3_600_000 for a, b in pairwise(times))


@pytest.mark.parametrize("home", HOMES)
def test_two_weeks_of_a_home_raise_what_its_silences_are(home: str) -> None:
    moved = movements(home)
    for hours in (4, 8, 12):
        count = kinds(replay(as_messages(home, moved, hours))).count("inactivity")
        # Time is counted in ticks of ten minutes, so that a gap just at the limit may fall on either side.
        assert silences(moved, hours + 0.34) <= count <= silences(moved, hours - 0.01), hours
        if hours == 8:
            assert 1 <= count <= 13


def test_it_is_the_same_every_time() -> None:
    messages = as_messages(HOMES[0], movements(HOMES[0]), 8)
    assert replay(messages) == replay(messages)
