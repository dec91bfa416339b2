"""A voice call that is accepted by a key. A voicemail presses none, so it never counts."""

from collections.abc import Sequence
from datetime import timedelta

from twilio.rest import Client

from dispatch.channels import Refused, Send
from dispatch.channels.twilio import Line, Twilio, TwilioSettings
from dispatch.channels.twilio_voice.spoken import PURPOSES, Spoken, conference_name
from dispatch.following import BRIDGE
from dispatch.incident import DESK
from dispatch.shifts import FIRST_SECONDS

RING_SECONDS = 35
"""How long a phone rings. Shorter than the step's wait, so that the outcome is known before the next step."""

CONFERENCE_EVENTS = ["start", "end", "join", "leave"]
CALLBACKS = ["initiated", "ringing", "answered", "completed"]


class TwilioVoice:
    repeatable = False

    def __init__(self, settings: TwilioSettings) -> None:
        self.twilio = Twilio(settings)

    async def send(self, send: Send) -> str:
        if send.purpose not in PURPOSES:
            raise Refused(f"nothing is said on the telephone of {send.purpose}")
        bridged = send.purpose == BRIDGE and send.recipient != DESK
        request = self._bring_in if bridged else self._call
        return await self.twilio.place(lambda client, number: request(client, number, send))

    async def probe(self, line: Line) -> None:
        """A call to nobody: whoever says that there is nobody to call would have called somebody."""
        await line.ask(lambda client, number: client.calls.create(to="", from_=number, twiml="<Response/>"))

    def _call(self, client: Client, number: str, send: Send) -> str:
        # What answers is detected beside the question, which is heard at once: silence would make people hang up.
        detection = {
            "machine_detection": "Enable",
            "async_amd": "true",
            "async_amd_status_callback": self.twilio.webhook(f"/webhooks/twilio/voice/{send.id}/machine"),
            "async_amd_status_callback_method": "POST",
        }
        call = client.calls.create(
            to=send.address,
            from_=number,
            twiml=Spoken(self.twilio, send.language).call(send),
            timeout=FIRST_SECONDS if send.purpose == BRIDGE else RING_SECONDS,
            status_callback=self.twilio.webhook(f"/webhooks/twilio/voice/{send.id}/status"),
            status_callback_event=CALLBACKS,
            status_callback_method="POST",
            **({} if send.purpose == BRIDGE else detection),
        )
        return str(call.sid)

    def _bring_in(self, client: Client, number: str, send: Send) -> str:
        """Ring somebody into the line where the operator waits, who hears it ring, and whether it is engaged."""
        assert send.incident is not None
        participant = client.conferences(conference_name(send.incident)).participants.create(
            to=send.address,
            from_=number,
            label=str(send.id),
            timeout=RING_SECONDS,
            early_media=True,
            beep="false",
            end_conference_on_exit=False,
            # Whoever is first in the line says where it is told: that may be this one, if the operator still listens.
            conference_status_callback=self.twilio.webhook(f"/webhooks/twilio/conference/{send.incident}"),
            conference_status_callback_event=CONFERENCE_EVENTS,
            conference_status_callback_method="POST",
            status_callback=self.twilio.webhook(f"/webhooks/twilio/voice/{send.id}/status"),
            status_callback_event=CALLBACKS,
            status_callback_method="POST",
        )
        return str(participant.call_sid)

    async def find(self, send: Send) -> Sequence[str]:
        def look(client: Client) -> list[str]:
            # Twilio's times have whole seconds, and its clock is not ours.
            since = send.dialled_at - timedelta(seconds=5)
            calls = client.calls.list(to=send.address, start_time_after=since, limit=20)
            fitting = [call for call in calls if call.date_created is None or call.date_created >= since]
            return [str(call.sid) for call in reversed(fitting)]

        return await self.twilio.look(look)
