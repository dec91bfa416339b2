"""Phone numbers as people write them, into the one form that can be dialled: E.164. PURE.

The numbering is China's (Telecommunications Network Numbering Plan): mobiles 1[3-9] with 11 digits; fixed lines a trunk
zero, an area code of two (10, 2x) or three digits and 7 or 8 digits more; 400 numbers of 10. Numbers of other countries
are taken with their country code, and only their length is looked at.
"""

import re
import unicodedata

from care.refusal import Refusal

_DECORATION = re.compile(r"[\s\-‐‑‒–—.()·]+")
_SEVERAL = re.compile(r"\d{5,}.*[,;/、，；|].*\d{5,}")
_EXTENSION = re.compile(r"(转|分机|ext\.?|x|#|,)\s*\d+$", re.IGNORECASE)
_ROUNDED = re.compile(r"\d(\.\d+)?e\+?\d+", re.IGNORECASE)
_MOBILE = re.compile(r"1[3-9]\d{9}")
_FIXED = re.compile(r"(10|2\d)\d{8}|[3-9]\d{2}\d{7,8}")
_FOUR_HUNDRED = re.compile(r"400\d{7}")


def normalise(text: str) -> str:
    """`text` as E.164. Refusal says why it is no number that could be dialled."""
    text = unicodedata.normalize("NFKC", text).strip()
    if _ROUNDED.fullmatch(text):
        raise Refusal("phone_rounded", text=text)
    if _SEVERAL.search(text):
        raise Refusal("phone_several", text=text)
    if _EXTENSION.search(text):
        raise Refusal("phone_extension", text=text)
    digits = _DECORATION.sub("", text)
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    if not re.fullmatch(r"\+?[0-9]+", digits):
        raise Refusal("phone_characters", text=text)
    if digits.startswith("+86"):
        return _chinese(digits[3:].removeprefix("0"), text)
    if digits.startswith("+"):
        if not re.fullmatch(r"\+[1-9]\d{7,14}", digits):
            raise Refusal("phone_length", text=text)
        return digits
    if len(digits) == 13 and digits.startswith("86"):
        return _chinese(digits[2:], text)
    if len(digits) < 7:
        # Emergency and service numbers are dialled by people and by policy, never kept as somebody's own.
        raise Refusal("phone_short", text=text)
    if digits.startswith("0"):
        return _chinese(digits[1:], text)
    if len(digits) in (7, 8):
        raise Refusal("phone_area_code", text=text)
    if _MOBILE.fullmatch(digits) or _FOUR_HUNDRED.fullmatch(digits):
        return "+86" + digits
    raise Refusal("phone_length", text=text)


def _chinese(national: str, text: str) -> str:
    if any(form.fullmatch(national) for form in (_MOBILE, _FIXED, _FOUR_HUNDRED)):
        return "+86" + national
    raise Refusal("phone_length", text=text)
