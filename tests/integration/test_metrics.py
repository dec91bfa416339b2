"""`/metrics` of real processes, on both transports, through the console's door, and for clients that do not behave."""

import asyncio
import contextlib
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest
from prometheus_client import parser
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.registry import Collector

from alerting import alarms
from alerting.runner import Runner
from dispatch import measuring
from dispatch.incident import Answer
from ingest.measuring import keep_measuring_disks, keep_measuring_lag, keep_measuring_size, measure_size
from pingan import exposition, metrics
from pingan.clock import DrivenClock
from pingan.database import Database
from pingan.exposition import Exposition, Taken, Unanswered, ask, serving, socket_path
from pingan.log import PARTITIONS, Entry, Record
from pingan.messages import Alarm, Tick, encode
from pingan.postgres_log import PostgresLog
from pingan.process import State
from pingan.settings import Common
from pingan.tasks import end
from tests import timescale
from tests.conftest import Until
from tests.integration.dispatch_support import Room, room
from tests.integration.web_support import Site, site
from tests.support import free_port
from tests.unit.test_metrics import value

Speak = Callable[[bytes], "asyncio.Future[bytes]"]
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def settings(**given: object) -> Common:
    return Common(database_url="postgresql://nobody", name="archive", **given)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def served(
    transport: str, folder: Path, shown: Exposition, seconds: float = exposition.SECONDS
) -> AsyncIterator[Speak]:
    """A process's server on one of its transports; what it answers to whatever bytes."""
    if transport == "port":
        port = free_port()
        async with serving(shown, settings(metrics_port=port), seconds=seconds):
            yield lambda said: asyncio.ensure_future(tell(asyncio.open_connection("127.0.0.1", port), said))
    else:
        async with serving(shown, settings(data=folder), seconds=seconds):
            path = str(socket_path(folder, "archive"))
            yield lambda said: asyncio.ensure_future(tell(asyncio.open_unix_connection(path), said))


async def tell(connecting: object, said: bytes) -> bytes:
    reader, writer = await connecting  # type: ignore[misc]
    with contextlib.suppress(ConnectionError):
        writer.write(said)
        await writer.drain()
    answer = b""
    with contextlib.suppress(ConnectionError):
        answer = await reader.read()
    writer.close()
    return bytes(answer)


def families(body: bytes, *, open_metrics: bool = False) -> dict[str, Metric]:
    parse = openmetrics.text_string_to_metric_families if open_metrics else parser.text_string_to_metric_families
    return {family.name: family for family in parse(body.decode())}


@pytest.mark.parametrize("transport", ["port", "socket"])
async def test_a_scrape_in_both_forms(transport: str, tmp_path: Path) -> None:
    looked = []
    shown = Exposition()
    shown.look(lambda: looked.append(1))
    metrics.show(metrics.READY).set(1)
    async with served(transport, tmp_path, shown) as speak:
        head, _, body = (await speak(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n")).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"Content-Type: text/plain; version=" in head
        found = families(body)
        assert found["pingan_ready"].samples[0].value == 1
        assert found["process_resident_memory_bytes"].samples[0].value > 1e6
        asked = f"GET /metrics?x=1 HTTP/1.1\r\naccept: {OPENMETRICS}\r\n\r\n".encode()
        head, _, body = (await speak(asked)).partition(b"\r\n\r\n")
        assert b"Content-Type: application/openmetrics-text; version=1.0.0" in head
        assert "pingan_ready" in families(body, open_metrics=True)
        assert b"_created" not in body
        head, _, body = (await speak(b"HEAD /metrics HTTP/1.0\r\n\r\n")).partition(b"\r\n\r\n")
        assert (head.splitlines()[0], body) == (b"HTTP/1.1 200 OK", b"")
    assert len(looked) == 3, "what is asked for is asked for at each scrape"


@pytest.mark.parametrize("transport", ["port", "socket"])
async def test_clients_that_do_not_behave_harm_nobody(transport: str, tmp_path: Path, until: Until) -> None:
    async with served(transport, tmp_path, Exposition(), seconds=1.0) as speak:
        for said, status in [
            (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
            (b"GET / HTTP/1.1\r\n\r\n", b"404"),
            (b"GET /metrics/../secrets HTTP/1.1\r\n\r\n", b"404"),
            (b"\xff\x00\x01 nonsense\r\n\r\n", b"404"),
            (b"\r\n\r\n", b"404"),
            (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 100_000, b"431"),
        ]:
            answer = await speak(said)
            assert answer.split(b" ")[1:2] in ([status], []), (said[:40], answer)
            assert answer.startswith(b"HTTP/1.1 ") or len(said) > 1000, "a flood may be cut off before it is answered"
        begun = [speak(b"GET /met") for _ in range(exposition.AT_ONCE)]

        async def full() -> bool:
            return await speak(b"GET /metrics HTTP/1.1\r\n\r\n") == b""

        await until(full)  # whoever only begins takes a place
        assert await asyncio.gather(*begun) == [b""] * len(begun), "and is sent away in time"
        assert (await speak(b"GET /metrics HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")


class Broken:
    """A collector that cannot be collected."""

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> list[Metric]:
        raise RuntimeError("a collector's mistake")


async def test_a_scrape_that_fails_says_so_and_the_next_one_works(tmp_path: Path) -> None:
    broken: Collector = Broken()
    shown = Exposition()
    shown.look(lambda: 1 / 0)
    async with served("socket", tmp_path, shown) as speak:
        metrics.show(broken)
        try:
            assert (await speak(b"GET /metrics HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 500 ")
            with pytest.raises(Unanswered, match="500"):
                await ask(socket_path(tmp_path, "archive"), "")
        finally:
            metrics.hide(broken)
        assert (await speak(b"GET /metrics HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")


async def test_the_socket_is_ours_alone_and_takes_the_place_of_a_killed_forerunner(tmp_path: Path) -> None:
    path = socket_path(tmp_path, "archive")
    async with serving(Exposition(), settings(data=tmp_path)):
        first = path.stat()
        assert stat.S_ISSOCK(first.st_mode)
        assert stat.S_IMODE(first.st_mode) == 0o600
        # The first one lives on, as a process does that is being replaced: it must not remove the second one's socket.
        async with contextlib.AsyncExitStack() as second:
            await second.enter_async_context(serving(Exposition(), settings(data=tmp_path)))
            assert path.stat().st_ino != first.st_ino
            await ask(path, "")
        assert not path.exists()
    killed = "import os, socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); os.kill(os.getpid(), 9)"
    forerunner = await asyncio.create_subprocess_exec(sys.executable, "-c", killed, str(path))
    await forerunner.wait()
    assert path.exists()
    with pytest.raises(Unanswered, match="ConnectionRefusedError"):
        await ask(path, "")
    async with serving(Exposition(), settings(data=tmp_path)):
        body, _ = await ask(path, "")
        assert b"process_" in body
    assert list(path.parent.iterdir()) == []


async def test_the_process_runs_without_where_no_socket_can_be(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    deep = tmp_path / ("x" * 120)
    async with serving(Exposition(), settings(data=deep)):
        assert "PINGAN_METRICS_PORT" in caplog.text
    async with serving(Exposition(), settings()):
        pass


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    port = free_port()
    async with serving(Exposition(), settings(metrics_port=port)):
        with pytest.raises(Taken, match=f"PINGAN_METRICS_PORT: 127.0.0.1:{port} cannot be used"):
            async with serving(Exposition(), settings(metrics_port=port)):
                pass


def test_a_process_whose_port_is_taken_ends_at_once_and_says_why() -> None:
    port = free_port()
    environ = {name: text for name, text in os.environ.items() if not name.startswith("PINGAN_")}
    environ |= {"PINGAN_DATABASE_URL": "postgresql://127.0.0.1:1/x", "PINGAN_METRICS_PORT": str(port)}
    first = subprocess.Popen([sys.executable, "-m", "pingan", "urgent"], env=environ, stderr=subprocess.PIPE, text=True)
    assert first.stderr is not None
    try:
        while "waiting for the database" not in (line := first.stderr.readline()):
            assert line, "it ended"
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)
        assert 'pingan_waiting{part="database"} 1.0' in answer.text, "it says what it waits for while it waits"
        assert "pingan_ready 0.0" in answer.text
        assert "pingan_database_seconds" not in answer.text
        second = subprocess.run(
            [sys.executable, "-m", "pingan", "urgent"],
            env=environ,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert second.returncode != 0
        assert f"PINGAN_METRICS_PORT: 127.0.0.1:{port} cannot be used" in second.stderr
        assert "Traceback" not in second.stderr
    finally:
        first.terminate()
        assert first.wait(20) == 0


# The console's door.


@pytest.fixture
async def web(postgres_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    (tmp_path / "run").mkdir()
    for name in ("archive", "supervisor", "urgent"):
        (tmp_path / "run" / f"{name}.json").write_text("{}")
    async with site(postgres_url, tmp_path) as one:
        yield one


async def test_one_door_to_every_process(web: Site, tmp_path: Path) -> None:
    async with serving(Exposition(), settings(data=tmp_path)), await web.machine("auditor") as client:
        own = await client.get("/metrics", headers={"accept": OPENMETRICS})
        assert own.headers["content-type"].startswith("application/openmetrics-text")
        assert "pingan_ready" in families(own.content, open_metrics=True)
        targets = (await client.get("/metrics/targets")).json()
        assert targets == [
            {"targets": ["desk.test"], "labels": {"__metrics_path__": f"/metrics/{name}", "process": name}}
            for name in ("archive", "urgent")
        ]
        there = await client.get("/metrics/archive", headers={"accept": "text/plain"})
        assert (there.status_code, there.headers["content-type"][:10]) == (200, "text/plain")
        assert "process_resident_memory_bytes" in families(there.content)
        away = await client.get("/metrics/urgent")
        assert (away.status_code, away.json()["title"]) == (503, "process_away")
        for name in ("nobody", "supervisor", "..%2f..%2fsecrets%2ftoken", "%00", "a" * 500):
            assert (await client.get(f"/metrics/{name}")).status_code == 404, name


async def test_a_process_that_hangs_is_waited_for_no_longer_than_said(tmp_path: Path) -> None:
    hung = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hung.wait()
        writer.close()

    server = await asyncio.start_unix_server(hang, tmp_path / "urgent.metrics")
    with pytest.raises(Unanswered, match=r"urgent does not answer \(TimeoutError\)"):
        await ask(tmp_path / "urgent.metrics", "", seconds=0.1)
    hung.set()
    server.close()


@pytest.mark.parametrize("path", ["/metrics", "/metrics/targets", "/metrics/archive"])
async def test_figures_are_not_for_strangers(web: Site, path: str) -> None:
    async with web.client(accept="application/openmetrics-text") as nobody:
        assert (await nobody.get(path)).status_code == 401
    async with web.client(authorization="Bearer made-up") as nobody:
        assert (await nobody.get(path)).status_code == 401
    async with await web.signed_in("responder") as helper:
        assert (await helper.get(path)).status_code == 403


# What only somebody who looks knows.


async def test_what_is_open_is_looked_at(database: Database, driven: DrivenClock, until: Until) -> None:
    async with room(database, driven) as this:
        await measuring.look(database, driven)
        assert value(metrics.INCIDENTS, "incidents") == 0
        assert len(next(iter(metrics.INCIDENTS.collect())).samples) == 2 * len(measuring.OPEN)
        await this.press()
        await until(this.the_incident)
        (incident,) = await this.incidents()
        await this.rows("delete from consoles returning id")
        await there(this, sound=True, visible=True)
        await there(this, sound=False, visible=True)
        await this.stop()
        this.pass_seconds(70)
        await this.press("e2", kind="battery_low", device="H001-hub")
        await measuring.look(database, driven)
        assert value(metrics.INCIDENTS, "incidents", state="waiting", danger="true") == 1
        assert value(metrics.UNANSWERED_SECONDS, "seconds") == pytest.approx(70, abs=0.1)
        assert value(metrics.ALARMS_WAITING, "waiting") == 1
        assert value(metrics.CONSOLES, "consoles") == 0, "pages that were last heard of 70 s ago"
        assert value(metrics.DEADLINES_OVERDUE, "overdue") == 1
        assert value(metrics.CALLS_UNSEEN, "unseen") == 1
        await there(this, sound=True, visible=True)
        await this.desk.act(incident["id"], Answer("op", "Op"))
        await measuring.look(database, driven)
        assert value(metrics.CONSOLES, "consoles") == 1
        assert value(metrics.UNANSWERED_SECONDS, "seconds") == 0
        assert value(metrics.CALLS_UNSEEN, "unseen") == 0
        assert value(metrics.INCIDENTS, "incidents", state="answered", danger="true") == 1
        assert value(metrics.INCIDENTS, "incidents", state="waiting") == 0


async def there(this: Room, *, sound: bool, visible: bool) -> None:
    await this.rows(
        "with made as (insert into accounts (id, name, role, password_hash) values ('op', 'Op', 'operator', '')"
        " on conflict do nothing) insert into consoles values (gen_random_uuid(), 'op', %s, %s, %s) returning id",
        this.clock.now(), sound, visible,
    )  # fmt: skip


async def test_what_is_looked_at_is_hidden_while_the_database_is_away(driven: DrivenClock, until: Until) -> None:
    gauges = (*measuring.LOOKED_AT, metrics.LAG, metrics.DATABASE_BYTES)
    for gauge in gauges:
        metrics.show(gauge)
    names = {family.name for gauge in gauges for family in gauge.collect()}
    away = Database("postgresql://127.0.0.1:1/x")
    await away.open()
    looking = [
        asyncio.create_task(measuring.keep_looking(away, driven)),
        asyncio.create_task(keep_measuring_lag([PostgresLog("urgent", away, driven)])),
        asyncio.create_task(keep_measuring_size(away)),
    ]
    try:
        await until(lambda: not names & {family.name for family in metrics.SHOWN.collect()})
    finally:
        await end(looking)
        await away.close()


async def test_the_lag_is_what_has_not_been_acted_on(database: Database, driven: DrivenClock, until: Until) -> None:
    log = PostgresLog("readings", database, driven)
    appended = value(metrics.APPEND_SECONDS, "_count", log="readings")
    await log.append([Record(3, b"x"), Record(3, b"y"), Record(4, b"z")])
    assert value(metrics.APPEND_SECONDS, "_count", log="readings") - appended == 1
    consumer = log.consumer("archive", "a")
    leasing = asyncio.create_task(consumer.run())
    await until(lambda: consumer.epoch(3) is not None)
    assert value(metrics.PARTITIONS, "partitions", log="readings", group="archive") == PARTITIONS
    async with database.transaction() as connection:
        await consumer.store(connection, 3, 1)
    measuring_lag = asyncio.create_task(keep_measuring_lag([log]))
    await until(lambda: value(metrics.LAG, "entries", log="readings", group="archive") == 2)
    assert value(metrics.LAG, "entries", log="readings", group="alerting") == 3
    parked = value(metrics.PARKED, log="readings", group="archive")
    for _ in range(2):
        await consumer.park(3, Entry(2, b"y"), "nobody can read it")
    assert value(metrics.PARKED, log="readings", group="archive") - parked == 1, "parked twice is parked once"
    spoiled = value(metrics.PARKED, log="readings", reason="spoiled")
    await consumer.park(4, Entry(1, b"z", "the disk has spoiled it"), "not a message")
    assert value(metrics.PARKED, log="readings", reason="spoiled") - spoiled == 1
    await end([measuring_lag, leasing])
    assert value(metrics.PARTITIONS, "partitions", log="readings", group="archive") == 0


async def test_an_alarm_is_counted_once_however_often_it_is_raised(database: Database, driven: DrivenClock) -> None:
    first, other = (
        Alarm(id=uuid4(), kind=kind, home=None, device="b", at_ms=0, received_ms=0, evidence={"source": "reported"})
        for kind in ("sos", "fall")
    )
    before = value(metrics.ALARMS, source="reported")
    for raised in ([first], [first, other, first], [other], []):
        async with database.transaction() as connection:
            new = await alarms.insert(connection, raised, driven.now())
        alarms.count(new)
    assert value(metrics.ALARMS, source="reported") - before == 2


async def test_detections_time_is_shown_while_a_partition_is_ours(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    log = PostgresLog("readings", database, driven)
    consumer = log.consumer("alerting", "a")
    runner = Runner(database, consumer, driven, State("alerting", None))
    runner.look()
    assert "pingan_tick_age_seconds" not in {family.name for family in metrics.SHOWN.collect()}
    tick = encode(Tick(at_ms=driven.now_ms() - 7_000, heard_ms=0, epoch=1))
    await log.append([Record(partition, tick) for partition in range(PARTITIONS)])
    running = asyncio.create_task(runner.run())

    def behind() -> bool:
        runner.look()
        shown = {family.name: family for family in metrics.SHOWN.collect()}
        found = shown.get("pingan_tick_age_seconds")
        return found is not None and found.samples[0].value == 7.0

    await until(behind)
    await end([running])


async def test_the_room_on_each_disk_is_measured_and_one_that_is_gone_is_not_shown(
    tmp_path: Path, until: Until
) -> None:
    there, gone = tmp_path / "there", tmp_path / "gone"
    there.mkdir()
    gone.mkdir()
    measuring_disks = asyncio.create_task(keep_measuring_disks({"data": there, "database": gone}))
    await until(lambda: _disks() == {"data", "database"})
    assert 0 < value(metrics.DISK_FREE_BYTES, "bytes", disk="data") <= value(metrics.DISK_BYTES, "bytes", disk="data")
    assert value(metrics.DISK_BYTES, "bytes", disk="data") == shutil.disk_usage(there).total
    await end([measuring_disks])
    gone.rmdir()
    measuring_disks = asyncio.create_task(keep_measuring_disks({"data": there, "database": gone}))
    await until(lambda: _disks() == {"data"})
    await end([measuring_disks])


def _disks() -> set[str]:
    return {
        sample.labels["disk"]
        for family in metrics.SHOWN.collect()
        if family.name == "pingan_disk_free_bytes"
        for sample in family.samples
    }


async def test_the_database_is_measured_and_its_jobs_where_it_has_any(database: Database) -> None:
    await measure_size(database)
    assert value(metrics.DATABASE_BYTES, "bytes") > 1e6
    assert "pingan_timescale_job_failures" not in {family.name for family in metrics.SHOWN.collect()}
    for url in timescale.serve():
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create extension if not exists timescaledb")
        there = Database(url, connections=1)
        await there.open()
        await measure_size(there)
        await there.close()
    assert "pingan_timescale_job_failures" in {family.name for family in metrics.SHOWN.collect()}
    assert value(metrics.TIMESCALE_JOB_FAILURES, "failures") == 0
    await measure_size(database)
    assert "pingan_timescale_job_failures" not in {family.name for family in metrics.SHOWN.collect()}


async def test_sends_are_counted_when_they_end_and_how_late_they_began(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    delivered = value(metrics.SENDS, channel="device", result="delivered")
    withdrawn = value(metrics.SENDS, result="withdrawn")
    late = value(metrics.SEND_LATE_SECONDS, "_count", channel="device")
    answered = value(metrics.ANSWER_SECONDS, "_count")
    async with room(database, driven) as this:
        await this.press()
        await until(this.the_incident)
        (incident,) = await this.incidents()
        this.clock.advance(driven.now_ms() + 15_000)
        await this.stop()  # nobody sends: what is asked now waits
        await this.desk.wake_due()
        await this.desk.act(incident["id"], Answer("op", "Op"))
        over = await this.rows("select count(*) n from sends where state = 'withdrawn'")
        assert over[0]["n"] > 0
        assert value(metrics.SENDS, result="withdrawn") - withdrawn == over[0]["n"]
        assert value(metrics.ANSWER_SECONDS, "_count") - answered == 1
        this.start()
        await until(lambda: value(metrics.SENDS, channel="device", result="delivered") - delivered == 1)
        assert value(metrics.SEND_LATE_SECONDS, "_count", channel="device") - late == 1
