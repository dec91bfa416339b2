"""A world: homes, people, a desk, a provider of telephone calls and our processes, under one seed and in no time.

Ours are the real intake, alarm clock, outbox, deciding, following, policies and journal. They meet in what is kept in
memory. First faults, then calm.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import msgspec
import psycopg

from dispatch import books
from dispatch import incident as core
from dispatch.acting import Act
from dispatch.book import faults as book_faults
from dispatch.bridging import Bridging
from dispatch.channels import Channel, Refused, Send, TryAgain, Unclear
from dispatch.desk import HEARD_ALREADY, Desk
from dispatch.following import BRIDGE, going, next_telephone
from dispatch.grouping import LEAST
from dispatch.incident import DESK, Bridged, Decision, Event, Helper, Incident, State
from dispatch.outbox import NAP_SECONDS, UNCLEAR_SECONDS, Outbox
from dispatch.sends import Outcome
from dispatch.service import alarm_clock, intake, losses
from pingan.database import LOST, Bell, Database
from tests.simulation.lines import Register
from tests.simulation.loop import NOON, NothingLeft, VirtualLoop, WorldClock
from tests.simulation.losses import AREA, WholeDesk
from tests.simulation.memory import Alarm, Kept, MemorySends, Table
from tests.simulation.plan import TOGETHER_SECONDS, Fault, Habit, Plan
from tests.simulation.promises import Broken, Judge, Trouble

BOUND_SECONDS = 3 * 3600.0
"""So long after the last fault every incident is closed by a person: a helper who vanishes is noticed after a policy's
longest promise, and the next after another."""

LOOK_SECONDS = 20.0
RING_SECONDS = 35.0
UNREACHED_SECONDS = 60.0
"""So long after its deadline it is known what became of a call."""
PAUSED = 0.25
"""Of how many steps another process gets between."""
PAUSE_SECONDS = 0.03

GIVES_UP = 3
"""Who has answered an incident so often, and nobody came, sends an ambulance."""

LINES_MAX = 3
"""So often an operator dials for one incident, be it at once again."""

SHIPPED = books.shipped()


@dataclass(frozen=True)
class Parts:
    """What a world is made of. A planted fault is another part."""

    desk: type[WholeDesk] = WholeDesk
    table: type[Table] = Table
    sends: type[MemorySends] = MemorySends
    outbox: type[Outbox] = Outbox
    bridging: type[Bridging] = Bridging
    register: type[Register] = Register


class Dead(asyncio.CancelledError):
    """This process is no more."""


@dataclass
class Call:
    """What the provider has taken."""

    id: str
    send: int
    address: str
    at: datetime
    text: tuple[str, int | None]


class Life:
    """One process from its start to its end: what it does next, and when it dies between two steps."""

    def __init__(self, world: "World", name: str) -> None:
        self.world, self.name = world, name
        self.alive, self.blind, self.steps_left = True, False, -1
        self.offset = world.offset
        self.clock = WorldClock(world.loop, world.offset)
        self.desk = world.parts.desk(world.kept, world.table, self.clock, self, _Seen(world, self))
        self.sends = world.parts.sends(world.table, self)
        register = world.parts.register(world.kept, world.table, self)
        self.bridging = world.parts.bridging(cast(Database, register), self.clock, cast(Desk, self.desk), None)
        self.bells: dict[str, IdleBell] = {}
        self.tasks: list[asyncio.Task[Any]] = []

    def run(self) -> None:
        """As `pingan dispatch` does."""
        channels = {name: Line(self, name) for name in ("device", "twilio_voice", "twilio_sms")}
        outbox = self.world.parts.outbox(
            self.sends, self.clock, self.desk, cast("dict[str, Channel]", channels), self.name
        )
        bells = self.bells = {
            "alarm": IdleBell(self, self._alarms), "losses": IdleBell(self, self.desk.soonest_loss),
            "incident": IdleBell(self, self._deadlines),
            "outbox": IdleBell(self, self._sends), "dialling": IdleBell(self, self._unclear, NAP_SECONDS),
        }  # fmt: skip
        desk = cast(Desk, self.desk)
        self._task(intake(desk, self.clock, cast(Bell, bells["alarm"])))
        self._task(losses(desk, cast(Bell, bells["losses"])))
        self._task(alarm_clock(desk, self.clock, cast(Bell, bells["incident"])))
        self._task(self._sending(outbox, bells["outbox"]))
        self._task(self._recovering(outbox, bells["dialling"]))

    def _task(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.world.loop.create_task(work)
        task.add_done_callback(self._ended)
        self.tasks.append(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if self.alive and not task.cancelled():
            self.world.judge.fail("no loop ends", f"{self.name}: {task.exception()!r}")

    async def _sending(self, outbox: Outbox, bell: "IdleBell") -> None:
        while True:
            try:
                while await outbox.send_due():
                    pass
            except LOST:
                pass
            await bell.wait(NAP_SECONDS)

    async def _recovering(self, outbox: Outbox, bell: "IdleBell") -> None:
        while True:
            with contextlib.suppress(*LOST):
                await outbox.recover()
            await bell.wait(NAP_SECONDS)

    def die(self) -> None:
        self.alive = False
        for task in self.tasks:
            task.cancel()
        for bell in self.bells.values():
            bell.world = None

    # The gate before and after each transaction.

    async def enter(self) -> None:
        self.step()
        chance = self.world.chance
        if chance.random() < PAUSED:
            await asyncio.sleep(chance.random() * PAUSE_SECONDS)
            self.step()
        if self.blind:
            raise psycopg.OperationalError("the database is away")

    async def leave(self, *changed: str) -> None:
        self.world.changed(*changed)
        self.step()
        chance = self.world.chance
        if chance.random() < PAUSED:
            await asyncio.sleep(chance.random() * PAUSE_SECONDS)
            self.step()
        if self.blind:  # it was committed, and nobody has told us
            raise psycopg.OperationalError("the database went away")

    def step(self) -> None:
        if self.steps_left > 0:
            self.steps_left -= 1
            if self.steps_left == 0:
                self.world.say(f"{self.name} dies between two steps")
                self.world.ends(self)
        if not self.alive:
            raise Dead

    # What each loop would find next: nobody looks at nothing every half second.

    def _alarms(self) -> float | None:
        alarms = self.world.kept.alarms.values()
        return 0.0 if any(alarm.waits and not alarm.held for alarm in alarms) else None

    def _deadlines(self) -> float | None:
        return self._until(self.desk.next_due())

    def _sends(self) -> float | None:
        return self._until(
            min((r["due_at"] for r in self.world.table.begun.values() if r["state"] == "waiting"), default=None)
        )

    def _unclear(self) -> float | None:
        begun: list[datetime] = [
            row["dialled_at"] for row in self.world.table.begun.values() if row["state"] == "dialling"
        ]
        if not begun:
            return None
        now = self.clock.now()
        if max(begun) > now:  # the clock was put back
            return 0.0
        return (min(begun) - now).total_seconds() + UNCLEAR_SECONDS

    def _until(self, at: datetime | None) -> float | None:
        return (at - self.clock.now()).total_seconds() if at else None


class _Seen:
    """Shows each transaction to who looks on."""

    def __init__(self, world: "World", life: Life) -> None:
        self._world, self._life = world, life

    def acted(
        self, incident: int, events: Sequence[Event], acts: Sequence[Act], added: tuple[int, int], now: datetime
    ) -> None:
        world = self._world
        if world.story is not None:
            what = type(events[-1]).__name__ if events else "Alarm"
            after = acts[-1].decision.incident
            wakes = f", wakes {after.wake_at:%H:%M:%S}" if after.wake_at else ""
            asked = "".join(f", asks {ask.person.name}" for ask in acts[-1].decision.asks)
            told = f"{what} → {acts[-1].decision.name}: {after.state}{wakes}{asked}"
            world.say(f"{self._life.name}: incident {incident}: {told}")
        world.judge.acted(incident, events, acts, added, now, self._life.offset)
        if not acts[-1].decision.refused:
            world.people_see(incident)


class IdleBell:
    """A bell that wakes whoever waits as the real one does, but only when there may be something to do.

    What a loop finds that is woken for nothing changes nothing, and was half of what the worlds did.
    """

    def __init__(self, life: Life, next_one: Callable[[], float | None], least_seconds: float = 0.0) -> None:
        """`next_one`: in how many seconds there is something to do. `least_seconds`: a ring wakes nobody sooner."""
        self.world: World | None = life.world
        self._next, self._least, self._rung = next_one, least_seconds, False
        self._waiting: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def ring(self, _payload: str | None = None) -> None:
        if self._waiting is None:
            self._rung = True
        else:
            self._set(self._least)

    def _set(self, least: float) -> None:
        until = self._next()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if until is None or self.world is None:
            return
        if max(until, least) > 0:
            self._timer = self.world.loop.call_later(max(until, least), self._wake)
        else:
            self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def wait(self, seconds: float) -> None:
        if self.world is None:
            return await asyncio.sleep(0)
        self._waiting = self.world.loop.create_future()
        self._set(self._least if self._rung else min(seconds, NAP_SECONDS))
        self._rung = False
        try:
            await self._waiting
        finally:
            self._waiting = None
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        return None


class Line:
    """One channel of one process: the provider as it is at this moment."""

    def __init__(self, life: Life, name: str) -> None:
        self._life, self._world, self._name = life, life.world, name
        self.repeatable = name == "device"

    async def send(self, send: Send) -> str | None:
        world, chance = self._world, self._world.chance
        self._life.step()
        world.judge.requested(send.id, self._life.clock.now())
        if self.repeatable:
            await asyncio.sleep(chance.random() * 0.1)
            if world.wrong("dead") and chance.random() < 0.3:
                raise Unclear("no word from the broker")
            return None
        await asyncio.sleep(0.02 + chance.random() * 0.3)
        self._life.step()
        if world.wrong("dead"):
            raise TryAgain("no connection to the provider")
        if world.wrong("busy"):
            raise TryAgain("the provider is busy (429)", seconds=2.0)
        if world.wrong("failing"):
            if chance.random() < 0.5:
                world.place(self._name, send)
            raise Unclear("the provider failed (500)")
        if world.wrong("hanging"):
            if chance.random() < 0.5:
                world.loop.call_later(chance.random() * 30, world.place, self._name, send)
            await asyncio.sleep(3600)
        if chance.random() < 0.01:
            raise Refused("the provider refuses: no such number (21211)")
        call = world.place(self._name, send)
        if world.wrong("doubtful") and chance.random() < 0.7:
            raise Unclear("the line was cut")
        return call.id

    async def find(self, send: Send) -> Sequence[str]:
        world, chance = self._world, self._world.chance
        self._life.step()
        await asyncio.sleep(0.02 + chance.random() * 0.3)
        self._life.step()
        if world.wrong("dead") or (world.wrong("busy") and chance.random() < 0.7):
            raise TryAgain("no connection to the provider")
        if world.wrong("failing") and chance.random() < 0.5:
            raise Unclear("the provider failed (500)")
        if world.wrong("hanging"):
            await asyncio.sleep(3600)
        since = send.dialled_at - timedelta(seconds=5 + self._life.offset)
        calls = world.placed.get((self._name, send.address), [])
        # A message is known by its text, too; a call by number and time alone.
        text = (send.purpose, send.incident)
        return [call.id for call in calls if call.at >= since and (self._name == "twilio_voice" or call.text == text)]


class World:
    """One run of one plan."""

    def __init__(self, plan: Plan, parts: Parts | None = None, story: list[str] | None = None) -> None:
        self.plan, self.parts, self.story = plan, parts or Parts(), story
        self.loop = VirtualLoop()
        self.chance = random.Random(plan.seed ^ 0x5EED)
        self.offset = 0.0
        self.faults: dict[str, int] = {}
        self.placed: dict[tuple[str, str], list[Call]] = {}
        self.homes = {home.id: home for home in plan.homes}
        self.habits: dict[str, Habit] = {person.id: habit for home in plan.homes for person, habit in home.people}
        self.kept = Kept(
            people={None: (), **{home.id: tuple(person for person, _ in home.people) for home in plan.homes}},
            homes={
                home.id: {
                    "id": home.id,
                    "person": home.id,
                    "address": "幸福路1号",
                    "phone": home.phone,
                    "way_in": None,
                    "timezone": "Asia/Shanghai",
                    "shared": home.shared,
                }
                for home in plan.homes
            },
            book=SHIPPED,
        )
        self.kept.homes[None] = {}
        self.table = self.parts.table(self.kept.incidents)
        self.trouble = Trouble()
        self.judge = Judge(self.kept, self.table, self.loop.time, self.trouble)
        self.loop.unheard = lambda what: self.judge.fail("no error is logged", what)
        self.table.claimed = self.judge.claimed
        self.lives: list[Life] = []
        self.web = Life(self, "web")
        self.going: set[tuple[str, int]] = set()
        self.looking: set[int] = set()
        self.answers: dict[int, int] = {}
        self.dialled: dict[int, int] = {}
        self._calls = 0

    @property
    def calm(self) -> bool:
        return self.loop.time() >= self.plan.calm_at

    def say(self, text: str) -> None:
        if self.story is not None:
            self.story.append(f"{NOON + timedelta(seconds=self.loop.time()):%H:%M:%S.%f}"[:-3] + f" {text}")

    def wrong(self, kind: str) -> bool:
        return bool(self.faults.get(kind))

    def run(self) -> Broken | None:
        """Live it to its end; the promise that was broken, or None."""
        watch = _Errors(self)
        logger = logging.getLogger("dispatch")
        logger.addHandler(watch)
        disabled, propagates = logging.root.manager.disable, logger.propagate
        logging.disable(logging.WARNING)
        logger.propagate = False
        try:
            self.loop.run_until_complete(self._live())
        except NothingLeft:
            self.judge.fail("in calm every incident is closed", "everybody waits for nothing")
        finally:
            logging.disable(disabled)
            logger.propagate = propagates
            logger.removeHandler(watch)
            self._bury()
        return self.judge.broken

    def _bury(self) -> None:
        for life in self.lives:
            life.die()
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        self.loop.unheard = lambda _what: None
        if left:
            self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self.loop.close()

    async def _live(self) -> None:
        for number in range(self.plan.processes):
            self.starts(f"dispatch-{number + 1}")
        for home in self.plan.homes:
            for number, (at, kind) in enumerate(home.presses):
                self.loop.call_later(at, self.press, home.id, kind, f"{home.id}-e{number}")
        for number, at in enumerate(self.plan.strangers):
            self.loop.call_later(at, self.press, None, "sos", f"stranger-{number}")
        for fault in self.plan.faults:
            self.loop.call_later(fault.at, self._goes_wrong, fault)
        for begin, end in self.plan.absent:
            self.loop.call_later(max(0.0, begin), self._leaves)
            self.loop.call_later(max(0.0, end), self._comes_back)
        self._plan_outage()
        self.loop.call_later(self.plan.calm_at, self._calm)
        # Whatever breaks is seen at the next look; a world that is broken does not go on.
        while self.judge.broken is None:
            await asyncio.sleep(LOOK_SECONDS)
            self.judge.look()
            if self.calm and self.judge.calm(self.plan.calm_at, BOUND_SECONDS) and not self._begun():
                break
        self.judge.end()
        self.judge.together(self._fell_together())

    def _fell_together(self) -> list[str]:
        """The alarms of a place that fell silent at once, by every clock."""
        begins = [begin for begin, _ in self.plan.outage.silent] if self.plan.outage else []
        jumps = any(fault.kind in ("clock_ahead", "clock_behind") for fault in self.plan.faults)
        if len(begins) < LEAST or max(begins) - min(begins) > TOGETHER_SECONDS or jumps:
            return []
        return [f"V{number}-lost" for number in range(len(begins))]

    def _begun(self) -> bool:
        """Whether somebody is still being reached: that comes to its end by itself."""
        late = self.web.clock.now() - timedelta(seconds=UNREACHED_SECONDS)
        return any(row["deadline_at"] > late for row in self.table.begun.values())

    # Processes.

    def starts(self, name: str) -> None:
        life = Life(self, name)
        self.lives.append(life)
        life.run()
        self._health()

    def ends(self, life: Life) -> None:
        """It dies, and starts again a little later."""
        if not life.alive:
            return
        life.die()
        self.lives.remove(life)
        self._health()
        wait = 0.1 if self.calm else 0.3 + self.chance.random() * 8
        self.loop.call_later(wait, self.starts, life.name)

    def changed(self, *what: str) -> None:
        """It has been committed: everybody hears it, or looks within half a second."""
        deaf = self.wrong("rings_lost")
        for bell in [life.bells[one] for life in self.lives for one in what]:
            if deaf:
                self.loop.call_later(self.chance.random() * NAP_SECONDS, bell.ring)
            else:
                bell.ring()

    def _health(self) -> None:
        if any(life.alive and not life.blind for life in self.lives):
            self.trouble.ends(self.loop.time())
        else:
            self.trouble.begins(self.loop.time())

    # Faults.

    def _goes_wrong(self, fault: Fault) -> None:
        self.say(f"FAULT {fault.kind} for {fault.seconds:.1f} s")
        if fault.kind == "crash":
            if self.lives:
                self.lives[fault.number % len(self.lives)].steps_left = 1 + fault.number // 2
        elif fault.kind in ("crash_all", "clock_ahead", "clock_behind"):
            jump = {"crash_all": 0.0, "clock_ahead": 3600.0, "clock_behind": -3600.0}[fault.kind]
            self.offset += jump
            self.web.alive = False
            self.web = Life(self, "web")
            if jump < 0:
                self.trouble.jump(self.loop.time(), -jump)
            for life in list(self.lives):
                self.ends(life)
        elif fault.kind == "blind":
            hit = self.lives if fault.number % 2 else self.lives[:1]
            for life in [*hit, self.web]:
                life.blind = True
                self.loop.call_later(fault.seconds, self._sees_again, life)
            self._health()
        elif fault.kind == "edited":
            self._edit(fault.number)
        else:
            self.faults[fault.kind] = self.faults.get(fault.kind, 0) + 1
            self.loop.call_later(fault.seconds, self._is_over, fault.kind)

    def _sees_again(self, life: Life) -> None:
        life.blind = False
        self._health()

    def _is_over(self, kind: str) -> None:
        self.faults[kind] = max(0, self.faults.get(kind, 0) - 1)

    def _edit(self, number: int) -> None:
        """An administrator saves another version of the book: other waits, fewer steps, everybody in turn."""
        policy = self.kept.book.policies["danger"]
        steps = list(policy.steps)
        edit = number % 4
        if edit == 0:
            steps = [msgspec.structs.replace(step, wait_seconds=10 + number) for step in steps]
        elif edit == 1:
            steps = steps[1:]
        elif edit == 2:
            steps = [steps[0], msgspec.structs.replace(steps[-1], many=1 + number % 2)]
        else:
            steps = steps[:2]
        version = self.kept.book.version + 1
        policies = {
            **self.kept.book.policies, "danger": msgspec.structs.replace(policy, version=version, steps=tuple(steps)),
        }  # fmt: skip
        edited = msgspec.structs.replace(self.kept.book, version=version, policies=policies)
        if not book_faults(edited):  # as the editor refuses it: a policy without steps, or one in which nobody is asked
            self.kept.book = edited

    def _calm(self) -> None:
        self.say("CALM")
        self.faults.clear()
        for life in [*self.lives, self.web]:
            life.blind, life.steps_left = False, -1
        self._health()
        self._comes_back()

    # Homes.

    def press(self, home: str | None, kind: str, event: str) -> None:
        """Somebody presses, or something is detected. It is kept, and acknowledged; a retry changes nothing."""
        at = self.loop.time()
        now = NOON + timedelta(seconds=at + self.offset)
        device = f"{home}-button" if home else f"tel:{event}"
        alarm = Alarm(event, kind, home, device, event if kind == "sos" and home else None, now, at)
        self.say(f"{home or 'somebody'}: {kind} ({event})")
        if kind == "fall" and self.chance.random() < 0.3:
            self._after(20 + self.chance.random() * 60, lambda: self._takes_back(event))
        self.kept.alarms.setdefault(event, alarm)
        self.changed("alarm")

    async def _takes_back(self, event: str) -> None:
        """Detection has seen somebody get up."""
        incident = self.kept.alarms[event].incident
        if incident is not None:
            await self._insists(incident, core.Withdrawn("fall", "got_up"))

    def _plan_outage(self) -> None:
        outage = self.plan.outage
        for number, (begin, lasts) in enumerate(outage.silent if outage else ()):
            home = f"V{number}"
            self.kept.homes[home], self.kept.people[home] = {"person": home, "area": AREA}, ()
            at = outage.at + begin if outage else 0.0
            self.loop.call_later(at, self._falls_silent, home, "heartbeat_lost", f"{home}-lost", None)
            self.loop.call_later(
                at + lasts, self._falls_silent, home, "device_restored", f"{home}-back", f"{home}-lost"
            )

    def _falls_silent(self, home: str, kind: str, name: str, restores: str | None) -> None:
        """Or is back."""
        at = self.loop.time()
        now = NOON + timedelta(seconds=at + self.offset)
        self.say(f"{home}: {kind}")
        self.kept.alarms[name] = Alarm(name, kind, home, f"{home}-hub", None, now, at, restores=restores)
        self.changed("alarm", "losses")

    # The provider.

    def place(self, channel: str, send: Send) -> Call:
        """It has taken a call or a message: a telephone rings."""
        self._calls += 1
        at = NOON + timedelta(seconds=self.loop.time())
        call = Call(f"{channel[7]}{self._calls}", send.id, send.address, at, (send.purpose, send.incident))
        self.placed.setdefault((channel, send.address), []).append(call)
        self.say(f"provider: {channel} to {send.name} ({send.purpose} of incident {send.incident}, send {send.id})")
        self.judge.placed(send.id)
        self._rings(channel, call, send)
        return call

    def _rings(self, channel: str, call: Call, send: Send) -> None:
        """What whoever is rung does, and what the provider tells us of it."""
        if send.purpose == "change":
            self._after(5 + self.chance.random() * 60, lambda: self._confirms(send))
            return
        if send.purpose == BRIDGE:
            self._rings_on_a_line(call, send)
            return
        habit = "accept" if self.calm and self.chance.random() < 0.8 else self.habits.get(send.recipient, "accept")
        if channel == "twilio_sms":
            self._word(1.0, call, "delivered")
            if habit == "text":
                self._after(30 + self.chance.random() * 270, lambda: self._accepts(call, send, habit))
            return
        self._word(0.5 + self.chance.random(), call, "sent")
        takes = 4 + self.chance.random() * 20
        if habit in ("accept", "resigns", "vanishes"):
            self._callback(takes, lambda: self._key(call, send, "1", habit))
        elif habit == "decline":
            self._callback(takes, lambda: self._key(call, send, "2", habit))
        elif habit == "busy":
            self._word(1.5, call, "unanswered", "busy")
        else:
            if habit == "late":
                self._after(40 + self.chance.random() * 200, lambda: self._accepts(call, send, habit))
            self._word(RING_SECONDS + 1, call, "unanswered", "voicemail" if habit == "voicemail" else "no-answer")

    def _rings_on_a_line(self, call: Call, send: Send) -> None:
        takes = 3 + self.chance.random() * 12
        if send.recipient == DESK and self.chance.random() < 0.7:
            self._callback(takes, lambda: self._takes_the_line(call))
        elif send.recipient != DESK and self.homes[str(send.body["person"])].speaks:
            self._callback(takes, lambda: self._joins(call, send))
        else:
            self._word(RING_SECONDS, call, "unanswered", "no-answer")

    async def _takes_the_line(self, call: Call) -> None:
        """An operator presses the key that says that they are there."""
        row = self.table.rows[call.send]
        self.judge.lines.taken(row)
        await self.web.bridging.ring(row, f"voice/{call.id}/1")
        now = self.web.clock.now()
        await self.web.sends.progress(call.send, Outcome("answered", "key_connected", call.id, None, now))

    async def _joins(self, call: Call, send: Send) -> None:
        joined, now = Bridged("joined", send.recipient, send.name), self.web.clock.now()
        await self.web.desk.act(cast(int, send.incident), joined, once=f"conference/{call.id}")
        await self.web.sends.progress(call.send, Outcome("answered", "completed", call.id, None, now))

    def _word(self, seconds: float, call: Call, state: str, result: str = "") -> None:
        """A status callback."""
        self._callback(seconds, lambda: self._status(call, state, result))

    def _callback(self, seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if self.wrong("callbacks_lost") and self.chance.random() < 0.5:
            return
        if self.wrong("callbacks_late"):
            seconds += self.chance.random() * 120
        self._after(seconds, work)
        if self.wrong("callbacks_twice"):
            self._after(seconds + self.chance.random() * 20, work)

    def _after(self, seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.loop.call_later(seconds, lambda: self.loop.create_task(self._does(work())))

    async def _does(self, work: Coroutine[Any, Any, None]) -> None:
        """Somebody acts, and is told that they were not heard when they were not."""
        try:
            await work
        except (*LOST, Dead):
            pass
        except Exception as error:
            self.judge.fail("nobody's act ends in an error", repr(error))

    async def _status(self, call: Call, state: str, result: str) -> None:
        row, now = self.table.rows[call.send], self.web.clock.now()
        if (
            await self.web.sends.progress(call.send, Outcome(state, result, call.id, None, now))
            and state == "unanswered"
        ):
            unreached = core.Unreached(row["recipient"], f"{row['channel']}: {result}")
            await self.web.desk.act(row["incident"], unreached, send=next_telephone(row, now))
            self.judge.lines.missed(row)

    async def _key(self, call: Call, send: Send, digit: str, habit: Habit) -> None:
        incident = cast(int, send.incident)
        if self.kept.incidents[incident].state is State.CLOSED:
            return
        now = self.web.clock.now()
        await self.web.sends.progress(call.send, Outcome("answered", f"key_{digit}", call.id, None, now))
        if digit == "2":
            await self.web.desk.act(incident, core.Decline(send.recipient))
        else:
            await self._accepts(call, send, habit)

    async def _accepts(self, call: Call, send: Send, habit: Habit) -> None:
        incident, helper = cast(int, send.incident), Helper(send.recipient, send.name, "family")
        accept = core.Accept(helper, send.body.get("home"))
        decision = await self.web.desk.act(incident, accept, once=f"{call.id}/1")
        believed = not decision.refused and any(one.id == helper.id for one in going(decision.incident))
        if believed and decision.name != HEARD_ALREADY:
            self.judge.telling.comes(incident, send.body["person"], helper.id)
        if believed and (helper.id, incident) not in self.going:
            self.going.add((helper.id, incident))
            await self._goes(incident, helper, habit)

    async def _confirms(self, send: Send) -> None:
        await self._insists(cast(int, send.incident), core.Confirmed(send.recipient, send.body["number"]))

    async def _goes(self, incident: int, helper: Helper, habit: Habit) -> None:
        """What becomes of somebody who has said that they come."""
        chance = self.chance
        await asyncio.sleep(10 + chance.random() * 50)
        if habit == "vanishes" and not self.calm:
            self.going.discard((helper.id, incident))
            return
        if habit == "resigns" and not self.calm:
            await asyncio.sleep(chance.random() * 200)
            self.going.discard((helper.id, incident))
            await self._insists(incident, core.Resigned(helper.id, "cannot come"))
            return
        if chance.random() < 0.7:
            eta = self.web.clock.now() + timedelta(minutes=chance.randint(1, 20))
            await self._insists(incident, core.Moving(Helper(helper.id, helper.name, helper.role, eta)))
        await asyncio.sleep(60 + chance.random() * (240 if self.calm else 900))
        if chance.random() < 0.15:
            await self._insists(incident, core.Proven(helper, "code"))
        else:
            await self._insists(incident, core.OnScene(helper, helper.name))
        if chance.random() < 0.3:
            self.press(
                self.kept.incidents[incident].home, "sos", f"there-{incident}-{helper.id}-{len(self.kept.alarms)}"
            )
        if chance.random() < 0.2:  # nobody has pressed in time, or it is not known whether they have
            await asyncio.sleep(30)
            await self._insists(incident, core.OnScene(helper, helper.name))
        if chance.random() < 0.3 and not self.calm:
            await asyncio.sleep(chance.random() * 60)
            await self._insists(incident, core.MoreHelp(helper.name))
        await asyncio.sleep(60 + chance.random() * 400)
        if self.calm or chance.random() < 0.8:
            await self._insists(incident, core.Safe(helper.name))
        self.going.discard((helper.id, incident))

    async def _insists(self, incident: int, event: Event) -> Decision:
        """Press again on one's page until it says that it was heard."""
        while True:
            try:
                return await self.web.desk.act(incident, event)
            except (*LOST, Dead):
                await asyncio.sleep(5)

    # The desk.

    def _leaves(self) -> None:
        self.say("nobody is at the desk")
        self.kept.manned = False

    def _comes_back(self) -> None:
        self.say("somebody is at the desk")
        self.kept.manned = True
        for incident, one in self.kept.incidents.items():
            if one.state is not State.CLOSED:
                self.people_see(incident)

    def people_see(self, incident: int) -> None:
        """An incident has changed on the screens."""
        if not self.kept.manned or incident in self.looking or self.kept.incidents[incident].state is State.CLOSED:
            return
        self.looking.add(incident)
        self._after(0.3 + self.chance.random() * 1.2, lambda: self._attends(incident))

    async def _attends(self, incident: int) -> None:
        try:
            if self.kept.manned and await self._attend(incident):
                self.loop.call_soon(self.people_see, incident)
        except (*LOST, Dead):  # their page says that it was not heard: they try again
            self.loop.call_later(5, self.people_see, incident)
        finally:
            self.looking.discard(incident)

    async def _attend(self, number: int) -> bool:
        """One thing that an operator does, having seen the incident; whether they go on with it."""
        chance, act = self.chance, self.web.desk.act
        seen = self.kept.incidents[number]
        if "t2" not in seen.stamps:
            await act(number, core.Shown("console"))
        await asyncio.sleep(2 + chance.random() * 15)
        if not self.kept.manned or (not self.calm and chance.random() < 0.2):
            return False
        seen = self.kept.incidents[number]
        if seen.state is State.CLOSED:
            return False
        if seen.ringing:
            self.answers[number] = self.answers.get(number, 0) + 1
            return not (await act(number, core.Answer("op", "陈"))).refused
        if not seen.danger or seen.state is State.SAFE or self.answers.get(number, 0) >= GIVES_UP:
            return await self._closes(number, seen)
        place = self.kept.homes[seen.home]
        if place.get("phone") and self.dialled.get(number, 0) < LINES_MAX and chance.random() < 0.3:
            self.dialled[number] = self.dialled.get(number, 0) + 1
            await self.web.bridging.ask(
                number, "op", "陈", with_helper=seen.helper is not None and chance.random() < 0.5
            )
            return True
        if seen.contact is None and seen.state is State.ANSWERED:
            await asyncio.sleep(5 + chance.random() * 30)
            speaks = seen.home is not None and self.homes[seen.home].speaks
            await act(number, core.Contact("op", "陈") if speaks else core.NoContact("op", "陈"))
            return True
        if seen.home is None and chance.random() < 0.8:
            home = chance.choice(self.plan.homes).id
            if not (await self.web.desk.identify(number, home, "op", "陈")).refused:
                return True
        if seen.named_by and not seen.own and chance.random() < 0.5:  # it was taken for another's
            home = chance.choice(self.plan.homes).id
            if home != seen.home and not (await self.web.desk.identify(number, home, "op", "陈")).refused:
                return True
        if seen.helper is None and not seen.calling and seen.danger:
            people = self.kept.people[seen.home]
            if people and chance.random() < 0.5:
                await act(number, core.Assign("op", "陈", chance.choice(people).id))
                return True
            if seen.contact == "made" or not people:
                return await self._closes(number, seen)
        if chance.random() < 0.1:
            await act(number, core.Changed("陈", "the door is open"))
        return False

    async def _closes(self, number: int, seen: Incident) -> bool:
        outcome = "responder_attended" if seen.state is State.SAFE else "ambulance"
        careless = not self.calm and self.chance.random() < 0.3
        positive = "services_on_scene" if seen.contact == "none" and not careless else ""
        as_of = seen.version - (1 if not self.calm and self.chance.random() < 0.1 else 0)
        await asyncio.sleep(self.chance.random() * 10)
        close = core.Close(
            "op", "陈", "sos", outcome, as_of, reason="" if careless else "it took long", positive=positive
        )
        return (await self.web.desk.act(number, close)).refused


class _Errors(logging.Handler):
    """Leaving a world fails on any error logged."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.ERROR)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else ""
        self._world.judge.fail("no error is logged", f"{record.getMessage()} {error!r}")
