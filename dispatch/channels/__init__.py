"""A way of reaching somebody: one folder, and one line in the service's table."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

CHANNELS = ("device", "twilio_voice", "twilio_sms", "apprise")
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
    """It will never work: a number that does not exist, an account without permission. The text is for a human.

    `task`: what only a person can put right, by the provider's `code`; None: there is nothing to put right.
    """

    def __init__(self, why: str, task: Literal["bad_number", "provider_account"] | None = None, code: str = "") -> None:
        super().__init__(why)
        self.task: Literal["bad_number", "provider_account"] | None = task
        self.code = code


class TryAgain(Exception):
    """It was certainly not sent, and may work in `seconds`; each further time in twice as many, up to `most`."""

    def __init__(self, why: str, seconds: float = 1.0, most: float | None = None) -> None:
        super().__init__(why)
        self.seconds, self.most = seconds, seconds if most is None else most

    def after(self, tries: int) -> float:
        """In how many seconds to try again what was tried so often before. Without chance: the same for everybody."""
        return float(min(self.most, self.seconds * 2.0 ** min(tries, 16)))


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
