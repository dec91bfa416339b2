"""`pingan broker`: Mosquitto in a container of its own, which knows the register's devices.

Inside, where our services are, it speaks plain MQTT; outside, where the devices are, TLS. Mosquitto is our child: it
starts before the database answers, with the devices that it knew last, and when it ends so do we, to be started afresh.
"""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pingan import process
from pingan.database import LOST, Database, Queries
from pingan.local import mosquitto
from pingan.local.mosquitto import SERVICE_USERS, Mosquitto, MosquittoError, Tls
from pingan.local.places import Secrets, make_data_folder
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
    tls = Tls(settings.mqtt_tls_port, settings.mqtt_tls_certificate, settings.mqtt_tls_key, host=settings.mqtt_tls_host)
    for path in (tls.certificate, tls.key):
        if not path.is_file():
            raise SettingsError(f"{path} is not there: deploy/prepare.sh or an authority makes it")
    make_data_folder(settings.data)
    settings.mqtt_store.mkdir(parents=True, exist_ok=True)
    broker = Mosquitto(
        settings.data,
        settings.mqtt_port,
        host=settings.mqtt_host,
        tls=tls,
        folder=settings.mqtt_store,
        secrets=Secrets.within(settings.mqtt_services),
    )
    broker.owner.give(settings.mqtt_store)
    broker.prepare()
    return broker


async def _run(settings: BrokerSettings, broker: Mosquitto) -> None:
    this = process.Process(settings, connections=1)
    this.state.expect("broker")
    child = broker.start_to(None)
    keeper = Keeper(broker, child, this.state)
    bell = this.listener.bell("register")

    async def follow() -> None:
        while True:
            try:
                await keeper.tell(await devices(this.database))
            except LOST as error:
                log.debug("the register cannot be read: %s", error)
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


async def devices(database: Database) -> dict[str, str]:
    """Whom the broker lets in: device → hash of its password."""
    async with database.connection() as connection:
        rows = await (await connection.execute(QUERIES.devices)).fetchall()
    return {row["id"]: row["mqtt_password_hash"] for row in rows}


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

    async def tell(self, known: dict[str, str]) -> None:
        """Write the devices' file, and have it read if it has changed. `told` says whether that was done."""
        changed = await asyncio.to_thread(self._broker.write_users, known)
        if changed or not self.told:
            self.told = await self._reload()
            log.info("%d devices may come in; the broker %s", len(known), "knows" if self.told else "waits")

    async def _reload(self) -> bool:
        return await asyncio.to_thread(self._broker.reload, self._child)

    def _stamps(self) -> list[int]:
        """When the certificate and its key were last changed, in ns; 0 for what is not there at the moment."""
        return [path.stat().st_mtime_ns if path.exists() else 0 for path in self._broker.certificates]


def end(child: subprocess.Popen[bytes]) -> None:
    """Have Mosquitto write its store and end."""
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
