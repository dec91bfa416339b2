"""Tells devices what to go by (`down/config`, retained) and asks them for a self-test (`down/prompt`).

What is to be told stands in the database; here it is published, and then noted as published: told twice is told once.

The broker keeps what is retained, and after a crash its store may be an older one, or none. So a mark is retained
beside: the number of the last publication that stands before it. Whoever connects reads the mark, and publishes again
what was published after it. A store that is whole costs one message, whatever the number of devices.
"""

import asyncio
import logging
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import msgspec

from dispatch.asking import keep_asking
from dispatch.self_test import sql as test_sql
from pingan.clock import Clock
from pingan.database import LOST, Bell, Connection, Database, Queries
from pingan.mqtt import Mqtt
from pingan.settings import Mqtt as MqttSettings

log = logging.getLogger(__name__)
sql = Queries(__file__, "configuring.sql")

AT_ONCE = 100
"""A few milliseconds of the process's time: intake and outbox stand beside. Five thousand are told in half a second."""
CONFIRM_SECONDS = 5.0
"""How long the broker may take to confirm a batch."""
NAP_SECONDS = 2.0
"""A change rings; this is for a ring that was lost, and for what another process had the turn to publish."""
ADVISORY_KEY = 0x636F6E66
"""Names the lock of whoever publishes; nothing else takes it."""


class _Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """What we tell ourselves: retained with `number`; a probe, which asks whether all retained has come, without."""

    number: int | None = None
    probe: str | None = None


class Configuring:
    """One process's share of it. A connection of its own: no lamp waits behind five thousand configurations."""

    def __init__(self, settings: MqttSettings, database: Database, clock: Clock, zone: ZoneInfo) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._zone = zone
        self._bell: Bell | None = None
        self._mark: int | None = None
        self._probes: dict[str, asyncio.Event] = {}
        self._checked = 0
        """The connection (by its number) on which the broker's store has been looked at."""

    async def run(self, bell: Bell, questions: Bell) -> None:
        """Stay connected, and tell what is due whenever the bell rings, until cancelled; residents are asked beside."""
        self._bell = bell
        mqtt = Mqtt(
            host=self._settings.mqtt_host,
            port=self._settings.mqtt_port,
            user=self._settings.mqtt_user,
            password=self._settings.mqtt_password,
            client_id=f"{self._settings.name}-devices",
            subscriptions=[self._topic],
            on_message=self._heard,
            on_state=self._changed,
            clean_session=True,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(mqtt.run())
            group.create_task(self._keep_telling(mqtt, bell))
            # Beside, not between: nobody who may have fallen waits behind five thousand configurations.
            group.create_task(keep_asking(mqtt, self._database, self._clock, questions))

    @property
    def _topic(self) -> str:
        """Our own place at the broker, as each device has one: nobody else reads or writes there."""
        return f"pingan/v1/{self._settings.mqtt_user}/down/mark"

    def _changed(self, reason: str | None) -> None:
        if reason is not None:
            self._mark = None
        elif self._bell is not None:
            self._bell.ring()

    def _heard(self, _topic: str, payload: bytes, *_: Any) -> None:
        try:
            mark = msgspec.json.decode(payload, type=_Mark)
        except msgspec.DecodeError:  # as good as none: everything is published again
            log.warning("the mark at the broker cannot be read")
            return
        if mark.number is not None:
            self._mark = mark.number
        elif mark.probe in self._probes:
            self._probes.pop(mark.probe).set()

    async def _keep_telling(self, mqtt: Mqtt, bell: Bell) -> None:
        while True:
            try:
                if mqtt.connected:
                    await self._tell(mqtt)
            except (*LOST, TimeoutError) as error:
                log.debug("devices are not told yet: %s", error or type(error).__name__)
            except Exception:
                # Beside it stand those who tell people: they go on, whatever is wrong here.
                log.exception("devices cannot be told; it is tried again")
            await bell.wait(NAP_SECONDS)

    async def _tell(self, mqtt: Mqtt) -> None:
        await self._ask(mqtt)
        here = mqtt.connections
        number = 0
        async with self._database.transaction() as connection:
            if not await self._is_alone(connection):
                return
            if self._checked != here:
                await self._look_at_store(mqtt, connection)
            while (published := await self._publish(mqtt, connection)) is not None:
                number = published
            _still(mqtt, here)
        self._checked = here
        if number:
            _still(mqtt, here)
            # Not confirmed, so that it is never sent again on a later connection: of a store that has forgotten what
            # stands before it, it would say that all is there. A mark that is lost only costs more publications; and
            # nobody waits for it, since of what is lost with the line nothing is ever heard.
            mqtt.send(self._topic, msgspec.json.encode(_Mark(number=number)), qos=0, retain=True)

    async def _is_alone(self, connection: Connection) -> bool:
        row = await (await connection.execute(sql.alone, {"key": ADVISORY_KEY})).fetchone()
        return row is not None and bool(row["mine"])

    async def _look_at_store(self, mqtt: Mqtt, connection: Connection) -> None:
        """A probe comes back behind everything that is retained: then we have the mark, or there is none."""
        probe, back = uuid4().hex, asyncio.Event()
        self._probes = {probe: back}
        mqtt.send(self._topic, msgspec.json.encode(_Mark(probe=probe)))
        async with asyncio.timeout(CONFIRM_SECONDS):
            await back.wait()
        forgotten = (await connection.execute(sql.forgotten, {"mark": self._mark})).rowcount
        if forgotten:
            log.warning("the broker has forgotten what %d devices are to go by; they are told again", forgotten)

    async def _publish(self, mqtt: Mqtt, connection: Connection) -> int | None:
        """Publish some of what is due; the last publication's number (0: only removals), None: nothing was due."""
        rows = await (await connection.execute(sql.due, {"limit": AT_ONCE})).fetchall()
        if not rows:
            return None
        told = [
            mqtt.publish(
                f"pingan/v1/{row['device']}/down/config", self._body(row) if row["wanted"] else b"", retain=True
            )
            for row in rows
        ]
        await _confirmed(*told)
        kept = [row for row in rows if row["wanted"]]
        parameters = {
            "devices": [row["device"] for row in kept],
            "revisions": [row["revision"] for row in kept],
            "now": self._clock.now(),
        }
        numbers = await (await connection.execute(sql.published, parameters)).fetchall()
        await connection.execute(sql.ended, {"devices": [row["device"] for row in rows if not row["wanted"]]})
        return max((row["published_number"] for row in numbers), default=0)

    def _body(self, row: dict[str, Any]) -> bytes:
        reminder = None
        if row["reminder_weekday"] is not None:
            offset = self._clock.now().astimezone(self._zone).utcoffset()
            assert offset is not None
            reminder = {
                "weekday": row["reminder_weekday"],
                "hour": row["reminder_hour"],
                "utc_offset_minutes": round(offset.total_seconds() / 60),
            }
        return msgspec.json.encode(
            {
                "revision": row["revision"],
                "heartbeat_seconds": row["heartbeat_seconds"],
                "volume": row["volume"],
                "reminder": reminder,
                "hold_seconds": row["hold_seconds"],
            }
        )

    async def _ask(self, mqtt: Mqtt) -> None:
        """Ask the devices whose test has begun. One that is away hears it when it is back, if there is time left."""
        async with self._database.connection() as connection:
            parameters = {"now": self._clock.now(), "limit": AT_ONCE}
            rows = await (await connection.execute(test_sql.prompts, parameters)).fetchall()
        if not rows:
            return
        asked = [
            mqtt.publish(
                f"pingan/v1/{row['device']}/down/prompt",
                msgspec.json.encode({"id": str(row["prompt"]), "ask": "self_test", "until": row["until"].isoformat()}),
            )
            for row in rows
        ]
        await _confirmed(*asked)
        async with self._database.connection() as connection:
            parameters = {"now": self._clock.now(), "windows": [row["id"] for row in rows]}
            await connection.execute(test_sql.prompted, parameters)


def _still(mqtt: Mqtt, connection: int) -> None:
    """TimeoutError if the broker that confirmed it may be another by now, with another store."""
    if not mqtt.connected or mqtt.connections != connection:
        raise TimeoutError("the broker went away meanwhile")


async def _confirmed(*published: asyncio.Future[None]) -> None:
    """All of them are the broker's. TimeoutError if it does not say so."""
    async with asyncio.timeout(CONFIRM_SECONDS):
        await asyncio.gather(*published)
