"""A text message beside the call: it stays, with the address and the way in. It is no answer to anything."""

from collections.abc import Sequence
from datetime import timedelta

from twilio.rest import Client

from dispatch.channels import Send
from dispatch.channels.twilio import Twilio, TwilioSettings, links
from dispatch.channels.words import asked_for, words
from dispatch.links import Links


class TwilioSms:
    repeatable = False

    def __init__(self, settings: TwilioSettings) -> None:
        self._twilio = Twilio(settings)
        self._links = links(settings)

    async def send(self, send: Send) -> str:
        def create(client: Client) -> str:
            message = client.messages.create(
                to=send.address,
                from_=self._twilio.settings.twilio_from,
                body=text(send, self._links),
                status_callback=self._twilio.webhook(f"/webhooks/twilio/sms/{send.id}/status"),
            )
            return str(message.sid)

        return await self._twilio.ask(create)

    async def find(self, send: Send) -> Sequence[str]:
        def look(client: Client) -> list[str]:
            since = send.dialled_at - timedelta(seconds=5)
            messages = client.messages.list(to=send.address, date_sent_after=since, limit=20)
            return [str(message.sid) for message in reversed(messages) if message.body == text(send, self._links)]

        return await self._twilio.ask(look)


def text(send: Send, links: Links | None) -> str:
    """What the message says. Its link stands last, so that nothing sticks to it."""
    said = words("twilio_sms", send.language)
    help_wanted = said("help", **asked_for(send.body, said))
    return f"{help_wanted} {said('link', link=links.for_send(send.id))}" if links else help_wanted
