"""One call, from the dial to the end: rings, is answered, executes TwiML, hears keys, tells its status callbacks."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urljoin

from device_sim.phone import twiml
from device_sim.phone.people import KEYS, Phone, behave
from device_sim.phone.twiml import Room
from device_sim.phone.webhook import Webhooks, bare

SPEECH_CHARACTERS_PER_SECOND = {"zh": 4.5, "cmn": 4.5, "yue": 4.5}
OTHER_SPEECH_CHARACTERS_PER_SECOND = 14.0
DETECTION_SECONDS = 1.5
GREETING_SECONDS = 5.0
MAX_DOCUMENTS = 100
"""A document that redirects to itself for ever would keep a call for ever."""

EVENTS = ("initiated", "ringing", "answered", "completed")
FINAL = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CallRequest:
    """What `POST /Calls.json` asked for; or who calls us, and which webhook hears of it. Lengths in seconds."""

    to: str
    from_number: str
    url: str | None = None
    method: str = "POST"
    twiml: str | None = None
    fallback_url: str | None = None
    fallback_method: str = "POST"
    status_callback: str | None = None
    status_callback_events: tuple[str, ...] = ("completed",)
    status_callback_method: str = "POST"
    timeout_seconds: float = 60.0
    machine_detection: str | None = None
    async_detection: bool = False
    async_detection_callback: str | None = None
    unknown_parameters: tuple[str, ...] = ()
    direction: str = "outbound-api"
    room: Room | None = None
    """A call that the Participants API has placed: whoever answers is in this conference."""


@dataclass
class CallRecord:
    """All that is kept of a call, with precise times; Twilio's own JSON is made from it in `resources.py`."""

    sid: str
    request: CallRequest
    created_at: datetime
    updated_at: datetime
    status: str = "queued"
    started_at: datetime | None = None
    ringing_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    answered_by: str | None = None
    queue_milliseconds: int = 0
    heard: list[tuple[datetime, str, str]] = field(default_factory=list)
    """What was said into the phone: when, the language, the text."""
    pressed: list[tuple[datetime, str]] = field(default_factory=list)
    webhooks: list[tuple[datetime, str, int]] = field(default_factory=list)
    """Requests for TwiML: when, where, the answer's status (0: unreachable)."""
    callbacks: list[tuple[datetime, str, int]] = field(default_factory=list)
    """Status callbacks: when, the event, the answer's status."""
    errors: list[str] = field(default_factory=list)

    @property
    def duration_seconds(self) -> int | None:
        if self.answered_at is None or self.ended_at is None:
            return None
        return max(1, round((self.ended_at - self.answered_at).total_seconds()))


@dataclass(frozen=True)
class _Document:
    """Where the next TwiML comes from, with what the request for it says besides."""

    url: str | None
    method: str
    more: tuple[tuple[str, str], ...] = ()
    inline: str | None = None


class Call:
    """A live call. `pace` scales all the network's own lengths (ringing, speech, pauses, waits for digits)."""

    def __init__(
        self,
        request: CallRequest,
        *,
        account_sid: str,
        phone: Phone | None,
        webhooks: Webhooks,
        pace: float,
        callback_repeats: int = 1,
        connect: Callable[[CallRequest, str], "Leg"] | None = None,
        enter: Callable[["Call", Room], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        """`connect`: rings somebody else for this call, by its sid; without it a `<Dial>` fails. `enter`: brings it
        into a conference, until it leaves.
        """
        now = _now()
        self.record = CallRecord(f"CA{secrets.token_hex(16)}", request, created_at=now, updated_at=now)
        self.phone = phone
        self.listening = asyncio.Event()
        self.ended = asyncio.Event()
        self._account_sid, self._webhooks, self._pace = account_sid, webhooks, pace
        self._callback_repeats = callback_repeats
        self._connect, self._enter = connect, enter
        self._keys: asyncio.Queue[str] = asyncio.Queue()
        self._answered = asyncio.Event()
        self._by_machine = False
        self._rejected = False
        self._sequence = 0
        self._callbacks: asyncio.Task[None] | None = None
        self._conversation: asyncio.Task[None] | None = None
        self._run: asyncio.Task[None] | None = None
        self._redirect: _Document | None = None
        self._goodbye = False
        """A document said to hang up, or there was none."""

    @property
    def is_answered(self) -> bool:
        """Whether somebody, or a machine, has lifted the receiver."""
        return self._answered.is_set() and not self._rejected

    # What people and the API do to a call.

    def dial(self, wait_seconds: float) -> None:
        """Begins, after `wait_seconds` in the account's queue."""
        self._run = asyncio.create_task(self._live(wait_seconds))

    def answer(self, by_machine: bool = False) -> bool:
        """Lifts the receiver; False when it does not ring (any more)."""
        if self.record.status != "ringing" or self._answered.is_set():
            return False
        self._by_machine = by_machine
        self._answered.set()
        return True

    async def press(self, key: str, patience_seconds: float = 30.0) -> bool:
        """Presses one key as soon as the call listens for keys; False when it never does or the call ends."""
        if key not in KEYS:
            raise ValueError(f"a phone has no key {key!r}")
        try:
            async with asyncio.timeout(patience_seconds):
                await self.listening.wait()
        except TimeoutError:
            return False
        if self.record.status in FINAL:
            return False
        self.record.pressed.append((_now(), key))
        self._keys.put_nowait(key)
        # The next key belongs to whatever is asked next, unless this prompt wants more digits and says so.
        self.listening.clear()
        return True

    def hang_up(self) -> bool:
        """The person ends the call, or declines it while it rings; False when there is nothing to end."""
        if self.record.status == "ringing" and not self._answered.is_set():
            self._rejected = True
            self._answered.set()
            return True
        if self._conversation is not None and self.record.status == "in-progress":
            self._conversation.cancel()
            return True
        return False

    def end(self, status: str) -> bool:
        """The API ends the call: `canceled` before it is answered, `completed` at any time. False when it is over.

        As Twilio has it, `canceled` does not touch a call in progress.
        """
        if self.record.status in FINAL:
            return False
        if self.record.status == "in-progress":
            return self.hang_up() if status == "completed" else True
        if self._run is not None:
            self._run.cancel()
        self._finish("canceled")
        return True

    def redirect(self, url: str | None, method: str, inline: str | None) -> bool:
        """The API gives a call in progress new instructions."""
        if self.record.status != "in-progress" or self._conversation is None:
            return False
        self._redirect = _Document(url, method, inline=inline)
        self._conversation.cancel()
        return True

    async def settled(self) -> None:
        """Waits until the call is over and its last status callback has been answered."""
        await self.ended.wait()
        if self._callbacks is not None:
            await self._callbacks

    # Its life.

    async def _live(self, wait_seconds: float) -> None:
        await asyncio.sleep(wait_seconds)
        self.record.started_at = _now()
        self.record.queue_milliseconds = round((self.record.started_at - self.record.created_at).total_seconds() * 1000)
        self._tell("initiated", "initiated")
        phone = self.phone
        if phone is None or phone.habit.kind == "failed":
            return self._finish("failed")
        if phone.habit.kind == "busy" or phone.call is not None:
            return self._finish("busy")
        phone.call = self
        self.record.ringing_at = _now()
        self._become("ringing")
        self._tell("ringing", "ringing")
        person = asyncio.create_task(behave(phone.habit, self))
        try:
            await self._ring_and_talk()
        finally:
            person.cancel()
        return None

    async def _ring_and_talk(self) -> None:
        try:
            async with asyncio.timeout(self.record.request.timeout_seconds * self._pace):
                await self._answered.wait()
        except TimeoutError:
            return self._finish("no-answer")
        if self._rejected:
            return self._finish("busy")
        self.record.answered_at = _now()
        self._become("in-progress")
        self._tell("answered", "in-progress")
        await self._talk()
        return self._finish("completed")

    async def _talk(self) -> None:
        """The conversation, with whatever redirects it, to its end."""
        request = self.record.request
        document: _Document | None = _Document(request.url, request.method, inline=request.twiml)
        while document is not None:
            self._redirect = None
            self._conversation = asyncio.create_task(self._converse(document))
            await asyncio.wait({self._conversation})
            if not self._conversation.cancelled() and (error := self._conversation.exception()) is not None:
                self.record.errors.append(repr(error))
                log.error("call %s broke", self.record.sid, exc_info=error)
            document = self._redirect

    def _finish(self, status: str) -> None:
        if self.record.status in FINAL:
            return
        self.record.ended_at = _now()
        self._become(status)
        if self.phone is not None and self.phone.call is self:
            self.phone.call = None
        more = [("CallDuration", str(duration))] if (duration := self.record.duration_seconds) else []
        self._tell("completed", status, more)
        self.ended.set()
        self.listening.set()
        log.info("call %s to %s: %s", self.record.sid, self.record.request.to, status)

    def _become(self, status: str) -> None:
        self.record.status = status
        self.record.updated_at = _now()

    # The conversation.

    async def _converse(self, document: _Document) -> None:
        if self.record.request.room is not None and self._enter is not None and document == _Document(None, "POST"):
            return await self._enter(self, self.record.request.room)
        await self._detect_machine()
        following: _Document | None = document
        for _ in range(MAX_DOCUMENTS):
            if following is None:
                return
            fetched = await self._fetch(following)
            if fetched is None:
                self._goodbye = True
                return
            following = await self._execute(fetched, following.url)
        self.record.errors.append(f"more than {MAX_DOCUMENTS} documents in one call")

    async def _detect_machine(self) -> None:
        request = self.record.request
        if request.machine_detection not in ("Enable", "DetectMessageEnd") or self.record.answered_by:
            return
        waits_for_beep = self._by_machine and request.machine_detection == "DetectMessageEnd"
        seconds = (GREETING_SECONDS if waits_for_beep else DETECTION_SECONDS) * self._pace
        verdict = "human" if not self._by_machine else "machine_end_beep" if waits_for_beep else "machine_start"
        if not request.async_detection:
            await asyncio.sleep(seconds)
            self.record.answered_by = verdict
        elif request.async_detection_callback:
            self._chain(self._tell_detection(seconds, verdict, request.async_detection_callback))

    async def _tell_detection(self, seconds: float, verdict: str, url: str) -> None:
        await asyncio.sleep(seconds)
        self.record.answered_by = verdict
        more = [("AnsweredBy", verdict), ("MachineDetectionDuration", str(round(seconds * 1000)))]
        answer = await self._webhooks.send("POST", url, [*self._common(self.record.status), *more])
        self.record.callbacks.append((_now(), "detection", answer.status))

    async def _fetch(self, document: _Document) -> list[twiml.Verb] | None:
        """The verbs of a document; None, with the error kept, when there is no usable one: the call then ends."""
        text = document.inline
        if text is None:
            text = await self._request(document.url or "", document.method, document.more)
            if text is None and self.record.request.fallback_url:
                text = await self._request(self.record.request.fallback_url, self.record.request.fallback_method, ())
        if text is None:
            self._hear("en", "We are sorry, an application error has occurred. Goodbye.")
            return None
        try:
            return twiml.parse(text)
        except twiml.TwimlError as error:
            log.error("call %s: %s", self.record.sid, error)
            self.record.errors.append(str(error))
            self._hear("en", "We are sorry, an application error has occurred. Goodbye.")
            return None

    async def _request(self, url: str, method: str, more: Sequence[tuple[str, str]]) -> str | None:
        answer = await self._webhooks.send(method, url, [*self._common(self.record.status), *more])
        self.record.webhooks.append((_now(), bare(url), answer.status))
        if not answer.ok:
            self.record.errors.append(f"11200 HTTP retrieval failure: {url} answered {answer.status}")
            return None
        return answer.body

    async def _execute(self, verbs: list[twiml.Verb], base_url: str | None) -> _Document | None:
        """Executes verbs until one leads elsewhere; None at the end: Twilio then hangs up."""
        for verb in verbs:
            match verb:
                case twiml.Hangup():
                    self._goodbye = True
                    return None
                case twiml.Redirect(url, method):
                    return _Document(urljoin(base_url or "", url), method)
                case twiml.Gather():
                    digits, finished_on = await self._gather(verb)
                    if digits or verb.action_on_empty:
                        more = (("msg", "Gather End"), ("Digits", digits), ("FinishedOnKey", finished_on))
                        return _Document(urljoin(base_url or "", verb.action or ""), verb.method, more)
                case twiml.Dial():
                    became = await self._dial(verb)
                    if verb.action:
                        return _Document(urljoin(base_url or "", verb.action), verb.method, became)
                case _:
                    await self._speak(verb)
        return None

    async def _gather(self, gather: twiml.Gather) -> tuple[str, str]:
        """The digits pressed and the key that ended them ("" when none did)."""
        while not self._keys.empty():
            self._keys.get_nowait()
        speaking = asyncio.create_task(self._speak_all(gather.prompts))
        waiting = asyncio.create_task(self._key())
        digits = ""
        try:
            await asyncio.wait({speaking, waiting}, return_when=asyncio.FIRST_COMPLETED)
            # The first key interrupts what is being said; when all has been said, the wait for it begins.
            speaking.cancel()
            while True:
                async with asyncio.timeout(gather.timeout_seconds * self._pace):
                    key = await waiting
                if key in gather.finish_on_key:
                    return digits, key
                digits += key
                if gather.digits is not None and len(digits) >= gather.digits:
                    return digits, ""
                waiting = asyncio.create_task(self._key())
        except TimeoutError:
            return digits, ""
        finally:
            speaking.cancel()
            waiting.cancel()
            self.listening.clear()

    async def _dial(self, dial: twiml.Dial) -> tuple[tuple[str, str], ...]:
        """Rings somebody else and puts the caller through until either hangs up; what became of it, for the action."""
        if dial.room is not None and self._enter is not None:
            await self._enter(self, dial.room)
            return (("DialCallStatus", "answered"),)
        if self._connect is None:
            return (("DialCallStatus", "failed"),)
        leg = self._connect(
            CallRequest(
                dial.number, dial.caller_id or self.record.request.from_number, url=dial.screen,
                method=dial.screen_method, status_callback=dial.status_callback,
                status_callback_events=dial.status_callback_events, timeout_seconds=dial.timeout_seconds,
                direction="outbound-dial",
            ),
            self.record.sid,
        )  # fmt: skip
        try:
            await leg.ended.wait()
        finally:
            leg.end("completed")
        duration = leg.record.duration_seconds
        lasted = () if duration is None else (("DialCallDuration", str(duration)),)
        bridged = ("DialBridged", "true" if leg.bridged else "false")
        return ("DialCallSid", leg.record.sid), ("DialCallStatus", leg.record.status), bridged, *lasted

    async def _key(self) -> str:
        self.listening.set()
        return await self._keys.get()

    async def _speak_all(self, prompts: Sequence[twiml.Verb]) -> None:
        for prompt in prompts:
            await self._speak(prompt)

    async def _speak(self, verb: twiml.Verb) -> None:
        match verb:
            case twiml.Say(text, language):
                self._hear(language, text)
                rate = SPEECH_CHARACTERS_PER_SECOND.get(language.split("-")[0], OTHER_SPEECH_CHARACTERS_PER_SECOND)
                await asyncio.sleep(len(text) / rate * self._pace)
            case twiml.Play(url):
                self._hear("", f"♪ {url}")
                await asyncio.sleep(self._pace)
            case twiml.Pause(seconds):
                await asyncio.sleep(seconds * self._pace)

    def _hear(self, language: str, text: str) -> None:
        self.record.heard.append((_now(), language, text))

    # What the platform is told.

    def _common(self, call_status: str) -> list[tuple[str, str]]:
        request = self.record.request
        parameters = [
            ("CallSid", self.record.sid),
            ("AccountSid", self._account_sid),
            ("From", request.from_number),
            ("To", request.to),
            ("Caller", request.from_number),
            ("Called", request.to),
            ("CallStatus", call_status),
            ("ApiVersion", "2010-04-01"),
            ("Direction", request.direction),
        ]
        if self.record.answered_by:
            parameters.append(("AnsweredBy", self.record.answered_by))
        return parameters

    def _tell(self, event: str, call_status: str, more: Sequence[tuple[str, str]] = ()) -> None:
        """Queues a status callback. Sequence numbers count every event, those not subscribed to as well."""
        sequence, self._sequence = self._sequence, self._sequence + 1
        request = self.record.request
        if request.status_callback is None or event not in request.status_callback_events:
            return
        parameters = [
            *self._common(call_status),
            *more,
            ("Timestamp", format_datetime(_now())),
            ("CallbackSource", "call-progress-events"),
            ("SequenceNumber", str(sequence)),
        ]
        for _ in range(self._callback_repeats):
            self._chain(self._call_back(event, request.status_callback, parameters))

    async def _call_back(self, event: str, url: str, parameters: list[tuple[str, str]]) -> None:
        answer = await self._webhooks.send(self.record.request.status_callback_method, url, parameters)
        self.record.callbacks.append((_now(), event, answer.status))

    def _chain(self, sending: Coroutine[Any, Any, None]) -> None:
        """Sends one call's callbacks one after the other, beside the conversation and never in its way."""
        before = self._callbacks

        async def after_the_one_before() -> None:
            if before is not None:
                await before
            await sending

        self._callbacks = asyncio.create_task(after_the_one_before())


class IncomingCall(Call):
    """A person calls one of our numbers: its webhook is asked what to say before anybody has answered."""

    def begin(self) -> None:
        """The phone is at the person's ear."""
        self._answered.set()
        if self.phone is not None:
            self.phone.call = self
        self._run = asyncio.create_task(self._live_in())

    async def _live_in(self) -> None:
        self.record.started_at = self.record.ringing_at = _now()
        self._become("ringing")
        await self._talk()
        self._finish("completed")

    async def _fetch(self, document: _Document) -> list[twiml.Verb] | None:
        verbs = await super()._fetch(document)
        if self.record.answered_at is None:
            self.record.answered_at = _now()
            self._become("in-progress")
        return verbs


class Leg(Call):
    """The other end of a `<Dial>`: whoever answers talks with the caller, until somebody hangs up.

    Where the `<Number>` has a `url`, whoever answers hears that first, and the caller goes on hearing it ring; the two
    are connected when it ends without hanging up. A call that was answered and never connected is `completed` all the
    same, so that whoever goes by `DialCallStatus` takes a voicemail for a person.
    """

    def __init__(self, request: CallRequest, parent_sid: str, **network: Any) -> None:
        super().__init__(request, **network)
        self._parent_sid = parent_sid
        self.bridged = False

    async def _converse(self, document: _Document) -> None:
        if self.record.request.url is not None:
            await super()._converse(document)
            if self._goodbye:
                return
        self.bridged = True
        await asyncio.get_running_loop().create_future()

    def _common(self, call_status: str) -> list[tuple[str, str]]:
        return [*super()._common(call_status), ("ParentCallSid", self._parent_sid)]


def _now() -> datetime:
    return datetime.now(UTC)
