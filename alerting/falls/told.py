"""What is said of a candidate: the evidence of a suspicion, an alarm, or a withdrawal. PURE."""

from base64 import b64encode
from typing import Any, NamedTuple

import numpy as np

from alerting.falls import features
from alerting.falls.features import BEFORE
from alerting.falls.signal import SLOT_MS, SLOTS_PER_SECOND
from alerting.falls.stream import Stream

POSTURE_CHANGED_DEGREES = 45.0
POSTURE_KEPT_DEGREES = 20.0
LAY_STILL_SHARE = 0.7
MOVED_SHARE = 0.15
FREE_FALL_G = 0.5

ROOM_MOVED = 0.5
ROOM_STILL = 1.1
REPORTED = 5.0
"""How much likelier such is heard after a fall than otherwise. Chosen, and small but for a device that decides by
itself: no recording has both a fall and a home's sensors, so that nobody has measured them."""
ROOM_AFTER_MS = (2_000, 4_000)
"""After the impact: what moves sooner may have been the fall itself."""
REPORT_WITHIN_MS = 60_000


class Said(NamedTuple):
    """What others said about the time of a candidate."""

    room_moved_ms: tuple[int, ...] = ()
    room_known: bool = False
    """Whether the home has a sensor that could have heard somebody move."""
    reported_ms: tuple[int, ...] = ()

    @property
    def odds(self) -> float:
        odds = ROOM_MOVED if self.room_moved_ms else ROOM_STILL if self.room_known else 1.0
        return odds * REPORTED if self.reported_ms else odds


def fused(score: float, said: Said) -> float:
    """The model's score with what others said."""
    odds = score / max(1e-6, 1 - score) * said.odds
    return odds / (1 + odds)


def looks(stream: Stream, slot: int, said: Said, after: bool) -> dict[str, Any]:
    """What speaks for and against a fall, with its trace."""
    window = stream.window(slot)
    with np.errstate(invalid="ignore", divide="ignore"):
        seen = {name: float(values[0]) for name, values in features.first(window).items()}
        seen |= {f"after_{name}": float(values[0]) for name, values in features.second(window).items()} if after else {}
    impact_ms = slot * SLOT_MS
    supports: list[dict[str, Any]] = []
    opposes: list[dict[str, Any]] = []

    def note(where: list[dict[str, Any]], what: str, at_ms: int, value: float) -> None:
        where.append({"what": what, "at_ms": at_ms, "value": round(value, 2)})

    peak_g = float(window.peaks[0, BEFORE])
    note(supports, "impact", impact_ms, peak_g)
    if seen["valley"] < FREE_FALL_G:
        note(supports, "free_fall", impact_ms - int(seen["valley_ago"] * 1000), seen["valley"])
    tilt, tilt_at = (seen["after_tilt_1_4"], 2_500) if after else (seen["tilt"], 500)
    if tilt > POSTURE_CHANGED_DEGREES:
        note(supports, "posture_change", impact_ms + tilt_at, tilt)
    elif tilt < POSTURE_KEPT_DEGREES:
        note(opposes, "posture_kept", impact_ms + tilt_at, tilt)
    if after:
        if seen["after_still"] > LAY_STILL_SHARE:
            note(supports, "stillness", impact_ms + 1_000, seen["after_still"])
        elif seen["after_still"] < MOVED_SHARE:
            note(opposes, "moving", impact_ms + 1_000, seen["after_still"])
    for at_ms in said.reported_ms:
        note(supports, "device_reports_fall", at_ms, REPORTED)
    for at_ms in said.room_moved_ms:
        note(opposes, "room_movement", at_ms, ROOM_MOVED)
    if said.room_known and not said.room_moved_ms:
        note(supports, "no_room_movement", impact_ms + ROOM_AFTER_MS[1], ROOM_STILL)
    return {"peak_g": round(peak_g, 2), "supports": supports, "opposes": opposes}


def trace(stream: Stream, slot: int, range_g: float, position: str) -> dict[str, Any]:
    """The magnitudes about the impact; what was not heard is 0, which no sensor on a person measures for long."""
    peaks = np.nan_to_num(stream.window(slot).peaks[0])
    heard = np.flatnonzero(peaks)
    until = int(heard[-1]) + 1 if len(heard) else 0
    thousandths = np.clip(np.rint(peaks[:until] * 1000), 0, 65535).astype("<u2")
    return {
        "rate_hz": SLOTS_PER_SECOND,
        "start_ms": (slot - BEFORE) * SLOT_MS,
        "range_g": range_g,
        "position": position,
        "g": b64encode(thousandths.tobytes()).decode(),
    }
