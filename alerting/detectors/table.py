"""Which detectors watch a home, and in which versions. A new one is a line here. PURE."""

from collections.abc import Mapping

from alerting.detectors import Detector, conditions
from alerting.detectors.drift import ROUTINE_DRIFT, Drift
from alerting.detectors.fall import FALL, FALL_SUSPECTED, Fall
from alerting.detectors.hazards import HOME_COLD, HOME_HEAT, SAID, Hazards
from alerting.detectors.inactivity import CANNOT_HEAR, HEARING_RESTORED, INACTIVITY, Inactivity
from alerting.detectors.inactivity_learned import SUSPECTED, LearnedInactivity
from alerting.detectors.sequence import SEQUENCE_GAP
from alerting.detectors.stuck import Stuck
from alerting.detectors.supervision import DEVICE_RESTORED, HEARTBEAT_LOST, Supervision
from alerting.detectors.vitals import VITALS, Vitals
from alerting.detectors.wandering import WANDERING, Wandering
from pingan.messages import WITHDRAWN

Table = Mapping[str, Mapping[str, type[Detector]]]

DETECTORS: dict[str, dict[str, type[Detector]]] = {
    "supervision": {"1": Supervision},
    "inactivity": {"learned-1": LearnedInactivity, "fixed-1": Inactivity},
    "fall": {"trees-1": Fall},
    "hazards": {"1": Hazards},
    "vitals": {"1": Vitals},
    "wandering": {"1": Wandering},
    "drift": {"1": Drift},
    "stuck": {"1": Stuck},
}
"""Name → label → version. The first label is the one that rings unless a home's settings say otherwise; the others run
where somebody has put them into shadow, or promoted them. A label is for ever: another behaviour is another label."""

KINDS = conditions.KINDS | SAID | {
    FALL, FALL_SUSPECTED, INACTIVITY, SUSPECTED, CANNOT_HEAR, HEARING_RESTORED, SEQUENCE_GAP, HEARTBEAT_LOST,
    DEVICE_RESTORED, VITALS, WANDERING, HOME_HEAT, HOME_COLD, ROUTINE_DRIFT, WITHDRAWN,
}  # fmt: skip
"""Everything that they find: what alarms are counted by."""
