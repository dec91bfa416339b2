"""A text message beside the call: it stays, with the address and the way in. It is no answer to anything."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from twilio.rest import Client

from dispatch.channels import Refused, Send
from dispatch.channels.twilio import Line, Twilio, TwilioSettings
from dispatch.channels.words import asked_for, family_news, letter, news, words
from dispatch.following import CHANGE, FAMILY, HELP, PACKET, TEST, WEEK

TEXT_MAX = 1_600
"""Characters that the provider takes in one message."""


class Links(Protocol):
    def for_send(self, send_id: int) -> str: ...
    def for_packet(self, packet_id: int) -> str: ...


class TwilioSms:
    repeatable = False

    def __init__(self, settings: TwilioSettings, links: Links | None = None) -> None:
        """`links`: the pages that need no account, one for each message."""
        self.twilio = Twilio(settings)
        self._links = links

    async def send(self, send: Send) -> str:
        body = self._whole(send)

        def create(client: Client, number: str) -> str:
            message = client.messages.create(
                to=send.address,
                from_=number,
                body=body,
                status_callback=self.twilio.webhook(f"/webhooks/twilio/sms/{send.id}/status"),
            )
            return str(message.sid)

        return await self.twilio.place(create)

    async def probe(self, line: Line) -> None:
        """A message to nobody: whoever says so would have sent one to somebody."""
        await line.ask(lambda client, number: client.messages.create(to="", from_=number, body="-"))

    async def find(self, send: Send) -> Sequence[str]:
        body = self._whole(send)

        def look(client: Client) -> list[str]:
            since = send.dialled_at - timedelta(seconds=5)
            messages = client.messages.list(to=send.address, date_sent_after=since, limit=20)
            return [str(message.sid) for message in reversed(messages) if message.body == body]

        return await self.twilio.look(look)

    def _whole(self, send: Send) -> str:
        """What the message says, and below it the page that says more, which is never cut."""
        page = link(self._links, send)
        room = TEXT_MAX - len(page) - 1
        return f"{text(send)[:room]}\n{page}" if page else text(send)[:TEXT_MAX]


def link(links: Links | None, send: Send) -> str:
    """The page that says more; empty: there is none."""
    # It says more than who has not agreed to it may be told.
    if links and send.purpose in (HELP, CHANGE, FAMILY) and send.body.get("shared", True):
        return links.for_send(send.id)
    return links.for_packet(send.body["packet"]) if links and send.purpose == PACKET else ""


def text(send: Send, channel: str = "twilio_sms") -> str:
    """What the message says, without its link. Refused where nobody wrote words for its purpose."""
    said, body = words(channel, send.language), send.body
    if send.purpose == HELP:
        return said("help_going" if body.get("going") else "help", **asked_for(body, said))
    if send.purpose == CHANGE:
        return said("change", **asked_for(body, said), news=news(body, said))
    if send.purpose == FAMILY and body.get("news"):
        return family_news(body, said)
    if send.purpose == PACKET:
        return said("packet_again" if body.get("version", 1) > 1 else "packet")
    if send.purpose == TEST:
        return said("test")
    if send.purpose == WEEK:
        return letter(body, said)
    raise Refused(f"nobody wrote a text message for {send.purpose}")
