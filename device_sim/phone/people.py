"""People and their phones: what a phone does, and the habits of whoever carries it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from device_sim.phone.call import Call

KEYS = frozenset("0123456789*#")


class Habit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a person takes calls.

    manual: somebody drives the phone · accept, decline: answers `after_seconds`, listens until asked, presses `digits`
    (1, 2 when not given) · voicemail: a machine answers `after_seconds` and records, it presses nothing · busy ·
    no_answer · failed: the number is out of service · invalid: Twilio refuses the number (21211).
    """

    kind: Literal["manual", "accept", "decline", "voicemail", "busy", "no_answer", "failed", "invalid"] = "manual"
    after_seconds: float = 3.0
    digits: str | None = None

    @property
    def keys(self) -> str:
        """What the person presses when asked."""
        return self.digits if self.digits is not None else {"accept": "1", "decline": "2"}.get(self.kind, "")


@dataclass
class Sms:
    """A text message on a phone; `outgoing` ones the person has written."""

    at: datetime
    number: str
    body: str
    outgoing: bool = False


@dataclass
class Phone:
    """A phone: idle, ringing or in a call; one call at a time."""

    number: str
    name: str = ""
    home: str | None = None
    role: str = ""
    language: str = "zh"
    habit: Habit = field(default_factory=Habit)
    call: Call | None = None
    inbox: list[Sms] = field(default_factory=list)

    @property
    def state(self) -> str:
        if self.call is None:
            return "idle"
        return "in_call" if self.call.is_answered else "ringing"


async def behave(habit: Habit, call: Call) -> None:
    """Takes a ringing call as the person does, by their habit; returns when they have nothing more to do."""
    if habit.kind not in ("accept", "decline", "voicemail"):
        return
    await asyncio.sleep(habit.after_seconds)
    call.answer(by_machine=habit.kind == "voicemail")
    for key in habit.keys if habit.kind != "voicemail" else "":
        await call.press(key)
