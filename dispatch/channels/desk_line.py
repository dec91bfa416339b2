"""Putting somebody who is on the line through to the desk's telephones, one after the other."""

from collections.abc import Mapping, Sequence

from twilio.twiml.voice_response import Dial, VoiceResponse

from dispatch.channels.twilio import Twilio
from dispatch.shifts import FIRST_SECONDS

LAST_SECONDS = 30
"""How long the last of them rings. The screens ring meanwhile, and people are called by the policy."""

REACHED = frozenset({"completed", "answered"})
MISSED = frozenset({"busy", "no-answer", "failed", "canceled"})
"""The provider's words for what became of ringing the desk."""


def ring(
    response: VoiceResponse, twilio: Twilio, phones: Sequence[str], number: int, path: str, caller_id: str | None
) -> None:
    """Ring the `number`-th of the desk's telephones. What becomes of it is told to `path`. `caller_id`: which number is
    shown; None: that of whoever is on the line."""
    seconds = FIRST_SECONDS if number + 1 < len(phones) else LAST_SECONDS
    shown = {"caller_id": caller_id} if caller_id else {}
    action = twilio.webhook(f"{path}/dialled?number={number}")
    dial = Dial(timeout=seconds, action=action, method="POST", **shown)
    dial.number(
        phones[number],
        status_callback=twilio.webhook(f"{path}/answered"),
        status_callback_event="answered",
        status_callback_method="POST",
    )
    response.append(dial)


def missed(form: Mapping[str, str]) -> str | None:
    """Why the desk's telephone was not taken; None: it was."""
    status = form.get("DialCallStatus", "")
    if status in REACHED:
        return None
    return status if status in MISSED else "failed"
