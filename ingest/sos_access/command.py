"""`pingan receiver`: run it; enrol a transmitter, renew its authentication, list them, remove one."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable

import psycopg

from ingest.sos_access import transmitters
from ingest.sos_access.protocol import CODE_MAX
from ingest.sos_access.server import Receiver, Settings
from ingest.sos_access.words import WORDS
from pingan import process
from pingan.clock import SystemClock
from pingan.database import LOST, Connection, Database
from pingan.local.words import words
from pingan.settings import Common, SettingsError, load

Work = Callable[[Connection, argparse.Namespace], Awaitable[str]]


class _Refused(Exception):
    """What was asked cannot be done; the text says why."""


def main(argv: list[str]) -> int:
    """0: done. 1: refused, with the reason on standard error. 2: not understood."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.work is None:
            settings = load(Settings)
            process.main(_run(settings))
            return 0
        sys.stdout.write(asyncio.run(_with_database(load(Common).database_url, arguments.work, arguments)))
    except (SettingsError, _Refused) as error:
        return _complain(str(error))
    except LOST as error:
        return _complain(_say("no_database", error=str(error).strip() or type(error).__name__))
    return 0


async def _run(settings: Settings) -> None:
    await Receiver(settings).run()


def _say(key: str, **values: object) -> str:
    return words(key, WORDS, **values)


def _complain(text: str) -> int:
    sys.stderr.write(f"pingan receiver: {text}\n")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pingan receiver", description=_say("about"))
    parser.set_defaults(work=None)
    commands = parser.add_subparsers(metavar="COMMAND")
    commands.add_parser("run", help=_say("help_run"))
    works: dict[str, Work] = {"add": _add, "renew": _renew, "remove": _remove, "list": _list}
    for name, work in works.items():
        one = commands.add_parser(name, help=_say(f"help_{name}"))
        one.set_defaults(work=work)
        if name != "list":
            one.add_argument("code", metavar="CODE", help=_say("help_code"))
        if name == "add":
            one.add_argument("--device", help=_say("help_device"))
            one.add_argument("--unwatched", action="store_true", help=_say("help_unwatched"))
    return parser


async def _with_database(url: str, work: Work, arguments: argparse.Namespace) -> str:
    database = Database(url, connections=2, application="pingan receiver")
    await database.open()
    try:
        async with database.transaction() as connection:
            return await work(connection, arguments) + "\n"
    finally:
        await database.close()


async def _add(connection: Connection, arguments: argparse.Namespace) -> str:
    code, device = arguments.code, arguments.device or arguments.code
    if not 1 <= len(code) <= CODE_MAX or code != code.strip() or not _sendable(code):
        raise _Refused(_say("bad_code"))
    now, monitored = SystemClock().now(), not arguments.unwatched
    try:
        authentication = await transmitters.add(connection, code, device, now, monitored=monitored)
    except psycopg.errors.ForeignKeyViolation as error:
        raise _Refused(_say("no_device", device=device)) from error
    except psycopg.errors.UniqueViolation as error:
        raise _Refused(_say("device_taken", device=device)) from error
    if authentication is None:
        raise _Refused(_say("code_taken", code=code))
    return _say("authentication", code=code, device=device, authentication=authentication)


def _sendable(code: str) -> bool:
    return code.isprintable() and max(map(ord, code)) < 256


async def _renew(connection: Connection, arguments: argparse.Namespace) -> str:
    authentication = await transmitters.renew(connection, arguments.code)
    if authentication is None:
        raise _Refused(_say("no_transmitter", code=arguments.code))
    return _say("renewed", code=arguments.code, authentication=authentication)


async def _remove(connection: Connection, arguments: argparse.Namespace) -> str:
    if not await transmitters.remove(connection, arguments.code):
        raise _Refused(_say("no_transmitter", code=arguments.code))
    return _say("removed", code=arguments.code)


async def _list(connection: Connection, _: argparse.Namespace) -> str:
    rows = await transmitters.listed(connection)
    return "\n".join(
        _say(
            "row",
            code=row["code"],
            device=row["device"],
            home=row["home"] or "-",
            watched=_say("watched" if row["monitored"] else "unwatched"),
        )
        for row in rows
    )
