"""A voice call that is accepted by a key. A voicemail presses none, so it never counts."""

from collections.abc import Sequence
from datetime import timedelta

from twilio.rest import Client
from twilio.twiml.voice_response import Gather, VoiceResponse

from dispatch.channels import Send
from dispatch.channels.twilio import VOICES, Twilio, TwilioSettings
from dispatch.channels.words import Words, asked_for, words

RING_SECONDS = 35
"""How long a phone rings. Shorter than the step's wait, so that the outcome is known before the next step."""

KEY_SECONDS = 8
TIMES_SAID = 2
CALLBACKS = ["initiated", "ringing", "answered", "completed"]


class TwilioVoice:
    repeatable = False

    def __init__(self, settings: TwilioSettings) -> None:
        self._twilio = Twilio(settings)

    async def send(self, send: Send) -> str:
        def create(client: Client) -> str:
            call = client.calls.create(
                to=send.address,
                from_=self._twilio.settings.twilio_from,
                twiml=question(self._twilio, send.id, send.language, send.body),
                timeout=RING_SECONDS,
                status_callback=self._twilio.webhook(f"/webhooks/twilio/voice/{send.id}/status"),
                status_callback_event=CALLBACKS,
                status_callback_method="POST",
            )
            return str(call.sid)

        return await self._twilio.ask(create)

    async def find(self, send: Send) -> Sequence[str]:
        def look(client: Client) -> list[str]:
            # Twilio's times have whole seconds, and its clock is not ours.
            since = send.dialled_at - timedelta(seconds=5)
            calls = client.calls.list(to=send.address, start_time_after=since, limit=20)
            fitting = [call for call in calls if call.date_created is None or call.date_created >= since]
            return [str(call.sid) for call in reversed(fitting)]

        return await self._twilio.ask(look)


def question(twilio: Twilio, send_id: int, language: str, body: dict[str, object], prefix: str = "") -> str:
    """The TwiML that asks somebody to go, twice, and waits for a key."""
    said = words("twilio_voice", language)
    voice = VOICES.get(language, VOICES["zh"])
    response = VoiceResponse()
    text = said("help", **asked_for(body, said)) + said("choose")
    for number in range(TIMES_SAID):
        gather = Gather(
            input="dtmf",
            num_digits=1,
            timeout=KEY_SECONDS,
            action=twilio.webhook(f"/webhooks/twilio/voice/{send_id}/keys"),
            method="POST",
        )
        gather.say((prefix if number == 0 else "") + text, language=voice)
        response.append(gather)
    return _farewell(response, said, voice, "goodbye")


def ask_minutes(twilio: Twilio, send_id: int, language: str, name: str) -> str:
    """The TwiML after a 1: thanks, and how many minutes."""
    said = words("twilio_voice", language)
    voice = VOICES.get(language, VOICES["zh"])
    response = VoiceResponse()
    gather = Gather(
        input="dtmf",
        num_digits=3,
        finish_on_key="#",
        timeout=KEY_SECONDS,
        action=twilio.webhook(f"/webhooks/twilio/voice/{send_id}/minutes"),
        method="POST",
    )
    gather.say(said("accepted", name=name), language=voice)
    response.append(gather)
    return _farewell(response, said, voice, "no_eta")


def farewell(language: str, key: str, **values: object) -> str:
    """The TwiML that says one thing and hangs up."""
    return _farewell(
        VoiceResponse(), words("twilio_voice", language), VOICES.get(language, VOICES["zh"]), key, **values
    )


def _farewell(response: VoiceResponse, said: Words, voice: str, key: str, **values: object) -> str:
    response.say(said(key, **values), language=voice)
    response.hangup()
    return str(response)
