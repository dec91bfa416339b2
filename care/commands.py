"""`pingan register …`: import, export, the sample, accounts and tokens."""

import argparse
import asyncio
import csv
import io
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from care.accounts import Accounts, new_password
from care.changes import Refused
from care.principals import MACHINE_ROLES, ROLES
from care.records import ENTITIES
from care.refusal import Refusal
from care.registrar import Report
from care.sample import FILE, HOMES, load_sample
from care.tables import BAD_ROWS_LIMIT, column_said
from care.transfer import as_files, export_tables, import_files, packed, read_source, write_private
from care.words import explain, say
from pingan.clock import SystemClock
from pingan.database import LOST, Database
from pingan.settings import Common, SettingsError, load

Work = Callable[[Database, argparse.Namespace], Awaitable[None]]


def main(argv: list[str]) -> int:
    """0: done. 1: refused, with the reasons on standard error. 2: not understood."""
    arguments = _parser().parse_args(argv)
    try:
        settings = load(Common)
        if arguments.work is None:
            return _sample(settings, arguments.homes)
    except SettingsError as error:
        return _complain(str(error))
    except LOST as error:
        return _no_database(error)
    except Refusal as refusal:
        return _complain(explain(refusal, chosen_language()))
    return carry_out("pingan register", settings.database_url, arguments.work, arguments)


def carry_out(program: str, url: str, work: Work, arguments: argparse.Namespace) -> int:
    """Do `work` on the database. 0, or 1 with the reasons on standard error."""
    try:
        asyncio.run(_with_database(program, url, work, arguments))
    except LOST as error:
        return _no_database(error, program)
    except Refused as refused:
        return _list(refused, program)
    except Refusal as refusal:
        return _complain(explain(refusal, chosen_language()), program)
    return 0


def chosen_language() -> str:
    """PINGAN_LANGUAGE, else the locale's; English when neither is Chinese."""
    for name in ("PINGAN_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def _say(key: str, **values: object) -> str:
    return say(key, chosen_language(), **values)


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")


def _complain(text: str, program: str = "pingan register") -> int:
    sys.stderr.write(f"{program}: {text}\n")
    return 1


def _no_database(error: BaseException, program: str = "pingan register") -> int:
    return _complain(_say("no_database", error=str(error).strip() or type(error).__name__), program)


def _list(refused: Refused, program: str) -> int:
    if not any(bad.file for bad in refused.bad):
        # One record, which a command named: it stands in no file, and nothing was to be imported.
        for bad in refused.bad:
            _complain(explain(bad.refusal, chosen_language()), program)
        return 1
    for bad in refused.bad[:BAD_ROWS_LIMIT]:
        key = "file" if bad.line == 0 else "line_whole" if bad.column is None else "line"
        column, reason = column_said(bad, chosen_language()), explain(bad.refusal, chosen_language())
        sys.stderr.write(_say(key, file=bad.file, line=bad.line, column=column, reason=reason) + "\n")
    if len(refused.bad) > BAD_ROWS_LIMIT:
        sys.stderr.write(_say("only_first", count=BAD_ROWS_LIMIT) + "\n")
    return _complain(_say("nothing_imported", count=len(refused.bad)), program)


async def _with_database(program: str, url: str, work: Work, arguments: argparse.Namespace) -> None:
    database = Database(url, connections=2, application=program)
    await database.open()
    try:
        await work(database, arguments)
    finally:
        await database.close()


def _sample(settings: Common, homes: int) -> int:
    if settings.data is None:
        return _complain(_say("no_data"))
    if load_sample(settings.database_url, settings.data, homes=homes):
        _tell(_say("sample_loaded", path=settings.data / FILE))
    else:
        _tell(_say("sample_not_empty"))
    return 0


def _source(arguments: argparse.Namespace) -> dict[str, bytes]:
    if arguments.passwords_to is not None and arguments.passwords_to.exists():
        # What stands in it was shown only there.
        raise Refusal("already_there", path=arguments.passwords_to)
    return read_source(arguments.source)


async def _import(database: Database, arguments: argparse.Namespace) -> None:
    passwords_to: Path | None = arguments.passwords_to
    files = _source(arguments)
    async with database.transaction() as connection:
        report = await import_files(connection, files, SystemClock().now(), dry_run=arguments.dry_run)
        # Before the commit: a password that was stored and not written down would lock its device out.
        if report.passwords and passwords_to is not None:
            write_private(passwords_to, _password_file(report))
    for name in ENTITIES:
        counts = [getattr(report, what).get(name, 0) for what in ("added", "changed", "unchanged")]
        if any(counts):
            _tell(_say("counts", entity=name, added=counts[0], changed=counts[1], unchanged=counts[2]))
    if arguments.dry_run:
        if report.without_password:
            _tell(_say("would_get_password", count=report.without_password))
        _tell(_say("dry_run"))
    elif report.passwords and passwords_to is not None:
        _tell(_say("passwords_written", count=len(report.passwords), path=passwords_to))
    elif report.passwords:
        _tell(_say("passwords_here"))
        _tell("\n".join(f"{device} {password}" for device, password in report.passwords.items()))


def _password_file(report: Report) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerows([("id", "password"), *report.passwords.items()])
    return out.getvalue().encode()


async def _export(database: Database, arguments: argparse.Namespace) -> None:
    target: Path = arguments.target
    async with database.connection() as connection:
        tables = await export_tables(connection, arguments.area, language=arguments.language)
    form = target.suffix.lower().removeprefix(".")
    # Other people's diagnoses and door codes: for nobody but whoever asked.
    if form in ("zip", "xlsx"):
        write_private(target, await packed(tables, form, arguments.language, SystemClock().now()))  # type: ignore[arg-type]
    else:
        for name, content in as_files(tables).items():
            write_private(target / name, content)
    _tell(_say("exported", path=target, count=len(tables)))


async def _account_add(database: Database, arguments: argparse.Namespace) -> None:
    password = _given(arguments)
    await Accounts(database).add(
        arguments.account,
        arguments.name or arguments.account,
        arguments.role,
        password or (made := new_password()),
        area=arguments.area,
        language=arguments.language,
    )
    _tell(_say("done") if password else _say("password_is", account=arguments.account, password=made))


async def _account_password(database: Database, arguments: argparse.Namespace) -> None:
    password = _given(arguments)
    await Accounts(database).set_password(arguments.account, password or (made := new_password()))
    _tell(_say("done") if password else _say("password_is", account=arguments.account, password=made))


def _given(arguments: argparse.Namespace) -> str | None:
    """A password from standard input: on the command line, everybody on the machine could read it."""
    return sys.stdin.readline().rstrip("\r\n") if arguments.password_stdin else None


async def _account_list(database: Database, arguments: argparse.Namespace) -> None:
    for one in await Accounts(database).list():
        state = "" if one.enabled else "closed"
        _tell("\t".join((one.id, one.role, one.area or "*", one.language, one.name, state)).rstrip())


async def _account_open(database: Database, arguments: argparse.Namespace) -> None:
    await Accounts(database).enable(arguments.account, arguments.what == "open")
    _tell(_say("done"))


async def _token_create(database: Database, arguments: argparse.Namespace) -> None:
    accounts, now = Accounts(database), SystemClock().now()
    token = await accounts.create_token(arguments.name, arguments.role, now, area=arguments.area)
    _tell(_say("token_is", name=arguments.name, token=token))


async def _token_end(database: Database, arguments: argparse.Namespace) -> None:
    if not await Accounts(database).end_token(arguments.name):
        raise Refusal("no_token", name=arguments.name)
    _tell(_say("done"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pingan register", description="The register 登记册.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("import", help="files into the register; every bad row is named, or all is written")
    one.add_argument(
        "source", type=Path, help="a folder or a zip of CSV files, one CSV file, or an Excel workbook (.xlsx)"
    )
    one.add_argument("--dry-run", action="store_true", help="say what would change, and write nothing")
    one.add_argument(
        "--passwords-to", type=Path, metavar="FILE", help="new devices' passwords go there, not to the screen"
    )
    one.set_defaults(work=_import)

    one = commands.add_parser("export", help="the register as files, which import back to the same state")
    one.add_argument(
        "target",
        type=Path,
        help="a folder (CSV files), or a file that ends in .zip (CSV files) or .xlsx (one workbook)",
    )
    one.add_argument("--language", choices=("en", "zh"), default="en", help="of the headings and of words such as yes")
    one.add_argument("--area", help="only this area (its code)")
    one.set_defaults(work=_export)

    one = commands.add_parser("sample", help="load the sample neighbourhood, if the register is empty")
    one.add_argument("--homes", type=int, default=HOMES, help="more of them, for benchmarks")
    one.set_defaults(work=None)

    accounts = commands.add_parser("account", help="who may sign in").add_subparsers(required=True, metavar="WHAT")
    one = accounts.add_parser("add", help="make an account; its password is made and shown once, unless it is given")
    one.add_argument("account")
    one.add_argument("--role", choices=ROLES, required=True)
    one.add_argument("--name")
    one.add_argument("--area", help="what it may see: this area's code; without it, everything")
    one.add_argument("--language", choices=("zh", "en"), default="zh")
    one.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    one.set_defaults(work=_account_add)
    accounts.add_parser("list", help="all accounts").set_defaults(work=_account_list)
    one = accounts.add_parser("password", help="a new password; whoever is signed in with the old one is signed out")
    one.add_argument("account")
    one.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    one.set_defaults(work=_account_password)
    for what, words in (("close", "sign out, and let in no more"), ("open", "let in again")):
        one = accounts.add_parser(what, help=words)
        one.add_argument("account")
        one.set_defaults(work=_account_open, what=what)

    tokens = commands.add_parser("token", help="bearer tokens of machines").add_subparsers(
        required=True, metavar="WHAT"
    )
    one = tokens.add_parser("create", help="make a token; it is shown this once")
    one.add_argument("name")
    one.add_argument("--role", choices=MACHINE_ROLES, required=True)
    one.add_argument("--area", help="what it may see: this area's code; without it, everything")
    one.set_defaults(work=_token_create)
    one = tokens.add_parser("end", help="withdraw a token")
    one.add_argument("name")
    one.set_defaults(work=_token_end)
    return parser
