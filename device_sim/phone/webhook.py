"""Twilio's requests to the platform: signed forms, on threads of their own, so that nobody waits for a slow one."""

import asyncio
import logging
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
"""Twilio waits so long for a webhook."""
THREADS = 16
MAX_TOLD = 20_000
"""Requests kept for looking up; the oldest go first."""
MAX_ANSWER_BYTES = 64 * 1024
"""Twilio refuses TwiML beyond 64 kB."""

log = logging.getLogger(__name__)
Parameters = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """What the platform answered: `status` 0 when it could not be reached at all."""

    status: int
    body: str

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
        self._closed = False
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="webhook")
        # No proxies: this is a telephone network on loopback, and an inherited http_proxy would send it astray.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    async def send(self, method: str, url: str, parameters: Parameters) -> Answer:
        """Sends one request and returns the answer; never raises for the other side's fault."""
        if self._closed:  # a call that was under way when the network was switched off
            return Answer(0, "the network is switched off")
        answer = await asyncio.get_running_loop().run_in_executor(self._threads, self._send, method, url, parameters)
        self.told.append((url, answer.status))
        return answer

    def close(self) -> None:
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _send(self, method: str, url: str, parameters: Parameters) -> Answer:
        if not url.startswith(("http://", "https://")):
            return Answer(0, f"11100 Invalid URL format: {url}")
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
            with self._opener.open(request, timeout=self._timeout) as response:
                return Answer(response.status, response.read(MAX_ANSWER_BYTES).decode("utf-8", "replace"))
        except urllib.error.HTTPError as error:
            log.warning("webhook %s %s was answered with %s", method, url, error.code)
            return Answer(error.code, error.read(MAX_ANSWER_BYTES).decode("utf-8", "replace"))
        except (OSError, HTTPException) as error:
            log.warning("webhook %s %s did not get through: %s", method, url, error)
            return Answer(0, str(error))
