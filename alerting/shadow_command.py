"""`pingan shadow …`: try a version of a detector beside the one that rings, compare, and let it ring."""

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable

import msgspec

from alerting import shadow
from alerting.shadow import Refused, State, Wanted
from alerting.shadow_text import lines
from alerting.shadow_words import say
from pingan.clock import SystemClock
from pingan.database import LOST, Database
from pingan.settings import Common, SettingsError, load

Work = Callable[[Database, argparse.Namespace], Awaitable[None]]


def main(argv: list[str]) -> int:
    """0: done. 1: refused, with the reason on standard error. 2: not understood."""
    arguments = _parser().parse_args(argv)
    try:
        asyncio.run(_with_database(load(Common), arguments))
    except SettingsError as error:
        return _complain(str(error))
    except BrokenPipeError:
        # Whoever reads has seen enough, as `head` does; it is no lost database, and must not be flushed once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except LOST as error:
        return _complain(_say("no_database", error=str(error).strip() or type(error).__name__))
    except Refused as refused:
        return _complain(_say(refused.reason, **refused.values))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pingan shadow", description="Versions of detectors beside the ones that ring 检测器版本的旁路运行与启用."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, work: Work, what: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=what, description=what)
        one.set_defaults(work=work)
        return one

    def version(one: argparse.ArgumentParser) -> None:
        one.add_argument("detector")
        one.add_argument("label")
        one.add_argument("--area", help="an area's code: it and all within it (default: everywhere)")

    command("list", _list, "the versions, where each runs, and who decided it")
    for name, state, what in (
        ("start", "shadow", "run a version in shadow; one that rings is quiet from then on"),
        ("promote", "live", "let a version ring; the one that it replaces rings on for a day"),
        ("stop", "off", "run a version no longer"),
    ):
        one = command(name, _act, what)
        version(one)
        one.add_argument("--by", required=True, help="the account, or the name, of the supervisor who decides it")
        one.add_argument("--reason", required=True)
        one.set_defaults(state=state)
    report = command("report", _report, "compare a version in shadow with what rang")
    version(report)
    report.add_argument("--days", type=int, default=shadow.REPORT_DAYS)
    report.add_argument("--json", action="store_true", help="as JSON")
    return parser


async def _with_database(settings: Common, arguments: argparse.Namespace) -> None:
    database = Database(settings.database_url, connections=2, application="pingan shadow")
    await database.open()
    try:
        await arguments.work(database, arguments)
    finally:
        await database.close()


async def _list(database: Database, arguments: argparse.Namespace) -> None:
    async with database.connection() as connection:
        found = await shadow.overview(connection, None)
    for one in found["detectors"]:
        for each in one["versions"]:
            _tell(_say("version", detector=one["detector"], **each))
    for act in found["acts"]:
        said = {"state": _say(act["state"]), "scope": act["scope_name"] or _say("everywhere")}
        _tell(_say("act", **{**act, "at": f"{act['at']:%Y-%m-%d %H:%M}Z", **said}))


async def _act(database: Database, arguments: argparse.Namespace) -> None:
    state: State = arguments.state
    wanted = Wanted(arguments.detector, arguments.label, state, arguments.reason, arguments.area)
    async with database.transaction() as connection:
        who = await shadow.supervisor(connection, arguments.by)
        done = await shadow.act(connection, wanted, who["name"], who["area"], SystemClock().now())
    said = {"id": done["id"], "homes": done["homes"], "detector": wanted.detector, "label": wanted.label}
    _tell(_say(f"done_{state}", **said))
    if silent := await _unheard(database, wanted.detector):
        _tell(_say("none_rings", detector=wanted.detector, homes=silent))
    if state == "live" and not done["ran"]:
        _tell(_say("begins_anew"))


async def _unheard(database: Database, detector: str) -> int:
    """In how many homes no version of a detector rings, now that it was decided so."""
    async with database.connection() as connection:
        found = await shadow.overview(connection, None)
    (one,) = [each for each in found["detectors"] if each["detector"] == detector]
    return int(found["homes"] - sum(version["live"] for version in one["versions"]))


async def _report(database: Database, arguments: argparse.Namespace) -> None:
    now = SystemClock().now()
    async with database.connection() as connection:
        found = await shadow.look_back(
            connection, arguments.detector, arguments.label, now, now, days=arguments.days, scope=arguments.area
        )
    _tell(msgspec.json.encode(found).decode() if arguments.json else "\n".join(lines(found, _language())))


def _language() -> str:
    """PINGAN_LANGUAGE, else the locale's; English when neither is Chinese."""
    for name in ("PINGAN_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def _say(key: str, **values: object) -> str:
    return say(key, _language(), **values)


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")


def _complain(text: str) -> int:
    sys.stderr.write(f"pingan shadow: {text}\n")
    return 1
