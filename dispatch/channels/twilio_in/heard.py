"""What the provider tells of a call or message to our number, read from its form. PURE.

Almost nothing is refused: somebody waits for help at the other end. A number that cannot be read counts as withheld.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID, uuid5

import msgspec

TEXT_MAX = 1_600
"""Characters that the provider carries in one message, its parts put together."""
RAW_MAX = 64
MEDIA_MAX = 99

_HEARD = UUID("0d1f8a52-6f0e-4d7c-8a39-6a2c4e4b7d10")
_SID = {"telephone": re.compile(r"CA[0-9a-fA-F]{32}"), "sms": re.compile(r"[SM]M[0-9a-fA-F]{32}")}
_FIELD = {"telephone": "CallSid", "sms": "MessageSid"}
_NUMBER = re.compile(r"\+[1-9][0-9]{7,14}")
_KEYPAD = dict(zip("abcdefghijklmnopqrstuvwxyz", "22233344455566677778889999", strict=True))
_WITHHELD = {
    "+" + "".join(_KEYPAD[letter] for letter in word)
    for word in ("anonymous", "restricted", "blocked", "unknown", "unavailable")
}
"""The provider spells these words on a telephone's keypad where there is no number: `+266696687` is ANONYMOUS."""
_TURNS_TEXT = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that show what follows them in another order than it was written in."""


class Misread(Exception):
    """The form names no call or message, so that it could not be told from another. `name` is the refusal's."""

    name = "no_call_id"


class Heard(msgspec.Struct, frozen=True):
    source: Literal["telephone", "sms"]
    sid: str
    number: str | None
    """E.164; None where the caller withholds it."""
    text: str | None
    more: dict[str, Any]
    """What else is worth keeping beside the alarm."""

    @property
    def alarm(self) -> UUID:
        """The same for whatever the provider tells of this call; another's for every other."""
        return uuid5(_HEARD, self.sid)

    @property
    def stranger(self) -> str:
        """In place of a device, where the register knows of no home. Two who withhold their number are two."""
        return f"tel:{self.number or self.sid}"


def read(source: Literal["telephone", "sms"], form: Mapping[str, str]) -> Heard:
    """What a form says. Misread when it names no call."""
    sid = form.get(_FIELD[source], "")
    if not _SID[source].fullmatch(sid):
        raise Misread(f"{_FIELD[source]} is not one of the provider's")
    given = form.get("From", "").strip()
    number = given if _NUMBER.fullmatch(given) and given not in _WITHHELD else None
    more: dict[str, Any] = {"sid": sid}
    if number is None and given:
        more["from"] = plain(given)[:RAW_MAX]
    if source == "telephone":
        return Heard(source, sid, number, None, more)
    text = plain(form.get("Body", ""))
    if len(text) > TEXT_MAX:
        more["cut_from"] = len(text)
    media = form.get("NumMedia", "0")
    if media.isascii() and media.isdigit() and int(media[:4]) > 0:
        more["media"] = min(int(media[:4]), MEDIA_MAX)
    return Heard(source, sid, number, text[:TEXT_MAX], more)


def plain(text: str) -> str:
    """Text as it can be kept and shown: lines stay lines; what would act on a screen is shown to have been there."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join("\N{REPLACEMENT CHARACTER}" if _acts(one) else one for one in lines)


def _acts(one: str) -> bool:
    return one in _TURNS_TEXT or (one not in "\n\t" and unicodedata.category(one) in ("Cc", "Cs"))
