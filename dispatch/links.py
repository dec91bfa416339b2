"""Links that need no account: whoever holds one may see what it names, for as long as it is worth anything.

`https://host/h/{number in base 36}.{mac}`: the number of a send (`h`, a helper's page) or of a packet (`m`, for medical
staff), and 96 bits of an HMAC-SHA256 over the kind and the number. So a link is short enough for a text message, can be
made by whoever knows the secret without asking anybody, and none leads to another. How long one is worth anything is
asked of the incident, not of the link.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from typing import Literal

Kind = Literal["h", "m"]

MAC_BYTES = 12
"""96 bits: at a thousand guesses a second, longer than there is anything to be found."""
NUMBER_MAX = 2**63 - 1
TOKEN_MAX = 32
"""Characters of a token, at most: 13 of a number, a point, 16 of the mac."""

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class Links:
    """Makes links and reads them. `public_url`: our own address, as people's telephones reach it."""

    def __init__(self, secret: str, public_url: str) -> None:
        self._key = hashlib.sha256(b"pingan links 1\0" + secret.encode()).digest()
        self._url = public_url.rstrip("/")

    def for_send(self, send_id: int) -> str:
        """The page of whoever this was sent to."""
        return self._link("h", send_id)

    def for_packet(self, packet_id: int) -> str:
        """The hand-over packet, for whoever it was issued to."""
        return self._link("m", packet_id)

    def for_code(self, code: str) -> str:
        """What the sticker in a home says: it is no link to anybody's page, and shows nothing by itself."""
        return f"{self._url}/h/at/{code}"

    def token(self, kind: Kind, number: int) -> str:
        return f"{_in_base_36(number)}.{self._mac(kind, number)}"

    def number(self, kind: Kind, token: str) -> int | None:
        """What a token names; None: we have not made it."""
        digits, _, given = token[: TOKEN_MAX + 1].partition(".")
        if not digits or not given.isascii() or any(digit not in _DIGITS for digit in digits):
            return None
        number = int(digits, 36)
        # One link a thing: what is written otherwise is none of ours, whatever it says.
        if number > NUMBER_MAX or _in_base_36(number) != digits:
            return None
        return number if hmac.compare_digest(given, self._mac(kind, number)) else None

    def seal(self, *words: str) -> str:
        """A fingerprint that nobody can guess the words of: it needs our secret."""
        return hmac.new(self._key, "\0".join(("seal", *words)).encode(), hashlib.sha256).hexdigest()[:32]

    def _link(self, kind: Kind, number: int) -> str:
        return f"{self._url}/{kind}/{self.token(kind, number)}"

    def _mac(self, kind: Kind, number: int) -> str:
        mac = hmac.new(self._key, f"{kind}\0{number}".encode(), hashlib.sha256).digest()[:MAC_BYTES]
        return urlsafe_b64encode(mac).decode()


def _in_base_36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
