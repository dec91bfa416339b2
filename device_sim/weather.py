"""What happens to a frame between a device and the wire: loss, delay, repeats, outages, a drifting clock. Pure.

Everything is drawn from the seed and the times handed in: the same seed and the same frames have the same weather.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Climate:
    """How bad it is. Probabilities are 0-1 for each frame, delays and outages in seconds, drift in ppm."""

    loss: float = 0.0
    repeat: float = 0.0
    delay_mean_seconds: float = 0.0
    delay_max_seconds: float = 60.0
    outage_every_seconds: float = 0.0
    """Mean time between outages; 0: none."""
    outage_mean_seconds: float = 30.0
    drift_ppm: float = 0.0
    """Each device's clock drifts by a constant drawn from -drift_ppm to +drift_ppm."""


FAIR = Climate()
POOR = Climate(loss=0.02, repeat=0.02, delay_mean_seconds=0.3, outage_every_seconds=1800, drift_ppm=50)
STORM = Climate(
    loss=0.2, repeat=0.1, delay_mean_seconds=2.0, outage_every_seconds=300, outage_mean_seconds=60, drift_ppm=500
)
CLIMATES = {"fair": FAIR, "poor": POOR, "storm": STORM}


class Weather:
    """The weather over one device. Times handed in are seconds of one monotonic clock and never go backward."""

    def __init__(self, seed: str | int, climate: Climate, start_seconds: float = 0.0) -> None:
        self._random = random.Random(f"weather:{seed}")
        self._climate = climate
        self._start_seconds = start_seconds
        self._drift = self._random.uniform(-1.0, 1.0) * climate.drift_ppm * 1e-6
        self._outage_from, self._outage_until = self._next_outage(start_seconds)

    def fate(self, now_seconds: float) -> list[float]:
        """After how many seconds a frame handed over now reaches the wire: [] lost, two or more a repeat."""
        if self.is_out(now_seconds) or self._random.random() < self._climate.loss:
            return []
        delays = [self._delay()]
        if self._random.random() < self._climate.repeat:
            delays.append(self._delay())
        return delays

    def is_out(self, now_seconds: float) -> bool:
        """Whether the line is in an outage."""
        while now_seconds >= self._outage_until:
            self._outage_from, self._outage_until = self._next_outage(self._outage_until)
        return now_seconds >= self._outage_from

    def clock(self, now_seconds: float, true_time: datetime) -> datetime:
        """What the device's own clock shows: the true time plus what has drifted since the start."""
        return true_time + timedelta(seconds=(now_seconds - self._start_seconds) * self._drift)

    def _delay(self) -> float:
        if self._climate.delay_mean_seconds <= 0:
            return 0.0
        return min(self._climate.delay_max_seconds, self._random.expovariate(1 / self._climate.delay_mean_seconds))

    def _next_outage(self, after_seconds: float) -> tuple[float, float]:
        if self._climate.outage_every_seconds <= 0:
            return float("inf"), float("inf")
        begins = after_seconds + self._random.expovariate(1 / self._climate.outage_every_seconds)
        # At least a millisecond: an outage of no length would never let the loop in `is_out` advance.
        lasts = max(0.001, self._random.expovariate(1 / self._climate.outage_mean_seconds))
        return begins, begins + lasts
