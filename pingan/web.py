"""The web process: the operators' console, the API and the webhooks behind one port.

It serves before the database answers, so that `/healthz` can say what is missing.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import uvicorn
from fastapi import FastAPI

from alerting.shadow_api import Versions
from alerting.shadow_api import router as detectors_api
from care.accounts import Accounts
from care.api import router as register_api
from care.device_config_api import router as configs_api
from care.suggested import apply
from dashboards.console import app as console
from dashboards.console.access import FIGURES, allowed, principal
from dashboards.console.live import Live
from dispatch.api import Stream
from dispatch.api import router as incidents_api
from dispatch.api.askings import router as askings_api
from dispatch.api.calls import router as calls_api
from dispatch.api.devices import router as devices_api
from dispatch.api.duties import router as duties_api
from dispatch.api.policies import router as policies_api
from dispatch.api.suggestions import router as suggestions_api
from dispatch.bridging import Bridging
from dispatch.desk import Desk
from dispatch.links import Links
from dispatch.packet import Packets
from pingan import health, process, scrape
from pingan.local.supervised import Supervised
from pingan.log import GROUPS
from pingan.settings import Common, Port, Secret, SettingsError, Text, centre, load

log = logging.getLogger(__name__)

STOP_SECONDS = 1
"""How long a request that is under way may still take when the process is told to stop."""

KEEP_ALIVE_SECONDS = 30


class WebSettings(Common, frozen=True, kw_only=True):
    """Settings of `pingan console`."""

    http_host: Text = "127.0.0.1"
    http_port: Port = 8360
    http_listening: int | None = None
    """The port, where whoever started this process holds it: its descriptor. None: this process takes it itself."""
    public_url: Text | None = None
    """How browsers reach the console. `https://…` makes its cookies secure."""
    timezone: Text = "Asia/Shanghai"
    """The centre's: what clock times are shown in."""
    twilio_account_sid: Text | None = None
    """Where telephone calls are made, their webhooks are heard here: `TwilioSettings` says what else they need."""

    link_secret: Secret | None = None
    """What links to helpers' pages are signed with; they are served only where there is one, and a public_url."""
    desk_phone: Text | None = None
    """The desk's own: what a helper's page offers to ring it by where no shift has said another."""

    def zone(self) -> ZoneInfo:
        """SettingsError when there is no such zone."""
        return centre(self.timezone)


class Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the process stops all of its parts together."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main(argv: list[str]) -> int:
    """`pingan console`."""
    try:
        settings = load(WebSettings)
        zone = settings.zone()
        listening = _listen(settings)
    except SettingsError as error:
        raise SystemExit(f"pingan console: {error}") from error
    process.main(_run(settings, zone, listening))
    return 0


def _listen(settings: WebSettings) -> socket.socket:
    """Take the port before anything else is begun. SettingsError when it is taken."""
    if settings.http_listening is not None:
        return socket.socket(fileno=settings.http_listening)
    try:
        return socket.create_server((settings.http_host, settings.http_port), backlog=1024, reuse_port=False)
    except OSError as error:
        where = f"{settings.http_host}:{settings.http_port}"
        raise SettingsError(f"PINGAN_HTTP_PORT: {where} cannot be used: {error.strerror}") from error


def build(settings: WebSettings, this: process.Process, live: Live, zone: ZoneInfo) -> FastAPI:
    """Everything that this process serves."""
    database, clock = this.database, this.clock
    desk, versions = Desk(database, clock, zone), Versions(database, clock)
    parts = console.Parts(
        database=database,
        clock=clock,
        live=live,
        desk=desk,
        accounts=Accounts(database),
        zone=zone,
        secure=(settings.public_url or "").startswith("https://"),
        data=settings.data,
        logs=[this.log(name) for name in GROUPS],
        versions=versions,
        links=_links(settings),
        packets=_packets(settings, this, desk),
        desk_phone=settings.desk_phone,
    )
    # Its own pages of documentation would need scripts from elsewhere.
    app = FastAPI(
        title="Ping An Tong 平安通", version="1", docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json"
    )
    if settings.data is not None:
        this.exposition.look(Supervised(settings.data, clock).look)
    app.include_router(health.router(database, clock, settings.data))
    app.include_router(scrape.router(this.exposition, settings.data, settings.public_url, allowed(*FIGURES)))
    app.include_router(incidents_api(database, clock, desk, Stream(database, this.listener), principal))
    bridging = Bridging(database, clock, desk, settings.desk_phone)
    app.include_router(calls_api(database, bridging, principal))
    app.include_router(register_api(database, clock, principal))
    app.include_router(configs_api(database, clock, principal))
    app.include_router(devices_api(database, clock, principal))
    app.include_router(askings_api(database, clock, principal))
    app.include_router(suggestions_api(database, clock, principal, apply))
    app.include_router(policies_api(database, clock, zone, principal))
    app.include_router(duties_api(database, clock, zone, principal))
    app.include_router(detectors_api(versions, principal))
    if settings.twilio_account_sid:
        _webhooks(app, settings, this, desk)
    console.mount(app, parts)
    return app


def _webhooks(app: FastAPI, settings: WebSettings, this: process.Process, desk: Desk) -> None:
    """The telephone provider's answers. Its SDK is large, and is loaded only where there is a provider."""
    from dispatch.api.webhooks import router
    from dispatch.channels.twilio import TwilioSettings

    app.include_router(router(this.database, this.clock, desk, load(TwilioSettings)))


def _links(settings: WebSettings) -> Links | None:
    return Links(settings.link_secret, settings.public_url) if settings.link_secret and settings.public_url else None


def _packets(settings: WebSettings, this: process.Process, desk: Desk) -> Packets | None:
    links = _links(settings)
    return Packets(this.database, this.clock, desk, links) if links else None


async def _run(settings: WebSettings, zone: ZoneInfo, listening: socket.socket) -> None:
    this = process.Process(settings, connections=8)
    live = Live(this.database, this.listener, this.clock)
    config = uvicorn.Config(
        build(settings, this, live, zone),
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        limit_concurrency=2000,
    )
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    server = Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))

    async def served() -> None:
        await asyncio.shield(serving)

    packets = _packets(settings, this, Desk(this.database, this.clock, zone))
    try:
        await this.run(live.run, served, *([packets.keep_current] if packets else []))
    finally:
        live.close()
        server.should_exit = True
        await serving
