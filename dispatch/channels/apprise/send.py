"""What people read besides text messages (WeCom, DingTalk, Feishu, Bark, ntfy, e-mail …), through Apprise.

An address holds a key, and is never written into a log. It leads nowhere but to the services that are named here, over
TLS; without it only to this machine, or to a host that the installation names. See docs/channels.md.
"""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from dispatch.channels import Refused, Send, Unclear
from dispatch.channels.twilio_sms.send import Links, text
from dispatch.channels.twilio_sms.send import link as page
from pingan.notices import PLAIN, SECURE
from pingan.settings import Secret

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

CONNECT_SECONDS, READ_SECONDS = 2.0, 5.0
AT_ONCE = 16
"""Threads of our own: a service that hangs must not take those by which the process says that it lives."""


class AppriseSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the channel needs. None of it must be set: addresses are people's own."""

    public_url: str = ""
    link_secret: Secret | None = None
    apprise_plain_hosts: str = ""
    """Hosts that may be spoken to without TLS, as `bark.local,10.0.0.5`."""


class AppriseChannel:
    repeatable = False

    def __init__(self, settings: AppriseSettings, links: Links | None = None) -> None:
        """`links`: the pages that need no account, one for each message."""
        self._links = links
        self._plain = LOOPBACK | {host.strip() for host in settings.apprise_plain_hosts.split(",") if host.strip()}
        self._threads = ThreadPoolExecutor(AT_ONCE, "apprise")
        # Its log shows keys and what is sent; that of what carries it, every address.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        logging.getLogger("urllib3").setLevel(logging.INFO)
        # It reads all its services at its first use, which takes a second: not while somebody waits.
        self._threads.submit(_service, "json://127.0.0.1")

    async def send(self, send: Send) -> str | None:
        body = text(send, "apprise")
        if link := page(self._links, send):
            body = f"{body}\n{link}"
        if not await asyncio.get_running_loop().run_in_executor(self._threads, self._tell, send.address, body):
            # It says no more than that it has failed: also of an answer that came too late.
            raise Unclear("the service has not said that it took it")
        return None

    async def find(self, send: Send) -> Sequence[str]:
        """None of these services can be asked."""
        return ()

    def _tell(self, address: str, body: str) -> bool:
        schema, service = address.partition("://")[0].lower(), _service(address)
        if service is None or schema not in SECURE | PLAIN:
            raise Refused("no address of a service that we know", "bad_number", schema[:32])
        if schema in PLAIN and service.host not in self._plain:
            raise Refused("an address without TLS that leads elsewhere", "bad_number", schema)
        return bool(service.notify(body=body))


def _service(address: str) -> Any:
    """What speaks to this address, with bounded waits and the other side's certificate checked; None: nothing does."""
    from apprise import Apprise, AppriseAsset

    service = Apprise.instantiate(address, asset=AppriseAsset(async_mode=False), suppress_exceptions=True)
    if service is not None:
        service.socket_connect_timeout, service.socket_read_timeout = CONNECT_SECONDS, READ_SECONDS
        service.verify_certificate, service.service_retry = True, 0
    return service
