"""`pingan device` and `pingan ca` as a person runs them, and what the running broker makes of it."""

import os
import re
import shutil
import signal
import ssl
import stat
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as paho
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from psycopg.conninfo import make_conninfo

from care import devices
from care.changes import Refused
from care.devices import Enrolment
from care.refusal import Refusal
from pingan import authority
from pingan.clock import SystemClock
from pingan.database import Connection, Database
from pingan.local.mosquitto import SERVICE_USERS
from pingan.local.postgres import Postgres
from tests.support import free_port

Until = Callable[[Callable[[], Awaitable[object] | object]], Awaitable[object]]
PASSWORD = re.compile(r"^Password, shown this once: (\S{32,})$", re.MULTILINE)


class Installation:
    """A city's broker as a process, on a database and an authority of its own."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.tls, self.by_certificate, self.metrics = free_port(), free_port(), free_port()
        self.ca = authority.make(folder / "authority", SystemClock().now())
        server = self.ca.server(["localhost"], SystemClock().now())
        (folder / "server.pem").write_text(server.certificate)
        (folder / "server_key.pem").write_text(server.key)
        for name in ("server.pem", "server_key.pem"):
            (folder / name).chmod(0o644)
        (folder / "services").mkdir()
        for name in SERVICE_USERS:
            (folder / "services" / f"mqtt-{name}").write_text("made up")
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PINGAN_", "LC_", "LANG"))},
            "PINGAN_DATABASE_URL": url,
            "PINGAN_DATA": str(folder / "data"),
            "PINGAN_AUTHORITY": str(folder / "authority"),
            "PINGAN_MQTT_PORT": str(free_port()),
            "PINGAN_MQTT_TLS_HOST": "127.0.0.1",
            "PINGAN_MQTT_TLS_PORT": str(self.tls),
            "PINGAN_MQTT_CERTIFICATE_PORT": str(self.by_certificate),
            "PINGAN_MQTT_PUBLIC_HOST": "localhost",
            "PYTHONUTF8": "1",
        }

    def start(self) -> subprocess.Popen[bytes]:
        ours = {
            "PINGAN_MQTT_TLS_CERTIFICATE": str(self.folder / "server.pem"),
            "PINGAN_MQTT_TLS_KEY": str(self.folder / "server_key.pem"),
            "PINGAN_MQTT_STORE": str(self.folder / "store"),
            "PINGAN_MQTT_SERVICES": str(self.folder / "services"),
            "PINGAN_METRICS_PORT": str(self.metrics),
        }
        return subprocess.Popen([sys.executable, "-m", "pingan", "broker"], env=self.environ | ours)

    def pingan(self, *arguments: str | Path, fails: bool = False, language: str = "en", **environ: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "pingan", *map(str, arguments)],
            env=self.environ | {"PINGAN_LANGUAGE": language} | environ,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )
        assert "Traceback" not in done.stderr
        assert (done.returncode != 0) == fails, done.stderr
        return done.stderr if fails else done.stdout

    def enrol(self, *arguments: str | Path) -> str:
        """Its new password."""
        found = PASSWORD.search(self.pingan("device", "enrol", *arguments))
        assert found
        return found[1]

    def connect(self, user: str, *, password: str = "", files: Path | None = None) -> paho.Client:
        """A device that tries again each second; what became of it is its user data, a list."""
        went: list[str] = []
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=user, userdata=went)
        client.reconnect_delay_set(1, 1)
        context = ssl.create_default_context(cadata=self.ca.pem)
        if files is not None:
            context.load_cert_chain(files / f"{user}.pem", files / f"{user}_key.pem")
        else:
            client.username_pw_set(user, password)
        client.tls_set_context(context)
        client.on_connect = lambda _c, _u, _f, reason, _p: went.append(str(reason))
        client.on_disconnect = lambda *_: went.append("gone")
        client.connect_async("localhost", self.by_certificate if files else self.tls)
        client.loop_start()
        return client

    def shown(self, series: str) -> float:
        """A figure of the broker's process; -1 when it is not there."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else -1


@pytest.fixture(scope="module")
def city(postgres: Postgres) -> Iterator[Installation]:
    with psycopg.connect(postgres.superuser_dsn, autocommit=True) as connection:
        connection.execute("create database enrolment template template_pingan")
    folder = Path(tempfile.mkdtemp(prefix="pingan-test-"))
    folder.chmod(0o711)  # where we are root, Mosquitto is not
    installation = Installation(make_conninfo(postgres.superuser_dsn, dbname="enrolment"), folder)
    process = installation.start()
    try:
        yield installation
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        shutil.rmtree(folder)


@pytest.fixture
def connect(city: Installation) -> Iterator[Callable[..., list[str]]]:
    made: list[paho.Client] = []

    def connect(user: str, *, password: str = "", files: Path | None = None) -> list[str]:
        made.append(city.connect(user, password=password, files=files))
        went: list[str] = made[-1].user_data_get()
        return went

    yield connect
    for client in made:
        client.disconnect()
        client.loop_stop()


Connect = Callable[..., list[str]]


@pytest.fixture
async def register(city: Installation) -> AsyncIterator[Connection]:
    """A way to the same register without the price of a process for each step."""
    database = Database(city.url, connections=1, application="test")
    await database.open()
    async with database.connection() as connection:
        yield connection
    await database.close()


async def test_an_enrolled_device_comes_in_and_with_a_new_password_the_old_one_ends(
    city: Installation, register: Connection, connect: Connect, until: Until, tmp_path: Path
) -> None:
    label, setup = tmp_path / "label.svg", tmp_path / "setup.png"
    first = city.enrol("--id", "H001-button", "--kind", "button", "--label", label, "--setup", setup)
    assert "H001-button" in label.read_text()
    assert first not in label.read_text()
    assert stat.S_IMODE(setup.stat().st_mode) == 0o600
    device = connect("H001-button", password=first)
    await until(lambda: device[-1:] == ["Success"])
    second = city.enrol("--id", "H001-button")
    assert second != first
    await until(lambda: device[-1:] == ["Not authorized"] or device[-2:-1] == ["Not authorized"])
    again = connect("H001-button", password=second)
    await until(lambda: again[-1:] == ["Success"])
    assert device.count("Success") == 1
    await until(lambda: city.shown('pingan_broker_refused_total{reason="credential"}') >= 1)
    assert "H001-button\tbutton\t—\t—\tenabled\tpassword" in city.pingan("device", "list")
    await devices.enable(register, "H001-button", False, SystemClock().now())
    await until(lambda: again[-2:] in (["gone", "Not authorized"], ["Not authorized", "gone"]))
    await devices.enable(register, "H001-button", True, SystemClock().now())
    await until(lambda: again[-1:] == ["Success"])


async def test_a_certificate_takes_the_passwords_place_and_ends_when_it_is_revoked(
    city: Installation, register: Connection, connect: Connect, until: Until, tmp_path: Path
) -> None:
    clock = SystemClock()
    password = (await devices.enrol(register, Enrolment(id="H002-button", kind="button"), clock.now())).password
    files = tmp_path / "files"
    said = city.pingan("device", "enrol", "--id", "H002-button", "--certificate", files)
    assert not PASSWORD.search(said), "it has one credential and not two"
    assert f"mqtts://localhost:{city.by_certificate}" in said
    assert stat.S_IMODE((files / "H002-button_key.pem").stat().st_mode) == 0o600
    assert (files / "authority.pem").read_text() == city.ca.pem
    device = connect("H002-button", files=files)
    await until(lambda: device[-1:] == ["Success"])
    old = connect("H002-button", password=password or "")
    await until(lambda: "Not authorized" in old)
    ten_years = authority.DEVICE_DAYS * 86_400
    left = 'pingan_certificate_expires_seconds{certificate="device"}'
    await until(lambda: ten_years - 3600 < city.shown(left) <= ten_years)
    for name in ("authority", "server", "revoked"):
        assert city.shown(f'pingan_certificate_expires_seconds{{certificate="{name}"}}') > 300 * 86_400

    # Disabled, its certificate waits; enabled, it holds again.
    await devices.enable(register, "H002-button", False, clock.now())
    await until(lambda: device[-1:] == ["gone"])
    await devices.enable(register, "H002-button", True, clock.now())
    await until(lambda: device[-1:] == ["Success"])

    successes = device.count("Success")
    city.pingan("device", "revoke", "H002-button")
    before = city.shown('pingan_broker_refused_total{reason="certificate"}')
    await until(lambda: device[-1:] == ["gone"])
    await until(lambda: city.shown('pingan_broker_refused_total{reason="certificate"}') > before)
    assert device.count("Success") == successes
    assert "revoked" in city.pingan("device", "show", "H002-button")
    # Enrolled again, with another one; nothing of the first comes back, not even when the register forgets the device.
    enrolled = await devices.enrol(register, Enrolment(id="H002-button"), clock.now(), city.ca)
    assert enrolled.issued
    (files / "H002-button.pem").write_text(enrolled.issued.certificate)
    (files / "H002-button_key.pem").write_text(enrolled.issued.key)
    new = connect("H002-button", files=files)
    await until(lambda: new[-1:] == ["Success"])
    await register.execute("delete from devices where id = 'H002-button'")
    await until(lambda: new[-1:] == ["gone"])
    await devices.enrol(register, Enrolment(id="H002-button", kind="button"), clock.now())
    assert all(one.revoked for one in await devices.certificates(register, "H002-button"))


def test_what_is_wrong_is_said_and_nothing_is_written(city: Installation, tmp_path: Path) -> None:
    assert "需要类型" in city.pingan("device", "enrol", "--id", "H009", fails=True, language="zh")
    said = city.pingan("device", "enrol", "--kind", "button", "--id", "H009", "--home", "H404", fails=True)
    assert said.strip() == "pingan device: there is no home H404"
    taken = tmp_path / "label.svg"
    taken.write_text("somebody's")
    assert "there already" in city.pingan("device", "enrol", "--kind", "button", "--label", taken, fails=True)
    by_certificate = ("device", "enrol", "--kind", "button", "--id", "H009", "--certificate", tmp_path / "c")
    assert "PINGAN_MQTT_CERTIFICATE_PORT" in city.pingan(*by_certificate, fails=True, PINGAN_MQTT_CERTIFICATE_PORT="")
    assert "no device H009" in city.pingan("device", "revoke", "H009", fails=True)
    assert not (tmp_path / "c").exists()


NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


async def test_what_is_refused_leaves_everything_as_it_was(database: Database, tmp_path: Path) -> None:
    ours = authority.make(tmp_path, NOW)
    async with database.connection() as connection:
        enrolled = await devices.enrol(connection, Enrolment(id="hub-1", kind="hub"), NOW, ours)
        assert enrolled.password is None
        assert enrolled.issued
        behind = Enrolment(id="leak-1", kind="water", gateway="hub-1", address="0x00158d0001")
        for asked, by, why in (
            (Enrolment(id="H009"), None, "kind_needed"),
            (behind, ours, "certificate_behind_gateway"),
        ):
            with pytest.raises(Refusal) as refusal:
                await devices.enrol(connection, asked, NOW, by)
            assert refusal.value.reason == why
        for wrong in (
            Enrolment(id="dispatch-2", kind="button"),
            Enrolment(id="no id", kind="button"),
            Enrolment(id="H009", kind="button", home="H404"),
            Enrolment(id="hub-1", home="H404"),
        ):
            with pytest.raises(Refused):
                await devices.enrol(connection, wrong, NOW, ours)
        for act in (devices.revoke(connection, "H009", NOW), devices.enable(connection, "H009", True, NOW)):
            with pytest.raises(Refusal, match="no_device"):
                await act
        assert [one.id for one in await devices.all_devices(connection)] == ["hub-1"]
        (kept,) = await devices.certificates(connection)
        assert not kept.revoked
        assert kept.serial == enrolled.issued.serial


async def test_a_device_behind_a_gateway_has_no_credential_and_one_without_a_home_is_listed(
    database: Database,
) -> None:
    async with database.connection() as connection:
        await devices.enrol(connection, Enrolment(id="hub-1", kind="hub"), NOW)
        behind = Enrolment(id="leak-1", kind="water", gateway="hub-1", address="0x00158d0001")
        enrolled = await devices.enrol(connection, behind, NOW)
        assert (enrolled.password, enrolled.issued, enrolled.device.home) == (None, None, None)
        named = await devices.enrol(connection, Enrolment(kind="pendant", model="GPS-1"), NOW)
        assert re.fullmatch(r"pendant-[0-9a-f]{8}", named.device.id)
        assert named.password
        # What is not said again stays.
        again = await devices.enrol(connection, Enrolment(id=named.device.id), NOW)
        assert again.device == named.device
        assert again.password != named.password
        assert {one.id for one in await devices.all_devices(connection)} == {"hub-1", "leak-1", named.device.id}


def test_an_authority_is_made_once(tmp_path: Path, city: Installation) -> None:
    folder = tmp_path / "authority"
    said = city.pingan("ca", "init", "--folder", folder)
    assert authority.opened(folder).fingerprint in said
    assert "already" in city.pingan("ca", "init", "--folder", folder, fails=True)
    assert city.pingan("ca", "show", "--folder", folder) == said
    assert "指纹" in city.pingan("ca", "show", "--folder", folder, language="zh")
    assert "cannot be read" in city.pingan("ca", "show", "--folder", tmp_path / "nowhere", fails=True)
