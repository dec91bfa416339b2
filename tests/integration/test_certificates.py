"""The broker's listeners with TLS: whose certificate lets in whom, and that who is refused keeps nobody out."""

import socket
import ssl
import subprocess
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from queue import Queue

import paho.mqtt.client as paho
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from pingan import authority
from pingan.authority import Authority, Issued
from pingan.clock import DrivenClock, SystemClock, to_ms
from pingan.local.certificates import REVOKED, SERVER, SERVER_KEY, Certificates
from pingan.local.mosquitto import Mosquitto, Tls, broker_owner
from pingan.local.mosquitto_password import hash_password
from pingan.local.places import place_for, remove_kept, write_private
from pingan.local.platform import Platform, PlatformSettings
from pingan.local.preparation import Preparation
from pingan.local.refusals import Refusals
from pingan.local.services import Preparations
from tests.support import free_port

PASSWORD = "a long and random one"
HALF_HANDSHAKE = bytes.fromhex("1603010200010001fc03")
Until = Callable[[Callable[[], Awaitable[object] | object]], Awaitable[object]]


@dataclass
class House:
    """A broker with both listeners, its authority, and what it wrote."""

    mosquitto: Mosquitto
    process: subprocess.Popen[bytes]
    authority: Authority
    files: Path
    folder: Path
    passwords: int
    certificates: int
    refusals: Refusals

    def refused(self, why: str) -> int:
        self.refusals.look()
        return self.refusals.counts[why]

    def keep(self, refused: dict[str, str]) -> None:
        """What whoever follows the register does."""
        if self.mosquitto.refuse(refused, None):
            assert self.mosquitto.reload(self.process)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    data = tmp_path_factory.mktemp("broker") / "data"
    files = tmp_path_factory.mktemp("devices")
    clock = SystemClock()
    ours = authority.make(data / "authority", clock.now())
    (files / "authority.pem").write_text(ours.pem)
    user = broker_owner()
    data.chmod(0o711)
    folder = place_for(data, "mosquitto", user)
    kept = Certificates(ours, folder, user, clock, names=["localhost", "127.0.0.1"])
    passwords, by_certificate = free_port(), free_port()
    listeners = [
        Tls(passwords, folder / SERVER, folder / SERVER_KEY, host="127.0.0.1"),
        Tls(by_certificate, folder / SERVER, folder / SERVER_KEY, host="127.0.0.1", by_certificate=True),
    ]
    for name in ("log", "run", "secrets"):
        (data / name).mkdir(exist_ok=True)
    mosquitto = Mosquitto(data, free_port(), tls=listeners, folder=folder, certificates=kept)
    mosquitto.prepare()
    mosquitto.write_users({name: hash_password(PASSWORD) for name in ("H001-button", "H002-button")})
    process = mosquitto.start()
    try:
        mosquitto.ready(60)
        refusals = Refusals(data / "log/mosquitto.log")
        yield House(mosquitto, process, ours, files, folder, passwords, by_certificate, refusals)
    finally:
        process.terminate()
        process.wait(10)
        remove_kept(data)


class Device:
    """A client of the broker: how its connection went, and what it heard."""

    def __init__(self, client: paho.Client) -> None:
        self.paho = client
        self.went: list[str] = []
        self.heard: Queue[tuple[str, bytes]] = Queue()
        client.on_connect = lambda _c, _u, _f, reason, _p: self.went.append(str(reason))
        client.on_disconnect = lambda *_: self.went.append("gone")
        client.on_message = lambda _c, _u, message: self.heard.put((message.topic, bytes(message.payload)))

    @property
    def in_at_last(self) -> bool:
        return self.went[-1:] == ["Success"]

    def say(self, topic: str, payload: bytes) -> None:
        self.paho.publish(topic, payload, qos=1).wait_for_publish(60)


@pytest.fixture
def connect(house: House) -> Iterator[Callable[..., Device]]:
    made: list[Device] = []

    def connect(
        issued: Issued | None, *, user: str | None = None, port: int | None = None, client: str = "", trusts: str = ""
    ) -> Device:
        """By certificate, or as `user` by the password."""
        new = paho.Client(CallbackAPIVersion.VERSION2, client_id=client or f"client-{len(made)}")
        new.reconnect_delay_set(1, 1)
        context = ssl.create_default_context(cadata=trusts or house.authority.pem)
        if issued is not None:
            paths = house.files / f"{issued.serial}.pem", house.files / f"{issued.serial}_key.pem"
            for path, text in zip(paths, (issued.certificate, issued.key), strict=True):
                path.write_text(text)
            context.load_cert_chain(*paths)
        new.tls_set_context(context)
        if user is not None:
            new.username_pw_set(user, PASSWORD)
        device = Device(new)
        made.append(device)
        new.connect_async("localhost", port or (house.passwords if issued is None and user else house.certificates))
        new.loop_start()
        return device

    yield connect
    for device in made:
        device.paho.disconnect()
        device.paho.loop_stop()


Connect = Callable[..., Device]


async def test_a_device_of_our_authority_comes_in_and_is_held_to_its_own_name(
    house: House, connect: Connect, until: Until
) -> None:
    device = connect(house.authority.device("H001-button", SystemClock().now()))
    await until(lambda: device.in_at_last)
    ingest = Device(paho.Client(CallbackAPIVersion.VERSION2, client_id="ingest"))
    ingest.paho.username_pw_set("ingest-alarm", house.mosquitto.password("ingest-alarm"))
    ingest.paho.connect("127.0.0.1", house.mosquitto.port)
    subscribed = threading.Event()
    ingest.paho.on_subscribe = lambda *_: subscribed.set()
    ingest.paho.subscribe("pingan/v1/+/up/#", 1)
    ingest.paho.loop_start()
    await until(subscribed.is_set)
    try:
        device.say("pingan/v1/H002-button/up/alarm", b"forged")
        device.say("pingan/v1/H001-button/up/alarm", b"real")
        assert ingest.heard.get(timeout=60) == ("pingan/v1/H001-button/up/alarm", b"real")
        assert ingest.heard.empty()
    finally:
        ingest.paho.disconnect()
        ingest.paho.loop_stop()


async def test_whoever_has_no_good_certificate_is_refused_and_counted(
    house: House, connect: Connect, until: Until, tmp_path: Path
) -> None:
    clock = SystemClock()
    before = {why: house.refused(why) for why in ("certificate", "no_certificate")}
    strangers = authority.make(tmp_path / "strangers", clock.now())
    long_ago = clock.now() - timedelta(days=authority.DEVICE_DAYS + 1)
    refused = [
        connect(strangers.device("H001-button", clock.now())),
        connect(house.authority.device("H001-button", long_ago)),
        # A server's certificate of ours is no device's.
        connect(house.authority.server(["H001-button"], clock.now())),
    ]
    nobody = connect(None)
    await until(lambda: house.refused("certificate") >= before["certificate"] + len(refused))
    await until(lambda: house.refused("no_certificate") > before["no_certificate"])
    assert not any("Success" in one.went for one in (*refused, nobody))
    # With a password, by the other door, the same device is let in; and nobody is who trusts another server.
    known = connect(None, user="H001-button")
    await until(lambda: known.in_at_last)


async def test_a_wrong_or_default_password_is_refused(house: House) -> None:
    context = ssl.create_default_context(cadata=house.authority.pem)
    before = house.refused("credential")
    tried = [
        (user, password)
        for user in ("H001-button", "admin", "mosquitto", "pingan", "dispatch", "ingest-alarm")
        for password in ("", "admin", "password", "mosquitto", "123456", "pingan", user)
    ]
    for user, password in tried:
        assert sign_in(context, house.passwords, user, password) != 0, (user, password)
    assert house.refused("credential") >= before + len(tried) - 6  # an empty one may be cut off before it is looked at
    assert sign_in(context, house.passwords, "H001-button", PASSWORD) == 0


def sign_in(context: ssl.SSLContext, port: int, user: str, password: str) -> int | None:
    def field(text: str) -> bytes:
        return len(text.encode()).to_bytes(2, "big") + text.encode()

    body = field("MQTT") + bytes([4, 0xC2, 0, 10]) + field("probe") + field(user) + field(password)
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as line,
    ):
        line.sendall(b"\x10" + bytes([len(body)]) + body)
        answer = line.recv(4)
    return answer[3] if len(answer) == 4 else None


async def test_a_revoked_one_is_put_out_and_stays_out_and_others_stay_in(
    house: House, connect: Connect, until: Until
) -> None:
    clock = SystemClock()
    lost, kept = (house.authority.device(name, clock.now()) for name in ("H001-button", "H002-button"))
    thief, other = connect(lost), connect(kept)
    await until(lambda: thief.in_at_last and other.in_at_last)
    before = house.refused("certificate")
    house.keep({lost.serial: "H001-button"})
    await until(lambda: "gone" in thief.went)
    await until(lambda: house.refused("certificate") > before)
    assert thief.went.count("Success") == 1
    assert other.went == ["Success"], "a reload takes nobody's line but theirs"
    # Taken back, as for a device that was disabled and is enabled: it comes in by itself, with the next of its tries.
    house.keep({})
    await until(lambda: thief.in_at_last)
    assert other.went == ["Success"]


async def test_whoever_had_the_handshake_behind_them_when_they_were_revoked_is_put_out_too(
    house: House, until: Until, tmp_path: Path
) -> None:
    """Mosquitto looks at a certificate in the handshake, and lets sign in for a minute and a half after it."""
    lost = house.authority.device("H001-button", SystemClock().now())
    (tmp_path / "one.pem").write_text(lost.certificate + lost.key)
    context = ssl.create_default_context(cadata=house.authority.pem)
    context.load_cert_chain(tmp_path / "one.pem")
    with (
        socket.create_connection(("127.0.0.1", house.certificates)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as spare,
    ):
        house.keep({lost.serial: "H001-button"})
        spare.sendall(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01x")
        assert spare.recv(4) == b"\x20\x02\x00\x00", "so late nobody looks at its certificate any more"
        house.keep({lost.serial: "H001-button"})  # the next look, at which nothing has changed
        spare.settimeout(60)
        assert spare.recv(1) == b""
    house.keep({})


async def test_a_list_that_has_run_out_refuses_everybody_until_it_is_signed_anew(
    house: House, connect: Connect, until: Until
) -> None:
    """What happens if nobody looks after the broker for a year, and what any look or start does about it."""
    clock = SystemClock()
    year_ago = clock.now() - timedelta(days=authority.REVOKED_DAYS + 1)
    text, _ = house.authority.revoke(set(), year_ago, None)
    broker = Mosquitto(
        house.mosquitto.data,
        free_port(),
        tls=[Tls(free_port(), house.folder / SERVER, house.folder / SERVER_KEY, host="127.0.0.1", by_certificate=True)],
        folder=house.folder,
    )
    fresh = (house.folder / REVOKED).read_text()
    broker.prepare()
    write_private(house.folder / REVOKED, text, broker.owner)
    process = broker.start()
    try:
        broker.ready(60)
        before = house.refused("certificate")
        good = connect(house.authority.device("H001-button", clock.now()), port=broker._tls[0].port)
        await until(lambda: house.refused("certificate") > before)
        assert "Success" not in good.went
        broker.certificates = Certificates(
            house.authority, house.folder, broker.owner, clock, names=["localhost", "127.0.0.1"]
        )
        broker.certificates.prepare()
        assert broker.reload(process)
        await until(lambda: good.in_at_last)
    finally:
        process.terminate()
        process.wait(10)
        write_private(house.folder / REVOKED, fresh, broker.owner)
        house.mosquitto.prepare()


class Moved(SystemClock):
    """A machine whose wall clock somebody has moved."""

    by = timedelta(0)

    def step_ms(self) -> int:
        return int(self.by / timedelta(milliseconds=1))


def test_what_ages_is_renewed_by_the_wall_clock_also_when_it_is_moved(house: House, tmp_path: Path) -> None:
    clock = Moved()
    ours = authority.make(tmp_path / "authority", clock.now())
    kept = Certificates(ours, tmp_path, broker_owner(), clock, names=["localhost"])
    kept.prepare()
    server, revoked = ((tmp_path / name).read_text() for name in (SERVER, REVOKED))
    assert not kept.keep({}, None), "nothing has changed"
    clock.by = timedelta(days=2)
    assert kept.keep({}, None)
    assert (tmp_path / REVOKED).read_text() != revoked
    assert (tmp_path / SERVER).read_text() == server
    clock.by = timedelta(days=authority.SERVER_DAYS - 29)
    assert kept.keep({}, None)
    assert (tmp_path / SERVER).read_text() != server
    assert min(kept.expire().values()) > clock.now() + clock.by + timedelta(days=300)
    first = clock.now()
    kept.keep({"a1": "H001-button"}, first)
    assert kept.expire()["device"] == first
    assert kept.leaving == {"H001-button"}
    again = Certificates(ours, tmp_path, broker_owner(), clock, names=["alarm.example.org"])
    again.prepare()
    assert not again.keep({"a1": "H001-button"}, first), "who was refused before a start is refused after it"
    assert not again.leaving
    (tmp_path / REVOKED).unlink()
    (tmp_path / REVOKED).mkdir()
    with pytest.raises(OSError, match=REVOKED):
        again.keep({}, None)
    (tmp_path / REVOKED).rmdir()
    assert again.keep({}, None), "what could not be written is tried again"
    names = authority.alternative_names(ours.signed((tmp_path / SERVER).read_text()))  # type: ignore[arg-type]
    assert names == {"alarm.example.org"}


def test_a_list_from_the_future_is_signed_anew_when_somebody_has_put_the_clock_right(tmp_path: Path) -> None:
    """OpenSSL refuses everybody by a list whose time has not come."""
    clock = Moved()
    clock.by = timedelta(days=30)
    ours = authority.make(tmp_path / "authority", clock.now())

    def signed_at() -> datetime:
        found = ours.revoked((tmp_path / REVOKED).read_text())
        assert found is not None
        assert found.serials == {"a1"}
        return found.signed_at

    kept = Certificates(ours, tmp_path, broker_owner(), clock)
    kept.prepare()
    kept.keep({"a1": "H001-button"}, None)
    assert signed_at() > clock.now()
    clock.by = timedelta(0)
    assert kept.keep({"a1": "H001-button"}, None)
    assert signed_at() < clock.now()
    clock.by = timedelta(days=30)
    kept.prepare()
    clock.by = timedelta(0)
    Certificates(ours, tmp_path, broker_owner(), clock).prepare()
    assert signed_at() < clock.now()


@pytest.mark.parametrize("torn", [b"", b"\0\0\0", b"\xff\xfe"])
def test_files_that_a_power_cut_has_torn_keep_the_broker_from_nothing(tmp_path: Path, torn: bytes) -> None:
    clock = SystemClock()
    ours = authority.make(tmp_path / "authority", clock.now())
    for name in (SERVER_KEY, SERVER, REVOKED):
        Certificates(ours, tmp_path, broker_owner(), clock, names=["localhost"]).prepare()
        (tmp_path / name).write_bytes(torn)
        Certificates(ours, tmp_path, broker_owner(), clock, names=["localhost"]).prepare()
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(tmp_path / SERVER, tmp_path / SERVER_KEY)
        assert ours.revoked((tmp_path / REVOKED).read_text()) is not None


def test_who_is_revoked_is_put_out_again_until_nobody_can_be_half_in(tmp_path: Path) -> None:
    clock = DrivenClock(to_ms(SystemClock().now()))
    ours = authority.make(tmp_path / "authority", clock.now())
    kept = Certificates(ours, tmp_path, broker_owner(), clock)
    kept.prepare()
    refused = {"a1": "H001-button", "b2": "H002-button"}

    def look(refused: dict[str, str], after: timedelta) -> set[str]:
        clock.advance(to_ms(clock.now() + after))
        changed, leaving = kept.keep(refused, None), set(kept.leaving)
        kept.leaving.clear()  # as whoever has put them out does
        assert changed or not leaving
        return leaving

    minute = timedelta(minutes=1)
    assert look(refused, minute) == {"H001-button", "H002-button"}
    assert look(refused, minute) == {"H001-button", "H002-button"}
    assert look({"a1": "H001-button"}, 5 * minute) == {"H001-button"}, "the other one may come in again"
    assert look({"a1": "H001-button"}, minute) == set()


def test_who_is_out_is_out_also_when_the_database_went_before_the_certificates_were_read(
    house: House, postgres_url: str
) -> None:
    """The users' file is written then, and is no change the next time: the broker must read it all the same."""
    context = ssl.create_default_context(cadata=house.authority.pem)
    preparation = Preparation(
        Platform(house.mosquitto.data, PlatformSettings()), postgres_url, house.mosquitto, lambda: house.process,
        lambda: None, Preparations(),
    )  # fmt: skip
    assert sign_in(context, house.passwords, "H001-button", PASSWORD) == 0
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("alter table device_certificates rename to not_there")
        with pytest.raises(psycopg.Error):
            next(preparation._changes())
        connection.execute("alter table not_there rename to device_certificates")
    next(preparation._changes())
    assert sign_in(context, house.passwords, "H001-button", PASSWORD) != 0
    house.mosquitto.write_users({name: hash_password(PASSWORD) for name in ("H001-button", "H002-button")})
    assert house.mosquitto.reload(house.process)


async def test_two_hundred_half_handshakes_keep_nobody_out(house: House, connect: Connect, until: Until) -> None:
    before = house.refused("cut_off")
    halves = [socket.create_connection(("127.0.0.1", house.certificates)) for _ in range(200)]
    try:
        for half in halves:
            half.sendall(HALF_HANDSHAKE)
        device = connect(house.authority.device("H001-button", SystemClock().now()))
        await until(lambda: device.in_at_last)
        known = connect(None, user="H002-button")
        await until(lambda: known.in_at_last)
        device.say("pingan/v1/H001-button/up/alarm", b"a press")
    finally:
        for half in halves:
            half.close()
    await until(lambda: house.refused("cut_off") >= before + 200)


async def test_nothing_older_than_tls_1_2_is_spoken(house: House, until: Until) -> None:
    before = house.refused("tls")
    for port in (house.passwords, house.certificates):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")  # so that it is the broker that refuses
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_connection(("127.0.0.1", port)) as line, pytest.raises(ssl.SSLError, match="VERSION"):
            context.wrap_socket(line)
    await until(lambda: house.refused("tls") >= before + 2)


async def test_no_device_takes_anothers_place(house: House, connect: Connect, until: Until) -> None:
    """On a broker, whoever connects with an id that is connected ends that connection."""
    victim = connect(None, user="H002-button", client="H002-button")
    await until(lambda: victim.in_at_last)
    by_password = connect(None, user="H001-button", client="H002-button")
    await until(lambda: "Success" in by_password.went)
    by_certificate = connect(house.authority.device("H001-button", SystemClock().now()), client="H002-button")
    await until(lambda: "Success" in by_certificate.went)
    victim.say("pingan/v1/H002-button/up/alarm", b"still here")
    assert victim.went == ["Success"]
