"""Notices in what people in China read, against a receiver of our own: what arrives, and what is refused."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response

from device_sim.server import Transports, serving
from dispatch.channels import Refused, Send, Unclear
from dispatch.channels.apprise.send import AppriseChannel, AppriseSettings
from dispatch.channels.twilio_sms.send import text
from dispatch.channels.words import LANGUAGES, words
from dispatch.following import CHANGE, HELP, TEST
from dispatch.links import Links
from tests.support import free_port

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
KEY = "a-key-that-nobody-may-read"
BODY = {"cause": "sos", "person": "陈秀英", "address": "幸福路1号101", "way_in": "门卫有钥匙", "shared": True}
HELPED = Send(7, 1, HELP, "C1", "李梅", "", "zh", BODY, NOON, NOON)


@dataclass
class Receiver:
    """A service that takes notices as JSON, and what it was sent."""

    port: int
    status: int = 200
    got: list[dict[str, Any]] = field(default_factory=list)
    let_go: asyncio.Event | None = None

    @property
    def address(self) -> str:
        return f"json://127.0.0.1:{self.port}/{KEY}"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    this, app = Receiver(free_port()), FastAPI()

    @app.post("/{path:path}")
    async def take(request: Request) -> Response:
        this.got.append(await request.json())
        if this.let_go is not None:
            await this.let_go.wait()
        return Response(status_code=this.status)

    async with serving(app, this.port, Transports()):
        yield this


def channel(**settings: str) -> AppriseChannel:
    return AppriseChannel(AppriseSettings(**settings), Links("s" * 32, "https://pingan.example"))


async def test_whoever_is_asked_reads_it_in_their_language_with_their_own_page(receiver: Receiver) -> None:
    notices = channel()
    assert await notices.send(HELPED._replace(address=receiver.address)) is None
    assert await notices.send(HELPED._replace(id=8, address=receiver.address, language="en")) is None
    zh, en = (one["message"] for one in receiver.got)
    assert "陈秀英" in zh
    assert "门卫有钥匙" in zh
    assert "is calling for help" in en
    pages = [one.splitlines()[-1] for one in (zh, en)]
    assert all(page.startswith("https://pingan.example/") for page in pages)
    assert pages[0] != pages[1], "each has a link of their own"


async def test_who_has_not_agreed_to_share_gets_no_page(receiver: Receiver) -> None:
    await channel().send(HELPED._replace(address=receiver.address, body={**BODY, "shared": False}))
    assert "https://" not in receiver.got[0]["message"]


async def test_a_service_that_fails_leaves_it_unclear_and_no_key_in_any_log(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = 500
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Unclear) as unclear:
        await channel().send(HELPED._replace(address=receiver.address))
    assert len(receiver.got) == 1, "nothing repeats it unseen"
    ours = [record.getMessage() for record in caplog.records if record.name != "uvicorn.access"]
    assert KEY not in f"{ours} {unclear.value}"


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("json://192.0.2.1/key", id="without TLS to somewhere else"),
        pytest.param("syslog://", id="this machine's own log"),
        pytest.param("nonsense", id="no address"),
        pytest.param("", id="nothing"),
    ],
)
async def test_an_address_that_leads_elsewhere_is_for_a_person_and_never_tried(address: str) -> None:
    with pytest.raises(Refused) as refused:
        await channel().send(HELPED._replace(address=address))
    assert refused.value.task == "bad_number"


async def test_an_installation_may_name_a_host_of_its_own(receiver: Receiver) -> None:
    other = f"json://0.0.0.0:{receiver.port}/{KEY}"
    with pytest.raises(Refused):
        await channel().send(HELPED._replace(address=other))
    await channel(apprise_plain_hosts="bark.example, 0.0.0.0").send(HELPED._replace(address=other))
    assert len(receiver.got) == 1


async def test_a_service_that_hangs_takes_no_thread_from_the_process(receiver: Receiver) -> None:
    receiver.let_go = asyncio.Event()
    notices = channel()
    sent = [asyncio.create_task(notices.send(HELPED._replace(address=receiver.address))) for _ in range(20)]
    try:
        async with asyncio.timeout(5):
            await asyncio.to_thread(len, "beat")
    finally:
        receiver.let_go.set()
        await asyncio.gather(*sent, return_exceptions=True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_nobody_is_asked_to_reply_to_a_notice(language: str) -> None:
    said = words("apprise", language)
    told = [
        text(HELPED._replace(purpose=purpose, language=language, body={**BODY, **more}), "apprise")
        for purpose, more in ((HELP, {}), (HELP, {"going": True}), (CHANGE, {"change": "no_contact"}), (TEST, {}))
    ]
    told += [said(f"family.{stage}", person="陈秀英", by="李梅", what="-") for stage in ("opened", "again", "resigned")]
    assert not [one for one in told if "eply" in one or "请回1" in one or "回短信" in one or "请回复" in one]
    assert said("family.safe", person="陈秀英"), "what a text message says is said here"
