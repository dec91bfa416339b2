"""From an alarm to the first call, and from a deadline to the next step, with as much open as a typhoon leaves.

The alarm clock is measured alone, in this process on a real database: 10,000 incidents are open, nobody answers, and
the deadlines of the stock policy's last step (120 s) come one after the other. Calls are measured in the whole dispatch
process, whose provider (`telephone.py`) writes down when it was asked for each. All times are this machine's
one wall clock.
"""

import asyncio
import contextlib
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from dispatch.desk import Desk
from dispatch.following import rank
from dispatch.service import alarm_clock
from pingan.clock import SystemClock
from pingan.database import Database, Listener
from pingan.local.platform import PYTHON
from pingan.local.postgres import Postgres
from pingan.migrate import migrate
from tests.bench.machine import Box, others_share
from tests.bench.platform import BenchError, end, free_ports, prefer
from tests.bench.table import Effort, Table, percentile

OPEN = 10_000
REPEAT_SECONDS = 120
"""The wait of the stock policy's last step, which repeats while nobody answers."""
TYPHOON, TYPHOON_SECONDS = 1_000, 60.0
STEP_SECONDS = 40
"""The wait of the stock policy's steps that call one contact each."""
CALLS_PER_SECOND = 1.0
"""Of a new account at the provider."""
ALARMS_PER_SECOND = 4.0
READY_SECONDS = 30.0

REGISTER = """
insert into areas values ('44', '江门市', 'city', null);
insert into homes (id, area, address, way_in, way_in_proven_on)
    select 'H' || n, '44', '幸福路' || n || '号', '门卫有钥匙', '2026-01-05' from generate_series(1, %(homes)s) n;
insert into people (id, home, name) select 'P' || n, 'H' || n, '林奶奶' || n from generate_series(1, %(homes)s) n;
insert into contacts (id, home, rank, name, relation, role, phone)
    select 'C' || n || '-' || r, 'H' || n, r, '林小梅' || n, '女儿', 'neighbour', '+86138' || (n * 10 + r + 10000000)
    from generate_series(1, %(homes)s) n, generate_series(1, 2) r;
"""

ALARM = """
insert into alarms (id, kind, home, device, at, received_at, raised_at, test, evidence)
values (%(id)s, %(kind)s, %(home)s, %(home)s || '-button', %(at)s, %(at)s, %(at)s, false, '{}')
"""

MANY = """
insert into incidents (home, person, device, cause, danger, test, state, version, wake_at, opened_at, body, t0, t1)
select 'H' || n, 'P' || n, device, cause, danger, test, state, version, wakes.at, opened_at,
       body || jsonb_build_object('home', 'H' || n, 'wake_at', wakes.at, 'step', 5, 'presses', '[]'::jsonb), t0, t1
from incidents, generate_series(2, %(open)s) n,
     lateral (select %(first)s::timestamptz + n * %(each)s::interval as at) wakes
where incidents.home = 'H1'
"""
"""As many like the first one, at the last step, whose deadlines come one after the other."""


@contextlib.contextmanager
def _database(folder: Path, nice: int) -> Iterator[str]:
    server = Postgres(folder)
    server.prepare()
    process = server.start()
    try:
        if nice:
            prefer(process.pid, nice)
        server.ready()
        migrate(server.dsn)
        yield server.dsn
    finally:
        end(process)
        server.remove()


def escalation(folder: Path, nice: int, table: Table, effort: Effort) -> None:
    seconds = 60 if effort.turns > 1 else 20
    with _database(folder / "deadlines", nice) as dsn:
        _deadlines(dsn, table, seconds)
    with _database(folder / "calls", nice) as dsn:
        _first_calls(dsn, folder, nice, table, 200 if effort.turns > 1 else 40)
    with _database(folder / "typhoon", nice) as dsn:
        _typhoon(dsn, folder, nice, table)


def _deadlines(dsn: str, table: Table, seconds: int) -> None:
    box, own = Box.now(), time.process_time()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_with_homes(OPEN))
        wakes, decided = asyncio.run(_clock_alone(dsn, connection, seconds))
    late = [(decided[one] - at).total_seconds() * 1000 for one, at in wakes.items() if one in decided]
    missed = len(wakes) - len(late)
    table.at_most(f"deadline → next step decided, p99, {OPEN:,} open", percentile(late, 99), "ms", 1_000)
    table.add("  the same, p50", percentile(late, 50), "ms")
    table.add("  the latest", max(late, default=0.0), "ms")
    table.add("  deadlines a second", OPEN / REPEAT_SECONDS, "/s")
    table.add(f"  deadlines within {seconds} s, of them not acted on", missed, "", "0", missed == 0)
    table.add("  of the machine others used, servers included", 100 * others_share(box, time.process_time() - own), "%")
    table.found["deadlines"] = {"open": OPEN, "due": len(wakes), "missed": missed, "late_ms": _spread(late)}


async def _clock_alone(
    dsn: str, connection: "psycopg.Connection[Any]", seconds: int
) -> tuple[dict[int, datetime], dict[int, datetime]]:
    """When each was due, and when it was decided what comes next."""
    clock = SystemClock()
    database = Database(dsn, connections=4, application="bench")
    await database.open()
    desk, listener = Desk(database, clock), Listener(database)
    listening = asyncio.create_task(listener.run())
    _raise(connection, "H1", "sos")
    await desk.take_alarms()
    first = clock.now() + timedelta(seconds=5)
    each = timedelta(seconds=REPEAT_SECONDS) / OPEN
    connection.execute(MANY, {"open": OPEN, "first": first, "each": each})
    connection.execute("analyze")
    until = first + timedelta(seconds=seconds)
    rows = connection.execute("select id, wake_at from incidents where home <> 'H1' and wake_at <= %s", (until,))
    wakes = {row[0]: row[1] for row in rows.fetchall()}
    working = asyncio.create_task(alarm_clock(desk, clock, listener.bell("incident")))
    await asyncio.sleep((until - clock.now()).total_seconds() + 2)
    for task in (working, listening):
        task.cancel()
    await asyncio.gather(working, listening, return_exceptions=True)
    await database.close()
    rows = connection.execute("select incident, min(at) from journal where event = 'due' group by incident")
    return wakes, {row[0]: row[1] for row in rows.fetchall()}


def _first_calls(dsn: str, folder: Path, nice: int, table: Table, count: int) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection, _dispatch(dsn, folder, nice, 1_000) as calls:
        connection.execute(_with_homes(count + 1))
        _until_called(connection, calls)
        box, raised = Box.now(), {}
        for number in range(2, count + 2):
            raised[f"H{number}"] = _raise(connection, f"H{number}", "sos").timestamp()
            time.sleep(1 / ALARMS_PER_SECOND)
        time.sleep(3)
        called = {home: at for at, home in calls.taken(connection)}
    late = [(called[home] - at) * 1000 for home, at in raised.items() if home in called]
    table.at_most("alarm → first call asked of the provider, p99", percentile(late, 99), "ms", 1_500)
    table.add("  the same, p50", percentile(late, 50), "ms")
    table.add("  alarms that nobody was called for", count - len(late), "", "0", len(late) == count)
    table.add("  of the machine in use meanwhile", 100 * others_share(box, 0.0), "%")
    table.found["first_calls"] = {"alarms": count, "ms": _spread(late)}


def _typhoon(dsn: str, folder: Path, nice: int, table: Table) -> None:
    with (
        psycopg.connect(dsn, autocommit=True) as connection,
        _dispatch(dsn, folder, nice, CALLS_PER_SECOND) as calls,
    ):
        connection.execute(_with_homes(TYPHOON + 1))
        _until_called(connection, calls)
        box, began = Box.now(), time.monotonic()
        for number in range(2, TYPHOON + 2):
            _raise(connection, f"H{number}", "inactivity" if number % 2 else "sos")
            time.sleep(max(0.0, began + (number - 1) * TYPHOON_SECONDS / TYPHOON - time.monotonic()))
        time.sleep(STEP_SECONDS + 5)
        found = connection.execute(
            "select incidents.id, incidents.cause, incidents.danger, wake_at, opened_at,"
            " array(select at from journal where incident = incidents.id and event = 'due' order by number)"
            " from incidents where home <> 'H1'"
        ).fetchall()
        sends = connection.execute(
            "select incident, channel, sends.state, due_at, dialled_at, deadline_at, result, provider_id from sends"
            " join incidents on incidents.id = incident where home <> 'H1' and purpose = 'help'"
        ).fetchall()
        now = datetime.now(UTC)
        placed = [at for at, home in calls.taken(connection) if home != "H1"]
    step = timedelta(seconds=STEP_SECONDS)
    late = [
        (at - before - step).total_seconds() * 1000
        for _, _, _, _, opened, dues in found
        for before, at in zip((opened, *dues), dues, strict=False)
    ]
    overdue = [row for row in found if row[3] is None or (now - row[3]).total_seconds() > 1]
    table.add(f"{TYPHOON:,} incidents in a minute: opened", len(found), "", f"{TYPHOON:,}", len(found) == TYPHOON)
    table.at_most("  deadline → next step decided, p99", percentile(late, 99), "ms", 1_000)
    table.add("  next steps decided", len(late), "")
    table.add("  open ones whose deadline has passed", len(overdue), "", "0", not overdue)
    by_sms = [(row[4] - row[3]).total_seconds() * 1000 for row in sends if row[1] == "twilio_sms" and row[4]]
    unsent = sum(row[1] == "twilio_sms" and row[4] is None and (now - row[3]).total_seconds() > 2 for row in sends)
    table.at_most("  text message asked of the provider after it was due, p99", percentile(by_sms, 99), "ms", 1_500)
    table.add("  text messages that wait for longer than 2 s", unsent, "", "0", unsent == 0)
    turns = sorted(row[4] for row in sends if row[1] == "twilio_voice" and row[7])
    apart = [(later - one).total_seconds() for one, later in itertools.pairwise(turns)]
    table.add("  calls placed", len(placed), "")
    rate = 1 / (sum(apart) / len(apart)) if apart else 0.0
    table.at_most("  calls a second", rate, "/s", 1.02 * CALLS_PER_SECOND)
    table.add("  between two calls, p50", percentile(apart, 50), "s")
    table.add("  the same, the longest", max(apart, default=0.0), "s")
    passed = _passed_over([row for row in sends if row[1] == "twilio_voice"], {row[0]: row for row in found})
    table.add("  calls before which somebody in more danger waited", passed, "", "0", passed == 0)
    silent = [row for row in sends if row[2] not in ("waiting", "dialling", "sent", "delivered") and not row[6]]
    table.add("  sends that ended without a named reason", len(silent), "", "0", not silent)
    table.add("  of the machine in use meanwhile", 100 * others_share(box, 0.0), "%")
    states: dict[str, int] = {}
    for row in sends:
        states[f"{row[1]} {row[2]}"] = states.get(f"{row[1]} {row[2]}", 0) + 1
    table.found["typhoon"] = {
        "incidents": len(found), "late_ms": _spread(late), "sms_ms": _spread(by_sms), "calls": len(placed),
        "passed_over": passed, "sends": states,
    }  # fmt: skip


def _passed_over(calls: list[Any], incidents: dict[int, Any]) -> int:
    """Calls that were placed while one of more danger had been due for longer, and could still be placed."""
    ranked = [(rank("help", incidents[row[0]][2], incidents[row[0]][1]), *row[3:6], row[7]) for row in calls]
    second = timedelta(seconds=1)
    return sum(
        any(
            other < mine and due < dialled - second and deadline > dialled + second and (at or deadline) > dialled
            for other, due, at, deadline, _ in ranked
        )
        for mine, _, dialled, _, placed in ranked
        if placed
    )


class _Calls:
    """What the provider was asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def taken(self, connection: "psycopg.Connection[Any]") -> list[tuple[float, str]]:
        """When a call was asked for, and for which home, one after the other."""
        homes = dict(connection.execute("select phone, home from contacts").fetchall())
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        found = [line.split(" ") for line in lines if line.count(" ") == 2]
        first: dict[tuple[str, str], float] = {}
        for at, what, to in found:
            if what == "Calls":
                first.setdefault((what, to), float(at))
        return sorted((at, homes[to]) for (_, to), at in first.items())


@contextlib.contextmanager
def _dispatch(dsn: str, folder: Path, nice: int, calls_per_second: float) -> Iterator[_Calls]:
    """`pingan dispatch`, and a provider that takes everything and whom nobody answers."""
    port, public = free_ports(2)
    path = folder / f"calls-{port}.txt"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PINGAN_")}
    environment |= {
        "PINGAN_DATABASE_URL": dsn,
        "PINGAN_NAME": "dispatch-1",
        "PINGAN_MQTT_USER": "dispatch",
        "PINGAN_MQTT_PASSWORD": "none",
        "PINGAN_MQTT_PORT": str(free_ports(1)[0]),
        "PINGAN_TELEPHONE_TESTS": "off",
        "PINGAN_TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "PINGAN_TWILIO_AUTH_TOKEN": "none",
        "PINGAN_TWILIO_FROM": "+15005550006",
        "PINGAN_TWILIO_BASE_URL": f"http://127.0.0.1:{port}",
        "PINGAN_TWILIO_CALLS_PER_SECOND": f"{calls_per_second:g}",
        "PINGAN_PUBLIC_URL": f"http://127.0.0.1:{public}",
    }
    with (folder / "dispatch.txt").open("ab") as output:
        started = [
            subprocess.Popen((sys.executable, "-m", "tests.bench.telephone", str(port), str(path)), stderr=output),
            subprocess.Popen((*PYTHON, "dispatch"), env=environment, stdout=output, stderr=output),
        ]
    try:
        for one in started if nice else ():
            prefer(one.pid, nice)
        yield _Calls(path)
    finally:
        for one in reversed(started):
            end(one)


def _until_called(connection: "psycopg.Connection[Any]", calls: _Calls) -> None:
    """The process is there: it has called somebody. BenchError when it does not."""
    _raise(connection, "H1", "sos")
    until = time.monotonic() + READY_SECONDS
    while not calls.taken(connection):
        if time.monotonic() > until:
            raise BenchError(f"nobody is called within {READY_SECONDS:g} s")
        time.sleep(0.1)


def _raise(connection: "psycopg.Connection[Any]", home: str, kind: str) -> datetime:
    at = datetime.now(UTC)
    connection.execute(ALARM, {"id": uuid4(), "kind": kind, "home": home, "at": at})
    return at


def _with_homes(count: int) -> str:
    return REGISTER.replace("%(homes)s", str(count))


def _spread(values: list[float]) -> dict[str, float | None]:
    return {f"p{part}": percentile(values, part) for part in (50, 90, 99, 100)}
