"""The web process's application in this process, over a real database: every route, without a socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
from fastapi import FastAPI

from care.accounts import Accounts, Session
from dashboards.console.live import Live
from pingan import process
from pingan.web import WebSettings, build
from tests.stories.support import LINK_SECRET, PASSWORD, REGISTER

HOST = "http://desk.test"


class Site:
    """The application, its accounts, and clients of it."""

    def __init__(self, settings: WebSettings) -> None:
        self.process = process.Process(settings, connections=6)
        self.live = Live(self.process.database, self.process.listener, self.process.clock)
        self.app: FastAPI = build(settings, self.process, self.live, ZoneInfo("Asia/Shanghai"))
        self.accounts = Accounts(self.process.database, memory_kib=1024, passes=1)

    def client(self, **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url=HOST, headers=headers)

    async def furnish(self) -> None:
        async with self.process.database.connection() as connection:
            await connection.execute(REGISTER)

    async def session(self, role: str, area: str | None = None) -> str:
        """The cookie of somebody of that role."""
        account = f"{role}-{area or 'all'}"
        await self.accounts.add(account, role, role, PASSWORD, area=area)  # type: ignore[arg-type]
        session = await self.accounts.sign_in(account, PASSWORD, self.process.clock.now())
        assert isinstance(session, Session)
        return session.token

    async def signed_in(self, role: str, area: str | None = None) -> httpx.AsyncClient:
        """A browser with a session, on a page of ours."""
        client = self.client(origin=HOST, accept="text/html")
        client.cookies.set("pingan_session", await self.session(role, area))
        return client

    async def machine(self, role: str) -> httpx.AsyncClient:
        token = await self.accounts.create_token(role, role, self.process.clock.now())  # type: ignore[arg-type]
        return self.client(authorization=f"Bearer {token}")


@contextlib.asynccontextmanager
async def site(database_url: str, data: Path | None = None) -> AsyncIterator[Site]:
    one = Site(
        WebSettings(database_url=database_url, data=data, name="console", public_url=HOST, link_secret=LINK_SECRET)
    )
    await one.process.database.open()
    tasks = [asyncio.create_task(run()) for run in (one.process.listener.run, one.live.run)]
    try:
        yield one
    finally:
        one.live.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await one.process.database.close()
