"""A neighbourhood in one process: every device of an access file living in real time, and everybody's phones."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from zlib import crc32

import msgspec

from device_sim.access import Access, AccessError
from device_sim.access import Device as DeviceEntry
from device_sim.access import Gateway as GatewayEntry
from device_sim.control import control_router
from device_sim.phone.network import Network
from device_sim.phone.people import Habit, Phone
from device_sim.phone.routes import twilio_router
from device_sim.server import LOOPBACK, Transports, bare_app, serving
from device_sim.weather import CLIMATES, FAIR, Weather
from device_sim.wire.button import Button
from device_sim.wire.device import Device
from device_sim.wire.gateway import Gateway, gateway_of
from device_sim.wire.hub import Hub
from device_sim.wire.press import RetryPlan
from device_sim.wire.watch import Watch

REPORT_SECONDS = 2.0

AGAIN = "#ct=2000&rt=7000&rc=1&rp=all"
"""Behind the webhooks of a number, as docs/telephone.md tells whoever sets one up."""

log = logging.getLogger(__name__)


@dataclass
class SimulatedHome:
    """A home and its devices."""

    id: str
    person: str
    language: str
    area: str = ""
    buttons: list[Button] = field(default_factory=list)
    hubs: list[Hub] = field(default_factory=list)
    watches: list[Watch] = field(default_factory=list)

    @property
    def devices(self) -> list[Device]:
        return [*self.buttons, *self.hubs, *self.watches]


class Neighbourhood:
    """The homes of an access file and the telephone network. `pace` scales the network's lengths, for tests."""

    def __init__(
        self,
        access: Access,
        *,
        plan: RetryPlan | None = None,
        climate: str = "fair",
        pace: float = 1.0,
        phones_only: bool = False,
    ) -> None:
        self._access = access
        self._plan = plan
        self._climate = CLIMATES[climate]
        self.homes: dict[str, SimulatedHome] = {}
        self.network = _network(access, pace)
        self._seeds = {home.id: home.seed for home in access.homes}
        people = {home.id: home for home in access.homes}
        for entry in () if phones_only else access.devices:
            if entry.home is None:
                continue
            known = people.get(entry.home)
            home = self.homes.setdefault(
                entry.home,
                SimulatedHome(
                    entry.home,
                    known.person if known else "",
                    known.language if known else "zh",
                    known.area if known else "",
                ),
            )
            self._install(home, entry)
        self.gateways: list[Gateway] = []
        self.behind: dict[str, tuple[Gateway, str]] = {}
        """Of each device behind a gateway, by its id in the register: its gateway, and what that calls it."""
        for one in () if phones_only else access.gateways:
            self._install_gateway(one)

    @property
    def devices(self) -> list[Device]:
        return [device for home in self.homes.values() for device in home.devices]

    def open(self) -> None:
        for device in self.devices:
            device.open()
        for gateway in self.gateways:
            gateway.open()

    async def close(self) -> None:
        await asyncio.gather(*(device.close() for device in self.devices))
        await asyncio.gather(*(gateway.close() for gateway in self.gateways))
        self.network.close()

    async def report(self) -> None:
        """Says how many devices are connected, whenever that has changed; runs until cancelled."""
        said = -1
        while True:
            connected = sum(device.connection.connected.is_set() for device in self.devices)
            if connected != said:
                said = connected
                log.info("%d of %d devices are connected", connected, len(self.devices))
            await asyncio.sleep(REPORT_SECONDS)

    def _install_gateway(self, entry: GatewayEntry) -> None:
        kinds = {device.address: device.kind for device in entry.devices}
        host, port = self._access.mqtt.host, self._access.mqtt.port
        gateway = gateway_of(entry.family, entry.id, entry.password, kinds, host=host, port=port)
        if gateway is None:
            log.warning("%s: there is no simulated gateway of %s", entry.id, entry.family)
            return
        self.gateways.append(gateway)
        self.behind |= {
            device.id: (gateway, device.address) for device in entry.devices if device.address in gateway.devices
        }

    def _install(self, home: SimulatedHome, entry: DeviceEntry) -> None:
        seed = self._seeds.get(home.id) or crc32(home.id.encode())
        loop = asyncio.get_running_loop()
        weather = None if self._climate is FAIR else Weather(f"{seed}:{entry.id}", self._climate, loop.time())
        host, port = self._access.mqtt.host, self._access.mqtt.port
        match entry.kind:
            case "button":
                button = Button(entry.id, entry.password, plan=self._plan, host=host, port=port, weather=weather)
                home.buttons.append(button)
            case "hub":
                home.hubs.append(Hub(entry.id, entry.password, seed=seed, host=host, port=port, weather=weather))
            case "watch":
                home.watches.append(Watch(entry.id, entry.password, seed=seed, host=host, port=port, weather=weather))
            case other:
                log.warning("%s: there is no simulated %s", entry.id, other)


def _network(access: Access, pace: float) -> Network:
    account = access.twilio
    network = Network(
        account_sid=account.account_sid if account else "",
        auth_token=account.auth_token if account else "",
        numbers=[account.from_number] if account else [],
        pace=pace,
        # As somebody has set them up for the platform's number.
        voice_webhook=f"{access.console}/webhooks/twilio/in/voice{AGAIN}" if access.console else "",
        sms_webhook=f"{access.console}/webhooks/twilio/in/sms{AGAIN}" if access.console else "",
    )
    for entry in access.phones:
        habit = msgspec.convert(entry.habit or {}, Habit)
        network.add(Phone(entry.number, entry.name, entry.home, entry.role, entry.language, habit))
    return network


@contextlib.asynccontextmanager
async def neighbourhood(
    access: Access,
    *,
    plan: RetryPlan | None = None,
    climate: str = "fair",
    pace: float = 1.0,
    phones_only: bool = False,
    listen: str = LOOPBACK,
) -> AsyncIterator[Neighbourhood]:
    """A running neighbourhood with its HTTP server at the access file's `simulator` address.

    `listen`: on which of this machine's addresses. AccessError when `simulator` is not one that is listened on,
    ServerError when its port is taken.
    """
    address = urlsplit(access.simulator)
    elsewhere = listen == LOOPBACK and address.hostname not in (LOOPBACK, "localhost")
    if elsewhere or address.hostname is None or address.port is None:
        raise AccessError(f"the simulator listens on {listen} only, not at {access.simulator}")
    running = Neighbourhood(access, plan=plan, climate=climate, pace=pace, phones_only=phones_only)
    transports, app = Transports(), bare_app(address.hostname)
    app.include_router(twilio_router(running.network, transports.drop))
    app.include_router(control_router(running))
    async with serving(app, address.port, transports, listen):
        log.info("the neighbourhood's page is at %s", access.simulator)
        running.open()
        reporting = asyncio.create_task(running.report())
        try:
            yield running
        finally:
            reporting.cancel()
            await running.close()


async def live(
    access: Access,
    *,
    climate: str = "fair",
    pace: float = 1.0,
    habit: Habit | None = None,
    phones_only: bool = False,
    listen: str = LOOPBACK,
) -> None:
    """Runs a neighbourhood, or only its telephone network (beside a replay), until SIGTERM or SIGINT.

    `habit` is everybody's, instead of what the access file says.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    async with neighbourhood(access, climate=climate, pace=pace, phones_only=phones_only, listen=listen) as running:
        for phone in running.network.phones.values() if habit else ():
            phone.habit = habit or phone.habit
        await stop.wait()
        log.info("the neighbourhood goes to sleep")
