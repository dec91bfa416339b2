"""`pingan broker`: Mosquitto in a container of its own, which knows the register's devices.

Inside, where our services are, it speaks plain MQTT; outside, where the devices are, TLS. Mosquitto is our child: it
starts before the database answers, with the devices that it knew last, and when it ends so do we, to be started afresh.
"""

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pingan import process
from pingan.authority import AuthorityError, opened
from pingan.clock import SystemClock
from pingan.database import LOST, Database, Queries
from pingan.local import mosquitto
from pingan.local.certificates import Certificates
from pingan.local.mosquitto import SERVICE_USERS, Mosquitto, MosquittoError, Tls
from pingan.local.places import Secrets, make_data_folder
from pingan.local.refusals import REASONS, reason
from pingan.local.supervised import show_expiry
from pingan.metrics import BROKER_REFUSED, show
from pingan.process import State
from pingan.settings import Common, Port, SettingsError, Text, load

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often the broker is asked whether it answers, and looked at whether it is there."""
LOOK_AGAIN_SECONDS = 60.0
"""A notification can be lost; a device must not stay locked out for longer than this."""
BURST_SECONDS = 0.3
"""An import rings once per statement: what rings within this time of the first is read at once."""
STOP_SECONDS = 8
"""How long Mosquitto may take to put its store on disk."""

QUERIES = Queries(mosquitto.__file__, "register.sql")


class BrokerSettings(Common, frozen=True, kw_only=True):
    """Settings of `pingan broker`."""

    data: Path
    mqtt_host: Text = "127.0.0.1"
    """Where our own services connect, without TLS: an address that nobody else reaches."""
    mqtt_port: Port = 1883
    mqtt_tls_host: Text = "0.0.0.0"  # noqa: S104 - devices are everywhere
    mqtt_tls_port: Port = 8883
    mqtt_tls_certificate: Path
    """PEM: the server's certificate, and after it those between it and the authority that devices know."""
    mqtt_tls_key: Path
    mqtt_certificate_port: Port | None = None
    """Where devices come in that show a certificate of our own authority. None: there are none."""
    authority: Path | None = None
    """The folder of that authority (`pingan ca init`)."""
    mqtt_store: Path
    """The folder of the sessions, of what waits in them, and of the devices that may come in. Lasting."""
    mqtt_services: Path
    """The folder in which the services' passwords lie, one file each: `mqtt-<service>`."""


def main(argv: Sequence[str] = ()) -> int:
    """`pingan broker`."""
    try:
        settings = load(BrokerSettings)
        broker = prepared(settings)
    except (SettingsError, OSError) as error:
        sys.stderr.write(f"pingan broker: {error}\n")
        return 2
    process.main(_run(settings, broker))
    return 0


def prepared(settings: BrokerSettings) -> Mosquitto:
    """The broker with its files written. SettingsError names what is missing."""
    missing = [f"mqtt-{user}" for user in SERVICE_USERS if not (settings.mqtt_services / f"mqtt-{user}").is_file()]
    if missing:
        raise SettingsError(f"PINGAN_MQTT_SERVICES={settings.mqtt_services} lacks {', '.join(missing)}")
    shown = (settings.mqtt_tls_certificate, settings.mqtt_tls_key)
    for path in shown:
        if not path.is_file():
            raise SettingsError(f"{path} is not there: deploy/prepare.sh or an authority makes it")
    tls = [Tls(settings.mqtt_tls_port, *shown, host=settings.mqtt_tls_host)]
    if settings.mqtt_certificate_port is not None:
        tls.append(Tls(settings.mqtt_certificate_port, *shown, host=settings.mqtt_tls_host, by_certificate=True))
    make_data_folder(settings.data)
    settings.mqtt_store.mkdir(parents=True, exist_ok=True)
    broker = Mosquitto(
        settings.data,
        settings.mqtt_port,
        host=settings.mqtt_host,
        tls=tls,
        folder=settings.mqtt_store,
        secrets=Secrets.within(settings.mqtt_services),
        certificates=_certificates(settings),
    )
    broker.owner.give(settings.mqtt_store)
    broker.prepare()
    return broker


def _certificates(settings: BrokerSettings) -> Certificates | None:
    if settings.mqtt_certificate_port is None:
        return None
    if settings.authority is None:
        raise SettingsError("PINGAN_MQTT_CERTIFICATE_PORT needs PINGAN_AUTHORITY, the authority's folder")
    try:
        authority = opened(settings.authority)
    except AuthorityError as error:
        raise SettingsError(f"PINGAN_AUTHORITY: {error}") from error
    clock = SystemClock(settings.wall_minus_boottime)
    user = mosquitto.broker_owner()
    return Certificates(authority, settings.mqtt_store, user, clock, certificate=settings.mqtt_tls_certificate)


async def _run(settings: BrokerSettings, broker: Mosquitto) -> None:
    this = process.Process(settings, connections=1)
    this.state.expect("broker")
    child = _started(broker)
    keeper = Keeper(broker, child, this.state)
    bell = this.listener.bell("register")
    this.exposition.look(lambda: show_expiry(broker.expire(), this.clock.now().timestamp()))

    async def follow() -> None:
        while True:
            try:
                await keeper.tell(await known(this.database, this.clock.now()))
            except LOST as error:
                log.debug("the register cannot be read: %s", error)
            except OSError as error:
                # A full disk: whoever is in stays in, and it is written when there is room.
                log.warning("who may come in cannot be written: %s", error)
                keeper.told = False
            await bell.wait(LOOK_AGAIN_SECONDS if keeper.told else LOOK_SECONDS)
            await asyncio.sleep(BURST_SECONDS)

    failed: Exception | None = None
    try:
        # Not a part of the process, whose parts wait for the database: devices want a broker all the same.
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(keeper.watch())
            await this.run(follow)
            watching.cancel()
    except* MosquittoError as errors:
        failed = errors.exceptions[0]
    finally:
        await asyncio.to_thread(end, child)
    if failed is not None:
        raise SystemExit(f"pingan broker: {failed}")


def _started(broker: Mosquitto) -> subprocess.Popen[bytes]:
    """Mosquitto, whose words pass through us: whom it refuses is counted."""
    read, write = os.pipe()
    with os.fdopen(write, "wb") as log_to:
        child = broker.start_to(log_to)
    for why in REASONS:
        show(BROKER_REFUSED).labels(why)

    def pass_on() -> None:
        with os.fdopen(read, "rb") as written:
            for line in written:
                if why := reason(line.decode("utf-8", "replace")):
                    BROKER_REFUSED.labels(why).inc()
                # Whatever becomes of our own words, it must not be kept waiting.
                with contextlib.suppress(OSError):
                    os.write(sys.stderr.fileno(), line)

    threading.Thread(target=pass_on, name="mosquitto", daemon=True).start()
    return child


@dataclass(frozen=True, slots=True)
class Known:
    """What the register says of who may come in."""

    devices: dict[str, str]
    """Device → hash of its password."""
    refused: dict[str, str]
    """Serial of a certificate → its device."""
    first_to_expire: datetime | None
    """Of the certificates in use."""


async def known(database: Database, now: datetime) -> Known:
    async with database.connection() as connection:
        rows = await (await connection.execute(QUERIES.devices)).fetchall()
        refused = await (await connection.execute(QUERIES.refused_certificates, {"now": now})).fetchall()
        first = await (await connection.execute(QUERIES.first_to_expire)).fetchone()
    return Known(
        {row["id"]: row["mqtt_password_hash"] for row in rows},
        {row["serial"]: row["device"] for row in refused},
        first["expires_at"] if first else None,
    )


class Keeper:
    """Keeps a running Mosquitto informed, and says how it is."""

    def __init__(self, broker: Mosquitto, child: subprocess.Popen[bytes], state: State) -> None:
        self._broker, self._child, self._state = broker, child, state
        self._loaded = self._seen = self._stamps()
        """The certificate's files as the broker has read them, and as they were at the last look."""
        self.told = False
        """Whether the running broker knows all that was written for it."""

    async def watch(self) -> None:
        """Say each second whether it answers. MosquittoError when it has ended: without it we are of no use."""
        while True:
            if (status := self._child.poll()) is not None:
                raise MosquittoError(f"Mosquitto has ended with status {status}")
            if await asyncio.to_thread(self._broker.answers):
                self._state.well("broker")
            else:
                self._state.waiting("broker", "Mosquitto does not answer")
            await self._look_at_certificates()
            await asyncio.sleep(LOOK_SECONDS)

    async def _look_at_certificates(self) -> None:
        """Have new ones read, once nobody writes any more: a certificate and its key come one after the other."""
        before, self._seen = self._seen, self._stamps()
        if self._seen == before and self._seen != self._loaded and await self._reload():
            log.info("the certificate was renewed; the broker knows")
            self._loaded = self._seen

    async def tell(self, known: Known) -> None:
        """Write who may come in, and have it read if it has changed. `told` says whether that was done.

        OSError: not all of it can be written. What could be is read the next time.
        """
        if await asyncio.to_thread(self._broker.write_users, known.devices):
            self.told = False
        if await asyncio.to_thread(self._broker.refuse, known.refused, known.first_to_expire):
            self.told = False
        if not self.told:
            self.told = await self._reload()
            log.info("%d devices may come in; the broker %s", len(known.devices), "knows" if self.told else "waits")

    async def _reload(self) -> bool:
        return await asyncio.to_thread(self._broker.reload, self._child)

    def _stamps(self) -> list[int]:
        """When the certificate and its key were last changed, in ns; 0 for what is not there at the moment."""
        return [path.stat().st_mtime_ns if path.exists() else 0 for path in self._broker.shown]


def end(child: subprocess.Popen[bytes]) -> None:
    """Have Mosquitto write its store and end."""
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
