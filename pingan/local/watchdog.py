"""When a process that is still there counts as dead. Pure: the time comes in, in seconds of the supervisor's own clock.

A process writes its state file every second. One that is held (SIGSTOP), deadlocked or lost in a loop stops doing so,
and is replaced; nothing else would notice, since it hasn't ended.
"""

import enum
from dataclasses import dataclass


class Verdict(enum.Enum):
    """What is to be thought of a process."""

    WELL = "well"
    STARTING = "starting"
    NEVER_STARTED = "never started"
    SILENT = "silent"

    @property
    def doomed(self) -> bool:
        return self in (Verdict.NEVER_STARTED, Verdict.SILENT)


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds. The file changes every second, so six leave room for a disk that hangs a while."""

    silence: float = 6
    first_sign: float = 20
    gap: float = 3
    """A pause of the supervisor's own loop. Whoever slept itself cannot say that the others were silent."""


class Watchdog:
    """Watches one process from its start."""

    def __init__(self, now: float, limits: Limits) -> None:
        self._limits = limits
        self._since = now
        self._last: bytes | None = None

    def look(self, content: bytes | None, now: float) -> Verdict:
        """`content` is the state file as this process wrote it, None while it has not."""
        if content is not None and content != self._last:
            self._last = content
            self._since = now
        waited = now - self._since
        if self._last is None:
            return Verdict.NEVER_STARTED if waited > self._limits.first_sign else Verdict.STARTING
        return Verdict.SILENT if waited > self._limits.silence else Verdict.WELL

    def grant(self, now: float) -> None:
        """Begin the waiting anew: it was ourselves who did not look."""
        self._since = now
