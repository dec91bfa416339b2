"""One home's watch: it feeds the home's detectors, and makes alarms of what they find. PURE."""

from collections.abc import Iterable
from typing import Any, Self

import msgspec

from alerting.detectors import Detector, Finding, Heard, Now, Timed, sooner
from alerting.detectors.sequence import Sequence
from alerting.detectors.table import DETECTORS
from pingan.messages import Alarm, HomeSettings, derived_alarm_id

VERSION = 1
"""Of the frame in which the detectors' own snapshots stand; each of them has its own version."""

SEQ_MAX = 2**63 - 1
AT_MS_MAX = 2**53
"""Beyond them a snapshot could not be written or read. Ingest refuses such; this is the second wall."""

_Kept = dict[str, tuple[int, bytes]]


class Unreadable(Exception):
    """A snapshot of a version that this watch does not know, or that is damaged."""


class _Snapshot(msgspec.Struct, array_like=True):
    settings: HomeSettings | None
    detectors: _Kept


class Watch:
    """A home's detectors, behind one deadline."""

    def __init__(self, home: str) -> None:
        self.home = home
        self.settings: HomeSettings | None = None
        self.fresh: tuple[str, ...] = ()
        """Detectors whose state could not be read at the restore, and which begin anew."""
        self._sequence = Sequence()
        self._detectors: list[Detector] = [detector() for detector in DETECTORS]
        self.deadline: int | None = None

    def set(self, settings: HomeSettings, now: Now) -> None:
        self.settings = settings
        for part in self._parts():
            part.on_settings(settings, now)
        self._look()

    def hear(self, heard: Heard, now: Now) -> list[Alarm]:
        """Feed what a device said. What was heard before changes nothing. ValueError for numbers without sense."""
        if not 0 <= heard.seq <= SEQ_MAX or not -AT_MS_MAX <= heard.at_ms <= AT_MS_MAX:
            raise ValueError(f"seq {heard.seq} at {heard.at_ms} ms")
        # What bears no boot cannot be told from a repeat; an event of such a device must still be heard.
        if heard.boot and not self._sequence.admit(heard.device, heard.boot, heard.seq, now):
            return []
        alarms = []
        deadline = self._sequence.deadline
        for detector in self._detectors:
            if found := detector.on_reading(heard, now):
                alarms += [self._alarm(finding, heard.at_ms, heard.received_ms) for finding in found]
            due = detector.deadline
            if due is not None and (deadline is None or due < deadline):
                deadline = due
        self.deadline = deadline
        return alarms

    def wake(self, now: Now) -> list[Alarm]:
        """A tick has come: whoever's deadline it reached is woken."""
        alarms: list[Alarm] = []
        for detector in self._parts():
            if detector.deadline is not None and detector.deadline <= now.heard_ms:
                alarms += [self._alarm(found, now.at_ms, now.at_ms) for found in detector.on_deadline(now)]
        self._look()
        return alarms

    def _parts(self) -> list[Timed]:
        return [self._sequence, *self._detectors]

    def _look(self) -> None:
        self.deadline = None
        for part in self._parts():
            self.deadline = sooner(self.deadline, part.deadline)

    def _alarm(self, finding: Finding, at_ms: int, received_ms: int) -> Alarm:
        evidence: dict[str, Any] = {"source": "derived", "rule": finding.rule, **finding.evidence}
        if finding.restores is not None:
            evidence["restores"] = str(derived_alarm_id(self.home, finding.restores, finding.episode))
        if finding.follows is not None:
            evidence["follows"] = str(derived_alarm_id(self.home, finding.follows, finding.episode))
        return Alarm(
            id=derived_alarm_id(self.home, finding.rule, finding.episode),
            kind=finding.kind,
            home=self.home,
            device=finding.device,
            at_ms=at_ms,
            received_ms=received_ms,
            evidence=evidence,
        )

    def snapshot(self) -> bytes:
        kept = {one.name: (one.version, one.snapshot()) for one in self._parts()}
        return msgspec.msgpack.encode(_Snapshot(self.settings, kept))

    @classmethod
    def restore(cls, home: str, version: int, state: bytes, now: Now) -> Self:
        """The watch that was. Unreadable when nothing of it can be read; a detector that alone cannot begins anew."""
        if version != VERSION:
            raise Unreadable(f"version {version}, and this is {VERSION}")
        try:
            snapshot = msgspec.msgpack.decode(state, type=_Snapshot)
        except msgspec.DecodeError as error:
            raise Unreadable(str(error)) from error
        watch = cls(home)
        watch.settings = snapshot.settings
        watch._sequence = watch._restored(Sequence, snapshot.detectors, now)
        watch._detectors = [watch._restored(kind, snapshot.detectors, now) for kind in DETECTORS]
        watch._look()
        return watch

    def _restored(self, kind: Any, kept: _Kept, now: Now) -> Any:
        version, state = kept.get(kind.name, (0, b""))
        if version == kind.version:
            try:
                return kind.restore(state)
            except msgspec.DecodeError:
                pass
        self.fresh += (kind.name,)
        detector = kind()
        if self.settings is not None:
            detector.on_settings(self.settings, now)
        return detector


def unread(watches: Iterable[Watch]) -> dict[str, int]:
    """How many homes' detectors begin anew, by the detector's name."""
    counts: dict[str, int] = {}
    for watch in watches:
        for name in watch.fresh:
            counts[name] = counts.get(name, 0) + 1
    return counts
