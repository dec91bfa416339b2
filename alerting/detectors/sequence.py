"""What of each device was heard: repeats are told apart from late ones, and what is missing becomes a finding. PURE.

The order in which readings come makes no difference to what is known in the end.
"""

from typing import ClassVar, Self

import msgspec

from alerting.detectors import DAY_MS, Finding, Now, reading_id, sooner
from pingan.messages import HomeSettings

GRACE_MS = 60_000
"""So long (heard) a gap may be filled before it is reported: what was late is not missing. Chosen: two retries."""
REPORT_EVERY_MS = DAY_MS
"""A device's gaps are reported at most so often (heard). Domain §4.8: faults are limited."""
GAPS_MAX = 16
"""Gaps remembered of one boot; of older ones every reading counts as heard."""
BOOTS_MAX = 4
DEVICES_MAX = 256

SEQUENCE_GAP = "sequence_gap"


class Gap(msgspec.Struct, array_like=True):
    first: int
    last: int
    since: int | None = None
    """heard_ms at the tick after it showed; None until that tick."""
    reported: bool = False


class Boot(msgspec.Struct, array_like=True):
    """All from `first` to `last` was heard, but for the gaps, which stand in ascending order."""

    name: str
    first: int
    last: int
    gaps: list[Gap] = []


class DeviceSequence(msgspec.Struct, array_like=True):
    boots: list[Boot]
    """In the order in which they were first heard."""
    reported: int | None = None


class State(msgspec.Struct, array_like=True):
    devices: dict[str, DeviceSequence] = {}
    deadline: int | None = None


class Sequence:
    """Of every device of one home."""

    name: ClassVar[str] = "sequence"
    version: ClassVar[int] = 1

    def __init__(self, state: State | None = None) -> None:
        self._devices = state.devices if state else {}
        self.deadline: int | None = state.deadline if state else None

    def on_settings(self, settings: HomeSettings, now: Now) -> None:
        mine = {device.id for device in settings.devices}
        self._devices = {device: known for device, known in self._devices.items() if device in mine}

    def admit(self, device: str, boot: str, seq: int, now: Now) -> bool:
        """Note that this was heard; False if it had been before."""
        known = self._devices.get(device)
        if known is None:
            if len(self._devices) >= DEVICES_MAX:
                return True
            known = self._devices[device] = DeviceSequence([])
        boots = known.boots
        run = boots[-1] if boots else None
        if run is not None and run.name == boot and seq == run.last + 1:  # nearly always
            run.last = seq
            return True
        for run in reversed(boots):
            if run.name == boot:
                break
        else:
            boots.append(Boot(boot, seq, seq))
            del boots[:-BOOTS_MAX]
            return True
        if seq == run.last + 1:
            run.last = seq
            return True
        if run.first <= seq <= run.last:
            return _fill(run, seq)
        if seq > run.last:
            run.gaps.append(Gap(run.last + 1, seq - 1))
            run.last = seq
        else:
            if seq + 1 < run.first:
                run.gaps.insert(0, Gap(seq + 1, run.first - 1))
            run.first = seq
        if len(run.gaps) > GAPS_MAX:
            run.gaps.remove(next((gap for gap in run.gaps if gap.reported), run.gaps[0]))
        self.deadline = sooner(self.deadline, now.heard_ms)
        return True

    def on_deadline(self, now: Now) -> list[Finding]:
        findings = []
        self.deadline = None
        for device, known in self._devices.items():
            open_until, due = None, []
            for run in known.boots:
                for gap in run.gaps:
                    if gap.since is None:
                        gap.since = now.heard_ms
                    if not gap.reported:
                        open_until = sooner(open_until, gap.since + GRACE_MS)
                        if gap.since + GRACE_MS <= now.heard_ms:
                            due.append((run, gap))
            allowed = now.heard_ms if known.reported is None else known.reported + REPORT_EVERY_MS
            if due and allowed <= now.heard_ms:
                findings.append(_report(device, due, now))
                known.reported = now.heard_ms
                open_until = now.heard_ms + REPORT_EVERY_MS if _unreported(known) else None
            elif open_until is not None:
                open_until = max(open_until, allowed)
            self.deadline = sooner(self.deadline, open_until)
        return findings

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(State(self._devices, self.deadline))

    @classmethod
    def restore(cls, state: bytes) -> Self:
        return cls(msgspec.msgpack.decode(state, type=State))


def _fill(run: Boot, seq: int) -> bool:
    """Take `seq` out of the gap that it fills; False if it is in none, because it was heard before."""
    for number, gap in enumerate(run.gaps):
        if gap.first <= seq <= gap.last:
            rest = [Gap(gap.first, seq - 1, gap.since, gap.reported), Gap(seq + 1, gap.last, gap.since, gap.reported)]
            run.gaps[number : number + 1] = [part for part in rest if part.first <= part.last]
            return True
    return False


def _unreported(known: DeviceSequence) -> bool:
    return any(not gap.reported for run in known.boots for gap in run.gaps)


def _report(device: str, due: list[tuple[Boot, Gap]], now: Now) -> Finding:
    for _, gap in due:
        gap.reported = True
    run, first = due[0]
    since = min(gap.since or 0 for _, gap in due)
    return Finding(
        kind=SEQUENCE_GAP,
        rule=SEQUENCE_GAP,
        episode=reading_id(device, run.name, first.first),
        device=device,
        evidence={
            "threshold": GRACE_MS / 1000,
            "value": (now.heard_ms - since) / 1000,
            "unit": "seconds missing",
            "since_ms": now.at_ms - (now.heard_ms - since),
            "readings": [reading_id(device, run.name, first.first - 1), reading_id(device, run.name, first.last + 1)],
            "missing": sum(gap.last - gap.first + 1 for _, gap in due),
            "gaps": [[run.name, gap.first, gap.last] for run, gap in due],
        },
    )
