"""A way of reaching somebody: one folder, and one line in the service's table."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

CHANNELS = ("device", "twilio_voice", "twilio_sms")
"""Their names: a folder each, with its `send.py`."""


class Send(NamedTuple):
    """One row of the outbox, about to be sent."""

    id: int
    incident: int | None
    purpose: str
    recipient: str
    name: str
    address: str
    language: str
    body: dict[str, Any]
    dialled_at: datetime
    deadline_at: datetime


class Refused(Exception):
    """It will never work: a number that does not exist, an account without permission. The text is for a human."""


class TryAgain(Exception):
    """It was certainly not sent, and may work in `seconds`."""

    def __init__(self, why: str, seconds: float = 1.0) -> None:
        super().__init__(why)
        self.seconds = seconds


class Unclear(Exception):
    """Nobody can say whether it was sent. Look it up before sending it again."""


class Channel(Protocol):
    """`send` returns the provider's own id of what was sent (None if it has none). It ends within `SEND_SECONDS`."""

    repeatable: bool
    """Sending twice is harmless: the receiver can tell."""

    async def send(self, send: Send) -> str | None: ...

    async def find(self, send: Send) -> Sequence[str]:
        """The provider's ids of what was sent to this address since `dialled_at` and may be it, the oldest first."""
        ...


SEND_SECONDS = 8.0


class Absent:
    """A channel that this installation has not set up: whoever was to be reached by it is said not to have been."""

    repeatable = False

    def __init__(self, why: str) -> None:
        self._why = why

    async def send(self, send: Send) -> str | None:
        raise Refused(self._why)

    async def find(self, send: Send) -> Sequence[str]:
        return ()
