"""The supervisor with a real database and broker: whatever dies or falls silent is back, and nothing is left behind."""

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pingan.local.mosquitto import sign_in
from pingan.local.platform import load, remember
from pingan.local.postgres import Postgres
from pingan.local.supervisor import recorded
from tests.integration import local_stand_in
from tests.integration.local_stand_in import ME
from tests.integration.local_support import House, a_house, wait_for


@pytest.fixture
def house(memory: Path) -> Iterator[House]:
    with a_house(memory) as house:
        yield house


@pytest.fixture(scope="module")
def shared(memory: Path) -> Iterator[House]:
    with a_house(memory) as house:
        yield house


@pytest.fixture
def running(shared: House) -> House:
    """A platform that runs and is well, whatever the test before did to it: that is what `up` is for."""
    done = shared.up()
    assert done.returncode == 0, done.stdout + done.stderr + shared.log()
    return shared


def test_up_starts_everything_says_how_to_reach_it_and_down_ends_it(house: House) -> None:
    done = house.up()
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"http://127.0.0.1:{house.environ['PINGAN_HTTP_PORT']}" in done.stdout
    assert "operator / sample" in done.stdout
    everybody = house.processes()
    assert list(everybody) == ["postgres", "mosquitto", "one", "two", "console", "sim"]

    again = house.up()
    assert again.returncode == 0
    assert "already running" in again.stdout
    assert house.processes() == everybody

    assert house.pingan("status").returncode == 0
    access = json.loads(house.pingan("access", "--json").stdout)
    assert access["mqtt"] == {"host": "127.0.0.1", "port": house.mqtt_port}
    assert access["devices"] == [local_stand_in.DEVICE]
    assert access["twilio"]["base_url"] == access["simulator"]
    assert (house.data / "access.json").stat().st_mode & 0o777 == 0o600
    # The broker knew the sample's devices before the simulator was started.
    assert sign_in(house.mqtt_port, "H001-button", "sample", 5) == 0

    down = house.pingan("down")
    assert "stopped" in down.stdout
    assert not any(process.alive() for process in everybody.values())
    assert house.pingan("status").returncode == 1
    assert "not running" in house.pingan("down").stdout


def test_whoever_connects_while_the_console_is_replaced_waits_and_is_answered(running: House) -> None:
    """The provider that tells us of a key asks again at once, and then no more: nobody may be turned away."""
    console = running.processes()["console"]
    assert console.send(signal.SIGSTOP)
    assert wait_for(lambda: _held(console.pid))  # whoever connects now is in line, and it serves nobody
    with socket.create_connection(("127.0.0.1", int(running.environ["PINGAN_HTTP_PORT"])), 60) as connection:
        assert console.send(signal.SIGKILL)
        assert console.wait_gone(60)
        connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.0 200")
    assert wait_for(running.replaced("console", console))


def _held(pid: int) -> bool:
    """Whether every thread of a process has stopped."""
    states = [one.read_text().rpartition(")")[2].split()[0] for one in Path(f"/proc/{pid}/task").glob("*/stat")]
    return {*states} == {"T"}


def test_services_are_told_where_everything_is_and_no_secret(running: House) -> None:
    told = json.loads((running.data / "told-one.json").read_text())
    assert told["PINGAN_NAME"] == "one"
    assert told["PINGAN_MQTT_USER"] == "ingest-alarm"
    password = Path(told["PINGAN_MQTT_PASSWORD_FILE"]).read_text()
    assert sign_in(running.mqtt_port, "ingest-alarm", password, 5) == 0
    assert told["PINGAN_TWILIO_BASE_URL"].endswith(running.environ["PINGAN_SIM_PORT"])
    with psycopg.connect(told["PINGAN_DATABASE_URL"]) as connection:
        assert ("H001-button",) in connection.execute("select id from devices").fetchall()
    secrets = {path.read_text().strip() for path in (running.data / "secrets").iterdir() if path.name != "pgpass"}
    account = (running.data / "secrets/sim-twilio-account").read_text()
    assert not [value for value in told.values() for secret in secrets - {account} if secret in value]
    assert "PINGAN_MQTT_USER" not in json.loads((running.data / "told-two.json").read_text())


def test_a_fresh_shell_needs_the_data_folder_only(running: House) -> None:
    done = running.pingan("migrate")
    assert done.stdout == "0 applied\n", done.stderr


@pytest.mark.parametrize("name", ["one", "console", "mosquitto", "postgres"])
def test_what_is_killed_is_started_again(running: House, name: str) -> None:
    before = running.processes()
    before[name].send(signal.SIGKILL)
    wait_for(running.replaced(name, before[name]))
    after = running.processes()
    assert {other for other in before if before[other] != after[other]} == {name}
    wait_for(lambda: sign_in(running.mqtt_port, "H001-button", "sample", 5) == 0)


def test_what_is_held_is_replaced(running: House) -> None:
    before = running.process("two")
    assert before
    before.send(signal.SIGSTOP)
    wait_for(running.replaced("two", before))
    assert "is silent: killing it" in running.log()
    assert not before.alive()


def test_what_never_says_that_it_lives_is_started_again_and_again(house: House) -> None:
    starting = subprocess.Popen([*ME, "supervise"], env=house.environ | {"STAND_IN_MUTE": "1"})
    wait_for(lambda: "mute" in house.processes())
    first = house.processes()["mute"]
    wait_for(lambda: house.process("mute") not in (first, None))
    starting.terminate()
    assert starting.wait(30) == 0


def test_a_supervisor_that_was_held_itself_kills_nobody_when_it_wakes(running: House) -> None:
    before = running.processes()
    supervisor = running.supervisor()
    supervisor.send(signal.SIGSTOP)
    held = before["one"]
    held.send(signal.SIGSTOP)
    began = time.monotonic()
    wait_for(lambda: time.monotonic() - began > local_stand_in.LIMITS.silence + 0.5)
    held.send(signal.SIGCONT)
    supervisor.send(signal.SIGCONT)
    wait_for(lambda: "everybody gets a fresh start" in running.log())
    seen = recorded(running.data)["at_monotonic"]
    wait_for(lambda: recorded(running.data)["at_monotonic"] > seen + 2)
    assert running.processes() == before


def test_children_outlive_a_killed_supervisor_and_up_replaces_them(running: House) -> None:
    before = running.processes()
    supervisor = running.supervisor()
    supervisor.send(signal.SIGKILL)
    assert supervisor.wait_gone(5)
    assert all(process.alive() for process in before.values())
    done = running.up()
    assert done.returncode == 0, done.stdout + running.log()
    after = running.processes()
    assert after.keys() == before.keys()
    assert not any(process.alive() for process in before.values())


def test_up_replaces_a_supervisor_that_is_held(running: House) -> None:
    supervisor = running.supervisor()
    supervisor.send(signal.SIGSTOP)
    wait_for(supervisor.stopped)
    done = running.up()
    assert done.returncode == 0, done.stdout
    assert "was held" in done.stdout
    assert running.supervisor() != supervisor


def test_all_processes_count_from_one_moment_whenever_they_were_started(running: House) -> None:
    """The wall clock may be moved between two starts: a deadline set by one would be an hour away for the other."""

    def told() -> str:
        return str(json.loads((running.data / "told-one.json").read_text())["PINGAN_WALL_MINUS_BOOTTIME"])

    before, one = told(), running.processes()["one"]
    assert float(before) == recorded(running.data)["wall_minus_boottime"]
    supervisor = running.supervisor()
    supervisor.send(signal.SIGKILL)
    assert supervisor.wait_gone(5)
    assert running.up().returncode == 0
    assert running.processes()["one"] != one
    assert told() == before


def test_down_also_ends_what_a_killed_supervisor_left(running: House) -> None:
    before = running.processes()
    running.supervisor().send(signal.SIGKILL)
    assert "stopped" in running.pingan("down").stdout
    assert not any(process.alive() for process in before.values())


def test_the_broker_learns_of_devices_as_they_come_and_go(running: House) -> None:
    with psycopg.connect(running.database().dsn, autocommit=True) as connection:
        local_stand_in.enrol(connection, "H002-button", "new")
        wait_for(lambda: sign_in(running.mqtt_port, "H002-button", "new", 5) == 0)
        connection.execute("update devices set enabled = false where id = 'H002-button'")
        wait_for(lambda: sign_in(running.mqtt_port, "H002-button", "new", 5) == 5)


def test_the_broker_learns_of_devices_after_the_database_was_away(running: House) -> None:
    before = running.process("postgres")
    assert before
    before.send(signal.SIGKILL)
    wait_for(running.replaced("postgres", before))
    database = running.database()
    database.ready()
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        local_stand_in.enrol(connection, "H003-button", "new")
    wait_for(lambda: sign_in(running.mqtt_port, "H003-button", "new", 5) == 0)


def test_a_second_start_keeps_ports_data_and_sample(running: House) -> None:
    token = json.loads(running.pingan("access", "--json").stdout)
    running.pingan("down")
    # As in a fresh shell: the ports are those of the last start.
    done = running.up(PINGAN_HTTP_PORT=None, PINGAN_MQTT_PORT=None, PINGAN_SIM_PORT=None)
    assert done.returncode == 0, done.stdout
    assert "Settings kept from the last start: PINGAN_HTTP_PORT=" in done.stdout
    assert json.loads(running.pingan("access", "--json").stdout) == token


def test_a_taken_port_is_said_with_the_setting_that_changes_it(house: House) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", house.mqtt_port))
        other.listen()
        done = house.up()
    assert done.returncode == 1
    assert f"Port {house.mqtt_port} is in use" in done.stdout
    assert "PINGAN_MQTT_PORT=" in done.stdout


def test_a_refused_setting_is_said(house: House) -> None:
    done = house.up(PINGAN_HTTP_PORT="99999999")
    assert done.returncode == 1
    assert "PINGAN_HTTP_PORT" in done.stdout


def test_with_another_database_none_of_ours_is_started_and_services_come_up_before_it(
    house: House, postgres: Postgres, postgres_url: str
) -> None:
    """The database is down at the start: services run, and say so; when it answers, everything goes on."""
    conninfo = psycopg.conninfo.conninfo_to_dict(postgres_url)
    hidden = Path(str(conninfo["host"])) / ".s.PGSQL.5432"
    away = hidden.with_name("away")
    hidden.rename(away)
    try:
        starting = subprocess.Popen([*ME, "supervise"], env=house.environ | {"PINGAN_DATABASE_URL": postgres_url})
        wait_for(lambda: "one" in house.processes(), 30)
        assert "sim" not in house.processes()
        assert "database" in recorded(house.data)["detail"]
    finally:
        away.rename(hidden)
    wait_for(lambda: "sim" in house.processes(), 30)
    assert "postgres" not in house.processes()
    starting.terminate()
    assert starting.wait(30) == 0


def test_settings_are_remembered_and_can_be_taken_back(house: House) -> None:
    house.data.mkdir()
    first = load(house.data, {"PINGAN_HTTP_PORT": "9000", "PINGAN_SIM": "0"})
    remember(first)
    assert load(house.data, {}) == first
    assert load(house.data, {"PINGAN_SIM": "1"}).settings.sim
    assert load(house.data, {"PINGAN_HTTP_PORT": ""}).settings.http_port == 8360
