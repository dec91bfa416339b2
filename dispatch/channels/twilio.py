"""What both Twilio channels share: the client, its errors in our words, and the proof that a webhook is Twilio's."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, TypeVar

import msgspec
from requests import exceptions as http
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from dispatch.channels import Refused, TryAgain, Unclear
from dispatch.channels.twilio_codes import meaning
from dispatch.links import Links
from pingan.settings import Secret, Text

log = logging.getLogger(__name__)

T = TypeVar("T")

REQUEST_SECONDS = 5.0
"""The SDK's own default is to wait for ever."""

REQUESTS_AT_ONCE = 32
"""Threads of our own: a provider that hangs must not take those by which the process says that it lives."""

VOICES = {"zh": "cmn-CN", "en": "en-GB"}
"""What a `<Say>` is spoken in."""

BACK_OFF_SECONDS, BACK_OFF_MOST_SECONDS = 1.0, 8.0
"""How soon what was certainly not sent is tried again, and at the latest: a step waits 40 s."""

FIRST, SECOND = "twilio", "twilio2"
"""The providers' names."""

AGAIN = "#ct=2000&rt=7000&rc=5&rp=all"
"""Behind each address that we are told things at, for the provider alone, which neither sends nor signs it: so long it
waits for a connection and for an answer, in ms, and so often it asks again, whatever came of it. All attempts together
may take 15 s. Without it only what found no connection is asked again, once: a key that somebody presses while our web
process ends, or while whoever stands before it says 502, would be lost. Whatever is told twice counts once.
https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides"""

FAILURES = 3
"""So many requests in a row that a provider did not answer, or was too busy for, and it counts as down."""


class Account(TryAgain):
    """Nobody is reached through this account until a person has put it right; whoever is called waits for that."""

    def __init__(self, why: str, code: str) -> None:
        super().__init__(why, BACK_OFF_SECONDS, BACK_OFF_MOST_SECONDS)
        self.code = code


class TwilioSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach the telephone provider, and how it reaches us."""

    twilio_account_sid: Text
    twilio_auth_token: Text
    twilio_from: Text
    """The number that people see when we call."""
    twilio_base_url: str = ""
    """Another place than Twilio's own that speaks its protocol; empty: Twilio's own."""
    twilio2_account_sid: Text | None = None
    """A second provider, or account, that is used while the first is down. None: there is none."""
    twilio2_auth_token: Text | None = None
    twilio2_from: Text | None = None
    twilio2_base_url: str = ""
    public_url: Text
    """Our own address as the provider reaches it; webhooks are signed over it."""
    desk_phone: Annotated[str, msgspec.Meta(pattern=r"^\+[1-9][0-9]{7,14}$")] | None = None
    """The desk's own telephone, E.164, to which whoever calls us is put through. None: they are called back."""
    link_secret: Secret | None = None
    """What links to the helper's page are signed with. None: messages have none."""


def links(settings: TwilioSettings) -> Links | None:
    """What makes links for messages; None: this installation has no secret for them."""
    return Links(settings.link_secret, settings.public_url) if settings.link_secret else None


class _Transport(TwilioHttpClient):  # type: ignore[misc]
    """Twilio's transport with a bounded wait, optionally to another address."""

    def __init__(self, base_url: str) -> None:
        super().__init__(timeout=REQUEST_SECONDS)
        self._base_url = base_url.rstrip("/")

    def request(self, method: str, url: str, *arguments: Any, **named: Any) -> Response:
        if self._base_url:
            url = self._base_url + url[len("https://api.twilio.com") :]
        return super().request(method, url, *arguments, **named)


class Line:
    """One provider, and whether it answers. Every request ends within `REQUEST_SECONDS` or so."""

    def __init__(self, name: str, account_sid: str, auth_token: str, number: str, base_url: str) -> None:
        self.name, self.account_sid, self.number = name, account_sid, number
        self.failures = 0
        self.down: str | None = None
        """Why nobody is called through it; None: it answers, as far as is known."""
        self.account: str | None = None
        """The code by which it says that the account is in trouble: a person has to speak with it."""
        self._threads = ThreadPoolExecutor(REQUESTS_AT_ONCE, name)
        self._client = Client(account_sid, auth_token, http_client=_Transport(base_url))

    async def ask(self, request: Callable[[Client, str], T]) -> T:
        """Do a request of the SDK, which is given our number there, off the loop. Raises Refused, TryAgain, Unclear."""
        try:
            answer = await self._ask(request)
        except Refused:
            self._answered()
            raise
        except Account as error:
            self.account = error.code
            self._failed(str(error), FAILURES)
            raise
        except (TryAgain, Unclear) as error:
            self._failed(str(error))
            raise
        except asyncio.CancelledError:
            self._failed("it takes too long to answer")
            raise
        self._answered()
        return answer

    def _answered(self) -> None:
        if self.down is not None:
            log.warning("%s answers again", self.name)
        self.failures, self.down, self.account = 0, None, None

    def _failed(self, why: str, count: int = 1) -> None:
        self.failures += count
        if self.failures >= FAILURES:
            if self.down is None:
                log.warning("%s is down: %s", self.name, why)
            self.down = why

    async def _ask(self, request: Callable[[Client, str], T]) -> T:
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, request, self._client, self.number)
        except TwilioRestException as error:
            raise _in_our_words(error) from error
        except http.ConnectTimeout as error:
            raise _later("no connection to the provider") from error
        except http.ConnectionError as error:
            # Refused before anything was said, or cut in the middle: only the first is certain.
            certain = "NewConnectionError" in str(error) or "Connection refused" in str(error)
            raise (_later("no connection to the provider") if certain else Unclear("the connection was cut")) from error
        except (http.RequestException, TwilioException, ValueError, KeyError) as error:
            # A list that cannot be had, and an answer that is none, are no `TwilioRestException` in the SDK.
            raise Unclear(type(error).__name__) from error  # its text may hold a number


class Twilio:
    """The provider, and the second one where there is one. Raises only what a channel may raise."""

    def __init__(self, settings: TwilioSettings) -> None:
        self.settings = settings
        # The SDK writes every request into the log, telephone numbers and account included: 16 lines a call.
        logging.getLogger("twilio.http_client").setLevel(logging.WARNING)
        self.lines = [Line(
            FIRST, settings.twilio_account_sid, settings.twilio_auth_token, settings.twilio_from,
            settings.twilio_base_url,
        )]  # fmt: skip
        if settings.twilio2_account_sid and settings.twilio2_auth_token and settings.twilio2_from:
            self.lines.append(Line(
                SECOND, settings.twilio2_account_sid, settings.twilio2_auth_token, settings.twilio2_from,
                settings.twilio2_base_url,
            ))  # fmt: skip
        self.unusable = bool(settings.twilio2_account_sid) and len(self.lines) == 1
        """Whether a second account is set that would refuse every call, under another's number. The first one's calls
        do not stand still for that."""
        if self.unusable:
            needs = "PINGAN_TWILIO2_AUTH_TOKEN and PINGAN_TWILIO2_FROM, a number of its own"
            log.error("the second provider is not used: PINGAN_TWILIO2_ACCOUNT_SID needs %s", needs)

    async def place(self, request: Callable[[Client, str], T]) -> T:
        """Have something sent, once. What one has certainly not sent goes to the next at once; what is unclear never
        does. Where all are down each attempt is a trial.
        """
        *others, last = [line for line in self.lines if line.down is None] or self.lines
        for line in others:
            try:
                return await line.ask(request)
            except TryAgain as error:
                log.warning("%s has not sent it, the next is asked: %s", line.name, error)
        return await last.ask(request)

    async def look(self, request: Callable[[Client], list[str]]) -> list[str]:
        """Look something up wherever it may have been sent.

        Of a provider that is down nobody hears; where another way is open, nobody waits for it either.
        """
        found: list[str] = []
        for line in self.lines:
            try:
                found += await line.ask(lambda client, _number: request(client))
            except (TryAgain, Unclear):
                if line.down is None or all(other.down for other in self.lines):
                    raise
        return found

    async def ask(self, request: Callable[[Client], T]) -> T:
        """Do what may be done twice, such as a word to a call that goes on, at whoever has it."""
        *others, last = [line for line in self.lines if line.down is None] or self.lines
        for line in others:
            try:
                return await line.ask(lambda client, _number: request(client))
            except (Refused, TryAgain, Unclear) as error:
                log.debug("%s does not have it: %s", line.name, error)
        return await last.ask(lambda client, _number: request(client))

    def webhook(self, path: str) -> str:
        """Where the provider is to tell us something, and how often it is to try."""
        return self.settings.public_url.rstrip("/") + path + AGAIN

    def number(self, account: str | None) -> str:
        """Our own number at whoever has the account, which is in all that they tell us: another's may not be shown."""
        return next((line.number for line in self.lines if line.account_sid == account), self.lines[0].number)


def _in_our_words(error: TwilioRestException) -> Refused | TryAgain | Unclear:
    if error.status >= 500:
        return Unclear(f"the provider failed ({error.status})")
    what, why, code = meaning(error.code, error.status), f"the provider refuses: {error.msg} ({error.code})", error.code
    match what:
        case "busy":
            return _later("the provider is busy (429)")
        case "account":
            return Account(why, str(code or error.status))
        case "number":
            return Refused(why, "bad_number", str(code))
        case "setting":
            return Refused(why, "provider_account", str(code))
    return Refused(why)


def _later(why: str) -> TryAgain:
    return TryAgain(why, BACK_OFF_SECONDS, BACK_OFF_MOST_SECONDS)


def genuine(settings: TwilioSettings, path: str, form: Mapping[str, str], signature: str) -> bool:
    """Whether a webhook to `path` (with its query) was signed with our token. The address is ours, not a proxy's."""
    url = settings.public_url.rstrip("/") + path
    tokens = filter(None, (settings.twilio_auth_token, settings.twilio2_auth_token))
    return any(RequestValidator(token).validate(url, dict(form), signature) for token in tokens)
