"""Conferences: several calls on one line, who is held or muted, and what Twilio tells of coming and leaving.

Source: https://www.twilio.com/docs/voice/twiml/conference and …/voice/api/conference-participant-resource. A conference
is known by its friendly name while it lasts; the first to enter says where its events are told.
"""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from device_sim.phone.twiml import Room
from device_sim.phone.webhook import Webhooks

if TYPE_CHECKING:
    from device_sim.phone.call import Call

EVENTS = ("start", "end", "join", "leave", "mute", "hold", "modify", "speaker", "announcement")
"""What `statusCallbackEvent` may name."""


@dataclass
class Participant:
    """One call in a conference, or on its way there."""

    call: "Call"
    room: Room
    created_at: datetime
    updated_at: datetime
    muted: bool
    hold: bool = False
    inside: bool = False
    left: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def status(self) -> str:
        """As Twilio has it for a participant."""
        by_call = {"queued": "queued", "ringing": "ringing", "in-progress": "connected"}
        return by_call.get(self.call.record.status, "complete")


@dataclass
class ConferenceRecord:
    sid: str
    friendly_name: str
    created_at: datetime
    updated_at: datetime
    status: str = "init"
    reason_ended: str | None = None
    call_sid_ending: str | None = None
    events: list[tuple[datetime, str, str, int]] = field(default_factory=list)
    """What was told: when, the event, the participant's label, the answer's status."""


class Conference:
    def __init__(self, friendly_name: str, *, account_sid: str, webhooks: Webhooks) -> None:
        now = datetime.now(UTC)
        self.record = ConferenceRecord(f"CF{secrets.token_hex(16)}", friendly_name, now, now)
        self.participants: dict[str, Participant] = {}
        self._account_sid, self._webhooks = account_sid, webhooks
        self._callback: str | None = None
        self._events: tuple[str, ...] = ()
        self._sequence = 0
        self._callbacks: asyncio.Task[None] | None = None

    @property
    def over(self) -> bool:
        return self.record.status == "completed"

    def expect(self, call: "Call", room: Room) -> Participant:
        """A call that is to enter."""
        if self._callback is None and room.status_callback:  # the first who says where it is told decides
            self._callback, self._events = room.status_callback, room.status_callback_events
        now = datetime.now(UTC)
        participant = Participant(call, room, now, now, room.muted)
        return self.participants.setdefault(call.record.sid, participant)

    async def stay(self, call: "Call", room: Room) -> None:
        """Enter, and return when this call has left: it hung up, was taken out, or the conference is over."""
        participant = self.expect(call, room)
        participant.inside = True
        self._tell("join", "participant-join", participant)
        inside = self._inside()
        if self.record.status == "init" and len(inside) > 1 and any(one.room.start_on_enter for one in inside):
            self.record.status = "in-progress"
            self._tell("start", "conference-start", participant)
        try:
            await participant.left.wait()
        finally:
            self.leave(participant, "participant_hung_up")

    def leave(self, participant: Participant, reason: str) -> None:
        """Whoever leaves may end it for all."""
        if self.participants.pop(participant.call.record.sid, None) is None:
            return
        was_inside, participant.inside = participant.inside, False
        participant.left.set()
        more = [
            ("ReasonParticipantLeft", reason),
            ("ParticipantCallStatus", participant.call.record.status),
        ]
        self._tell("leave", "participant-leave", participant, more)
        ends = participant.room.end_on_exit and was_inside
        if ends or not self.participants:
            self.end("participant-with-end-conference-on-exit-left" if ends else "last-participant-left", participant)

    def end(self, reason: str, participant: Participant | None = None) -> None:
        """It is over: whoever is inside leaves it, and whoever is still being rung is rung no more."""
        if self.over:
            return
        self.record.status, self.record.reason_ended = "completed", reason
        self.record.call_sid_ending = participant.call.record.sid if participant else None
        self.record.updated_at = datetime.now(UTC)
        for one in list(self.participants.values()):
            if one.inside:
                self.leave(one, "conference_ended")
            else:
                one.call.end("completed")
        more = [("ReasonConferenceEnded", reason), ("Reason", reason)]
        if participant is not None:
            more.append(("CallSidEndingConference", participant.call.record.sid))
            more.append(("ParticipantLabelEndingConference", participant.room.label))
        self._tell("end", "conference-end", None, more)

    def change(self, participant: Participant, *, muted: bool | None = None, hold: bool | None = None) -> None:
        """Mute or hold somebody, or no longer."""
        participant.updated_at = datetime.now(UTC)
        if muted is not None and muted != participant.muted:
            participant.muted = muted
            self._tell("mute", "participant-mute" if muted else "participant-unmute", participant)
        if hold is not None and hold != participant.hold:
            participant.hold = hold
            self._tell("hold", "participant-hold" if hold else "participant-unhold", participant)

    async def settled(self) -> None:
        """Waits until what has been told so far has been answered."""
        if self._callbacks is not None:
            await self._callbacks

    def _inside(self) -> list[Participant]:
        return [one for one in self.participants.values() if one.inside]

    def _tell(
        self, event: str, name: str, participant: Participant | None, more: Sequence[tuple[str, str]] = ()
    ) -> None:
        """One event, after the ones before. Sequence numbers count those not subscribed to as well."""
        self._sequence += 1
        self.record.updated_at = now = datetime.now(UTC)
        if self._callback is None or event not in self._events:
            return
        parameters = [
            ("ConferenceSid", self.record.sid),
            ("FriendlyName", self.record.friendly_name),
            ("AccountSid", self._account_sid),
            ("StatusCallbackEvent", name),
            ("SequenceNumber", str(self._sequence)),
            ("Timestamp", format_datetime(now)),
            *(_of(participant) if participant else ()),
            *more,
        ]
        before, url = self._callbacks, self._callback

        async def after_the_one_before() -> None:
            if before is not None:
                await before
            answer = await self._webhooks.send("POST", url, parameters)
            label = participant.room.label if participant else ""
            self.record.events.append((datetime.now(UTC), name, label, answer.status))

        self._callbacks = asyncio.create_task(after_the_one_before())


def _of(participant: Participant) -> list[tuple[str, Any]]:
    flags = {
        "Muted": participant.muted,
        "Hold": participant.hold,
        "Coaching": False,
        "EndConferenceOnExit": participant.room.end_on_exit,
        "StartConferenceOnEnter": participant.room.start_on_enter,
    }
    label = [("ParticipantLabel", participant.room.label)] if participant.room.label else []
    return [("CallSid", participant.call.record.sid), *label, *((name, str(on).lower()) for name, on in flags.items())]
