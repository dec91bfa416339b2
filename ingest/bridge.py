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

from ingest import gateways
from ingest.announce import keep_announcing
from ingest.answers import Answers
from ingest.covering import Covering
from ingest.device_time import DeviceClocks
from ingest.driven import SIMULATOR, DrivenSteps, FollowedSteps
from ingest.floods import Floods
from ingest.hearing import keep_telling
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
GATEWAYS = f"{gateways.ROOT}+/#"
"""Heard whole by both: what is an alarm there only the payload tells."""

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
        self.hears = False
        self.log = self.process.log(LOGS[lane])
        # Only a driven clock has to know whether all of them are read: in the order in which entries go through them.
        self.logs = [self.process.log(name) for name in ("urgent", "readings")] if self.clock.driven else []
        bell = self.process.listener.bell("leases")
        self.leases = Leases(self.database, f"bridge/{lane}", settings.name, self.clock, 1, patience_seconds, bell)
        self._register_bell = self.process.listener.bell("register")
        self.homes_bell = self.process.listener.bell("register")
        self.clocks_bell = self.process.listener.bell("device_clocks")
        self.covering: Covering | None = None
        if lane == TELEMETRY:
            self.covering = Covering(self.database, self.clock, self.process.listener.bell("register"))

    async def run(self) -> None:
        """Until the process is told to stop."""
        await self.process.run(*self.parts())

    def parts(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """What has to run for as long as the process does."""
        parts = [self.leases.run, self.rejections.run, self._follow_register, self._take_turns]
        if not self.clock.driven:  # whose time stands still while nothing is heard
            parts.append(lambda: keep_telling(self.database, self.clock, self.lane, lambda: self.hears))
        return parts

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
        self.hears = False
        self.heard.set(0)
        metrics.hide(metrics.AREAS_DEAF)
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
                if self.covering is not None:
                    await self.covering.begin()
                return
            except LOST as error:
                log.debug("the register cannot be read: %s", error)
                await asyncio.sleep(0.3)

    async def _lost(self, epoch: int) -> None:
        while self.leases.held.get(0) == epoch:
            await self.leases.changed.wait()
            self.leases.changes()


class Line:
    """One connection to the broker, and the lane into which what comes on it goes."""

    def __init__(self, bridge: "Bridge", client_id: str, topics: list[str]) -> None:
        house = bridge.house
        settings, telemetry = house.settings, house.lane == TELEMETRY
        self.name = client_id
        self.mqtt = Mqtt(
            host=settings.mqtt_host,
            port=settings.mqtt_port,
            user=settings.mqtt_user,
            password=settings.mqtt_password,
            client_id=client_id,
            subscriptions=topics,
            on_message=bridge.heard,
            on_state=functools.partial(bridge.connection, self),
            before_connect=bridge.still_ours,
            manual_ack=True,
        )
        self.lane = Lane(
            house.log,
            InOrder() if telemetry else InTurn(),
            done=functools.partial(bridge.appended, self),
            flow=functools.partial(bridge.flow, self),
            trouble=functools.partial(bridge.say, "log", self.name),
            batch_messages=TELEMETRY_BATCH_MESSAGES if telemetry else ALARM_BATCH_MESSAGES,
            pace_seconds=TELEMETRY_PACE_SECONDS if telemetry and not house.clock.driven else 0.0,
        )


class Bridge:
    """One lane for as long as one lease lasts.

    The alarm lane hears gateways on a connection of its own, and appends what they report apart: all that they say
    comes there, and no native press stands behind it. On the driven clock one connection serves both, since the order
    of what it brings and of the clock's steps is all that tells what came before which.
    """

    def __init__(self, house: House, epoch: int) -> None:
        self.house, self._epoch = house, epoch
        self._troubles: dict[str, dict[str, str]] = {"broker": {}, "log": {}}
        """What is not well, by part of the process and by whom it concerns."""
        self._probe_topic = f"pingan/v1/{house.settings.mqtt_user}/up/probe"
        self._clock_topic = f"pingan/v1/{SIMULATOR}/up/clock"
        driven = house.clock.driven
        apart = house.lane == ALARM and not driven
        topics = self._topics()
        # What a session once subscribed to comes to it for ever: the two clocks have none in common.
        client = f"ingest-{house.lane}-driven" if driven else f"ingest-{house.lane}"
        self._line = Line(self, client, topics if apart else [*topics, GATEWAYS])
        self._lines = [self._line]
        self._answers: list[Mqtt] = []
        answer: Callable[[str, bytes], None] = self._line.mqtt.send
        if apart:
            self._lines.append(Line(self, f"{client}-gateways", [GATEWAYS]))
            answers = Answers(house.settings, client, self._line.mqtt.send)
            self._answers, answer = list(answers.lines), answers.send
        for line in self._lines:
            self._troubles["broker"][line.name] = "connecting to the broker"
        self._settler = Settler(house.register.find, house.register.behind, house.clocks, driven=driven)
        self._reception = Reception(
            house.clock,
            self._settler,
            self._line.lane,
            house.rejections,
            house.received,
            ack=self._line.mqtt.ack,
            answer=answer,
            covering=house.covering,
        )
        self._floods = Floods()
        self._gateways = self._hear_gateways(self._lines[-1])
        self._acknowledge_seconds = metrics.show(metrics.ACKNOWLEDGE_SECONDS).labels(house.lane)
        self._listening = Listening(
            house.clock,
            epoch,
            say=functools.partial(self._line.mqtt.send, self._probe_topic),
            deaf=functools.partial(self.say, "broker", "probe"),
        )
        self._steps = self._make_steps()

    def _topics(self) -> list[str]:
        topics = [f"pingan/v1/+/up/{channel}" for channel in CHANNELS[self.house.lane]]
        if self.house.clock.driven:
            topics.append(self._clock_topic)
        elif self.house.lane == TELEMETRY:
            topics.append(self._probe_topic)
        return topics

    def _hear_gateways(self, line: Line) -> gateways.Events | gateways.Readings:
        house, ack = self.house, line.mqtt.ack
        if house.lane == ALARM:
            return gateways.Events(house.clock, self._settler, line.lane, house.rejections, house.received, ack=ack)
        floods = None if house.clock.driven else self._floods
        return gateways.Readings(
            house.clock,
            self._settler,
            line.lane,
            house.rejections,
            house.received,
            floods,
            ack=ack,
            covering=house.covering,
        )

    def _make_steps(self) -> DrivenSteps | FollowedSteps | None:
        house, clock = self.house, self.house.clock
        if not isinstance(clock, DrivenClock):
            return None
        if house.covering is None:
            return FollowedSteps(house.database, house.lane, self._line.lane.idle)
        answer = functools.partial(self._line.mqtt.send, f"pingan/v1/{SIMULATOR}/down/clock")
        return DrivenSteps(
            house.database,
            clock,
            house.log,
            self._epoch,
            logs=house.logs,
            idle=self._line.lane.idle,
            answer=answer,
            told=house.covering.told,
            kept=house.covering.keep,
        )

    async def run(self) -> None:
        """Until cancelled. The broker keeps what was not acknowledged for whoever leads next."""
        house = self.house
        work = [part.run() for line in self._lines for part in (line.lane, line.mqtt)]
        work += [line.run() for line in self._answers]
        if self._steps is not None:
            work.append(self._steps.run())
        if house.lane == ALARM:
            work.append(keep_loading(house.database, house.clocks, house.clocks_bell))
        else:
            work.append(keep_announcing(house.database, house.log, house.homes_bell, house.settings.timezone))
            work.append(keep_saving(house.database, house.clocks, house.clock))
            if house.covering is not None:
                work.append(house.covering.run())
            if self._steps is None:
                work.append(self._listening.run())
        async with asyncio.TaskGroup() as group:
            for part in work:
                group.create_task(part)

    async def still_ours(self) -> bool:
        """Whoever took over while we slept has our connection; without this look we would take it back from them.

        While the database is away nobody can have taken over, and our place is kept.
        """
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self.house.leases.look()
        except (*LOST, TimeoutError):
            return True
        return self.house.leases.held.get(0) == self._epoch

    def heard(self, topic: str, payload: bytes, ticket: int, retained: bool) -> None:
        if topic.startswith(gateways.ROOT):
            self._gateways.hear(topic, payload, ticket, retained)
        elif topic == self._probe_topic:
            self._probe_came(payload, ticket)
        elif topic == self._clock_topic and self._steps is not None:
            self._steps.hear(payload, functools.partial(self._line.mqtt.ack, ticket))
        else:
            self._reception.hear(topic, payload, ticket)

    def _probe_came(self, payload: bytes, ticket: int) -> None:
        tick = self._listening.came(payload)
        if tick is None:
            self._line.mqtt.ack(ticket)
            return
        self._floods.probe_came_back()
        body = encode(tick if self.house.covering is None else self.house.covering.told(tick))
        records = [Record(partition, body) for partition in range(PARTITIONS)]
        self._line.lane.put("", Waiting(records, ticket, 0))

    def appended(self, line: Line, items: list[Waiting]) -> None:
        ack = line.mqtt.ack
        for item in items:
            ack(item.ticket)
        # Each press; of telemetry what waited longest in each append, since ten thousand a second would cost a percent.
        came = [item.came_at for item in items if item.came_at is not None]
        now = self.house.clock.monotonic()
        for came_at in came if self.house.lane == ALARM else came[:1]:
            self._acknowledge_seconds.observe(now - came_at)

    def flow(self, line: Line, on: bool) -> None:
        if on:
            line.mqtt.resume()
        else:
            line.mqtt.pause()

    def connection(self, line: Line, reason: str | None) -> None:
        self.say("broker", line.name, reason)
        if line is self._line:
            self._listening.connection(reason is None)
            self._settler.connected(self.house.clock.now_ms() if reason is None else None)
        if reason is not None and line is self._lines[-1]:
            self._gateways.interrupted()

    def say(self, part: str, whom: str, reason: str | None) -> None:
        troubles = self._troubles[part]
        if reason is None:
            troubles.pop(whom, None)
        else:
            troubles[whom] = reason
        if part == "log":
            # Not whenever more came than may wait: a flood that is large enough would free itself of every limit.
            self._floods.behind()
        if part == "broker":
            self.house.hears = not troubles
            self.house.heard.set(not troubles)
        if troubles:
            self.house.state.waiting(part, next(iter(troubles.values())))
        else:
            self.house.state.well(part)


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
