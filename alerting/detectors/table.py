"""Which detectors watch a home, and in which versions. A new one is a line here. PURE."""

from collections.abc import Mapping

from alerting.detectors import Detector, conditions
from alerting.detectors.inactivity import CANNOT_HEAR, HEARING_RESTORED, INACTIVITY, Inactivity
from alerting.detectors.sequence import SEQUENCE_GAP
from alerting.detectors.supervision import DEVICE_RESTORED, HEARTBEAT_LOST, Supervision

Table = Mapping[str, Mapping[str, type[Detector]]]

DETECTORS: dict[str, dict[str, type[Detector]]] = {
    "supervision": {"1": Supervision},
    "inactivity": {"fixed-1": Inactivity},
}
"""Name → label → version. The first label is the one that rings unless a home's settings say otherwise; the others run
where somebody has put them into shadow, or promoted them. A label is for ever: another behaviour is another label."""

KINDS = conditions.KINDS | {
    INACTIVITY, CANNOT_HEAR, HEARING_RESTORED, SEQUENCE_GAP, HEARTBEAT_LOST, DEVICE_RESTORED,
}  # fmt: skip
"""Everything that they find: what alarms are counted by."""
