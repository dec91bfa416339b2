"""The alarm receiver on a real database, asked by a published client over real TCP."""

import asyncio
import contextlib
import functools
import logging
import os
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sos_access import exceptions
from sos_access.client import SOSAccessClient
from sos_access.schemas import ALLOWED_STATUS_CODES, AlarmRequest

from ingest.codecs import Reason, Refusal, Remark
from ingest.sos_access import transmitters
from ingest.sos_access.protocol import STATUSES, Kind, Status
from ingest.sos_access.reception import PINGS_MAX, REPEATS_TOLD
from ingest.sos_access.server import Bounds, Receiver, Settings
from pingan.clock import DrivenClock, SystemClock
from pingan.database import Database
from pingan.messages import Event, Reading, reported_alarm_id
from tests import alerting_support
from tests.conftest import Until
from tests.integration.dispatch_support import room
from tests.integration.ingest_support import entries, fetch, messages
from tests.support import free_port

HOME, DEVICE, CODE = "H001", "H001-panel", "1234567"
HEADER = b'<?xml version="1.0" encoding="ISO-8859-1"?>'


@pytest.fixture
async def authentication(database: Database) -> str:
    """Of the transmitter CODE, which is the device of the home."""
    async with database.transaction() as connection:
        await connection.execute("insert into areas (code, name, level) values ('44', '江门市', 'city')")
        await connection.execute("insert into homes (id, area, address) values (%s, '44', '街1号')", (HOME,))
        return await enrol(connection)


async def enrol(connection: Any, code: str = CODE, device: str = DEVICE, **more: Any) -> str:
    await connection.execute(
        "insert into devices (id, home, kind, enrolled_at) values (%s, %s, 'hub', '2026-01-01Z')", (device, HOME)
    )
    made = await transmitters.add(connection, code, device, SystemClock().now(), **more)
    assert made is not None
    return made


def settings(url: str, **more: Any) -> Settings:
    return Settings(
        database_url=url, name="receiver-1", sos_access_port=free_port(), timezone="Europe/Stockholm", **more
    )


@contextlib.asynccontextmanager
async def running(receiver: Receiver) -> AsyncIterator[Receiver]:
    """A receiver in this process, without the signal handlers of a process of its own. Its errors end the test."""
    await receiver.database.open()
    await receiver.database.wait()
    parts = [asyncio.create_task(part()) for part in receiver.parts()]
    try:
        async with asyncio.timeout(60):
            await receiver.listening.wait()
        yield receiver
        for part in parts:
            if part.done():
                part.result()
    finally:
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        await receiver.database.close()


@pytest.fixture
async def receiver(authentication: str, postgres_url: str) -> AsyncIterator[Receiver]:
    async with running(Receiver(settings(postgres_url))) as receiver:
        yield receiver


def client(receiver: Receiver | int, authentication: str, *, second: int | None = None, code: str = CODE) -> Any:
    port = receiver if isinstance(receiver, int) else receiver.settings.sos_access_port
    return SOSAccessClient(
        transmitter_code=code,
        transmitter_type="SV300",
        authentication=authentication,
        receiver_id="42",
        receiver_address=("127.0.0.1", port),
        secondary_receiver_address=None if second is None else ("127.0.0.1", second),
        use_single_receiver=second is None,
    )


async def ask(call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """The client blocks: its call has a thread of its own."""
    return await asyncio.to_thread(functools.partial(call, *arguments, **named))


async def say(receiver: Receiver, data: bytes, *, context: ssl.SSLContext | None = None) -> bytes:
    """Everything that is answered to these bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", receiver.settings.sos_access_port, ssl=context)
    writer.write(data)
    if writer.can_write_eof():
        writer.write_eof()
    answers = b""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(4096):
            answers += data
            if context and answers.count(b"response>") == 2:
                break
    writer.close()
    return answers


def telegram(authentication: str, *, root: Kind = Kind.ALARM, **elements: str) -> bytes:
    given = {"transmittercode": CODE, "transmittertype": "SV300", "eventcode": "PA"} | elements
    inner = "".join(f"<{name}>{text}</{name}>" for name, text in given.items())
    return HEADER + f"<{root}><authentication>{authentication}</authentication>{inner}</{root}>".encode("iso-8859-1")


async def events(database: Database) -> list[Event]:
    return await messages(database, "urgent", Event)


async def readings(database: Database, kind: str) -> list[Reading]:
    return [reading for reading in await messages(database, "readings", Reading) if reading.kind == kind]


async def refused(database: Database, until: Until, reason: Reason | Refusal | Remark) -> dict[str, Any]:
    """What was kept of the refusal, when it has been."""
    query = "select * from rejected where reason = %s"
    await until(lambda: fetch(database, query, str(reason)))
    (kept, *_) = await fetch(database, query, str(reason))
    return kept


# What the published client can do.


async def test_an_alarm_is_durable_before_it_is_answered(
    receiver: Receiver, authentication: str, database: Database, until: Until
) -> None:
    answer = await ask(
        client(receiver, authentication).send_alarm,
        event_code="PA", reference="17", section="3", section_text="Sovrum", additional_info={"knapp": "hals"},
        position={"pos": "N594307E0180412"},
    )  # fmt: skip
    # Read at once, without waiting: what is not there now was promised too early.
    (event,) = await events(database)
    assert (answer.status, answer.info, answer.reference) == (0, "OK", "17")
    assert answer.arrival_time is not None
    assert (event.device, event.home, event.kind, event.test) == (DEVICE, HOME, "sos", False)
    assert (event.family, event.boot, event.attempt) == ("sos_access", "", 1)
    assert event.id.startswith("17:")
    assert event.location == {"lat": 59.717833, "lon": 18.068667}
    await until(lambda: readings(database, "panel_report"))
    (report,) = await readings(database, "panel_report")
    assert report.value == {"eventcode": "PA", "section": "3", "sectiontext": "Sovrum", "additionalinfo": "knapp: hals"}


async def test_a_restore_and_what_is_technical_are_readings(
    receiver: Receiver, authentication: str, database: Database
) -> None:
    transmitter = client(receiver, authentication)
    assert (await ask(transmitter.restore_alarm, event_code="FA", detector="7")).status == 0
    for event_code, restored in (("AT", False), ("YT", False), ("TA", False), ("XQ", False), ("TA", True)):
        call = transmitter.restore_alarm if restored else transmitter.send_alarm
        assert (await ask(call, event_code=event_code)).status == 0
    assert (await ask(transmitter.ping, reference="9")).reference == "9"
    assert await events(database) == []
    (over,) = await readings(database, "smoke")
    assert (over.value, over.sensor, over.home) == (False, "7", HOME)
    assert [reading.value for reading in await readings(database, "status")] == [
        {"faults": [], "mains": False},
        {"faults": [], "battery_low": True},
        {"faults": ["tamper"]},
        {"faults": ["tamper", "radio_jam"]},
        {"faults": ["radio_jam"]},
        {"faults": ["radio_jam"]},
    ]
    numbers = [reading.seq for reading in await messages(database, "readings", Reading)]
    assert len(numbers) == len(set(numbers)), "two readings of one number would be one"


async def test_a_repeat_is_the_same_event_and_another_press_is_another(
    authentication: str, postgres_url: str, database: Database, until: Until
) -> None:
    receiver = Receiver(settings(postgres_url, clock="driven"))
    driven = receiver.clock
    assert isinstance(driven, DrivenClock)
    driven.advance(1_790_000_000_000)
    async with running(receiver):
        transmitter = client(receiver, authentication)
        for _ in range(REPEATS_TOLD):
            assert (await ask(transmitter.send_alarm, event_code="PA", reference="1")).status == 0
        with pytest.raises(exceptions.DuplicateAlarm):
            await ask(transmitter.send_alarm, event_code="PA", reference="1")
        (same,) = {event.id for event in await events(database)}
        assert await refused(database, until, Refusal.REPEATED)

        await ask(transmitter.send_alarm, event_code="FA", reference="1")  # other words under the same reference
        await ask(transmitter.send_alarm, event_code="PA", reference="2")
        await ask(transmitter.send_alarm, event_code="PA")  # nothing tells these two presses apart, or together
        await ask(transmitter.send_alarm, event_code="PA")
        assert len({event.id for event in await events(database)}) == 5
        driven.advance(driven.now_ms() + 120_000)
        await ask(transmitter.send_alarm, event_code="PA", reference="1")
    found = await events(database)
    assert len({event.id for event in found}) == 6, (
        "a panel that gives each press the same reference is heard each time"
    )
    assert {reported_alarm_id(DEVICE, event.id) for event in found if event.id == same} == {
        reported_alarm_id(DEVICE, same)
    }


REFUSED_BY_CONTENT: list[tuple[type[Exception], Reason | Refusal, dict[str, Any]]] = [
    (exceptions.InvalidLength, Reason.TOO_LARGE, {"event_code": "PA", "section_text": "x" * 120_000}),
    (exceptions.InvalidXML, Refusal.NOT_XML, {"event_code": "P\x01"}),
    (exceptions.WrongContent, Reason.OUT_OF_RANGE, {"event_code": "P" * 26}),
    (exceptions.MandatoryDataMissing, Reason.MISSING_FIELD, {"event_code": ""}),
]


async def test_the_client_sees_each_refusal(
    receiver: Receiver, authentication: str, database: Database, until: Until
) -> None:
    """Each status that it knows is its own exception; each is kept under a reason, and never with the secret."""
    transmitter = client(receiver, authentication)
    for error, reason, alarm in REFUSED_BY_CONTENT:
        with pytest.raises(error):
            await ask(transmitter.send_alarm, **alarm)
        assert authentication.encode() not in (await refused(database, until, reason))["payload"]
    with pytest.raises(exceptions.NotAuthorized):
        await ask(client(receiver, "0" * 15).send_alarm, event_code="PA")
    kept = await refused(database, until, Refusal.NOT_AUTHORIZED)
    assert (kept["topic"], kept["device"]) == ("sos-access/alarmrequest", None)
    assert b"<transmittercode>1234567</transmittercode>" in kept["payload"]
    assert b"000000000000000" not in kept["payload"]
    with pytest.raises(exceptions.NotAuthorized):
        await ask(client(receiver, authentication, code="7654321").ping)

    async with database.transaction() as connection:
        unwatched = await enrol(connection, "unwatched", "H001-other", monitored=False)
    with pytest.raises(exceptions.ServiceUnavailable):
        await ask(client(receiver, unwatched, code="unwatched").ping)
    for _ in range(PINGS_MAX):
        await ask(transmitter.ping)
    with pytest.raises(exceptions.PingToOften):
        await ask(transmitter.ping)
    assert len(await readings(database, "status")) == PINGS_MAX
    for reason in (Refusal.NOT_MONITORED, Refusal.TOO_OFTEN):
        await refused(database, until, reason)

    headless = telegram(authentication).removeprefix(HEADER).decode("iso-8859-1")
    answer = await ask(transmitter.transmit, headless, transmitter.alarm_response_schema)
    with pytest.raises(exceptions.XMLHeaderError):
        transmitter._check_response_status(answer)
    await refused(database, until, Refusal.XML_HEADER)

    async with database.transaction() as connection:
        await connection.execute("alter table alarm_repeats rename to elsewhere")
        await connection.execute("alter table alarm_transmitters rename pings to elsewhere")
    with pytest.raises(exceptions.ServerSystemError):
        await ask(transmitter.ping)
    with pytest.raises(exceptions.AlarmReceiverConnectionError):  # an alarm that we stumble over is sent elsewhere
        await ask(transmitter.send_alarm, event_code="PA")
    await refused(database, until, Refusal.FAILED)
    assert await events(database) == []
    told = {Status.NOT_TREATED_NOT_DISTRIBUTED, Status.OTHER_ERROR, Status.DUPLICATED_ALARM, Status.OK}
    assert {*Status} - told == {STATUSES[reason] for _, reason, _ in REFUSED_BY_CONTENT} | {
        Status.NOT_AUTHORIZED,
        Status.SERVICE_UNAVAILABLE,
        Status.PING_TO_OFTEN,
        Status.XML_HEADER_MISSING_OR_INVALID,
        Status.SERVER_ERROR,
    }, "and the rest is seen in the tests beside this one"


async def test_a_new_authentication_is_valid_from_its_first_use_and_the_old_one_until_then(
    receiver: Receiver, authentication: str
) -> None:
    first = client(receiver, authentication)
    given = (await ask(first.request_new_auth, reference="46")).new_authentication
    assert len(given) == 15
    assert given != authentication
    assert (await ask(first.send_alarm, event_code="RP")).status == 0, "the answer with the new one may be lost"
    given = (await ask(first.request_new_auth)).new_authentication
    assert (await ask(client(receiver, given).send_alarm, event_code="RP")).status == 0
    with pytest.raises(exceptions.NotAuthorized):
        await ask(first.send_alarm, event_code="RP")


# When it cannot be recorded.


@contextlib.contextmanager
def log_locked(url: str) -> Iterator[None]:
    """Nobody can append, as on a machine whose disk has stopped."""
    with psycopg.connect(url) as connection:
        connection.execute("lock table log_heads in exclusive mode")
        yield


async def test_what_is_not_durable_is_not_acknowledged_and_the_client_takes_the_other_receiver(
    authentication: str, postgres_url: str, database: Database, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    """The first hears and cannot record, the second's log is well when the alarm comes: one alarm, acknowledged."""
    hasty = Bounds(answer_seconds=0.5)
    async with (
        running(Receiver(settings(postgres_url), hasty)) as first,
        running(Receiver(settings(postgres_url))) as second,
    ):
        transmitter = client(first, authentication, second=second.settings.sos_access_port)
        caplog.set_level(logging.INFO, "sos_access.decorators")
        with log_locked(postgres_url):
            sending = asyncio.create_task(ask(transmitter.send_alarm, event_code="PA", reference="5"))
            await refused(database, until, Refusal.NOT_RECORDED)
            assert await events(database) == []
            assert not sending.done()
        assert (await sending).status == 0
        assert "NOT_TREATED_NOT_DISTRIBUTED" in caplog.text
        # What the first could not answer in time it records all the same: it is the same alarm.
        await until(functools.partial(_count, database, 2))
    assert len({event.id for event in await events(database)}) == 1


async def _count(database: Database, count: int) -> bool:
    return len(await events(database)) == count


async def test_a_receiver_without_database_or_without_a_word_sends_the_client_to_the_other(
    receiver: Receiver, authentication: str, postgres_url: str, database: Database
) -> None:
    well = receiver.settings.sos_access_port
    with socket.create_server(("127.0.0.1", 0)) as mute:
        unheard = client(mute.getsockname()[1], authentication, second=well)
        calling = asyncio.create_task(ask(unheard.send_alarm, event_code="WA"))
        async with running(Receiver(settings(postgres_url))) as other:
            await other.database.close()  # as if it could not reach it
            transmitter = client(other, authentication, second=well)
            assert (await ask(transmitter.ping)).status == 0
            assert (await ask(transmitter.send_alarm, event_code="FA")).status == 0
            with pytest.raises(exceptions.AlarmReceiverConnectionError):
                await ask(client(other, authentication).send_alarm, event_code="GA")
        assert (await calling).status == 0
    assert {event.kind for event in await events(database)} == {"smoke", "water"}


async def test_a_receiver_that_is_stopped_sends_whom_it_has_not_answered_to_the_other(
    receiver: Receiver, authentication: str, postgres_url: str, database: Database, until: Until
) -> None:
    with contextlib.ExitStack() as lock:
        lock.enter_context(log_locked(postgres_url))
        async with running(Receiver(settings(postgres_url))) as stopped:
            transmitter = client(stopped, authentication, second=receiver.settings.sos_access_port)
            sending = asyncio.create_task(ask(transmitter.send_alarm, event_code="PA", reference="3"))
            await until(lambda: fetch(database, "select 1 from alarm_repeats"))
        await until(lambda: fetch(database, "select 1 from alarm_repeats where times = 2"))
        lock.close()
        assert (await sending).status == 0
    assert len({event.id for event in await events(database)}) == 1


async def test_who_has_too_much_to_do_says_so_and_the_client_takes_the_other(
    receiver: Receiver, authentication: str, postgres_url: str, database: Database, until: Until
) -> None:
    async with running(Receiver(settings(postgres_url), Bounds(handled=0))) as busy:
        transmitter = client(busy, authentication, second=receiver.settings.sos_access_port)
        assert (await ask(transmitter.send_alarm, event_code="PA")).status == 0
        request = transmitter.alarm_request_schema.dump(
            AlarmRequest("PA", "SV300", CODE, authentication, "42", alarm_type="AL")
        )
        answer = await ask(transmitter.transmit, request, transmitter.alarm_response_schema)
        with pytest.raises(exceptions.OtherError):
            transmitter._check_response_status(answer)
    await refused(database, until, Refusal.TOO_BUSY)


async def test_an_alarm_waits_for_no_heartbeat_that_cannot_be_recorded(
    authentication: str, postgres_url: str, database: Database, until: Until
) -> None:
    """The log of readings stands still, and as many as may be wait for it: the press is none of them."""
    patient = Bounds(handled=1, answer_seconds=60)
    async with running(Receiver(settings(postgres_url), patient)) as receiver:
        with psycopg.connect(postgres_url) as lock:
            lock.execute("select from log_heads where log = 'readings' for update")
            beating = asyncio.create_task(say(receiver, telegram(authentication, root=Kind.PING)))
            await until(lambda: fetch(database, "select 1 from alarm_transmitters where pings = 1"))
            assert b"<status>99<" in await say(receiver, telegram(authentication, root=Kind.PING))
            assert b"<status>0<" in await say(receiver, telegram(authentication, reference="1"))
            receiver.reception.full.add(receiver.readings)
            assert b"<status>0<" in await say(receiver, telegram(authentication, reference="2"))
            await refused(database, until, Remark.FIELD_LEFT_OUT)
            receiver.reception.full.add(receiver.urgent)
            assert b"<status>99<" in await say(receiver, telegram(authentication, reference="3"))
        assert b"<status>0<" in await beating
        await until(lambda: readings(database, "panel_report"))
    assert [event.id.partition(":")[0] for event in await events(database)] == ["1", "2"]
    assert len(await readings(database, "panel_report")) == 1


# Whatever else comes.


async def test_requests_on_one_connection_and_many_connections_at_once(
    receiver: Receiver, authentication: str, database: Database
) -> None:
    several = b"\r\n".join(telegram(authentication, reference=str(number)) for number in range(5))
    answers = await asyncio.gather(
        say(receiver, several), *(say(receiver, telegram(authentication)) for _ in range(20))
    )
    assert [answers[0].count(f"<reference>{number}</reference>".encode()) for number in range(5)] == [1] * 5
    assert sum(answer.count(b"<status>0</status>") for answer in answers) == 25
    assert len({event.id for event in await events(database)}) == 25


async def test_an_alarm_rings_whatever_is_wrong_with_an_ornament(
    receiver: Receiver, authentication: str, database: Database, until: Until
) -> None:
    odd = telegram(
        authentication, eventcode="ZZ", transmittertime="yesterday", alarmtype="XX", section="a long one",
        position="<pos>x1234567y1234567</pos>", reference="r" * 60, colour="red",
    )  # fmt: skip
    assert b"<status>0</status>" in await say(receiver, odd)
    (event,) = await events(database)
    assert (event.kind, event.clock, event.location) == ("unknown", "absurd", None)
    assert (await refused(database, until, Remark.UNKNOWN_KIND))["detail"] == "ZZ"
    assert (await refused(database, until, Remark.FIELD_LEFT_OUT))["detail"] == (
        "reference, section, alarmtype, transmittertime, position"
    )
    await until(lambda: readings(database, "panel_report"))
    (report,) = await readings(database, "panel_report")
    assert report.value == {"eventcode": "ZZ", "section": "a lon"}

    async with database.transaction() as connection:
        await connection.execute("update devices set enabled = false")
    placed = telegram(authentication, transmittertime="2026-01-01 00:00:00", position="<pos>N594307E0180412</pos>")
    assert b"<status>0</status>" in await say(receiver, placed)
    event = (await events(database))[-1]
    assert event.location == {"lat": 59.717833, "lon": 18.068667}
    assert (event.device_at_ms, event.clock) == (1_767_222_000_000, "absurd"), (
        "its zone is Stockholm, and it is long ago"
    )
    assert (await refused(database, until, Remark.DISABLED_DEVICE))["device"] == DEVICE


async def test_who_stops_in_the_middle_or_is_slow_is_bounded_and_holds_up_nobody(
    authentication: str, postgres_url: str, database: Database, until: Until
) -> None:
    hasty = Bounds(message_seconds=0.2, idle_seconds=0.2)
    async with running(Receiver(settings(postgres_url), hasty)) as receiver:
        whole = telegram(authentication)
        reader, writer = await asyncio.open_connection("127.0.0.1", receiver.settings.sos_access_port)
        writer.write(whole[:-20])
        mute, held = await asyncio.open_connection("127.0.0.1", receiver.settings.sos_access_port)
        assert b"<status>0</status>" in await say(receiver, whole)
        assert b"<status>2</status>" in await reader.read(4096)
        assert await mute.read() == b"", "who says nothing is told nothing"
        writer.close()
        held.close()
        assert b"INVALID_XML" in await say(receiver, whole[:150])
        kept = await refused(database, until, Refusal.INCOMPLETE)
        assert b"<authentication>***" in kept["payload"]
        assert authentication.encode() not in kept["payload"]
        assert len(await events(database)) == 1


async def test_a_crowd_that_says_nothing_keeps_no_alarm_out(
    authentication: str, postgres_url: str, database: Database, until: Until
) -> None:
    async with running(Receiver(settings(postgres_url), Bounds(connections=3))) as receiver:
        address = ("127.0.0.1", receiver.settings.sos_access_port)
        crowd = [await asyncio.open_connection(*address) for _ in range(6)]
        assert (await ask(client(receiver, authentication).send_alarm, event_code="PA")).status == 0
        assert await refused(database, until, Refusal.CROWDED_OUT)
        for _, writer in crowd:
            writer.close()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate of our own, and its key."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost"
    subprocess.run([*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


async def test_tls_and_half_a_handshake(
    authentication: str, postgres_url: str, database: Database, until: Until, certificate: tuple[Path, Path]
) -> None:
    encrypted = settings(postgres_url, sos_access_certificate=certificate[0], sos_access_key=certificate[1])
    async with running(Receiver(encrypted, Bounds(handshake_seconds=0.2))) as receiver:
        with socket.create_connection(("127.0.0.1", encrypted.sos_access_port)) as half:
            half.sendall(b"\x16\x03\x01\x02\x00\x01")
            context = ssl.create_default_context(cafile=str(certificate[0]))
            context.check_hostname = False
            assert b"<status>0</status>" in await say(receiver, telegram(authentication), context=context)
            assert await refused(database, until, Refusal.HANDSHAKE)
        assert await say(receiver, telegram(authentication)) == b"", "nothing is answered that was not encrypted"
    assert len(await events(database)) == 1


async def test_an_alarm_becomes_an_incident(
    database: Database, driven: DrivenClock, postgres_url: str, until: Until
) -> None:
    """From the client to the desk: through the receiver, the log and the SOS lane."""
    async with room(database, driven) as desk:
        async with database.transaction() as connection:
            authentication = await enrol(connection)
        async with (
            running(Receiver(settings(postgres_url))) as receiver,
            alerting_support.urgent(database.url, SystemClock()),
        ):
            assert (await ask(client(receiver, authentication).send_alarm, event_code="MA", reference="8")).status == 0
            opened = await until(desk.the_incident)
    assert isinstance(opened, dict)
    ((_, _, event),) = await entries(database, "urgent")
    (alarm,) = await alerting_support.alarms(database)
    assert isinstance(event, Event)
    assert (alarm["id"], alarm["kind"]) == (reported_alarm_id(DEVICE, event.id), "sos")
    assert opened["home"] == HOME
    assert await fetch(database, "select 1 from alarms where incident = %s", opened["id"])


async def test_the_command_enrols_and_runs_and_stops_with_an_answer(
    authentication: str, postgres_url: str, database: Database, until: Until, tmp_path: Path
) -> None:
    """The process itself: who is being asked when it is told to stop is sent to the other receiver."""
    port = free_port()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PINGAN_")} | {
        "PINGAN_DATABASE_URL": postgres_url,
        "PINGAN_DATA": str(tmp_path),
        "PINGAN_SOS_ACCESS_PORT": str(port),
        "PINGAN_LANGUAGE": "en",
    }

    async def pingan(*arguments: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pingan", "receiver", *arguments),
            env=environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode, said.decode()

    renewed, taken = await asyncio.gather(pingan("renew", CODE), pingan("add", "other", "--device", DEVICE))
    assert taken == (1, f"pingan receiver: the device {DEVICE} is another transmitter already\n")
    found = re.search(r": (\w{15})\n", renewed[1])
    assert found
    given = found[1]

    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "pingan", "receiver", env=environ)
    try:

        async def answers() -> bool:
            with contextlib.suppress(ConnectionRefusedError):
                return bool((await ask(client(port, given).ping)).status == 0)
            return False

        await until(answers)
        with pytest.raises(exceptions.NotAuthorized):
            await ask(client(port, authentication).ping)
        with log_locked(postgres_url):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(telegram(given, reference="7"))
            await until(lambda: fetch(database, "select 1 from alarm_repeats"))
            process.terminate()
            assert b"<status>5</status>" in await reader.read()
            writer.close()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()


def test_the_client_knows_no_status_that_we_do_not() -> None:
    assert {*Status} == set(ALLOWED_STATUS_CODES)
    assert {status.value for status in STATUSES.values()} | {0} == set(ALLOWED_STATUS_CODES)
