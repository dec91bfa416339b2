"""How the simulated provider asks again, as Twilio documents what stands behind the `#` of an address."""

import pytest
from fastapi import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from twilio.request_validator import RequestValidator

from device_sim.phone.webhook import Overrides, OverridesError, Webhooks, overrides
from device_sim.server import Transports, serving
from tests.support import free_port

TOKEN = "a-token"
EVERY = frozenset({"ct", "rt", "4xx", "5xx"})


@pytest.mark.parametrize(
    ("fragment", "expected"),
    [
        ("", Overrides()),
        ("rc=3&rp=all", Overrides(3, EVERY)),
        ("rc=0", Overrides(0)),
        ("rp=4xx,rt", Overrides(retried=frozenset({"4xx", "rt"}))),
        ("ct=2000&rt=7000&rc=5&rp=all", Overrides(5, EVERY, 7.0)),
        ("tt=100&e=ashburn&sni=y", Overrides(total_seconds=0.1)),
    ],
)
def test_what_is_overridden(fragment: str, expected: Overrides) -> None:
    assert overrides(fragment) == expected


@pytest.mark.parametrize("fragment", ["rc=6", "rc=-1", "rc=x", "rp=6xx", "rt=99", "rt=15001", "ct=10001", "try=3"])
def test_what_is_refused(fragment: str) -> None:
    with pytest.raises(OverridesError):
        overrides(fragment)


@pytest.mark.parametrize(
    ("fragment", "befalls", "tried"),
    [
        ("", [503, 200], [503]),
        ("", [0, 200], [0]),  # it was heard: no connection is another thing
        ("#rc=5&rp=all", [503, 404, 0, 200], [503, 404, 0, 200]),
        ("#rc=2&rp=all", [503, 503, 503, 200], [503, 503, 503]),
        ("#rc=5&rp=5xx", [502, 404, 200], [502, 404]),
        ("#rc=5&rp=rt", [0, 502, 200], [0, 502]),
        ("#rc=0&rp=all", [502, 200], [502]),
        ("#rc=9", [200], []),
    ],
)
async def test_what_is_asked_again(fragment: str, befalls: list[int], tried: list[int]) -> None:
    transports, port, form = Transports(), free_port(), [("Digits", "1")]
    left = list(befalls)

    async def platform(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        posted = {name: str(value) for name, value in (await request.form()).items()}
        signature = request.headers["x-twilio-signature"]
        assert RequestValidator(TOKEN).validate(f"http://127.0.0.1:{port}/keys?n=1", posted, signature)
        status = left.pop(0)
        if not status:
            transports.drop(request)
        await PlainTextResponse("", status or 200)(scope, receive, send)

    webhooks = Webhooks(TOKEN)
    async with serving(platform, port, transports):
        answer = await webhooks.send("POST", f"http://127.0.0.1:{port}/keys?n=1{fragment}", form)
    webhooks.close()
    assert [status for _, status in webhooks.tried] == tried
    assert answer.status == (tried[-1] if tried else 0)
    assert [*webhooks.told] == [(f"http://127.0.0.1:{port}/keys?n=1", answer.status)]


async def test_where_nobody_listens_is_asked_once_more_by_default_and_as_often_as_is_said() -> None:
    webhooks, port = Webhooks(TOKEN), free_port()
    for fragment, attempts in (("", 2), ("#rc=4&rp=5xx,ct", 5), ("#rc=4&rp=5xx", 1)):
        webhooks.tried.clear()
        assert (await webhooks.send("POST", f"http://127.0.0.1:{port}/{fragment}", [])).status == 0
        assert len(webhooks.tried) == attempts
    webhooks.close()
