"""The broker under our configuration: who gets in, who may say what, and what a reload or a kill leaves standing."""

import asyncio
import base64
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from pingan.local.mosquitto import Mosquitto, sign_in
from pingan.local.mosquitto_password import hash_password
from pingan.local.places import remove_kept
from tests.support import free_port

PASSWORD = "correct horse"


@pytest.fixture(params=["open to pass", "closed to others"])
def broker(request: pytest.FixtureRequest) -> Iterator[tuple[Mosquitto, subprocess.Popen[bytes]]]:
    outer = Path(tempfile.mkdtemp(prefix="pingan-test-"))
    outer.chmod(0o711 if request.param == "open to pass" else 0o700)
    data = outer / "data"
    mosquitto = Mosquitto(data, free_port())
    mosquitto.prepare()
    mosquitto.write_users({name: hash_password(PASSWORD) for name in ("H001-button", "H002-button")})
    process = mosquitto.start()
    mosquitto.ready()
    yield mosquitto, process
    process.kill()
    process.wait()
    remove_kept(data)
    shutil.rmtree(outer)


class Client:
    """A device or a service on the wire; what it hears waits in `heard`."""

    def __init__(self, mosquitto: Mosquitto, user: str, password: str, subscribe: str | None = None) -> None:
        self.heard: Queue[tuple[str, bytes]] = Queue()
        self.gone: Queue[str] = Queue()
        ready: Queue[bool] = Queue()
        self.paho = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"{user}-test")
        self.paho.username_pw_set(user, password)
        self.paho.on_message = lambda _c, _u, message: self.heard.put((message.topic, message.payload))
        self.paho.on_disconnect = lambda _c, _u, _f, reason, _p: self.gone.put(str(reason))
        self.paho.on_connect = lambda *_: self.paho.subscribe(subscribe, 1) if subscribe else ready.put(True)
        self.paho.on_subscribe = lambda *_: ready.put(True)
        self.paho.connect("127.0.0.1", mosquitto.port)
        self.paho.loop_start()
        ready.get(timeout=60)

    def say(self, topic: str, payload: bytes) -> None:
        self.paho.publish(topic, payload, qos=1).wait_for_publish(10)

    def close(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    made: list[Client] = []

    def connect(*arguments: str, **named: str) -> Client:
        made.append(Client(*arguments, **named))  # type: ignore[arg-type]
        return made[-1]

    yield connect
    for client in made:
        client.close()


Broker = tuple[Mosquitto, subprocess.Popen[bytes]]


def test_only_the_right_password_gets_in(broker: Broker) -> None:
    mosquitto, _ = broker
    assert sign_in(mosquitto.port, "H001-button", PASSWORD, 5) == 0
    assert sign_in(mosquitto.port, "H001-button", "wrong", 5) == 5
    assert sign_in(mosquitto.port, "nobody-we-know", PASSWORD, 5) == 5
    assert sign_in(mosquitto.port, "dispatch", mosquitto.password("dispatch"), 5) == 0


def test_hashes_are_what_mosquitto_itself_makes(tmp_path: Path) -> None:
    users = tmp_path / "users"
    subprocess.run(["mosquitto_passwd", "-c", "-b", users, "someone", PASSWORD], check=True, capture_output=True)
    theirs = users.read_text().strip().partition(":")[2]
    salt = theirs.split("$")[3]
    assert hash_password(PASSWORD, base64.b64decode(salt)) == theirs
    assert re.fullmatch(r"\$7\$101\$.{16}\$.{88}", hash_password(PASSWORD))
    assert hash_password(PASSWORD) != hash_password(PASSWORD)


def test_a_device_speaks_below_its_own_name_only(broker: Broker, connect: Callable[..., Client]) -> None:
    mosquitto, _ = broker
    ingest = connect(mosquitto, "ingest-alarm", mosquitto.password("ingest-alarm"), subscribe="pingan/v1/+/up/#")
    device = connect(mosquitto, "H001-button", PASSWORD)
    device.say("pingan/v1/H002-button/up/alarm", b"forged")
    device.say("pingan/v1/H001-button/down/ack", b"forged")
    device.say("pingan/v1/H001-button/up/alarm", b"real")
    assert device.gone.empty()
    assert ingest.heard.get(timeout=60) == ("pingan/v1/H001-button/up/alarm", b"real")
    assert ingest.heard.empty()


def test_a_gateway_speaks_below_its_own_name_only(broker: Broker, connect: Callable[..., Client]) -> None:
    mosquitto, _ = broker
    ingest = connect(mosquitto, "ingest-alarm", mosquitto.password("ingest-alarm"), subscribe="gw/+/#")
    gateway = connect(mosquitto, "H001-button", PASSWORD, subscribe="gw/#")
    other = connect(mosquitto, "H002-button", PASSWORD, subscribe="gw/#")
    for topic in ("gw/H002-button/zigbee2mqtt/sos", "gw/zigbee2mqtt/sos", "gw/H001-button", "gw"):
        gateway.say(topic, b"forged")  # the last but one is its own, and is nobody's topic
    gateway.say("gw/H001-button/zigbee2mqtt/客厅/按钮", b"real")
    assert gateway.gone.empty()
    assert ingest.heard.get(timeout=60) == ("gw/H001-button", b"forged")
    assert ingest.heard.get(timeout=60) == ("gw/H001-button/zigbee2mqtt/客厅/按钮", b"real")
    other.say("gw/H002-button/zigbee2mqtt/sos", b"its own")
    assert other.heard.get(timeout=60)[1] == b"its own"
    assert ingest.heard.get(timeout=60)[0] == "gw/H002-button/zigbee2mqtt/sos"


def test_a_device_hears_below_its_own_name_only(broker: Broker, connect: Callable[..., Client]) -> None:
    mosquitto, _ = broker
    device = connect(mosquitto, "H001-button", PASSWORD, subscribe="#")
    other = connect(mosquitto, "H002-button", PASSWORD)
    service = connect(mosquitto, "dispatch", mosquitto.password("dispatch"))
    other.say("pingan/v1/H002-button/up/alarm", b"not for you")
    service.say("pingan/v1/H002-button/down/ack", b"not for you")
    service.say("pingan/v1/H001-button/down/ack", b"for you")
    assert device.heard.get(timeout=60) == ("pingan/v1/H001-button/down/ack", b"for you")
    assert device.heard.empty()


def test_a_reload_lets_new_devices_in_and_keeps_connections(broker: Broker, connect: Callable[..., Client]) -> None:
    mosquitto, process = broker
    staying = connect(mosquitto, "H001-button", PASSWORD, subscribe="pingan/v1/H001-button/down/#")
    leaving = connect(mosquitto, "H002-button", PASSWORD)
    new = {"H001-button": mosquitto._devices()["H001-button"], "H003-button": hash_password("new")}
    assert mosquitto.write_users(new)
    assert not mosquitto.write_users(new)
    assert mosquitto.reload(process)
    leaving.gone.get(timeout=60)
    assert sign_in(mosquitto.port, "H003-button", "new", 5) == 0
    assert sign_in(mosquitto.port, "H002-button", PASSWORD, 5) == 5
    service = connect(mosquitto, "dispatch", mosquitto.password("dispatch"))
    service.say("pingan/v1/H001-button/down/ack", b"still here")
    assert staying.heard.get(timeout=60)[1] == b"still here"
    assert staying.gone.empty()


def test_a_device_cannot_become_a_service_or_break_the_file(broker: Broker) -> None:
    mosquitto, process = broker
    # By TLS a device's name is its client id: with that of one of our connections it would put us out.
    ours = dict.fromkeys(("dispatch", "ingest-alarm-gateways", "dispatch-devices"), hash_password("stolen"))
    mosquitto.write_users({**ours, "a:b\nc": hash_password("x"), "H009": "$7$\nroot:x"})
    assert mosquitto.reload(process)
    assert sign_in(mosquitto.port, "dispatch", "stolen", 5) == 5
    assert mosquitto._devices() == {}


def test_a_packet_too_large_is_never_acknowledged(broker: Broker, connect: Callable[..., Client]) -> None:
    mosquitto, _ = broker
    device = connect(mosquitto, "H001-button", PASSWORD)
    sent = device.paho.publish("pingan/v1/H001-button/up/alarm", b"x" * 10_000_000, qos=1)
    device.gone.get(timeout=60)
    assert not sent.is_published()
    assert mosquitto.answers()


async def test_two_thousand_unacknowledged_messages_are_all_delivered(broker: Broker) -> None:
    """A bridge that acknowledges late, after a slow append, is neither held to 20 at a time nor robbed of the rest."""
    mosquitto, _ = broker
    loop = asyncio.get_running_loop()
    everything = loop.create_future()
    count = 0

    def heard(client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        nonlocal count
        count += 1
        if count == 2000:
            loop.call_soon_threadsafe(everything.set_result, None)

    bridge = paho.Client(CallbackAPIVersion.VERSION2, client_id="bridge", manual_ack=True)
    bridge.username_pw_set("ingest-telemetry", mosquitto.password("ingest-telemetry"))
    bridge.on_message = heard
    subscribed = asyncio.Event()
    bridge.on_subscribe = lambda *_: loop.call_soon_threadsafe(subscribed.set)
    bridge.on_connect = lambda *_: bridge.subscribe("pingan/v1/+/up/#", 1)
    bridge.connect("127.0.0.1", mosquitto.port)
    bridge.loop_start()
    await asyncio.wait_for(subscribed.wait(), 10)
    device = paho.Client(CallbackAPIVersion.VERSION2, client_id="device")
    device.username_pw_set("H001-button", PASSWORD)
    device.connect("127.0.0.1", mosquitto.port)
    device.loop_start()
    for number in range(2000):
        device.publish("pingan/v1/H001-button/up/reading", str(number), qos=1)
    await asyncio.wait_for(everything, 30)
    for client in (device, bridge):
        client.disconnect()
        client.loop_stop()
