"""The command line's way to the control interface of a running simulator."""

import json
import urllib.error
import urllib.request
from typing import Any

TIMEOUT_SECONDS = 60.0


class NotRunning(Exception):
    """No simulator answers at that address."""


class Refused(Exception):
    """The simulator answered that this cannot be done; the message says why."""


class SimulatorClient:
    """Speaks JSON with the simulator at `base_url`, or with the platform under a bearer token."""

    def __init__(self, base_url: str, token: str | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self._token = token
        # No proxies: the simulator is on loopback, and an inherited http_proxy would send us astray.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, path: str) -> Any:
        return self._ask("GET", path, None)

    def post(self, path: str, **body: Any) -> Any:
        return self._ask("POST", path, json.dumps(body).encode())

    def _ask(self, method: str, path: str, body: bytes | None) -> Any:
        request = urllib.request.Request(f"{self.base_url}{path}", data=body, method=method)  # noqa: S310 - our address
        request.add_header("Content-Type", "application/json")
        if self._token is not None:
            request.add_header("Authorization", f"Bearer {self._token}")
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise Refused(_reason(error)) from None
        except OSError:
            raise NotRunning(self.base_url) from None


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{error.code} {error.reason}"
