"""Putting somebody who is on the line through to the desk's telephones, one after the other.

Whoever takes one is asked for a key, while the caller goes on hearing it ring. Without it nobody is connected: a
voicemail at the desk would otherwise be the desk, and the caller would speak to nobody.
"""

from collections.abc import Mapping, Sequence

from twilio.twiml.voice_response import Dial, Gather, VoiceResponse

from dispatch import heard
from dispatch.channels.twilio import VOICES, Twilio
from dispatch.channels.words import LANGUAGES, words
from dispatch.shifts import FIRST_SECONDS
from pingan.database import Database

LAST_SECONDS = 30
"""How long the last of them rings. The screens ring meanwhile, and people are called by the policy."""

TAKES = "1"
KEY_SECONDS = 5
"""How long a key is waited for, once it was asked for in each language: nobody knows who takes a telephone."""

ANSWERED = frozenset({"completed", "answered"})
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
    dial.number(phones[number], url=twilio.webhook(f"{path}/asked"), method="POST")
    response.append(dial)


def asked(twilio: Twilio, path: str) -> str:
    """What whoever has taken the telephone hears: no name, for it may be a machine. Its end connects; hanging up does
    not."""
    response = VoiceResponse()
    action = twilio.webhook(f"{path}/key")
    gather = Gather(input="dtmf", num_digits=1, timeout=KEY_SECONDS, action=action, method="POST")
    for language in LANGUAGES:
        gather.say(words("twilio_voice", language)("desk_asked"), language=VOICES[language])
    response.append(gather)
    response.hangup()
    return str(response)


def connected() -> str:
    """The end of what is asked: the two are put together."""
    return str(VoiceResponse())


def key(form: Mapping[str, str]) -> str:
    """What the key is known by, of the call to the desk's telephone."""
    return f"desk/{form.get('CallSid', '')}"


async def missed(database: Database, form: Mapping[str, str]) -> str | None:
    """Why the desk's telephone was not taken; None: somebody there has pressed the key. What the provider says of a
    call that was answered and hung up is no answer to that.
    """
    async with database.connection() as connection:
        if await heard.before(connection, key({"CallSid": form.get("DialCallSid", "")})):
            return None
    status = form.get("DialCallStatus", "")
    if status in ANSWERED:
        return "no_key"
    return status if status in MISSED else "failed"
