"""Twilio's requests to the platform: signed forms, on threads of their own, so that nobody waits for a slow one.

What stands behind the `#` of an address is for Twilio alone: how long it waits, how often it tries again and after
what. It is neither sent nor signed (https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides).
"""

import asyncio
import logging
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException

from device_sim.phone.signature import sign

TIMEOUT_SECONDS = 15.0
"""Twilio waits so long for a webhook, all attempts together."""
MIN_TIMEOUT_SECONDS = 0.1
RETRIES, MAX_RETRIES = 1, 5
FAILURES = frozenset({"ct", "rt", "4xx", "5xx"})
"""No connection; no answer, or one that was cut; an answer of an error."""
RETRIED = frozenset({"ct"})
"""What is tried again where nothing else is said."""
THREADS = 16
MAX_TOLD = 20_000
"""Requests kept for looking up; the oldest go first."""
MAX_ANSWER_BYTES = 64 * 1024
"""Twilio refuses TwiML beyond 64 kB."""

log = logging.getLogger(__name__)
Parameters = Sequence[tuple[str, str]]


class OverridesError(ValueError):
    """What stands behind the `#` is not as Twilio documents it. Its text begins with Twilio's code."""


@dataclass(frozen=True)
class Overrides:
    """How a webhook is asked for. No pause between two attempts is documented, and there is none here."""

    retries: int = RETRIES
    retried: frozenset[str] = RETRIED
    read_seconds: float = TIMEOUT_SECONDS
    total_seconds: float = TIMEOUT_SECONDS


def overrides(fragment: str) -> Overrides:
    """What a fragment asks for; OverridesError. The edge to be asked from (`e`) and the host's name (`sni`) say nothing
    here, and the time to connect (`ct`) is bounded by the time to answer: on loopback nobody waits for it.
    """
    given = dict(urllib.parse.parse_qsl(fragment, keep_blank_values=True))
    if unknown := given.keys() - {"ct", "rt", "tt", "rc", "rp", "e", "sni"}:
        raise OverridesError(f"11100 Invalid URL format: nothing is overridden by {', '.join(sorted(unknown))}")
    policies = frozenset(given.get("rp", "ct").split(","))
    if policies - FAILURES - {"all"}:
        raise OverridesError(f"11243 HTTP retry policy is invalid: {given['rp']}")
    _seconds(given, "ct", 10.0)
    return Overrides(
        retries=_whole(given.get("rc", str(RETRIES)), 0, MAX_RETRIES),
        retried=FAILURES if "all" in policies else policies,
        read_seconds=_seconds(given, "rt", TIMEOUT_SECONDS),
        total_seconds=_seconds(given, "tt", TIMEOUT_SECONDS),
    )


def bare(url: str) -> str:
    """An address as the platform sees it."""
    return urllib.parse.urldefrag(url).url


@dataclass(frozen=True)
class Answer:
    """What the platform answered: `status` 0 when it could not be reached at all, `failed` why it is no good answer."""

    status: int
    body: str
    failed: str | None = None

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Webhooks:
    """Sends webhooks signed with the account's token."""

    def __init__(self, auth_token: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._token = auth_token
        self._timeout = timeout_seconds
        self.told: deque[tuple[str, int]] = deque(maxlen=MAX_TOLD)
        """What the platform was told: where, and the answer's status."""
        self.tried: deque[tuple[str, int]] = deque(maxlen=MAX_TOLD)
        """Every attempt at that."""
        self._closed = False
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="webhook")
        # No proxies: this is a telephone network on loopback, and an inherited http_proxy would send it astray.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    async def send(self, method: str, url: str, parameters: Parameters) -> Answer:
        """Sends one request and returns the answer; never raises for the other side's fault."""
        if self._closed:  # a call that was under way when the network was switched off
            return Answer(0, "the network is switched off")
        answer = await asyncio.get_running_loop().run_in_executor(self._threads, self._send, method, url, parameters)
        self.told.append((bare(url), answer.status))
        return answer

    def close(self) -> None:
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _send(self, method: str, url: str, parameters: Parameters) -> Answer:
        """Ask, and ask again as the address says."""
        if not url.startswith(("http://", "https://")):
            return Answer(0, f"11100 Invalid URL format: {url}")
        url, fragment = urllib.parse.urldefrag(url)
        try:
            how = overrides(fragment)
        except OverridesError as error:
            return Answer(0, str(error))
        until, again = time.monotonic() + min(how.total_seconds, self._timeout), how.retries
        while True:
            left = max(MIN_TIMEOUT_SECONDS, min(how.read_seconds, until - time.monotonic()))
            answer = self._try(method, url, parameters, left)
            self.tried.append((url, answer.status))
            if answer.failed not in how.retried or not again or time.monotonic() >= until or self._closed:
                return answer
            again -= 1

    def _try(self, method: str, url: str, parameters: Parameters, timeout_seconds: float) -> Answer:
        form = urllib.parse.urlencode(list(parameters))
        if method == "GET":
            url = f"{url}{'&' if '?' in url else '?'}{form}"
            request = urllib.request.Request(url, method="GET")  # noqa: S310 - checked above
            request.add_header("X-Twilio-Signature", sign(self._token, url))
        else:
            request = urllib.request.Request(url, data=form.encode(), method=method)  # noqa: S310 - checked above
            request.add_header("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
            request.add_header("X-Twilio-Signature", sign(self._token, url, parameters))
        request.add_header("User-Agent", "TwilioProxy/1.1")
        try:
            with self._opener.open(request, timeout=timeout_seconds) as response:
                return Answer(response.status, response.read(MAX_ANSWER_BYTES).decode("utf-8", "replace"))
        except urllib.error.HTTPError as error:
            log.warning("webhook %s %s was answered with %s", method, url, error.code)
            body = error.read(MAX_ANSWER_BYTES).decode("utf-8", "replace")
            return Answer(error.code, body, f"{error.code // 100}xx")
        except (OSError, HTTPException) as error:
            log.warning("webhook %s %s did not get through: %s", method, url, error)
            # urllib says `URLError` of what went wrong before anything was asked.
            return Answer(0, str(error), "ct" if isinstance(error, urllib.error.URLError) else "rt")


def _seconds(given: dict[str, str], name: str, most: float) -> float:
    return _whole(given[name], round(MIN_TIMEOUT_SECONDS * 1000), round(most * 1000)) / 1000 if name in given else most


def _whole(value: str, least: int, most: int) -> int:
    if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
        raise OverridesError(f"11100 Invalid URL format: {value} is not between {least} and {most}")
    return int(value)
