"""Which detectors watch a home. A new one is a line here. PURE."""

from alerting.detectors import Detector, conditions
from alerting.detectors.inactivity import CANNOT_HEAR, HEARING_RESTORED, INACTIVITY, Inactivity
from alerting.detectors.sequence import SEQUENCE_GAP
from alerting.detectors.supervision import DEVICE_RESTORED, HEARTBEAT_LOST, Supervision

DETECTORS: tuple[type[Detector], ...] = (Supervision, Inactivity)

KINDS = conditions.KINDS | {
    INACTIVITY, CANNOT_HEAR, HEARING_RESTORED, SEQUENCE_GAP, HEARTBEAT_LOST, DEVICE_RESTORED,
}  # fmt: skip
"""Everything that they find: what alarms are counted by."""
