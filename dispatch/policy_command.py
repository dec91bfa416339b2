"""`pingan policy`: who is called when, which policies hold, and whether a file of them could be saved."""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from dispatch import books, explaining
from dispatch import policy_sentences as sentences
from dispatch.book import CAUSES, Book, faults
from dispatch.explaining import BadTime, Unknown, moment
from dispatch.policy_words import said
from pingan.clock import SystemClock
from pingan.database import LOST, Connection, Database
from pingan.local.words import language, say
from pingan.settings import Common, SettingsError, Text, centre, load


class PolicySettings(Common, frozen=True, kw_only=True):
    """Settings of `pingan policy`."""

    timezone: Text = "Asia/Shanghai"


def main(argv: list[str]) -> int:
    """0: told, and nothing is wrong. 1: it could not be told, or something is wrong."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.what == "check":
            return _check(arguments.file)
        settings = load(PolicySettings)
        return asyncio.run(_look(settings, centre(settings.timezone), arguments))
    except SettingsError as error:
        return _complain(str(error))
    except LOST as error:
        return _complain(_t("no_database", error=str(error).strip() or type(error).__name__))
    except Unknown as unknown:
        return _complain(_t("unknown", id=str(unknown)))
    except BadTime as wrong:
        return _complain(_t("bad_time", text=str(wrong)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pingan policy", description=_t("about"))
    parts = parser.add_subparsers(dest="what", required=True)
    explain = parts.add_parser("explain", help=_t("explain"), description=_t("explain"))
    whose = explain.add_mutually_exclusive_group(required=True)
    whose.add_argument("--person", help=_t("person"))
    whose.add_argument("--home", help=_t("home"))
    explain.add_argument("--cause", default="sos", choices=CAUSES, help=_t("cause"), metavar="CAUSE")
    explain.add_argument("--at", help=_t("at"))
    explain.add_argument("--json", action="store_true", help=_t("json"))
    show = parts.add_parser("show", help=_t("show"), description=_t("show"))
    show.add_argument("--json", action="store_true", help=_t("json"))
    check = parts.add_parser("check", help=_t("check"), description=_t("check"))
    check.add_argument("file", type=Path, help=_t("file"))
    return parser


async def _look(settings: PolicySettings, zone: ZoneInfo, arguments: argparse.Namespace) -> int:
    database = Database(settings.database_url, connections=1, application="pingan policy")
    await database.open()
    try:
        async with database.connection() as connection:
            book = await books.current(connection)
            if arguments.what == "explain":
                await _explain(connection, book, zone, arguments)
            else:
                _show(book, as_json=arguments.json)
    finally:
        await database.close()
    return 0


async def _explain(connection: Connection, book: Book, zone: ZoneInfo, arguments: argparse.Namespace) -> None:
    home = arguments.home or await explaining.home_of(connection, arguments.person)
    local = await explaining.home_zone(connection, home, zone)
    at = moment(arguments.at, SystemClock().now().astimezone(local))
    found = await explaining.explain(connection, book, home, arguments.cause, at, zone)
    if arguments.json:
        say(msgspec.json.encode(found).decode())
        return
    for line in sentences.timeline(found, language()):
        say(line)


def _show(book: Book, *, as_json: bool) -> None:
    if as_json:
        say(msgspec.json.format(msgspec.json.encode(book), indent=2).decode())
        return
    for policy in book.policies.values():
        title = sentences.title(policy.name, book.policies, language())
        say(_t("policy_head", name=policy.name) + (f" · {title}" if title != policy.name else ""))
        for number, step in enumerate(sentences.steps(policy, language()), 1):
            say(f"  {number}. {step}")
        if policy.heeds_quiet:
            say("  " + _t("heeds_quiet"))
    say(_t("rules" if book.rules else "no_rules"))
    for number, rule in enumerate(book.rules, 1):
        say("  " + sentences.rule(rule, number, language(), book.policies))


def _check(file: Path) -> int:
    try:
        book = msgspec.json.decode(file.read_bytes(), type=Book)
    except (OSError, msgspec.DecodeError) as error:
        return _complain(_t("unreadable", file=file, error=error))
    found = faults(book)
    for one in found:
        say(sentences.fault(one, language()))
    if not found:
        say(_t("fine"))
    return 1 if found else 0


def _t(key: str, **values: Any) -> str:
    return said(key, language(), **values)


def _complain(text: str) -> int:
    sys.stderr.write(f"pingan policy: {text}\n")
    return 1
