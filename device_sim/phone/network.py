"""The telephone network: phones, the one account, its calls and messages, and what is wrong with it today."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec

from device_sim.phone import errors
from device_sim.phone.call import Call, CallRequest, IncomingCall, Leg
from device_sim.phone.conference import Conference, Participant
from device_sim.phone.people import Phone
from device_sim.phone.sms import Message, MessageRequest, reply
from device_sim.phone.twiml import Room
from device_sim.phone.webhook import Webhooks

WITHHELD = "+266696687"
"""What stands for a caller's number that is not shown: ANONYMOUS, on a telephone's keypad."""

MAX_KEPT = 20_000
"""Calls and messages kept for looking up; the oldest go first."""
REQUESTS_KEPT = 500
MIN_DIGITS, MAX_DIGITS = 8, 15

Record = TypeVar("Record")
log = logging.getLogger(__name__)


class Faults(msgspec.Struct, forbid_unknown_fields=True):
    """What is wrong with the provider, as `POST /sim/faults` takes it.

    `respond`: ok · slow (after `seconds`) · hang (never) · 429 · 500 · 400 (with `code`) · ambiguous (does it, then
    drops the connection without an answer). The next `count` requests are affected (None: all), of `methods`, to
    `resource`. `calls_per_second` queues calls. `callback_repeats` sends every status callback so often.
    """

    respond: Literal["ok", "slow", "hang", "429", "500", "400", "ambiguous"] = "ok"
    seconds: float = 30.0
    code: int = 20001
    count: int | None = None
    methods: tuple[str, ...] = ("POST",)
    resource: Literal["Calls", "Messages", "Conferences", "all"] = "all"
    calls_per_second: float | None = None
    callback_repeats: int = 1

    def draw(self, method: str, resource: str) -> str:
        """Which answer this request gets; counts it."""
        concerned = method in self.methods and self.resource in ("all", resource)
        if self.respond == "ok" or not concerned or self.count == 0:
            return "ok"
        if self.count is not None:
            self.count -= 1
        return self.respond


class Asked(NamedTuple):
    """One request of the API, and what it was answered."""

    method: str
    path: str
    """As Twilio documents it, below the account's."""
    parameters: frozenset[str]
    status: int
    body: Any


class Network:
    """The provider's account and everybody who can be reached. `pace` 1 is real time; tests use less."""

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        numbers: Iterable[str],
        pace: float = 1.0,
        voice_webhook: str = "",
        sms_webhook: str = "",
    ) -> None:
        """The webhooks are the account's own setting: who is told of a call or message to one of its numbers."""
        self.account_sid, self.auth_token = account_sid, auth_token
        self.numbers = frozenset(numbers)
        self.voice_webhook, self.sms_webhook = voice_webhook, sms_webhook
        self.phones: dict[str, Phone] = {}
        self.calls: dict[str, Call] = {}
        self.messages: dict[str, Message] = {}
        self.conferences: dict[str, Conference] = {}
        self.requests: deque[Asked] = deque(maxlen=REQUESTS_KEPT)
        self.faults = Faults()
        self.pace = pace
        self._webhooks = Webhooks(auth_token)
        self._next_dial_seconds = 0.0
        self._beside: set[asyncio.Task[None]] = set()

    @property
    def told(self) -> deque[tuple[str, int]]:
        """What the platform was told by webhooks: where, and the status of its answer."""
        return self._webhooks.told

    @property
    def tried(self) -> deque[tuple[str, int]]:
        """Every attempt to tell it that."""
        return self._webhooks.tried

    def add(self, phone: Phone) -> Phone:
        """Connects a phone; one that is there already stays as it is."""
        return self.phones.setdefault(phone.number, phone)

    def incoming(self, phone: Phone, to: str, *, withheld: bool = False) -> IncomingCall:
        """The person with `phone`, who is in no call, calls one of our numbers."""
        number = WITHHELD if withheld else phone.number
        call = IncomingCall(
            CallRequest(to, number, url=self.voice_webhook, direction="inbound"),
            account_sid=self.account_sid,
            phone=phone,
            webhooks=self._webhooks,
            pace=self.pace,
            connect=self._connect,
            enter=self._enter,
        )
        _keep(self.calls, call.record.sid, call)
        log.info("call %s from %s", call.record.sid, number)
        call.begin()
        return call

    def _connect(self, request: CallRequest, parent_sid: str) -> Leg:
        """Rings somebody for a caller who waits."""
        leg = Leg(
            request,
            parent_sid,
            account_sid=self.account_sid,
            phone=self.phones.get(request.to),
            webhooks=self._webhooks,
            pace=self.pace,
        )
        _keep(self.calls, leg.record.sid, leg)
        leg.dial(0.0)
        return leg

    def call(self, request: CallRequest) -> Call:
        """Places a call. TwilioError when the numbers will not do."""
        self._check_to(request.to)
        if request.from_number not in self.numbers:
            raise errors.foreign_from(request.from_number)
        call = Call(
            request,
            account_sid=self.account_sid,
            phone=self.phones.get(request.to),
            webhooks=self._webhooks,
            pace=self.pace,
            callback_repeats=self.faults.callback_repeats,
            connect=self._connect,
            enter=self._enter,
        )
        _keep(self.calls, call.record.sid, call)
        log.info("call %s to %s", call.record.sid, request.to)
        call.dial(self._queue_seconds())
        return call

    def conference(self, name: str) -> Conference | None:
        """The one that is going on, or was, by its sid; or that goes on, by its friendly name."""
        by_name = (one for one in self.conferences.values() if one.record.friendly_name == name and not one.over)
        return self.conferences.get(name) or next(by_name, None)

    def bring_in(self, name: str, request: CallRequest, room: Room) -> tuple[Conference, Participant]:
        """Rings somebody into a conference, which begins if there is none. TwilioError when the numbers will not do."""
        call = self.call(request)
        conference = self._room(name)
        participant = conference.expect(call, room)

        async def rung() -> None:
            await call.ended.wait()
            conference.leave(participant, "participant_call_ended")

        self._beside.add(task := asyncio.create_task(rung()))
        task.add_done_callback(self._beside.discard)
        return conference, participant

    async def _enter(self, call: Call, room: Room) -> None:
        await self._room(room.name).stay(call, room)

    def _room(self, name: str) -> Conference:
        found = self.conference(name)
        if found is None:
            found = Conference(name, account_sid=self.account_sid, webhooks=self._webhooks)
            _keep(self.conferences, found.record.sid, found)
        return found

    def message(self, request: MessageRequest) -> Message:
        """Sends a text message. TwilioError when the numbers will not do."""
        self._check_to(request.to)
        if request.from_number not in self.numbers:
            raise errors.foreign_message_from(request.from_number)
        message = Message(
            request,
            account_sid=self.account_sid,
            phone=self.phones.get(request.to),
            webhooks=self._webhooks,
            pace=self.pace,
        )
        _keep(self.messages, message.record.sid, message)
        message.send()
        return message

    async def reply(self, phone: Phone, to: str, body: str) -> int:
        """The person with `phone` writes to one of our numbers; the status of the platform's answer, 0 for none."""
        return await reply(phone, to, body, url=self.sms_webhook, account_sid=self.account_sid, webhooks=self._webhooks)

    def close(self) -> None:
        self._webhooks.close()

    def _check_to(self, number: str) -> None:
        phone = self.phones.get(number)
        if not is_number(number) or (phone is not None and phone.habit.kind == "invalid"):
            raise errors.invalid_to(number)

    def _queue_seconds(self) -> float:
        """How long a call placed now waits for its turn."""
        if not self.faults.calls_per_second:
            return 0.0
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next_dial_seconds)
        self._next_dial_seconds = turn + 1 / self.faults.calls_per_second
        return turn - now


def is_number(number: str) -> bool:
    """Whether it is a number in E.164 form."""
    digits = number[1:]
    return number.startswith("+") and digits.isascii() and digits.isdigit() and MIN_DIGITS <= len(digits) <= MAX_DIGITS


def _keep(records: dict[str, Record], sid: str, record: Record) -> None:
    records[sid] = record
    if len(records) > MAX_KEPT:
        del records[next(iter(records))]
