"""docker-compose.yml, without Docker: every entry point of ours runs as a plain process with what the file gives it.

What needs Docker itself (images, networks, limits) is left to the linters and to whoever starts it first; the runbook
says what has never been tried.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from psycopg.conninfo import make_conninfo

from pingan.local.postgres import Postgres
from tests import compose, contracts, kafka
from tests.compose import City

Until = Callable[[Callable[[], Awaitable[object] | object]], Awaitable[object]]

PUBLISHED = {
    "443:8443": "proxy",
    "8883:8883": "mosquitto",
    "8884:8884": "mosquitto",
    "8364:8364": "receiver",
    "8365:8364": "receiver-second",
    "127.0.0.1:8363:8363": "sim",
}
"""All that the world, or this host, may reach. docs/runbook.md lists the same."""
ONCE = ("migrate", "sample")
SCALED = ("ingest-alarm", "ingest-telemetry", "urgent", "alerting", "archive", "dispatch", "console")
ALONE = ("mosquitto", "receiver", "receiver-second", "sim")
READ_ELSEWHERE = {"PINGAN_LOG_LEVEL"}
"""Settings that are not in a settings class."""


@pytest.fixture(scope="module")
def deploy() -> Iterator[Path]:
    """The folder `deploy` of a fresh clone, after `sh deploy/prepare.sh sim`."""
    clone = Path(tempfile.mkdtemp(prefix="pingan-test-"))
    for name in ("deploy", "dashboards"):
        shutil.copytree(compose.ROOT / name, clone / name, ignore=shutil.ignore_patterns("secrets", "backup"))
    prepare(clone, "sim")
    yield clone / "deploy"
    shutil.rmtree(clone)


def prepare(clone: Path, *arguments: str, status: int = 0) -> str:
    """What deploy/prepare.sh says."""
    done = subprocess.run(["sh", "deploy/prepare.sh", *arguments], cwd=clone, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def settings(deploy: Path) -> dict[str, str]:
    return compose.dotenv((deploy.parent / ".env").read_text(encoding="utf-8"), {})


@pytest.fixture(scope="module")
def content(settings: dict[str, str]) -> dict[str, Any]:
    return compose.read(settings)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `pingan`, installed as the Dockerfile does it: from a wheel of what .dockerignore lets through."""
    folder = tmp_path_factory.mktemp("image")
    list(compose.copied_by_dockerfile(folder / "src"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
    subprocess.run(
        [*pip, "--no-deps", "--no-build-isolation", "--no-index", "--target", folder / "site", folder / "src"],
        check=True,
    )
    return folder / "site/bin/pingan"


@pytest.fixture(scope="module")
def city(
    deploy: Path,
    settings: dict[str, str],
    content: dict[str, Any],
    program: Path,
    postgres: Postgres,
    request: pytest.FixtureRequest,
) -> Iterator[City]:
    """Every service of ours, started in the order that `depends_on` asks for, on an empty database."""
    with psycopg.connect(postgres.superuser_dsn, autocommit=True) as connection:
        connection.execute("create database city")
    url = deploy / "secrets/database_url"
    url.chmod(0o644)
    url.write_text(make_conninfo(postgres.superuser_dsn, dbname="city"), encoding="utf-8")
    # The file says Kafka; where the tests have none the log is in PostgreSQL, which .env may say as well.
    overrides = {"PINGAN_LOG": "postgres"}
    if kafka.version():
        overrides = request.getfixturevalue("kafka_broker").environ()
        contracts.held_against(f"docker-compose.yml: Apache Kafka {kafka.need()}")
    folder = Path(tempfile.mkdtemp(prefix="pingan-test-"))
    folder.chmod(0o755)  # where we are root, Mosquitto is not
    running = City(folder, deploy, content, settings, program, overrides)
    try:
        running.run("migrate")
        names = [name for name, one in compose.services(content, "sim").items() if compose.is_ours(one)]
        for name in names:
            if name == "sample":
                running.run("sample")
            elif name not in ONCE:
                running.start(name)
        yield running
    finally:
        running.end()
        shutil.rmtree(folder)


# What the file says.


def test_every_service_of_the_plan_is_there(content: dict[str, Any]) -> None:
    wanted = {"timescaledb", "kafka-1", "kafka-2", "kafka-3", "mosquitto", "migrate", *SCALED}
    wanted |= {"receiver", "receiver-second", "proxy", "prometheus", "alertmanager", "grafana", "sample", "sim"}
    assert set(content["services"]) == wanted
    assert set(content["services"]) - set(compose.services(content, "twilio")) == {"sample", "sim"}


def test_every_image_is_pinned(content: dict[str, Any]) -> None:
    images = {service["image"] for service in content["services"].values()}
    images |= set(re.findall(r"^FROM (\S+)", (compose.ROOT / "Dockerfile").read_text(), re.MULTILINE))
    python = re.search(r"^ARG PYTHON=(.+)$", (compose.ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert python
    versions = {image.replace("${PYTHON}", python[1]).rpartition(":")[2] for image in images}
    assert all(re.match(r"v?\d+\.\d+\.\d+", version) for version in versions), versions


@pytest.mark.parametrize("profile", ["sim", "twilio"])
def test_every_service_is_hardened(content: dict[str, Any], profile: str) -> None:
    for name, service in compose.services(content, profile).items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] or name.startswith("kafka-"), name
        assert service["init"], name
        assert service["restart"] == ("no" if name in ONCE else "unless-stopped"), name
        assert service["logging"]["options"]["max-size"], name
        assert {"cpus", "memory", "pids"} == set(service["deploy"]["resources"]["limits"]), name
        assert service["healthcheck"].get("disable", False) == (name in ONCE), name
        assert "stop_grace_period" in service, name


def test_only_what_is_listed_is_published(content: dict[str, Any]) -> None:
    published = {
        port.removeprefix("0.0.0.0:"): name
        for name, service in content["services"].items()
        for port in service.get("ports", ())
    }
    assert published == PUBLISHED
    assert content["networks"]["inside"]["internal"] is True
    outside = {name for name, service in content["services"].items() if "outside" in service["networks"]}
    assert outside == {"mosquitto", "receiver", "receiver-second", "dispatch", "proxy", "alertmanager", "sim"}
    runbook = (compose.ROOT / "docs/runbook.md").read_text(encoding="utf-8")
    assert all(f"`{port}`" in runbook for port in PUBLISHED)


def test_everything_named_is_there_or_made_by_the_documented_command(content: dict[str, Any], deploy: Path) -> None:
    clone = deploy.parent
    for name, secret in content["secrets"].items():
        path = clone / secret["file"]
        assert path.is_file(), f"{name}: deploy/prepare.sh does not make {path}"
        assert path.stat().st_mode & 0o444 == 0o444, f"{name}: a container's user cannot read it"
    assert (clone / "deploy/secrets").stat().st_mode & 0o777 == 0o700
    used: set[str] = set()
    for name, service in content["services"].items():
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            if source.startswith("."):
                assert (clone / source).exists(), f"{name}: {source}"
            else:
                used.add(source)
        assert set(service.get("secrets", ())) <= set(content["secrets"]), name
        assert all((compose.ROOT / file).is_file() for file in service.get("env_file", ())), name
    assert used == set(content["volumes"])


def test_prepare_makes_random_secrets_once_and_asks_for_what_is_ours_to_give(tmp_path: Path, deploy: Path) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    for name in ("deploy", "dashboards"):
        shutil.copytree(compose.ROOT / name, clone / name, ignore=shutil.ignore_patterns("secrets", "backup"))
    asked = prepare(clone, "twilio", "city.example.org", status=1)
    assert "twilio/token" in asked
    assert "mqtt_certificate.pem" in asked
    secrets = clone / "deploy/secrets"
    made = {path.name: path.read_text() for path in secrets.iterdir() if path.is_file()}
    others = {path.name: path.read_text() for path in (deploy / "secrets").iterdir() if path.is_file()}
    same = {name for name, text in made.items() if text and others.get(name) == text}
    assert not same, "two installations share these"
    prepare(clone, "twilio", "city.example.org", status=1)
    assert made == {path.name: path.read_text() for path in secrets.iterdir() if path.is_file()}
    for name in ("twilio/account", "twilio/token", "twilio/from"):
        (secrets / name).write_text("made up\n")
    certify(str(secrets), clone, "city.example.org")
    assert "All is there" in prepare(clone, "twilio", "city.example.org")
    assert "Trying out, then for real" in prepare(clone, "sim", status=1)


def test_every_setting_named_exists(content: dict[str, Any]) -> None:
    """A setting that is misspelt would be passed over in silence."""
    known = {"PINGAN_DOMAIN", *READ_ELSEWHERE}
    for room in ("pingan", "ingest", "alerting", "dispatch", "care", "dashboards"):
        for path in (compose.ROOT / room).rglob("*.py"):
            found = re.findall(r"^    ([a-z0-9_]+): .*$", path.read_text(encoding="utf-8"), re.MULTILINE)
            known |= {f"PINGAN_{name.upper()}" for name in found}
    files = [compose.ROOT / f"deploy/phones/{profile}.env" for profile in ("sim", "twilio")]
    named = {name for file in files for name in compose.dotenv(file.read_text(encoding="utf-8"), {})}
    named |= {name for service in content["services"].values() for name in service.get("environment", {})}
    ours = {name.removesuffix("_FILE") for name in named if name.startswith("PINGAN_")}
    assert ours <= known, ours - known


def test_one_setting_chooses_the_phones(settings: dict[str, str]) -> None:
    for profile, begins in (("sim", "http://console"), ("twilio", "https://city.example.org")):
        chosen = {**settings, "COMPOSE_PROFILES": profile, "PINGAN_DOMAIN": "city.example.org"}
        content = compose.read(chosen)
        assert content["name"] == f"pingan-{profile}", "the volumes of a trial must not be those of a city"
        assert content["secrets"]["twilio_token"]["file"] == f"deploy/secrets/{profile}/token"
        for name in ("dispatch", "console"):
            (file,) = content["services"][name]["env_file"]
            given = compose.dotenv((compose.ROOT / file).read_text(encoding="utf-8"), chosen)
            assert given["PINGAN_PUBLIC_URL"].startswith(begins)
            assert ("PINGAN_TWILIO_BASE_URL" in given) == (profile == "sim")


def test_without_prepare_compose_says_what_to_do() -> None:
    with pytest.raises(compose.Wrong, match=r"deploy/prepare\.sh"):
        compose.read({})


def test_brokers_of_kafka_take_the_settings(content: dict[str, Any], tmp_path: Path) -> None:
    """By the very class with which the image turns its environment into Kafka's configuration and formats the disk."""
    version = kafka.need()
    for name in ("kafka-1", "kafka-2", "kafka-3"):
        service = content["services"][name]
        assert service["image"] == f"apache/kafka:{version}", "what the tests run is what a city runs"
        (mount,) = service["volumes"]
        data = tmp_path / name / "data"
        environ = {key: str(value) for key, value in service["environment"].items()}
        environ["KAFKA_LOG_DIRS"] = environ["KAFKA_LOG_DIRS"].replace(mount.split(":")[1], str(data))
        folders = {}
        for folder in ("default", "mounted", "final"):
            folders[folder] = tmp_path / name / folder
            folders[folder].mkdir(parents=True)
        for file in ("server.properties", "log4j2.yaml", "tools-log4j2.yaml"):
            (folders["default"] / file).touch()
        done = subprocess.run(
            [
                "java", *environ["KAFKA_HEAP_OPTS"].split(), "-cp", f"{kafka.JARS}/*",
                "kafka.docker.KafkaDockerWrapper", "setup", "--default-configs-dir", folders["default"],
                "--mounted-configs-dir", folders["mounted"], "--final-configs-dir", folders["final"],
            ],
            env={"PATH": os.environ["PATH"], **environ}, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        text = (folders["final"] / "server.properties").read_text()
        properties = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        assert properties["node.id"] == name[-1]
        assert properties["auto.create.topics.enable"] == "false"
        assert properties["unclean.leader.election.enable"] == "false"
        assert properties["min.insync.replicas"] == "2"
        assert f"cluster.id={environ['CLUSTER_ID']}" in (data / "log/meta.properties").read_text()


# What the processes do. In the order of the file, on one city.


async def test_every_process_becomes_healthy(city: City, until: Until) -> None:
    assert {replica.service for replica in city.replicas} == {*SCALED, *ALONE}
    for replica in city.replicas:

        async def well(replica: compose.Replica = replica) -> bool:
            assert replica.process.poll() is None, f"{replica.hostname} has ended:\n{replica.told()[-3000:]}"
            return await asyncio.to_thread(replica.healthy)

        try:
            await until(well)
        except TimeoutError:
            said = replica.ask(*replica.health).stdout
            pytest.fail(f"{replica.hostname} does not become healthy: {said}\n{replica.told()[-3000:]}")


async def test_each_replica_has_a_name_of_its_own(city: City, until: Until) -> None:
    if not compose.own_hostnames():
        pytest.skip("the kernel gives no process of ours a host name of its own")
    for name in SCALED:
        replicas = city.of(name)
        assert len(replicas) >= 2
        said = [replica.ask("pingan", "health").stdout.split(":")[0] for replica in replicas]
        command = city.content["services"][name]["command"][0]
        assert said == [f"{command}-{replica.hostname}" for replica in replicas]
    url = (city.deploy / "secrets/database_url").read_text()
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute("select owner from lease_members where name like '%%alerting%%'").fetchall()
    assert {owner.partition("#")[0] for (owner,) in rows} == {f"alerting-alerting-{number}" for number in (1, 2, 3)}


async def test_each_process_serves_its_figures_where_prometheus_asks(city: City) -> None:
    for replica in city.replicas:
        if (port := replica.environ.get("PINGAN_METRICS_PORT")) is None:
            continue
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(60):
            answer = await reader.read()
        writer.close()
        assert b"pingan_ready 1.0" in answer, replica.hostname


async def test_a_press_brings_a_person_by_way_of_all_of_them(city: City, until: Until) -> None:
    """The button's lamp says *received*; a simulated phone rings; whoever answers it and presses 1 is on the way."""
    (sim,) = city.of("sim")

    async def simulator(*words: str) -> str:
        done = await asyncio.to_thread(sim.ask, "pingan", "sim", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    await simulator("press", "--home", "H001", "--wait", "received")
    url = (city.deploy / "secrets/database_url").read_text()
    with psycopg.connect(url, autocommit=True) as connection:
        called = (
            "select address from sends where purpose = 'help' and channel = 'twilio_voice' and provider_id is not null"
        )
        (number,) = await until(lambda: connection.execute(called).fetchone())  # type: ignore[misc]
        phone = f"http://127.0.0.1:{city.port('sim:8363')}/sim/phones/{number}"
        await until(lambda: asyncio.to_thread(lambda: fetched(phone)["state"] == "ringing"))
        await simulator("phone", number, "answer")
        await until(lambda: asyncio.to_thread(lambda: fetched(phone)["heard"]))
        await simulator("phone", number, "press", "1")
        await until(lambda: connection.execute("select home from incidents where t5 is not null").fetchone())


def fetched(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)


def connect(city: City, user: str, password: str, authority: Path | None) -> tuple[paho.Client, list[str]]:
    """A device on the port that the world reaches, and how its connection went."""
    went: list[str] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"{user}-test")
    client.username_pw_set(user, password)
    if authority:
        client.tls_set(ca_certs=str(authority))
    client.on_connect = lambda _c, _u, _f, reason, _p: went.append(str(reason))
    client.on_disconnect = lambda _c, _u, _f, reason, _p: went.append("gone")
    with contextlib.suppress(OSError):
        client.connect("localhost", city.port("mosquitto:8883"))
        client.loop_start()
    return client, went


async def test_devices_come_in_by_tls_and_a_disabled_one_is_put_out(city: City, until: Until) -> None:
    volume = city.place("sim", "sim", "/var/lib/pingan/sample")
    known = json.loads((volume / "access.json").read_text())["devices"]
    device = next(one for one in known if one["home"] == "H002" and one["kind"] == "button")
    authority = city.deploy / "secrets/test_authority.pem"
    client, went = connect(city, device["id"], device["password"], authority)
    stranger, refused = connect(city, device["id"], "wrong", authority)
    plain, unheard = connect(city, device["id"], device["password"], None)
    try:
        await until(lambda: went == ["Success"])
        await until(lambda: refused and refused[0] == "Not authorized")
        url = (city.deploy / "secrets/database_url").read_text()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("update devices set enabled = false where id = %s", (device["id"],))
            await until(lambda: "gone" in went)
            await until(lambda: "Not authorized" in went)
            connection.execute("update devices set enabled = true where id = %s", (device["id"],))
            await until(lambda: went[-1] == "Success")
        assert "Success" not in unheard, "the port of the world takes no word in clear"
    finally:
        for one in (client, stranger, plain):
            one.disconnect()
            one.loop_stop()


async def test_a_device_is_enrolled_with_a_certificate_and_comes_in_by_it(
    city: City, until: Until, tmp_path: Path
) -> None:
    (replica,) = city.of("mosquitto")
    enrol = ("pingan", "device", "enrol", "--id", "H001-watch-2", "--kind", "watch", "--certificate", str(tmp_path))
    done = await asyncio.to_thread(replica.ask, *enrol)
    assert done.returncode == 0, done.stdout + done.stderr
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="any")
    went: list[str] = []
    client.on_connect = lambda _c, _u, _f, reason, _p: went.append(str(reason))
    client.tls_set(
        str(city.deploy / "secrets/test_authority.pem"),
        str(tmp_path / "H001-watch-2.pem"),
        str(tmp_path / "H001-watch-2_key.pem"),
    )
    client.connect("localhost", city.port("mosquitto:8884"))
    client.loop_start()
    try:
        await until(lambda: went == ["Success"])
    finally:
        client.disconnect()
        client.loop_stop()


def certify(folder: str, clone: Path = compose.ROOT, name: str = "localhost") -> None:
    """Test certificates into `folder`."""
    subprocess.run(["sh", clone / "deploy/certificates.sh", name, folder], check=True)


async def test_a_renewed_certificate_is_taken_up_without_a_restart(city: City, until: Until) -> None:
    secrets = Path(city.of("mosquitto")[0].environ["PINGAN_MQTT_TLS_CERTIFICATE"]).parent

    def shown() -> str:
        return ssl.get_server_certificate(("localhost", city.port("mosquitto:8883")), timeout=60)

    before = await asyncio.to_thread(shown)
    with tempfile.TemporaryDirectory() as folder:
        await asyncio.to_thread(certify, folder)
        for name in ("mqtt_key.pem", "mqtt_certificate.pem"):
            # In place, as the runbook says: a file that is mounted by itself stays the same file.
            (secrets / name).chmod(0o644)
            (secrets / name).write_bytes((Path(folder) / name).read_bytes())

    async def renewed() -> bool:
        with contextlib.suppress(OSError):
            return await asyncio.to_thread(shown) != before
        return False

    await until(renewed)


async def test_a_broker_that_dies_takes_its_container_with_it(city: City, until: Until) -> None:
    """Docker starts the container again; what was in the broker's store is there."""
    (replica,) = city.of("mosquitto")
    (mosquitto,) = await asyncio.to_thread(children, replica.process.pid)
    os.kill(mosquitto, signal.SIGKILL)
    assert await asyncio.to_thread(replica.process.wait, 20) == 1
    assert replica.told().rstrip().endswith("pingan broker: Mosquitto has ended with status -9")
    city.replicas.remove(replica)
    city.start("mosquitto")
    (replica,) = city.of("mosquitto")
    await until(lambda: asyncio.to_thread(replica.healthy))
    (sim,) = city.of("sim")
    done = await asyncio.to_thread(sim.ask, "pingan", "sim", "press", "--home", "H001", "--wait", "received")
    assert done.returncode == 0, done.stdout + done.stderr


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def test_every_process_stops_within_its_grace(city: City) -> None:
    """The last: nothing runs after it."""
    for replica in city.replicas:
        replica.process.terminate()
    began = time.monotonic()
    late = []
    for replica in city.replicas:
        try:
            status = replica.process.wait(max(0.1, replica.grace_seconds - (time.monotonic() - began)))
        except subprocess.TimeoutExpired:
            late.append(replica.hostname)
        else:
            assert status == 0, f"{replica.hostname} ended with {status}:\n{replica.told()[-2000:]}"
    assert not late
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", city.port("mosquitto:8883"))) != 0, "Mosquitto outlived its process"
