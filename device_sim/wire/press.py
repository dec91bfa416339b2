"""One press of a button, from the finger to *closed*: when it is sent again, and what its lamp shows. Pure.

Times are seconds of the device's own monotonic clock; `at` in the log is a wall time the shell hands in.
"""

from dataclasses import dataclass, field
from datetime import datetime

PRESSED = "pressed"
FAILED = "failed"
RECEIVED = "received"
STAGES = (RECEIVED, "accepted", "on_the_way", "closed")
"""The stages in which the platform tells of an alarm, in their order."""


@dataclass(frozen=True)
class RetryPlan:
    """When an unacknowledged press is sent again: `first_count` times every `first_seconds`, then every `then_seconds`.

    Source: the protocol page (30 s x 16, then 10 min). The lamp shows failure after `failed_after_seconds`.
    """

    first_seconds: float = 30.0
    first_count: int = 16
    then_seconds: float = 600.0
    failed_after_seconds: float = 8.0

    def wait_after(self, attempt: int) -> float:
        """Seconds from the sending of `attempt` (1 is the first) to the next one."""
        return self.first_seconds if attempt <= self.first_count else self.then_seconds


@dataclass(frozen=True)
class LampStage:
    """A line of the button's log: what the lamp showed, since when, and what came with it."""

    stage: str
    at: datetime
    by: str | None = None
    eta: str | None = None


@dataclass
class Press:
    """A press and its lamp. `next_due` is the one deadline; the shell asks for it, waits, and calls `act`."""

    event_id: str
    kind: str
    seq: int
    pressed_at: datetime
    pressed_seconds: float
    plan: RetryPlan
    test: bool = False
    attempt: int = 0
    last_sent_seconds: float | None = None
    acknowledged: bool = False
    lamp: list[LampStage] = field(default_factory=list)
    closed: bool = False

    def __post_init__(self) -> None:
        self.lamp.append(LampStage(PRESSED, self.pressed_at))

    def next_due(self) -> float | None:
        """When something is next to be done, or None when the platform has acknowledged."""
        if self.acknowledged:
            return None
        return min(self._send_due(), self._failed_due())

    def failed_due(self) -> float | None:
        """When the lamp is to show failure, or None when it does already or need not."""
        return None if self.acknowledged or self.has_shown(FAILED) else self._failed_due()

    def act(self, now_seconds: float, now: datetime) -> bool:
        """Does what is due: shows failure on the lamp; True when the alarm is to be sent (again) now."""
        if self.acknowledged:
            return False
        if now_seconds >= self._failed_due():
            self.lamp.append(LampStage(FAILED, now))
        return now_seconds >= self._send_due()

    def has_shown(self, stage: str) -> bool:
        """Whether the lamp has shown `stage`, now or before."""
        return any(shown.stage == stage for shown in self.lamp)

    def sent(self, now_seconds: float) -> int:
        """Counts a sending and returns the attempt's number."""
        self.attempt += 1
        self.last_sent_seconds = now_seconds
        return self.attempt

    def heard(self, stage: str, now: datetime, by: str | None = None, eta: str | None = None) -> bool:
        """Takes a stage from `down/ack`; False when it is unknown or says nothing new.

        A later stage implies *received*: who has accepted it has it. A repeat (every retry is answered) is not shown
        twice; the same stage with another name or time is news.
        """
        if stage not in STAGES:
            return False
        self.acknowledged = True
        if any(shown.stage == stage and shown.by == by and shown.eta == eta for shown in self.lamp):
            return False
        self.lamp.append(LampStage(stage, now, by, eta))
        self.closed = self.closed or stage == "closed"
        return True

    @property
    def shows(self) -> str:
        """What the lamp shows: the furthest stage heard, or *failed*, or *pressed*."""
        heard = [stage for stage in STAGES if self.has_shown(stage)]
        return heard[-1] if heard else self.lamp[-1].stage

    def _send_due(self) -> float:
        if self.last_sent_seconds is None:
            return self.pressed_seconds
        return self.last_sent_seconds + self.plan.wait_after(self.attempt)

    def _failed_due(self) -> float:
        return float("inf") if self.has_shown(FAILED) else self.pressed_seconds + self.plan.failed_after_seconds
