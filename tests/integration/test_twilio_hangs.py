"""A telephone provider that takes connections and answers nothing."""

import asyncio
from datetime import UTC, datetime

from dispatch.channels import Send
from dispatch.channels.twilio import TwilioSettings
from dispatch.channels.twilio_voice.send import TwilioVoice

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


async def test_a_provider_that_hangs_takes_no_thread_from_the_process() -> None:
    """The state file is written in one: without it the supervisor would kill dispatch, again and again."""
    let_go = asyncio.Event()

    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await let_go.wait()
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        voice = TwilioVoice(
            TwilioSettings(
                twilio_account_sid="AC" + "0" * 32,
                twilio_auth_token="t",
                twilio_from="+867500000000",
                twilio_base_url=f"http://127.0.0.1:{port}",
                public_url="http://127.0.0.1",
            )
        )
        send = Send(1, 1, "help", "C1", "李梅", "+8613800000101", "zh", {}, NOW, NOW)
        asked = [asyncio.create_task(voice.find(send)) for _ in range(40)]
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(5):
                await asyncio.to_thread(len, "beat")
        finally:
            let_go.set()
            await asyncio.gather(*asked, return_exceptions=True)
