"""Text messages: on their way to a phone, and a person's answers."""

import asyncio
import logging
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime

from device_sim.phone import twiml
from device_sim.phone.people import Phone, Sms
from device_sim.phone.webhook import Webhooks

SENDING_SECONDS = 0.2
DELIVERY_SECONDS = 0.5
SEGMENT_CHARACTERS = 70
"""A segment of a message with any character beyond GSM-7, which every message in Chinese is."""
UNREACHABLE = 30003, "Unreachable destination handset"
UNKNOWN = 30005, "Unknown destination handset"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MessageRequest:
    """What `POST /Messages.json` asked for."""

    to: str
    from_number: str
    body: str
    status_callback: str | None = None
    unknown_parameters: tuple[str, ...] = ()


@dataclass
class MessageRecord:
    """All that is kept of a message; Twilio's own JSON is made from it in `resources.py`."""

    sid: str
    request: MessageRequest
    created_at: datetime
    updated_at: datetime
    status: str = "queued"
    sent_at: datetime | None = None
    error_code: int | None = None
    error_message: str | None = None
    callbacks: list[tuple[datetime, str, int]] = field(default_factory=list)

    @property
    def segments(self) -> int:
        return -(-len(self.request.body) // SEGMENT_CHARACTERS) or 1


class Message:
    """A message from the API to a phone: queued, sent, delivered or (no such phone, or one that is off) undelivered."""

    def __init__(
        self, request: MessageRequest, *, account_sid: str, phone: Phone | None, webhooks: Webhooks, pace: float
    ) -> None:
        now = datetime.now(UTC)
        self.record = MessageRecord(f"SM{secrets.token_hex(16)}", request, created_at=now, updated_at=now)
        self._account_sid, self._phone, self._webhooks, self._pace = account_sid, phone, webhooks, pace
        self._run: asyncio.Task[None] | None = None

    def send(self) -> None:
        self._run = asyncio.create_task(self._deliver())

    async def settled(self) -> None:
        """Waits until it is delivered, or not, and the last status callback has been answered."""
        if self._run is not None:
            await self._run

    async def _deliver(self) -> None:
        await asyncio.sleep(SENDING_SECONDS * self._pace)
        self.record.sent_at = datetime.now(UTC)
        await self._become("sent")
        await asyncio.sleep(DELIVERY_SECONDS * self._pace)
        if self._phone is None or self._phone.habit.kind == "failed":
            self.record.error_code, self.record.error_message = UNKNOWN if self._phone is None else UNREACHABLE
            await self._become("undelivered")
            return
        request = self.record.request
        self._phone.inbox.append(Sms(datetime.now(UTC), request.from_number, request.body))
        log.info("text message to %s delivered", request.to)
        await self._become("delivered")

    async def _become(self, status: str) -> None:
        self.record.status, self.record.updated_at = status, datetime.now(UTC)
        request = self.record.request
        if request.status_callback is None:
            return
        parameters = [
            ("AccountSid", self._account_sid),
            ("ApiVersion", "2010-04-01"),
            ("From", request.from_number),
            ("MessageSid", self.record.sid),
            ("MessageStatus", status),
            ("SmsSid", self.record.sid),
            ("SmsStatus", status),
            ("To", request.to),
        ]
        if self.record.error_code is not None:
            parameters.append(("ErrorCode", str(self.record.error_code)))
        answer = await self._webhooks.send("POST", request.status_callback, parameters)
        self.record.callbacks.append((datetime.now(UTC), status, answer.status))


async def reply(phone: Phone, to: str, body: str, *, url: str, account_sid: str, webhooks: Webhooks) -> int:
    """The person writes to `to`; the platform's webhook `url` is told, and what it answers is delivered to them.

    Returns the status of its answer.
    """
    phone.inbox.append(Sms(datetime.now(UTC), to, body, outgoing=True))
    sid = f"SM{secrets.token_hex(16)}"
    parameters = [
        ("AccountSid", account_sid),
        ("ApiVersion", "2010-04-01"),
        ("Body", body),
        ("From", phone.number),
        ("MessageSid", sid),
        ("NumMedia", "0"),
        ("NumSegments", "1"),
        ("SmsMessageSid", sid),
        ("SmsSid", sid),
        ("SmsStatus", "received"),
        ("To", to),
    ]
    answer = await webhooks.send("POST", url, parameters)
    try:
        bodies = twiml.messages(answer.body) if answer.ok else []
    except twiml.TwimlError as error:
        log.error("message %s: %s", sid, error)
        bodies = []
    phone.inbox += [Sms(datetime.now(UTC), to, text) for text in bodies]
    return answer.status
