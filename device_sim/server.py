"""The simulator's HTTP server, on loopback unless it is told otherwise, in the loop of the devices."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Generator
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

LOOPBACK = "127.0.0.1"
"""The control interface has no password, so it listens nowhere else unless whoever starts it says so."""


class ServerError(Exception):
    """The server did not start. The message is for people."""


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class Transports:
    """The open connections by the client's address, so that one can be broken without an answer."""

    def __init__(self) -> None:
        self._open: dict[Any, asyncio.Transport] = {}

    def protocol(self) -> type[H11Protocol]:
        """uvicorn's protocol, which notes its connections here."""
        connections = self._open

        class Noted(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                self.peer = transport.get_extra_info("peername")
                connections[self.peer] = transport
                super().connection_made(transport)

            def connection_lost(self, exc: Exception | None) -> None:
                connections.pop(self.peer, None)
                super().connection_lost(exc)

        return Noted

    def drop(self, request: Request) -> bool:
        """Breaks the connection of `request`; False when it is not one of ours."""
        transport = self._open.get(tuple(request.client or ()))
        if transport is not None:
            transport.abort()
        return transport is not None


def bare_app(name: str = LOOPBACK) -> FastAPI:
    """An application that answers only to this machine's own names: a web page elsewhere must not press a button.

    `name`: what else it is called, such as its container.
    """
    app = FastAPI(title="device_sim", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[LOOPBACK, "localhost", name])
    return app


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, port: int, transports: Transports, host: str = LOOPBACK) -> AsyncIterator[None]:
    """Serves `app` on `host`:`port`. ServerError when the port is taken."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=transports.protocol(),
        ws="none",
        lifespan="off",
        proxy_headers=False,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    task = asyncio.create_task(_serve(server, host, port))
    try:
        while not server.started:
            if task.done():
                await task
            await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)


async def _serve(server: uvicorn.Server, host: str, port: int) -> None:
    try:
        await server.serve()
    except SystemExit:
        # uvicorn ends the whole process when it cannot bind; the devices beside it deserve a sentence.
        raise ServerError(f"port {port} on {host} cannot be used: is a simulator running already?") from None
