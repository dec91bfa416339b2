"""MQTT in, log out. One process a lane; of several for the same lane one is active and the others stand by.

    broker ──► receive, decode, whose home, what time ──► wait ──► append ──► PUBACK ──► the device's acknowledgement

Nothing is acknowledged before the append: what dies with us is still in the broker, or else in the device.
"""

import argparse
import asyncio
import functools
import logging
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from ingest.announce import keep_announcing
from ingest.device_time import DeviceClocks
from ingest.driven import SIMULATOR, DrivenSteps, FollowedSteps
from ingest.lane import Lane
from ingest.listening import Listening
from ingest.offsets import keep_loading, keep_saving, load_offsets
from ingest.reception import Reception
from ingest.register import Register
from ingest.rejections import Rejections
from ingest.settle import Settler
from ingest.waiting import InOrder, InTurn, Waiting
from pingan import metrics, process
from pingan.clock import DrivenClock
from pingan.database import LOST
from pingan.lease import Leases
from pingan.log import PARTITIONS, Record
from pingan.messages import encode
from pingan.mqtt import Mqtt
from pingan.settings import Mqtt as Settings
from pingan.settings import SettingsError, load
from pingan.tasks import end

log = logging.getLogger(__name__)

ALARM, TELEMETRY = "alarm", "telemetry"
LOGS = {ALARM: "urgent", TELEMETRY: "readings"}
CHANNELS = {ALARM: ("alarm",), TELEMETRY: ("reading", "status")}

ALARM_BATCH_MESSAGES = 200
"""Small, so that in a backlog whoever presses now waits for one append at most before it is their turn."""
TELEMETRY_BATCH_MESSAGES = 5_000
TELEMETRY_PACE_SECONDS = 0.04
LOOK_SECONDS = 1.0


class House:
    """What the bridge of a lane needs of its process, whether it is active or stands by."""

    def __init__(self, settings: Settings, lane: str, *, patience_seconds: float = 3.0) -> None:
        self.settings, self.lane = settings, lane
        self.process = process.Process(settings)
        self.process.state.expect("broker")
        self.database, self.clock, self.state = self.process.database, self.process.clock, self.process.state
        self.register = Register(self.database)
        self.clocks = DeviceClocks()
        self.rejections = Rejections(self.database, self.clock, lane)
        self.received = metrics.Tally(metrics.show(metrics.RECEIVED).labels(lane))
        self.process.exposition.look(self.received.hand_over)
        self.heard = metrics.show(metrics.HEARD).labels(lane)
        self.log = self.process.log(LOGS[lane])
        # Only a driven clock has to know whether all of them are read: in the order in which entries go through them.
        self.logs = [self.process.log(name) for name in ("urgent", "readings")] if self.clock.driven else []
        bell = self.process.listener.bell("leases")
        self.leases = Leases(self.database, f"bridge/{lane}", settings.name, self.clock, 1, patience_seconds, bell)
        self._register_bell = self.process.listener.bell("register")
        self.homes_bell = self.process.listener.bell("register")
        self.clocks_bell = self.process.listener.bell("device_clocks")

    async def run(self) -> None:
        """Until the process is told to stop."""
        await self.process.run(*self.parts())

    def parts(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """What has to run for as long as the process does."""
        return [self.leases.run, self.rejections.run, self._follow_register, self._take_turns]

    async def _follow_register(self) -> None:
        await self.register.follow(self._register_bell)

    async def _take_turns(self) -> None:
        """Be the active bridge whenever the lease is ours, and at no other time."""
        self._stand_by()
        while True:
            if (epoch := self.leases.held.get(0)) is None:
                await self.leases.changed.wait()
                self.leases.changes()
            else:
                await self._lead(epoch)
                self._stand_by()

    def _stand_by(self) -> None:
        self.heard.set(0)
        self.state.note("standby")
        # What the lane waited for as the active one is the other's matter now.
        self.state.well("broker")
        self.state.well("log")

    async def _lead(self, epoch: int) -> None:
        # In this order: for no moment may it look as if the lane were open before the broker has us.
        self.state.waiting("broker", "connecting to the broker")
        self.state.note("")
        await self._know()
        leading = asyncio.create_task(Bridge(self, epoch).run())
        lost = asyncio.create_task(self._lost(epoch))
        try:
            await asyncio.wait([leading, lost], return_when=asyncio.FIRST_COMPLETED)
            if leading.done():
                leading.result()
            log.warning("the %s lane has another bridge now", self.lane)
        finally:
            await end([lost, leading])

    async def _know(self) -> None:
        """Nothing is taken from the broker before we know whose devices there are."""
        while True:
            try:
                await self.register.load()
                await load_offsets(self.database, self.clocks)
                return
            except LOST as error:
                log.debug("the register cannot be read: %s", error)
                await asyncio.sleep(0.3)

    async def _lost(self, epoch: int) -> None:
        while self.leases.held.get(0) == epoch:
            await self.leases.changed.wait()
            self.leases.changes()


class Bridge:
    """One lane for as long as one lease lasts."""

    def __init__(self, house: House, epoch: int) -> None:
        self._house, self._epoch = house, epoch
        telemetry = house.lane == TELEMETRY
        settings = house.settings
        self._probe_topic = f"pingan/v1/{settings.mqtt_user}/up/probe"
        self._clock_topic = f"pingan/v1/{SIMULATOR}/up/clock"
        self._mqtt = Mqtt(
            host=settings.mqtt_host,
            port=settings.mqtt_port,
            user=settings.mqtt_user,
            password=settings.mqtt_password,
            client_id=f"ingest-{house.lane}",
            subscriptions=self._topics(),
            on_message=self._heard,
            on_state=self._connection,
            before_connect=self._still_ours,
            manual_ack=True,
        )
        self._lane = Lane(
            house.log,
            InOrder() if telemetry else InTurn(),
            done=self._appended,
            flow=self._flow,
            trouble=functools.partial(self._say, "log"),
            batch_messages=TELEMETRY_BATCH_MESSAGES if telemetry else ALARM_BATCH_MESSAGES,
            pace_seconds=TELEMETRY_PACE_SECONDS if telemetry and not house.clock.driven else 0.0,
        )
        self._settler = Settler(house.register.find, house.clocks, driven=house.clock.driven)
        self._reception = Reception(
            house.clock,
            self._settler,
            self._lane,
            house.rejections,
            house.received,
            ack=self._mqtt.ack,
            answer=self._mqtt.send,
        )
        self._acknowledge_seconds = metrics.show(metrics.ACKNOWLEDGE_SECONDS).labels(house.lane)
        self._listening = Listening(
            house.clock,
            epoch,
            say=functools.partial(self._mqtt.send, self._probe_topic),
            deaf=functools.partial(self._say, "broker"),
        )
        self._steps = self._make_steps()

    def _topics(self) -> list[str]:
        topics = [f"pingan/v1/+/up/{channel}" for channel in CHANNELS[self._house.lane]]
        if self._house.clock.driven:
            topics.append(self._clock_topic)
        elif self._house.lane == TELEMETRY:
            topics.append(self._probe_topic)
        return topics

    def _make_steps(self) -> DrivenSteps | FollowedSteps | None:
        house, clock = self._house, self._house.clock
        if not isinstance(clock, DrivenClock):
            return None
        if house.lane != TELEMETRY:
            return FollowedSteps(house.database, house.lane, self._lane.idle)
        answer = functools.partial(self._mqtt.send, f"pingan/v1/{SIMULATOR}/down/clock")
        return DrivenSteps(
            house.database,
            clock,
            house.log,
            self._epoch,
            logs=house.logs,
            idle=self._lane.idle,
            answer=answer,
        )

    async def run(self) -> None:
        """Until cancelled. The broker keeps what was not acknowledged for whoever leads next."""
        house = self._house
        work = [self._lane.run(), self._mqtt.run()]
        if self._steps is not None:
            work.append(self._steps.run())
        if house.lane == ALARM:
            work.append(keep_loading(house.database, house.clocks, house.clocks_bell))
        else:
            work.append(keep_announcing(house.database, house.log, house.homes_bell))
            work.append(keep_saving(house.database, house.clocks, house.clock))
            if self._steps is None:
                work.append(self._listening.run())
        async with asyncio.TaskGroup() as group:
            for part in work:
                group.create_task(part)

    async def _still_ours(self) -> bool:
        """Whoever took over while we slept has our connection; without this look we would take it back from them.

        While the database is away nobody can have taken over, and our place is kept.
        """
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._house.leases.look()
        except (*LOST, TimeoutError):
            return True
        return self._house.leases.held.get(0) == self._epoch

    def _heard(self, topic: str, payload: bytes, ticket: int) -> None:
        if topic == self._probe_topic:
            self._probe_came(payload, ticket)
        elif topic == self._clock_topic and self._steps is not None:
            self._steps.hear(payload, functools.partial(self._mqtt.ack, ticket))
        else:
            self._reception.hear(topic, payload, ticket)

    def _probe_came(self, payload: bytes, ticket: int) -> None:
        tick = self._listening.came(payload)
        if tick is None:
            self._mqtt.ack(ticket)
            return
        body = encode(tick)
        records = [Record(partition, body) for partition in range(PARTITIONS)]
        self._lane.put("", Waiting(records, ticket, 0))

    def _appended(self, items: list[Waiting]) -> None:
        ack = self._mqtt.ack
        for item in items:
            ack(item.ticket)
        # Each press; of telemetry what waited longest in each append, since ten thousand a second would cost a percent.
        came = [item.came_at for item in items if item.came_at is not None]
        now = self._house.clock.monotonic()
        for came_at in came if self._house.lane == ALARM else came[:1]:
            self._acknowledge_seconds.observe(now - came_at)

    def _flow(self, on: bool) -> None:
        if on:
            self._mqtt.resume()
        else:
            self._mqtt.pause()

    def _connection(self, reason: str | None) -> None:
        self._say("broker", reason)
        self._listening.connection(reason is None)
        self._settler.connected(self._house.clock.now_ms() if reason is None else None)

    def _say(self, part: str, reason: str | None) -> None:
        if part == "broker":
            self._house.heard.set(reason is None)
        if reason is None:
            self._house.state.well(part)
        else:
            self._house.state.waiting(part, reason)


def main(argv: list[str]) -> int:
    """`pingan ingest --lane alarm|telemetry`."""
    parser = argparse.ArgumentParser(prog="pingan ingest", description="MQTT in, log out.")
    parser.add_argument("--lane", choices=(ALARM, TELEMETRY), required=True)
    lane = parser.parse_args(argv).lane
    try:
        settings = load(Settings)
    except SettingsError as error:
        sys.stderr.write(f"pingan ingest: {error}\n")
        return 2
    process.main(_run(settings, lane))
    return 0


async def _run(settings: Settings, lane: str) -> None:
    await House(settings, lane).run()
