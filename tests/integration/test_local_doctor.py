"""The doctor on a platform that is well, one that is not, and one that is not there."""

import signal
import socket
from collections.abc import Iterator

import pytest

from tests.integration.local_support import House, a_house, wait_for


@pytest.fixture(scope="module")
def running() -> Iterator[House]:
    with a_house() as house:
        done = house.up()
        assert done.returncode == 0, done.stdout
        yield house


def test_a_platform_that_is_well(running: House) -> None:
    done = running.pingan("doctor")
    assert "Nothing is wrong." in done.stdout, done.stdout
    assert "✗" not in done.stdout
    assert done.returncode == 0


def test_it_speaks_chinese(running: House) -> None:
    done = running.pingan("doctor", PINGAN_LANGUAGE="zh")
    assert "一切正常" in done.stdout


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


def test_a_platform_that_does_not_run_and_whose_port_is_taken() -> None:
    with a_house() as house, socket.socket() as other:
        other.bind(("127.0.0.1", house.mqtt_port))
        other.listen()
        done = house.pingan("doctor", PINGAN_MQTT_PORT=str(house.mqtt_port))
    assert done.returncode == 1
    assert "The platform does not run." in done.stdout
    assert f"Port {house.mqtt_port} is in use" in done.stdout
    assert f"PINGAN_MQTT_PORT={house.mqtt_port + 1000} make up" in done.stdout
