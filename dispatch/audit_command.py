"""`pingan audit`: whether every press became one alarm on one incident that a person took, by what was written.

It reads the archive, the alarms, the incidents, their journals and the anchors, and writes nothing.
"""

import argparse
import asyncio
import json
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from psycopg.types.json import set_json_loads

from dispatch.anchoring import sql
from dispatch.audit_words import WORDS
from dispatch.auditing import QUIET, Finding, anchor_hash, findings
from dispatch.policy import TECHNICAL
from pingan.clock import SystemClock
from pingan.database import LOST, Connection, Database
from pingan.local.words import say, words
from pingan.messages import reported_alarm_id
from pingan.settings import Common, SettingsError, load

Row = dict[str, Any]

DAYS = 31
ROWS = 500
"""Incidents read at a time."""
NAMED_MAX = 200
"""Of each contradiction so many are named; all are counted."""
ARCHIVED = timedelta(minutes=5)
TAKEN = timedelta(minutes=1)


class Found:
    """What contradicts itself: counted, however much it is, and so many of each name kept."""

    def __init__(self) -> None:
        self.kept: list[Finding] = []
        self.counts: Counter[str] = Counter()

    def add(self, found: Iterable[Finding]) -> None:
        for one in found:
            self.counts[one.name] += 1
            if self.counts[one.name] <= NAMED_MAX:
                self.kept.append(one)


async def audit(connection: Connection, since: datetime, until: datetime, now: datetime) -> dict[str, Any]:
    """What was looked at, and each contradiction by name. `until` is excluded.

    Everything is looked at once, a few hundred rows at a time: a city's year needs no more memory than a village's.
    """
    period = {"since": since, "until": until}
    looked: Counter[str] = Counter()
    found = Found()
    async with connection.transaction():  # of one that is open already a part: what is streamed needs one
        async for row in _streamed(connection, sql.presses, {**period, "archived": now - ARCHIVED}):
            looked.update({row["what"]: row["count"]} if row["count"] is not None else {})
            found.add(_press(row))
        parameters = {**period, "taken": now - TAKEN, "quiet": [*QUIET, *TECHNICAL]}
        async for row in _streamed(connection, sql.dangers_without_incident, parameters):
            what = f"{row['kind']} {row['home'] or row['device']}"
            found.add([Finding("danger_without_incident", f"alarm {row['id']}", what)])
        async for row, entries, alarms in _incidents(connection, period):
            looked.update(incidents=1, entries=len(entries), stamps=sum(row[f"t{n}"] is not None for n in range(10)))
            looked["taken_by_a_person"] += bool(row["t3"] or row["t5"])
            for alarm in alarms:
                event = alarm["evidence"].get("event")
                if alarm["evidence"].get("source") == "reported" and event and alarm["device"]:
                    looked["derived_again"] += 1
                    if reported_alarm_id(alarm["device"], event) != alarm["id"]:
                        where = f"alarm {alarm['id']}"
                        found.add([Finding("alarm_id_differs", where, f"{alarm['device']} {event}")])
            found.add(findings(row, entries, alarms))
        looked["anchors"], newest, wrong = await _anchors(connection)
        found.add(wrong)
    return {
        "since": since, "until": until, "looked_at": dict(looked), "newest_anchor": newest,
        "found": dict(found.counts), "findings": [one._asdict() for one in found.kept],
    }  # fmt: skip


def _press(row: Row) -> list[Finding]:
    if row["what"] == "press_without_alarm":
        return [Finding(row["what"], row["device"], f"{row['event']} {row['at']:%Y-%m-%d %H:%M:%S}")]
    if row["what"] == "alarm_without_press":
        return [Finding(row["what"], f"alarm {row['alarm']}", f"{row['device']} {row['event']}")]
    return []


async def _streamed(connection: Connection, query: str, parameters: Row) -> AsyncIterator[Row]:
    async with connection.cursor("audited") as cursor:
        cursor.itersize = ROWS
        await cursor.execute(query, parameters)
        async for row in cursor:
            yield row


async def _incidents(connection: Connection, period: Row) -> AsyncIterator[tuple[Row, list[Row], list[Row]]]:
    """Each incident with its journal and its alarms."""
    async with connection.cursor("incidents") as cursor:
        await cursor.execute(sql.incidents, period)
        while rows := await cursor.fetchmany(ROWS):
            these = {"incidents": [row["id"] for row in rows]}
            journals = await _by_incident(connection, sql.journals, these)
            alarms = await _by_incident(connection, sql.alarms_of, these)
            for row in rows:
                yield row, journals[row["id"]], alarms[row["id"]]


async def _by_incident(connection: Connection, query: str, parameters: Row) -> defaultdict[int, list[Row]]:
    of_each: defaultdict[int, list[Row]] = defaultdict(list)
    for row in await (await connection.execute(query, parameters)).fetchall():
        of_each[row["incident"]].append(row)
    return of_each


async def _anchors(connection: Connection) -> tuple[int, str | None, list[Finding]]:
    """How many there are, the newest, and what of them is not as it was written."""
    found: list[Finding] = []
    before, count = b"", 0
    for anchor in await (await connection.execute(sql.anchors)).fetchall():
        count += 1
        heads = await (await connection.execute(sql.heads, {"anchor": anchor["number"]})).fetchall()
        where = f"anchor {anchor['number']}"
        if anchor["number"] != count:
            found.append(Finding("anchor_missing", where, f"expected {count}"))
        if anchor_hash(before, ((h["incident"], h["number"], h["hash"]) for h in heads)) != anchor["hash"]:
            found.append(Finding("anchor_broken", where))
        for head in heads:
            if head["written"] != head["hash"]:
                name = "journal_gone" if head["written"] is None else "journal_rewritten"
                found.append(Finding(name, f"incident {head['incident']}", f"{where}, entry {head['number']}"))
        before = anchor["hash"]
    return count, before.hex() or None, found


def main(argv: list[str]) -> int:
    """0: nothing contradicts itself. 1: something does, or it could not be looked at. 2: the command is wrong."""
    parser = argparse.ArgumentParser(prog="pingan audit", description=_t("about"))
    parser.add_argument("--since", type=_moment, help=_t("since", days=DAYS))
    parser.add_argument("--until", type=_moment, help=_t("until"))
    parser.add_argument("--anchor", help=_t("anchor"))
    parser.add_argument("--json", action="store_true", help=_t("json"))
    arguments = parser.parse_args(argv)
    now = SystemClock().now()
    until = arguments.until or now
    since = arguments.since or until - timedelta(days=DAYS)
    try:
        told = asyncio.run(_look(load(Common).database_url, since, until, now))
    except SettingsError as error:
        return _complain(str(error))
    except LOST as error:
        return _complain(_t("no_database", error=str(error).strip() or type(error).__name__))
    if arguments.anchor and arguments.anchor not in told["anchors"]:
        told["findings"].append(Finding("anchor_unknown", arguments.anchor)._asdict())
        told["found"]["anchor_unknown"] = 1
    del told["anchors"]
    if arguments.json:
        say(msgspec.json.encode(told).decode())
    else:
        _tell(told)
    return 1 if told["findings"] else 0


async def _look(url: str, since: datetime, until: datetime, now: datetime) -> dict[str, Any]:
    database = Database(url, connections=1, application="pingan audit")
    await database.open()
    try:
        async with database.transaction() as connection:
            # One moment of all: what is written meanwhile contradicts nothing.
            await connection.execute("set transaction isolation level repeatable read, read only")
            set_json_loads(_loads, connection)
            told = await audit(connection, since, until, now)
            rows = await (await connection.execute(sql.anchors)).fetchall()
            return {**told, "anchors": {row["hash"].hex() for row in rows}}
    finally:
        await database.close()


def _loads(text: str | bytes) -> Any:
    """As psycopg reads JSON, in half the time. What somebody put there that no program of ours writes must show, and
    stop nothing: a number beyond all bounds.
    """
    try:
        return msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return json.loads(text)


def _tell(told: dict[str, Any]) -> None:
    say(_t("looked", since=f"{told['since']:%Y-%m-%d %H:%M}", until=f"{told['until']:%Y-%m-%d %H:%M}"))
    for name, count in told["looked_at"].items():
        say(_t("count", name=_t(name), count=count))
    if told["newest_anchor"]:
        say(_t("newest", hash=told["newest_anchor"]))
    for one in told["findings"][:NAMED_MAX]:
        say(_t("finding", name=_t(one["name"]), where=one["where"], what=one["what"]))
    say(_t("found", n=sum(told["found"].values())) if told["findings"] else _t("whole"))


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.astimezone().astimezone(UTC)


def _t(key: str, **values: Any) -> str:
    return words(key, WORDS, **values)


def _complain(text: str) -> int:
    sys.stderr.write(f"pingan audit: {text}\n")
    return 1
