"""A dispatch room at work: a real database, real phones, signed webhooks, and a clock that the test moves."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from fastapi import FastAPI, Request
from psycopg.types.json import Jsonb
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope
from starlette.types import Send as Sending

from device_sim.access import Access, Mqtt, PhoneEntry, TwilioAccount
from device_sim.neighbourhood import Neighbourhood, neighbourhood
from device_sim.server import Transports, serving
from dispatch import views
from dispatch.api import webhooks
from dispatch.channels import Channel, Send
from dispatch.channels.twilio import TwilioSettings, links
from dispatch.channels.twilio_sms.send import TwilioSms
from dispatch.channels.twilio_voice.send import TwilioVoice
from dispatch.desk import Desk
from dispatch.outbox import Outbox
from dispatch.sends import SendsTable
from dispatch.service import alarm_clock, intake, losses
from pingan import problem
from pingan.clock import DrivenClock
from pingan.database import Bell, Database, Listener
from pingan.messages import reported_alarm_id
from pingan.tasks import end
from tests.support import free_port

LINK_SECRET = "a secret of the tests, 32 characters"
SID, TOKEN, OURS = "AC" + "0" * 32, "a-token", "+867500000000"
LI, WANG, ZHAO = "+8613800000101", "+8613800000102", "+8613800000201"

REGISTER = """
insert into areas values ('44', '江门市', 'city', null), ('4401', '蓬江区', 'district', '44');
insert into homes (id, area, address, way_in, way_in_proven_on) values
    ('H001', '4401', '幸福路1号101', '门卫有钥匙', '2026-01-05'), ('H002', '4401', '幸福路2号', null, null);
insert into people (id, home, name) values ('P001', 'H001', '陈秀英'), ('P002', 'H002', '<script>');
insert into contacts (id, home, rank, name, relation, role, phone, language) values
    ('C1', 'H001', 1, '李梅', '女儿', 'family', '+8613800000101', 'zh'),
    ('C2', 'H001', 2, 'John Wang', 'neighbour', 'neighbour', '+8613800000102', 'en');
insert into responders (id, name, role, area, phone) values
    ('R1', '赵志愿', 'volunteer', '4401', '+8613800000201'), ('R2', 'off duty', 'volunteer', '4401', '+8613800000202');
update responders set consented_on = '2026-01-01', trained_on = '2026-01-01', on_duty = id <> 'R2';
insert into devices (id, home, kind, enrolled_at) values ('H001-button', 'H001', 'button', '2026-01-01Z');
-- A console that is live whatever the time.
insert into accounts (id, name, role, password_hash) values ('desk', '值班', 'operator', '-');
insert into consoles values ('00000000-0000-4000-8000-000000000001', 'desk', '2099-01-01Z', true, true);
"""


class Lamp:
    """The button's end of the device channel, kept for looking at."""

    repeatable = True

    def __init__(self) -> None:
        self.stages: list[tuple[str, str | None]] = []

    async def send(self, send: Send) -> None:
        self.stages.append((send.body["stage"], send.body.get("by")))

    async def find(self, send: Send) -> Sequence[str]:
        return ()


class Front:
    """What stands before the web process. `befalls`: what becomes of the next requests, one after the other: `cut` (it
    is heard, and the process dies before it has answered), or the answer of whoever finds nobody behind him.
    """

    def __init__(self, app: ASGIApp, transports: Transports) -> None:
        self._app, self._transports = app, transports
        self.befalls: list[Literal["cut", 502, 503]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Sending) -> None:
        if not self.befalls:
            return await self._app(scope, receive, send)
        befallen = self.befalls.pop(0)
        if befallen != "cut":
            return await PlainTextResponse("nobody is behind", befallen)(scope, receive, send)

        async def unheard(message: Message) -> None:
            """What is answered reaches nobody."""

        await self._app(scope, receive, unheard)
        assert self._transports.drop(Request(scope))
        await asyncio.sleep(0)  # the connection is lost before this is over
        return None


@dataclass
class Room:
    database: Database
    clock: DrivenClock
    desk: Desk
    neighbourhood: Neighbourhood
    settings: TwilioSettings
    lamp: Lamp
    channels: dict[str, Channel]
    bells: tuple[Bell, ...]
    tasks: dict[str, asyncio.Task[None]]
    front: Front

    def phone(self, number: str) -> Any:
        return self.neighbourhood.network.phones[number]

    def calls_to(self, number: str) -> list[Any]:
        return [call for call in self.neighbourhood.network.calls.values() if call.record.request.to == number]

    def pass_seconds(self, seconds: float) -> None:
        """Move the clock, and let everybody look."""
        self.clock.advance(self.clock.now_ms() + round(seconds * 1000))
        for bell in self.bells:
            bell.ring()

    async def press(
        self, event: str = "e1", kind: str = "sos", device: str = "H001-button", home: Any = "H001"
    ) -> UUID:
        """A press, as alerting hands it over."""
        alarm = reported_alarm_id(device, event)
        await self.raise_alarm(alarm, kind, device, home, {"source": "reported", "event": event})
        return alarm

    async def raise_alarm(self, alarm: UUID, kind: str, device: str, home: Any, evidence: dict[str, Any]) -> None:
        now = self.clock.now()
        async with self.database.connection() as connection:
            await connection.execute(
                "insert into alarms (id, kind, home, device, at, received_at, raised_at, test, evidence)"
                " values (%s, %s, %s, %s, %s, %s, %s, false, %s) on conflict do nothing",
                (alarm, kind, home, device, now - timedelta(seconds=1), now, now, Jsonb(evidence)),
            )

    async def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        async with self.database.connection() as connection:
            return await (await connection.execute(query, parameters)).fetchall()

    async def incidents(self) -> list[dict[str, Any]]:
        async with self.database.connection() as connection:
            return await views.board(connection)

    async def incident(self, incident_id: int) -> dict[str, Any]:
        async with self.database.connection() as connection:
            found = await views.incident(connection, incident_id, self.clock.now())
        assert found is not None
        return found

    async def the_incident(self) -> dict[str, Any] | None:
        rows = await self.incidents()
        return rows[0] if rows else None

    def start(self, name: str = "dispatch-1") -> None:
        """Start the three loops, as `pingan dispatch` does."""
        alarms, changes, sends, silences = self.bells
        outbox = Outbox(SendsTable(self.database), self.clock, self.desk, self.channels, name)
        loops: dict[str, Callable[[], Any]] = {
            "intake": lambda: intake(self.desk, self.clock, alarms),
            "losses": lambda: losses(self.desk, silences),
            "alarm clock": lambda: alarm_clock(self.desk, self.clock, changes),
            "outbox": lambda: outbox.run(sends),
        }
        self.tasks.update({loop: asyncio.create_task(run()) for loop, run in loops.items()})

    async def stop(self) -> None:
        await end(self.tasks.values())
        self.tasks.clear()


@contextlib.asynccontextmanager
async def room(database: Database, clock: DrivenClock, desk_phone: str | None = None) -> AsyncIterator[Room]:
    simulator, webhook_port = f"http://127.0.0.1:{free_port()}", free_port()
    people = {LI: "李梅", WANG: "John Wang", ZHAO: "赵志愿"}
    access = Access(
        mqtt=Mqtt("127.0.0.1", free_port()),
        phones=tuple(PhoneEntry(number, name, "H001", "family") for number, name in people.items()),
        twilio=TwilioAccount(simulator, SID, TOKEN, OURS),
        simulator=simulator,
    )
    settings = TwilioSettings(
        twilio_account_sid=SID,
        twilio_auth_token=TOKEN,
        twilio_from=OURS,
        twilio_base_url=simulator,
        public_url=f"http://127.0.0.1:{webhook_port}",
        desk_phone=desk_phone,
        link_secret=LINK_SECRET,
    )
    async with database.connection() as connection:
        await connection.execute(REGISTER)
    desk, lamp = Desk(database, clock), Lamp()
    app = FastAPI()
    problem.install(app)
    app.include_router(webhooks.router(database, clock, desk, settings))
    listener = Listener(database)
    bells = (listener.bell("alarm"), listener.bell("incident"), listener.bell("outbox"), listener.bell("alarm"))
    listening = asyncio.create_task(listener.run())
    transports = Transports()
    front = Front(app, transports)
    async with serving(front, webhook_port, transports), neighbourhood(access, pace=0.02) as running:
        channels: dict[str, Channel] = {
            "device": lamp,
            "twilio_voice": TwilioVoice(settings),
            "twilio_sms": TwilioSms(settings, links(settings)),
        }
        running.network.voice_webhook = f"{settings.public_url}/webhooks/twilio/in/voice"
        running.network.sms_webhook = f"{settings.public_url}/webhooks/twilio/in/sms"
        this = Room(database, clock, desk, running, settings, lamp, channels, bells, {}, front)
        this.start()
        try:
            yield this
        finally:
            await this.stop()
            await end([listening])
