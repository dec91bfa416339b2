"""What the supervisor knows, shown by a process that is asked for metrics: the supervisor itself speaks to nobody."""

from collections.abc import Mapping
from pathlib import Path

from pingan.clock import Clock
from pingan.metrics import BROKER_REFUSED, CERTIFICATE_EXPIRES_SECONDS, bounded, hide, show

from .places import read_json
from .refusals import REASONS
from .supervisor import BROKER_REFUSED as REFUSED
from .supervisor import CERTIFICATES_EXPIRE, FILE


def show_expiry(expire: Mapping[str, float], now: float) -> None:
    """Seconds until each certificate expires, below 0 when it has; nothing where there are none."""
    if not expire:
        hide(CERTIFICATE_EXPIRES_SECONDS)
    CERTIFICATE_EXPIRES_SECONDS.clear()
    for name, at in expire.items():
        show(CERTIFICATE_EXPIRES_SECONDS).labels(name).set(at - now)


class Supervised:
    """Reads the supervisor's state at each scrape."""

    def __init__(self, data: Path, clock: Clock) -> None:
        self._path, self._clock = data / "run" / FILE, clock
        self._pid: object = None
        self._counted: dict[str, int] = {}

    def look(self) -> None:
        state = read_json(self._path)
        if not state:
            hide(CERTIFICATE_EXPIRES_SECONDS)
            return
        if state.get("pid") != self._pid:  # another supervisor, which counts from its own start
            self._pid, self._counted = state.get("pid"), {}
        for why, count in {**dict.fromkeys(REASONS, 0), **state.get(REFUSED, {})}.items():
            before = self._counted.get(why, 0)
            show(BROKER_REFUSED).labels(bounded(why, REASONS)).inc(max(0, count - before))
            self._counted[why] = count
        show_expiry(state.get(CERTIFICATES_EXPIRE, {}), self._clock.now().timestamp())
