"""What is not signed by the provider, to the letter, is not the provider's."""

import random

from device_sim.phone.signature import sign
from device_sim.phone.webhook import bare, overrides
from dispatch.channels.twilio import AGAIN, Twilio, TwilioSettings, genuine

SETTINGS = TwilioSettings(
    twilio_account_sid="AC" + "0" * 32,
    twilio_auth_token="a-token",
    twilio_from="+867500000000",
    public_url="https://desk.example",
)
PATH = "/webhooks/twilio/voice/7/keys?number=1"
FORM = {"CallSid": "CA" + "7" * 32, "Digits": "1", "From": "+8613800000101", "To": "+867500000000", "Body": "我去"}
MUTATIONS = 10_000


def changed(text: str, draw: random.Random) -> str:
    """One character more, less, or another."""
    at, one = draw.randrange(len(text) + 1), draw.choice("0123456789abcXYZ+/=&?去")
    return text[:at] + one * draw.randrange(2) + text[at + draw.randrange(2) :]


def test_of_ten_thousand_changed_webhooks_none_is_believed() -> None:
    signature = sign("a-token", "https://desk.example" + PATH, list(FORM.items()))
    assert genuine(SETTINGS, PATH, FORM, signature)
    draw, tried = random.Random(20261122), 0
    while tried < MUTATIONS:
        path, form, signed = PATH, dict(FORM), signature
        match draw.randrange(4):
            case 0:
                path = changed(path, draw)
            case 1:
                signed = changed(signed, draw)
            case 2:
                name = draw.choice(list(form))
                form[name] = changed(form[name], draw)
            case _:
                name = draw.choice(list(form))
                form[changed(name, draw)] = form.pop(name)
        if (path, form, signed) == (PATH, FORM, signature):
            continue
        tried += 1
        assert not genuine(SETTINGS, path, form, signed), (path, form, signed)
    assert not genuine(SETTINGS, PATH, FORM, "")
    assert not genuine(SETTINGS, PATH, FORM, sign("another", "https://desk.example" + PATH, list(FORM.items())))


def test_what_stands_behind_the_address_is_for_the_provider_alone_and_not_signed() -> None:
    told = Twilio(SETTINGS).webhook(PATH)
    assert told == "https://desk.example" + PATH + AGAIN
    assert overrides(AGAIN.removeprefix("#")).retries == 5
    form = list(FORM.items())
    assert genuine(SETTINGS, PATH, FORM, sign("a-token", bare(told), form))
    assert not genuine(SETTINGS, PATH, FORM, sign("a-token", told, form))
