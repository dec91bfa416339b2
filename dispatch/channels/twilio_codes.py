"""What Twilio's own error codes mean for whoever is called (https://www.twilio.com/docs/api/errors). PURE."""

from typing import Literal

Meaning = Literal["number", "account", "setting", "busy", "other"]
"""`number`: this one will not be reached by it until a person has mended the register. `account`: nobody will, until a
person has spoken with the provider. `setting`: this sort of number will not. `busy`: not processed, and may be soon."""

BAD_NUMBER = frozenset({
    13224,  # to be dialled: no valid number
    21211, 21214, 21217,  # no valid number; cannot be reached; looks like none
    21610, 21612,  # has opted out; cannot be reached from ours
    30003, 30004, 30005, 30007, 30008,  # handset off, blocked, unknown; filtered; not said
})  # fmt: skip
LANDLINE = frozenset({21614, 30006})
"""No text message reaches it, and none is expected to: nothing is wrong with whom it rings."""
ACCOUNT = frozenset({
    10001, 10002, 10003, 10004,  # not active; a trial's limits; calls refused; as many calls as it may have
    20003, 20005, 20006,  # not authenticated; not active; not permitted
    21210, 21212, 21606, 30002,  # our own number is not the account's, or none; suspended
})  # fmt: skip
SETTING = frozenset({13227, 21215, 21219, 21408, 21608})
"""Countries that the account may not call or write to; numbers that a trial may not."""
BUSY = frozenset({429, 20429, 14107, 30001})

NO_SUCH_NUMBER_SIP = frozenset({"404", "410", "484", "604"})
"""What a network answers of a number that nobody has."""


def meaning(code: int | None, status: int | None = None) -> Meaning:
    """What a code says; of an answer without one its HTTP status may."""
    if code in BAD_NUMBER:
        return "number"
    if code in ACCOUNT or (code is None and status in (401, 403)):
        return "account"
    if code in SETTING:
        return "setting"
    return "busy" if code in BUSY or status == 429 else "other"


def bad_number(error_code: str, sip_code: str = "") -> bool:
    """Whether a call that failed, or a message that did not arrive, says that the number is wrong."""
    if error_code.isascii() and error_code.isdigit():
        return int(error_code) in BAD_NUMBER
    # Twilio calls a call `failed` where the number is most likely nobody's; a network may say otherwise.
    return not sip_code or sip_code in NO_SUCH_NUMBER_SIP
