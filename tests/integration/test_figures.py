"""The figures against cases worked out by hand, and against the same sums done again in plain Python."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from dispatch import figures
from dispatch.figures import Period
from pingan import figures as pipe
from pingan.clock import DrivenClock
from pingan.database import Database
from pingan.postgres_log import PostgresLog
from tests.figures_support import Call, month, put
from tests.integration.web_support import Site, site
from tests.stories.support import REGISTER

CHINA, LONDON = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/London")
NOON = datetime(2026, 6, 10, 4, 0, tzinfo=UTC)
"""Noon in China."""
DAY = date(2026, 6, 10)
NOW = NOON + timedelta(hours=3)


@pytest.fixture
async def furnished(database: Database) -> Database:
    async with database.connection() as connection:
        await connection.execute(REGISTER)
    return database


async def people(
    database: Database,
    *calls: Call,
    first: date = DAY,
    last: date = DAY,
    now: datetime = NOW,
    zone: ZoneInfo = CHINA,
    scope: str | None = None,
    area: str | None = None,
) -> dict[str, Any]:
    async with database.connection() as connection:
        await put(connection, calls)
        return await figures.people(connection, Period(first, last, zone), now, scope, area)


def level(found: dict[str, Any], name: str) -> tuple[int, int]:
    (row,) = [row for row in found["levels"] if row["name"] == name]
    return row["within"], row["of"]


def duration(found: dict[str, Any], name: str) -> dict[str, Any]:
    (row,) = [row for row in found["durations"] if row["name"] == name]
    return dict(row)


ANSWERS: list[tuple[str, list[Call], dict[str, tuple[int, int]]]] = [
    ("nothing at all", [], {"answer_15": (0, 0), "answer_180": (0, 0)}),
    ("the limit itself is within", [Call(NOON, answer=60)], {"answer_20": (0, 1), "answer_60": (1, 1)}),
    ("a moment later is not", [Call(NOON, answer=60.001)], {"answer_60": (0, 1), "answer_180": (1, 1)}),
    ("closed without an answer stays in", [Call(NOON, answer=None)], {"answer_15": (0, 1), "answer_180": (0, 1)}),
    ("abandoned by the person stays in",
     [Call(NOON, answer=None, closed=20, outcome="cancelled_by_person")], {"answer_60": (0, 1), "answer_180": (0, 1)}),
    ("a helper who was quicker is no answer of the desk",
     [Call(NOON, answer=None, helper=30)], {"answer_60": (0, 1), "dispatch_60": (0, 1)}),
    ("an installer's test is no call", [Call(NOON, test=True)], {"answer_60": (0, 0)}),
    ("a battery is no call", [Call(NOON, cause="battery_low")], {"answer_60": (0, 0)}),
    ("what has rung for 40 s has missed 20 s and not yet 60 s",
     [Call(NOW - timedelta(seconds=40), answer=None, closed=None)],
     {"answer_15": (0, 1), "answer_20": (0, 1), "answer_60": (0, 0), "answer_180": (0, 0)}),
    ("what still rings after 180 s has missed all",
     [Call(NOW - timedelta(seconds=181), answer=None, closed=None)], {"answer_60": (0, 1), "answer_180": (0, 1)}),
    ("who was not sent is not waited for", [Call(NOON)], {"dispatch_60": (0, 0), "arrival_3600": (0, 0)}),
    ("a helper before the answer is in time", [Call(NOON, answer=50, helper=20)], {"dispatch_60": (1, 1)}),
    ("60 s from the answer, not from the press", [Call(NOON, answer=100, helper=160)], {"dispatch_60": (1, 1)}),
    ("arrival counts from the press", [Call(NOON, press=-60, helper=20, door=1741, closed=5000)],
     {"arrival_1800": (0, 1), "arrival_2700": (1, 1)}),
    ("a helper of whose arrival nobody knows stays in", [Call(NOON, helper=20)], {"arrival_3600": (0, 1)}),
    ("who is on the way has time left",
     [Call(NOW - timedelta(minutes=35), helper=20, closed=None)],
     {"arrival_1800": (0, 1), "arrival_2700": (0, 0), "arrival_3600": (0, 0)}),
    ("arrival without a helper's word before it", [Call(NOON, answer=5, door=600)],
     {"dispatch_60": (0, 1), "arrival_1800": (1, 1)}),
]  # fmt: skip


@pytest.mark.parametrize(("calls", "expected"), [case[1:] for case in ANSWERS], ids=[case[0] for case in ANSWERS])
async def test_what_is_within_a_level_and_of_how_many(
    furnished: Database, calls: list[Call], expected: dict[str, tuple[int, int]]
) -> None:
    found = await people(furnished, *calls)
    assert {name: level(found, name) for name in expected} == expected


async def test_of_less_than_a_handful_there_is_no_percentage(furnished: Database) -> None:
    for number in range(1, 6):
        found = await people(furnished, Call(NOON + timedelta(minutes=number), answer=100))
        (row,) = [row for row in found["levels"] if row["name"] == "answer_180"]
        assert (row["within"], row["of"]) == (number, number)
        assert (row["share"], row["met"]) == ((None, None) if number < 5 else (1.0, True))


async def test_absent_is_counted_with_its_reason_and_never_as_no_time(furnished: Database) -> None:
    found = await people(
        furnished,
        Call(NOON, answer=None, helper=30),
        Call(NOON, home="H002", answer=None),
        Call(NOON + timedelta(hours=1), answer=30, helper=20, door=620, reported=True),
        Call(NOW - timedelta(seconds=10), answer=None, closed=None),
    )
    assert duration(found, "answer") | {"between": ""} == {
        "name": "answer", "between": "", "n": 1, "absent": 3, "early": 0, "p50": 30.0, "p90": 30.0, "p95": 30.0,
        "max": 30.0,
    }  # fmt: skip
    assert duration(found, "press_to_answer")["max"] == 31.0
    dispatch = duration(found, "dispatch")
    assert (dispatch["n"], dispatch["absent"], dispatch["early"], dispatch["max"]) == (1, 3, 1, 0.0)
    assert (duration(found, "to_scene")["p50"], duration(found, "press_to_scene")["p50"]) == (600.0, 621.0)
    absences = {(row["stamp"], row["reason"]): row["incidents"] for row in found["absences"]}
    assert absences == {
        ("t3", "helper_answered_first"): 1, ("t3", "closed_unanswered"): 1, ("t3", "open"): 1,
        ("t5", "nobody_was_sent"): 1, ("t5", "open"): 1,
        ("t7", "arrival_not_stamped"): 1, ("t7", "nobody_was_sent"): 1, ("t7", "open"): 1,
    }  # fmt: skip
    assert found["arrivals"] == {"sent": 2, "arrived": 1, "arrived_reported": 1}
    assert (found["incidents"], found["unanswered"]) == (4, 3)


async def test_what_is_counted_beside(furnished: Database) -> None:
    found = await people(
        furnished,
        Call(NOON, presses=3),
        Call(NOON, home="H002", cause="fall"),
        Call(NOON, home="H003", cause="battery_low"),
        Call(NOON + timedelta(hours=1), test=True, presses=2),
    )
    assert (found["alarms"], found["incidents"], found["technical"], found["tests"], found["test_alarms"]) == (
        4,
        2,
        1,
        1,
        2,
    )
    causes = [(row["cause"], row["test"], row["alarms"], row["incidents"]) for row in found["causes"]]
    assert causes == [("fall", False, 1, 1), ("sos", False, 3, 1), ("battery_low", False, 1, 1), ("sos", True, 2, 1)]
    assert found["outcomes"] == [{"outcome": "resolved_by_voice", "incidents": 2}]


async def test_the_late_ones_are_listed_with_what_was_written(furnished: Database) -> None:
    async with furnished.connection() as connection:
        numbers = await put(
            connection,
            [
                Call(NOON, answer=181, reason="two fires"),
                Call(NOON + timedelta(hours=1), answer=180),
                Call(NOON + timedelta(hours=2), answer=None),
                Call(NOON + timedelta(hours=2), home="H002", answer=300, helper=100),
                Call(NOW - timedelta(seconds=100), home="H003", answer=None, closed=None),
            ],
        )
    found = await people(furnished)
    late = {row["id"]: row for row in found["late"]}
    assert list(late) == [numbers[3], numbers[2], numbers[0]]
    assert found["late_total"] == 3
    assert (late[numbers[0]]["answer_seconds"], late[numbers[0]]["reason"]) == (181.0, "two fires")
    assert (late[numbers[2]]["answer_seconds"], late[numbers[2]]["reason_needed"]) == (None, True)
    # A helper had accepted in time: somebody human was there, and no reason is asked for.
    assert (late[numbers[3]]["helper_seconds"], late[numbers[3]]["reason_needed"]) == (100.0, False)


@pytest.mark.parametrize(
    ("zone", "arrived", "day"),
    [
        (CHINA, "2026-06-09T16:00:00Z", "2026-06-10"),  # midnight in China
        (CHINA, "2026-06-09T15:59:59Z", "2026-06-09"),
        (LONDON, "2026-06-09T23:00:00Z", "2026-06-10"),  # summer time
        (LONDON, "2026-06-09T22:59:59Z", "2026-06-09"),
        (LONDON, "2026-10-25T00:30:00Z", "2026-10-25"),  # the day of 25 hours: this half-hour comes twice
        (LONDON, "2026-10-25T23:59:59Z", "2026-10-25"),
        (LONDON, "2026-03-29T22:59:59Z", "2026-03-29"),  # the day of 23 hours
        (LONDON, "2026-03-29T23:00:00Z", "2026-03-30"),
    ],
)
async def test_a_day_is_the_centres(furnished: Database, zone: ZoneInfo, arrived: str, day: str) -> None:
    call, of = Call(datetime.fromisoformat(arrived)), date.fromisoformat(day)
    later = datetime(2027, 1, 1, tzinfo=UTC)
    found = await people(furnished, call, first=of - timedelta(1), last=of + timedelta(1), now=later, zone=zone)
    assert [(row["day"], row["incidents"]) for row in found["days"]] == [
        (of - timedelta(1), 0), (of, 1), (of + timedelta(1), 0),
    ]  # fmt: skip
    async with furnished.connection() as connection:
        alone = await figures.people(connection, Period(of, of, zone), later)
        before = await figures.people(connection, Period(of - timedelta(1), of - timedelta(1), zone), later)
    assert (alone["incidents"], alone["alarms"], before["incidents"], before["alarms"]) == (1, 1, 0, 0)


async def test_who_is_bound_to_an_area_sees_that_area_alone(furnished: Database) -> None:
    calls = [
        Call(NOON, home="H001", answer=200),
        Call(NOON, home="H002"),
        Call(NOON, home="H003", answer=300),
        Call(NOON, home=None),
    ]
    whole = await people(furnished, *calls)
    assert whole["incidents"] == whole["alarms"] == 4
    assert [(row["name"], row["incidents"]) for row in whole["areas"]] == [("蓬江区", 2), ("江海区", 1), (None, 1)]
    own = await people(furnished, scope="440704")
    assert (own["incidents"], own["alarms"], own["late_total"], len(own["late"])) == (1, 1, 1, 1)
    assert {row["cause"] for row in own["causes"]} == {"sos"}
    assert sum(row["incidents"] for row in own["areas"]) == 1
    # Asked for another area than their own they see nothing, whatever the page lets through.
    other = await people(furnished, scope="440704", area="440703")
    assert (other["incidents"], other["alarms"], other["late"], other["absences"]) == (0, 0, [], [])
    chosen = await people(furnished, area="440703")
    assert chosen["incidents"] == 2
    async with furnished.connection() as connection:
        assert await figures.place(connection, "440703", "440704") is None
        assert await figures.place(connection, "4407", "440704") is None
        assert [one["code"] for one in await figures.place(connection, "440704", None) or []] == ["4407", "440704"]


@pytest.fixture(scope="module")
def one_database(postgres: Any) -> Any:
    """A database for many examples; each rolls back what it wrote."""
    with psycopg.connect(postgres.superuser_dsn, autocommit=True) as connection:
        connection.execute("create database figures_property template template_pingan")
    url = psycopg.conninfo.make_conninfo(postgres.superuser_dsn, dbname="figures_property")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(REGISTER)
    return url


MIDNIGHT = datetime(2026, 6, 7, 16, tzinfo=UTC)
"""In China."""
SECONDS = st.none() | st.floats(-30, 4000).map(lambda value: round(value, 3))
CALLS = st.builds(
    Call,
    arrived=st.integers(0, 3 * 86_400 - 1).map(lambda second: MIDNIGHT + timedelta(seconds=second)),
    home=st.sampled_from(["H001", "H002", "H003"]),
    cause=st.sampled_from(["sos", "fall", "battery_low"]),
    press=st.floats(-60, 2).map(lambda value: round(value, 3)),
    answer=SECONDS.map(lambda value: None if value is None else abs(value)),
    helper=SECONDS.map(lambda value: None if value is None else abs(value)),
    door=SECONDS.map(lambda value: None if value is None else abs(value)),
    reported=st.booleans(),
    test=st.sampled_from([False, False, False, True]),
    closed=st.floats(4001, 9000),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(calls=st.lists(CALLS, max_size=25), scope=st.sampled_from([None, "440703", "440704"]))
def test_the_database_sums_as_plain_python_does(one_database: str, calls: list[Call], scope: str | None) -> None:
    async def asked() -> dict[str, Any]:
        async with await psycopg.AsyncConnection.connect(
            one_database, row_factory=dict_row, options="-c timezone=UTC"
        ) as connection:
            await put(connection, calls)
            found = await figures.people(connection, Period(date(2026, 6, 8), DAY, CHINA), NOW, scope)
            await connection.rollback()
            return found

    found = asyncio.run(asked())
    areas = {"H001": "440703", "H002": "440703", "H003": "440704"}
    mine = [call for call in calls if scope is None or areas[str(call.home)] == scope]
    of = [call for call in mine if call.danger and not call.test]
    assert found["incidents"] == len(of)
    assert found["technical"] == len([call for call in mine if not call.danger and not call.test])
    assert found["tests"] == len([call for call in mine if call.test])
    within = {
        name: len([call for call in of if call.answer is not None and call.answer <= limit])
        for name, limit in (("answer_15", 15), ("answer_20", 20), ("answer_60", 60), ("answer_180", 180))
    }
    assert {name: level(found, name) for name in within} == {name: (n, len(of)) for name, n in within.items()}
    sent = [call for call in of if call.helper is not None or call.door is not None]
    soon = [
        call for call in sent if call.helper is not None and call.answer is not None and call.helper - call.answer <= 60
    ]
    assert level(found, "dispatch_60") == (len(soon), len(sent))
    for name, limit in (("arrival_1800", 1800), ("arrival_2700", 2700), ("arrival_3600", 3600)):
        there = [
            call
            for call in sent
            if call.door is not None and call.press is not None and round(call.door - call.press, 6) <= limit
        ]
        assert level(found, name) == (len(there), len(sent))
    assert found["arrivals"]["arrived_reported"] == len(
        [call for call in sent if call.door is not None and call.reported]
    )
    stamps = {"answer": ("answer", "zero"), "press_to_answer": ("answer", "press"), "dispatch": ("helper", "answer"),
              "to_scene": ("door", "helper"), "press_to_scene": ("door", "press")}  # fmt: skip
    for name, (end, start) in stamps.items():
        pairs = [(getattr(call, end), 0.0 if start == "zero" else getattr(call, start)) for call in of]
        known = sorted(max(0.0, e - s) for e, s in pairs if e is not None and s is not None)
        row = duration(found, name)
        assert (row["n"], row["absent"]) == (len(known), len(of) - len(known))
        for rank, share in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("max", 1.0)):
            expected = known[max(1, ceil(round(share * len(known), 6))) - 1] if known else None
            assert row[rank] == (None if expected is None else pytest.approx(expected, abs=2e-6))
    for column in ("incidents", "answered_60", "answered_180", "late", "sent", "arrived"):
        whole = sum(row[column] for row in found["days"])
        assert (
            whole
            == sum(row[column] for row in found["areas"])
            == sum(row[column] for row in found["causes"] if row["danger"] and not row["test"])
        )
    assert sum(row["incidents"] for row in found["outcomes"]) == len(of)


async def test_no_period_is_looked_for_among_all_incidents(database: Database) -> None:
    parameters = {"since": NOON, "until": NOW, "zone": "UTC", "now": NOW, "scope": None, "area": None, "parent": None,
                  "late": timedelta(seconds=180), "limit": 10}  # fmt: skip
    async with database.connection() as connection:
        await connection.execute("set enable_seqscan = off")
        for query, index in (
            (figures.sql.counts, "incidents_by_opening"), (figures.sql.durations, "incidents_by_opening"),
            (figures.sql.absences, "incidents_by_opening"), (figures.sql.late, "incidents_by_opening"),
            (figures.sql.alarms, "alarms_by_time"),
        ):  # fmt: skip
            rows = await (await connection.execute(f"explain {query}", parameters)).fetchall()
            assert index in "\n".join(row["QUERY PLAN"] for row in rows)


async def test_the_line(furnished: Database, driven: DrivenClock) -> None:
    now = driven.now()
    logs = [PostgresLog("readings", furnished, driven), PostgresLog("urgent", furnished, driven)]
    async with furnished.connection() as connection:
        empty = await pipe.line(connection, now)
        assert empty["detection"] == {"partitions": 0, "behind_seconds": None}
        assert empty["raising"][0] == {"days": 1, "n": 0, "p50": None, "p99": None, "max": None}
        await put(
            connection, [Call(now - timedelta(hours=2), presses=2), Call(now - timedelta(days=3), cause="inactivity")]
        )
        await connection.execute("insert into detection_partitions (partition, heard_ms, at_ms, epoch, tick_ms)"
                                 " values (0, 1, 1, 1, %s), (1, 1, 1, 1, %s), (2, 0, 0, 0, 0)",
                                 (driven.now_ms() - 2000, driven.now_ms() - 500))  # fmt: skip
        await connection.execute(
            "update log_heads set position = case log when 'readings' then 10 else 4 end where partition = 0"
        )
        await connection.execute("insert into leases (name, partition, position) values ('readings/archive', 0, 7)")
        await connection.execute(
            "insert into parked (log, consumer, partition, position, parked_at, reason, body)"
            " values ('readings', 'readings/archive', 0, 1, %s, 'unreadable', '')",
            (now,),
        )
        days = [now.date() - timedelta(days=back) for back in (0, 6, 7)]
        for day in days:
            await connection.execute("insert into rejected_counts values (%s, 'not_json', 5)", (day,))
        found = await pipe.line(connection, now)
        waiting = await figures.waiting(connection, now)
    assert [(row["kind"], row["source"], row["day"], row["days"]) for row in found["kinds"]] == [
        ("sos", "reported", 2, 2), ("inactivity", "derived", 0, 1),
    ]  # fmt: skip
    assert [(row["n"], row["max"]) for row in found["raising"]] == [(2, 0.008), (2, 0.008)]
    assert found["detection"] == {"partitions": 2, "behind_seconds": 2.0}
    assert found["rejected"] == [{"reason": "not_json", "today": 5, "week": 10}]
    assert [(row["consumer"], row["entries"]) for row in found["parked"]] == [("readings/archive", 1)]
    lag = {(row["log"], row["group"]): row["entries"] for row in await pipe.lag(logs) or []}
    assert lag == {("readings", "archive"): 3, ("readings", "alerting"): 10, ("urgent", "urgent"): 4}
    assert (waiting["alarms_waiting"], waiting["alarms_without_incident"], waiting["sends_overdue"]) == (0, 0, 0)


async def test_what_waits_or_is_lost_is_counted(furnished: Database, driven: DrivenClock) -> None:
    now = driven.now()
    async with furnished.connection() as connection:
        (number,) = await put(connection, [Call(now - timedelta(hours=2), closed=None)])  # to be woken an hour ago
        await connection.execute(
            "insert into alarms (id, kind, home, at, received_at, raised_at, test, evidence, taken_at)"
            " select gen_random_uuid(), kind, 'H001', %(at)s, %(at)s, %(at)s, false, '{}', taken"
            " from (values ('sos', null), ('sos', %(at)s), ('ok', %(at)s), ('battery_restored', %(at)s))"
            " a(kind, taken)",
            {"at": now - timedelta(minutes=1)},
        )
        for state, ago in (("waiting", 10), ("waiting", 0.5), ("sent", 10)):
            await connection.execute(
                "insert into sends (incident, step, purpose, channel, recipient, name, address, language, body, due_at,"
                " deadline_at, state) values (%s, 0, 'help', 'device', %s, '', '', 'zh', '{}', %s, %s, %s)",
                (number, f"{state} {ago}", now - timedelta(seconds=ago), now, state),
            )
        await connection.execute(
            "insert into accounts (id, name, role, password_hash) values ('a', 'a', 'operator', '')"
        )
        for ago, sound in ((2, True), (2, False), (60, True)):
            await connection.execute("insert into consoles values (gen_random_uuid(), 'a', %s, %s, true)",
                                     (now - timedelta(seconds=ago), sound))  # fmt: skip
        found = await figures.waiting(connection, now)
    assert {name: value for name, value in found.items() if not name.endswith("_since")} == {
        "alarms_waiting": 1, "alarms_without_incident": 1, "sends_overdue": 1, "deadlines_overdue": 1, "consoles": 1,
    }  # fmt: skip
    assert found["deadlines_overdue_since"] == now - timedelta(hours=1)


class Silent:
    """A log on another machine that is away: outside our walls."""

    name = "readings"

    async def lag(self) -> dict[str, int]:
        raise ConnectionError


async def test_a_log_that_does_not_answer_takes_no_other_figure_with_it() -> None:
    assert await pipe.lag([Silent()]) is None


async def test_the_machines(database: Database, driven: DrivenClock, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "log").mkdir()
    said = {"name": "ingest-1", "state": "ready", "detail": "standby", "at_monotonic": driven.monotonic()}
    (tmp_path / "run" / "ingest-1.json").write_text(json.dumps(said), encoding="utf-8")
    (tmp_path / "run" / "old.json").write_text(
        json.dumps({**said, "name": "old", "at_monotonic": driven.monotonic() - 60})
    )
    (tmp_path / "log" / "ingest-1.log").write_bytes(b"x" * 100)
    (tmp_path / "log" / "ingest-1.log.1").write_bytes(b"x" * 200)
    async with database.connection() as connection:
        await connection.execute("select readings_day('2026-06-10')")
        found = await pipe.machines(connection, driven, tmp_path)
        elsewhere = await pipe.machines(connection, driven, None)
    assert [(row["name"], row["state"]) for row in found["processes"]] == [("ingest-1", "ready"), ("old", "silent")]
    assert found["logs"] == [{"name": "ingest-1", "bytes": 300}]
    assert 0 < found["disk"]["free_bytes"] <= found["disk"]["total_bytes"]
    assert found["database_bytes"] > 1_000_000
    assert found["versions"]["schema"].endswith(".sql")
    assert not any(row["name"].startswith("readings_2") for row in found["tables"])
    assert (elsewhere["processes"], elsewhere["logs"], elsewhere["disk"]) == ([], [], None)


@pytest.fixture(scope="module")
async def web(shared_url: str) -> AsyncIterator[Site]:
    """Who asks for figures changes nothing."""
    async with site(shared_url) as one:
        await one.furnish()
        now = one.process.clock.now()
        async with one.process.database.connection() as connection:
            await put(connection, month(now, ["H001", "H002", "H003"], days=3))
            late = Call(now - timedelta(hours=2), home="H003", answer=200, reason="陈秀英 was on the other line")
            await put(connection, [late])
        yield one


@pytest.fixture(scope="module")
async def supervisor(web: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with await web.signed_in("supervisor") as client:
        yield client


async def test_machines_get_the_same_numbers_by_the_api(web: Site) -> None:
    client = await web.machine("auditor")
    async with client:
        answer = await client.get("/api/v1/figures", params={"days": "7"})
        found = answer.json()
    assert answer.status_code == 200
    assert {"line", "people", "machines", "response"} <= found.keys()
    assert len(found["people"]["days"]) == 7
    assert found["people"]["incidents"] == sum(day["incidents"] for day in found["people"]["days"]) > 20
    # An auditor learns that a reason was written, and not what was written of whom.
    assert any(row["reason_written"] for row in found["people"]["late"])
    assert "陈秀英" not in answer.text
    assert {row["reason"] for row in found["people"]["late"]} == {None}


async def test_who_is_bound_to_an_area_gets_its_people_alone(web: Site) -> None:
    client = await web.signed_in("operator", "440704")
    async with client:
        found = (await client.get("/api/v1/figures?days=7")).json()
        assert (found["line"], found["machines"], found["response"], found["area"]) == (None, None, None, "440704")
        assert {row["area_name"] for row in found["people"]["late"]} == {"江海区"}
        assert (await client.get("/api/v1/figures?days=7&area=440703")).status_code == 422
        page = await client.get("/figures?days=7&area=440703")
        assert page.status_code == 422
        assert "蓬江区" not in page.text


@pytest.mark.parametrize(
    "query",
    ["days=0", "days=367", "days=x", "days=²", "days=-1", "first=2026-13-01", "first=yesterday", "last=0001-01-01",
     "area=9", "first=2026-02-02&last=2026-02-01", "first=2020-01-01&last=2026-01-01", "first=2999-01-01", "area=%00"],
)  # fmt: skip
async def test_a_period_that_cannot_be_is_refused_in_words(supervisor: httpx.AsyncClient, query: str) -> None:
    for path in ("/figures", "/figures/days.csv", "/api/v1/figures"):
        answer = await supervisor.get(f"{path}?{query}")
        assert answer.status_code == 422, path
    assert "trace" not in answer.text.lower()


async def test_the_days_as_a_file_that_a_spreadsheet_opens(supervisor: httpx.AsyncClient) -> None:
    answer = await supervisor.get("/figures/days.csv?days=7", headers={"accept-language": "zh"})
    shown = (await supervisor.get("/api/v1/figures?days=7")).json()["people"]["days"]
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert 'filename="pingan-figures-' in answer.headers["content-disposition"]
    head, *rows = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert head[:3] == ["日期", "呼叫事件", "60 秒内接听"]
    assert [(row[0], int(row[1]), int(row[2])) for row in rows] == [
        (day["day"], day["incidents"], day["answered_60"]) for day in shown
    ]
