"""One supervised process: started, watched, and started again when it has died or gone silent."""

import json
import logging
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from .processes import Identity
from .watchdog import Limits, Watchdog

log = logging.getLogger(__name__)

HEALTHY_AFTER_SECONDS = 10
BACKOFF_SECONDS = (0.0, 0.2, 0.4, 0.8, 1.6, 2.0)
"""At once the first time: one death is an accident. One that dies again and again shall not eat a core."""


class Child:
    """A process that should run whenever `gate` says so. Times are monotonic seconds and come in as arguments."""

    def __init__(
        self,
        name: str,
        start: Callable[[], subprocess.Popen[bytes]],
        *,
        gate: Callable[[], bool] = lambda: True,
        state_file: Path | None = None,
        limits: Limits,
    ) -> None:
        self.name = name
        self.process: subprocess.Popen[bytes] | None = None
        self.identity: Identity | None = None
        self.starts = 0
        self.watched = state_file is not None
        self.trouble = ""
        """Why it does not run, or did not last time; empty while it has been well for a while."""
        self._start = start
        self._gate = gate
        self._state_file = state_file
        self._limits = limits
        self._failures = 0
        self._start_at = 0.0
        self._started_at = 0.0
        self._watchdog: Watchdog | None = None
        self._sentence = ""

    def turn(self, now: float) -> bool:
        """Look after it. True when a process was started or has ended."""
        if self.process is None:
            if now < self._start_at or not self._gate():
                return False
            return self._begin(now)
        status = self.process.poll()
        if status is not None:
            self._ended(now, self._sentence or _how(status))
            return True
        if now - self._started_at > HEALTHY_AFTER_SECONDS:
            self._failures = 0
            self.trouble = ""
        if self._watchdog and not self._sentence:
            verdict = self._watchdog.look(self._state(), now)
            if verdict.doomed:
                log.error("%s (%d) is %s: killing it", self.name, self.process.pid, verdict.value)
                # SIGKILL: a stopped process hears no other signal, and one that hangs would not act on it.
                self.process.kill()
                self._sentence = verdict.value
        return False

    def _begin(self, now: float) -> bool:
        if self._state_file:
            self._state_file.unlink(missing_ok=True)
        try:
            self.process = self._start()
        except Exception as error:
            # Whatever it is, the others must be looked after: say so and try again.
            log.error("%s cannot be started: %s", self.name, error)
            self._ended(now, str(error))
            return False
        self.starts += 1
        self.identity = Identity.of(self.process.pid)
        self._started_at = now
        self._sentence = ""
        self._watchdog = Watchdog(now, self._limits) if self._state_file else None
        log.info("%s started as %d", self.name, self.process.pid)
        return True

    def _ended(self, now: float, how: str) -> None:
        wait = BACKOFF_SECONDS[min(self._failures, len(BACKOFF_SECONDS) - 1)]
        if self.process:
            log.warning("%s (%d) ended: %s; starting it again in %.1f s", self.name, self.process.pid, how, wait)
        self._failures += 1
        self._start_at = now + wait
        self.trouble = how
        self.process = None
        self.identity = None

    def _state(self) -> bytes | None:
        """Its state file, if this very process wrote it and not the one before."""
        if self._state_file is None or self.process is None:
            return None
        try:
            content = self._state_file.read_bytes()
            return content if json.loads(content).get("pid") == self.process.pid else None
        except (OSError, ValueError, AttributeError):
            return None

    def grant(self, now: float) -> None:
        """The supervisor has not been looking: begin waiting anew."""
        if self._watchdog:
            self._watchdog.grant(now)

    def collect(self) -> None:
        """After an orderly stop: take note of its end."""
        if self.process:
            self.process.wait()
        self.process = self.identity = None


def _how(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
