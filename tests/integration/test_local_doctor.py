"""The doctor on a platform that is well, one that is not, and one that is not there. This one has certificates."""

import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from pingan.clock import SystemClock
from pingan.local import doctor
from pingan.local.supervised import Supervised
from pingan.local.supervisor import CERTIFICATES_EXPIRE, recorded
from pingan.metrics import BROKER_REFUSED, CERTIFICATE_EXPIRES_SECONDS, SHOWN, hide
from tests.integration.local_support import House, a_house, wait_for
from tests.support import free_port


@pytest.fixture(scope="module")
def running(memory: Path) -> Iterator[House]:
    with a_house(memory) as house:
        house.environ |= {
            "PINGAN_MQTT_TLS_PORT": str(free_port()),
            "PINGAN_MQTT_CERTIFICATE_PORT": str(free_port()),
            "PINGAN_MQTT_PUBLIC_HOST": "alarm.example.org",
        }
        done = house.up()
        assert done.returncode == 0, done.stdout
        yield house


def test_a_platform_that_is_well(running: House) -> None:
    done = running.pingan("doctor")
    assert "Nothing is wrong." in done.stdout, done.stdout
    assert "All certificates hold for 3" in done.stdout, done.stdout
    assert "✗" not in done.stdout
    assert done.returncode == 0


def test_each_disk_is_looked_at_once_by_the_folder_that_the_database_needs(memory: Path, tmp_path: Path) -> None:
    for folders in ([tmp_path], [tmp_path, memory], [tmp_path, tmp_path / "postgres"]):
        findings = list(doctor._disks(folders))
        assert len(findings) == len({folder.stat().st_dev for folder in folders if folder.exists()})
        assert all("MiB" in finding.text for finding in findings)


def test_it_speaks_chinese(running: House) -> None:
    done = running.pingan("doctor", PINGAN_LANGUAGE="zh")
    assert "一切正常" in done.stdout


@pytest.mark.parametrize("name", ["authority", "server", "revoked", "device"])
def test_a_certificate_that_ends_within_30_days_is_named_with_what_to_do(name: str) -> None:
    now = SystemClock().now().timestamp()
    ends = {"authority": 9e9, "server": 9e9, "revoked": 9e9, "device": 9e9, name: now + 29.5 * 86_400}
    (finding,) = doctor._certificates({CERTIFICATES_EXPIRE: ends})
    assert finding.wrong
    assert "29" in finding.text
    assert finding.mend
    assert not list(doctor._certificates({})), "where there are none nothing is said"


def came_in(port: int, folder: Path, device: str) -> bool:
    """One MQTT CONNECT with the device's certificate and no password; the server goes by another name here."""
    context = ssl.create_default_context(cafile=str(folder / "authority.pem"))
    context.load_cert_chain(folder / f"{device}.pem", folder / f"{device}_key.pem")
    try:
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            context.wrap_socket(plain, server_hostname="alarm.example.org") as line,
        ):
            line.sendall(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x0a\x00\x05probe")
            return line.recv(4) == b"\x20\x02\x00\x00"
    except OSError:
        return False


def test_on_one_machine_too_a_device_comes_in_by_certificate_until_it_is_revoked(
    running: House, tmp_path: Path
) -> None:
    port, folder = int(running.environ["PINGAN_MQTT_CERTIFICATE_PORT"]), tmp_path / "files"
    made = running.pingan(
        "device", "enrol", "--id", "H005-button", "--kind", "button", "--certificate", str(folder),
        "--label", str(tmp_path / "label.svg"),
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert f"mqtts://alarm.example.org:{port}" in made.stdout
    assert came_in(port, folder, "H005-button")
    assert running.pingan("device", "revoke", "H005-button").returncode == 0
    wait_for(lambda: not came_in(port, folder, "H005-button"))
    wait_for(lambda: recorded(running.data)["broker_refused"]["certificate"] >= 1)
    shown = Supervised(running.data, SystemClock())
    shown.look()
    shown.look()
    assert 1 <= (SHOWN.get_sample_value("pingan_broker_refused_total", {"reason": "certificate"}) or 0) < 50
    left = SHOWN.get_sample_value("pingan_certificate_expires_seconds", {"certificate": "revoked"})
    assert left
    assert 300 * 86_400 < left < 400 * 86_400
    hide(BROKER_REFUSED, CERTIFICATE_EXPIRES_SECONDS)


def test_a_supervisor_that_is_held_is_found(running: House) -> None:
    supervisor = running.supervisor()
    supervisor.send(signal.SIGSTOP)
    wait_for(supervisor.stopped)
    assert f"kill -CONT {supervisor.pid}" in running.pingan("doctor").stdout
    supervisor.send(signal.SIGCONT)


def test_a_broker_that_is_held_is_found(running: House) -> None:
    broker = running.process("mosquitto")
    assert broker
    broker.send(signal.SIGSTOP)
    done = running.pingan("doctor")
    broker.send(signal.SIGCONT)
    assert f"does not answer on port {running.mqtt_port}" in done.stdout
    assert done.returncode == 1


def test_a_platform_that_does_not_run_and_whose_port_is_taken(memory: Path) -> None:
    with a_house(memory) as house, socket.socket() as other:
        other.bind(("127.0.0.1", house.mqtt_port))
        other.listen()
        done = house.pingan("doctor", PINGAN_MQTT_PORT=str(house.mqtt_port))
    assert done.returncode == 1
    assert "The platform does not run." in done.stdout
    assert f"Port {house.mqtt_port} is in use" in done.stdout
    assert f"PINGAN_MQTT_PORT={house.mqtt_port + 1000} make up" in done.stdout
