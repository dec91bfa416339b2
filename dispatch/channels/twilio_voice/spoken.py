"""What is said on the telephone, and which keys are waited for: TwiML. No word of it is in code.

Each question stands in the call itself, not at an address of ours: whoever answers hears who, what, where and the way
in even while our own web process is being started again.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from twilio.twiml.voice_response import Conference, Dial, Gather, VoiceResponse

from dispatch.channels import Send
from dispatch.channels.desk_line import ring
from dispatch.channels.twilio import VOICES, Twilio
from dispatch.channels.words import Words, asked_for, news, words
from dispatch.following import BRIDGE, CHANGE, HELP, TEST

KEY_SECONDS = 8
TIMES_SAID = 2
DOCUMENT_MAX = 4_000
"""Characters that the provider takes of what a call is placed with (its error 32018): with more nobody is called."""
SAY_MAX = 370
"""Characters of any kind that it says at a time: 4,500 as they are written in an address (its error 13521)."""
MACHINE_PAUSE_SECONDS = 3
CONFERENCE_EVENTS = "start end join leave"

PURPOSES = frozenset({HELP, CHANGE, TEST, BRIDGE})
"""What can be said on the telephone. Other news is written."""


class Spoken:
    """Documents for one person, in their language."""

    def __init__(self, twilio: Twilio, language: str) -> None:
        self._twilio = twilio
        self._said: Words = words("twilio_voice", language)
        self._voice = VOICES.get(language, VOICES["zh"])

    def question(self, send: Send | dict[str, Any], before: str | None = None) -> str:
        """What this call is for, twice, and the keys that are waited for. `before`: what is said first."""
        _, purpose, body = _of(send)
        return self._asked(send, self._text(purpose, body), TIMES_SAID, self._said(before) if before else "")

    def call(self, send: Send) -> str:
        """The question as a call is placed with it. One that is too long is asked once; if it is too long even so, its
        end is left out, which is the way in's or the news', and the text message and the key 9 have it.
        """
        text = self._text(send.purpose, send.body)
        for times in (TIMES_SAID, 1):
            document = self._asked(send, text, times)
            if len(document) <= DOCUMENT_MAX:
                return document
        while text and len(document) > DOCUMENT_MAX:  # once, but where the shorter text falls into more parts
            text = text[: DOCUMENT_MAX - len(document) - 1]
            document = self._asked(send, text + "…", 1)
        return document

    def _asked(self, send: Send | dict[str, Any], text: str, times: int, before: str = "") -> str:
        send_id, purpose, body = _of(send)
        response = VoiceResponse()
        for number in range(times):
            said = (before if number == 0 else "") + text + self._choices(purpose, body)
            self._gather(response, said, send_id)
        return self._end(response, f"goodbye_{purpose}")

    def choose(self, send: dict[str, Any], before: str | None = None) -> str:
        """Only the keys, for somebody who has heard the rest."""
        send_id, purpose, body = _of(send)
        text = (self._said(before) if before else "") + self._choices(purpose, body)
        response = VoiceResponse()
        self._gather(response, text, send_id)
        return self._end(response, f"goodbye_{purpose}")

    def minutes(self, send_id: int, name: str) -> str:
        """After a 1: thanks, and how many minutes."""
        response = VoiceResponse()
        gather = Gather(
            input="dtmf",
            num_digits=3,
            finish_on_key="#",
            timeout=KEY_SECONDS,
            action=self._twilio.webhook(f"/webhooks/twilio/voice/{send_id}/minutes"),
            method="POST",
        )
        gather.say(self._said("accepted", name=name), language=self._voice)
        response.append(gather)
        return self._end(response, "no_eta")

    def machine(self, send: dict[str, Any]) -> str:
        """For a machine: whoever listens to it later hears that we called, and nothing of whom or what. Detection errs:
        a person who is taken for a machine presses 9 and hears all of it.
        """
        send_id, purpose, _ = _of(send)
        text = self._said(f"machine_{purpose}")
        response = VoiceResponse()
        for _ in range(TIMES_SAID):
            self._gather(response, text, send_id, seconds=MACHINE_PAUSE_SECONDS)
        response.hangup()
        return str(response)

    def desk(self, send: dict[str, Any], phones: Sequence[str], number: int, before: str, shown: str) -> str:
        """Put through to the desk, which sees the number `shown`."""
        response = VoiceResponse()
        response.say(self._said(before), language=self._voice)
        path = f"/webhooks/twilio/voice/{send['id']}/desk"
        ring(response, self._twilio, phones, number, path, shown)
        return str(response)

    def conference(self, send: dict[str, Any], before: str) -> str:
        """The operator enters the line that is the incident's."""
        response = VoiceResponse()
        response.say(self._said(before), language=self._voice)
        dial = Dial()
        dial.append(
            Conference(
                conference_name(send["incident"]),
                start_conference_on_enter=True,
                # Nobody is left in an empty line; but the home and who goes may speak on without the desk.
                end_conference_on_exit=not send["body"].get("helper"),
                beep=False,
                participant_label=str(send["id"]),
                status_callback=self._twilio.webhook(f"/webhooks/twilio/conference/{send['incident']}"),
                status_callback_event=CONFERENCE_EVENTS,
                status_callback_method="POST",
            )
        )
        response.append(dial)
        return str(response)

    def farewell(self, key: str, **values: object) -> str:
        """One thing, and the end of the call."""
        return self._end(VoiceResponse(), key, **values)

    def _text(self, purpose: str, body: dict[str, Any]) -> str:
        said = self._said
        if purpose == HELP:
            return (said("going_already") if body.get("going") else "") + said("help", **asked_for(body, said))
        if purpose == CHANGE:
            return said("change", person=body.get("person") or said("unknown_person"), news=news(body, said))
        return said(purpose)

    def _choices(self, purpose: str, body: dict[str, Any]) -> str:
        which = "going" if purpose == HELP and body.get("going") else purpose
        return self._said(f"choose_{which}", person=body.get("person") or self._said("unknown_person"))

    def _gather(self, response: VoiceResponse, text: str, send_id: int, seconds: int = KEY_SECONDS) -> None:
        gather = Gather(
            input="dtmf",
            num_digits=1,
            timeout=seconds,
            action=self._twilio.webhook(f"/webhooks/twilio/voice/{send_id}/keys"),
            method="POST",
        )
        for part in _parts(text):
            gather.say(part, language=self._voice)
        response.append(gather)

    def _end(self, response: VoiceResponse, key: str, **values: object) -> str:
        response.say(self._said(key, **values), language=self._voice)
        response.hangup()
        return str(response)


def conference_name(incident: int) -> str:
    """One line for each incident: one that is open never stands in another's way."""
    return f"incident-{incident}"


def _parts(text: str) -> Iterator[str]:
    """What can be said at a time, by sentences where there are any."""
    while len(text) > SAY_MAX:
        end = max(text.rfind(mark, 0, SAY_MAX) for mark in "。；，.;,\n ") + 1 or SAY_MAX
        yield text[:end]
        text = text[end:]
    yield text


def _of(send: Send | dict[str, Any]) -> tuple[int, str, dict[str, Any]]:
    if isinstance(send, Send):
        return send.id, send.purpose, send.body
    return send["id"], send["purpose"], send["body"]
