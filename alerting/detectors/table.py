"""Which detectors watch a home. A new one is a line here. PURE."""

from alerting.detectors import Detector, conditions
from alerting.detectors.inactivity import INACTIVITY, Inactivity
from alerting.detectors.sequence import SEQUENCE_GAP
from alerting.detectors.supervision import DEVICE_RESTORED, HEARTBEAT_LOST, Supervision

DETECTORS: tuple[type[Detector], ...] = (Supervision, Inactivity)

KINDS = conditions.KINDS | {INACTIVITY, SEQUENCE_GAP, HEARTBEAT_LOST, DEVICE_RESTORED}
"""Everything that they find: what alarms are counted by."""
