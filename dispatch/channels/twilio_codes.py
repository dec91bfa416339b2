"""What Twilio's own error codes mean for whoever is called (https://www.twilio.com/docs/api/errors). PURE.

A code that is in none of these lists says nothing of the number or the account: 30003, a handset that is off or out of
reach; 30008, 30410 and 30500, nobody knows why, or Twilio itself. Whoever was written to was not reached, and that is
all. A task *no such number* of a telephone that was off for an hour would have a good number taken out of the register.
"""

from typing import Literal

Meaning = Literal["number", "account", "setting", "busy", "other"]
"""`number`: this one will not be reached by it until a person has mended the register. `account`: nobody will, until a
person has spoken with the provider. `setting`: this sort of number, or of message, will not. `busy`: not processed, and
may be soon. `other`: whoever it was for was not reached by it, and may be by the next."""

BAD_NUMBER = frozenset({
    13224,  # to be dialled: no valid number
    21211, 21214, 21217,  # no valid number; cannot be reached; looks like none
    21610,  # has opted out
    30004, 30005,  # takes no message of ours; nobody has it, or nobody any more
})  # fmt: skip
LANDLINE = frozenset({21614, 21635, 30006})
"""No text message reaches it, and none is expected to: nothing is wrong with whom it rings."""
ACCOUNT = frozenset({
    10001, 10002, 10003, 10004, 10005,  # not active; a trial's limits; calls refused; as many as it may have; no calls
    20003, 20005, 20006,  # not authenticated; not active; not permitted
    21210, 21212, 21601, 21606, 30002,  # our own number is not the account's, or none, or writes nothing; suspended
})  # fmt: skip
SETTING = frozenset({
    13227, 21215, 21408,  # countries that the account may not call or write to
    21219, 21608,  # numbers that a trial may not
    21216, 21612, 30007,  # blocked by Twilio; no way from our number to theirs; what we write is filtered
})  # fmt: skip
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


def of_a_message(error_code: str) -> Meaning:
    """What is said of a message that did not arrive. One that failed without a code says nothing."""
    return meaning(_number(error_code))


def bad_number(error_code: str, sip_code: str = "") -> bool:
    """Whether a call that failed says that the number is wrong."""
    if (code := _number(error_code)) is not None:
        return code in BAD_NUMBER
    # Twilio calls a call `failed` where the number is most likely nobody's; a network may say otherwise.
    return not sip_code or sip_code in NO_SUCH_NUMBER_SIP


def _number(code: str) -> int | None:
    return int(code) if code.isascii() and code.isdigit() else None
