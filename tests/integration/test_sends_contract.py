"""What the outbox asks of its rows: PostgreSQL, and the memory that the simulated worlds are made of, in one suite."""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec
import pytest

from dispatch import books
from dispatch import incident as core
from dispatch import sends as table
from dispatch.desk import Desk
from dispatch.desk import sql as desk_sql
from dispatch.following import BRIDGE, CHANGE, FAMILY, HELP, PACKET, STAGE, TEST, WEEK, Row, rank
from dispatch.incident import Incident
from dispatch.sends import Outcome, Sends, SendsTable, Wrong
from pingan.database import Database
from tests.simulation.memory import MemorySends, OpenGate, Table

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LI, WANG = "+8613800000101", "+8613800000102"


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


class Kept(Protocol):
    """The rows, and what the desk does to them."""

    sends: Sends

    async def put(self, number: int, incident: Incident) -> None: ...
    async def add(self, incident: int, rows: list[Row]) -> None: ...
    async def withdraw(self, incident: int) -> tuple[str, ...]: ...
    async def row(self, send: int) -> dict[str, Any]: ...
    async def wrong(self) -> list[tuple[str, str]]: ...


class InMemory:
    def __init__(self) -> None:
        self._incidents: dict[int, Incident] = {}
        self._table = Table(self._incidents)
        self.sends: Sends = MemorySends(self._table, OpenGate())

    async def put(self, number: int, incident: Incident) -> None:
        self._incidents[number] = incident

    async def add(self, incident: int, rows: list[Row]) -> None:
        self._table.add(incident, rows)

    async def withdraw(self, incident: int) -> tuple[str, ...]:
        return self._table.withdraw(incident, at(0))

    async def row(self, send: int) -> dict[str, Any]:
        return dict(self._table.rows[send])

    async def wrong(self) -> list[tuple[str, str]]:
        return list(self._table.wrong)


class InPostgres:
    def __init__(self, database: Database) -> None:
        self._database = database
        self.sends: Sends = SendsTable(database)

    async def put(self, number: int, incident: Incident) -> None:
        row = {**Desk._row(incident), "incident": number}
        async with self._database.connection() as connection:
            if (await connection.execute(desk_sql.save, row)).rowcount == 0:
                found = await (await connection.execute(desk_sql.open, row)).fetchone()
                assert found is not None
                assert found["id"] == number

    async def add(self, incident: int, rows: list[Row]) -> None:
        async with self._database.transaction() as connection:
            await table.add(connection, incident, rows)

    async def withdraw(self, incident: int) -> tuple[str, ...]:
        async with self._database.transaction() as connection:
            return await table.withdraw(connection, incident, at(0))

    async def row(self, send: int) -> dict[str, Any]:
        async with self._database.connection() as connection:
            found = await (await connection.execute("select * from sends where id = %s", (send,))).fetchone()
        assert found is not None
        return found

    async def wrong(self) -> list[tuple[str, str]]:
        async with self._database.connection() as connection:
            rows = await (await connection.execute("select kind, subject from desk_tasks order by id")).fetchall()
        return [(row["kind"], row["subject"]) for row in rows]


@pytest.fixture(params=["memory", "postgres"])
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[Kept]:
    """Two incidents that ask people: 1 is a danger and asks C1 and C2 in its step 1, 2 is none."""
    if request.param == "memory":
        yield await filled(InMemory())
        return
    database = Database(request.getfixturevalue("shared_url"), connections=2, application="test")
    await database.open()
    async with database.connection() as connection:
        await connection.execute("truncate sends, send_turns, journal, incidents, desk_tasks restart identity cascade")
    yield await filled(InPostgres(database))
    await database.close()


async def filled(this: Kept) -> Kept:
    await this.put(1, asking(True))
    await this.put(2, asking(False))
    return this


def asking(danger: bool) -> Incident:
    opened = core.open_incident(
        home=None, device=f"device-{danger}", cause="sos", danger=danger, test=False, press=None,
        policy=books.shipped().policies["danger"], t0=NOON, t1=NOON, people=(), now=NOON,
    ).incident  # fmt: skip
    return msgspec.structs.replace(opened, step=1, calling=True, awaited=("C1", "C2"))


ROW = Row(1, HELP, "twilio_voice", "C1", "李梅", LI, "zh", {}, NOON, at(40))


async def claimed(kept: Kept, seconds: float = 0, worker: str = "dispatch-1#a", limit: int = 8) -> list[int]:
    return [row["id"] for row in await kept.sends.claim("twilio_voice", at(seconds), worker, limit)]


async def test_what_is_due_is_claimed_once_dangers_first_and_says_so_before_it_is_sent(kept: Kept) -> None:
    await kept.add(2, [ROW])
    await kept.add(1, [ROW._replace(address=WANG), ROW._replace(step=2, address="+861", due_at=at(5))])
    await kept.add(1, [ROW._replace(channel="twilio_sms")])
    assert await claimed(kept, limit=1) == [2], "a danger goes first"
    row = await kept.row(2)
    assert (row["state"], row["dialled_at"], row["worker"]) == ("dialling", at(0), "dispatch-1#a")
    assert await claimed(kept) == [1]
    assert await claimed(kept, 4.9) == []
    assert await claimed(kept, 5) == [3], "and the message is another channel's"


async def test_calls_go_at_the_rate_of_the_provider_whoever_places_them_and_in_the_order_of_danger(kept: Kept) -> None:
    quiet = msgspec.structs.replace(asking(True), cause="inactivity", device="device-quiet")
    await kept.put(3, quiet)
    rows = {number: ROW._replace(address=f"+861{number}") for number in (1, 2, 3)}
    await kept.add(2, [rows[2]._replace(due_at=at(-9))])
    await kept.add(3, [rows[3]._replace(due_at=at(-5))])
    await kept.add(1, [rows[1]._replace(purpose=FAMILY, due_at=at(-7200)), rows[1]._replace(recipient="C2")])
    await kept.add(2, [rows[2]._replace(recipient="C9", address="+8619", deadline_at=at(-1))])

    async def turn(seconds: float, worker: str = "dispatch-1#a", rate: float = 1.0) -> list[int]:
        return [row["id"] for row in await kept.sends.claim("twilio_voice", at(seconds), worker, 8, rate)]

    # A press goes before who was only not heard from; what is too late takes nobody's turn, nor their time.
    assert await turn(0) == [4, 5]
    assert await turn(0, "dispatch-2#b") == [], "two processes do not call twice as often"
    assert await turn(0.9) == []
    assert await turn(1.2, "dispatch-2#b") == [2], "then who was not heard from, before devices"
    assert await turn(1.9) == []
    assert await turn(2.0) == [1], "what one comes too late is not lost to the next"
    assert await turn(-3600) == [3], "news last; a clock that is put back stops nobody"
    assert await kept.sends.claim("twilio_sms", at(0), "dispatch-1#a", 8, None) == []


async def test_turns_that_nobody_took_are_not_saved_up_and_a_faster_rate_counts_at_once(kept: Kept) -> None:
    await kept.add(1, [ROW._replace(recipient=f"C{number}", address=f"+861{number}") for number in range(9)])

    async def turn(seconds: float, rate: float) -> int:
        return len(await kept.sends.claim("twilio_voice", at(seconds), "dispatch-1#a", 8, rate))

    assert await turn(0, 0.1) == 1
    assert await turn(5, 0.1) == 0
    assert await turn(5, 4.0) == 1
    assert await turn(30, 4.0) == 3, "half a second's turns, and this one"
    assert await turn(30.2, 4.0) == 0
    assert await turn(30.25, 4.0) == 1


@pytest.mark.parametrize("purpose", [HELP, STAGE, CHANGE, FAMILY, BRIDGE, PACKET, TEST, WEEK])
async def test_the_database_ranks_as_we_do(shared_url: str, purpose: str) -> None:
    database = Database(shared_url, connections=1, application="test")
    await database.open()
    async with database.connection() as connection:
        for danger in (True, False):
            for cause in ("sos", "inactivity", "fall", "heartbeat_lost"):
                asked = await connection.execute("select send_rank(%s, %s, %s) as rank", (purpose, danger, cause))
                row = await asked.fetchone()
                assert row is not None
                assert row["rank"] == rank(purpose, danger, cause), (danger, cause)
    await database.close()


async def test_the_same_thing_is_added_once(kept: Kept) -> None:
    await kept.add(1, [ROW, ROW, ROW._replace(recipient="C2", address=WANG), ROW._replace(name="another word")])
    assert len(await claimed(kept)) == 2


async def test_one_attempt_at_a_time_goes_to_a_number_that_is_asked_for_help(kept: Kept) -> None:
    await kept.add(1, [ROW])
    await kept.add(2, [ROW])
    await kept.add(2, [ROW._replace(purpose=STAGE)])
    assert await claimed(kept) == [1, 3], "what asks nobody to come stands behind nobody"
    assert await claimed(kept) == []
    await kept.sends.settle(1, Outcome("sent", provider_id="CA1"))
    assert await claimed(kept) == [2]


async def test_an_attempt_ends_once(kept: Kept) -> None:
    await kept.add(1, [ROW])
    assert not await kept.sends.settle(1, Outcome("sent")), "it has not begun"
    await claimed(kept)
    assert await kept.sends.settle(1, Outcome("sent", provider_id="CA1"))
    assert not await kept.sends.settle(1, Outcome("failed", "late", finished_at=at(9)))
    row = await kept.row(1)
    assert (row["state"], row["provider_id"], row["finished_at"]) == ("sent", "CA1", None)


async def test_what_the_provider_says_later_never_goes_behind_a_final_word(kept: Kept) -> None:
    await kept.add(1, [ROW])
    await claimed(kept)
    assert await kept.sends.progress(1, Outcome("sent", "ringing", "CA1", finished_at=at(3)))
    row = await kept.row(1)
    assert (row["state"], row["finished_at"]) == ("sent", None), "it told before we had our answer"
    assert not await kept.sends.settle(1, Outcome("failed"))
    assert await kept.sends.progress(1, Outcome("answered", "key_going", "CA2", finished_at=at(4)))
    assert not await kept.sends.progress(1, Outcome("unanswered", "no_key", "CA1", finished_at=at(5)))
    row = await kept.row(1)
    assert (row["state"], row["result"], row["provider_id"]) == ("answered", "key_going", "CA1")
    assert row["finished_at"] == at(4)


async def test_what_only_a_person_can_put_right_is_a_task_once_and_only_of_what_was_recorded(kept: Kept) -> None:
    wrong = Wrong("bad_number", "C1", {"code": "21211"})
    gone = Outcome("failed", "no such number", finished_at=at(1), wrong=wrong)
    await kept.add(1, [ROW, ROW._replace(channel="twilio_sms")])
    assert not await kept.sends.settle(1, gone)
    assert await kept.wrong() == [], "it was not ours to end"
    await claimed(kept)
    assert await kept.sends.settle(1, gone)
    assert await kept.sends.progress(2, gone._replace(wrong=wrong._replace(detail={"code": "30005"})))
    assert not await kept.sends.progress(2, gone._replace(wrong=wrong._replace(subject="C2")))
    assert await kept.wrong() == [("bad_number", "C1")]


async def test_an_id_that_a_lookup_gave_to_another_stays_there_and_what_is_told_is_recorded(kept: Kept) -> None:
    await kept.add(1, [ROW, ROW._replace(recipient="C2", address=WANG), ROW._replace(recipient="R1", address="+861")])
    await claimed(kept)
    await kept.sends.settle(1, Outcome("sent", "found_by_lookup", "CA1"))
    assert await kept.sends.settle(2, Outcome("sent", provider_id="CA1"))
    assert await kept.sends.progress(3, Outcome("answered", "key_going", "CA1", finished_at=at(4)))
    rows = [await kept.row(send) for send in (1, 2, 3)]
    assert [row["provider_id"] for row in rows] == ["CA1", None, None]
    assert [row["state"] for row in rows] == ["sent", "sent", "answered"]


async def test_an_answer_withdraws_what_asks_for_help_and_waits(kept: Kept) -> None:
    await kept.add(1, [ROW])
    await claimed(kept)
    message = ROW._replace(channel="twilio_sms")
    await kept.add(1, [message, message._replace(recipient="C2"), message._replace(purpose=STAGE)])
    await kept.add(2, [message])
    assert await kept.withdraw(1) == ("twilio_sms", "twilio_sms")
    states = [(await kept.row(send))["state"] for send in range(1, 6)]
    assert states == ["dialling", "withdrawn", "withdrawn", "waiting", "waiting"]


async def test_what_could_not_be_sent_is_tried_again_as_long_as_whoever_is_asked_is_awaited(kept: Kept) -> None:
    await kept.add(1, [ROW])
    await claimed(kept)
    assert await kept.sends.again(1, "busy", at(2), at(0)) == "waiting"
    row = await kept.row(1)
    assert (row["state"], row["result"], row["due_at"], row["finished_at"]) == ("waiting", "busy", at(2), None)
    assert row["tries"] == 1
    assert await kept.sends.again(1, "busy", at(3), at(0)) is None
    assert await claimed(kept, 1) == []
    assert await claimed(kept, 2) == [1]


@pytest.mark.parametrize("answered", [{"calling": False}, {"step": 2}, {"awaited": ("C2",)}])
async def test_whoever_is_awaited_no_more_is_neither_tried_nor_called_again(
    kept: Kept, answered: dict[str, Any]
) -> None:
    await kept.add(1, [ROW, ROW._replace(recipient="R1", purpose=STAGE, address=WANG)])
    await claimed(kept)
    await kept.withdraw(1)
    await kept.put(1, msgspec.structs.replace(asking(True), **answered))
    async with kept.sends.conclude(1, at(0)) as case:
        assert case is not None
        assert (case.danger, case.asking) == (True, False)
    assert await kept.sends.again(1, "busy", at(2), at(1)) == "withdrawn"
    assert (await kept.row(1))["finished_at"] == at(1)
    assert await kept.sends.again(2, "busy", at(2), at(1)) == "waiting", "news is no request"


async def test_what_nobody_finished_is_looked_up_by_its_own_process_soon_and_by_others_later(kept: Kept) -> None:
    await kept.add(1, [ROW])
    await claimed(kept, worker="dispatch-1#a")

    async def unclear(before: float, long_before: float, ahead: float, name: str, worker: str) -> list[int]:
        rows = await kept.sends.unclear(at(before), at(long_before), at(ahead), name, worker)
        return [row["id"] for row in rows]

    assert await unclear(1, -7, 10, "dispatch-1", "dispatch-1#b") == [1], "this name has a new life"
    assert await unclear(0, -7, 10, "dispatch-1", "dispatch-1#b") == [], "but it is too soon"
    assert await unclear(1, -7, 10, "dispatch-1", "dispatch-1#a") == [], "it may be sending still"
    assert await unclear(1, -7, 10, "dispatch-2", "dispatch-2#a") == []
    assert await unclear(8, 1, 10, "dispatch-2", "dispatch-2#a") == [1], "nobody sends for so long"
    assert await unclear(-3600, -3607, -3590, "dispatch-2", "dispatch-2#a") == [1], "the clock was put back"
    await kept.sends.settle(1, Outcome("sent"))
    assert await unclear(8, 1, 10, "dispatch-2", "dispatch-2#a") == []


async def test_an_unclear_attempt_is_concluded_by_one_and_repeated_as_declared(kept: Kept) -> None:
    await kept.add(1, [ROW, ROW._replace(recipient="C2", address=WANG)])
    await claimed(kept)
    await kept.sends.settle(2, Outcome("sent", provider_id="CA2"))
    async with kept.sends.conclude(1, at(0)) as case:
        assert case is not None
        assert (case.danger, case.asking) == (True, True)
        assert await case.unknown(["CA2"]) is None, "that is another's call"
        assert await case.unknown(["CA2", "CA9", "CA8"]) == "CA9"
        await case.repeat(at(6))
        await case.settle(Outcome("unclear", "unknown_repeated", finished_at=at(6)))
    async with kept.sends.conclude(1, at(0)) as case:
        assert case is None, "it has become clear"
    assert await claimed(kept, 6) == [3]
    row = await kept.row(3)
    assert (row["repeat"], row["step"], row["recipient"], row["deadline_at"]) == (1, 1, "C1", at(40))
    async with kept.sends.conclude(3, at(0)) as case:
        assert case is None, "that was another attempt"


NEWS, STEP, PERSON = {"purpose": CHANGE, "step": 2}, {"step": 2}, {"recipient": "C9"}


# Two calls for help to one number are never under way at once.
@pytest.mark.parametrize(
    ("other", "ended", "finished", "found"),
    [
        (NEWS, "dialling", 0, None),
        *(
            (other, *outcome)
            for other in (NEWS, STEP, PERSON)
            for outcome in (("unclear", 25, None), ("unclear", -41, "CA9"), ("sent", 1, "CA9"), ("failed", 1, "CA9"))
        ),
    ],
)
async def test_a_call_that_may_be_another_is_not_taken_for_this_one(
    kept: Kept, other: dict[str, Any], ended: str, finished: float, found: str | None
) -> None:
    await kept.add(1, [ROW._replace(**other), ROW._replace(recipient="C2", address=WANG)])
    await claimed(kept)
    provider_id = "CA8" if ended == "sent" else None
    if ended != "dialling":
        await kept.sends.settle(1, Outcome(ended, provider_id=provider_id, finished_at=at(finished)))
    await kept.sends.settle(2, Outcome("unclear", finished_at=at(25)))
    await kept.add(1, [ROW])
    assert await claimed(kept, 20) == [3]
    async with kept.sends.conclude(3, at(20)) as case:
        assert case is not None
        assert await case.unknown(["CA8", "CA9"][ended != "sent" :]) == found
        if ended in ("dialling", "unclear"):
            assert await case.unknown(["CA9", "CA10"]) == "CA9", "of two calls one is ours"


async def test_its_own_repeat_may_take_its_call(kept: Kept) -> None:
    await kept.add(1, [ROW])
    await claimed(kept)
    async with kept.sends.conclude(1, at(0)) as case:
        assert case is not None
        await case.repeat(at(6))
        await case.settle(Outcome("unclear", "unknown_repeated", finished_at=at(6)))
    assert await claimed(kept, 6) == [2]
    async with kept.sends.conclude(2, at(6)) as case:
        assert case is not None
        assert await case.unknown(["CA9"]) == "CA9", "it asks the same person the same"


async def test_a_greater_danger_goes_first_to_a_number_that_others_wait_for_too(kept: Kept) -> None:
    await kept.put(3, msgspec.structs.replace(asking(True), cause="inactivity", device="device-quiet"))
    await kept.add(3, [ROW])
    await kept.add(1, [ROW._replace(step=3)])
    assert await claimed(kept) == [2], "an SOS does not stand behind a silence that came before it"
    assert await claimed(kept) == [], "one at a time"


@pytest.mark.parametrize(
    ("newer", "then"),
    [
        ({}, "withdrawn"), ({"recipient": "C2"}, "waiting"), ({"channel": "twilio_sms"}, "waiting"),
        ({"step": 0}, "waiting"),
    ],
)  # fmt: skip
async def test_no_news_is_told_behind_newer(kept: Kept, newer: dict[str, Any], then: str) -> None:
    news = ROW._replace(purpose=FAMILY)
    await kept.add(1, [news])
    assert await claimed(kept) == [1]
    await kept.add(1, [news._replace(**{"step": 2, **newer})])
    assert await kept.sends.again(1, "busy", at(5), at(1)) == then


async def test_a_conclusion_that_fails_leaves_everything_as_it_was(kept: Kept) -> None:
    await kept.add(1, [ROW])
    await claimed(kept)
    with contextlib.suppress(ZeroDivisionError):
        async with kept.sends.conclude(1, at(0)) as case:
            assert case is not None
            await case.repeat(at(6))
            await case.settle(Outcome("unclear"))
            raise ZeroDivisionError
    assert (await kept.row(1))["state"] == "dialling"
    await kept.sends.settle(1, Outcome("sent"))
    assert await claimed(kept, 6) == [], "nothing was repeated"
