"""`pingan suggestions`: what closures suggest, what was decided, and how often alarms were false."""

import argparse
import asyncio
import sys
from typing import Any

import msgspec

from dispatch import learning
from dispatch.learning_words import WORDS
from pingan.clock import SystemClock
from pingan.database import LOST, Database
from pingan.local.words import say, words
from pingan.settings import Common, SettingsError, load


def main(argv: list[str]) -> int:
    """0: told. 1: it could not be."""
    parser = argparse.ArgumentParser(prog="pingan suggestions", description=_t("about"))
    parser.add_argument("--json", action="store_true", help=_t("json"))
    arguments = parser.parse_args(argv)
    try:
        found = asyncio.run(_look(load(Common).database_url))
    except SettingsError as error:
        return _complain(str(error))
    except LOST as error:
        return _complain(_t("no_database", error=str(error).strip() or type(error).__name__))
    if arguments.json:
        say(msgspec.json.encode(found).decode())
    else:
        _tell(found)
    return 0


async def _look(url: str) -> dict[str, Any]:
    database, now = Database(url, connections=1, application="pingan suggestions"), SystemClock().now()
    await database.open()
    try:
        async with database.connection() as connection:
            return {
                "suggestions": [learning.shown(one) for one in await learning.suggestions(connection, now)],
                "decisions": await learning.decisions(connection),
                "false_alarms": await learning.figures(connection, now),
            }
    finally:
        await database.close()


def _tell(found: dict[str, Any]) -> None:
    for one in found["suggestions"]:
        say(_t(one["rule"], **{**one["evidence"], **one}))
        say(_t("incidents", incidents=", ".join(map(str, one["evidence"]["incidents"]))))
    if not found["suggestions"]:
        say(_t("none"))
    if found["decisions"]:
        say(_t("decided"))
    for row in found["decisions"]:
        what = row["device"] or row["home"]
        say(
            _t(
                "decision", at=row["decided_at"], by=row["decided_by"], decision=_t(row["decision"]), rule=row["rule"],
                what=what, was=row["was"], proposed=row["proposed"],
            )
        )  # fmt: skip
    figures = found["false_alarms"]
    rated = [row for row in (*figures["homes"], *figures["devices"]) if row["false_per_person_week"] is not None]
    if rated:
        say(_t("figures", days=figures["days"]))
    for row in rated:
        say(
            _t(
                "figure", what=row.get("device") or row["home"], kind=row["kind"], false=row["false"],
                alarms=row["alarms"], rate=row["false_per_person_week"], low=row["false_per_person_week_low"],
                high=row["false_per_person_week_high"],
            )
        )  # fmt: skip


def _t(key: str, **values: Any) -> str:
    return words(key, WORDS, **values)


def _complain(text: str) -> int:
    sys.stderr.write(f"pingan suggestions: {text}\n")
    return 1
