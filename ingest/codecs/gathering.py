"""What one message of a device behind a gateway says, gathered field by field by the families' codecs. PURE."""

from typing import Any

from ingest.codecs import Heard, Level, Remark
from ingest.codecs.table import Row, read
from pingan.messages import Event, Reading

MESSAGES_MAX = 64
"""So many numbers are between two milliseconds of a device's sequence. No device's message says more than so many
things of a sort; one that does is nobody's, and its ten thousand alarms would stand before everybody else's."""
DOUBTFUL_CONFIDENCE = 0.5


class Gathering:
    """`said_ms` counts the device's messages where it has no count of its own; `said` names this one."""

    def __init__(self, device: str, family: str, *, said_ms: int, said: str, at_ms: int, received_ms: int) -> None:
        self._device, self._family = device, family
        self._first_seq, self._said = said_ms * MESSAGES_MAX, said
        self._at_ms, self._received_ms = at_ms, received_ms
        self._readings: list[Reading] = []
        self._events: list[Event] = []
        self._unnamed: list[Event] = []
        self._levels: list[Level] = []
        self._remarks: list[tuple[Remark, str]] = []
        self._left_out: list[str] = []
        self.status: dict[str, Any] = {}
        self.location: dict[str, float] | None = None
        self.test = False

    def heard(self) -> Heard:
        if self.location is not None:
            self.add("location", self.location)
        if self.status:
            self.add("status", self.status)
        if self._left_out:
            self.remark(Remark.FIELD_LEFT_OUT, ", ".join(self._left_out))
        return Heard(self._readings, self._events, tuple(self._remarks), tuple(self._levels), tuple(self._unnamed))

    def remark(self, remark: Remark, detail: str) -> None:
        self._remarks.append((remark, detail))

    def leave_out(self, field: str) -> None:
        self._left_out.append(field)

    def hear(self, field: str, rows: tuple[Row, ...], value: Any, sensor: str | None = None) -> None:
        """Take a field by its rows: all that ring, or else the first that fits; leave it out if none does."""
        fitting = [(row, ours) for row in rows if (ours := read(row, value)) is not None]
        ringing = [(row, ours) for row, ours in fitting if row.rings is not None]
        for row, ours in ringing or fitting[:1]:
            self.add(row.kind, ours, sensor)
            if row.press and ours is True:
                self.alarm(row.rings or "")
            elif row.rings is not None and not row.press:
                self._hear_level(f"{field}/{row.kind}", row, ours, value)
        if not fitting and _could_mean(rows, value):
            self.leave_out(field)

    def hear_status(self, field: str, row: Row, value: Any) -> None:
        ours = read(row, value)
        if ours is not None:
            # Of two fields that tell whether the battery is low, one that says so is enough.
            self.status[row.kind] = self.status.get(row.kind) or ours
        elif _could_mean((row,), value):
            self.leave_out(field)

    def add(self, kind: str, value: Any, sensor: str | None = None) -> None:
        if len(self._readings) >= MESSAGES_MAX:
            self.leave_out(kind)
            return
        self._readings.append(
            Reading(
                device=self._device,
                boot="",
                seq=self._first_seq + len(self._readings),
                at_ms=self._at_ms,
                received_ms=self._received_ms,
                kind=kind,
                value=value,
                sensor=sensor,
            )
        )

    def alarm(self, kind: str, *, doubtful: bool = False, test: bool = False) -> Event | None:
        """An alarm; with an empty kind one that the register has to name. None: as many as may be ring already."""
        number = len(self._events) + len(self._unnamed)
        if number >= MESSAGES_MAX:
            self.leave_out(kind or "alarm")
            return None
        event = Event(
            device=self._device,
            id=f"{kind or 'alarm'}-{self._said}-{number}",
            boot="",
            seq=self._first_seq + number,
            at_ms=self._at_ms,
            received_ms=self._received_ms,
            kind=kind,
            test=test,
            device_at_ms=self._at_ms,
            confidence=DOUBTFUL_CONFIDENCE if doubtful else None,
            location=self.location,
            battery_percent=self.status.get("battery_percent"),
            family=self._family,
        )
        (self._events if kind else self._unnamed).append(event)
        return event

    def _hear_level(self, field: str, row: Row, holds: Any, said: Any) -> None:
        event_id = None
        if holds is True:
            alarm = self.alarm(row.rings or "", doubtful=said in row.doubtful, test=self.test)
            if alarm is None:
                return
            event_id = alarm.id
        self._levels.append(Level(self._device, field, event_id))


def _could_mean(rows: tuple[Row, ...], value: Any) -> bool:
    """Whether a value that fits no row is nonsense. Elsewhere it is a setting or a measure of the same name."""
    return isinstance(value, list | dict) or any(row.rings or isinstance(row.values, tuple) for row in rows)
