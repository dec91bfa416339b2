"""Which detectors watch a home. A new one is a line here. PURE."""

from alerting.detectors import Detector
from alerting.detectors.inactivity import Inactivity
from alerting.detectors.supervision import Supervision

DETECTORS: tuple[type[Detector], ...] = (Supervision, Inactivity)
