"""One home's watch: it feeds the home's detectors, and makes alarms of what they find. PURE.

Of each detector one version rings: the home's settings say which, or the table's first. Others may run beside it in
shadow: what they find is kept to be compared, and can ring nobody, because it is another type and leaves by another
door. A version that is replaced goes on ringing for a day: a silence that it had counted for hours is not forgotten
because its successor begins to count, or has already found it while nobody listened. Whatever a version has asked a
resident it also concludes, in shadow too; and what it has found only in shadow it takes back nowhere else.

A detector that fails (a fault of ours) costs what it would have found at that moment, and never what others find.
"""

import zlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, Self
from uuid import UUID

import msgspec

from alerting.detectors import DAY_MS, Detector, Finding, Heard, Now, sooner
from alerting.detectors.sequence import Sequence
from alerting.detectors.table import DETECTORS, Table
from pingan.messages import SUSPICIONS, Alarm, HomeSettings, derived_alarm_id

VERSION = 2
"""Of the frame in which the detectors' own snapshots stand; each of them has its own version."""
COMPRESSION = 1
RAW = -15
"""Devices' names and boots stand in every detector's state: packed, a home is half as large, for 17 µs to write and
6 µs to read. Without a header, and with zlib's least effort: more gains a hundredth."""
BEFORE_LABELS = 1
LABELS_BEFORE = {"supervision": "1", "inactivity": "fixed-1"}
"""In the frame before this one no labels stood: these were what ran."""

HANDOVER_MS = DAY_MS
"""So long (heard) a version that was replaced goes on ringing. Chosen: longer than any silence that is let be. Whoever
wants one to be quiet at once puts it into shadow."""

CONCLUDING_MS = 3_600_000
"""So long (heard) beyond its end a version is kept that has asked a resident and has not concluded. Chosen: far longer
than any question stands."""
OPEN_MAX = 8
"""Of what a version has asked, or found in shadow, and has not concluded: the newest that are remembered."""

SEQ_MAX = 2**63 - 1
AT_MS_MAX = 2**53
"""Beyond them a snapshot could not be written or read. Ingest refuses such; this is the second wall."""


class Unreadable(Exception):
    """A snapshot of a version that this watch does not know, or that is damaged."""


class ShadowAlarm(msgspec.Struct, frozen=True):
    """What a version in shadow has found: an alarm that rings nobody."""

    id: UUID
    home: str
    detector: str
    label: str
    kind: str
    rule: str
    device: str | None
    at_ms: int
    received_ms: int
    evidence: dict[str, Any]
    restores: UUID | None = None
    follows: UUID | None = None


class _Kept(msgspec.Struct, array_like=True):
    """A version at work, in a snapshot."""

    name: str
    label: str
    version: int
    state: bytes
    rings: bool
    until: int | None


class _Snapshot(msgspec.Struct, array_like=True):
    settings: HomeSettings | None
    sequence: tuple[int, bytes]
    runs: list[_Kept]
    routine_day: int
    open: dict[str, tuple[list[bytes], list[bytes]]] = {}
    """By version what it has `asked` and left `unsaid`, of the few that have."""


class _Before(msgspec.Struct, array_like=True):
    """The frame `BEFORE_LABELS`."""

    settings: HomeSettings | None
    detectors: dict[str, tuple[int, bytes]]

    def converted(self) -> _Snapshot:
        runs = [
            _Kept(name, LABELS_BEFORE[name], version, state, rings=True, until=None)
            for name, (version, state) in self.detectors.items()
            if name in LABELS_BEFORE
        ]
        return _Snapshot(self.settings, self.detectors.get(Sequence.name, (0, b"")), runs, 0)


class Failure(NamedTuple):
    """A detector has failed on what it was fed."""

    home: str
    version: str
    error: Exception


class Run:
    """A version of a detector, at work in one home."""

    __slots__ = ("asked", "detector", "label", "name", "rings", "unsaid", "until")

    def __init__(self, name: str, label: str, detector: Detector, *, rings: bool, until: int | None = None) -> None:
        self.name = name
        self.label = label
        self.detector = detector
        self.rings = rings
        self.until = until
        """heard_ms at which it ends, since another has taken its place; None: it stays."""
        self.asked: list[bytes] = []
        """Ids of what it has suspected aloud, or confirmed, and not taken back."""
        self.unsaid: list[bytes] = []
        """Ids (as if they had rung) of what it has found in shadow, and not taken back."""

    @property
    def version(self) -> str:
        return f"{self.name}/{self.label}"

    @property
    def over(self) -> int | None:
        """heard_ms at which nothing of it is waited for any more."""
        return self.until if self.until is None or not self.asked else self.until + CONCLUDING_MS


class _Ears(NamedTuple):
    """Which of a home's versions hear a kind of reading, by their places. Shared by all homes that have the same."""

    by_kind: dict[str, tuple[int, ...]]
    others: tuple[int, ...]
    """Of a kind that nobody asked for: those that hear everything."""


@lru_cache
def _ears(versions: tuple[type[Detector], ...]) -> _Ears:
    asked = [getattr(version, "kinds", None) for version in versions]
    kinds = frozenset[str]().union(*(kinds for kinds in asked if kinds is not None))

    def hear(kind: str | None) -> tuple[int, ...]:
        return tuple(place for place, kinds in enumerate(asked) if kinds is None or kind in kinds)

    return _Ears({kind: hear(kind) for kind in kinds}, hear(None))


class Watch:
    """A home's detectors, behind one deadline."""

    __slots__ = (
        "_detectors", "_dues", "_ears", "_failing", "_over", "_routine_day", "_runs", "_sequence", "_table", "booked",
        "deadline", "failures", "fresh", "home", "settings", "shadows", "unstored",
    )  # fmt: skip

    def __init__(self, home: str, table: Table = DETECTORS, runs: list[Run] | None = None) -> None:
        """`runs`: what is at work in it; else the first version of each detector of `table`, anew."""
        self.home = home
        self.settings: HomeSettings | None = None
        self.fresh: tuple[str, ...] = ()
        """Versions whose state could not be read at the restore, or which ring without having run before: they have
        begun anew."""
        # Nearly always empty: then they are the same of all homes.
        self.shadows: tuple[ShadowAlarm, ...] = ()
        """What versions in shadow have found; whoever keeps it empties it."""
        self.failures: tuple[Failure, ...] = ()
        """Whoever tells of them empties it."""
        self.unstored: dict[tuple[str, str], bytes] = {}
        """What has been learned, by detector and label, and stands in no table yet."""
        self.deadline: int | None = None
        self.booked: int | None = None
        """heard_ms at which whoever keeps it will look at it at the latest."""
        self._failing: tuple[Run, ...] = ()
        """Versions that failed when they were last woken: that has been said."""
        self._table = table
        self._routine_day = 0
        self._sequence = Sequence()
        self._take([Run(*first, rings=True) for first in _first(table)] if runs is None else runs)

    def set(self, settings: HomeSettings, now: Now) -> None:
        # What ran before anybody had said what should has nothing to hand over.
        handover_ms = 0 if self.settings is None else HANDOVER_MS
        self.settings = settings
        self._arrange(now, handover_ms)
        self._sequence.on_settings(settings, now)
        for run in self._runs:
            self._tell(run, settings, now)
        self._look()

    def hear(self, heard: Heard, now: Now) -> list[Alarm]:
        """Feed what a device said. What was heard before changes nothing. ValueError for numbers without sense."""
        if not 0 <= heard.seq <= SEQ_MAX or not -AT_MS_MAX <= heard.at_ms <= AT_MS_MAX:
            raise ValueError(f"seq {heard.seq} at {heard.at_ms} ms")
        # What bears no boot cannot be told from a repeat; an event of such a device must still be heard.
        if heard.boot and not self._sequence.admit(heard.device, heard.boot, heard.seq, now):
            return []
        alarms: list[Alarm] = []
        detectors, dues = self._detectors, self._dues
        deadline = self._sequence.deadline
        if deadline is None or (self.deadline is not None and self.deadline < deadline):
            deadline = self.deadline
        ears = self._ears
        for place in ears.by_kind.get(heard.kind, ears.others):
            detector = detectors[place]
            try:
                if found := detector.on_reading(heard, now):
                    alarms += self._told(self._runs[place], found, heard.at_ms, heard.received_ms)
            except Exception as error:
                self._failed(self._runs[place], error)
            due = dues[place] = detector.deadline
            if due is not None and (deadline is None or due < deadline):
                deadline = due
        # One that has moved later is found out when it comes up.
        self.deadline = deadline
        return alarms

    def wake(self, now: Now) -> list[Alarm]:
        """A tick has come: whoever's deadline it reached is woken."""
        alarms: list[Alarm] = []
        heard_ms = now.heard_ms
        sequence = self._sequence
        if sequence.deadline is not None and sequence.deadline <= heard_ms:
            alarms += [
                self._alarm("sequence/1", finding, now.at_ms, now.at_ms) for finding in sequence.on_deadline(now)
            ]
        if self._over is not None and self._over <= heard_ms:
            self._take([run for run in self._runs if run.over is None or run.over > heard_ms])
        deadline = sooner(sequence.deadline, self._over)
        dues = self._dues
        for place, due in enumerate(dues):
            if due is not None:
                if due <= heard_ms:
                    if found := self._woken(place, now):
                        alarms += found
                    due = dues[place] = self._detectors[place].deadline
                if due is not None and (deadline is None or due < deadline):
                    deadline = due
        self.deadline = deadline
        return alarms

    def look_again(self, now: Now) -> list[Alarm]:
        """Its area has become deaf, or is heard again: that matters to whoever counts, whatever they have asked for."""
        alarms: list[Alarm] = []
        for place in range(len(self._runs)):
            alarms += self._woken(place, now)
        self._look()
        return alarms

    def _woken(self, place: int, now: Now) -> list[Alarm]:
        try:
            found = self._detectors[place].on_deadline(now)
        except Exception as error:
            # It is still due, and tried again at every tick; that it fails is said once.
            run = self._runs[place]
            if run not in self._failing:
                self._failing = (*self._failing, run)
                self._failed(run, error)
            return []
        if self._failing:
            self._failing = tuple(run for run in self._failing if run is not self._runs[place])
        return self._told(self._runs[place], found, now.at_ms, now.at_ms) if found else []

    def _tell(self, run: Run, settings: HomeSettings, now: Now) -> None:
        try:
            run.detector.on_settings(settings, now)
        except Exception as error:
            self._failed(run, error)

    def _failed(self, run: Run, error: Exception) -> None:
        self.failures += (Failure(self.home, run.version, error),)

    def learned(self, now: Now) -> dict[tuple[str, str], bytes]:
        """What is to be stored of what was learned. The detectors are asked once a day (heard), each home at a moment
        of its own: of a city's homes one a second and not all at midnight. Forget `unstored` once it is stored.
        """
        day = (now.heard_ms + zlib.crc32(self.home.encode()) % DAY_MS) // DAY_MS
        if day > self._routine_day:
            self._routine_day = day
            for run in self._runs:
                routine = getattr(run.detector, "routine", None)
                try:
                    if routine is not None and (learned := routine()) is not None:
                        self.unstored[run.name, run.label] = learned
                except Exception as error:
                    self._failed(run, error)
        return self.unstored

    def _take(self, runs: list[Run]) -> None:
        self._runs = runs
        self._detectors = [run.detector for run in runs]
        # Of most of a home's detectors nothing else is touched at a tick: what is not touched need not be in the
        # processor's cache, and waiting for it is what a city's homes cost most.
        self._dues = [detector.deadline for detector in self._detectors]
        self._ears = _ears(tuple(type(run.detector) for run in runs))
        self._over = min((over for run in runs if (over := run.over) is not None), default=None)

    def _arrange(self, now: Now, handover_ms: int = HANDOVER_MS) -> list[Run]:
        """Run what the settings ask for and nothing else; those that begin anew."""
        running = {(run.name, run.label): run for run in self._runs}
        runs, begun = [], []
        for name, versions in self._table.items():
            live, shadows = _wanted(name, versions, self.settings)
            for label, version in versions.items():
                run = running.get((name, label))
                if label != live and label not in shadows:
                    if run is not None and (run.rings or run.asked) and handover_ms:
                        stays_ms = handover_ms if run.rings else 0
                        run.until = now.heard_ms + stays_ms if run.until is None else run.until
                        runs.append(run)
                    continue
                if run is None:
                    run = Run(name, label, version(), rings=False)
                    begun.append(run)
                    if (
                        label == live
                        and handover_ms
                        and any(other.rings and other.name == name for other in self._runs)
                    ):
                        self.fresh += (run.version,)
                run.rings, run.until = label == live, None
                runs.append(run)
        self._take(runs)
        return begun

    def _look(self) -> None:
        self.deadline = sooner(self._sequence.deadline, self._over)
        self._dues = [detector.deadline for detector in self._detectors]
        for due in self._dues:
            self.deadline = sooner(self.deadline, due)

    def _told(self, run: Run, found: Iterable[Finding], at_ms: int, received_ms: int) -> list[Alarm]:
        alarms = []
        for finding in found:
            if self._rings(run, finding):
                alarms.append(self._alarm(run.version, finding, at_ms, received_ms))
            else:
                self.shadows += (self._shadow(run, finding, at_ms, received_ms),)
        return alarms

    def _rings(self, run: Run, finding: Finding) -> bool:
        """Whether this is said to people: what a version in shadow has asked a resident it concludes aloud, or a danger
        that was asked about would be lost; and nobody is told that something is over of which nobody was told.
        """
        if run.rings and not run.unsaid and finding.kind not in SUSPICIONS and not run.asked:
            return True
        mine = derived_alarm_id(self.home, finding.rule, finding.episode).bytes
        about = finding.restores or finding.follows
        other = b"" if about is None else derived_alarm_id(self.home, about, finding.episode).bytes
        rings = other in run.asked or (run.rings and (finding.restores is None or other not in run.unsaid))
        for known in (run.asked, run.unsaid):
            if other in known:
                known.remove(other)
        if finding.restores is None:
            if not rings:
                run.unsaid = [*run.unsaid, mine][-OPEN_MAX:]
            elif finding.kind in SUSPICIONS or finding.follows is not None:
                run.asked = [*run.asked, mine][-OPEN_MAX:]
        return rings

    def _alarm(self, version: str, finding: Finding, at_ms: int, received_ms: int) -> Alarm:
        evidence = _evidence(version, finding)
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

    def _shadow(self, run: Run, finding: Finding, at_ms: int, received_ms: int) -> ShadowAlarm:
        def named(rule: str) -> UUID:
            return derived_alarm_id(self.home, f"shadow/{run.version}/{rule}", finding.episode)

        return ShadowAlarm(
            id=named(finding.rule),
            home=self.home,
            detector=run.name,
            label=run.label,
            kind=finding.kind,
            rule=finding.rule,
            device=finding.device,
            at_ms=at_ms,
            received_ms=received_ms,
            evidence=_evidence(run.version, finding),
            restores=None if finding.restores is None else named(finding.restores),
            follows=None if finding.follows is None else named(finding.follows),
        )

    def snapshot(self) -> bytes:
        runs = [
            _Kept(run.name, run.label, run.detector.version, self._state(run), run.rings, run.until)
            for run in self._runs
        ]
        unconcluded = {run.version: (run.asked, run.unsaid) for run in self._runs if run.asked or run.unsaid}
        sequence = (self._sequence.version, self._sequence.snapshot())
        frame = msgspec.msgpack.encode(_Snapshot(self.settings, sequence, runs, self._routine_day, unconcluded))
        return zlib.compress(frame, COMPRESSION, wbits=RAW)

    def _state(self, run: Run) -> bytes:
        try:
            return run.detector.snapshot()
        except Exception as error:
            self._failed(run, error)
            return b""  # which cannot be read: it will begin anew, and the others go on

    @classmethod
    def restore(
        cls,
        home: str,
        version: int,
        state: bytes,
        now: Now,
        routines: Mapping[tuple[str, str], bytes] | None = None,
        table: Table = DETECTORS,
    ) -> Self:
        """The watch that was. Unreadable when nothing of it can be read; a detector that alone cannot begins anew.

        `routines`: what was learned, by detector and label.
        """
        snapshot = _read(version, state)
        watch = cls(home, table, [])
        watch.settings = snapshot.settings
        watch._routine_day = snapshot.routine_day
        if (sequence := _restored(Sequence, *snapshot.sequence)) is None:
            watch.fresh += (Sequence.name,)
        else:
            watch._sequence = sequence
        runs, anew = [], []
        for kept in snapshot.runs:
            kind = table.get(kept.name, {}).get(kept.label)
            if kind is None:
                continue
            detector = _restored(kind, kept.version, kept.state)
            run = Run(kept.name, kept.label, detector or kind(), rings=kept.rings, until=kept.until)
            run.asked, run.unsaid = snapshot.open.get(run.version, ([], []))
            runs.append(run)
            if detector is None:
                watch.fresh += (run.version,)
                anew.append(run)
        watch._runs = runs
        anew += watch._arrange(now)
        watch._learn(routines or {}, now)
        if watch.settings is not None:
            for run in anew:
                watch._tell(run, watch.settings, now)
        watch._look()
        return watch

    def _learn(self, routines: Mapping[tuple[str, str], bytes], now: Now) -> None:
        for run in self._runs:
            learn, routine = getattr(run.detector, "learn", None), routines.get((run.name, run.label))
            if learn is not None and routine is not None:
                try:
                    learn(routine)
                except Exception:  # damaged in a way that still decodes
                    self.fresh += (f"{run.version} routine",)
                    kind, state = type(run.detector), self._state(run)
                    run.detector = _restored(kind, kind.version, state) or kind()
                    if self.settings is not None:
                        self._tell(run, self.settings, now)
                    self._take(self._runs)


def _first(table: Table) -> Iterable[tuple[str, str, Detector]]:
    for name, versions in table.items():
        label = next(iter(versions))
        yield name, label, versions[label]()


def _wanted(
    name: str, versions: Mapping[str, type[Detector]], settings: HomeSettings | None
) -> tuple[str | None, tuple[str, ...]]:
    """The label that rings and those in shadow. One that this version of the platform does not have is as not named.

    Where nobody has let any ring the first does, unless somebody has put just that into shadow: then none rings.
    """
    first = next(iter(versions))
    if settings is None:
        return first, ()
    live, shadows = settings.live.get(name), settings.shadow.get(name, ())
    if live is None and first in shadows:
        return None, shadows
    return (live if live in versions else first), shadows


def _evidence(version: str, finding: Finding) -> dict[str, Any]:
    return {**finding.evidence, "source": "derived", "detector": version, "rule": finding.rule}


def _read(version: int, state: bytes) -> _Snapshot:
    try:
        if version == BEFORE_LABELS:
            return msgspec.msgpack.decode(state, type=_Before).converted()
        if version == VERSION:
            return msgspec.msgpack.decode(zlib.decompress(state, wbits=RAW), type=_Snapshot)
    except (msgspec.DecodeError, zlib.error) as error:
        raise Unreadable(str(error)) from error
    raise Unreadable(f"version {version}, and this is {VERSION}")


def _restored(kind: Any, version: int, state: bytes) -> Any:
    """The detector that was; None when it cannot be read."""
    if version != kind.version:
        return None
    try:
        return kind.restore(state)
    except Exception:  # damaged, also in a way that still decodes
        return None


def unread(watches: Iterable[Watch]) -> dict[str, int]:
    """How many homes' detectors begin anew, by the detector's version."""
    counts: dict[str, int] = {}
    for watch in watches:
        for name in watch.fresh:
            counts[name] = counts.get(name, 0) + 1
    return counts
